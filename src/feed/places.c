/* SPDX-License-Identifier: MIT */
/* Where $import may fetch files from. URLs are read by the library that fetches them, so that what
 * is judged is what is fetched; paths are walked name by name, so that no link leads out. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed/jobs_int.h"

#define URL_MOST 8192

struct place {
    struct slice scheme, host, port, path; /* of the parsed URL, host in lower case */
    const char *whole;
};

struct places {
    struct place *items;
    size_t count;
    const char *folder; /* NULL: none */
};

/* ---- URLs ---------------------------------------------------------------------------------------
 */

static void free_url(void *url)
{
    curl_url_cleanup(url);
}

static struct slice part_of(CURLU *url, CURLUPart part, unsigned flags, struct arena *arena)
{
    char *text = NULL;
    struct slice copy = {0};
    if (curl_url_get(url, part, &text, flags) == CURLUE_OK) {
        copy = arena_copy(arena, slice_text(text));
    }
    curl_free(text);
    return copy;
}

static struct slice lower(struct slice text, struct arena *arena)
{
    char *copy = arena_zero(arena, text.length + 1);
    for (size_t i = 0; copy != NULL && i < text.length; i++) {
        char c = text.at[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return slice_of(copy, copy != NULL ? text.length : 0);
}

/* Bytes that readers of URLs understand differently; and dots that are hidden from the reader that
 * takes them out. */
static bool is_plain(struct slice url)
{
    for (size_t i = 0; i < url.length; i++) {
        unsigned char c = (unsigned char)url.at[i];
        if (c <= ' ' || c >= 127 || c == '\\' || c == '#') {
            return false;
        }
        struct slice escape = slice_head(slice_from(url, i), 3);
        if (slice_equals_ignoring_case(escape, SLICE("%2e")) ||
            slice_equals_ignoring_case(escape, SLICE("%2f")) ||
            slice_equals_ignoring_case(escape, SLICE("%5c"))) {
            return url.length > i && memchr(url.at, '?', i) != NULL;
        }
    }
    return url.length > 0 && url.length <= URL_MOST;
}

static enum status read_url(struct slice text, struct arena *arena, struct place *ret_place)
{
    CURLU *url = curl_url();
    const char *copy = arena_print(arena, "%.*s", SLICE_ARGS(text));
    if (url == NULL || copy == NULL) {
        curl_url_cleanup(url);
        return STATUS_MEMORY;
    }
    TRY(arena_defer(arena, free_url, url));
    if (!is_plain(text) ||
        curl_url_set(url, CURLUPART_URL, copy, CURLU_DISALLOW_USER) != CURLUE_OK) {
        return STATUS_VALUE;
    }
    *ret_place = (struct place){.scheme = lower(part_of(url, CURLUPART_SCHEME, 0, arena), arena),
                                .host = lower(part_of(url, CURLUPART_HOST, 0, arena), arena),
                                .port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, arena),
                                .path = part_of(url, CURLUPART_PATH, 0, arena)};
    struct slice whole = part_of(url, CURLUPART_URL, 0, arena);
    ret_place->whole = arena_print(arena, "%.*s", SLICE_ARGS(whole));
    bool http = slice_is(ret_place->scheme, "http") || slice_is(ret_place->scheme, "https");
    if (arena_full(arena)) {
        return STATUS_MEMORY;
    }
    return http && ret_place->host.length > 0 && whole.length > 0 ? STATUS_OK : STATUS_VALUE;
}

/* "/exports" is "/exports", "/exports?..." and "/exports/...", but not "/exports2". */
static bool is_below(struct slice path, struct slice top)
{
    return slice_starts(path, top) &&
           (path.length == top.length || slice_ends(top, SLICE("/")) || path.at[top.length] == '/');
}

bool places_is_file(struct slice url)
{
    return slice_equals_ignoring_case(slice_head(url, 5), SLICE("file:"));
}

enum status places_read(const struct config_list *urls, const char *folder, struct arena *arena,
                        struct outcome *outcome, struct places **ret_places)
{
    struct places *places = ARENA_NEW(arena, struct places);
    struct place *items = arena_array(arena, urls->count + 1, sizeof *items);
    if (places == NULL || items == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < urls->count; i++) {
        struct slice text = slice_text(urls->items[i]);
        enum status status = read_url(text, arena, &items[i]);
        if (status == STATUS_VALUE || memchr(text.at, '?', text.length) != NULL) {
            return outcome_fail(outcome, STATUS_VALUE, "import-url",
                                "Give what URLs begin with: https, host and path, as "
                                "https://files.example.org/exports/.");
        }
        TRY(status);
    }
    *places = (struct places){.items = items, .count = urls->count};
    if (folder[0] != '\0') {
        char *real = arena_zero(arena, PATH_MAX);
        if (real == NULL || realpath(folder, real) == NULL) {
            return outcome_fail(outcome, STATUS_VALUE, "import-folder",
                                "There is no such folder, or it may not be entered.");
        }
        places->folder = real;
    }
    *ret_places = places;
    return STATUS_OK;
}

enum status places_allow(const struct places *places, struct slice url, struct arena *arena,
                         struct outcome *outcome, const char **ret_url)
{
    struct place asked;
    enum status status = read_url(url, arena, &asked);
    if (status == STATUS_VALUE) {
        return outcome_fail(outcome, STATUS_VALUE, "input.url",
                            "Give an absolute https URL without user name, fragment, blanks and "
                            "encoded dots or slashes in its path.");
    }
    TRY(status);
    for (size_t i = 0; i < places->count; i++) {
        const struct place *place = &places->items[i];
        if (slice_equals(asked.scheme, place->scheme) && slice_equals(asked.host, place->host) &&
            slice_equals(asked.port, place->port) && is_below(asked.path, place->path)) {
            *ret_url = asked.whole;
            return STATUS_OK;
        }
    }
    return outcome_fail(outcome, STATUS_FORBIDDEN, "input.url",
                        "Files may not be fetched from there: the operator lists what may be, with "
                        "the setting import-url.");
}

/* ---- files --------------------------------------------------------------------------------------
 */

static enum status no_file(struct outcome *outcome)
{
    return outcome_fail(outcome, STATUS_FORBIDDEN, "input.url",
                        "There is no such file that may be read: it must be a regular file below "
                        "the folder that the operator names with import-folder, and no link.");
}

/* The path below the folder, decoded; "file:///folder/a/b" and "file:/folder/a/b". */
static bool path_below(const struct places *places, struct slice url, struct arena *arena,
                       struct slice *ret_path)
{
    struct buffer path = {.arena = arena};
    struct slice rest = slice_from(url, strlen("file:"));
    if (slice_starts(rest, SLICE("//"))) {
        rest = slice_from(rest, 2);
        rest =
            slice_starts(rest, SLICE("localhost/")) ? slice_from(rest, strlen("localhost")) : rest;
    }
    struct slice folder = slice_text(places->folder);
    if (!slice_starts(rest, SLICE("/")) || !url_decode(rest, false, &path) || !buffer_ok(&path) ||
        !slice_starts(buffer_slice(&path), folder)) {
        return false;
    }
    *ret_path = slice_from(buffer_slice(&path), folder.length);
    return slice_starts(*ret_path, SLICE("/")) || slice_ends(folder, SLICE("/"));
}

/* One name after the other, from the folder down, and no link among them. */
static int walk(const char *folder, struct slice path, struct arena *arena)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (at >= 0 && path.at != NULL && path.length > 0) {
        struct slice part = slice_cut(&path, '/');
        const char *name = arena_print(arena, "%.*s", SLICE_ARGS(part));
        bool last = path.at == NULL || path.length == 0;
        if (part.length == 0 && !last) {
            continue;
        }
        int next = -1;
        if (name != NULL && part.length > 0 && !slice_is(part, ".") && !slice_is(part, "..")) {
            next = openat(at, name,
                          O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK : O_DIRECTORY));
        }
        (void)close(at);
        at = next;
    }
    return at;
}

enum status places_open(const struct places *places, struct slice url, struct arena *arena,
                        struct outcome *outcome, int *ret_file)
{
    struct slice path;
    struct stat about;
    *ret_file = -1;
    if (places->folder == NULL || !path_below(places, url, arena, &path)) {
        return no_file(outcome);
    }
    int file = walk(places->folder, path, arena);
    if (file < 0) {
        return no_file(outcome);
    }
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)close(file);
        return no_file(outcome);
    }
    *ret_file = file;
    return STATUS_OK;
}
