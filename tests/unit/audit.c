/* SPDX-License-Identifier: MIT */
/* The access log on real files, and on a disk that fails. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_int.h"
#include "testing.h"

/* ---- a folder a test ---- */

static char folder[64];

static int make_folder(void **state)
{
    (void)snprintf(folder, sizeof folder, "/tmp/carelayer-audit-XXXXXX");
    return mkdtemp(folder) == NULL ? 1 : make_arena(state);
}

static int drop_folder(void **state)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    disk = &disk_system;
    return system(command) != 0 ? 1 : drop_arena(state);
}

#define TEST_IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

static struct audit *open_log(struct arena *arena)
{
    struct outcome outcome;
    struct audit *audit = NULL;
    struct audit_options options = {.folder = folder, .reserve_bytes = 0};
    outcome_init(&outcome, arena);
    assert_int_equal(audit_open(&options, &outcome, &audit), STATUS_OK);
    return audit;
}

/* ---- waiting for an append ---- */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t done;
    enum status status;
};

#define WAITING                                                                                    \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

static void on_done(void *context, enum status status)
{
    struct waiting *waiting = context;
    (void)pthread_mutex_lock(&waiting->lock);
    waiting->done++;
    if (status != STATUS_OK) {
        waiting->status = status;
    }
    (void)pthread_cond_signal(&waiting->changed);
    (void)pthread_mutex_unlock(&waiting->lock);
}

static void wait_for(struct waiting *waiting, size_t count)
{
    (void)pthread_mutex_lock(&waiting->lock);
    while (waiting->done < count) {
        (void)pthread_cond_wait(&waiting->changed, &waiting->lock);
    }
    (void)pthread_mutex_unlock(&waiting->lock);
}

static struct slice make_entry(struct arena *arena, uint32_t patient, struct slice id)
{
    struct buffer out = {.arena = arena};
    struct audit_entry entry = {.when = 1000000,
                                .action = AUDIT_READ,
                                .http = 200,
                                .patient = patient,
                                .type = 7,
                                .version = 3,
                                .resources = 2,
                                .interaction = SLICE("read"),
                                .id = id,
                                .who = SLICE("anonymous"),
                                .request = SLICE("r-1"),
                                .query = SLICE("name,birthdate")};
    audit_entry_write(&entry, &out);
    return arena_copy(arena, buffer_slice(&out));
}

static enum status append(struct audit *audit, const struct slice *entries, size_t count)
{
    struct waiting waiting = WAITING;
    struct audit_ticket ticket = {
        .entries = entries, .count = count, .done = on_done, .context = &waiting};
    audit_append(audit, &ticket);
    wait_for(&waiting, 1);
    return waiting.status;
}

static enum status append_patient(struct audit *audit, struct arena *arena, uint32_t patient)
{
    struct slice entry = make_entry(arena, patient, SLICE("x"));
    return append(audit, &entry, 1);
}

/* ---- reading back ---- */

struct found {
    uint64_t count;
    uint64_t last;
    uint32_t patients[4096];
};

static enum status collect(void *context, uint64_t number, struct slice payload)
{
    struct found *found = context;
    struct audit_entry entry;
    assert_true(audit_entry_read(payload, &entry));
    assert_int_equal(number, found->last + 1);
    if (found->count < 4096) {
        found->patients[found->count] = entry.patient;
    }
    found->count++;
    found->last = number;
    return STATUS_OK;
}

static struct found *read_all(struct arena *arena)
{
    struct found *found = ARENA_NEW(arena, struct found);
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(audit_read(folder, collect, found, &outcome), STATUS_OK);
    return found;
}

/* ---- a disk that fails ---- */

static _Atomic int sync_error;
static _Atomic int write_error;

static int failing_sync(int fd)
{
    if (sync_error != 0) {
        errno = sync_error;
        return -1;
    }
    return disk_system.fdatasync(fd);
}

static ssize_t failing_write(int fd, const void *bytes, size_t length, off_t offset)
{
    if (write_error != 0) {
        errno = write_error;
        return -1;
    }
    return disk_system.pwrite(fd, bytes, length, offset);
}

static void use_failing_disk(void)
{
    static struct disk_operations operations;
    operations = disk_system;
    operations.fdatasync = failing_sync;
    operations.pwrite = failing_write;
    sync_error = write_error = 0;
    disk = &operations;
}

/* ---- tests ---- */

static void an_entry_reads_back_as_it_was_written(void **state)
{
    struct audit_entry entry;
    struct slice payload = make_entry(*state, 42, SLICE("abc"));
    assert_true(audit_entry_read(payload, &entry));
    assert_int_equal(entry.when, 1000000);
    assert_int_equal(entry.action, AUDIT_READ);
    assert_int_equal(entry.http, 200);
    assert_int_equal(entry.patient, 42);
    assert_int_equal(entry.type, 7);
    assert_int_equal(entry.version, 3);
    assert_int_equal(entry.resources, 2);
    assert_slice_is(entry.interaction, "read");
    assert_slice_is(entry.id, "abc");
    assert_slice_is(entry.who, "anonymous");
    assert_slice_is(entry.request, "r-1");
    assert_slice_is(entry.query, "name,birthdate");
}

static void refuses_every_cut_of_an_entry(void **state)
{
    struct audit_entry entry;
    struct slice payload = make_entry(*state, 42, SLICE("abc"));
    for (size_t length = 0; length < payload.length; length++) {
        assert_false(audit_entry_read(slice_head(payload, length), &entry));
    }
}

static void keeps_entries_in_order_over_a_restart(void **state)
{
    struct audit *audit = open_log(*state);
    for (uint32_t i = 1; i <= 10; i++) {
        assert_int_equal(append_patient(audit, *state, i), STATUS_OK);
    }
    audit_close(audit);
    audit = open_log(*state);
    for (uint32_t i = 11; i <= 20; i++) {
        assert_int_equal(append_patient(audit, *state, i), STATUS_OK);
    }
    audit_close(audit);
    struct found *found = read_all(*state);
    assert_int_equal(found->count, 20);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(found->patients[i], i + 1);
    }
}

static void the_entries_of_one_ticket_stand_together(void **state)
{
    struct audit *audit = open_log(*state);
    struct slice entries[3];
    for (uint32_t i = 0; i < 3; i++) {
        entries[i] = make_entry(*state, 100 + i, SLICE("x"));
    }
    assert_int_equal(append(audit, entries, 3), STATUS_OK);
    struct audit_statistics numbers;
    audit_statistics(audit, &numbers);
    assert_int_equal(numbers.entries, 3);
    assert_int_equal(numbers.syncs, 1);
    audit_close(audit);
    struct found *found = read_all(*state);
    assert_int_equal(found->count, 3);
    assert_int_equal(found->patients[2], 102);
}

static void goes_on_in_the_next_segment_when_one_is_full(void **state)
{
    struct audit *audit = open_log(*state);
    size_t size = 60000;
    struct slice id = arena_copy(*state, slice_of(arena_zero(*state, size), size));
    struct waiting waiting = WAITING;
    enum { COUNT = 400 }; /* 24 MB: three segments */
    static struct audit_ticket tickets[COUNT];
    struct slice entry = make_entry(*state, 5, id);
    for (size_t i = 0; i < COUNT; i++) {
        tickets[i] = (struct audit_ticket){
            .entries = &entry, .count = 1, .done = on_done, .context = &waiting};
        audit_append(audit, &tickets[i]);
    }
    wait_for(&waiting, COUNT);
    assert_int_equal(waiting.status, STATUS_OK);
    audit_close(audit);
    assert_int_equal(read_all(*state)->count, COUNT);
    audit = open_log(*state);
    assert_int_equal(append_patient(audit, *state, 6), STATUS_OK);
    audit_close(audit);
    assert_int_equal(read_all(*state)->count, COUNT + 1);
}

static void segment_file(char *path, size_t size, int number)
{
    (void)snprintf(path, size, "%s/audit/%08d.log", folder, number);
}

static void damage(off_t offset)
{
    char path[128];
    segment_file(path, sizeof path, 1);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "?", 1, offset), 1);
    (void)close(fd);
}

/* Bytes after the last whole record: what a power cut in the middle of a write leaves. */
static void cuts_a_torn_end_and_reuses_its_place(void **state)
{
    char path[128];
    struct audit *audit = open_log(*state);
    assert_int_equal(append_patient(audit, *state, 1), STATUS_OK);
    assert_int_equal(append_patient(audit, *state, 2), STATUS_OK);
    size_t end = audit->offset;
    assert_int_equal(append_patient(audit, *state, 3), STATUS_OK);
    audit_close(audit);
    damage((off_t)(end + RECORD_HEAD + 5)); /* the third */
    audit = open_log(*state);
    assert_int_equal(audit->offset, end);
    audit_close(audit);
    assert_int_equal(read_all(*state)->count, 2);
    audit = open_log(*state);
    assert_int_equal(append_patient(audit, *state, 4), STATUS_OK);
    audit_close(audit);
    struct found *found = read_all(*state);
    assert_int_equal(found->count, 3);
    assert_int_equal(found->patients[2], 4);
    (void)snprintf(path, sizeof path, "%s/audit/00000001-%zu.torn", folder, end);
    assert_int_equal(access(path, R_OK), 0); /* evidence */
}

/* Later records were written when the damaged one was synced already: it was acknowledged. */
static void refuses_to_open_when_an_acknowledged_entry_is_damaged(void **state)
{
    struct outcome outcome;
    struct audit *audit = open_log(*state);
    struct audit_options options = {.folder = folder};
    assert_int_equal(append_patient(audit, *state, 1), STATUS_OK);
    size_t end = audit->offset;
    assert_int_equal(append_patient(audit, *state, 2), STATUS_OK);
    assert_int_equal(append_patient(audit, *state, 3), STATUS_OK);
    audit_close(audit);
    damage((off_t)(end + RECORD_HEAD + 5));
    outcome_init(&outcome, *state);
    assert_int_equal(audit_open(&options, &outcome, &audit), STATUS_CORRUPT);
    assert_int_equal(outcome.errors, 1);
}

/* One wait for all of them, not one each. */
static void fails_a_whole_queue_at_once_when_there_is_no_room(void **state)
{
    enum { COUNT = 20 };
    static struct audit_ticket tickets[COUNT];
    struct waiting waiting = WAITING;
    struct slice entry = make_entry(*state, 1, SLICE("x"));
    use_failing_disk();
    write_error = ENOSPC;
    struct audit *audit = open_log(*state);
    int64_t start = time_monotonic();
    for (size_t i = 0; i < COUNT; i++) {
        tickets[i] = (struct audit_ticket){
            .entries = &entry, .count = 1, .done = on_done, .context = &waiting};
        audit_append(audit, &tickets[i]);
    }
    wait_for(&waiting, COUNT);
    assert_int_equal(waiting.status, STATUS_NO_SPACE);
    assert_true(time_monotonic() - start < 5 * MICROS_PER_SECOND);
    audit_close(audit);
}

static void tells_of_damage_before_the_end(void **state)
{
    char path[128];
    struct outcome outcome;
    struct audit *audit = open_log(*state);
    size_t size = 60000;
    struct slice id = arena_copy(*state, slice_of(arena_zero(*state, size), size));
    struct slice entry = make_entry(*state, 5, id);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(append(audit, &entry, 1), STATUS_OK);
    }
    audit_close(audit);
    segment_file(path, sizeof path, 1);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "?", 1, 200000), 1);
    (void)close(fd);
    outcome_init(&outcome, *state);
    struct found *found = ARENA_NEW((struct arena *)*state, struct found);
    assert_int_equal(audit_read(folder, collect, found, &outcome), STATUS_CORRUPT);
    assert_int_equal(outcome.errors, 1);
}

static void an_entry_that_was_not_synced_is_not_acknowledged(void **state)
{
    use_failing_disk();
    struct audit *audit = open_log(*state);
    struct audit_statistics numbers;
    assert_int_equal(append_patient(audit, *state, 1), STATUS_OK);
    sync_error = EIO;
    assert_int_equal(append_patient(audit, *state, 2), STATUS_IO);
    audit_statistics(audit, &numbers);
    assert_true(numbers.failing);
    assert_int_equal(numbers.entries, 1);
    sync_error = 0;
    assert_int_equal(append_patient(audit, *state, 3), STATUS_OK);
    audit_statistics(audit, &numbers);
    assert_false(numbers.failing);
    audit_close(audit);
    struct found *found = read_all(*state);
    assert_int_equal(found->count, 2);
    assert_int_equal(found->patients[1], 3);
}

/* The entry that failed was longer than the one that came after: none of it may come to life. */
static void a_refused_entry_does_not_come_to_life(void **state)
{
    use_failing_disk();
    struct audit *audit = open_log(*state);
    struct slice entries[50];
    for (uint32_t i = 0; i < 50; i++) {
        entries[i] = make_entry(*state, 900 + i, SLICE("x"));
    }
    sync_error = EIO;
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(append(audit, &entries[i], 1), STATUS_IO);
    }
    assert_int_equal(append(audit, entries, 50), STATUS_IO);
    sync_error = 0;
    assert_int_equal(append_patient(audit, *state, 7), STATUS_OK);
    audit_close(audit);
    struct found *found = read_all(*state);
    assert_int_equal(found->count, 1);
    assert_int_equal(found->patients[0], 7);
}

static void goes_on_in_reserved_space_when_the_disk_is_full(void **state)
{
    use_failing_disk();
    struct audit *audit = open_log(*state);
    assert_int_equal(append_patient(audit, *state, 1), STATUS_OK);
    for (int i = 0; i < 3000 && audit->ready < audit->segment + audit->ahead; i++) {
        (void)usleep(10000);
    }
    assert_true(audit->ready > audit->segment);
    audit_close(audit);
    char path[128];
    struct stat about;
    segment_file(path, sizeof path, 2);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, SEGMENT_SIZE);
    assert_true(about.st_blocks * 512 >= (blkcnt_t)SEGMENT_SIZE); /* space, not a hole */
}

static void refuses_when_the_reserve_is_used_up(void **state)
{
    use_failing_disk();
    write_error = ENOSPC; /* nothing can ever be made ready */
    struct audit *audit = open_log(*state);
    assert_int_equal(append_patient(audit, *state, 1), STATUS_NO_SPACE);
    write_error = 0;
    enum status status = STATUS_NO_SPACE;
    for (int i = 0; i < 300 && status != STATUS_OK; i++) { /* the allocator tries each second */
        (void)usleep(100000);
        status = append_patient(audit, *state, 2);
    }
    assert_int_equal(status, STATUS_OK);
    audit_close(audit);
    assert_int_equal(read_all(*state)->count, 1);
}

static _Atomic int woken, awake;

static void wake_slowly(void *context)
{
    (void)context;
    awake++;
    (void)usleep(50000);
    awake--;
    woken++;
}

static void nobody_is_woken_once_the_wake_was_taken_back(void **state)
{
    struct audit *audit = open_log(*state);
    woken = awake = 0;
    audit_on_batch(audit, wake_slowly, NULL);
    assert_int_equal(append_patient(audit, *state, 1), STATUS_OK); /* answered before the wake */
    audit_on_batch(audit, NULL, NULL);
    assert_int_equal(awake, 0);
    assert_int_equal(woken, 1);
    assert_int_equal(append_patient(audit, *state, 1), STATUS_OK);
    audit_close(audit);
    assert_int_equal(woken, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_FOLDER(an_entry_reads_back_as_it_was_written),
        TEST_IN_FOLDER(refuses_every_cut_of_an_entry),
        TEST_IN_FOLDER(keeps_entries_in_order_over_a_restart),
        TEST_IN_FOLDER(the_entries_of_one_ticket_stand_together),
        TEST_IN_FOLDER(goes_on_in_the_next_segment_when_one_is_full),
        TEST_IN_FOLDER(cuts_a_torn_end_and_reuses_its_place),
        TEST_IN_FOLDER(refuses_to_open_when_an_acknowledged_entry_is_damaged),
        TEST_IN_FOLDER(fails_a_whole_queue_at_once_when_there_is_no_room),
        TEST_IN_FOLDER(tells_of_damage_before_the_end),
        TEST_IN_FOLDER(an_entry_that_was_not_synced_is_not_acknowledged),
        TEST_IN_FOLDER(a_refused_entry_does_not_come_to_life),
        TEST_IN_FOLDER(goes_on_in_reserved_space_when_the_disk_is_full),
        TEST_IN_FOLDER(refuses_when_the_reserve_is_used_up),
        TEST_IN_FOLDER(nobody_is_woken_once_the_wake_was_taken_back),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
