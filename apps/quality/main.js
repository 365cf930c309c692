// SPDX-License-Identifier: MIT
/**
 * Shows the report of the place that the address names.
 * @module
 */
import { breadcrumb, errorSummary } from '../shared/components.js';
import { element } from '../shared/dom.js';
import { FhirClient, FhirError } from '../shared/fhir.js';
import { readPlace } from './period.js';
import { showReport } from './view.js';

const client = new FhirClient(new URL('../../fhir/', window.location.href).href);
const main = document.getElementById('main');
const way = document.getElementById('way');
const status = document.getElementById('status');
let running = null;
let isFirst = true;

/** What a view may do with the page; nothing once another place was opened. */
function makeScreen(signal) {
    return {
        client,
        signal,
        announce(text) {
            if (!signal.aborted) {
                status.textContent = text;
            }
        },
        show(title, content, trail = []) {
            if (signal.aborted) {
                return;
            }
            document.title = `${title} - carelayer quality`;
            way.replaceChildren(...(trail.length > 0 ? [breadcrumb(trail)] : []));
            main.replaceChildren(...content);
            status.textContent = '';
        },
        go(hash) {
            if (hash === window.location.hash) {
                open();
            } else {
                window.location.hash = hash;
            }
        },
    };
}

function showFailure(screen, error) {
    const known = error instanceof FhirError;
    if (!known) {
        console.error(error);
    }
    const title = known && error.kind === 'away' ? 'The server does not answer' :
        'The counts cannot be shown';
    screen.show(title, [
        element('h1', { class: 'nhsuk-heading-l' }, title),
        errorSummary('What happened', known && error.issues.length > 0 ? error.issues :
            [{ text: known ? error.message : 'Something in the page itself went wrong.' }]),
        element('button', { class: 'nhsuk-button', type: 'button', on: { click: open } }, 'Try again'),
    ], [{ text: 'Data quality', href: '#/' }]);
    screen.announce(title);
}

function settle(target) {
    const heading = main.querySelector('h1');
    window.scrollTo(0, 0);
    if (target !== null && target !== undefined) {
        target.focus();
    } else if (!isFirst) {
        heading?.setAttribute('tabindex', '-1');
        (heading ?? main).focus({ preventScroll: true });
    }
    isFirst = false;
}

async function open() {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    const screen = makeScreen(signal);
    delete main.dataset.shown;
    // A quick answer needs no notice; a slow one must not look like none.
    const waiting = setTimeout(() => {
        if (!signal.aborted) {
            main.replaceChildren(element('p', { class: 'app-loading' }, 'Loading…'));
            screen.announce('Loading');
        }
    }, 300);
    let target = null;
    try {
        target = await showReport(screen, readPlace(window.location.hash));
    } catch (error) {
        if (!signal.aborted) {
            showFailure(screen, error);
        }
    } finally {
        clearTimeout(waiting);
    }
    if (!signal.aborted) {
        settle(target);
        main.dataset.shown = 'report';
    }
}

document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    const href = link?.getAttribute('href') ?? '';
    if (link !== null && !href.startsWith('#/')) {
        event.preventDefault(); // a place in this page, not another
        document.getElementById(href.slice(1))?.focus();
    } else if (link !== null && href === window.location.hash) {
        event.preventDefault();
        open();
    }
});
window.addEventListener('hashchange', open);
open();
