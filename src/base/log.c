/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "time.h"

#define LINE_LENGTH 4096
#define TEXT_MOST   256 /* bytes of one field's text */
#define FIELDS_MOST 8
#define KIND_TEXT   true
#define KIND_NUMBER false

struct field_row {
    const char *name;
    bool is_text;
    enum log_class class;
};

static const struct field_row fields[LOG_FIELD_LAST] = {
#define LOG_FIELD_ROW(name, json, kind, class) {json, KIND_##kind, class},
    LOG_FIELDS(LOG_FIELD_ROW)
#undef LOG_FIELD_ROW
};

struct event_row {
    const char *name;
    enum log_level level;
    const char *text;
};

static const struct event_row events[LOG_EVENT_LAST] = {
#define LOG_EVENT_ROW(name, level, text) {#name, level, text},
    LOG_EVENTS(LOG_EVENT_ROW)
#undef LOG_EVENT_ROW
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static _Atomic int lowest = LOG_INFO;
static _Atomic int target = STDERR_FILENO;

void log_level_set(enum log_level level)
{
    atomic_store(&lowest, (int)level);
}

void log_target_set(int fd)
{
    atomic_store(&target, fd);
}

/* Logging must work when there is no memory, so a line is made on the stack. Each field is known
 * to fit: names are short, texts are cut, and there are at most FIELDS_MOST of them. */
struct line {
    char at[LINE_LENGTH];
    size_t length;
};

static void add(struct line *line, const char *text)
{
    size_t length = strlen(text);
    assert(length <= sizeof line->at - line->length);
    memcpy(line->at + line->length, text, length);
    line->length += length;
}

static void add_string(struct line *line, const char *text)
{
    size_t length = strnlen(text, TEXT_MOST);
    bool sound = slice_is_utf8(slice_of(text, strlen(text)));
    /* Not in the middle of a character. */
    while (sound && length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
        length--;
    }
    add(line, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        char piece[2] = {(char)byte, '\0'};
        if (byte == '"' || byte == '\\') {
            add(line, "\\");
        } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !sound)) {
            piece[0] = '?';
        }
        add(line, piece);
    }
    add(line, "\"");
}

/* "server_started" of LOG_SERVER_STARTED. */
static void add_event_name(struct line *line, const char *name)
{
    add(line, "\"");
    for (const char *at = name + sizeof "LOG_" - 1; *at != '\0'; at++) {
        char piece[2] = {(char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at), '\0'};
        add(line, piece);
    }
    add(line, "\"");
}

static void add_value(struct line *line, const struct log_value *value)
{
    assert((unsigned)value->field < LOG_FIELD_LAST);
    const struct field_row *field = &fields[value->field];
    assert(!field->is_text || value->text != NULL);
    assert(field->is_text || value->text == NULL);
    add(line, ",\"");
    add(line, field->name);
    add(line, "\":");
    if (field->is_text) {
        add_string(line, value->text);
    } else {
        char number[24];
        (void)snprintf(number, sizeof number, "%lld", (long long)value->number);
        add(line, number);
    }
}

void log_write(enum log_event event, const struct log_value *values, size_t count)
{
    assert((unsigned)event < LOG_EVENT_LAST && count <= FIELDS_MOST);
    const struct event_row *row = &events[event];
    if ((int)row->level < atomic_load_explicit(&lowest, memory_order_relaxed)) {
        return;
    }
    int error = errno; /* the caller may not have looked at it yet */
    struct line line;
    line.length = 0;
    char instant[INSTANT_LENGTH + 1];
    instant_write(time_now(), instant);
    add(&line, "{\"time\":\"");
    add(&line, instant);
    add(&line, "\",\"level\":\"");
    add(&line, level_names[row->level]);
    add(&line, "\",\"event\":");
    add_event_name(&line, row->name);
    add(&line, ",\"message\":");
    add_string(&line, row->text);
    for (size_t i = 0; i < count; i++) {
        add_value(&line, &values[i]);
    }
    add(&line, "}\n");
    ssize_t written = 0;
    do {
        written = write(atomic_load(&target), line.at, line.length);
    } while (written < 0 && errno == EINTR);
    errno = error;
}
