/* SPDX-License-Identifier: MIT */
/* Whose record was looked at stands in the access log, however it was looked at. */
#include "service.h"

static const char observation[] = "{'resourceType':'Observation','id':'o','status':'final','code':"
                                  "{'text':'x'},'subject':{'reference':'Patient/p1'}}";

static void put(const char *path, const char *body)
{
    assert_http(ask("PUT", path, NULL, body), 201);
}

static void put_persons(void)
{
    put("Patient/p1", "{'resourceType':'Patient','id':'p1','identifier':[{'system':'s','value':"
                      "'1'}]}");
    put("Patient/p2", "{'resourceType':'Patient','id':'p2'}");
}

struct last {
    uint32_t patient;
    uint32_t resources;
};

static void keep(const struct audit_entry *entry, void *context)
{
    *(struct last *)context = (struct last){entry->patient, entry->resources};
}

static struct last last_entry(void)
{
    struct last last = {0};
    (void)service_log(keep, &last);
    service_start();
    return last;
}

/* Asks, and gives the entry of it: those of writes before are in the log first. */
static struct last logged(const char *path, int http)
{
    (void)last_entry();
    struct answer answer = get(path);
    if (answer.http != http) {
        fail_msg("%s: %d", path, answer.http);
    }
    return last_entry();
}

static uint32_t number_of_p1(void)
{
    uint32_t number = logged("Patient/p1", 200).patient;
    assert_true(number > 0);
    return number;
}

static void check(const char *path, int http, uint32_t patient)
{
    uint32_t named = logged(path, http).patient;
    if (named != patient) {
        fail_msg("%s was logged for %u, not %u", path, named, patient);
    }
}

static void a_total_names_whom_it_is_about(void **state)
{
    (void)state;
    put_persons();
    uint32_t p1 = number_of_p1();
    check("Patient?identifier=s|1&_summary=count", 200, p1);
    check("Patient/p1/*?_summary=count", 200, p1);
    check("Patient/p1/Observation", 200, p1);
    check("Patient/p1/_history?_count=0", 200, p1);
    check("Patient?_id=p1&_count=0&_total=accurate", 200, p1);
    check("Patient?identifier=s|none&_summary=count", 200, 0);
}

static void a_total_of_many_is_logged_as_a_count(void **state)
{
    (void)state;
    struct buffer entries = {.arena = service_memory()};
    for (int i = 0; i < 101; i++) {
        buffer_print(&entries,
                     "%s{'resource':{'resourceType':'Patient'},'request':{'method':'POST',"
                     "'url':'Patient'}}",
                     i > 0 ? "," : "");
    }
    buffer_add_byte(&entries, '\0');
    assert_http(
        ask("POST", "", NULL,
            text_of("{'resourceType':'Bundle','type':'transaction','entry':[%s]}", entries.at)),
        200);
    struct last last = logged("Patient?_summary=count", 200);
    assert_int_equal(last.patient, 0);
    assert_int_equal(last.resources, 101);
}

static void what_was_deleted_was_somebody_s(void **state)
{
    (void)state;
    put_persons();
    put("Observation/o", observation);
    uint32_t p1 = number_of_p1();
    assert_http(ask("DELETE", "Observation/o", NULL, NULL), 204);
    check("Observation/o", 410, p1);
    check("Observation/o/_history/2", 410, p1);
    check("Observation/o/_history/1", 200, p1);
    check("Observation/never", 404, 0);
}

static void a_binary_is_of_the_persons_whose_document_holds_it(void **state)
{
    (void)state;
    put_persons();
    uint32_t p1 = number_of_p1();
    put("Binary/b", "{'resourceType':'Binary','id':'b','contentType':'text/plain','data':'AAAA'}");
    check("Binary/b", 200, AUDIT_PERSON_UNKNOWN);
    put("DocumentReference/d",
        "{'resourceType':'DocumentReference','id':'d','status':'current','subject':{'reference':"
        "'Patient/p1'},'content':[{'attachment':{'url':'Binary/b'}}]}");
    check("Binary/b", 200, p1);
    check("Binary/b/_history/1", 200, p1);
    check("Binary?_id=b", 200, p1);
    put("Binary/c", "{'resourceType':'Binary','id':'c','contentType':'text/plain','data':'AAAA'}");
    put("DocumentReference/e",
        "{'resourceType':'DocumentReference','id':'e','status':'current','subject':{'reference':"
        "'Patient/p1'},'content':[{'attachment':{'url':'" SERVICE_BASE "/Binary/c'}}]}");
    check("Binary/c", 200, p1);
}

static void what_is_contained_is_of_whom_its_container_concerns(void **state)
{
    (void)state;
    put_persons();
    uint32_t p1 = number_of_p1();
    put("MedicationRequest/m",
        "{'resourceType':'MedicationRequest','id':'m','status':'active','intent':'order',"
        "'subject':{'reference':'Patient/p1'},'medicationReference':{'reference':'#in'},"
        "'contained':[{'resourceType':'Medication','id':'in','code':{'coding':[{'system':'s',"
        "'code':'x'}]}}]}");
    check("Medication?code=s|x&_contained=true", 200, p1);
    check("Medication?code=s|x&_contained=both&_containedType=contained", 200, p1);
    check("Medication?code=s|x&_contained=true&_summary=count", 200, p1);
    check("Medication?code=s|y&_contained=true", 200, 0);
    check("Medication?code=s|x", 200, 0);
}

static const char answers[] = "{'resourceType':'QuestionnaireResponse','id':'q','status':"
                              "'completed','subject':{'reference':'Encounter/e'}}";
static const char visit[] = "{'resourceType':'Encounter','id':'e','status':'planned','class':"
                            "{'code':'AMB'},'subject':{'reference':'Patient/p1'}}";

static void what_is_about_an_encounter_is_about_its_patient(void **state)
{
    (void)state;
    put_persons();
    uint32_t p1 = number_of_p1();
    put("QuestionnaireResponse/q", answers);
    check("QuestionnaireResponse/q", 200, AUDIT_PERSON_UNKNOWN);
    put("Encounter/e", visit);
    check("QuestionnaireResponse/q", 200, p1);
    check("QuestionnaireResponse/q/_history", 200, p1);
    check("QuestionnaireResponse?_id=q", 200, p1);
    /* It is in the record, though R4's compartment has only what names the patient itself. */
    assert_int_equal(count_of("Patient/p1/QuestionnaireResponse"), 0);
    assert_int_equal(count_of("Patient/p1/$everything"), 3);
}

struct seen {
    size_t questionnaires, unknown;
};

static void see_unknown(const struct audit_entry *entry, void *context)
{
    struct seen *seen = context;
    if (slice_is(entry->id, "q")) {
        seen->questionnaires++;
        seen->unknown += entry->patient == AUDIT_PERSON_UNKNOWN;
    }
}

static void an_entry_names_whom_a_later_one_tells(void **state)
{
    (void)state;
    assert_http(ask("POST", "", NULL,
                    text_of("{'resourceType':'Bundle','type':'transaction','entry':[{'resource':%s,"
                            "'request':{'method':'PUT','url':'QuestionnaireResponse/q'}},"
                            "{'resource':%s,'request':{'method':'PUT','url':'Encounter/e'}}]}",
                            answers, visit)),
                200);
    struct seen seen = {0};
    (void)service_log(see_unknown, &seen);
    service_start();
    assert_int_equal(seen.questionnaires, 1);
    assert_int_equal(seen.unknown, 0);
}

static void everything_of_somebody_is_about_them_whatever_is_in_it(void **state)
{
    (void)state;
    put_persons();
    uint32_t p1 = number_of_p1();
    check("Patient/p1/$everything?_type=Observation", 200, p1);
    assert_http(ask("DELETE", "Patient/p1", NULL, NULL), 204);
    check("Patient/p1/$everything", 410, p1);
    check("Patient/never/$everything", 404, 0);
}

/* A page or a transaction may be about very many. */
static void names_each_of_a_crowd_once_and_in_time(void **state)
{
    (void)state;
    enum { CROWD = 200000 };
    struct arena *arena = arena_create(0);
    struct request request = {.arena = arena};
    int64_t started = time_monotonic();
    for (int round = 0; round < 2; round++) {
        for (uint32_t patient = 1; patient <= CROWD; patient++) {
            request_discloses(&request, &patient, 1);
        }
    }
    assert_true(time_monotonic() - started < 10 * MICROS_PER_SECOND);
    assert_int_equal(request.disclosure_count, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        assert_int_equal(request.disclosures[i].patient, i + 1);
        assert_int_equal(request.disclosures[i].resources, 2);
    }
    request_discloses_count(&request, 7);
    assert_int_equal(request.disclosures[CROWD].resources, 7);
    request_discloses_nobody(&request);
    request_discloses(&request, &(uint32_t){5}, 1);
    assert_int_equal(request.disclosure_count, 1);
    assert_int_equal(request.disclosures[0].resources, 1);
    arena_destroy(arena);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(a_total_names_whom_it_is_about),
        SERVICE_TEST(a_total_of_many_is_logged_as_a_count),
        SERVICE_TEST(what_was_deleted_was_somebody_s),
        cmocka_unit_test(names_each_of_a_crowd_once_and_in_time),
        SERVICE_TEST(what_is_contained_is_of_whom_its_container_concerns),
        SERVICE_TEST(a_binary_is_of_the_persons_whose_document_holds_it),
        SERVICE_TEST(what_is_about_an_encounter_is_about_its_patient),
        SERVICE_TEST(an_entry_names_whom_a_later_one_tells),
        SERVICE_TEST(everything_of_somebody_is_about_them_whatever_is_in_it),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
