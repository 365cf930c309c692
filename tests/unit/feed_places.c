/* SPDX-License-Identifier: MIT */
/* Where $import may fetch from: what is not plainly a listed place is none. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "feed/jobs_int.h"
#include "testing.h"

static struct places *read_places(struct arena *arena, const char *url, const char *folder)
{
    const char *urls[] = {url};
    const struct config_list list = {.items = urls, .count = url != NULL};
    struct outcome outcome;
    struct places *places = NULL;
    outcome_init(&outcome, arena);
    assert_int_equal(places_read(&list, folder, arena, &outcome, &places), STATUS_OK);
    return places;
}

static enum status allow(struct arena *arena, const char *place, const char *url)
{
    struct outcome outcome;
    const char *plain = NULL;
    outcome_init(&outcome, arena);
    enum status status =
        places_allow(read_places(arena, place, ""), slice_text(url), arena, &outcome, &plain);
    assert_int_equal(plain != NULL, status == STATUS_OK);
    assert_int_equal(outcome.errors, status != STATUS_OK);
    if (outcome.errors > 0) { /* nothing of the address: it may hold a signature */
        struct slice text = outcome.first->text;
        assert_null(memmem(text.at, text.length, "k=v", 3));
    }
    return status;
}

static void tells_places_apart(void **state)
{
    static const struct {
        const char *place, *url;
        enum status status;
    } rows[] = {
        {"https://a.example/x/", "https://a.example/x/f?k=v", STATUS_OK},
        {"https://a.example/x/", "https://a.example/x/", STATUS_OK},
        {"https://a.example/x/", "HTTPS://A.EXAMPLE/x/f", STATUS_OK},
        {"https://A.example:443/x/", "https://a.example/x/f", STATUS_OK},
        {"https://a.example", "https://a.example/f?k=v/../..", STATUS_OK},
        {"https://a.example/x", "https://a.example/x?k=v", STATUS_OK},
        {"https://a.example/x", "https://a.example/x/f", STATUS_OK},
        {"https://a.example/x", "https://a.example/x2/f?k=v", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://a.example/x", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://a.example/y/../x/../f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://a.example/X/f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "http://a.example/x/f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "http://a.example:443/x/f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://a.example:8443/x/f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://a.example.evil.example/x/f", STATUS_FORBIDDEN},
        {"https://a.example", "https://a.example.evil.example/", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://sub.a.example/x/f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "https://a.example@evil.example/x/f", STATUS_VALUE},
        {"https://a.example/x/", "https://me:k=v@a.example/x/f", STATUS_VALUE},
        {"https://a.example/x/", "https://a.example/x/%2E%2e/f", STATUS_VALUE},
        {"https://a.example/x/", "https://a.example/x/..%2Ff", STATUS_VALUE},
        {"https://a.example/x/", "https://a.example/x/..\\f", STATUS_VALUE},
        {"https://a.example/x/", "https://a.example/x/f#k=v", STATUS_VALUE},
        {"https://a.example/x/", "https://a.example/x/a b", STATUS_VALUE},
        {"https://a.example/x/", "https://a.example/x/\n", STATUS_VALUE},
        {"https://a.example/x/", "ftp://a.example/x/f", STATUS_VALUE},
        {"https://a.example/x/", "file:///x/f", STATUS_VALUE},
        {"https://a.example/x/", "//a.example/x/f", STATUS_VALUE},
        {"https://a.example/x/", "/x/f", STATUS_VALUE},
        {"https://a.example/x/", "a.example/x/f", STATUS_VALUE},
        {"https://a.example/x/", "https:///x/f", STATUS_FORBIDDEN},
        {"https://a.example/x/", "", STATUS_VALUE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum status status = allow(*state, rows[i].place, rows[i].url);
        if (status != rows[i].status) {
            fail_msg("%s under %s: %s", rows[i].url, rows[i].place, status_name(status));
        }
    }
}

static void allows_nothing_while_nothing_is_listed(void **state)
{
    assert_int_equal(allow(*state, NULL, "https://a.example/"), STATUS_FORBIDDEN);
    assert_int_equal(allow(*state, NULL, "http://127.0.0.1/"), STATUS_FORBIDDEN);
}

static void a_url_of_any_length_is_judged(void **state)
{
    struct arena *arena = *state;
    struct buffer url = {.arena = arena};
    buffer_add_text(&url, "https://a.example/x/");
    while (url.length < 100000) {
        buffer_add_byte(&url, 'a');
    }
    buffer_add_byte(&url, '\0');
    assert_int_equal(allow(arena, "https://a.example/x/", url.at), STATUS_VALUE);
}

static enum status open_at(struct arena *arena, const char *folder, const char *url)
{
    struct outcome outcome;
    int file;
    outcome_init(&outcome, arena);
    enum status status =
        places_open(read_places(arena, NULL, folder), slice_text(url), arena, &outcome, &file);
    assert_int_equal(file >= 0, status == STATUS_OK);
    if (file >= 0) {
        assert_int_equal(close(file), 0);
    }
    return status;
}

static char *make_folder(struct arena *arena)
{
    const char *parent = getenv("TMPDIR");
    const char *path =
        arena_print(arena, "%s/carelayer-places-XXXXXX", parent != NULL ? parent : P_tmpdir);
    assert_non_null(path);
    char *folder = (char *)(uintptr_t)path;
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void no_name_leads_out_of_the_folder(void **state)
{
    struct arena *arena = *state;
    const char *folder = make_folder(arena);
    const char *path = arena_print(arena, "%s/f.ndjson", folder);
    assert_int_equal(close(open(path, O_WRONLY | O_CREAT, 0600)), 0);
    const char *link = arena_print(arena, "%s/link", folder);
    assert_int_equal(symlink("f.ndjson", link), 0);
    static const char *const good[] = {"file://%s/f.ndjson", "file:%s/f.ndjson",
                                       "FILE://localhost%s/f.ndjson", "file://%s//f.ndjson",
                                       "file://%s/%%66.ndjson"};
    static const char *const bad[] = {"file://%s/../../etc/passwd",
                                      "file://%s/./f.ndjson",
                                      "file://%s/link",
                                      "file://%s",
                                      "file://%s/",
                                      "file://%s2/f.ndjson",
                                      "file://%s/f.ndjson/x",
                                      "file://other%s/f.ndjson",
                                      "file:etc/passwd",
                                      "file://%s/f.ndjson%%00"};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(open_at(arena, folder, arena_print(arena, good[i], folder)), STATUS_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *url = arena_print(arena, bad[i], folder);
        if (open_at(arena, folder, url) != STATUS_FORBIDDEN) {
            fail_msg("%s is opened", url);
        }
    }
#pragma GCC diagnostic pop
    assert_int_equal(open_at(arena, "", arena_print(arena, "file://%s", path)), STATUS_FORBIDDEN);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- the outcomes of a file ---- */

static void each_line_is_told_once(void **state)
{
    struct arena *arena = *state;
    const char *folder = make_folder(arena);
    const char *from = arena_print(arena, "%s/rejects", folder);
    const char *to = arena_print(arena, "%s/outcomes", folder);
    struct buffer text = {.arena = arena};
    struct outcome outcome;
    struct slice told;
    uint64_t count;
    outcome_init(&outcome, arena);
    assert_int_equal(outcomes_write(from, to, &outcome, &count), STATUS_OK);
    assert_int_equal(count, 0);
    for (int i = 0; i < 30000; i++) {
        buffer_print(&text, "line %d\n", i % 20000);
    }
    assert_int_equal(disk_replace_file(from, buffer_slice(&text)), STATUS_OK);
    (void)outcome_fail(&outcome, STATUS_NOT_FOUND, "", "gone");
    assert_int_equal(outcomes_write(from, to, &outcome, &count), STATUS_OK);
    assert_int_equal(count, 20001);
    assert_int_equal(disk_read_file(to, 1 << 20, arena, &told), STATUS_OK);
    for (int i = 0; i < 20000; i++) {
        assert_true(slice_is(slice_cut(&told, '\n'), arena_print(arena, "line %d", i)));
    }
    assert_true(slice_starts(told, SLICE("{\"resourceType\":\"OperationOutcome\"")));
    assert_int_equal(unlink(from), 0);
    assert_int_equal(unlink(to), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_ARENA(tells_places_apart),
        TEST_IN_ARENA(allows_nothing_while_nothing_is_listed),
        TEST_IN_ARENA(a_url_of_any_length_is_judged),
        TEST_IN_ARENA(no_name_leads_out_of_the_folder),
        TEST_IN_ARENA(each_line_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
