/* SPDX-License-Identifier: MIT */
/* store: whom a stored resource concerns, found anew from its body: for reindex and check. */
#include "concern_int.h"

static enum status add_named(struct store_tx *tx, const struct text_set *ids,
                             struct number_set *patients)
{
    for (size_t i = 0; i < ids->count; i++) {
        struct packed_id key;
        struct entry entry;
        if (!id_pack(ids->items[i], &key)) {
            return STATUS_CORRUPT;
        }
        TRY(directory_mention(tx, tx->connection->store->patient_type, &key, &entry));
        if (entry.entity != UNKNOWN_NUMBER) {
            (void)number_set_add(patients, place_patient(entry.rid));
        }
    }
    return STATUS_OK;
}

enum status concern_of_body(struct store_tx *tx, int64_t place, resource_type type,
                            const struct packed_id *id, struct slice body, int64_t base,
                            struct arena *arena, struct concern *ret_concern,
                            struct number_set *ret_patients)
{
    struct said said;
    struct json json;
    struct slice base_url;
    uint32_t home = place_patient(place);
    *ret_patients = (struct number_set){.arena = arena};
    *ret_concern = (struct concern){0};
    TRY(base_url_of(tx, base, arena, &base_url));
    TRY(json_read(body, &json_limits_default, arena, NULL, &json));
    TRY(concern_find(tx->connection->store, type, json.root, base_url, arena, &said));
    concern_add(ret_patients, home, NULL, 0);
    TRY(add_named(tx, &said.homes, ret_patients));
    TRY(add_named(tx, &said.patients, ret_patients));
    ret_concern->direct = ret_patients->count - (home >= PATIENT_FIRST);
    TRY(concern_keys(tx, &said.ties, arena, ret_concern));
    TRY(concern_reach(tx, type, id, place, ret_concern, arena, NULL, ret_patients));
    return ret_patients->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status concern_repair(struct store_tx *tx, int64_t place, struct slice body, int64_t base,
                           struct arena *arena)
{
    struct head head;
    struct concern old, new;
    static const struct facts none = {0};
    struct concern_change change = {.id = &head.id, .was_live = true, .old = &old, .new = &new};
    change.old_facts = change.new_facts = &none;
    TRY(concern_head(tx->connection, place, arena, &head));
    TRY(concern_read(tx->connection, place, head.other_count, arena, &old));
    TRY(concern_of_body(tx, place, head.type, &head.id, body, base, arena, &new, &change.after));
    change.type = head.type;
    change.before.arena = arena;
    concern_add(&change.before, head.home, head.others, head.other_count);
    TRY(concern_remove(tx->connection, place, &old, head.other_count));
    TRY(concern_set_patients(tx->connection, place, &head, &change.after, arena));
    TRY(concern_write(tx->connection, place, &new,
                      change.after.count - (head.home >= PATIENT_FIRST), arena));
    return concern_spread(tx, &change, arena, NULL);
}
