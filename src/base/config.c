/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "buffer.h"
#include "disk.h"

#define FILE_MOST ((size_t)1 << 20)

struct row {
    const char *name;
    enum config_kind kind;
    const char *value; /* default, as it would be written */
    int64_t low, high;
    const char *meaning;
    size_t offset; /* of the member in struct config */
};

static const struct row rows[] = {
#define CONFIG_ROW(member, name, kind, value, low, high, meaning)                                  \
    {name, kind, value, low, high, meaning, offsetof(struct config, member)},
    CONFIG_TABLE(CONFIG_ROW)
#undef CONFIG_ROW
};

#define ROWS (sizeof rows / sizeof rows[0])

static const struct row *find_row(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

#define NAME_MOST 40

/* How many letters must be added, taken out or changed to make one name of the other. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MOST + 1];
    size_t length = strlen(b);
    if (length > NAME_MOST) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t changed = corner + (a[i] != b[j]);
            corner = row[j + 1];
            size_t shorter = row[j] < corner ? row[j] : corner;
            row[j + 1] = changed < shorter + 1 ? changed : shorter + 1;
        }
    }
    return row[length];
}

static const char *nearest_name(const char *name)
{
    const char *nearest = NULL;
    size_t best = 4; /* further away than this is no help */
    for (size_t i = 0; i < ROWS && strlen(name) <= NAME_MOST; i++) {
        size_t far = distance(rows[i].name, name);
        if (far < best) {
            best = far;
            nearest = rows[i].name;
        }
    }
    return nearest;
}

static bool parse_number(const struct row *row, const char *text, int64_t *ret_number)
{
    struct slice digits = slice_text(text);
    uint64_t factor = 1;
    if (row->kind == CONFIG_BYTES && digits.length > 0) {
        switch (digits.at[digits.length - 1]) {
        case 'k':
        case 'K':
            factor = UINT64_C(1) << 10;
            break;
        case 'm':
        case 'M':
            factor = UINT64_C(1) << 20;
            break;
        case 'g':
        case 'G':
            factor = UINT64_C(1) << 30;
            break;
        default:
            break;
        }
        digits = slice_head(digits, digits.length - (factor > 1 ? 1 : 0));
    }
    uint64_t number = 0;
    if (!slice_to_unsigned(digits, INT64_MAX / factor, &number)) {
        return false;
    }
    *ret_number = (int64_t)(number * factor);
    return *ret_number >= row->low && *ret_number <= row->high;
}

static bool parse_switch(const char *text, bool *ret_on)
{
    if (strcmp(text, "on") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 ||
        strcmp(text, "1") == 0) {
        *ret_on = true;
        return true;
    }
    *ret_on = false;
    return strcmp(text, "off") == 0 || strcmp(text, "false") == 0 || strcmp(text, "no") == 0 ||
           strcmp(text, "0") == 0;
}

static bool add_item(struct config_list *list, const char *item, struct arena *arena)
{
    const char **items = arena_array(arena, list->count + 1, sizeof *items);
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        items[i] = list->items[i];
    }
    items[list->count] = item;
    list->items = items;
    list->count++;
    return true;
}

static enum status bad_value(const struct row *row, struct outcome *outcome)
{
    switch (row->kind) {
    case CONFIG_SWITCH:
        return outcome_fail(outcome, STATUS_VALUE, row->name, "Give %s as on or off.", row->name);
    case CONFIG_BYTES:
        return outcome_fail(outcome, STATUS_VALUE, row->name,
                            "Give %s as a number of bytes, with k, M or G if you like, from %lld "
                            "to %lld.",
                            row->name, (long long)row->low, (long long)row->high);
    default:
        return outcome_fail(outcome, STATUS_VALUE, row->name,
                            "Give %s as a whole number%s from %lld to %lld.", row->name,
                            row->kind == CONFIG_SECONDS ? " of seconds" : "", (long long)row->low,
                            (long long)row->high);
    }
}

/* TEXT must live as long as the configuration. */
static bool store(const struct row *row, struct config *config, const char *text,
                  struct arena *arena)
{
    void *member = (char *)config + row->offset;
    switch (row->kind) {
    case CONFIG_TEXT:
        *(const char **)member = text;
        return true;
    case CONFIG_SWITCH:
        return parse_switch(text, member);
    case CONFIG_LIST:
        return add_item(member, text, arena);
    default:
        return parse_number(row, text, member);
    }
}

void config_init(struct config *config)
{
    *config = (struct config){0};
    for (size_t i = 0; i < ROWS; i++) {
        bool fits = rows[i].kind == CONFIG_LIST || store(&rows[i], config, rows[i].value, NULL);
        assert(fits);
        (void)fits;
    }
}

static enum status set(const struct row *row, struct config *config, const char *value,
                       struct arena *arena, struct outcome *outcome)
{
    struct slice copy = arena_copy(arena, slice_text(value));
    struct config tried = *config;
    bool fits = copy.at != NULL && store(row, &tried, copy.at, arena);
    if (arena_full(arena)) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, row->name,
                            "There is no memory for this setting.");
    }
    if (!fits) {
        return bad_value(row, outcome);
    }
    *config = tried;
    return STATUS_OK;
}

enum status config_set(struct config *config, const char *name, const char *value,
                       struct arena *arena, struct outcome *outcome)
{
    const struct row *row = find_row(name);
    if (row != NULL) {
        return set(row, config, value, arena, outcome);
    }
    const char *nearest = nearest_name(name);
    if (nearest != NULL) {
        return outcome_fail(outcome, STATUS_VALUE, name,
                            "There is no such setting. Did you mean %s?", nearest);
    }
    return outcome_fail(outcome, STATUS_VALUE, name,
                        "There is no such setting: see docs/operate/configuration.md.");
}

/* Puts LINE and this file's line number on the issues that came after COUNT. */
static void place_issues(struct outcome *outcome, const struct issue *before, uint32_t line)
{
    if (outcome == NULL) {
        return;
    }
    struct issue *issue = before != NULL ? before->next : outcome->first;
    for (; issue != NULL; issue = issue->next) {
        issue->line = line;
        issue->column = 1;
    }
}

static enum status read_line(struct config *config, struct slice line, struct arena *arena,
                             struct outcome *outcome)
{
    line = slice_trim(line);
    if (line.length == 0 || line.at[0] == '#') {
        return STATUS_OK;
    }
    size_t equals = slice_index(line, '=');
    if (equals == line.length || slice_index(line, '\0') < line.length) {
        return outcome_fail(outcome, STATUS_VALUE, "",
                            "Write one setting a line, as name = value.");
    }
    struct slice name = arena_copy(arena, slice_trim(slice_head(line, equals)));
    struct slice value = slice_from(line, equals + 1);
    /* A comment needs a space before it, so that values may hold the sign. */
    for (size_t i = 1; i < value.length; i++) {
        if (value.at[i] == '#' && (value.at[i - 1] == ' ' || value.at[i - 1] == '\t')) {
            value = slice_head(value, i);
        }
    }
    value = arena_copy(arena, slice_trim(value));
    if (name.at == NULL || value.at == NULL) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "", "There is no memory for this file.");
    }
    return config_set(config, name.at, value.at, arena, outcome);
}

enum status config_read_file(struct config *config, const char *path, struct arena *arena,
                             struct outcome *outcome)
{
    struct slice text = {NULL, 0};
    enum status status = disk_read_file(path, FILE_MOST, arena, &text);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "",
                            "The configuration file cannot be read: check its path, permissions "
                            "and size.");
    }
    enum status result = STATUS_OK;
    for (uint32_t line = 1; text.at != NULL; line++) {
        const struct issue *before = outcome != NULL ? outcome->last : NULL;
        status = read_line(config, slice_cut(&text, '\n'), arena, outcome);
        if (status != STATUS_OK) {
            place_issues(outcome, before, line);
            result = result == STATUS_OK ? status : result;
        }
    }
    return result;
}

/* CARELAYER_MAX_BODY of max-body. */
static void environment_name(const struct row *row, char ret_name[static NAME_MOST + 16])
{
    static const char prefix[] = "CARELAYER_";
    size_t length = strlen(row->name);
    assert(length <= NAME_MOST);
    memcpy(ret_name, prefix, sizeof prefix - 1);
    char *to = ret_name + sizeof prefix - 1;
    for (size_t i = 0; i < length; i++) {
        char c = row->name[i];
        to[i] = (char)(c == '-' ? '_' : c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    to[length] = '\0';
}

static enum status set_list(const struct row *row, struct config *config, const char *value,
                            struct arena *arena, struct outcome *outcome)
{
    struct slice rest = slice_text(value);
    while (rest.at != NULL) {
        struct slice item = slice_trim(slice_cut(&rest, ','));
        if (item.length > 0) {
            struct slice copy = arena_copy(arena, item);
            TRY(set(row, config, copy.at != NULL ? copy.at : "", arena, outcome));
        }
    }
    return STATUS_OK;
}

enum status config_read_environment(struct config *config, struct arena *arena,
                                    struct outcome *outcome)
{
    enum status result = STATUS_OK;
    for (size_t i = 0; i < ROWS; i++) {
        char name[NAME_MOST + 16];
        environment_name(&rows[i], name);
        const char *value = getenv(name);
        if (value == NULL) {
            continue;
        }
        enum status status = rows[i].kind == CONFIG_LIST
                                 ? set_list(&rows[i], config, value, arena, outcome)
                                 : set(&rows[i], config, value, arena, outcome);
        result = result == STATUS_OK ? status : result;
    }
    return result;
}

const char *config_terminology(const struct config *config, struct arena *arena)
{
    if (config->terminology[0] != '\0') {
        return config->terminology;
    }
    return config->data[0] != '\0' ? arena_print(arena, "%s/terminology", config->data) : NULL;
}

bool config_is_switch(const char *name)
{
    const struct row *row = find_row(name);
    return row != NULL && row->kind == CONFIG_SWITCH;
}

struct slice config_base_url(const struct config *config)
{
    struct slice url = slice_text(config->base_url);
    while (slice_ends(url, SLICE("/"))) {
        url.length--;
    }
    return url;
}

static void write_kind(const struct row *row, struct buffer *out)
{
    static const char *const kinds[] = {[CONFIG_TEXT] = "text",
                                        [CONFIG_NUMBER] = "number",
                                        [CONFIG_BYTES] = "bytes (`k`, `M`, `G`)",
                                        [CONFIG_SECONDS] = "seconds",
                                        [CONFIG_SWITCH] = "`on` or `off`",
                                        [CONFIG_LIST] = "text, repeatable"};
    buffer_add_text(out, kinds[row->kind]);
    if (row->high == 0) {
        return;
    }
    if (row->high == INT64_MAX) {
        buffer_print(out, ", at least %lld", (long long)row->low);
    } else {
        buffer_print(out, ", %lld to %lld", (long long)row->low, (long long)row->high);
    }
}

void config_write_manual(struct buffer *out)
{
    buffer_add_text(
        out, "# Configuration\n\n"
             "Made from the table of settings in `src/base/config.h`; do not edit by hand.\n\n"
             "A setting comes from, later ones winning: its default, a configuration file\n"
             "(`--config FILE`, lines of `name = value`, `#` starts a comment), the environment\n"
             "(`CARELAYER_NAME`, capitals, `-` as `_`), the command line (`--name value`).\n"
             "Repeatable settings add up over these sources; in the environment their items are\n"
             "separated by commas.\n\n"
             "| setting | environment | value | default | meaning |\n"
             "|---|---|---|---|---|\n");
    for (size_t i = 0; i < ROWS; i++) {
        char name[NAME_MOST + 16];
        environment_name(&rows[i], name);
        buffer_print(out, "| `--%s` | `%s` | ", rows[i].name, name);
        write_kind(&rows[i], out);
        buffer_add_text(out, " | ");
        if (rows[i].value[0] != '\0') {
            buffer_print(out, "`%s`", rows[i].value);
        }
        buffer_print(out, " | %s |\n", rows[i].meaning);
    }
}
