// SPDX-License-Identifier: MIT
/**
 * FHIR data types in one line of text.
 * @module
 */
import { formatDateShort, formatMoment, readDate } from './format.js';

/** CodeableConcept or Coding. */
export function conceptText(concept) {
    if (concept === undefined || concept === null) {
        return '';
    }
    const codings = concept.coding ?? [concept];
    const chosen = codings.find((coding) => coding.userSelected && coding.display) ??
        codings.find((coding) => coding.display);
    return concept.text ?? chosen?.display ?? codings[0]?.code ?? '';
}

/** The first code of a concept that has one of the systems, or any. */
export function conceptCode(concept, ...systems) {
    const codings = concept?.coding ?? [];
    const found = systems.length === 0 ? codings[0] :
        codings.find((coding) => systems.includes(coding.system));
    return found?.code;
}

/** "≥ 5.10 mmol/L". */
export function quantityText(quantity) {
    if (quantity?.value === undefined) {
        return '';
    }
    const signs = { '<=': '≤', '>=': '≥' };
    const sign = quantity.comparator;
    const unit = quantity.unit ?? quantity.code ?? '';
    const space = unit === '%' || unit === '' ? '' : ' ';
    return `${sign ? `${signs[sign] ?? sign} ` : ''}${quantity.value}${space}${unit}`;
}

/** "5 Mar 2024 to 7 Mar 2024", "from 5 Mar 2024". */
export function periodText(period) {
    const start = period?.start && formatDateShort(period.start);
    const end = period?.end && formatDateShort(period.end);
    if (start && end) {
        return start === end ? start : `${start} to ${end}`;
    }
    if (start) {
        return `from ${start}`;
    }
    return end ? `until ${end}` : '';
}

/** "3.5 to 5.3 mmol/L", "up to 48 mmol/mol"; for Range and referenceRange. */
export function rangeText(range) {
    if (range?.text) {
        return range.text;
    }
    const low = range?.low;
    const high = range?.high;
    if (low && high) {
        return `${low.value} to ${quantityText(high)}`;
    }
    if (high) {
        return `up to ${quantityText(high)}`;
    }
    return low ? `from ${quantityText(low)}` : '';
}

/**
 * The value of a choice element, whatever its type: value[x], effective[x] ...
 * @param {object} resource
 * @param {string} name its name without the type: "value"
 * @returns {{type: string, value: *}|null} the type as in the element's name: "Quantity"
 */
export function choice(resource, name) {
    for (const key of Object.keys(resource ?? {})) {
        if (key.startsWith(name) && /^[A-Z]/.test(key.slice(name.length))) {
            return { type: key.slice(name.length), value: resource[key] };
        }
    }
    return null;
}

/** Text of a choice element; empty when it is absent or of a type with no short text. */
export function choiceText(resource, name) {
    const found = choice(resource, name);
    if (found === null) {
        return '';
    }
    const { type, value } = found;
    switch (type) {
        case 'Quantity':
        case 'Age':
        case 'Duration':
            return quantityText(value);
        case 'CodeableConcept':
        case 'Coding':
            return conceptText(value);
        case 'Period':
            return periodText(value);
        case 'Range':
            return rangeText(value);
        case 'Ratio':
            return `${quantityText(value.numerator)} to ${quantityText(value.denominator)}`;
        case 'Boolean':
            return value ? 'Yes' : 'No';
        case 'DateTime':
        case 'Instant':
        case 'Date':
            return formatMoment(value);
        default:
            return typeof value === 'object' ? value.text ?? '' : String(value);
    }
}

/** When something began: a date, dateTime, instant, or the start of a Period or Timing. */
export function dateOf(value) {
    if (typeof value === 'string') {
        return readDate(value) === null ? undefined : value;
    }
    return value?.start ?? value?.end ?? value?.event?.[0] ?? value?.repeat?.boundsPeriod?.start;
}

/** "1 tablet once a day": the text if there is one, else from the parts. */
export function dosageText(dosage) {
    if (dosage === undefined) {
        return '';
    }
    if (dosage.text) {
        return dosage.text;
    }
    const repeat = dosage.timing?.repeat;
    const units = { s: 'second', min: 'minute', h: 'hour', d: 'day', wk: 'week', mo: 'month',
        a: 'year' };
    const often = repeat?.frequency && repeat.periodUnit &&
        `${repeat.frequency} time${repeat.frequency === 1 ? '' : 's'} every ` +
        `${Number(repeat.period) === 1 ? '' : `${repeat.period} `}` +
        `${units[repeat.periodUnit]}${Number(repeat.period) === 1 ? '' : 's'}`;
    const dose = dosage.doseAndRate?.[0];
    return [choiceText(dose, 'dose'), conceptText(dosage.route), often,
        conceptText(dosage.timing?.code), dosage.asNeededBoolean && 'as needed',
        dosage.patientInstruction].filter(Boolean).join(', ');
}

/** Text of an Attachment that is carried inline, or null when it is not text or not inline. */
export function attachmentText(attachment) {
    const type = attachment?.contentType ?? '';
    if (!attachment?.data || !/^(text\/|application\/(json|xml|.*\+(json|xml)))/.test(type)) {
        return null;
    }
    try {
        const bytes = Uint8Array.from(atob(attachment.data.replace(/\s+/g, '')),
            (character) => character.charCodeAt(0));
        return new TextDecoder('utf-8', { fatal: false }).decode(bytes);
    } catch {
        return null;
    }
}
