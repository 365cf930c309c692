/* SPDX-License-Identifier: MIT */
/* Questions: their parameters, and the frame of every answer. */
#include "terms/terms_int.h"

#define EXPANSION_PARAMETER "http://hl7.org/fhir/StructureDefinition/valueset-expansion-parameter"

static const struct slice nothing = {0};

/* ---- reading ----------------------------------------------------------------------------------
 */

static yyjson_val *value_member(yyjson_val *parameter)
{
    size_t at, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(parameter, at, max, name, value)
    {
        if (slice_starts(json_string(name), SLICE("value"))) {
            return value;
        }
    }
    return NULL;
}

static struct slice primitive_text(yyjson_val *value)
{
    if (yyjson_is_bool(value)) {
        return yyjson_get_bool(value) ? SLICE("true") : SLICE("false");
    }
    struct slice text = json_string(value);
    return text.at != NULL ? text : json_number(value);
}

enum status terms_parameters_read(yyjson_val *root, struct arena *arena,
                                  struct terms_parameter **ret_parameters, size_t *ret_count)
{
    yyjson_val *nodes = json_get(root, "parameter");
    struct terms_parameter *all = arena_array(arena, yyjson_arr_size(nodes) + 1, sizeof *all);
    if (all == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t at, max, count = 0;
    yyjson_val *node;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        yyjson_val *value = value_member(node);
        all[count++] = (struct terms_parameter){.name = json_get_string(node, "name"),
                                                .text = primitive_text(value),
                                                .value = value,
                                                .resource = json_get(node, "resource")};
    }
    *ret_parameters = all;
    *ret_count = count;
    return STATUS_OK;
}

const struct terms_parameter *question_find(const struct question *question, const char *name)
{
    for (size_t i = 0; i < question->count; i++) {
        if (slice_is(question->parameters[i].name, name)) {
            return &question->parameters[i];
        }
    }
    return NULL;
}

struct slice question_text(const struct question *question, const char *name)
{
    const struct terms_parameter *parameter = question_find(question, name);
    return parameter != NULL ? parameter->text : nothing;
}

bool question_flag(const struct question *question, const char *name, bool otherwise)
{
    struct slice text = question_text(question, name);
    return text.length == 0 ? otherwise : slice_is(text, "true");
}

yyjson_val *question_value(const struct question *question, const char *name)
{
    const struct terms_parameter *parameter = question_find(question, name);
    return parameter != NULL ? parameter->value : NULL;
}

/* ---- languages --------------------------------------------------------------------------------
 */

static void set_languages(struct question *question, struct slice text)
{
    question->language_text = slice_trim(text);
    question->language_count = 0;
    while (text.at != NULL && question->language_count < LANGUAGES_MOST) {
        struct slice part = slice_cut(&text, ',');
        part = slice_trim(slice_head(part, slice_index(part, ';')));
        if (part.length > 0 && !slice_is(part, "*")) {
            question->languages[question->language_count++] = part;
        }
    }
}

struct slice expansion_parameter(yyjson_val *value_set, const char *name)
{
    size_t at, max;
    yyjson_val *extension;
    yyjson_arr_foreach(json_get(json_get(value_set, "compose"), "extension"), at, max, extension)
    {
        yyjson_val *named = extension_find(extension, "name");
        if (slice_is(json_get_string(extension, "url"), EXPANSION_PARAMETER) &&
            slice_is(primitive_text(value_member(named)), name)) {
            return primitive_text(value_member(extension_find(extension, "value")));
        }
    }
    return nothing;
}

void question_set_languages(struct question *question, yyjson_val *value_set)
{
    if (question_find(question, "displayLanguage") != NULL) {
        return;
    }
    struct slice stated = expansion_parameter(value_set, "displayLanguage");
    if (stated.length == 0 && question->language_text.length == 0) {
        stated = json_get_string(value_set, "language");
    }
    if (stated.length > 0) {
        set_languages(question, stated);
    }
}

/* ---- what concerns every operation ------------------------------------------------------------
 */

static enum status refuse(struct question *question, struct slice name, const char *why)
{
    problem_add(&question->scope->problems, MESSAGE_UNUSABLE, nothing, name, slice_text(why));
    return STATUS_INVALID;
}

static enum status add_rule(struct question *question, struct version_rule *rules, size_t *count,
                            enum rule_kind kind, const struct terms_parameter *parameter)
{
    struct slice version, url = canonical_url(parameter->text, &version);
    if (url.length == 0 || version.length == 0) {
        return refuse(question, parameter->name, "give url|version");
    }
    if (*count == SCOPE_MOST) {
        return refuse(question, parameter->name, "there are too many of them");
    }
    rules[(*count)++] = (struct version_rule){.kind = kind, .url = url, .version = version};
    return STATUS_OK;
}

static enum status add_guest(struct question *question, const struct terms_parameter *parameter)
{
    struct scope *scope = question->scope;
    yyjson_val *root = parameter->resource;
    if (!yyjson_is_obj(root)) {
        return refuse(question, parameter->name, "give a resource");
    }
    if (scope->guest_count == SCOPE_MOST) {
        return refuse(question, parameter->name, "there are too many of them");
    }
    scope->guests[scope->guest_count++] =
        (struct guest){.type = json_get_string(root, "resourceType"),
                       .url = json_get_string(root, "url"),
                       .version = json_get_string(root, "version"),
                       .root = root};
    return STATUS_OK;
}

static enum status read_common(struct question *question, const struct terms_parameter *parameter)
{
    struct scope *scope = question->scope;
    struct slice name = parameter->name;
    if (slice_is(name, "system-version")) {
        return add_rule(question, scope->rules, &scope->rule_count, RULE_DEFAULT, parameter);
    }
    if (slice_is(name, "check-system-version")) {
        return add_rule(question, scope->rules, &scope->rule_count, RULE_CHECK, parameter);
    }
    if (slice_is(name, "force-system-version")) {
        return add_rule(question, scope->rules, &scope->rule_count, RULE_FORCE, parameter);
    }
    if (slice_is(name, "default-valueset-version")) {
        return add_rule(question, scope->set_rules, &scope->set_rule_count, RULE_DEFAULT,
                        parameter);
    }
    if (slice_is(name, "tx-resource")) {
        return add_guest(question, parameter);
    }
    if (slice_is(name, "useSupplement")) {
        if (scope->supplement_name_count == SCOPE_MOST) {
            return refuse(question, name, "there are too many of them");
        }
        scope->supplement_names[scope->supplement_name_count++] = parameter->text;
    }
    return STATUS_OK;
}

/* What is neither true nor false would be taken for false, and be echoed as it is. */
static enum status check_flags(struct question *question)
{
    static const char *const flags[] = {"activeOnly",
                                        "excludeNested",
                                        "includeDesignations",
                                        "includeDefinition",
                                        "inferSystem",
                                        "abstract",
                                        "reverse",
                                        "valueset-membership-only",
                                        "lenient-display-validation"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct slice text = question_text(question, flags[i]);
        if (text.length > 0 && !slice_is(text, "true") && !slice_is(text, "false")) {
            return refuse(question, slice_text(flags[i]), "give true or false");
        }
    }
    return STATUS_OK;
}

enum status question_read(struct question *question)
{
    TRY(check_flags(question));
    for (size_t i = 0; i < question->count; i++) {
        TRY(read_common(question, &question->parameters[i]));
    }
    struct slice language = question_text(question, "displayLanguage");
    set_languages(question, language.length > 0 ? language : question->asked->language);
    return STATUS_OK;
}

/* ---- the value set ----------------------------------------------------------------------------
 */

static enum status compile_brought(struct question *question, yyjson_val *root,
                                   const struct value_set **ret_set)
{
    struct value_set *set;
    if (!slice_is(json_get_string(root, "resourceType"), "ValueSet")) {
        return refuse(question, SLICE("valueSet"), "give a ValueSet");
    }
    TRY(scope_supplements(question->scope, root));
    TRY(value_set_compile(question->scope, root, &set));
    *ret_set = set;
    return STATUS_OK;
}

enum status question_value_set(struct question *question, const struct value_set **ret_set)
{
    struct scope *scope = question->scope;
    const struct terms_parameter *brought = question_find(question, "valueSet");
    struct slice url = question_text(question, "url");
    struct slice version = question_text(question, "valueSetVersion");
    if (question->asked->instance != NULL) {
        return compile_brought(question, question->asked->instance, ret_set);
    }
    if (brought != NULL && brought->resource != NULL) {
        return compile_brought(question, brought->resource, ret_set);
    }
    if (url.length == 0) {
        problem_add(&scope->problems, MESSAGE_REQUIRED, nothing, SLICE("url"));
        return STATUS_INVALID;
    }
    struct slice canonical = canonical_join(question->arena, url, version);
    enum status status = scope_compiled(scope, canonical, ret_set);
    if (status == STATUS_NOT_FOUND) {
        problem_add(&scope->problems, MESSAGE_VALUE_SET_MISSING, nothing, canonical);
        return STATUS_NOT_FOUND;
    }
    TRY(status);
    return scope_supplements(scope, (*ret_set)->root);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

void value_write(struct buffer *out, const char *type, struct slice value)
{
    bool flag = strcmp(type, "Boolean") == 0;
    bool number = strcmp(type, "Integer") == 0 || strcmp(type, "Decimal") == 0;
    struct decimal decimal;
    buffer_print(out, "\"value%s\":", type);
    /* A code system that was brought along may call anything a number. */
    if ((flag && (slice_is(value, "true") || slice_is(value, "false"))) ||
        (number && decimal_parse(value, &decimal))) {
        buffer_add(out, value);
    } else {
        buffer_add_json_string(out, value);
    }
}

void part_write(struct buffer *out, const char *name, const char *type, struct slice value)
{
    buffer_print(out, "{\"name\":\"%s\",", name);
    value_write(out, type, value);
    buffer_add_byte(out, '}');
}

static void next(struct parameters_writer *writer)
{
    if (writer->any) {
        buffer_add_byte(writer->out, ',');
    }
    writer->any = true;
}

void parameters_begin(struct parameters_writer *writer, struct buffer *out)
{
    *writer = (struct parameters_writer){.out = out};
    buffer_add_text(out, "{\"resourceType\":\"Parameters\",\"parameter\":[");
}

void parameters_add(struct parameters_writer *writer, const char *name, const char *type,
                    struct slice value)
{
    next(writer);
    part_write(writer->out, name, type, value);
}

void parameters_flag(struct parameters_writer *writer, const char *name, bool value)
{
    parameters_add(writer, name, "Boolean", value ? SLICE("true") : SLICE("false"));
}

void parameters_json(struct parameters_writer *writer, const char *name, const char *type,
                     const yyjson_val *value)
{
    next(writer);
    buffer_print(writer->out, "{\"name\":\"%s\",\"%s\":", name, type);
    json_write(value, NULL, NULL, writer->out);
    buffer_add_byte(writer->out, '}');
}

void parameters_end(struct parameters_writer *writer)
{
    buffer_add_text(writer->out, "]}");
}

/* ---- answering --------------------------------------------------------------------------------
 */

static int http_of(const struct problems *problems)
{
    for (const struct problem *at = problems->first; at != NULL; at = at->next) {
        if (at->message == MESSAGE_VALUE_SET_MISSING || at->message == MESSAGE_LOOKUP_UNKNOWN ||
            at->message == MESSAGE_MAP_MISSING) {
            return 404;
        }
    }
    return 422;
}

static enum status answer_batch(struct question *question, bool system_only, struct buffer *out);

static enum status answer(struct question *question, struct buffer *out)
{
    TRY(question_read(question));
    switch (question->asked->operation) {
    case TERMS_EXPAND:
        return expand_answer(question, out);
    case TERMS_VALIDATE_SET:
        return validate_answer(question, false, out);
    case TERMS_VALIDATE_SYSTEM:
        return validate_answer(question, true, out);
    case TERMS_VALIDATE_SET_BATCH:
        return answer_batch(question, false, out);
    case TERMS_VALIDATE_SYSTEM_BATCH:
        return answer_batch(question, true, out);
    case TERMS_LOOKUP:
        return lookup_answer(question, out);
    case TERMS_SUBSUMES_CODE:
        return subsumes_answer(question, out);
    case TERMS_TRANSLATE:
        return translate_answer(question, out);
    }
    return STATUS_INTERNAL;
}

static enum status answer_in(struct terms *terms, const struct terms_question *asked,
                             struct arena *arena, struct buffer *out, int *ret_http)
{
    struct scope *scope = ARENA_NEW(arena, struct scope);
    struct question *question = ARENA_NEW(arena, struct question);
    if (scope == NULL || question == NULL) {
        return STATUS_TOO_COSTLY;
    }
    scope_begin(scope, terms, arena);
    *question = (struct question){.scope = scope,
                                  .arena = arena,
                                  .asked = asked,
                                  .parameters = asked->parameters,
                                  .count = asked->count};
    size_t start = out->length;
    enum status status = answer(question, out);
    *ret_http = 200;
    if (status != STATUS_OK && scope->problems.errors == 0) {
        return status;
    }
    if (status != STATUS_OK) {
        out->length = start;
        *ret_http = http_of(&scope->problems);
        problems_write(&scope->problems, out);
    }
    return arena_full(arena) || !buffer_ok(out) ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status terms_answer(struct terms *terms, const struct terms_question *question,
                         struct arena *arena, struct buffer *out, int *ret_http)
{
    return answer_in(terms, question, arena, out, ret_http);
}

/* Each `validation` is a question whose own parameters go before those of the whole. */
static enum status answer_batch(struct question *question, bool system_only, struct buffer *out)
{
    struct parameters_writer writer;
    parameters_begin(&writer, out);
    for (size_t i = 0; i < question->count; i++) {
        const struct terms_parameter *each = &question->parameters[i];
        struct terms_parameter *own, *all;
        size_t own_count;
        if (!slice_is(each->name, "validation")) {
            continue;
        }
        TRY(terms_parameters_read(each->resource, question->arena, &own, &own_count));
        all = arena_array(question->arena, own_count + question->count, sizeof *all);
        if (all == NULL) {
            return STATUS_TOO_COSTLY;
        }
        if (own_count > 0) {
            memcpy(all, own, own_count * sizeof *all);
        }
        for (size_t j = 0; j < question->count; j++) {
            if (!slice_is(question->parameters[j].name, "validation")) {
                all[own_count++] = question->parameters[j];
            }
        }
        struct terms_question one = *question->asked;
        one.operation = system_only ? TERMS_VALIDATE_SYSTEM : TERMS_VALIDATE_SET;
        one.parameters = all;
        one.count = own_count;
        int http;
        buffer_add_text(out, writer.any ? "," : "");
        writer.any = true;
        buffer_add_text(out, "{\"name\":\"validation\",\"resource\":");
        TRY(answer_in(question->scope->terms, &one, question->arena, out, &http));
        buffer_add_byte(out, '}');
    }
    parameters_end(&writer);
    return STATUS_OK;
}
