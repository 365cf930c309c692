// SPDX-License-Identifier: MIT
/**
 * What a search parameter takes from a resource, by its FHIRPath expression in the definitions.
 * @module
 */
import { createRequire } from 'node:module';

export class Extractor {
    /**
     * @param {string} modules the package.json beside which fhirpath is installed
     * @param {import('./definitions.mjs').Definitions} definitions
     */
    constructor(modules, definitions) {
        const require = createRequire(modules);
        this.fhirpath = require('fhirpath');
        this.model = require('fhirpath/fhir-context/r4');
        this.definitions = definitions;
        this.compiled = new Map();
        this.kept = new WeakMap(); // resource -> parameter -> elements
    }

    /** [{type, value}] of a FHIRPath expression on an element whose path is BASE. */
    evaluate(base, expression, element) {
        const key = `${base}: ${expression}`;
        if (!this.compiled.has(key)) {
            // R4 writes `as` of several elements where FHIRPath now demands ofType().
            const path = expression.replace(/^(\(*)(Resource|DomainResource)\./, '$1')
                .replace(/\.as\((\w+)\)/g, '.ofType($1)').replace(/ as (\w+)/g, '.ofType($1)');
            this.compiled.set(key, this.fhirpath.compile(base ? { base, expression: path } : path,
                this.model, { resolveInternalTypes: false }));
        }
        const found = this.compiled.get(key)(element);
        const types = this.fhirpath.types(found);
        return found.map((value, at) => ({ value, type: types[at].replace(/^\w+\./, '') }));
    }

    /** [{type, value}] that a parameter takes from a resource. */
    elements(resource, parameter) {
        if (!this.kept.has(resource)) {
            this.kept.set(resource, new Map());
        }
        const kept = this.kept.get(resource);
        const key = `${parameter.on}.${parameter.code}`;
        if (!kept.has(key)) {
            kept.set(key, parameter.paths.flatMap(({ expression, only }) =>
                this.evaluate('', expression, resource).filter(({ value }) => only === undefined
                    || this.mayLeadTo(only, value, resource))));
        }
        return kept.get(key);
    }

    /** A reference that gives an identifier only may lead to any type. */
    mayLeadTo(type, reference, container) {
        return reference.reference === undefined ? (reference.type ?? type) === type
            : typeOfReference(reference.reference, container) === type;
    }

    /** For a composite: for each element, the [{type, value}] of each component. */
    composites(resource, parameter) {
        return this.elements(resource, parameter).map(({ type, value }) =>
            parameter.component.map((component) => {
                const base = type === 'BackboneElement'
                    ? parameter.expression.split('|').map((one) => one.trim())
                        .find((one) => one.startsWith(`${resource.resourceType}.`))
                    : type === resource.resourceType ? '' : type;
                return component.expression.split('|').flatMap((one) =>
                    this.evaluate(base, one.trim(), value));
            }));
    }
}

/** The type that a reference leads to by its own words: `Patient/1`, `http://x/Patient/1`, `#p`. */
export function typeOfReference(reference, container) {
    if (reference?.startsWith('#')) {
        return container.contained?.find((one) => `#${one.id}` === reference)?.resourceType;
    }
    return /(?:^|\/)([A-Z]\w+)\/[A-Za-z0-9.-]+(?:\/_history\/[^/]+)?$/.exec(reference ?? '')?.[1];
}
