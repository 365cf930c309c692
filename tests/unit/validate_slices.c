/* SPDX-License-Identifier: MIT */
/* Slicing as R4 profiling.html has it, value by value; limits of ElementDefinition; and definitions
 * that were made to do harm. */
#include "profile_test.h"

/* TEXT, N times, with the number for each #. */
static const char *repeated(size_t n, const char *text)
{
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < n; i++) {
        for (const char *at = text; *at != '\0'; at++) {
            if (*at == '#') {
                buffer_print(&out, "%zu", i);
            } else {
                buffer_add_byte(&out, *at);
            }
        }
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

/* Every rule that TEXT breaks against http://x/p, warnings too. */
static bool is_told(const char *text, const char *rule, const char *part)
{
    struct outcome outcome;
    const struct slice profile = SLICE("http://x/p");
    judge(text, (struct validate_options){.profiles = &profile, .profile_count = 1}, &outcome);
    for (const struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        if (slice_is(issue->rule, rule) &&
            memmem(issue->text.at, issue->text.length, part, strlen(part)) != NULL) {
            return true;
        }
    }
    return false;
}

/* ---- slices -----------------------------------------------------------------------------------
 */

static void counts_slices_within_a_slice(void **state)
{
    (void)state;
    add_profile("Patient", SLICING("Patient.telecom", "value", "system", "open") //
                "{'id':'Patient.telecom:phone','path':'Patient.telecom','sliceName':'phone',"
                "'slicing':{'discriminator':[{'type':'value','path':'use'}],'rules':'closed'}},"
                "{'id':'Patient.telecom:phone.system','path':'Patient.telecom.system','min':1,"
                "'fixedCode':'phone'},"
                "{'id':'Patient.telecom:phone/home','path':'Patient.telecom','sliceName':"
                "'phone/home','min':1,'max':'1'},"
                "{'id':'Patient.telecom:phone/home.use','path':'Patient.telecom.use','min':1,"
                "'fixedCode':'home'},"
                "{'id':'Patient.telecom:phone/work','path':'Patient.telecom','sliceName':"
                "'phone/work'},"
                "{'id':'Patient.telecom:phone/work.use','path':'Patient.telecom.use','min':1,"
                "'fixedCode':'work'}");
#define PHONE(use) "{'system':'phone','value':'1','use':'" use "'}"
#define FAX        "{'system':'fax','value':'1','use':'old'}"
    assert_fits(PATIENT("'telecom':[" PHONE("home") "," PHONE("work") "," FAX "]"));
    assert_breaks(PATIENT("'telecom':[" PHONE("home") "," PHONE("mobile") "]"),
                  "slice-closed@Patient.telecom[1]");
    assert_breaks(PATIENT("'telecom':[" PHONE("home") "," PHONE("home") "]"), "slice-max@Patient");
    assert_breaks(PATIENT("'telecom':[" PHONE("work") "]"), "slice-min@Patient");
    assert_fits(PATIENT("'telecom':[" FAX "]"));
}

static void tells_slices_apart_by_two_discriminators(void **state)
{
    (void)state;
    add_profile("Patient",
                "{'path':'Patient.telecom','slicing':{'discriminator':[{'type':'value','path':"
                "'system'},{'type':'value','path':'use'}],'rules':'open'}},"
                "{'path':'Patient.telecom','sliceName':'a','max':'1'},"
                "{'path':'Patient.telecom.system','min':1,'fixedCode':'phone'},"
                "{'path':'Patient.telecom.use','min':1,'fixedCode':'home'}");
    assert_fits(PATIENT("'telecom':[" PHONE("home") "," PHONE("work") "]"));
    assert_breaks(PATIENT("'telecom':[" PHONE("home") "," PHONE("home") "]"), "slice-max@Patient");
}

static void tells_slices_apart_by_a_required_value_set(void **state)
{
    (void)state;
    add("{'resourceType':'ValueSet','url':'http://x/v','status':'active','compose':{'include':"
        "[{'system':'http://x/c','concept':[{'code':'a'},{'code':'b'}]}]}}");
    add_profile("Patient", SLICING("Patient.maritalStatus.coding", "value", "$this", "open") //
                "{'path':'Patient.maritalStatus.coding','sliceName':'x','min':1,'max':'1',"
                "'binding':{'strength':'required','valueSet':'http://x/v'}}");
#define MARRIED(codings) PATIENT("'maritalStatus':{'coding':[" codings "]}")
#define X(code)          "{'system':'http://x/c','code':'" code "'}"
    assert_fits(MARRIED(X("a")));
    assert_fits(MARRIED(X("b") "," X("other")));
    assert_breaks(MARRIED(X("other")), "slice-min@Patient.maritalStatus");
    assert_breaks(MARRIED(X("a") "," X("b")), "slice-max@Patient.maritalStatus");
}

static void tells_resources_apart_by_type_and_profile(void **state)
{
    (void)state;
    add("{'resourceType':'StructureDefinition','url':'http://x/o','name':'O','status':'draft',"
        "'kind':'resource','abstract':false,'type':'Organization','baseDefinition':"
        "'http://hl7.org/fhir/StructureDefinition/Organization','derivation':'constraint',"
        "'differential':{'element':[{'path':'Organization.active','min':1}]}}");
    add_profile("Bundle", SLICING("Bundle.entry", "type", "resource", "closed") //
                "{'path':'Bundle.entry','sliceName':'patient','min':1,'max':'1'},"
                "{'path':'Bundle.entry.resource','min':1,'type':[{'code':'Patient'}]},"
                "{'path':'Bundle.entry','sliceName':'organization','max':'1'},"
                "{'path':'Bundle.entry.resource','min':1,'type':[{'code':'Organization','profile':"
                "['http://x/o']}]}");
#define COLLECTION(entries) "{'resourceType':'Bundle','type':'collection','entry':[" entries "]}"
#define ENTRY(id, resource)                                                                        \
    "{'fullUrl':'urn:uuid:00000000-0000-4000-8000-00000000000" id "','resource':" resource "}"
#define ORGANISATION(more) "{'resourceType':'Organization','name':'N'" more "}"
    assert_fits(COLLECTION(ENTRY("1", PATIENT("'active':true"))));
    assert_fits(COLLECTION(
        ENTRY("1", PATIENT("'active':true")) "," ENTRY("2", ORGANISATION(",'active':true"))));
    assert_breaks(COLLECTION(ENTRY("1", PATIENT("'active':true")) "," ENTRY("2", ORGANISATION())),
                  "min@Bundle.entry[1].resource");
    assert_breaks(
        COLLECTION(ENTRY("1", PATIENT("'active':true")) "," ENTRY("2", "{'resourceType':'Basic',"
                                                                       "'code':{'text':'x'}}")),
        "slice-closed@Bundle.entry[1]");
    assert_breaks(COLLECTION(ENTRY("2", ORGANISATION(",'active':true"))), "slice-min@Bundle");
}

static void follows_references_to_tell_slices_apart(void **state)
{
    (void)state;
    add_profile("Patient", SLICING("Patient.generalPractitioner", "type", "resolve()", "closed") //
                "{'path':'Patient.generalPractitioner','sliceName':'person','max':'1','type':"
                "[{'code':'Reference','targetProfile':['http://hl7.org/fhir/StructureDefinition/"
                "Practitioner']}]},"
                "{'path':'Patient.generalPractitioner','sliceName':'place','type':[{'code':"
                "'Reference','targetProfile':['http://hl7.org/fhir/StructureDefinition/"
                "Organization']}]}");
#define CARED(references) PATIENT("'generalPractitioner':[" references "]")
#define TO(target)        "{'reference':'" target "'}"
    assert_fits(CARED(TO("Practitioner/1") "," TO("Organization/1") "," TO("Organization/2")));
    assert_breaks(CARED(TO("Practitioner/1") "," TO("Practitioner/2")), "slice-max@Patient");
    assert_breaks(CARED(TO("PractitionerRole/1")), "slice-closed@Patient.generalPractitioner[0]");
}

static void counts_more_slices_than_fit_on_a_page(void **state)
{
    (void)state;
    add_profile("Patient",
                arena_print(arena, "%s%s{'path':'Patient.name','short':'n'}",
                            SLICING("Patient.identifier", "value", "system", "open"),
                            repeated(120, "{'path':'Patient.identifier','sliceName':'s#','min':1,"
                                          "'max':'1'},{'path':'Patient.identifier.system','min':1,"
                                          "'fixedUri':'http://n/#'},")));
    const char *all = repeated(120, "{'system':'http://n/#','value':'#'},");
    const char *text = arena_print(arena,
                                   "{'resourceType':'Patient','identifier':[%s{'value':"
                                   "'x'}]}",
                                   all);
    assert_string_equal(errors_of(text, true), "");
    text = arena_print(arena,
                       "{'resourceType':'Patient','identifier':[%s{'system':'http://n/119',"
                       "'value':'x'}]}",
                       all);
    assert_string_equal(errors_of(text, true), "slice-max@Patient");
}

/* ---- limits, aggregation, codes ---------------------------------------------------------------
 */

static void limits_quantities_in_any_unit(void **state)
{
    (void)state;
#define UCUM(value, code)                                                                          \
    "{'value':" value ",'unit':'u','system':'http://unitsofmeasure.org','code':'" code "'}"
    add_profile("Observation",
                "{'path':'Observation.value[x]','type':[{'code':'Quantity'}],"
                "'minValueQuantity':" UCUM("1", "kg") ",'maxValueQuantity':" UCUM("2", "kg") "}");
    static const struct {
        const char *text, *rule;
    } rows[] = {{OBSERVATION("'valueQuantity':" UCUM("1.5", "kg")), NULL},
                {OBSERVATION("'valueQuantity':" UCUM("1500", "g")), NULL},
                {OBSERVATION("'valueQuantity':" UCUM("3", "m")), NULL}, /* not to be compared */
                {OBSERVATION("'valueQuantity':" UCUM("900", "g")), "least"},
                {OBSERVATION("'valueQuantity':" UCUM("2.1", "kg")), "greatest"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_fits(rows[i].text);
        bool least = is_told(rows[i].text, "least", "below");
        bool greatest = is_told(rows[i].text, "greatest", "above");
        assert_int_equal(least, rows[i].rule != NULL && strcmp(rows[i].rule, "least") == 0);
        assert_int_equal(greatest, rows[i].rule != NULL && strcmp(rows[i].rule, "greatest") == 0);
    }
}

static void asks_where_a_referenced_resource_is(void **state)
{
    (void)state;
    add_profile("Patient", "{'path':'Patient.managingOrganization','type':[{'code':'Reference',"
                           "'targetProfile':['http://hl7.org/fhir/StructureDefinition/"
                           "Organization'],'aggregation':['referenced']}]}");
    assert_fits(PATIENT("'managingOrganization':{'reference':'Organization/1'}"));
    const char *contained = PATIENT("'contained':[{'resourceType':'Organization','id':'o','name':"
                                    "'N'}],'managingOrganization':{'reference':'#o'}");
    assert_breaks(contained, "aggregation@Patient.managingOrganization");
    assert_true(is_told(contained, "aggregation", "not contained"));
}

static void finds_the_one_code_of_many_that_is_bound(void **state)
{
    (void)state;
    add("{'resourceType':'ValueSet','url':'http://x/v','status':'active','compose':{'include':"
        "[{'system':'http://x/c','concept':[{'code':'29'}]}]}}");
    add_profile("Observation", "{'path':'Observation.method','binding':{'strength':'required',"
                               "'valueSet':'http://x/v'}}");
#define MANY                                                                                       \
    "{'resourceType':'Observation','status':'final','code':{'text':'x'},'method':{"                \
    "'coding':[%s{'system':'http://x/c','code':'x'}]}}"
    const char *codings = "{'system':'http://x/c','code':'#','display':'#'},";
    assert_string_equal(errors_of(arena_print(arena, MANY, repeated(30, codings)), true), "");
    assert_string_equal(errors_of(arena_print(arena, MANY, repeated(29, codings)), true),
                        "binding@Observation.method");
}

/* ---- what is not checked is told --------------------------------------------------------------
 */

static void says_which_rule_it_cannot_ask(void **state)
{
    (void)state;
    add_profile("Patient",
                "{'path':'Patient','constraint':[{'key':'x-1','severity':'error','human':'Broken',"
                "'expression':'name.exists('},{'key':'x-2','severity':'error','human':'XPath only',"
                "'xpath':'f:name'},{'key':'x-3','severity':'error','human':'A name',"
                "'expression':'name.exists()'}]}");
    const char *named = PATIENT("'name':[{'text':'A'}]");
    assert_fits(named); /* a warning is no error */
    assert_true(is_told(named, "x-1", "was not checked"));
    assert_true(is_told(named, "x-2", "was not checked"));
    assert_false(is_told(named, "x-3", ""));
    assert_breaks(PATIENT("'active':true"), "x-3@Patient");
}

static void a_policy_is_not_undone_by_what_is_stored(void **state)
{
    (void)state;
    struct outcome outcome;
    outcome_init(&outcome, arena);
    add_profile("Patient", "{'path':'Patient.name','min':1}");
    assert_int_equal(validator_require(validator, SLICE("Patient"), SLICE("http://x/p"), &outcome),
                     STATUS_OK);
    add_profile("Patient", "{'path':'Patient.name','short':'of no account'}");
    assert_base(PATIENT("'active':true"), "min@Patient");
    assert_base(PATIENT("'meta':{'profile':['http://x/p']},'active':true"), "min@Patient");
    conformance_remove(conformance, SLICE("StructureDefinition"), SLICE("http://x/p"), SLICE(""));
    assert_base(PATIENT("'active':true"), "min@Patient");
}

/* ---- definitions that do harm -----------------------------------------------------------------
 */

static void survives_paths_that_lead_nowhere_or_on_and_on(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "(",         "system(", "ofType(",  "extension(", "extension(\\u0027", "$this.$this.system",
        "resolve()", ".",       "..system", "a.b.c.d"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        add_profile("Patient",
                    arena_print(arena,
                                "{'path':'Patient.identifier','slicing':{'discriminator':[{'type':"
                                "'value','path':'%s'}],'rules':'open'}},"
                                "{'path':'Patient.identifier','sliceName':'a'},"
                                "{'path':'Patient.identifier.system','fixedUri':'http://n'}",
                                paths[i]));
        assert_fits(PATIENT("'identifier':[{'system':'http://n','value':'1'}]"));
    }
    /* As deep as the path is long it must not go. */
    add_profile("Patient",
                arena_print(arena,
                            "{'path':'Patient.link','slicing':{'discriminator':[{'type':'value',"
                            "'path':'%sother'},{'type':'profile','path':'%sother.resolve()'}],"
                            "'rules':'open'}},{'path':'Patient.link','sliceName':'a'},"
                            "{'path':'Patient.link.type','fixedCode':'refer'}",
                            repeated(100000, "$this."), repeated(20000, "other.resolve().link.")));
    assert_base("{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':"
                "'http://x/Patient/1','resource':{'resourceType':'Patient','id':'1','meta':{"
                "'profile':['http://x/p']},'link':[{'type':'refer','other':{'reference':"
                "'Patient/1'}}]}}]}",
                "");
}

static void makes_snapshots_of_recursions(void **state)
{
    (void)state;
    struct buffer path = {.arena = arena}, elements = {.arena = arena};
    buffer_add_text(&path, "Questionnaire");
    for (size_t i = 0; i < 30; i++) {
        buffer_add_text(&path, ".item");
        buffer_print(&elements, "{'path':'%.*s','short':'s'},", SLICE_ARGS(buffer_slice(&path)));
        if (i == 3) {
            buffer_print(&elements, "{'path':'%.*s.text','min':1},",
                         SLICE_ARGS(buffer_slice(&path)));
        }
    }
    add_profile("Questionnaire",
                arena_print(arena, "%.*s{'path':'%.*s.text','short':'s'}",
                            SLICE_ARGS(buffer_slice(&elements)), SLICE_ARGS(buffer_slice(&path))));
    const struct canonical *made =
        conformance_find(conformance, SLICE(""), SLICE("http://x/p"), arena);
    assert_true(made->text.length < (size_t)4 << 20);
#define ITEM(id, more) "{'linkId':'" id "','type':'group','text':'t','item':[" more "]}"
#define LEAF(more)     "{'linkId':'leaf','type':'string'" more "}"
#define ASKED(items)   "{'resourceType':'Questionnaire','status':'active','item':[" items "]}"
    assert_fits(ASKED(ITEM("1", ITEM("2", LEAF()))));
    assert_fits(ASKED(ITEM("1", ITEM("2", ITEM("3", LEAF(",'text':'t'"))))));
    assert_breaks(ASKED(ITEM("1", ITEM("2", ITEM("3", LEAF())))),
                  "min@Questionnaire.item[0].item[0].item[0].item[0]");
}

static void checks_large_lists_of_codes_in_time(void **state)
{
    (void)state;
    const char *concepts = repeated(9000, "{'code':'c#','display':'#'},");
#define CODES                                                                                      \
    "{'resourceType':'CodeSystem','name':'C','url':'http://x/c','status':'active','content':"      \
    "'complete','concept':[%s{'code':'%s'}]}"
    assert_string_equal(errors_of(arena_print(arena, CODES, concepts, "last"), false), "");
    assert_string_equal(errors_of(arena_print(arena, CODES, concepts, "c77"), false),
                        "csd-1@CodeSystem");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(counts_slices_within_a_slice),
        FULL_TEST(tells_slices_apart_by_two_discriminators),
        FULL_TEST(tells_slices_apart_by_a_required_value_set),
        FULL_TEST(tells_resources_apart_by_type_and_profile),
        FULL_TEST(follows_references_to_tell_slices_apart),
        FULL_TEST(counts_more_slices_than_fit_on_a_page),
        FULL_TEST(limits_quantities_in_any_unit),
        FULL_TEST(asks_where_a_referenced_resource_is),
        FULL_TEST(finds_the_one_code_of_many_that_is_bound),
        FULL_TEST(says_which_rule_it_cannot_ask),
        FULL_TEST(a_policy_is_not_undone_by_what_is_stored),
        FULL_TEST(survives_paths_that_lead_nowhere_or_on_and_on),
        FULL_TEST(makes_snapshots_of_recursions),
        FULL_TEST(checks_large_lists_of_codes_in_time),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
