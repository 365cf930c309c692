/* SPDX-License-Identifier: MIT */
/* Tables of counts of a fixed size. */
#include "quality/quality_int.h"

enum status tally_make(struct arena *arena, size_t cells, size_t pool, struct tally *ret_tally)
{
    *ret_tally = (struct tally){.cells = arena_array(arena, cells, sizeof *ret_tally->cells),
                                .hashes = arena_array(arena, cells, sizeof *ret_tally->hashes),
                                .mask = cells - 1,
                                .pool = arena_alloc(arena, pool),
                                .pool_size = pool};
    return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
}

void tally_clear(struct tally *tally)
{
    if (tally->used > 0) {
        memset(tally->cells, 0, (tally->mask + 1) * sizeof *tally->cells);
    }
    tally->used = 0;
    tally->pool_used = 0;
}

static uint64_t hash_of(const struct store_quality *row)
{
    uint64_t hash = slice_hash(row->source) * 31 + slice_hash(row->rule);
    hash = hash * 31 + ((uint64_t)row->type << 2 | (uint64_t)row->verdict);
    hash = hash * 31 + (uint64_t)(uint32_t)row->day;
    return hash ^ hash >> 29;
}

static bool same(const struct store_quality *a, const struct store_quality *b)
{
    return a->day == b->day && a->type == b->type && a->verdict == b->verdict &&
           slice_equals(a->source, b->source) && slice_equals(a->rule, b->rule);
}

static struct slice keep(struct tally *tally, struct slice text)
{
    char *at = tally->pool + tally->pool_used;
    if (text.length > 0) {
        memcpy(at, text.at, text.length);
    }
    tally->pool_used += text.length;
    return slice_of(at, text.length);
}

bool tally_add(struct tally *tally, const struct store_quality *row)
{
    uint64_t hash = hash_of(row);
    size_t at = hash & tally->mask;
    while (tally->cells[at].count > 0) {
        if (tally->hashes[at] == hash && same(&tally->cells[at], row)) {
            tally->cells[at].count += row->count;
            return true;
        }
        at = (at + 1) & tally->mask;
    }
    size_t texts = row->source.length + row->rule.length + row->words.length;
    if (row->count == 0) {
        return true;
    }
    if (tally->used >= tally->mask / 4 * 3 || texts > tally->pool_size - tally->pool_used) {
        return false;
    }
    struct store_quality *cell = &tally->cells[at];
    *cell = *row;
    cell->source = keep(tally, row->source);
    cell->rule = keep(tally, row->rule);
    cell->words = keep(tally, row->words);
    tally->hashes[at] = hash;
    tally->used++;
    return true;
}

/* ---- sets ---------------------------------------------------------------------------------------
 */

enum status seen_make(struct arena *arena, size_t slots, struct seen *ret_seen)
{
    *ret_seen = (struct seen){.slots = arena_array(arena, slots, sizeof *ret_seen->slots),
                              .mask = slots - 1};
    return ret_seen->slots != NULL ? STATUS_OK : STATUS_MEMORY;
}

void seen_clear(struct seen *seen)
{
    memset(seen->slots, 0, (seen->mask + 1) * sizeof *seen->slots);
    seen->count = 0;
}

bool seen_admit(struct seen *seen, uint64_t hash, size_t most)
{
    uint64_t wanted = hash != 0 ? hash : 1;
    size_t at = wanted & seen->mask;
    while (seen->slots[at] != 0) {
        if (seen->slots[at] == wanted) {
            return true;
        }
        at = (at + 1) & seen->mask;
    }
    if (seen->count >= most || seen->count > seen->mask / 2) {
        return false;
    }
    seen->slots[at] = wanted;
    seen->count++;
    return true;
}
