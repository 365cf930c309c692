// SPDX-License-Identifier: MIT
/**
 * The record by professional headings.
 * @module
 */
import { element } from '../shared/dom.js';
import { details, summaryList, table, tag } from '../shared/components.js';
import { attachmentText, conceptText, rangeText } from '../shared/datatypes.js';
import { formatAddress, formatDate, formatDateShort, formatName, plural, words } from
    '../shared/format.js';
import { GROUPS, OBSERVATIONS, observationKind, observationValue, statusOf } from './kinds.js';
import { personBanner, recordNavigation } from './person.js';
import { personPlace, resourceHref } from './router.js';
import { loadWithProgress, statusTag } from './timeline.js';
import { trendLine } from './trend.js';

const ROWS = 25;
const PAST = new Set(['resolved', 'inactive', 'remission', 'completed', 'stopped', 'cancelled',
    'ended', 'entered-in-error', 'revoked', 'fulfilled', 'noshow', 'refuted']);
/** Headings whose entries are told apart by whether they hold now. */
const CURRENT = { problems: ['Current problems', 'Past problems'],
    medicines: ['Current medications', 'Past medications'],
    appointments: ['Coming appointments', 'Past appointments'],
    plans: ['Current plans, teams and requests', 'Past plans, teams and requests'] };

const dateCell = (date) => element('span', { class: 'app-date' }, formatDateShort(date) || '-');

function linkTo(chart, { type, resource, kind }) {
    return [element('a', { href: resourceHref(chart.personId, type, resource.id) },
        kind.title(resource, chart.nameOf) || kind.label),
    statusTag(resource) && [' ', statusTag(resource)]];
}

function entryTable(chart, caption, entries, options) {
    const kinds = new Set(entries.map((entry) => entry.type));
    const heads = ['What', 'Date', ...(kinds.size > 1 ? ['Kind'] : []), 'Details', 'Status'];
    const rows = entries.map((entry) => [linkTo(chart, entry), dateCell(entry.date),
        ...(kinds.size > 1 ? [entry.kind.label] : []),
        entry.kind.detail(entry.resource, chart.nameOf) || '-',
        statusOf(entry.resource).text || '-']);
    return table(caption, heads, rows, options);
}

/** The first rows of a long list, the rest behind a summary. */
function entryTables(chart, caption, entries, options) {
    const rest = entries.slice(ROWS);
    return [entryTable(chart, caption, entries.slice(0, ROWS), options),
        rest.length > 0 && details(`${plural(rest.length, 'earlier entry', 'earlier entries')}`,
            entryTable(chart, `${caption}, earlier`, rest, { captionHidden: true }))];
}

function splitGroup(chart, name, entries) {
    const [now, past] = CURRENT[name];
    const holds = ({ resource }) => !PAST.has(statusOf(resource).code);
    const current = entries.filter(holds);
    const old = entries.filter((entry) => !holds(entry));
    return [
        current.length > 0 ? entryTables(chart, now, current) :
            element('p', null, `${now}: none recorded.`),
        old.length > 0 && details(`${past} (${old.length})`,
            entryTables(chart, past, old, { captionHidden: true })),
    ];
}

/** Results of one kind are known by their code, or by their name when they have none. */
function resultKey(resource) {
    const coding = resource.code?.coding?.[0];
    const unit = resource.valueQuantity?.code ?? resource.valueQuantity?.unit ?? '';
    return `${coding?.code ? `${coding.system}|${coding.code}` : conceptText(resource.code)}|${unit}`;
}

/**
 * Results by what was measured.
 * @param {Array<{resource: object, order: number}>} entries of Observations, newest first
 * @returns {Array<Array<object>>} series, newest first each, the most recent series first
 */
export function resultSeries(entries) {
    const series = new Map();
    for (const entry of entries) {
        const key = resultKey(entry.resource);
        series.set(key, [...(series.get(key) ?? []), entry]);
    }
    return [...series.values()];
}

const numberOf = (value) => (value === undefined ? undefined : Number(value));

/**
 * Lines of numbers over time: one of the values, or one of each component.
 * @param {Array<{resource: object, order: number, date: string}>} series newest first
 * @returns {Array<{name: string, points: Array<object>}>} points oldest first; none shorter than 2
 */
export function linesOf(series) {
    const lines = new Map();
    const add = (name, quantity, { order, date }) => {
        if (quantity?.value !== undefined && Number.isFinite(order)) {
            const points = lines.get(name) ?? [];
            points.unshift({ order, date, value: Number(quantity.value), text: String(quantity.value) });
            lines.set(name, points);
        }
    };
    for (const entry of series) {
        add('', entry.resource.valueQuantity, entry);
        (entry.resource.component ?? []).forEach((one) =>
            add(conceptText(one.code), one.valueQuantity, entry));
    }
    return [...lines].map(([name, points]) => ({ name, points }))
        .filter((line) => line.points.length > 1);
}

function trendText({ name, points }) {
    const lowest = points.reduce((a, b) => (b.value < a.value ? b : a));
    const highest = points.reduce((a, b) => (b.value > a.value ? b : a));
    return `${name && `${name}: `}${plural(points.length, 'value')} from ` +
        `${formatDate(points[0].date)} to ${formatDate(points.at(-1).date)}, between ` +
        `${lowest.text} and ${highest.text}, the last ${points.at(-1).text}`;
}

function trendOf(series) {
    const lines = linesOf(series);
    if (lines.length === 0) {
        return null;
    }
    const range = series[0].resource.referenceRange?.[0];
    return trendLine(lines.map(trendText).join('. '), lines.map((line) => line.points),
        { low: numberOf(range?.low?.value), high: numberOf(range?.high?.value) });
}

function interpretationTag(resource) {
    const coding = resource.interpretation?.[0]?.coding?.[0];
    const normal = coding === undefined || ['N', 'NEG'].includes(coding.code);
    return normal ? null : [' ', tag(coding.display ?? coding.code, 'orange')];
}

function resultRow(chart, series) {
    const value = (entry) => [element('a', {
        href: resourceHref(chart.personId, 'Observation', entry.resource.id) },
    observationValue(entry.resource) || 'No value'), interpretationTag(entry.resource),
    statusTag(entry.resource) && [' ', statusTag(entry.resource)]];
    const [{ resource, kind, date }] = series;
    return [
        kind.title(resource, chart.nameOf) || 'Result', value(series[0]),
        dateCell(date),
        (resource.referenceRange ?? []).map(rangeText).filter(Boolean).join('; ') || '-',
        series.length === 1 ? 'One value' : [trendOf(series), details(`All ${series.length}`,
            element('ul', { class: 'nhsuk-list app-values' }, series.map((entry) => element('li',
                null, `${formatDateShort(entry.date) || 'No date'}: `, value(entry)))))],
    ];
}

function resultsNode(chart, entries) {
    const reports = entries.filter((entry) => entry.type !== 'Observation');
    const all = resultSeries(entries.filter((entry) => entry.type === 'Observation'));
    return [
        OBSERVATIONS.map((row) => {
            const some = all.filter((series) => observationKind(series[0].resource) === row);
            return some.length > 0 && table(`${row.many}: latest of each kind`,
                ['What', 'Latest', 'Date', 'Usual range', 'Trend'],
                some.map((series) => resultRow(chart, series)));
        }),
        reports.length > 0 && entryTables(chart, 'Reports', reports),
    ];
}

function documentsNode(chart, entries) {
    return [entryTables(chart, 'Documents and letters', entries, { captionHidden: true }),
        entries.slice(0, ROWS).map((entry) => {
            const attachments = (entry.resource.content ?? []).map((one) => one.attachment);
            const text = attachments.map(attachmentText).find((one) => one !== null);
            return text === undefined ? null : details(
                `Read: ${entry.kind.title(entry.resource, chart.nameOf)}, ` +
                `${formatDate(entry.date)}`, element('div', { class: 'app-letter' }, text));
        })];
}

function contactsNode(chart, entries) {
    const { patient } = chart;
    const own = (patient.telecom ?? []).map((one) =>
        [words([one.use, one.system].filter(Boolean).join(' ')), one.value]);
    const relations = (patient.contact ?? []).map((one) => [
        formatName(one.name ? [one.name] : undefined),
        (one.relationship ?? []).map(conceptText).join(', ') || '-',
        (one.telecom ?? []).map((way) => way.value).join(', ') ||
            formatAddress(one.address) || '-']);
    return [
        own.length > 0 && [element('h3', { class: 'nhsuk-heading-s' }, 'The person'),
            summaryList(own)],
        relations.length > 0 && table('People to contact', ['Name', 'Relationship', 'How'], relations),
        entries.length > 0 && entryTables(chart, 'Related people', entries),
        own.length + relations.length + entries.length === 0 &&
            element('p', null, 'None recorded.'),
    ];
}

function groupNode(chart, group, entries) {
    const heading = element('h2', { class: 'nhsuk-heading-m', id: `heading-${group.name}`,
        tabindex: '-1' }, group.title);
    let content;
    if (group.name === 'contacts') {
        content = contactsNode(chart, entries);
    } else if (entries.length === 0) {
        content = element('p', null, group.none ?? 'None recorded.');
    } else if (group.name === 'results') {
        content = resultsNode(chart, entries);
    } else if (group.name === 'documents') {
        content = documentsNode(chart, entries);
    } else if (CURRENT[group.name]) {
        content = splitGroup(chart, group.name, entries);
    } else {
        content = entryTables(chart, group.title, entries, { captionHidden: true });
    }
    return element('section', { class: 'app-heading', 'aria-labelledby': `heading-${group.name}` },
        heading, content);
}

/**
 * @param {object} screen see main.js
 * @param {{person: string, heading?: string}} place
 * @returns {Promise<Element|null>} the heading that was asked for
 */
export async function showHeadings(screen, { person, heading }) {
    const chart = await loadWithProgress(screen, person);
    const groups = GROUPS.map((group) => ({ group, entries: chart.group(group.name) }))
        .filter(({ group, entries }) => entries.length > 0 || !['other', 'alerts'].includes(group.name));
    screen.show(`Record of ${chart.nameOf({ reference: `Patient/${person}` })}`, [
        personBanner(chart), ...recordNavigation(screen, chart, 'headings'),
        element('div', { class: 'app-columns' },
            element('nav', { class: 'app-columns__side app-contents', 'aria-label': 'Headings' },
                element('ul', { class: 'nhsuk-list' }, groups.map(({ group, entries }) =>
                    element('li', null, element('a', {
                        href: personPlace(person, 'headings', group.name) }, group.title),
                    entries.length > 0 && ` (${entries.length.toLocaleString('en-GB')})`)))),
            element('div', { class: 'app-headings' },
                groups.map(({ group, entries }) => groupNode(chart, group, entries)))),
    ], [{ text: 'Find a person', href: '#/' }]);
    return heading === undefined ? null : document.getElementById(`heading-${heading}`);
}

