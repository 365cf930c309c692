// SPDX-License-Identifier: MIT
/**
 * Places of the page: which source, from which day to which.
 * @module
 */
const DAY = 86400000;
const MOST_DAYS = 1100;
const london = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', year: 'numeric',
    month: '2-digit', day: '2-digit' });

/** The day it is in the UK, as 2026-11-21. */
export function today(now = new Date()) {
    /* By its parts: how a locale orders them is the browser's affair. */
    const parts = Object.fromEntries(london.formatToParts(now).map((part) => [part.type, part.value]));
    return `${parts.year}-${parts.month.padStart(2, '0')}-${parts.day.padStart(2, '0')}`;
}

/** The day so many days before another. */
export function daysBefore(day, count) {
    return new Date(Date.parse(day) - count * DAY).toISOString().slice(0, 10);
}

const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) &&
    new Date(`${text}T00:00Z`).toString() !== 'Invalid Date' &&
    new Date(`${text}T00:00Z`).toISOString().startsWith(text);

/**
 * @param {string} hash location.hash
 * @param {Date} [now]
 * @returns {{source: string, from: string, to: string, errors: Array<{field: string, text: string}>}}
 *     the last 30 days when the address says no period; source '': all
 */
export function readPlace(hash, now = new Date()) {
    const asked = new URLSearchParams(hash.replace(/^#\/?\??/, ''));
    const to = asked.get('to') ?? today(now);
    const from = asked.get('from') ?? (isDay(to) ? daysBefore(to, 29) : '');
    const errors = [];
    if (!isDay(from)) {
        errors.push({ field: 'from', text: 'Give the first day as a real date' });
    }
    if (!isDay(to)) {
        errors.push({ field: 'to', text: 'Give the last day as a real date' });
    }
    if (errors.length === 0 && from > to) {
        errors.push({ field: 'to', text: 'The last day must be the first day or later' });
    }
    if (errors.length === 0 && (Date.parse(to) - Date.parse(from)) / DAY >= MOST_DAYS) {
        errors.push({ field: 'from', text: 'Choose a period of less than three years' });
    }
    return { source: asked.get('source') ?? '', from, to, errors };
}

/** Address of a place. */
export function placeHref({ source, from, to }) {
    const search = new URLSearchParams(
        Object.entries({ source, from, to }).filter(([, value]) => value));
    return `#/?${search}`;
}

/** What is asked of the API for a place. */
export function reportPath({ source, from, to }) {
    const search = new URLSearchParams({ periodStart: from, periodEnd: to,
        ...(source && { reporter: source }) });
    return `Measure/data-quality/$evaluate-measure?${search}`;
}
