/* SPDX-License-Identifier: MIT */
/* store: versions written. Everything here runs on the writer's thread inside a job. */
#include "store_int.h"

/* What one put or delete works with. */
struct change {
    struct store_tx *tx;
    struct connection *connection;
    struct writer *writer;
    struct arena *arena;
    struct entry entry;
    int64_t updated;
    uint64_t number;
    int64_t rid; /* the place of the new version */
    uint32_t home;
    struct number_set patients; /* of the new version, its home first */
    uint32_t *others;           /* without the home */
    size_t other_count;
    struct concern concern, old_concern;
    struct facts old_facts, new_facts;
    const uint32_t *old_others;
    size_t old_other_count;
    uint64_t old_change;
    int64_t base; /* number of the base URL that made a reference local; 0: none did */
};

bool store_condition_meets(const struct store_condition *condition, uint32_t version)
{
    bool meets = condition->version_count == 0;
    for (size_t i = 0; i < condition->version_count; i++) {
        meets = meets || condition->versions[i] == version;
    }
    return meets && (condition->version == 0 || condition->version == version);
}

static enum status check_condition(const struct change *change,
                                   const struct store_condition *condition, struct outcome *outcome)
{
    bool live = change->entry.known && change->entry.state == ENTRY_LIVE;
    if (condition == NULL) {
        return STATUS_OK;
    }
    bool one_of = condition->version_count > 0;
    if (condition->absent && live) {
        return outcome_fail(outcome, STATUS_PRECONDITION, "",
                            "The resource exists already. Update it, or use another id.");
    }
    if ((condition->present || condition->version != 0 || one_of) && !live) {
        return outcome_fail(outcome, STATUS_PRECONDITION, "",
                            "There is no current version of the resource to change.");
    }
    if (!store_condition_meets(condition, change->entry.version)) {
        return outcome_fail(outcome, STATUS_PRECONDITION, "",
                            "The resource has changed since that version. Read it again and repeat "
                            "the change on what is current.");
    }
    return STATUS_OK;
}

/* The next number, and a time later than every change before. */
static void change_begin(struct change *change)
{
    struct counters *counters = &change->writer->counters;
    if (change->connection->db != NULL) {
        int64_t now = time_now();
        counters->updated = now > counters->updated ? now : counters->updated + 1;
    } /* else the transaction has one time, which the server gave it */
    change->updated = counters->updated;
    change->number = (uint64_t)++counters->change;
}

static enum status patient_number(struct change *change, struct slice id, uint32_t *ret_number)
{
    struct packed_id key;
    struct entry entry;
    if (!id_pack(id, &key)) {
        return STATUS_INTERNAL;
    }
    TRY(directory_mention(change->tx, change->connection->store->patient_type, &key, &entry));
    *ret_number = place_patient(entry.rid);
    return STATUS_OK;
}

static uint32_t bucket(const struct packed_id *id)
{
    /* Stored in places, so a hash that never changes. */
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < id->length; i++) {
        hash = (hash ^ (uint8_t)id->bytes[i]) * UINT32_C(16777619);
    }
    return 1 + (hash ^ hash >> 16) % PLACE_BUCKETS;
}

static enum status choose_home(struct change *change, const struct store_draft *draft)
{
    const struct store *store = change->connection->store;
    if (draft->type == store->patient_type) {
        struct packed_id key = draft->key;
        TRY(directory_mention(change->tx, draft->type, &key, &change->entry));
        change->home = place_patient(change->entry.rid);
        change->rid = change->entry.rid;
        return STATUS_OK;
    }
    if (draft->said.homes.count > 0) {
        TRY(patient_number(change, draft->said.homes.items[0], &change->home));
    } else {
        change->home = resource_type_is_shared(store->definitions, draft->type)
                           ? PLACE_SHARED
                           : bucket(&draft->key);
    }
    if (change->entry.known && change->entry.state == ENTRY_LIVE &&
        place_patient(change->entry.rid) == change->home) {
        change->rid = change->entry.rid;
        return STATUS_OK;
    }
    return place_next(change->tx, change->home, &change->rid);
}

static enum status add_named(struct change *change, const struct text_set *ids)
{
    for (size_t i = 0; i < ids->count; i++) {
        uint32_t patient = 0;
        TRY(patient_number(change, ids->items[i], &patient));
        (void)number_set_add(&change->patients, patient);
    }
    return STATUS_OK;
}

/* First those that it names itself, then those whom what it is tied to concerns. */
static enum status find_others(struct change *change, const struct store_draft *draft, bool live,
                               struct outcome *outcome)
{
    struct number_set *patients = &change->patients;
    patients->arena = change->arena;
    bool has_home = change->home >= PATIENT_FIRST;
    if (has_home) {
        (void)number_set_add(patients, change->home);
    }
    TRY(add_named(change, &draft->said.homes));
    TRY(add_named(change, &draft->said.patients));
    TRY(concern_keys(change->tx, &draft->said.ties, change->arena, &change->concern));
    change->concern.direct = patients->count - has_home;
    TRY(concern_reach(change->tx, draft->type, &draft->key, live ? change->entry.rid : -1,
                      &change->concern, change->arena, outcome, patients));
    change->others = arena_array(change->arena, patients->count + 1, sizeof(*change->others));
    if (change->others == NULL || patients->broken) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = has_home; i < patients->count; i++) {
        change->others[change->other_count++] = (uint32_t)patients->items[i];
    }
    return STATUS_OK;
}

/* ---- index values ------------------------------------------------------------------------------
 */

/* Removes the rows that only the old version has and adds those that only the new one has. */
enum status facts_exchange(struct connection *connection, const struct facts *old, int64_t old_rid,
                           const struct facts *new, int64_t rid)
{
    bool moved = old_rid != rid;
    size_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        int order = i >= old->count   ? 1
                    : j >= new->count ? -1
                                      : fact_compare(&old->items[i], &new->items[j]);
        if (order <= 0 && (order < 0 || moved)) {
            TRY(fact_delete(connection, &old->items[i], old_rid));
        }
        if (order >= 0 && (order > 0 || moved)) {
            TRY(fact_insert(connection, &new->items[j], rid));
        }
        i += order <= 0;
        j += order >= 0;
    }
    return STATUS_OK;
}

/* ---- rows
 * ---------------------------------------------------------------------------------------- */

static enum status run_two(struct connection *connection, enum statement_number number,
                           int64_t first, int64_t second)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    statement_bind_number(statement, 1, first);
    statement_bind_number(statement, 2, second);
    return statement_run(connection, statement);
}

/* What the current version has in the trees, before it goes. */
static enum status read_old(struct change *change)
{
    struct statement *statement;
    TRY(statement_get(change->connection, SQL_RESOURCE_FACTS, &statement));
    statement_bind_number(statement, 1, change->entry.rid);
    bool row = false;
    TRY(statement_row(change->connection, statement, &row));
    if (!row) {
        return STATUS_CORRUPT;
    }
    struct slice blob = arena_copy(change->arena, statement_blob(statement, 0));
    struct slice others = arena_copy(change->arena, statement_blob(statement, 1));
    change->old_change = (uint64_t)statement_number(statement, 2);
    statement_reset(statement);
    if (blob.at == NULL || others.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    change->old_facts = (struct facts){.arena = change->arena};
    TRY(facts_read(blob, &change->old_facts));
    TRY(patients_read(others, 0, change->arena, &change->old_others, &change->old_other_count));
    return concern_read(change->connection, change->entry.rid, change->old_other_count,
                        change->arena, &change->old_concern);
}

static enum status old_to_past(struct change *change)
{
    TRY(run_two(change->connection, SQL_RESOURCE_TO_PAST, change->entry.rid, change->updated));
    for (size_t i = 0; i < change->old_other_count; i++) {
        TRY(run_two(change->connection, SQL_MEMBER_REMOVE, change->old_others[i],
                    change->entry.rid));
    }
    TRY(concern_remove(change->connection, change->entry.rid, &change->old_concern,
                       change->old_other_count));
    change->writer->counters.versions++;
    return concern_to_past(change->connection, change->old_change, false, &change->old_concern,
                           change->old_other_count, change->arena);
}

/* How the row says which method made it. */
static int64_t method_code(const struct change *change, enum store_method method, bool live)
{
    bool back = method == STORE_UPDATED && !live && change->entry.version > 1;
    return back ? METHOD_PUT_BACK : (int64_t)method;
}

static enum status write_row(struct change *change, const struct store_draft *draft, int64_t method,
                             bool replace)
{
    struct buffer facts = {.arena = change->arena};
    struct buffer others = {.arena = change->arena};
    facts_write(&change->new_facts, &facts);
    patients_write(change->others, change->other_count, &others);
    if (!buffer_ok(&facts) || !buffer_ok(&others)) {
        return STATUS_TOO_COSTLY;
    }
    struct statement *statement;
    TRY(statement_get(change->connection, replace ? SQL_RESOURCE_SET : SQL_RESOURCE_ADD,
                      &statement));
    statement_bind_number(statement, 1, change->rid);
    statement_bind_number(statement, 2, draft->type);
    statement_bind_id(statement, 3, &draft->key);
    statement_bind_number(statement, 4, change->entry.version);
    statement_bind_number(statement, 5, change->updated);
    statement_bind_number(statement, 6, (int64_t)change->number);
    statement_bind_number(statement, 7, change->base << METHOD_BITS | method);
    statement_bind_number(statement, 8, draft->splice);
    if (others.length > 0) {
        statement_bind_blob(statement, 9, buffer_slice(&others));
    } else {
        statement_bind_null(statement, 9);
    }
    statement_bind_number(statement, 10, (int64_t)draft->blob_length);
    statement_bind_blob(statement, 11, buffer_slice(&facts));
    statement_bind_number(statement, 12, draft->dictionary);
    statement_bind_blob(statement, 13, draft->stored);
    return statement_run(change->connection, statement);
}

static enum status add_change(struct change *change, resource_type type)
{
    struct statement *statement;
    TRY(statement_get(change->connection, SQL_CHANGE_ADD, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_number(statement, 2, (int64_t)change->number);
    statement_bind_number(statement, 3, change->rid);
    return statement_run(change->connection, statement);
}

/* ---- putting ------------------------------------------------------------------------------------
 */

static void add_old_patients(const struct change *change, uint32_t old_home, struct number_set *set)
{
    if (old_home >= PATIENT_FIRST) {
        (void)number_set_add(set, old_home);
    }
    for (size_t i = 0; i < change->old_other_count; i++) {
        (void)number_set_add(set, change->old_others[i]);
    }
}

static enum status give_written(const struct change *change, bool created, uint32_t old_home,
                                struct arena *arena, struct store_written *ret_written)
{
    struct number_set all = change->patients;
    all.arena = change->arena;
    add_old_patients(change, old_home, &all);
    uint32_t *patients = arena_array(arena, all.count + 1, sizeof(*patients));
    if (patients == NULL || all.broken) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < all.count; i++) {
        patients[i] = (uint32_t)all.items[i];
    }
    *ret_written = (struct store_written){.version = change->entry.version,
                                          .updated = change->updated,
                                          .change = change->number,
                                          .created = created,
                                          .patients = patients,
                                          .patient_count = all.count,
                                          .tied = change->concern.key_count > 0};
    return STATUS_OK;
}

/* Tells those that are tied to it. */
static enum status spread(struct change *change, const struct store_draft *draft, bool live,
                          bool deleted, uint32_t old_home, struct outcome *outcome)
{
    struct concern_change news = {.type = draft->type,
                                  .id = &draft->key,
                                  .was_live = live,
                                  .was_deleted = deleted,
                                  .before = {.arena = change->arena},
                                  .after = change->patients,
                                  .old = &change->old_concern,
                                  .new = &change->concern,
                                  .old_facts = &change->old_facts,
                                  .new_facts = &change->new_facts};
    add_old_patients(change, old_home, &news.before);
    bool alone = resource_type_is_shared(change->connection->store->definitions, draft->type) &&
                 change->concern.key_count + change->old_concern.key_count == 0;
    return alone ? STATUS_OK : concern_spread(change->tx, &news, change->arena, outcome);
}

static enum status replace_old(struct change *change, const struct store_draft *draft)
{
    TRY(read_old(change));
    TRY(old_to_past(change));
    if (change->rid != change->entry.rid) {
        TRY(run_two(change->connection, SQL_RESOURCE_REMOVE, change->entry.rid, 0));
        TRY(run_two(change->connection, SQL_PLACE_REMOVE, draft->type, change->entry.rid));
    }
    return STATUS_OK;
}

/* After a delete, the tombstone was what held until now. */
static enum status end_tombstone(struct change *change, const struct store_draft *draft)
{
    struct statement *statement;
    TRY(statement_get(change->connection, SQL_PAST_END, &statement));
    statement_bind_number(statement, 1, draft->type);
    statement_bind_id(statement, 2, &draft->key);
    statement_bind_number(statement, 3, change->entry.version);
    statement_bind_number(statement, 4, change->updated);
    return statement_run(change->connection, statement);
}

static enum status put_rows(struct change *change, const struct store_draft *draft,
                            enum store_method method, bool live)
{
    int64_t old_rid = change->entry.rid;
    bool add = !live || old_rid != change->rid;
    change->entry.version++;
    change->entry.state = ENTRY_LIVE;
    change->entry.rid = change->rid;
    if (!change->entry.known) {
        TRY(number_next(change->writer, NUMBER_ENTITY, &change->entry.entity));
    }
    TRY(directory_store(change->tx, &change->entry));
    TRY(write_row(change, draft, method_code(change, method, live), !add));
    if (add) {
        struct statement *statement;
        TRY(statement_get(change->connection, SQL_PLACE_ADD, &statement));
        statement_bind_number(statement, 1, draft->type);
        statement_bind_number(statement, 2, change->rid);
        TRY(statement_run(change->connection, statement));
    }
    TRY(add_change(change, draft->type));
    for (size_t i = 0; i < change->other_count; i++) {
        TRY(run_two(change->connection, SQL_MEMBER_ADD, change->others[i], change->rid));
    }
    TRY(concern_write(change->connection, change->rid, &change->concern, change->other_count,
                      change->arena));
    TRY(facts_exchange(change->connection, &change->old_facts, old_rid, &change->new_facts,
                       change->rid));
    TRY(words_put(change->tx, &change->new_facts, change->rid));
    if (draft->type == change->connection->store->patient_type) {
        TRY(person_links_put(change->tx, draft, change->home));
        change->writer->counters.patients += !live;
    }
    change->writer->counters.resources += !live;
    return draft->blob_length > 0 ? blob_put(change->tx, draft, change->number) : STATUS_OK;
}

/* Parameters may have come, or gone, since the draft was made. */
static enum status resolve_facts(struct change *change, const struct store_draft *draft)
{
    const struct store *store = change->connection->store;
    struct facts again = {.arena = change->arena};
    struct json json;
    if (draft->turn == store_parameters_turn(store)) {
        return facts_resolve(change->tx, &draft->facts, &change->new_facts);
    }
    TRY(json_read(draft->body, &json_limits_default, change->arena, NULL, &json));
    extract_all(store, draft->type, json.root, draft->base_url, &again);
    return again.broken ? STATUS_TOO_COSTLY : facts_resolve(change->tx, &again, &change->new_facts);
}

enum status store_put(struct store_tx *tx, const struct store_draft *draft,
                      enum store_method method, const struct store_condition *condition,
                      struct arena *arena, struct outcome *outcome,
                      struct store_written *ret_written)
{
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    /* Only the answer is the caller's: a transaction puts thousands on one request's arena. */
    struct arena *scratch = tx->writer->scratch;
    struct arena_mark mark = arena_mark(scratch);
    struct change change = {
        .tx = tx, .connection = tx->connection, .writer = tx->writer, .arena = scratch};
    TRY(directory_find(tx, draft->type, &draft->key, &change.entry));
    TRY(check_condition(&change, condition, outcome));
    bool live = change.entry.known && change.entry.state == ENTRY_LIVE;
    bool deleted = change.entry.known && change.entry.state == ENTRY_DELETED;
    uint32_t old_home = live ? place_patient(change.entry.rid) : 0;
    change_begin(&change);
    TRY(choose_home(&change, draft));
    TRY(find_others(&change, draft, live, outcome));
    change.new_facts = (struct facts){.arena = scratch};
    TRY(resolve_facts(&change, draft));
    tx->writer->taught |= draft->type == tx->connection->store->parameter_type;
    if (draft->facts.used_base) {
        TRY(intern_system(tx, draft->base_url, &change.base));
    }
    /* A reference to itself may just have put it into the directory. */
    TRY(directory_find(tx, draft->type, &draft->key, &change.entry));
    if (live) {
        TRY(replace_old(&change, draft));
    } else if (deleted) {
        TRY(end_tombstone(&change, draft));
    }
    TRY(put_rows(&change, draft, method, live));
    TRY(spread(&change, draft, live, deleted, old_home, outcome));
    for (const struct draft_note *note = draft->notes; note != NULL; note = note->next) {
        TRY(store_note_set(tx, note->name, note->value));
    }
    TRY(give_written(&change, !live, old_home, arena, ret_written));
    arena_rewind(scratch, mark);
    return STATUS_OK;
}

/* ---- deleting -----------------------------------------------------------------------------------
 */

static enum status delete_rows(struct change *change, resource_type type)
{
    struct connection *connection = change->connection;
    TRY(read_old(change));
    uint32_t home = place_patient(change->entry.rid);
    TRY(old_to_past(change));
    change->rid = change->entry.rid;
    for (size_t i = 0; i < change->old_facts.count; i++) {
        TRY(fact_delete(connection, &change->old_facts.items[i], change->rid));
    }
    TRY(run_two(connection, SQL_RESOURCE_REMOVE, change->rid, 0));
    TRY(run_two(connection, SQL_PLACE_REMOVE, type, change->rid));
    TRY(add_change(change, type));
    change->entry.version++;
    change->entry.state = ENTRY_DELETED;
    struct buffer others = {.arena = change->arena};
    patients_write(change->old_others, change->old_other_count, &others);
    if (!buffer_ok(&others)) {
        return STATUS_TOO_COSTLY;
    }
    struct statement *statement;
    TRY(statement_get(connection, SQL_PAST_ADD, &statement));
    statement_bind_number(statement, 1, (int64_t)change->number);
    statement_bind_number(statement, 2, type);
    statement_bind_id(statement, 3, &change->entry.id);
    statement_bind_number(statement, 4, change->entry.version);
    statement_bind_number(statement, 5, change->updated);
    statement_bind_number(statement, 6, STORE_DELETED);
    statement_bind_number(statement, 7, home);
    statement_bind_blob(statement, 8, buffer_slice(&others));
    TRY(statement_run(connection, statement));
    TRY(concern_to_past(connection, change->number, true, &change->old_concern,
                        change->old_other_count, change->arena));
    TRY(directory_store(change->tx, &change->entry));
    struct counters *counters = &change->writer->counters;
    counters->versions++;
    counters->resources--;
    if (type == connection->store->patient_type) {
        counters->patients--;
        return person_links_remove(change->tx, home);
    }
    return STATUS_OK;
}

static enum status was_deleted(struct change *change, resource_type type, struct slice id,
                               struct store_written *ret_written)
{
    struct store_version version;
    enum status status = store_read(change->tx, type, id, change->arena, &version);
    if (status == STATUS_GONE) {
        *ret_written = (struct store_written){.version = version.version,
                                              .updated = version.updated,
                                              .change = version.change,
                                              .patients = version.patients,
                                              .patient_count = version.patient_count};
    }
    return status == STATUS_OK ? STATUS_CORRUPT : status;
}

enum status store_delete(struct store_tx *tx, resource_type type, struct slice id,
                         const struct store_condition *condition, struct arena *arena,
                         struct outcome *outcome, struct store_written *ret_written)
{
    struct change change = {
        .tx = tx, .connection = tx->connection, .writer = tx->writer, .arena = arena};
    struct packed_id key;
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    if (!id_pack(id, &key)) {
        return STATUS_NOT_FOUND;
    }
    TRY(directory_find(tx, type, &key, &change.entry));
    TRY(check_condition(&change, condition, outcome));
    if (!change.entry.known || change.entry.state == ENTRY_MENTIONED) {
        return STATUS_NOT_FOUND;
    }
    if (change.entry.state == ENTRY_DELETED) {
        return was_deleted(&change, type, id, ret_written);
    }
    tx->writer->taught |= type == tx->connection->store->parameter_type;
    change_begin(&change);
    change.home = place_patient(change.entry.rid);
    TRY(delete_rows(&change, type));
    return give_written(&change, false, change.home, arena, ret_written);
}
