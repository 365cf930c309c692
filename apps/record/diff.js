// SPDX-License-Identifier: MIT
/**
 * What changed between two versions of a resource.
 * @module
 */
import { printJson } from '../shared/json.js';

/** These change with every version and say nothing. */
const OF_EVERY_VERSION = new Set(['meta.versionId', 'meta.lastUpdated']);
/** Longest lists whose items are matched one by one. */
const MATCHED_MOST = 300;

const same = (a, b) => printJson(a) === printJson(b);

/**
 * Pairs of items of two lists: the same items first (longest common subsequence), then what stands
 * between them one by one.
 */
function matchItems(before, after) {
    const one = before.map(printJson);
    const two = after.map(printJson);
    if (one.length > MATCHED_MOST || two.length > MATCHED_MOST) {
        return Array.from({ length: Math.max(one.length, two.length) }, (_, i) =>
            [i < one.length ? i : -1, i < two.length ? i : -1]);
    }
    const longest = Array.from({ length: one.length + 1 }, () => new Array(two.length + 1).fill(0));
    for (let i = one.length - 1; i >= 0; i--) {
        for (let j = two.length - 1; j >= 0; j--) {
            longest[i][j] = one[i] === two[j] ? longest[i + 1][j + 1] + 1 :
                Math.max(longest[i + 1][j], longest[i][j + 1]);
        }
    }
    const pairs = [];
    let gapBefore = [];
    let gapAfter = [];
    const closeGap = () => {
        for (let k = 0; k < Math.max(gapBefore.length, gapAfter.length); k++) {
            pairs.push([gapBefore[k] ?? -1, gapAfter[k] ?? -1]);
        }
        gapBefore = [];
        gapAfter = [];
    };
    let i = 0;
    let j = 0;
    while (i < one.length || j < two.length) {
        if (i < one.length && j < two.length && one[i] === two[j]) {
            closeGap();
            i++;
            j++;
        } else if (j >= two.length || (i < one.length && longest[i + 1][j] >= longest[i][j + 1])) {
            gapBefore.push(i++);
        } else {
            gapAfter.push(j++);
        }
    }
    closeGap();
    return pairs;
}

function compare(path, before, after, changes) {
    if (OF_EVERY_VERSION.has(path) || (before !== undefined && after !== undefined &&
        same(before, after))) {
        return;
    }
    if (before === undefined || after === undefined) {
        changes.push({ path, kind: before === undefined ? 'added' : 'removed', before, after });
    } else if (Array.isArray(before) && Array.isArray(after)) {
        for (const [i, j] of matchItems(before, after)) {
            compare(`${path}[${j >= 0 ? j : i}]`, i >= 0 ? before[i] : undefined,
                j >= 0 ? after[j] : undefined, changes);
        }
    } else if (isObject(before) && isObject(after)) {
        for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
            compare(path === '' ? key : `${path}.${key}`, before[key], after[key], changes);
        }
    } else {
        changes.push({ path, kind: 'changed', before, after });
    }
}

function isObject(value) {
    return value !== null && typeof value === 'object' && value.constructor === Object;
}

/**
 * @param {object} before a resource
 * @param {object} after a later version of it
 * @returns {Array<{path: string, kind: 'added'|'removed'|'changed', before: *, after: *}>} by
 *     element; the version's own number and time are left out
 */
export function compareVersions(before, after) {
    const changes = [];
    compare('', before, after, changes);
    return changes;
}
