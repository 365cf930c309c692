// SPDX-License-Identifier: MIT
/**
 * One resource: what it says, and its JSON.
 * @module
 */
import { element } from '../shared/dom.js';
import { details, tag } from '../shared/components.js';
import { formatMoment, formatName } from '../shared/format.js';
import { printJson } from '../shared/json.js';
import { addNames, Chart, heldChart, loadPatient, nameOf } from './chart.js';
import { elementList } from './elements.js';
import { kindOf, labelOf, statusOf } from './kinds.js';
import { personStrip } from './person.js';
import { personPlace, resourceHref } from './router.js';

const SHOWN_ELSEWHERE = new Set(['resourceType', 'id', 'meta', 'text']);

/**
 * Where the reader is: the person whose record they came by, if any, and names in it.
 * @param {object} screen see main.js
 * @param {string|undefined} person
 * @param {object|undefined} resource that is to be shown
 * @returns {Promise<{person: string|undefined, patient: object|null, nameOf: Function}>}
 */
export async function contextOf(screen, person, resource) {
    const { client, signal } = screen;
    const patient = await loadPatient(client, person, signal);
    let chart = person === undefined ? null : heldChart(person);
    if (chart === null) {
        // Opened by its address, not from the record: only its own names are asked for.
        chart = new Chart(person, [patient, resource].filter(Boolean));
        await addNames(client, chart, signal);
    }
    return { person, patient, nameOf: chart.nameOf };
}

/** Breadcrumb down to a person's record. */
export function trailOf({ patient }) {
    return [{ text: 'Find a person', href: '#/' }, ...(patient === null ? [] :
        [{ text: formatName(patient.name), href: personPlace(patient.id) }])];
}

/** What a resource is called at the top of its page. */
export function titleOf(resource, context) {
    const kind = kindOf(resource.resourceType);
    const title = kind.title(resource, context.nameOf);
    return title || nameOf(resource) || kind.label;
}

function heading(title, resource) {
    const status = statusOf(resource);
    return [element('h1', { class: 'nhsuk-heading-l app-title' },
        element('span', { class: 'nhsuk-caption-l' }, labelOf(resource)), title),
    status.text && element('p', null, tag(status.text, status.void ? 'red' : 'blue'))];
}

function aboutNode(resource, context) {
    const { meta = {} } = resource;
    const more = Object.fromEntries(Object.entries(meta)
        .filter(([key]) => !['versionId', 'lastUpdated'].includes(key)));
    return [element('h2', { class: 'nhsuk-heading-m' }, 'About this entry'),
        elementList(context, { type: resource.resourceType, id: resource.id,
            ...(meta.versionId && { version: meta.versionId }),
            ...(meta.lastUpdated && { stored: formatMoment(meta.lastUpdated) }), ...more })];
}

/**
 * @param {object} screen see main.js
 * @param {{person?: string, type: string, id: string, version?: string}} place
 */
export async function showResource(screen, place) {
    const { person, type, id, version } = place;
    const path = `${type}/${encodeURIComponent(id)}`;
    const resource = await screen.client.get(
        version === undefined ? path : `${path}/_history/${encodeURIComponent(version)}`,
        screen.signal);
    const context = await contextOf(screen, person, resource);
    const title = titleOf(resource, context);
    const json = printJson(resource);
    screen.show(title, [
        personStrip(context.patient, resource),
        heading(title, resource),
        version !== undefined && element('div', { class: 'nhsuk-inset-text' },
            element('p', null, `This is version ${version}, as it was stored then. `,
                element('a', { href: resourceHref(person, type, id) }, 'See the current version'))),
        element('p', null, element('a', { href: resourceHref(person, type, id, 'history') },
            'History of this entry')),
        elementList(context, resource, SHOWN_ELSEWHERE),
        resource.text?.div && details('Summary text that came with it',
            elementList(context, { text: resource.text })),
        aboutNode(resource, context),
        details('JSON', element('pre', { class: 'app-json', tabindex: '0', role: 'region',
            'aria-label': 'JSON of this entry' }, json)),
    ].flat(3).filter(Boolean), trailOf(context));
    return null;
}
