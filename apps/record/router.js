// SPDX-License-Identifier: MIT
/**
 * Places of the app. They live in the part of the address after #, which no browser sends to a
 * server: whose record somebody looks at is in no web log.
 * @module
 */

const ID = /^[A-Za-z0-9\-.]{1,64}$/;
const TYPE = /^[A-Z][A-Za-z]{1,63}$/;

function resourcePlace(parts, person) {
    const [type, id, history, version] = parts;
    if (!TYPE.test(type) || !ID.test(id) || parts.length > 4) {
        return null;
    }
    if (history === undefined) {
        return { view: 'resource', person, type, id };
    }
    if (history !== 'history' || (version !== undefined && !ID.test(version))) {
        return null;
    }
    return version === undefined ? { view: 'history', person, type, id } :
        { view: 'resource', person, type, id, version };
}

/**
 * @param {string} hash location.hash
 * @returns {object} {view, ...}: find {criteria}, timeline {person}, headings {person, heading?},
 *     resource {person?, type, id, version?}, history {person?, type, id}, nowhere
 */
export function readPlace(hash) {
    const [path, search = ''] = hash.replace(/^#\/?/, '').split('?');
    let parts;
    try {
        parts = path.split('/').filter(Boolean).map(decodeURIComponent);
    } catch {
        return { view: 'nowhere' };
    }
    if (parts.length === 0 || (parts.length === 1 && parts[0] === 'find')) {
        return { view: 'find', criteria: Object.fromEntries(new URLSearchParams(search)),
            asked: parts.length === 1 };
    }
    if (parts[0] === 'resource' && parts.length >= 3) {
        return resourcePlace(parts.slice(1)) ?? { view: 'nowhere' };
    }
    if (parts[0] !== 'patient' || !ID.test(parts[1] ?? '')) {
        return { view: 'nowhere' };
    }
    const person = parts[1];
    if (parts.length === 2) {
        return { view: 'timeline', person };
    }
    if (parts[2] === 'headings' && parts.length <= 4) {
        return { view: 'headings', person, heading: parts[3] };
    }
    const place = parts.length >= 4 ? resourcePlace(parts.slice(2), person) : null;
    return place ?? { view: 'nowhere' };
}

/** Address of a search. */
export function findPlace(criteria) {
    const search = new URLSearchParams(
        Object.entries(criteria).filter(([, value]) => value !== '' && value !== undefined));
    return `#/find?${search}`;
}

/** Address of a person's record: its timeline, or its headings, or one of these. */
export function personPlace(person, ...rest) {
    return `#/${['patient', person, ...rest].map(encodeURIComponent).join('/')}`;
}

/** Address of a resource, in a person's record when there is one; more: 'history', a version. */
export function resourceHref(person, type, id, ...more) {
    const start = person === undefined ? ['resource'] : ['patient', person];
    return `#/${[...start, type, id, ...more].map(encodeURIComponent).join('/')}`;
}
