// SPDX-License-Identifier: MIT
/** The record app as a person uses it: real program, real browser, made-up people. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { axePath, openBrowser, Server, whyNot } from './server.mjs';

const skip = whyNot();
const PEOPLE = 45;
const shots = process.env.CARELAYER_SHOTS;
let server;
let browser;
let someone; // the person with most entries among the first
let other; // somebody with few, for what takes long
let context;
let page;
let problems;

async function pickPeople() {
    const found = await server.fhir('Patient?_count=12');
    const counted = await Promise.all(found.entry.map(async ({ resource }) => ({ patient: resource,
        count: (await server.fhir(`Patient/${resource.id}/$everything`)).entry.length })));
    counted.sort((a, b) => a.count - b.count);
    someone = counted.at(-1).patient;
    other = counted.find(({ count }) => count >= 40).patient;
}

before(async () => {
    if (skip) {
        return;
    }
    if (shots) {
        mkdirSync(shots, { recursive: true });
    }
    // One after the other: what was started before a failure is stopped after it.
    server = await Server.start(PEOPLE);
    browser = await openBrowser();
    await pickPeople();
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
        page.on('dialog', (dialog) => {
            problems.push(`dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
        page.on('console', (message) => {
            if (message.type() === 'error' && !mayFail) {
                problems.push(message.text());
            }
        });
        try {
            await body();
            assert.deepEqual(problems, []);
        } finally {
            await context.close();
        }
    });
}

const shown = (view) => page.waitForSelector(`main[data-shown="${view}"]`);
const heading = () => page.textContent('h1');
const status = () => page.textContent('#status');

async function go(place, view) {
    await page.goto(`${server.base}/apps/record/${place}`);
    await shown(view);
}

const focusedText = () => page.evaluate(() => document.activeElement.textContent.trim());

async function shoot(name) {
    if (shots) {
        await page.screenshot({ path: join(shots, `${name}.png`) });
    }
}

async function find(fields) {
    for (const [id, value] of Object.entries(fields)) {
        await page.fill(`#${id}`, value);
    }
    await page.evaluate(() => { delete document.querySelector('main').dataset.shown; });
    await page.click('button[type=submit]');
    await shown('find');
}

const nhsNumber = (patient) => patient.identifier.find((one) =>
    one.system === 'https://fhir.nhs.uk/Id/nhs-number')?.value;

/** Places of every view, of one person. */
async function everyPlace() {
    const observation = (await server.fhir(`Observation?subject=Patient/${other.id}&_count=1`))
        .entry[0].resource.id;
    const base = `#/patient/${other.id}`;
    return [['#/', 'find'], ['#/find', 'find'], [`${base}`, 'timeline'],
        [`${base}/headings`, 'headings'], [`${base}/Observation/${observation}`, 'resource'],
        [`${base}/Patient/${other.id}`, 'resource'],
        [`${base}/Observation/${observation}/history`, 'history'],
        [`${base}/Observation/${observation}/history/1`, 'resource'], ['#/nowhere/at/all', 'nowhere']];
}

pageTest('finds_a_person_by_name_number_birth_year_and_postcode', async () => {
    await go('', 'find');
    await shoot('find');
    const [name] = someone.name;
    await find({ name: `${name.given[0]} ${name.family.slice(0, 3)}`.toLowerCase() });
    const link = `a[href="#/patient/${someone.id}"]`;
    assert.equal(await page.locator(link).count(), 1);
    await go('', 'find');
    const [birthYear] = someone.birthDate.split('-');
    await find({ year: birthYear, postcode: someone.address[0].postalCode.replace(' ', '').toLowerCase() });
    assert.equal(await page.locator(link).count(), 1);
    const numbered = (await server.fhir('Patient?_count=20')).entry.map((one) => one.resource)
        .find((one) => nhsNumber(one) !== undefined);
    const digits = nhsNumber(numbered);
    await go('', 'find');
    await find({ number: `${digits.slice(0, 3)} ${digits.slice(3, 6)} ${digits.slice(6)}` });
    assert.equal(await page.locator('tbody tr').count(), 1);
    assert.equal(await page.textContent('#found'), '1 person was found');
    assert.match(await status(), /1 person was found/);
});

pageTest('pages_through_people_and_back', async () => {
    await go('#/find', 'find');
    await shoot('found');
    const names = async () => page.locator('tbody th a').allTextContents();
    const first = await names();
    assert.equal(first.length, 20);
    await page.click('a[rel=next]');
    await page.waitForSelector('text=People 21 to 40');
    const second = await names();
    assert.equal(new Set([...first, ...second]).size, 40);
    await page.click('a[rel=next]');
    await page.waitForSelector(`text=People 41 to ${PEOPLE}`);
    assert.equal(await page.locator('a[rel=next]').count(), 0);
    await page.click('a[rel=prev]');
    await page.waitForSelector('text=People 21 to 40');
    assert.deepEqual(await names(), second);
    await page.reload();
    await page.waitForSelector('text=People 21 to 40');
    assert.deepEqual(await names(), second);
});

pageTest('says_that_nobody_was_found', async () => {
    await go('', 'find');
    await find({ name: 'zzzz' });
    assert.equal(await page.textContent('#found'), 'Nobody was found');
    assert.match(await status(), /Nobody was found/);
});

pageTest('says_which_field_is_wrong_and_leads_to_it', async () => {
    await go('', 'find');
    await find({ number: '943 476 5918', day: '31', month: '2', year: '1980' });
    await shoot('find-wrong');
    assert.match(await focusedText(), /There is a problem/);
    assert.match(await page.title(), /^Error:/);
    assert.equal(await page.locator('.nhsuk-error-summary li').count(), 2);
    await page.click('.nhsuk-error-summary a[href="#number"]');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'number');
    assert.match(await page.getAttribute('#number', 'aria-describedby'), /number-error/);
});

pageTest('shows_the_whole_record_as_a_timeline', async () => {
    await go(`#/patient/${someone.id}`, 'timeline');
    await shoot('timeline');
    assert.ok((await heading()).startsWith(someone.name[0].family.toUpperCase()));
    const all = (await server.fhir(`Patient/${someone.id}/$everything?_count=1000`)).entry
        .map((one) => one.resource);
    const gathered = new Set(all.filter((one) => one.resourceType === 'DiagnosticReport')
        .flatMap((one) => one.result ?? []).map((one) => one.reference));
    const told = all.filter((one) => !gathered.has(`${one.resourceType}/${one.id}`) &&
        !['Patient', 'Person', 'Practitioner', 'PractitionerRole', 'Organization', 'Location',
            'HealthcareService', 'Provenance', 'Medication'].includes(one.resourceType));
    for (let more = page.locator('button:has-text("more of")'); await more.count() > 0;) {
        await more.click();
    }
    assert.equal(await page.locator('.app-entry').count(), told.length);
    const years = (await page.locator('.app-year__name').allTextContents()).map(Number);
    assert.deepEqual(years, [...years].sort((a, b) => b - a));
    assert.equal(new Set(years).size, years.length);
});

pageTest('shows_only_the_kinds_that_are_chosen_and_remembers_them', async () => {
    await go(`#/patient/${someone.id}`, 'timeline');
    await page.click('button:has-text("None")');
    assert.equal(await page.locator('.app-entry').count(), 0);
    await page.check('#show-immunisations');
    const count = await page.locator('.app-entry').count();
    assert.ok(count > 0);
    assert.equal(await page.locator('.app-entry--immunisations').count(), count);
    assert.match(await status(), new RegExp(`^${count} entr`));
    await page.click('.app-entry__title >> nth=0');
    await shown('resource');
    await page.goBack();
    await shown('timeline');
    assert.equal(await page.locator('.app-entry').count(), count);
    assert.equal(await page.evaluate(() => document.activeElement.className), 'app-entry__title');
});

pageTest('shows_the_record_by_heading_with_trends_and_letters', async () => {
    await go(`#/patient/${someone.id}/headings`, 'headings');
    await shoot('headings');
    const titles = await page.locator('.app-heading h2').allTextContents();
    for (const title of ['Problems', 'Medications', 'Immunisations', 'Investigations and results',
        'Encounters', 'Contacts']) {
        assert.ok(titles.includes(title), title);
    }
    const trend = page.locator('svg.app-trend').first();
    assert.match(await trend.getAttribute('aria-label'), /\d+ values from .* between .* the last/);
    await page.click('.app-contents a:has-text("Investigations and results")');
    await page.waitForFunction(() => document.activeElement.id === 'heading-results');
    await shoot('headings-results');
    const letters = page.locator('#heading-documents ~ details summary');
    if (await letters.count() > 0) {
        await letters.first().click();
        assert.ok((await page.locator('.app-letter').first().textContent()).length > 50);
    }
});

pageTest('shows_every_element_of_an_entry_and_its_digits', async () => {
    const body = `{"resourceType":"Observation","id":"digits","status":"final","code":{"text":"Potassium"},
        "subject":{"reference":"Patient/${someone.id}"},"effectiveDateTime":"2024-07-05T23:30:00Z",
        "valueQuantity":{"value":4.10,"unit":"mmol/L"}}`;
    await server.fhir('Observation/digits', 'PUT', body);
    await go(`#/patient/${someone.id}`, 'timeline');
    await go(`#/patient/${someone.id}/Observation/digits`, 'resource');
    await shoot('resource');
    const list = await page.textContent('.app-elements');
    assert.match(list, /4\.10 mmol\/L/);
    assert.match(list, /6 July 2024, 00:30/);
    await page.click('summary:has-text("JSON")');
    assert.match(await page.textContent('.app-json'), /"value": 4\.10,/);
});

pageTest('says_whose_an_entry_is_and_when_it_is_somebody_elses', async () => {
    const { entry: [{ resource }] } =
        await server.fhir(`Observation?subject=Patient/${other.id}&_count=1`);
    await go(`#/patient/${other.id}/Observation/${resource.id}`, 'resource');
    assert.match(await page.textContent('.app-banner'), new RegExp(other.name[0].family, 'i'));
    await go(`#/patient/${someone.id}/Observation/${resource.id}`, 'resource');
    await shoot('somebody-else');
    assert.equal(await page.locator('.app-banner').count(), 0);
    assert.match(await page.textContent('.nhsuk-warning-callout'), /about another person/);
});

pageTest('shows_versions_what_changed_and_that_an_entry_was_deleted', async () => {
    const entry = { resourceType: 'Condition', id: 'changing', code: { text: 'Cough' },
        subject: { reference: `Patient/${someone.id}` }, onsetDateTime: '2024-01-01' };
    await server.fhir('Condition/changing', 'PUT', entry);
    await server.fhir('Condition/changing', 'PUT',
        { ...entry, code: { text: 'Asthma' }, note: [{ text: 'Wheeze' }] });
    const place = `#/patient/${someone.id}/Condition/changing`;
    await go(`${place}/history`, 'history');
    await shoot('history');
    assert.match(await page.textContent('main'), /2 versions, newest first/);
    const rows = await page.locator('tbody tr').allTextContents();
    assert.equal(rows.length, 2);
    assert.match(rows.join(' '), /Cough.*Asthma/);
    await page.click('a:has-text("See version 1")');
    await shown('resource');
    assert.match(await heading(), /Cough/);
    assert.match(await page.textContent('main'), /This is version 1/);
    await server.fhir('Condition/changing', 'DELETE');
    await go(`${place}/history`, 'history');
    assert.match(await page.textContent('.app-version >> nth=0'), /Deleted/);
});

pageTest('says_that_an_entry_was_deleted_and_leads_to_its_history', async () => {
    await server.fhir('Basic/going', 'PUT', { resourceType: 'Basic', id: 'going',
        code: { text: 'x' }, subject: { reference: `Patient/${someone.id}` } });
    await server.fhir('Basic/going', 'DELETE');
    await go(`#/patient/${someone.id}/Basic/going`, 'resource');
    await shoot('deleted');
    assert.match(await heading(), /This was deleted/);
    await page.click('a:has-text("See its history")');
    await shown('history');
    assert.equal(await page.locator('.app-version').count(), 2);
}, { mayFail: true });

pageTest('says_in_the_servers_words_what_was_not_found', async () => {
    await go('#/patient/no-such-person', 'timeline');
    await shoot('missing');
    assert.equal(await heading(), 'Not found');
    assert.match(await page.textContent('.nhsuk-error-summary'), /What the server says/);
    assert.ok((await page.textContent('.nhsuk-error-summary li')).length > 10);
}, { mayFail: true });

pageTest('shows_what_the_server_refuses_and_how_to_mend_it', async () => {
    await page.route('**/fhir/Patient?*', (route) => route.continue({ url:
        `${server.base}/fhir/Patient?shoe-size=9` }));
    await go('#/find', 'find');
    assert.equal(await heading(), 'The server refused this');
    assert.match(await page.textContent('.nhsuk-error-summary'), /shoe-size.*metadata/);
}, { mayFail: true });

pageTest('says_that_the_server_is_away_and_tries_again', async () => {
    await go('', 'find');
    await server.close();
    await find({ name: 'a' });
    await shoot('away');
    assert.equal(await heading(), 'The server does not answer');
    await server.open();
    await page.evaluate(() => { delete document.querySelector('main').dataset.shown; });
    await page.click('button:has-text("Try again")');
    await page.waitForSelector('#found');
}, { mayFail: true });

pageTest('shows_markup_in_a_record_as_text', async () => {
    const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>';
    const text = Buffer.from(`${evil} in a letter`).toString('base64');
    await server.fhir('Patient/evil', 'PUT', { resourceType: 'Patient', id: 'evil',
        name: [{ family: evil, given: ['"\'><b>'] }], birthDate: '1980-01-01' });
    await server.fhir('DocumentReference/evil', 'PUT', { resourceType: 'DocumentReference',
        id: 'evil', status: 'current', description: evil, subject: { reference: 'Patient/evil' },
        content: [{ attachment: { contentType: 'text/html', data: text,
            url: 'javascript:alert(3)' } }] });
    await go('#/patient/evil', 'timeline');
    assert.ok((await heading()).includes(evil.toUpperCase()));
    await go('#/patient/evil/headings', 'headings');
    await go('#/patient/evil/DocumentReference/evil', 'resource');
    assert.ok((await page.textContent('.app-letter')).includes(evil));
    assert.equal(await page.locator('main img, main script, a[href^="javascript"]').count(), 0);
    await server.fhir('DocumentReference/evil', 'DELETE');
    await server.fhir('Patient/evil', 'DELETE');
});

pageTest('asks_nothing_but_the_published_api_and_its_own_files', async () => {
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url())));
    for (const [place, view] of (await everyPlace()).slice(0, 8)) {
        await go(place, view);
    }
    const origins = new Set(asked.map((url) => url.origin));
    assert.deepEqual([...origins], [server.base]);
    assert.ok(asked.every((url) => /^\/(fhir|apps)\//.test(url.pathname)),
        asked.map((url) => url.pathname).join(' '));
    const response = await page.goto(`${server.base}/apps/record/`);
    assert.match(response.headers()['content-security-policy'], /default-src 'self'/);
});

for (const [name, width] of [['is_accessible_in_every_view', 1200],
    ['is_accessible_and_scrolls_no_way_but_down_at_320_pixels', 320]]) {
    pageTest(name, async () => {
        for (const [place, view] of await everyPlace()) {
            await go(place, view);
            await page.evaluate(() => document.querySelectorAll('main details')
                .forEach((one) => { one.open = true; }));
            assert.ok(await page.locator('h1').count() === 1, place);
            const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: {
                type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
                    'best-practice'] } }));
            const said = found.violations.map((one) => `${one.id}: ${one.help}: ` +
                one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(' | '));
            assert.deepEqual(said, [], `${view} ${place}`);
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(wide <= width, `${view} is ${wide} wide`);
            await shoot(`${width}-${view}`);
        }
    }, { width, mayFail: true });
}

pageTest('can_be_used_by_keyboard_alone', async () => {
    await go('', 'find');
    await page.keyboard.press('Tab');
    assert.equal(await focusedText(), 'Skip to main content');
    await shoot('skip-link');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'name');
    await page.keyboard.type(someone.name[0].family);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'found');
    await page.keyboard.press('Tab');
    const first = await focusedText();
    const outline = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement);
        return `${style.backgroundColor} ${style.boxShadow} ${style.outlineStyle}`;
    });
    assert.match(outline, /rgb\(255, 235, 59\)/);
    await page.keyboard.press('Enter');
    await shown('timeline');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
    assert.ok(first.startsWith((await heading()).split(' (')[0]));
    for (let i = 0; i < 60 && !(await page.evaluate(() =>
        document.activeElement.classList.contains('app-entry__title'))); i++) {
        await page.keyboard.press('Tab');
    }
    const entry = await focusedText();
    await page.keyboard.press('Enter');
    await shown('resource');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
    assert.ok((await heading()).endsWith(entry));
    await page.goBack();
    await shown('timeline');
    assert.equal(await focusedText(), entry);
});
