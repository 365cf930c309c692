// SPDX-License-Identifier: MIT
/**
 * A client of the published FHIR API. It has no door of its own: another vendor's app could do all
 * it does.
 * @module
 */
import { parseJson } from './json.js';

/** Why a request gave no resource, in terms a page can show. */
export class FhirError extends Error {
    /**
     * @param {'away'|'refused'|'missing'|'gone'|'broken'} kind away: nobody answered; gone: it was
     *     deleted; missing: it never was; refused: the server says what is wrong; broken: the
     *     answer makes no sense
     * @param {string} message
     * @param {number} status HTTP status, 0 when there was none
     * @param {Array<{severity: string, text: string, where: string}>} issues of OperationOutcome
     */
    constructor(kind, message, status = 0, issues = []) {
        super(message);
        this.name = 'FhirError';
        this.kind = kind;
        this.status = status;
        this.issues = issues;
    }
}

/**
 * @param {object} outcome OperationOutcome
 * @returns {Array<{severity: string, text: string, where: string}>}
 */
export function issuesOf(outcome) {
    return (outcome?.issue ?? []).map((issue) => ({
        severity: issue.severity ?? 'error',
        text: issue.details?.text ?? issue.diagnostics ?? issue.code ?? '',
        where: (issue.expression ?? issue.location ?? []).join(', '),
    }));
}

function errorOf(response, body) {
    const issues = body?.resourceType === 'OperationOutcome' ? issuesOf(body) : [];
    const kinds = { 404: 'missing', 410: 'gone', 502: 'away', 504: 'away' };
    const kind = kinds[response.status] ?? 'refused';
    const text = issues[0]?.text || `The server answered ${response.status}.`;
    return new FhirError(kind, text, response.status, issues);
}

/** Next pages are followed within the API only. */
function nextOf(bundle, base) {
    const link = (bundle.link ?? []).find((one) => one.relation === 'next');
    if (link === undefined) {
        return null;
    }
    const url = new URL(link.url, base);
    if (!url.href.startsWith(base)) {
        throw new FhirError('broken', 'The next page is said to be at another address than the ' +
            'server’s own. Start the server with the --base-url that this page is opened under.');
    }
    return url.href;
}

export class FhirClient {
    /**
     * @param {string} base address of the API, absolute
     * @param {typeof fetch} send another fetch, for tests
     */
    constructor(base, send = (...request) => fetch(...request)) {
        this.base = base.endsWith('/') ? base : `${base}/`;
        this.send = send;
    }

    /**
     * One GET.
     * @param {string} path below the base, or an absolute address that starts with it
     * @param {AbortSignal} [signal]
     * @returns {Promise<object>} the resource
     * @throws {FhirError} and AbortError
     */
    async get(path, signal) {
        let response;
        let text;
        try {
            response = await this.send(new URL(path, this.base).href,
                { headers: { Accept: 'application/fhir+json' }, signal, cache: 'no-store' });
            text = await response.text();
        } catch (error) {
            if (error.name === 'AbortError') {
                throw error;
            }
            throw new FhirError('away', `No answer came from ${this.base}`);
        }
        let body = null;
        try {
            body = parseJson(text);
        } catch {
            body = null;
        }
        if (!response.ok) {
            throw errorOf(response, body);
        }
        if (body === null || typeof body.resourceType !== 'string') {
            throw new FhirError('broken', 'The answer is not a FHIR resource.', response.status);
        }
        return body;
    }

    /**
     * One page of a search, history or $everything.
     * @returns {Promise<{entries: object[], next: string|null}>} entries of the Bundle
     */
    async page(path, signal) {
        const bundle = await this.get(path, signal);
        if (bundle.resourceType !== 'Bundle') {
            throw new FhirError('broken', 'The answer is not a Bundle.');
        }
        return { entries: bundle.entry ?? [], next: nextOf(bundle, this.base) };
    }

    /**
     * All pages, one after the other.
     * @param {(count: number) => void} [onProgress] told how many entries are in so far
     * @returns {Promise<object[]>} entries
     */
    async all(path, { signal, onProgress } = {}) {
        const entries = [];
        const seen = new Set();
        for (let at = path; at !== null;) {
            if (seen.has(at)) {
                throw new FhirError('broken', 'The server’s pages lead in a circle.');
            }
            seen.add(at);
            const page = await this.page(at, signal);
            entries.push(...page.entries);
            onProgress?.(entries.length);
            at = page.next;
        }
        return entries;
    }
}

/**
 * A query string of FHIR search parameters; repeated names for arrays, nothing for empty values.
 * @param {Array<[string, string]>} pairs
 */
export function query(pairs) {
    return pairs.filter(([, value]) => value !== '' && value !== undefined && value !== null)
        .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
        .join('&');
}
