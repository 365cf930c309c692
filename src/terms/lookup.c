/* SPDX-License-Identifier: MIT */
/* $lookup and $subsumes of code systems (R4 codesystem-operation-lookup, -subsumes). */
#include "terms/terms_int.h"

static const struct slice nothing = {0};

struct coded {
    struct slice system, version, code;
};

static struct coded coded_of(const struct question *question)
{
    yyjson_val *coding = question_value(question, "coding");
    if (coding != NULL) {
        return (struct coded){json_get_string(coding, "system"), json_get_string(coding, "version"),
                              json_get_string(coding, "code")};
    }
    yyjson_val *instance = question->asked->instance;
    struct slice version = question_text(question, "version");
    if (instance != NULL && version.length == 0) {
        version = json_get_string(instance, "version"); /* this one, not the newest */
    }
    return (struct coded){instance != NULL ? json_get_string(instance, "url")
                                           : question_text(question, "system"),
                          version, question_text(question, "code")};
}

static enum status required(struct question *question, const char *name)
{
    problem_add(&question->scope->problems, MESSAGE_REQUIRED, nothing, slice_text(name));
    return STATUS_REQUIRED;
}

/* The code system asked about; else the problem is told. */
static enum status find_system(struct question *question, const struct coded *coded,
                               const struct code_system **ret_system)
{
    struct scope *scope = question->scope;
    if (coded->system.length == 0) {
        return required(question, "system");
    }
    struct asked_version asked = scope_asked(scope, coded->system, coded->version);
    *ret_system = scope_system(scope, coded->system, asked.asked);
    if (*ret_system != NULL) {
        return STATUS_OK;
    }
    bool known;
    struct slice versions = scope_versions(scope, coded->system, &known);
    if (known && asked.asked.length > 0) {
        problem_add(&scope->problems, MESSAGE_VERSION_UNKNOWN, nothing, coded->system, asked.asked,
                    versions);
    } else {
        problem_add(&scope->problems, MESSAGE_SYSTEM_UNKNOWN, nothing, coded->system);
    }
    return STATUS_NOT_FOUND;
}

/* ---- $lookup ----------------------------------------------------------------------------------
 */

struct lookup {
    struct question *question;
    const struct code_system *system;
    uint32_t code;
    struct buffer *out;
};

/* Without `property` a server chooses; with it, what is named, and * is everything. */
static bool wants(const struct lookup *lookup, struct slice property, bool usually)
{
    const struct question *question = lookup->question;
    bool any = false;
    for (size_t i = 0; i < question->count; i++) {
        if (slice_is(question->parameters[i].name, "property")) {
            any = true;
            if (slice_equals(question->parameters[i].text, property) ||
                slice_is(question->parameters[i].text, "*")) {
                return true;
            }
        }
    }
    return usually && !any;
}

static void write_designation(const struct lookup *lookup, const struct designation *designation)
{
    struct buffer *out = lookup->out;
    buffer_add_text(out, ",{\"name\":\"designation\",\"part\":[");
    if (designation->language.length > 0) {
        part_write(out, "language", "Code", designation->language);
        buffer_add_byte(out, ',');
    }
    if (designation->use_code.length > 0) {
        buffer_add_text(out, "{\"name\":\"use\",\"valueCoding\":{");
        if (designation->use_system.length > 0) {
            buffer_add_text(out, "\"system\":");
            buffer_add_json_string(out, designation->use_system);
            buffer_add_byte(out, ',');
        }
        buffer_add_text(out, "\"code\":");
        buffer_add_json_string(out, designation->use_code);
        if (designation->use_display.length > 0) {
            buffer_add_text(out, ",\"display\":");
            buffer_add_json_string(out, designation->use_display);
        }
        buffer_add_text(out, "}},");
    }
    part_write(out, "value", "String", designation->value);
    buffer_add_text(out, "]}");
}

static void write_designations(const struct lookup *lookup)
{
    size_t count;
    const struct designation *all = scope_designations(
        lookup->question->scope, lookup->system, lookup->code, lookup->question->arena, &count);
    struct designation own = {.language = lookup->system->language,
                              .use_system =
                                  SLICE("http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra"),
                              .use_code = SLICE("preferredForLanguage"),
                              .use_display = SLICE("Preferred For Language"),
                              .value = code_display(lookup->system, lookup->code)};
    if (own.language.length > 0 && own.value.length > 0) {
        write_designation(lookup, &own);
    }
    for (size_t i = 0; i < count; i++) {
        if (!designation_withdrawn(&all[i])) {
            write_designation(lookup, &all[i]);
        }
    }
}

static void write_relatives(const struct lookup *lookup, const struct edges *edges,
                            const char *name)
{
    if (edges->at == NULL || !wants(lookup, slice_text(name), false)) {
        return;
    }
    for (uint32_t i = edges->at[lookup->code]; i < edges->at[lookup->code + 1]; i++) {
        struct slice display = code_display(lookup->system, edges->to[i]);
        buffer_add_text(lookup->out, ",{\"name\":\"property\",\"part\":[");
        part_write(lookup->out, "code", "Code", slice_text(name));
        buffer_add_byte(lookup->out, ',');
        part_write(lookup->out, "value", "Code", code_text(lookup->system, edges->to[i]));
        if (display.length > 0) {
            buffer_add_byte(lookup->out, ',');
            part_write(lookup->out, "description", "String", display);
        }
        buffer_add_text(lookup->out, "]}");
    }
}

static void write_property(const struct lookup *lookup, const struct property *property)
{
    static const char *const own[] = {"parent", "child", "subsumedBy"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (slice_is(property->code, own[i])) {
            return; /* they are told as edges */
        }
    }
    if (!wants(lookup, property->code, true) ||
        slice_equals(property->code, lookup->system->inactive_property)) {
        return;
    }
    buffer_add_text(lookup->out, ",{\"name\":\"property\",\"part\":[");
    part_write(lookup->out, "code", "Code", property->code);
    buffer_add_byte(lookup->out, ',');
    if (property->node != NULL) {
        buffer_add_text(lookup->out, "{\"name\":\"value\",\"valueCoding\":");
        json_write(property->node, NULL, NULL, lookup->out);
        buffer_add_byte(lookup->out, '}');
    } else {
        part_write(lookup->out, "value", property->type, property->value);
    }
    buffer_add_text(lookup->out, "]}");
}

static void write_inactive(const struct lookup *lookup)
{
    buffer_add_text(lookup->out, ",{\"name\":\"property\",\"part\":[{\"name\":\"code\","
                                 "\"valueCode\":\"inactive\"},");
    part_write(lookup->out, "value", "Boolean",
               code_is(lookup->system, lookup->code, CODE_INACTIVE) ? SLICE("true")
                                                                    : SLICE("false"));
    buffer_add_text(lookup->out, "]}");
}

static void write_lookup(const struct lookup *lookup)
{
    const struct code_system *system = lookup->system;
    struct parameters_writer writer;
    struct shown shown = display_for(lookup->question, system, lookup->code, NULL);
    struct slice definition = code_definition(system, lookup->code);
    parameters_begin(&writer, lookup->out);
    parameters_add(&writer, "name", "String",
                   system->name.length > 0    ? system->name
                   : system->title.length > 0 ? system->title
                                              : system->url);
    if (system->version.length > 0) {
        parameters_add(&writer, "version", "String", system->version);
    }
    parameters_add(&writer, "display", "String",
                   shown.text.length > 0 ? shown.text : code_text(system, lookup->code));
    parameters_add(&writer, "system", "Uri", system->url);
    parameters_add(&writer, "code", "Code", code_text(system, lookup->code));
    parameters_flag(&writer, "abstract", code_is(system, lookup->code, CODE_ABSTRACT));
    if (definition.length > 0 && wants(lookup, SLICE("definition"), true)) {
        parameters_add(&writer, "definition", "String", definition);
    }
    if (wants(lookup, SLICE("designation"), true)) {
        write_designations(lookup);
    }
    write_inactive(lookup);
    write_relatives(lookup, &system->parents, "parent");
    write_relatives(lookup, &system->children, "child");
    size_t count;
    const struct property *all = scope_properties(lookup->question->scope, system, lookup->code,
                                                  lookup->question->arena, &count);
    for (size_t i = 0; i < count; i++) {
        write_property(lookup, &all[i]);
    }
    parameters_end(&writer);
}

enum status lookup_answer(struct question *question, struct buffer *out)
{
    struct lookup lookup = {.question = question, .out = out};
    struct coded coded = coded_of(question);
    TRY(scope_supplements(question->scope, NULL));
    if (coded.code.length == 0) {
        return required(question, "code");
    }
    TRY(find_system(question, &coded, &lookup.system));
    lookup.code = code_find(lookup.system, coded.code);
    if (lookup.code == CODE_NONE) {
        problem_add(&question->scope->problems, MESSAGE_LOOKUP_UNKNOWN, nothing, coded.code,
                    canonical_join(question->arena, lookup.system->url, lookup.system->version));
        return STATUS_NOT_FOUND;
    }
    write_lookup(&lookup);
    return STATUS_OK;
}

/* ---- $subsumes --------------------------------------------------------------------------------
 */

static enum status read_code(struct question *question, const char *code, const char *coding,
                             struct coded *coded, struct slice *ret_code)
{
    yyjson_val *value = question_value(question, coding);
    struct slice system = json_get_string(value, "system");
    *ret_code = value != NULL ? json_get_string(value, "code") : question_text(question, code);
    if (value != NULL && coded->system.length == 0) {
        coded->system = system;
        coded->version = json_get_string(value, "version");
    }
    if (system.length > 0 && !slice_equals(system, coded->system)) {
        problem_add(&question->scope->problems, MESSAGE_UNUSABLE, nothing, slice_text(coding),
                    SLICE("it is of another code system"));
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status subsumes_answer(struct question *question, struct buffer *out)
{
    static const char *const outcomes[] = {"equivalent", "subsumes", "subsumed-by", "not-subsumed"};
    struct coded coded = coded_of(question);
    struct slice a, b;
    const struct code_system *system;
    TRY(read_code(question, "codeA", "codingA", &coded, &a));
    TRY(read_code(question, "codeB", "codingB", &coded, &b));
    if (a.length == 0 || b.length == 0) {
        return required(question, a.length == 0 ? "codeA" : "codeB");
    }
    TRY(find_system(question, &coded, &system));
    enum terms_subsumption answer = code_subsumption(system, a, b);
    if (answer == TERMS_SUBSUMPTION_UNKNOWN) {
        problem_add(&question->scope->problems, MESSAGE_LOOKUP_UNKNOWN, nothing,
                    code_find(system, a) == CODE_NONE ? a : b,
                    canonical_join(question->arena, system->url, system->version));
        return STATUS_NOT_FOUND;
    }
    struct parameters_writer writer;
    parameters_begin(&writer, out);
    parameters_add(&writer, "outcome", "Code", slice_text(outcomes[answer]));
    parameters_end(&writer);
    return STATUS_OK;
}
