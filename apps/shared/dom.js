// SPDX-License-Identifier: MIT
/**
 * Elements made of text nodes. Nothing from a record is ever read as markup, as a style or as a
 * script: those attributes are refused here, so that no caller can slip.
 * @module
 */

const SVG = 'http://www.w3.org/2000/svg';

/** Where a link may lead: places of this app. A link found in a record is shown as text. */
const SAFE_LINK = /^(#|\.{0,2}\/(?!\/))/;

function setAttribute(node, name, value) {
    if (/^on/i.test(name) || /^(style|srcdoc|src|action|formaction)$/i.test(name)) {
        throw new TypeError(`attribute ${name} is not set from here`);
    }
    if (name === 'href' && !SAFE_LINK.test(value)) {
        throw new TypeError('a link leads to a place of this app');
    }
    node.setAttribute(name, value === true ? '' : String(value));
}

function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (value === null || value === undefined || value === false) {
            continue;
        }
        if (name === 'on') {
            for (const [event, listener] of Object.entries(value)) {
                node.addEventListener(event, listener);
            }
        } else {
            setAttribute(node, name, value);
        }
    }
    append(node, children);
    return node;
}

/**
 * Adds children: nodes as they are, arrays flattened, anything else as text; null, undefined and
 * false add nothing.
 * @param {Node} node
 * @param {Array<*>} children
 */
export function append(node, children) {
    for (const child of children.flat(Infinity)) {
        if (child === null || child === undefined || child === false) {
            continue;
        }
        node.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
}

/**
 * Makes an HTML element.
 * @param {string} tag
 * @param {object|null} attributes `on: {event: listener}` listens; null, undefined and false leave
 *     an attribute out; true sets it empty
 * @param {...*} children see append()
 * @returns {HTMLElement}
 */
export function element(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Text for screen readers only. */
export function hidden(text) {
    return element('span', { class: 'nhsuk-u-visually-hidden' }, text);
}
