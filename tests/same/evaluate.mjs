// SPDX-License-Identifier: MIT
/**
 * A search of R4 answered in memory, one resource after another. Written from the specification's
 * page "Search" for clarity, without sight of the program it judges; where R4 leaves a choice, the
 * choice is the one that docs/search.md states.
 * @module
 */
import { Extractor } from './extract.mjs';
import { compare, CURRENCY, dateAnswers, fold, Fraction, numberAnswers, plain, readDate, readNumber,
    split, UCUM, unescape, unitOf, words } from './values.mjs';

const ALLOWED = { // modifiers of each kind, :[type] apart
    number: ['missing'], date: ['missing'], quantity: ['missing'], composite: [], special: [],
    string: ['missing', 'exact', 'contains'],
    token: ['missing', 'text', 'not', 'in', 'not-in', 'below', 'above', 'of-type'],
    reference: ['missing', 'text', 'below', 'above', 'identifier'],
    uri: ['missing', 'contains', 'below', 'above'],
};
const TEXTS_OF = { // the string elements of these types
    HumanName: ['family', 'given', 'prefix', 'suffix', 'text'],
    Address: ['line', 'city', 'district', 'state', 'postalCode', 'country', 'text'],
};

/** What must be refused, and why. */
export class Refused extends Error {}

// ---- values of each kind ----

/** Ranges of time of an element: date, dateTime, instant, Period, Timing. */
export function times(element) {
    const { value, type } = element;
    if (typeof value === 'string') {
        return [readDate(value)];
    }
    if (type === 'Period') {
        return [{ low: value.start ? readDate(value.start).low : -Infinity,
            high: value.end ? readDate(value.end).high : Infinity }];
    }
    if (type === 'Timing') {
        const all = (value.event ?? []).map(readDate);
        if (value.repeat?.boundsPeriod) {
            all.push(...times({ type: 'Period', value: value.repeat.boundsPeriod }));
        }
        return all.length === 0 ? [] : [{ low: Math.min(...all.map((one) => one.low)),
            high: Math.max(...all.map((one) => one.high)) }];
    }
    return [];
}

/** Strings of an element: its own, or the parts of a name or an address. */
export function texts({ value, type }) {
    return typeof value === 'string' ? [value]
        : (TEXTS_OF[type] ?? []).flatMap((part) => value[part] ?? []);
}

/** Tokens of an element: {system, code, words, types}; `any` for those that have no systems. */
export function tokens({ value, type }) {
    if (typeof value !== 'object') {
        return [{ any: true, code: String(value), words: [] }];
    }
    switch (type) {
    case 'Coding':
        return [{ system: value.system, code: value.code, words: [value.display] }];
    case 'CodeableConcept':
        return (value.coding ?? [{}]).map(({ system, code }) => ({ system, code,
            words: [value.text, ...(value.coding ?? []).map((one) => one.display)] }));
    case 'Identifier':
        return [{ system: value.system, code: value.value, words: [value.type?.text],
            types: value.type?.coding ?? [] }];
    case 'ContactPoint':
        return [{ any: true, code: value.value, words: [] }];
    default:
        return [];
    }
}

/** Amounts of an element as {low, high, system, code, unit}. */
export function amounts({ value, type }) {
    if (typeof value === 'number') {
        const exact = Fraction.from(String(value));
        return [{ low: exact, high: exact }];
    }
    if (type === 'Money') {
        return amounts({ value: value.value }).map((one) => ({ ...one, system: CURRENCY,
            code: value.currency }));
    }
    if (type === 'Range') {
        const end = (quantity, otherwise) => quantity
            ? Fraction.from(String(quantity.value)) : otherwise;
        const { system, code, unit } = value.low ?? value.high;
        return [{ low: end(value.low, -Infinity), high: end(value.high, Infinity), system, code,
            unit }];
    }
    return value.value === undefined ? [] : amounts({ value: value.value })
        .map((one) => ({ ...one, system: value.system, code: value.code, unit: value.unit }));
}

function wordsHold(asked, text) {
    const there = new Set(words(text ?? ''));
    const wanted = words(asked);
    return wanted.length > 0 && wanted.every((word) => there.has(word));
}

/** What is written for people: no codes, addresses, ids or references. */
function allStrings(value) {
    return typeof value === 'string' ? [value] : typeof value !== 'object' ? []
        : Object.entries(value).flatMap(([name, inside]) =>
            ['id', 'system', 'code', 'reference', 'url', 'source', 'status'].includes(name) ? []
                : allStrings(inside));
}

const withoutTags = (html) => html.replace(/<[^>]*>/g, ' ');

// ---- one value against one element ----

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d+.-])/;

function readPrefix(text) {
    const prefix = PREFIX.exec(text)?.[1];
    return { prefix: prefix ?? 'eq', rest: prefix ? text.slice(2) : text };
}

function quantityAnswers(asked, element) {
    const { prefix, rest } = readPrefix(asked);
    const [number, system = '', code = ''] = split(rest, '|').map(unescape);
    const wanted = readNumber(number);
    return amounts(element).some((target) => {
        if (code === '') {
            return numberAnswers(prefix, wanted, target);
        }
        if (system === '') {
            return [target.code, target.unit].includes(code)
                && numberAnswers(prefix, wanted, target);
        }
        if (target.system === system && target.code === code) {
            return numberAnswers(prefix, wanted, target);
        }
        const [from, to] = [unitOf(code), unitOf(target.code)];
        if (system !== UCUM || target.system !== UCUM || from === undefined
            || from.dimension !== to?.dimension) {
            return false;
        }
        return numberAnswers(prefix, { value: from.convert(wanted.value),
            low: from.convert(wanted.low), high: from.convert(wanted.high) },
        { low: to.convert(target.low), high: to.convert(target.high) });
    });
}

function stringAnswers(modifier, asked, element) {
    const wanted = unescape(asked);
    return texts(element).some((text) => modifier === 'exact' ? text === wanted
        : modifier === 'contains' ? fold(text).includes(fold(wanted))
            : fold(text).startsWith(fold(wanted)));
}

function uriAnswers(modifier, asked, element) {
    const wanted = unescape(asked);
    const { value } = element;
    switch (modifier) {
    // R4 "uri": matches are precise and mind the case, unlike those of a string.
    case 'contains': return value.includes(wanted);
    case 'below': return value.startsWith(wanted);
    case 'above': return wanted === value || wanted.startsWith(value.replace(/\/?$/, '/'));
    default: return value === wanted;
    }
}

// ---- the whole ----

export class Evaluation {
    /**
     * @param {string} modules the package.json beside which fhirpath is installed
     * @param {import('./definitions.mjs').Definitions} definitions
     * @param {object[]} resources all that are stored, as the server shows them
     * @param {string} base the server's own base URL, as in `http://host/fhir`
     */
    constructor(modules, definitions, resources, base) {
        this.definitions = definitions;
        this.extractor = new Extractor(modules, definitions);
        this.base = base;
        this.byName = new Map(resources.map((one) => [`${one.resourceType}/${one.id}`, one]));
        this.byType = new Map();
        for (const one of resources) {
            this.byType.set(one.resourceType, [...this.byType.get(one.resourceType) ?? [], one]);
        }
    }

    // ---- references ----

    /** A reference of this server as {type, id}; else {url}. A version is left out. */
    readReference(reference) {
        const own = reference.startsWith(`${this.base}/`) ? reference.slice(this.base.length + 1)
            : reference;
        const [, type, id] = /^([A-Z]\w+)\/([A-Za-z0-9.-]+)(?:\/_history\/[^/]+)?$/.exec(own) ?? [];
        return type ? { type, id } : { url: reference };
    }

    /** The references of a parameter: {type, id}, {url}, {inside}, with `identifier`, `display`. */
    references(resource, parameter) {
        return this.extractor.elements(resource, parameter).map(({ value }) => {
            const text = typeof value === 'string' ? value : value.reference;
            const more = typeof value === 'string' ? {} : value;
            const place = text === undefined ? {} : text.startsWith('#')
                ? { inside: resource.contained?.find((one) => `#${one.id}` === text) }
                : this.readReference(text);
            return { ...place, identifier: more.identifier, display: more.display };
        });
    }

    resolve(reference) {
        return reference.inside ?? this.byName.get(`${reference.type}/${reference.id}`);
    }

    referenceAnswers(modifier, asked, reference, parameter) {
        const wanted = unescape(asked);
        if (modifier === 'identifier') {
            return reference.identifier !== undefined
                && this.tokenAnswers(undefined, asked, { type: 'Identifier',
                    value: reference.identifier });
        }
        if (modifier === 'text') {
            return wordsHold(wanted, reference.display);
        }
        if (modifier === 'below' || modifier === 'above') {
            return this.isLinked(reference, wanted, parameter, modifier);
        }
        if (reference.url !== undefined) {
            return reference.url === wanted || reference.url.replace(/\|.*$/, '') === wanted;
        }
        if (reference.id === undefined) {
            return false;
        }
        if (/^[A-Za-z0-9.-]+$/.test(wanted)) {
            return reference.id === wanted
                && (modifier === undefined || reference.type === modifier);
        }
        const asking = this.readReference(wanted);
        return asking.id === reference.id && asking.type === reference.type
            && (modifier === undefined || reference.type === modifier);
    }

    /** Hierarchy: from a resource upwards through the same kind of reference (partOf). */
    isLinked(reference, wanted, parameter, modifier) {
        const asked = wanted.includes('/') ? this.readReference(wanted)
            : { type: parameter.on, id: wanted };
        const upwards = (from) => {
            const seen = new Set();
            for (let at = [from]; at.length > 0;) {
                const name = at.pop();
                const here = this.byName.get(name);
                if (!seen.has(name)) {
                    seen.add(name);
                    at.push(...here?.resourceType === parameter.on
                        ? this.references(here, parameter).filter((one) => one.id)
                            .map((one) => `${one.type}/${one.id}`) : []);
                }
            }
            return seen;
        };
        const mine = `${reference.type}/${reference.id}`;
        const other = `${asked.type}/${asked.id}`;
        return modifier === 'below' ? upwards(mine).has(other) : upwards(other).has(mine);
    }

    // ---- tokens ----

    tokenAnswers(modifier, asked, element) {
        const parts = split(asked, '|').map(unescape);
        return tokens(element).some((token) => {
            switch (modifier) {
            case 'text':
                return wordsHold(unescape(asked), token.words.join(' '));
            case 'in':
                return this.definitions.codesOf(unescape(asked)).has(`${token.system}|${token.code}`);
            case 'below':
                return token.system === parts[0]
                    && this.definitions.beneath(parts[0], parts[1]).has(token.code);
            case 'above':
                return token.system === parts[0]
                    && this.definitions.beneath(parts[0], token.code).has(parts[1]);
            case 'of-type':
                return token.code === parts[2] && (token.types ?? []).some((type) =>
                    type.system === parts[0] && type.code === parts[1]);
            default:
                return parts.length === 1 ? token.code !== undefined && token.code === parts[0]
                    : (token.any || (token.system ?? '') === parts[0])
                        && (parts[1] === '' ? token.system !== undefined
                            : token.code === parts[1]);
            }
        });
    }

    // ---- one value, one parameter ----

    elementAnswers(kind, modifier, asked, element, now) {
        switch (kind) {
        case 'date': {
            const { prefix, rest } = readPrefix(asked);
            const wanted = readDate(rest);
            return times(element).some((target) => dateAnswers(prefix, wanted, target, now));
        }
        case 'number':
        case 'quantity': return quantityAnswers(asked, element);
        case 'string': return stringAnswers(modifier, asked, element);
        case 'uri': return uriAnswers(modifier, asked, element);
        case 'token': return this.tokenAnswers(modifier, asked, element);
        default: throw new Error(`kind ${kind}`);
        }
    }

    valueAnswers(resource, parameter, modifier, asked) {
        if (parameter.type === 'composite') {
            const parts = split(asked, '$');
            return this.extractor.composites(resource, parameter).some((components) =>
                components.every((elements, at) => {
                    const { type } = this.definitions.byUrl.get(parameter.component[at].definition);
                    return elements.some((element) => type === 'reference'
                        ? this.referenceAnswers(undefined, parts[at],
                            this.readReference(element.value.reference), parameter)
                        : this.elementAnswers(type, undefined, parts[at], element, this.now));
                }));
        }
        if (parameter.type === 'reference') {
            return this.references(resource, parameter).some((one) =>
                this.referenceAnswers(modifier, asked, one, parameter));
        }
        return this.extractor.elements(resource, parameter).some((element) =>
            this.elementAnswers(parameter.type, modifier, asked, element, this.now));
    }

    /** Does this resource have a value of the parameter's kind? */
    has(resource, parameter) {
        const elements = this.extractor.elements(resource, parameter);
        const values = { date: times, string: texts, token: tokens, number: amounts,
            quantity: amounts }[parameter.type];
        return values ? elements.some((one) => values(one).length > 0) : elements.length > 0;
    }

    /** One `name=value` of a query. */
    answers(resource, name, value) {
        if (name.startsWith('_has:')) {
            const [, type, code] = name.split(':', 3);
            const rest = name.split(':').slice(3).join(':');
            const parameter = this.definitions.parameter(type, code);
            return (this.byType.get(type) ?? []).some((from) =>
                this.references(from, parameter).some((one) => this.resolve(one) === resource)
                && this.answers(from, rest, value));
        }
        const chain = /^([\w-]+)(?::(\w+))?\.(.+)$/.exec(name);
        if (chain) {
            const [, code, type, rest] = chain;
            const parameter = this.definitions.parameter(resource.resourceType, code);
            const first = /^[\w-]+/.exec(rest)[0];
            return this.references(resource, parameter).map((one) => this.resolve(one))
                .some((target) => target !== undefined
                    && (type === undefined || target.resourceType === type)
                    && (first === '_has'
                        || this.definitions.parameter(target.resourceType, first) !== undefined)
                    && this.answers(target, rest, value));
        }
        return this.answersPlainly(resource, name, value);
    }

    answersPlainly(resource, name, value) {
        const [code, modifier] = name.split(':');
        const any = (test) => split(value, ',').some(test);
        if (code === '_list') {
            return any((id) => this.byName.get(`List/${id}`)?.entry.some((entry) =>
                !entry.deleted && this.resolve(this.readReference(entry.item.reference))
                    === resource));
        }
        if (code === '_text') {
            return any((one) => wordsHold(unescape(one), withoutTags(resource.text?.div ?? '')));
        }
        if (code === '_content') {
            return any((one) => wordsHold(unescape(one),
                withoutTags(allStrings(resource).join(' '))));
        }
        const parameter = this.definitions.parameter(resource.resourceType, code);
        this.check(parameter, name, modifier, value);
        if (modifier === 'missing') {
            return this.has(resource, parameter) === (value === 'false');
        }
        if (modifier === 'not' || modifier === 'not-in') {
            const plain = modifier === 'not' ? undefined : 'in';
            return !any((one) => this.valueAnswers(resource, parameter, plain, one));
        }
        return any((one) => this.valueAnswers(resource, parameter, modifier, one));
    }

    check(parameter, name, modifier, value) {
        if (parameter === undefined) {
            throw new Refused(`unknown parameter ${name}`);
        }
        if (modifier !== undefined && !ALLOWED[parameter.type].includes(modifier)
            && !(parameter.type === 'reference' && /^[A-Z]/.test(modifier))) {
            throw new Refused(`${parameter.type} with :${modifier}`);
        }
        // Every text begins with what folds to nothing, as a bracket does: that asks for nobody.
        const isText = parameter.type === 'string' && !/^_(text|content)$/.test(parameter.code);
        if (isText && [undefined, 'contains'].includes(modifier)
            && split(value, ',').some((one) => fold(unescape(one)) === '')) {
            throw new Refused(`${name} with a text that is nothing`);
        }
    }

    /** By the lists of the CompartmentDefinition. */
    inCompartment(resource, { type, id }) {
        const codes = this.definitions.compartments.get(type).get(resource.resourceType) ?? [];
        return codes.some((code) => code === '{def}' ? resource.resourceType === type
            && resource.id === id
            : this.references(resource, this.definitions.parameter(resource.resourceType, code))
                .some((one) => one.type === type && one.id === id));
    }

    /**
     * @param {{types: string[], compartment?: object, criteria: [string, string][],
     *     sort?: string, includes?: [string, string][]}} query
     * @returns {{matches: object[], included: object[]}}
     */
    search(query) {
        this.now = Date.now();
        for (const type of query.types) {
            for (const [name, value] of query.criteria.filter(([one]) =>
                !/[.]|^_(has|list)/.test(one))) {
                const [code, modifier] = name.split(':');
                this.check(this.definitions.parameter(type, code), name, modifier, value);
            }
        }
        const matches = query.types.flatMap((type) => this.byType.get(type) ?? [])
            .filter((one) => (!query.compartment || this.inCompartment(one, query.compartment))
                && query.criteria.every(([name, value]) => this.answers(one, name, value)));
        return { matches, included: this.follow(query.includes ?? [], matches) };
    }

    /** What _include and _revinclude add. */
    follow(includes, matches) {
        const found = new Set();
        const step = (from, [name, value]) => {
            const [type, code, target] = value.split(':');
            const parameters = (on) => code === '*' || type === '*'
                ? this.definitions.parametersOf(on).filter((one) => one.type === 'reference')
                : [this.definitions.parameter(type, code)];
            const isForward = name.startsWith('_include');
            const sources = isForward ? from : (this.byType.get(type) ?? []);
            for (const source of sources) {
                if (type !== '*' && source.resourceType !== type) {
                    continue;
                }
                for (const one of parameters(source.resourceType)
                    .flatMap((parameter) => this.references(source, parameter))) {
                    const to = one.inside ? undefined : this.resolve(one);
                    if (to === undefined || (target && to.resourceType !== target)) {
                        continue;
                    }
                    if (isForward) {
                        found.add(to);
                    } else if (from.includes(to)) {
                        found.add(source);
                    }
                }
            }
        };
        includes.filter(([name]) => !name.endsWith(':iterate'))
            .forEach((include) => step(matches, include));
        for (let size = -1; size !== found.size;) {
            size = found.size;
            includes.filter(([name]) => name.endsWith(':iterate'))
                .forEach((include) => step([...matches, ...found], include));
        }
        return [...found].filter((one) => !matches.includes(one));
    }

    // ---- order ----

    /**
     * Where a resource comes in an ascending or descending sort: the earliest of its values in
     * that order; undefined when it has none.
     */
    sortKey(resource, code, isDown) {
        const parameter = this.definitions.parameter(resource.resourceType, code);
        const elements = this.extractor.elements(resource, parameter);
        const values = {
            date: () => elements.flatMap(times).map((one) => one.low),
            number: () => elements.flatMap(amounts).map((one) => one.low),
            // By number, whatever the unit; a Range has no one place.
            quantity: () => elements.filter((one) => one.type !== 'Range').flatMap(amounts)
                .map((one) => one.low),
            string: () => elements.flatMap(texts).map(fold),
            uri: () => elements.map((one) => one.value),
            token: () => elements.flatMap(tokens).filter((one) => one.code !== undefined)
                .map((one) => one.code),
        }[parameter.type]();
        return values.sort((left, right) => compare(left, right) * (isDown ? -1 : 1))[0];
    }

    /** The systems in which a resource has a token: R4 says nothing of their order. */
    systemsOf(resource, code, token) {
        const parameter = this.definitions.parameter(resource.resourceType, code);
        return parameter.type !== 'token' ? '' : this.extractor.elements(resource, parameter)
            .flatMap(tokens).filter((one) => one.code === token).map((one) => one.system).sort()
            .join();
    }
}
