// SPDX-License-Identifier: MIT
/**
 * The real program with made-up people, and a real browser.
 * @module
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const program = process.env.CARELAYER_PROGRAM ?? join(root, 'build/carelayer');
const modules = join(root, '.cache/e2e/package.json');
const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** Why the tests cannot run here, or false. */
export function whyNot() {
    if (!existsSync(program)) {
        return 'the program is not built';
    }
    if (!browsers.some(existsSync)) {
        return 'there is no Chromium: tools/install test';
    }
    if (!existsSync(modules) || !existsSync(join(root, 'apps/vendor/nhsuk.css'))) {
        return 'npm packages are missing: apps/fetch and tests/e2e/fetch';
    }
    return false;
}

async function runProgram(...args) {
    try {
        await run(program, args, { maxBuffer: 1 << 26 });
    } catch (error) {
        throw new Error(`carelayer ${args[0]} failed:\n${error.stderr ?? error.message}`);
    }
}

/** The program serving a folder of its own. */
export class Server {
    /** @param {number} people how many to make */
    static async start(people) {
        const server = new Server();
        server.folder = await mkdtemp(join(tmpdir(), 'carelayer-e2e-'));
        const made = join(server.folder, 'people');
        server.data = join(server.folder, 'data');
        await runProgram('synth', '--people', String(people), '--seed', '7', '--format', 'ndjson',
            '--out', made);
        const files = (await readdir(made)).filter((name) => name.endsWith('.ndjson'));
        await runProgram('import', '--data', server.data, '--test-numbers',
            ...files.map((name) => join(made, name)));
        await server.open(0);
        return server;
    }

    /** Starts serving; on the same port again after close(). */
    async open(port = this.port) {
        this.child = spawn(program, ['serve', '--data', this.data, '--port', String(port), '--auth',
            'off', '--test-numbers'], { stdio: ['ignore', 'pipe', 'pipe'] });
        let errors = '';
        this.child.stderr.on('data', (some) => { errors += some; });
        this.base = await new Promise((done, fail) => {
            let out = '';
            this.child.stdout.on('data', (some) => {
                out += some;
                const found = /serves (http:\/\/[^/\s]+)\/fhir/.exec(out);
                if (found) {
                    done(found[1]);
                }
            });
            this.child.on('exit', (code) => fail(new Error(`serve ended (${code}):\n${errors}`)));
        });
        this.port = Number(new URL(this.base).port);
    }

    /** Stops serving; the data stay. */
    async close() {
        const ended = new Promise((done) => { this.child.on('exit', done); });
        this.child.kill('SIGTERM');
        return ended;
    }

    async remove() {
        await this.close();
        await rm(this.folder, { recursive: true, force: true });
    }

    /** A request of the API, as any client would make it. */
    async fhir(path, method = 'GET', body = undefined) {
        const response = await fetch(`${this.base}/fhir/${path}`, { method,
            headers: { 'Content-Type': 'application/fhir+json' },
            body: typeof body === 'object' ? JSON.stringify(body) : body });
        const text = await response.text();
        if (!response.ok) {
            throw new Error(`${method} ${path}: ${response.status} ${text}`);
        }
        return text === '' ? null : JSON.parse(text);
    }
}

/** @returns {Promise<object>} a Browser of playwright-core */
export async function openBrowser() {
    const { chromium } = createRequire(modules)('playwright-core');
    return chromium.launch({ executablePath: browsers.find(existsSync), args: ['--no-sandbox',
        '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'] });
}

/** Where axe-core's script is. */
export function axePath() {
    return createRequire(modules).resolve('axe-core/axe.min.js');
}
