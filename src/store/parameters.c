/* SPDX-License-Identifier: MIT */
/* store: the search parameters this store indexes. Numbers in the definitions hold for one blob
 * only, so the store has numbers of its own. A parameter whose paths changed, or that came when
 * resources of its type were there already, answers nothing until store_reindex. */
#include "learn_int.h"
#include "store_int.h"

/* A code is no text with a blank at its end (R4 datatypes, "code"), so no SearchParameter has it.
 */
const struct search_parameter contained_parameter = {.code = {"_contained ", 11},
                                                     .kind = SEARCH_TOKEN,
                                                     .simple = true,
                                                     .expression = {"contained", 9}};

const struct search_parameter presence_parameter = {.code = {"_presence ", 10},
                                                    .kind = SEARCH_TOKEN,
                                                    .simple = true,
                                                    .expression = {"presence", 8}};

/* Parameters that are the store's own have places of their own. */
static struct parameter *known_of(const struct store *store, resource_type type,
                                  const struct search_parameter *parameter)
{
    return parameter == &presence_parameter ? &store->presence[type]
                                            : &store->parameters[type][parameter->number];
}

static bool is_own(const struct search_parameter *parameter)
{
    return parameter == &contained_parameter || parameter == &presence_parameter;
}

const struct parameter *store_parameter(const struct store *store, resource_type type,
                                        const struct search_parameter *parameter)
{
    if (type == RESOURCE_TYPE_NONE || parameter->number >= store->parameter_counts[type] ||
        (parameter->number == 0 && !is_own(parameter))) {
        return NULL;
    }
    const struct parameter *known = known_of(store, type, parameter);
    return known->number != 0 ? known : NULL;
}

bool parameter_is_indexed(const struct search_parameter *parameter)
{
    if (is_own(parameter)) {
        return true;
    }
    bool said = parameter->simple ? parameter->path_count > 0 : parameter->expression.length > 0;
    return said && parameter->kind != SEARCH_COMPOSITE && parameter->kind != SEARCH_SPECIAL &&
           !slice_is(parameter->code, "_id") && !slice_is(parameter->code, "_lastUpdated");
}

const struct search_parameter *parameter_of_code(const struct store *store, resource_type type,
                                                 struct slice code)
{
    if (slice_equals(code, contained_parameter.code)) {
        return &contained_parameter;
    }
    if (slice_equals(code, presence_parameter.code)) {
        return &presence_parameter;
    }
    return search_parameter_find(store->definitions, type, code);
}

/* What the values depend on. */
static void shape_of(const struct search_parameter *parameter, uint8_t ret_shape[static 8])
{
    uint64_t hash = (uint64_t)parameter->kind + 1;
    struct slice expression = parameter->expression;
    /* FNV-1a: this is stored, so the hash must never change. */
    hash = (hash ^ UINT64_C(0xcbf29ce484222325)) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < expression.length; i++) {
        hash = (hash ^ (uint8_t)expression.at[i]) * UINT64_C(0x100000001b3);
    }
    memcpy(ret_shape, &hash, 8);
}

static enum status tables_make(struct store *store)
{
    size_t types = (size_t)resource_type_count(store->definitions) + 1;
    store->parameters = arena_array(store->arena, types, sizeof(*store->parameters));
    store->parameter_counts = arena_array(store->arena, types, sizeof(uint32_t));
    store->presence = arena_array(store->arena, types, sizeof(*store->presence));
    if (store->presence == NULL || store->parameters == NULL || store->parameter_counts == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t type = 1; type < types; type++) {
        size_t count = 0;
        const struct search_parameter *parameters =
            search_parameters(store->definitions, (resource_type)type, &count);
        uint32_t most = 0;
        for (size_t i = 0; i < count; i++) {
            most = parameters[i].number > most ? parameters[i].number : most;
        }
        most += SEARCH_ADDED_MOST; /* more may come while the store is open */
        store->parameters[type] = arena_array(store->arena, most + 1, sizeof(struct parameter));
        store->parameter_counts[type] = most + 1;
        if (store->parameters[type] == NULL) {
            return STATUS_MEMORY;
        }
    }
    return STATUS_OK;
}

struct loading {
    struct store *store;
    struct connection *connection;
    bool writing;
    uint32_t last; /* number given out */
};

enum status parameter_save(struct connection *connection, resource_type type,
                           const struct search_parameter *parameter,
                           const struct parameter_state *state, bool add)
{
    uint8_t shape[8];
    struct statement *statement;
    shape_of(parameter, shape);
    TRY(statement_get(connection, add ? SQL_PARAMETER_ADD : SQL_PARAMETER_SET, &statement));
    statement_bind_number(statement, 1, state->number);
    if (add) {
        statement_bind_number(statement, 2, type);
        statement_bind_text(statement, 3, parameter->code);
    }
    statement_bind_blob(statement, add ? 4 : 2, slice_of((const char *)shape, sizeof(shape)));
    statement_bind_number(statement, add ? 5 : 3, state->ready);
    return statement_run(connection, statement);
}

enum status parameter_recall(struct connection *connection, resource_type type,
                             const struct search_parameter *parameter,
                             struct parameter_state *ret_state)
{
    uint8_t shape[8];
    struct statement *statement;
    bool row = false;
    shape_of(parameter, shape);
    *ret_state = (struct parameter_state){0};
    TRY(statement_get(connection, SQL_PARAMETER_FIND, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_text(statement, 2, parameter->code);
    TRY(statement_row(connection, statement, &row));
    if (row) {
        bool same = slice_equals(statement_blob(statement, 1),
                                 slice_of((const char *)shape, sizeof(shape)));
        ret_state->number = (uint32_t)statement_number(statement, 0);
        ret_state->ready = same && (int)statement_number(statement, 2) != 0;
    }
    statement_reset(statement);
    return STATUS_OK;
}

/* Compiles the expression where that is needed. One that does not compile is not indexed: a search
 * by it is refused. */
static enum status parameter_understand(struct store *store, resource_type type,
                                        const struct search_parameter *parameter,
                                        struct parameter *known)
{
    if (parameter->simple || known->expression != NULL) {
        return STATUS_OK;
    }
    enum status status =
        parameter_compile(store->definitions, type, parameter, store->arena, &known->expression);
    if (status != STATUS_OK) {
        known->number = 0;
        known->expression = NULL;
    }
    return arena_full(store->arena) ? STATUS_MEMORY : STATUS_OK;
}

/* Those in the table that the definitions still know. */
static enum status parameters_recall(struct loading *loading)
{
    struct store *store = loading->store;
    struct statement *statement;
    TRY(statement_get(loading->connection, SQL_PARAMETERS, &statement));
    bool row = false;
    TRY(statement_row(loading->connection, statement, &row));
    while (row) {
        uint32_t number = (uint32_t)statement_number(statement, 0);
        int type = (int)statement_number(statement, 1);
        loading->last = number > loading->last ? number : loading->last;
        const struct search_parameter *parameter =
            type > 0 && type <= resource_type_count(store->definitions)
                ? parameter_of_code(store, (resource_type)type, statement_blob(statement, 2))
                : NULL;
        if (parameter != NULL && parameter_is_indexed(parameter)) {
            uint8_t shape[8];
            shape_of(parameter, shape);
            bool same = slice_equals(statement_blob(statement, 3),
                                     slice_of((const char *)shape, sizeof(shape)));
            struct parameter *known = known_of(store, (resource_type)type, parameter);
            known->number = number;
            known->ready = same && (int)statement_number(statement, 4) != 0;
            TRY(parameter_understand(store, (resource_type)type, parameter, known));
        }
        TRY(statement_row(loading->connection, statement, &row));
    }
    return STATUS_OK;
}

static enum status parameter_take(struct loading *loading, resource_type type,
                                  const struct search_parameter *parameter, bool used)
{
    struct store *store = loading->store;
    struct parameter *known = known_of(store, type, parameter);
    if (!parameter_is_indexed(parameter)) {
        return STATUS_OK;
    }
    bool add = known->number == 0;
    if (add) {
        known->number = loading->last + 1;
        TRY(parameter_understand(store, type, parameter, known));
        if (known->number == 0) {
            return STATUS_OK;
        }
        loading->last++;
    }
    if (add || !known->ready) {
        known->ready = !used;
        struct parameter_state state = {known->number, known->ready != 0};
        TRY(parameter_save(loading->connection, type, parameter, &state, add));
    }
    return STATUS_OK;
}

static enum status parameters_of_type(struct loading *loading, resource_type type)
{
    size_t count = 0;
    const struct search_parameter *parameters =
        search_parameters(loading->store->definitions, type, &count);
    bool used = false;
    TRY(type_is_used(loading->connection, type, &used));
    for (size_t i = 0; i < count; i++) {
        TRY(parameter_take(loading, type, &parameters[i], used));
    }
    TRY(parameter_take(loading, type, &contained_parameter, used));
    /* A server has none: a row takes several times the room there. */
    return loading->connection->db != NULL
               ? parameter_take(loading, type, &presence_parameter, used)
               : STATUS_OK;
}

enum status parameters_load(struct store *store, struct connection *connection, bool writing)
{
    struct loading loading = {store, connection, writing, 0};
    TRY(tables_make(store));
    TRY(connection->db != NULL ? strays_load(store, connection) : STATUS_OK);
    if (!writing) {
        TRY(parameters_recall(&loading));
        return pairs_load(store, connection, false, &loading.last);
    }
    TRY(database_begin(connection, true));
    enum status status = parameters_recall(&loading);
    for (resource_type type = 1;
         status == STATUS_OK && type <= resource_type_count(store->definitions); type++) {
        status = parameters_of_type(&loading, type);
    }
    if (status == STATUS_OK) {
        status = pairs_load(store, connection, true, &loading.last);
    }
    if (status == STATUS_OK) {
        status = database_commit(connection);
    }
    if (status != STATUS_OK) {
        database_rollback(connection);
    }
    return status;
}
