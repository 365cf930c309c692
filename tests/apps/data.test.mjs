// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachmentText, choice, choiceText, conceptText, dateOf, dosageText, periodText,
    quantityText, rangeText } from '../../apps/shared/datatypes.js';
import { FhirClient, query } from '../../apps/shared/fhir.js';
import { Decimal, parseJson, printJson } from '../../apps/shared/json.js';

const BASE = 'http://127.0.0.1:1/fhir/';

/** A server of canned answers by path; notes what was asked. */
function clientOf(answers) {
    const asked = [];
    const client = new FhirClient(BASE, async (url) => {
        asked.push(url.slice(BASE.length));
        const answer = answers[url.slice(BASE.length)];
        if (answer === undefined) {
            throw new TypeError('connection refused');
        }
        const [status, body] = answer;
        return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
    });
    return { client, asked };
}

const bundle = (ids, next) => ({ resourceType: 'Bundle', type: 'searchset',
    link: next === undefined ? [] : [{ relation: 'next', url: next }],
    entry: ids.map((id) => ({ resource: { resourceType: 'Patient', id } })) });

test('keeps_the_digits_of_decimals', () => {
    const text = '{"a":1.10,"b":[0.000000000000000000001,2],"c":"1.10","d":-3.0e2,"e":12345678901234567890}';
    const value = parseJson(text);
    assert.ok(value.a instanceof Decimal);
    assert.equal(String(value.a), '1.10');
    assert.equal(Number(value.a), 1.1);
    assert.equal(value.b[1], 2);
    assert.equal(value.c, '1.10');
    assert.equal(printJson(value).replace(/\s+/g, ''), text);
});

test('finds_the_ends_of_strings_with_escapes', () => {
    const text = '{"a":"x\\\\","b":1.50,"c":"say \\"1.50\\"","d":"\\\\\\""}';
    const value = parseJson(text);
    assert.equal(value.a, 'x\\');
    assert.equal(String(value.b), '1.50');
    assert.equal(value.c, 'say "1.50"');
    assert.equal(value.d, '\\"');
});

test('refuses_what_is_no_json', () => {
    for (const text of ['', '{', '{"a":}', '"open', '{"a":01x}']) {
        assert.throws(() => parseJson(text), SyntaxError, text);
    }
});

test('follows_pages_to_the_last', async () => {
    const { client } = clientOf({ 'Patient?name=a': [200, bundle(['1', '2'], `${BASE}Patient?c=2`)],
        'Patient?c=2': [200, bundle(['3'])] });
    const counts = [];
    const entries = await client.all('Patient?name=a', { onProgress: (count) => counts.push(count) });
    assert.deepEqual(entries.map((entry) => entry.resource.id), ['1', '2', '3']);
    assert.deepEqual(counts, [2, 3]);
});

test('does_not_follow_a_page_to_another_server_or_in_a_circle', async () => {
    const { client, asked } = clientOf({
        away: [200, bundle(['1'], 'http://elsewhere.example/fhir/x')],
        round: [200, bundle(['1'], `${BASE}round2`)], round2: [200, bundle(['1'], `${BASE}round2`)] });
    await assert.rejects(client.all('away'), { kind: 'broken' });
    assert.deepEqual(asked, ['away']);
    await assert.rejects(client.all('round'), { kind: 'broken' });
});

test('says_why_there_is_no_resource', async () => {
    const outcome = { resourceType: 'OperationOutcome', issue: [{ severity: 'error',
        code: 'invalid', diagnostics: 'Mend the name.', expression: ['name'] }] };
    const { client } = clientOf({ gone: [410, outcome], missing: [404, outcome],
        refused: [400, outcome], proxy: [502, '<html>'], odd: [200, '<html>'], list: [200, []] });
    await assert.rejects(client.get('gone'), { kind: 'gone', status: 410 });
    await assert.rejects(client.get('missing'), { kind: 'missing' });
    await assert.rejects(client.get('refused'), { kind: 'refused', message: 'Mend the name.',
        issues: [{ severity: 'error', text: 'Mend the name.', where: 'name' }] });
    await assert.rejects(client.get('proxy'), { kind: 'away' });
    await assert.rejects(client.get('nobody'), { kind: 'away', status: 0 });
    await assert.rejects(client.get('odd'), { kind: 'broken' });
    await assert.rejects(client.get('list'), { kind: 'broken' });
    await assert.rejects(client.page('missing'), { kind: 'missing' });
});

test('writes_queries_with_their_values_escaped', () => {
    assert.equal(query([['name', 'O’Neil & son'], ['name', 'x'], ['birthdate', '']]),
        'name=O%E2%80%99Neil%20%26%20son&name=x');
});

test('reads_data_types_in_one_line', () => {
    assert.equal(conceptText({ text: 'Asthma', coding: [{ display: 'x' }] }), 'Asthma');
    assert.equal(conceptText({ coding: [{ code: '1' }, { code: '2', display: 'Two' }] }), 'Two');
    assert.equal(conceptText({ coding: [{ code: '1' }] }), '1');
    assert.equal(conceptText(undefined), '');
    assert.equal(quantityText(parseJson('{"value":5.10,"unit":"mmol/L","comparator":">="}')),
        '≥ 5.10 mmol/L');
    assert.equal(quantityText({ value: 98, unit: '%' }), '98%');
    assert.equal(periodText({ start: '2024-03-05', end: '2024-03-07' }), '5 Mar 2024 to 7 Mar 2024');
    assert.equal(periodText({ end: '2024-03-07' }), 'until 7 Mar 2024');
    assert.equal(rangeText({ low: { value: 3.5 }, high: { value: 5.3, unit: 'mmol/L' } }),
        '3.5 to 5.3 mmol/L');
});

test('finds_choice_elements_by_the_name_without_their_type', () => {
    assert.deepEqual(choice({ valueQuantity: { value: 1 } }, 'value'),
        { type: 'Quantity', value: { value: 1 } });
    assert.equal(choice({ values: 1 }, 'value'), null);
    assert.equal(choiceText({ valueBoolean: false }, 'value'), 'No');
    assert.equal(choiceText({ valueCodeableConcept: { text: 'Positive' } }, 'value'), 'Positive');
    assert.equal(dateOf({ start: '2024' }), '2024');
    assert.equal(dateOf('never'), undefined);
});

test('reads_dosage_from_its_parts_when_there_is_no_text', () => {
    assert.equal(dosageText({ text: 'One at night' }), 'One at night');
    assert.equal(dosageText({ timing: { repeat: { frequency: 2, period: 1, periodUnit: 'd' } },
        doseAndRate: [{ doseQuantity: { value: 1, unit: 'tablet' } }] }),
    '1 tablet, 2 times every day');
});

test('reads_text_attachments_only', () => {
    const data = Buffer.from('Dear Dr Müller').toString('base64');
    assert.equal(attachmentText({ contentType: 'text/plain; charset=utf-8', data }), 'Dear Dr Müller');
    assert.equal(attachmentText({ contentType: 'application/pdf', data }), null);
    assert.equal(attachmentText({ contentType: 'text/plain' }), null);
    assert.equal(attachmentText({ contentType: 'text/plain', data: '%%%' }), null);
});
