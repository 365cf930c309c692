/* SPDX-License-Identifier: MIT */
/* $validate-code (R4 valueset-operation-validate-code, codesystem-operation-validate-code): is a
 * code, Coding or CodeableConcept in a value set or code system, and what is wrong with it. */
#include <roaring/roaring.h>

#include "terms/terms_int.h"

static const struct slice nothing = {0};

enum verdict { VERDICT_IN, VERDICT_OUT, VERDICT_OPEN };

/* How the version that a Coding states stands to that of the include. */
enum version_state { VERSION_SAME, VERSION_OTHER, VERSION_MISSING };

/* What an include makes of a coding. */
struct pick {
    const struct code_system *system; /* NULL: the include's version is not there */
    uint32_t code;
    enum version_state state;
    struct asked_version asked;
    bool stated_known; /* the version that the coding states exists */
    bool in_set, display_fits, inactive_barred;
};

struct coding {
    struct slice system, version, code, display;
};

struct validation {
    struct question *question;
    struct scope *scope;
    struct problems *problems;
    const struct value_set *set; /* NULL: a code system alone */
    struct slice only_system;    /* the one asked of; empty: any */
    struct slice prefix;         /* "Coding", "CodeableConcept.coding[1]"; empty: code and system */
    bool concept;                /* one of several codings */
    bool only_membership, lenient, active_only, refuse_abstract;
    struct slice unknown_system, unknown_version; /* x-unknown-system, x-caused-by-... */
    bool settled;                                 /* another coding has answered */
};

static struct slice path_of(const struct validation *validation, const char *field)
{
    return validation->prefix.length == 0
               ? slice_text(field)
               : slice_text(arena_print(validation->question->arena, "%.*s.%s",
                                        SLICE_ARGS(validation->prefix), field));
}

/* ---- versions ---------------------------------------------------------------------------------
 */

static void resolve(struct validation *validation, const struct coding *coding,
                    struct asked_version asked, struct pick *ret_pick)
{
    struct scope *scope = validation->scope;
    const struct code_system *system = scope_system(scope, coding->system, asked.asked);
    const struct code_system *stated =
        coding->version.length > 0 ? scope_system(scope, coding->system, coding->version) : NULL;
    *ret_pick = (struct pick){
        .asked = asked, .code = CODE_NONE, .system = system, .stated_known = stated != NULL};
    if (system == NULL) {
        ret_pick->state = VERSION_MISSING;
        return;
    }
    if (coding->version.length > 0 && !slice_equals(system->version, coding->version)) {
        if (stated != NULL && version_is_pattern(asked.asked) &&
            version_matches(asked.asked, stated->version)) {
            ret_pick->system = stated;
        } else {
            ret_pick->state = VERSION_OTHER;
        }
    }
    ret_pick->code = code_find(ret_pick->system, coding->code);
}

/* ---- membership -------------------------------------------------------------------------------
 */

static bool better(const struct pick *a, const struct pick *b)
{
    int left = (a->in_set ? 8 : 0) + (a->state == VERSION_SAME ? 4 : 0) + (a->display_fits ? 2 : 0);
    int right =
        (b->in_set ? 8 : 0) + (b->state == VERSION_SAME ? 4 : 0) + (b->display_fits ? 2 : 0);
    if (left != right || a->system == NULL || b->system == NULL) {
        return left > right;
    }
    return version_compare(a->system->version, b->system->version) > 0;
}

static bool in_include(struct validation *validation, const struct include *include,
                       const struct pick *pick)
{
    const roaring_bitmap_t *codes = include->codes;
    if (pick->system == NULL || pick->code == CODE_NONE) {
        return false;
    }
    if (pick->system != include->system) {
        roaring_bitmap_t *other;
        if (include_codes(validation->scope, include, pick->system, &other) != STATUS_OK) {
            return false;
        }
        codes = other;
    }
    return codes != NULL && roaring_bitmap_contains(codes, pick->code);
}

static bool look_in_set(struct validation *validation, const struct value_set *set,
                        const struct coding *coding, struct pick *ret_pick, bool *ret_found);

/* Looks in one include or exclude. False: it does not concern the coding's system. */
static bool look_in_include(struct validation *validation, const struct include *include,
                            const struct coding *coding, struct pick *ret_pick)
{
    bool concerned = false, in = true;
    if (include->url.length > 0) {
        if (!slice_equals(include->url, coding->system)) {
            return false;
        }
        concerned = true;
        if (include->system != NULL && include->system->stand_in) {
            *ret_pick = (struct pick){.system = include->system,
                                      .asked = include->version,
                                      .code = code_find(include->system, coding->code)};
        } else {
            resolve(validation, coding, include->version, ret_pick);
        }
        in = in_include(validation, include, ret_pick);
    }
    for (size_t i = 0; i < include->import_count; i++) {
        struct pick other = {.code = CODE_NONE};
        bool found = false;
        bool known = look_in_set(validation, include->imports[i], coding, &other, &found);
        in &= found;
        if (known && !concerned) {
            *ret_pick = other;
            concerned = true;
        }
    }
    ret_pick->in_set = in && concerned && include->state != INCLUDE_UNKNOWN_SET;
    return concerned;
}

static bool is_excluded(struct validation *validation, const struct value_set *set,
                        const struct coding *coding, const struct pick *pick)
{
    for (size_t i = 0; i < set->exclude_count; i++) {
        struct pick other = {.code = CODE_NONE};
        if (look_in_include(validation, &set->excludes[i], coding, &other) && other.in_set &&
            (other.system == pick->system || set->exclude_count == 0 ||
             value_set_part(set, other.system) == NULL)) {
            return true;
        }
    }
    return false;
}

/* The best that the set makes of the coding; false: nothing in it concerns the coding's system. */
static bool look_in_set(struct validation *validation, const struct value_set *set,
                        const struct coding *coding, struct pick *ret_pick, bool *ret_found)
{
    bool any = false;
    *ret_found = false;
    for (size_t i = 0; i < set->include_count; i++) {
        struct pick pick = {.code = CODE_NONE};
        if (!look_in_include(validation, &set->includes[i], coding, &pick)) {
            continue;
        }
        if (pick.in_set && is_excluded(validation, set, coding, &pick)) {
            pick.in_set = false;
        }
        if (pick.in_set && (set->active_only || validation->active_only) &&
            code_is(pick.system, pick.code, CODE_INACTIVE)) {
            pick.in_set = false;
            pick.inactive_barred = true;
        }
        pick.display_fits =
            pick.in_set && !pick.system->stand_in &&
            (coding->display.length == 0 ||
             display_known(validation->question, pick.system, pick.code,
                           value_set_listed(set, pick.system, pick.code), coding->display));
        if (!any || better(&pick, ret_pick)) {
            *ret_pick = pick;
        }
        any = true;
    }
    for (size_t i = 0; set->include_count == 0 && i < set->set_count; i++) { /* an expansion */
        const struct code_set *part = &set->sets[i];
        uint32_t code = slice_equals(part->system->url, coding->system)
                            ? code_find(part->system, coding->code)
                            : CODE_NONE;
        if (code != CODE_NONE) {
            *ret_pick = (struct pick){.system = part->system,
                                      .code = code,
                                      .in_set = roaring_bitmap_contains(part->codes, code)};
            any = true;
        }
    }
    *ret_found = any && ret_pick->in_set;
    return any;
}

/* ---- what to say of it ------------------------------------------------------------------------
 */

static void tell_not_in_set(struct validation *validation, const struct coding *coding)
{
    if (validation->set == NULL) {
        return;
    }
    struct buffer code = {.arena = validation->question->arena};
    buffer_add(&code, canonical_join(validation->question->arena, coding->system, coding->version));
    buffer_add_byte(&code, '#');
    buffer_add(&code, coding->code);
    if (coding->display.length > 0) {
        buffer_print(&code, " ('%.*s')", SLICE_ARGS(coding->display));
    }
    problem_add(validation->problems,
                validation->concept ? MESSAGE_THIS_NOT_IN_SET : MESSAGE_NOT_IN_SET,
                path_of(validation, "code"), buffer_slice(&code),
                value_set_name(validation->set, validation->question->arena));
}

static void tell_version_unknown(struct validation *validation, struct slice url,
                                 struct slice version)
{
    bool known;
    struct slice versions = scope_versions(validation->scope, url, &known);
    problem_add(validation->problems, MESSAGE_VERSION_UNKNOWN, path_of(validation, "system"), url,
                version, versions);
    validation->unknown_version = canonical_join(validation->question->arena, url, version);
}

static void tell_versions(struct validation *validation, const struct coding *coding,
                          const struct pick *pick)
{
    struct slice path = path_of(validation, "version");
    struct slice stated = coding->version, asked = pick->asked.asked;
    if (pick->state == VERSION_MISSING) {
        tell_version_unknown(validation, coding->system, asked);
        if (stated.length > 0 && !slice_equals(stated, asked)) {
            problem_add(validation->problems, MESSAGE_VERSION_OTHER, path, coding->system, asked,
                        stated);
        }
        return;
    }
    if (pick->state == VERSION_OTHER) {
        if (!pick->stated_known) {
            tell_version_unknown(validation, coding->system, stated);
        }
        if (asked.length == 0) {
            problem_add(validation->problems, MESSAGE_VERSION_OTHER_DEFAULT, path, coding->system,
                        pick->system->version, stated);
        } else if (pick->asked.by_rule) {
            problem_add(validation->problems, MESSAGE_VERSION_OTHER_RULE, path, coding->system,
                        asked, pick->asked.written, stated);
        } else {
            problem_add(validation->problems, MESSAGE_VERSION_OTHER, path, coding->system, asked,
                        stated);
        }
    }
    if (!version_matches(pick->asked.check, pick->system->version)) {
        problem_add(validation->problems, MESSAGE_VERSION_NOT_ALLOWED, path, pick->system->version,
                    coding->system, pick->asked.check);
    }
}

static void tell_standing(struct validation *validation, const struct code_system *system)
{
    const char *state = NULL, *id = NULL;
    yyjson_val *set = validation->set != NULL ? validation->set->root : NULL;
    if (slice_is(system->standards_status, "deprecated")) {
        state = "deprecated", id = "MSG_DEPRECATED";
    } else if (slice_is(system->standards_status, "withdrawn")) {
        state = "withdrawn", id = "MSG_WITHDRAWN";
    } else if (slice_is(system->status, "draft") &&
               !slice_is(json_get_string(set, "status"), "draft")) {
        state = "draft", id = "MSG_DRAFT";
    } else if (system->experimental && !yyjson_is_true(json_get(set, "experimental"))) {
        state = "experimental", id = "MSG_EXPERIMENTAL";
    } else {
        return;
    }
    struct slice name = canonical_join(validation->question->arena, system->url, system->version);
    struct problem *problem = problem_add(validation->problems, MESSAGE_STANDING, nothing,
                                          slice_text(state), SLICE("CodeSystem"), name);
    if (problem != NULL) {
        problem->id = slice_text(id);
    }
}

static struct slice status_of(struct validation *validation, const struct code_system *system,
                              uint32_t code)
{
    size_t count;
    const struct property *all =
        scope_properties(validation->scope, system, code, validation->question->arena, &count);
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(all[i].code, system->status_property)) {
            return all[i].value;
        }
    }
    return nothing;
}

static void tell_state(struct validation *validation, const struct pick *pick,
                       const struct coding *coding, yyjson_val *listed)
{
    struct arena *arena = validation->question->arena;
    if (code_is(pick->system, pick->code, CODE_INACTIVE)) {
        struct slice status = status_of(validation, pick->system, pick->code);
        bool plain = status.length == 0 || slice_is(status, "inactive");
        struct slice place = validation->prefix.length > 0 ? validation->prefix : SLICE("code");
        problem_add(validation->problems, MESSAGE_INACTIVE, place, coding->code,
                    plain
                        ? SLICE("inactive")
                        : slice_text(arena_print(arena, "%.*s and inactive", SLICE_ARGS(status))));
        if (pick->inactive_barred) {
            problem_add(validation->problems, MESSAGE_NOT_ACTIVE, path_of(validation, "code"),
                        coding->code);
        }
    }
    if (validation->refuse_abstract && code_is(pick->system, pick->code, CODE_ABSTRACT)) {
        problem_add(validation->problems, MESSAGE_NOT_SELECTABLE, path_of(validation, "code"),
                    coding->system, coding->code);
    }
    yyjson_val *old =
        extension_find(listed, "http://hl7.org/fhir/StructureDefinition/valueset-deprecated");
    yyjson_val *standing = extension_find(
        listed, "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status");
    if (yyjson_is_true(json_get(old, "valueBoolean")) ||
        slice_is(json_get_string(standing, "valueCode"), "deprecated")) {
        problem_add(validation->problems, MESSAGE_DEPRECATED_IN_SET, path_of(validation, "code"),
                    coding->code, coding->system, value_set_name(validation->set, arena),
                    SLICE("deprecated"));
    }
}

/* ---- one coding -------------------------------------------------------------------------------
 */

/* Has the set a part of this system, or an import, that is not known? *RET_NAME: which. */
static bool set_is_open_to(const struct value_set *set, struct slice system, struct slice *ret_name,
                           bool *ret_import)
{
    for (size_t i = 0; i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        if (include->state == INCLUDE_UNKNOWN_SET ||
            (include->state != INCLUDE_KNOWN && include->listed_count == 0 &&
             slice_equals(include->url, system))) {
            *ret_name = include->missing;
            *ret_import = include->state == INCLUDE_UNKNOWN_SET;
            return true;
        }
        for (size_t j = 0; j < include->import_count; j++) {
            if (set_is_open_to(include->imports[j], system, ret_name, ret_import)) {
                return true;
            }
        }
    }
    return false;
}

static enum verdict tell_unknown_system(struct validation *validation, const struct coding *coding)
{
    struct slice path = path_of(validation, "system");
    uint64_t serial;
    bool relative = slice_index(coding->system, ':') == coding->system.length;
    if (!relative && scope_value_set(validation->scope, coding->system, &serial) != NULL) {
        problem_add(validation->problems, MESSAGE_SYSTEM_IS_VALUE_SET, path, coding->system);
        tell_not_in_set(validation, coding);
        return VERDICT_OUT;
    }
    if (coding->version.length > 0 && !relative) {
        problem_add(validation->problems, MESSAGE_VERSION_UNKNOWN_NONE, path, coding->system,
                    coding->version);
    } else {
        problem_add(validation->problems, MESSAGE_SYSTEM_UNKNOWN, path, coding->system);
    }
    if (relative) {
        problem_add(validation->problems, MESSAGE_SYSTEM_IS_RELATIVE, path);
    }
    validation->unknown_system = coding->system;
    struct slice name;
    bool import;
    if (validation->set == NULL) {
        return VERDICT_OPEN;
    }
    if (set_is_open_to(validation->set, coding->system, &name, &import)) {
        problem_add(validation->problems,
                    import ? MESSAGE_SET_UNCHECKED_SET : MESSAGE_SET_UNCHECKED_SYSTEM, nothing,
                    value_set_name(validation->set, validation->question->arena), name);
        return VERDICT_OPEN;
    }
    tell_not_in_set(validation, coding);
    return VERDICT_OUT;
}

static enum verdict tell_unknown_code(struct validation *validation, const struct coding *coding,
                                      const struct pick *pick, bool whole)
{
    const struct code_system *system = pick->system;
    struct slice path = path_of(validation, "code");
    if (system->content == CONTENT_FRAGMENT || system->content == CONTENT_EXAMPLE) {
        problem_add(validation->problems, MESSAGE_CODE_UNKNOWN_FRAGMENT, path, coding->code,
                    system->url, system->version);
        if (whole) {
            return VERDICT_IN;
        }
    } else if (!validation->only_membership && system->version.length > 0) {
        problem_add(validation->problems, MESSAGE_CODE_UNKNOWN_VERSION, path, coding->code,
                    system->url, system->version);
    } else if (!validation->only_membership) {
        problem_add(validation->problems, MESSAGE_CODE_UNKNOWN, path, coding->code, system->url);
    }
    tell_not_in_set(validation, coding);
    return VERDICT_OUT;
}

/* Does an include take all of the system? */
static bool takes_whole(const struct value_set *set, struct slice system)
{
    for (size_t i = 0; set != NULL && i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        if (slice_equals(include->url, system) && include->whole && include->import_count == 0) {
            return true;
        }
        for (size_t j = 0; include->url.length == 0 && j < include->import_count; j++) {
            if (takes_whole(include->imports[j], system)) {
                return true;
            }
        }
    }
    return set == NULL;
}

static enum verdict judge(struct validation *validation, const struct coding *coding,
                          struct pick *pick)
{
    if (!validation->only_membership || pick->in_set) {
        tell_versions(validation, coding, pick);
    }
    if (pick->system == NULL) {
        return VERDICT_OPEN;
    }
    tell_standing(validation, pick->system);
    if (pick->code == CODE_NONE) {
        return tell_unknown_code(validation, coding, pick,
                                 takes_whole(validation->set, coding->system));
    }
    yyjson_val *listed = validation->set != NULL
                             ? value_set_listed(validation->set, pick->system, pick->code)
                             : NULL;
    if (!pick->in_set) {
        struct slice name;
        bool import;
        if (set_is_open_to(validation->set, coding->system, &name, &import)) {
            problem_add(validation->problems,
                        import ? MESSAGE_SET_UNCHECKED_SET : MESSAGE_SET_UNCHECKED_SYSTEM, nothing,
                        value_set_name(validation->set, validation->question->arena), name);
            if (import) {
                problem_add(validation->problems, MESSAGE_VALUE_SET_MISSING, nothing, name);
            }
            return VERDICT_OPEN;
        }
        tell_not_in_set(validation, coding);
    }
    if (!validation->only_membership) {
        tell_state(validation, pick, coding, listed);
        if (coding->display.length > 0 && !pick->system->stand_in) {
            display_check(validation->question, pick->system, pick->code, listed, coding->display,
                          path_of(validation, "display"), validation->lenient);
        }
    }
    return pick->in_set ? VERDICT_IN : VERDICT_OUT;
}

/* The systems of the value set that have the code; the question names none. */
static bool infer_system(struct validation *validation, struct coding *coding)
{
    struct buffer names = {.arena = validation->question->arena};
    struct slice code = coding->code;
    size_t count = 0;
    for (size_t i = 0; i < validation->set->set_count; i++) {
        const struct code_set *part = &validation->set->sets[i];
        uint32_t number = code_find(part->system, code);
        if (number == CODE_NONE || !roaring_bitmap_contains(part->codes, number) ||
            slice_equals(part->system->url, coding->system)) {
            continue;
        }
        coding->system = part->system->url;
        buffer_add_text(&names, count > 0 ? ", " : "");
        buffer_add(&names, coding->system);
        count++;
    }
    struct slice set = value_set_name(validation->set, validation->question->arena);
    if (count == 1) {
        return true;
    }
    coding->system = nothing;
    if (count == 0) {
        problem_add(validation->problems, MESSAGE_NOT_INFERRED, path_of(validation, "code"), code,
                    set);
    } else {
        problem_add(validation->problems, MESSAGE_INFERRED_MANY, path_of(validation, "code"), code,
                    set, buffer_slice(&names));
    }
    return false;
}

/* The newest version of a code system knows codes that are listed in no include. */
static bool look_in_system(struct validation *validation, const struct coding *coding,
                           struct pick *ret_pick)
{
    struct asked_version asked = scope_asked(validation->scope, coding->system, nothing);
    resolve(validation, coding, asked, ret_pick);
    if (ret_pick->system == NULL && asked.asked.length > 0) {
        bool known;
        (void)scope_versions(validation->scope, coding->system, &known);
        return known;
    }
    return ret_pick->system != NULL;
}

static enum verdict check_coding(struct validation *validation, struct coding *coding,
                                 struct pick *ret_pick)
{
    *ret_pick = (struct pick){.code = CODE_NONE};
    if (coding->code.length == 0) {
        problem_add(validation->problems, MESSAGE_NO_CODE, path_of(validation, "code"));
        return VERDICT_OUT;
    }
    if (coding->system.length == 0) {
        problem_add(validation->problems, MESSAGE_NO_SYSTEM, validation->prefix);
        tell_not_in_set(validation, coding);
        return VERDICT_OUT;
    }
    bool found = false;
    if (validation->set != NULL &&
        look_in_set(validation, validation->set, coding, ret_pick, &found)) {
        if (ret_pick->state != VERSION_MISSING) {
            return judge(validation, coding, ret_pick);
        }
        bool known;
        (void)scope_versions(validation->scope, coding->system, &known);
        return known ? judge(validation, coding, ret_pick)
                     : tell_unknown_system(validation, coding);
    }
    if (!look_in_system(validation, coding, ret_pick)) {
        return tell_unknown_system(validation, coding);
    }
    if (ret_pick->system != NULL && ret_pick->system->content == CONTENT_SUPPLEMENT) {
        problem_add(validation->problems, MESSAGE_SYSTEM_IS_SUPPLEMENT,
                    path_of(validation, "system"), coding->system);
        return VERDICT_OUT;
    }
    ret_pick->in_set = validation->set == NULL && ret_pick->code != CODE_NONE;
    return judge(validation, coding, ret_pick);
}

/* ---- the answer -------------------------------------------------------------------------------
 */

struct answered {
    struct coding coding;
    struct pick pick;
    bool named; /* code, system and display belong into the answer */
};

static void write_code(struct validation *validation, const struct answered *answered,
                       struct parameters_writer *writer)
{
    const struct pick *pick = &answered->pick;
    if (answered->coding.code.length > 0) { /* no element is empty */
        parameters_add(writer, "code", "Code", answered->coding.code);
    }
    if (answered->coding.system.length > 0) {
        parameters_add(writer, "system", "Uri", answered->coding.system);
    }
    if (pick->system == NULL) {
        return;
    }
    if (pick->system->version.length > 0 && !pick->system->stand_in) {
        parameters_add(writer, "version", "String", pick->system->version);
    }
    if (pick->code == CODE_NONE) {
        return;
    }
    yyjson_val *listed = validation->set != NULL
                             ? value_set_listed(validation->set, pick->system, pick->code)
                             : NULL;
    struct shown shown = display_for(validation->question, pick->system, pick->code, listed);
    if (shown.text.length > 0) {
        parameters_add(writer, "display", "String", shown.text);
    }
    if (code_is(pick->system, pick->code, CODE_INACTIVE)) {
        struct slice status = status_of(validation, pick->system, pick->code);
        parameters_flag(writer, "inactive", true);
        if (status.length > 0) {
            parameters_add(writer, "status", "Code", status);
        }
    }
}

static void write_answer(struct validation *validation, const struct answered *answered,
                         yyjson_val *concept, bool result, struct buffer *out)
{
    struct parameters_writer writer;
    parameters_begin(&writer, out);
    parameters_flag(&writer, "result", result && validation->problems->errors == 0);
    if (answered->named) {
        write_code(validation, answered, &writer);
    }
    if (concept != NULL) {
        parameters_json(&writer, "codeableConcept", "valueCodeableConcept", concept);
    }
    if (validation->unknown_version.length > 0) {
        parameters_add(&writer, "x-caused-by-unknown-system", "Canonical",
                       validation->unknown_version);
    }
    if (validation->unknown_system.length > 0) {
        parameters_add(&writer, "x-unknown-system", "Canonical", validation->unknown_system);
    }
    struct slice message = problems_summary(validation->problems, validation->question->arena);
    if (message.length > 0) {
        parameters_add(&writer, "message", "String", message);
    }
    if (validation->problems->first != NULL) {
        buffer_add_text(out, ",{\"name\":\"issues\",\"resource\":");
        problems_write(validation->problems, out);
        buffer_add_byte(out, '}');
    }
    parameters_end(&writer);
}

static enum status refuse(struct validation *validation, const char *name, const char *why)
{
    problem_add(validation->problems, MESSAGE_UNUSABLE, nothing, slice_text(name), slice_text(why));
    return STATUS_INVALID;
}

static struct coding coding_of(yyjson_val *node)
{
    return (struct coding){json_get_string(node, "system"), json_get_string(node, "version"),
                           json_get_string(node, "code"), json_get_string(node, "display")};
}

static enum status answer_concept(struct validation *validation, yyjson_val *concept,
                                  struct buffer *out)
{
    struct answered answered = {.named = false};
    bool in = false, open = false, asked = false;
    size_t at, max;
    yyjson_val *node;
    validation->concept = true;
    yyjson_arr_foreach(json_get(concept, "coding"), at, max, node)
    {
        struct coding coding = coding_of(node);
        struct pick pick;
        if (validation->only_system.length > 0 &&
            !slice_equals(coding.system, validation->only_system)) {
            continue;
        }
        asked = true;
        validation->prefix =
            slice_text(arena_print(validation->question->arena, "CodeableConcept.coding[%zu]", at));
        enum verdict verdict = check_coding(validation, &coding, &pick);
        open |= verdict == VERDICT_OPEN;
        if (verdict == VERDICT_IN && !in) {
            answered = (struct answered){coding, pick, true};
            in = true;
        }
    }
    if (!asked && validation->only_system.length > 0) {
        return refuse(validation, "codeableConcept", "it has no coding of this code system");
    }
    if (!in && !open && validation->set != NULL) {
        problem_add(validation->problems, MESSAGE_NONE_IN_SET, nothing,
                    value_set_name(validation->set, validation->question->arena));
    }
    write_answer(validation, &answered, concept, in, out);
    return STATUS_OK;
}

static void answer_coding(struct validation *validation, struct coding coding, struct buffer *out)
{
    struct answered answered = {.named = true};
    enum verdict verdict = check_coding(validation, &coding, &answered.pick);
    answered.coding = coding;
    if (answered.pick.system == NULL && answered.pick.state == VERSION_MISSING) {
        answered.pick.code = CODE_NONE;
    }
    write_answer(validation, &answered, NULL, verdict == VERDICT_IN, out);
}

/* The code system that CodeSystem/$validate-code is asked of, or empty. */
static struct slice asked_system(const struct question *question)
{
    struct slice url = question_text(question, "url");
    if (url.length == 0 && question->asked->instance != NULL) {
        url = json_get_string(question->asked->instance, "url");
    }
    return url.length > 0 ? url : question_text(question, "system");
}

static enum status answer_code(struct validation *validation, bool system_only, struct buffer *out)
{
    struct question *question = validation->question;
    struct coding coding = {system_only ? validation->only_system
                                        : question_text(question, "system"),
                            question_text(question, "systemVersion"),
                            question_text(question, "code"), question_text(question, "display")};
    if (coding.version.length == 0) {
        coding.version = question_text(question, "version");
    }
    bool infer = question_flag(question, "inferSystem", false) && validation->set != NULL;
    if (coding.code.length == 0 || (coding.system.length == 0 && !infer)) {
        problem_add(validation->problems, MESSAGE_NO_INPUT, nothing);
        return STATUS_INVALID;
    }
    if (coding.system.length == 0 && !infer_system(validation, &coding)) {
        struct answered answered = {.coding = coding, .named = true};
        answered.pick.code = CODE_NONE;
        tell_not_in_set(validation, &coding);
        write_answer(validation, &answered, NULL, false, out);
        return STATUS_OK;
    }
    answer_coding(validation, coding, out);
    return STATUS_OK;
}

enum status validate_answer(struct question *question, bool system_only, struct buffer *out)
{
    struct validation validation = {
        .question = question,
        .scope = question->scope,
        .problems = &question->scope->problems,
        .only_membership = question_flag(question, "valueset-membership-only", false),
        .lenient = question_flag(question, "lenient-display-validation", false) ||
                   slice_is(question_text(question, "mode"), "lenient-display-validation"),
        .active_only = question_flag(question, "activeOnly", false),
        .refuse_abstract = !question_flag(question, "abstract", true)};
    yyjson_val *concept = question_value(question, "codeableConcept");
    yyjson_val *coding = question_value(question, "coding");
    if (!system_only) {
        TRY(question_value_set(question, &validation.set));
        question_set_languages(question, validation.set->root);
        if (question->scope->problems.errors > 0) {
            return STATUS_INVALID;
        }
    } else {
        TRY(scope_supplements(question->scope, NULL));
        validation.only_system = asked_system(question);
    }
    if (concept != NULL) {
        return answer_concept(&validation, concept, out);
    }
    if (coding != NULL) {
        struct coding given = coding_of(coding);
        struct slice only = validation.only_system;
        given.system = given.system.length > 0 ? given.system : only;
        if (only.length > 0 && !slice_equals(given.system, only)) {
            return refuse(&validation, "coding", "it is of another code system");
        }
        validation.prefix = SLICE("Coding");
        answer_coding(&validation, given, out);
        return STATUS_OK;
    }
    return answer_code(&validation, system_only, out);
}
