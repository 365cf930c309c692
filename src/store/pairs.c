/* SPDX-License-Identifier: MIT */
/* store: pairs, rows of two values at once. "This code, and a value above five" or "this code,
 * newest first" asks for what two long lists have in common, which neither tree can tell but by
 * reading most of one of them. So some pairs of parameters, one of codes and one of dates or
 * quantities, have rows of their own in the tree of texts, first the code and then the other value:
 * every code of a resource with every date or quantity of it. What both parameters ask for
 * separately is just what these rows say, and a composite of the two finds among them.
 *
 * A row is no index value of its own: it follows from the values of the two, so the blob of a
 * resource has none. It is short, for there are many: a quantity is cut to its first 32 bits and
 * has no unit, a date has no width but that its class tells. What that leaves in doubt is tested
 * again. */
#include "learn_int.h"
#include "store_int.h"

/* Which pairs are kept: those that people ask for, as each costs some 25 bytes a resource. A pair
 * that is added here is indexed in the background in every store that is opened, and so is one that
 * is removed and comes back. */
static const struct {
    const char *type, *first, *second;
    enum tree tree; /* of the second */
} kept[] = {
    {"Observation", "code", "value-quantity", TREE_QUANTITY},
    {"Observation", "code", "date", TREE_DATE},
    {"Condition", "code", "onset-date", TREE_DATE},
    {"DiagnosticReport", "code", "date", TREE_DATE},
    {"Encounter", "type", "date", TREE_DATE},
    {"Immunization", "vaccine-code", "date", TREE_DATE},
    {"MedicationRequest", "code", "authoredon", TREE_DATE},
    {"Procedure", "code", "date", TREE_DATE},
};
#define KEPT (sizeof(kept) / sizeof(kept[0]))

/* What its rows are made of: another number where that changes. */
static const uint8_t shape[8] = {'p', 'a', 'i', 'r', 0, 0, 0, 1};

/* ---- which there are ----------------------------------------------------------------------------
 */

static enum status pair_recall(struct connection *connection, resource_type type, struct slice name,
                               struct parameter_state *ret_state)
{
    struct statement *statement;
    bool row = false;
    *ret_state = (struct parameter_state){0};
    TRY(statement_get(connection, SQL_PARAMETER_FIND, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_text(statement, 2, name);
    TRY(statement_row(connection, statement, &row));
    if (row) {
        ret_state->number = (uint32_t)statement_number(statement, 0);
        ret_state->ready = (int)statement_number(statement, 2) != 0;
    }
    statement_reset(statement);
    return STATUS_OK;
}

static enum status pair_save(struct connection *connection, const struct pair *pair)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_PARAMETER_ADD, &statement));
    statement_bind_number(statement, 1, pair->known.number);
    statement_bind_number(statement, 2, pair->type);
    statement_bind_text(statement, 3, pair->name);
    statement_bind_blob(statement, 4, slice_of((const char *)shape, sizeof(shape)));
    statement_bind_number(statement, 5, pair->known.ready != 0);
    return statement_run(connection, statement);
}

/* The numbers of its two parameters never change in a store, whatever these mean. *RET_KEPT false:
 * the store has not both. */
static enum status pair_load(struct store *store, struct connection *connection, bool writing,
                             size_t at, struct pair *pair, uint32_t *last, bool *ret_kept)
{
    struct parameter_state first, second, own;
    struct buffer name = {.arena = store->arena};
    bool used = false;
    *pair = (struct pair){
        .type = resource_type_find(store->definitions, slice_text(kept[at].type)),
        .tree = kept[at].tree,
    };
    *ret_kept = false;
    TRY(pair_recall(connection, pair->type, slice_text(kept[at].first), &first));
    TRY(pair_recall(connection, pair->type, slice_text(kept[at].second), &second));
    buffer_print(&name, " %s %s", kept[at].first, kept[at].second);
    if (!buffer_ok(&name)) {
        return STATUS_MEMORY;
    }
    pair->name = buffer_slice(&name);
    pair->first = first.number * 2;
    pair->second = second.number * 2;
    TRY(pair_recall(connection, pair->type, pair->name, &own));
    pair->known.number = own.number;
    pair->known.ready = own.ready;
    bool add = own.number == 0 && writing;
    if (first.number == 0 || second.number == 0 || (own.number == 0 && !add)) {
        return STATUS_OK;
    }
    *ret_kept = true;
    if (!add) {
        return STATUS_OK;
    }
    TRY(type_is_used(connection, pair->type, &used));
    pair->known.number = ++*last;
    pair->known.ready = !used;
    return pair_save(connection, pair);
}

enum status pairs_load(struct store *store, struct connection *connection, bool writing,
                       uint32_t *last)
{
    store->pairs = arena_array(store->arena, KEPT, sizeof(*store->pairs));
    if (store->pairs == NULL) {
        return STATUS_MEMORY;
    }
    if (connection->db == NULL) {
        return STATUS_OK; /* a server has none: its rows take three times the room */
    }
    for (size_t i = 0; i < KEPT; i++) {
        bool is_kept = false;
        TRY(pair_load(store, connection, writing, i, &store->pairs[store->pair_count], last,
                      &is_kept));
        store->pair_count += is_kept;
    }
    return STATUS_OK;
}

bool pair_is_named(struct slice name)
{
    return name.length > 0 && name.at[0] == ' ';
}

const struct pair *pair_find(const struct connection *connection, uint32_t first, uint32_t second)
{
    const struct store *store = connection->store;
    for (size_t i = 0; i < store->pair_count; i++) {
        const struct pair *pair = &store->pairs[i];
        if (pair->first == first && pair->second == second &&
            parameter_is_ready(&pair->known, connection)) {
            return pair;
        }
    }
    return NULL;
}

bool pair_is_ready(const struct store *store, const struct fact *row)
{
    uint32_t number = (row->parameter & ((UINT32_C(1) << DATE_CLASS_SHIFT) - 1)) / 2;
    for (size_t i = 0; i < store->pair_count; i++) {
        if (store->pairs[i].known.number == number) {
            return store->pairs[i].known.ready != 0;
        }
    }
    return false;
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

/* Codes stand first and none begins another's bytes: two bytes below CODE_LONG, else how many
 * follow. */
#define CODE_LONG 0xf000

static void add_big(struct pair_key *key, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;) {
        key->bytes[key->length++] = (char)(value >> 8 * i);
    }
}

void pair_add_code(struct pair_key *key, int64_t code)
{
    uint64_t value = (uint64_t)code;
    unsigned bytes = 3;
    if (value < CODE_LONG) {
        add_big(key, value, 2);
        return;
    }
    while (bytes < 8 && value >> 8 * bytes != 0) {
        bytes++;
    }
    key->bytes[key->length++] = (char)(0xf0 + bytes);
    add_big(key, value, bytes);
}

/* Seconds are five bytes from SECONDS_FIRST on, which no date is as early as; what is part of a
 * second follows, so that whole seconds come before it. */
#define SECOND        INT64_C(1000000)
#define SECONDS_FIRST (-(INT64_C(1) << 39))
#define SECONDS_LAST  (-SECONDS_FIRST - 1)

void pair_add_date(struct pair_key *key, int64_t low)
{
    int64_t seconds = low / SECOND - (low % SECOND < 0), part = 0;
    if (seconds <= SECONDS_FIRST || seconds >= SECONDS_LAST) {
        seconds = seconds < 0 ? SECONDS_FIRST : SECONDS_LAST;
    } else {
        part = low - seconds * SECOND;
    }
    add_big(key, (uint64_t)(seconds - SECONDS_FIRST), 5);
    if (part != 0) {
        add_big(key, (uint64_t)part, 3);
    }
}

static uint64_t read_big(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

int64_t pair_read_date(struct slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.at;
    if (bytes.length < 5) {
        return DATE_BEGINNING;
    }
    int64_t seconds = (int64_t)read_big(at, 5) + SECONDS_FIRST;
    if (seconds <= SECONDS_FIRST || seconds >= SECONDS_LAST) {
        return seconds < 0 ? DATE_BEGINNING : DATE_END;
    }
    return seconds * SECOND + (bytes.length >= 8 ? (int64_t)read_big(at + 5, 3) : 0);
}

uint32_t pair_cut(double value)
{
    uint64_t bits;
    value += 0.0; /* -0 is 0 */
    memcpy(&bits, &value, sizeof(bits));
    bits = bits >> 63 != 0 ? ~bits : bits | UINT64_C(0x8000000000000000);
    return (uint32_t)(bits >> 32);
}

double pair_uncut(uint32_t cut)
{
    uint64_t bits = (uint64_t)cut << 32;
    double value;
    bits = bits >> 63 != 0 ? bits & ~UINT64_C(0x8000000000000000) : ~bits;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void pair_add_cut(struct pair_key *key, uint32_t cut)
{
    add_big(key, cut, 4);
}

uint32_t pair_read_cut(struct slice bytes)
{
    return bytes.length >= 4 ? (uint32_t)read_big((const uint8_t *)bytes.at, 4) : 0;
}

/* ---- of a resource ------------------------------------------------------------------------------
 */

static void add_row(const struct pair *pair, int64_t code, const struct fact *second,
                    struct facts *rows)
{
    struct pair_key key = {.length = 0};
    struct fact row = {.parameter = pair->known.number * 2, .tree = TREE_TEXT};
    pair_add_code(&key, code);
    if (pair->tree == TREE_DATE) {
        row.parameter = date_class_parameter(row.parameter, date_class_of(second->other));
        pair_add_date(&key, second->number);
    } else {
        row.parameter += second->parameter & 1;
        pair_add_cut(&key, pair_cut(second->real));
    }
    row.text = arena_copy(rows->arena, slice_of(key.bytes, key.length));
    rows->broken = rows->broken || row.text.at == NULL;
    facts_add(rows, &row);
}

static void rows_of_pair(const struct pair *pair, const struct facts *facts, struct facts *rows)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct fact *first = &facts->items[i];
        if (first->parameter != pair->first || first->tree != TREE_TOKEN ||
            first->number == CODE_PRESENT) {
            continue;
        }
        for (size_t j = 0; j < facts->count; j++) {
            const struct fact *second = &facts->items[j];
            if ((second->parameter & ~1u) == pair->second && second->tree == pair->tree) {
                add_row(pair, first->number, second, rows);
            }
        }
    }
}

enum status pairs_of_facts(const struct store *store, resource_type type, const struct facts *facts,
                           struct facts *ret_rows)
{
    for (size_t i = 0; i < store->pair_count; i++) {
        const struct pair *pair = &store->pairs[i];
        if (pair->type == type && pair->known.number != 0) {
            rows_of_pair(pair, facts, ret_rows);
        }
    }
    if (ret_rows->broken) {
        return STATUS_TOO_COSTLY;
    }
    facts_sort(ret_rows);
    return STATUS_OK;
}

static bool has_pairs(const struct store *store, resource_type type)
{
    for (size_t i = 0; i < store->pair_count; i++) {
        if (store->pairs[i].type == type) {
            return true;
        }
    }
    return false;
}

enum status pairs_exchange(struct connection *connection, resource_type type,
                           const struct facts *old, int64_t old_rid, const struct facts *new,
                           int64_t rid, struct arena *arena)
{
    struct facts before = {.arena = arena}, after = {.arena = arena};
    if (!has_pairs(connection->store, type)) {
        return STATUS_OK;
    }
    TRY(pairs_of_facts(connection->store, type, old, &before));
    TRY(pairs_of_facts(connection->store, type, new, &after));
    return facts_exchange(connection, &before, old_rid, &after, rid);
}

enum status pairs_mend(struct connection *connection, resource_type type, const struct facts *old,
                       const struct facts *new, int64_t rid, struct arena *arena)
{
    struct facts after = {.arena = arena};
    if (!has_pairs(connection->store, type)) {
        return STATUS_OK;
    }
    TRY(pairs_exchange(connection, type, old, rid, new, rid, arena));
    TRY(pairs_of_facts(connection->store, type, new, &after));
    for (size_t i = 0; i < after.count; i++) {
        bool has = false;
        TRY(fact_has(connection, &after.items[i], rid, &has));
        if (!has) {
            TRY(fact_insert(connection, &after.items[i], rid));
        }
    }
    return STATUS_OK;
}
