// SPDX-License-Identifier: MIT
/** Random choices that a seed repeats. @module */

export class Random {
    constructor(seed) {
        this.state = seed >>> 0;
    }

    /** From 0 to before 1 (mulberry32). */
    next() {
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    }

    below(limit) {
        return Math.floor(this.next() * limit);
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    /** Up to COUNT different ones. */
    some(list, count) {
        const left = [...list];
        return Array.from({ length: Math.min(count, left.length) },
            () => left.splice(this.below(left.length), 1)[0]);
    }

    chance(share) {
        return this.next() < share;
    }

    /** One of [weight, value] rows. */
    weighted(rows) {
        let at = this.next() * rows.reduce((sum, [weight]) => sum + weight, 0);
        return rows.find(([weight]) => (at -= weight) < 0)[1];
    }
}
