// SPDX-License-Identifier: MIT
/**
 * The record as a timeline, newest first.
 * @module
 */
import { element } from '../shared/dom.js';
import { tag } from '../shared/components.js';
import { formatDateShort, monthName, plural, readDate } from '../shared/format.js';
import { loadChart } from './chart.js';
import { GROUPS, labelOf, statusOf } from './kinds.js';
import { personBanner, recordNavigation } from './person.js';
import { resourceHref } from './router.js';

const STEP = 100;

/** Beside the timeline there is room for the filter; above it, it must not be in the way. */
const isWide = () => window.matchMedia('(min-width: 56rem)').matches;

/** What the reader chose, kept while they look into entries: of one person only. */
let choice = { person: null, hidden: new Set(), shown: STEP };

/**
 * Entries by year and month.
 * @param {Array<{date: string}>} entries newest first
 * @returns {Array<{year: number|null, months: Array<{month: number|null, entries: object[]}>}>}
 */
export function byMonth(entries) {
    const years = [];
    for (const entry of entries) {
        const date = readDate(entry.date);
        const year = date?.year ?? null;
        const month = date?.month ?? null;
        if (years.at(-1)?.year !== year) {
            years.push({ year, months: [] });
        }
        const { months } = years.at(-1);
        if (months.length === 0 || months.at(-1).month !== month) {
            months.push({ month, entries: [] });
        }
        months.at(-1).entries.push(entry);
    }
    return years;
}

/** Colour of the word for a status that a reader should not overlook. */
export function statusTag(resource) {
    const status = statusOf(resource);
    if (status.void) {
        return tag(status.text, 'red');
    }
    const waiting = ['booked', 'preliminary', 'registered', 'draft', 'planned', 'proposed', 'pending'];
    return waiting.includes(status.code) ? tag(status.text, 'yellow') : null;
}

function entryNode(chart, { type, resource, kind, date }) {
    const detail = [type === 'Condition' && statusOf(resource).text,
        kind.detail(resource, chart.nameOf)].filter(Boolean).join(', ');
    return element('li', { class: `app-entry app-entry--${kind.group}` },
        element('div', { class: 'app-entry__when' }, formatDateShort(date) || 'No date'),
        element('div', { class: 'app-entry__what' },
            element('div', { class: 'app-entry__kind' }, labelOf(resource)),
            element('a', { class: 'app-entry__title',
                href: resourceHref(chart.personId, type, resource.id) },
            kind.title(resource, chart.nameOf) || kind.label),
            statusTag(resource) && [' ', statusTag(resource)],
            detail && element('div', { class: 'app-entry__detail' }, detail)));
}

function listNode(chart, entries) {
    return byMonth(entries).map(({ year, months }) =>
        element('section', { class: 'app-year' },
            element('h2', { class: 'app-year__name' }, year ?? 'No date'),
            months.map(({ month, entries: some }) => [
                element('h3', { class: 'app-month__name' }, month === null ?
                    'Month not recorded' : `${monthName(month)} ${year}`),
                element('ol', { class: 'app-entries' }, some.map((one) => entryNode(chart, one))),
            ])));
}

function filterNode(groups, onChange) {
    const box = ({ name, title, count }) => {
        const id = `show-${name}`;
        return element('div', { class: 'nhsuk-checkboxes__item' },
            element('input', { class: 'nhsuk-checkboxes__input', type: 'checkbox', id,
                checked: !choice.hidden.has(name), on: { change: (event) => {
                    choice.hidden[event.target.checked ? 'delete' : 'add'](name);
                    choice.shown = STEP;
                    onChange();
                } } }),
            element('label', { class: 'nhsuk-label nhsuk-checkboxes__label', for: id },
                `${title} (${count.toLocaleString('en-GB')})`));
    };
    const all = (text, hide) => element('button', { class: 'app-link-button', type: 'button',
        on: { click: (event) => {
            choice.hidden = new Set(hide ? groups.map((group) => group.name) : []);
            event.target.closest('fieldset').querySelectorAll('input').forEach((input) => {
                input.checked = !hide;
            });
            onChange();
        } } }, text);
    return element('form', { class: 'app-filter', 'aria-label': 'Kinds of entries', autocomplete: 'off',
        on: { submit: (event) => event.preventDefault() } },
    element('fieldset', { class: 'nhsuk-fieldset' },
        element('legend', { class: 'nhsuk-u-visually-hidden' }, 'Show'),
        element('div', { class: 'app-filter__all' }, all('All', false), all('None', true)),
        element('div', { class: 'nhsuk-checkboxes nhsuk-checkboxes--small' }, groups.map(box))));
}

/**
 * @param {object} screen see main.js
 * @param {{person: string}} place
 */
export async function showTimeline(screen, { person }) {
    const chart = await loadWithProgress(screen, person);
    if (choice.person !== person) {
        choice = { person, hidden: new Set(), shown: STEP };
    }
    const entries = chart.timeline();
    const groups = GROUPS.map((group) => ({ ...group,
        count: entries.filter((entry) => entry.kind.group === group.name).length }))
        .filter((group) => group.count > 0);
    const body = element('div', { class: 'app-timeline' });
    const draw = () => {
        const chosen = entries.filter((entry) => !choice.hidden.has(entry.kind.group));
        const some = chosen.slice(0, choice.shown);
        const rest = chosen.length - some.length;
        const more = element('button', { class: 'nhsuk-button nhsuk-button--secondary',
            type: 'button', on: { click: () => {
                const before = some.length;
                choice.shown += STEP;
                draw();
                body.querySelectorAll('.app-entry__title')[before]?.focus();
            } } }, `Show ${Math.min(STEP, rest)} more of ${rest.toLocaleString('en-GB')}`);
        body.replaceChildren(...listNode(chart, some), ...(rest > 0 ? [more] : []),
            ...(chosen.length === 0 ? [element('p', null, entries.length === 0 ?
                'Nothing is recorded about this person.' :
                'No entries of these kinds. Choose others to show.')] : []));
        screen.announce(`${plural(chosen.length, 'entry', 'entries')} shown`);
    };
    screen.show(`Timeline of ${chart.nameOf({ reference: `Patient/${person}` })}`, [
        personBanner(chart), ...recordNavigation(screen, chart, 'timeline'),
        element('div', { class: 'app-columns' },
            groups.length > 0 && element('div', { class: 'app-columns__side' },
                element('details', { class: 'app-filter-box', open: isWide() },
                    element('summary', { class: 'app-filter-box__summary' }, 'Choose what to show'),
                    filterNode(groups, draw))),
            body),
    ], [{ text: 'Find a person', href: '#/' }]);
    draw();
}

/** The record, with a note of how much has come so far. */
export function loadWithProgress(screen, person) {
    return loadChart(screen.client, person, { signal: screen.signal,
        onProgress: (count) => {
            if (count >= 1000) {
                screen.progress(`Loading the record: ${plural(count, 'entry', 'entries')} so far…`);
            }
        } });
}
