/* SPDX-License-Identifier: MIT */
/* store: clauses made ready: texts become numbers and keys, and what is exact becomes a stream. */
#include "find_int.h"

/* More codes than this for one value ("system|") are tested for, not streamed. */
#define STREAM_SOURCES 64
#define NUMBERS_LIMIT  100000

struct number_list {
    struct arena *arena;
    int64_t *items;
    size_t count, capacity;
};

static enum status list_add(struct number_list *list, int64_t number)
{
    if (list->count >= NUMBERS_LIMIT) {
        return STATUS_TOO_COSTLY;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        int64_t *items = arena_resize(list->arena, list->items, list->capacity * sizeof(*items),
                                      capacity * sizeof(*items));
        if (items == NULL) {
            return STATUS_TOO_COSTLY;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = number;
    return STATUS_OK;
}

static int number_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum status add_rows(struct connection *connection, sqlite3_stmt *statement,
                            struct number_list *list)
{
    bool row = false;
    TRY(statement_row(connection, statement, &row));
    while (row) {
        TRY(list_add(list, sqlite3_column_int64(statement, 0)));
        TRY(statement_row(connection, statement, &row));
    }
    return STATUS_OK;
}

static void bind_text(sqlite3_stmt *statement, int at, struct slice text)
{
    sqlite3_bind_text(statement, at, text.at != NULL ? text.at : "", (int)text.length,
                      SQLITE_STATIC);
}

/* The numbers of all codes that "system|code", "|code", "code" or "system|" mean. */
static enum status find_codes(struct connection *connection, const struct store_value *value,
                              struct number_list *list)
{
    int64_t system = 0;
    sqlite3_stmt *statement;
    if (value->has_system && value->system.length > 0) {
        TRY(lookup_system(connection, value->system, &system));
        if (system == 0) {
            return STATUS_OK;
        }
    }
    if (!value->has_system) {
        TRY(statement_get(connection, SQL_CODES_OF_CODE, &statement));
        bind_text(statement, 1, value->code);
    } else if (value->code.length == 0) {
        TRY(statement_get(connection, SQL_CODES_OF_SYSTEM, &statement));
        sqlite3_bind_int64(statement, 1, system);
    } else {
        TRY(statement_get(connection, SQL_CODE_GET, &statement));
        sqlite3_bind_int64(statement, 1, system);
        bind_text(statement, 2, value->code);
    }
    TRY(add_rows(connection, statement, list));
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof(*list->items), number_order);
    }
    return STATUS_OK;
}

static bool token_has_codes(const struct search_parameter *parameter)
{
    for (size_t i = 0; i < parameter->path_count; i++) {
        enum fhir_type type = parameter->paths[i].type;
        if (parameter->exists || type == FHIR_TYPE_CODEABLECONCEPT || type == FHIR_TYPE_CODING ||
            type == FHIR_TYPE_CODE || type == FHIR_TYPE_BOOLEAN) {
            return true;
        }
    }
    return false;
}

static bool token_has_texts(const struct search_parameter *parameter)
{
    for (size_t i = 0; i < parameter->path_count; i++) {
        enum fhir_type type = parameter->paths[i].type;
        if (type != FHIR_TYPE_CODEABLECONCEPT && type != FHIR_TYPE_CODING &&
            type != FHIR_TYPE_CODE && type != FHIR_TYPE_BOOLEAN) {
            return true;
        }
    }
    return false;
}

/* The key of a token whose text is kept: exact with a system, else what all systems share. */
static enum status token_key(struct search *search, const struct store_value *value,
                             struct wanted *wanted)
{
    struct buffer key = {.arena = search->arena};
    int64_t system = 0;
    if (value->has_system && value->system.length > 0) {
        TRY(lookup_system(search->connection, value->system, &system));
        if (system == 0) {
            return STATUS_OK;
        }
    }
    if (value->code.length == 0) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "An identifier can only be searched with its value: write "
                            "system|value.");
    }
    if (value->code.length >= TEXT_KEY_LIMIT) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "The value of an identifier searched for may have at most %d bytes.",
                            TEXT_KEY_LIMIT - 1);
    }
    if (value->has_system) {
        text_key_write(value->code, system, &key);
    } else {
        text_key_value(value->code, &key);
        wanted->key_begins = true;
    }
    wanted->key = buffer_slice(&key);
    return buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status prepare_token(struct search *search, const struct search_parameter *parameter,
                                 bool texts_only, struct wanted *wanted)
{
    if (!texts_only && token_has_codes(parameter)) {
        struct number_list list = {.arena = search->arena};
        TRY(find_codes(search->connection, wanted->value, &list));
        wanted->numbers = list.items;
        wanted->number_count = list.count;
    }
    if (texts_only || token_has_texts(parameter)) {
        TRY(token_key(search, wanted->value, wanted));
    }
    return STATUS_OK;
}

static enum status add_target(struct search *search, resource_type type,
                              const struct packed_id *key, struct number_list *list)
{
    struct entry entry;
    TRY(directory_find(search->tx, type, key, &entry));
    return entry.known ? list_add(list, entry.entity) : STATUS_OK;
}

static enum status prepare_reference(struct search *search,
                                     const struct search_parameter *parameter,
                                     struct wanted *wanted)
{
    const struct store_value *value = wanted->value;
    struct packed_id key;
    struct number_list list = {.arena = search->arena};
    if (value->id.length == 0) {
        wanted->key = value->text;
        return STATUS_OK;
    }
    if (!id_pack(value->id, &key)) {
        return STATUS_OK;
    }
    if (value->target != RESOURCE_TYPE_NONE) {
        TRY(add_target(search, value->target, &key, &list));
    } else if (parameter->target_count > 0) {
        for (size_t i = 0; i < parameter->target_count; i++) {
            TRY(add_target(search, parameter->targets[i], &key, &list));
        }
    } else {
        resource_type last = resource_type_count(search->store->definitions);
        for (resource_type type = 1; type <= last; type++) {
            TRY(add_target(search, type, &key, &list));
        }
    }
    if (list.count > 1) {
        qsort(list.items, list.count, sizeof(*list.items), number_order);
    }
    wanted->numbers = list.items;
    wanted->number_count = list.count;
    return STATUS_OK;
}

/* What the values of :below and :above come to. */
static enum status prepare_tree(struct search *search, const struct store_clause *clause,
                                struct wanted *wanted)
{
    struct number_set entities = {.arena = search->arena};
    TRY(tree_prepare(search, clause, wanted->value, &entities));
    if (entities.count > 1) {
        qsort(entities.items, entities.count, sizeof(*entities.items), number_order);
    }
    wanted->numbers = entities.items;
    wanted->number_count = entities.count;
    return STATUS_OK;
}

static void prepare_number(struct wanted *wanted)
{
    const struct store_value *value = wanted->value;
    wanted->number = decimal_double(value->number);
    wanted->low = decimal_double(value->number_low);
    wanted->high = decimal_double(value->number_high);
    if (value->compare == STORE_AP) { /* ten in a hundred (R4 search, "ap") */
        double slack = (wanted->number < 0 ? -wanted->number : wanted->number) / 10;
        wanted->low = wanted->number - slack < wanted->low ? wanted->number - slack : wanted->low;
        wanted->high =
            wanted->number + slack > wanted->high ? wanted->number + slack : wanted->high;
    }
}

static enum status prepare_quantity(struct search *search, struct wanted *wanted)
{
    prepare_number(wanted);
    wanted->any_unit = wanted->value->code.length == 0 && !wanted->value->has_system;
    if (wanted->any_unit) {
        return STATUS_OK;
    }
    struct store_value unit = *wanted->value;
    /* "5.4||mg": the unit whatever its system, as code or as written. */
    unit.has_system = unit.system.length > 0;
    struct number_list list = {.arena = search->arena};
    TRY(find_codes(search->connection, &unit, &list));
    wanted->numbers = list.items;
    wanted->number_count = list.count;
    return STATUS_OK;
}

/* Every text begins with no text: what is only spaces or accents would find everybody. */
static enum status prepare_string(struct search *search, const struct store_clause *clause,
                                  struct wanted *wanted)
{
    struct buffer folded = {.arena = search->arena};
    text_fold(wanted->value->text, &folded);
    if (!buffer_ok(&folded)) {
        return STATUS_TOO_COSTLY;
    }
    if (folded.length == 0 && clause->modifier != STORE_EXACT) {
        return outcome_fail(search->outcome, STATUS_VALUE, "",
                            "Search parameter %.*s: give a text with a letter, digit or sign that "
                            "counts; spaces and accents alone do not.",
                            SLICE_ARGS(clause->parameter->code));
    }
    wanted->key = folded.length > 0 ? buffer_slice(&folded) : SLICE("");
    return STATUS_OK;
}

static enum status prepare_value(struct search *search, const struct store_clause *clause,
                                 struct wanted *wanted)
{
    switch (clause->parameter->kind) {
    case SEARCH_TOKEN:
        return prepare_token(search, clause->parameter, false, wanted);
    case SEARCH_REFERENCE:
        if (clause->modifier == STORE_BELOW || clause->modifier == STORE_ABOVE) {
            return prepare_tree(search, clause, wanted);
        }
        return clause->modifier == STORE_IDENTIFIER
                   ? prepare_token(search, clause->parameter, true, wanted)
                   : prepare_reference(search, clause->parameter, wanted);
    case SEARCH_STRING:
        return prepare_string(search, clause, wanted);
    case SEARCH_URI:
        wanted->key = wanted->value->text;
        return STATUS_OK;
    case SEARCH_NUMBER:
        prepare_number(wanted);
        return STATUS_OK;
    case SEARCH_QUANTITY:
        return prepare_quantity(search, wanted);
    case SEARCH_DATE:
        return STATUS_OK;
    case SEARCH_COMPOSITE:
    case SEARCH_SPECIAL:
        break;
    }
    return STATUS_NOT_SUPPORTED;
}

/* ---- streams ------------------------------------------------------------------------------------
 */

/* Can places be read from a tree in order, and are these exactly the matches? */
static bool is_streamable(const struct test *test)
{
    const struct store_clause *clause = test->clause;
    size_t sources = 0;
    bool kind = (clause->parameter->kind == SEARCH_TOKEN && clause->modifier == STORE_PLAIN) ||
                (clause->parameter->kind == SEARCH_REFERENCE &&
                 (clause->modifier == STORE_PLAIN || clause->modifier == STORE_IDENTIFIER ||
                  clause->modifier == STORE_BELOW || clause->modifier == STORE_ABOVE));
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        sources += wanted->number_count + (wanted->key.at != NULL);
        if (wanted->key_begins || wanted->key.length >= TEXT_KEY_LIMIT) {
            return false;
        }
    }
    return kind && sources <= STREAM_SOURCES;
}

/* Identifiers of references stand under a number of their own. */
static uint32_t text_parameter(const struct test *test)
{
    return test->parameter + (test->clause->modifier == STORE_IDENTIFIER);
}

static enum status stream_of(struct search *search, const struct test *test, struct stream *stream)
{
    bool token = test->clause->parameter->kind == SEARCH_TOKEN;
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        for (size_t j = 0; j < wanted->number_count; j++) {
            TRY(stream_add_tree(stream, search->connection, search->arena,
                                token ? SQL_TOKEN_RIDS : SQL_REFERENCE_RIDS, test->parameter,
                                wanted->numbers[j]));
        }
        if (wanted->key.at != NULL) {
            TRY(stream_add_text(stream, search->connection, search->arena, text_parameter(test),
                                wanted->key));
        }
    }
    return STATUS_OK;
}

/* What the plan can say and this engine cannot answer. */
static enum status check_known(struct search *search, const struct store_clause *clause)
{
    for (size_t i = 0; i < clause->value_count; i++) {
        if (clause->values[i].has_codes) {
            return search_refuse(search, clause, "sets of codes are not supported here.");
        }
    }
    return clause->parameter->expression.length > 0
               ? STATUS_OK
               : search_refuse(search, clause, "words are not searched here.");
}

static enum status check_clause(struct search *search, const struct store_clause *clause,
                                uint32_t *ret_parameter)
{
    TRY(check_known(search, clause));
    enum search_kind kind = clause->parameter->kind;
    const struct parameter *known =
        store_parameter(search->store, search->query->type, clause->parameter);
    if (known == NULL) {
        return search_refuse(search, clause, "this server does not index it.");
    }
    if (!known->ready) {
        return search_refuse(search, clause,
                             "it is new here or has changed. Run `carelayer reindex` first.");
    }
    bool fits = false;
    switch (clause->modifier) {
    case STORE_PLAIN:
    case STORE_MISSING:
        fits = true;
        break;
    case STORE_NOT:
        fits = kind == SEARCH_TOKEN;
        break;
    case STORE_EXACT:
    case STORE_CONTAINS:
        fits = kind == SEARCH_STRING;
        break;
    case STORE_BELOW:
    case STORE_ABOVE:
        fits = kind == SEARCH_URI || kind == SEARCH_REFERENCE;
        break;
    case STORE_IDENTIFIER:
        fits = kind == SEARCH_REFERENCE;
        break;
    default:
        break;
    }
    if (!fits || clause->value_count == 0) {
        return search_refuse(search, clause, "this modifier is not supported with it.");
    }
    *ret_parameter = known->number * 2;
    return STATUS_OK;
}

enum status clause_prepare(struct search *search, const struct store_clause *clause)
{
    struct test *test = &search->tests[search->test_count];
    test->clause = clause;
    TRY(check_clause(search, clause, &test->parameter));
    test->wanted = arena_array(search->arena, clause->value_count, sizeof(*test->wanted));
    if (test->wanted == NULL) {
        return STATUS_TOO_COSTLY;
    }
    search->test_count++;
    if (clause->modifier == STORE_MISSING) {
        return STATUS_OK;
    }
    test->count = clause->value_count;
    for (size_t i = 0; i < test->count; i++) {
        test->wanted[i].value = &clause->values[i];
        TRY(prepare_value(search, clause, &test->wanted[i]));
    }
    if (is_streamable(test)) {
        struct stream *stream = &search->streams[search->stream_count++];
        TRY(stream_of(search, test, stream));
        test->streamed = true;
        search->typed = true;
        search->nothing = search->nothing || stream->count == 0;
    }
    return STATUS_OK;
}

/* ---- short lists
 * --------------------------------------------------------------------------------- */

static enum status range_text(struct search *search, const struct test *test, struct slice key,
                              sqlite3_stmt **ret_statement)
{
    /* The least text that is greater than all that begin with KEY. */
    struct slice end = arena_copy(search->arena, key);
    char *at = (char *)(uintptr_t)end.at;
    if (at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    while (end.length > 0 && (uint8_t)at[end.length - 1] == 0xff) {
        end.length--;
    }
    TRY(statement_get(search->connection, end.length > 0 ? SQL_TEXT_RANGE : SQL_TEXT_FROM,
                      ret_statement));
    sqlite3_bind_int64(*ret_statement, 1, text_parameter(test));
    statement_bind_blob(*ret_statement, 2, key);
    if (end.length > 0) {
        at[end.length - 1]++;
        statement_bind_blob(*ret_statement, 3, end);
    }
    return STATUS_OK;
}

/* Low ends between which every match lies; WIDE: among dates wider than DATE_NARROW. */
static bool range_date_bounds(const struct store_value *value, bool wide, int64_t *ret_low,
                              int64_t *ret_high)
{
    *ret_low = INT64_MIN;
    *ret_high = INT64_MAX;
    switch (value->compare) {
    case STORE_EQ:
        *ret_low = value->low;
        *ret_high = value->high;
        return true;
    case STORE_GT:
    case STORE_GE:
        *ret_low = wide ? INT64_MIN : value->low - DATE_NARROW;
        return true;
    case STORE_SA:
        *ret_low = value->high;
        return true;
    case STORE_LT:
    case STORE_LE:
    case STORE_EB:
        *ret_high = value->high;
        return true;
    default:
        return false;
    }
}

static bool range_number_bounds(const struct wanted *wanted, double *ret_low, double *ret_high)
{
    *ret_low = -1e308;
    *ret_high = 1e308;
    switch (wanted->value->compare) {
    case STORE_EQ:
    case STORE_AP:
        *ret_low = wanted->low;
        *ret_high = wanted->high;
        return true;
    case STORE_GT:
    case STORE_GE:
    case STORE_SA:
        *ret_low = wanted->number;
        return true;
    case STORE_LT:
    case STORE_LE:
    case STORE_EB:
        *ret_high = wanted->number;
        return true;
    default:
        return false;
    }
}

/* The statement of one range of one value; NULL: this value has none. */
static enum status range_statement(struct search *search, const struct test *test,
                                   const struct wanted *wanted, bool wide,
                                   sqlite3_stmt **ret_statement)
{
    enum search_kind kind = test->clause->parameter->kind;
    *ret_statement = NULL;
    if (kind == SEARCH_DATE) {
        int64_t low, high;
        if (range_date_bounds(wanted->value, wide, &low, &high)) {
            TRY(statement_get(search->connection, SQL_DATE_RANGE, ret_statement));
            sqlite3_bind_int64(*ret_statement, 1, test->parameter + wide);
            sqlite3_bind_int64(*ret_statement, 2, low);
            sqlite3_bind_int64(*ret_statement, 3, high);
        }
        return STATUS_OK;
    }
    if (kind == SEARCH_NUMBER || kind == SEARCH_QUANTITY) {
        double low, high;
        if (range_number_bounds(wanted, &low, &high)) {
            TRY(statement_get(search->connection,
                              kind == SEARCH_NUMBER ? SQL_NUMBER_RANGE : SQL_QUANTITY_RANGE,
                              ret_statement));
            sqlite3_bind_int64(*ret_statement, 1, test->parameter);
            sqlite3_bind_double(*ret_statement, 2, low);
            sqlite3_bind_double(*ret_statement, 3, high);
        }
        return STATUS_OK;
    }
    if (wanted->key.length == 0 || test->clause->modifier == STORE_CONTAINS ||
        test->clause->modifier == STORE_ABOVE) {
        return STATUS_OK;
    }
    return range_text(search, test, slice_head(wanted->key, TEXT_KEY_LIMIT), ret_statement);
}

/* Adds the range's places; *RET_FITS false: there is no range, or too much in it. */
static enum status range_collect(struct search *search, sqlite3_stmt *statement, size_t limit,
                                 struct number_list *list, bool *ret_fits)
{
    *ret_fits = statement != NULL;
    bool row = statement != NULL;
    while (row) {
        TRY(statement_row(search->connection, statement, &row));
        if (row && list->count >= limit) {
            *ret_fits = false;
            break;
        }
        if (row) {
            TRY(list_add(list, sqlite3_column_int64(statement, 0)));
        }
    }
    if (statement != NULL) {
        sqlite3_reset(statement);
    }
    return STATUS_OK;
}

enum status test_range(struct search *search, const struct test *test, size_t limit,
                       const int64_t **ret_list, size_t *ret_count)
{
    struct number_list list = {.arena = search->arena};
    *ret_list = NULL;
    enum store_modifier modifier = test->clause->modifier;
    if (test->streamed || modifier == STORE_NOT || modifier == STORE_MISSING) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        int wides = test->clause->parameter->kind == SEARCH_DATE ? 2 : 1;
        if (wanted->number_count > 0 && test->clause->parameter->kind == SEARCH_TOKEN) {
            return STATUS_OK;
        }
        for (int wide = 0; wide < wides; wide++) {
            sqlite3_stmt *statement;
            bool fits = false;
            TRY(range_statement(search, test, wanted, wide == 1, &statement));
            TRY(range_collect(search, statement, limit, &list, &fits));
            if (!fits) {
                return STATUS_OK;
            }
        }
    }
    if (list.items == NULL) {
        TRY(list_add(&list, 0));
        list.count = 0;
    }
    qsort(list.items, list.count, sizeof(*list.items), number_order);
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (kept == 0 || list.items[kept - 1] != list.items[i]) {
            list.items[kept++] = list.items[i];
        }
    }
    *ret_list = list.items;
    *ret_count = kept;
    return STATUS_OK;
}
