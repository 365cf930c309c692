/* SPDX-License-Identifier: MIT */
/* The grammar (FHIRPath N1, appendix "Formal Specifications"), by the precedence of operators. The
 * tree goes into one array of steps, the operands before what uses them. */
#include "fhirpath/fhirpath_int.h"

/* Binding powers, section 6.8 "Operator precedence" from the bottom up. */
enum {
    BIND_IMPLIES = 1,
    BIND_OR,
    BIND_AND,
    BIND_MEMBERSHIP,
    BIND_EQUALITY,
    BIND_INEQUALITY,
    BIND_UNION,
    BIND_TYPE,
    BIND_ADD,
    BIND_MULTIPLY,
    BIND_POLARITY
};

struct operator_row {
    const char *word; /* or NULL: the symbol */
    char symbol;
    uint8_t binding;
    uint8_t operation;
};

static const struct operator_row operators[] = {
    {"implies", 0, BIND_IMPLIES, OP_IMPLIES},
    {"or", 0, BIND_OR, OP_OR},
    {"xor", 0, BIND_OR, OP_XOR},
    {"and", 0, BIND_AND, OP_AND},
    {"in", 0, BIND_MEMBERSHIP, OP_IN},
    {"contains", 0, BIND_MEMBERSHIP, OP_CONTAINS},
    {NULL, '=', BIND_EQUALITY, OP_EQUAL},
    {NULL, '~', BIND_EQUALITY, OP_EQUIVALENT},
    {NULL, SYMBOL_NOT_EQUAL, BIND_EQUALITY, OP_NOT_EQUAL},
    {NULL, SYMBOL_NOT_EQUIVALENT, BIND_EQUALITY, OP_NOT_EQUIVALENT},
    {NULL, '<', BIND_INEQUALITY, OP_LESS},
    {NULL, '>', BIND_INEQUALITY, OP_GREATER},
    {NULL, SYMBOL_LESS_EQUAL, BIND_INEQUALITY, OP_LESS_EQUAL},
    {NULL, SYMBOL_GREATER_EQUAL, BIND_INEQUALITY, OP_GREATER_EQUAL},
    {NULL, '|', BIND_UNION, OP_UNION},
    {"is", 0, BIND_TYPE, OP_IS},
    {"as", 0, BIND_TYPE, OP_AS},
    {NULL, '+', BIND_ADD, OP_ADD},
    {NULL, '-', BIND_ADD, OP_SUBTRACT},
    {NULL, '&', BIND_ADD, OP_CONCATENATE},
    {NULL, '*', BIND_MULTIPLY, OP_MULTIPLY},
    {NULL, '/', BIND_MULTIPLY, OP_DIVIDE},
    {"div", 0, BIND_MULTIPLY, OP_DIV},
    {"mod", 0, BIND_MULTIPLY, OP_MOD},
    {NULL, 0, 0, 0},
};

static enum status parse_binding(struct parser *parser, unsigned least, uint32_t *ret_step);

/* ---- building ---------------------------------------------------------------------------------
 */

static enum status fail(struct parser *parser, const char *text)
{
    return expression_fail(parser->outcome, STATUS_STRUCTURE, parser->lexer.text,
                           parser->token.position, "%s", text);
}

static enum status next(struct parser *parser)
{
    return lexer_next(&parser->lexer, &parser->token);
}

static bool is_symbol(const struct parser *parser, char symbol)
{
    return parser->token.kind == TOKEN_SYMBOL && parser->token.symbol == symbol;
}

static bool is_name(const struct parser *parser)
{
    return parser->token.kind == TOKEN_WORD || parser->token.kind == TOKEN_DELIMITED;
}

static enum status expect(struct parser *parser, char symbol, const char *text)
{
    return is_symbol(parser, symbol) ? next(parser) : fail(parser, text);
}

static uint32_t depth_of(const struct parser *parser, uint32_t step)
{
    return step == NO_STEP ? 0 : parser->depths[step];
}

/* Adds STEP, whose operands are there already. */
static enum status add_step(struct parser *parser, const struct step *step, uint32_t *ret_step)
{
    if (parser->count == parser->capacity) {
        uint32_t capacity = parser->capacity == 0 ? 16 : parser->capacity * 2;
        struct step *steps =
            arena_resize(parser->arena, parser->steps, parser->capacity * sizeof *steps,
                         capacity * sizeof *steps);
        uint32_t *depths =
            arena_resize(parser->arena, parser->depths, parser->capacity * sizeof *depths,
                         capacity * sizeof *depths);
        if (steps == NULL || depths == NULL) {
            return STATUS_TOO_COSTLY;
        }
        parser->steps = steps;
        parser->depths = depths;
        parser->capacity = capacity;
    }
    uint32_t depth = depth_of(parser, step->left);
    if (step->operation == OP_CALL) {
        for (uint32_t i = 0; i < step->argument_count; i++) {
            uint32_t other = depth_of(parser, parser->arguments[step->right + i]);
            depth = other > depth ? other : depth;
        }
    } else {
        uint32_t other = depth_of(parser, step->right);
        depth = other > depth ? other : depth;
    }
    if (depth >= DEPTH_LIMIT) {
        return expression_fail(
            parser->outcome, STATUS_TOO_COSTLY, parser->lexer.text, step->position,
            "The expression is nested deeper than %u levels: cut it in two.", DEPTH_LIMIT);
    }
    parser->steps[parser->count] = *step;
    parser->depths[parser->count] = depth + 1;
    *ret_step = parser->count++;
    return STATUS_OK;
}

static enum status add_literal(struct parser *parser, uint32_t position,
                               const struct fhirpath_value *value, uint32_t *ret_step)
{
    struct fhirpath_value *literal = arena_alloc(parser->arena, sizeof *literal);
    if (literal == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *literal = *value;
    return add_step(parser,
                    &(struct step){.operation = OP_LITERAL,
                                   .position = position,
                                   .left = NO_STEP,
                                   .right = NO_STEP,
                                   .literal = literal,
                                   .literal_count = 1},
                    ret_step);
}

static enum status add_arguments(struct parser *parser, const uint32_t *steps, uint32_t count,
                                 uint32_t *ret_first)
{
    while (parser->argument_count + count > parser->argument_capacity) {
        uint32_t capacity = parser->argument_capacity == 0 ? 16 : parser->argument_capacity * 2;
        uint32_t *arguments = arena_resize(parser->arena, parser->arguments,
                                           parser->argument_capacity * sizeof *arguments,
                                           capacity * sizeof *arguments);
        if (arguments == NULL) {
            return STATUS_TOO_COSTLY;
        }
        parser->arguments = arguments;
        parser->argument_capacity = capacity;
    }
    *ret_first = parser->argument_count;
    for (uint32_t i = 0; i < count; i++) {
        parser->arguments[parser->argument_count++] = steps[i];
    }
    return STATUS_OK;
}

/* ---- types and functions ----------------------------------------------------------------------
 */

/* typeSpecifier: a name, or namespace and name. */
static enum status parse_type(struct parser *parser, struct type_test *ret_test)
{
    uint32_t position = parser->token.position;
    struct slice space = {NULL, 0};
    if (!is_name(parser)) {
        return fail(parser, "The name of a type is missing here.");
    }
    struct slice name = parser->token.text;
    TRY(next(parser));
    if (is_symbol(parser, '.')) {
        TRY(next(parser));
        if (!is_name(parser)) {
            return fail(parser, "The name of a type is missing here.");
        }
        space = name;
        name = parser->token.text;
        TRY(next(parser));
    }
    if (type_test_find(parser->definitions, space, name, ret_test)) {
        return STATUS_OK;
    }
    return expression_fail(parser->outcome, STATUS_INVALID, parser->lexer.text, position,
                           "There is no type of this name.");
}

/* is(T), as(T), ofType(T): their argument is no expression. */
static enum status parse_type_call(struct parser *parser, struct step *call, uint32_t *ret_step)
{
    call->operation = slice_is(call->name, "is")   ? OP_IS
                      : slice_is(call->name, "as") ? OP_AS
                                                   : OP_CALL;
    struct type_test test;
    TRY(parse_type(parser, &test));
    TRY(expect(parser, ')', "The ) of the type is missing."));
    if (call->operation != OP_CALL) {
        call->test = test;
        return add_step(parser, call, ret_step);
    }
    /* ofType keeps its test in a step of its own. */
    uint32_t argument;
    TRY(add_step(parser,
                 &(struct step){.operation = OP_EMPTY,
                                .position = call->position,
                                .left = NO_STEP,
                                .right = NO_STEP,
                                .test = test},
                 &argument));
    TRY(add_arguments(parser, &argument, 1, &call->right));
    call->argument_count = 1;
    call->function = function_find(call->name);
    return add_step(parser, call, ret_step);
}

#define ARGUMENTS_MOST 16

/* One argument; of sort() it may say `asc` or `desc`. */
static enum status parse_argument(struct parser *parser, bool sort, uint32_t *ret_step)
{
    TRY(parse_binding(parser, BIND_IMPLIES, ret_step));
    if (sort && parser->token.kind == TOKEN_WORD &&
        (slice_is(parser->token.text, "asc") || slice_is(parser->token.text, "desc"))) {
        parser->steps[*ret_step].descending = slice_is(parser->token.text, "desc");
        TRY(next(parser));
    }
    return STATUS_OK;
}

static enum status check_arity(struct parser *parser, const struct step *call, uint32_t count)
{
    const struct function *function = call->function;
    if (count >= function->least && count <= function->most) {
        return STATUS_OK;
    }
    return expression_fail(parser->outcome, STATUS_INVALID, parser->lexer.text, call->position,
                           function->least == function->most
                               ? "The function %s takes %u arguments."
                               : "The function %s takes %u to %u arguments.",
                           function->name, function->least, function->most);
}

/* Behind the ( of a call. */
static enum status parse_call(struct parser *parser, struct step *call, uint32_t *ret_step)
{
    uint32_t arguments[ARGUMENTS_MOST];
    uint32_t count = 0;
    call->operation = OP_CALL;
    call->right = NO_STEP;
    if (slice_is(call->name, "is") || slice_is(call->name, "as") ||
        slice_is(call->name, "ofType")) {
        return parse_type_call(parser, call, ret_step);
    }
    call->function = function_find(call->name);
    if (call->function == NULL) {
        return expression_fail(parser->outcome, STATUS_INVALID, parser->lexer.text, call->position,
                               "There is no function of this name.");
    }
    bool sort = slice_is(call->name, "sort");
    while (!is_symbol(parser, ')')) {
        if (count > 0) {
            TRY(expect(parser, ',', "A comma or ) is missing between the arguments."));
        }
        if (count == ARGUMENTS_MOST) {
            return fail(parser, "No function takes so many arguments.");
        }
        TRY(parse_argument(parser, sort, &arguments[count]));
        count++;
    }
    TRY(next(parser));
    TRY(check_arity(parser, call, count));
    TRY(add_arguments(parser, arguments, count, &call->right));
    call->argument_count = (uint8_t)count;
    if (call->function->run == NULL && call->function->test == NULL) {
        return expression_fail(parser->outcome, STATUS_NOT_SUPPORTED, parser->lexer.text,
                               call->position, "The function %s is not supported.",
                               call->function->name);
    }
    return add_step(parser, call, ret_step);
}

/* ---- terms ------------------------------------------------------------------------------------
 */

/* A name, behind the dot (LEFT) or at the start of a path. */
static enum status parse_name(struct parser *parser, uint32_t left, uint32_t *ret_step)
{
    struct step step = {.operation = OP_MEMBER,
                        .position = parser->token.position,
                        .left = left,
                        .right = NO_STEP,
                        .name = parser->token.text};
    TRY(next(parser));
    if (is_symbol(parser, '(')) {
        TRY(next(parser));
        return parse_call(parser, &step, ret_step);
    }
    if (left == NO_STEP && step.name.length > 0 && step.name.at[0] >= 'A' &&
        step.name.at[0] <= 'Z') {
        /* No element begins with a capital: this is the type that the path starts at. */
        struct type_test test;
        if (!type_test_find(parser->definitions, (struct slice){NULL, 0}, step.name, &test) ||
            test.fhir == NULL) {
            return expression_fail(parser->outcome, STATUS_INVALID, parser->lexer.text,
                                   step.position, "There is no type or element of this name.");
        }
        step.operation = OP_ROOT;
        step.type = test.fhir;
    }
    return add_step(parser, &step, ret_step);
}

/* $this, $index, $total. */
static enum status parse_dollar(struct parser *parser, uint32_t *ret_step)
{
    struct slice text = parser->token.text;
    struct step step = {.position = parser->token.position, .left = NO_STEP, .right = NO_STEP};
    if (slice_is(text, "$this")) {
        step.operation = OP_THIS;
    } else if (slice_is(text, "$index")) {
        step.operation = OP_INDEX;
    } else if (slice_is(text, "$total")) {
        step.operation = OP_TOTAL;
    } else {
        return fail(parser, "There are only $this, $index and $total.");
    }
    TRY(next(parser));
    return add_step(parser, &step, ret_step);
}

static enum status add_url(struct parser *parser, uint32_t position, const char *prefix,
                           struct slice name, uint32_t *ret_step)
{
    const char *url = arena_print(parser->arena, "%s%.*s", prefix, SLICE_ARGS(name));
    return add_literal(parser, position,
                       &(struct fhirpath_value){.kind = FHIRPATH_STRING, .string = slice_text(url)},
                       ret_step);
}

/* Behind the %: R4 fhirpath.html, "Variables". */
static enum status parse_external(struct parser *parser, uint32_t position, uint32_t *ret_step)
{
    if (!is_name(parser) && parser->token.kind != TOKEN_STRING) {
        return fail(parser, "The name of a variable is missing behind %.");
    }
    struct slice name = parser->token.text;
    TRY(next(parser));
    if (slice_is(name, "ucum")) {
        return add_url(parser, position, "http://unitsofmeasure.org", slice_text(""), ret_step);
    }
    if (slice_is(name, "sct")) {
        return add_url(parser, position, "http://snomed.info/sct", slice_text(""), ret_step);
    }
    if (slice_is(name, "loinc")) {
        return add_url(parser, position, "http://loinc.org", slice_text(""), ret_step);
    }
    if (slice_starts(name, SLICE("vs-"))) {
        return add_url(parser, position, "http://hl7.org/fhir/ValueSet/", slice_from(name, 3),
                       ret_step);
    }
    if (slice_starts(name, SLICE("ext-"))) {
        return add_url(parser, position, "http://hl7.org/fhir/StructureDefinition/",
                       slice_from(name, 4), ret_step);
    }
    return add_step(parser,
                    &(struct step){.operation = slice_is(name, "context")        ? OP_CONTEXT
                                                : slice_is(name, "resource")     ? OP_RESOURCE
                                                : slice_is(name, "rootResource") ? OP_ROOT_RESOURCE
                                                                                 : OP_VARIABLE,
                                   .position = position,
                                   .left = NO_STEP,
                                   .right = NO_STEP,
                                   .name = name},
                    ret_step);
}

/* A number, and the unit that makes it a quantity. */
static enum status parse_number(struct parser *parser, uint32_t *ret_step)
{
    struct fhirpath_value value = parser->token.number;
    uint32_t position = parser->token.position;
    TRY(next(parser));
    struct slice word = parser->token.kind == TOKEN_WORD ? calendar_word(parser->token.text)
                                                         : (struct slice){NULL, 0};
    if (parser->token.kind != TOKEN_STRING && word.length == 0) {
        return add_literal(parser, position, &value, ret_step);
    }
    struct fhirpath_quantity *quantity = arena_alloc(parser->arena, sizeof *quantity);
    if (quantity == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *quantity = (struct fhirpath_quantity){.value = value.kind == FHIRPATH_INTEGER
                                                        ? decimal_from_integer(value.integer)
                                                        : value.decimal,
                                           .unit = word.length > 0 ? word : parser->token.text,
                                           .calendar = word.length > 0};
    TRY(next(parser));
    return add_literal(parser, position,
                       &(struct fhirpath_value){.kind = FHIRPATH_QUANTITY, .quantity = quantity},
                       ret_step);
}

static enum status parse_symbol_term(struct parser *parser, uint32_t *ret_step)
{
    uint32_t position = parser->token.position;
    if (is_symbol(parser, '(')) {
        TRY(next(parser));
        TRY(parse_binding(parser, BIND_IMPLIES, ret_step));
        return expect(parser, ')', "The ) of this ( is missing.");
    }
    if (is_symbol(parser, '{')) {
        TRY(next(parser));
        TRY(expect(parser, '}', "Only {} is possible."));
        return add_step(
            parser,
            &(struct step){
                .operation = OP_EMPTY, .position = position, .left = NO_STEP, .right = NO_STEP},
            ret_step);
    }
    if (is_symbol(parser, '%')) {
        TRY(next(parser));
        return parse_external(parser, position, ret_step);
    }
    return fail(parser, "An operand is missing here.");
}

static enum status parse_term(struct parser *parser, uint32_t *ret_step)
{
    struct token token = parser->token;
    struct fhirpath_value value = {.kind = FHIRPATH_BOOLEAN};
    switch (token.kind) {
    case TOKEN_WORD:
        if (slice_is(token.text, "true") || slice_is(token.text, "false")) {
            value.boolean = slice_is(token.text, "true");
            TRY(next(parser));
            return add_literal(parser, token.position, &value, ret_step);
        }
        return parse_name(parser, NO_STEP, ret_step);
    case TOKEN_DELIMITED:
        return parse_name(parser, NO_STEP, ret_step);
    case TOKEN_STRING:
        value = (struct fhirpath_value){.kind = FHIRPATH_STRING, .string = token.text};
        TRY(next(parser));
        return add_literal(parser, token.position, &value, ret_step);
    case TOKEN_DATE:
        TRY(next(parser));
        return add_literal(parser, token.position, &token.number, ret_step);
    case TOKEN_NUMBER:
        return parse_number(parser, ret_step);
    case TOKEN_DOLLAR:
        return parse_dollar(parser, ret_step);
    case TOKEN_SYMBOL:
        return parse_symbol_term(parser, ret_step);
    default:
        return fail(parser, "The expression ends where an operand is missing.");
    }
}

/* ---- operators --------------------------------------------------------------------------------
 */

/* A term with everything behind it that binds tightest: .name, .function(), [index]. */
static enum status parse_path(struct parser *parser, uint32_t *ret_step)
{
    TRY(parse_term(parser, ret_step));
    for (;;) {
        uint32_t position = parser->token.position;
        if (is_symbol(parser, '.')) {
            TRY(next(parser));
            if (parser->token.kind == TOKEN_DOLLAR) {
                return fail(parser, "$this, $index and $total stand at the start of a path.");
            }
            if (!is_name(parser)) {
                return fail(parser, "An element or function is missing behind the dot.");
            }
            TRY(parse_name(parser, *ret_step, ret_step));
        } else if (is_symbol(parser, '[')) {
            uint32_t index;
            TRY(next(parser));
            TRY(parse_binding(parser, BIND_IMPLIES, &index));
            TRY(expect(parser, ']', "The ] of this [ is missing."));
            TRY(add_step(parser,
                         &(struct step){.operation = OP_INDEXER,
                                        .position = position,
                                        .left = *ret_step,
                                        .right = index},
                         ret_step));
        } else {
            return STATUS_OK;
        }
    }
}

static const struct operator_row *operator_at(const struct parser *parser)
{
    const struct token *token = &parser->token;
    for (const struct operator_row *row = operators; row->binding != 0; row++) {
        if (row->word != NULL ? token->kind == TOKEN_WORD && slice_is(token->text, row->word)
                              : token->kind == TOKEN_SYMBOL && token->symbol == row->symbol) {
            return row;
        }
    }
    return NULL;
}

static enum status parse_prefix(struct parser *parser, uint32_t *ret_step)
{
    if (!is_symbol(parser, '-') && !is_symbol(parser, '+')) {
        return parse_path(parser, ret_step);
    }
    struct step step = {.operation = is_symbol(parser, '-') ? OP_MINUS : OP_PLUS,
                        .position = parser->token.position,
                        .right = NO_STEP};
    TRY(next(parser));
    TRY(parse_binding(parser, BIND_POLARITY, &step.left));
    return add_step(parser, &step, ret_step);
}

static enum status parse_operators(struct parser *parser, unsigned least, uint32_t *ret_step)
{
    TRY(parse_prefix(parser, ret_step));
    for (;;) {
        const struct operator_row *row = operator_at(parser);
        if (row == NULL || row->binding < least) {
            return STATUS_OK;
        }
        struct step step = {.operation = row->operation,
                            .position = parser->token.position,
                            .left = *ret_step,
                            .right = NO_STEP};
        TRY(next(parser));
        if (row->binding == BIND_TYPE) {
            TRY(parse_type(parser, &step.test));
        } else {
            TRY(parse_binding(parser, row->binding + 1u, &step.right));
        }
        TRY(add_step(parser, &step, ret_step));
    }
}

static enum status parse_binding(struct parser *parser, unsigned least, uint32_t *ret_step)
{
    if (parser->nesting >= DEPTH_LIMIT) {
        return expression_fail(
            parser->outcome, STATUS_TOO_COSTLY, parser->lexer.text, parser->token.position,
            "The expression is nested deeper than %u levels: cut it in two.", DEPTH_LIMIT);
    }
    parser->nesting++;
    enum status status = parse_operators(parser, least, ret_step);
    parser->nesting--;
    return status;
}

enum status parse_expression(struct parser *parser, uint32_t *ret_root)
{
    TRY(next(parser));
    TRY(parse_binding(parser, BIND_IMPLIES, ret_root));
    return parser->token.kind == TOKEN_END
               ? STATUS_OK
               : fail(parser, "An operator is missing, or this is one thing too many.");
}
