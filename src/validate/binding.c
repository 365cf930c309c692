/* SPDX-License-Identifier: MIT */
/* Codes: of value sets (R4 terminologies.html "Binding Strengths") and of their own code system. */
#include "ucum/ucum.h"
#include "validate/profile_int.h"

static bool was_seen(const struct review *review, struct slice text)
{
    uint64_t hash = slice_hash(text);
    size_t i = 0;
    while (i < review->seen_count && review->seen_systems[i] != hash) {
        i++;
    }
    return i < review->seen_count;
}

bool seen_before(struct review *review, struct slice text)
{
    if (was_seen(review, text)) {
        return true;
    }
    if (review->seen_count < SEEN_LIMIT && review->quiet == 0) {
        review->seen_systems[review->seen_count++] = slice_hash(text);
    }
    return false;
}

static struct terms_coding coding_of(yyjson_val *coding)
{
    return (struct terms_coding){.system = json_get_string(coding, "system"),
                                 .version = json_get_string(coding, "version"),
                                 .code = json_get_string(coding, "code"),
                                 .display = json_get_string(coding, "display")};
}

#define CODINGS_FEW 16 /* that need no memory */

/* The codings of a value: a Coding is one, a code is one without system. */
static const struct terms_coding *codings_of(const struct fhirpath_node *node, struct arena *arena,
                                             struct terms_coding few[static CODINGS_FEW],
                                             size_t *ret_count)
{
    size_t i, max;
    yyjson_val *each, *list = json_get(node->value, "coding");
    struct terms_coding *codings = few;
    *ret_count = 0;
    if (yyjson_arr_size(list) > CODINGS_FEW) {
        codings = arena_array(arena, yyjson_arr_size(list), sizeof *codings);
    }
    if (codings == NULL) {
        return NULL;
    }
    switch (node->type->fhir_type) {
    case FHIR_TYPE_CODEABLECONCEPT:
        yyjson_arr_foreach(list, i, max, each)
        {
            if (json_get_string(each, "code").length > 0) {
                codings[(*ret_count)++] = coding_of(each);
            }
        }
        return codings;
    case FHIR_TYPE_CODING:
    case FHIR_TYPE_QUANTITY:
        codings[0] = coding_of(node->value);
        break;
    default:
        codings[0] = (struct terms_coding){.code = json_string(node->value)};
        break;
    }
    *ret_count = codings[0].code.length > 0;
    return codings;
}

/* ---- bindings ---------------------------------------------------------------------------------
 */

/* The best that can be said of any of the codings. */
static enum terms_verdict judge(struct review *review, struct slice value_set,
                                const struct terms_coding *codings, size_t count)
{
    enum terms_verdict verdict = TERMS_NOT_MEMBER;
    for (size_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(review->scratch);
        enum terms_verdict one =
            terms_check(review->validator->terms, value_set, &codings[i], review->scratch, NULL);
        arena_rewind(review->scratch, mark);
        if (one == TERMS_MEMBER) {
            return one;
        }
        verdict = one != TERMS_NOT_MEMBER ? one : verdict;
    }
    return verdict;
}

/* Of what the fact is worth keeping with: its text says what is meant. */
static enum severity code_severity(const struct review *review)
{
    return review->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING;
}

static void report_unlisted(struct review *review, const struct fhirpath_node *node,
                            enum severity severity, struct slice value_set)
{
    fault(review, node, NULL, severity, "code-invalid", SLICE("binding"),
          tell(review,
               severity == SEVERITY_ERROR
                   ? "Give a code of the value set %.*s, with its system where there is one."
                   : "Give a code of the value set %.*s, unless none of its codes says what is "
                     "meant.",
               SLICE_ARGS(value_set)));
}

static void report_unjudged(struct review *review, const struct fhirpath_node *node,
                            enum terms_verdict verdict, struct slice value_set)
{
    if (seen_before(review, value_set)) {
        return;
    }
    fault(review, node, NULL, SEVERITY_WARNING, "not-found", SLICE("binding-unknown"),
          tell(review,
               verdict == TERMS_UNKNOWN_SET
                   ? "The value set %.*s is not loaded, so codes were not checked against it."
                   : "The value set %.*s is of code systems that are not loaded, so some codes "
                     "were not checked against it.",
               SLICE_ARGS(value_set)));
}

static void check_set(struct review *review, const struct fhirpath_node *node,
                      struct slice value_set, enum severity severity,
                      const struct terms_coding *codings, size_t count)
{
    if (value_set.length == 0) {
        return;
    }
    enum terms_verdict verdict = judge(review, value_set, codings, count);
    if (verdict == TERMS_NOT_MEMBER) {
        report_unlisted(review, node, severity, value_set);
    } else if (verdict != TERMS_MEMBER) {
        report_unjudged(review, node, verdict, value_set);
    }
}

static bool is_bindable(const struct fhirpath_node *node)
{
    switch (node->type->fhir_type) {
    case FHIR_TYPE_CODE:
    case FHIR_TYPE_STRING:
    case FHIR_TYPE_URI:
    case FHIR_TYPE_URL:
    case FHIR_TYPE_CANONICAL:
    case FHIR_TYPE_CODING:
    case FHIR_TYPE_CODEABLECONCEPT:
    case FHIR_TYPE_QUANTITY:
        return node->value != NULL;
    default:
        return false;
    }
}

void check_bound(struct review *review, const struct binding *binding,
                 const struct fhirpath_node *node)
{
    struct terms_coding few[CODINGS_FEW];
    size_t count;
    if (review->validator->terms == NULL || !is_bindable(node) || is_late(review, node)) {
        return;
    }
    const struct terms_coding *codings = codings_of(node, review->arena, few, &count);
    if (codings == NULL) {
        return; /* the arena is full, and so the record is refused */
    }
    bool required = binding->strength == STRENGTH_REQUIRED;
    if (count == 0) {
        bool excused = yyjson_is_obj(node->value) && json_get(node->value, "extension") != NULL;
        if (required && node->type->fhir_type != FHIR_TYPE_QUANTITY && !excused &&
            yyjson_is_obj(node->value)) {
            report_unlisted(review, node, SEVERITY_ERROR, binding->value_set);
        }
        return;
    }
    if (binding->strength >= STRENGTH_EXTENSIBLE && !binding->listed) {
        check_set(review, node, binding->value_set, required ? SEVERITY_ERROR : SEVERITY_WARNING,
                  codings, count);
    }
    check_set(review, node, binding->most, code_severity(review), codings, count);
}

/* ---- codes of code systems --------------------------------------------------------------------
 */

static bool is_absolute(struct slice url)
{
    size_t colon = slice_index(url, ':');
    return colon > 0 && colon < url.length;
}

/* Displays differ in case and spaces without meaning anything by it. */
static bool same_display(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;
    a = slice_trim(a);
    b = slice_trim(b);
    while (i < a.length && j < b.length) {
        struct slice left = slice_of(a.at + i, 1), right = slice_of(b.at + j, 1);
        if (a.at[i] == ' ' && b.at[j] == ' ') {
            while (i < a.length && a.at[i] == ' ') {
                i++;
            }
            while (j < b.length && b.at[j] == ' ') {
                j++;
            }
            continue;
        }
        if (!slice_equals_ignoring_case(left, right)) {
            return false;
        }
        i++;
        j++;
    }
    return i == a.length && j == b.length;
}

static void check_system(struct review *review, const struct fhirpath_node *node,
                         struct slice system)
{
    yyjson_val *at = json_get(node->value, "system");
    if (!is_absolute(system)) {
        fault(review, node, at, SEVERITY_ERROR, "invalid", SLICE("system"),
              "The system of a code is an absolute URI.");
    } else if (!seen_before(review, system)) {
        const struct canonical *set =
            conformance_hold(review->validator->conformance, SLICE("ValueSet"), system);
        if (set != NULL) {
            fault(review, node, at, SEVERITY_ERROR, "invalid", SLICE("system"),
                  "The system of a code is its code system; this is a value set.");
        } else {
            fault(review, node, at, SEVERITY_WARNING, "not-found", SLICE("system-unknown"),
                  "This code system is not loaded, so its codes were not checked.");
        }
        conformance_release(review->validator->conformance, set);
    }
}

/* Is it none of the code's designations either (CodeSystem/$validate-code)? */
static bool display_is_wrong(struct review *review, const struct terms_coding *coding)
{
    struct arena_mark mark = arena_mark(review->scratch);
    struct terms_parameter parameters[] = {{.name = SLICE("url"), .text = coding->system},
                                           {.name = SLICE("code"), .text = coding->code},
                                           {.name = SLICE("display"), .text = coding->display}};
    struct terms_question question = {.operation = TERMS_VALIDATE_SYSTEM,
                                      .parameters = parameters,
                                      .count = sizeof parameters / sizeof *parameters};
    struct buffer out = {.arena = review->scratch};
    struct json json;
    int http = 0;
    bool wrong = false;
    if (terms_answer(review->validator->terms, &question, review->scratch, &out, &http) ==
            STATUS_OK &&
        http == 200 &&
        json_read(buffer_slice(&out), &json_limits_default, review->scratch, NULL, &json) ==
            STATUS_OK) {
        size_t i, max;
        yyjson_val *each;
        yyjson_arr_foreach(json_get(json.root, "parameter"), i, max, each)
        {
            wrong = wrong || (slice_is(json_get_string(each, "name"), "result") &&
                              yyjson_is_false(json_get(each, "valueBoolean")));
        }
    }
    arena_rewind(review->scratch, mark);
    return wrong;
}

void check_coding(struct review *review, const struct fhirpath_node *node)
{
    struct terms_coding coding = coding_of(node->value);
    struct slice display = {NULL, 0};
    if (review->validator->terms == NULL || coding.code.length == 0) {
        return;
    }
    if (coding.system.length == 0) {
        if (!seen_before(review, SLICE("no system"))) {
            fault(review, node, NULL, SEVERITY_WARNING, "invalid", SLICE("system"),
                  "A code without its system has no defined meaning: give the system.");
        }
        return;
    }
    if (was_seen(review, coding.system)) {
        return; /* a system that is not loaded */
    }
    struct arena_mark mark = arena_mark(review->scratch);
    enum terms_verdict verdict = terms_check(review->validator->terms, (struct slice){NULL, 0},
                                             &coding, review->scratch, &display);
    bool other = verdict == TERMS_MEMBER && coding.display.length > 0 && display.length > 0 &&
                 !same_display(coding.display, display);
    arena_rewind(review->scratch, mark);
    if (verdict == TERMS_NOT_MEMBER) {
        fault(review, node, json_get(node->value, "code"), code_severity(review), "code-invalid",
              SLICE("code"), "The code system has no such code: correct the code or its system.");
    } else if (verdict != TERMS_MEMBER) {
        check_system(review, node, coding.system);
    } else if (other) {
        bool wrong = review->options->strict && display_is_wrong(review, &coding);
        fault(review, node, json_get(node->value, "display"),
              wrong ? SEVERITY_ERROR : SEVERITY_WARNING, "invalid", SLICE("display"),
              "The display is not the one that the code system gives its code.");
    }
}

/* ---- units ------------------------------------------------------------------------------------
 */

void check_quantity_unit(struct review *review, const struct fhirpath_node *node)
{
    struct slice code = json_get_string(node->value, "code");
    if (code.length > 0 && slice_is(json_get_string(node->value, "system"), UCUM_SYSTEM) &&
        !ucum_valid(code)) {
        fault(review, node, json_get(node->value, "code"), code_severity(review), "code-invalid",
              SLICE("ucum"),
              "The code is no unit of UCUM: write it as ucum.org has it (mm[Hg], kg/m2, 10*9/L).");
    }
}
