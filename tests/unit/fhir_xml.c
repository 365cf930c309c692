/* SPDX-License-Identifier: MIT */
/* Resources in XML: what is read, what is refused and where, what is written. */
#include "fhir_test.h"

#include <stdio.h>
#include <unistd.h>

#define NS    "xmlns='http://hl7.org/fhir'"
#define XHTML "xmlns='http://www.w3.org/1999/xhtml'"

static struct outcome outcome;
static struct json json;

static enum status read_limited(const char *text, const struct json_limits *limits)
{
    outcome_init(&outcome, arena);
    return xml_read(definitions, slice_text(text), limits, arena, &outcome, &json);
}

static enum status read_text(const char *text)
{
    return read_limited(text, &json_limits_default);
}

/* TEXT becomes EXPECTED, which is JSON with ' for ". */
static void assert_read(const char *text, const char *expected)
{
    enum status status = read_text(text);
    if (status != STATUS_OK) {
        fail_msg("refused: %.*s", SLICE_ARGS(outcome.first->text));
    }
    assert_json(written(json.root), expected);
}

/* Refused, the first issue at LINE and COLUMN and PATH. */
static void assert_refused(const char *text, uint32_t line, uint32_t column, const char *path)
{
    assert_int_equal(read_text(text), STATUS_STRUCTURE);
    assert_non_null(outcome.first);
    char got[512], wanted[512];
    (void)snprintf(got, sizeof got, "%u:%u %.*s", outcome.first->line, outcome.first->column,
                   SLICE_ARGS(outcome.first->path));
    (void)snprintf(wanted, sizeof wanted, "%u:%u %s", line, column, path);
    assert_string_equal(got, wanted);
    assert_true(outcome.first->text.length > 0);
}

static void assert_rule(const char *text, const char *rule)
{
    assert_int_equal(read_text(text), STATUS_STRUCTURE);
    if (!slice_is(outcome.first->rule, rule)) {
        fail_msg("rule %.*s, wanted %s", SLICE_ARGS(outcome.first->rule), rule);
    }
}

/* JSON (with ' for ") comes out as EXPECTED. */
static void assert_written(const char *text, const char *expected)
{
    struct buffer out = {.arena = arena};
    assert_int_equal(xml_write(definitions, parse(text), false, NULL, &out), STATUS_OK);
    assert_string_equal(as_text(&out), expected);
}

static void assert_unwritable(const char *text, enum status wanted)
{
    struct buffer out = {.arena = arena};
    outcome_init(&outcome, arena);
    assert_int_equal(xml_write(definitions, parse(text), false, &outcome, &out), wanted);
    assert_int_equal(outcome.errors, 1);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static void makes_arrays_of_what_may_repeat(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><id value='p1'/><name><family value='Ash'/><given value='Ann'/>"
                "<given value='Bea'/></name><gender value='female'/></Patient>",
                "{'resourceType':'Patient','id':'p1','name':[{'family':'Ash',"
                "'given':['Ann','Bea']}],'gender':'female'}");
}

static void gives_primitives_their_type(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><active value='true'/><deceasedBoolean value='false'/>"
                "<multipleBirthInteger value='2'/></Patient>",
                "{'resourceType':'Patient','active':true,'deceasedBoolean':false,"
                "'multipleBirthInteger':2}");
}

static void keeps_decimals_digit_for_digit(void **state)
{
    (void)state;
    static const char *const numbers[] = {"1.00", "-0.0", "1e-7", "12345678901234567890.10", "0"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const char *text =
            arena_print(arena,
                        "<Observation " NS "><valueQuantity><value value='%s'/></valueQuantity>"
                        "</Observation>",
                        numbers[i]);
        assert_int_equal(read_text(text), STATUS_OK);
        yyjson_val *value = json_get(json_get(json.root, "valueQuantity"), "value");
        assert_true(slice_is(json_number(value), numbers[i]));
    }
}

static void leaves_what_is_no_number_or_boolean_to_validation(void **state)
{
    (void)state;
    assert_read("<Observation " NS "><valueQuantity><value value='1.'/></valueQuantity>"
                "</Observation>",
                "{'resourceType':'Observation','valueQuantity':{'value':'1.'}}");
    assert_read("<Patient " NS "><active value='yes'/></Patient>",
                "{'resourceType':'Patient','active':'yes'}");
}

static void puts_ids_and_extensions_beside_primitives(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><birthDate id='b' value='1970-03-30'><extension url='http://x'>"
                "<valueCode value='y'/></extension></birthDate></Patient>",
                "{'resourceType':'Patient','birthDate':'1970-03-30','_birthDate':{'id':'b',"
                "'extension':[{'url':'http://x','valueCode':'y'}]}}");
    assert_read("<Patient " NS "><birthDate><extension url='http://x'><valueCode value='y'/>"
                "</extension></birthDate></Patient>",
                "{'resourceType':'Patient','_birthDate':{"
                "'extension':[{'url':'http://x','valueCode':'y'}]}}");
}

#define NULLED "<extension url='http://x'><valueCode value='y'/></extension>"

static void fills_both_arrays_of_primitives_with_nulls(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><name><given value='A'/><given>" NULLED "</given>"
                "<given id='c' value='C'/></name></Patient>",
                "{'resourceType':'Patient','name':[{'given':['A',null,'C'],'_given':[null,"
                "{'extension':[{'url':'http://x','valueCode':'y'}]},{'id':'c'}]}]}");
}

static void leaves_out_an_array_without_values(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><name><given>" NULLED "</given></name></Patient>",
                "{'resourceType':'Patient','name':[{'_given':["
                "{'extension':[{'url':'http://x','valueCode':'y'}]}]}]}");
}

static void nests_what_stands_beside_primitives(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><name><given value='A'><extension url='http://x'><valueHumanName>"
                "<given value='B'/><given id='i' value='C'/></valueHumanName></extension></given>"
                "<given value='D'/></name></Patient>",
                "{'resourceType':'Patient','name':[{'given':['A','D'],'_given':[{'extension':[{"
                "'url':'http://x','valueHumanName':{'given':['B','C'],'_given':[null,{'id':'i'}]}"
                "}]},null]}]}");
}

static void reads_ids_of_elements_as_attributes_and_of_resources_as_elements(void **state)
{
    (void)state;
    assert_read("<Patient " NS "><id value='p'/><contact id='c1'><gender value='male'/></contact>"
                "</Patient>",
                "{'resourceType':'Patient','id':'p','contact':[{'id':'c1','gender':'male'}]}");
    assert_refused("<Patient " NS " id='p'/>", 1, 1, "Patient");
    assert_refused("<Patient " NS "><contact><id value='c'/></contact></Patient>", 1, 47,
                   "Patient.contact[0]");
}

static void reads_resources_where_any_may_stand(void **state)
{
    (void)state;
    assert_read("<Bundle " NS "><type value='batch'/><entry><resource><Patient><active value='true'"
                "/></Patient></resource></entry></Bundle>",
                "{'resourceType':'Bundle','type':'batch','entry':[{'resource':"
                "{'resourceType':'Patient','active':true}}]}");
    assert_read("<List " NS "><contained><Patient><id value='a'/></Patient></contained><contained>"
                "<Group><id value='b'/></Group></contained><status value='current'/></List>",
                "{'resourceType':'List','contained':[{'resourceType':'Patient','id':'a'},"
                "{'resourceType':'Group','id':'b'}],'status':'current'}");
}

static void keeps_narrative_byte_by_byte(void **state)
{
    (void)state;
    const char *div = "<div " XHTML ">a &amp; b&#160;<!-- c --><br/> <b title = 'x'>d</b>\n</div>";
    const char *text = arena_print(arena,
                                   "<Patient " NS "><text><status value='generated'/>%s</text>"
                                   "<active value='true'/></Patient>",
                                   div);
    assert_int_equal(read_text(text), STATUS_OK);
    assert_true(slice_is(json_get_string(json_get(json.root, "text"), "div"), div));
    assert_true(yyjson_is_true(json_get(json.root, "active")));
}

static void rewrites_narrative_that_would_not_stand_alone(void **state)
{
    (void)state;
    const char *wanted = "<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"k&quot;\">a &amp; "
                         "b<br/><b>c</b></div>";
    assert_int_equal(read_text("<Patient " NS
                               " xmlns:h='http://www.w3.org/1999/xhtml'><text><status "
                               "value='generated'/><h:div class='k\"'>a &amp; b<h:br/><h:b>c</h:b>"
                               "</h:div></text></Patient>"),
                     STATUS_OK);
    assert_true(slice_is(json_get_string(json_get(json.root, "text"), "div"), wanted));
}

static void reads_prefixed_fhir_elements(void **state)
{
    (void)state;
    assert_read("<f:Patient xmlns:f='http://hl7.org/fhir'><f:name><f:given value='A'><f:extension "
                "url='http://x'><f:valueCode value='y'/></f:extension></f:given></f:name>"
                "</f:Patient>",
                "{'resourceType':'Patient','name':[{'given':['A'],'_given':[{'extension':"
                "[{'url':'http://x','valueCode':'y'}]}]}]}");
}

static void passes_over_comments_and_processing_instructions(void **state)
{
    (void)state;
    assert_read("<?xml version='1.0' encoding='UTF-8'?>\n<?style x?><!-- c -->\n<Patient " NS ">"
                "<!-- <b> --><active value='true'/><?p i?></Patient>\n<!-- end -->\n",
                "{'resourceType':'Patient','active':true}");
    assert_read("\xEF\xBB\xBF<Patient " NS "/>", "{'resourceType':'Patient'}");
}

static void decodes_references_and_keeps_line_ends(void **state)
{
    (void)state;
    assert_int_equal(read_text("<Patient " NS "><name><text value='a&amp;&lt;&quot;&#10;&#x9;"
                               "\xC3\xA9&#233;&#x1F600;'/></name></Patient>"),
                     STATUS_OK);
    yyjson_val *name = yyjson_arr_get_first(json_get(json.root, "name"));
    assert_true(
        slice_is(json_get_string(name, "text"), "a&<\"\n\t\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80"));
}

static void gives_lines_and_columns_of_values(void **state)
{
    (void)state;
    uint32_t line, column;
    assert_int_equal(read_text("<Patient " NS ">\n  <active value='true'/>\n  <name>\n"
                               "    <family value='\xC3\x9F'/>\n  </name>\n"
                               "  <multipleBirthInteger\n   value='7'/>\n</Patient>"),
                     STATUS_OK);
    yyjson_val *name = yyjson_arr_get_first(json_get(json.root, "name"));
    json_position(&json, json_get(name, "family"), &line, &column);
    assert_int_equal(line * 100 + column, 419);
    json_position(&json, json_get(json.root, "multipleBirthInteger"), &line, &column);
    assert_int_equal(line * 100 + column, 711);
    json_position(&json, json_get(json.root, "active"), &line, &column);
    assert_int_equal(line * 100 + column, 203); /* a boolean has that of its element */
    json_position(&json, json_get(json.root, "resourceType"), &line, &column);
    assert_int_equal(line * 100 + column, 101);
}

static void tells_xml_from_json(void **state)
{
    (void)state;
    assert_true(xml_is_likely(SLICE(" \n<Patient/>")));
    assert_true(xml_is_likely(SLICE("\xEF\xBB\xBF<Patient/>")));
    assert_false(xml_is_likely(SLICE("{\"a\":\"<\"}")));
    assert_false(xml_is_likely(SLICE("")));
    assert_int_equal(resource_read_any(definitions, SLICE("{\"resourceType\":\"Patient\"}"),
                                       &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    assert_int_equal(resource_read_any(definitions, SLICE("<Patient " NS "/>"),
                                       &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void names_the_place_of_an_unknown_element(void **state)
{
    (void)state;
    assert_refused("<Patient " NS ">\n <contact>\n  <nick value='x'><a/></nick>\n"
                   "  <gender value='male'/>\n </contact>\n</Patient>",
                   3, 3, "Patient.contact[0]");
    assert_int_equal(outcome.count, 1);
    /* What could be read is there, for checks that say more. */
    assert_json(written(json.root), "{'resourceType':'Patient','contact':[{'gender':'male'}]}");
    assert_rule("<Patient " NS "><nick value='x'/></Patient>", "unknown-element");
}

static void refuses_elements_out_of_order(void **state)
{
    (void)state;
    assert_refused("<Patient " NS ">\n<gender value='male'/>\n<active value='true'/></Patient>", 3,
                   1, "Patient.active");
    assert_rule("<Patient " NS "><gender value='male'/><active value='true'/></Patient>", "order");
    assert_rule("<Patient " NS "><name><given value='A'/><prefix value='P'/><given value='B'/>"
                "</name></Patient>",
                "order");
    assert_json(written(json.root),
                "{'resourceType':'Patient','name':[{'given':['A'],'prefix':['P']}]}");
}

static void refuses_a_second_value_of_what_does_not_repeat(void **state)
{
    (void)state;
    assert_rule("<Patient " NS "><gender value='male'/><gender value='other'/></Patient>",
                "cardinality");
    assert_rule("<Patient " NS "><deceasedBoolean value='true'/><deceasedDateTime value='2020'/>"
                "</Patient>",
                "choice");
}

static void refuses_other_namespaces(void **state)
{
    (void)state;
    assert_rule("<Patient/>", "namespace");
    assert_rule("<Patient xmlns='http://hl7.org/fhir/'/>", "namespace");
    assert_rule("<Patient " NS "><x:name xmlns:x='urn:x'/></Patient>", "namespace");
    assert_rule("<Patient " NS "><text><status value='empty'/><div>x</div></text></Patient>",
                "namespace");
    assert_rule("<Patient " NS "><text><status value='empty'/><div " XHTML "><g xmlns='urn:g'/>"
                "</div></text></Patient>",
                "namespace");
}

static void refuses_attributes_that_fhir_does_not_know(void **state)
{
    (void)state;
    assert_rule("<Patient " NS "><active value='true' note='x'/></Patient>", "unknown-attribute");
    assert_rule("<Patient " NS "><name value='x'><family value='A'/></name></Patient>",
                "unknown-attribute");
    assert_rule("<Patient " NS "><active url='http://x' value='true'/></Patient>",
                "unknown-attribute");
    assert_rule("<Patient " NS " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
                "xsi:schemaLocation='http://hl7.org/fhir patient.xsd'/>",
                "unknown-attribute");
    assert_rule("<Patient " NS "><name xml:lang='en'><family value='A'/></name></Patient>",
                "unknown-attribute");
    assert_rule("<Patient " NS " a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9=''/>",
                "unknown-attribute");
}

static void refuses_what_is_empty(void **state)
{
    (void)state;
    assert_rule("<Patient " NS "><name/></Patient>", "ele-1");
    assert_rule("<Patient " NS "><name id='n'/></Patient>", "ele-1");
    assert_rule("<Patient " NS "><active/></Patient>", "ele-1");
    assert_rule("<Patient " NS "><gender value=''/></Patient>", "ele-1");
    assert_rule("<Patient " NS "><gender value=' '/></Patient>", "ele-1");
    assert_rule("<Patient " NS "><contained/></Patient>", "ele-1");
}

static void refuses_text_outside_narrative(void **state)
{
    (void)state;
    assert_rule("<Patient " NS "><active value='true'>yes</active></Patient>", "text");
    assert_rule("<Patient " NS "><![CDATA[x]]></Patient>", "text");
}

static void refuses_resources_it_does_not_know_and_two_in_one_place(void **state)
{
    (void)state;
    assert_rule("<Person2 " NS "/>", "resource-type");
    assert_rule("<List " NS "><contained><HumanName/></contained></List>", "resource-type");
    assert_rule("<List " NS "><contained><Patient/><Patient/></contained></List>", "resource-type");
}

static void refuses_what_is_not_well_formed_with_its_place(void **state)
{
    (void)state;
    assert_int_equal(read_text("<Patient " NS ">\n<active value='true'>\n</Patient>"),
                     STATUS_STRUCTURE);
    assert_int_equal(outcome.first->line, 3);
    assert_null(json.root);
    static const char *const broken[] = {"",
                                         "   ",
                                         "<",
                                         "<Patient",
                                         "<Patient " NS ">",
                                         "<Patient " NS "/><Patient " NS "/>",
                                         "<Patient " NS "><active value='a' value='b'/></Patient>",
                                         "<Patient " NS "><active value=true/></Patient>",
                                         "<Patient " NS "><active value='<'/></Patient>",
                                         "<Patient " NS "><gender value='\x01'/></Patient>",
                                         "<Patient " NS "><gender value='\xFF'/></Patient>",
                                         "<Patient " NS "><gender value='&#0;'/></Patient>",
                                         "<p:Patient/>",
                                         "text",
                                         "{}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(read_text(broken[i]), STATUS_STRUCTURE);
        if (outcome.errors == 0 || outcome.first->line == 0 || json.root != NULL) {
            fail_msg("\"%s\": %u errors", broken[i], outcome.errors);
        }
    }
}

static void refuses_other_encodings(void **state)
{
    (void)state;
    assert_int_equal(read_text("<?xml version='1.0' encoding='ISO-8859-1'?><Patient " NS "/>"),
                     STATUS_STRUCTURE);
    struct slice wide = SLICE("\xFF\xFE<\0P\0/\0>\0");
    outcome_init(&outcome, arena);
    assert_int_equal(xml_read(definitions, wide, &json_limits_default, arena, &outcome, &json),
                     STATUS_STRUCTURE);
}

/* ---- attacks ----------------------------------------------------------------------------------
 */

static void refuses_entities_that_would_expand(void **state)
{
    (void)state;
    assert_int_equal(read_text("<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b "
                               "'&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]>"
                               "<Patient " NS "><gender value='&c;'/></Patient>"),
                     STATUS_STRUCTURE);
    assert_null(json.root);
    assert_int_equal(read_text("<Patient " NS "><gender value='&a;'/></Patient>"),
                     STATUS_STRUCTURE);
    assert_int_equal(read_text("<Patient " NS "><text><status value='empty'/><div " XHTML ">&nbsp;"
                               "</div></text></Patient>"),
                     STATUS_STRUCTURE);
}

/* A file with a secret in it: were it read, its text would be in the value. */
static void refuses_to_fetch_anything(void **state)
{
    (void)state;
    char path[] = "xml_secret_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, "SECRET", 6), 6);
    (void)close(file);
    const char *const attacks[] = {
        "<!DOCTYPE p [<!ENTITY x SYSTEM '%s'>]><Patient " NS "><name><text value='&x;'/></name>"
        "</Patient>",
        "<!DOCTYPE p SYSTEM '%s'><Patient " NS "><active value='true'/></Patient>",
        "<!DOCTYPE p [<!ENTITY %% x SYSTEM '%s'> %%x;]><Patient " NS "/>",
        "<!DOCTYPE p PUBLIC '-//W3C//DTD XHTML 1.0//EN' '%s'><Patient " NS "/>",
        "<Patient " NS "><x:include xmlns:x='http://www.w3.org/2001/XInclude' parse='text' "
        "href='%s'/></Patient>"};
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        const char *text = arena_print(arena, attacks[i], path);
#pragma GCC diagnostic pop
        assert_int_equal(read_text(text), STATUS_STRUCTURE);
        assert_true(json.root == NULL || strstr(written(json.root), "SECRET") == NULL);
    }
    (void)unlink(path);
}

static void refuses_a_document_type_even_when_it_declares_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_text("<!DOCTYPE Patient><Patient " NS "/>"), STATUS_STRUCTURE);
    assert_int_equal(outcome.count, 1);
}

static void heeds_limits_of_bytes_values_and_depth(void **state)
{
    (void)state;
    struct json_limits limits = {.bytes = 100, .depth = 6, .values = 8};
    const char *fine = "<Patient " NS "><name><given value='A'/></name></Patient>";
    assert_int_equal(read_limited(fine, &limits), STATUS_TOO_COSTLY);
    limits.values = 9;
    assert_int_equal(read_limited(fine, &limits), STATUS_OK);
    limits.depth = 3; /* Patient, name, its object and given are 4 */
    assert_int_equal(read_limited(fine, &limits), STATUS_STRUCTURE);
    assert_null(json.root);
    limits.depth = 4;
    assert_int_equal(read_limited(fine, &limits), STATUS_OK);
    limits.bytes = 50;
    assert_int_equal(read_limited(fine, &limits), STATUS_TOO_LONG);
}

/* Both would make the parser compare each with each. */
static void refuses_crowds_of_attributes_and_namespaces(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "<Patient " NS " ");
    for (int i = 0; i < 100000; i++) {
        buffer_print(&text, "a%d='' ", i);
    }
    buffer_add_text(&text, "/>");
    int64_t start = time_monotonic();
    assert_int_equal(read_text(as_text(&text)), STATUS_STRUCTURE);
    assert_true(time_monotonic() - start < 2 * MICROS_PER_SECOND);
    text = (struct buffer){.arena = arena};
    buffer_add_text(&text, "<Patient " NS "><text><status value='empty'/><div " XHTML ">");
    for (int i = 0; i < 20; i++) {
        buffer_add_text(&text, "<b");
        for (int j = 0; j < 10; j++) {
            buffer_print(&text, " xmlns:p%d='urn:%d'", 10 * i + j, j);
        }
        buffer_add_byte(&text, '>');
    }
    assert_int_equal(read_text(as_text(&text)), STATUS_STRUCTURE);
    assert_non_null(strstr(outcome.last->text.at, "namespaces"));
    /* A long text with many quotes is none of that. */
    text = (struct buffer){.arena = arena};
    buffer_add_text(&text, "<Patient " NS "><name><text value=\"");
    for (int i = 0; i < 1000; i++) {
        buffer_add_text(&text, "a='b' ");
    }
    buffer_add_text(&text, "c\"/></name></Patient>");
    assert_int_equal(read_text(as_text(&text)), STATUS_OK);
}

/* Also where nothing is kept of what is read, and in documents that the parser takes for huge. */
static void heeds_depth_in_what_is_passed_over(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "<Patient " NS "><nick>", "<Patient " NS "><text><status value='empty'/><div " XHTML ">"};
    for (size_t i = 0; i < 2; i++) {
        arena_reset(arena, (size_t)512 << 20);
        struct buffer text = {.arena = arena};
        buffer_add_text(&text, starts[i]);
        while (text.length < (size_t)10 << 20) {
            buffer_add_text(&text, "<a>");
        }
        assert_int_equal(read_text(as_text(&text)), STATUS_STRUCTURE);
        assert_null(json.root);
        assert_true(outcome.last->line == 1 && outcome.last->column < 5000);
    }
}

static void ends_with_its_arena(void **state)
{
    (void)state;
    const char *text = "<Patient " NS "><name><given value='A'/><given id='i' value='B'/></name>"
                       "</Patient>";
    for (unsigned long n = 1; n < 12; n++) {
        struct arena *small = arena_create((size_t)1 << 20);
        arena_fail_after(n);
        enum status status =
            xml_read(definitions, slice_text(text), &json_limits_default, small, NULL, &json);
        arena_fail_after(0);
        assert_true(status == STATUS_OK ? !arena_full(small)
                                        : status == STATUS_TOO_COSTLY && json.root == NULL);
        arena_destroy(small);
    }
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void writes_in_the_order_of_the_definition(void **state)
{
    (void)state;
    assert_written("{'gender':'male','name':[{'given':['A','B'],'family':'F'}],'active':true,"
                   "'id':'p','resourceType':'Patient'}",
                   "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"p\"/><active "
                   "value=\"true\"/><name><family value=\"F\"/><given value=\"A\"/><given "
                   "value=\"B\"/></name><gender value=\"male\"/></Patient>");
}

static void writes_what_stands_beside_primitives(void **state)
{
    (void)state;
    assert_written("{'resourceType':'Patient','name':[{'_given':[null,{'id':'i'},{'extension':[{"
                   "'url':'u','valueInteger':3}]}],'given':['A','B',null]}],"
                   "'_birthDate':{'extension':[{'valueCode':'y','url':'u'}]}}",
                   "<Patient xmlns=\"http://hl7.org/fhir\"><name><given value=\"A\"/><given "
                   "value=\"B\" id=\"i\"/><given><extension url=\"u\"><valueInteger value=\"3\"/>"
                   "</extension></given></name><birthDate><extension url=\"u\"><valueCode "
                   "value=\"y\"/></extension></birthDate></Patient>");
}

static void writes_contained_resources_and_narrative(void **state)
{
    (void)state;
    assert_written("{'resourceType':'List','id':'l','text':{'status':'empty','div':'<div>x</div>'},"
                   "'contained':[{'resourceType':'Patient','id':'a'},{'resourceType':'Group'}]}",
                   "<List xmlns=\"http://hl7.org/fhir\"><id value=\"l\"/><text><status "
                   "value=\"empty\"/><div>x</div></text><contained><Patient><id value=\"a\"/>"
                   "</Patient></contained><contained><Group/></contained></List>");
}

static void escapes_what_xml_would_change(void **state)
{
    (void)state;
    assert_written(
        "{'resourceType':'Patient','name':[{'text':'\\\"<&>\\r\\n\\t\xC3\xA9\xEF\xBC\x81'}]}",
        "<Patient xmlns=\"http://hl7.org/fhir\"><name><text value=\"&quot;&lt;&amp;&gt;"
        "&#13;&#10;&#9;\xC3\xA9\xEF\xBC\x81\"/></name></Patient>");
}

static void indents_when_asked(void **state)
{
    (void)state;
    struct buffer out = {.arena = arena};
    assert_int_equal(xml_write(definitions,
                               parse("{'resourceType':'Patient','contained':[{'resourceType':"
                                     "'Group','id':'g'}],'active':true}"),
                               true, NULL, &out),
                     STATUS_OK);
    assert_string_equal(as_text(&out), "<Patient xmlns=\"http://hl7.org/fhir\">\n  <contained>\n"
                                       "    <Group>\n      <id value=\"g\"/>\n    </Group>\n"
                                       "  </contained>\n  <active value=\"true\"/>\n</Patient>\n");
}

static void does_not_write_what_xml_cannot_say(void **state)
{
    (void)state;
    assert_unwritable("{'resourceType':'Patient','name':[{'text':'a\\u0001'}]}",
                      STATUS_NOT_ACCEPTABLE);
    assert_unwritable("{'resourceType':'Patient','name':[{'text':'a\\uFFFF'}]}",
                      STATUS_NOT_ACCEPTABLE);
    assert_unwritable("{'resourceType':'Patient','text':{'status':'generated','div':'<div "
                      "xmlns=\\'http://www.w3.org/1999/xhtml\\'>\\uFFFE</div>'}}",
                      STATUS_NOT_ACCEPTABLE);
    assert_unwritable("{'resourceType':'Patient','nick':'x'}", STATUS_STRUCTURE);
    assert_unwritable("{'resourceType':'Nothing'}", STATUS_STRUCTURE);
    assert_unwritable("{'resourceType':'Patient','active':[true]}", STATUS_STRUCTURE);
    assert_unwritable("{'resourceType':'Patient','name':{'family':'A'}}", STATUS_STRUCTURE);
    assert_unwritable("{'resourceType':'Patient','active':true,'active':true}", STATUS_STRUCTURE);
    assert_unwritable("{'resourceType':'Patient','gender':{'a':1}}", STATUS_STRUCTURE);
    assert_unwritable("{'resourceType':'Patient','text':{'div':'x'}}", STATUS_STRUCTURE);
}

/* The writer sorts by group and the reader checks it: both rest on this. */
static void groups_of_every_type_are_in_the_order_of_its_elements(void **state)
{
    (void)state;
    const struct element_tables *tables = definitions_tables(definitions);
    for (uint32_t t = 0; t < tables->type_count; t++) {
        const struct type_row *type = &tables->types[t];
        for (size_t i = 1; i < type->element_count; i++) {
            assert_true(type_element(tables, type, i)->group >=
                        type_element(tables, type, i - 1)->group);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(makes_arrays_of_what_may_repeat),
        FHIR_TEST(gives_primitives_their_type),
        FHIR_TEST(keeps_decimals_digit_for_digit),
        FHIR_TEST(leaves_what_is_no_number_or_boolean_to_validation),
        FHIR_TEST(puts_ids_and_extensions_beside_primitives),
        FHIR_TEST(fills_both_arrays_of_primitives_with_nulls),
        FHIR_TEST(leaves_out_an_array_without_values),
        FHIR_TEST(nests_what_stands_beside_primitives),
        FHIR_TEST(reads_ids_of_elements_as_attributes_and_of_resources_as_elements),
        FHIR_TEST(reads_resources_where_any_may_stand),
        FHIR_TEST(keeps_narrative_byte_by_byte),
        FHIR_TEST(rewrites_narrative_that_would_not_stand_alone),
        FHIR_TEST(reads_prefixed_fhir_elements),
        FHIR_TEST(passes_over_comments_and_processing_instructions),
        FHIR_TEST(decodes_references_and_keeps_line_ends),
        FHIR_TEST(gives_lines_and_columns_of_values),
        FHIR_TEST(tells_xml_from_json),
        FHIR_TEST(names_the_place_of_an_unknown_element),
        FHIR_TEST(refuses_elements_out_of_order),
        FHIR_TEST(refuses_a_second_value_of_what_does_not_repeat),
        FHIR_TEST(refuses_other_namespaces),
        FHIR_TEST(refuses_attributes_that_fhir_does_not_know),
        FHIR_TEST(refuses_what_is_empty),
        FHIR_TEST(refuses_text_outside_narrative),
        FHIR_TEST(refuses_resources_it_does_not_know_and_two_in_one_place),
        FHIR_TEST(refuses_what_is_not_well_formed_with_its_place),
        FHIR_TEST(refuses_other_encodings),
        FHIR_TEST(refuses_entities_that_would_expand),
        FHIR_TEST(refuses_to_fetch_anything),
        FHIR_TEST(refuses_a_document_type_even_when_it_declares_nothing),
        FHIR_TEST(heeds_limits_of_bytes_values_and_depth),
        FHIR_TEST(refuses_crowds_of_attributes_and_namespaces),
        FHIR_TEST(heeds_depth_in_what_is_passed_over),
        FHIR_TEST(ends_with_its_arena),
        FHIR_TEST(writes_in_the_order_of_the_definition),
        FHIR_TEST(writes_what_stands_beside_primitives),
        FHIR_TEST(writes_contained_resources_and_narrative),
        FHIR_TEST(escapes_what_xml_would_change),
        FHIR_TEST(indents_when_asked),
        FHIR_TEST(does_not_write_what_xml_cannot_say),
        FHIR_TEST(groups_of_every_type_are_in_the_order_of_its_elements),
    };
    return cmocka_run_group_tests_name("fhir_xml", tests, definitions_setup, definitions_teardown);
}
