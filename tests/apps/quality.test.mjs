// SPDX-License-Identifier: MIT
/** What the page of data quality reckons. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layOut, roundUp } from '../../apps/quality/chart.js';
import { daysBefore, placeHref, readPlace, reportPath, today } from '../../apps/quality/period.js';
import { formatRate, formatShare, rateOf, readReport, readSource } from '../../apps/quality/report.js';

const NOW = new Date('2026-11-21T12:00:00Z');
const coded = (code, system = 'urn:carelayer:quality', text = undefined) =>
    ({ coding: [{ system, code }], text });
const population = (sent, accepted, warned, refused) => [['initial-population', sent],
    ['accepted', accepted], ['accepted-with-warnings', warned], ['refused', refused]]
    .map(([code, count]) => ({ code: coded(code), count }));

test('shows_the_last_thirty_days_of_all_sources_when_not_asked_otherwise', () => {
    assert.deepEqual(readPlace('', NOW),
        { source: '', from: '2026-10-23', to: '2026-11-21', errors: [] });
    assert.equal(daysBefore('2026-03-01', 1), '2026-02-28');
});

test('knows_the_day_in_the_uk', () => {
    assert.equal(today(new Date('2026-06-30T23:30:00Z')), '2026-07-01');
    assert.equal(today(new Date('2026-12-31T23:30:00Z')), '2026-12-31');
});

test('reads_back_the_places_it_writes', () => {
    const place = { source: 'https://trust.example:8443', from: '2026-01-01', to: '2026-02-01' };
    assert.deepEqual(readPlace(placeHref(place), NOW), { ...place, errors: [] });
});

test('says_which_day_of_a_period_is_wrong', () => {
    const fields = (from, to) => readPlace(`#/?from=${from}&to=${to}`, NOW).errors
        .map((error) => error.field);
    assert.deepEqual(fields('2026-02-30', '2026-03-01'), ['from']);
    assert.deepEqual(fields('none', 'none'), ['from', 'to']);
    assert.deepEqual(fields('2026-03-02', '2026-03-01'), ['to']);
    assert.deepEqual(fields('2020-01-01', '2026-03-01'), ['from']);
    assert.deepEqual(fields('2026-03-01', '2026-03-01'), []);
});

test('asks_the_published_operation', () => {
    assert.equal(reportPath({ source: '', from: '2026-01-01', to: '2026-02-01' }),
        'Measure/data-quality/$evaluate-measure?periodStart=2026-01-01&periodEnd=2026-02-01');
    assert.match(reportPath({ source: 'urn:oid:1.2', from: 'a', to: 'b' }), /&reporter=urn%3Aoid%3A1\.2$/);
});

test('never_says_that_all_was_accepted_when_one_was_not', () => {
    assert.equal(formatRate(rateOf({ sent: 100000, refused: 1 })), '99.9%');
    assert.equal(formatRate(rateOf({ sent: 7, refused: 0 })), '100%');
    assert.equal(formatRate(rateOf({ sent: 1000, refused: 71 })), '92.9%');
    assert.equal(formatRate(rateOf({ sent: 0, refused: 0 })), '-');
    assert.deepEqual([10 / 716, 1 / 100000, 0].map(formatShare), ['1.4%', 'less than 0.1%', '0%']);
});

test('names_sources_in_plain_words_and_as_the_api_takes_them', () => {
    const ods = readSource(coded('RX1', 'https://fhir.nhs.uk/Id/ods-organization-code'));
    assert.deepEqual([ods.name, ods.reporter], ['RX1', 'RX1']);
    const address = readSource(coded('https://a.example', 'urn:ietf:rfc:3986'));
    assert.deepEqual([address.name, address.reporter], ['a.example', 'https://a.example']);
    assert.equal(readSource(coded('unknown')).name, 'Source not known');
    assert.equal(readSource(coded('other')).reporter, 'other');
});

test('reads_a_report_and_fills_the_days_without_entries', () => {
    const stratifier = (name, stratum) => ({ code: [coded(name)], stratum });
    const report = readReport({ period: { start: '2026-11-19', end: '2026-11-21' }, group: [{
        population: population(3, 1, 1, 1), stratifier: [
            stratifier('source', [{ value: coded('unknown'), population: population(3, 1, 1, 1) }]),
            stratifier('day', [{ value: coded('2026-11-20'), population: population(3, 1, 1, 1) }]),
            stratifier('rule-and-resource-type', [{ component: [
                { code: coded('rule'), value: coded('format', 'urn:carelayer:rule', 'Give a date.') },
                { code: coded('resource-type'), value: coded('Patient', 'x') }],
            population: population(1, 0, 0, 1) }])] }] });
    assert.deepEqual(report.counts, { sent: 3, accepted: 1, warned: 1, refused: 1 });
    assert.deepEqual(report.days.map(({ counts }) => counts.sent), [0, 3, 0]);
    assert.equal(report.mends[0].words, 'Give a date.');
    assert.equal(report.mends[0].type, 'Patient');
    assert.deepEqual(report.types, []);
});

test('draws_bars_that_stand_on_the_floor_within_the_picture', () => {
    const { top, bars } = layOut([{ counts: { warned: 2, refused: 4 } },
        { counts: { warned: 0, refused: 0 } }]);
    assert.equal(top, 10);
    const [bar, none] = bars;
    assert.equal(bar.refused[0] + bar.refused[1], 150);
    assert.equal(Math.round(bar.warned[0] + bar.warned[1]), Math.round(bar.refused[0]));
    assert.equal(none.refused[1], 0);
    assert.deepEqual([1, 3, 11, 50, 51].map(roundUp), [1, 5, 20, 50, 100]);
});
