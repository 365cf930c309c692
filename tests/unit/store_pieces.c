/* SPDX-License-Identifier: MIT */
/* Questions whose rows come in many pieces: what is found follows from each resource's number, in
 * runs of equal values that are longer than a piece, on pages and as a count. */
#include "clause_test.h"

#include "store/store_int.h"

#define MANY     4000
#define PATIENTS 50
#define DAYS     7 /* so a day has more than five hundred */

static const char *code_of(int i)
{
    return i % 2 == 0 ? "even" : i % 5 == 0 ? "five" : "odd";
}

static const char *observation(int i)
{
    return arena_print(
        arena,
        "{'resourceType':'Observation','id':'o%d','status':'final','effectiveDateTime':"
        "'2021-03-%02d','subject':{'reference':'Patient/p%d'},'code':{'coding':[{'code':'%s'}]},"
        "'category':[{'coding':[{'code':'c%d'}]}],'valueQuantity':{'value':%d}}",
        i, 1 + i % DAYS, i % PATIENTS, code_of(i), i % 3, i % 4);
}

static const char *patient(int i)
{
    return arena_print(
        arena, "{'resourceType':'Patient','id':'p%d','name':[{'family':'%sson','given':['G%d']}]}",
        i, i % 10 == 0 ? "Rare" : "John", i);
}

static void put_many(void)
{
    for (int i = 0; i < PATIENTS; i += 2) { /* the others are only mentioned */
        must_put(patient(i));
    }
    put_in_batches(MANY, observation);
}

/* ---- questions ------------------------------------------------------------------------------- */

struct question {
    const char *code, *category, *date, *other_date, *value;
    bool (*holds)(int i);
};

static bool two_days(int i)
{
    return i % DAYS == 2 || i % DAYS == 3;
}
static bool code_and_category(int i)
{
    return i % 2 == 0 && i % 3 == 1;
}
static bool code_and_days(int i)
{
    return i % 2 == 0 && two_days(i);
}
static bool few_and_category(int i)
{
    return i % 10 == 5 && i % 3 == 0;
}
static bool value_above(int i)
{
    return i % 4 > 2;
}
static bool all_of_it(int i)
{
    return code_and_category(i) && i % DAYS >= 2 && i % 4 > 1;
}
static bool never(int i)
{
    (void)i;
    return false;
}

static const struct question questions[] = {
    {.date = "ge2021-03-03", .other_date = "lt2021-03-05", .holds = two_days},
    {.code = "even", .category = "c1", .holds = code_and_category},
    {.code = "five", .category = "c0", .holds = few_and_category},
    {.code = "even", .date = "ge2021-03-03", .other_date = "lt2021-03-05", .holds = code_and_days},
    {.value = "gt2", .holds = value_above},
    {.code = "even", .category = "c1", .date = "ge2021-03-03", .value = "gt1", .holds = all_of_it},
    {.code = "odd", .date = "ge2021-04", .holds = never},
};

static void add_clause(struct store_clause *clauses, size_t *count, const char *name,
                       const struct store_value *value)
{
    clauses[(*count)++] = (struct store_clause){
        .parameter = parameter_named("Observation", name), .values = value, .value_count = 1};
}

static int number_of(struct slice id)
{
    return (int)strtol(arena_print(arena, "%.*s", SLICE_ARGS(slice_from(id, 1))), NULL, 10);
}

/* Each once; *RET_SORTED: the days in the order in which they come, never downwards. */
static size_t find_all(struct store_query *query, bool *seen, bool *ret_sorted)
{
    struct arena *scratch = arena_create(0);
    size_t count = 0;
    int day = 0;
    *ret_sorted = true;
    do {
        struct store_tx *tx = begin();
        assert_int_equal(store_find(tx, query, scratch, NULL, &page), STATUS_OK);
        store_snapshot_end(tx);
        for (size_t i = 0; i < page.count; i++) {
            int number = number_of(page.items[i].id);
            assert_in_range(number, 0, MANY - 1);
            assert_false(seen[number]);
            seen[number] = true;
            *ret_sorted = *ret_sorted && number % DAYS >= day;
            day = number % DAYS;
            count++;
        }
        query->cursor = arena_copy(arena, page.next);
        arena_reset(scratch, 0);
    } while (page.more);
    arena_destroy(scratch);
    return count;
}

static void ask(const struct question *question, bool sort)
{
    struct store_clause clauses[5];
    struct store_value code, category, date, other_date, value;
    struct store_sort by = {.parameter = parameter_named("Observation", "date")};
    struct store_query query = {.type = type_named("Observation"),
                                .clauses = clauses,
                                .sorts = &by,
                                .sort_count = sort,
                                .count = 300};
    if (question->code != NULL) {
        code = token_of(question->code);
        add_clause(clauses, &query.clause_count, "code", &code);
    }
    if (question->category != NULL) {
        category = token_of(question->category);
        add_clause(clauses, &query.clause_count, "category", &category);
    }
    if (question->date != NULL) {
        date = date_of(question->date);
        add_clause(clauses, &query.clause_count, "date", &date);
    }
    if (question->other_date != NULL) {
        other_date = date_of(question->other_date);
        add_clause(clauses, &query.clause_count, "date", &other_date);
    }
    if (question->value != NULL) {
        value = quantity_of(question->value);
        add_clause(clauses, &query.clause_count, "value-quantity", &value);
    }
    bool *seen = arena_zero(arena, MANY), sorted;
    size_t wanted = 0, found_count = find_all(&query, seen, &sorted);
    for (int i = 0; i < MANY; i++) {
        wanted += question->holds(i);
        assert_int_equal(seen[i], question->holds(i));
    }
    assert_int_equal(found_count, wanted);
    assert_true(!sort || sorted);
    query.cursor = (struct slice){NULL, 0};
    query.total = true;
    query.count = 10;
    struct store_tx *tx = begin();
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(page.total, wanted);
}

static void finds_each_once_however_many_rows_are_alike(void **state)
{
    (void)state;
    put_many();
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        ask(&questions[i], false);
        ask(&questions[i], true);
    }
}

/* ---- dates ----------------------------------------------------------------------------------- */

/* In days of 2021: where it begins, and how many it has. Most are one day long. */
static int begins(int i)
{
    return i % 28;
}
static int lasts(int i)
{
    return i % 4 != 0 ? 1 : i % 16 == 0 ? 40 : 1 + i % 5;
}

static const char *dated(int i)
{
    int last = begins(i) + lasts(i) - 1;
    return arena_print(arena,
                       "{'resourceType':'Observation','id':'o%d','status':'final',"
                       "'effectivePeriod':{'start':'2021-01-%02d','end':'2021-%02d-%02d'},"
                       "'code':{'text':'x'}}",
                       i, 1 + begins(i),
                       last < 31   ? 1
                       : last < 59 ? 2
                                   : 3,
                       1 + (last < 31   ? last
                            : last < 59 ? last - 31
                                        : last - 59));
}

/* R4 search, "date". LOW and HIGH: the days of the value. */
static bool compares(const char *prefix, int low, int high, int i)
{
    int first = begins(i), end = first + lasts(i);
    bool inside = low <= first && end <= high;
    return strncmp(prefix, "eq", 2) == 0   ? inside
           : strncmp(prefix, "gt", 2) == 0 ? end > high
           : strncmp(prefix, "ge", 2) == 0 ? end > high || inside
           : strncmp(prefix, "lt", 2) == 0 ? first < low
           : strncmp(prefix, "le", 2) == 0 ? first < low || inside
           : strncmp(prefix, "sa", 2) == 0 ? first >= high
                                           : end <= low;
}

static void ask_dates(const char *text, int low, int high)
{
    struct store_value value = date_of(text);
    struct store_clause clause = {
        .parameter = parameter_named("Observation", "date"), .values = &value, .value_count = 1};
    struct store_query query = {
        .type = type_named("Observation"), .clauses = &clause, .clause_count = 1, .count = 900};
    bool *seen = arena_zero(arena, MANY), sorted;
    size_t wanted = 0, found_count = find_all(&query, seen, &sorted);
    for (int i = 0; i < MANY; i++) {
        wanted += compares(text, low, high, i);
        assert_int_equal(seen[i], compares(text, low, high, i));
    }
    assert_int_equal(found_count, wanted);
    query.cursor = (struct slice){NULL, 0};
    query.total = true;
    struct store_tx *tx = begin();
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(page.total, wanted);
}

static void compares_dates_of_every_width_in_long_runs(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"eq", "gt", "ge", "lt", "le", "sa", "eb"};
    put_in_batches(MANY, dated);
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        ask_dates(arena_print(arena, "%s2021-01-03", prefixes[i]), 2, 3);
        ask_dates(arena_print(arena, "%s2021-01-26", prefixes[i]), 25, 26);
        ask_dates(arena_print(arena, "%s2021-01", prefixes[i]), 0, 31);
    }
}

/* ---- links ----------------------------------------------------------------------------------- */

static size_t total_of(const char *type, enum store_modifier modifier, const char *reference,
                       const char *inner_type, struct store_clause *inner)
{
    struct store_query within = {
        .type = type_named(inner_type), .clauses = inner, .clause_count = 1};
    const char *of = modifier == STORE_HAS ? inner_type : type;
    struct store_clause clause = {.parameter = parameter_named(of, reference),
                                  .modifier = modifier,
                                  .queries = &within,
                                  .query_count = 1};
    struct store_query query = {
        .type = type_named(type), .clauses = &clause, .clause_count = 1, .count = 1, .total = true};
    struct store_tx *tx = begin();
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    return page.total;
}

static void follows_references_of_many_at_once(void **state)
{
    (void)state;
    struct store_value rare = text_of("rareson"), five = token_of("five"), third = token_of("c1");
    struct store_clause family = {
        .parameter = parameter_named("Patient", "family"), .values = &rare, .value_count = 1};
    struct store_clause code = {
        .parameter = parameter_named("Observation", "code"), .values = &five, .value_count = 1};
    struct store_clause category = {.parameter = parameter_named("Observation", "category"),
                                    .values = &third,
                                    .value_count = 1};
    put_many();
    /* Five of the fifty are called so, and all of these are there. */
    assert_int_equal(total_of("Observation", STORE_CHAIN, "patient", "Patient", &family),
                     MANY / PATIENTS * 5);
    /* Those of odd numbers are only mentioned; who has a five has an odd number. */
    assert_int_equal(total_of("Patient", STORE_HAS, "patient", "Observation", &code), 0);
    assert_int_equal(total_of("Patient", STORE_HAS, "patient", "Observation", &category),
                     PATIENTS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(finds_each_once_however_many_rows_are_alike),
        STORE_TEST(compares_dates_of_every_width_in_long_runs),
        STORE_TEST(follows_references_of_many_at_once),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
