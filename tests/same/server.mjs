// SPDX-License-Identifier: MIT
/** The real program over an empty folder of its own, and FHIR over HTTP. @module */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const JSON_TYPE = 'application/fhir+json';

export class Server {
    /**
     * @param {string} program the path of carelayer
     * @param {{folder?: string, port?: string, database?: string}} place where the data are (a new
     *     folder unless one is given), and on which PostgreSQL database if on one
     */
    static async start(program, { folder, port = '0', database } = {}) {
        const server = new Server();
        server.program = program;
        server.database = database;
        server.folder = folder ?? await mkdtemp(join(tmpdir(), 'carelayer-same-'));
        server.child = spawn(program, ['serve', '--data', join(server.folder, 'data'), '--port', port,
            '--reserve', '8M'], { stdio: ['ignore', 'pipe', 'pipe'], env: server.environment() });
        server.errors = '';
        server.child.stderr.on('data', (some) => { server.errors += some; });
        server.base = await new Promise((done, fail) => {
            let out = '';
            server.child.stdout.on('data', (some) => {
                out += some;
                const found = /(http:\/\/[^/\s]+\/fhir)/.exec(out);
                if (found) {
                    done(found[1]);
                }
            });
            server.child.on('exit', (code) => fail(new Error(`serve ended (${code}):\n${
                server.errors}`)));
        });
        return server;
    }

    /** Where the records are, for a program that can keep them there. */
    environment() {
        if (this.database && !execFileSync(this.program, ['serve', '--help'], { encoding: 'utf8' })
            .includes('--database')) {
            throw new Error('this program keeps its records in the data folder only');
        }
        return { ...process.env, ...this.database ? { CARELAYER_DATABASE: this.database } : {} };
    }

    /** Ends the program; its folder stays. */
    async end() {
        if (this.child.exitCode !== null) {
            return;
        }
        const ended = new Promise((done) => { this.child.on('exit', done); });
        this.child.kill('SIGTERM');
        await ended;
    }

    async stop() {
        await this.end();
        await rm(this.folder, { recursive: true, force: true });
    }

    /**
     * Ends this server and starts another one at the same address, on the database, with what
     * `carelayer export` and `carelayer import` carry over.
     */
    async moved(database) {
        const out = join(this.folder, 'exported');
        await this.end();
        execFileSync(this.program, ['export', '--data', join(this.folder, 'data'), '--out', out],
            { env: this.environment() });
        const other = new Server();
        Object.assign(other, { program: this.program, database,
            folder: await mkdtemp(join(tmpdir(), 'carelayer-same-')) });
        const files = (await readdir(out)).filter((name) => name.endsWith('.ndjson'))
            .map((name) => join(out, name));
        execFileSync(this.program, ['import', '--data', join(other.folder, 'data'), '--base-url',
            this.base, ...files], { env: other.environment() });
        await rm(this.folder, { recursive: true, force: true });
        return Server.start(this.program, { folder: other.folder, database,
            port: new URL(this.base).port });
    }

    /** @returns {Promise<{status: number, body: object}>} */
    async ask(method, path, body, type = JSON_TYPE) {
        const response = await fetch(path.startsWith('http') ? path : `${this.base}/${path}`,
            { method, body, headers: body === undefined ? {} : { 'Content-Type': type } });
        const text = await response.text();
        return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    }

    /** Sends entries as batches; what is not accepted fails. */
    async send(entries) {
        for (let at = 0; at < entries.length; at += 100) {
            const some = entries.slice(at, at + 100);
            const { status, body } = await this.ask('POST', '', `{"resourceType":"Bundle","type":
                "batch","entry":[${some.map(({ method, name, text }) => `{"request":{"method":
                "${method}","url":"${name}"}${text ? `,"resource":${text}` : ''}}`)}]}`);
            const answers = body.entry?.map((entry) => entry.response) ?? [];
            for (const [place, answer] of answers.entries()) {
                if (!/^2/.test(answer.status)) {
                    throw new Error(`${some[place].method} ${some[place].name}: ${answer.status} ${
                        answer.outcome?.issue.filter((one) => one.severity !== 'warning').map((one) =>
                        `${one.details?.text} ${one.expression}`).join('; ')}\n${some[place].text}`);
                }
            }
            if (status !== 200 || answers.length !== some.length) {
                throw new Error(`batch: ${status} ${JSON.stringify(body)}`);
            }
        }
    }

    /** All pages of a search: entries in order and the first page's total; or the refusal. */
    async search(path, query, post) {
        let page = post ? await this.ask('POST', `${path}${path === '' ? '' : '/'}_search`, query,
            'application/x-www-form-urlencoded') : await this.ask('GET', `${path}?${query}`);
        const first = page;
        const entries = [];
        for (let pages = 0; page.status === 200; pages++) {
            entries.push(...page.body.entry ?? []);
            const next = page.body.link?.find((link) => link.relation === 'next');
            if (!next) {
                return { status: 200, entries, total: first.body.total };
            }
            if (pages > 2000) {
                throw new Error('pages without end');
            }
            page = await this.ask('GET', next.url);
        }
        return { status: page.status, issues: page.body?.issue };
    }
}
