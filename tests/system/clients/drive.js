// SPDX-License-Identifier: MIT
// Two clients that nobody here wrote do everything a program needs of a FHIR server, each call as
// its documentation shows it. usage: node drive.js BASE_URL
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const KitClient = require('fhir-kit-client');
const smart = require('fhirclient');

const base = process.argv[2];
const SYSTEM = 'https://example.org/clients';
const kit = new KitClient({ baseUrl: base });

// What fhirclient wants of a web server around it: a request, a response and a place for sessions.
const session = new Map();
const fhir = smart(
    { headers: { host: 'localhost' }, url: '/', socket: {} },
    { headersSent: false },
    {
        get: async (key) => session.get(key),
        set: async (key, value) => (session.set(key, value), value),
        unset: async (key) => session.delete(key),
    },
).client({ serverUrl: base });

const patient = (value, more) => ({
    resourceType: 'Patient',
    identifier: [{ system: SYSTEM, value }],
    name: [{ family: 'Client', given: ['Test'] }],
    ...more,
});
const fresh = () => crypto.randomUUID();
const query = (value) => `identifier=${SYSTEM}|${value}`;

async function refused(promise, ...statuses) {
    try {
        await promise;
    } catch (error) {
        const status = error.response?.status ?? error.status ?? error.statusCode;
        assert(statuses.includes(status), `status ${status}: ${error.message}`);
        return error;
    }
    return assert.fail('it was not refused');
}

function transaction(type, value) {
    const person = `urn:uuid:${fresh()}`;
    return {
        resourceType: 'Bundle',
        type,
        entry: [
            {
                fullUrl: person,
                resource: patient(value),
                request: { method: 'POST', url: 'Patient' },
            },
            {
                fullUrl: `urn:uuid:${fresh()}`,
                resource: {
                    resourceType: 'Observation',
                    status: 'final',
                    code: { text: 'weight' },
                    subject: { reference: type === 'transaction' ? person : 'Patient/of-a-batch' },
                },
                request: { method: 'POST', url: 'Observation' },
            },
            { request: { method: 'GET', url: `Patient?${query(value)}` } },
        ],
    };
}

function judgeBundle(bundle, type) {
    assert.strictEqual(bundle.resourceType, 'Bundle');
    assert.strictEqual(bundle.type, `${type}-response`);
    assert.deepStrictEqual(
        bundle.entry.map((entry) => entry.response.status.slice(0, 3)), ['201', '201', '200']);
    if (type === 'transaction') {
        assert.strictEqual(bundle.entry[2].resource.entry.length, 1);
    }
}

const cases = {
    async kit_reads_the_capability_statement() {
        const statement = await kit.capabilityStatement();
        assert.strictEqual(statement.fhirVersion, '4.0.1');
    },

    async kit_creates_reads_updates_patches_and_deletes() {
        const made = await kit.create({ resourceType: 'Patient', body: patient(fresh()) });
        assert(made.id);
        const { response } = KitClient.httpFor(made);
        assert.strictEqual(response.status, 201);
        assert(response.headers.get('location').includes(made.id));
        const { id } = made;
        assert.deepStrictEqual(await kit.read({ resourceType: 'Patient', id }), made);
        const changed = await kit.update({
            resourceType: 'Patient', id, body: { ...made, active: true } });
        assert.strictEqual(changed.meta.versionId, '2');
        const patched = await kit.patch({
            resourceType: 'Patient', id,
            JSONPatch: [{ op: 'replace', path: '/active', value: false }] });
        assert.strictEqual(patched.active, false);
        const first = await kit.vread({ resourceType: 'Patient', id, version: '1' });
        assert.deepStrictEqual(first, made);
        await kit.delete({ resourceType: 'Patient', id });
        await refused(kit.read({ resourceType: 'Patient', id }), 410);
        const history = await kit.history({ resourceType: 'Patient', id });
        assert.deepStrictEqual(history.entry.map((entry) => entry.request.method),
            ['DELETE', 'PATCH', 'PUT', 'POST']);
        assert((await kit.history({ resourceType: 'Patient' })).entry.length >= 4);
        assert((await kit.history()).entry.length >= 4);
    },

    async kit_is_refused_with_an_outcome() {
        const error = await refused(kit.create({
            resourceType: 'Patient', body: patient(fresh(), { gender: 'nonsense' }) }), 400, 422);
        assert.strictEqual(error.response.data.resourceType, 'OperationOutcome');
        await refused(kit.read({ resourceType: 'Patient', id: fresh() }), 404);
    },

    async kit_asks_conditionally() {
        const value = fresh();
        const once = { headers: { 'If-None-Exist': query(value) } };
        const body = patient(value);
        const made = await kit.create({ resourceType: 'Patient', body, options: once });
        const again = await kit.create({ resourceType: 'Patient', body, options: once });
        assert.strictEqual(again.id, made.id);
        const { id } = made;
        await refused(kit.update({
            resourceType: 'Patient', id, body: made,
            options: { headers: { 'If-Match': 'W/"7"' } } }), 409, 412);
        const changed = await kit.update({
            resourceType: 'Patient', id, body: { ...made, active: true },
            options: { headers: { 'If-Match': 'W/"1"' } } });
        assert.strictEqual(changed.meta.versionId, '2');
        const by = await kit.update({
            resourceType: 'Patient', searchParams: { identifier: `${SYSTEM}|${value}` },
            body: patient(value, { active: false }) });
        assert.strictEqual(by.id, id);
    },

    async kit_sends_batches_and_transactions() {
        for (const type of ['batch', 'transaction']) {
            judgeBundle(await kit[type]({ body: transaction(type, fresh()) }), type);
        }
        const broken = transaction('transaction', fresh());
        broken.entry[1].resource.status = 'nonsense';
        await refused(kit.transaction({ body: broken }), 400, 422);
        assert.strictEqual((await kit.search({
            resourceType: 'Patient',
            searchParams: { identifier: `${SYSTEM}|${broken.entry[0].resource.identifier[0].value}` },
        })).entry, undefined);
    },

    async kit_turns_pages() {
        const value = fresh();
        for (let i = 0; i < 7; i += 1) {
            await kit.create({ resourceType: 'Patient', body: patient(value) });
        }
        const seen = new Set();
        let page = await kit.search({
            resourceType: 'Patient', searchParams: { identifier: `${SYSTEM}|${value}`, _count: 3 } });
        let pages = 0;
        while (page) {
            page.entry.forEach((entry) => seen.add(entry.resource.id));
            pages += 1;
            page = await kit.nextPage({ bundle: page });
        }
        assert.strictEqual(seen.size, 7);
        assert.strictEqual(pages, 3);
    },

    async kit_searches_by_form_and_in_compartments() {
        const value = fresh();
        const made = await kit.create({ resourceType: 'Patient', body: patient(value) });
        await kit.create({ resourceType: 'Observation', body: {
            resourceType: 'Observation', status: 'final', code: { text: 'x' },
            subject: { reference: `Patient/${made.id}` } } });
        const posted = await kit.search({
            resourceType: 'Patient', searchParams: { identifier: `${SYSTEM}|${value}` },
            options: { postSearch: true } });
        assert.strictEqual(posted.entry.length, 1);
        const inside = await kit.compartmentSearch({
            resourceType: 'Observation', compartment: { resourceType: 'Patient', id: made.id } });
        assert.strictEqual(inside.entry.length, 1);
        const everything = await kit.operation({
            name: 'everything', resourceType: 'Patient', id: made.id, method: 'GET' });
        assert.strictEqual(everything.entry.length, 2);
        const outcome = await kit.operation({
            name: 'validate', resourceType: 'Patient', input: patient(value) });
        assert.strictEqual(outcome.resourceType, 'OperationOutcome');
        const { patient: resolved } = { patient: await kit.resolve({
            reference: `Patient/${made.id}` }) };
        assert.strictEqual(resolved.id, made.id);
    },

    async fhirclient_creates_reads_updates_patches_and_deletes() {
        const made = await fhir.create(patient(fresh()));
        assert(made.id);
        const path = `Patient/${made.id}`;
        assert.deepStrictEqual(await fhir.request(path), made);
        const changed = await fhir.update({ ...made, active: true });
        assert.strictEqual(changed.meta.versionId, '2');
        const patched = await fhir.patch(path, [{ op: 'replace', path: '/active', value: false }]);
        assert.strictEqual(patched.active, false);
        assert.deepStrictEqual(await fhir.request(`${path}/_history/1`), made);
        await fhir.delete(path);
        await refused(fhir.request(path), 410);
        const history = await fhir.request(`${path}/_history`);
        assert.strictEqual(history.total, 4);
    },

    async fhirclient_asks_conditionally() {
        const value = fresh();
        const once = { headers: { 'If-None-Exist': query(value) } };
        const made = await fhir.create(patient(value), once);
        assert.strictEqual((await fhir.create(patient(value), once)).id, made.id);
        await refused(fhir.update(made, { headers: { 'If-Match': 'W/"7"' } }), 409, 412);
        const changed = await fhir.update(made, { headers: { 'If-Match': 'W/"1"' } });
        assert.strictEqual(changed.id, made.id);
        const by = await fhir.request({
            url: `Patient?${query(value)}`, method: 'PUT', body: JSON.stringify(patient(value)),
            headers: { 'content-type': 'application/json' } });
        assert.strictEqual(by.id, made.id);
        await fhir.delete(`Patient?${query(value)}`);
        await refused(fhir.request(`Patient/${made.id}`), 410);
    },

    async fhirclient_sends_batches_and_transactions() {
        for (const type of ['batch', 'transaction']) {
            const answer = await fhir.request({
                url: '/', method: 'POST', body: JSON.stringify(transaction(type, fresh())),
                headers: { 'content-type': 'application/fhir+json' } });
            judgeBundle(answer, type);
        }
    },

    async fhirclient_turns_pages_and_follows_references() {
        const value = fresh();
        for (let i = 0; i < 7; i += 1) {
            await fhir.create(patient(value));
        }
        const all = await fhir.request(`Patient?${query(value)}&_count=3`, {
            pageLimit: 0, flat: true });
        assert.strictEqual(new Set(all.map((each) => each.id)).size, 7);
        const made = await fhir.create({
            resourceType: 'Observation', status: 'final', code: { text: 'x' },
            subject: { reference: `Patient/${all[0].id}` } });
        const seen = await fhir.request(`Observation/${made.id}`, {
            resolveReferences: ['subject'] });
        assert.strictEqual(seen.subject.id, all[0].id);
        assert.strictEqual(await fhir.getFhirRelease(), 4);
    },
};

(async () => {
    const names = Object.keys(cases);
    let failed = 0;
    console.log(`1..${names.length}`);
    for (const [index, name] of names.entries()) {
        try {
            await cases[name]();
            console.log(`ok ${index + 1} - ${name}`);
        } catch (error) {
            failed += 1;
            console.log(`not ok ${index + 1} - ${name}`);
            console.log(`${error.stack}\n${JSON.stringify(error.response?.data ?? '')}`
                .replace(/^/gm, '# '));
        }
    }
    process.exit(failed > 0 ? 1 : 0);
})();
