// SPDX-License-Identifier: MIT
/**
 * Values as R4 search sees them: exact fractions, ranges of time, units, folded text, words.
 * Written from "Search", sections Prefixes, number, date, string and quantity.
 * @module
 */

// ---- exact numbers ----

/** A number by its digits: nothing is rounded. */
export class Fraction {
    constructor(over, under = 1n) {
        this.over = over;
        this.under = under;
    }

    /** @param {string} text a decimal, with an exponent perhaps */
    static from(text) {
        const [, sign, whole, part = '', power = '0'] =
            /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
        const exponent = Number(power) - part.length;
        const digits = BigInt(`${sign}${whole}${part}`.replace(/^\+/, '') || '0');
        return exponent >= 0 ? new Fraction(digits * 10n ** BigInt(exponent))
            : new Fraction(digits, 10n ** BigInt(-exponent));
    }

    plus(other) {
        return new Fraction(this.over * other.under + other.over * this.under,
            this.under * other.under);
    }

    times(other) {
        return new Fraction(this.over * other.over, this.under * other.under);
    }

    get size() {
        return new Fraction(this.over < 0n ? -this.over : this.over, this.under);
    }
}

/** Below, equal or above zero; of fractions, and of numbers (the infinities among them). */
export function compare(left, right) {
    if (left instanceof Fraction && right instanceof Fraction) {
        const difference = left.over * right.under - right.over * left.under;
        return difference < 0n ? -1 : difference > 0n ? 1 : 0;
    }
    if (left instanceof Fraction) {
        return -Math.sign(right);
    }
    return right instanceof Fraction ? Math.sign(left) : left < right ? -1 : left > right ? 1 : 0;
}

/** What a number in a search says: its value, and the half unit of its last digit either side. */
export function readNumber(text) {
    const [, digits, power = '0'] = /^([^eE]*)(?:[eE]([+-]?\d+))?$/.exec(text);
    const places = (digits.split('.')[1] ?? '').length;
    const half = new Fraction(1n, 2n).times(Fraction.from(`1e${Number(power) - places}`));
    const value = Fraction.from(text);
    return { value, low: value.plus(half.times(new Fraction(-1n))), high: value.plus(half) };
}

/**
 * Does a number in a resource, or its Range {low, high} with ends included, answer a search for
 * `asked` of readNumber? A prefix of comparison takes the asked number as exact.
 */
export function numberAnswers(prefix, asked, target) {
    const { value } = asked;
    const isInside = compare(target.low, asked.low) >= 0 && compare(target.high, asked.high) < 0;
    const tenth = value.size.times(new Fraction(1n, 10n));
    const half = asked.high.plus(value.times(new Fraction(-1n)));
    const about = compare(tenth, half) > 0 ? tenth : half;
    switch (prefix) {
    case 'eq': return isInside;
    case 'ne': return !isInside;
    case 'gt': return compare(target.high, value) > 0;
    case 'lt': return compare(target.low, value) < 0;
    case 'ge': return compare(target.high, value) >= 0;
    case 'le': return compare(target.low, value) <= 0;
    case 'sa': return compare(target.low, value) > 0;
    case 'eb': return compare(target.high, value) < 0;
    case 'ap': return compare(target.high, value.plus(about.times(new Fraction(-1n)))) >= 0
        && compare(target.low, value.plus(about)) <= 0;
    default: throw new Error(`prefix ${prefix}`);
    }
}

// ---- units ----

export const UCUM = 'http://unitsofmeasure.org';
export const CURRENCY = 'urn:iso:std:iso:4217';

// UCUM code: what it measures, how many of the dimension's unit it is, what is added after that.
const UNITS = {
    kg: ['mass', '1000'], g: ['mass', '1'], mg: ['mass', '1e-3'], ug: ['mass', '1e-6'],
    m: ['length', '1'], cm: ['length', '0.01'], mm: ['length', '1e-3'], '[in_i]': ['length', '0.0254'],
    L: ['volume', '1'], mL: ['volume', '1e-3'],
    'mol/L': ['substance', '1'], 'mmol/L': ['substance', '1e-3'], 'umol/L': ['substance', '1e-6'],
    'g/L': ['density', '1'], 'g/dL': ['density', '10'], 'mg/dL': ['density', '0.01'],
    'mm[Hg]': ['pressure', '133.322'], kPa: ['pressure', '1000'], Pa: ['pressure', '1'],
    s: ['time', '1'], min: ['time', '60'], h: ['time', '3600'], d: ['time', '86400'],
    wk: ['time', '604800'], a: ['time', '31557600'], mo: ['time', '2629800'],
    '/min': ['rate', '1'], '/h': ['rate', new Fraction(1n, 60n)],
    '%': ['one', '0.01'], '1': ['one', '1'],
    K: ['temperature', '1'], Cel: ['temperature', '1', '273.15'],
};

/** A function into the dimension's own unit, with its name; undefined: not in the table. */
export function unitOf(code) {
    const [dimension, factor, zero = '0'] = UNITS[code] ?? [];
    if (dimension === undefined) {
        return undefined;
    }
    const by = factor instanceof Fraction ? factor : Fraction.from(factor);
    return { dimension, convert: (value) => value instanceof Fraction
        ? value.times(by).plus(Fraction.from(zero)) : value };
}

/** Codes that measure the same as CODE does, itself included. */
export function unitsLike(code) {
    return Object.keys(UNITS).filter((other) => UNITS[other][0] === UNITS[code]?.[0]);
}

// ---- time ----

const LONDON = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', hourCycle: 'h23',
    year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric',
    second: 'numeric' });
/** What London's clocks show at a time, as if it were UTC. */
function shownInLondon(time) {
    const part = Object.fromEntries(LONDON.formatToParts(new Date(time))
        .map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
}

/**
 * The first and the last time at which London's clocks show LOCAL, which in autumn are two; where
 * spring leaves an hour out, as if the clocks had not been changed yet.
 */
function fromLondon(local) {
    const isShownAt = (time) => shownInLondon(time) === Math.floor(local / 1000) * 1000;
    const [summer, winter] = [isShownAt(local - 3600000), isShownAt(local)];
    return { first: summer ? local - 3600000 : local,
        last: winter || !summer ? local : local - 3600000 };
}

/**
 * The time that a date, dateTime or instant of any precision covers, from `low` to before `high`;
 * without a zone all that it may mean.
 */
export function readDate(text) {
    const [, year, month, day, hour, minute, second, part, zone] = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/
        .exec(text) ?? [];
    if (year === undefined) {
        throw new Error(`not a date: ${text}`);
    }
    const fields = [year, month, day, hour, minute, second];
    const last = part !== undefined ? 6 : fields.filter((field) => field !== undefined).length - 1;
    const start = [Number(year), Number(month ?? 1) - 1, Number(day ?? 1), Number(hour ?? 0),
        Number(minute ?? 0), Number(second ?? 0), Number((part ?? '0').padEnd(3, '0'))];
    const end = [...start];
    end[last] += last === 6 ? 10 ** (3 - part.length) : 1;
    if (zone === undefined) {
        return { low: fromLondon(Date.UTC(...start)).first,
            high: fromLondon(Date.UTC(...end) - 1).last + 1 };
    }
    const place = (at) => {
        const utc = Date.UTC(...at);
        const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(zone) ?? [0, '+', 0, 0];
        return utc - Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) * 60000;
    };
    return { low: place(start), high: place(end) };
}

/** Does the time of a resource answer? Both are ranges from `low` to before `high`. */
export function dateAnswers(prefix, asked, target, now) {
    const isInside = target.low >= asked.low && target.high <= asked.high;
    const tenth = Math.abs(now - asked.low) / 10;
    switch (prefix) {
    case 'eq': return isInside;
    case 'ne': return !isInside;
    case 'gt': return target.high > asked.high;
    case 'lt': return target.low < asked.low;
    case 'ge': return target.high > asked.high || isInside;
    case 'le': return target.low < asked.low || isInside;
    case 'sa': return target.low >= asked.high;
    case 'eb': return target.high <= asked.low;
    case 'ap': return target.high > asked.low - tenth && target.low < asked.high + tenth;
    default: throw new Error(`prefix ${prefix}`);
    }
}

// ---- text ----

/** Without case and accents. */
export const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** Without case, accents, punctuation, and differences of spaces. */
export function fold(text) {
    return plain(text).replace(/\p{P}/gu, '').replace(/\s+/gu, ' ').trim();
}

/** The words of a text, folded. */
export function words(text) {
    return plain(text).split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/** TEXT cut at each SEPARATOR that no backslash stands before; the rest keeps its backslashes. */
export function split(text, separator) {
    const parts = [''];
    for (let at = 0; at < text.length; at++) {
        if (text[at] === '\\' && at + 1 < text.length) {
            parts[parts.length - 1] += text[at] + text[++at];
        } else if (text[at] === separator) {
            parts.push('');
        } else {
            parts[parts.length - 1] += text[at];
        }
    }
    return parts;
}

export const unescape = (text) => text.replace(/\\([\\,$|])/g, '$1');
export const escape = (text) => text.replace(/[\\,$|]/g, '\\$&');
