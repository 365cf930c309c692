// SPDX-License-Identifier: MIT
/**
 * Differences that stand: {name, reason, holds(question, problem)}. The fixed run fails when one
 * does not occur any more.
 * @module
 */
export const KNOWN = [];
