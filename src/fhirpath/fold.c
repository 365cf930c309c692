/* SPDX-License-Identifier: MIT */
/* What does not depend on the resource is computed once, when the expression is compiled: the set
 * of `code in ('a' | 'b')`, the -1 of `x > -1`, `@2024-01-01 - 1 year`. */
#include "fhirpath/fhirpath_int.h"

#define FOLD_STEPS  1000u
#define FOLD_MEMORY ((size_t)64 << 10) /* what takes more is computed when it is asked */

struct folder {
    struct parser *parser;
    const struct fhirpath *expression;
    bool *constant; /* of each step */
};

/* Functions that ask more than their input and arguments, or do more than give a value. */
static bool is_outside(const struct function *function)
{
    static const char *const names[] = {"conformsTo", "defineVariable", "htmlChecks", "memberOf",
                                        "now",        "resolve",        "subsumedBy", "subsumes",
                                        "timeOfDay",  "today",          "trace"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(function->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The operands stand before what uses them, so their answers are there. */
static bool is_constant(const struct folder *folder, const struct step *step)
{
    const struct parser *parser = folder->parser;
    switch (step->operation) {
    case OP_LITERAL:
    case OP_EMPTY:
        return true;
    case OP_THIS:
    case OP_INDEX:
    case OP_TOTAL:
    case OP_CONTEXT:
    case OP_RESOURCE:
    case OP_ROOT_RESOURCE:
    case OP_VARIABLE:
    case OP_ROOT:
        return false;
    default:
        break;
    }
    bool constant = step->left != NO_STEP && folder->constant[step->left];
    if (step->operation != OP_CALL) {
        return constant && (step->right == NO_STEP || folder->constant[step->right]);
    }
    for (unsigned i = 0; i < step->argument_count && constant; i++) {
        constant = folder->constant[parser->arguments[step->right + i]];
    }
    return constant && !is_outside(step->function);
}

/* A copy in ARENA of a value that is no node. */
static struct fhirpath_value keep(struct arena *arena, const struct fhirpath_value *value)
{
    struct fhirpath_value kept = *value;
    if (value->kind == FHIRPATH_STRING) {
        kept.string = arena_copy(arena, value->string);
    } else if (value->kind == FHIRPATH_QUANTITY) {
        struct fhirpath_quantity *quantity = ARENA_NEW(arena, struct fhirpath_quantity);
        if (quantity != NULL) {
            *quantity = *value->quantity;
            quantity->unit = arena_copy(arena, value->quantity->unit);
        }
        kept.quantity = quantity;
    }
    return kept;
}

/* The step becomes the literal that it gives. What fails stays: it fails when it is asked. */
static void fold_step(struct folder *folder, uint32_t index, struct arena *scratch)
{
    struct parser *parser = folder->parser;
    struct step *step = &parser->steps[index];
    const struct fhirpath_environment environment = {.definitions = parser->definitions};
    struct evaluation evaluation = {.steps = parser->steps,
                                    .expression = folder->expression,
                                    .environment = &environment,
                                    .definitions = parser->definitions,
                                    .tables = definitions_tables(parser->definitions),
                                    .arena = scratch,
                                    .step_limit = FOLD_STEPS,
                                    .depth_limit = DEPTH_LIMIT};
    const struct frame frame = {.index = -1};
    struct values values = {0};
    if (evaluate(&evaluation, index, &frame, &values) != STATUS_OK || arena_full(scratch)) {
        return;
    }
    struct fhirpath_value *kept =
        arena_alloc(parser->arena, (values.count + (size_t)1) * sizeof *kept);
    for (uint32_t i = 0; kept != NULL && i < values.count; i++) {
        kept[i] = keep(parser->arena, &values.items[i]);
    }
    step->operation = OP_LITERAL;
    step->left = step->right = NO_STEP;
    step->argument_count = 0;
    step->literal = kept;
    step->literal_count = values.count;
}

static void fold_below(struct folder *folder, uint32_t index)
{
    struct parser *parser = folder->parser;
    struct step *step = &parser->steps[index];
    if (folder->constant[index]) {
        struct arena *scratch = step->operation != OP_LITERAL && step->operation != OP_EMPTY
                                    ? arena_create(FOLD_MEMORY)
                                    : NULL;
        if (scratch != NULL) {
            fold_step(folder, index, scratch);
            arena_destroy(scratch);
        }
        return;
    }
    if (step->left != NO_STEP) {
        fold_below(folder, step->left);
    }
    if (step->operation != OP_CALL && step->right != NO_STEP) {
        fold_below(folder, step->right);
    }
    for (unsigned i = 0; step->operation == OP_CALL && i < step->argument_count; i++) {
        fold_below(folder, parser->arguments[step->right + i]);
    }
}

enum status fold_constants(struct parser *parser, const struct fhirpath *expression)
{
    struct folder folder = {parser, expression, NULL};
    folder.constant = arena_array(parser->arena, parser->count, sizeof *folder.constant);
    if (folder.constant == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (uint32_t i = 0; i < parser->count; i++) {
        folder.constant[i] = is_constant(&folder, &parser->steps[i]);
    }
    fold_below(&folder, expression->root);
    return arena_full(parser->arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
