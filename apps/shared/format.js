// SPDX-License-Identifier: MIT
/**
 * People, dates and numbers as they are written in the UK.
 * @module
 */

const ZONE = 'Europe/London';
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August',
    'September', 'October', 'November', 'December'];
const PARTIAL = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;

const parts = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, year: 'numeric', month: 'numeric',
    day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/**
 * Year, month, day and time of a FHIR date, dateTime or instant, a time in UK time.
 * @param {string} text
 * @returns {{year: number, month?: number, day?: number, time?: string}|null} null: it is no date
 */
export function readDate(text) {
    if (typeof text !== 'string') {
        return null;
    }
    const partial = PARTIAL.exec(text);
    if (partial !== null) {
        const [year, month, day] = partial.slice(1).map((part) => part && Number(part));
        return { year, ...(month && { month }), ...(day && { day }) };
    }
    if (!INSTANT.test(text)) {
        return null;
    }
    const moment = new Date(text);
    if (Number.isNaN(moment.getTime())) {
        return null;
    }
    const found = Object.fromEntries(parts.formatToParts(moment).map((p) => [p.type, p.value]));
    return { year: Number(found.year), month: Number(found.month), day: Number(found.day),
        time: `${found.hour}:${found.minute}` };
}

/**
 * When a date begins, to sort by.
 * @param {string} text
 * @returns {number} milliseconds; -Infinity when it is no date
 */
export function dateOrder(text) {
    const moment = readDate(text) === null ? NaN : new Date(text).getTime();
    return Number.isNaN(moment) ? -Infinity : moment;
}

/**
 * 5 March 2024, March 2024, 2024.
 * @param {string} text FHIR date, dateTime or instant
 * @returns {string} what could not be read is given back as it is
 */
export function formatDate(text) {
    const date = readDate(text);
    if (date === null) {
        return text ?? '';
    }
    return [date.day, date.month && MONTHS[date.month - 1], date.year].filter(Boolean).join(' ');
}

/** 5 Mar 2024: for tables. */
export function formatDateShort(text) {
    const date = readDate(text);
    if (date === null) {
        return text ?? '';
    }
    const month = date.month && MONTHS[date.month - 1].slice(0, 3);
    return [date.day, month, date.year].filter(Boolean).join(' ');
}

/** 5 March 2024, 14:05: a time is given when the record has one. */
export function formatMoment(text) {
    const date = readDate(text);
    return date?.time === undefined ? formatDate(text) : `${formatDate(text)}, ${date.time}`;
}

/** March, for 3. */
export function monthName(month) {
    return MONTHS[month - 1];
}

/**
 * Age on a day, in the unit that is used for it: hours of life do not matter here.
 * @param {string} birth FHIR date, perhaps partial
 * @param {string} [on] FHIR date or dateTime; today when left out
 * @returns {string} "64 years", "18 months", "5 weeks", "3 days"; empty when it cannot be told
 */
export function formatAge(birth, on = new Date().toISOString()) {
    const from = readDate(birth);
    const to = readDate(on);
    if (from === null || to === null) {
        return '';
    }
    if (from.month === undefined || to.month === undefined) {
        const years = to.year - from.year;
        return years < 0 ? '' : `about ${unit(years, 'year')}`;
    }
    const beforeDay = (to.day ?? 28) < (from.day ?? 1) ? 1 : 0;
    const months = (to.year - from.year) * 12 + to.month - from.month - beforeDay;
    if (months < 0) {
        return '';
    }
    if (months >= 24) {
        return unit(Math.floor(months / 12), 'year');
    }
    const days = Math.floor((Date.UTC(to.year, to.month - 1, to.day ?? 28) -
        Date.UTC(from.year, from.month - 1, from.day ?? 1)) / 86400000);
    if (days < 28) {
        return unit(days, 'day');
    }
    return days < 365 ? unit(Math.floor(days / 7), 'week') : unit(months, 'month');
}

function unit(count, name) {
    return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** "1 person", "2 people". */
export function plural(count, one, many = `${one}s`) {
    return `${count.toLocaleString('en-GB')} ${count === 1 ? one : many}`;
}

/** 999 123 4567. What has not ten digits is given back as it is. */
export function formatNhsNumber(text) {
    return /^\d{10}$/.test(text) ? `${text.slice(0, 3)} ${text.slice(3, 6)} ${text.slice(6)}` : text;
}

/** Has this the check digit of an NHS number (modulus 11)? */
export function isNhsNumber(text) {
    if (!/^\d{10}$/.test(text)) {
        return false;
    }
    const digits = [...text].map(Number);
    const sum = digits.slice(0, 9).reduce((total, digit, i) => total + digit * (10 - i), 0);
    return (11 - (sum % 11)) % 11 === digits[9];
}

/** "LS1 1AA" for "ls11aa"; what is no full postcode keeps its shape, in capitals. */
export function tidyPostcode(text) {
    const packed = text.toUpperCase().replace(/\s+/g, '');
    const full = /^([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})$/.exec(packed);
    return full === null ? text.trim().toUpperCase() : `${full[1]} ${full[2]}`;
}

/**
 * The name a person is called by, family name first, as staff systems show it.
 * @param {object[]} [names] HumanName[]
 * @returns {string} "SMITH, Anna Maria (Mrs)"
 */
export function formatName(names) {
    const name = chooseName(names);
    if (name === undefined) {
        return 'Name not recorded';
    }
    const given = (name.given ?? []).join(' ');
    const prefix = (name.prefix ?? []).join(' ');
    const whole = [name.family?.toUpperCase(), given].filter(Boolean).join(', ') || name.text;
    return prefix === '' ? whole : `${whole} (${prefix})`;
}

/** Names of staff: "Dr Anna Smith". */
export function formatStaffName(names) {
    const name = chooseName(names);
    return name === undefined ? '' : name.text ??
        [...(name.prefix ?? []), ...(name.given ?? []), name.family].filter(Boolean).join(' ');
}

function chooseName(names = []) {
    const current = names.filter((name) => name.use !== 'old' && name.period?.end === undefined);
    return current.find((name) => name.use === 'official' || name.use === 'usual') ??
        current[0] ?? names[0];
}

/** "1 High Street, Leeds, LS1 1AA". */
export function formatAddress(address) {
    if (address === undefined || address === null) {
        return '';
    }
    const lines = [...(address.line ?? []), address.city, address.district, address.postalCode];
    return lines.filter(Boolean).join(', ') || address.text || '';
}

/** "Birth date" for birthDate, "Value quantity" for valueQuantity. */
export function words(name) {
    const spaced = name.replace(/^_/, '').replace(/([a-z0-9])([A-Z])/g, '$1 $2')
        .replace(/[-_]/g, ' ').toLowerCase();
    return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
