// SPDX-License-Identifier: MIT
/**
 * Finding a person.
 * @module
 */
import { element } from '../shared/dom.js';
import { errorSummary, fieldError, pagination, table, tag, textField } from
    '../shared/components.js';
import { query } from '../shared/fhir.js';
import { formatAddress, formatAge, formatDateShort, formatName, formatNhsNumber, isNhsNumber,
    plural, tidyPostcode, words } from '../shared/format.js';
import { nhsNumberOf } from './person.js';
import { findPlace, personPlace } from './router.js';

const PAGE = 20;
const NHS_SYSTEM = 'https://fhir.nhs.uk/Id/nhs-number';

/**
 * What was typed, as FHIR search parameters (R4 Patient: name, identifier, birthdate,
 * address-postalcode), or what is wrong with it.
 * @param {{name?: string, number?: string, day?: string, month?: string, year?: string,
 *     postcode?: string}} criteria
 * @returns {{pairs: Array<[string, string]>, errors: Array<{field: string, text: string}>}}
 */
export function readCriteria(criteria) {
    const pairs = [];
    const errors = [];
    const name = (criteria.name ?? '').trim();
    // Every word must be met by some part of the name, in whatever order they are typed.
    name.split(/[\s,]+/).filter(Boolean).forEach((word) =>
        pairs.push(['name', word.replace(/[\\$|]/g, '\\$&')]));
    const number = (criteria.number ?? '').trim();
    const digits = number.replace(/[\s-]/g, '');
    if (/^\d{10}$/.test(digits)) {
        if (isNhsNumber(digits)) {
            pairs.push(['identifier', `${NHS_SYSTEM}|${digits}`]);
        } else {
            errors.push({ field: 'number',
                text: 'Check the NHS number: its last digit does not fit the other nine' });
        }
    } else if (number !== '') {
        pairs.push(['identifier', number.replace(/[\\$|,]/g, '\\$&')]);
    }
    const born = readBirth(criteria, errors);
    if (born !== '') {
        pairs.push(['birthdate', born]);
    }
    const postcode = (criteria.postcode ?? '').trim();
    if (postcode !== '') {
        pairs.push(['address-postalcode', tidyPostcode(postcode).replace(/[\\$|,]/g, '\\$&')]);
    }
    return { pairs, errors };
}

/** A birth date may be known in part: a year, or a month of a year. */
function readBirth(criteria, errors) {
    const [day, month, year] = ['day', 'month', 'year'].map((part) => (criteria[part] ?? '').trim());
    if (day === '' && month === '' && year === '') {
        return '';
    }
    const wrong = (text) => {
        errors.push({ field: 'day', text });
        return '';
    };
    if (!/^\d{4}$/.test(year)) {
        return wrong('Birth date needs a year of four digits');
    }
    if (day !== '' && month === '') {
        return wrong('Birth date with a day needs a month');
    }
    const parts = [year];
    for (const part of [month, day].filter((one) => one !== '')) {
        if (!/^\d{1,2}$/.test(part)) {
            return wrong('Birth date is written in numbers, for example 27 3 1980');
        }
        parts.push(part.padStart(2, '0'));
    }
    const date = parts.join('-');
    const real = parts.length < 2 ? true : Number(month) >= 1 && Number(month) <= 12 &&
        (parts.length < 3 || new Date(`${date}T00:00Z`).getUTCDate() === Number(day));
    return real ? date : wrong('Birth date must be a real date');
}

function birthField(criteria, error) {
    const part = (id, label, width) => element('div', { class: 'nhsuk-date-input__item' },
        element('div', { class: 'nhsuk-form-group' },
            element('label', { class: 'nhsuk-label nhsuk-date-input__label', for: id }, label),
            element('input', { id, name: id, inputmode: 'numeric', maxlength: width,
                value: criteria[id] ?? '', autocomplete: 'off',
                class: `nhsuk-input nhsuk-date-input__input nhsuk-input--width-${width}` +
                    `${error ? ' nhsuk-input--error' : ''}` })));
    return element('div', { class: `nhsuk-form-group${error ? ' nhsuk-form-group--error' : ''}` },
        element('fieldset', { class: 'nhsuk-fieldset', role: 'group',
            'aria-describedby': `born-hint${error ? ' day-error' : ''}` },
        element('legend', { class: 'nhsuk-fieldset__legend nhsuk-fieldset__legend--s' }, 'Birth date'),
        element('div', { class: 'nhsuk-hint', id: 'born-hint' }, 'A year alone will do'),
        error && fieldError('day', error),
        element('div', { class: 'nhsuk-date-input' },
            part('day', 'Day', 2), part('month', 'Month', 2), part('year', 'Year', 4))));
}

function searchForm(criteria, errors, nextHash) {
    const errorOf = (field) => errors.find((error) => error.field === field)?.text;
    const submit = (event) => {
        event.preventDefault();
        const typed = Object.fromEntries(new FormData(event.target));
        nextHash(findPlace(Object.fromEntries(
            Object.entries(typed).map(([key, value]) => [key, value.trim()]))));
    };
    return element('form', { class: 'app-find', role: 'search', 'aria-label': 'Find a person',
        novalidate: true, autocomplete: 'off', on: { submit } },
    element('div', { class: 'app-find__fields' },
        textField({ id: 'name', label: 'Name', hint: 'Any part, or the first letters of one',
            value: criteria.name, autocomplete: 'off', spellcheck: 'false' }),
        textField({ id: 'number', label: 'NHS number', hint: 'Or another identifier',
            value: criteria.number, error: errorOf('number'), autocomplete: 'off', width: 20 }),
        birthField(criteria, errorOf('day')),
        textField({ id: 'postcode', label: 'Postcode', hint: 'Or how it starts', width: 10,
            value: criteria.postcode, autocomplete: 'off' })),
    element('button', { class: 'nhsuk-button', type: 'submit' }, 'Find'));
}

function personRow(person) {
    const dead = person.deceasedDateTime !== undefined || person.deceasedBoolean === true;
    const died = person.deceasedDateTime ? ` ${formatDateShort(person.deceasedDateTime)}` : '';
    return [
        [element('a', { href: personPlace(person.id) }, formatName(person.name)),
            dead && [' ', tag(`Died${died}`)]],
        [formatDateShort(person.birthDate), person.birthDate && !dead &&
            [' ', element('span', { class: 'app-minor app-number' }, `(${formatAge(person.birthDate)})`)]],
        element('span', { class: 'app-number' }, formatNhsNumber(nhsNumberOf(person) ?? '') || '-'),
        words(person.gender ?? 'Not recorded'),
        formatAddress(person.address?.find((one) => one.use !== 'old')) || '-',
    ];
}

/** Page n of a search: the server tells the way from each page to the next. */
async function fetchPage(screen, pairs, number) {
    let path = `Patient?${query([...pairs, ['_count', String(PAGE)]])}`;
    for (let at = 1; ; at++) {
        const page = await screen.client.page(path, screen.signal);
        if (at === number || page.next === null) {
            return { number: at, next: page.next, people: page.entries
                .filter((entry) => entry.resource?.resourceType === 'Patient')
                .map((entry) => entry.resource) };
        }
        path = page.next;
    }
}

function resultNodes(page, criteria) {
    if (page.people.length === 0) {
        return [element('h2', { class: 'nhsuk-heading-m', id: 'found', tabindex: '-1' },
            'Nobody was found'),
        element('p', null, 'Try fewer letters of the name, the year of birth alone, or one field ' +
            'at a time.')];
    }
    const from = (page.number - 1) * PAGE + 1;
    const more = page.next === null ? '' : ', and there are more';
    const whole = page.number === 1 && page.next === null;
    const heading = whole ? `${plural(page.people.length, 'person was', 'people were')} found` :
        `People ${from} to ${from + page.people.length - 1}${more}`;
    const link = (number) => ({ text: `Page ${number}`,
        href: findPlace({ ...criteria, page: number > 1 ? String(number) : '' }) });
    return [element('h2', { class: 'nhsuk-heading-m', id: 'found', tabindex: '-1' }, heading),
        table('People found', ['Name', 'Born', 'NHS number', 'Gender', 'Address'],
            page.people.map(personRow), { captionHidden: true }),
        (page.number > 1 || page.next !== null) && pagination('Pages of people',
            page.number > 1 ? link(page.number - 1) : null,
            page.next === null ? null : link(page.number + 1))];
}

/**
 * @param {object} screen see main.js
 * @param {{criteria: object, asked: boolean}} place
 */
export async function showFind(screen, { criteria, asked }) {
    const { pairs, errors } = readCriteria(criteria);
    const { page: pageText, ...typed } = criteria;
    const form = searchForm(typed, errors, (hash) => {
        if (hash === window.location.hash) {
            screen.again();
        } else {
            window.location.hash = hash;
        }
    });
    const heading = element('h1', { class: 'nhsuk-heading-l' }, 'Find a person');
    const everyone = element('p', null,
        element('a', { href: '#/find' }, 'List everyone in this demonstration'));
    if (errors.length > 0) {
        const summary = errorSummary('There is a problem',
            errors.map((error) => ({ text: error.text, href: `#${error.field}` })));
        screen.show('Error: Find a person', [summary, heading, form]);
        return summary;
    }
    if (!asked) {
        screen.show('Find a person', [heading, form, everyone]);
        return null;
    }
    const page = await fetchPage(screen, pairs, Math.max(1, Math.trunc(Number(pageText)) || 1));
    const results = resultNodes(page, typed).filter(Boolean);
    const title = page.people.length === 0 ? 'Nobody was found' : 'People found';
    screen.show(title, [heading, form, element('section', { 'aria-labelledby': 'found' }, results)]);
    screen.announce(results[0].textContent);
    return results[0];
}
