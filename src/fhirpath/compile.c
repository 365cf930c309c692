/* SPDX-License-Identifier: MIT */
/* Compiling and running: what the header promises. */
#include "fhirpath/fhirpath_int.h"

enum status fhirpath_compile(const struct definitions *definitions, struct slice text,
                             const struct type_row *context, unsigned flags, struct arena *arena,
                             struct outcome *outcome, const struct fhirpath **ret_expression)
{
    if (text.length > TEXT_LIMIT) {
        return expression_fail(outcome, STATUS_TOO_COSTLY, text, 0,
                               "An expression has at most %zu bytes.", TEXT_LIMIT);
    }
    struct fhirpath *expression = ARENA_NEW(arena, struct fhirpath);
    struct parser parser = {.definitions = definitions, .arena = arena, .outcome = outcome};
    parser.lexer =
        (struct lexer){.text = arena_copy(arena, text), .arena = arena, .outcome = outcome};
    if (expression == NULL || parser.lexer.text.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (!slice_is_utf8(text)) {
        return expression_fail(outcome, STATUS_STRUCTURE, text, 0, "An expression is UTF-8.");
    }
    uint32_t root;
    TRY(parse_expression(&parser, &root));
    TRY(check_types(&parser, root, context, (flags & FHIRPATH_LENIENT) != 0));
    if (arena_full(arena)) {
        return STATUS_TOO_COSTLY;
    }
    *expression = (struct fhirpath){.definitions = definitions,
                                    .text = parser.lexer.text,
                                    .steps = parser.steps,
                                    .arguments = parser.arguments,
                                    .root = root,
                                    .depth = parser.depths[root],
                                    .lenient = (flags & FHIRPATH_LENIENT) != 0};
    TRY(fold_constants(&parser, expression));
    *ret_expression = expression;
    return STATUS_OK;
}

bool fhirpath_is_constant(const struct fhirpath *expression)
{
    uint8_t operation = expression->steps[expression->root].operation;
    return operation == OP_LITERAL || operation == OP_EMPTY;
}

struct fhirpath_node fhirpath_root(const struct definitions *definitions, resource_type type,
                                   yyjson_val *resource)
{
    return (struct fhirpath_node){.value = resource,
                                  .type = resource_row(definitions_tables(definitions), type)};
}

/* The state of an evaluation; FOCUS as the one item of %context. */
static enum status begin(const struct fhirpath *expression,
                         const struct fhirpath_environment *environment,
                         const struct fhirpath_node *focus, struct arena *arena,
                         struct outcome *outcome, struct evaluation *evaluation)
{
    *evaluation = (struct evaluation){
        .steps = expression->steps,
        .expression = expression,
        .environment = environment,
        .definitions = environment->definitions,
        .tables = definitions_tables(environment->definitions),
        .arena = arena,
        .outcome = outcome,
        .now = environment->now,
        .step_limit = environment->step_limit != 0 ? environment->step_limit : STEP_LIMIT,
        .depth_limit = environment->depth_limit != 0 ? environment->depth_limit : DEPTH_LIMIT};
    if (expression->depth > evaluation->depth_limit) {
        return expression_fail(outcome, STATUS_TOO_COSTLY, expression->text, 0,
                               "The expression is nested deeper than %u levels.",
                               evaluation->depth_limit);
    }
    if (focus != NULL) {
        struct fhirpath_value *context = arena_alloc(arena, sizeof *context);
        if (context == NULL) {
            return STATUS_TOO_COSTLY;
        }
        context->kind = FHIRPATH_NODE;
        context->node = *focus;
        evaluation->context = context;
        evaluation->context_count = 1;
    }
    return STATUS_OK;
}

static enum status full(const struct fhirpath *expression, struct outcome *outcome)
{
    return expression_fail(outcome, STATUS_TOO_COSTLY, expression->text, 0,
                           "The evaluation takes more memory than there is for it.");
}

enum status fhirpath_evaluate(const struct fhirpath *expression,
                              const struct fhirpath_environment *environment,
                              const struct fhirpath_node *focus, struct arena *arena,
                              struct outcome *outcome, struct fhirpath_collection *ret_values)
{
    struct evaluation evaluation;
    struct values values = {0};
    TRY(begin(expression, environment, focus, arena, outcome, &evaluation));
    const struct frame frame = {evaluation.context, evaluation.context_count, -1, NULL};
    TRY(evaluate(&evaluation, expression->root, &frame, &values));
    if (arena_full(arena)) {
        return full(expression, outcome);
    }
    *ret_values = (struct fhirpath_collection){values.items, values.count};
    return STATUS_OK;
}

enum status fhirpath_test(const struct fhirpath *expression,
                          const struct fhirpath_environment *environment,
                          const struct fhirpath_node *focus, struct arena *arena,
                          struct outcome *outcome, bool *ret_true)
{
    struct evaluation evaluation;
    enum truth result;
    TRY(begin(expression, environment, focus, arena, outcome, &evaluation));
    const struct frame frame = {evaluation.context, evaluation.context_count, -1, NULL};
    TRY(evaluate_truth(&evaluation, expression->root, &frame, &result));
    if (arena_full(arena)) {
        return full(expression, outcome);
    }
    *ret_true = result == TRUTH_TRUE;
    return STATUS_OK;
}
