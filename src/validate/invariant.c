/* SPDX-License-Identifier: MIT */
/* Invariants: the FHIRPath of ElementDefinition.constraint, and what it may ask of us. */
#include "validate/profile_int.h"

/* The texts of a constraint are its definition's, not the record's. */
static void check_one(struct review *review, const struct constraint *constraint,
                      const struct fhirpath_environment *environment,
                      const struct fhirpath_node *node)
{
    struct arena_mark mark = arena_mark(review->scratch);
    bool holds = false;
    enum status status =
        fhirpath_test(constraint->expression, environment, node, review->scratch, NULL, &holds);
    arena_rewind(review->scratch, mark);
    if (status == STATUS_OK && holds) {
        return;
    }
    if (status == STATUS_OK) {
        fault(review, node, NULL, constraint->severity, "invariant", constraint->key,
              tell(review, "%.*s (%.*s)", SLICE_ARGS(constraint->human),
                   SLICE_ARGS(constraint->key)));
        return;
    }
    if (status == STATUS_TOO_COSTLY) {
        fault(review, node, NULL, SEVERITY_ERROR, "too-costly", constraint->key,
              tell(review, "The rule %.*s takes too many steps here: split the content.",
                   SLICE_ARGS(constraint->key)));
        return;
    }
    /* The expression and this value do not go together: that is not the record's fault. */
    fault(review, node, NULL, SEVERITY_WARNING, status_issue(status), constraint->key,
          tell(review, "The rule %.*s could not be decided here.", SLICE_ARGS(constraint->key)));
}

bool is_late(struct review *review, const struct fhirpath_node *node)
{
    int64_t deadline = review->options->deadline;
    if (!review->late && deadline != 0 && review->asked++ % 64 == 0 &&
        time_monotonic() > deadline) {
        review->late = true;
        fault(review, node, NULL, SEVERITY_ERROR, "too-costly", SLICE("deadline"),
              "Checking this takes too long: send less at once.");
    }
    return review->late;
}

/* A rule that cannot be asked must not look like a rule that was kept. */
static void report_unusable(struct review *review, const struct constraint *constraint,
                            const struct fhirpath_node *node)
{
    if (review->quiet == 0 && !seen_before(review, constraint->human)) {
        fault(review, node, NULL, SEVERITY_WARNING, "not-supported", constraint->key,
              tell(review,
                   "The rule %.*s was not checked: its definition has no expression of FHIRPath "
                   "that can be read. Correct the definition.",
                   SLICE_ARGS(constraint->key)));
    }
}

void check_constraints(struct review *review, const struct constraint *constraints,
                       const struct fhirpath_node *node, const struct fhirpath_node *owner)
{
    if (constraints == NULL || is_late(review, node)) {
        return;
    }
    const struct fhirpath_environment environment = {.definitions = review->definitions,
                                                     .host = &review->host,
                                                     .resource = node_own_resource(owner)};
    for (const struct constraint *each = constraints; each != NULL; each = each->next) {
        if (each->expression == NULL) {
            report_unusable(review, each, node);
        } else if (review->quiet == 0 || (each->severity == SEVERITY_ERROR && !review->failed)) {
            check_one(review, each, &environment, node);
        }
    }
}

/* ---- what expressions ask ---------------------------------------------------------------------
 */

static bool host_resolve(void *context, const struct fhirpath_node *from, struct slice reference,
                         struct arena *arena, struct fhirpath_node *ret_node)
{
    (void)arena;
    return reference_reach(context, from, reference, ret_node) != REACH_NONE;
}

static struct terms_coding coding_value(const struct fhirpath_value *value)
{
    if (value->kind == FHIRPATH_STRING) {
        return (struct terms_coding){.code = value->string};
    }
    yyjson_val *coding = value->kind == FHIRPATH_NODE ? value->node.value : NULL;
    if (yyjson_is_str(coding)) {
        return (struct terms_coding){.code = json_string(coding)};
    }
    return (struct terms_coding){.system = json_get_string(coding, "system"),
                                 .version = json_get_string(coding, "version"),
                                 .code = json_get_string(coding, "code")};
}

static enum status host_member_of(void *context, const struct fhirpath_value *value,
                                  struct slice value_set, bool *ret_known, bool *ret_member)
{
    struct review *review = context;
    enum terms_verdict verdict = TERMS_NOT_MEMBER;
    *ret_known = review->validator->terms != NULL;
    *ret_member = false;
    if (!*ret_known) {
        return STATUS_OK;
    }
    yyjson_val *codings =
        value->kind == FHIRPATH_NODE ? json_get(value->node.value, "coding") : NULL;
    if (codings == NULL) {
        struct terms_coding coding = coding_value(value);
        verdict = terms_check(review->validator->terms, value_set, &coding, review->scratch, NULL);
    }
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(codings, i, max, each)
    {
        struct fhirpath_value one = {.kind = FHIRPATH_NODE, .node = {.value = each}};
        struct terms_coding coding = coding_value(&one);
        enum terms_verdict next =
            terms_check(review->validator->terms, value_set, &coding, review->scratch, NULL);
        verdict = verdict == TERMS_MEMBER || next == TERMS_NOT_MEMBER ? verdict : next;
    }
    *ret_member = verdict == TERMS_MEMBER;
    *ret_known = verdict == TERMS_MEMBER || verdict == TERMS_NOT_MEMBER;
    return STATUS_OK;
}

static enum status host_conforms_to(void *context, const struct fhirpath_node *node,
                                    struct slice profile, bool *ret_known, bool *ret_conforms)
{
    struct review *review = context;
    const struct profile *found = profile_find(review->validator, profile);
    *ret_known = found != NULL;
    *ret_conforms = found != NULL && found->type == node->type && profile_fits(review, found, node);
    return STATUS_OK;
}

static enum status host_subsumes(void *context, const struct fhirpath_value *a,
                                 const struct fhirpath_value *b, bool *ret_known,
                                 bool *ret_subsumes)
{
    struct review *review = context;
    struct terms_coding left = coding_value(a), right = coding_value(b);
    *ret_known = review->validator->terms != NULL && slice_equals(left.system, right.system);
    *ret_subsumes = false;
    if (*ret_known) {
        enum terms_subsumption answer = terms_subsumes(review->validator->terms, left.system,
                                                       left.version, left.code, right.code);
        *ret_known = answer != TERMS_SUBSUMPTION_UNKNOWN;
        *ret_subsumes = answer == TERMS_EQUIVALENT || answer == TERMS_SUBSUMES;
    }
    return STATUS_OK;
}

static bool host_html_checks(void *context, struct slice xhtml)
{
    size_t offset;
    (void)context;
    return narrative_fault(xhtml, &offset) == NULL;
}

void host_init(struct review *review)
{
    review->host = (struct fhirpath_host){.context = review,
                                          .resolve = host_resolve,
                                          .member_of = host_member_of,
                                          .conforms_to = host_conforms_to,
                                          .subsumes = host_subsumes,
                                          .html_checks = host_html_checks};
}
