// SPDX-License-Identifier: MIT
/**
 * Shows the view of the place that the address names.
 * @module
 */
import { element } from '../shared/dom.js';
import { FhirClient, FhirError } from '../shared/fhir.js';
import { breadcrumb } from '../shared/components.js';
import { showFailure } from './failure.js';
import { showFind } from './find.js';
import { showHeadings } from './headings.js';
import { showHistory } from './history.js';
import { showResource } from './resource.js';
import { showTimeline } from './timeline.js';
import { readPlace } from './router.js';

const client = new FhirClient(new URL('../../fhir/', window.location.href).href);
const views = { find: showFind, timeline: showTimeline, headings: showHeadings,
    resource: showResource, history: showHistory };

const main = document.getElementById('main');
const way = document.getElementById('way');
const status = document.getElementById('status');

/** Where the reader was in each place, so that Back brings them there. */
const left = new Map();
let shownHash = null;
let byLink = false;
let running = null;

/** What a view may do with the page; nothing once another view has begun. */
function makeScreen(signal) {
    return {
        client,
        signal,
        /** Tells screen readers. */
        announce(text) {
            if (!signal.aborted) {
                status.textContent = text;
            }
        },
        /** Says in the page how far loading is. */
        progress(text) {
            if (signal.aborted) {
                return;
            }
            let note = main.querySelector('.app-loading');
            if (note === null) {
                note = element('p', { class: 'app-loading' });
                main.replaceChildren(note);
            }
            note.textContent = text;
        },
        /**
         * Replaces the page.
         * @param {string} title of the document and of the announcement
         * @param {Array<Node>} content its first h1 gets the focus
         * @param {Array<{text: string, href: string}>} [trail] breadcrumb
         */
        show(title, content, trail = []) {
            if (signal.aborted) {
                return;
            }
            document.title = `${title} - carelayer record`;
            way.replaceChildren(...(trail.length > 0 ? [breadcrumb(trail)] : []));
            main.replaceChildren(...content);
            status.textContent = '';
        },
        /** Starts the same place again, its data fetched anew. */
        again() {
            open();
        },
    };
}

/** Puts reader and focus where they belong: where they left, or at the heading. */
function settle(isFirst, target) {
    const memory = byLink ? undefined : left.get(window.location.hash);
    byLink = false;
    if (target !== undefined && target !== null) {
        target.focus({ preventScroll: true });
        target.scrollIntoView();
        return;
    }
    if (memory !== undefined) {
        const link = [...main.querySelectorAll('a[href]')]
            .find((one) => one.getAttribute('href') === memory.link);
        (link ?? main.querySelector('h1') ?? main).focus({ preventScroll: true });
        window.scrollTo(0, memory.scroll);
        return;
    }
    window.scrollTo(0, 0);
    if (!isFirst) {
        const heading = main.querySelector('h1');
        heading?.setAttribute('tabindex', '-1');
        (heading ?? main).focus({ preventScroll: true });
    }
}

async function open() {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    const isFirst = shownHash === null;
    shownHash = window.location.hash;
    const place = readPlace(shownHash);
    const screen = makeScreen(signal);
    // A quick answer needs no notice; a slow one must not look like none.
    const waiting = setTimeout(() => {
        screen.progress('Loading…');
        screen.announce('Loading');
    }, 200);
    let target;
    try {
        const view = views[place.view];
        if (view === undefined) {
            throw new FhirError('missing', 'There is no such page.');
        }
        target = await view(screen, place);
    } catch (error) {
        if (signal.aborted) {
            return;
        }
        showFailure(screen, place, error);
    } finally {
        clearTimeout(waiting);
    }
    if (!signal.aborted) {
        settle(isFirst, target);
        main.dataset.shown = place.view;
    }
}

document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (link === null) {
        return;
    }
    const href = link.getAttribute('href');
    if (href === '#main' || !href.startsWith('#/')) {
        // A place in this page, not another page.
        event.preventDefault();
        document.getElementById(href.slice(1))?.focus();
        return;
    }
    left.set(window.location.hash, { scroll: window.scrollY, link: href });
    byLink = true;
    if (href === window.location.hash) {
        event.preventDefault();
        open();
    }
});

history.scrollRestoration = 'manual';
window.addEventListener('hashchange', () => {
    delete main.dataset.shown;
    open();
});
open();
