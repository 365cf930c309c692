/* SPDX-License-Identifier: MIT */
/* The types along an expression, as far as they are known before there is a resource: which
 * elements its names mean, and which names mean none. */
#include "fhirpath/fhirpath_int.h"
#include "fhirpath/regex_int.h"

/* What is known of the items of a collection. */
enum knowledge { KNOWN_NOTHING, KNOWN_FHIR, KNOWN_CHOICE, KNOWN_SYSTEM };

struct known {
    enum knowledge what;
    const struct type_row *type; /* KNOWN_FHIR */
    struct member choice;        /* KNOWN_CHOICE: of these elements' types */
    enum fhirpath_kind kind;     /* KNOWN_SYSTEM */
};

struct checker {
    struct parser *parser;
    const struct element_tables *tables;
    const struct type_row *context;
    bool lenient;
};

static const struct known unknown = {.what = KNOWN_NOTHING};

static struct known known_type(const struct type_row *type)
{
    /* Where any resource may stand, nothing is known of what does. */
    return type == NULL || type->kind == TYPE_ABSTRACT
               ? unknown
               : (struct known){.what = KNOWN_FHIR, .type = type};
}

static struct known known_system(enum fhirpath_kind kind)
{
    return (struct known){.what = KNOWN_SYSTEM, .kind = kind};
}

static enum status infer(struct checker *checker, uint32_t index, struct known focus,
                         struct known *ret_known);

static enum status fail(struct checker *checker, const struct step *step, const char *text)
{
    return expression_fail(checker->parser->outcome, STATUS_INVALID, checker->parser->lexer.text,
                           step->position, "%s", text);
}

/* ---- members ----------------------------------------------------------------------------------
 */

static struct known known_member(const struct checker *checker, const struct member *member)
{
    if (member->choice && member->count > 1) {
        return (struct known){.what = KNOWN_CHOICE, .choice = *member};
    }
    return known_type(element_type_row(checker->tables, member->first));
}

static enum status no_element(struct checker *checker, const struct step *step,
                              const struct type_row *type)
{
    struct slice name = table_text(checker->tables, type->name);
    return expression_fail(checker->parser->outcome, STATUS_INVALID, checker->parser->lexer.text,
                           step->position, "The type %.*s has no element of this name.",
                           SLICE_ARGS(name));
}

static enum status infer_of_type(struct checker *checker, struct step *step,
                                 const struct type_row *type, struct known *ret_known)
{
    struct member member = type_member(checker->tables, type, step->name);
    if (member.first != NULL) {
        step->member = member;
        step->type = type;
        *ret_known = known_member(checker, &member);
        return STATUS_OK;
    }
    bool value = type->kind == TYPE_PRIMITIVE && slice_is(step->name, "value");
    return value || checker->lenient ? STATUS_OK : no_element(checker, step, type);
}

/* One of the types of a choice must have the element; where only one has, it is that one's. */
static enum status infer_of_choice(struct checker *checker, struct step *step,
                                   const struct member *choice, struct known *ret_known)
{
    unsigned found = 0;
    for (size_t i = 0; i < choice->count; i++) {
        const struct type_row *type = element_type_row(checker->tables, &choice->first[i]);
        struct member member = type_member(checker->tables, type, step->name);
        if (member.first == NULL) {
            continue;
        }
        found++;
        step->member = member;
        step->type = type;
        *ret_known = found == 1 ? known_member(checker, &member) : unknown;
    }
    if (found == 0 && !checker->lenient && !slice_is(step->name, "value")) {
        return fail(checker, step, "No type of this choice has an element of this name.");
    }
    return STATUS_OK;
}

static enum status infer_member(struct checker *checker, struct step *step, struct known input,
                                struct known *ret_known)
{
    *ret_known = unknown;
    switch (input.what) {
    case KNOWN_FHIR:
        return infer_of_type(checker, step, input.type, ret_known);
    case KNOWN_CHOICE:
        return infer_of_choice(checker, step, &input.choice, ret_known);
    case KNOWN_SYSTEM:
        return input.kind == FHIRPATH_QUANTITY || input.kind == FHIRPATH_TYPE || checker->lenient
                   ? STATUS_OK
                   : fail(checker, step, "A plain value has no elements.");
    default:
        return STATUS_OK;
    }
}

/* The type that a path starts at must be that of what it is asked of, or one it specialises. */
static enum status infer_root(struct checker *checker, const struct step *step, struct known focus,
                              struct known *ret_known)
{
    *ret_known = known_type(step->type);
    if (focus.what != KNOWN_FHIR) {
        return STATUS_OK;
    }
    if (type_derives(checker->tables, focus.type, step->type)) {
        *ret_known = focus;
        return STATUS_OK;
    }
    return checker->lenient
               ? STATUS_OK
               : fail(checker, step, "The path starts at another type than it is asked of.");
}

/* ---- functions --------------------------------------------------------------------------------
 */

static bool is_plain(const struct type_row *type, uint8_t input)
{
    return type->kind == TYPE_PRIMITIVE || (input == INPUT_NUMBER && type_is_quantity(type));
}

/* Strings and numbers are asked for where a complex type can only be a mistake. */
static enum status check_input(struct checker *checker, const struct step *step, struct known input)
{
    if (checker->lenient || step->function->input == INPUT_ANY || input.what != KNOWN_FHIR ||
        is_plain(input.type, step->function->input)) {
        return STATUS_OK;
    }
    return fail(checker, step,
                step->function->input == INPUT_STRING
                    ? "This function is asked of a string; here is an element with parts."
                    : "This function is asked of a number; here is an element with parts.");
}

static struct known known_result(const struct checker *checker, const struct step *step,
                                 struct known input, struct known first)
{
    static const enum fhirpath_kind kinds[] = {
        [RESULT_BOOLEAN] = FHIRPATH_BOOLEAN, [RESULT_INTEGER] = FHIRPATH_INTEGER,
        [RESULT_DECIMAL] = FHIRPATH_DECIMAL, [RESULT_STRING] = FHIRPATH_STRING,
        [RESULT_DATE] = FHIRPATH_DATE,       [RESULT_DATETIME] = FHIRPATH_DATETIME,
        [RESULT_TIME] = FHIRPATH_TIME,       [RESULT_QUANTITY] = FHIRPATH_QUANTITY};
    switch (step->function->result) {
    case RESULT_ANY:
        return unknown;
    case RESULT_INPUT:
        return input;
    case RESULT_TYPE_ARGUMENT: {
        const struct parser *parser = checker->parser;
        return known_type(parser->steps[parser->arguments[step->right]].test.fhir);
    }
    case RESULT_FIRST_ARGUMENT:
        return first;
    case RESULT_EXTENSION:
        return known_type(type_find(checker->parser->definitions, SLICE("Extension")));
    default:
        return known_system(kinds[step->function->result]);
    }
}

static bool takes_pattern(const struct function *function)
{
    return function->test == function_matches || function->test == function_matches_full ||
           function->run == function_replace_matches;
}

/* A literal pattern is compiled once. */
static enum status check_pattern(struct checker *checker, struct step *step)
{
    const struct parser *parser = checker->parser;
    const struct step *argument = &parser->steps[parser->arguments[step->right]];
    const struct regex *regex;
    if (argument->operation != OP_LITERAL || argument->literal->kind != FHIRPATH_STRING) {
        return STATUS_OK;
    }
    enum status status =
        regex_compile(argument->literal->string, step->function->test == function_matches_full,
                      parser->arena, &regex);
    if (status == STATUS_INVALID) {
        return fail(checker, argument, "The pattern is not a regular expression.");
    }
    TRY(status);
    step->regex = regex;
    return STATUS_OK;
}

static enum status infer_call(struct checker *checker, struct step *step, struct known input,
                              struct known focus, struct known *ret_known)
{
    const struct parser *parser = checker->parser;
    struct known first = unknown;
    TRY(check_input(checker, step, input));
    bool names_type = step->function->result == RESULT_TYPE_ARGUMENT ||
                      step->function->run == function_get_reference_key;
    for (unsigned i = 0; i < step->argument_count && !names_type; i++) {
        struct known argument;
        bool lambda = (step->function->lambdas >> i & 1) != 0;
        TRY(infer(checker, parser->arguments[step->right + i], lambda ? input : focus, &argument));
        first = i == 0 ? argument : first;
    }
    if (takes_pattern(step->function)) {
        TRY(check_pattern(checker, step));
    }
    *ret_known = known_result(checker, step, input, first);
    return STATUS_OK;
}

/* ---- all steps --------------------------------------------------------------------------------
 */

static bool same(struct known a, struct known b)
{
    return a.what == b.what && a.what != KNOWN_CHOICE && a.type == b.type && a.kind == b.kind;
}

static struct known known_context(const struct checker *checker)
{
    return known_type(checker->context);
}

static struct known known_of_operator(const struct step *step, struct known left,
                                      struct known right)
{
    switch (step->operation) {
    case OP_UNION:
        return same(left, right) ? left : unknown;
    case OP_INDEXER:
    case OP_PLUS:
    case OP_MINUS:
        return left;
    case OP_AS:
        return known_type(step->test.fhir);
    case OP_CONCATENATE:
        return known_system(FHIRPATH_STRING);
    case OP_MULTIPLY:
    case OP_DIVIDE:
    case OP_DIV:
    case OP_MOD:
    case OP_ADD:
    case OP_SUBTRACT:
        return unknown;
    default:
        return known_system(FHIRPATH_BOOLEAN);
    }
}

static enum status infer(struct checker *checker, uint32_t index, struct known focus,
                         struct known *ret_known)
{
    struct step *step = &checker->parser->steps[index];
    struct known left = focus, right = unknown;
    *ret_known = unknown;
    if (step->left != NO_STEP) {
        TRY(infer(checker, step->left, focus, &left));
    }
    if (step->right != NO_STEP && step->operation != OP_CALL) {
        TRY(infer(checker, step->right, focus, &right));
    }
    switch (step->operation) {
    case OP_LITERAL:
        *ret_known = known_system(step->literal->kind);
        return STATUS_OK;
    case OP_THIS:
        *ret_known = focus;
        return STATUS_OK;
    case OP_CONTEXT:
        *ret_known = known_context(checker);
        return STATUS_OK;
    case OP_RESOURCE:
        if (checker->context != NULL && checker->context->kind == TYPE_RESOURCE) {
            *ret_known = known_context(checker);
        }
        return STATUS_OK;
    case OP_INDEX:
        *ret_known = known_system(FHIRPATH_INTEGER);
        return STATUS_OK;
    case OP_EMPTY:
    case OP_TOTAL:
    case OP_ROOT_RESOURCE:
    case OP_VARIABLE:
        return STATUS_OK;
    case OP_ROOT:
        return infer_root(checker, step, focus, ret_known);
    case OP_MEMBER:
        return infer_member(checker, step, left, ret_known);
    case OP_CALL:
        return infer_call(checker, step, left, focus, ret_known);
    default:
        *ret_known = known_of_operator(step, left, right);
        return STATUS_OK;
    }
}

enum status check_types(struct parser *parser, uint32_t root, const struct type_row *context,
                        bool lenient)
{
    struct checker checker = {parser, definitions_tables(parser->definitions), context, lenient};
    struct known result;
    return infer(&checker, root, known_type(context), &result);
}
