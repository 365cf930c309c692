/* SPDX-License-Identifier: MIT */
/* XML at the door (R4 http, "Content Types and encodings"): what is sent in it and what is answered
 * in it. */
#include "service.h"

#define XML_TYPE "application/fhir+xml; charset=utf-8"
#define SENDS    "Content-Type: application/fhir+xml"
#define WANTS    "Accept: application/fhir+xml"

/* Apostrophes are fine in XML too; the tests' door makes quotes of them. */
static const char ann[] = "<Patient xmlns='http://hl7.org/fhir'>\n  <id value='ann'/>\n"
                          "  <active value='true'/>\n  <name><family value='Ash'/><given "
                          "value='Ann'/></name>\n  <birthDate value='1970-03-30'/>\n</Patient>";

static void put_ann(void)
{
    assert_http(ask("PUT", "Patient/ann", SENDS, ann), 201);
}

static bool is_xml(const struct answer *answer)
{
    return slice_is(answer_header(answer, "Content-Type"), XML_TYPE) && answer->body.length > 0 &&
           answer->body.at[0] == '<';
}

static bool has(const struct answer *answer, const char *text)
{
    return memmem(answer->body.at, answer->body.length, text, strlen(text)) != NULL;
}

static struct answer get_with(const char *path, const char *headers)
{
    return caller_send(service_caller(), "GET", path, headers, (struct slice){0});
}

/* ---- in and out -------------------------------------------------------------------------------
 */

static void what_came_in_xml_is_read_in_either_form(void **state)
{
    (void)state;
    put_ann();
    struct answer json = get("Patient/ann");
    assert_text(json, "name.0.given.0", "Ann");
    assert_int_equal(json.body.at[0], '{');
    struct answer xml = get_with("Patient/ann", WANTS);
    assert_http(xml, 200);
    assert_true(is_xml(&xml));
    assert_text(xml, "name.0.given.0", "Ann");
    assert_text(xml, "meta.versionId", "1");
    assert_true(slice_equals(answer_header(&xml, "ETag"), answer_header(&json, "ETag")));
    assert_http(get_with("Patient/ann", WANTS "\nIf-None-Match: W/\"1\""), 304);
    /* An update without a change of form is the next version. */
    assert_http(ask("PUT", "Patient/ann", SENDS "\nIf-Match: W/\"1\"", ann), 200);
}

static void a_create_answers_in_the_form_asked_for(void **state)
{
    (void)state;
    struct answer answer =
        ask("POST", "Patient", SENDS "\n" WANTS "\nPrefer: return=representation", ann);
    assert_http(answer, 201);
    assert_true(is_xml(&answer));
    assert_text(answer, "birthDate", "1970-03-30");
    answer = ask("POST", "Patient", SENDS "\nAccept: application/json", ann);
    assert_http(answer, 201);
    assert_int_equal(answer.body.at[0], '{');
    answer = ask("POST", "Patient", WANTS "\nPrefer: return=OperationOutcome",
                 "{'resourceType':'Patient'}");
    assert_http(answer, 201);
    assert_true(is_xml(&answer) && has(&answer, "<OperationOutcome"));
}

static void bundles_come_and_go_in_xml(void **state)
{
    (void)state;
    struct answer answer = ask(
        "POST", "", SENDS "\n" WANTS,
        "<Bundle xmlns='http://hl7.org/fhir'><type value='transaction'/>"
        "<entry><fullUrl value='urn:uuid:5cb4a9ab-9a4c-4e6a-9ad8-2a7b26b3b001'/><resource><Patient>"
        "<active value='true'/></Patient></resource><request><method value='POST'/>"
        "<url value='Patient'/></request></entry><entry><resource><Flag><status value='active'/>"
        "<code><text value='x'/></code><subject><reference "
        "value='urn:uuid:5cb4a9ab-9a4c-4e6a-9ad8-2a7b26b3b001'/></subject></Flag></resource>"
        "<request><method value='PUT'/><url value='Flag/f'/></request></entry></Bundle>");
    assert_http(answer, 400); /* the resource of a PUT carries its id */
    assert_true(is_xml(&answer));
    answer = ask(
        "POST", "", SENDS "\n" WANTS,
        "<Bundle xmlns='http://hl7.org/fhir'><type value='transaction'/>"
        "<entry><fullUrl value='urn:uuid:5cb4a9ab-9a4c-4e6a-9ad8-2a7b26b3b001'/><resource><Patient>"
        "<active value='true'/></Patient></resource><request><method value='POST'/>"
        "<url value='Patient'/></request></entry><entry><resource><Flag><id value='f'/><status "
        "value='active'/><code><text value='x'/></code><subject><reference "
        "value='urn:uuid:5cb4a9ab-9a4c-4e6a-9ad8-2a7b26b3b001'/></subject></Flag></resource>"
        "<request><method value='PUT'/><url value='Flag/f'/></request></entry></Bundle>");
    assert_http(answer, 200);
    assert_true(is_xml(&answer));
    assert_text(answer, "type", "transaction-response");
    assert_text(answer, "entry.1.response.status", "201 Created");
    struct slice reference;
    answer = get("Flag/f");
    reference = answer_text(&answer, "subject.reference");
    assert_true(slice_starts(reference, SLICE("Patient/")));
    answer = get(text_of("%.*s/$everything?_format=xml", SLICE_ARGS(reference)));
    assert_true(is_xml(&answer));
    assert_int_equal(yyjson_arr_size(answer_value(&answer, "entry")), 2);
}

static void pages_histories_and_metadata_come_in_xml(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) { /* more than a loop renders itself */
        assert_http(ask("POST", "Patient", SENDS, ann), 201);
    }
    struct answer page = get("Patient?_count=30&_format=xml&family=Ash");
    assert_http(page, 200);
    assert_true(is_xml(&page));
    assert_true(page.body.length > 8000);
    assert_int_equal(yyjson_arr_size(answer_value(&page, "entry")), 30);
    assert_text(page, "link.1.relation", "next");
    assert_true(has(&page, "_format=xml")); /* the next page is asked for in the same form */
    struct answer history = get_with("Patient/_history?_count=50", WANTS);
    assert_true(is_xml(&history));
    assert_int_equal(yyjson_arr_size(answer_value(&history, "entry")), 40);
    struct answer statement = get("metadata?_format=text/xml");
    assert_http(statement, 200);
    assert_true(is_xml(&statement));
    assert_text(statement, "format.1", "xml");
    assert_text(statement, "format.3", "application/fhir+xml");
}

static void posted_searches_answer_in_xml(void **state)
{
    (void)state;
    put_ann();
    struct answer answer =
        ask("POST", "Patient/_search", "Content-Type: application/x-www-form-urlencoded\n" WANTS,
            "family=Ash");
    assert_http(answer, 200);
    assert_true(is_xml(&answer));
    answer = ask("POST", "Patient/_search", "Content-Type: application/x-www-form-urlencoded",
                 "family=Ash&_format=xml");
    assert_true(is_xml(&answer));
}

static void views_of_a_resource_come_in_xml(void **state)
{
    (void)state;
    put_ann();
    struct answer pretty = get("Patient/ann?_format=xml&_pretty=true");
    assert_true(is_xml(&pretty) && has(&pretty, "\n  <active value=\"true\"/>\n"));
    struct answer part = get("Patient/ann?_format=xml&_elements=active");
    assert_true(is_xml(&part) && has(&part, "SUBSETTED") && !has(&part, "Ash"));
    part = get("Patient/ann?_format=xml&_summary=true");
    assert_true(is_xml(&part) && has(&part, "SUBSETTED"));
    struct answer json = get("Patient/ann?_pretty=true");
    assert_true(has(&json, "\n  \"active\": true,\n"));
}

static void validates_xml(void **state)
{
    (void)state;
    struct answer answer = ask("POST", "Patient/$validate", SENDS "\n" WANTS, ann);
    assert_http(answer, 200);
    assert_true(is_xml(&answer));
    assert_text(answer, "issue.0.severity", "information");
    answer = ask("POST", "Patient/$validate", SENDS,
                 "<Patient xmlns='http://hl7.org/fhir'>\n<birthDate value='x'/></Patient>");
    assert_http(answer, 200);
    assert_text(answer, "issue.0.expression.0", "Patient.birthDate");
    assert_text(answer, "issue.0.extension.0.valueInteger", "2");
    answer = ask("POST", "Patient/$validate", SENDS,
                 "<Patient xmlns='http://hl7.org/fhir'>\n<nick value='x'/><birthDate value='x'/>"
                 "</Patient>");
    assert_http(answer, 200); /* all that is wrong, whoever found it */
    assert_text(answer, "issue.0.expression.0", "Patient");
    assert_text(answer, "issue.1.expression.0", "Patient.birthDate");
    assert_http(ask("POST", "Patient/$validate", SENDS, "<Patient"), 400);
}

static void who_sends_xml_is_told_how_to_mend_xml(void **state)
{
    (void)state;
    struct answer answer =
        ask("POST", "Patient", SENDS,
            "<Patient xmlns='http://hl7.org/fhir'><active value='TRUE'/><multipleBirthInteger "
            "value='+1'/></Patient>");
    assert_http(answer, 400);
    assert_true(has(&answer, "The value here is true or false"));
    assert_true(has(&answer, "Write a number as the value"));
    assert_false(has(&answer, "quotes"));
}

static void no_record_keeps_others_out_of_xml(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{'resourceType':'Patient','id':'a','name':[{'family':'\xEF\xBF\xBF'}]}",
        "{'resourceType':'Patient','id':'a','text':{'status':'generated','div':'<div xmlns="
        "\\'http://www.w3.org/1999/xhtml\\'>\xEF\xBF\xBE</div>'}}"};
    put_ann();
    for (size_t i = 0; i < 2; i++) {
        assert_http(ask("PUT", "Patient/a", NULL, bad[i]), 400);
        assert_http(get_with("Patient", WANTS), 200);
    }
}

static void content_of_a_binary_comes_in_xml_in_pieces(void **state)
{
    (void)state;
    struct buffer bytes = {.arena = service_memory()};
    for (int i = 0; i < 300000; i++) {
        buffer_add_byte(&bytes, (char)('a' + i % 23));
    }
    struct answer sent = caller_send(service_caller(), "PUT", "Binary/b",
                                     "Content-Type: application/pdf", buffer_slice(&bytes));
    assert_http(sent, 201);
    struct answer answer = get_with("Binary/b", WANTS);
    assert_http(answer, 200);
    assert_true(is_xml(&answer));
    struct buffer back = {.arena = service_memory()};
    assert_true(base64_parse(answer_text(&answer, "data"), false, &back));
    assert_true(slice_equals(buffer_slice(&bytes), buffer_slice(&back)));
    /* And the other way. */
    struct answer again = caller_send(service_caller(), "PUT", "Binary/b", SENDS, answer.body);
    assert_http(again, 200);
    struct answer raw = get_with("Binary/b", "Accept: application/pdf");
    assert_true(slice_equals(buffer_slice(&bytes), raw.body));
}

/* ---- which form -------------------------------------------------------------------------------
 */

static void the_form_is_what_accept_weighs_most(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        char first; /* of the body; 0: refused */
    } cases[] = {
        {"application/fhir+json", '{'},
        {"application/fhir+xml", '<'},
        {"application/xml", '<'},
        {"text/xml", '<'},
        {"APPLICATION/FHIR+XML; fhirVersion=4.0", '<'},
        {"*/*", '{'},
        {"application/*;q=0.1", '{'},
        {"application/fhir+xml;q=0.9, application/fhir+json;q=0.8", '<'},
        {"application/fhir+xml;q=0.8, application/fhir+json;q=0.9", '{'},
        {"application/fhir+json;q=0.001, application/fhir+xml; q=0.002", '<'},
        {"application/fhir+xml, application/fhir+json", '<'},
        {"application/fhir+json, application/fhir+xml", '{'},
        {"application/fhir+xml, */*", '<'},
        {"application/fhir+xml;q=0.5, */*", '{'},
        {"application/fhir+json;q=0, */*", '<'},
        {"application/fhir+xml;q=0, application/json", '{'},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", '{'},
        {"application/pdf, application/xml;q=0.1", '<'},
        {"application/fhir+xml;q=0", 0},
        {"application/fhir+xml;q=x", 0},
        {"application/pdf", 0},
    };
    put_ann();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer answer = get_with("Patient/ann", text_of("Accept: %s", cases[i].accept));
        char first = answer.http == 406 ? 0 : answer.body.at[0];
        if (first != cases[i].first) {
            fail_msg("Accept: %s gave %d '%c'", cases[i].accept, answer.http, first);
        }
    }
}

static void format_outweighs_accept(void **state)
{
    (void)state;
    static const char *const xml[] = {"xml", "text/xml", "application/xml",
                                      "application/fhir%2Bxml", "application/fhir+xml"};
    put_ann();
    for (size_t i = 0; i < sizeof xml / sizeof xml[0]; i++) {
        struct answer answer =
            get_with(text_of("Patient/ann?_format=%s", xml[i]), "Accept: application/fhir+json");
        assert_http(answer, 200);
        assert_true(is_xml(&answer));
    }
    struct answer json = get_with("Patient/ann?_format=json", WANTS);
    assert_int_equal(json.body.at[0], '{');
    assert_http(get("Patient/ann?_format=turtle"), 406);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void errors_are_told_in_the_form_asked_for(void **state)
{
    (void)state;
    struct answer answer = get_with("Patient/none", WANTS);
    assert_http(answer, 404);
    assert_true(is_xml(&answer));
    assert_text(answer, "issue.0.code", "not-found");
    answer = get_with("Nonsense/1", WANTS);
    assert_http(answer, 404);
    assert_true(is_xml(&answer));
    answer = get("Patient?nonsense=1&_format=xml");
    assert_http(answer, 400);
    assert_true(is_xml(&answer));
}

static void assert_xml(const char *method, const char *path, const char *headers, const char *body,
                       int http)
{
    struct answer answer = ask(method, path, headers, body);
    if (answer.http != http || !is_xml(&answer)) {
        fail_msg("%s %s: %d %.*s", method, path, answer.http, SLICE_ARGS(answer.body));
    }
}

/* Before there is an interaction, or while it is made out. */
static void early_errors_are_told_in_the_form_asked_for(void **state)
{
    (void)state;
    assert_xml("GET", "nope?_format=xml", NULL, NULL, 404);
    assert_xml("GET", "$nope?_format=application/fhir%2Bxml", NULL, NULL, 501);
    assert_xml("GET", "Patient/1/2/3/4/5", WANTS, NULL, 404);
    assert_xml("GET", "Patient?_summary=some", WANTS, NULL, 400);
    assert_xml("GET", "Patient?_summary=some&_format=xml", NULL, NULL, 400);
    assert_xml("GET", "Patient/1?_format=xml&x=%ff", NULL, NULL, 400);
    assert_xml("GET", "Patient/1?x=%zz&_format=xml", NULL, NULL, 400);
    assert_xml("DELETE", "metadata?_format=xml", NULL, NULL, 405);
    assert_xml("PUT", "Patient/1", WANTS "\nIf-Match:", "{}", 400);
    assert_xml("PATCH", "Patient/1", WANTS "\nIf-None-Match: *", "{}", 412);
    assert_xml("POST", "Patient", WANTS "\nContent-Type: application/fhir+json; charset=latin1",
               "{}", 415);
    assert_xml("POST", "Patient?_format=xml", "Content-Type: text/turtle", "x", 415);
    assert_xml("POST", "Patient/_search?_format=xml", "Content-Type: text/turtle", "x", 415);
    assert_xml("POST", "Patient/_search",
               "Content-Type: application/x-www-form-urlencoded\nAccept: application/fhir+json",
               "_summary=some&_format=xml", 400);
    assert_xml("POST", "ValueSet/$expand", WANTS, "{", 400);
    assert_xml("GET", "ValueSet/$expand?fliter=x", WANTS, NULL, 400);
    struct answer answer = get("nope?_format=text/turtle");
    assert_http(answer, 404);
    assert_false(is_xml(&answer));
}

static void xml_that_is_no_resource_is_refused_with_its_place(void **state)
{
    (void)state;
    struct answer answer = ask("PUT", "Patient/ann", SENDS,
                               "<Patient xmlns='http://hl7.org/fhir'>\n<id value='ann'/>\n"
                               "<nick value='x'/></Patient>");
    assert_http(answer, 400);
    assert_text(answer, "issue.0.extension.0.valueInteger", "3");
    assert_text(answer, "issue.0.expression.0", "Patient");
    assert_http(get("Patient/ann"), 404);
    answer = ask("POST", "Patient", SENDS,
                 "<!DOCTYPE p [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><Patient "
                 "xmlns='http://hl7.org/fhir'><name><text value='&x;'/></name></Patient>");
    assert_http(answer, 400);
    assert_http(ask("POST", "Patient", SENDS, "{'resourceType':'Patient'}"), 400);
    assert_http(ask("POST", "Patient", "Content-Type: application/fhir+json", ann), 400);
    assert_http(ask("POST", "Patient", "Content-Type: text/turtle", ann), 415);
    assert_http(ask("PATCH", "Patient/ann", SENDS, ann), 400); /* a patch in XML is Parameters */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(what_came_in_xml_is_read_in_either_form),
        SERVICE_TEST(a_create_answers_in_the_form_asked_for),
        SERVICE_TEST(bundles_come_and_go_in_xml),
        SERVICE_TEST(pages_histories_and_metadata_come_in_xml),
        SERVICE_TEST(posted_searches_answer_in_xml),
        SERVICE_TEST(views_of_a_resource_come_in_xml),
        SERVICE_TEST(validates_xml),
        SERVICE_TEST(who_sends_xml_is_told_how_to_mend_xml),
        SERVICE_TEST(no_record_keeps_others_out_of_xml),
        SERVICE_TEST(content_of_a_binary_comes_in_xml_in_pieces),
        SERVICE_TEST(the_form_is_what_accept_weighs_most),
        SERVICE_TEST(format_outweighs_accept),
        SERVICE_TEST(errors_are_told_in_the_form_asked_for),
        SERVICE_TEST(early_errors_are_told_in_the_form_asked_for),
        SERVICE_TEST(xml_that_is_no_resource_is_refused_with_its_place),
    };
    return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
