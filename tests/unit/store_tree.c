/* SPDX-License-Identifier: MIT */
/* Hierarchies: :below and :above of references (R4 search, "reference"); and searches across
 * types. */
#include "find_test.h"

static void put_hospital(void)
{
    must_put("{'resourceType':'Location','id':'site'}");
    must_put("{'resourceType':'Location','id':'wing','partOf':{'reference':'Location/site'}}");
    must_put("{'resourceType':'Location','id':'ward','partOf':{'reference':'Location/wing'}}");
    must_put("{'resourceType':'Location','id':'shop','partOf':{'reference':'Location/site'}}");
    must_put("{'resourceType':'Location','id':'other'}");
    must_put("{'resourceType':'Procedure','id':'1','location':{'reference':'Location/site'},"
             "'subject':{'reference':'Patient/p'}}");
    must_put("{'resourceType':'Procedure','id':'2','location':{'reference':'Location/ward'},"
             "'subject':{'reference':'Patient/p'}}");
    must_put("{'resourceType':'Procedure','id':'3','location':{'reference':'Location/other'},"
             "'subject':{'reference':'Patient/p'}}");
}

static struct store_query *within(const char *type, const char *code, enum store_modifier modifier,
                                  const char *target, const char *id)
{
    struct store_value value = {.id = slice_text(id)};
    value.target = target != NULL ? type_named(target) : RESOURCE_TYPE_NONE;
    return query_of(type, clause_of(type, code, modifier, value));
}

static void below_finds_all_that_is_part_of_it(void **state)
{
    (void)state;
    put_hospital();
    assert_string_equal(found(within("Procedure", "location", STORE_BELOW, "Location", "site")),
                        "1 2");
    assert_string_equal(found(within("Procedure", "location", STORE_BELOW, NULL, "wing")), "2");
    assert_string_equal(found(within("Procedure", "location", STORE_PLAIN, NULL, "wing")), "");
    assert_string_equal(found(within("Procedure", "location", STORE_BELOW, NULL, "shop")), "");
    assert_string_equal(found(within("Procedure", "location", STORE_BELOW, NULL, "never")), "");
    /* What is below through the parameter of the hierarchy itself. */
    assert_string_equal(found(within("Location", "partof", STORE_BELOW, NULL, "site")),
                        "shop ward wing");
}

static void above_finds_all_that_it_is_part_of(void **state)
{
    (void)state;
    put_hospital();
    assert_string_equal(found(within("Procedure", "location", STORE_ABOVE, NULL, "ward")), "1 2");
    assert_string_equal(found(within("Procedure", "location", STORE_ABOVE, NULL, "wing")), "1");
    assert_string_equal(found(within("Procedure", "location", STORE_ABOVE, NULL, "other")), "3");
}

static void a_hierarchy_in_a_circle_ends(void **state)
{
    (void)state;
    put_hospital();
    must_put("{'resourceType':'Location','id':'site','partOf':{'reference':'Location/ward'}}");
    assert_string_equal(found(within("Procedure", "location", STORE_BELOW, NULL, "wing")), "1 2");
    assert_string_equal(found(within("Procedure", "location", STORE_ABOVE, NULL, "wing")), "1 2");
}

static void a_wide_hierarchy_is_found_whole(void **state)
{
    (void)state;
    put_hospital();
    for (int i = 0; i < 100; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Location','id':'bed%d','partOf':"
                             "{'reference':'Location/ward'}}",
                             i));
        must_put(arena_print(arena,
                             "{'resourceType':'Procedure','id':'b%d','subject':{'reference':"
                             "'Patient/p'},'location':{'reference':'Location/bed%d'}}",
                             i, i));
    }
    struct store_query *query = within("Procedure", "location", STORE_BELOW, NULL, "site");
    query->count = 200;
    assert_int_equal(try_find(query), STATUS_OK);
    assert_int_equal(page.count, 102);
}

static void refuses_what_is_in_no_hierarchy(void **state)
{
    (void)state;
    put_hospital();
    assert_int_equal(try_find(within("Procedure", "subject", STORE_BELOW, "Patient", "p")),
                     STATUS_NOT_SUPPORTED);
    struct store_value value = {.text = SLICE("http://elsewhere.example/Location/1")};
    assert_int_equal(
        try_find(query_of("Procedure", clause_of("Procedure", "location", STORE_BELOW, value))),
        STATUS_NOT_SUPPORTED);
    assert_int_equal(try_find(query_of("Procedure", clause_of("Procedure", "code", STORE_BELOW,
                                                              (struct store_value){0}))),
                     STATUS_NOT_SUPPORTED);
}

/* ---- across types --------------------------------------------------------------------------- */

static void put_identified(void)
{
    for (int i = 0; i < 30; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'%s','id':'i%02d','identifier':[{'system':"
                             "'http://s','value':'%s'}],'subject':{'reference':'Patient/p%d'}}",
                             i % 3 == 0   ? "Condition"
                             : i % 3 == 1 ? "Encounter"
                                          : "Observation",
                             i, i % 2 == 0 ? "even" : "odd", i % 5));
    }
    must_put("{'resourceType':'Basic','id':'other','code':{'text':'x'}}");
}

static void one_parameter_is_asked_of_every_type_that_has_it(void **state)
{
    (void)state;
    put_identified();
    struct store_query *query =
        query_of("Observation", code_is("Observation", "identifier", "odd"));
    assert_string_equal(found(query), "i05 i11 i17 i23 i29");
    query->type = RESOURCE_TYPE_NONE;
    query->total = true;
    assert_int_equal(try_find(query), STATUS_OK);
    assert_int_equal(page.count, 15);
    assert_int_equal(page.total, 15);
    resource_type types[] = {type_named("Encounter"), type_named("Basic")};
    query->types = types;
    query->type_count = 2;
    assert_string_equal(found(query), "i01 i07 i13 i19 i25");
    types[0] = type_named("Bundle");
    query->clauses = code_is("Observation", "category", "x");
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
}

static void ids_are_looked_for_in_every_type(void **state)
{
    (void)state;
    put_identified();
    must_put("{'resourceType':'Basic','id':'i05','code':{'text':'x'}}");
    struct slice ids[] = {SLICE("i05"), SLICE("i04")};
    struct store_query query = {.ids = ids, .id_count = 2};
    assert_string_equal(found(&query), "i04 i05 i05");
}

static void pages_across_types_follow_each_other(void **state)
{
    (void)state;
    put_identified();
    struct store_query *query =
        query_of("Observation", code_is("Observation", "identifier", "odd"));
    query->type = RESOURCE_TYPE_NONE;
    struct store_sort sorts[] = {{.parameter = parameter_named("Observation", "identifier")},
                                 {.parameter = parameter_named("Observation", "_id")}};
    for (size_t sorted = 0; sorted < 3; sorted++) {
        query->sorts = sorts;
        query->sort_count = sorted;
        query->cursor = (struct slice){NULL, 0};
        query->count = 40;
        assert_int_equal(try_find(query), STATUS_OK);
        const char *whole = ids_of(&page);
        struct buffer out = {.arena = arena};
        query->count = 4;
        do {
            assert_int_equal(try_find(query), STATUS_OK);
            buffer_add_text(&out, out.length > 0 ? " " : "");
            buffer_add_text(&out, ids_of(&page));
            query->cursor = page.next;
        } while (page.more);
        assert_string_equal(as_text(&out), whole);
        if (sorted == 2) {
            assert_string_equal(whole,
                                "i01 i03 i05 i07 i09 i11 i13 i15 i17 i19 i21 i23 i25 i27 i29");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(below_finds_all_that_is_part_of_it),
        STORE_TEST(above_finds_all_that_it_is_part_of),
        STORE_TEST(a_hierarchy_in_a_circle_ends),
        STORE_TEST(a_wide_hierarchy_is_found_whole),
        STORE_TEST(refuses_what_is_in_no_hierarchy),
        STORE_TEST(one_parameter_is_asked_of_every_type_that_has_it),
        STORE_TEST(ids_are_looked_for_in_every_type),
        STORE_TEST(pages_across_types_follow_each_other),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
