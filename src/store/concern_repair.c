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

/* OWN: its place, or negative. */
static enum status find_all(struct store_tx *tx, const struct head *head, int64_t own,
                            struct slice body, int64_t base, struct arena *arena,
                            struct concern *ret_concern, struct number_set *ret_patients)
{
    struct said said;
    struct json json;
    struct slice base_url;
    *ret_patients = (struct number_set){.arena = arena};
    *ret_concern = (struct concern){0};
    TRY(base_url_of(tx, base, arena, &base_url));
    TRY(json_read(body, &json_limits_default, arena, NULL, &json));
    TRY(concern_find(tx->connection->store, head->type, json.root, base_url, arena, &said));
    concern_add(ret_patients, head->home, NULL, 0);
    TRY(add_named(tx, &said.homes, ret_patients));
    TRY(add_named(tx, &said.patients, ret_patients));
    ret_concern->direct = ret_patients->count - (head->home >= PATIENT_FIRST);
    TRY(concern_keys(tx, &said.ties, arena, ret_concern));
    TRY(concern_reach(tx, head->type, &head->id, own, ret_concern, arena, NULL, ret_patients));
    return ret_patients->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status concern_of_body(struct store_tx *tx, int64_t place, resource_type type,
                            const struct packed_id *id, struct slice body, int64_t base,
                            struct arena *arena, struct concern *ret_concern,
                            struct number_set *ret_patients)
{
    struct head head = {.type = type, .id = *id, .home = place_patient(place)};
    return find_all(tx, &head, place, body, base, arena, ret_concern, ret_patients);
}

static bool same_keys(const struct concern *a, const struct concern *b)
{
    bool same = a->key_count == b->key_count;
    for (size_t i = 0; same && i < a->key_count; i++) {
        same = slice_equals(a->keys[i], b->keys[i]);
    }
    return same;
}

static bool same_patients(const struct head *head, const struct number_set *patients)
{
    size_t homes = head->home >= PATIENT_FIRST;
    bool same = patients->count == head->other_count + homes;
    for (size_t i = 0; same && i < head->other_count; i++) {
        same = patients->items[homes + i] == head->others[i];
    }
    return same;
}

/* Writes only what differs: an index made anew must not write every row of the records again. */
enum status concern_repair(struct store_tx *tx, int64_t place, struct slice body, int64_t base,
                           struct arena *arena)
{
    struct connection *connection = tx->connection;
    struct head head;
    struct concern old, new;
    static const struct facts none = {0};
    struct concern_change change = {.id = &head.id, .was_live = true, .old = &old, .new = &new};
    change.old_facts = change.new_facts = &none;
    TRY(concern_head(connection, place, arena, &head));
    TRY(concern_read(connection, place, head.other_count, arena, &old));
    TRY(find_all(tx, &head, place, body, base, arena, &new, &change.after));
    size_t others = change.after.count - (head.home >= PATIENT_FIRST);
    change.type = head.type;
    change.before.arena = arena;
    concern_add(&change.before, head.home, head.others, head.other_count);
    if (!same_keys(&old, &new) || old.direct != new.direct || others != head.other_count) {
        TRY(concern_remove(connection, place, &old, head.other_count));
    }
    if (same_patients(&head, &change.after)) {
        TRY(concern_set_members(connection, place, &head, &change.after));
    } else {
        TRY(concern_set_patients(connection, place, &head, &change.after, arena));
    }
    TRY(concern_write(connection, place, &new, others, arena));
    return concern_spread(tx, &change, arena, NULL);
}

enum status concern_repair_past(struct store_tx *tx, uint64_t change, struct slice body,
                                int64_t base, struct arena *arena)
{
    struct connection *connection = tx->connection;
    int64_t place = -(int64_t)change;
    struct head head;
    struct concern found, old, new, no_ties = {0};
    struct number_set reached, all = {.arena = arena};
    static const struct facts none = {0};
    TRY(concern_head(connection, place, arena, &head));
    TRY(concern_read(connection, place, head.other_count, arena, &old));
    TRY(find_all(tx, &head, -1, body, base, arena, &found, &reached));
    TRY(concern_past_keys(&found, head.tombstone, arena, &new));
    concern_add(&all, head.home, head.others, head.other_count);
    size_t before = all.count;
    for (size_t i = 0; i < reached.count; i++) {
        (void)number_set_add(&all, reached.items[i]);
    }
    if (all.broken || (all.count == before && same_keys(&old, &new))) {
        return all.broken ? STATUS_TOO_COSTLY : STATUS_OK;
    }
    size_t others = all.count - (head.home >= PATIENT_FIRST);
    new.direct = new.key_count > 0 ? head.other_count : others;
    TRY(concern_remove(connection, place, &old, head.other_count));
    TRY(concern_set_patients(connection, place, &head, &all, arena));
    TRY(concern_write(connection, place, &new, others, arena));
    struct entry entry;
    TRY(directory_find(tx, head.type, &head.id, &entry));
    if (entry.state != ENTRY_DELETED || entry.version != head.version) {
        return STATUS_OK;
    }
    struct concern_change news = {.type = head.type,
                                  .id = &head.id,
                                  .after = all,
                                  .old = &no_ties,
                                  .new = &new,
                                  .old_facts = &none,
                                  .new_facts = &none};
    return concern_spread(tx, &news, arena, NULL);
}
