// SPDX-License-Identifier: MIT
/**
 * Pieces of the NHS design system, as its markup has them.
 * @module
 */
import { element, hidden } from './dom.js';

/**
 * A table that becomes a list of cards on a narrow screen.
 * @param {string} caption
 * @param {Array<string|{text: string, numeric: boolean}>} heads one for each column
 * @param {Array<Array<*>>} rows cells: text or nodes; the first cell of a row is its header
 * @param {{captionHidden?: boolean, captionSize?: string}} [options]
 */
export function table(caption, heads, rows, { captionHidden = false, captionSize = 's' } = {}) {
    const columns = heads.map((head) => (typeof head === 'string' ? { text: head } : head));
    const numeric = (column) => (column.numeric ? ' nhsuk-table__cell--numeric' : '');
    const cell = (content, i) => element(i === 0 ? 'th' : 'td', {
        class: `nhsuk-table__cell${numeric(columns[i])}`,
        role: i === 0 ? 'rowheader' : 'cell',
        scope: i === 0 ? 'row' : null,
    }, element('span', { class: 'nhsuk-table-responsive__heading', 'aria-hidden': 'true' },
        `${columns[i].text} `), element('span', { class: 'app-cell' }, content));
    const captionClass = captionHidden ? 'nhsuk-u-visually-hidden' :
        `nhsuk-table__caption nhsuk-table__caption--${captionSize}`;
    return element('table', { class: 'nhsuk-table nhsuk-table-responsive', role: 'table' },
        element('caption', { class: captionClass }, caption),
        element('thead', { class: 'nhsuk-table__head', role: 'rowgroup' },
            element('tr', { role: 'row' }, columns.map((column) => element('th', {
                role: 'columnheader', scope: 'col',
                class: `nhsuk-table__header${column.numeric ? ' nhsuk-table__header--numeric' : ''}`,
            }, column.text)))),
        element('tbody', { class: 'nhsuk-table__body', role: 'rowgroup' }, rows.map((row) =>
            element('tr', { class: 'nhsuk-table__row', role: 'row' }, row.map(cell)))));
}

/** A word in a coloured box. `colour` is one of the design system's names. */
export function tag(text, colour = 'grey') {
    return element('strong', { class: `nhsuk-tag nhsuk-tag--${colour}` }, text);
}

/** Something that opens. */
export function details(summary, ...content) {
    return element('details', { class: 'nhsuk-details' },
        element('summary', { class: 'nhsuk-details__summary' },
            element('span', { class: 'nhsuk-details__summary-text' }, summary)),
        element('div', { class: 'nhsuk-details__text' }, content));
}

/** Rows of label and value. Rows without a value are left out. */
export function summaryList(rows) {
    return element('dl', { class: 'nhsuk-summary-list' },
        rows.filter(([, value]) => value !== '' && value !== null && value !== undefined)
            .map(([label, value]) => element('div', { class: 'nhsuk-summary-list__row' },
                element('dt', { class: 'nhsuk-summary-list__key' }, label),
                element('dd', { class: 'nhsuk-summary-list__value' }, value))));
}

/**
 * What went wrong and how to mend it, at the top of a page.
 * @param {string} title
 * @param {Array<{text: string, href?: string}>} items with href: the field to mend
 */
export function errorSummary(title, items) {
    return element('div', { class: 'nhsuk-error-summary', tabindex: '-1' },
        element('div', { role: 'alert' },
            element('h2', { class: 'nhsuk-error-summary__title nhsuk-error-summary__heading' }, title),
            element('div', { class: 'nhsuk-error-summary__body' },
                element('ul', { class: 'nhsuk-list nhsuk-error-summary__list' },
                    items.map((item) => element('li', null, item.href === undefined ? item.text :
                        element('a', { href: item.href }, item.text)))))));
}

/** Previous and next. Either may be null. */
export function pagination(label, previous, next) {
    const item = (link, kind, title) => element('li', { class: `nhsuk-pagination-item--${kind}` },
        element('a', {
            class: `nhsuk-pagination__link nhsuk-pagination__link--${kind === 'previous' ? 'prev' : 'next'}`,
            href: link.href, rel: kind === 'previous' ? 'prev' : 'next',
        },
        element('span', { class: 'nhsuk-pagination__title' }, title),
        hidden(':'),
        element('span', { class: 'nhsuk-pagination__page' }, link.text)));
    return element('nav', { class: 'nhsuk-pagination', 'aria-label': label },
        element('ul', { class: 'nhsuk-list nhsuk-pagination__list' },
            previous && item(previous, 'previous', 'Previous'),
            next && item(next, 'next', 'Next')));
}

/** Where one is. The last item is the page itself and no link. */
export function breadcrumb(items) {
    return element('nav', { class: 'nhsuk-breadcrumb', 'aria-label': 'Breadcrumb' },
        element('ol', { class: 'nhsuk-breadcrumb__list' }, items.map((item) =>
            element('li', { class: 'nhsuk-breadcrumb__list-item nhsuk-breadcrumb__item' },
                element('a', { class: 'nhsuk-breadcrumb__link', href: item.href }, item.text)))));
}

/** A text field with its label, hint and, where it is wrong, its error. */
export function textField({ id, label, hint, value = '', error, width, type = 'text', ...more }) {
    const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ');
    return element('div', { class: `nhsuk-form-group${error ? ' nhsuk-form-group--error' : ''}` },
        element('label', { class: 'nhsuk-label nhsuk-label--s', for: id }, label),
        hint && element('div', { class: 'nhsuk-hint', id: `${id}-hint` }, hint),
        error && fieldError(id, error),
        element('input', {
            class: `nhsuk-input${error ? ' nhsuk-input--error' : ''}${width ? ` nhsuk-input--width-${width}` : ''}`,
            id, name: id, type, value, 'aria-describedby': described || null, ...more,
        }));
}

/** The message beside a field that is wrong. */
export function fieldError(id, error) {
    return element('span', { class: 'nhsuk-error-message', id: `${id}-error` },
        hidden('Error: '), error);
}
