/* SPDX-License-Identifier: MIT */
/* Is a code in a value set? Compiled code systems, filters, imports, and what is not known. */
#include <pthread.h>
#include <time.h>

#include "terms_test.h"

#define GENDER        "http://hl7.org/fhir/administrative-gender"
#define GENDER_SET    "http://hl7.org/fhir/ValueSet/administrative-gender"
#define ANIMAL        "http://x/animals"
#define ANIMAL_FILTER "{'include':[{'system':'http://x/animals','filter':[%s]}]}"

static void assert_codes(const char *filters, const char *expected)
{
    static const char *const codes[] = {"mammal", "cat",  "lynx", "whale",
                                        "bird",   "dodo", "owl",  "platypus"};
    static int number;
    const char *url = arena_print(arena, "http://x/set-%d", number++);
    add_set(url, arena_print(arena, ANIMAL_FILTER, filters));
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (check(url, ANIMAL, codes[i]) == TERMS_MEMBER) {
            buffer_print(&out, "%s ", codes[i]);
        }
    }
    assert_string_equal(as_text(&out), expected);
}

static void knows_the_codes_of_the_base_specification(void **state)
{
    (void)state;
    assert_int_equal(check(GENDER_SET, GENDER, "male"), TERMS_MEMBER);
    assert_int_equal(check(GENDER_SET, "", "male"), TERMS_MEMBER);
    assert_int_equal(check(GENDER_SET "|4.0.1", GENDER, "other"), TERMS_MEMBER);
    assert_int_equal(check(GENDER_SET, GENDER, "mail"), TERMS_NOT_MEMBER);
    assert_int_equal(check(GENDER_SET, "http://x/other", "male"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/none", GENDER, "male"), TERMS_UNKNOWN_SET);
    assert_int_equal(check(GENDER_SET "|9.9.9", GENDER, "male"), TERMS_UNKNOWN_SET);
    assert_int_equal(check("", GENDER, "female"), TERMS_MEMBER);
    assert_int_equal(check("", GENDER, "femail"), TERMS_NOT_MEMBER);
    assert_int_equal(check("", "http://x/other", "female"), TERMS_UNKNOWN_SYSTEM);
}

static void gives_the_preferred_display(void **state)
{
    (void)state;
    struct terms_coding coding = {.system = SLICE(GENDER), .code = SLICE("male")};
    struct slice display;
    assert_int_equal(terms_check(terms, SLICE(GENDER_SET), &coding, arena, &display), TERMS_MEMBER);
    assert_true(slice_is(display, "Male"));
    add_set("http://x/renamed",
            "{'include':[{'system':'" GENDER "','concept':[{'code':'male','display':'Man'}]}]}");
    assert_int_equal(terms_check(terms, SLICE("http://x/renamed"), &coding, arena, &display),
                     TERMS_MEMBER);
    assert_true(slice_is(display, "Man"));
}

#define COUNTRIES "urn:iso:std:iso:3166"

static void knows_what_it_can_of_codes_that_other_bodies_define(void **state)
{
    (void)state;
    struct terms_coding coding = {.system = SLICE(COUNTRIES), .code = SLICE("AU")};
    struct slice display;
    assert_int_equal(terms_check(terms, SLICE(""), &coding, arena, &display), TERMS_MEMBER);
    assert_true(slice_is(display, "Australia"));
    /* of those of three letters or digits only the form is known */
    assert_int_equal(check("", COUNTRIES, "AUS"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("", COUNTRIES, "036"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("", COUNTRIES, "Australia"), TERMS_NOT_MEMBER);
    assert_int_equal(check("", COUNTRIES, "au"), TERMS_NOT_MEMBER);
    assert_int_equal(check("", "urn:iso:std:iso:3166:-2", "GB-ENG"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("", "urn:iso:std:iso:3166:-2", "England"), TERMS_NOT_MEMBER);
    assert_int_equal(check("", "urn:iso:std:iso:4217", "GBP"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("", "urn:iso:std:iso:4217", "pounds"), TERMS_NOT_MEMBER);
    const char *jurisdiction = "http://hl7.org/fhir/ValueSet/jurisdiction";
    assert_int_equal(check(jurisdiction, "", "AU"), TERMS_MEMBER);
    assert_int_equal(check(jurisdiction, COUNTRIES, "AU"), TERMS_MEMBER);
    assert_int_equal(check(jurisdiction, "", "GB-ENG"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check(jurisdiction, "", "Australia"), TERMS_NOT_MEMBER);
    /* what a value set lists is in it, known or not */
    add_set("http://x/some",
            "{'include':[{'system':'" COUNTRIES "','concept':[{'code':'AU'},{'code':'NZL'}]}]}");
    assert_int_equal(check("http://x/some", COUNTRIES, "AU"), TERMS_MEMBER);
    assert_int_equal(check("http://x/some", COUNTRIES, "NZL"), TERMS_MEMBER);
    assert_int_equal(check("http://x/some", COUNTRIES, "BD"), TERMS_NOT_MEMBER);
    /* who loads the system itself knows more */
    add("{'resourceType':'CodeSystem','url':'" COUNTRIES "','version':'1','status':'active',"
        "'content':'complete','caseSensitive':true,'concept':[{'code':'AUS'}]}");
    assert_int_equal(check("", COUNTRIES, "AUS"), TERMS_MEMBER);
    assert_int_equal(check("", COUNTRIES, "AU"), TERMS_NOT_MEMBER);
}

static void selects_by_hierarchy(void **state)
{
    (void)state;
    add(ANIMALS);
    assert_codes("{'property':'concept','op':'is-a','value':'cat'}", "cat lynx ");
    assert_codes("{'property':'concept','op':'is-a','value':'mammal'}",
                 "mammal cat lynx whale platypus ");
    assert_codes("{'property':'concept','op':'descendent-of','value':'bird'}",
                 "dodo owl platypus ");
    assert_codes("{'property':'concept','op':'is-not-a','value':'mammal'}", "bird dodo owl ");
    assert_codes("{'property':'concept','op':'generalizes','value':'platypus'}",
                 "mammal bird platypus ");
    assert_codes("{'property':'concept','op':'child-of','value':'mammal'}", "cat whale platypus ");
    assert_codes("{'property':'concept','op':'descendent-leaf','value':'mammal'}",
                 "lynx whale platypus ");
    assert_codes("{'property':'concept','op':'is-a','value':'unicorn'}", "");
    assert_codes("{'property':'child','op':'=','value':'lynx'}", "cat ");
}

static void selects_by_property(void **state)
{
    (void)state;
    add(ANIMALS);
    assert_codes("{'property':'legs','op':'=','value':'4'}", "cat lynx ");
    assert_codes("{'property':'legs','op':'in','value':'0,2'}", "whale dodo ");
    assert_codes("{'property':'legs','op':'not-in','value':'4'}",
                 "mammal whale bird dodo owl platypus ");
    assert_codes("{'property':'kept','op':'exists','value':'true'}", "cat ");
    assert_codes("{'property':'legs','op':'exists','value':'false'}", "mammal bird owl platypus ");
    assert_codes("{'property':'dead','op':'=','value':'true'}", "dodo ");
    assert_codes("{'property':'inactive','op':'=','value':'false'}",
                 "mammal cat lynx whale bird owl platypus ");
    assert_codes("{'property':'code','op':'in','value':'owl, cat'}", "cat owl ");
    assert_codes("{'property':'code','op':'regex','value':'[a-c].*'}", "cat bird ");
    assert_codes("{'property':'display','op':'regex','value':'.a.*'}", "mammal cat ");
    assert_codes("{'property':'display','op':'=','value':'Owl'}", "owl ");
    assert_codes("{'property':'concept','op':'is-a','value':'mammal'},"
                 "{'property':'legs','op':'=','value':'4'}",
                 "cat lynx ");
}

static void a_pattern_cannot_take_long(void **state)
{
    (void)state;
    struct buffer code = {.arena = arena};
    for (int i = 0; i < 200; i++) {
        buffer_add_byte(&code, 'a');
    }
    add(arena_print(arena,
                    "{'resourceType':'CodeSystem','url':'http://x/a','content':'complete',"
                    "'concept':[{'code':'%.*s!'}]}",
                    SLICE_ARGS(buffer_slice(&code))));
    add_set("http://x/as", "{'include':[{'system':'http://x/a','filter':[{'property':'code',"
                           "'op':'regex','value':'((a+)+)+'}]}]}");
    clock_t before = clock();
    enum terms_verdict verdict = check("http://x/as", "http://x/a", "b");
    assert_true(clock() - before < CLOCKS_PER_SEC);
    assert_true(verdict == TERMS_NOT_MEMBER || verdict == TERMS_UNKNOWN_SYSTEM);
}

static void what_cannot_be_filtered_is_unknown_and_not_wrong(void **state)
{
    (void)state;
    add(ANIMALS);
    static const char *const filters[] = {
        "{'property':'legs','op':'is-a','value':'4'}",
        "{'property':'code','op':'regex','value':'['}",
        "{'property':'concept','op':'is-a'}",
        "{'property':'legs','op':'exists','value':'maybe'}",
    };
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        const char *url = arena_print(arena, "http://x/bad-%zu", i);
        add_set(url, arena_print(arena, ANIMAL_FILTER, filters[i]));
        assert_int_equal(check(url, ANIMAL, "cat"), TERMS_UNKNOWN_SYSTEM);
        assert_int_equal(check(url, "http://x/other", "cat"), TERMS_NOT_MEMBER);
    }
}

static void joins_includes_and_takes_excludes_out(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set("http://x/mixed",
            "{'include':[{'system':'" ANIMAL "','concept':[{'code':'cat'},{'code':'owl'}]},"
            "{'system':'" GENDER "'}],'exclude':[{'system':'" GENDER
            "','concept':[{'code':'unknown'}]}]}");
    assert_int_equal(check("http://x/mixed", ANIMAL, "owl"), TERMS_MEMBER);
    assert_int_equal(check("http://x/mixed", ANIMAL, "lynx"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/mixed", GENDER, "male"), TERMS_MEMBER);
    assert_int_equal(check("http://x/mixed", GENDER, "unknown"), TERMS_NOT_MEMBER);
    add_set("http://x/both", "{'include':[{'system':'" ANIMAL "','valueSet':['http://x/mixed']}]}");
    assert_int_equal(check("http://x/both", ANIMAL, "cat"), TERMS_MEMBER);
    assert_int_equal(check("http://x/both", ANIMAL, "lynx"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/both", GENDER, "male"), TERMS_NOT_MEMBER);
    add_set("http://x/common", "{'include':[{'valueSet':['http://x/mixed','" GENDER_SET "']}]}");
    assert_int_equal(check("http://x/common", GENDER, "male"), TERMS_MEMBER);
    assert_int_equal(check("http://x/common", ANIMAL, "cat"), TERMS_NOT_MEMBER);
    add_set("http://x/alive", "{'inactive':false,'include':[{'system':'" ANIMAL "'}]}");
    assert_int_equal(check("http://x/alive", ANIMAL, "owl"), TERMS_MEMBER);
    assert_int_equal(check("http://x/alive", ANIMAL, "dodo"), TERMS_NOT_MEMBER);
}

static void what_is_not_loaded_is_unknown_but_for_what_is_listed(void **state)
{
    (void)state;
    add_set("http://x/sct", "{'include':[{'system':'http://snomed.info/sct','concept':["
                            "{'code':'73211009','display':'Diabetes'}]}]}");
    assert_int_equal(check("http://x/sct", "http://snomed.info/sct", "73211009"), TERMS_MEMBER);
    assert_int_equal(check("http://x/sct", "http://snomed.info/sct", "1"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/sct", GENDER, "male"), TERMS_NOT_MEMBER);
    add_set("http://x/part", "{'include':[{'system':'http://snomed.info/sct','filter':[{"
                             "'property':'concept','op':'is-a','value':'1'}]},"
                             "{'system':'" GENDER "'}]}");
    assert_int_equal(check("http://x/part", "http://snomed.info/sct", "1"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("http://x/part", GENDER, "male"), TERMS_MEMBER);
    assert_int_equal(check("http://x/part", GENDER, "x"), TERMS_NOT_MEMBER);
    add_set("http://x/import", "{'include':[{'valueSet':['http://x/none']}]}");
    assert_int_equal(check("http://x/import", GENDER, "male"), TERMS_UNKNOWN_SYSTEM);
    add_set("http://x/less", "{'include':[{'system':'" GENDER "'}],'exclude':[{'valueSet':["
                             "'http://x/none']}]}");
    assert_int_equal(check("http://x/less", GENDER, "male"), TERMS_UNKNOWN_SYSTEM);
    add("{'resourceType':'CodeSystem','url':'http://x/f','content':'fragment','concept':["
        "{'code':'a'}]}");
    add_set("http://x/fs", "{'include':[{'system':'http://x/f'}]}");
    assert_int_equal(check("http://x/fs", "http://x/f", "a"), TERMS_MEMBER);
    assert_int_equal(check("http://x/fs", "http://x/f", "b"), TERMS_UNKNOWN_SYSTEM);
}

static void uses_an_expansion_where_there_is_no_definition(void **state)
{
    (void)state;
    add("{'resourceType':'ValueSet','url':'http://x/expanded','expansion':{'contains':["
        "{'system':'" GENDER "','code':'male'},{'system':'http://x/y','code':'group','abstract':"
        "true,'contains':[{'system':'http://x/y','code':'inner'}]}]}}");
    assert_int_equal(check("http://x/expanded", GENDER, "male"), TERMS_MEMBER);
    assert_int_equal(check("http://x/expanded", GENDER, "female"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/expanded", "http://x/y", "inner"), TERMS_MEMBER);
    assert_int_equal(check("http://x/expanded", "http://x/y", "group"), TERMS_NOT_MEMBER);
}

static void refuses_a_value_set_that_refers_to_itself(void **state)
{
    (void)state;
    add_set("http://x/one", "{'include':[{'valueSet':['http://x/two']}]}");
    add_set("http://x/two", "{'include':[{'system':'" GENDER "'}],'exclude':[{'valueSet':["
                            "'http://x/one']}]}");
    assert_int_equal(check("http://x/one", GENDER, "male"), TERMS_UNKNOWN_SYSTEM);
}

static void pins_the_version_of_a_code_system(void **state)
{
    (void)state;
    add("{'resourceType':'CodeSystem','url':'http://x/v','version':'1.0.0','content':'complete',"
        "'concept':[{'code':'old'},{'code':'both'}]}");
    add("{'resourceType':'CodeSystem','url':'http://x/v','version':'1.10.0','content':'complete',"
        "'concept':[{'code':'new'},{'code':'both'}]}");
    add_set("http://x/any", "{'include':[{'system':'http://x/v'}]}");
    add_set("http://x/old", "{'include':[{'system':'http://x/v','version':'1.0.0'}]}");
    add_set("http://x/wild", "{'include':[{'system':'http://x/v','version':'1.x.x'}]}");
    add_set("http://x/miss", "{'include':[{'system':'http://x/v','version':'1'}]}");
    add_set("http://x/diff", "{'include':[{'system':'http://x/v','version':'1.10.0'}],'exclude':["
                             "{'system':'http://x/v','version':'1.0.0'}]}");
    assert_int_equal(check("http://x/any", "http://x/v", "new"), TERMS_MEMBER);
    assert_int_equal(check("http://x/any", "http://x/v", "old"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/old", "http://x/v", "old"), TERMS_MEMBER);
    assert_int_equal(check("http://x/wild", "http://x/v", "new"), TERMS_MEMBER);
    assert_int_equal(check("http://x/miss", "http://x/v", "new"), TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("http://x/diff", "http://x/v", "new"), TERMS_MEMBER);
    assert_int_equal(check("http://x/diff", "http://x/v", "both"), TERMS_NOT_MEMBER);
}

static void ignores_case_where_the_code_system_does(void **state)
{
    (void)state;
    add("{'resourceType':'CodeSystem','url':'http://x/c','caseSensitive':false,'content':"
        "'complete','concept':[{'code':'Alpha'}]}");
    add_set("http://x/cs", "{'include':[{'system':'http://x/c'}]}");
    assert_int_equal(check("http://x/cs", "http://x/c", "aLPHA"), TERMS_MEMBER);
    assert_int_equal(check("", GENDER, "Male"), TERMS_NOT_MEMBER);
}

static void sees_a_change_at_once(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set("http://x/now", "{'include':[{'system':'" ANIMAL "','concept':[{'code':'cat'}]}]}");
    assert_int_equal(check("http://x/now", ANIMAL, "owl"), TERMS_NOT_MEMBER);
    add_set("http://x/now", "{'include':[{'system':'" ANIMAL "','concept':[{'code':'owl'}]}]}");
    assert_int_equal(check("http://x/now", ANIMAL, "owl"), TERMS_MEMBER);
    add("{'resourceType':'CodeSystem','url':'" ANIMAL "','version':'1.0.0','content':'complete',"
        "'concept':[{'code':'cow'}]}");
    assert_int_equal(check("http://x/now", ANIMAL, "owl"), TERMS_NOT_MEMBER);
    conformance_remove(conformance, SLICE("ValueSet"), SLICE("http://x/now"), SLICE("1"));
    assert_int_equal(check("http://x/now", ANIMAL, "owl"), TERMS_UNKNOWN_SET);
}

static void knows_implicit_value_sets(void **state)
{
    (void)state;
    add(ANIMALS);
    assert_int_equal(check("http://x/animals?fhir_vs", ANIMAL, "cat"), TERMS_MEMBER);
    assert_int_equal(check("http://x/animals?fhir_vs", ANIMAL, "cow"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/animals?fhir_vs=isa/cat", ANIMAL, "cat"), TERMS_UNKNOWN_SET);
    assert_int_equal(check("http://snomed.info/sct?fhir_vs=isa/1", "http://snomed.info/sct", "1"),
                     TERMS_UNKNOWN_SYSTEM);
    assert_int_equal(check("http://snomed.info/sct?fhir_vs=what/1", "http://snomed.info/sct", "1"),
                     TERMS_UNKNOWN_SET);
}

static void tells_what_subsumes_what(void **state)
{
    (void)state;
    add(ANIMALS);
    static const struct {
        const char *a, *b;
        enum terms_subsumption answer;
    } cases[] = {
        {"mammal", "lynx", TERMS_SUBSUMES},        {"lynx", "mammal", TERMS_SUBSUMED_BY},
        {"cat", "cat", TERMS_EQUIVALENT},          {"cat", "owl", TERMS_NOT_SUBSUMED},
        {"bird", "platypus", TERMS_SUBSUMES},      {"platypus", "mammal", TERMS_SUBSUMED_BY},
        {"cat", "cow", TERMS_SUBSUMPTION_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(terms_subsumes(terms, SLICE(ANIMAL), SLICE(""), slice_text(cases[i].a),
                                        slice_text(cases[i].b)),
                         cases[i].answer);
    }
    assert_int_equal(terms_subsumes(terms, SLICE("http://x/z"), SLICE(""), SLICE("a"), SLICE("b")),
                     TERMS_SUBSUMPTION_UNKNOWN);
}

static void *check_often(void *context)
{
    (void)context;
    struct arena *own = arena_create((size_t)1 << 20);
    struct terms_coding coding = {.system = SLICE(ANIMAL), .code = SLICE("cat")};
    size_t wrong = 0;
    for (int i = 0; i < 500; i++) {
        enum terms_verdict verdict = terms_check(terms, SLICE("http://x/busy"), &coding, own, NULL);
        wrong += verdict == TERMS_MEMBER ? 0 : 1;
        arena_reset(own, (size_t)1 << 20);
    }
    arena_destroy(own);
    return (void *)wrong;
}

static void answers_threads_while_resources_change(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set("http://x/busy", "{'include':[{'system':'" ANIMAL "','concept':[{'code':'cat'}]}]}");
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, NULL), 0);
    }
    for (int i = 0; i < 40; i++) {
        add(ANIMALS);
        add_set("http://x/busy",
                "{'include':[{'system':'" ANIMAL "','concept':[{'code':'cat'}]}]}");
    }
    for (size_t i = 0; i < 2; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TERMS_TEST(knows_the_codes_of_the_base_specification),
        TERMS_TEST(gives_the_preferred_display),
        TERMS_TEST(knows_what_it_can_of_codes_that_other_bodies_define),
        TERMS_TEST(selects_by_hierarchy),
        TERMS_TEST(selects_by_property),
        TERMS_TEST(a_pattern_cannot_take_long),
        TERMS_TEST(what_cannot_be_filtered_is_unknown_and_not_wrong),
        TERMS_TEST(joins_includes_and_takes_excludes_out),
        TERMS_TEST(what_is_not_loaded_is_unknown_but_for_what_is_listed),
        TERMS_TEST(uses_an_expansion_where_there_is_no_definition),
        TERMS_TEST(refuses_a_value_set_that_refers_to_itself),
        TERMS_TEST(pins_the_version_of_a_code_system),
        TERMS_TEST(ignores_case_where_the_code_system_does),
        TERMS_TEST(sees_a_change_at_once),
        TERMS_TEST(knows_implicit_value_sets),
        TERMS_TEST(tells_what_subsumes_what),
        TERMS_TEST(answers_threads_while_resources_change),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
