// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dateOrder, formatAddress, formatAge, formatDate, formatDateShort, formatMoment, formatName,
    formatNhsNumber, formatStaffName, isNhsNumber, plural, readDate, tidyPostcode, words } from
    '../../apps/shared/format.js';

test('writes_dates_as_precisely_as_they_were_given', () => {
    assert.equal(formatDate('2024-03-05'), '5 March 2024');
    assert.equal(formatDate('2024-03'), 'March 2024');
    assert.equal(formatDate('2024'), '2024');
    assert.equal(formatDateShort('2024-09-05'), '5 Sep 2024');
    assert.equal(formatMoment('2024-03-05'), '5 March 2024');
});

test('writes_times_in_uk_time_whatever_zone_they_came_in', () => {
    assert.equal(formatMoment('2024-07-05T23:30:00Z'), '6 July 2024, 00:30');
    assert.equal(formatMoment('2024-01-05T23:30:00+02:00'), '5 January 2024, 21:30');
    assert.equal(formatDateShort('2024-07-05T23:30:00Z'), '6 Jul 2024');
});

test('gives_back_what_is_no_date', () => {
    assert.equal(formatDate('soon'), 'soon');
    assert.equal(readDate('2024-03-05x'), null);
    assert.equal(readDate(undefined), null);
    assert.equal(dateOrder('soon'), -Infinity);
});

test('orders_dates_of_different_precision_and_zone', () => {
    assert.ok(dateOrder('2024') < dateOrder('2024-02'));
    assert.ok(dateOrder('2024-07-05T10:00:00+02:00') < dateOrder('2024-07-05T09:00:00Z'));
});

test('tells_age_in_the_unit_that_is_used_for_it', () => {
    assert.equal(formatAge('1960-03-12', '2024-03-11'), '63 years');
    assert.equal(formatAge('1960-03-12', '2024-03-12'), '64 years');
    assert.equal(formatAge('2022-06-01', '2024-03-12'), '21 months');
    assert.equal(formatAge('2024-01-01', '2024-03-12'), '10 weeks');
    assert.equal(formatAge('2024-03-09', '2024-03-12'), '3 days');
    assert.equal(formatAge('2024-03-11', '2024-03-12'), '1 day');
    assert.equal(formatAge('1960', '2024-03-12'), 'about 64 years');
    assert.equal(formatAge('2030-01-01', '2024-03-12'), '');
    assert.equal(formatAge(undefined, '2024-03-12'), '');
});

test('counts_the_29th_of_february_on_the_1st_of_march', () => {
    assert.equal(formatAge('2000-02-29', '2023-02-28'), '22 years');
    assert.equal(formatAge('2000-02-29', '2023-03-01'), '23 years');
});

test('groups_nhs_numbers_and_knows_their_check_digit', () => {
    assert.equal(formatNhsNumber('9434765919'), '943 476 5919');
    assert.equal(formatNhsNumber('12345'), '12345');
    assert.ok(isNhsNumber('9434765919'));
    assert.ok(!isNhsNumber('9434765918'));
    assert.ok(!isNhsNumber('943476591'));
});

test('writes_names_family_first_and_leaves_old_names_out', () => {
    assert.equal(formatName([{ use: 'old', family: 'Jones', given: ['Anna'] },
        { use: 'official', family: 'Smith', given: ['Anna', 'Maria'], prefix: ['Mrs'] }]),
    'SMITH, Anna Maria (Mrs)');
    assert.equal(formatName([{ text: 'Anna' }]), 'Anna');
    assert.equal(formatName([{ use: 'old', family: 'Jones' }]), 'JONES');
    assert.equal(formatName(undefined), 'Name not recorded');
    assert.equal(formatStaffName([{ family: 'Brown', given: ['Gary'], prefix: ['Dr'] }]),
        'Dr Gary Brown');
});

test('tidies_postcodes_and_addresses', () => {
    assert.equal(tidyPostcode('ls11aa'), 'LS1 1AA');
    assert.equal(tidyPostcode(' sw1a 2aa'), 'SW1A 2AA');
    assert.equal(tidyPostcode('ls1'), 'LS1');
    assert.equal(formatAddress({ line: ['1 High Street'], city: 'Leeds', postalCode: 'LS1 1AA' }),
        '1 High Street, Leeds, LS1 1AA');
    assert.equal(formatAddress(undefined), '');
});

test('makes_words_of_element_names', () => {
    assert.equal(words('birthDate'), 'Birth date');
    assert.equal(words('_birthDate'), 'Birth date');
    assert.equal(words('entered-in-error'), 'Entered in error');
    assert.equal(plural(1, 'entry', 'entries'), '1 entry');
    assert.equal(plural(2100, 'value'), '2,100 values');
});
