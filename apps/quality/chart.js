// SPDX-License-Identifier: MIT
/**
 * What was to be mended, day by day, as bars.
 * @module
 */
import { element, svg } from '../shared/dom.js';
import { formatDateShort } from '../shared/format.js';

const WIDTH = 760;
const HEIGHT = 160;
const LEFT = 64;
const TOP = 14;
const BOTTOM = 10;

/** A number that is easy to read and not below this one: 1, 2, 5, 10, 20 ... */
export function roundUp(number) {
    const power = 10 ** Math.floor(Math.log10(Math.max(1, number)));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= number);
}

/**
 * Places of the bars: refused below, with warnings on top of it.
 * @param {Array<{counts: {warned: number, refused: number}}>} days
 * @returns {{top: number, bars: Array<{x: number, width: number, refused: [number, number],
 *     warned: [number, number]}>}} [y, height] of each part
 */
export function layOut(days) {
    const top = roundUp(Math.max(1, ...days.map(({ counts }) => counts.warned + counts.refused)));
    const step = (WIDTH - LEFT - 8) / Math.max(1, days.length);
    const high = (count) => (count / top) * (HEIGHT - TOP - BOTTOM);
    const round = (number) => Math.round(number * 100) / 100;
    const floor = HEIGHT - BOTTOM;
    return { top, bars: days.map(({ counts }, i) => {
        const refused = high(counts.refused);
        const warned = high(counts.warned);
        return { x: round(LEFT + i * step + step * 0.1), width: round(Math.min(step * 0.8, 60)),
            refused: [round(floor - refused), round(refused)],
            warned: [round(floor - refused - warned), round(warned)] };
    }) };
}

function key(kind, text) {
    return element('li', null,
        svg('svg', { class: 'app-legend__key', width: 16, height: 16, viewBox: '0 0 16 16',
            'aria-hidden': 'true' },
        svg('rect', { class: `app-chart__${kind}`, width: 16, height: 16 })), text);
}

/**
 * @param {Array<object>} days as readReport gives them
 * @param {string} label what it shows, for those who do not see it
 */
export function mendChart(days, label) {
    const { top, bars } = layOut(days);
    const floor = HEIGHT - BOTTOM;
    const part = (kind, bar) => bar[kind][1] > 0 && svg('rect', { class: `app-chart__${kind}`,
        x: bar.x, width: bar.width, y: bar[kind][0], height: bar[kind][1] });
    const text = (x, y, anchor, content) => svg('text', { class: 'app-chart__text', x, y,
        'text-anchor': anchor }, content);
    return element('figure', { class: 'app-chart' },
        element('ul', { class: 'app-legend' }, key('refused', 'Refused'),
            key('warned', 'Accepted with warnings')),
        svg('svg', { class: 'app-chart__picture', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img',
            'aria-label': label },
        bars.map((bar) => [part('refused', bar), part('warned', bar)]),
        svg('line', { class: 'app-chart__axis', x1: LEFT, x2: WIDTH - 8, y1: floor, y2: floor }),
        svg('line', { class: 'app-chart__axis', x1: LEFT, x2: LEFT, y1: TOP, y2: floor }),
        text(LEFT - 8, TOP + 8, 'end', top.toLocaleString('en-GB')),
        text(LEFT - 8, floor, 'end', '0')),
        element('div', { class: 'app-chart__days', 'aria-hidden': 'true' },
            element('span', null, formatDateShort(days[0]?.day)),
            days.length > 1 && element('span', null, formatDateShort(days.at(-1)?.day))));
}

/** A bar of how much was accepted. */
export function rateBar(rate) {
    return svg('svg', { class: 'app-rate__bar', width: 62, height: 14, viewBox: '0 0 62 14',
        'aria-hidden': 'true' },
    svg('rect', { class: 'app-rate__rest', x: 0.5, y: 0.5, width: 61, height: 13 }),
    svg('rect', { class: 'app-rate__kept', x: 1, y: 1, width: Math.floor(60 * (rate ?? 0)),
        height: 12 }));
}
