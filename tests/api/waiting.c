/* SPDX-License-Identifier: MIT */
/* request-timeout is the time of a query: what it waited for a worker, or for its turn to write,
 * says nothing of what it costs. */
#include <unistd.h>

#include "service.h"

#define JSON "Content-Type: application/fhir+json"

/* Longer than any query may take. */
static void sleep_long(void *context, struct store_reader *reader)
{
    (void)context;
    (void)reader;
    (void)usleep(1300 * 1000);
}

static void occupy_workers(struct work *works)
{
    for (int64_t i = 0; i < service_config.workers; i++) {
        works[i] = (struct work){.run = sleep_long};
        workers_submit(service.workers, &works[i]);
    }
}

static void what_waited_three_times_as_long_is_asked_to_come_again(void **state)
{
    (void)state;
    struct work works[3][16];
    for (size_t i = 0; i < 3; i++) {
        occupy_workers(works[i]);
    }
    struct answer answer = get("_history?_count=300");
    assert_http(answer, 503);
    assert_true(answer_header(&answer, "Retry-After").length > 0);
    assert_http(get("_history?_count=300"), 200);
}

static enum status sleep_in_job(struct store_tx *tx, void *context)
{
    (void)tx;
    sleep_long(context, NULL);
    return STATUS_OK;
}

static void forget(void *context, enum status status)
{
    (void)context;
    (void)status;
}

static int setup(void **state)
{
    (void)state;
    service_prepare();
    service_config.request_timeout = 1;
    service_start();
    for (int at = 0; at < 300; at++) { /* enough for a look at the clock */
        assert_http(ask("PUT", text_of("Patient/p%d", at), JSON,
                        text_of("{'resourceType':'Patient','id':'p%d','gender':'male',"
                                "'name':[{'text':'n%d'}]}",
                                at, at)),
                    201);
    }
    return 0;
}

static void a_search_that_waited_has_all_its_time(void **state)
{
    (void)state;
    struct work works[16];
    occupy_workers(works);
    assert_http(get("Patient?name:contains=9&gender:not=female&_total=accurate&_count=300"), 200);
    occupy_workers(works);
    assert_http(get("_history?_count=300"), 200);
}

static void a_condition_that_waited_has_all_its_time(void **state)
{
    (void)state;
    struct store_job job = {.run = sleep_in_job, .done = forget};
    store_submit(service.store, &job);
    assert_http(ask("POST", "Patient",
                    JSON "\nIf-None-Exist: name:contains=nobody&gender:not=female",
                    "{'resourceType':'Patient'}"),
                201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_search_that_waited_has_all_its_time, setup,
                                        service_teardown),
        cmocka_unit_test_setup_teardown(what_waited_three_times_as_long_is_asked_to_come_again,
                                        setup, service_teardown),
        cmocka_unit_test_setup_teardown(a_condition_that_waited_has_all_its_time, setup,
                                        service_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
