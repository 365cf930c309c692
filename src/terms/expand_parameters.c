/* SPDX-License-Identifier: MIT */
/* ValueSet.expansion.parameter: what was asked, and which code systems, value sets and supplements
 * the expansion stands on. */
#include "terms/expand.h"

struct echo {
    struct expansion *expansion;
    struct buffer *out;
    struct slice told[256]; /* what was written: each once */
    size_t told_count;
    bool any;
};

static void write(struct echo *echo, const char *name, const char *type, struct slice value)
{
    buffer_add_text(echo->out, echo->any ? "," : "\"parameter\":[");
    echo->any = true;
    part_write(echo->out, name, type, value);
}

static void write_once(struct echo *echo, const char *name, struct slice value)
{
    struct slice key = slice_text(
        arena_print(echo->expansion->question->arena, "%s %.*s", name, SLICE_ARGS(value)));
    for (size_t i = 0; i < echo->told_count; i++) {
        if (slice_equals(echo->told[i], key)) {
            return;
        }
    }
    if (echo->told_count < sizeof echo->told / sizeof echo->told[0]) {
        echo->told[echo->told_count++] = key;
        write(echo, name, "Uri", value);
    }
}

static void write_asked(struct echo *echo)
{
    static const struct {
        const char *name, *type;
    } echoed[] = {
        {"filter", "String"},
        {"count", "Integer"},
        {"offset", "Integer"},
        {"activeOnly", "Boolean"},
        {"excludeNested", "Boolean"},
        {"includeDesignations", "Boolean"},
        {"includeDefinition", "Boolean"},
    };
    const struct question *question = echo->expansion->question;
    for (size_t i = 0; i < sizeof echoed / sizeof echoed[0]; i++) {
        struct slice text = question_text(question, echoed[i].name);
        if (text.length > 0) {
            write(echo, echoed[i].name, echoed[i].type, text);
        }
    }
    for (size_t i = 0; i < question->count; i++) {
        if (slice_is(question->parameters[i].name, "designation")) {
            write(echo, "designation", "String", question->parameters[i].text);
        }
    }
    if (question->language_text.length > 0) {
        write(echo, "displayLanguage", "Code", question->language_text);
    }
    if (echo->expansion->set->crossed || echo->expansion->set->merged) {
        write(echo, "versionsMatch", "Boolean", SLICE("true"));
    }
}

static void write_rules(struct echo *echo)
{
    static const char *const names[] = {"system-version", "check-system-version",
                                        "force-system-version"};
    const struct scope *scope = echo->expansion->question->scope;
    for (size_t i = 0; i < scope->rule_count; i++) {
        const struct version_rule *rule = &scope->rules[i];
        if (rule->used) {
            write(echo, names[rule->kind], "Uri",
                  canonical_join(scope->arena, rule->url, rule->version));
        }
    }
}

static void write_standing(struct echo *echo, struct slice standards, struct slice status,
                           bool experimental, struct slice name)
{
    yyjson_val *root = echo->expansion->set->root;
    if (slice_is(standards, "deprecated")) {
        write_once(echo, "warning-deprecated", name);
    } else if (slice_is(standards, "withdrawn")) {
        write_once(echo, "warning-withdrawn", name);
    } else if (experimental && !yyjson_is_true(json_get(root, "experimental"))) {
        write_once(echo, "warning-experimental", name);
    } else if (slice_is(status, "draft") && !slice_is(json_get_string(root, "status"), "draft")) {
        write_once(echo, "warning-draft", name);
    }
}

static void write_system(struct echo *echo, const struct code_system *system)
{
    struct slice name =
        canonical_join(echo->expansion->question->arena, system->url, system->version);
    if (system->stand_in) {
        write_once(echo, "warning-unknown-codesystem", name);
        return;
    }
    write_once(echo, "used-codesystem", name);
    if (system->content == CONTENT_FRAGMENT) {
        write_once(echo, "used-fragment", name);
    }
    write_standing(echo, system->standards_status, system->status, system->experimental, name);
}

static void write_set(struct echo *echo, const struct value_set *set, bool imported)
{
    struct arena *arena = echo->expansion->question->arena;
    struct slice name = canonical_join(arena, set->url, set->version);
    yyjson_val *standing = extension_find(
        set->root, "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status");
    if (imported && set->url.length > 0) {
        write_once(echo, "used-valueset", name);
    }
    write_standing(echo, json_get_string(standing, "valueCode"),
                   json_get_string(set->root, "status"),
                   yyjson_is_true(json_get(set->root, "experimental")), name);
    for (size_t i = 0; i < set->include_count + set->exclude_count; i++) {
        const struct include *include =
            i < set->include_count ? &set->includes[i] : &set->excludes[i - set->include_count];
        if (include->system != NULL) {
            write_system(echo, include->system);
        }
        for (size_t j = 0; j < include->import_count; j++) {
            write_set(echo, include->imports[j], true);
        }
    }
    for (size_t i = 0; set->include_count == 0 && i < set->set_count; i++) {
        write_system(echo, set->sets[i].system);
    }
}

void expansion_write_parameters(struct expansion *expansion, struct buffer *out)
{
    struct echo *echo = ARENA_NEW(expansion->question->arena, struct echo);
    if (echo == NULL) {
        return;
    }
    echo->expansion = expansion;
    echo->out = out;
    write_asked(echo);
    write_rules(echo);
    write_set(echo, expansion->set, false);
    const struct scope *scope = expansion->question->scope;
    for (size_t i = 0; i < scope->supplement_count; i++) {
        write_once(echo, "used-supplement",
                   canonical_join(scope->arena, scope->supplements[i]->url,
                                  scope->supplements[i]->version));
    }
    buffer_add_text(out, echo->any ? "]," : "");
}
