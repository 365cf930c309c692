// SPDX-License-Identifier: MIT
/** The page of data quality as a sender uses it: real program, real browser, made-up entries. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { axePath, openBrowser, Server, whyNot } from './server.mjs';

const skip = whyNot();
const shots = process.env.CARELAYER_SHOTS;
const ODS = 'https://fhir.nhs.uk/Id/ods-organization-code/';
let server;
let browser;
let context;
let page;
let problems;

const person = (source, more) => ({ resourceType: 'Patient', ...(source && { meta: { source } }),
    ...more });

async function send(count, resource) {
    for (let i = 0; i < count; i++) {
        await server.fhir(resource.resourceType, 'POST', resource).catch(() => {});
    }
}

async function sendSome() {
    await send(12, person(`${ODS}RX1`, { gender: 'female' }));
    await send(5, person(`${ODS}RX1`, { birthDate: '1980-02-30' }));
    await send(2, { ...person(`${ODS}RX1`, { status: 'final' }), resourceType: 'Observation' });
    await send(3, person('https://records.trust.example/fhir#m1', { gender: 'woman' }));
    await send(8, person('https://records.trust.example/fhir#m2', { gender: 'male' }));
    // Counts are written twice a second, and on a slow machine less often.
    const year = new Date().getFullYear();
    for (let tries = 0, judged = 0; judged < 30; tries++) {
        assert.ok(tries < 600, `${judged} of 30 are counted`);
        await new Promise((done) => { setTimeout(done, 100); });
        const { population } = (await server.fhir('Measure/data-quality/$evaluate-measure?' +
            `periodStart=${year - 1}&periodEnd=${year}`)).group[0];
        const count = (code) => population.find((one) => one.code.coding[0].code === code).count;
        judged = count('accepted') + count('accepted-with-warnings') + count('refused');
    }
}

before(async () => {
    if (skip) {
        return;
    }
    if (shots) {
        mkdirSync(shots, { recursive: true });
    }
    server = await Server.start(3);
    browser = await openBrowser();
    await sendSome();
});

after(async () => {
    await browser?.close();
    await server?.remove();
});

/** A test with a page of its own, in which nothing may go wrong unnoticed. */
function pageTest(name, body, { width = 1200, mayFail = false } = {}) {
    test(name, { skip, timeout: 300000 }, async () => {
        context = await browser.newContext({ viewport: { width, height: 900 }, locale: 'en-GB' });
        await context.addInitScript({ path: axePath() });
        page = await context.newPage();
        page.setDefaultTimeout(90000);
        problems = [];
        page.on('pageerror', (error) => problems.push(error.stack));
        page.on('console', (message) => {
            if (message.type() === 'error' && !mayFail) {
                problems.push(message.text());
            }
        });
        try {
            await body();
            assert.deepEqual(problems, []);
        } catch (error) {
            await shoot(`failed-${name}`);
            throw error;
        } finally {
            await context.close();
        }
    });
}

const shown = () => page.waitForSelector('main[data-shown="report"]');
const heading = () => page.textContent('h1');

async function go(place = '') {
    await page.goto(`${server.base}/apps/quality/${place}`);
    await shown();
}

async function shoot(name) {
    if (shots) {
        await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
    }
}

async function assertAccessible() {
    const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa',
        'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    assert.deepEqual(found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`), []);
}

const rows = (id) => page.$$eval(`section[aria-labelledby="${id}"] tbody tr`, (all) =>
    all.map((row) => [...row.querySelectorAll('.app-cell')].map((cell) => cell.innerText.trim())));

pageTest('shows_who_sent_what_and_how_much_of_it_was_accepted', async () => {
    await go();
    await shoot('quality');
    assert.equal(await heading(), 'Data quality');
    const sources = await rows('sources');
    const trust = sources.find(([name]) => name.startsWith('RX1'));
    assert.deepEqual(trust.slice(1), ['19', '63.1%', '0', '7']);
    const other = sources.find(([name]) => name.startsWith('records.trust.example'));
    assert.deepEqual(other.slice(1), ['11', '72.7%', '0', '3']);
    assert.ok(sources.some(([name]) => name.startsWith('Source not known'))); // the import
    assert.match(await page.textContent('#status'), /entries sent, .*% accepted/);
});

pageTest('leads_a_sender_to_what_it_can_mend', async () => {
    await go();
    await page.click('a:has-text("RX1")');
    await page.waitForSelector('h1:has-text("RX1")');
    await shown();
    await shoot('quality-source');
    const mends = await rows('mend');
    assert.match(mends[0][0], /birthDate: Give a date that exists.*\nRule format/s);
    assert.deepEqual(mends[0].slice(1), ['Patient', '5', '0']);
    assert.match(mends[1][0], /Rule cardinality/);
    assert.deepEqual((await rows('types')).map(([type]) => type), ['Patient', 'Observation']);
    assert.equal(await page.locator('section[aria-labelledby="sources"]').count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
    await page.click('nav[aria-label="Breadcrumb"] a');
    await page.waitForSelector('h1:has-text("Data quality")');
});

pageTest('shows_the_days_as_a_picture_and_as_a_table', async () => {
    await go();
    assert.match(await page.getAttribute('.app-chart__picture', 'aria-label'),
        /The most were 10 refused and \d+ with warnings on/);
    assert.ok(await page.locator('.app-chart__refused').count() >= 2); // a bar and its key
    await page.click('summary:has-text("The same as a table")');
    const days = await rows('days');
    assert.equal(days.length, 1);
    assert.equal(days[0].at(-1), '10');
});

pageTest('shows_another_period_and_keeps_it_when_one_drills', async () => {
    await go();
    await page.fill('#from', '2020-01-01');
    await page.fill('#to', '2020-01-31');
    await page.click('button:has-text("Show")');
    await page.waitForSelector('text=Nothing was sent in this period.');
    assert.match(await page.textContent('main'), /1 January 2020 to 31 January 2020/);
    await shoot('quality-empty');
    await page.click('a:has-text("Last 12 months")');
    await page.waitForSelector('section[aria-labelledby="sources"]');
    const period = new URL(page.url()).hash;
    await page.click('a:has-text("RX1")');
    await page.waitForSelector('h1:has-text("RX1")');
    assert.ok(period.includes(`from=${await page.inputValue('#from')}`));
    await page.reload();
    await page.waitForSelector('h1:has-text("RX1")');
});

pageTest('says_which_day_is_wrong_and_leads_to_it', async () => {
    await go();
    await page.fill('#from', '2026-02-02');
    await page.fill('#to', '2026-02-01');
    await page.click('button:has-text("Show")');
    await page.waitForSelector('.nhsuk-error-summary');
    await shown();
    assert.match(await page.title(), /^Error:/);
    await page.click('.nhsuk-error-summary a');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'to');
    await shoot('quality-wrong');
    await assertAccessible();
});

pageTest('says_it_when_the_server_is_away_and_tries_again', async () => {
    await go();
    await page.route('**/fhir/**', (route) => route.abort());
    await page.click('a:has-text("Last 7 days")');
    await page.waitForSelector('h1:has-text("The server does not answer")');
    await assertAccessible();
    await page.unroute('**/fhir/**');
    await page.click('button:has-text("Try again")');
    await page.waitForSelector('h1:has-text("Data quality")');
}, { mayFail: true });

pageTest('asks_nothing_but_the_published_api_and_its_own_files', async () => {
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url())));
    await go();
    assert.ok(asked.every((url) => url.origin === server.base));
    assert.ok(asked.every((url) => url.pathname.startsWith('/apps/') ||
        url.pathname === '/fhir/Measure/data-quality/$evaluate-measure'));
});

pageTest('can_be_used_by_keyboard_alone', async () => {
    await go();
    const tabTo = async (wanted) => {
        for (let i = 0; i < 60; i++) {
            await page.keyboard.press('Tab');
            if (await page.evaluate((text) => document.activeElement.textContent.trim() === text,
                wanted)) {
                return;
            }
        }
        assert.fail(`the Tab key does not lead to ${wanted}`);
    };
    await tabTo('RX1');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h1:has-text("RX1")');
    await tabTo('The same as a table');
    await page.keyboard.press('Enter');
    assert.equal((await rows('days')).length, 1);
});

pageTest('leads_to_the_records_and_back', async () => {
    await go();
    await page.click('header a:has-text("Records")');
    await page.waitForSelector('main[data-shown="find"]');
    await page.click('header a:has-text("Data quality")');
    await page.waitForSelector('main[data-shown="report"]');
    assert.equal(await heading(), 'Data quality');
});

pageTest('is_accessible_in_every_view', async () => {
    for (const place of ['', '#/?source=RX1', '#/?from=2020-01-01&to=2020-01-02']) {
        await page.goto('about:blank');
        await go(place);
        await page.$$eval('details', (all) => all.forEach((one) => { one.open = true; }));
        await assertAccessible();
    }
});

pageTest('is_accessible_and_scrolls_no_way_but_down_at_320_pixels', async () => {
    for (const [place, name] of [['', 'quality-narrow'], ['#/?source=RX1', 'quality-source-narrow']]) {
        await page.goto('about:blank');
        await go(place);
        await shoot(name);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 320), place);
        await assertAccessible();
    }
}, { width: 320 });
