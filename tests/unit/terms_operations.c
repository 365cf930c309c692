/* SPDX-License-Identifier: MIT */
/* The operations: what they answer beyond what the public suite asks. */
#include "terms_test.h"

#define ANIMAL "http://x/animals"
#define SET    "http://x/all"

static yyjson_val *answer;
static int http;

/* Asks with PARAMETERS, the text between the brackets, written with ' for ". */
static void ask(enum terms_operation operation, const char *parameters)
{
    struct terms_parameter *all;
    struct terms_question question = {.operation = operation};
    struct buffer out = {.arena = arena};
    struct json json;
    const char *text = arena_print(arena, "{'parameter':[%s]}", parameters);
    assert_int_equal(terms_parameters_read(parse(text), arena, &all, &question.count), STATUS_OK);
    question.parameters = all;
    assert_int_equal(terms_answer(terms, &question, arena, &out, &http), STATUS_OK);
    assert_int_equal(json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    answer = json.root;
}

/* Parameter NAME of the answer as JSON, or "none". */
static const char *result(const char *name)
{
    size_t at, max, inner, count;
    yyjson_val *parameter, *key, *value;
    yyjson_arr_foreach(json_get(answer, "parameter"), at, max, parameter)
    {
        yyjson_obj_foreach(parameter, inner, count, key, value)
        {
            if (slice_is(json_get_string(parameter, "name"), name) &&
                !slice_is(json_string(key), "name")) {
                return yyjson_is_str(value) ? arena_copy(arena, json_string(value)).at
                                            : written(value);
            }
        }
    }
    return "none";
}

/* The codes of an expansion, nested ones in brackets. */
static void write_codes(yyjson_val *contains, struct buffer *out)
{
    size_t at, max;
    yyjson_val *entry;
    yyjson_arr_foreach(contains, at, max, entry)
    {
        buffer_print(out, "%s%.*s", at > 0 ? " " : "", SLICE_ARGS(json_get_string(entry, "code")));
        if (json_get(entry, "contains") != NULL) {
            buffer_add_byte(out, '(');
            write_codes(json_get(entry, "contains"), out);
            buffer_add_byte(out, ')');
        }
    }
}

static const char *codes(void)
{
    struct buffer out = {.arena = arena};
    yyjson_val *expansion = json_get(answer, "expansion");
    if (expansion == NULL) {
        return "no expansion";
    }
    buffer_add_text(&out, "");
    write_codes(json_get(expansion, "contains"), &out);
    return out.length == 0 ? "" : as_text(&out);
}

static const char *total(void)
{
    return arena_copy(arena, json_number(json_get(json_get(answer, "expansion"), "total"))).at;
}

/* The details of the first issue: "not-in-vs". */
static const char *detail(void)
{
    yyjson_val *issue = yyjson_arr_get_first(json_get(answer, "issue"));
    yyjson_val *coding = yyjson_arr_get_first(json_get(json_get(issue, "details"), "coding"));
    return arena_copy(arena, json_get_string(coding, "code")).at;
}

static void add_animals(void)
{
    add(ANIMALS);
    add_set(SET, "{'include':[{'system':'" ANIMAL "'}]}");
}

#define URL "{'name':'url','valueUri':'" SET "'}"

/* ---- $expand ----------------------------------------------------------------------------------
 */

static void nests_where_the_code_system_does(void **state)
{
    (void)state;
    add_animals();
    ask(TERMS_EXPAND, URL);
    assert_string_equal(codes(), "mammal(cat(lynx) whale platypus) bird(dodo owl)");
    ask(TERMS_EXPAND, URL ",{'name':'activeOnly','valueBoolean':true}");
    assert_string_equal(codes(), "mammal(cat(lynx) whale platypus) bird(owl)");
    ask(TERMS_EXPAND, URL ",{'name':'excludeNested','valueBoolean':true}");
    assert_string_equal(codes(), "mammal cat lynx whale bird dodo owl platypus");
    add_set("http://x/some", "{'include':[{'system':'" ANIMAL "','filter':[{'property':'code','op':"
                             "'in','value':'mammal,lynx,owl'}]}]}");
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/some'}");
    assert_string_equal(codes(), "mammal(lynx) owl");
}

static void gives_pages(void **state)
{
    (void)state;
    add_animals();
    ask(TERMS_EXPAND, URL ",{'name':'count','valueInteger':3}");
    assert_string_equal(codes(), "mammal cat lynx");
    assert_string_equal(total(), "8");
    ask(TERMS_EXPAND, URL ",{'name':'count','valueInteger':3},{'name':'offset','valueInteger':6}");
    assert_string_equal(codes(), "owl platypus");
    ask(TERMS_EXPAND, URL ",{'name':'offset','valueInteger':100}");
    assert_string_equal(codes(), "");
    ask(TERMS_EXPAND, URL ",{'name':'count','valueInteger':0}");
    assert_string_equal(codes(), "");
    assert_string_equal(total(), "8");
    ask(TERMS_EXPAND, URL ",{'name':'count','valueInteger':-1}");
    assert_int_equal(http, 422);
}

/* A page that is a stretch of one bitmap, and pages that are not, are stretches of the same whole.
 */
static void gives_pages_of_what_is_left(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set("http://x/left", "{'include':[{'system':'" ANIMAL "'}],'exclude':[{'system':'" ANIMAL
                             "','concept':[{'code':'cat'},{'code':'bird'}]}]}");
    add_set("http://x/two", "{'include':[{'system':'" ANIMAL "','filter':[{'property':'concept',"
                            "'op':'is-a','value':'bird'}]},{'valueSet':['http://x/left']}]}");
#define PAGE(set, page)                                                                            \
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/" set "'}," page);                       \
    assert_string_equal(total(), strcmp(set, "left") == 0 ? "6" : "7")
#define COUNT(number)  "{'name':'count','valueInteger':" number "}"
#define OFFSET(number) ",{'name':'offset','valueInteger':" number "}"
    PAGE("left", COUNT("4"));
    assert_string_equal(codes(), "mammal lynx whale dodo");
    PAGE("left", COUNT("4") OFFSET("3"));
    assert_string_equal(codes(), "dodo owl platypus");
    PAGE("left", COUNT("4") OFFSET("6"));
    assert_string_equal(codes(), "");
    PAGE("left", COUNT("2147483647") OFFSET("2147483647"));
    assert_string_equal(codes(), "");
    PAGE("two", COUNT("3") OFFSET("2"));
    assert_string_equal(codes(), "owl platypus mammal");
    ask(TERMS_EXPAND,
        "{'name':'url','valueUri':'http://x/left'}," COUNT("9") ",{'name':'activeOnly'"
                                                                ",'valueBoolean':true}");
    assert_string_equal(codes(), "mammal lynx whale owl platypus");
}

static void filters_by_words(void **state)
{
    (void)state;
    add_animals();
    ask(TERMS_EXPAND, URL ",{'name':'filter','valueString':'AT'}");
    assert_string_equal(codes(), "cat platypus");
    ask(TERMS_EXPAND, URL ",{'name':'filter','valueString':'  pus  plat '}");
    assert_string_equal(codes(), "platypus");
    ask(TERMS_EXPAND, URL ",{'name':'filter','valueString':'katze'},"
                          "{'name':'displayLanguage','valueCode':'de'}");
    assert_string_equal(codes(), "cat"); /* it is shown as Katze */
}

static void keeps_the_order_and_the_names_of_a_list(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set("http://x/list", "{'include':[{'system':'" ANIMAL "','concept':[{'code':'owl'},"
                             "{'code':'cat','display':'Moggy'},{'code':'unicorn'}]}]}");
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/list'}");
    assert_string_equal(codes(), "owl cat");
    assert_non_null(strstr(written(answer), "\"display\":\"Moggy\""));
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/list'},"
                      "{'name':'displayLanguage','valueCode':'de'}");
    assert_non_null(strstr(written(answer), "\"display\":\"Katze\""));
}

static void an_expansion_without_count_has_a_bound(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{'resourceType':'CodeSystem','url':'http://x/many','content':"
                           "'complete','concept':[{'code':'0'}");
    for (int i = 1; i < 1500; i++) {
        buffer_print(&text, ",{'code':'%d'}", i);
    }
    buffer_add_text(&text, "]}");
    add(as_text(&text));
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/many?fhir_vs'}");
    assert_int_equal(http, 422);
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/many?fhir_vs'},"
                      "{'name':'count','valueInteger':2},{'name':'offset','valueInteger':1400}");
    assert_int_equal(http, 200);
    assert_string_equal(codes(), "1400 1401");
}

static void says_what_is_missing_for_an_expansion(void **state)
{
    (void)state;
    add_set("http://x/a", "{'include':[{'system':'http://x/none'}]}");
    add_set("http://x/b", "{'include':[{'valueSet':['http://x/none']}]}");
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/a'}");
    assert_string_equal(detail(), "not-found");
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/b'}");
    assert_int_equal(http, 404);
    ask(TERMS_EXPAND, "");
    assert_int_equal(http, 422);
    add_set("http://x/c", "{'include':[{'system':'http://x/none','concept':[{'code':'z',"
                          "'display':'Zed'}]}]}");
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/c'}");
    assert_string_equal(codes(), "z");
    assert_non_null(strstr(written(answer), "warning-unknown-codesystem"));
}

/* ---- $validate-code ---------------------------------------------------------------------------
 */

#define CODE(code)                                                                                 \
    URL ",{'name':'system','valueUri':'" ANIMAL "'},{'name':'code','valueCode':'" code "'}"

static void tells_members_from_others(void **state)
{
    (void)state;
    add_animals();
    ask(TERMS_VALIDATE_SET, CODE("owl"));
    assert_string_equal(result("result"), "true");
    assert_string_equal(result("display"), "Owl");
    assert_string_equal(result("message"), "none");
    ask(TERMS_VALIDATE_SET, CODE("dodo"));
    assert_string_equal(result("result"), "true");
    assert_string_equal(result("inactive"), "true");
    ask(TERMS_VALIDATE_SET, CODE("dodo") ",{'name':'activeOnly','valueBoolean':true}");
    assert_string_equal(result("result"), "false");
    ask(TERMS_VALIDATE_SET, CODE("mammal") ",{'name':'abstract','valueBoolean':false}");
    assert_string_equal(result("result"), "false");
    ask(TERMS_VALIDATE_SET, CODE("cow"));
    assert_string_equal(result("result"), "false");
}

static void compares_displays(void **state)
{
    (void)state;
    add_animals();
    static const struct {
        const char *display, *more, *result;
    } cases[] = {
        {"Cat", "", "true"},
        {" CAT ", "", "true"},
        {"Katze", "", "true"},
        {"Dog", "", "false"},
        {"Dog", ",{'name':'lenient-display-validation','valueBoolean':true}", "true"},
        {"Dog", ",{'name':'mode','valueString':'lenient-display-validation'}", "true"},
        {"Katze", ",{'name':'displayLanguage','valueCode':'en'}", "false"},
        {"Katze", ",{'name':'displayLanguage','valueCode':'de'}", "true"},
        {"Cat", ",{'name':'displayLanguage','valueCode':'de'}", "false"},
        {"Cat", ",{'name':'displayLanguage','valueCode':'fr'}", "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(TERMS_VALIDATE_SET,
            arena_print(arena, CODE("cat") ",{'name':'display','valueString':'%s'}%s",
                        cases[i].display, cases[i].more));
        if (strcmp(result("result"), cases[i].result) != 0) {
            fail_msg("case %zu gives %s", i, result("result"));
        }
    }
}

static void is_not_sure_where_a_part_is_missing(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set(SET, "{'include':[{'system':'" ANIMAL "','concept':[{'code':'owl'}]},"
                 "{'valueSet':['http://x/none']}]}");
    ask(TERMS_VALIDATE_SET, CODE("owl"));
    assert_string_equal(result("result"), "true");
    ask(TERMS_VALIDATE_SET, CODE("cat"));
    assert_string_equal(result("result"), "false");
    assert_non_null(strstr(result("message"), "Unable to check"));
}

static void asks_a_code_system_alone(void **state)
{
    (void)state;
    add(ANIMALS);
    ask(TERMS_VALIDATE_SYSTEM,
        "{'name':'url','valueUri':'" ANIMAL "'},{'name':'code','valueCode':'owl'}");
    assert_string_equal(result("result"), "true");
    ask(TERMS_VALIDATE_SYSTEM,
        "{'name':'coding','valueCoding':{'system':'" ANIMAL "','version':'9','code':'owl'}}");
    assert_string_equal(result("result"), "false");
    ask(TERMS_VALIDATE_SYSTEM, "{'name':'url','valueUri':'http://x/none'},"
                               "{'name':'code','valueCode':'owl'}");
    assert_string_equal(result("x-unknown-system"), "http://x/none");
    ask(TERMS_VALIDATE_SYSTEM, "{'name':'code','valueCode':'owl'}");
    assert_int_equal(http, 422);
}

static void a_question_may_bring_what_it_asks_of(void **state)
{
    (void)state;
    ask(TERMS_VALIDATE_SET,
        "{'name':'tx-resource','resource':{'resourceType':'CodeSystem','url':'http://x/brought',"
        "'content':'complete','concept':[{'code':'a','display':'A'}]}},"
        "{'name':'valueSet','resource':{'resourceType':'ValueSet','compose':{'include':[{'system':"
        "'http://x/brought'}]}}},{'name':'coding','valueCoding':{'system':'http://x/brought',"
        "'code':'a'}}");
    assert_string_equal(result("result"), "true");
    ask(TERMS_VALIDATE_SYSTEM, "{'name':'url','valueUri':'http://x/brought'},"
                               "{'name':'code','valueCode':'a'}");
    assert_string_equal(result("result"), "false"); /* it was there for that question alone */
    ask(TERMS_EXPAND, "{'name':'valueSet','resource':{'resourceType':'Patient'}}");
    assert_int_equal(http, 422);
}

/* ---- $lookup, $subsumes -----------------------------------------------------------------------
 */

static void looks_up_what_is_asked_for(void **state)
{
    (void)state;
    add(ANIMALS);
    const char *cat = "{'name':'system','valueUri':'" ANIMAL "'},{'name':'code','valueCode':'cat'}";
    ask(TERMS_LOOKUP, cat);
    assert_non_null(strstr(written(answer), "Katze"));
    assert_non_null(strstr(written(answer), "\"valueInteger\":4"));
    assert_null(strstr(written(answer), "lynx"));
    ask(TERMS_LOOKUP, arena_print(arena, "%s,{'name':'property','valueCode':'child'}", cat));
    assert_non_null(strstr(written(answer), "lynx"));
    assert_null(strstr(written(answer), "\"valueInteger\":4"));
    ask(TERMS_LOOKUP, "{'name':'coding','valueCoding':{'system':'" ANIMAL "','code':'cow'}}");
    assert_int_equal(http, 404);
    ask(TERMS_LOOKUP, "{'name':'code','valueCode':'cat'}");
    assert_int_equal(http, 422);
}

static void tells_how_two_codes_stand(void **state)
{
    (void)state;
    add(ANIMALS);
    ask(TERMS_SUBSUMES_CODE,
        "{'name':'system','valueUri':'" ANIMAL "'},{'name':'codeA','valueCode':'lynx'},"
        "{'name':'codeB','valueCode':'mammal'}");
    assert_string_equal(result("outcome"), "subsumed-by");
    ask(TERMS_SUBSUMES_CODE,
        "{'name':'codingA','valueCoding':{'system':'" ANIMAL
        "','code':'bird'}},{'name':'codingB','valueCoding':{'system':'" ANIMAL "','code':'bird'}}");
    assert_string_equal(result("outcome"), "equivalent");
    ask(TERMS_SUBSUMES_CODE,
        "{'name':'system','valueUri':'" ANIMAL "'},{'name':'codeA','valueCode':'lynx'}");
    assert_int_equal(http, 422);
}

/* ---- FHIRPath's questions ---------------------------------------------------------------------
 */

static void serves_fhirpath(void **state)
{
    (void)state;
    add_animals();
    struct terms_host host = {terms, arena};
    struct fhirpath_value concept = {.kind = FHIRPATH_NODE};
    struct fhirpath_value coding = concept,
                          string = {.kind = FHIRPATH_STRING, .string = SLICE("cat")};
    concept.node.value = parse("{'coding':[{'system':'http://x/y','code':'z'},{'system':'" ANIMAL
                               "','code':'lynx'}]}");
    coding.node.value = parse("{'system':'" ANIMAL "','code':'mammal'}");
    bool known, yes;
    assert_int_equal(terms_member_of(&host, &concept, SLICE(SET), &known, &yes), STATUS_OK);
    assert_true(known && yes);
    assert_int_equal(terms_member_of(&host, &string, SLICE(SET), &known, &yes), STATUS_OK);
    assert_true(known && yes);
    assert_int_equal(terms_member_of(&host, &string, SLICE("http://x/none"), &known, &yes),
                     STATUS_OK);
    assert_false(known);
    assert_int_equal(terms_host_subsumes(&host, &coding, &concept, &known, &yes), STATUS_OK);
    assert_true(known && yes);
    assert_int_equal(terms_host_subsumes(&host, &concept, &coding, &known, &yes), STATUS_OK);
    assert_true(known && !yes);
}

/* A concept of 100 codings of which only the last is known. */
static yyjson_val *long_concept(const char *code)
{
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{'coding':[");
    for (int i = 0; i < 99; i++) {
        buffer_print(&text, "{'system':'http://x/local','code':'c%d'},", i);
    }
    buffer_print(&text, "{'system':'" ANIMAL "','code':'%s'}]}", code);
    return parse(arena_print(arena, "%.*s", SLICE_ARGS(buffer_slice(&text))));
}

static void sees_every_coding_of_a_concept(void **state)
{
    (void)state;
    add_animals();
    struct terms_host host = {terms, arena};
    struct fhirpath_value lynx = {.kind = FHIRPATH_NODE, .node.value = long_concept("lynx")};
    struct fhirpath_value mammal = {.kind = FHIRPATH_NODE, .node.value = long_concept("mammal")};
    bool known, yes;
    assert_int_equal(terms_member_of(&host, &lynx, SLICE(SET), &known, &yes), STATUS_OK);
    assert_true(known && yes);
    assert_int_equal(terms_host_subsumes(&host, &mammal, &lynx, &known, &yes), STATUS_OK);
    assert_true(known && yes);
}

/* ---- questions that do harm -------------------------------------------------------------------
 */

static void a_flag_is_true_or_false(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set(SET, "{'include':[{'system':'" ANIMAL "'}]}");
    ask(TERMS_EXPAND,
        "{'name':'url','valueUri':'" SET "'},{'name':'activeOnly','valueString':'yes'}");
    assert_int_equal(http, 422);
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'" SET "'},{'name':'activeOnly','valueBoolean':"
                      "true},{'name':'excludeNested','valueString':'true'}");
    assert_int_equal(http, 200);
    assert_null(strstr(codes(), "dodo"));
}

static void a_number_that_is_none_does_not_break_the_answer(void **state)
{
    (void)state;
    ask(TERMS_LOOKUP, "{'name':'system','valueUri':'http://x/odd'},{'name':'code','valueCode':'a'},"
                      "{'name':'tx-resource','resource':{'resourceType':'CodeSystem','url':"
                      "'http://x/odd','content':'complete','concept':[{'code':'a','property':["
                      "{'code':'n','valueInteger':'1,x'},{'code':'b','valueBoolean':'maybe'}]}]}}");
    assert_int_equal(http, 200); /* it was read as JSON */
}

/* Each level has two of the one below: 2^30 value sets, were they all to be made. */
static void value_sets_that_include_each_other_twice_have_an_end(void **state)
{
    (void)state;
    add(ANIMALS);
    add_set("http://x/chain0", "{'include':[{'system':'" ANIMAL "'}]}");
    for (int i = 1; i <= 30; i++) {
        add_set(arena_print(arena, "http://x/chain%d", i),
                arena_print(arena,
                            "{'include':[{'valueSet':['http://x/chain%d']},{'valueSet':"
                            "['http://x/chain%d']}]}",
                            i - 1, i - 1));
    }
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/chain5'}");
    assert_int_equal(http, 200);
    int64_t start = time_monotonic();
    ask(TERMS_EXPAND, "{'name':'url','valueUri':'http://x/chain30'}");
    assert_int_equal(http, 422);
    assert_int_equal(check("http://x/chain30", ANIMAL, "cat"), TERMS_UNKNOWN_SYSTEM);
    assert_true(time_monotonic() - start < 20 * MICROS_PER_SECOND);
}

static void maps_that_send_to_each_other_have_an_end(void **state)
{
    (void)state;
    struct buffer groups = {.arena = arena};
    for (int i = 0; i < 300; i++) {
        buffer_print(&groups,
                     "%s{'source':'http://s','target':'http://t','element':[],'unmapped':{'mode':"
                     "'other-map','url':'http://x/m'}}",
                     i > 0 ? "," : "");
    }
    add(arena_print(arena, "{'resourceType':'ConceptMap','url':'http://x/m','group':[%.*s]}",
                    SLICE_ARGS(buffer_slice(&groups))));
    ask(TERMS_TRANSLATE, "{'name':'url','valueUri':'http://x/m'},{'name':'system','valueUri':"
                         "'http://s'},{'name':'code','valueCode':'a'}");
    assert_int_equal(http, 422);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TERMS_TEST(nests_where_the_code_system_does),
        TERMS_TEST(gives_pages),
        TERMS_TEST(gives_pages_of_what_is_left),
        TERMS_TEST(filters_by_words),
        TERMS_TEST(keeps_the_order_and_the_names_of_a_list),
        TERMS_TEST(an_expansion_without_count_has_a_bound),
        TERMS_TEST(says_what_is_missing_for_an_expansion),
        TERMS_TEST(tells_members_from_others),
        TERMS_TEST(compares_displays),
        TERMS_TEST(is_not_sure_where_a_part_is_missing),
        TERMS_TEST(asks_a_code_system_alone),
        TERMS_TEST(a_question_may_bring_what_it_asks_of),
        TERMS_TEST(looks_up_what_is_asked_for),
        TERMS_TEST(tells_how_two_codes_stand),
        TERMS_TEST(serves_fhirpath),
        TERMS_TEST(sees_every_coding_of_a_concept),
        TERMS_TEST(a_flag_is_true_or_false),
        TERMS_TEST(a_number_that_is_none_does_not_break_the_answer),
        TERMS_TEST(value_sets_that_include_each_other_twice_have_an_end),
        TERMS_TEST(maps_that_send_to_each_other_have_an_end),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
