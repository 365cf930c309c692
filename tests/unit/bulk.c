/* SPDX-License-Identifier: MIT */
/* Bulk exports on a real store, log and disk: files whole in any part, persons logged first, faults
 * that leave nothing half done. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "bulk/bulk_int.h"
#include "store_test.h"

#define WHO SLICE("tester")

static struct audit *audit;
static struct bulk *bulk;
static struct bulk_options options;

/* ---- a service ----------------------------------------------------------------------------------
 */

static enum status guard(const struct definitions *all, struct store_tx *tx,
                         const struct store_version *version, struct arena *scratch, bool *ret_open)
{
    (void)all;
    (void)tx;
    (void)version;
    (void)scratch;
    *ret_open = true;
    return STATUS_OK;
}

static const struct bulk_content content = {.guard = guard};

static void open_bulk(void)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    const struct audit_options log = {.folder = folder, .segment_bytes = (size_t)1 << 20};
    assert_int_equal(audit_open(&log, &outcome, &audit), STATUS_OK);
    options = (struct bulk_options){.folder = folder,
                                    .definitions = definitions,
                                    .store = store,
                                    .audit = audit,
                                    .content = &content,
                                    .threads = 1,
                                    .jobs = 4,
                                    .keep = 3600,
                                    .file_bytes = (size_t)1 << 20};
    assert_int_equal(bulk_open(&options, &outcome, &bulk), STATUS_OK);
}

static void close_bulk(void)
{
    bulk_close(bulk);
    if (audit != NULL) {
        audit_close(audit);
    }
    bulk = NULL;
    audit = NULL;
}

static void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[700];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(name) != 0) {
            remove_tree(name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

static int bulk_setup(void **state)
{
    if (store_setup(state) != 0) {
        return -1;
    }
    arena_raise(arena, (size_t)1 << 30);
    open_bulk();
    return 0;
}

static int bulk_teardown(void **state)
{
    disk = &disk_system;
    close_bulk();
    for (int i = 0; i < 2; i++) {
        static const char *const names[] = {"exports", "audit"};
        char path[300];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove_tree(path);
    }
    return store_teardown(state);
}

#define BULK_TEST(name) cmocka_unit_test_setup_teardown(name, bulk_setup, bulk_teardown)

/* ---- jobs ---------------------------------------------------------------------------------------
 */

/* PATIENTS with an observation each, whose text is LENGTH bytes or so. */
static void put_people(int patients, size_t length)
{
    for (int i = 0; i < patients; i++) {
        struct arena_mark mark = arena_mark(arena);
        size_t own = length * (size_t)(i % 3);
        char *text = arena_alloc(arena, own + 1);
        for (size_t at = 0; at < own; at++) {
            text[at] = (char)('a' + (at * 7 + (size_t)i) % 26);
        }
        text[own] = '\0';
        (void)must_put(arena_print(arena, "{'resourceType':'Patient','id':'p%d'}", i));
        (void)must_put(
            arena_print(arena,
                        "{'resourceType':'Observation','id':'o%d','status':'final','code':{'text':"
                        "'x%s'},'subject':{'reference':'Patient/p%d'}}",
                        i, text, i));
        arena_rewind(arena, mark);
    }
}

static struct bulk_ask everything(void)
{
    return (struct bulk_ask){.level = BULK_SYSTEM,
                             .base_url = SLICE("http://test/fhir"),
                             .url = SLICE("http://test/fhir/$export"),
                             .who = WHO};
}

static struct bulk_view wait_for(const char *id)
{
    struct bulk_view view = {.state = BULK_WAITING};
    for (int tries = 0; tries < 3000; tries++) {
        enum status status =
            bulk_look(bulk, slice_text(id), WHO, SLICE("http://test/fhir"), arena, &view);
        assert_true(status == STATUS_OK || status == STATUS_TOO_MANY);
        if (status == STATUS_OK && view.state >= BULK_DONE) {
            return view;
        }
        (void)usleep(20000);
    }
    fail_msg("the job does not end");
    return view;
}

static struct bulk_view run(const struct bulk_ask *ask, char id[static UUID_LENGTH + 1])
{
    assert_int_equal(bulk_start(bulk, ask, NULL, id), STATUS_OK);
    return wait_for(id);
}

/* The name of the manifest's file NUMBER of KIND. */
static struct slice file_name(const struct bulk_view *view, const char *kind, size_t number)
{
    struct json json;
    assert_int_equal(json_read(view->manifest, &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    struct slice url = json_get_string(yyjson_arr_get(json_get(json.root, kind), number), "url");
    size_t at = url.length;
    while (at > 0 && url.at[at - 1] != '/') {
        at--;
    }
    return slice_from(url, at);
}

static struct bulk_file *open_file(const char *id, struct slice name)
{
    struct bulk_file *file;
    assert_int_equal(bulk_file_open(bulk, slice_text(id), WHO, name, &file), STATUS_OK);
    return file;
}

static const struct bulk_access access_of_test = {.who = WHO, .request = SLICE("r")};

/* [from, end) in pieces of at most MAX. */
static struct slice read_range(const char *id, struct slice name, bool packed, uint64_t from,
                               uint64_t end, size_t max)
{
    struct bulk_file *file = open_file(id, name);
    struct buffer out = {.arena = arena};
    if (end == 0) {
        end = bulk_file_length(file, packed);
    }
    while (from < end) {
        size_t before = out.length;
        size_t most = end - from < max ? (size_t)(end - from) : max;
        assert_int_equal(bulk_file_read(file, packed, from, most, &access_of_test, &out),
                         STATUS_OK);
        assert_true(out.length > before && out.length - before <= most);
        from += out.length - before;
    }
    bulk_file_close(file);
    return buffer_slice(&out);
}

/* ---- the log ------------------------------------------------------------------------------------
 */

struct logged {
    uint32_t patients[1000];
    size_t count;
};

static enum status see_entry(void *context, uint64_t number, struct slice payload)
{
    struct logged *logged = context;
    struct audit_entry entry;
    (void)number;
    assert_true(audit_entry_read(payload, &entry));
    if (slice_is(entry.interaction, "export-file")) {
        assert_true(slice_equals(entry.who, WHO) && slice_is(entry.request, "r"));
        assert_true(logged->count < 1000);
        logged->patients[logged->count++] = entry.patient;
    }
    return STATUS_OK;
}

/* What came into the log since the first FROM. */
static struct logged log_since(size_t from)
{
    struct logged all = {.count = 0}, rest = {.count = 0};
    close_bulk();
    assert_int_equal(audit_read(folder, see_entry, &all, NULL), STATUS_OK);
    open_bulk();
    for (size_t i = from; i < all.count; i++) {
        for (size_t j = 0; j < rest.count; j++) {
            assert_int_not_equal(rest.patients[j], all.patients[i]);
        }
        rest.patients[rest.count++] = all.patients[i];
    }
    return rest;
}

/* ---- tests --------------------------------------------------------------------------------------
 */

static void any_part_of_a_file_is_as_in_the_whole(void **state)
{
    (void)state;
    char id[UUID_LENGTH + 1];
    put_people(30, 60000); /* lines up to 120 kB: many blocks, and lines over their ends */
    const struct bulk_ask ask = everything();
    struct bulk_view view = run(&ask, id);
    assert_int_equal(view.state, BULK_DONE);
    struct slice name = file_name(&view, "output", 0);
    struct slice plain = read_range(id, name, false, 0, 0, BULK_BLOCK);
    struct slice packed = read_range(id, name, true, 0, 0, 1000);
    struct buffer inflated = {.arena = arena};
    assert_int_equal(gzip_inflate(packed, (size_t)64 << 20, &inflated), STATUS_OK);
    assert_true(plain.length > 3 * BULK_BLOCK);
    assert_true(slice_equals(buffer_slice(&inflated), plain));
    struct random numbers;
    random_seed(&numbers, 7, 0);
    for (int round = 0; round < 60; round++) {
        bool of_packed = round % 2 == 0;
        struct slice whole = of_packed ? packed : plain;
        uint64_t from = random_below(&numbers, whole.length);
        uint64_t end = from + 1 + random_below(&numbers, whole.length - from);
        size_t max = 1 + (size_t)random_below(&numbers, 2 * BULK_BLOCK);
        struct slice part = read_range(id, name, of_packed, from, end, max < 500 ? 500 : max);
        assert_true(
            slice_equals(part, slice_head(slice_from(whole, (size_t)from), (size_t)(end - from))));
    }
}

/* Line by line: who is in a range is in the log of it. */
static void whoever_is_in_the_bytes_has_an_entry(void **state)
{
    (void)state;
    char id[UUID_LENGTH + 1];
    put_people(24, 40000);
    const struct bulk_ask ask = everything();
    struct bulk_view view = run(&ask, id);
    struct slice name = file_name(&view, "output", 0);
    struct slice whole = read_range(id, name, false, 0, 0, BULK_BLOCK);
    size_t seen = 24;
    assert_int_equal(log_since(0).count, seen);
    struct random numbers;
    random_seed(&numbers, 11, 0);
    for (int round = 0; round < 8; round++) {
        uint64_t from = random_below(&numbers, whole.length);
        uint64_t end = from + 1 + random_below(&numbers, whole.length - from);
        (void)read_range(id, name, false, from, end, 50000);
        struct logged logged = log_since(seen);
        seen += logged.count;
        size_t persons = 0;
        for (uint64_t at = 0; at < end;) {
            struct slice rest = slice_from(whole, (size_t)at);
            at += slice_index(rest, '\n') + 1;
            persons += at > from;
        }
        assert_int_equal(logged.count, persons); /* each line is of another */
    }
    (void)read_range(id, name, true, 0, 50, 50);
    struct logged first = log_since(seen);
    assert_true(first.count > 0 && first.count < 24);
}

static int refuse_write(int fd, const void *bytes, size_t length, off_t offset)
{
    (void)fd;
    (void)bytes;
    (void)length;
    (void)offset;
    errno = EIO;
    return -1;
}

static ssize_t failing_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return refuse_write(fd, bytes, length, offset);
}

static void what_cannot_be_logged_is_not_handed_out(void **state)
{
    (void)state;
    char id[UUID_LENGTH + 1];
    put_people(3, 10);
    const struct bulk_ask ask = everything();
    struct bulk_view view = run(&ask, id);
    for (int packed = 0; packed < 2; packed++) {
        struct bulk_file *file = open_file(id, file_name(&view, "output", 0));
        struct disk_operations broken = disk_system;
        struct buffer out = {.arena = arena};
        broken.pwrite = failing_pwrite;
        disk = &broken;
        enum status status = bulk_file_read(file, packed == 1, 0, 10, &access_of_test, &out);
        disk = &disk_system;
        assert_int_not_equal(status, STATUS_OK);
        assert_int_equal(out.length, 0);
        bulk_file_close(file);
    }
}

static void a_damaged_index_opens_nothing(void **state)
{
    (void)state;
    char id[UUID_LENGTH + 1], path[700];
    put_people(3, 10);
    const struct bulk_ask ask = everything();
    struct bulk_view view = run(&ask, id);
    struct slice name = file_name(&view, "output", 0);
    (void)snprintf(path, sizeof path, "%s/exports/%s/%.*s.index", folder, id, SLICE_ARGS(name));
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, about.st_size - 20), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, about.st_size - 20), 1);
    (void)close(fd);
    struct bulk_file *file;
    assert_int_equal(bulk_file_open(bulk, slice_text(id), WHO, name, &file), STATUS_CORRUPT);
}

static void nobody_else_sees_a_job(void **state)
{
    (void)state;
    char id[UUID_LENGTH + 1];
    struct bulk_file *file;
    struct bulk_view view;
    put_people(1, 10);
    const struct bulk_ask ask = everything();
    struct bulk_view own = run(&ask, id);
    struct slice name = file_name(&own, "output", 0), other = SLICE("another");
    assert_int_equal(bulk_look(bulk, slice_text(id), other, SLICE("b"), arena, &view),
                     STATUS_NOT_FOUND);
    assert_int_equal(bulk_file_open(bulk, slice_text(id), other, name, &file), STATUS_NOT_FOUND);
    assert_int_equal(bulk_cancel(bulk, slice_text(id), other), STATUS_NOT_FOUND);
    assert_int_equal(bulk_cancel(bulk, slice_text(id), WHO), STATUS_OK);
    assert_int_equal(bulk_look(bulk, slice_text(id), WHO, SLICE("b"), arena, &view),
                     STATUS_NOT_FOUND);
}

/* What was asked comes back from disk as it was. */
static void a_job_is_read_back_as_it_was_asked(void **state)
{
    (void)state;
    static const struct search_argument arguments[] = {
        {SLICE("status"), SLICE("not"), SLICE("fi\"nal")},
        {SLICE("code"), SLICE(""), SLICE("a|b")}};
    const struct bulk_filter filters[] = {{type_named("Observation"), arguments, 2}};
    const struct slice patients[] = {SLICE("p1"), SLICE("p2")},
                       elements[] = {SLICE("Patient.name")};
    const struct slice notes[] = {SLICE("a note\n")};
    const resource_type types[] = {type_named("Observation"), type_named("Patient")};
    struct bulk_ask ask = everything();
    ask.level = BULK_GROUP;
    ask.group = SLICE("g");
    ask.has_since = true;
    ask.since = 1234567890123456;
    ask.filters = filters;
    ask.patients = patients;
    ask.elements = elements;
    ask.notes = notes;
    ask.types = types;
    ask.filter_count = ask.element_count = ask.note_count = 1;
    ask.patient_count = ask.type_count = 2;
    struct job *job = job_create(bulk, "01234567-89ab-cdef-0123-456789abcdef");
    assert_non_null(job);
    assert_int_equal(job_take(job, &ask), STATUS_OK);
    assert_int_equal(job_save(job), STATUS_OK);
    struct job *again = job_create(bulk, job->id);
    assert_int_equal(job_load(again), STATUS_OK);
    const struct bulk_ask *got = &again->ask;
    assert_int_equal(got->level, BULK_GROUP);
    assert_true(slice_is(got->group, "g") && got->has_since && got->since == ask.since);
    assert_int_equal(got->patient_count, 2);
    assert_true(slice_is(got->patients[1], "p2") && slice_is(got->elements[0], "Patient.name"));
    assert_true(slice_is(got->notes[0], "a note\n") && slice_equals(got->who, WHO));
    assert_int_equal(got->types[1], types[1]);
    assert_int_equal(got->filters[0].type, types[0]);
    assert_int_equal(got->filters[0].count, 2);
    assert_true(slice_is(got->filters[0].arguments[0].modifier, "not"));
    assert_true(slice_is(got->filters[0].arguments[0].value, "fi\"nal"));
    assert_true(slice_is(got->filters[0].arguments[1].value, "a|b"));
    job_remove(job);
    job_destroy(job);
    job_destroy(again);
}

static size_t lines_of(const struct bulk_view *view, const char *id)
{
    struct json json;
    size_t lines = 0;
    assert_int_equal(json_read(view->manifest, &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    for (size_t i = 0; i < yyjson_arr_size(json_get(json.root, "output")); i++) {
        struct slice text = read_range(id, file_name(view, "output", i), false, 0, 0, BULK_BLOCK);
        for (size_t at = 0; at < text.length; at++) {
            lines += text.at[at] == '\n';
        }
    }
    return lines;
}

/* A filter that all meet makes the job go through everybody's records. */
static void few_patients_are_found_as_in_a_walk_through_all(void **state)
{
    (void)state;
    static const struct search_argument any[] = {{SLICE("status"), SLICE(""), SLICE("final")}};
    const struct bulk_filter filter = {type_named("Observation"), any, 1};
    const struct slice patients[] = {SLICE("p3"), SLICE("p5"), SLICE("p1")};
    char id[UUID_LENGTH + 1];
    put_people(9, 10);
    (void)must_put("{'resourceType':'Patient','id':'p5','link':[{'type':'seealso','other':"
                   "{'reference':'Patient/p7'}}]}");
    (void)must_put("{'resourceType':'Appointment','id':'both','status':'booked','participant':["
                   "{'status':'accepted','actor':{'reference':'Patient/p1'}},"
                   "{'status':'accepted','actor':{'reference':'Patient/p3'}},"
                   "{'status':'accepted','actor':{'reference':'Patient/p8'}}]}");
    (void)must_put("{'resourceType':'Organization','id':'o','name':'O'}");
    struct bulk_ask ask = everything();
    ask.level = BULK_PATIENTS;
    ask.patients = patients;
    ask.patient_count = 3;
    struct bulk_view view = run(&ask, id);
    assert_int_equal(lines_of(&view, id), 9); /* p1 p3 p5 p7, an observation each, one together */
    ask.filters = &filter;
    ask.filter_count = 1;
    view = run(&ask, id);
    assert_int_equal(lines_of(&view, id), 9);
    const resource_type types[] = {type_named("Appointment"), type_named("Patient")};
    ask.types = types;
    ask.type_count = 2;
    ask.filter_count = 0;
    view = run(&ask, id);
    assert_int_equal(lines_of(&view, id), 5);
}

/* ---- faults -------------------------------------------------------------------------------------
 */

static _Atomic long countdown; /* operations that still succeed; negative: all do */

static bool fails_now(void)
{
    return atomic_load(&countdown) >= 0 && atomic_fetch_sub(&countdown, 1) == 0;
}

static ssize_t counted_pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    if (fails_now()) {
        errno = ENOSPC;
        return -1;
    }
    return disk_system.pwrite(fd, bytes, length, offset);
}

static int counted_fsync(int fd)
{
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return disk_system.fsync(fd);
}

static int counted_rename(const char *from, const char *to)
{
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return disk_system.rename(from, to);
}

static int counted_open(const char *path, int flags, mode_t mode)
{
    if (fails_now()) {
        errno = EIO;
        return -1;
    }
    return disk_system.open(path, flags, mode);
}

/* One operation of the disk fails after another: the job ends as failed, or is done and whole. */
static void each_fault_ends_a_job_and_leaves_whole_files(void **state)
{
    (void)state;
    static struct disk_operations counted;
    char id[UUID_LENGTH + 1];
    size_t failed = 0, refused = 0, done = 0;
    put_people(8, 10);
    struct bulk_ask ask = everything();
    counted = disk_system;
    counted.pwrite = counted_pwrite;
    counted.fsync = counted_fsync;
    counted.rename = counted_rename;
    counted.open = counted_open;
    disk = &counted;
    for (long fault = 0; done < 2 && fault < 200; fault++) {
        atomic_store(&countdown, fault);
        if (bulk_start(bulk, &ask, NULL, id) != STATUS_OK) {
            refused++;
            continue;
        }
        struct bulk_view view = wait_for(id);
        bool told = atomic_load(&countdown) >= 0;
        atomic_store(&countdown, -1);
        failed += view.state == BULK_FAILED;
        done += view.state == BULK_DONE && told;
        if (view.state == BULK_DONE) {
            for (size_t i = 0; i < 2; i++) {
                struct slice text =
                    read_range(id, file_name(&view, "output", i), false, 0, 0, BULK_BLOCK);
                size_t lines = 0;
                for (size_t at = 0; at < text.length; at++) {
                    lines += text.at[at] == '\n';
                }
                assert_int_equal(lines, 8);
            }
        } else {
            assert_true(view.status == STATUS_NO_SPACE || view.status == STATUS_IO);
        }
        assert_int_equal(bulk_cancel(bulk, slice_text(id), WHO), STATUS_OK);
    }
    atomic_store(&countdown, -1);
    assert_true(refused > 3 && failed > 10 && done == 2);
}

/* Memory ends at one place after another; the job tries again, or fails and says so. */
static void memory_that_ends_does_not_end_the_service(void **state)
{
    (void)state;
    char id[UUID_LENGTH + 1];
    put_people(4, 10);
    struct bulk_ask ask = everything();
    for (unsigned long place = 1; place < 400; place += 17) {
        (void)arena_fail_after(place);
        enum status status = bulk_start(bulk, &ask, NULL, id);
        if (status != STATUS_OK) {
            (void)arena_fail_after(0);
            continue;
        }
        (void)usleep(20000);
        (void)arena_fail_after(0);
        struct bulk_view view = wait_for(id);
        assert_true(view.state == BULK_DONE || view.status != STATUS_OK);
        assert_int_equal(bulk_cancel(bulk, slice_text(id), WHO), STATUS_OK);
    }
    struct bulk_view view = run(&ask, id);
    assert_int_equal(view.state, BULK_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BULK_TEST(any_part_of_a_file_is_as_in_the_whole),
        BULK_TEST(whoever_is_in_the_bytes_has_an_entry),
        BULK_TEST(what_cannot_be_logged_is_not_handed_out),
        BULK_TEST(a_damaged_index_opens_nothing),
        BULK_TEST(nobody_else_sees_a_job),
        BULK_TEST(a_job_is_read_back_as_it_was_asked),
        BULK_TEST(few_patients_are_found_as_in_a_walk_through_all),
        BULK_TEST(each_fault_ends_a_job_and_leaves_whole_files),
        BULK_TEST(memory_that_ends_does_not_end_the_service),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
