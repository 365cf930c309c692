// SPDX-License-Identifier: MIT
/**
 * The versions of a resource: when, who, and what changed.
 * @module
 */
import { element } from '../shared/dom.js';
import { details, summaryList, table, tag } from '../shared/components.js';
import { FhirError, query } from '../shared/fhir.js';
import { formatMoment, plural, words } from '../shared/format.js';
import { personStrip } from './person.js';
import { contextOf, titleOf, trailOf } from './resource.js';
import { compareVersions } from './diff.js';
import { elementLabel, valueText } from './elements.js';
import { kindOf, labelOf } from './kinds.js';
import { resourceHref } from './router.js';

const NOT_SAID = 'Not recorded: rules are off, so nobody was asked who they are';
const ACTIONS = { POST: 'Created', PUT: 'Updated', PATCH: 'Updated', DELETE: 'Deleted' };
const COLOURS = { added: 'green', removed: 'red', changed: 'blue' };

/**
 * Entries of a history Bundle as versions.
 * @param {object[]} entries newest first (R4 3.1.0.13)
 * @returns {Array<{number: string, resource: object|undefined, when: string|undefined,
 *     action: string, before: object|undefined}>} before: the last version with content
 */
export function readVersions(entries) {
    const versions = entries.map((entry) => ({
        number: entry.resource?.meta?.versionId ??
            /^W\/"(.*)"$/.exec(entry.response?.etag ?? '')?.[1] ?? '',
        resource: entry.resource,
        when: entry.resource?.meta?.lastUpdated ?? entry.response?.lastModified,
        action: ACTIONS[entry.request?.method] ?? 'Stored',
    }));
    versions.forEach((version, i) => {
        version.before = versions.slice(i + 1).find((one) => one.resource !== undefined)?.resource;
        if (version.before === undefined && version.resource !== undefined &&
            i === versions.length - 1) {
            version.action = 'Created';
        }
    });
    return versions;
}

/** "birthDate" as "Birth date", "name[0].given[1]" as "Name 1, given 2". */
export function pathText(path) {
    return path.split('.').map((part) => {
        const [, name, index] = /^([^[]+)(?:\[(\d+)\])?$/.exec(part) ?? [null, part, undefined];
        return elementLabel(name) + (index === undefined ? '' : ` ${Number(index) + 1}`);
    }).map((text, i) => (i === 0 ? text : text.charAt(0).toLowerCase() + text.slice(1)))
        .join(', ');
}

/** Who is named by a Provenance of exactly this version. */
function agentsOf(provenances, type, id, number, context) {
    const target = `${type}/${id}/_history/${number}`;
    return provenances.filter((one) => one.target?.some((target_) =>
        (target_.reference ?? '').endsWith(target)))
        .flatMap((one) => one.agent ?? [])
        .map((agent) => context.nameOf(agent.who) || agent.who?.reference || '').filter(Boolean);
}

async function fetchProvenances(screen, type, id) {
    try {
        const entries = await screen.client.all(
            `Provenance?${query([['target', `${type}/${id}`]])}`, { signal: screen.signal });
        return entries.map((entry) => entry.resource)
            .filter((resource) => resource?.resourceType === 'Provenance');
    } catch (error) {
        if (error instanceof FhirError && error.kind === 'refused') {
            return [];
        }
        throw error;
    }
}

function changesNode(context, version) {
    if (version.resource === undefined) {
        return element('p', null, 'From here on it is not shown. Its versions are kept.');
    }
    if (version.before === undefined) {
        return null;
    }
    const changes = compareVersions(version.before, version.resource);
    if (changes.length === 0) {
        return element('p', null, 'Nothing changed but the version itself.');
    }
    const rows = changes.map((change) => [
        [pathText(change.path), ' ', tag(words(change.kind), COLOURS[change.kind])],
        valueText(context, change.path, change.before),
        valueText(context, change.path, change.after)]);
    const made = table(`What changed in version ${version.number}`, ['Element', 'Before', 'After'],
        rows, { captionHidden: true });
    return changes.length > 12 ? details(`${plural(changes.length, 'change')}`, made) : made;
}

function versionNode(place, context, version, who, isCurrent) {
    const { person, type, id } = place;
    const gone = version.resource === undefined;
    return element('li', { class: 'app-version' },
        element('h2', { class: 'nhsuk-heading-s' }, `Version ${version.number}`,
            isCurrent && [' ', tag(gone ? 'Deleted' : 'Current', gone ? 'red' : 'green')]),
        summaryList([
            ['What', version.action],
            ['When', formatMoment(version.when) || 'Not recorded'],
            ['Who', who],
            ['Source', version.resource?.meta?.source],
        ]),
        changesNode(context, version),
        !gone && element('p', null, element('a', {
            href: resourceHref(person, type, id, 'history', version.number) },
        `See version ${version.number}`)));
}

/**
 * @param {object} screen see main.js
 * @param {{person?: string, type: string, id: string}} place
 */
export async function showHistory(screen, place) {
    const { person, type, id } = place;
    const entries = await screen.client.all(`${type}/${encodeURIComponent(id)}/_history`,
        { signal: screen.signal });
    const provenances = await fetchProvenances(screen, type, id);
    const versions = readVersions(entries);
    const latest = versions.find((version) => version.resource !== undefined)?.resource;
    const context = await contextOf(screen, person, latest);
    const name = latest === undefined ? kindOf(type).label : titleOf(latest, context);
    const deleted = versions.length > 0 && versions[0].resource === undefined;
    screen.show(`History of ${name}`, [
        latest && personStrip(context.patient, latest),
        element('h1', { class: 'nhsuk-heading-l app-title' },
            element('span', { class: 'nhsuk-caption-l' }, `${latest === undefined ?
                kindOf(type).label : labelOf(latest)}: history`), name),
        element('p', null, versions.length === 1 ? '1 version. ' :
            `${plural(versions.length, 'version')}, newest first. `,
            deleted ? 'It was deleted.' :
                element('a', { href: resourceHref(person, type, id) }, 'See the current version')),
        element('ol', { class: 'app-versions' }, versions.map((version, i) => {
            const agents = agentsOf(provenances, type, id, version.number, context);
            return versionNode(place, context, version,
                agents.length > 0 ? agents.join(', ') : NOT_SAID, i === 0);
        })),
    ].filter(Boolean), trailOf(context));
    return null;
}
