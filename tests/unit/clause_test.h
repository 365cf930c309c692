/* SPDX-License-Identifier: MIT */
/* What the tests of searching by one clause share: values written short, ids in order. */
#ifndef CARELAYER_TESTS_CLAUSE_TEST_H
#define CARELAYER_TESTS_CLAUSE_TEST_H

#include "store_test.h"

static struct store_page page;
static struct outcome find_outcome;

static int version_order(const void *a, const void *b)
{
    const struct store_version *x = a, *y = b;
    return slice_compare(x->id, y->id);
}

static inline enum status try_clause(const char *type, const struct store_clause *clause)
{
    struct store_query query = {.type = type_named(type),
                                .clauses = clause,
                                .clause_count = 1,
                                .count = 1000,
                                .bodies = true};
    struct store_tx *tx = begin();
    outcome_init(&find_outcome, arena);
    enum status status = store_find(tx, &query, arena, &find_outcome, &page);
    store_snapshot_end(tx);
    if (status == STATUS_OK && page.count > 0) {
        qsort(page.items, page.count, sizeof(*page.items), version_order);
    }
    return status;
}

static inline enum status try_values(const char *type, const char *code,
                                     enum store_modifier modifier, const struct store_value *values,
                                     size_t count)
{
    struct store_clause clause = {.parameter = parameter_named(type, code),
                                  .modifier = modifier,
                                  .values = values,
                                  .value_count = count};
    return try_clause(type, &clause);
}

/* The ids that one clause with one value finds, "a b c". */
static inline const char *found(const char *type, const char *code, enum store_modifier modifier,
                                struct store_value value)
{
    enum status status = try_values(type, code, modifier, &value, 1);
    if (status != STATUS_OK) {
        return status_name(status);
    }
    return ids_of(&page);
}

/* "code", "system|code", "|code", "system|" */
static inline struct store_value token_of(const char *text)
{
    struct slice all = slice_text(text);
    size_t bar = slice_index(all, '|');
    if (bar == all.length) {
        return (struct store_value){.code = all};
    }
    return (struct store_value){
        .has_system = true, .system = slice_head(all, bar), .code = slice_from(all, bar + 1)};
}

static inline enum store_compare prefix_of(struct slice *text)
{
    static const char *const names[] = {[STORE_EQ] = "eq", [STORE_NE] = "ne", [STORE_GT] = "gt",
                                        [STORE_LT] = "lt", [STORE_GE] = "ge", [STORE_LE] = "le",
                                        [STORE_SA] = "sa", [STORE_EB] = "eb", [STORE_AP] = "ap"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_starts(*text, slice_text(names[i]))) {
            *text = slice_from(*text, 2);
            return (enum store_compare)i;
        }
    }
    return STORE_EQ;
}

/* "ge2013-01-14" */
static inline struct store_value date_of(const char *text)
{
    struct partial_date partial;
    struct slice rest = slice_text(text);
    struct store_value value = {.compare = prefix_of(&rest)};
    assert_true(date_parse(rest, DATE_FORM_SEARCH, &partial));
    date_range(&partial, &value.low, &value.high);
    return value;
}

/* "ge5.4", "5.4|system|code", "5.4||unit" */
static inline struct store_value quantity_of(const char *text)
{
    struct slice rest = slice_text(text);
    struct store_value value = {.compare = prefix_of(&rest)};
    size_t bar = slice_index(rest, '|');
    assert_true(decimal_parse(slice_head(rest, bar), &value.number));
    assert_true(decimal_range(value.number, &value.number_low, &value.number_high));
    if (bar < rest.length) {
        rest = slice_from(rest, bar + 1);
        bar = slice_index(rest, '|');
        value.system = slice_head(rest, bar);
        value.has_system = value.system.length > 0;
        value.code = slice_from(rest, bar + 1);
    }
    return value;
}

static inline struct store_value text_of(const char *text)
{
    return (struct store_value){.text = slice_text(text)};
}

struct expectation {
    const char *value, *ids;
};

static inline void expect(const char *type, const char *code, enum store_modifier modifier,
                          struct store_value (*read)(const char *), const struct expectation *rows,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *ids = found(type, code, modifier, read(rows[i].value));
        if (strcmp(ids, rows[i].ids) != 0) {
            print_error("%s?%s=%s\n", type, code, rows[i].value);
        }
        assert_string_equal(ids, rows[i].ids);
    }
}
#define EXPECT(type, code, modifier, read, rows)                                                   \
    expect(type, code, modifier, read, rows, sizeof(rows) / sizeof((rows)[0]))

#endif
