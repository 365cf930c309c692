// SPDX-License-Identifier: MIT
/**
 * A person's record as the page holds it: fetched once, kept until another person's is opened.
 * @module
 */
import { FhirError, query } from '../shared/fhir.js';
import { dateOrder, formatName, formatStaffName } from '../shared/format.js';
import { kindOf } from './kinds.js';

/** Types that $everything need not bring and that names are wanted of. */
const NAMED = ['Practitioner', 'PractitionerRole', 'Organization', 'Location', 'HealthcareService'];
const IDS_A_QUERY = 40;
/** Types that are no entries of a timeline. */
const NO_ENTRY = new Set([...NAMED, 'Patient', 'Provenance', 'AuditEvent', 'Person', 'Medication']);

/** @returns {{type: string, id: string}|null} of a literal reference to this server */
export function readReference(reference) {
    const parts = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[^/]+)?$/
        .exec(reference?.reference ?? '');
    return parts === null ? null : { type: parts[1], id: parts[2] };
}

/** What a resource is called where it is referred to. */
export function nameOf(resource) {
    switch (resource.resourceType) {
        case 'Practitioner':
            return formatStaffName(resource.name);
        case 'Patient':
        case 'RelatedPerson':
            return formatName(resource.name);
        case 'Medication':
            return resource.code?.text ?? resource.code?.coding?.[0]?.display ?? 'Medicine';
        default:
            return kindOf(resource.resourceType).title(resource, () => '');
    }
}

/** Calls visit for each reference anywhere in a value. */
function eachReference(value, visit) {
    if (value === null || typeof value !== 'object') {
        return;
    }
    if (typeof value.reference === 'string') {
        visit(value);
    }
    for (const part of Object.values(value)) {
        eachReference(part, visit);
    }
}

/** Ids of the Patients that a resource refers to, or is. */
export function personsOf(resource) {
    const persons = new Set(resource.resourceType === 'Patient' ? [resource.id] : []);
    eachReference(resource, (reference) => {
        const place = readReference(reference);
        if (place?.type === 'Patient') {
            persons.add(place.id);
        }
    });
    return persons;
}

export class Chart {
    /** @param {object[]} resources the Patient and what concerns them */
    constructor(personId, resources) {
        this.personId = personId;
        this.loaded = new Date();
        this.index = new Map();
        for (const resource of resources) {
            this.index.set(`${resource.resourceType}/${resource.id}`, resource);
        }
        this.patient = this.index.get(`Patient/${personId}`);
        /** References to staff and places that are not here: asked for after loading. */
        this.namesMissing = false;
        this.entries = null;
        // Bound, because views hand it on.
        this.nameOf = this.nameOf.bind(this);
    }

    /** @returns {object|undefined} a resource of this record */
    find(reference) {
        const place = readReference(reference);
        return place === null ? undefined : this.index.get(`${place.type}/${place.id}`);
    }

    /** What a reference is called; empty when nobody says. */
    nameOf(reference) {
        if (reference === undefined) {
            return '';
        }
        const found = this.find(reference);
        return reference.display ?? (found ? nameOf(found) : '');
    }

    /**
     * What happened, newest first: {type, resource, kind, date, order}. Results that a report
     * gathers are told by the report.
     */
    timeline() {
        if (this.entries === null) {
            const gathered = new Set();
            for (const resource of this.index.values()) {
                if (resource.resourceType === 'DiagnosticReport') {
                    (resource.result ?? []).forEach((one) => gathered.add(one.reference));
                }
            }
            this.entries = [...this.index.entries()]
                .filter(([name, resource]) => !gathered.has(name) &&
                    !NO_ENTRY.has(resource.resourceType))
                .map(([, resource]) => this.entry(resource))
                .sort((a, b) => b.order - a.order);
        }
        return this.entries;
    }

    /** One entry, as in timeline(). */
    entry(resource) {
        const kind = kindOf(resource.resourceType);
        const date = kind.date(resource);
        return { type: resource.resourceType, resource, kind, date, order: dateOrder(date) };
    }

    /** Entries under a heading, newest first; for 'results' also those that a report gathers. */
    group(name) {
        return [...this.index.values()]
            .filter((resource) => !NO_ENTRY.has(resource.resourceType) &&
                kindOf(resource.resourceType).group === name)
            .map((resource) => this.entry(resource)).sort((a, b) => b.order - a.order);
    }

    /** Literal references to staff, organisations and places that this record has not. */
    unnamed() {
        const wanted = new Map(NAMED.map((type) => [type, new Set()]));
        for (const resource of this.index.values()) {
            eachReference(resource, (reference) => {
                const place = readReference(reference);
                if (place !== null && wanted.has(place.type) && reference.display === undefined &&
                    !this.index.has(`${place.type}/${place.id}`)) {
                    wanted.get(place.type).add(place.id);
                }
            });
        }
        return wanted;
    }
}

async function fetchNames(client, chart, signal) {
    for (const [type, ids] of chart.unnamed()) {
        const all = [...ids];
        for (let at = 0; at < all.length; at += IDS_A_QUERY) {
            const some = all.slice(at, at + IDS_A_QUERY);
            const entries = await client.all(
                `${type}?${query([['_id', some.join(',')], ['_count', String(IDS_A_QUERY)]])}`,
                { signal });
            for (const { resource } of entries) {
                if (resource?.resourceType === type) {
                    chart.index.set(`${type}/${resource.id}`, resource);
                }
            }
        }
    }
}

/**
 * Staff and organisations are named, not numbered; without their names the record is still a record.
 * @returns {Promise<boolean>} whether the server gave them
 */
export async function addNames(client, chart, signal) {
    try {
        await fetchNames(client, chart, signal);
        return true;
    } catch (error) {
        if (!(error instanceof FhirError)) {
            throw error;
        }
        return false;
    }
}

let held = null;

/**
 * The Patient of a place within somebody's record: as held, or read anew.
 * @returns {Promise<object|null>} null: the place is in nobody's record, or there is no such person
 * @throws {FhirError}
 */
export async function loadPatient(client, personId, signal) {
    if (personId === undefined) {
        return null;
    }
    if (held?.personId === personId) {
        return held.patient;
    }
    try {
        return await client.get(`Patient/${encodeURIComponent(personId)}`, signal);
    } catch (error) {
        if (error instanceof FhirError && ['missing', 'gone'].includes(error.kind)) {
            return null;
        }
        throw error;
    }
}

/** Forgets the record that is held, so that the next look fetches it anew. */
export function forgetChart() {
    held = null;
}

/** The record that is held, when it is this person's. */
export function heldChart(personId) {
    return held?.personId === personId ? held : null;
}

/**
 * A person's whole record.
 * @param {FhirClient} client
 * @param {string} personId
 * @param {{signal: AbortSignal, onProgress: (count: number) => void}} options
 * @returns {Promise<Chart>}
 * @throws {FhirError}
 */
export async function loadChart(client, personId, { signal, onProgress }) {
    if (held?.personId === personId) {
        return held;
    }
    const entries = await client.all(`Patient/${encodeURIComponent(personId)}/$everything`,
        { signal, onProgress });
    const chart = new Chart(personId, entries.map((entry) => entry.resource).filter(Boolean));
    if (chart.patient === undefined) {
        chart.patient = await client.get(`Patient/${encodeURIComponent(personId)}`, signal);
        chart.index.set(`Patient/${personId}`, chart.patient);
    }
    chart.namesMissing = !(await addNames(client, chart, signal));
    held = chart;
    return chart;
}
