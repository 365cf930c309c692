/* SPDX-License-Identifier: MIT */
/* Presence: which parameters a resource has values of, as one code. It finds what is missing, and
 * what a sorted page ends with; it comes to stores made without it and never changes an answer. */
#include "clause_test.h"

#include "store/store_int.h"

#define MANY 6000 /* so that no stream is so short that its resources are simply looked at */

/* Of every three one has no date, and of every hundred one no method. What each has follows from
 * its number. */
static const char *observation(int i)
{
    static const char *const times[] = {
        "", "'effectiveTiming':{'code':{'text':'daily'}},", /* there, but not to be found by */
        "'effectivePeriod':{'end':'2021-06-30'},"};
    const char *when = i % 3 == 0 ? (i % 21 == 0 ? times[1 + i % 2] : times[0])
                                  : arena_print(arena, "'effectiveDateTime':'2021-%02d-%02d',",
                                                i % 12 + 1, i % 28 + 1);
    return arena_print(arena,
                       "{'resourceType':'Observation','id':'o%d','status':'final',%s%s%s"
                       "'subject':{'reference':'Patient/p%d'},'code':{'coding':[{'system':"
                       "'http://loinc.org','code':'%s'}]}}",
                       i, when, i % 100 == 7 ? "" : "'method':{'coding':[{'code':'m'}]},",
                       i % 5 == 0 ? "'device':{'reference':'Device/d'}," : "", i % 40,
                       i % 6 == 0   ? "dateless"
                       : i % 2 == 0 ? "even"
                                    : "odd");
}

static void put_many(void)
{
    put_in_batches(MANY, observation);
}

/* ---- questions ------------------------------------------------------------------------------- */

struct question {
    const char *code, *missing, *present, *sort, *sort_too;
    bool descending;
};

static const struct question questions[] = {
    {.missing = "method"},
    {.code = "odd", .missing = "method"},
    {.code = "odd", .missing = "date"},
    {.code = "odd", .present = "date"},
    {.code = "dateless", .present = "date"},
    {.code = "even", .missing = "code"},
    {.code = "even", .missing = "device", .present = "method"},
    {.present = "device", .missing = "date"},
    {.code = "dateless", .sort = "date"},
    {.code = "dateless", .sort = "date", .descending = true},
    {.code = "odd", .sort = "date", .descending = true},
    {.code = "odd", .missing = "method", .sort = "date"},
    {.code = "dateless", .sort = "date", .sort_too = "_id", .descending = true},
    {.sort = "date"},
    {.missing = "device", .sort = "method"},
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void add_clause(struct store_clause *clauses, size_t *count, const char *name,
                       enum store_modifier modifier, const struct store_value *value)
{
    if (name != NULL) {
        clauses[(*count)++] =
            (struct store_clause){.parameter = parameter_named("Observation", name),
                                  .modifier = modifier,
                                  .values = value,
                                  .value_count = 1};
    }
}

/* The ids in the order in which they come, by pages of 100. */
static const char *answer(const struct question *question)
{
    static const struct store_value yes = {.boolean = true}, no = {.boolean = false};
    struct store_clause clauses[3];
    struct store_value code = token_of(question->code != NULL ? question->code : "");
    struct store_sort sorts[2] = {{.descending = question->descending}, {.descending = false}};
    struct store_query query = {
        .type = type_named("Observation"), .clauses = clauses, .sorts = sorts, .count = 100};
    struct buffer out = {.arena = arena};
    struct arena *scratch = arena_create(0);
    assert_true(buffer_grow(&out, 64 << 10));
    add_clause(clauses, &query.clause_count, question->code != NULL ? "code" : NULL, STORE_PLAIN,
               &code);
    add_clause(clauses, &query.clause_count, question->missing, STORE_MISSING, &yes);
    add_clause(clauses, &query.clause_count, question->present, STORE_MISSING, &no);
    if (question->sort != NULL) {
        sorts[query.sort_count++].parameter = parameter_named("Observation", question->sort);
    }
    if (question->sort_too != NULL) {
        sorts[query.sort_count++].parameter = parameter_named("Observation", question->sort_too);
    }
    do {
        struct store_tx *tx = begin();
        assert_int_equal(store_find(tx, &query, scratch, NULL, &page), STATUS_OK);
        store_snapshot_end(tx);
        for (size_t i = 0; i < page.count; i++) {
            buffer_print(&out, " %.*s", SLICE_ARGS(page.items[i].id));
        }
        query.cursor = arena_copy(arena, page.next);
        arena_reset(scratch, 0);
    } while (page.more);
    arena_destroy(scratch);
    return as_text(&out);
}

static void ask_all(const char **ret_answers)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        ret_answers[i] = answer(&questions[i]);
    }
}

static size_t words(const char *text)
{
    size_t count = 0;
    for (; *text != 0; text++) {
        count += *text == ' ';
    }
    return count;
}

static int64_t rows_of_presence(void)
{
    return meddle("SELECT count(*) FROM token t JOIN parameter p ON p.number=t.parameter/2"
                  " WHERE p.code='_presence '");
}

/* As a program made it that did not know of presence: later its numbers are others. */
static void without_presence(void)
{
    store_shut();
    meddle("DELETE FROM token WHERE parameter/2 IN"
           " (SELECT number FROM parameter WHERE code='_presence ')");
    meddle("DELETE FROM parameter WHERE code='_presence '");
    meddle("INSERT INTO parameter VALUES(5000, 1, 'later ', x'00', 0)");
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void it_comes_to_what_was_stored_and_changes_no_answer(void **state)
{
    (void)state;
    ONLY_SQLITE();
    const char *with[QUESTIONS], *before[QUESTIONS], *after[QUESTIONS];
    put_many();
    assert_int_equal(rows_of_presence(), MANY);
    ask_all(with);
    without_presence();
    assert_int_equal(rows_of_presence(), 0);
    store_reopen_with(NULL);
    ask_all(before);
    assert_int_equal(store_learned(store), STATUS_OK);
    ask_all(after);
    assert_int_equal(rows_of_presence(), MANY);
    for (size_t i = 0; i < QUESTIONS; i++) {
        assert_string_equal(with[i], before[i]);
        assert_string_equal(with[i], after[i]);
    }
    assert_int_equal(words(with[0]), MANY / 100);
    assert_int_equal(words(with[5]), 0);
    assert_int_equal(words(with[8]), MANY / 6);
    assert_int_equal(words(with[13]), MANY);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void it_follows_updates_moves_and_deletes(void **state)
{
    (void)state;
    ONLY_SQLITE();
    must_put(observation(1));
    assert_string_equal(answer(&questions[2]), "");
    must_put("{'resourceType':'Observation','id':'o1','status':'final','code':{'coding':[{'code':"
             "'odd'}]}}");
    assert_string_equal(answer(&questions[2]), " o1");
    must_put("{'resourceType':'Observation','id':'o1','status':'final','subject':{'reference':"
             "'Patient/other'},'code':{'coding':[{'code':'odd'}]}}");
    assert_string_equal(answer(&questions[2]), " o1");
    assert_int_equal(rows_of_presence(), 1);
    assert_int_equal(try_delete("Observation", "o1", (struct store_condition){0}), STATUS_OK);
    assert_int_equal(rows_of_presence(), 0);
    must_put("{'resourceType':'Basic','id':'bare'}"); /* not even a code */
    assert_int_equal(rows_of_presence(), 1);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void a_question_is_answered_by_it(void **state)
{
    (void)state;
    ONLY_SQLITE();
    put_many();
    assert_int_equal(words(answer(&questions[0])), MANY / 100);
    assert_int_equal(words(answer(&questions[8])), MANY / 6);
    store_shut();
    meddle("DELETE FROM token WHERE parameter/2 IN"
           " (SELECT number FROM parameter WHERE code='_presence ')");
    store_reopen_with(NULL);
    assert_string_equal(answer(&questions[0]), "");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(it_comes_to_what_was_stored_and_changes_no_answer),
        STORE_TEST(it_follows_updates_moves_and_deletes),
        STORE_TEST(a_question_is_answered_by_it),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
