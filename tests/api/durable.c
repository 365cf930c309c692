/* SPDX-License-Identifier: MIT */
/* What is written is told as written, whatever room there is for the answer. */
#include <errno.h>

#include "service.h"

/* Text of LENGTH bytes that is stored as it is. */
static const char *long_text(size_t length)
{
    char *text = arena_alloc(service_memory(), length + 1);
    memset(text, 'a', length);
    text[length] = '\0';
    return text;
}

static const char *basic(const char *id, size_t length)
{
    const char *half = long_text(length / 2); /* a string has an end at a million */
    return text_of(
        "{'resourceType':'Basic','id':'%s','code':{'text':'%s','coding':[{'display':'%s'}]"
        "}}",
        id, half, half);
}

static void keep_a_large_one(void)
{
    assert_true(ask("PUT", "Basic/big", NULL, basic("big", 1650000)).http < 300);
}

/* Enough reads of it that the answer cannot fit beside what was written. */
static struct answer write_and_read(const char *type, size_t length, int reads)
{
    struct slice read = SLICE(",{'request':{'method':'GET','url':'Basic/big'}}");
    struct buffer entries = {.arena = service_memory()};
    buffer_print(&entries, "{'resource':%s,'request':{'method':'PUT','url':'Basic/w'}}",
                 basic("w", length));
    for (int i = 0; i < reads; i++) {
        buffer_add(&entries, read);
    }
    buffer_add_byte(&entries, '\0');
    return send_bundle(type, entries.at);
}

static void a_large_read_does_not_undo_the_news_of_a_write(void **state)
{
    (void)state;
    keep_a_large_one();
    struct answer answer = write_and_read("transaction", 1400, 1);
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "201 Created");
    assert_text(answer, "entry.1.resource.id", "big");
    assert_http(ask("DELETE", "Basic/w", NULL, NULL), 204);
    answer = write_and_read("batch", 1400, 1);
    assert_http(answer, 200);
    assert_text(answer, "entry.1.resource.id", "big");
}

static void every_written_entry_is_told_whatever_was_read(void **state)
{
    (void)state;
    static const char *const types[] = {"transaction", "batch"};
    for (size_t type = 0; type < 2; type++) {
        service_restart();
        keep_a_large_one();
        for (int reads = 0; reads < 30; reads += 3) {
            struct answer answer = write_and_read(types[type], 1400, reads);
            int stored = get("Basic/w").http;
            if (answer.http != 200) {
                assert_http(answer, 413);
                assert_true(stored == 404 || stored == 410);
                continue;
            }
            assert_int_equal(stored, 200);
            assert_true(slice_starts(answer_text(&answer, "entry.0.response.location"),
                                     SLICE("Basic/w/_history/")));
            assert_http(ask("DELETE", "Basic/w", NULL, NULL), 204);
        }
    }
}

/* The memory of all requests together may end anywhere, also between the commit and the answer. */
static void memory_that_ends_after_a_write_does_not_undo_the_news_of_it(void **state)
{
    (void)state;
    static const char *const types[] = {"transaction", "batch"};
    keep_a_large_one();
    for (size_t type = 0; type < 2; type++) {
        size_t whole = 0, cut = 0, refused = 0;
        for (size_t room = (size_t)1 << 20; room < (size_t)16 << 20; room += (size_t)256 << 10) {
            arena_budget_set(arena_budget_used() + room);
            struct answer answer = write_and_read(types[type], 1400, 1);
            arena_budget_set((size_t)1 << 30);
            if (answer.http != 200) {
                refused++;
                assert_int_not_equal(get("Basic/w").http, 200);
                continue;
            }
            bool stored = get("Basic/w").http == 200;
            struct slice status = answer_text(&answer, "entry.0.response.status");
            assert_int_equal(slice_starts(status, SLICE("201")), stored);
            whole += answer_value(&answer, "entry.1.resource") != NULL;
            cut += stored && answer_value(&answer, "entry.1.resource") == NULL;
            if (stored) {
                assert_true(slice_starts(answer_text(&answer, "entry.0.response.location"),
                                         SLICE("Basic/w/_history/")));
                assert_http(ask("DELETE", "Basic/w", NULL, NULL), 204);
            }
        }
        assert_true(whole > 0 && cut > 0 && refused > 0);
    }
}

static ssize_t failing_pwrite(int fd, const void *at, size_t length, off_t offset)
{
    (void)fd;
    (void)at;
    (void)length;
    (void)offset;
    errno = EIO;
    return -1;
}

/* Nothing in it tells that there was something to read. */
static void assert_withheld(const struct answer *answer, const char *entry)
{
    static const char *const members[] = {"resource", "response.etag", "response.lastModified",
                                          "response.location"};
    assert_text(*answer, text_of("%s.response.status", entry), "500 Internal Server Error");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        assert_null(answer_value(answer, text_of("%s.%s", entry, members[i])));
    }
}

static void what_cannot_be_logged_beside_a_write_is_not_told(void **state)
{
    (void)state;
    const char *patient = "{'resourceType':'Patient','id':'%s'}";
    assert_http(ask("PUT", "Patient/p", NULL, text_of(patient, "p")), 201);
    assert_http(ask("PUT", "Patient/gone", NULL, text_of(patient, "gone")), 201);
    assert_http(ask("DELETE", "Patient/gone", NULL, NULL), 204);
    struct disk_operations broken = disk_system;
    broken.pwrite = failing_pwrite;
    disk = &broken;
    struct answer answer = send_bundle(
        "batch", "{'resource':{'resourceType':'Basic','id':'w','code':{'text':'x'}},'request':{"
                 "'method':'PUT','url':'Basic/w'}},"
                 "{'request':{'method':'GET','url':'Patient/p'}},"
                 "{'request':{'method':'GET','url':'Patient/p','ifNoneMatch':'W/\\\"1\\\"'}},"
                 "{'request':{'method':'GET','url':'Patient/gone'}}");
    disk = &disk_system;
    assert_http(answer, 200);
    assert_text(answer, "entry.0.response.status", "201 Created");
    assert_withheld(&answer, "entry.1");
    assert_withheld(&answer, "entry.2");
    assert_withheld(&answer, "entry.3");
    assert_http(get("Basic/w"), 200);
}

/* More entries than the log takes at once, as when it could not be written for a while. */
#define ROWS 90u

static enum status leave_rows(struct store_tx *tx, void *context)
{
    struct buffer entry = {.arena = service_memory()};
    struct buffer row = {.arena = service_memory()};
    struct audit_entry written = {.action = AUDIT_UPDATE, .interaction = SLICE("update")};
    (void)context;
    audit_entry_write(&written, &entry);
    while (row.length < AUDIT_ROW_LIMIT) {
        audit_row_add(buffer_slice(&entry), &row);
    }
    for (size_t i = 0; i < ROWS; i++) {
        TRY(store_outbox_add(tx, buffer_slice(&row)));
    }
    return buffer_ok(&row) ? STATUS_OK : STATUS_MEMORY;
}

static void the_log_takes_all_that_waits_however_much_it_is(void **state)
{
    (void)state;
    assert_int_equal(store_write(service.store, leave_rows, NULL), STATUS_OK);
    assert_true(service_log(NULL, NULL) > ROWS * (AUDIT_ROW_LIMIT / 100));
    service_start();
    uint64_t last = 0;
    assert_int_equal(service_outbox(&last), 0);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(a_large_read_does_not_undo_the_news_of_a_write),
        SERVICE_TEST(every_written_entry_is_told_whatever_was_read),
        SERVICE_TEST(what_cannot_be_logged_beside_a_write_is_not_told),
        SERVICE_TEST(the_log_takes_all_that_waits_however_much_it_is),
        SERVICE_TEST(memory_that_ends_after_a_write_does_not_undo_the_news_of_it),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
