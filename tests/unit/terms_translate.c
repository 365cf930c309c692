/* SPDX-License-Identifier: MIT */
/* $translate: which maps are used, and what they say. */
#include "terms_test.h"

static yyjson_val *answer;
static int http;

static void ask(const char *parameters)
{
    struct terms_parameter *all;
    struct terms_question question = {.operation = TERMS_TRANSLATE};
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

/* "true: equivalent code1, wider code2" */
static const char *matches(void)
{
    struct buffer out = {.arena = arena};
    size_t at, max, inner, count;
    yyjson_val *parameter, *part;
    yyjson_arr_foreach(json_get(answer, "parameter"), at, max, parameter)
    {
        if (slice_is(json_get_string(parameter, "name"), "result")) {
            buffer_add_text(&out,
                            yyjson_is_true(json_get(parameter, "valueBoolean")) ? "true" : "false");
        }
        yyjson_arr_foreach(json_get(parameter, "part"), inner, count, part)
        {
            struct slice relation = json_get_string(part, "valueCode");
            struct slice code = json_get_string(json_get(part, "valueCoding"), "code");
            if (relation.length + code.length > 0) {
                buffer_print(&out, " %.*s%.*s", SLICE_ARGS(relation), SLICE_ARGS(code));
            }
        }
    }
    return as_text(&out);
}

/* The map of the public suite's translate test, whose own setup replaces it by another. */
#define FULL                                                                                       \
    "{'resourceType':'ConceptMap','url':'http://x/full','version':'0.1.0','status':'draft',"       \
    "'sourceUri':'http://x/set-a','targetUri':'http://x/set-b','group':[{'source':'http://x/a',"   \
    "'target':'http://x/b','element':[{'code':'code-1','target':[{'code':'code1','relationship':"  \
    "'equivalent'}]},{'code':'code-2','target':[{'code':'code2','relationship':"                   \
    "'source-is-broader-than-target'}]},{'code':'code-3','target':[{'code':'code3',"               \
    "'equivalence':'wider'}]},{'code':'code-4','target':[{'code':'code4','relationship':"          \
    "'not-related-to'}]}],'unmapped':{'mode':'fixed','code':'temp'}}]}"

#define FROM(code)                                                                                 \
    "{'name':'system','valueUri':'http://x/a'},{'name':'code','valueCode':'" code "'}"

static void translates_in_the_words_of_r4(void **state)
{
    (void)state;
    add(FULL);
    ask(FROM("code-1"));
    assert_string_equal(matches(), "true equivalent code1");
    assert_non_null(
        strstr(written(answer), "\"name\":\"source\",\"valueUri\":\"http://x/full|0.1.0\""));
    ask(FROM("code-2"));
    assert_string_equal(matches(), "true narrower code2");
    ask(FROM("code-3"));
    assert_string_equal(matches(), "true wider code3");
    ask(FROM("code-4"));
    assert_string_equal(matches(), "false disjoint code4");
    ask(FROM("code-9"));
    assert_string_equal(matches(), "true relatedto temp");
}

static void understands_the_names_of_r5(void **state)
{
    (void)state;
    add(FULL);
    ask("{'name':'sourceSystem','valueUri':'http://x/"
        "a'},{'name':'sourceCode','valueCode':'code-1'},"
        "{'name':'targetSystem','valueUri':'http://x/b'}");
    assert_string_equal(matches(), "true equivalent code1");
    assert_non_null(strstr(written(answer), "\"name\":\"originMap\""));
}

static void translates_back(void **state)
{
    (void)state;
    add(FULL);
    ask("{'name':'system','valueUri':'http://x/b'},{'name':'code','valueCode':'code3'},"
        "{'name':'reverse','valueBoolean':true}");
    assert_string_equal(matches(), "true narrower code-3");
    ask("{'name':'targetSystem','valueUri':'http://x/"
        "b'},{'name':'targetCode','valueCode':'code2'}");
    assert_string_equal(matches(), "true wider code-2");
}

static void chooses_the_maps_that_fit(void **state)
{
    (void)state;
    add(FULL);
    ask(FROM("code-1") ",{'name':'targetsystem','valueUri':'http://x/c'}");
    assert_string_equal(matches(), "false");
    ask(FROM("code-1") ",{'name':'source','valueUri':'http://x/set-a'},"
                       "{'name':'target','valueUri':'http://x/set-b'}");
    assert_string_equal(matches(), "true equivalent code1");
    ask(FROM("code-1") ",{'name':'target','valueUri':'http://x/other'}");
    assert_string_equal(matches(), "false");
    ask(FROM("code-1") ",{'name':'url','valueUri':'http://x/full'}");
    assert_string_equal(matches(), "true equivalent code1");
    ask(FROM("code-1") ",{'name':'url','valueUri':'http://x/none'}");
    assert_int_equal(http, 404);
    ask("{'name':'system','valueUri':'http://x/a'}");
    assert_int_equal(http, 422);
}

static void needs_the_system_of_a_code(void **state)
{
    (void)state;
    add(FULL);
    ask("{'name':'code','valueCode':'code-1'}");
    assert_int_equal(http, 422);
    assert_non_null(strstr(written(answer), "system"));
    ask("{'name':'code','valueCode':'code-1'},{'name':'url','valueUri':'http://x/full'}");
    assert_string_equal(matches(), "true equivalent code1");
}

#define SECOND(target)                                                                             \
    "{'resourceType':'ConceptMap','url':'http://x/second','group':[{'source':'http://x/a|2',"      \
    "'target':'http://x/c','element':[{'code':'code-1','target':[{'code':'" target                 \
    "','equivalence':'equal'}]}]}]}"

static void notices_maps_that_come_change_and_go(void **state)
{
    (void)state;
    add(FULL);
    ask(FROM("code-1"));
    assert_string_equal(matches(), "true equivalent code1");
    add(SECOND("c1"));
    ask(FROM("code-1"));
    assert_string_equal(matches(), "true equivalent code1 equal c1");
    add(SECOND("c2"));
    ask(FROM("code-1"));
    assert_string_equal(matches(), "true equivalent code1 equal c2");
    ask("{'name':'system','valueUri':'http://x/c'},{'name':'code','valueCode':'c2'},"
        "{'name':'reverse','valueBoolean':true}");
    assert_string_equal(matches(), "true equal code-1");
    conformance_remove(conformance, SLICE("ConceptMap"), SLICE("http://x/full"), SLICE("0.1.0"));
    ask(FROM("code-1"));
    assert_string_equal(matches(), "true equal c2");
    conformance_remove(conformance, SLICE("ConceptMap"), SLICE("http://x/second"), SLICE(""));
    ask(FROM("code-1"));
    assert_string_equal(matches(), "false");
}

static void goes_on_to_another_map(void **state)
{
    (void)state;
    add(FULL);
    add("{'resourceType':'ConceptMap','url':'http://x/first','group':[{'source':'http://x/a',"
        "'target':'http://x/b','element':[],'unmapped':{'mode':'other-map','url':'http://x/"
        "full'}}]}");
    ask(FROM("code-1") ",{'name':'url','valueUri':'http://x/first'}");
    assert_string_equal(matches(), "true equivalent code1");
    add("{'resourceType':'ConceptMap','url':'http://x/loop','group':[{'source':'http://x/a',"
        "'target':'http://x/b','element':[],'unmapped':{'mode':'other-map','url':'http://x/"
        "loop'}}]}");
    ask(FROM("code-1") ",{'name':'url','valueUri':'http://x/loop'}");
    assert_string_equal(matches(), "false");
    ask("{'name':'coding','valueCoding':{'system':'http://x/a','code':'x'}},{'name':'conceptMap',"
        "'resource':{'resourceType':'ConceptMap','group':[{'source':'http://x/a','target':'http://"
        "x/b',"
        "'element':[],'unmapped':{'mode':'provided'}}]}}");
    assert_string_equal(matches(), "true equal x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TERMS_TEST(translates_in_the_words_of_r4),
        TERMS_TEST(understands_the_names_of_r5),
        TERMS_TEST(translates_back),
        TERMS_TEST(chooses_the_maps_that_fit),
        TERMS_TEST(needs_the_system_of_a_code),
        TERMS_TEST(notices_maps_that_come_change_and_go),
        TERMS_TEST(goes_on_to_another_map),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
