/* SPDX-License-Identifier: MIT */
/* Pairs: rows of a code with a date or a quantity beside it. They follow what is written, come to
 * stores that were made without them, and never change an answer. */
#include "clause_test.h"

#include "store/store_int.h"

#define MANY 2400 /* so that no code is so rare that its resources are simply looked at */

/* ---- rows ----------------------------------------------------------------------------------- */

static struct slice date_bytes(int64_t low)
{
    struct pair_key key = {.length = 0};
    pair_add_date(&key, low);
    return arena_copy(arena, slice_of(key.bytes, key.length));
}

static void dates_keep_their_order_and_come_back(void **state)
{
    (void)state;
    static const int64_t dates[] = {DATE_BEGINNING,
                                    INT64_C(-62135596800000000), /* the year 1 */
                                    -1000001,
                                    -1000000,
                                    -1,
                                    0,
                                    1,
                                    999999,
                                    1000000,
                                    INT64_C(1617235200000000),
                                    INT64_C(1617235200000500),
                                    INT64_C(253402300799999999)};
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        assert_true(pair_read_date(date_bytes(dates[i])) == dates[i]);
        for (size_t j = 0; j < i; j++) {
            assert_true(slice_compare(date_bytes(dates[j]), date_bytes(dates[i])) < 0);
        }
    }
    assert_int_equal(date_bytes(INT64_C(1617235200000000)).length, 5);
    assert_true(slice_compare(date_bytes(INT64_MAX), date_bytes(dates[11])) > 0);
    assert_true(slice_compare(date_bytes(INT64_MIN), date_bytes(dates[0])) <= 0);
}

static void quantities_are_cut_but_keep_their_order(void **state)
{
    (void)state;
    static const double values[] = {-1e300, -1e20, -5.1, -5, -1e-300, 0, 1e-300, 5, 5.1, 1e20};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint32_t cut = pair_cut(values[i]);
        assert_true(pair_uncut(cut) <= values[i] && values[i] < pair_uncut(cut + 1));
        assert_true(i == 0 || pair_cut(values[i - 1]) < cut);
    }
    assert_int_equal(pair_cut(-0.0), pair_cut(0.0));
}

static struct slice code_bytes(int64_t code)
{
    struct pair_key key = {.length = 0};
    pair_add_code(&key, code);
    return arena_copy(arena, slice_of(key.bytes, key.length));
}

static void no_code_begins_as_another_does(void **state)
{
    (void)state;
    static const int64_t codes[] = {1,      2,        0xefff,    0xf000,           0xf001,
                                    0xffff, 0xffffff, 0x1000000, INT64_C(1) << 40, INT64_MAX};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        for (size_t j = 0; j < sizeof(codes) / sizeof(codes[0]); j++) {
            assert_int_equal(slice_starts(code_bytes(codes[i]), code_bytes(codes[j])), i == j);
        }
    }
    assert_int_equal(code_bytes(1).length, 2);
}

/* ---- what is stored -------------------------------------------------------------------------- */

/* When it was, of all widths; some to the millisecond. */
static const char *when_of(int i)
{
    int month = i % 12 + 1, day = i % 28 + 1;
    switch (i % 7) {
    case 0:
        return arena_print(arena, "'effectiveDateTime':'2021-%02d-%02d'", month, day);
    case 1:
        return arena_print(arena, "'effectiveDateTime':'2021-%02d'", month);
    case 2:
        return arena_print(arena, "'effectivePeriod':{'start':'2021-%02d-%02d'}", month, day);
    case 3:
        return arena_print(arena, "'effectivePeriod':{'end':'2021-%02d-%02d'}", month, day);
    case 4:
        return arena_print(arena, "'effectiveDateTime':'2021-%02d-%02dT10:00:00.%03dZ'", month, day,
                           i);
    case 5:
        return "'status':'final'";
    default:
        return arena_print(arena, "'effectiveDateTime':'2021-%02d-%02dT10:%02d:00Z'", month, day,
                           i % 60);
    }
}

static const char *observation(int i, int value)
{
    return arena_print(arena,
                       "{'resourceType':'Observation','id':'o%d','subject':{'reference':"
                       "'Patient/p%d'},'code':{'coding':[{'system':'http://loinc.org','code':'%s'}"
                       "%s]},%s,'valueQuantity':{'value':%d.%d,'unit':'%s','system':"
                       "'http://unitsofmeasure.org','code':'%s'}}",
                       i, i % 3, i % 3 == 0 ? "rare" : "usual",
                       i % 11 == 0 ? ",{'system':'http://loinc.org','code':'both'}" : "",
                       when_of(i), value, i % 10, i % 4 == 0 ? "mg" : "g", i % 4 == 0 ? "mg" : "g");
}

static const char *observation_of(int i)
{
    return observation(i, i * 7919 % 100);
}

static void put_many(void)
{
    put_in_batches(MANY, observation_of);
}

/* ---- questions ------------------------------------------------------------------------------- */

struct question {
    const char *code, *date, *date_too, *quantity;
    bool sorted, descending;
};

static size_t clauses_of(const struct question *question, struct store_clause *clauses,
                         struct store_value *values)
{
    static const char *const names[] = {"code", "date", "date", "value-quantity"};
    const char *const texts[] = {question->code, question->date, question->date_too,
                                 question->quantity};
    size_t count = 0;
    for (int i = 0; i < 4; i++) {
        if (texts[i] == NULL) {
            continue;
        }
        values[count] = i == 0   ? token_of(texts[i])
                        : i == 3 ? quantity_of(texts[i])
                                 : date_of(texts[i]);
        clauses[count] =
            (struct store_clause){.parameter = parameter_named("Observation", names[i]),
                                  .modifier = STORE_PLAIN,
                                  .values = &values[count],
                                  .value_count = 1};
        count++;
    }
    return count;
}

/* The ids in the order in which they come, by pages of COUNT; as many as are counted. */
static const char *answer(const struct question *question, size_t count)
{
    struct store_clause clauses[4];
    struct store_value values[4];
    struct store_sort sort = {.parameter = parameter_named("Observation", "date"),
                              .descending = question->descending};
    struct store_query query = {.type = type_named("Observation"),
                                .clauses = clauses,
                                .sorts = &sort,
                                .sort_count = question->sorted,
                                .count = count};
    struct buffer out = {.arena = arena};
    struct arena *scratch = arena_create(0);
    uint64_t come = 0;
    assert_true(buffer_grow(&out, 32 << 10));
    query.clause_count = clauses_of(question, clauses, values);
    do {
        struct store_tx *tx = begin();
        assert_int_equal(store_find(tx, &query, scratch, NULL, &page), STATUS_OK);
        store_snapshot_end(tx);
        come += page.count;
        for (size_t i = 0; i < page.count; i++) {
            buffer_print(&out, " %.*s", SLICE_ARGS(page.items[i].id));
        }
        query.cursor = page.next;
    } while (page.more);
    struct store_tx *tx = begin();
    query.total = true;
    query.cursor = (struct slice){NULL, 0};
    assert_int_equal(store_find(tx, &query, scratch, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(page.total, come);
    arena_destroy(scratch);
    return as_text(&out);
}

static const struct question questions[] = {
    {.code = "rare", .quantity = "gt90"},
    {.code = "rare", .quantity = "le7.5"},
    {.code = "usual", .quantity = "35.0"},
    {.code = "usual", .quantity = "gt0.05|http://unitsofmeasure.org|kg"},
    {.code = "usual", .quantity = "gt50||mg"},
    {.code = "both", .quantity = "ne50"},
    {.code = "http://loinc.org|", .quantity = "gt98"},
    {.code = "rare", .date = "ge2021-06-15", .date_too = "lt2021-06-20"},
    {.code = "rare", .date = "2021-06"},
    {.code = "usual", .date = "eb2021-02-01"},
    {.code = "usual", .date = "sa2021-11-20"},
    {.code = "both", .date = "le2021-03"},
    {.code = "none", .date = "le2021-03"},
    {.code = "rare", .date = "ge2021-06-15", .quantity = "gt50"},
    {.code = "rare", .sorted = true},
    {.code = "rare", .sorted = true, .descending = true},
    {.code = "usual", .sorted = true, .descending = true},
    {.code = "both", .sorted = true},
    {.code = "http://loinc.org|", .sorted = true, .descending = true},
    {.code = "usual", .quantity = "gt50", .sorted = true, .descending = true},
    {.code = "usual", .date = "ge2021-06-15", .sorted = true},
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void ask_all(const char **ret_answers)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        ret_answers[i] = answer(&questions[i], questions[i].sorted ? 60 : 100);
    }
}

static int64_t rows_of_pairs(void)
{
    return meddle("SELECT count(*) FROM text t JOIN parameter p ON p.number=t.parameter%16777216/2"
                  " WHERE p.code LIKE ' %'");
}

/* As a program made it that knew no pairs. */
static void without_pairs(void)
{
    store_shut();
    meddle("DELETE FROM text WHERE parameter%16777216/2 IN"
           " (SELECT number FROM parameter WHERE code LIKE ' %')");
    meddle("DELETE FROM parameter WHERE code LIKE ' %'");
}

static void pairs_come_to_what_was_stored_and_change_no_answer(void **state)
{
    (void)state;
    ONLY_SQLITE(); /* a server has no pairs */
    const char *with[QUESTIONS], *before[QUESTIONS], *after[QUESTIONS];
    put_many();
    int64_t rows = rows_of_pairs();
    assert_true(rows > 2 * MANY);
    ask_all(with);
    without_pairs();
    assert_int_equal(rows_of_pairs(), 0);
    store_reopen_with(NULL);
    ask_all(before);
    assert_int_equal(store_learned(store), STATUS_OK);
    ask_all(after);
    assert_int_equal(rows_of_pairs(), rows);
    for (size_t i = 0; i < QUESTIONS; i++) {
        assert_string_equal(with[i], before[i]);
        assert_string_equal(with[i], after[i]);
    }
    assert_true(strlen(with[0]) > 20 && strlen(with[14]) > 500);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void what_is_written_while_pairs_come_is_among_them(void **state)
{
    (void)state;
    ONLY_SQLITE(); /* a server has no pairs */
    put_many();
    int64_t rows = rows_of_pairs();
    without_pairs();
    store_reopen_with(NULL);
    for (int i = 0; i < 40; i++) {
        must_put(observation(MANY - 1 - i, i));
        must_put(observation(i, i + 50));
    }
    assert_int_equal(try_delete("Observation", "o450", (struct store_condition){0}), STATUS_OK);
    must_put(observation(450, 1));
    assert_int_equal(store_learned(store), STATUS_OK);
    assert_int_equal(rows_of_pairs(), rows);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void reindexing_brings_pairs_too(void **state)
{
    (void)state;
    ONLY_SQLITE(); /* a server has no pairs */
    put_many();
    int64_t rows = rows_of_pairs();
    store_shut();
    meddle("DELETE FROM text WHERE parameter%16777216/2 IN"
           " (SELECT number FROM parameter WHERE code LIKE ' %')");
    store_reopen_with(NULL);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_CORRUPT);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(rows_of_pairs(), rows);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

/* ---- one resource ---------------------------------------------------------------------------- */

static const char *one(const char *code, const char *quantity)
{
    struct question question = {.code = code, .quantity = quantity};
    return answer(&question, 10);
}

static void rows_follow_updates_moves_and_deletes(void **state)
{
    (void)state;
    ONLY_SQLITE();                /* a server has no pairs */
    must_put(observation(4, 10)); /* in mg, of p1, usual, 10.4 */
    assert_int_equal(rows_of_pairs(), 3);
    assert_string_equal(one("usual", "gt10"), " o4");
    assert_string_equal(one("usual", "gt11"), "");
    must_put(observation(4, 20));
    assert_string_equal(one("usual", "gt11"), " o4");
    must_put("{'resourceType':'Observation','id':'o4','subject':{'reference':'Patient/other'},"
             "'code':{'coding':[{'code':'x'}]},'valueQuantity':{'value':20.4}}");
    assert_int_equal(rows_of_pairs(), 1);
    assert_string_equal(one("usual", "gt11"), "");
    assert_string_equal(one("x", "gt11"), " o4");
    assert_int_equal(try_delete("Observation", "o4", (struct store_condition){0}), STATUS_OK);
    assert_int_equal(rows_of_pairs(), 0);
    assert_string_equal(one("x", "gt11"), "");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void a_question_is_answered_by_the_rows(void **state)
{
    (void)state;
    ONLY_SQLITE(); /* a server has no pairs */
    put_many();
    const char *before = one("usual", "gt90");
    assert_true(strlen(before) > 10);
    store_shut();
    meddle("DELETE FROM text WHERE parameter%16777216/2 IN"
           " (SELECT number FROM parameter WHERE code=' code value-quantity')");
    store_reopen_with(NULL);
    assert_string_equal(one("usual", "gt90"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(dates_keep_their_order_and_come_back),
        STORE_TEST(quantities_are_cut_but_keep_their_order),
        STORE_TEST(no_code_begins_as_another_does),
        STORE_TEST(pairs_come_to_what_was_stored_and_change_no_answer),
        STORE_TEST(what_is_written_while_pairs_come_is_among_them),
        STORE_TEST(reindexing_brings_pairs_too),
        STORE_TEST(rows_follow_updates_moves_and_deletes),
        STORE_TEST(a_question_is_answered_by_the_rows),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
