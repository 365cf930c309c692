/* SPDX-License-Identifier: MIT */
/* Binary (R4 binary.html). */
#include "service.h"

static struct arena *memory;

static int setup(void **state)
{
    memory = arena_create(0);
    return service_setup(state);
}

static int teardown(void **state)
{
    arena_destroy(memory);
    return service_teardown(state);
}

/* Bytes of every value, without a short period. */
static struct slice content_of(size_t length)
{
    char *at = arena_alloc(memory, length + 1);
    for (size_t i = 0; i < length; i++) {
        at[i] = (char)(i * 31 + i / 251 + i / 65537);
    }
    return slice_of(at, length);
}

static struct answer post(struct slice bytes, const char *headers)
{
    struct caller *caller = caller_open();
    struct answer answer = caller_send(caller, "POST", "Binary", headers, bytes);
    answer.arena = memory;
    answer.body = arena_copy(memory, answer.body);
    for (size_t i = 0; i < answer.header_count; i++) {
        answer.headers[i].value = arena_copy(memory, answer.headers[i].value);
    }
    caller_close(caller);
    return answer;
}

static const char *path_of(const struct answer *answer)
{
    struct slice location = slice_from(answer_header(answer, "Location"), sizeof SERVICE_BASE);
    size_t end = slice_index(slice_from(location, 7), '/') + 7;
    return text_of("%.*s", (int)end, location.at);
}

static void assert_same(struct slice got, struct slice wanted)
{
    assert_int_equal(got.length, wanted.length);
    assert_memory_equal(got.at, wanted.at, wanted.length);
}

static void gives_raw_bytes_back_as_they_came(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 65535, 65536, 300001};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct slice bytes = content_of(lengths[i]);
        struct answer answer = post(bytes, "Content-Type: image/png");
        assert_http(answer, 201);
        const char *path = path_of(&answer);
        answer = get(path);
        assert_http(answer, 200);
        assert_same(answer.body, bytes);
        assert_true(slice_is(answer_header(&answer, "Content-Type"), "image/png"));
        assert_true(slice_is(answer_header(&answer, "ETag"), "\"1\""));
        answer = ask("GET", path, "Accept: application/fhir+json", NULL);
        assert_http(answer, 200);
        assert_text(answer, "contentType", "image/png");
        struct buffer data = {.arena = memory};
        assert_true(base64_parse(answer_text(&answer, "data"), false, &data));
        assert_same(buffer_slice(&data), bytes);
    }
}

static void keeps_long_content_of_the_fhir_form_too(void **state)
{
    (void)state;
    struct slice bytes = content_of(200000);
    struct buffer body = {.arena = memory};
    buffer_add_text(&body, "{\"resourceType\":\"Binary\",\"id\":\"b\",\"contentType\":\"a/b\","
                           "\"data\":\"");
    base64_write(bytes, &body);
    buffer_add_text(&body, "\"}");
    buffer_add_byte(&body, '\0');
    assert_http(ask("PUT", "Binary/b", "Content-Type: application/fhir+json", body.at), 201);
    assert_same(get("Binary/b").body, bytes);
    /* In a search and in a batch it is whole as well. */
    struct answer answer = get("Binary?_id=b");
    struct buffer data = {.arena = memory};
    assert_true(base64_parse(answer_text(&answer, "entry.0.resource.data"), false, &data));
    assert_same(buffer_slice(&data), bytes);
    answer = ask("POST", "", NULL,
                 "{'resourceType':'Bundle','type':'batch','entry':[{'request':{'method':'GET',"
                 "'url':'Binary/b'}}]}");
    data.length = 0;
    assert_true(base64_parse(answer_text(&answer, "entry.0.resource.data"), false, &data));
    assert_same(buffer_slice(&data), bytes);
}

static void takes_content_from_a_file(void **state)
{
    (void)state;
    struct caller *caller = caller_open();
    struct slice bytes = content_of(5000001);
    struct answer answer =
        caller_send_file(caller, "PUT", "Binary/b", "Content-Type: application/pdf", bytes);
    assert_http(answer, 201);
    assert_same(get("Binary/b").body, bytes);
    struct answer form = ask("GET", "Binary/b?_format=json", NULL, NULL);
    assert_text(form, "id", "b");
    struct buffer data = {.arena = memory};
    assert_true(base64_parse(answer_text(&form, "data"), false, &data));
    assert_same(buffer_slice(&data), bytes);
    caller_close(caller);
}

static void keeps_every_version(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Binary/b", "Content-Type: text/plain", "one"), 201);
    assert_http(ask("PUT", "Binary/b", "Content-Type: text/plain\nIf-Match: W/\"1\"", "two"), 200);
    assert_http(ask("PUT", "Binary/b", "Content-Type: text/plain\nIf-Match: W/\"1\"", "3"), 412);
    assert_same(get("Binary/b").body, SLICE("two"));
    assert_same(get("Binary/b/_history/1").body, SLICE("one"));
    assert_http(ask("GET", "Binary/b", "If-None-Match: \"2\"", NULL), 304);
    assert_http(ask("DELETE", "Binary/b", NULL, NULL), 204);
    assert_http(get("Binary/b"), 410);
}

static void marks_what_a_browser_would_run(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Binary/h", "Content-Type: text/html", "<script>1</script>"), 201);
    assert_http(ask("PUT", "Binary/t", "Content-Type: text/plain; charset=utf-8", "x"), 201);
    struct answer answer = get("Binary/h");
    assert_true(slice_is(answer_header(&answer, "Content-Disposition"), "attachment"));
    answer = get("Binary/t");
    assert_int_equal(answer_header(&answer, "Content-Disposition").length, 0);
}

static void a_context_that_is_gone_opens_nothing(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    assert_http(
        ask("PUT", "Binary/b", "Content-Type: text/plain\nX-Security-Context: Patient/a", "x"),
        201);
    struct answer answer = get("Binary/b");
    assert_http(answer, 200);
    assert_true(slice_is(answer_header(&answer, "X-Security-Context"), "Patient/a"));
    answer = ask("GET", "Binary/b", "Accept: application/fhir+json", NULL);
    assert_text(answer, "securityContext.reference", "Patient/a");
    assert_http(ask("DELETE", "Patient/a", NULL, NULL), 204);
    assert_http(get("Binary/b"), 403);
    assert_http(
        ask("PUT", "Binary/c", "Content-Type: text/plain\nX-Security-Context: Patient/none", "x"),
        201);
    assert_http(get("Binary/c"), 403);
}

/* "U0VDUkVU" is the content as the FHIR form has it. */
static void assert_not_in(struct answer answer, int http)
{
    assert_http(answer, http);
    assert_null(memmem(answer.body.at, answer.body.length, "U0VDUkVU", 8));
    assert_null(memmem(answer.body.at, answer.body.length, "SECRET", 6));
}

static void content_whose_context_is_gone_leaves_by_no_door(void **state)
{
    (void)state;
    static const char document[] = "{'resourceType':'DocumentReference','id':'d','status':'current'"
                                   ",'subject':{'reference':'Patient/a'},'content':[{'attachment':"
                                   "{'url':'Binary/b'}}]}";
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    assert_http(ask("PUT", "DocumentReference/d", NULL, document), 201);
    assert_http(ask("PUT", "Binary/b", "Content-Type: text/plain", "SECRET"), 201);
    assert_http(ask("PUT", "Binary/b",
                    "Content-Type: text/plain\nX-Security-Context: DocumentReference/d", "SECRET"),
                200);
    assert_http(get("Binary/b"), 200);
    assert_int_equal(count_of("Patient/a/$everything"), 3);
    assert_http(ask("DELETE", "DocumentReference/d", NULL, NULL), 204);
    assert_not_in(get("Binary/b"), 403);
    assert_not_in(get("Binary/b/_history/2"), 403);
    assert_not_in(get("Binary/b/_history/1"), 403); /* guarded by what came later */
    assert_not_in(get("Binary/b/_history"), 200);
    assert_not_in(get("Binary/_history"), 200);
    assert_not_in(get("_history"), 200);
    struct answer found = get("Binary?_id=b");
    assert_not_in(found, 200);
    assert_text(found, "entry.0.search.mode", "outcome");
    assert_text(found, "entry.0.resource.issue.0.code", "suppressed");
    assert_not_in(get("Binary?_id=b&_elements=data"), 200);
    assert_not_in(get("Patient/a/$everything"), 200);
    assert_not_in(get("Patient/a/*"), 200);
    assert_not_in(ask("POST", "", NULL,
                      "{'resourceType':'Bundle','type':'batch','entry':["
                      "{'request':{'method':'GET','url':'Binary/b'}},"
                      "{'request':{'method':'GET','url':'Binary?_id=b'}},"
                      "{'request':{'method':'GET','url':'Binary/b/_history/1'}},"
                      "{'request':{'method':'GET','url':'Binary/b/_history'}}]}"),
                  200);
    assert_not_in(ask("PATCH", "Binary/b",
                      "Content-Type: application/json-patch+json\nPrefer: return=representation",
                      "[{'op':'test','path':'/contentType','value':'text/plain'}]"),
                  403);
    assert_not_in(ask("POST", "Binary",
                      "Content-Type: text/plain\nIf-None-Exist: _id=b\n"
                      "Prefer: return=representation",
                      "y"),
                  200);
    assert_http(ask("PUT", "DocumentReference/d", NULL, document), 201);
    assert_http(get("Binary/b"), 200);
}

static void a_context_that_cannot_be_looked_up_opens_nothing(void **state)
{
    (void)state;
    static const char *const contexts[] = {"https://elsewhere.example/fhir/Patient/zz",
                                           "urn:uuid:0e8c6ee2-7c4d-4f5f-9c3b-0d1d0c1b6a10"};
    for (size_t i = 0; i < 2; i++) {
        assert_http(ask("PUT", "Binary/b",
                        text_of("Content-Type: text/plain\nX-Security-Context: %s", contexts[i]),
                        "x"),
                    i == 0 ? 201 : 200);
        assert_http(get("Binary/b"), 403);
    }
}

static void a_patch_never_loses_long_content(void **state)
{
    (void)state;
    struct answer answer = post(content_of(300001), "Content-Type: image/png");
    const char *path = path_of(&answer);
    assert_http(ask("PATCH", path, "Content-Type: application/json-patch+json",
                    "[{'op':'replace','path':'/contentType','value':'image/gif'}]"),
                501);
    assert_same(get(path).body, content_of(300001));
}

static void find_person(const struct audit_entry *entry, void *context)
{
    if (slice_is(entry->interaction, "read") && slice_is(entry->id, "b")) {
        *(uint32_t *)context = entry->patient;
    }
}

static void names_the_person_of_an_indirect_context_in_the_log(void **state)
{
    (void)state;
    uint32_t person = 0;
    assert_http(ask("PUT", "Patient/a", NULL, "{'resourceType':'Patient','id':'a'}"), 201);
    assert_http(ask("PUT", "DocumentReference/d", NULL,
                    "{'resourceType':'DocumentReference','id':'d','status':'current',"
                    "'subject':{'reference':'Patient/a'},"
                    "'content':[{'attachment':{'url':'Binary/b'}}]}"),
                201);
    assert_http(ask("PUT", "Binary/b",
                    "Content-Type: text/plain\nX-Security-Context: DocumentReference/d", "x"),
                201);
    assert_http(get("Binary/b"), 200);
    (void)service_log(find_person, &person);
    assert_int_not_equal(person, 0);
}

static void refuses_a_form_that_is_no_binary(void **state)
{
    (void)state;
    assert_http(ask("PUT", "Binary/b", "Content-Type: application/fhir+json",
                    "{'resourceType':'Binary','id':'b','data':'AAAA'}"),
                400);
    assert_http(ask("PUT", "Binary/b", "Content-Type: application/fhir+json",
                    "{'resourceType':'Binary','id':'c','contentType':'a/b'}"),
                400);
}

#define BINARY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void criteria_too_long_for_memory_are_no_search_for_all(void **state)
{
    (void)state;
    struct caller *caller = caller_open();
    assert_http(ask("PUT", "Binary/t", "Content-Type: text/plain", "x"), 201);
    struct answer answer =
        caller_send_file(caller, "POST", "Binary/_search",
                         "Content-Type: application/x-www-form-urlencoded", SLICE("_id=none"));
    assert_http(answer, 413);
    caller_close(caller);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        BINARY_TEST(gives_raw_bytes_back_as_they_came),
        BINARY_TEST(keeps_long_content_of_the_fhir_form_too),
        BINARY_TEST(takes_content_from_a_file),
        BINARY_TEST(keeps_every_version),
        BINARY_TEST(marks_what_a_browser_would_run),
        BINARY_TEST(a_context_that_is_gone_opens_nothing),
        BINARY_TEST(content_whose_context_is_gone_leaves_by_no_door),
        BINARY_TEST(a_context_that_cannot_be_looked_up_opens_nothing),
        BINARY_TEST(a_patch_never_loses_long_content),
        BINARY_TEST(names_the_person_of_an_indirect_context_in_the_log),
        BINARY_TEST(refuses_a_form_that_is_no_binary),
        BINARY_TEST(criteria_too_long_for_memory_are_no_search_for_all),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
