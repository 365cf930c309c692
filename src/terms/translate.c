/* SPDX-License-Identifier: MIT */
/* $translate (R4 conceptmap-operation-translate): from one code system to another by ConceptMaps.
 * The names that R5 gave the parameters are understood too. */
#include "terms/terms_int.h"

static const struct slice nothing = {0};

struct wanted {
    struct slice system, version, code, target_system, source_set, target_set;
    bool reverse;
    bool later;   /* asked in R5's words */
    bool crossed; /* a coding came with the name of another system */
};

struct translation {
    struct question *question;
    struct wanted wanted;
    struct buffer matches;
    bool any, result;
    size_t depth; /* of other-map */
    size_t maps;  /* used so far */
};

/* Maps that may be used for one code: each of them may send to as many others as it has groups. */
#define MAPS_MOST 100u

/* ---- what relates how -------------------------------------------------------------------------
 */

static const struct {
    const char *later, *equivalence, *reversed;
} relations[] = {
    {"equivalent", "equivalent", "equivalent"},
    {"related-to", "relatedto", "relatedto"},
    {"source-is-narrower-than-target", "wider", "narrower"},
    {"source-is-broader-than-target", "narrower", "wider"},
    {"not-related-to", "disjoint", "disjoint"},
    {"", "subsumes", "specializes"},
    {"", "specializes", "subsumes"},
};

/* R4's equivalence, also of a map in R5's words (target.relationship). */
static struct slice equivalence_of(yyjson_val *target, bool reverse)
{
    struct slice given = json_get_string(target, "equivalence");
    struct slice later = json_get_string(target, "relationship");
    for (size_t i = 0; i < sizeof relations / sizeof relations[0]; i++) {
        if (slice_is(given, relations[i].equivalence) ||
            (given.length == 0 && later.length > 0 && slice_is(later, relations[i].later))) {
            return slice_text(reverse ? relations[i].reversed : relations[i].equivalence);
        }
    }
    return given.length > 0 ? given : SLICE("relatedto");
}

/* ---- matches ----------------------------------------------------------------------------------
 */

static void add_match(struct translation *translation, yyjson_val *map, struct slice equivalence,
                      struct slice system, struct slice code, struct slice display)
{
    struct buffer *out = &translation->matches;
    bool matched = !slice_is(equivalence, "unmatched") && !slice_is(equivalence, "disjoint");
    translation->result |= matched;
    translation->any = true;
    buffer_add_text(out, ",{\"name\":\"match\",\"part\":[");
    part_write(out, "equivalence", "Code", equivalence);
    if (code.length > 0) {
        buffer_add_text(out, ",{\"name\":\"concept\",\"valueCoding\":{");
        if (system.length > 0) {
            buffer_add_text(out, "\"system\":");
            buffer_add_json_string(out, system);
            buffer_add_byte(out, ',');
        }
        buffer_add_text(out, "\"code\":");
        buffer_add_json_string(out, code);
        if (display.length > 0) {
            buffer_add_text(out, ",\"display\":");
            buffer_add_json_string(out, display);
        }
        buffer_add_text(out, "}}");
    }
    struct slice name = canonical_join(translation->question->arena, json_get_string(map, "url"),
                                       json_get_string(map, "version"));
    if (name.length > 0) {
        buffer_add_byte(out, ',');
        if (translation->wanted.later) {
            part_write(out, "originMap", "Canonical", name);
        } else {
            part_write(out, "source", "Uri", name);
        }
    }
    buffer_add_text(out, "]}");
}

/* The targets of an element, or the element of a target. True: the code was found. */
static bool match_element(struct translation *translation, yyjson_val *map, yyjson_val *group,
                          yyjson_val *element)
{
    const struct wanted *wanted = &translation->wanted;
    bool found = !wanted->reverse && slice_equals(json_get_string(element, "code"), wanted->code);
    size_t at, max;
    yyjson_val *target;
    yyjson_arr_foreach(json_get(element, "target"), at, max, target)
    {
        struct slice equivalence = equivalence_of(target, wanted->reverse);
        if (!wanted->reverse && found) {
            add_match(translation, map, equivalence, json_get_string(group, "target"),
                      json_get_string(target, "code"), json_get_string(target, "display"));
        } else if (wanted->reverse && slice_equals(json_get_string(target, "code"), wanted->code)) {
            add_match(translation, map, equivalence, json_get_string(group, "source"),
                      json_get_string(element, "code"), json_get_string(element, "display"));
            found = true;
        }
    }
    return found;
}

static void use_map(struct translation *translation, yyjson_val *map);

static void use_unmapped(struct translation *translation, yyjson_val *map, yyjson_val *group)
{
    yyjson_val *unmapped = json_get(group, "unmapped");
    struct slice mode = json_get_string(unmapped, "mode");
    struct slice target = json_get_string(group, "target");
    if (slice_is(mode, "fixed")) {
        add_match(translation, map, SLICE("relatedto"), target, json_get_string(unmapped, "code"),
                  json_get_string(unmapped, "display"));
    } else if (slice_is(mode, "provided") || slice_is(mode, "use-source-code")) {
        add_match(translation, map, SLICE("equal"), target, translation->wanted.code, nothing);
    } else if (slice_is(mode, "other-map") && translation->depth < 4 &&
               translation->maps <= MAPS_MOST) {
        struct slice url = json_get_string(unmapped, "url");
        url = url.length > 0 ? url : json_get_string(unmapped, "otherMap");
        const struct canonical *other =
            conformance_find(shelf_conformance(translation->question->scope->terms),
                             SLICE("ConceptMap"), url, translation->question->arena);
        if (other != NULL && other->json != NULL) {
            translation->depth++;
            use_map(translation, other->json->root);
            translation->depth--;
        }
    }
}

static void use_group(struct translation *translation, yyjson_val *map, yyjson_val *group)
{
    const struct wanted *wanted = &translation->wanted;
    struct slice versions[2];
    struct slice source = canonical_url(json_get_string(group, "source"), &versions[0]);
    struct slice target = canonical_url(json_get_string(group, "target"), &versions[1]);
    struct slice from = wanted->reverse ? target : source, to = wanted->reverse ? source : target;
    struct slice stated =
        json_get_string(group, wanted->reverse ? "targetVersion" : "sourceVersion");
    stated = stated.length > 0 ? stated : versions[wanted->reverse];
    bool found = false;
    if (!map_fits(wanted->system, from) || !map_fits(wanted->target_system, to) ||
        (stated.length > 0 && !map_fits(wanted->version, stated))) {
        return;
    }
    size_t at, max;
    yyjson_val *element;
    yyjson_arr_foreach(json_get(group, "element"), at, max, element)
    {
        found |= match_element(translation, map, group, element);
    }
    if (!found && !wanted->reverse) {
        use_unmapped(translation, map, group);
    }
}

/* What was asked for by name translates no further than between the value sets asked for. */
static void use_named(struct translation *translation, yyjson_val *map)
{
    const struct wanted *wanted = &translation->wanted;
    if (map_fits(wanted->source_set, map_source_set(map)) &&
        map_fits(wanted->target_set, map_target_set(map))) {
        use_map(translation, map);
    }
}

static void use_map(struct translation *translation, yyjson_val *map)
{
    size_t at, max;
    yyjson_val *group;
    if (translation->maps++ >= MAPS_MOST || scope_late(translation->question->scope)) {
        return;
    }
    yyjson_arr_foreach(json_get(map, "group"), at, max, group)
    {
        use_group(translation, map, group);
    }
}

/* ---- which maps -------------------------------------------------------------------------------
 */

static enum status use_fitting_maps(struct translation *translation)
{
    struct scope *scope = translation->question->scope;
    const struct wanted *wanted = &translation->wanted;
    const struct map_wish wish = {
        .source = wanted->reverse ? wanted->target_system : wanted->system,
        .target = wanted->reverse ? wanted->system : wanted->target_system,
        .source_set = wanted->source_set,
        .target_set = wanted->target_set};
    struct slice *names;
    size_t count;
    for (size_t i = 0; i < scope->guest_count; i++) {
        yyjson_val *root = scope->guests[i].root;
        if (slice_is(scope->guests[i].type, "ConceptMap") &&
            map_fits(wish.source_set, map_source_set(root)) &&
            map_fits(wish.target_set, map_target_set(root))) {
            use_map(translation, root);
        }
    }
    TRY(maps_that_fit(shelf_maps(scope->terms), &wish, scope->arena, &names, &count));
    for (size_t i = 0; i < count; i++) {
        const struct canonical *map = conformance_find(shelf_conformance(scope->terms),
                                                       SLICE("ConceptMap"), names[i], scope->arena);
        if (map != NULL && map->json != NULL) {
            use_map(translation, map->json->root);
        }
    }
    return STATUS_OK;
}

static enum status use_maps(struct translation *translation)
{
    struct question *question = translation->question;
    struct scope *scope = question->scope;
    const struct terms_parameter *brought = question_find(question, "conceptMap");
    struct slice url = question_text(question, "url");
    if (question->asked->instance != NULL || (brought != NULL && brought->resource != NULL)) {
        use_named(translation, question->asked->instance != NULL ? question->asked->instance
                                                                 : brought->resource);
        return STATUS_OK;
    }
    if (url.length == 0) {
        if (translation->wanted.system.length == 0) { /* R4: with a code comes its system */
            problem_add(&scope->problems, MESSAGE_REQUIRED, nothing, SLICE("system"));
            return STATUS_REQUIRED;
        }
        return use_fitting_maps(translation);
    }
    struct slice canonical =
        canonical_join(question->arena, url, question_text(question, "conceptMapVersion"));
    for (size_t i = 0; i < scope->guest_count; i++) {
        if (slice_is(scope->guests[i].type, "ConceptMap") &&
            slice_equals(scope->guests[i].url, url)) {
            use_named(translation, scope->guests[i].root);
            return STATUS_OK;
        }
    }
    const struct canonical *map = conformance_find(shelf_conformance(scope->terms),
                                                   SLICE("ConceptMap"), canonical, scope->arena);
    if (map == NULL || map->json == NULL) {
        problem_add(&scope->problems, MESSAGE_MAP_MISSING, nothing);
        return STATUS_NOT_FOUND;
    }
    use_named(translation, map->json->root);
    return STATUS_OK;
}

/* ---- the question -----------------------------------------------------------------------------
 */

/* The first of these that the question has. */
static struct slice text_of(const struct question *question, const char *name, const char *later)
{
    struct slice text = question_text(question, name);
    return text.length > 0 ? text : question_text(question, later);
}

static yyjson_val *coding_value(const struct question *question)
{
    static const char *const codings[] = {"coding", "sourceCoding", "targetCoding"};
    static const char *const concepts[] = {"codeableConcept", "sourceCodeableConcept",
                                           "targetCodeableConcept"};
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        yyjson_val *coding = question_value(question, codings[i]);
        if (coding != NULL) {
            return coding;
        }
        yyjson_val *concept = question_value(question, concepts[i]);
        if (concept != NULL) {
            return yyjson_arr_get_first(json_get(concept, "coding"));
        }
    }
    return NULL;
}

static bool has_any(const struct question *question, const char *const *names)
{
    while (*names != NULL && question_find(question, *names) == NULL) {
        names++;
    }
    return *names != NULL;
}

static struct wanted wanted_of(const struct question *question)
{
    static const char *const sources[] = {"sourceCode", "sourceCoding", "sourceCodeableConcept",
                                          NULL};
    static const char *const targets[] = {"targetCode", "targetCoding", "targetCodeableConcept",
                                          NULL};
    bool backwards = has_any(question, targets);
    yyjson_val *coding = coding_value(question);
    struct wanted wanted = {.system = text_of(question, "system", "sourceSystem"),
                            .version = question_text(question, "version"),
                            .code = text_of(question, "code", "sourceCode"),
                            .target_system = text_of(question, "targetsystem", "targetSystem"),
                            .source_set = text_of(question, "source", "sourceScope"),
                            .target_set = text_of(question, "target", "targetScope"),
                            .reverse = question_flag(question, "reverse", false),
                            .later = backwards || has_any(question, sources)};
    if (backwards) {
        wanted.reverse = true;
        wanted.code = question_text(question, "targetCode");
        struct slice source = wanted.system;
        wanted.system = wanted.target_system;
        wanted.target_system = source;
    }
    if (coding != NULL) {
        struct slice version = json_get_string(coding, "version");
        struct slice system = json_get_string(coding, "system");
        wanted.crossed = wanted.system.length > 0 && !slice_equals(wanted.system, system);
        wanted.system = system;
        wanted.version = version.length > 0 ? version : wanted.version;
        wanted.code = json_get_string(coding, "code");
    }
    return wanted;
}

enum status translate_answer(struct question *question, struct buffer *out)
{
    struct translation translation = {
        .question = question, .wanted = wanted_of(question), .matches = {.arena = question->arena}};
    if (translation.wanted.code.length == 0) {
        problem_add(&question->scope->problems, MESSAGE_REQUIRED, nothing, SLICE("code"));
        return STATUS_REQUIRED;
    }
    if (translation.wanted.crossed) {
        problem_add(&question->scope->problems, MESSAGE_UNUSABLE, nothing, SLICE("system"),
                    SLICE("the coding is of another code system"));
        return STATUS_INVALID;
    }
    TRY(use_maps(&translation));
    if (translation.maps > MAPS_MOST) {
        problem_add(&question->scope->problems, MESSAGE_TOO_LATE, nothing);
    }
    if (question->scope->problems.errors > 0) {
        return STATUS_TOO_COSTLY;
    }
    struct parameters_writer writer;
    parameters_begin(&writer, out);
    parameters_flag(&writer, "result", translation.result);
    if (!translation.any) {
        parameters_add(&writer, "message", "String",
                       SLICE("No concept map that is loaded translates this code."));
    }
    buffer_add(out, buffer_slice(&translation.matches));
    parameters_end(&writer);
    return buffer_ok(&translation.matches) ? STATUS_OK : STATUS_TOO_COSTLY;
}
