/* SPDX-License-Identifier: MIT */
/* carelayer fhirpath: an expression on a resource, or many of them from a file of cases. */
#include <stdio.h>

#include "cli/cli.h"
#include "fhirpath/fhirpath.h"

#define FILE_LIMIT ((size_t)256 << 20)

static const char usage[] =
    "usage: carelayer fhirpath [--package FILE]... EXPRESSION FILE\n"
    "       carelayer fhirpath [--package FILE]... --cases FILE\n"
    "\n"
    "Evaluates a FHIRPath expression on a FHIR R4 resource, JSON or XML, and prints\n"
    "TYPE: VALUE, a line each. --cases reads lines of {\"id\",\"file\",\"expression\"} ('-' for\n"
    "stdin) and prints lines of {\"id\",\"result\":[{\"type\",\"value\"}]} or {\"id\",\"error\"};\n"
    "\"file\" may be null and is relative to the folder of the cases. memberOf, subsumes and\n"
    "conformsTo know the base specification, the packages and the releases of --terminology.\n"
    "Exit 1 when any expression has an error.";

static const char *const settings[] = {"package", "definitions", "terminology", NULL};

struct asking {
    struct terms_host host; /* first: terminology's calls have it as their context */
    struct cli_judges judges;
    struct arena *arena; /* reset for each expression */
    struct arena *file_arena;
    struct slice folder; /* of the cases, with its slash */
    const char *path;    /* what lies parsed in file_arena; NULL: nothing */
    yyjson_val *resource;
    struct json json;
    bool wrong;
};

/* ---- input ------------------------------------------------------------------------------------
 */

/* The resource of PATH; the last one is kept, as cases come in groups. */
static enum status read_resource(struct asking *asking, const char *path, struct outcome *outcome)
{
    static const struct json_limits limits = {
        .bytes = FILE_LIMIT, .depth = 256, .values = 50000000u};
    struct slice text;
    struct outcome problems;
    if (asking->path != NULL && strcmp(asking->path, path) == 0) {
        return STATUS_OK;
    }
    arena_reset(asking->file_arena, 0);
    asking->path = NULL;
    asking->resource = NULL;
    outcome_init(&problems, asking->file_arena);
    asking->json = (struct json){0};
    enum status status = disk_read_file(path, FILE_LIMIT, asking->file_arena, &text);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "", "The file cannot be read.");
    }
    status = resource_read_any(asking->judges.definitions, text, &limits, asking->file_arena,
                               &problems, &asking->json);
    if (status == STATUS_STRUCTURE && asking->json.root != NULL) {
        /* Not quite FHIR's XML, but it can be asked: what is wrong with it is said beside. */
        cli_print_outcome(&problems, path);
    } else if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "", "The file is no JSON or XML of a resource.");
    }
    asking->resource = asking->json.root;
    asking->path = arena_copy(asking->file_arena, slice_text(path)).at;
    return asking->path != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* ---- what the engine asks back -----------------------------------------------------------------
 */

static bool check_html(void *context, struct slice xhtml)
{
    size_t at;
    (void)context;
    return narrative_fault(xhtml, &at) == NULL;
}

/* Is the resource without error when it is validated against PROFILE too? */
static enum status conforms_to_profile(const struct asking *asking,
                                       const struct fhirpath_node *node, struct slice profile,
                                       bool *ret_conforms)
{
    struct arena *arena = arena_create(0);
    struct outcome outcome;
    resource_type type;
    struct validate_options options = {.definitions = asking->judges.definitions,
                                       .validator = asking->judges.validator,
                                       .strict = true,
                                       .profiles = &profile,
                                       .profile_count = 1};
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    outcome_init(&outcome, arena);
    *ret_conforms = validate_resource(&options, &asking->json, node->value, slice_text(""), arena,
                                      &outcome, &type) == STATUS_OK;
    bool whole = *ret_conforms || outcome.errors > 0;
    arena_destroy(arena);
    return whole ? STATUS_OK : STATUS_TOO_COSTLY;
}

/* A base type is conformed to by what is of it; resources are held to the profiles that are
 * loaded. */
static enum status conforms(void *context, const struct fhirpath_node *node, struct slice profile,
                            bool *ret_known, bool *ret_conforms)
{
    const struct asking *asking = context;
    struct slice base = SLICE("http://hl7.org/fhir/StructureDefinition/");
    const struct canonical *loaded = conformance_find(
        asking->judges.conformance, SLICE("StructureDefinition"), profile, asking->arena);
    if (loaded != NULL && node->type->kind == TYPE_RESOURCE &&
        slice_is(json_get_string(loaded->json->root, "derivation"), "constraint")) {
        *ret_known = true;
        return conforms_to_profile(asking, node, profile, ret_conforms);
    }
    const struct type_row *type =
        slice_starts(profile, base)
            ? type_find(asking->judges.definitions, slice_from(profile, base.length))
            : NULL;
    *ret_known = type != NULL;
    *ret_conforms = type == node->type;
    return STATUS_OK;
}

/* ---- output -----------------------------------------------------------------------------------
 */

/* System types bear the names of FHIR's primitives. */
static struct slice type_name(const struct asking *asking, const struct fhirpath_value *value)
{
    static const char *const names[] = {
        [FHIRPATH_BOOLEAN] = "boolean", [FHIRPATH_INTEGER] = "integer",
        [FHIRPATH_DECIMAL] = "decimal", [FHIRPATH_STRING] = "string",
        [FHIRPATH_DATE] = "date",       [FHIRPATH_DATETIME] = "dateTime",
        [FHIRPATH_TIME] = "time",       [FHIRPATH_QUANTITY] = "Quantity",
        [FHIRPATH_TYPE] = "TypeInfo"};
    return value->kind == FHIRPATH_NODE ? fhirpath_type_of(asking->judges.definitions, value).name
                                        : slice_text(names[value->kind]);
}

/* Dates and times with the @ that their literals have. */
static struct slice value_text(const struct asking *asking, const struct fhirpath_value *value)
{
    struct buffer text = {.arena = asking->arena};
    struct fhirpath_value system = {.kind = FHIRPATH_NODE};
    (void)fhirpath_system(asking->judges.definitions, value, asking->arena, &system);
    if (value->kind != FHIRPATH_NODE || value->node.value != NULL) {
        if (system.kind == FHIRPATH_DATE || system.kind == FHIRPATH_DATETIME ||
            system.kind == FHIRPATH_TIME) {
            buffer_add_text(&text, system.kind == FHIRPATH_TIME ? "@T" : "@");
        }
        fhirpath_write(value, &text);
    }
    return buffer_slice(&text);
}

static void write_result(const struct asking *asking, const struct fhirpath_collection *values,
                         struct buffer *out)
{
    buffer_add_text(out, "\"result\":[");
    for (size_t i = 0; i < values->count; i++) {
        buffer_add_text(out, i > 0 ? ",{\"type\":" : "{\"type\":");
        buffer_add_json_string(out, type_name(asking, &values->items[i]));
        buffer_add_text(out, ",\"value\":");
        buffer_add_json_string(out, value_text(asking, &values->items[i]));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void write_error(const struct outcome *outcome, struct buffer *out)
{
    const struct issue *issue = outcome->first;
    const char *text = "the expression cannot be evaluated";
    buffer_add_text(out, "\"error\":");
    if (issue == NULL) {
        buffer_add_json_string(out, slice_text(text));
        return;
    }
    buffer_add_json_string(out, slice_text(arena_print(out->arena, "%u:%u: %.*s", issue->line,
                                                       issue->column, SLICE_ARGS(issue->text))));
}

/* ---- one expression ---------------------------------------------------------------------------
 */

/* PATH NULL: there is no resource. */
static enum status ask(struct asking *asking, struct slice expression, const char *path,
                       struct outcome *outcome, struct fhirpath_collection *ret_values)
{
    const struct fhirpath_host host = {.context = asking,
                                       .member_of = terms_member_of,
                                       .conforms_to = conforms,
                                       .subsumes = terms_host_subsumes,
                                       .html_checks = check_html};
    const struct fhirpath *compiled;
    struct fhirpath_environment environment = {.definitions = asking->judges.definitions,
                                               .host = &host};
    struct fhirpath_node focus;
    const struct type_row *type = NULL;
    if (path != NULL) {
        TRY(read_resource(asking, path, outcome));
        resource_type resource = resource_type_find(
            asking->judges.definitions, json_get_string(asking->resource, "resourceType"));
        if (resource == RESOURCE_TYPE_NONE) {
            return outcome_fail(outcome, STATUS_STRUCTURE, "", "This is no FHIR R4 resource.");
        }
        focus = fhirpath_root(asking->judges.definitions, resource, asking->resource);
        type = focus.type;
    }
    TRY(fhirpath_compile(asking->judges.definitions, expression, type, 0, asking->arena, outcome,
                         &compiled));
    return fhirpath_evaluate(compiled, &environment, path != NULL ? &focus : NULL, asking->arena,
                             outcome, ret_values);
}

static int ask_once(struct asking *asking, const char *expression, const char *path)
{
    struct outcome outcome;
    struct fhirpath_collection values;
    outcome_init(&outcome, asking->arena);
    enum status status = ask(asking, slice_text(expression), path, &outcome, &values);
    if (status != STATUS_OK) {
        cli_print_outcome(&outcome, "carelayer fhirpath");
        return CLI_INPUT;
    }
    for (size_t i = 0; i < values.count; i++) {
        (void)printf("%.*s: %.*s\n", SLICE_ARGS(type_name(asking, &values.items[i])),
                     SLICE_ARGS(value_text(asking, &values.items[i])));
    }
    return CLI_OK;
}

/* ---- cases ------------------------------------------------------------------------------------
 */

static void ask_case(struct asking *asking, struct slice line)
{
    struct outcome outcome;
    struct json json;
    struct fhirpath_collection values = {NULL, 0};
    arena_reset(asking->arena, 0);
    struct buffer out = {.arena = asking->arena};
    outcome_init(&outcome, asking->arena);
    enum status status = json_read(line, &json_limits_default, asking->arena, &outcome, &json);
    yyjson_val *root = status == STATUS_OK ? json.root : NULL;
    struct slice file = json_get_string(root, "file");
    if (status == STATUS_OK) {
        bool absolute = file.length > 0 && file.at[0] == '/';
        const char *path =
            arena_print(asking->arena, "%.*s%.*s",
                        SLICE_ARGS(absolute ? slice_text("") : asking->folder), SLICE_ARGS(file));
        status = ask(asking, json_get_string(root, "expression"), file.length > 0 ? path : NULL,
                     &outcome, &values);
    }
    buffer_add_text(&out, "{\"id\":");
    buffer_add_json_string(&out, json_get_string(root, "id"));
    buffer_add_byte(&out, ',');
    if (status == STATUS_OK) {
        write_result(asking, &values, &out);
    } else {
        write_error(&outcome, &out);
        asking->wrong = true;
    }
    buffer_add_text(&out, "}\n");
    (void)fwrite(out.at, 1, buffer_ok(&out) ? out.length : 0, stdout);
}

static enum status ask_cases(struct asking *asking, const char *path, struct arena *arena)
{
    struct slice text;
    bool standard = strcmp(path, "-") == 0;
    enum status status = disk_read_file(standard ? "/dev/stdin" : path, FILE_LIMIT, arena, &text);
    if (status != STATUS_OK) {
        (void)fputs("carelayer fhirpath: the file of cases cannot be read\n", stderr);
        return status;
    }
    const char *slash = standard ? NULL : strrchr(path, '/');
    asking->folder = slash != NULL ? slice_of(path, (size_t)(slash - path) + 1) : slice_text("");
    while (text.at != NULL) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        if (line.length > 0) {
            ask_case(asking, line);
        }
    }
    return STATUS_OK;
}

static enum status open_asking(const struct cli_arguments *arguments, struct asking *asking)
{
    asking->arena = asking->host.arena = arena_create(0);
    asking->file_arena = arena_create(0);
    if (asking->arena == NULL || asking->file_arena == NULL) {
        return STATUS_MEMORY;
    }
    TRY(cli_open_definitions(arguments, &asking->judges.definitions));
    TRY(cli_open_judges(arguments, NULL, &asking->judges));
    asking->host.terms = asking->judges.terms;
    return STATUS_OK;
}

static void close_asking(struct asking *asking)
{
    arena_destroy(asking->file_arena);
    arena_destroy(asking->arena); /* what was found is released with it */
    cli_close_judges(&asking->judges);
}

static int run(const struct cli_arguments *arguments, const char *cases)
{
    struct asking asking = {.path = NULL};
    int code = CLI_FAULT;
    if (open_asking(arguments, &asking) == STATUS_OK) {
        if (cases == NULL) {
            code = ask_once(&asking, arguments->files[0], arguments->files[1]);
        } else {
            enum status status = ask_cases(&asking, cases, arguments->arena);
            code = status != STATUS_OK || asking.wrong ? CLI_INPUT : CLI_OK;
        }
    }
    close_asking(&asking);
    return code;
}

int cli_fhirpath(int argc, char **argv)
{
    const char *cases = NULL;
    const struct cli_option options[] = {{"cases", &cases, NULL, "a file of cases, a line each"},
                                         {NULL, NULL, NULL, NULL}};
    struct cli_arguments arguments;
    int code = cli_read(argc, argv, usage, settings, options, &arguments);
    if (code >= 0) {
        return code;
    }
    if (arguments.file_count != (cases != NULL ? 0 : 2)) {
        (void)fprintf(stderr, "carelayer fhirpath: give an expression and a file, or --cases\n%s\n",
                      usage);
        return CLI_USAGE;
    }
    return run(&arguments, cases);
}
