/* SPDX-License-Identifier: MIT */
/* The functions of FHIRPath, by section of the specification. */
#include "fhirpath_test.h"

static void asks_what_exists(void **state)
{
    (void)state;
    ANSWERS({"name.exists()", "true"}, {"name.empty()", "false"}, {"photo.empty()", "true"},
            {"name.exists(use = 'usual')", "true"}, {"name.exists(use = 'old')", "false"},
            {"name.all(given.exists())", "true"}, {"name.all(family.exists())", "false"},
            {"photo.all(false)", "true"}, {"name.select(family.exists()).allTrue()", "false"},
            {"name.select(family.exists()).anyTrue()", "true"},
            {"name.select(family.exists()).allFalse()", "false"},
            {"name.select(family.exists()).anyFalse()", "true"}, {"{}.allTrue()", "true"},
            {"name.allTrue()", "error"}, {"name.count()", "3"}, {"{}.count()", "0"});
}

static void compares_collections_as_sets(void **state)
{
    (void)state;
    ANSWERS({"(1 | 2).subsetOf(1 | 2 | 3)", "true"}, {"(1 | 4).subsetOf(1 | 2)", "false"},
            {"(1 | 2 | 3).supersetOf(1 | 2)", "true"}, {"{}.subsetOf({})", "true"},
            {"name.first().subsetOf($this.name)", "true"},
            {"(1 | 2).combine(2).distinct()", "1, 2"}, {"(1 | 2).combine(2).isDistinct()", "false"},
            {"name.given.distinct().count()", "4"}, {"(1 | 2 | 3).intersect(2 | 3 | 4)", "2, 3"},
            {"1.combine(1).intersect(1)", "1"}, {"(1 | 2 | 3).exclude(2)", "1, 3"},
            {"1.combine(1).exclude(2)", "1, 1"}, {"1.union(2).union(1)", "1, 2"},
            {"1.combine(1).union(2).count()", "2"}, {"(1 | 1.0).count()", "1"},
            {"name.select(use | given).count()", "8"}, {"coalesce({}, 2, 3)", "2"},
            {"coalesce({})", ""});
}

static void finds_doubles_among_many(void **state)
{
    (void)state;
    struct asked asked = {.resource = patient};
    assert_string_equal(ask(&asked, "'1,2,3,4,5,6,7,8,9,10,11,12,1,2,3,1,2'.split(',').distinct()"
                                    ".count()"),
                        "12");
    assert_string_equal(ask(&asked, "('1,2,3,4,5,6,7,8,9,10,11,12'.split(',') | 12 | "
                                    "'1,2,3'.split(',') | 12.0).count()"),
                        "13");
    assert_string_equal(ask(&asked, "'a,b,c,d,e,f,g,h,i,j,k,a'.split(',').isDistinct()"), "false");
}

static void filters_and_projects(void **state)
{
    (void)state;
    ANSWERS({"name.where(use = 'usual').given", "Jim"}, {"name.where({}).count()", "0"},
            {"name.where($index = 1).use", "usual"},
            {"name.select(given.first())", "Peter, Jim, Peter"}, {"name.select($index)", "0, 1, 2"},
            {"name.where(given = 'Jim').use", "usual"}, {"name.repeat('x')", "x"},
            {"name.repeat(given).count()", "4"}, {"descendants().ofType(HumanName).count()", "4"},
            {"name.ofType(Period)", ""}, {"children().count() > 10", "true"},
            {"children().ofType(date).extension.url", "http://time"},
            {"name[2].children().count()", "4"}, {"name[2].descendants().count()", "5"},
            {"name[2].descendants().last()", "g"},
            {"descendants().count() = descendants().distinct().count()", "false"},
            {"contained.descendants().select($this).combine(contained.descendants()).count()", "4"},
            {"name.given.where($this.length() > 3)", "Peter, James, Peter"});
}

static void repeats_until_nothing_is_new(void **state)
{
    (void)state;
    struct asked form = {
        .resource = "{'resourceType':'Questionnaire','status':'draft','item':[{'linkId':'1',"
                    "'item':[{'linkId':'1.1','item':[{'linkId':'1.1.1'}]},{'linkId':'1.2'}]},"
                    "{'linkId':'2'}]}"};
    assert_string_equal(ask(&form, "repeat(item).linkId"), "1, 2, 1.1, 1.2, 1.1.1");
    assert_string_equal(ask(&form, "descendants().linkId.count()"), "5");
    assert_string_equal(ask(&form, "(1).repeat(iif($this < 5, $this + 1, {}))"), "2, 3, 4, 5");
}

static void takes_parts_of_collections(void **state)
{
    (void)state;
    ANSWERS({"name.first().use", "official"}, {"name.last().use", "maiden"},
            {"name.tail().use", "usual, maiden"}, {"name.skip(2).use", "maiden"},
            {"name.skip(-1).count()", "3"}, {"name.take(2).use", "official, usual"},
            {"name.take(0)", ""}, {"name.take(9).count()", "3"}, {"photo.single()", ""},
            {"contact.single().gender", "female"}, {"name.single()", "error"},
            {"photo.first()", ""}, {"(1 | 2)[1]", "2"}, {"(1 | 2)[{}]", ""},
            {"(1 | 2)['a']", "error"});
}

static void sums_up(void **state)
{
    (void)state;
    ANSWERS({"(1 | 2 | 3).aggregate($this + $total, 0)", "6"},
            {"(3 | 1 | 2).aggregate(iif($total.empty(), $this, iif($this < $total, $this, "
             "$total)))",
             "1"},
            {"{}.aggregate($this + $total, 5)", "5"}, {"(1 | 2 | 3).sum()", "6"},
            {"(1 | 2.5).sum()", "3.5"}, {"(3 | 1 | 2).min()", "1"}, {"(3 | 1 | 2).max()", "3"},
            {"(1 | 2).avg()", "1.5"}, {"{}.avg()", ""}, {"name.sum()", "error"});
}

static void sorts(void **state)
{
    (void)state;
    ANSWERS({"(3 | 1 | 2).sort()", "1, 2, 3"}, {"(3 | 1 | 2).sort(-$this)", "3, 2, 1"},
            {"('b' | 'a').sort($this)", "a, b"}, {"('a' | 'b').sort(-$this)", "b, a"},
            {"('a' | 'b').sort($this desc)", "b, a"},
            {"name.sort(use).use", "maiden, official, usual"},
            {"name.sort(family, use).use", "usual, official, maiden"}, {"{}.sort()", ""},
            {"(1 | 'a').sort()", "error"}, {"name.sort(given)", "error"});
}

static void converts_what_can_be(void **state)
{
    (void)state;
    ANSWERS(
        {"'Yes'.toBoolean()", "true"}, {"'0.0'.toBoolean()", "false"}, {"2.toBoolean()", ""},
        {"1.0.toBoolean()", "true"}, {"'x'.toBoolean()", ""}, {"'-12'.toInteger()", "-12"},
        {"'+3'.toInteger()", "3"}, {"'1.0'.toInteger()", ""}, {"true.toInteger()", "1"},
        {"'3000000000'.toInteger()", ""}, {"'1.50'.toDecimal()", "1.50"}, {"'1e3'.toDecimal()", ""},
        {"true.toDecimal()", "1.0"}, {"1.toString()", "1"},
        {"@2012-04-15.toString()", "2012-04-15"}, {"4 'mg'.toString()", "4 'mg'"},
        {"1 week.toString()", "1 week"}, {"'2012-04'.toDate()", "2012-04"},
        {"'2012-04-15T10:00:00Z'.toDate()", ""}, {"@2012-04-15T10:00:00Z.toDate()", "2012-04-15"},
        {"'2012-04-15T10:00:00Z'.toDateTime()", "2012-04-15T10:00:00Z"},
        {"'14:34'.toTime()", "14:34"}, {"'25:00'.toTime()", ""}, {"'1 day'.toQuantity()", "1 day"},
        {"'4 \\'mg\\''.toQuantity()", "4 'mg'"}, {"'1 wk'.toQuantity()", ""},
        {"'4 \\'nonsense\\''.toQuantity()", ""}, {"1.toQuantity()", "1 '1'"},
        {"'1000 \\'mg\\''.toQuantity('g')", "1.000 'g'"}, {"1 'kg'.toQuantity('m')", ""},
        {"{}.toInteger()", ""}, {"(1 | 2).toInteger()", "error"}, {"name.first().toInteger()", ""});
}

static void says_what_could_be_converted(void **state)
{
    (void)state;
    ANSWERS({"'1'.convertsToInteger()", "true"}, {"'a'.convertsToInteger()", "false"},
            {"{}.convertsToInteger()", ""}, {"2.convertsToBoolean()", "false"},
            {"'2015'.convertsToDateTime()", "true"}, {"'2015-13'.convertsToDate()", "false"},
            {"'14:34:28.123'.convertsToTime()", "true"},
            {"name.first().convertsToString()", "false"}, {"1 'wk'.convertsToQuantity()", "true"},
            {"'1.a'.convertsToQuantity()", "false"}, {"1.0.convertsToDecimal()", "true"},
            {"birthDate.convertsToDate()", "true"});
}

static void chooses(void **state)
{
    (void)state;
    ANSWERS({"iif(name.exists(), 'named', 'unnamed')", "named"}, {"iif({}, 1, 2)", "2"},
            {"iif(false, 1)", ""}, {"'context'.iif($this = 'context', 1, 2)", "1"},
            {"('a' | 'b').iif(true, 1)", "error"}, {"iif('text', 1, 2)", "error"},
            {"iif(1 | 2, 1, 2)", "error"}, {"name.select(iif(use = 'usual', $index, {}))", "1"});
}

static void works_on_strings(void **state)
{
    (void)state;
    ANSWERS(
        {"'LogicalModel'.indexOf('M')", "7"}, {"'abc'.indexOf('z')", "-1"},
        {"'abc'.indexOf('')", "0"}, {"'ébéb'.indexOf('b')", "1"}, {"'abcb'.lastIndexOf('b')", "3"},
        {"{}.indexOf('a')", ""}, {"'12345'.substring(2)", "345"}, {"'12345'.substring(2, 1)", "3"},
        {"'12345'.substring(9)", ""}, {"'12345'.substring(-1)", ""},
        {"'12345'.substring(2, 0) = ''", "true"}, {"'Marché'.substring(5)", "é"},
        {"'abc'.startsWith('ab')", "true"}, {"'abc'.endsWith('bc')", "true"},
        {"'abc'.contains('b')", "true"}, {"'abc'.contains('')", "true"},
        {"'Marché'.upper()", "MARCHÉ"}, {"'ÀΩЖ'.lower()", "àωж"},
        {"'abc'.replace('b', 'x')", "axc"}, {"'abc'.replace('', 'x')", "xaxbxcx"},
        {"'abc'.replace('b', {})", ""}, {"'Marché'.length()", "6"}, {"'é1'.toChars()", "é, 1"},
        {"'  a '.trim()", "a"}, {"'A,,C'.split(',').count()", "3"}, {"'abc'.split('')", "a, b, c"},
        {"name.given.join(', ')", "Peter, James, Jim, Peter"}, {"{}.join(',')", ""},
        {"1.length()", "error"}, {"('a' | 'b').length()", "error"}, {"'a'.startsWith(1)", "error"});
}

static void matches_regular_expressions(void **state)
{
    (void)state;
    ANSWERS({"'FHIR'.matches('H.R')", "true"}, {"'FHIR'.matches('h')", "false"},
            {"'a\\nb'.matches('a.b')", "true"}, {"'FHIR'.matches('^HIR')", "false"},
            {"'FHIR'.matchesFull('HIR')", "false"}, {"'FHIR'.matchesFull('F.*')", "true"},
            {"{}.matches('a')", ""}, {"'a'.matches({})", ""}, {"'a'.matches('(')", "error"},
            {"'a'.matches('(' & '')", "error"}, {"'abc'.matches('b' & 'c')", "true"},
            {"'1234'.replaceMatches('2(3)', '$1X')", "13X4"},
            {"'11/30/1972'.replaceMatches('(?<m>\\\\d+)/(?<d>\\\\d+)/(?<y>\\\\d+)', "
             "'${d}-${m}-${y}')",
             "30-11-1972"},
            {"'abc'.replaceMatches('', 'x')", "abc"}, {"'a'.replaceMatches('a', '$7')", "error"},
            {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", "error"});
}

static void encodes_and_escapes(void **state)
{
    (void)state;
    ANSWERS({"'subjects?_d'.encode('base64')", "c3ViamVjdHM/X2Q="},
            {"'subjects?_d'.encode('urlbase64')", "c3ViamVjdHM_X2Q="},
            {"'c3ViamVjdHM_X2Q='.decode('urlbase64')", "subjects?_d"},
            {"'é'.encode('hex')", "c3a9"}, {"'c3a9'.decode('hex')", "é"},
            {"'zz'.decode('hex')", ""}, {"'ff'.decode('hex')", ""},
            {"'a'.encode('rot13')", "error"}, {"'\"1<2\"'.escape('html')", "&quot;1&lt;2&quot;"},
            {"'\"1<2\"'.escape('json')", "\\\"1<2\\\""},
            {"'&quot;1&lt;2&#65;&nope;'.unescape('html')", "\"1<2A&nope;"},
            {"'\\\\u0041\\\\n'.unescape('json')", "A\n"}, {"'a'.escape('xml')", "error"});
}

static void calculates(void **state)
{
    (void)state;
    ANSWERS({"(-5).abs()", "5"}, {"(-5.5 'mg').abs()", "5.5 'mg'"}, {"1.1.ceiling()", "2"},
            {"(-1.1).ceiling()", "-1"}, {"(-2.1).floor()", "-3"}, {"(-1.56).truncate()", "-1"},
            {"0.exp()", "1"}, {"1.ln()", "0"}, {"0.ln()", ""}, {"16.log(2)", "4"},
            {"100.0.log(10.0)", "2"}, {"2.power(3)", "8"}, {"2.5.power(2)", "6.25"},
            {"2.power(-1)", "0.5"}, {"(-1).power(0.5)", ""}, {"81.sqrt()", "9"},
            {"(-1).sqrt()", ""}, {"3.14159.round(3)", "3.142"}, {"2.5.round()", "3"},
            {"(-2.5).round()", "-3"}, {"1.round(-1)", "error"}, {"'a'.abs()", "error"},
            {"{}.sqrt()", ""}, {"name.abs()", "error"});
}

static void knows_the_bounds_of_what_was_written(void **state)
{
    (void)state;
    ANSWERS({"1.587.lowBoundary()", "1.58650000"}, {"1.587.highBoundary()", "1.58750000"},
            {"(-1.587).lowBoundary()", "-1.58750000"}, {"1.587.lowBoundary(2)", "1.58"},
            {"12.587.highBoundary(2)", "12.59"}, {"1.lowBoundary(5)", "0.50000"},
            {"1.587.lowBoundary(-1)", ""}, {"1.587.highBoundary(39)", ""},
            {"@2014.lowBoundary(6)", "2014-01"}, {"@2014-02.highBoundary()", "2014-02-28"},
            {"@2014-01-01T08.lowBoundary(17)", "2014-01-01T08:00:00.000+14:00"},
            {"@2014-01-01T08.highBoundary(17)", "2014-01-01T08:59:59.999-12:00"},
            {"@T10:30.highBoundary(9)", "10:30:59.999"}, {"@2014.lowBoundary(5)", ""},
            {"1.5 'cm'.lowBoundary(2)", "1.45 'cm'"}, {"'a'.lowBoundary()", "error"},
            {"1.58700.precision()", "5"}, {"@2014.precision()", "4"}, {"@T10:30.precision()", "4"},
            {"@2014-01-05T10:30:00.000.precision()", "17"},
            {"1 'cm'.comparable(1 '[in_i]')", "true"}, {"1 'cm'.comparable(1 's')", "false"},
            {"1.comparable(1 's')", "error"});
}

static void defines_variables_for_what_follows(void **state)
{
    (void)state;
    ANSWERS({"defineVariable('v', 'x').select(%v)", "x"},
            {"name.defineVariable('n', count()).select(%n).distinct()", "3"},
            {"defineVariable('n1', name.first()).select(%n1.given)", "Peter, James"},
            {"defineVariable('a', 1).active | defineVariable('b', 2).select(%b)", "true, 2"},
            {"defineVariable('a', 1).active | select(%a)", "error"},
            {"name.where(defineVariable('u', use).select(%u = 'usual')).use", "usual"},
            {"name.defineVariable('u').use | name.select(%u)", "error"},
            {"defineVariable('a', 1).defineVariable('a', 2)", "error"},
            {"defineVariable('context', 1)", "error"}, {"defineVariable('ucum', 1)", "error"},
            {"'aaa'.replace(defineVariable('p', 'aaa').select(%p), defineVariable('p', 'bbb')"
             ".select(%p)).distinct()",
             "bbb"});
}

static void tells_one_time_in_an_evaluation(void **state)
{
    (void)state;
    struct asked asked = {.environment = {.now = INT64_C(1750000000123456)}};
    assert_string_equal(ask(&asked, "now()"), "2025-06-15T16:06:40.123+01:00");
    assert_string_equal(ask(&asked, "today()"), "2025-06-15");
    assert_string_equal(ask(&asked, "timeOfDay()"), "16:06:40.123");
    ANSWERS({"now() = now()", "true"}, {"today().toString().length()", "10"});
}

static void resolves_what_lies_in_the_same_resource(void **state)
{
    (void)state;
    struct asked bundle = {
        .resource =
            "{'resourceType':'Bundle','type':'collection','entry':[{'fullUrl':'http://x/Patient/1',"
            "'resource':{'resourceType':'Patient','id':'1','managingOrganization':{'reference':"
            "'Organization/2'},'link':[{'other':{'reference':'urn:uuid:3'}}]}},{'fullUrl':"
            "'http://x/Organization/2','resource':{'resourceType':'Organization','id':'2','name':"
            "'Acme'}},{'fullUrl':'urn:uuid:3','resource':{'resourceType':'Patient','id':'3'}}]}"};
    assert_string_equal(ask(&bundle, "entry.resource.managingOrganization.resolve().name"), "Acme");
    assert_string_equal(ask(&bundle, "entry.resource.link.other.resolve().id"), "3");
    assert_string_equal(ask(&bundle, "entry.resource.managingOrganization.resolve() is "
                                     "Organization"),
                        "true");
    assert_string_equal(ask(&bundle, "entry[0].resource.managingOrganization.resolve()"
                                     ".select(%resource.id)"),
                        "");
    ANSWERS({"managingOrganization.resolve().name", "Acme"}, {"'#'.resolve()", ""},
            {"managingOrganization.resolve().where($this is Patient)", ""},
            {"contained.select(%rootResource.id)", "p1"});
}

/* ---- what is asked of those above --------------------------------------------------------------
 */

static enum status member_of(void *context, const struct fhirpath_value *value,
                             struct slice value_set, bool *ret_known, bool *ret_member)
{
    (void)value;
    *(int *)context += 1;
    *ret_known = slice_is(value_set, "http://known");
    *ret_member = true;
    return STATUS_OK;
}

static enum status conforms_to(void *context, const struct fhirpath_node *node,
                               struct slice profile, bool *ret_known, bool *ret_conforms)
{
    (void)node;
    *(int *)context += 1;
    *ret_known = slice_is(profile, "http://known");
    *ret_conforms = false;
    return STATUS_OK;
}

static void note(void *context, struct slice name, const struct fhirpath_collection *values)
{
    assert_true(slice_is(name, "t"));
    *(int *)context += (int)values->count;
}

static bool no_html(void *context, struct slice xhtml)
{
    (void)context;
    return xhtml.length == 0;
}

static void asks_its_host(void **state)
{
    (void)state;
    int calls = 0;
    const struct fhirpath_host host = {.context = &calls,
                                       .member_of = member_of,
                                       .conforms_to = conforms_to,
                                       .html_checks = no_html,
                                       .trace = note};
    struct asked asked = {.resource = patient, .environment = {.host = &host}};
    assert_string_equal(ask(&asked, "gender.memberOf('http://known')"), "true");
    assert_string_equal(ask(&asked, "gender.memberOf('http://unknown')"), "");
    assert_string_equal(ask(&asked, "photo.memberOf('http://known')"), "");
    assert_string_equal(ask(&asked, "conformsTo('http://known')"), "false");
    assert_string_equal(ask(&asked, "conformsTo('http://unknown')"), "error");
    assert_string_equal(ask(&asked, "'<b/>'.htmlChecks()"), "false");
    assert_int_equal(calls, 4);
    assert_string_equal(ask(&asked, "name.trace('t').count()"), "3");
    assert_string_equal(ask(&asked, "name.trace('t', given).count()"), "3");
    assert_int_equal(calls, 4 + 3 + 5);
}

static void says_what_it_cannot_ask(void **state)
{
    (void)state;
    ANSWERS({"gender.memberOf('http://x')", "error"}, {"conformsTo('http://x')", "error"},
            {"'<b/>'.htmlChecks()", "error"}, {"elementDefinition()", "error"},
            {"slice('a', 'b')", "error"}, {"gender.subsumes('a')", "error"},
            {"modifierExtension.empty() and checkModifiers('http://x')", "true"});
    struct asked asked = {.resource = patient};
    struct fhirpath_collection values;
    assert_int_equal(ask_values(&asked, "slice('a', 'b')", &values), STATUS_NOT_SUPPORTED);
}

static void gives_keys_of_resources_and_references(void **state)
{
    (void)state;
    struct asked observation = {.resource = "{'resourceType':'Observation','id':'o','subject':{"
                                            "'reference':'Patient/7'}}"};
    assert_string_equal(ask(&observation, "getResourceKey()"), "Observation/o");
    assert_string_equal(ask(&observation, "subject.getReferenceKey()"), "Patient/7");
    assert_string_equal(ask(&observation, "subject.getReferenceKey(Patient)"), "Patient/7");
    assert_string_equal(ask(&observation, "subject.getReferenceKey(Group)"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(asks_what_exists),
        FHIR_TEST(compares_collections_as_sets),
        FHIR_TEST(finds_doubles_among_many),
        FHIR_TEST(filters_and_projects),
        FHIR_TEST(repeats_until_nothing_is_new),
        FHIR_TEST(takes_parts_of_collections),
        FHIR_TEST(sums_up),
        FHIR_TEST(sorts),
        FHIR_TEST(converts_what_can_be),
        FHIR_TEST(says_what_could_be_converted),
        FHIR_TEST(chooses),
        FHIR_TEST(works_on_strings),
        FHIR_TEST(matches_regular_expressions),
        FHIR_TEST(encodes_and_escapes),
        FHIR_TEST(calculates),
        FHIR_TEST(knows_the_bounds_of_what_was_written),
        FHIR_TEST(defines_variables_for_what_follows),
        FHIR_TEST(tells_one_time_in_an_evaluation),
        FHIR_TEST(resolves_what_lies_in_the_same_resource),
        FHIR_TEST(asks_its_host),
        FHIR_TEST(says_what_it_cannot_ask),
        FHIR_TEST(gives_keys_of_resources_and_references),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
