/* SPDX-License-Identifier: MIT */
/* 64 clients send the same conditional create at once: always exactly one resource. */
#include <pthread.h>

#include "service.h"

#define CLIENTS 64

static uint64_t rounds = 20;

struct client {
    pthread_t thread;
    pthread_barrier_t *barrier;
    size_t created, met;
};

static void *create_again_and_again(void *context)
{
    struct client *client = context;
    struct caller *caller = caller_open();
    for (uint64_t round = 0; round < rounds; round++) {
        char body[200], headers[100];
        int length = snprintf(body, sizeof body,
                              "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"urn:s\","
                              "\"value\":\"%llu\"}]}",
                              (unsigned long long)round);
        (void)snprintf(headers, sizeof headers, "If-None-Exist: identifier=urn:s|%llu",
                       (unsigned long long)round);
        (void)pthread_barrier_wait(client->barrier);
        struct answer answer =
            caller_send(caller, "POST", "Patient", headers, slice_of(body, (size_t)length));
        client->created += answer.http == 201;
        client->met += answer.http == 200;
    }
    caller_close(caller);
    return NULL;
}

static void one_condition_makes_one_resource(void **state)
{
    (void)state;
    static struct client clients[CLIENTS];
    pthread_barrier_t barrier;
    size_t created = 0, met = 0;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, CLIENTS), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].barrier = &barrier;
        assert_int_equal(
            pthread_create(&clients[i].thread, NULL, create_again_and_again, &clients[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
        created += clients[i].created;
        met += clients[i].met;
    }
    (void)pthread_barrier_destroy(&barrier);
    assert_int_equal(created, rounds);
    assert_int_equal(met, rounds * (CLIENTS - 1));
    for (uint64_t round = 0; round < rounds; round++) {
        assert_int_equal(
            count_of(text_of("Patient?identifier=urn:s|%llu", (unsigned long long)round)), 1);
    }
}

int main(int count, char **arguments)
{
    if (count > 1 && !slice_to_unsigned(slice_text(arguments[1]), 1000000, &rounds)) {
        return 2;
    }
    const struct CMUnitTest tests[] = {SERVICE_TEST(one_condition_makes_one_resource)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
