// SPDX-License-Identifier: MIT
/**
 * The page: one report, of all sources or of one.
 * @module
 */
import { details, errorSummary, table, textField } from '../shared/components.js';
import { element, hidden } from '../shared/dom.js';
import { formatDate, formatDateShort, plural } from '../shared/format.js';
import { mendChart, rateBar } from './chart.js';
import { daysBefore, placeHref, reportPath, today } from './period.js';
import { formatRate, formatShare, rateOf, readReport, readSource } from './report.js';

const MENDS_SHOWN = 50;
const number = (count) => count.toLocaleString('en-GB');
const numeric = (text) => ({ text, numeric: true });

function periodForm(place, go) {
    const errorOf = (field) => place.errors.find((error) => error.field === field)?.text;
    const field = (id, label, value) => textField({ id, label, value, type: 'date',
        error: errorOf(id), max: '9999-12-31' });
    const submit = (event) => {
        event.preventDefault();
        const typed = new FormData(event.target);
        go(placeHref({ source: place.source, from: typed.get('from') || 'none',
            to: typed.get('to') || 'none' }));
    };
    const now = today();
    const preset = (text, days) => element('li', null, element('a', { href: placeHref({
        source: place.source, from: daysBefore(now, days - 1), to: now }) }, text));
    return [element('form', { class: 'app-period', 'aria-label': 'Period', novalidate: true,
        on: { submit } },
    field('from', 'First day', place.from), field('to', 'Last day', place.to),
    element('button', { class: 'nhsuk-button nhsuk-button--secondary', type: 'submit' }, 'Show')),
    element('ul', { class: 'app-presets', 'aria-label': 'Periods until today' },
        preset('Today', 1), preset('Last 7 days', 7), preset('Last 30 days', 30),
        preset('Last 12 months', 365))];
}

function figures(counts) {
    const figure = (kind, label, count, rest) =>
        element('div', { class: `app-figure app-figure--${kind}` }, element('dt', null, label),
            element('dd', null, count, rest && element('span', { class: 'app-minor' }, ` ${rest}`)));
    const share = (count) => count > 0 && `${formatShare(count / counts.sent)} of all`;
    return element('dl', { class: 'app-figures' },
        figure('sent', 'Entries sent', number(counts.sent)),
        figure('accepted', 'Accepted', formatRate(rateOf(counts)),
            counts.sent > 0 && plural(counts.sent - counts.refused, 'entry', 'entries')),
        figure('warned', 'Of these with warnings', number(counts.warned), share(counts.warned)),
        figure('refused', 'Refused', number(counts.refused), share(counts.refused)));
}

function section(id, heading, kind, ...content) {
    return element('section', { class: `app-section ${kind}`, 'aria-labelledby': id },
        element('h2', { class: 'nhsuk-heading-m', id }, heading), content);
}

function rateCell(counts) {
    return element('span', { class: 'app-rate' }, rateBar(rateOf(counts)),
        formatRate(rateOf(counts)));
}

const countCells = (counts) => [number(counts.sent), rateCell(counts), number(counts.warned),
    number(counts.refused)];
const countHeads = [numeric('Sent'), 'Accepted', numeric('With warnings'), numeric('Refused')];

function sourcesSection(report, place) {
    return section('sources', 'Who sent it', 'app-sources',
        table('Sources', ['Source', ...countHeads], report.sources.map((source) => [
            [element('a', { href: placeHref({ ...place, source: source.reporter }) }, source.name),
                element('div', { class: 'app-minor' }, source.kind)],
            ...countCells(source.counts)]), { captionHidden: true }));
}

function typesSection(report) {
    return section('types', 'Resource types', '',
        table('Resource types', ['Type', ...countHeads], report.types.map((one) =>
            [one.type, ...countCells(one.counts)]), { captionHidden: true }));
}

/** The element that is wrong stands before the colon, as the server has it. */
function mendWords({ rule, words }) {
    return [element('div', null, words || 'No words are known for this rule.'),
        element('div', { class: 'app-minor' }, `Rule ${rule}`)];
}

function mendTable(mends, captionText) {
    return table(captionText, ['For example', 'Resource type', numeric('Refused'),
        numeric('Warnings')], mends.map((mend) => [mendWords(mend), mend.type,
        number(mend.counts.refused), number(mend.counts.warned)]), { captionHidden: true });
}

function mendSection(report) {
    if (report.mends.length === 0) {
        return section('mend', 'What to mend', 'app-mend', element('p', null, report.counts.sent > 0 ?
            'Nothing: every entry kept to every rule.' : 'Nothing was sent.'));
    }
    const rest = report.mends.slice(MENDS_SHOWN);
    return section('mend', 'What to mend', 'app-mend',
        element('p', null, 'The rules that were broken most, with one example of what was wrong and ' +
            'how to put it right. An entry that broke several rules is counted in each of them.'),
        mendTable(report.mends.slice(0, MENDS_SHOWN), 'Rules that were broken'),
        rest.length > 0 && details(`${plural(rest.length, 'more rule')} `,
            mendTable(rest, 'Further rules that were broken')));
}

function daysSection(report) {
    const days = report.days.filter(({ counts }) => counts.sent > 0);
    const worst = [...days].sort((a, b) => b.counts.refused + b.counts.warned -
        a.counts.refused - a.counts.warned)[0];
    const toMend = report.counts.refused + report.counts.warned;
    const label = toMend === 0 ? 'No day had entries to mend.' :
        `Entries to mend on each day. The most were ${number(worst.counts.refused)} refused and ` +
        `${number(worst.counts.warned)} with warnings on ${formatDate(worst.day)}.`;
    return section('days', 'To mend, day by day', '',
        toMend === 0 ? element('p', null, 'Nothing was to be mended on any day.') :
            mendChart(report.days, label),
        days.length > 0 && details('The same as a table',
            table('Days on which entries were sent', ['Day', ...countHeads], [...days].reverse()
                .map(({ day, counts }) => [formatDateShort(day), ...countCells(counts)]),
            { captionHidden: true })));
}

function titleOf(place, report) {
    if (place.source === '') {
        return { name: 'Data quality', kind: 'What was sent here, what was accepted, and what its ' +
            'senders can mend.' };
    }
    const known = report?.sources[0];
    return known ?? readSource({ coding: [{ code: place.source }] });
}

/**
 * @param {object} screen see main.js
 * @param {object} place see period.js
 * @returns {Promise<Node|null>} what gets the focus instead of the heading
 */
export async function showReport(screen, place) {
    const trail = place.source === '' ? [] : [{ text: 'Data quality',
        href: placeHref({ ...place, source: '' }) }];
    if (place.errors.length > 0) {
        const summary = errorSummary('There is a problem',
            place.errors.map((error) => ({ text: error.text, href: `#${error.field}` })));
        screen.show('Error: Data quality', [summary,
            element('h1', { class: 'nhsuk-heading-l' }, 'Data quality'),
            ...periodForm(place, screen.go)], trail);
        return summary;
    }
    const report = readReport(await screen.client.get(reportPath(place), screen.signal));
    const { name, kind } = titleOf(place, report);
    screen.show(place.source === '' ? name : `${name} - data quality`, [
        element('h1', { class: 'nhsuk-heading-l nhsuk-u-margin-bottom-2' }, name),
        element('p', null, kind),
        ...periodForm(place, screen.go),
        element('h2', { class: 'nhsuk-heading-m' },
            place.from === place.to ? formatDate(place.from) :
                [formatDate(place.from), ' to ', formatDate(place.to)], hidden(': in all')),
        figures(report.counts),
        ...(report.counts.sent === 0 ? [element('p', null, 'Nothing was sent in this period.')] : [
            place.source === '' && sourcesSection(report, place), mendSection(report),
            typesSection(report), daysSection(report)].filter(Boolean)),
    ], trail);
    screen.announce(`${plural(report.counts.sent, 'entry', 'entries')} sent, ` +
        `${formatRate(rateOf(report.counts))} accepted`);
    return null;
}
