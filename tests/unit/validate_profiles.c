/* SPDX-License-Identifier: MIT */
/* Profiles: each rule of an ElementDefinition, kept and broken. The profiles are differentials, so
 * their snapshots are ours too. */
#include "validate/profile_int.h"

#include "profile_test.h"

/* ---- the base ---------------------------------------------------------------------------------
 */

static void asks_the_invariants_of_the_base(void **state)
{
    (void)state;
    assert_base(PATIENT("'contact':[{'gender':'male'}]"), "pat-1@Patient.contact[0]");
    assert_base(PATIENT("'contact':[{'name':{'text':'A'}}]"), "");
    assert_base(PATIENT("'telecom':[{'value':'1'}]"), "cpt-2@Patient.telecom[0]");
    assert_base(PATIENT("'name':[{'text':'A','period':{'start':'2020-02','end':'2020-01'}}]"),
                "per-1@Patient.name[0].period");
    assert_base(PATIENT("'name':[{'text':'A','period':{'start':'2020-02','end':'2020'}}]"),
                "per-1@Patient.name[0].period"); /* empty, and so not true */
    assert_base(PATIENT("'name':[{'text':'A','period':{'start':'2020-02','end':'2021'}}]"), "");
    assert_base(PATIENT("'name':[{'text':'A','period':{'start':'2020','end':'2020'}}]"), "");
    assert_base(OBSERVATION("'valueString':'a','dataAbsentReason':{'text':'b'}"),
                "obs-6@Observation");
}

static void refuses_what_takes_longer_than_it_may(void **state)
{
    (void)state;
    deadline = 1; /* long ago */
    assert_base(PATIENT("'contact':[{'gender':'male'}]"), "deadline@Patient.contact[0]");
    deadline = time_monotonic() + 60 * MICROS_PER_SECOND;
    assert_base(PATIENT("'contact':[{'gender':'male'}]"), "pat-1@Patient.contact[0]");
    deadline = 0;
}

static void checks_contained_resources_and_ids(void **state)
{
    (void)state;
    assert_base(PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':'N'}]"),
                "dom-3@Patient");
    assert_base(PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':'N'}],"
                        "'managingOrganization':{'reference':'#o'}"),
                "");
    assert_base(PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':'N',"
                        "'meta':{'versionId':'1'}}],'managingOrganization':{'reference':'#o'}"),
                "dom-4@Patient");
    assert_base(PATIENT("'name':[{'id':'a','text':'A'},{'id':'a','text':'B'}]"),
                "element-id@Patient.name[1]");
}

static void checks_codes_units_and_sizes(void **state)
{
    (void)state;
    assert_base(OBSERVATION("'valueQuantity':{'value':1,'system':'http://unitsofmeasure.org',"
                            "'code':'mm[Hg]'}"),
                "");
    assert_base(OBSERVATION("'valueQuantity':{'value':1,'system':'http://unitsofmeasure.org',"
                            "'code':'units'}"),
                "ucum@Observation.value.ofType(Quantity)");
    assert_base(
        PATIENT("'maritalStatus':{'coding':[{'system':"
                "'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus','code':'no-such'}]}"),
        "code@Patient.maritalStatus.coding[0]");
    assert_base(PATIENT("'photo':[{'contentType':'image/png','data':'QUJD','size':3}]"), "");
    assert_base(PATIENT("'photo':[{'contentType':'image/png','data':'QUJD','size':4}]"),
                "attachment-size@Patient.photo[0]");
    assert_base("{'resourceType':'Observation','status':'final','code':{'text':'x'},"
                "'referenceRange':[{'low':{'value':1,'comparator':'<'}}]}",
                "max@Observation.referenceRange[0].low sqty-1@Observation.referenceRange[0].low");
}

/* ---- elements ---------------------------------------------------------------------------------
 */

static void counts_what_must_and_may_be_there(void **state)
{
    (void)state;
    add_profile("Patient", "{'path':'Patient.name','min':1,'max':'1'},"
                           "{'path':'Patient.name.family','min':1},"
                           "{'path':'Patient.photo','max':'0'}");
    assert_fits(PATIENT("'name':[{'family':'A'}]"));
    assert_breaks(PATIENT("'active':true"), "min@Patient");
    assert_breaks(PATIENT("'name':[{'family':'A'},{'family':'B'}]"), "max@Patient");
    assert_breaks(PATIENT("'name':[{'text':'A'}]"), "min@Patient.name[0]");
    assert_breaks(PATIENT("'name':[{'family':'A'}],'photo':[{'title':'t'}]"), "max@Patient");
}

static void compares_fixed_values_and_patterns(void **state)
{
    (void)state;
    add_profile("Patient", "{'path':'Patient.gender','fixedCode':'other'},"
                           "{'path':'Patient.maritalStatus','patternCodeableConcept':"
                           "{'coding':[{'system':'http://y','code':'M'}]}}");
    assert_fits(PATIENT("'gender':'other','maritalStatus':{'coding':[{'system':'http://z',"
                        "'code':'M'},{'system':'http://y','code':'M','display':'m'}]}"));
    assert_breaks(PATIENT("'gender':'male'"), "fixed@Patient.gender");
    assert_breaks(PATIENT("'maritalStatus':{'coding':[{'system':'http://z','code':'M'}]}"),
                  "pattern@Patient.maritalStatus");
}

static void limits_values_and_lengths(void **state)
{
    (void)state;
    add_profile("Observation",
                "{'path':'Observation.value[x]','type':[{'code':'integer'},{'code':'string'}]},"
                "{'path':'Observation.valueInteger','minValueInteger':1,'maxValueInteger':10},"
                "{'path':'Observation.valueString','maxLength':3}");
    assert_fits(OBSERVATION("'valueInteger':10"));
    assert_fits(OBSERVATION("'valueString':'\xC3\xA4\xC3\xB6\xC3\xBC'"));
    assert_breaks(OBSERVATION("'valueInteger':0"), "least@Observation.value.ofType(integer)");
    assert_breaks(OBSERVATION("'valueInteger':11"), "greatest@Observation.value.ofType(integer)");
    assert_breaks(OBSERVATION("'valueString':'abcd'"), "length@Observation.value.ofType(string)");
    assert_breaks(OBSERVATION("'valueBoolean':true"), "type@Observation.value.ofType(boolean)");
}

static void asks_the_invariants_of_a_profile(void **state)
{
    (void)state;
    add_profile("Patient",
                "{'path':'Patient','constraint':[{'key':'x-1','severity':'error','human':'A name',"
                "'expression':'name.exists()'}]},"
                "{'path':'Patient.name','constraint':[{'key':'x-2','severity':'warning',"
                "'human':'A family name','expression':'family.exists()'}]}");
    assert_fits(PATIENT("'name':[{'text':'A'}]")); /* a warning */
    assert_breaks(PATIENT("'active':true"), "x-1@Patient");
}

static void binds_codes_to_value_sets(void **state)
{
    (void)state;
    add("{'resourceType':'CodeSystem','url':'http://x/c','status':'active','content':'complete',"
        "'concept':[{'code':'a'},{'code':'b'}]}");
    add("{'resourceType':'ValueSet','url':'http://x/v','status':'active','compose':{'include':"
        "[{'system':'http://x/c','concept':[{'code':'a'}]}]}}");
    add_profile("Observation", "{'path':'Observation.method','binding':{'strength':'required',"
                               "'valueSet':'http://x/v'}}");
    assert_fits(OBSERVATION("'method':{'coding':[{'system':'http://x/c','code':'a'}]}"));
    assert_breaks(OBSERVATION("'method':{'coding':[{'system':'http://x/c','code':'b'}]}"),
                  "binding@Observation.method");
    assert_breaks(OBSERVATION("'method':{'text':'a'}"), "binding@Observation.method");
    assert_fits(OBSERVATION("'method':{'extension':[{'url':"
                            "'http://hl7.org/fhir/StructureDefinition/data-absent-reason',"
                            "'valueCode':'unknown'}]}"));
}

/* ---- slices -----------------------------------------------------------------------------------
 */

static void sorts_slices_by_value(void **state)
{
    (void)state;
    add_profile("Patient", SLICING("Patient.identifier", "value", "system", "open") //
                "{'path':'Patient.identifier','sliceName':'nhs','min':1,'max':'1'},"
                "{'path':'Patient.identifier.system','min':1,'fixedUri':'http://n'},"
                "{'path':'Patient.identifier.value','min':1}");
    assert_fits(PATIENT("'identifier':[{'system':'http://n','value':'1'},{'system':'http://o'}]"));
    assert_breaks(PATIENT("'identifier':[{'system':'http://o'}]"), "slice-min@Patient");
    assert_breaks(PATIENT("'identifier':[{'system':'http://n'}]"), "min@Patient.identifier[0]");
    assert_breaks(PATIENT("'identifier':[{'system':'http://n','value':'1'},{'system':'http://n',"
                          "'value':'2'}]"),
                  "slice-max@Patient");
}

static void closes_slices(void **state)
{
    (void)state;
    add_profile("Patient", SLICING("Patient.telecom", "value", "system", "closed") //
                "{'path':'Patient.telecom','sliceName':'phone'},"
                "{'path':'Patient.telecom.system','min':1,'fixedCode':'phone'}");
    assert_fits(PATIENT("'telecom':[{'system':'phone','value':'1'}]"));
    assert_breaks(
        PATIENT("'telecom':[{'system':'phone','value':'1'},{'system':'fax','value':'2'}]"),
        "slice-closed@Patient.telecom[1]");
}

static void keeps_the_order_of_slices(void **state)
{
    (void)state;
    add_profile("Patient",
                "{'path':'Patient.telecom','slicing':{'discriminator':[{'type':'value','path':"
                "'system'}],'ordered':true,'rules':'openAtEnd'}},"
                "{'path':'Patient.telecom','sliceName':'phone'},"
                "{'path':'Patient.telecom.system','min':1,'fixedCode':'phone'},"
                "{'path':'Patient.telecom','sliceName':'fax'},"
                "{'path':'Patient.telecom.system','min':1,'fixedCode':'fax'}");
    assert_fits(PATIENT("'telecom':[{'system':'phone','value':'1'},{'system':'fax','value':'1'},"
                        "{'system':'sms','value':'1'}]"));
    assert_breaks(
        PATIENT("'telecom':[{'system':'fax','value':'1'},{'system':'phone','value':'1'}]"),
        "slice-order@Patient.telecom[1]");
    assert_breaks(
        PATIENT("'telecom':[{'system':'sms','value':'1'},{'system':'phone','value':'1'}]"),
        "slice-order@Patient.telecom[1]");
}

static void sorts_slices_by_pattern_within(void **state)
{
    (void)state;
    add_profile(
        "Observation", SLICING("Observation.component", "pattern", "code", "open") //
        "{'path':'Observation.component','sliceName':'a','min':1},"
        "{'path':'Observation.component.code','patternCodeableConcept':{'coding':[{'system':"
        "'http://y','code':'1'}]}},"
        "{'path':'Observation.component.value[x]','min':1}");
    assert_fits(OBSERVATION("'component':[{'code':{'coding':[{'system':'http://y','code':'1'}]},"
                            "'valueString':'s'}]"));
    assert_breaks(OBSERVATION("'component':[{'code':{'coding':[{'system':'http://y','code':'1'}]}"
                              "}]"),
                  "min@Observation.component[0]");
    assert_breaks(OBSERVATION("'component':[{'code':{'coding':[{'system':'http://y','code':'2'}]}"
                              "}]"),
                  "slice-min@Observation");
}

static void sorts_slices_by_type_and_existence(void **state)
{
    (void)state;
    add_profile("Observation", "{'path':'Observation.valueQuantity','min':1},"
                               "{'path':'Observation.valueQuantity.unit','min':1}," SLICING(
                                   "Observation.note", "exists", "time", "open") //
                "{'path':'Observation.note','sliceName':'timed','max':'1'},"
                "{'path':'Observation.note.time','min':1},"
                "{'path':'Observation.note','sliceName':'timeless','max':'0'},"
                "{'path':'Observation.note.time','max':'0'}");
    assert_fits(OBSERVATION("'valueQuantity':{'value':1,'unit':'u'}"));
    assert_breaks(OBSERVATION("'valueQuantity':{'value':1}"),
                  "min@Observation.value.ofType(Quantity)");
    assert_breaks(OBSERVATION("'valueString':'s'"), "slice-min@Observation");
    assert_breaks(OBSERVATION("'valueQuantity':{'value':1,'unit':'u'},'note':[{'text':'t'}]"),
                  "slice-max@Observation");
    assert_fits(OBSERVATION("'valueQuantity':{'value':1,'unit':'u'},'note':[{'text':'t','time':"
                            "'2020'}]"));
}

/* ---- extensions -------------------------------------------------------------------------------
 */

static void checks_extensions_by_their_definitions(void **state)
{
    (void)state;
    add_extension("http://x/e", "{'type':'element','expression':'Patient.name'}",
                  "{'path':'Extension.value[x]','min':1,'type':[{'code':'string'}]}");
    assert_base(PATIENT("'name':[{'text':'A','extension':[{'url':'http://x/e','valueString':'s'}]"
                        "}]"),
                "");
    assert_base(PATIENT("'name':[{'text':'A','extension':[{'url':'http://x/e','valueCode':'s'}]"
                        "}]"),
                "type@Patient.name[0].extension[0].value.ofType(code)");
    assert_base(PATIENT("'extension':[{'url':'http://x/e','valueString':'s'}]"),
                "extension-context@Patient.extension[0]");
    assert_base(PATIENT("'modifierExtension':[{'url':'http://x/unknown','valueString':'s'}]"),
                "extension-unknown@Patient.modifierExtension[0]");
    assert_base(PATIENT("'extension':[{'url':'http://x/unknown','valueString':'s'}]"), "");
}

static void checks_extensions_of_primitives(void **state)
{
    (void)state;
    add_extension("http://x/e", "{'type':'element','expression':'Patient.birthDate'}",
                  "{'path':'Extension.value[x]','min':1,'type':[{'code':'string'}]}");
    add_profile("Patient",
                "{'path':'Patient.birthDate.extension','sliceName':'e','min':1,'type':[{'code':"
                "'Extension','profile':['http://x/e']}]}");
    assert_fits(PATIENT("'birthDate':'2020','_birthDate':{'extension':[{'url':'http://x/e',"
                        "'valueString':'s'}]}"));
    assert_breaks(PATIENT("'birthDate':'2020'"), "slice-min@Patient.birthDate");
    assert_breaks(PATIENT("'birthDate':'2020','_birthDate':{'extension':[{'url':'http://x/e',"
                          "'valueCode':'s'}]}"),
                  "type@Patient.birthDate.extension[0].value.ofType(code)");
}

/* ---- references -------------------------------------------------------------------------------
 */

static void follows_references_to_profiles(void **state)
{
    (void)state;
    add("{'resourceType':'StructureDefinition','url':'http://x/o','name':'O','status':'draft',"
        "'kind':'resource','abstract':false,'type':'Organization','baseDefinition':"
        "'http://hl7.org/fhir/StructureDefinition/Organization','derivation':'constraint',"
        "'differential':{'element':[{'path':'Organization.active','min':1}]}}");
    add_profile("Patient", "{'path':'Patient.managingOrganization','type':[{'code':'Reference',"
                           "'targetProfile':['http://x/o']}]},"
                           "{'path':'Patient.generalPractitioner','type':[{'code':'Reference',"
                           "'targetProfile':['http://hl7.org/fhir/StructureDefinition/"
                           "Practitioner']}]}");
    assert_fits(PATIENT("'contained':[{'resourceType':'Organization','id':'o','active':true,'name':"
                        "'N'}],'managingOrganization':{'reference':'#o'}"));
    assert_breaks(PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':'N'}],"
                          "'managingOrganization':{'reference':'#o'}"),
                  "reference-target@Patient.managingOrganization");
    assert_breaks(PATIENT("'generalPractitioner':[{'reference':'Organization/1'}]"),
                  "reference-target@Patient.generalPractitioner[0]");
    assert_fits(PATIENT("'generalPractitioner':[{'reference':'Practitioner/1'}]"));
}

static void follows_references_within_a_bundle(void **state)
{
    (void)state;
    assert_base("{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':'urn:uuid:"
                "00000000-0000-4000-8000-000000000001','resource':{'resourceType':'Patient',"
                "'managingOrganization':{'reference':'urn:uuid:00000000-0000-4000-8000-"
                "000000000002'}}},{'fullUrl':'urn:uuid:00000000-0000-4000-8000-000000000002',"
                "'resource':{'resourceType':'Practitioner'}}]}",
                "reference-target@Bundle.entry[0].resource.managingOrganization");
}

#define UUID(digit) "urn:uuid:00000000-0000-4000-8000-00000000000" digit

static void compares_a_reference_with_the_entry_that_it_means(void **state)
{
    (void)state;
#define TWO(reference)                                                                             \
    "{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':'" UUID(                     \
        "1") "','resource':{'resourceType':'Patient','generalPractitioner':[{'reference':"         \
             "'" reference "'}]}},{'fullUrl':'" UUID(                                              \
                 "2") "','resource':{'resourceType':'Organization','name':'N'}}]}"
    assert_base(TWO("Organization/00000000-0000-4000-8000-000000000002"), "");
    assert_base(TWO("Practitioner/00000000-0000-4000-8000-000000000002"),
                "reference-target@Bundle.entry[0].resource.generalPractitioner[0]");
    assert_base(TWO("Practitioner/00000000-0000-4000-8000-000000000003"), "");
}

static void reads_the_type_of_a_reference(void **state)
{
    (void)state;
#define TYPED(type)                                                                                \
    PATIENT("'managingOrganization':{'reference':'Organization/1','type':'" type "'}")
#define ELSEWHERE(type)                                                                            \
    PATIENT("'managingOrganization':{'reference':'" UUID("1") "','type':'" type "'}")
    assert_base(TYPED("Organization"), "");
    assert_base(TYPED("http://hl7.org/fhir/StructureDefinition/Organization"), "");
    assert_base(TYPED("Patient"), "reference-target@Patient.managingOrganization");
    assert_base(ELSEWHERE("Organization"), "");
    assert_base(ELSEWHERE("organization"), "reference-type@Patient.managingOrganization");
    assert_base(ELSEWHERE("http://x.org/StructureDefinition/model"), "");
}

/* ---- what is judged ---------------------------------------------------------------------------
 */

static void follows_the_links_of_a_narrative(void **state)
{
    (void)state;
#define TOLD(text, more)                                                                           \
    PATIENT("'text':{'status':'generated','div':'<div "                                            \
            "xmlns=\\\"http://www.w3.org/1999/xhtml\\\">" text "</div>'},'active':true" more)
#define LINK(to) "<a href=\\\"" to "\\\">a</a>"
    assert_base(TOLD(LINK("http://x.org/1#no") LINK("Patient/1") LINK("#"), ""), "");
    assert_base(TOLD(LINK("#here") "<p id=\\\"here\\\">p</p>", ""), "");
    assert_base(TOLD(LINK("#here") "<p><a name=\\\"here\\\">p</a></p>", ""), "");
    assert_base(TOLD(LINK("#n"), ",'name':[{'id':'n','text':'A'}]"), "");
    assert_base(TOLD(LINK("#here") "<p title=\\\"here\\\">p</p>", ""),
                "narrative-link@Patient.text.div");
    assert_base(TOLD("<!-- " LINK("#no") " -->p", ""), "");
    assert_base(TOLD(LINK("#a") LINK("#b") LINK("urn:oid:1.2"), ""),
                "narrative-link@Patient.text.div narrative-link@Patient.text.div");
}

static void keeps_the_links_of_a_bundle_clear(void **state)
{
    (void)state;
#define LINKED(type, links) "{'resourceType':'Bundle','type':'" type "','link':[" links "]}"
#define TO(relation)        "{'relation':'" relation "','url':'http://x/1'}"
    assert_base(
        LINKED("searchset", TO("self") "," TO("next") "," TO("alternate") "," TO("alternate")), "");
    assert_base(LINKED("searchset", TO("self") "," TO("next") "," TO("next")),
                "bundle-link@Bundle.link[2]");
    assert_base(LINKED("collection", TO("self") "," TO("next")), "bundle-link@Bundle.link[1]");
}

static void refuses_a_display_that_is_none_of_the_codes(void **state)
{
    (void)state;
    add("{'resourceType':'CodeSystem','url':'http://x/c','status':'active','content':'complete',"
        "'concept':[{'code':'a','display':'Apple','designation':[{'value':'Malus fruit'}]}]}");
#define SHOWN(text)                                                                                \
    PATIENT("'maritalStatus':{'coding':[{'system':'http://x/c','code':'a','display':'" text "'}]"  \
            "}")
    assert_base(SHOWN("Apple"), "");
    assert_base(SHOWN("apple"), "");
    assert_base(SHOWN("Malus fruit"), "");
    assert_base(SHOWN("Pear"), "display@Patient.maritalStatus.coding[0]");
}

static void says_which_extensions_of_guides_cannot_be_judged(void **state)
{
    (void)state;
#define EXTENDED(url) PATIENT("'extension':[{'url':'" url "','valueBoolean':true}]")
    assert_base(EXTENDED("http://x.org/e"), "");
    assert_base(EXTENDED("http://hl7.org/fhir/uv/x/StructureDefinition/e"),
                "extension-unknown@Patient.extension[0]");
    add_extension("http://hl7.org/fhir/uv/x/StructureDefinition/e",
                  "{'type':'element','expression':'Patient'}",
                  "{'path':'Extension.value[x]','min':1}");
    assert_base(EXTENDED("http://hl7.org/fhir/uv/x/StructureDefinition/e"), "");
}

static void needs_the_profile_that_an_entry_must_conform_to(void **state)
{
    (void)state;
    add_profile("Bundle", "{'path':'Bundle.entry.resource','type':[{'code':'Patient','profile':"
                          "['http://x/none']}]}");
    assert_breaks("{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':'" UUID(
                      "1") "','resource':{'resourceType':'Patient','active':true}}]}",
                  "profile-unknown@Bundle.entry[0].resource");
}

#define DEFINITION(base, elements)                                                                 \
    "{'resourceType':'StructureDefinition','url':'http://x/d','name':'D','status':'draft',"        \
    "'kind':'complex-type','abstract':false,'type':'Extension','context':[{'type':'element',"      \
    "'expression':'Element'}],'baseDefinition':'" base "','derivation':'constraint',"              \
    "'differential':{'element':[{'id':'Extension','path':'Extension'}," elements "]}}"
#define EXTENSION "http://hl7.org/fhir/StructureDefinition/Extension"
#define SECOND    "definition@StructureDefinition.differential.element[1]"

static void judges_a_definition(void **state)
{
    (void)state;
#define BOUND(type)                                                                                \
    DEFINITION(EXTENSION,                                                                          \
               "{'id':'Extension.value[x]','path':'Extension.value[x]','type':[{'code':'" type     \
               "'}],'binding':{'strength':'required','valueSet':'http://x/v'}}")
    assert_base(BOUND("CodeableConcept"), "");
    assert_base(BOUND("Age"), "");
    assert_base(BOUND("date"), SECOND);
#define SLICED(path)                                                                               \
    DEFINITION(EXTENSION, "{'id':'Extension.extension','path':'Extension.extension','slicing':{"   \
                          "'discriminator':[{'type':'value','path':'" path "'}],'rules':'open'}}")
    assert_base(SLICED("url"), "");
    assert_base(SLICED("value"), "");
    assert_base(SLICED("value.ofType(Coding).code"), "");
    assert_base(SLICED("$this"), "");
    assert_base(SLICED("type"), SECOND ".slicing.discriminator[0]");
    assert_base(DEFINITION(EXTENSION, "{'id':'Extension..url','path':'Extension..url'}"),
                SECOND " definition@StructureDefinition");
}

static void makes_a_snapshot_of_a_definition(void **state)
{
    (void)state;
    assert_base(DEFINITION(EXTENSION, "{'id':'Extension.nothing','path':'Extension.nothing'}"),
                "definition@StructureDefinition");
    assert_base(DEFINITION(EXTENSION,
                           "{'id':'Extension.extension','path':'Extension.extension','slicing':{"
                           "'discriminator':[{'type':'other','path':'url'}],'rules':'open'}}"),
                "binding@StructureDefinition.differential.element[1].slicing.discriminator[0].type"
                " definition@StructureDefinition");
    assert_base(DEFINITION("http://x/unknown", "{'id':'Extension.a','path':'Extension.a'}"), "");
}

static void tells_who_stores_a_definition_that_is_of_no_use(void **state)
{
    struct outcome outcome;
    (void)state;
    judge(DEFINITION(EXTENSION, "{'id':'Extension.nothing','path':'Extension.nothing'}"),
          (struct validate_options){.profile_count = 0}, &outcome);
    assert_int_equal(outcome.errors, 0);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.first->severity, SEVERITY_WARNING);
    assert_true(slice_is(outcome.first->rule, "definition"));
    judge(DEFINITION(EXTENSION, "{'id':'Extension.url','path':'Extension.url','max':'1'}"),
          (struct validate_options){.profile_count = 0}, &outcome);
    assert_int_equal(outcome.count, 0);
}

static void keeps_what_the_base_of_a_definition_fixes(void **state)
{
    (void)state;
    add_extension("http://x/base", "{'type':'element','expression':'Element'}",
                  "{'id':'Extension','path':'Extension'},{'id':'Extension.url','path':"
                  "'Extension.url','fixedUri':'http://x/base'}");
#define URL(value) "{'id':'Extension.url','path':'Extension.url','fixedUri':'" value "'}"
    assert_base(DEFINITION("http://x/base", URL("http://x/base")), "");
    assert_base(DEFINITION("http://x/base", URL("http://x/d")), SECOND);
}

static void counts_the_components_of_a_composite_parameter(void **state)
{
    (void)state;
#define COMPOSITE(components)                                                                      \
    "{'resourceType':'SearchParameter','url':'http://x/s','name':'s','status':'draft',"            \
    "'description':'d','code':'s','base':['Patient'],'type':'composite','expression':'Patient',"   \
    "'component':[" components "]}"
#define COMPONENT "{'definition':'http://x/1','expression':'name'}"
    assert_base(COMPOSITE(COMPONENT "," COMPONENT), "");
    assert_base(COMPOSITE(COMPONENT), "definition@SearchParameter");
}

/* ---- which profiles ---------------------------------------------------------------------------
 */

static void checks_what_is_declared_and_what_a_policy_asks(void **state)
{
    (void)state;
    struct outcome outcome;
    outcome_init(&outcome, arena);
    add_profile("Patient", "{'path':'Patient.name','min':1}");
    assert_base(PATIENT("'meta':{'profile':['http://x/p']},'active':true"), "min@Patient");
    assert_base(PATIENT("'meta':{'profile':['http://x/none']},'active':true"), ""); /* a warning */
    assert_base(PATIENT("'active':true"), "");
    assert_int_equal(
        validator_require(validator, SLICE("Patient"), SLICE("http://x/none"), &outcome),
        STATUS_NOT_FOUND);
    assert_int_equal(
        validator_require(validator, SLICE("Observation"), SLICE("http://x/p"), &outcome),
        STATUS_NOT_FOUND);
    assert_int_equal(validator_require(validator, SLICE("Patient"), SLICE("http://x/p"), &outcome),
                     STATUS_OK);
    assert_base(PATIENT("'active':true"), "min@Patient");
    assert_base(PATIENT("'meta':{'profile':['http://x/p']},'active':true"), "min@Patient");
}

static void refuses_a_profile_of_another_type(void **state)
{
    (void)state;
    add_profile("Observation", "{'path':'Observation.value[x]','min':1}");
    assert_breaks(PATIENT("'active':true"), "profile-type@Patient");
}

static size_t compiled_profiles(void)
{
    size_t count = 0;
    for (size_t i = 0; i < PROFILE_BUCKETS; i++) {
        for (const struct profile *each = validator->profiles[i]; each != NULL; each = each->next) {
            count += each->added;
        }
    }
    return count;
}

static void add_version(int number)
{
    add_profile("Patient", number % 2 == 0 ? "{'path':'Patient.active','min':1}"
                                           : "{'path':'Patient.gender','min':1}");
}

static void forgets_profiles_that_were_replaced(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        add_version(i);
        assert_breaks(i % 2 == 0 ? PATIENT("'gender':'male'") : PATIENT("'active':true"),
                      "min@Patient"); /* the newest is asked */
        assert_fits(i % 2 == 0 ? PATIENT("'active':true") : PATIENT("'gender':'male'"));
        assert_true(compiled_profiles() <= 17);
    }
}

static void what_a_rule_found_outlives_its_profile(void **state)
{
    struct outcome found, other;
    (void)state;
    add_profile("Patient", "{'path':'Patient','constraint':[{'key':'own-rule-1','severity':'error',"
                           "'human':'Say it','expression':'active.exists()'}]}");
    judge(PATIENT("'gender':'male','meta':{'profile':['http://x/p']}"),
          (struct validate_options){0}, &found);
    assert_int_equal(found.errors, 1);
    for (int i = 0; i < 16; i++) {
        add_version(i);
        judge(PATIENT("'gender':'male','meta':{'profile':['http://x/p']}"),
              (struct validate_options){0}, &other);
    }
    struct buffer out = {.arena = arena};
    outcome_write_json(&found, &out);
    assert_non_null(memmem(out.at, out.length, "\"own-rule-1\"", strlen("\"own-rule-1\"")));
}

static void keeps_the_profile_of_a_policy_whatever_is_added(void **state)
{
    struct outcome outcome;
    (void)state;
    outcome_init(&outcome, arena);
    add_version(0);
    assert_int_equal(validator_require(validator, SLICE("Patient"), SLICE("http://x/p"), &outcome),
                     STATUS_OK);
    for (int i = 0; i < 40; i++) {
        add_version(1);
        assert_base(PATIENT("'gender':'male'"), "min@Patient");
        assert_breaks(PATIENT("'active':true"), "min@Patient");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(asks_the_invariants_of_the_base),
        FULL_TEST(refuses_what_takes_longer_than_it_may),
        FULL_TEST(checks_contained_resources_and_ids),
        FULL_TEST(checks_codes_units_and_sizes),
        FULL_TEST(counts_what_must_and_may_be_there),
        FULL_TEST(compares_fixed_values_and_patterns),
        FULL_TEST(limits_values_and_lengths),
        FULL_TEST(asks_the_invariants_of_a_profile),
        FULL_TEST(binds_codes_to_value_sets),
        FULL_TEST(sorts_slices_by_value),
        FULL_TEST(closes_slices),
        FULL_TEST(keeps_the_order_of_slices),
        FULL_TEST(sorts_slices_by_pattern_within),
        FULL_TEST(sorts_slices_by_type_and_existence),
        FULL_TEST(checks_extensions_by_their_definitions),
        FULL_TEST(checks_extensions_of_primitives),
        FULL_TEST(follows_references_to_profiles),
        FULL_TEST(follows_references_within_a_bundle),
        FULL_TEST(compares_a_reference_with_the_entry_that_it_means),
        FULL_TEST(reads_the_type_of_a_reference),
        FULL_TEST(follows_the_links_of_a_narrative),
        FULL_TEST(keeps_the_links_of_a_bundle_clear),
        FULL_TEST(refuses_a_display_that_is_none_of_the_codes),
        FULL_TEST(says_which_extensions_of_guides_cannot_be_judged),
        FULL_TEST(needs_the_profile_that_an_entry_must_conform_to),
        FULL_TEST(judges_a_definition),
        FULL_TEST(makes_a_snapshot_of_a_definition),
        FULL_TEST(tells_who_stores_a_definition_that_is_of_no_use),
        FULL_TEST(keeps_what_the_base_of_a_definition_fixes),
        FULL_TEST(counts_the_components_of_a_composite_parameter),
        FULL_TEST(checks_what_is_declared_and_what_a_policy_asks),
        FULL_TEST(refuses_a_profile_of_another_type),
        FULL_TEST(forgets_profiles_that_were_replaced),
        FULL_TEST(what_a_rule_found_outlives_its_profile),
        FULL_TEST(keeps_the_profile_of_a_policy_whatever_is_added),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
