// SPDX-License-Identifier: MIT
/**
 * Random searches: every kind of parameter with every modifier and prefix, chains, _has, composites,
 * compartments, includes and orders. Most ask for a value that some resource has, so that most
 * find something.
 * @module
 */
import { amounts, texts, times, tokens } from './evaluate.mjs';
import { escape, UCUM, unitsLike, words } from './values.mjs';

const PREFIXES = ['', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'];
const COMMON = ['_id', '_lastUpdated', '_tag', '_security', '_source', '_profile'];
const HIERARCHY = 'http://terminology.hl7.org/CodeSystem/condition-clinical';
const SET_OF = { // value sets without filters, for :in
    'clinical-status': 'http://hl7.org/fhir/ValueSet/condition-clinical',
    'verification-status': 'http://hl7.org/fhir/ValueSet/condition-ver-status',
};
const WRONG = [['number', 'exact'], ['date', 'contains'], ['date', 'not'], ['string', 'not'],
    ['string', 'below'], ['token', 'exact'], ['token', 'identifier'], ['reference', 'in'],
    ['reference', 'exact'], ['quantity', 'text'], ['uri', 'text'], ['composite', 'missing']];
const pad = (number) => String(number).padStart(2, '0');

/** A number as text again, with no more and no fewer digits than JSON gave it. */
const text = (number) => String(number);

export class Questions {
    /**
     * @param {import('./random.mjs').Random} random
     * @param {import('./evaluate.mjs').Evaluation} world
     */
    constructor(random, world) {
        this.random = random;
        this.world = world;
        this.types = [...world.byType.keys()];
    }

    /** One of a type; OTHER when none is stored, as of what is only ever contained. */
    any(type, other) {
        return this.random.pick(this.world.byType.get(type) ?? [other]);
    }

    elements(resource, parameter) {
        return this.world.extractor.elements(resource, parameter);
    }

    /** The parameters of a resource that have a value in it. */
    filled(resource, kinds) {
        return this.world.definitions.parametersOf(resource.resourceType).filter((one) =>
            (kinds === undefined || kinds.includes(one.type)) && one.paths.length > 0
            && this.world.has(resource, one));
    }

    // ---- one criterion that the resource answers, mostly ----

    criterion(resource) {
        const { random } = this;
        const all = this.filled(resource);
        const kind = random.pick([...new Set(all.map((one) => one.type))]);
        if (kind === undefined || random.chance(0.08)) {
            return this.common(resource);
        }
        const parameter = random.pick(all.filter((one) => one.type === kind));
        if (random.chance(0.06) && !['composite', 'special'].includes(kind)) {
            const other = random.pick(this.world.definitions.parametersOf(resource.resourceType)
                .filter((one) => !['composite', 'special'].includes(one.type)));
            return [`${random.pick([parameter, other]).code}:missing`,
                random.pick(['true', 'false'])];
        }
        const one = this[kind]?.(parameter, resource) ?? this.common(resource);
        if (random.chance(0.15) && !/:(missing|not)/.test(one[0])) { // or another
            const other = this[kind]?.(parameter, this.any(resource.resourceType, resource));
            if (other?.[0] === one[0]) {
                return [one[0], `${other[1]},${one[1]}`];
            }
        }
        return one;
    }

    common(resource) {
        const { random } = this;
        const code = random.pick(COMMON);
        const parameter = this.world.definitions.parameter(resource.resourceType, code);
        if (code === '_id') {
            return ['_id', random.chance(0.5) ? resource.id
                : `${resource.id},${this.any(resource.resourceType, resource).id}`];
        }
        if (!this.world.has(resource, parameter)) {
            const div = resource.text?.div;
            return div ? [random.pick(['_text', '_content']), random.pick(words(
                div.replace(/<[^>]*>/g, ' ')).filter((word) => word.length > 3))] : [`${code}:missing`, random.pick(['true', 'false'])];
        }
        return this[parameter.type](parameter, resource);
    }

    element(parameter, resource, values) {
        const found = this.elements(resource, parameter).flatMap(values);
        return found.length === 0 ? undefined : this.random.pick(found);
    }

    number(parameter, resource) {
        const one = this.element(parameter, resource, amounts);
        return one && [parameter.code, this.amount(one)];
    }

    /** With a prefix and other digits. */
    amount({ low, high }) {
        const { random } = this;
        const at = Number.isFinite(low) || typeof low === 'object' ? low : high;
        const exact = Number(at.over) / Number(at.under);
        const near = random.weighted([[8, text(exact)], [2, exact.toFixed(1)], [2, exact.toFixed(0)],
            [1, exact.toFixed(3)], [1, text(Math.round(exact * 1.07 * 1000) / 1000)]]);
        return random.pick(PREFIXES) + near.replace(/^-0(\.0*)?$/, '0');
    }

    quantity(parameter, resource) {
        const { random } = this;
        const one = this.element(parameter, resource, amounts);
        if (one === undefined) {
            return undefined;
        }
        const [code, system] = [one.code ?? '', one.system ?? ''];
        const plain = this.amount(one);
        const other = system === UCUM ? random.pick(unitsLike(code)) : undefined;
        return [parameter.code, random.weighted([
            [3, plain],
            [5, code ? `${plain}|${escape(system)}|${escape(code)}` : plain],
            [2, code ? `${plain}||${escape(code)}` : plain],
            [1, one.unit ? `${plain}||${escape(one.unit)}` : plain],
            [5, other ? `${this.converted(one, code, other)}|${UCUM}|${escape(other)}` : plain],
        ])];
    }

    /** The same amount in another unit, roughly. */
    converted(one, from, to) {
        const at = typeof one.low === 'object' ? one.low : one.high;
        const exact = Number(at.over) / Number(at.under);
        const sizes = { kg: 1000, g: 1, mg: 1e-3, ug: 1e-6, m: 1, cm: 0.01, mm: 1e-3,
            '[in_i]': 0.0254, 'mm[Hg]': 133.322, kPa: 1000, Pa: 1, 'mol/L': 1, 'mmol/L': 1e-3,
            'umol/L': 1e-6, s: 1, min: 60, h: 3600, d: 86400, wk: 604800, a: 31557600, mo: 2629800,
            '%': 0.01 };
        const there = from === to ? exact : from === 'Cel' ? exact + 273.15
            : to === 'Cel' ? exact - 273.15 : exact * (sizes[from] ?? 1) / (sizes[to] ?? 1);
        const digits = Number(there.toPrecision(this.random.pick([3, 4, 8]))).toString();
        return this.random.pick(PREFIXES) + digits;
    }

    date(parameter, resource) {
        const { random } = this;
        const one = this.element(parameter, resource, times);
        if (one === undefined) {
            return undefined;
        }
        const at = random.pick([one.low, one.high].filter(Number.isFinite)) ?? Date.UTC(2020, 5, 15);
        const moved = random.chance(0.7) ? at : at + (random.below(40) - 20) * 86400000;
        return [parameter.code, random.pick(PREFIXES) + this.dateText(moved)];
    }

    dateText(at) {
        const { random } = this;
        const zone = random.pick([0, 60, -300]);
        const shown = new Date(at + (random.chance(0.5) ? 3600000 : 0));
        const day = `${shown.getUTCFullYear()}-${pad(shown.getUTCMonth() + 1)}-${
            pad(shown.getUTCDate())}`;
        const there = new Date(at + zone * 60000).toISOString();
        const suffix = zone === 0 ? 'Z' : zone === 60 ? '+01:00' : '-05:00';
        return random.weighted([[2, day.slice(0, 4)], [3, day.slice(0, 7)], [6, day],
            [2, there.slice(0, 16) + suffix], [3, there.slice(0, 19) + suffix],
            [1, there.slice(0, 23) + suffix], [1, `${day}T10:00`], [1, `${day}T01:30:00`]]);
    }

    string(parameter, resource) {
        const { random } = this;
        const one = this.element(parameter, resource, texts);
        if (one === undefined) {
            return undefined;
        }
        const start = one.slice(0, 1 + random.below(one.length)).trim();
        return random.weighted([
            [4, [parameter.code, escape(start)]],
            [2, [parameter.code, escape(random.chance(0.5) ? one.toUpperCase() : one)]],
            [1, [parameter.code, escape(one.normalize('NFD').replace(/\p{M}/gu, ''))]],
            [3, [`${parameter.code}:exact`, escape(random.chance(0.8) ? one : one.toLowerCase())]],
            [3, [`${parameter.code}:contains`, escape(one.slice(random.below(one.length))
                .trim() || one)]],
        ]);
    }

    token(parameter, resource) {
        const { random } = this;
        const one = this.element(parameter, resource, tokens);
        if (one === undefined) {
            return undefined;
        }
        const code = escape(one.code ?? '');
        const system = escape(one.system ?? '');
        if (one.system === HIERARCHY && random.chance(0.5)) {
            return [`${parameter.code}:${random.pick(['below', 'above'])}`, `${HIERARCHY}|${
                random.pick(['active', 'inactive', 'relapse', 'resolved'])}`];
        }
        const set = SET_OF[parameter.code];
        if (set && random.chance(0.4)) {
            return [`${parameter.code}:${random.pick(['in', 'not-in'])}`, set];
        }
        const shown = one.words.filter((word) => word !== undefined);
        if (shown.length > 0 && (code === '' || random.chance(0.25))) {
            const some = words(random.pick(shown));
            return [`${parameter.code}:text`, some.slice(0, 1 + random.below(some.length)).join(' ')];
        }
        const kind = one.types?.find((type) => type.system);
        if (kind && random.chance(0.3)) {
            return [`${parameter.code}:of-type`, `${kind.system}|${kind.code}|${code}`];
        }
        const asked = one.any || code === '' ? code || 'final'
            : random.weighted([[3, code], [4, `${system}|${code}`], [1, `|${code}`],
                [1, system ? `${system}|` : code]]);
        return [random.chance(0.2) ? `${parameter.code}:not` : parameter.code, asked];
    }

    reference(parameter, resource) {
        const { random } = this;
        const one = random.pick(this.world.references(resource, parameter)
            .filter((each) => each.inside === undefined));
        if (one === undefined) {
            return undefined;
        }
        if (one.id === undefined && one.url === undefined || (one.identifier && random.chance(0.5))) {
            return one.identifier && [`${parameter.code}:identifier`, random.pick([
                `${one.identifier.system ?? ''}|${escape(one.identifier.value)}`,
                escape(one.identifier.value)])];
        }
        if (one.display && random.chance(0.5)) {
            return [`${parameter.code}:text`, random.pick(words(one.display))];
        }
        if (one.url !== undefined) {
            return [parameter.code, escape(one.url)];
        }
        if (one.type === resource.resourceType && parameter.target.length === 1
            && random.chance(0.7)) {
            return [`${parameter.code}:${random.pick(['below', 'above'])}`, `${one.type}/${one.id}`];
        }
        return random.weighted([
            [4, [parameter.code, `${one.type}/${one.id}`]],
            [2, [parameter.code, one.id]],
            [2, [`${parameter.code}:${one.type}`, one.id]],
            [1, [parameter.code, `${this.world.base}/${one.type}/${one.id}`]],
        ]);
    }

    uri(parameter, resource) {
        const { random } = this;
        const one = random.pick(this.elements(resource, parameter))?.value;
        if (one === undefined) {
            return undefined;
        }
        const parts = one.split('/');
        return random.weighted([
            [3, [parameter.code, escape(one)]],
            [1, [`${parameter.code}:contains`, escape(one.slice(random.below(one.length)))]],
            ...one.startsWith('http') ? [
                [3, [`${parameter.code}:below`, escape(parts.slice(0, 3 + random.below(parts.length
                    - 2)).join('/'))]],
                [2, [`${parameter.code}:above`, escape(`${one}${random.pick(['', '/more'])}`)]]] : [],
        ]);
    }

    composite(parameter, resource) {
        const rows = this.world.extractor.composites(resource, parameter)
            .filter((components) => components.every((one) => one.length > 0));
        if (rows.length === 0) {
            return undefined;
        }
        const values = this.random.pick(rows).map((elements, at) => {
            const { type } = this.world.definitions.byUrl.get(parameter.component[at].definition);
            return this.part(type, this.random.pick(elements));
        });
        return values.includes(undefined) ? undefined : [parameter.code, values.join('$')];
    }

    part(type, element) {
        const { random } = this;
        switch (type) {
        case 'token': {
            const one = random.pick(tokens(element));
            return one?.code && (one.system && random.chance(0.5)
                ? `${escape(one.system)}|${escape(one.code)}` : escape(one.code));
        }
        case 'quantity':
        case 'number': {
            const one = amounts(element)[0];
            return one && this.amount(one)
                + (one.code && random.chance(0.6) ? `|${escape(one.system)}|${escape(one.code)}` : '');
        }
        case 'date': {
            const one = times(element)[0];
            return one && random.pick(PREFIXES)
                + this.dateText(Number.isFinite(one.low) ? one.low : one.high);
        }
        case 'string': return escape(texts(element)[0].slice(0, 4));
        case 'reference': return element.value.reference && escape(element.value.reference);
        default: return element.value && escape(String(element.value));
        }
    }

    // ---- whole questions ----

    plain(types = [this.random.pick(this.types)]) {
        const resource = this.any(this.random.pick(types));
        const count = this.random.weighted([[5, 1], [3, 2], [1, 3]]);
        const rows = Array.from({ length: count }, () => this.criterion(resource));
        return { types, criteria: rows };
    }

    /** [name, value] that goes from the resource over references to what they lead to. */
    chained(resource, depth) {
        const { random, world } = this;
        const steps = this.filled(resource, ['reference']).flatMap((parameter) =>
            world.references(resource, parameter).map((one) => [parameter, world.resolve(one)]))
            .filter(([, target]) => target !== undefined);
        if (steps.length === 0) {
            return undefined;
        }
        const [parameter, target] = random.pick(steps);
        const [name, value] = (depth > 1 && this.chained(target, depth - 1))
            || (random.chance(0.15) && this.reversed(target, 1)) || this.criterion(target);
        const head = random.chance(0.7) || parameter.target.length > 1 && random.chance(0.5)
            ? `${parameter.code}:${target.resourceType}` : parameter.code;
        return [`${head}.${name}`, value];
    }

    reversed(resource, depth) {
        const { random, world } = this;
        for (let attempt = 0; attempt < 30; attempt++) {
            const from = this.any(random.pick(this.types));
            const parameters = this.filled(from, ['reference']);
            const parameter = parameters.length > 0 && random.pick(parameters);
            if (parameter && (!parameter.target
                || parameter.target.includes(resource.resourceType))) {
                const referrers = world.byType.get(from.resourceType).filter((one) =>
                    world.references(one, parameter).some((to) => world.resolve(to) === resource));
                if (referrers.length > 0) {
                    const [name, value] = (depth > 1
                        && this.reversed(random.pick(referrers), depth - 1))
                        || this.criterion(random.pick(referrers));
                    return [`_has:${from.resourceType}:${parameter.code}:${name}`, value];
                }
            }
        }
        return undefined;
    }

    chain() {
        const resource = this.any(this.random.pick(this.types));
        const one = this.chained(resource, this.random.weighted([[4, 1], [2, 2], [1, 3]]));
        return one && { types: [resource.resourceType], criteria: [one,
            ...this.random.chance(0.3) ? [this.criterion(resource)] : []] };
    }

    has() {
        const resource = this.any(this.random.pick(['Patient', 'Practitioner', 'Encounter',
            'Organization', 'Location', 'Observation', 'Group']));
        const one = this.reversed(resource, this.random.weighted([[4, 1], [2, 2]]));
        return one && { types: [resource.resourceType], criteria: [one,
            ...this.random.chance(0.3) ? [this.criterion(resource)] : []] };
    }

    composed() {
        const resource = this.any(this.random.pick(['Observation', 'DiagnosticReport', 'Group',
            'ValueSet', 'Questionnaire', 'Observation', 'Observation']));
        const parameters = this.world.definitions.parametersOf(resource.resourceType)
            .filter((one) => one.type === 'composite');
        const one = parameters.length > 0
            && this.composite(this.random.pick(parameters), resource);
        return one ? { types: [resource.resourceType], criteria: [one] } : undefined;
    }

    sorted() {
        const question = this.random.chance(0.5) ? { types: [this.random.pick(this.types)],
            criteria: [] } : this.plain();
        const codes = this.world.definitions.parametersOf(question.types[0]).filter((one) =>
            ['date', 'number', 'quantity', 'string', 'uri', 'token'].includes(one.type)
            && one.paths.length > 0).map((one) => one.code);
        const keys = this.random.some(codes, 1 + this.random.below(2))
            .map((code) => (this.random.chance(0.5) ? '-' : '') + code);
        return { ...question, sort: keys.join(',') };
    }

    including() {
        const { random, world } = this;
        const question = this.plain();
        const [type] = question.types;
        const resource = this.any(type);
        const own = this.filled(resource, ['reference']);
        const includes = [];
        if (own.length > 0) {
            const parameter = random.pick(own);
            const narrowed = parameter.paths.map((path) => path.only).filter((only) => only);
            const targets = narrowed.length > 0 ? narrowed : parameter.target ?? [];
            const target = targets.length > 0 && random.chance(0.3)
                ? `:${random.pick(targets)}` : '';
            includes.push(['_include', random.weighted([[6, `${type}:${parameter.code}${target}`],
                [1, `${type}:*`]])]);
            const first = world.references(resource, parameter).map((one) => world.resolve(one))
                .find((one) => one !== undefined);
            const next = first && this.filled(first, ['reference']);
            if (next?.length > 0 && random.chance(0.4)) {
                includes.push(['_include:iterate', `${first.resourceType}:${
                    random.pick(next).code}`]);
            }
        }
        const back = this.reversed(resource, 1);
        if (back && (includes.length === 0 || random.chance(0.4))) {
            const [, from, code] = back[0].split(':');
            includes.push(['_revinclude', `${from}:${code}`]);
        }
        return { ...question, includes };
    }

    compartment() {
        const { random, world } = this;
        const type = random.pick(['Patient', 'Patient', 'Encounter', 'Practitioner']);
        const resource = this.any(type);
        const inside = this.types.filter((one) => world.definitions.compartments.get(type)?.has(one)
            && world.byType.get(one).some((each) => world.inCompartment(each, {
                type, id: resource.id })));
        if (inside.length === 0) {
            return undefined;
        }
        const of = random.pick(inside);
        const member = random.pick(world.byType.get(of).filter((each) => world.inCompartment(each,
            { type, id: resource.id })));
        return { types: [of], compartment: { type, id: resource.id },
            criteria: random.chance(0.7) ? [this.criterion(member)] : [] };
    }

    everywhere() {
        const types = this.random.some(this.types, 2 + this.random.below(2));
        const resource = this.any(types[0]);
        const shared = this.filled(resource).filter((one) => ['token', 'date', 'reference', 'string']
            .includes(one.type) && types.every((type) => this.world.definitions.parameter(type,
            one.code)?.type === one.type && this.world.definitions.parameter(type, one.code).paths
            .length > 0));
        const parameter = shared.length > 0 && this.random.pick(shared);
        const one = parameter ? this[parameter.type](parameter, resource) : this.common(resource);
        return one && { types, everywhere: true, criteria: [one] };
    }

    listed() {
        const list = this.any('List');
        return { types: ['Condition'], criteria: [['_list', list.id],
            ...this.random.chance(0.5) ? [this.criterion(this.any('Condition'))] : []] };
    }

    /** What must be refused. */
    wrong() {
        const { random } = this;
        const [kind, modifier] = random.pick(WRONG);
        const type = random.pick(this.types.filter((one) =>
            this.world.definitions.parametersOf(one).some((each) => each.type === kind)));
        const parameter = random.pick(this.world.definitions.parametersOf(type)
            .filter((one) => one.type === kind));
        return random.pick([
            { types: [type], criteria: [[`${parameter.code}:${modifier}`, '1']] },
            { types: [type], criteria: [[`${parameter.code}x`, '1']] },
        ]);
    }

    next() {
        const { random } = this;
        const shape = random.weighted([[40, 'plain'], [10, 'chain'], [8, 'has'], [8, 'composed'],
            [10, 'sorted'], [10, 'including'], [6, 'compartment'], [4, 'everywhere'], [2, 'listed'],
            [2, 'wrong']]);
        const question = this[shape]();
        return question?.criteria.every((one) => one?.[1] !== undefined)
            ? { shape, count: random.pick([7, 50, 1000]), post: random.chance(0.15),
                total: random.chance(0.15), ...question } : this.next();
    }
}
