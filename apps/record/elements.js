// SPDX-License-Identifier: MIT
/**
 * A resource as something to read: every element that it has, in its order, none left out.
 * @module
 */
import { element } from '../shared/dom.js';
import { attachmentText, periodText, quantityText, rangeText } from '../shared/datatypes.js';
import { formatMoment, formatNhsNumber, readDate, words } from '../shared/format.js';
import { Decimal } from '../shared/json.js';
import { readReference } from './chart.js';
import { personPlace, resourceHref } from './router.js';

const SYSTEMS = {
    'http://snomed.info/sct': 'SNOMED CT',
    'http://loinc.org': 'LOINC',
    'https://dmd.nhs.uk': 'dm+d',
    'http://hl7.org/fhir/sid/icd-10': 'ICD-10',
    'http://www.nlm.nih.gov/research/umls/rxnorm': 'RxNorm',
    'http://hl7.org/fhir/sid/cvx': 'CVX',
    'https://fhir.nhs.uk/Id/nhs-number': 'NHS number',
    'https://fhir.nhs.uk/Id/ods-organization-code': 'ODS code',
    'https://fhir.hl7.org.uk/Id/gmc-number': 'GMC number',
};

/** A system's common name, or the last words of its address. */
export function systemName(system) {
    return SYSTEMS[system] ?? (system ?? '').replace(/[/#]+$/, '').split(/[/:#]/).at(-1);
}

const only = (value, ...allowed) => Object.keys(value).every((key) => allowed.includes(key));

function codingNode(coding) {
    const code = [systemName(coding.system), coding.code].filter(Boolean).join(' ');
    return coding.display ? [coding.display, code &&
        element('span', { class: 'app-code', title: coding.system ?? null }, ` ${code}`)] : code;
}

function conceptNode(concept) {
    const codings = concept.coding ?? [];
    const said = concept.text && concept.text !== codings[0]?.display;
    if (codings.length <= 1 && !said) {
        return codings.length === 1 ? codingNode(codings[0]) : concept.text ?? '';
    }
    return [concept.text && element('div', null, concept.text),
        codings.map((coding) => element('div', null, codingNode(coding)))];
}

function referenceNode(context, reference) {
    const place = readReference(reference);
    const name = context.nameOf(reference) || reference.reference || reference.identifier?.value ||
        reference.type || 'Not named';
    if (place === null) {
        return name;
    }
    // Another person's details are read in their own record, not in this one.
    const isOther = place.type === 'Patient' && place.id !== context.person;
    return element('a', { href: isOther ? personPlace(place.id) :
        resourceHref(context.person, place.type, place.id) }, name);
}

function identifierNode(identifier) {
    const nhs = systemName(identifier.system) === 'NHS number';
    const system = identifier.type?.text ?? systemName(identifier.system);
    return [nhs ? formatNhsNumber(identifier.value ?? '') : identifier.value,
        system && element('span', { class: 'app-code', title: identifier.system ?? null },
            ` ${system}`)];
}

function attachmentNode(context, attachment) {
    const text = attachmentText(attachment);
    const { data, ...rest } = attachment;
    const bytes = data === undefined ? 0 : Math.floor(data.length * 3 / 4);
    return [text !== null && element('div', { class: 'app-letter' }, text),
        data !== undefined && text === null && element('div', null,
            `Content of ${bytes.toLocaleString('en-GB')} bytes, which this page does not show`),
        elementList(context, rest)];
}

function extensionNode(context, extension) {
    const { url, ...rest } = extension;
    const label = words((url ?? '').split('/').at(-1).replace(/^Extension-UKCore-/, ''));
    const keys = Object.keys(rest);
    const value = keys.length === 1 && keys[0].startsWith('value') ?
        valueNode(context, keys[0], rest[keys[0]]) : elementList(context, rest);
    return element('div', null, element('span', { class: 'app-label', title: url }, `${label}: `),
        value);
}

function narrativeNode(narrative) {
    // Parsed into a document of its own, in which nothing runs or loads; only its text is used.
    const parsed = new DOMParser().parseFromString(narrative.div ?? '', 'text/html');
    const text = (parsed.body.textContent ?? '').replace(/[ \t]+/g, ' ').replace(/\s*\n\s*/g, '\n');
    return element('div', { class: 'app-letter' }, text.trim());
}

function objectNode(context, key, value) {
    if (key === 'extension' || key === 'modifierExtension') {
        return extensionNode(context, value);
    }
    if (typeof value.div === 'string') {
        return narrativeNode(value);
    }
    if (typeof value.reference === 'string' || only(value, 'display', 'type', 'identifier')) {
        return referenceNode(context, value);
    }
    if (Array.isArray(value.coding) || only(value, 'text')) {
        return only(value, 'coding', 'text') ? conceptNode(value) : elementList(context, value);
    }
    if (only(value, 'system', 'code', 'display', 'version', 'userSelected') && value.code) {
        return codingNode(value);
    }
    if (value.value !== undefined && only(value, 'value', 'unit', 'system', 'code', 'comparator')) {
        return typeof value.value === 'string' ? identifierNode(value) : quantityText(value);
    }
    if (only(value, 'start', 'end')) {
        return periodText(value);
    }
    if (only(value, 'low', 'high')) {
        return rangeText(value);
    }
    if (/identifier/i.test(key) && only(value, 'use', 'type', 'system', 'value')) {
        return identifierNode(value);
    }
    return value.contentType !== undefined ? attachmentNode(context, value) :
        elementList(context, value);
}

const CHOICE = new RegExp('^(value|effective|onset|abatement|occurrence|performed|medication|' +
    'deceased|multipleBirth|dose|rate|doseNumber|seriesDoses|timing|scheduled|asNeeded|product|' +
    'content|serviced|born|age|statusReason|detail|entity|allowed|used|fastingStatus)' +
    '(Age|Attachment|Boolean|CodeableConcept|Coding|Date|DateTime|Decimal|Duration|Identifier|' +
    'Instant|Integer|Money|Period|PositiveInt|Quantity|Range|Ratio|Reference|SampledData|String|' +
    'Time|Timing|Uri|Url)$');

/** "Effective" for effectiveDateTime: which type was chosen can be seen from the value. */
export function elementLabel(key) {
    const label = words(key.replace(/^_/, '').replace(CHOICE, '$1'));
    return key.startsWith('_') ? `${label} (more)` : label;
}

/** Anything that an element can hold. */
function valueNode(context, key, value) {
    if (Array.isArray(value)) {
        const items = value.map((item) => valueNode(context, key, item));
        return items.length === 1 ? items[0] :
            element('ul', { class: 'app-items' }, items.map((item) => element('li', null, item)));
    }
    if (value === null) {
        return '';
    }
    if (value instanceof Decimal) {
        return value.text;
    }
    if (typeof value === 'object') {
        return objectNode(context, key, value);
    }
    if (typeof value === 'boolean') {
        return value ? 'Yes' : 'No';
    }
    const isTime = typeof value === 'string' && /^\d{4}-\d{2}/.test(value) && readDate(value) !== null;
    return isTime ? formatMoment(value) : String(value);
}

/**
 * @param {{person: string|undefined, nameOf: (reference: object) => string}} context
 * @param {object} value a resource or a part of one
 * @param {Set<string>} [leaveOut] names of elements that are shown elsewhere
 * @returns {HTMLElement} dl
 */
export function elementList(context, value, leaveOut = new Set()) {
    return element('dl', { class: 'app-elements' }, Object.entries(value)
        .filter(([key]) => !leaveOut.has(key))
        .map(([key, part]) => element('div', { class: 'app-elements__row' },
            element('dt', null, elementLabel(key)),
            element('dd', null, valueNode(context, key, part)))));
}

/** One value, for a table of changes. */
export function valueText(context, path, value) {
    return value === undefined ? '-' :
        valueNode(context, path.replace(/\[\d+\]/g, '').split('.').at(-1), value);
}
