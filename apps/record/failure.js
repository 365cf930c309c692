// SPDX-License-Identifier: MIT
/**
 * Pages for what could not be shown: what is wrong, in the server's words, and how to mend it.
 * @module
 */
import { element } from '../shared/dom.js';
import { errorSummary } from '../shared/components.js';
import { FhirError } from '../shared/fhir.js';
import { forgetChart } from './chart.js';
import { resourceHref } from './router.js';

const TEXTS = {
    away: { title: 'The server does not answer',
        mend: 'Check that carelayer is running on this machine (./demo, or carelayer serve), then ' +
            'try again.' },
    missing: { title: 'Not found',
        mend: 'Check the address, or find the person anew.' },
    gone: { title: 'This was deleted',
        mend: 'Its earlier versions are kept.' },
    refused: { title: 'The server refused this',
        mend: 'The server says what is wrong. Mend it, then try again.' },
    broken: { title: 'The answer cannot be read',
        mend: 'Try again. If it happens again, tell whoever runs this server.' },
};

/**
 * @param {object} screen see main.js
 * @param {object} place where this happened
 * @param {Error} error
 */
export function showFailure(screen, place, error) {
    const known = error instanceof FhirError;
    if (!known) {
        // Our own mistake: the place and kind help whoever mends it, the record does not leave.
        console.error(error);
    }
    const text = known ? TEXTS[error.kind] : { title: 'This page failed',
        mend: 'Try again. If it happens again, report it to the makers of carelayer.' };
    const issues = known && error.issues.length > 0 ? error.issues : [{ text: known ?
        error.message : 'Something in the page itself went wrong.', where: '' }];
    const type = place.type ?? (place.person === undefined ? undefined : 'Patient');
    const id = place.id ?? place.person;
    const hasHistory = known && error.kind === 'gone' && type !== undefined;
    screen.show(text.title, [
        element('h1', { class: 'nhsuk-heading-l' }, text.title),
        errorSummary(known && error.issues.length > 0 ? 'What the server says' : 'What happened',
            issues.map((issue) => ({
                text: issue.where ? `${issue.text} (${issue.where})` : issue.text,
            }))),
        element('p', null, text.mend),
        element('div', { class: 'app-actions' },
            hasHistory && element('a', { class: 'nhsuk-button',
                href: resourceHref(place.person, type, id, 'history') }, 'See its history'),
            element('button', { class: 'nhsuk-button nhsuk-button--secondary', type: 'button',
                on: { click: () => {
                    forgetChart();
                    screen.again();
                } } }, 'Try again'),
            element('a', { class: 'app-action-link', href: '#/' }, 'Find a person')),
    ]);
    screen.announce(text.title);
}
