// SPDX-License-Identifier: MIT
/**
 * Small lines that show how a result went.
 * @module
 */
import { svg } from '../shared/dom.js';

const WIDTH = 140;
const HEIGHT = 32;
const EDGE = 4;

/**
 * Places of points in the picture: time to the right, value up.
 * @param {Array<Array<{order: number, value: number}>>} lines each oldest first
 * @param {{low?: number, high?: number}} [range] of normal values
 * @returns {{lines: Array<Array<[number, number]>>, band: [number, number]|null}} band: its top and
 *     bottom; a range without a limit goes to the edge of the picture
 */
export function layOut(lines, range = {}) {
    const all = lines.flat();
    const values = all.map((point) => point.value);
    const bounds = [range.low, range.high].filter((one) => Number.isFinite(one));
    const low = Math.min(...values, ...bounds);
    const high = Math.max(...values, ...bounds);
    const first = Math.min(...all.map((point) => point.order));
    const span = Math.max(...all.map((point) => point.order)) - first;
    const across = (order) => EDGE + (span === 0 ? 0.5 : (order - first) / span) *
        (WIDTH - 2 * EDGE);
    const up = (value) => HEIGHT - EDGE - (high === low ? 0.5 : (value - low) / (high - low)) *
        (HEIGHT - 2 * EDGE);
    const round = (number) => Math.round(number * 10) / 10;
    return {
        lines: lines.map((points) => points.map((point) =>
            [round(across(point.order)), round(up(point.value))])),
        band: bounds.length === 0 ? null : [Number.isFinite(range.high) ? round(up(range.high)) : 0,
            Number.isFinite(range.low) ? round(up(range.low)) : HEIGHT],
    };
}

/**
 * @param {string} label what it shows, for those who do not see it
 * @param {Array<Array<{order: number, value: number}>>} lines each oldest first, of two or more
 * @param {{low?: number, high?: number}} [range]
 * @returns {SVGElement}
 */
export function trendLine(label, lines, range) {
    const { lines: places, band } = layOut(lines, range);
    return svg('svg', { class: 'app-trend', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH,
        height: HEIGHT, role: 'img', 'aria-label': label },
    band && svg('rect', { class: 'app-trend__band', x: 0, y: band[0], width: WIDTH,
        height: Math.max(1, band[1] - band[0]) }),
    places.map((line) => [
        svg('polyline', { class: 'app-trend__line', points: line.map((one) => one.join(',')).join(' ') }),
        svg('circle', { class: 'app-trend__last', cx: line.at(-1)[0], cy: line.at(-1)[1], r: 3 }),
    ]));
}
