// SPDX-License-Identifier: MIT
/**
 * Who the record is about: the banner, and the ways into the record.
 * @module
 */
import { element } from '../shared/dom.js';
import { tag } from '../shared/components.js';
import { formatAddress, formatAge, formatDate, formatMoment, formatName, formatNhsNumber, plural,
    words } from '../shared/format.js';
import { forgetChart, personsOf, readReference } from './chart.js';
import { personPlace, resourceHref } from './router.js';

const NHS_SYSTEM = 'https://fhir.nhs.uk/Id/nhs-number';

const WIDE = new Set(['Address', 'GP practice', 'Allergies', 'More']);

/** @returns {string|undefined} of a Patient */
export function nhsNumberOf(patient) {
    return patient.identifier?.find((one) => one.system === NHS_SYSTEM)?.value;
}

/** "12 March 1960 (64 years)", or how old they became. */
export function bornText(patient) {
    if (patient.birthDate === undefined) {
        return 'Not recorded';
    }
    const died = patient.deceasedDateTime;
    const age = patient.deceasedBoolean === true ? '' : formatAge(patient.birthDate, died);
    return `${formatDate(patient.birthDate)}${age && !died ? ` (${age})` : ''}`;
}

function diedText(patient) {
    if (patient.deceasedDateTime === undefined) {
        return patient.deceasedBoolean === true ? 'Date not recorded' : '';
    }
    const age = formatAge(patient.birthDate, patient.deceasedDateTime);
    return `${formatDate(patient.deceasedDateTime)}${age && ` (aged ${age})`}`;
}

function practiceNode(chart) {
    const reference = chart.patient.generalPractitioner?.[0];
    if (reference === undefined) {
        return 'Not recorded';
    }
    const place = readReference(reference);
    const name = chart.nameOf(reference) || 'Name not known';
    return place === null ? name :
        element('a', { href: resourceHref(chart.personId, place.type, place.id) }, name);
}

function allergiesNode(chart) {
    const allergies = chart.group('allergies').filter(({ resource }) =>
        resource.verificationStatus?.coding?.[0]?.code !== 'entered-in-error');
    if (allergies.length === 0) {
        return 'None recorded';
    }
    return allergies.map(({ resource, kind }) => kind.title(resource, chart.nameOf)).join('; ');
}

/**
 * @param {Chart} chart
 * @returns {HTMLElement}
 */
export function personBanner(chart) {
    const { patient } = chart;
    const died = diedText(patient);
    const rows = [
        ['Born', bornText(patient)],
        ['Died', died],
        ['NHS number', formatNhsNumber(nhsNumberOf(patient) ?? 'Not known')],
        ['Gender', words(patient.gender ?? 'Not recorded')],
        ['Address', formatAddress(patient.address?.find((one) => one.use !== 'old')) ||
            'Not recorded'],
        ['GP practice', practiceNode(chart)],
        ['Allergies', allergiesNode(chart)],
        ['More', element('a', { href: resourceHref(chart.personId, 'Patient', chart.personId) },
            'All personal details')],
    ];
    return element('section', { class: 'app-banner', 'aria-label': 'Person' },
        element('h1', { class: 'app-banner__name' }, formatName(patient.name), died && [' ', tag('Has died', 'white')]),
        element('dl', { class: 'app-banner__facts' }, rows.filter(([, value]) => value)
            .map(([label, value]) => element('div', {
                class: `app-banner__fact${WIDE.has(label) ?
                    ' app-banner__fact--wide' : ''}` },
            element('dt', null, label), element('dd', null, value)))));
}

/**
 * Above one entry: whose it is, so that nobody reads it as somebody else's. An entry that was opened
 * in a person's record and does not concern them says so.
 * @param {object|null} patient in whose record the reader is
 * @param {object} resource
 * @returns {HTMLElement|null} null: the reader is in nobody's record, or it is about nobody
 */
export function personStrip(patient, resource) {
    const persons = personsOf(resource);
    if (patient === null || persons.size === 0) {
        return null;
    }
    if (!persons.has(patient.id)) {
        return element('section', { class: 'nhsuk-warning-callout', 'aria-label': 'Warning' },
            element('p', { class: 'app-strong' }, 'This entry is about another person'),
            element('p', null, `It does not concern ${formatName(patient.name)}, in whose record ` +
                'you came to it.'));
    }
    const number = nhsNumberOf(patient);
    return element('section', { class: 'app-banner app-banner--strip', 'aria-label': 'Person' },
        element('a', { href: personPlace(patient.id) }, formatName(patient.name)),
        element('span', null, `Born ${bornText(patient)}`),
        patient.deceasedDateTime && element('span', null, `Died ${diedText(patient)}`),
        element('span', null, number ? `NHS number ${formatNhsNumber(number)}` :
            'NHS number not known'));
}

/**
 * Timeline and headings, and when this was read.
 * @param {object} screen see main.js
 * @param {Chart} chart
 * @param {'timeline'|'headings'} current
 */
export function recordNavigation(screen, chart, current) {
    const item = (name, text, href) => element('li', { class: 'app-views__item' },
        element('a', { class: 'app-views__link', href,
            'aria-current': name === current ? 'page' : null }, text));
    const again = () => {
        forgetChart();
        screen.again();
    };
    return [
        element('nav', { class: 'app-views', 'aria-label': 'Ways to see the record' },
            element('ul', { class: 'app-views__list' },
                item('timeline', 'Timeline', personPlace(chart.personId)),
                item('headings', 'By heading', personPlace(chart.personId, 'headings')))),
        element('p', { class: 'app-minor app-read' },
            `${plural(chart.timeline().length, 'entry', 'entries')}, read from the server at ` +
            `${formatMoment(chart.loaded.toISOString()).split(', ').at(-1)}. `,
            element('button', { class: 'app-link-button', type: 'button', on: { click: again } },
                'Read it again')),
        chart.namesMissing && element('p', { class: 'app-minor' },
            'The server did not give the names of some staff and places.'),
    ].filter(Boolean);
}

