/* SPDX-License-Identifier: MIT */
/* carelayer validate: resources from files or stdin against the specification. Lines of NDJSON are
 * read one at a time, so that a file may be larger than memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

#define INPUT_LIMIT ((size_t)1 << 30)
#define READ_CHUNK  ((size_t)1 << 18)
#define VALUE_LIMIT 50000000u

static const char usage[] =
    "usage: carelayer validate [--package FILE]... [--profile URL] [--rules FILE]... [--json]\n"
    "           [--extensions any|known[,URL...]] [--check-references] [--no-html-in-markdown]\n"
    "           [--waive RULE[@PATH][,RULE[@PATH]...]] [--allow-comments]\n"
    "           [--terminology FOLDER] FILE...\n"
    "\n"
    "Checks FHIR R4 resources: .json or .xml (a resource or Bundle), .ndjson (one resource\n"
    "a line), gzip of these, '-' for stdin; against the specification, the national rules\n"
    "(--rules adds a table of rules), the profiles that they declare in meta.profile, and\n"
    "the one that is named here. Prints FILE:LINE:COLUMN: error: PATH: what is wrong, and\n"
    "how to mend it. Exit 1 when any resource has an error.";

static const char *const settings[] = {"package",     "definitions", "rules",
                                       "terminology", "validate",    NULL};

#define LIST_MOST 64u

/* What the command line asks beside the specification. */
struct wishes {
    bool json, follow_references, refuse_html, comments;
    const char *profile, *extensions, *waived; /* NULL: not given */
    bool known_extensions;
    struct slice urls[LIST_MOST];
    size_t url_count;
    struct waiver waivers[LIST_MOST];
    size_t waiver_count;
};

struct validation {
    const struct wishes *wishes;
    struct cli_judges judges; /* definitions alone: structure only */
    struct slice profile;
    const struct rules *rules;
    struct arena *arena; /* reset for each resource */
    uint64_t resources, wrong;
};

/* ---- input ------------------------------------------------------------------------------------
 */

/* A file or stdin, gzip or plain. */
struct input {
    const char *name;
    struct gzip_reader *file;
    char *at; /* what has been read and not yet given out: [start, end) of at */
    size_t start, end, capacity;
    struct arena *arena;
    bool standard; /* stdin */
    bool ended;
};

static void input_release(void *file)
{
    gzip_reader_close(file);
}

static enum status input_open(struct input *input, const char *path, struct arena *arena)
{
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    *input =
        (struct input){.name = standard ? "stdin" : path, .standard = standard, .arena = arena};
    if (file < 0) {
        return disk_status(errno);
    }
    input->file = gzip_reader_open(file);
    if (input->file == NULL) {
        return STATUS_MEMORY;
    }
    return arena_defer(arena, input_release, input->file);
}

/* Reads more behind what is there. */
static enum status input_fill(struct input *input)
{
    if (input->end + READ_CHUNK > input->capacity) {
        if (input->start > 0) {
            memmove(input->at, input->at + input->start, input->end - input->start);
            input->end -= input->start;
            input->start = 0;
        }
        if (input->end + READ_CHUNK > input->capacity) {
            size_t capacity = input->capacity == 0 ? 4 * READ_CHUNK : 2 * input->capacity;
            if (input->end > INPUT_LIMIT) {
                return STATUS_TOO_LONG;
            }
            char *grown = arena_resize(input->arena, input->at, input->capacity, capacity);
            if (grown == NULL) {
                return STATUS_TOO_COSTLY;
            }
            input->at = grown;
            input->capacity = capacity;
        }
    }
    size_t got;
    TRY(gzip_reader_read(input->file, input->at + input->end, READ_CHUNK, &got));
    input->ended = got == 0;
    input->end += got;
    return STATUS_OK;
}

static enum status input_all(struct input *input, struct slice *ret_text)
{
    while (!input->ended) {
        TRY(input_fill(input));
    }
    *ret_text = slice_of(input->at + input->start, input->end - input->start);
    input->start = input->end;
    return STATUS_OK;
}

/* The next line without its end; at == NULL behind the last. Valid until the next call. */
static enum status input_line(struct input *input, struct slice *ret_line)
{
    size_t looked = 0;
    if (input->at == NULL) {
        TRY(input_fill(input)); /* the window is made by the first reading */
    }
    for (;;) {
        struct slice rest = slice_of(input->at + input->start, input->end - input->start);
        size_t end = looked + slice_index(slice_from(rest, looked), '\n');
        if (end < rest.length) {
            *ret_line = slice_head(rest, end);
            input->start += end + 1;
            return STATUS_OK;
        }
        if (input->ended) {
            *ret_line = rest.length > 0 ? rest : (struct slice){NULL, 0};
            input->start = input->end;
            return STATUS_OK;
        }
        looked = rest.length;
        TRY(input_fill(input));
    }
}

/* ---- one resource -----------------------------------------------------------------------------
 */

static void print_outcome(struct validation *validation, struct outcome *outcome, const char *name)
{
    struct buffer text = {.arena = validation->arena};
    if (validation->wishes->json) {
        outcome_write_json(outcome, &text);
        buffer_add_byte(&text, '\n');
    } else if (outcome->count > 0) {
        outcome_write_text(outcome, slice_text(name), &text);
    }
    if (text.length > 0) {
        (void)fwrite(text.at, 1, text.length, stdout);
    }
    if (!buffer_ok(&text)) {
        (void)fputs("carelayer: not all of the problems fit into memory\n", stderr);
    }
}

/* TEXT begins on LINE of the input. */
static void validate_text(struct validation *validation, const char *name, struct slice text,
                          uint32_t line)
{
    const struct wishes *wishes = validation->wishes;
    const struct json_limits limits = {
        .bytes = INPUT_LIMIT, .depth = 256, .values = VALUE_LIMIT, .comments = wishes->comments};
    struct outcome outcome;
    struct json json;
    resource_type type;
    arena_reset(validation->arena, 0);
    outcome_init(&outcome, validation->arena);
    enum status status = resource_read_any(validation->judges.definitions, text, &limits,
                                           validation->arena, &outcome, &json);
    if (json.root != NULL) { /* XML with faults is read as far as it goes */
        struct validate_options options = {.definitions = validation->judges.definitions,
                                           .rules = validation->rules,
                                           .validator = validation->judges.validator,
                                           .strict = true,
                                           .known_extensions = wishes->known_extensions,
                                           .extension_urls = wishes->urls,
                                           .extension_url_count = wishes->url_count,
                                           .follow_references = wishes->follow_references,
                                           .refuse_html = wishes->refuse_html,
                                           .waivers = wishes->waivers,
                                           .waiver_count = wishes->waiver_count,
                                           .profiles = &validation->profile,
                                           .profile_count = validation->profile.length > 0};
        status = validate_resource(&options, &json, json.root, (struct slice){NULL, 0},
                                   validation->arena, &outcome, &type);
    }
    if (status != STATUS_OK && outcome.errors == 0) {
        (void)outcome_fail(&outcome, status, "", "The resource could not be checked to its end.");
    }
    for (struct issue *issue = outcome.first; issue != NULL; issue = issue->next) {
        issue->line += issue->line > 0 ? line - 1 : 0;
    }
    validation->resources++;
    validation->wrong += outcome.errors > 0;
    print_outcome(validation, &outcome, name);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void refuse_input(struct validation *validation, const char *name, enum status status)
{
    struct outcome outcome;
    arena_reset(validation->arena, 0);
    outcome_init(&outcome, validation->arena);
    (void)outcome_fail(&outcome, status, "",
                       status == STATUS_NOT_FOUND   ? "There is no such file."
                       : status == STATUS_STRUCTURE ? "The gzip stream is damaged: fetch the file "
                                                      "again."
                       : status == STATUS_TOO_LONG  ? "More than 1 GiB in one resource: split it."
                                                    : "The file cannot be read.");
    validation->wrong++;
    print_outcome(validation, &outcome, name);
}

static enum status validate_lines(struct validation *validation, struct input *input)
{
    uint32_t number = 0;
    for (;;) {
        struct slice line;
        TRY(input_line(input, &line));
        if (line.at == NULL) {
            return STATUS_OK;
        }
        number++;
        line = slice_trim(line);
        if (line.length > 0) {
            validate_text(validation, input->name, line, number);
        }
    }
}

/* Stdin has no name to go by: more than one line, the first of them a whole object, is NDJSON. */
static bool looks_like_lines(struct validation *validation, struct slice text)
{
    struct json json;
    struct slice rest = slice_trim(text);
    struct slice first = slice_trim(slice_cut(&rest, '\n'));
    arena_reset(validation->arena, 0);
    return rest.at != NULL && first.length > 1 && first.at[0] == '{' &&
           first.at[first.length - 1] == '}' &&
           json_read(first, &json_limits_default, validation->arena, NULL, &json) == STATUS_OK;
}

static bool named_lines(const char *name)
{
    return slice_ends(slice_text(name), SLICE(".ndjson")) ||
           slice_ends(slice_text(name), SLICE(".ndjson.gz"));
}

static enum status validate_input(struct validation *validation, struct input *input)
{
    if (named_lines(input->name)) {
        return validate_lines(validation, input);
    }
    struct slice text;
    TRY(input_all(input, &text));
    if (input->standard && looks_like_lines(validation, text)) {
        input->start = 0; /* everything is in memory: give it out again line by line */
        return validate_lines(validation, input);
    }
    validate_text(validation, input->name, text, 1);
    return STATUS_OK;
}

static enum status validate_file(struct validation *validation, const char *path)
{
    struct arena *arena = arena_create(0);
    struct input input;
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = input_open(&input, path, arena);
    if (status == STATUS_OK) {
        status = validate_input(validation, &input);
    }
    if (status != STATUS_OK) {
        refuse_input(validation, input.name, status);
    }
    arena_destroy(arena);
    return status == STATUS_MEMORY ? status : STATUS_OK;
}

static enum status open_validation(const struct cli_arguments *arguments,
                                   struct validation *validation, struct outcome *outcome)
{
    const char *level = arguments->config.validate;
    validation->arena = arena_create(0);
    if (validation->arena == NULL) {
        return STATUS_MEMORY;
    }
    TRY(cli_open_definitions(arguments, &validation->judges.definitions));
    TRY(rules_read(validation->judges.definitions, arguments->config.rules.items,
                   arguments->config.rules.count, arguments->arena, outcome, &validation->rules));
    if (strcmp(level, "structure") == 0) {
        return STATUS_OK;
    }
    return cli_open_judges(arguments, outcome, &validation->judges);
}

static void close_validation(struct validation *validation)
{
    arena_destroy(validation->arena);
    cli_close_judges(&validation->judges);
}

static int validate_files(const struct cli_arguments *arguments, const struct wishes *wishes)
{
    struct validation validation = {.wishes = wishes, .profile = slice_text(wishes->profile)};
    struct outcome outcome;
    outcome_init(&outcome, arguments->arena);
    enum status status = open_validation(arguments, &validation, &outcome);
    if (status != STATUS_OK) {
        bool rules_failed = validation.judges.definitions != NULL && validation.rules == NULL;
        close_validation(&validation);
        if (outcome.errors > 0) {
            cli_print_outcome(&outcome, "carelayer validate");
        }
        /* A table of rules that cannot be read is a wrong option. */
        return rules_failed ? CLI_USAGE : CLI_FAULT;
    }
    for (size_t i = 0; i < arguments->file_count && status == STATUS_OK; i++) {
        status = validate_file(&validation, arguments->files[i]);
    }
    close_validation(&validation);
    if (isatty(STDERR_FILENO) != 0) {
        (void)fprintf(stderr, "%llu resources or Bundles, %llu with errors\n",
                      (unsigned long long)validation.resources,
                      (unsigned long long)validation.wrong);
    }
    if (status != STATUS_OK) {
        (void)fputs("carelayer: out of memory\n", stderr);
        return CLI_FAULT;
    }
    return validation.wrong > 0 ? CLI_INPUT : CLI_OK;
}

/* "any", or "known" and what else is. */
static bool read_extensions(struct wishes *wishes)
{
    struct slice rest = slice_text(wishes->extensions);
    if (rest.length == 0) {
        return wishes->extensions == NULL;
    }
    struct slice first = slice_cut(&rest, ',');
    wishes->known_extensions = slice_is(first, "known");
    while (rest.length > 0 && wishes->url_count < LIST_MOST) {
        struct slice url = slice_cut(&rest, ',');
        if (url.length > 0) {
            wishes->urls[wishes->url_count++] = url;
        }
    }
    return rest.length == 0 &&
           (wishes->known_extensions || (slice_is(first, "any") && wishes->url_count == 0));
}

static bool read_waivers(struct wishes *wishes)
{
    struct slice rest = slice_text(wishes->waived);
    while (rest.length > 0 && wishes->waiver_count < LIST_MOST) {
        struct slice path = slice_cut(&rest, ',');
        struct slice rule = slice_cut(&path, '@');
        if (rule.length == 0) {
            return false;
        }
        wishes->waivers[wishes->waiver_count++] = (struct waiver){.rule = rule, .path = path};
    }
    return rest.length == 0 && (wishes->waived == NULL || wishes->waiver_count > 0);
}

/* NULL when what was asked can be done, else what is wrong with it. */
static const char *usage_fault(const struct cli_arguments *arguments, struct wishes *wishes)
{
    return arguments->file_count == 0 ? "name at least one file"
           : !read_extensions(wishes) ? "--extensions takes any, or known and begins of urls, with "
                                        "commas between"
           : !read_waivers(wishes) ? "--waive takes rules as problems name them, each with @ and "
                                     "an element path or without, with commas between"
                                   : NULL;
}

int cli_validate(int argc, char **argv)
{
    struct wishes wishes = {0};
    const struct cli_option options[] = {
        {"json", NULL, &wishes.json, "one OperationOutcome a line, in the order of the resources"},
        {"profile", &wishes.profile, NULL, "a profile to check against as well"},
        {"extensions", &wishes.extensions, NULL,
         "any (the default); known: refuse those whose definition is not loaded, unless the url "
         "begins as one given here"},
        {"check-references", NULL, &wishes.follow_references,
         "relative references and urn: lead to something in the document"},
        {"no-html-in-markdown", NULL, &wishes.refuse_html, "refuse HTML in markdown"},
        {"waive", &wishes.waived, NULL,
         "rules that count as information here: dom-6, format@Patient.contained.id"},
        {"allow-comments", NULL, &wishes.comments, "pass over comments in JSON"},
        {NULL, NULL, NULL, NULL}};
    struct cli_arguments arguments;
    int code = cli_read(argc, argv, usage, settings, options, &arguments);
    if (code >= 0) {
        return code;
    }
    const char *wrong = usage_fault(&arguments, &wishes);
    if (wrong != NULL) {
        (void)fprintf(stderr, "carelayer validate: %s\n%s\n", wrong, usage);
        return CLI_USAGE;
    }
    return validate_files(&arguments, &wishes);
}
