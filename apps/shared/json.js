// SPDX-License-Identifier: MIT
/**
 * JSON in which a decimal keeps its digits: 1.10 is another result than 1.1 (FHIR R4, 2.24.0.1).
 * @module
 */

/** A number that JavaScript would write differently from how it was sent. */
export class Decimal {
    /** @param {string} text the number as it was sent */
    constructor(text) {
        this.text = text;
    }

    valueOf() {
        return Number(this.text);
    }

    toString() {
        return this.text;
    }

    toJSON() {
        return MARK + this.text;
    }
}

// A control character in a string value is refused by the FHIR door, so no text can pass for it.
const MARK = '\u0001';
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function markNumber(text) {
    return String(Number(text)) === text ? text : `"\\u0001${text}"`;
}

function endOfString(text, start) {
    let at = start + 1;
    for (;;) {
        const quote = text.indexOf('"', at);
        if (quote < 0) {
            return text.length;
        }
        let slashes = 0;
        while (text[quote - 1 - slashes] === '\\') {
            slashes++;
        }
        if (slashes % 2 === 0) {
            return quote + 1;
        }
        at = quote + 1;
    }
}

/**
 * @param {string} text
 * @returns {*} as JSON.parse, with a Decimal where a number would lose digits
 * @throws {SyntaxError}
 */
export function parseJson(text) {
    let marked = '';
    let at = 0;
    while (at < text.length) {
        const quote = text.indexOf('"', at);
        const end = quote < 0 ? text.length : quote;
        marked += text.slice(at, end).replace(NUMBER, markNumber);
        at = quote < 0 ? end : endOfString(text, quote);
        marked += text.slice(end, at);
    }
    return JSON.parse(marked, (_key, value) =>
        typeof value === 'string' && value.startsWith(MARK) ? new Decimal(value.slice(1)) : value);
}

/**
 * @param {*} value as parseJson gives it
 * @returns {string} indented JSON with the digits as they were sent
 */
export function printJson(value) {
    return JSON.stringify(value, null, 2).replace(/"\\u0001([^"]*)"/g, '$1');
}
