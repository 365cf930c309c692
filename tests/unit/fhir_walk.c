/* SPDX-License-Identifier: MIT */
/* Walking along the definitions, and R4's rules for the links of a transaction. */
#include "fhir_test.h"

/* ---- visiting ---- */

struct seen {
    struct buffer lines;
};

static void note(void *context, const struct walk_value *value)
{
    struct seen *seen = context;
    buffer_print(&seen->lines, "%d.%.*s:%d=", (int)value->parent_type, SLICE_ARGS(value->name),
                 (int)value->type);
    json_write(value->value, NULL, NULL, &seen->lines);
    buffer_add_byte(&seen->lines, ' ');
    assert_ptr_equal(yyjson_obj_getn(value->parent, value->name.at, value->name.length) != NULL,
                     true);
}

static bool visits(const char *text, enum fhir_type parent, const char *name, enum fhir_type type,
                   const char *value)
{
    struct seen seen = {.lines = {.arena = arena}};
    yyjson_val *resource = parse(text);
    resource_walk(definitions, type_of(resource), resource, note, &seen);
    return strstr(as_text(&seen.lines),
                  arena_print(arena, "%d.%s:%d=%s ", (int)parent, name, (int)type, value)) != NULL;
}

static void visits_primitives_with_their_types(void **state)
{
    (void)state;
    assert_true(visits("{'resourceType':'Patient','birthDate':'1970-01-01'}", FHIR_TYPE_OTHER,
                       "birthDate", FHIR_TYPE_DATE, "\"1970-01-01\""));
    assert_true(visits("{'resourceType':'Patient','name':[{'given':['A','B']}]}",
                       FHIR_TYPE_HUMANNAME, "given", FHIR_TYPE_STRING, "\"B\""));
    assert_true(visits("{'resourceType':'Observation','valueQuantity':{'value':1.50}}",
                       FHIR_TYPE_QUANTITY, "value", FHIR_TYPE_DECIMAL, "1.50"));
    assert_true(visits("{'resourceType':'Observation','component':[{'valueDateTime':'2020'}]}",
                       FHIR_TYPE_OTHER, "valueDateTime", FHIR_TYPE_DATETIME, "\"2020\""));
    assert_true(visits("{'resourceType':'Patient','link':[{'other':{'reference':'Patient/2'}}]}",
                       FHIR_TYPE_REFERENCE, "reference", FHIR_TYPE_STRING, "\"Patient/2\""));
}

static void visits_what_contentreference_names(void **state)
{
    (void)state;
    assert_true(visits("{'resourceType':'Questionnaire','item':[{'item':[{'item':[{'linkId':"
                       "'deep'}]}]}]}",
                       FHIR_TYPE_OTHER, "linkId", FHIR_TYPE_STRING, "\"deep\""));
}

static void visits_extensions_also_beside_primitives(void **state)
{
    (void)state;
    assert_true(visits("{'resourceType':'Patient','extension':[{'url':'http://x','extension':["
                       "{'url':'y','valueReference':{'reference':'Group/1'}}]}]}",
                       FHIR_TYPE_REFERENCE, "reference", FHIR_TYPE_STRING, "\"Group/1\""));
    assert_true(visits("{'resourceType':'Patient','_birthDate':{'extension':[{'url':'http://x',"
                       "'valueUri':'urn:uuid:1'}]}}",
                       FHIR_TYPE_EXTENSION, "valueUri", FHIR_TYPE_URI, "\"urn:uuid:1\""));
    assert_true(visits("{'resourceType':'Patient','name':[{'given':['A',null],'_given':[null,"
                       "{'extension':[{'url':'http://x','valueCode':'c'}]}]}]}",
                       FHIR_TYPE_EXTENSION, "valueCode", FHIR_TYPE_CODE, "\"c\""));
}

static void visits_contained_resources_and_entries(void **state)
{
    (void)state;
    assert_true(visits("{'resourceType':'Observation','contained':[{'resourceType':'Patient',"
                       "'gender':'male'}]}",
                       FHIR_TYPE_OTHER, "gender", FHIR_TYPE_CODE, "\"male\""));
    assert_true(visits("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient',"
                       "'active':true}}]}",
                       FHIR_TYPE_OTHER, "active", FHIR_TYPE_BOOLEAN, "true"));
    assert_true(visits("{'resourceType':'Parameters','parameter':[{'part':[{'resource':{"
                       "'resourceType':'Patient','active':false}}]}]}",
                       FHIR_TYPE_OTHER, "active", FHIR_TYPE_BOOLEAN, "false"));
}

static void passes_over_what_the_definitions_do_not_know(void **state)
{
    (void)state;
    struct seen seen = {.lines = {.arena = arena}};
    yyjson_val *resource =
        parse("{'resourceType':'Patient','secret':'x','_name':[{'id':'x'}],'_':{'id':'x'},"
              "'birthDate':{'id':'x'},'name':'x','contained':[{'resourceType':'Nobody','id':'x'},"
              "{'id':'x'},7],'gender':null}");
    resource_walk(definitions, type_of(resource), resource, note, &seen);
    assert_string_equal(as_text(&seen.lines), "");
}

/* ---- links ---- */

/* Every text in FROM becomes the one in TO; asked counts what was offered. */
struct pairs {
    const char *from, *to;
    unsigned asked;
};

static bool exchange(void *context, struct slice text, struct slice *ret_text)
{
    struct pairs *pairs = context;
    pairs->asked++;
    if (!slice_is(text, pairs->from)) {
        return false;
    }
    *ret_text = slice_text(pairs->to);
    return true;
}

/* What is exchanged can be put back. */
static struct buffer exchanged(yyjson_val *resource, struct pairs *pairs)
{
    struct buffer before = {.arena = arena};
    struct buffer changed = {.arena = arena};
    struct buffer after = {.arena = arena};
    struct link_changes changes = {.arena = arena};
    json_write(resource, NULL, NULL, &before);
    assert_int_equal(resource_exchange_links(definitions, type_of(resource), resource, exchange,
                                             pairs, &changes),
                     STATUS_OK);
    json_write(resource, NULL, NULL, &changed);
    resource_restore_links(&changes);
    json_write(resource, NULL, NULL, &after);
    assert_true(slice_equals(buffer_slice(&after), buffer_slice(&before)));
    return changed;
}

static const char *resolved(const char *text, const char *from, const char *to)
{
    struct pairs pairs = {.from = from, .to = to};
    struct buffer out = exchanged(parse(text), &pairs);
    return as_text(&out);
}

static void exchanges_references(void **state)
{
    (void)state;
    assert_json(resolved("{'resourceType':'Observation','subject':{'reference':'urn:uuid:1'},"
                         "'performer':[{'reference':'urn:uuid:2'},{'reference':'urn:uuid:1'}]}",
                         "urn:uuid:1", "Patient/7"),
                "{'resourceType':'Observation','subject':{'reference':'Patient/7'},"
                "'performer':[{'reference':'urn:uuid:2'},{'reference':'Patient/7'}]}");
}

static void exchanges_uri_url_oid_and_uuid_but_not_canonical_or_string(void **state)
{
    (void)state;
    assert_json(
        resolved("{'resourceType':'Observation','implicitRules':'u:1','instantiatesUri':['u:1'],"
                 "'note':[{'text':'u:1'}],'subject':{'display':'u:1','type':'u:1'},"
                 "'extension':[{'url':'a','valueUrl':'u:1'},{'url':'b','valueOid':'u:1'},"
                 "{'url':'c','valueUuid':'u:1'},{'url':'d','valueCanonical':'u:1'},"
                 "{'url':'e','valueString':'u:1'},{'url':'f','valueMarkdown':'u:1'}],"
                 "'meta':{'profile':['u:1'],'source':'u:1'}}",
                 "u:1", "P/1"),
        "{'resourceType':'Observation','implicitRules':'P/1','instantiatesUri':['u:1'],"
        "'note':[{'text':'u:1'}],'subject':{'display':'u:1','type':'P/1'},"
        "'extension':[{'url':'a','valueUrl':'P/1'},{'url':'b','valueOid':'P/1'},"
        "{'url':'c','valueUuid':'P/1'},{'url':'d','valueCanonical':'u:1'},"
        "{'url':'e','valueString':'u:1'},{'url':'f','valueMarkdown':'u:1'}],"
        "'meta':{'profile':['u:1'],'source':'P/1'}}");
}

static void exchanges_links_in_contained_entries_and_siblings(void **state)
{
    (void)state;
    assert_json(
        resolved("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Observation',"
                 "'contained':[{'resourceType':'Patient','_birthDate':{'extension':[{'url':'x',"
                 "'valueReference':{'reference':'u:1'}}]}}]}}]}",
                 "u:1", "Patient/1"),
        "{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Observation',"
        "'contained':[{'resourceType':'Patient','_birthDate':{'extension':[{'url':'x',"
        "'valueReference':{'reference':'Patient/1'}}]}}]}}]}");
}

static const char *div_resolved(const char *div)
{
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{\"resourceType\":\"Patient\",\"text\":{\"div\":");
    buffer_add_json_string(&text, slice_text(div));
    buffer_add_text(&text, "}}");
    struct pairs pairs = {.from = "http://x/?a=1&b=2", .to = "Patient/<1>&\"'"};
    struct json json;
    assert_int_equal(json_read(buffer_slice(&text), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    struct buffer out = exchanged(json.root, &pairs);
    assert_int_equal(json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    struct slice result = json_get_string(json_get(json.root, "text"), "div");
    return arena_copy(arena, result).at;
}

static void exchanges_href_and_src_in_narrative(void **state)
{
    (void)state;
    assert_string_equal(div_resolved("<div><a href=\"http://x/?a=1&amp;b=2\">x</a>"
                                     "<img alt='y' src = 'http://x/?a=1&#38;b=&#x32;'/></div>"),
                        "<div><a href=\"Patient/&lt;1&gt;&amp;&quot;&#39;\">x</a>"
                        "<img alt='y' src = 'Patient/&lt;1&gt;&amp;&quot;&#39;'/></div>");
}

static void leaves_the_rest_of_narrative_as_it_is(void **state)
{
    (void)state;
    static const char *const same[] = {
        "<div>href=\"http://x/?a=1&amp;b=2\"</div>",
        "<div><!-- <a href=\"http://x/?a=1&amp;b=2\"> --></div>",
        "<div><![CDATA[<a href=\"http://x/?a=1&amp;b=2\">]]></div>",
        "<div><?p <a href=\"http://x/?a=1&amp;b=2\"?></div>",
        "<div><a title='<a href=\"http://x/?a=1&amp;b=2\">'>x</a></div>",
        "<div><a xhref=\"http://x/?a=1&amp;b=2\">x</a></div>",
        "<div><a href=\"http://x/?a=1&amp;b=2x\">x</a></div>",
        "<div><a href=\"http://x/?a=1&nbsp;b=2\">x</a></div>",
        "<div><a href=\"http://x/?a=1&#;b=2\">x</a></div>",
        "<a href=",
        "<a href='http://x/?a=1&amp;b=2",
        "<a href src",
        "<!-- href",
        "<",
        "href<a"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_string_equal(div_resolved(same[i]), same[i]);
    }
}

static void writes_what_json_write_writes_when_nothing_changes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{'resourceType':'Patient'}",
        "{'resourceType':'Patient','unknown':{'a':[1,{}],'\\u0007':'\\u0001'},'name':[],'_x':1}",
        "{'resourceType':'Patient','name':[{'given':['\\u0041\\n',null,7],'_given':[null,{}]}]}",
        "{'resourceType':'Observation','valueDecimal':1.50,'valueQuantity':{'value':1e400},"
        "'contained':[{'resourceType':'Nobody','x':[[],{}]},[1],null],'text':{'div':"
        "'<div>\\u00e9\\\\<a href=\\u0022u:1\\u0022/></div>'},'subject':7,'status':{'a':1}}",
        "{'resourceType':'Bundle','entry':{'resource':null}}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_json(resolved(texts[i], "nothing", ""), texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(visits_primitives_with_their_types),
        FHIR_TEST(visits_what_contentreference_names),
        FHIR_TEST(visits_extensions_also_beside_primitives),
        FHIR_TEST(visits_contained_resources_and_entries),
        FHIR_TEST(passes_over_what_the_definitions_do_not_know),
        FHIR_TEST(exchanges_references),
        FHIR_TEST(exchanges_uri_url_oid_and_uuid_but_not_canonical_or_string),
        FHIR_TEST(exchanges_links_in_contained_entries_and_siblings),
        FHIR_TEST(exchanges_href_and_src_in_narrative),
        FHIR_TEST(leaves_the_rest_of_narrative_as_it_is),
        FHIR_TEST(writes_what_json_write_writes_when_nothing_changes),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
