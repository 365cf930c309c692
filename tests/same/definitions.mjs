// SPDX-License-Identifier: MIT
/**
 * The published definitions of R4, read from the package that the build compiles: its search
 * parameters, compartments, code systems and value sets.
 * @module
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const BLOCK = 512;

/** The JSON files of a .tgz whose name starts with one of PREFIXES. */
function* readArchive(path, prefixes) {
    const bytes = gunzipSync(readFileSync(path));
    const textAt = (from, length) => {
        const text = bytes.toString('latin1', from, from + length);
        const end = text.indexOf('\0');
        return end < 0 ? text : text.slice(0, end);
    };
    for (let at = 0; at + BLOCK <= bytes.length && bytes[at] !== 0;) {
        const name = textAt(at, 100).replace(/^package\//, '');
        const size = parseInt(textAt(at + 124, 12).trim() || '0', 8);
        if (name.endsWith('.json') && prefixes.some((prefix) => name.startsWith(prefix))) {
            yield JSON.parse(bytes.toString('utf8', at + BLOCK, at + BLOCK + size));
        }
        at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    }
}

/** The parts of `a | b | (c | d)` that stand outside parentheses. */
function splitUnion(expression) {
    const parts = [];
    let depth = 0;
    let start = 0;
    for (let at = 0; at <= expression.length; at++) {
        const letter = expression[at];
        depth += letter === '(' ? 1 : letter === ')' ? -1 : 0;
        if (at === expression.length || (letter === '|' && depth === 0)) {
            parts.push(expression.slice(start, at).trim());
            start = at + 1;
        }
    }
    return parts;
}

/**
 * What a search parameter takes from a resource of TYPE: FHIRPath expressions and, for
 * `.where(resolve() is X)`, the type that a reference must have.
 */
function pathsFor(parameter, type) {
    return splitUnion(parameter.expression ?? '')
        .filter((part) => ['Resource', 'DomainResource', type].includes(
            /^\(*(\w+)/.exec(part)?.[1]))
        .map((part) => {
            const narrowed = /\.where\(resolve\(\) is (\w+)\)/.exec(part);
            return { expression: part.replace(narrowed?.[0] ?? '', ''), only: narrowed?.[1] };
        });
}

export class Definitions {
    /** @param {string} folder with the archive that definitions/fetch fetched */
    constructor(folder) {
        const name = readdirSync(folder).find((one) => one.startsWith('hl7.fhir.r4.examples'));
        this.parameters = new Map(); // type -> code -> parameter
        this.byUrl = new Map();
        this.compartments = new Map(); // type -> type of its items -> codes
        this.codeSystems = new Map();
        this.valueSets = new Map();
        for (const one of readArchive(join(folder, name), ['Bundle-searchParams',
            'CompartmentDefinition-', 'CodeSystem-', 'ValueSet-'])) {
            (one.entry?.map((entry) => entry.resource) ?? [one]).forEach((each) => this.add(each));
        }
    }

    add(one) {
        if (one.resourceType === 'SearchParameter' && one.base) {
            this.byUrl.set(one.url, one);
            for (const base of one.base) {
                if (!this.parameters.has(base)) {
                    this.parameters.set(base, new Map());
                }
                this.parameters.get(base).set(one.code,
                    { ...one, paths: pathsFor(one, base), on: base });
            }
        } else if (one.resourceType === 'CompartmentDefinition' && one.id !== 'example') {
            this.compartments.set(one.code, new Map(one.resource.filter((row) => row.param)
                .map((row) => [row.code, row.param])));
        } else if (one.resourceType === 'CodeSystem') {
            this.codeSystems.set(one.url, one);
        } else if (one.resourceType === 'ValueSet') {
            this.valueSets.set(one.url, one);
        }
    }

    /** The search parameter CODE of a type, one of every resource's included, or undefined. */
    parameter(type, code) {
        return this.parameters.get(type)?.get(code) ?? this.parameters.get('DomainResource').get(code)
            ?? this.parameters.get('Resource').get(code);
    }

    /** All of a type's own. */
    parametersOf(type) {
        return [...this.parameters.get(type)?.values() ?? []];
    }

    /** The code and those beneath it in its system's tree, as a set. */
    beneath(system, code) {
        const found = new Set();
        const walk = (concepts, inside) => {
            for (const concept of concepts ?? []) {
                const within = inside || concept.code === code;
                if (within) {
                    found.add(concept.code);
                }
                walk(concept.concept, within);
            }
        };
        walk(this.codeSystems.get(system)?.concept, false);
        return found;
    }

    /** The `system|code` of a value set that names systems and codes, without filters. */
    codesOf(url) {
        const found = new Set();
        for (const part of this.valueSets.get(url).compose.include) {
            for (const code of part.concept?.map((one) => one.code)
                ?? this.everyCode(this.codeSystems.get(part.system)?.concept)) {
                found.add(`${part.system}|${code}`);
            }
        }
        return found;
    }

    everyCode(concepts = []) {
        return concepts.flatMap((one) => [one.code, ...this.everyCode(one.concept)]);
    }
}
