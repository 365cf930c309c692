// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chart, personsOf, readReference } from '../../apps/record/chart.js';
import { compareVersions } from '../../apps/record/diff.js';
import { elementLabel, systemName } from '../../apps/record/elements.js';
import { readCriteria } from '../../apps/record/find.js';
import { linesOf, resultSeries } from '../../apps/record/headings.js';
import { pathText, readVersions } from '../../apps/record/history.js';
import { kindOf, labelOf, observationValue, statusOf } from '../../apps/record/kinds.js';
import { findPlace, personPlace, readPlace, resourceHref } from '../../apps/record/router.js';
import { byMonth } from '../../apps/record/timeline.js';
import { layOut } from '../../apps/record/trend.js';
import { parseJson } from '../../apps/shared/json.js';

test('reads_back_the_places_it_writes', () => {
    assert.deepEqual(readPlace(''), { view: 'find', criteria: {}, asked: false });
    assert.deepEqual(readPlace(findPlace({ name: 'O’Neil & son', page: '' })),
        { view: 'find', criteria: { name: 'O’Neil & son' }, asked: true });
    assert.deepEqual(readPlace(personPlace('p1')), { view: 'timeline', person: 'p1' });
    assert.deepEqual(readPlace(personPlace('p1', 'headings', 'results')),
        { view: 'headings', person: 'p1', heading: 'results' });
    assert.deepEqual(readPlace(resourceHref('p1', 'Observation', 'o.1')),
        { view: 'resource', person: 'p1', type: 'Observation', id: 'o.1' });
    assert.deepEqual(readPlace(resourceHref(undefined, 'Observation', 'o', 'history')),
        { view: 'history', person: undefined, type: 'Observation', id: 'o' });
    assert.deepEqual(readPlace(resourceHref('p', 'Observation', 'o', 'history', '2')),
        { view: 'resource', person: 'p', type: 'Observation', id: 'o', version: '2' });
});

test('knows_no_place_that_it_does_not_write', () => {
    for (const hash of ['#/x', '#/patient', '#/patient/a b', '#/patient/p/headings/a/b',
        '#/patient/p/observation/1', '#/patient/p/Observation/1/past', '#/resource/Patient',
        '#/patient/p/Observation/1/history/2/3', '#/%zz', '#/resource/Patient/..%2Fmetadata']) {
        assert.equal(readPlace(hash).view, 'nowhere', hash);
    }
});

test('turns_what_is_typed_into_search_parameters', () => {
    assert.deepEqual(readCriteria({ name: ' smith,  anna ', number: '943 476 5919', day: '5',
        month: '3', year: '1980', postcode: 'ls11aa' }), { errors: [], pairs: [['name', 'smith'],
        ['name', 'anna'], ['identifier', 'https://fhir.nhs.uk/Id/nhs-number|9434765919'],
        ['birthdate', '1980-03-05'], ['address-postalcode', 'LS1 1AA']] });
    assert.deepEqual(readCriteria({ year: '1980' }).pairs, [['birthdate', '1980']]);
    assert.deepEqual(readCriteria({ number: 'P|1' }).pairs, [['identifier', 'P\\|1']]);
    assert.deepEqual(readCriteria({}), { pairs: [], errors: [] });
});

test('says_what_is_wrong_with_what_is_typed_and_searches_for_nothing', () => {
    for (const [criteria, field] of [[{ number: '9434765918' }, 'number'], [{ day: '5' }, 'day'],
        [{ day: '31', month: '2', year: '1980' }, 'day'], [{ month: '13', year: '1980' }, 'day'],
        [{ day: '5', year: '1980' }, 'day'], [{ year: '80' }, 'day'],
        [{ month: 'May', year: '1980' }, 'day'], [{ month: '0', year: '1980' }, 'day']]) {
        const { pairs, errors } = readCriteria(criteria);
        assert.deepEqual(errors.map((error) => error.field), [field], JSON.stringify(criteria));
        assert.deepEqual(pairs, []);
    }
});

const patient = { resourceType: 'Patient', id: 'p', name: [{ family: 'Smith' }] };
const lab = (id, date, value, unit = 'mmol/L') => ({ resourceType: 'Observation', id,
    code: { coding: [{ system: 'http://loinc.org', code: '1', display: 'Sodium' }] },
    effectiveDateTime: date, valueQuantity: { value, unit } });

test('orders_the_record_newest_first_and_lets_reports_tell_their_results', () => {
    const chart = new Chart('p', [patient, lab('a', '2020-01-01', 1), lab('b', '2022', 2),
        { resourceType: 'DiagnosticReport', id: 'r', effectiveDateTime: '2021-06-01',
            result: [{ reference: 'Observation/a' }] },
        { resourceType: 'Practitioner', id: 'd', name: [{ text: 'Dr Who' }] },
        { resourceType: 'Condition', id: 'c', code: { text: 'Cough' } }]);
    assert.deepEqual(chart.timeline().map((entry) => entry.resource.id), ['b', 'r', 'c']);
    assert.deepEqual(chart.group('results').map((entry) => entry.resource.id), ['b', 'r', 'a']);
    assert.equal(chart.nameOf({ reference: 'Practitioner/d' }), 'Dr Who');
    assert.equal(chart.nameOf({ reference: 'Patient/p/_history/3' }), 'SMITH');
    assert.equal(chart.nameOf({ reference: 'Practitioner/x' }), '');
});

test('asks_for_the_names_that_are_missing_only', () => {
    const chart = new Chart('p', [{ ...patient, generalPractitioner: [{ reference:
        'Organization/o' }], managingOrganization: { reference: 'Organization/x', display: 'X' } },
    { resourceType: 'Encounter', id: 'e', participant: [{ individual: { reference:
        'Practitioner/d' } }], subject: { reference: 'Patient/p' } },
    { resourceType: 'Practitioner', id: 'd' }]);
    const wanted = Object.fromEntries([...chart.unnamed()].filter(([, ids]) => ids.size > 0)
        .map(([type, ids]) => [type, [...ids]]));
    assert.deepEqual(wanted, { Organization: ['o'] });
    assert.equal(readReference({ reference: 'http://elsewhere/Patient/1' }), null);
    assert.equal(readReference({ reference: '#contained' }), null);
});

test('groups_entries_by_year_and_month_in_uk_time', () => {
    const years = byMonth([{ date: '2024-06-30T23:30:00Z' }, { date: '2024-06-30' }, { date: '2023' },
        { date: undefined }]);
    assert.deepEqual(years.map(({ year, months }) => [year, months.map((one) => one.month)]),
        [[2024, [7, 6]], [2023, [null]], [null, [null]]]);
});

test('puts_results_of_the_same_kind_and_unit_into_one_series', () => {
    const entries = [lab('a', '2022', 3), lab('b', '2021', 2, 'mg/dL'), lab('c', '2020', 1)]
        .map((resource) => ({ resource, order: Date.parse(resource.effectiveDateTime),
            date: resource.effectiveDateTime }));
    assert.deepEqual(resultSeries(entries).map((series) => series.map((one) => one.resource.id)),
        [['a', 'c'], ['b']]);
    const [line] = linesOf(resultSeries(entries)[0]);
    assert.deepEqual(line.points.map((point) => point.value), [1, 3]);
    assert.deepEqual(linesOf(resultSeries(entries)[1]), []);
});

test('lays_a_trend_out_within_its_picture', () => {
    const { lines, band } = layOut([[{ order: 0, value: 10 }, { order: 5, value: 30 },
        { order: 10, value: 20 }]], { low: 15, high: 40 });
    assert.deepEqual(lines, [[[4, 28], [70, 12], [136, 20]]]);
    assert.deepEqual(band, [4, 24]);
    assert.deepEqual(layOut([[{ order: 0, value: 42 }]], { low: 90 }).band, [0, 4]);
    const flat = layOut([[{ order: 1, value: 5 }, { order: 1, value: 5 }]]);
    assert.deepEqual(flat, { lines: [[[70, 16], [70, 16]]], band: null });
});

test('tells_values_with_their_digits_and_pressures_as_two_numbers', () => {
    assert.equal(observationValue(parseJson('{"valueQuantity":{"value":4.50,"unit":"mmol/L"}}')),
        '4.50 mmol/L');
    assert.equal(observationValue({ code: { coding: [{ code: '85354-9' }] }, component: [
        { valueQuantity: { value: 78, unit: 'mmHg' } },
        { valueQuantity: { value: 120, unit: 'mmHg' } }] }), '120/78 mmHg');
    assert.equal(observationValue({ dataAbsentReason: { text: 'Not taken' } }), 'Not taken');
    assert.equal(labelOf({ resourceType: 'Observation', category: [{ coding: [{ code:
        'vital-signs' }] }] }), 'Measurement');
    assert.equal(labelOf({ resourceType: 'Observation' }), 'Result');
});

test('knows_whom_an_entry_concerns', () => {
    assert.deepEqual([...personsOf({ resourceType: 'Appointment', participant: [
        { actor: { reference: 'Patient/a' } }, { actor: { reference: 'Patient/b/_history/2' } },
        { actor: { reference: 'Practitioner/d' } }] })], ['a', 'b']);
    assert.deepEqual([...personsOf({ resourceType: 'Patient', id: 'p', link: [{ other:
        { reference: 'Patient/q' } }] })], ['p', 'q']);
    assert.deepEqual([...personsOf({ resourceType: 'Practitioner', id: 'd' })], []);
});

test('marks_entries_that_do_not_stand', () => {
    assert.ok(statusOf({ verificationStatus: { coding: [{ code: 'entered-in-error' }] } }).void);
    assert.ok(statusOf({ status: 'cancelled' }).void);
    assert.ok(!statusOf({ status: 'final' }).void);
    assert.equal(statusOf({ status: 'noshow' }).text, 'Did not attend');
    assert.equal(statusOf({ clinicalStatus: { coding: [{ code: 'active' }] } }).text, 'Active');
});

test('has_something_to_say_of_types_it_does_not_know', () => {
    const kind = kindOf('BodyStructure');
    assert.equal(kind.label, 'Body structure');
    assert.equal(kind.title({ resourceType: 'BodyStructure' }), 'Body structure');
    assert.equal(kind.date({ date: '2020' }), '2020');
    assert.equal(kind.group, 'other');
});

test('names_what_changed_between_versions_by_element', () => {
    const before = parseJson('{"meta":{"versionId":"1"},"gender":"male","name":[{"family":"A"}],"v":1.0}');
    const after = parseJson('{"meta":{"versionId":"2"},"birthDate":"1980","name":[{"family":"B"}],"v":1.00}');
    assert.deepEqual(compareVersions(before, after).map((change) =>
        [change.path, change.kind, String(change.before), String(change.after)]), [
        ['gender', 'removed', 'male', 'undefined'],
        ['name[0].family', 'changed', 'A', 'B'],
        ['v', 'changed', '1.0', '1.00'],
        ['birthDate', 'added', 'undefined', '1980']]);
    assert.deepEqual(compareVersions(before, before), []);
});

test('an_item_put_in_front_is_one_change', () => {
    const changes = compareVersions({ a: ['x', 'y'] }, { a: ['new', 'x', 'y'] });
    assert.deepEqual(changes.map((change) => [change.path, change.kind]), [['a[0]', 'added']]);
    assert.deepEqual(compareVersions({ a: ['x', 'y', 'z'] }, { a: ['x', 'z'] })
        .map((change) => [change.path, change.kind]), [['a[1]', 'removed']]);
});

test('reads_a_history_with_a_deletion_and_a_return', () => {
    const stored = (version) => ({ request: { method: 'PUT' }, resource: { resourceType: 'Basic',
        meta: { versionId: version, lastUpdated: '2024-01-01T00:00:00Z' } } });
    const versions = readVersions([stored('3'), { request: { method: 'DELETE' }, response:
        { etag: 'W/"2"', lastModified: '2024-01-01T00:00:00Z' } }, stored('1')]);
    assert.deepEqual(versions.map((one) => [one.number, one.action]),
        [['3', 'Updated'], ['2', 'Deleted'], ['1', 'Created']]);
    assert.equal(versions[0].before, versions[2].resource);
});

test('writes_paths_and_labels_for_readers', () => {
    assert.equal(pathText('name[0].given[1]'), 'Name 1, given 2');
    assert.equal(elementLabel('effectiveDateTime'), 'Effective');
    assert.equal(elementLabel('referenceRange'), 'Reference range');
    assert.equal(elementLabel('_birthDate'), 'Birth date (more)');
    assert.equal(systemName('http://snomed.info/sct'), 'SNOMED CT');
    assert.equal(systemName('https://example.org/Id/local-number'), 'local-number');
});
