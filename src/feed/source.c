/* SPDX-License-Identifier: MIT */
/* Files of JSON, plain or gzip, cut into units. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "feed/feed_int.h"

#define UNIT_LINES     500
#define UNIT_BYTES     ((size_t)1 << 20)
#define DOCUMENT_LIMIT ((size_t)1 << 30)
#define WINDOW_FIRST   ((size_t)1 << 20)

static enum status fail(struct source *source, struct outcome *outcome, enum status status,
                        const char *what)
{
    return outcome_fail(outcome, status, source->name, "%s", what);
}

/* Reads more into the window, which grows when it is full. */
static enum status fill(struct source *source, struct outcome *outcome)
{
    if (source->start > 0) {
        memmove(source->window, source->window + source->start, source->end - source->start);
        source->end -= source->start;
        source->start = 0;
    }
    if (source->end == source->capacity) {
        size_t capacity = source->capacity == 0 ? WINDOW_FIRST : source->capacity * 2;
        if (capacity > DOCUMENT_LIMIT) {
            return fail(source, outcome, STATUS_TOO_LONG,
                        "One document or line is longer than 1 GiB: split it.");
        }
        char *larger = arena_resize(source->arena, source->window, source->capacity, capacity);
        if (larger == NULL) {
            return fail(source, outcome, STATUS_MEMORY,
                        "There is no memory to read the file: try again when there is.");
        }
        source->window = larger;
        source->capacity = capacity;
    }
    size_t room = source->capacity - source->end;
    size_t count;
    if (gzip_reader_read(source->file, source->window + source->end,
                         room < UNIT_BYTES ? room : UNIT_BYTES, &count) != STATUS_OK) {
        return fail(source, outcome, STATUS_STRUCTURE,
                    "The file cannot be read to its end: it is no whole gzip file, or the disk "
                    "fails.");
    }
    source->at_end = count == 0;
    source->end += count;
    return STATUS_OK;
}

/* NDJSON has a whole JSON object in its first line; a document that fits in one line is read the
 * same way. Only brackets are counted: whether it is JSON is found out where it is read. */
static bool first_line_is_whole(const struct source *source)
{
    struct slice text = slice_of(source->window, source->end);
    size_t end = slice_index(text, '\n');
    bool ends = end < text.length;
    text = slice_trim(slice_head(text, end));
    bool inside = false; /* a string */
    int64_t depth = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (inside) {
            i += c == '\\';
            inside = c != '"';
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return ends && slice_starts(text, SLICE("{")) && depth == 0 && !inside;
}

enum status source_open(const char *path, bool ndjson, struct outcome *outcome,
                        struct source *ret_source)
{
    bool is_stdin = strcmp(path, "-") == 0;
    *ret_source = (struct source){.name = is_stdin ? "(stdin)" : path, .line = 1};
    ret_source->arena = arena_create(DOCUMENT_LIMIT * 2 + WINDOW_FIRST);
    int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    enum status opened = fd >= 0 ? STATUS_MEMORY : disk_status(errno); /* if there is no reader */
    ret_source->file = fd >= 0 ? gzip_reader_open(fd) : NULL;
    if (ret_source->file == NULL || ret_source->arena == NULL) {
        enum status status =
            fail(ret_source, outcome, opened,
                 opened == STATUS_MEMORY ? "There is no memory to read the file."
                                         : "The file cannot be opened: check its name and that it "
                                           "may be read.");
        source_close(ret_source);
        return status;
    }
    while (!ret_source->at_end &&
           slice_index(slice_of(ret_source->window, ret_source->end), '\n') == ret_source->end) {
        enum status status = fill(ret_source, outcome);
        if (status != STATUS_OK) {
            source_close(ret_source);
            return status;
        }
    }
    ret_source->lines = ndjson || first_line_is_whole(ret_source);
    return STATUS_OK;
}

void source_close(struct source *source)
{
    gzip_reader_close(source->file);
    arena_destroy(source->arena);
    *source = (struct source){0};
}

static enum status next_document(struct source *source, struct outcome *outcome,
                                 struct slice *ret_text)
{
    while (!source->at_end) {
        TRY(fill(source, outcome));
    }
    *ret_text = slice_of(source->window + source->start, source->end - source->start);
    source->start = source->end;
    return STATUS_OK;
}

/* The end of as many whole lines as make a unit; the start: there is no whole line yet. */
static size_t end_of_unit(const struct source *source, uint64_t *lines)
{
    size_t at = source->start;
    size_t whole = source->start;
    *lines = 0;
    while (*lines < UNIT_LINES && at - source->start < UNIT_BYTES) {
        char *newline = memchr(source->window + at, '\n', source->end - at);
        if (newline == NULL) {
            break;
        }
        at = whole = (size_t)(newline - source->window) + 1;
        (*lines)++;
    }
    if (source->at_end && *lines < UNIT_LINES && at < source->end &&
        at - source->start < UNIT_BYTES) {
        whole = source->end; /* the last line need not end */
        (*lines)++;
    }
    return whole;
}

/* Units are cut by what the file holds alone, so that a resumed import cuts them alike. */
static bool unit_is_certain(const struct source *source, size_t end, uint64_t lines)
{
    return source->at_end || lines >= UNIT_LINES || end - source->start >= UNIT_BYTES;
}

static enum status next_lines(struct source *source, struct outcome *outcome,
                              struct slice *ret_text)
{
    uint64_t lines;
    size_t end = end_of_unit(source, &lines);
    while (!unit_is_certain(source, end, lines)) {
        TRY(fill(source, outcome));
        end = end_of_unit(source, &lines);
    }
    *ret_text = slice_of(source->window + source->start, end - source->start);
    source->start = end;
    source->line += lines;
    return STATUS_OK;
}

enum status source_next(struct source *source, struct outcome *outcome, struct slice *ret_text,
                        uint64_t *ret_line)
{
    *ret_line = source->line;
    return source->lines ? next_lines(source, outcome, ret_text)
                         : next_document(source, outcome, ret_text);
}
