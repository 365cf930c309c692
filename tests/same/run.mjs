#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/**
 * Asks the real program and a plain evaluation in memory the same random questions.
 * @module
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Definitions } from './definitions.mjs';
import { Evaluation, Refused } from './evaluate.mjs';
import { Questions } from './queries.mjs';
import { Random } from './random.mjs';
import { makeResources, unparse } from './resources.mjs';
import { Server } from './server.mjs';
import { compare } from './values.mjs';

const USAGE = `usage: run.mjs PROGRAM [--queries N] [--seed S] [--resources N] [--only SHAPE] [--tap]

Starts PROGRAM on an empty folder, stores N made-up resources (600) and asks it N random searches
(300), each answered in memory too. Prints each difference with its seed and exits 1 if there is one.
--only asks only questions of a shape: plain chain has composed sorted including compartment
everywhere listed wrong. --tap prints the answers as TAP for ./check.
--database keeps the records on that PostgreSQL database (what libpq takes; it should be empty).
--move-to asks everything twice: of a data folder, and of that database after export and import.
`;
const SHOWN = 12;
const root = resolve(new URL('.', import.meta.url).pathname, '../..');

function readArguments() {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: {
        queries: { type: 'string', default: '300' }, seed: { type: 'string', default: '1' },
        resources: { type: 'string', default: '600' }, only: { type: 'string' },
        database: { type: 'string' }, 'move-to': { type: 'string' },
        tap: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
    if (values.help || positionals.length !== 1) {
        (values.help ? process.stdout : process.stderr).write(USAGE);
        process.exit(values.help ? 0 : 2);
    }
    return { program: positionals[0], tap: values.tap, only: values.only, seed: Number(values.seed),
        database: values.database, moveTo: values['move-to'],
        queries: Number(values.queries), resources: Number(values.resources) };
}

const nameOf = (resource) => `${resource.resourceType}/${resource.id}`;

/** Stores the resources, some twice and some not for long; returns them as the server shows them. */
async function load(server, seed, count) {
    const { made, old, gone } = makeResources(seed, count, server.base);
    const put = (resource) => ({ method: 'PUT', name: nameOf(resource), text: unparse(resource) });
    await server.send(old.map(put));
    await server.send(made.map(put));
    await server.send(gone.map((name) => ({ method: 'DELETE', name })));
    const stored = [];
    for (const type of new Set(made.map((one) => one.resourceType))) {
        const { entries } = await server.search(type, '_count=1000', false);
        stored.push(...entries.map((entry) => entry.resource));
    }
    const wanted = made.map(nameOf).filter((name) => !gone.includes(name));
    if (stored.map(nameOf).sort().join() !== wanted.sort().join()) {
        throw new Error(`stored are ${stored.length}, not ${wanted.length}`);
    }
    // In the order they were made, whatever order the server gave: a seed must repeat.
    const order = new Map(made.map((one, at) => [nameOf(one), at]));
    return stored.sort((one, other) => order.get(nameOf(one)) - order.get(nameOf(other)));
}

/** A question as a client writes it. */
function write(question) {
    const rows = [...question.everywhere ? [['_type', question.types.join(',')]] : [],
        ...question.criteria, ...question.includes ?? [],
        ...question.sort ? [['_sort', question.sort]] : [], ['_count', String(question.count)],
        ...question.total ? [['_total', 'accurate']] : []];
    const { type, id } = question.compartment ?? {};
    return { path: question.everywhere ? '' : (type ? `${type}/${id}/` : '') + question.types[0],
        query: rows.map((row) => row.map(encodeURIComponent).join('=')).join('&') };
}

/** What the server's answer lacks or has too much, in words; undefined when it is right. */
function judge(question, world, expected, answer) {
    if (expected instanceof Refused) {
        return answer.status === 400 ? undefined : `not refused (${expected.message}): ${
            answer.status}`;
    }
    if (answer.status !== 200) {
        return `${answer.status} ${JSON.stringify(answer.issues?.map((one) =>
            one.details?.text ?? one.diagnostics))}`;
    }
    const found = { match: [], include: [] };
    for (const entry of answer.entries.filter((one) => one.search.mode in found)) {
        found[entry.search.mode].push(nameOf(entry.resource));
    }
    const matches = expected.matches.map(nameOf);
    const problems = [sameSet('matches', matches, found.match)];
    if (new Set(found.match).size !== found.match.length) {
        problems.push('a match comes twice');
    }
    if (question.total && answer.total !== matches.length) {
        problems.push(`total ${answer.total}, not ${matches.length}`);
    }
    // Another page's match may be included here.
    problems.push(sameSet('included', expected.included.map(nameOf),
        [...new Set(found.include)].filter((name) => !matches.includes(name))));
    if (question.sort && problems.every((one) => one === undefined)) {
        problems.push(sameOrder(question, world, found.match));
    }
    return problems.filter((one) => one !== undefined).join('; ') || undefined;
}

function sameSet(what, wanted, found) {
    const missing = wanted.filter((name) => !found.includes(name));
    const more = found.filter((name) => !wanted.includes(name));
    const list = (names) => names.length === 0 ? 'none'
        : names.slice(0, SHOWN).join(' ') + (names.length > SHOWN ? ` ... (${names.length})` : '');
    return missing.length + more.length === 0 ? undefined
        : `${what}: ${wanted.length} expected, ${found.length} found; missing ${list(missing)}; `
            + `too many ${list(more)}`;
}

/** Each key ascends, or descends after a minus; what has no value comes last; ties are free. */
function sameOrder(question, world, names) {
    const keys = question.sort.split(',').map((key) => ({ code: key.replace(/^-/, ''),
        isDown: key.startsWith('-') }));
    const ofName = (name) => keys.map(({ code, isDown }) =>
        world.sortKey(world.byName.get(name), code, isDown));
    const systemsOf = (name, code, token) =>
        world.systemsOf(world.byName.get(name), code, token);
    for (let at = 1; at < names.length; at++) {
        const [before, after] = [ofName(names[at - 1]), ofName(names[at])];
        const place = keys.findIndex(({ code }, key) => before[key] === undefined
            ? after[key] !== undefined : after[key] === undefined
                || compare(before[key], after[key]) !== 0
                || systemsOf(names[at - 1], code, before[key])
                    !== systemsOf(names[at], code, before[key]));
        const isWrong = place >= 0 && (before[place] === undefined || (after[place] !== undefined
            && compare(before[place], after[place]) * (keys[place].isDown ? -1 : 1) > 0));
        if (isWrong) {
            return `order: ${names[at - 1]} before ${names[at]} by ${keys[place].code}`;
        }
    }
    return undefined;
}

function answer(world, question) {
    try {
        return world.search(question);
    } catch (error) {
        if (error instanceof Refused) {
            return error;
        }
        throw error;
    }
}

/** One question: {got, expected, problem}. */
async function ask(server, world, question) {
    const { path, query } = write(question);
    const got = await server.search(path, query, question.post);
    const expected = answer(world, question);
    return { got, expected, problem: judge(question, world, expected, got) };
}

async function askAll(server, world, options, report) {
    const tally = { asked: 0, hits: 0, refused: 0, differ: 0, answers: [] };
    const questions = new Questions(new Random(options.seed + 1), world);
    while (tally.asked < options.queries) {
        const question = questions.next();
        // When they were stored is not carried over.
        const isOf = !options.moveTo || !write(question).query.includes('_lastUpdated');
        if (!isOf || (options.only && question.shape !== options.only)) {
            continue;
        }
        tally.asked++;
        const { got, expected, problem } = await ask(server, world, question);
        tally.hits += expected.matches?.length > 0 ? 1 : 0;
        tally.refused += expected instanceof Refused ? 1 : 0;
        tally.differ += problem === undefined ? 0 : 1;
        if (problem !== undefined) {
            tell(report, options, tally.asked, question, problem);
        }
        if (options.moveTo) {
            tally.answers.push({ question, digest: digest(got) });
        }
    }
    return tally;
}

function tell(report, options, number, question, problem) {
    const { path, query } = write(question);
    report(`seed ${options.seed} question ${number} (${question.shape}${
        question.post ? ', POST' : ''}): ${path}?${decodeURIComponent(query)}`);
    report(`    ${problem}`);
}

/**
 * Everything of an answer but what storing gives, whatever the order of ties. What is included
 * stands beside its match, and another page's match may be: where pages end depends on that order.
 */
function digest(got) {
    const entries = got.entries ?? [];
    const matches = new Set(entries.filter((one) => one.search.mode === 'match')
        .map((one) => nameOf(one.resource)));
    const rows = entries.filter((one) => one.search.mode !== 'include'
        || !matches.has(nameOf(one.resource))).map(({ search, resource }) => {
        const { lastUpdated, versionId, ...meta } = resource.meta ?? {};
        return JSON.stringify([search.mode, { ...resource, meta }]);
    });
    return JSON.stringify([got.status, got.total, [...new Set(rows)].sort()]);
}

/** The same questions of what was carried over to the database; adds to the tally. */
async function askAgain(server, options, tally, report) {
    const moved = await server.moved(options.moveTo);
    for (const [at, { question, digest: before }] of tally.answers.entries()) {
        const { path, query } = write(question);
        const got = await moved.search(path, query, question.post);
        if (digest(got) !== before) {
            tally.differ++;
            tell(report, options, at + 1, question, 'another answer after export and import');
        }
    }
    report(`${tally.answers.length} asked again after export and import`);
    return moved;
}

async function main() {
    const options = readArguments();
    const modules = join(root, '.cache/clients/package.json');
    if (!existsSync(modules)) {
        process.stdout.write(options.tap ? '1..0 # SKIP no packages: tests/system/clients/fetch\n'
            : 'the npm packages are missing: tests/system/clients/fetch\n');
        process.exit(options.tap ? 0 : 2);
    }
    const report = (line) => process.stdout.write(`${options.tap ? '# ' : ''}${line}\n`);
    const definitions = new Definitions(join(root, '.cache/definitions'));
    let server = await Server.start(options.program, { database: options.database });
    try {
        const world = new Evaluation(modules, definitions,
            await load(server, options.seed, options.resources), server.base);
        const tally = await askAll(server, world, options, report);
        if (options.moveTo) {
            server = await askAgain(server, options, tally, report);
        }
        finish(options, tally, report);
    } finally {
        await server.stop();
    }
}

function finish(options, tally, report) {
    const share = Math.round(100 * tally.hits / tally.asked);
    report(`seed ${options.seed}: ${tally.asked} questions, ${share} % with hits, ${tally.refused
    } refused as they must be, ${tally.differ} differ`);
    const results = [[tally.differ === 0, 'the_program_and_the_evaluation_agree'],
        [tally.hits * 2 >= tally.asked, 'at_least_half_of_the_questions_have_hits']];
    if (options.tap) {
        process.stdout.write(`1..${results.length}\n${results.map(([isGood, name], at) =>
            `${isGood ? '' : 'not '}ok ${at + 1} - ${name}\n`).join('')}`);
    }
    process.exitCode = results.every(([isGood]) => isGood) ? 0 : 1;
}

await main();
