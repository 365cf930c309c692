/* SPDX-License-Identifier: MIT */
/* store: from a resource along its references, and back to what refers to it. Facts name a target
 * by a number that leads to no place, except that of a Patient; the body says who it is. */
#include "find_int.h"

/* ---- what a place refers to ---------------------------------------------------------------------
 */

static enum status targets_resolve(struct store_tx *tx, const struct facts *facts,
                                   struct arena *arena, struct target **ret_targets,
                                   size_t *ret_count)
{
    struct target *targets = arena_array(arena, facts->count + 1, sizeof(*targets));
    size_t count = 0;
    if (targets == NULL || facts->broken) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *fact = &facts->items[i];
        struct packed_id key;
        if (fact->tree != TREE_REFERENCE || !id_pack(fact->text, &key)) {
            continue;
        }
        TRY(directory_find(tx, fact->target, &key, &targets[count].entry));
        targets[count].type = fact->target;
        count += targets[count].entry.known;
    }
    *ret_targets = targets;
    *ret_count = count;
    return STATUS_OK;
}

enum status place_body_of_row(struct store_tx *tx, const struct statement *statement,
                              struct arena *arena, struct place_body *ret_body)
{
    struct slice body;
    struct json json;
    int64_t base = statement_number(statement, 1) >> METHOD_BITS;
    ret_body->type = (resource_type)statement_number(statement, 0);
    TRY(body_decompress(tx->connection, statement_blob(statement, 3),
                        statement_number(statement, 2), arena, &body));
    TRY(base_url_of(tx, base, arena, &ret_body->base_url));
    TRY(json_read(body, &json_limits_default, arena, NULL, &json));
    ret_body->root = json.root;
    return STATUS_OK;
}

enum status place_body_read(struct store_tx *tx, int64_t rid, struct arena *arena,
                            struct place_body *ret_body)
{
    struct statement *statement;
    bool row = false;
    *ret_body = (struct place_body){.root = NULL};
    TRY(statement_get(tx->connection, SQL_PLACE_BODY, &statement));
    statement_bind_number(statement, 1, rid);
    TRY(statement_row(tx->connection, statement, &row));
    if (!row) {
        return STATUS_OK;
    }
    enum status status = place_body_of_row(tx, statement, arena, ret_body);
    statement_reset(statement);
    return status;
}

static enum status facts_of_place(struct store_tx *tx, int64_t rid,
                                  const struct search_parameter *parameter, struct arena *arena,
                                  struct facts *ret_facts)
{
    struct place_body body;
    TRY(place_body_read(tx, rid, arena, &body));
    if (body.root == NULL) {
        return STATUS_OK;
    }
    const struct store *store = tx->connection->store;
    size_t count = 0;
    const struct search_parameter *all = search_parameters(store->definitions, body.type, &count);
    for (size_t i = 0; i < count; i++) {
        bool wanted = parameter == NULL || all[i].number == parameter->number;
        if (wanted && all[i].kind == SEARCH_REFERENCE) {
            extract_one(store, body.type, &all[i], body.root, body.base_url, ret_facts);
        }
    }
    return STATUS_OK;
}

enum status targets_of_place(struct store_tx *tx, int64_t rid,
                             const struct search_parameter *parameter, struct arena *arena,
                             struct target **ret_targets, size_t *ret_count)
{
    struct facts facts = {.arena = arena};
    TRY(facts_of_place(tx, rid, parameter, arena, &facts));
    return targets_resolve(tx, &facts, arena, ret_targets, ret_count);
}

enum status place_entity(struct store_tx *tx, int64_t rid, int64_t *ret_entity)
{
    struct statement *statement;
    bool row = false;
    *ret_entity = 0;
    TRY(statement_get(tx->connection, SQL_HEAD_CURRENT, &statement));
    statement_bind_number(statement, 1, rid);
    TRY(statement_row(tx->connection, statement, &row));
    if (!row) {
        return STATUS_OK;
    }
    resource_type type = (resource_type)statement_number(statement, 0);
    if (type == tx->connection->store->patient_type) {
        *ret_entity = -(int64_t)place_patient(rid);
        statement_reset(statement);
        return STATUS_OK;
    }
    struct packed_id key;
    struct entry entry;
    statement_packed_id(statement, 1, &key);
    statement_reset(statement);
    TRY(directory_find(tx, type, &key, &entry));
    *ret_entity = entry.known ? entry.entity : 0;
    return STATUS_OK;
}

/* ---- when -------------------------------------------------------------------------------------
 */

enum status change_after(struct connection *connection, resource_type type, int64_t from,
                         int64_t *ret_change, int64_t *ret_rid)
{
    struct statement *statement;
    bool row = false;
    *ret_change = *ret_rid = 0;
    TRY(statement_get(connection, SQL_WALK_CHANGE_UP, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_number(statement, 2, from);
    TRY(statement_row(connection, statement, &row));
    if (row) {
        *ret_rid = statement_number(statement, 0);
        *ret_change = statement_number(statement, 1);
        statement_reset(statement);
    }
    return STATUS_OK;
}

enum status change_last(struct connection *connection, resource_type type, int64_t *ret_change)
{
    struct statement *statement;
    bool row = false;
    *ret_change = 0;
    TRY(statement_get(connection, SQL_CHANGE_LAST, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_number(statement, 2, INT64_MAX);
    TRY(statement_row(connection, statement, &row));
    if (row) {
        *ret_change = statement_number(statement, 0);
        statement_reset(statement);
    }
    return STATUS_OK;
}

enum status place_time(struct connection *connection, int64_t rid, int64_t change,
                       int64_t *ret_updated, bool *ret_current)
{
    struct statement *statement;
    bool row = false;
    *ret_current = false;
    TRY(statement_get(connection, SQL_PLACE_TIMES, &statement));
    statement_bind_number(statement, 1, rid);
    TRY(statement_row(connection, statement, &row));
    if (row) {
        *ret_updated = statement_number(statement, 0);
        *ret_current = statement_number(statement, 1) == change;
        statement_reset(statement);
    }
    return STATUS_OK;
}

enum status change_time(struct connection *connection, int64_t change, int64_t rid,
                        int64_t *ret_updated)
{
    bool row = false;
    TRY(place_time(connection, rid, change, ret_updated, &row));
    if (row) {
        return STATUS_OK;
    }
    struct statement *statement;
    TRY(statement_get(connection, SQL_PAST_TIMES, &statement));
    statement_bind_number(statement, 1, change);
    TRY(statement_row(connection, statement, &row));
    if (!row) {
        return STATUS_CORRUPT;
    }
    *ret_updated = statement_number(statement, 0);
    statement_reset(statement);
    return STATUS_OK;
}

/* ---- includes -----------------------------------------------------------------------------------
 */

static enum status version_place(struct store_tx *tx, const struct store_version *version,
                                 struct entry *ret_entry)
{
    struct packed_id key;
    if (!id_pack(version->id, &key)) {
        *ret_entry = (struct entry){.known = false};
        return STATUS_OK;
    }
    return directory_find(tx, version->type, &key, ret_entry);
}

static enum status read_places(struct store_tx *tx, const struct number_set *places,
                               struct arena *arena, struct store_version **ret_items,
                               size_t *ret_count)
{
    *ret_count = 0;
    *ret_items = arena_array(arena, places->count + 1, sizeof(**ret_items));
    if (*ret_items == NULL || places->broken) {
        return STATUS_TOO_COSTLY;
    }
    TRY(place_read_all(tx->connection, places->items, places->count, true, arena, *ret_items));
    *ret_count = places->count;
    return STATUS_OK;
}

static enum status follow_places(struct store_tx *tx, int64_t rid,
                                 const struct search_parameter *parameter, resource_type target,
                                 size_t most, struct number_set *places)
{
    struct target *targets;
    size_t count;
    TRY(targets_of_place(tx, rid, parameter, places->arena, &targets, &count));
    for (size_t i = 0; i < count; i++) {
        bool wanted = target == RESOURCE_TYPE_NONE || target == targets[i].type;
        if (wanted && targets[i].entry.state == ENTRY_LIVE) {
            (void)number_set_add(places, targets[i].entry.rid);
        }
        if (places->count > most) {
            return STATUS_TOO_COSTLY;
        }
    }
    return STATUS_OK;
}

enum status store_follow(struct store_tx *tx, const struct store_version *version,
                         const struct search_parameter *parameter, resource_type target,
                         size_t most, struct arena *arena, struct store_version **ret_items,
                         size_t *ret_count)
{
    struct entry entry;
    struct number_set places = {.arena = arena_create(ARENA_REQUEST_BASE * 16)};
    enum status status = places.arena != NULL ? STATUS_OK : STATUS_MEMORY;
    *ret_items = NULL;
    *ret_count = 0;
    if (status == STATUS_OK) {
        status = version_place(tx, version, &entry);
    }
    if (status == STATUS_OK && entry.known && entry.state == ENTRY_LIVE) {
        status = follow_places(tx, entry.rid, parameter, target, most, &places);
    }
    if (status == STATUS_OK) {
        status = read_places(tx, &places, arena, ret_items, ret_count);
    }
    arena_destroy(places.arena);
    return status;
}

struct referring {
    struct store_tx *tx;
    int64_t entity; /* that is referred to */
    size_t most;
    struct number_set *places;
    struct outcome *outcome;
};

static enum status referrers_by(const struct referring *to, uint32_t parameter)
{
    struct connection *connection = to->tx->connection;
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_REFERENCE_RIDS, &statement));
    statement_bind_number(statement, 1, parameter);
    statement_bind_number(statement, 2, to->entity);
    statement_bind_number(statement, 3, INT64_MIN);
    TRY(statement_row(connection, statement, &row));
    while (row && to->places->count <= to->most) {
        (void)number_set_add(to->places, statement_number(statement, 0));
        TRY(statement_row(connection, statement, &row));
    }
    statement_reset(statement);
    return to->places->count > to->most ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* By PARAMETER, or by every reference parameter of the type. */
static enum status referrers_of_type(const struct referring *to, resource_type type,
                                     const struct search_parameter *parameter)
{
    const struct store *store = to->tx->connection->store;
    size_t count = 0;
    const struct search_parameter *all = search_parameters(store->definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        const struct parameter *known = store_parameter(store, type, &all[i]);
        bool wanted = parameter == NULL || all[i].number == parameter->number;
        if (!wanted || known == NULL || all[i].kind != SEARCH_REFERENCE) {
            continue;
        }
        if (!parameter_is_ready(known, to->tx->connection)) {
            return outcome_fail(to->outcome, STATUS_TRANSIENT, "_revinclude",
                                "Parameter '%.*s' cannot be followed back yet: what is stored is "
                                "being indexed by it. Ask again later.",
                                SLICE_ARGS(all[i].code));
        }
        TRY(referrers_by(to, known->number * 2));
    }
    return STATUS_OK;
}

static enum status referrer_places(struct referring *to, const struct store_version *version,
                                   resource_type source, const struct search_parameter *parameter)
{
    struct entry entry;
    TRY(version_place(to->tx, version, &entry));
    resource_type last = resource_type_count(to->tx->connection->store->definitions);
    resource_type type = source != RESOURCE_TYPE_NONE ? source : 1;
    last = source != RESOURCE_TYPE_NONE ? source : last;
    to->entity = entry.entity;
    for (; entry.known && type <= last; type++) {
        TRY(referrers_of_type(to, type, parameter));
    }
    return STATUS_OK;
}

enum status store_referrers(struct store_tx *tx, const struct store_version *version,
                            resource_type source, const struct search_parameter *parameter,
                            size_t most, struct arena *arena, struct outcome *outcome,
                            struct store_version **ret_items, size_t *ret_count)
{
    struct number_set places = {.arena = arena_create(ARENA_REQUEST_BASE * 16)};
    struct referring to = {.tx = tx, .most = most, .places = &places, .outcome = outcome};
    *ret_items = NULL;
    *ret_count = 0;
    if (places.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = referrer_places(&to, version, source, parameter);
    if (status == STATUS_OK) {
        status = read_places(tx, &places, arena, ret_items, ret_count);
    }
    arena_destroy(places.arena);
    return status;
}

/* ---- who refers to it ---------------------------------------------------------------------------
 */

static enum status referrer_by(struct store_tx *tx, uint32_t parameter, int64_t target, int64_t own,
                               struct arena *arena, struct store_version *ret_version)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_REFERENCE_RIDS, &statement));
    statement_bind_number(statement, 1, parameter);
    statement_bind_number(statement, 2, target);
    statement_bind_number(statement, 3, INT64_MIN);
    bool row = false;
    int64_t rid = -1;
    TRY(statement_row(tx->connection, statement, &row));
    while (row && rid < 0) {
        rid = statement_number(statement, 0);
        if (rid == own) { /* a reference to itself holds nothing */
            rid = -1;
            TRY(statement_row(tx->connection, statement, &row));
        }
    }
    statement_reset(statement);
    return rid >= 0 ? place_read(tx->connection, rid, false, arena, ret_version) : STATUS_NOT_FOUND;
}

enum status store_find_referrer(struct store_tx *tx, resource_type type, struct slice id,
                                struct arena *arena, struct store_version *ret_version)
{
    const struct store *store = tx->connection->store;
    struct packed_id key;
    struct entry entry;
    if (!id_pack(id, &key)) {
        return STATUS_NOT_FOUND;
    }
    TRY(directory_find(tx, type, &key, &entry));
    if (!entry.known) {
        return STATUS_NOT_FOUND;
    }
    for (resource_type from = 1; from <= resource_type_count(store->definitions); from++) {
        for (uint32_t i = 0; i < store->parameter_counts[from]; i++) {
            uint32_t number = store->parameters[from][i].number;
            if (number == 0) {
                continue;
            }
            enum status status =
                referrer_by(tx, number * 2, entry.entity, entry.rid, arena, ret_version);
            if (status != STATUS_NOT_FOUND) {
                return status;
            }
        }
    }
    return STATUS_NOT_FOUND;
}
