/* SPDX-License-Identifier: MIT */
/* Chains, their reverse, and any of several queries (R4 search, "Chained parameters" and "Reverse
 * Chaining"). */
#include "find_test.h"

static void put_ward(void)
{
    must_put("{'resourceType':'Organization','id':'trust','name':'Good Health'}");
    must_put("{'resourceType':'Organization','id':'ward','name':'Ward','partOf':"
             "{'reference':'Organization/trust'}}");
    must_put("{'resourceType':'Practitioner','id':'sarah','name':[{'family':'Peters'}]}");
    must_put("{'resourceType':'Patient','id':'peter','gender':'male','name':[{'family':'Chalmers'}]"
             ",'managingOrganization':{'reference':'Organization/ward'},'generalPractitioner':["
             "{'reference':'Practitioner/sarah'}]}");
    must_put("{'resourceType':'Patient','id':'paula','gender':'female','name':[{'family':'Peters'}"
             "],'managingOrganization':{'reference':'Organization/trust/_history/1'}}");
    must_put("{'resourceType':'Encounter','id':'in','class':{'code':'IMP'},'subject':"
             "{'reference':'Patient/peter'}}");
    must_put("{'resourceType':'Encounter','id':'out','class':{'code':'AMB'},'subject':"
             "{'reference':'Patient/paula'}}");
    must_put("{'resourceType':'Observation','id':'1','code':{'coding':[{'code':'1234-5'}]},"
             "'subject':{'reference':'Patient/peter'},'encounter':{'reference':'Encounter/in'}}");
    must_put("{'resourceType':'Observation','id':'2','code':{'coding':[{'code':'1234-5'}]},"
             "'subject':{'reference':'Patient/paula'},'encounter':{'reference':'Encounter/out'},"
             "'performer':[{'reference':'Practitioner/sarah'},"
             "{'reference':'Organization/ward'}]}");
    must_put(
        "{'resourceType':'Observation','id':'3','code':{'coding':[{'code':'other'}]},"
        "'subject':{'reference':'Patient/peter'},'performer':[{'reference':'Patient/paula'}]}");
    must_put("{'resourceType':'Observation','id':'4','subject':{'reference':'Patient/nobody'}}");
}

/* ---- chains --------------------------------------------------------------------------------- */

static void a_chain_asks_of_what_a_reference_leads_to(void **state)
{
    (void)state;
    put_ward();
    struct store_query *men = query_of("Patient", code_is("Patient", "gender", "male"));
    assert_string_equal(found(query_of("Observation", chain("Observation", "subject", men))),
                        "1 3");
    struct store_query *peters = query_of("Patient", text_is("Patient", "name", "peter"));
    /* R4: patient.name=peter finds by the patient's name, whichever patient that is. */
    assert_string_equal(found(query_of("Observation", chain("Observation", "patient", peters))),
                        "2");
    struct store_query *indoors = query_of("Encounter", code_is("Encounter", "class", "IMP"));
    assert_string_equal(found(query_of("Observation", chain("Observation", "encounter", indoors))),
                        "1");
    struct store_query *none = query_of("Patient", code_is("Patient", "gender", "unknown"));
    assert_string_equal(found(query_of("Observation", chain("Observation", "subject", none))), "");
}

static void a_chain_may_lead_on(void **state)
{
    (void)state;
    put_ward();
    struct store_query *trust =
        query_of("Organization", text_is("Organization", "name", "good health"));
    struct store_query *ward = query_of("Organization", chain("Organization", "partof", trust));
    struct store_query *theirs = query_of("Patient", chain("Patient", "organization", ward));
    assert_string_equal(found(query_of("Observation", chain("Observation", "subject", theirs))),
                        "1 3");
    /* A reference to a version counts by its resource. */
    struct store_query *own = query_of("Patient", chain("Patient", "organization", trust));
    assert_string_equal(found(query_of("Observation", chain("Observation", "subject", own))), "2");
}

static void a_chain_may_lead_to_several_types(void **state)
{
    (void)state;
    put_ward();
    struct store_query queries[] = {
        *query_of("Practitioner", text_is("Practitioner", "name", "peters")),
        *query_of("Patient", text_is("Patient", "name", "peters"))};
    struct store_clause *clause = chain("Observation", "performer", queries);
    clause->query_count = 2;
    assert_string_equal(found(query_of("Observation", clause)), "2 3");
    clause->query_count = 1;
    assert_string_equal(found(query_of("Observation", clause)), "2");
}

static void a_chain_sees_what_is_there_now(void **state)
{
    (void)state;
    put_ward();
    struct store_query *men = query_of("Patient", code_is("Patient", "gender", "male"));
    struct store_query *query = query_of("Observation", chain("Observation", "subject", men));
    must_put("{'resourceType':'Patient','id':'nobody','gender':'male'}");
    assert_string_equal(found(query), "1 3 4");
    must_put("{'resourceType':'Patient','id':'nobody','gender':'female'}");
    assert_string_equal(found(query), "1 3");
    struct store_query *indoors = query_of("Encounter", code_is("Encounter", "class", "IMP"));
    query = query_of("Observation", chain("Observation", "encounter", indoors));
    assert_string_equal(found(query), "1");
    assert_int_equal(try_delete("Encounter", "in", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(found(query), "");
}

static void a_chain_may_ask_for_ids_and_for_what_is_missing(void **state)
{
    (void)state;
    put_ward();
    struct slice ids[] = {SLICE("paula"), SLICE("never")};
    struct store_query people = {.type = type_named("Patient"), .ids = ids, .id_count = 2};
    assert_string_equal(found(query_of("Observation", chain("Observation", "subject", &people))),
                        "2");
    struct store_query *without =
        query_of("Patient", clause_of("Patient", "general-practitioner", STORE_MISSING,
                                      (struct store_value){.boolean = true}));
    assert_string_equal(found(query_of("Observation", chain("Observation", "subject", without))),
                        "2");
}

static void several_chains_need_not_meet_in_one_target(void **state)
{
    (void)state;
    put_ward();
    struct store_query *staff = query_of("Practitioner", text_is("Practitioner", "name", "peters"));
    struct store_query *ward = query_of("Organization", text_is("Organization", "name", "ward"));
    struct store_clause clauses[] = {*chain("Observation", "performer", staff),
                                     *chain("Observation", "performer", ward)};
    struct store_query *query = query_of("Observation", clauses);
    query->clause_count = 2;
    assert_string_equal(found(query), "2");
    clauses[1] = *code_is("Observation", "code", "other");
    assert_string_equal(found(query), "");
}

/* ---- the reverse ---------------------------------------------------------------------------- */

static void has_asks_of_what_refers_to_it(void **state)
{
    (void)state;
    put_ward();
    struct store_query *done = query_of("Observation", code_is("Observation", "code", "1234-5"));
    assert_string_equal(found(query_of("Patient", has("Observation", "subject", done))),
                        "paula peter");
    done = query_of("Observation", code_is("Observation", "code", "other"));
    assert_string_equal(found(query_of("Patient", has("Observation", "patient", done))), "peter");
    done = query_of("Observation", code_is("Observation", "code", "1234-5"));
    assert_string_equal(found(query_of("Practitioner", has("Observation", "performer", done))),
                        "sarah");
    assert_string_equal(found(query_of("Organization", has("Observation", "performer", done))),
                        "ward");
    assert_string_equal(found(query_of("Encounter", has("Observation", "encounter", done))),
                        "in out");
}

static void has_may_stand_in_has_and_in_a_chain(void **state)
{
    (void)state;
    put_ward();
    /* Organizations with a patient who has such an observation. */
    struct store_query *other = query_of("Observation", code_is("Observation", "code", "other"));
    struct store_query *people = query_of("Patient", has("Observation", "subject", other));
    assert_string_equal(found(query_of("Organization", has("Patient", "organization", people))),
                        "ward");
    /* Encounters of such patients. */
    assert_string_equal(found(query_of("Encounter", chain("Encounter", "subject", people))), "in");
}

static void refuses_a_chain_that_is_too_long_or_follows_no_reference(void **state)
{
    (void)state;
    put_ward();
    struct store_query *query =
        query_of("Organization", text_is("Organization", "name", "good health"));
    for (int i = 0; i < 8; i++) {
        query = query_of("Organization", chain("Organization", "partof", query));
    }
    assert_string_equal(found(query), "");
    query = query_of("Organization", chain("Organization", "partof", query));
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
    query = query_of("Patient", NULL);
    query = query_of("Observation", chain("Observation", "code", query));
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
    query = query_of("Questionnaire", NULL);
    query =
        query_of("QuestionnaireResponse", chain("QuestionnaireResponse", "questionnaire", query));
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
    query = query_of("Patient", code_is("Patient", "gender", "male"));
    query->type = RESOURCE_TYPE_NONE;
    query = query_of("Observation", chain("Observation", "subject", query));
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
}

/* ---- any of several ------------------------------------------------------------------------- */

static struct store_clause *refers_to(const char *type, const char *code, const char *target,
                                      const char *id)
{
    return clause_of(type, code, STORE_PLAIN,
                     (struct store_value){.target = type_named(target), .id = slice_text(id)});
}

static void any_of_several_queries_will_do(void **state)
{
    (void)state;
    put_ward();
    struct store_query queries[] = {
        *query_of("Observation", refers_to("Observation", "subject", "Patient", "paula")),
        *query_of("Observation", refers_to("Observation", "performer", "Patient", "paula")),
        *query_of("Encounter", refers_to("Encounter", "subject", "Patient", "paula"))};
    struct store_clause any = {.modifier = STORE_ANY, .queries = queries, .query_count = 3};
    struct store_query *query = query_of("Observation", &any);
    assert_string_equal(found(query), "2 3");
    /* Not one stream each: the second asks for a code too. */
    struct store_clause both[] = {*refers_to("Observation", "performer", "Patient", "paula"),
                                  *text_is("Observation", "code-value-string", "x")};
    both[1] = *code_is("Observation", "code", "other");
    both[1].modifier = STORE_NOT;
    queries[1].clauses = both;
    queries[1].clause_count = 2;
    assert_string_equal(found(query), "2");
    query->type = RESOURCE_TYPE_NONE;
    assert_string_equal(found(query), "2 out");
    any.query_count = 0;
    assert_string_equal(found(query), "");
}

/* ---- both ways agree ------------------------------------------------------------------------ */

static const char *random_people(void)
{
    uint64_t random = 7;
    for (int i = 0; i < 700; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        must_put(arena_print(arena, "{'resourceType':'Patient','id':'p%d','gender':'%s'}", i,
                             (random >> 33) % 10 == 0 ? "male" : "female"));
        must_put(arena_print(arena,
                             "{'resourceType':'Encounter','id':'e%d','status':'%s','subject':"
                             "{'reference':'Patient/p%d'}}",
                             i, (random >> 40) % 7 == 0 ? "planned" : "finished", i));
        must_put(arena_print(arena,
                             "{'resourceType':'Observation','id':'o%d','status':'%s','subject':"
                             "{'reference':'Patient/p%d'},'encounter':{'reference':"
                             "'Encounter/e%d'}}",
                             i, (random >> 50) % 2 == 0 ? "final" : "amended", i,
                             (int)((random >> 35) % 700)));
    }
    return "";
}

/* What forward finds, before and after it gave a stream, is what following finds: a page of one
 * starts anew each time and ends by following, a page of all goes on until forward is done. */
static void all_pages_together_are_the_one_page(void **state)
{
    (void)state;
    random_people();
    struct store_query *men = query_of("Patient", code_is("Patient", "gender", "male"));
    struct store_query *planned = query_of("Encounter", code_is("Encounter", "status", "planned"));
    struct store_query *final = query_of("Observation", code_is("Observation", "status", "final"));
    struct store_query *whole = query_of("Encounter", has("Observation", "encounter", final));
    struct store_query *cases[] = {
        query_of("Observation", chain("Observation", "subject", men)),
        query_of("Observation", chain("Observation", "encounter", planned)),
        query_of("Patient", has("Observation", "subject", final)),
        query_of("Observation", chain("Observation", "encounter", whole))};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_query *query = cases[i];
        query->count = 2000;
        query->total = true;
        assert_int_equal(try_find(query), STATUS_OK);
        size_t all = page.count;
        const char *expected = ids_of(&page);
        assert_int_equal(page.total, all);
        assert_in_range(all, 20, 650);
        struct buffer out = {.arena = arena};
        query->count = 40;
        query->total = false;
        query->cursor = (struct slice){NULL, 0};
        do {
            assert_int_equal(try_find(query), STATUS_OK);
            buffer_add_text(&out, out.length > 0 && page.count > 0 ? " " : "");
            buffer_add_text(&out, ids_of(&page));
            query->cursor = page.next;
        } while (page.more);
        assert_string_equal(as_text(&out), expected);
    }
}

/* ---- whose home a match is in -----------------------------------------------------------------
 */

static void put_coverage(const char *id, const char *beneficiary, const char *subscriber)
{
    must_put(arena_print(arena,
                         "{'resourceType':'Coverage','id':'%s','status':'active','beneficiary':"
                         "{'reference':'Patient/%s'}%s%s%s,'payor':[{'display':'Trust'}]}",
                         id, beneficiary, *subscriber != 0 ? ",'subscriber':{'reference':'" : "",
                         subscriber, *subscriber != 0 ? "'}" : ""));
}

static struct store_query *with_coverage(const char *code)
{
    struct store_query *active = query_of("Coverage", code_is("Coverage", "status", "active"));
    return query_of("Patient", has("Coverage", code, active));
}

static int id_order(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Their ids, sorted; asked one at a time, and with the total, which must be the same. */
static const char *one_by_one(struct store_query *query)
{
    struct buffer out = {.arena = arena};
    struct slice ids[10];
    size_t count = 0;
    query->total = true;
    assert_int_equal(try_find(query), STATUS_OK);
    uint64_t total = page.total;
    query->total = false;
    query->count = 1;
    query->cursor = (struct slice){NULL, 0};
    do {
        assert_int_equal(try_find(query), STATUS_OK);
        if (page.count > 0) {
            ids[count++] = page.items[0].id;
        }
        query->cursor = page.next;
    } while (page.more && count < 10);
    assert_int_equal(count, total);
    qsort(ids, count, sizeof(ids[0]), id_order);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&out, i > 0 ? " " : "");
        buffer_add(&out, ids[i]);
    }
    return as_text(&out);
}

static void put_covered(void)
{
    static const char *const people[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) {
        must_put(arena_print(arena, "{'resourceType':'Patient','id':'%s'}", people[i]));
    }
    put_coverage("c1", "c", "Patient/c");
    put_coverage("a1", "a", "Patient/a");
    put_coverage("a2", "a", "Patient/a");
    put_coverage("d1", "d", "RelatedPerson/r");
    put_coverage("n1", "nobody", "");
}

static void has_finds_whom_matches_at_home_refer_to(void **state)
{
    (void)state;
    put_covered();
    assert_string_equal(one_by_one(with_coverage("beneficiary")), "a c d");
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a c");
    must_put("{'resourceType':'Patient','id':'nobody'}");
    assert_string_equal(one_by_one(with_coverage("beneficiary")), "a c d nobody");
    assert_int_equal(try_delete("Patient", "c", (struct store_condition){0}), STATUS_OK);
    assert_int_equal(try_delete("Coverage", "d1", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(one_by_one(with_coverage("beneficiary")), "a nobody");
    put_coverage("a1", "b", "Patient/b"); /* it moves */
    assert_string_equal(one_by_one(with_coverage("beneficiary")), "a b nobody");
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a b");
}

static void has_finds_whom_matches_in_other_homes_refer_to(void **state)
{
    (void)state;
    put_covered();
    put_coverage("d2", "d", "Patient/b"); /* b has nothing at home */
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a b c");
    assert_string_equal(one_by_one(with_coverage("beneficiary")), "a c d");
    store_shut();
    store_reopen_with(NULL);
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a b c");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
    put_coverage("d2", "d", "Patient/d"); /* what was noted stays noted, and nothing is lost */
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a c d");
}

static void reopen_after(const char *sql)
{
    store_shut();
    meddle(sql);
    store_reopen_with(NULL);
}

static void references_to_others_are_noted_in_an_older_layout_and_by_reindexing(void **state)
{
    (void)state;
    ONLY_SQLITE();
    put_covered();
    put_coverage("d2", "d", "Patient/b");
    reopen_after("DROP TABLE stray; PRAGMA user_version=6");
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a b c");
    reopen_after("DELETE FROM stray");
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a c");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_CORRUPT);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_string_equal(one_by_one(with_coverage("subscriber")), "a b c");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_chain_asks_of_what_a_reference_leads_to),
        STORE_TEST(a_chain_may_lead_on),
        STORE_TEST(a_chain_may_lead_to_several_types),
        STORE_TEST(a_chain_sees_what_is_there_now),
        STORE_TEST(a_chain_may_ask_for_ids_and_for_what_is_missing),
        STORE_TEST(several_chains_need_not_meet_in_one_target),
        STORE_TEST(has_asks_of_what_refers_to_it),
        STORE_TEST(has_may_stand_in_has_and_in_a_chain),
        STORE_TEST(refuses_a_chain_that_is_too_long_or_follows_no_reference),
        STORE_TEST(any_of_several_queries_will_do),
        STORE_TEST(all_pages_together_are_the_one_page),
        STORE_TEST(has_finds_whom_matches_at_home_refer_to),
        STORE_TEST(has_finds_whom_matches_in_other_homes_refer_to),
        STORE_TEST(references_to_others_are_noted_in_an_older_layout_and_by_reindexing),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
