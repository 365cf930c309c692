/* SPDX-License-Identifier: MIT */
/* `_summary` and `_elements`. */
#include "fhir_test.h"

#define TAG                                                                                        \
    "{'system':'http://terminology.hl7.org/CodeSystem/v3-ObservationValue','code':'SUBSETTED'}"

static const char *subset(const char *text, enum summary summary, const char *elements)
{
    struct slice words[8];
    size_t count = 0;
    struct slice rest = slice_text(elements);
    while (elements != NULL && rest.at != NULL && count < 8) {
        words[count++] = slice_cut(&rest, ',');
    }
    yyjson_val *resource = parse(text);
    struct buffer out = {.arena = arena};
    resource_write_subset(definitions, type_of(resource), resource, summary, words, count, &out);
    return as_text(&out);
}

static const char patient[] =
    "{'resourceType':'Patient','id':'1','meta':{'versionId':'3','tag':[{'code':'x'}]},"
    "'text':{'status':'generated','div':'<div>x</div>'},"
    "'extension':[{'url':'http://x','valueString':'y'}],"
    "'active':true,'name':[{'family':'A','extension':[{'url':'http://x','valueCode':'y'}]}],"
    "'_birthDate':{'extension':[{'url':'http://x','valueCode':'unknown'}]},"
    "'maritalStatus':{'text':'m'},'deceasedBoolean':false,"
    "'photo':[{'contentType':'image/png','data':'AAAA'}],"
    "'contact':[{'name':{'family':'B'}}]}";

static void gives_the_whole_when_nothing_is_asked(void **state)
{
    (void)state;
    assert_json(subset(patient, SUMMARY_FALSE, NULL), patient);
}

static void gives_summary_elements_at_every_level(void **state)
{
    (void)state;
    assert_json(
        subset(patient, SUMMARY_TRUE, NULL),
        "{'resourceType':'Patient','id':'1','meta':{'versionId':'3','tag':[{'code':'x'}," TAG
        "]},'active':true,'name':[{'family':'A'}],"
        "'_birthDate':{'extension':[{'url':'http://x','valueCode':'unknown'}]},"
        "'deceasedBoolean':false}");
}

static void cuts_inside_elements_of_a_summary(void **state)
{
    (void)state;
    assert_json(
        subset("{'resourceType':'Observation','status':'final','code':{'coding':[{'code':'c',"
               "'extension':[{'url':'http://x','valueCode':'y'}]}]},"
               "'component':[{'code':{'text':'t'},'valueString':'v','interpretation':[{'text':"
               "'i'}]},{'interpretation':[{'text':'j'}]}]}",
               SUMMARY_TRUE, NULL),
        "{'resourceType':'Observation','meta':{'tag':[" TAG "]},'status':'final','code':{"
        "'coding':[{'code':'c'}]},'component':[{'code':{'text':'t'},'valueString':'v'}]}");
}

static void summarises_the_entries_of_a_bundle(void **state)
{
    (void)state;
    assert_json(
        subset("{'resourceType':'Bundle','type':'collection','entry':[{'resource':{'resourceType':"
               "'Patient','id':'1','gender':'male','maritalStatus':{'text':'m'}}}]}",
               SUMMARY_TRUE, NULL),
        "{'resourceType':'Bundle','meta':{'tag':[" TAG "]},'type':'collection','entry':[{"
        "'resource':{'resourceType':'Patient','id':'1','meta':{'tag':[" TAG
        "]},'gender':'male'}}]}");
}

static void gives_text_id_meta_and_the_mandatory(void **state)
{
    (void)state;
    assert_json(subset("{'resourceType':'Observation','id':'1','text':{'status':'generated',"
                       "'div':'<div/>'},'status':'final','code':{'text':'c'},'valueString':'v',"
                       "'subject':{'reference':'Patient/1'}}",
                       SUMMARY_TEXT, NULL),
                "{'resourceType':'Observation','id':'1','meta':{'tag':[" TAG
                "]},'text':{'status':'generated','div':'<div/>'},'status':'final','code':{"
                "'text':'c'}}");
}

static void gives_all_but_the_text(void **state)
{
    (void)state;
    assert_json(subset("{'resourceType':'Patient','text':{'div':'<div/>'},'gender':'male',"
                       "'extension':[{'url':'u'}],'photo':[{'data':'AAAA'}]}",
                       SUMMARY_DATA, NULL),
                "{'resourceType':'Patient','meta':{'tag':[" TAG "]},'gender':'male',"
                "'extension':[{'url':'u'}],'photo':[{'data':'AAAA'}]}");
}

static void gives_the_elements_asked_for_with_mandatory_and_modifier_ones(void **state)
{
    (void)state;
    static const char observation[] =
        "{'resourceType':'Observation','id':'1','implicitRules':'http://r',"
        "'modifierExtension':[{'url':'http://x'}],'status':'final','code':{'text':'c'},"
        "'valueQuantity':{'value':1.0},'_effectiveDateTime':{'id':'x'},'note':[{'text':'n'}]}";
    assert_json(subset(observation, SUMMARY_FALSE, "value"),
                "{'resourceType':'Observation','id':'1','meta':{'tag':[" TAG
                "]},'implicitRules':'http://r','modifierExtension':[{'url':'http://x'}],"
                "'status':'final','code':{'text':'c'},'valueQuantity':{'value':1.0}}");
    assert_string_equal(subset(observation, SUMMARY_FALSE, "valueQuantity"),
                        subset(observation, SUMMARY_FALSE, "value[x]"));
    assert_string_equal(subset(observation, SUMMARY_FALSE, "Observation.value"),
                        subset(observation, SUMMARY_FALSE, "value"));
    assert_non_null(strstr(subset(observation, SUMMARY_FALSE, "effectiveDateTime,note"),
                           "\"_effectiveDateTime\":{\"id\":\"x\"},\"note\""));
    assert_null(strstr(subset(observation, SUMMARY_FALSE, "values,not"), "note"));
    assert_non_null(strstr(subset(patient, SUMMARY_FALSE, "name.family"), "\"name\":[{"));
}

static void keeps_a_refuted_allergy_refuted(void **state)
{
    (void)state;
    assert_non_null(strstr(
        subset("{'resourceType':'AllergyIntolerance','verificationStatus':{'coding':[{'code':"
               "'refuted'}]},'code':{'text':'nuts'},'patient':{'reference':'Patient/1'}}",
               SUMMARY_FALSE, "code"),
        "refuted"));
}

static void tags_once(void **state)
{
    (void)state;
    static const char tagged[] =
        "{'resourceType':'Patient','meta':{'tag':[" TAG "],'versionId':'1'}}";
    assert_json(subset(tagged, SUMMARY_DATA, NULL), tagged);
    assert_json(subset("{'resourceType':'Patient','meta':{'versionId':'1'}}", SUMMARY_TEXT, NULL),
                "{'resourceType':'Patient','meta':{'versionId':'1','tag':[" TAG "]}}");
    assert_json(subset("{'resourceType':'Patient','meta':{}}", SUMMARY_TEXT, NULL),
                "{'resourceType':'Patient','meta':{'tag':[" TAG "]}}");
    assert_json(subset("{'gender':'male','resourceType':'Patient'}", SUMMARY_TEXT, NULL),
                "{'resourceType':'Patient','meta':{'tag':[" TAG "]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(gives_the_whole_when_nothing_is_asked),
        FHIR_TEST(gives_summary_elements_at_every_level),
        FHIR_TEST(cuts_inside_elements_of_a_summary),
        FHIR_TEST(summarises_the_entries_of_a_bundle),
        FHIR_TEST(gives_text_id_meta_and_the_mandatory),
        FHIR_TEST(gives_all_but_the_text),
        FHIR_TEST(gives_the_elements_asked_for_with_mandatory_and_modifier_ones),
        FHIR_TEST(keeps_a_refuted_allergy_refuted),
        FHIR_TEST(tags_once),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
