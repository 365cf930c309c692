/* SPDX-License-Identifier: MIT */
/* Search parameters that are stored: taken in as they come, indexed by in the background, right
 * from the first answer on, and gone when they go. */
#include <pthread.h>

#include "find_test.h"

#define PARAMETER(id, code, kind, base, expression)                                                \
    "{'resourceType':'SearchParameter','id':'" id "','url':'http://x/" id "','status':'active',"   \
    "'code':'" code "','base':['" base "'],'type':'" kind "','expression':'" expression "'}"

#define NICKNAME(status)                                                                           \
    "{'resourceType':'SearchParameter','id':'nick','url':'http://x/nick','status':'" status "',"   \
    "'code':'x-nick','base':['Patient'],'type':'string','expression':"                             \
    "'Patient.name.given.where(length() = 2)'}"

static void put_people(int from, int to)
{
    for (int i = from; i < to; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Patient','id':'p%d','name':[{'use':'official',"
                             "'given':['Anna']},{'use':'nickname','given':['N%d']}]}",
                             i, i % 10));
    }
}

static void learned(void)
{
    assert_int_equal(store_learned(store), STATUS_OK);
}

static uint64_t count_of(const char *code, const char *value)
{
    struct store_query *query = query_of("Patient", text_is("Patient", code, value));
    query->total = true;
    query->count = 1;
    assert_int_equal(try_find(query), STATUS_OK);
    return page.total;
}

static bool is_known(const char *type, const char *code)
{
    return search_parameter_find(definitions, type_named(type), slice_text(code)) != NULL;
}

static uint64_t faults_of_check(void)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    (void)!store_check(store, NULL, NULL, &outcome);
    for (const struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        print_message("%.*s\n", SLICE_ARGS(issue->text));
    }
    store_shut();
    store_reopen_with(NULL);
    return outcome.errors;
}

static int shut_and_forget(void **state)
{
    /* The definitions outlive the store: what it added must not meet the next test. */
    static const char *const ids[] = {"nick", "a", "b", "c"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        (void)try_delete("SearchParameter", ids[i], (struct store_condition){0});
    }
    (void)!store_learned(store);
    return store_teardown(state);
}

#define LEARN_TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, shut_and_forget)

/* ---- coming and going -------------------------------------------------------------------------
 */

static void indexes_what_is_stored_by_a_parameter_that_comes(void **state)
{
    (void)state;
    put_people(0, 100);
    assert_false(is_known("Patient", "x-nick"));
    must_put(NICKNAME("active"));
    learned();
    assert_int_equal(count_of("x-nick", "n3"), 10);
    assert_int_equal(count_of("x-nick", "anna"), 0);
    put_people(100, 120);
    assert_int_equal(count_of("x-nick", "n3"), 12);
    assert_int_equal(faults_of_check(), 0);
    assert_int_equal(count_of("x-nick", "n3"), 12); /* also after a start */
}

static void counts_only_while_it_is_active(void **state)
{
    (void)state;
    put_people(0, 20);
    must_put(NICKNAME("draft"));
    learned();
    assert_false(is_known("Patient", "x-nick"));
    must_put(NICKNAME("active"));
    learned();
    assert_int_equal(count_of("x-nick", "n1"), 2);
    must_put(NICKNAME("retired"));
    learned();
    assert_false(is_known("Patient", "x-nick"));
    assert_int_equal(faults_of_check(), 0);
    must_put(NICKNAME("active"));
    learned();
    assert_int_equal(count_of("x-nick", "n1"), 2);
}

static void goes_when_it_is_deleted_and_comes_back_whole(void **state)
{
    (void)state;
    must_put(NICKNAME("active"));
    learned();
    put_people(0, 10);
    assert_int_equal(count_of("x-nick", "n1"), 1);
    assert_int_equal(try_delete("SearchParameter", "nick", (struct store_condition){0}), STATUS_OK);
    learned();
    assert_false(is_known("Patient", "x-nick"));
    put_people(10, 20); /* without it */
    must_put(NICKNAME("active"));
    learned();
    assert_int_equal(count_of("x-nick", "n1"), 2);
    assert_int_equal(faults_of_check(), 0);
}

static void follows_a_change_of_the_expression(void **state)
{
    (void)state;
    put_people(0, 30);
    must_put(PARAMETER("a", "x-a", "string", "Patient", "Patient.name.given"));
    learned();
    assert_int_equal(count_of("x-a", "anna"), 30);
    must_put(PARAMETER("a", "x-a", "string", "Patient", "Patient.name.given.skip(1)"));
    learned();
    assert_int_equal(count_of("x-a", "anna"), 0);
    assert_int_equal(count_of("x-a", "n4"), 3);
    assert_int_equal(faults_of_check(), 0);
}

static void knows_every_kind_of_value(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'o','status':'final','code':{'coding':[{'system':"
             "'http://l','code':'1'}]},'subject':{'reference':'Patient/p1'},'issued':"
             "'2020-01-02T03:04:05Z','valueInteger':7}");
    must_put(PARAMETER("a", "x-number", "number", "Observation", "(Observation.value as integer)"));
    must_put(PARAMETER("b", "x-whom", "reference", "Observation", "Observation.subject"));
    must_put(PARAMETER("c", "x-issued", "date", "Observation", "Observation.issued"));
    learned();
    struct store_query *query =
        query_of("Patient", has("Observation", "x-whom", query_of("Observation", NULL)));
    must_put("{'resourceType':'Patient','id':'p1'}");
    assert_string_equal(found(query), "p1");
    assert_true(is_known("Observation", "x-number"));
    struct store_sort sort = {.parameter = parameter_named("Observation", "x-issued")};
    query = query_of("Observation", NULL);
    query->sorts = &sort;
    query->sort_count = 1;
    assert_string_equal(found(query), "o");
    assert_int_equal(faults_of_check(), 0);
}

static void applies_to_all_types_of_its_base(void **state)
{
    (void)state;
    must_put(PARAMETER("a", "x-lang", "token", "Resource", "Resource.language"));
    learned();
    assert_true(is_known("Patient", "x-lang"));
    assert_true(is_known("Binary", "x-lang"));
    must_put(PARAMETER("b", "x-text", "string", "DomainResource", "DomainResource.text.status"));
    learned();
    assert_true(is_known("Patient", "x-text"));
    assert_false(is_known("Binary", "x-text"));
    must_put("{'resourceType':'Basic','id':'de','language':'de','code':{'text':'x'}}");
    must_put("{'resourceType':'Basic','id':'en','language':'en','code':{'text':'x'}}");
    assert_string_equal(found(query_of("Basic", code_is("Basic", "x-lang", "de"))), "de");
}

static void leaves_the_definitions_own_as_they_are(void **state)
{
    (void)state;
    put_people(0, 1);
    must_put(PARAMETER("a", "gender", "string", "Patient", "Patient.name.given"));
    must_put(PARAMETER("b", "x-b", "none", "Patient", "Patient.name.given"));
    must_put(PARAMETER("c", "x-c", "string", "Nothing", "Patient.name.given"));
    learned();
    assert_int_equal(parameter_named("Patient", "gender")->kind, SEARCH_TOKEN);
    assert_false(is_known("Patient", "x-b"));
    assert_false(is_known("Patient", "x-c"));
}

static void refuses_a_search_by_an_expression_that_cannot_be_read(void **state)
{
    (void)state;
    must_put(PARAMETER("a", "x-a", "string", "Patient", "Patient.name.("));
    learned();
    put_people(0, 2);
    assert_int_equal(try_find(query_of("Patient", text_is("Patient", "x-a", "n"))),
                     STATUS_NOT_SUPPORTED);
    assert_int_equal(faults_of_check(), 0);
}

static void finds_the_parts_of_a_composite(void **state)
{
    (void)state;
    must_put(PARAMETER("a", "x-use", "token", "Patient", "Patient.name.use"));
    must_put(PARAMETER("b", "x-given", "string", "Patient", "Patient.name.given"));
    must_put("{'resourceType':'SearchParameter','id':'c','url':'http://x/c','status':'active',"
             "'code':'x-both','base':['Patient'],'type':'composite','expression':'Patient.name',"
             "'component':[{'definition':'http://x/a','expression':'use'},"
             "{'definition':'http://x/b','expression':'given'}]}");
    learned();
    const struct search_parameter *both = parameter_named("Patient", "x-both");
    assert_int_equal(both->component_count, 2);
    assert_true(slice_is(both->components[1].parameter->code, "x-given"));
}

/* ---- while it goes on -------------------------------------------------------------------------
 */

static void says_not_ready_until_all_is_indexed(void **state)
{
    (void)state;
    put_people(0, 1500);
    must_put(NICKNAME("active"));
    assert_true(store_learning(store) || is_known("Patient", "x-nick"));
    while (store_learning(store)) {
        usleep(1000);
    }
    uint64_t done, all, answers = 0;
    struct store_clause *clause = text_is("Patient", "x-nick", "n3");
    while (store_indexing(store, &done, &all)) {
        struct arena_mark mark = arena_mark(arena); /* where a sync is slow it asks very often */
        struct store_query *query = query_of("Patient", clause);
        query->total = true;
        query->count = 1;
        enum status status = try_find(query);
        assert_true(status == STATUS_TRANSIENT || status == STATUS_OK);
        assert_true(status != STATUS_OK || page.total == 150);
        assert_true(done <= 1500 && all == 1500);
        answers++;
        arena_rewind(arena, mark);
    }
    assert_true(answers > 0);
    assert_int_equal(count_of("x-nick", "n3"), 150);
}

static void goes_on_where_it_was_stopped(void **state)
{
    (void)state;
    put_people(0, 2000);
    must_put(NICKNAME("active"));
    uint64_t done = 0, all = 0;
    while (store_learning(store) || (store_indexing(store, &done, &all) && done == 0)) {
        usleep(100);
    }
    store_shut();
    store_reopen_with(NULL);
    uint64_t rest = 0;
    (void)store_indexing(store, &done, &rest);
    assert_true(rest < 2000); /* some were done */
    learned();
    assert_int_equal(count_of("x-nick", "n7"), 200);
    assert_int_equal(faults_of_check(), 0);
}

static _Atomic bool stop;

/* Another thread's: the arena of the tests is not for it. */
struct other_put {
    struct store_draft *draft;
    struct arena *arena;
    struct store_written written;
};

static enum status other_run(struct store_tx *tx, void *context)
{
    struct other_put *put = context;
    return store_put(tx, put->draft, STORE_UPDATED, NULL, put->arena, NULL, &put->written);
}

static void *write_on(void *context)
{
    struct arena *own = arena_create(0);
    for (int i = 0; !stop; i++) {
        struct json json;
        struct other_put put = {.arena = own};
        const char *text = arena_print(own,
                                       "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"name\":[{"
                                       "\"use\":\"nickname\",\"given\":[\"WW\"]}]}",
                                       i % 400);
        assert_int_equal(json_read(slice_text(text), &json_limits_default, own, NULL, &json),
                         STATUS_OK);
        assert_int_equal(store_draft_make(store, type_named("Patient"),
                                          json_get_string(json.root, "id"), json.root,
                                          SLICE("http://here.example/fhir"), own, NULL, &put.draft),
                         STATUS_OK);
        assert_int_equal(store_write(store, other_run, &put), STATUS_OK);
        arena_reset(own, (size_t)1 << 20);
    }
    arena_destroy(own);
    return context;
}

static void misses_nothing_that_is_written_meanwhile(void **state)
{
    (void)state;
    pthread_t writer;
    put_people(0, 400);
    stop = false;
    assert_int_equal(pthread_create(&writer, NULL, write_on, NULL), 0);
    for (int i = 0; i < 6; i++) {
        must_put(NICKNAME("active"));
        learned();
        must_put(NICKNAME("retired"));
        learned();
    }
    must_put(NICKNAME("active"));
    learned();
    stop = true;
    pthread_join(writer, NULL);
    assert_int_equal(faults_of_check(), 0);
    learned();
    uint64_t all = count_of("x-nick", "ww");
    for (int i = 0; i < 10; i++) {
        all += count_of("x-nick", arena_print(arena, "n%d", i));
    }
    assert_int_equal(all, 400);
}

/* The last test of all: the numbers of Patient's parameters are used up then. */
static void passes_over_what_there_are_no_numbers_for(void **state)
{
    (void)state;
    put_people(0, 10);
    must_put(PARAMETER("b", "x-b", "string", "Patient", "Patient.name.given"));
    learned();
    for (unsigned i = 0; i <= SEARCH_ADDED_MOST; i++) {
        must_put(arena_print(
            arena,
            PARAMETER("a", "x-a", "string", "Patient", "Patient.name.given.where(length() > %u)"),
            i));
        learned();
    }
    assert_false(store_learning(store));
    assert_int_equal(try_find(query_of("Patient", text_is("Patient", "x-a", "n"))),
                     STATUS_NOT_SUPPORTED);
    assert_int_equal(count_of("x-b", "anna"), 10);
}

static void takes_the_parts_of_a_composite_that_is_active(void **state)
{
    (void)state;
    must_put(PARAMETER("a", "x-use", "token", "Patient", "Patient.name.use"));
    must_put(PARAMETER("nick", "x-given", "string", "Patient", "Patient.name.given"));
#define BOTH(id, status, first, second)                                                            \
    "{'resourceType':'SearchParameter','id':'" id "','url':'http://x/" id "','status':'" status    \
    "','code':'x-both','base':['Patient'],'type':'composite','expression':'Patient.name',"         \
    "'component':[{'definition':'http://x/" first "','expression':'use'},"                         \
    "{'definition':'http://x/" second "','expression':'given'}]}"
    must_put(BOTH("b", "draft", "nick", "a"));
    must_put(BOTH("c", "active", "a", "nick"));
    learned();
    const struct search_parameter *both = parameter_named("Patient", "x-both");
    assert_int_equal(both->component_count, 2);
    assert_true(slice_is(both->components[0].parameter->code, "x-use"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEARN_TEST(indexes_what_is_stored_by_a_parameter_that_comes),
        LEARN_TEST(counts_only_while_it_is_active),
        LEARN_TEST(goes_when_it_is_deleted_and_comes_back_whole),
        LEARN_TEST(follows_a_change_of_the_expression),
        LEARN_TEST(knows_every_kind_of_value),
        LEARN_TEST(applies_to_all_types_of_its_base),
        LEARN_TEST(leaves_the_definitions_own_as_they_are),
        LEARN_TEST(refuses_a_search_by_an_expression_that_cannot_be_read),
        LEARN_TEST(finds_the_parts_of_a_composite),
        LEARN_TEST(says_not_ready_until_all_is_indexed),
        LEARN_TEST(goes_on_where_it_was_stopped),
        LEARN_TEST(misses_nothing_that_is_written_meanwhile),
        LEARN_TEST(takes_the_parts_of_a_composite_that_is_active),
        LEARN_TEST(passes_over_what_there_are_no_numbers_for),
    };
    return cmocka_run_group_tests_name("store_learn", tests, definitions_setup,
                                       definitions_teardown);
}
