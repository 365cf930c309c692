/* SPDX-License-Identifier: MIT */
/* store: what a token's value means in the tables: codes as numbers, texts as keys. */
#include "find_int.h"
#include "ucum/ucum.h"

#define NUMBERS_LIMIT 1000000

enum status list_add(struct number_list *list, int64_t number)
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

/* One pass of many, by one byte; places differ in few of their bytes. False: in none. */
static bool sort_by_byte(const int64_t *from, size_t count, unsigned byte, int64_t *to)
{
    size_t starts[256] = {0}, at = 0;
    uint64_t flip = byte == 7 ? 0x80 : 0; /* the sign */
    for (size_t i = 0; i < count; i++) {
        starts[((uint64_t)from[i] >> 8 * byte & 0xff) ^ flip]++;
    }
    if (starts[((uint64_t)from[0] >> 8 * byte & 0xff) ^ flip] == count) {
        return false;
    }
    for (size_t i = 0; i < 256; i++) {
        size_t next = at + starts[i];
        starts[i] = at;
        at = next;
    }
    for (size_t i = 0; i < count; i++) {
        to[starts[((uint64_t)from[i] >> 8 * byte & 0xff) ^ flip]++] = from[i];
    }
    return true;
}

#define SORT_BY_BYTES_FROM 1024 /* fewer are compared */

static void sort_numbers(struct number_list *list)
{
    int64_t *other = list->count >= SORT_BY_BYTES_FROM
                         ? arena_array(list->arena, list->count, sizeof(*other))
                         : NULL;
    if (other == NULL) {
        qsort(list->items, list->count, sizeof(*list->items), number_order);
        return;
    }
    for (unsigned byte = 0; byte < 8; byte++) {
        if (sort_by_byte(list->items, list->count, byte, other)) {
            int64_t *items = list->items;
            list->items = other;
            other = items;
        }
    }
    /* Both are as long as the count now. */
    list->capacity = list->count;
}

void list_sort(struct number_list *list)
{
    if (list->count < 2) {
        return;
    }
    size_t kept = 1;
    sort_numbers(list);
    for (size_t i = 1; i < list->count; i++) {
        if (list->items[i] != list->items[kept - 1]) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

bool list_has(const int64_t *items, size_t count, int64_t number)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && items[low] == number;
}

static enum status add_rows(struct connection *connection, struct statement *statement,
                            struct number_list *list)
{
    bool row = false;
    TRY(statement_row(connection, statement, &row));
    while (row) {
        TRY(list_add(list, statement_number(statement, 0)));
        TRY(statement_row(connection, statement, &row));
    }
    return STATUS_OK;
}

/* ---- upper and lower case -----------------------------------------------------------------------
 */

/* Is it known that codes of this system that differ in case are different codes? Where that is not
 * known they are accepted in any case (R4 CodeSystem.caseSensitive). */
static enum status system_tells_case(struct search *search, struct slice system, bool *ret_tells)
{
    *ret_tells = slice_is(system, UCUM_SYSTEM);
    if (*ret_tells || system.length == 0) {
        return STATUS_OK;
    }
    struct conformance *conformance;
    TRY(conformance_open(search->store->definitions, &conformance));
    const struct canonical *found = conformance_hold(conformance, SLICE("CodeSystem"), system);
    if (found != NULL) {
        *ret_tells = yyjson_is_true(json_get(found->json->root, "caseSensitive"));
        conformance_release(conformance, found);
    }
    conformance_close(conformance);
    return STATUS_OK;
}

struct alike {
    int64_t number;
    struct slice system;
};

/* Codes that are the same but for their case. */
static enum status find_alike(struct search *search, const struct store_value *value,
                              struct number_list *list)
{
    struct statement *statement;
    struct alike *items = NULL;
    size_t count = 0, capacity = 0;
    TRY(statement_get(search->connection, SQL_CODES_ALIKE, &statement));
    statement_bind_text(statement, 1, value->code);
    bool row = false;
    TRY(statement_row(search->connection, statement, &row));
    while (row) {
        struct slice system = statement_blob(statement, 2);
        if (value->has_system && !slice_equals(system, value->system)) {
            /* of another system */
        } else if (slice_equals(statement_blob(statement, 1), value->code)) {
            TRY(list_add(list, statement_number(statement, 0)));
        } else {
            if (count == capacity) {
                capacity = capacity == 0 ? 8 : capacity * 2;
                items = arena_resize(search->arena, items, count * sizeof(*items),
                                     capacity * sizeof(*items));
                if (items == NULL) {
                    return STATUS_TOO_COSTLY;
                }
            }
            items[count++] =
                (struct alike){statement_number(statement, 0), arena_copy(search->arena, system)};
        }
        TRY(statement_row(search->connection, statement, &row));
    }
    for (size_t i = 0; i < count; i++) {
        bool tells = false;
        TRY(system_tells_case(search, items[i].system, &tells));
        if (!tells) {
            TRY(list_add(list, items[i].number));
        }
    }
    return STATUS_OK;
}

/* ---- a value that has no number -----------------------------------------------------------------
 */

static bool is_in_set(const struct store_value *value, const struct fact *fact)
{
    for (size_t i = 0; i < value->code_count; i++) {
        if (slice_equals(value->codes[i].code, fact->text) &&
            slice_equals(value->codes[i].system, fact->system)) {
            return true;
        }
    }
    return false;
}

enum status token_is(struct search *search, const struct store_value *value,
                     const struct fact *fact, bool *ret_match)
{
    bool text = fact->tree == TREE_TEXT, system_only = (fact->parameter & 1) != 0;
    bool empty = fact->text.length == 0 && fact->system.length == 0;
    *ret_match = false;
    if (empty || (value->has_system && !slice_equals(value->system, fact->system))) {
        return STATUS_OK;
    }
    if (value->has_codes) {
        *ret_match = !text && !system_only && is_in_set(value, fact);
    } else if (value->code.length == 0 || system_only) {
        *ret_match = !text && value->has_system && value->code.length == 0;
    } else if (slice_equals(value->code, fact->text)) {
        *ret_match = true;
    } else if (!text && slice_equals_ignoring_case(value->code, fact->text)) {
        TRY(system_tells_case(search, fact->system, ret_match));
        *ret_match = !*ret_match;
    }
    return STATUS_OK;
}

/* ---- codes --------------------------------------------------------------------------------------
 */

enum status find_codes(struct search *search, const struct store_value *value, bool exact_case,
                       struct number_list *list)
{
    struct connection *connection = search->connection;
    int64_t system = 0;
    struct statement *statement;
    if (value->has_system && value->system.length > 0) {
        TRY(lookup_system(connection, value->system, &system));
        if (system == 0) {
            return STATUS_OK;
        }
    }
    if (value->code.length == 0) {
        TRY(statement_get(connection, SQL_CODES_OF_SYSTEM, &statement));
        statement_bind_number(statement, 1, system);
        TRY(add_rows(connection, statement, list));
    } else if (!exact_case) {
        TRY(find_alike(search, value, list));
    } else if (!value->has_system) {
        TRY(statement_get(connection, SQL_CODES_OF_CODE, &statement));
        statement_bind_text(statement, 1, value->code);
        TRY(add_rows(connection, statement, list));
    } else {
        TRY(statement_get(connection, SQL_CODE_GET, &statement));
        statement_bind_number(statement, 1, system);
        statement_bind_text(statement, 2, value->code);
        TRY(add_rows(connection, statement, list));
    }
    list_sort(list);
    return STATUS_OK;
}

/* ---- sets of codes ------------------------------------------------------------------------------
 */

#define SET_WORTH_A_TABLE 256 /* fewer codes are looked up one by one */

struct code_table {
    const struct store_code *codes;
    uint32_t *slots; /* 1 + index; 0: free */
    size_t mask;
};

static uint64_t code_hash(struct slice system, struct slice code)
{
    return slice_hash(code) ^ slice_hash(system) * UINT64_C(0x9E3779B97F4A7C15);
}

/* The slot of the code, or the free one where it belongs. */
static size_t code_slot(const struct code_table *table, struct slice system, struct slice code)
{
    size_t at = (size_t)(code_hash(system, code) & table->mask);
    while (table->slots[at] != 0) {
        const struct store_code *held = &table->codes[table->slots[at] - 1];
        if (slice_equals(held->code, code) && slice_equals(held->system, system)) {
            break;
        }
        at = (at + 1) & table->mask;
    }
    return at;
}

static enum status table_fill(struct search *search, const struct store_value *value,
                              struct code_table *table, struct text_set *systems)
{
    size_t size = 64;
    while (size < value->code_count * 2) {
        size *= 2;
    }
    *table = (struct code_table){value->codes, arena_array(search->arena, size, sizeof(uint32_t)),
                                 size - 1};
    if (table->slots == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < value->code_count; i++) {
        const struct store_code *code = &value->codes[i];
        table->slots[code_slot(table, code->system, code->code)] = (uint32_t)i + 1;
        if (i == 0 || !slice_equals(code->system, value->codes[i - 1].system)) {
            text_set_add(systems, code->system);
        }
    }
    return systems->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* Of every code of a system that is in the table, whether it is one of the set. */
static enum status add_of_system(struct search *search, const struct code_table *table,
                                 struct slice system, struct number_list *list)
{
    int64_t number = 0;
    struct statement *statement;
    if (system.length > 0) {
        TRY(lookup_system(search->connection, system, &number));
        if (number == 0) {
            return STATUS_OK;
        }
    }
    TRY(statement_get(search->connection, SQL_CODE_ROWS_OF_SYSTEM, &statement));
    statement_bind_number(statement, 1, number);
    bool row = false;
    TRY(statement_row(search->connection, statement, &row));
    while (row) {
        struct slice code = statement_blob(statement, 1);
        if (table->slots[code_slot(table, system, code)] != 0) {
            TRY(list_add(list, statement_number(statement, 0)));
        }
        TRY(statement_row(search->connection, statement, &row));
    }
    return STATUS_OK;
}

static enum status find_set(struct search *search, const struct store_value *value,
                            struct number_list *list)
{
    if (value->code_count <= SET_WORTH_A_TABLE) {
        for (size_t i = 0; i < value->code_count; i++) {
            struct store_value one = {
                .has_system = true, .system = value->codes[i].system, .code = value->codes[i].code};
            TRY(find_codes(search, &one, true, list));
        }
        list_sort(list);
        return STATUS_OK;
    }
    struct code_table table;
    struct text_set systems = {.arena = search->arena};
    TRY(table_fill(search, value, &table, &systems));
    for (size_t i = 0; i < systems.count; i++) {
        TRY(add_of_system(search, &table, systems.items[i], list));
    }
    list_sort(list);
    return STATUS_OK;
}

/* Of many codes only those that some resource has under this parameter. */
static enum status keep_used(struct search *search, uint32_t parameter, struct number_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count;) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(search->connection, SQL_TOKEN_NEXT_CODE, &statement));
        statement_bind_number(statement, 1, parameter);
        statement_bind_number(statement, 2, list->items[i]);
        TRY(statement_row(search->connection, statement, &row));
        if (!row) {
            break;
        }
        int64_t next = statement_number(statement, 0);
        statement_reset(statement);
        while (i < list->count && list->items[i] < next) {
            i++;
        }
        if (i < list->count && list->items[i] == next) {
            list->items[kept++] = next;
            i++;
        }
    }
    list->count = kept;
    return STATUS_OK;
}

/* ---- which form a parameter's values have ------------------------------------------------------
 */

static bool is_coded(enum fhir_type type)
{
    return type == FHIR_TYPE_CODEABLECONCEPT || type == FHIR_TYPE_CODING ||
           type == FHIR_TYPE_CODE || type == FHIR_TYPE_BOOLEAN;
}

/* What an expression meets that is no simple path may be of either form. */
static bool has_codes(const struct search_parameter *parameter)
{
    bool found = parameter->exists || !parameter->simple;
    for (size_t i = 0; i < parameter->path_count; i++) {
        found = found || is_coded(parameter->paths[i].type);
    }
    return found;
}

bool token_has_texts(const struct search_parameter *parameter)
{
    bool found = !parameter->exists && !parameter->simple;
    for (size_t i = 0; i < parameter->path_count && !parameter->exists; i++) {
        found = found || !is_coded(parameter->paths[i].type);
    }
    return found;
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
    if (value->has_system) {
        text_key_write(value->code, system, &key);
    } else {
        text_key_value(value->code, &key);
        wanted->key_begins = true;
    }
    wanted->key_cut = value->code.length >= TEXT_KEY_LIMIT;
    wanted->key = buffer_slice(&key);
    return buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* "system|": the number that stands for the system of an identifier. */
static enum status token_system(struct search *search, const struct store_value *value,
                                struct wanted *wanted)
{
    struct number_list list = {.arena = search->arena};
    struct store_value any = {.has_system = true, .system = value->system};
    int64_t system = 0;
    TRY(lookup_system(search->connection, any.system, &system));
    struct statement *statement;
    TRY(statement_get(search->connection, SQL_CODE_GET, &statement));
    statement_bind_number(statement, 1, system);
    statement_bind_text(statement, 2, any.code);
    if (system != 0) {
        TRY(add_rows(search->connection, statement, &list));
    }
    wanted->system = list.count > 0 ? list.items[0] : 0;
    return STATUS_OK;
}

enum status prepare_token(struct search *search, const struct test *test, struct wanted *wanted)
{
    const struct search_parameter *parameter = test->clause->parameter;
    const struct store_value *value = wanted->value;
    bool texts_only = test->clause->modifier == STORE_IDENTIFIER;
    struct number_list list = {.arena = search->arena};
    if (test->clause->modifier == STORE_OF_TYPE) {
        struct store_value plain = {.code = value->text};
        return token_key(search, &plain, wanted);
    }
    if (value->has_codes && (texts_only || (token_has_texts(parameter) && !has_codes(parameter)))) {
        return outcome_fail(search->outcome, STATUS_NOT_SUPPORTED, "",
                            "Search parameter %.*s: sets of codes are for coded values.",
                            SLICE_ARGS(parameter->code));
    }
    if (!texts_only && has_codes(parameter)) {
        if (value->has_codes) {
            TRY(find_set(search, value, &list));
        } else {
            TRY(find_codes(search, value, false, &list));
        }
        if (list.count > KEEP_USED_ABOVE) {
            TRY(keep_used(search, test->parameter, &list));
        }
        wanted->numbers = list.items;
        wanted->number_count = list.count;
    }
    if (value->has_codes || (!texts_only && !token_has_texts(parameter))) {
        return STATUS_OK;
    }
    return value->code.length == 0 ? token_system(search, value, wanted)
                                   : token_key(search, value, wanted);
}
