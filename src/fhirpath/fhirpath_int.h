/* SPDX-License-Identifier: MIT */
/* fhirpath, inside: the compiled form, the state of an evaluation, the table of functions. */
#ifndef CARELAYER_FHIRPATH_FHIRPATH_INT_H
#define CARELAYER_FHIRPATH_FHIRPATH_INT_H

#include "fhirpath/fhirpath.h"

#define TEXT_LIMIT  ((size_t)64 << 10) /* bytes of an expression */
#define DEPTH_LIMIT 256u               /* levels of its tree */
#define STEP_LIMIT  10000000u
#define NO_STEP     UINT32_MAX

/* ---- words ------------------------------------------------------------------------------------
 */

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,      /* an identifier, or an operator that is a word */
    TOKEN_DELIMITED, /* `identifier` */
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_DATE, /* @...: a date, a dateTime or a time */
    TOKEN_DOLLAR,
    TOKEN_SYMBOL
};

struct token {
    enum token_kind kind;
    uint32_t position;
    struct slice text;            /* as written; of delimited ones and strings: unescaped */
    char symbol;                  /* of TOKEN_SYMBOL; those of two characters below */
    struct fhirpath_value number; /* of TOKEN_NUMBER: integer or decimal; of TOKEN_DATE */
};

enum { SYMBOL_LESS_EQUAL = 1, SYMBOL_GREATER_EQUAL, SYMBOL_NOT_EQUAL, SYMBOL_NOT_EQUIVALENT };

struct lexer {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct outcome *outcome;
};

MUST_CHECK enum status lexer_next(struct lexer *lexer, struct token *ret_token);

/* An error at a byte of an expression: line and column of the issue, then STATUS again. */
enum status expression_fail(struct outcome *outcome, enum status status, struct slice expression,
                            uint32_t position, const char *text, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- the compiled form ------------------------------------------------------------------------
 */

enum operation {
    OP_LITERAL,
    OP_EMPTY,
    OP_THIS,
    OP_INDEX,
    OP_TOTAL,
    OP_CONTEXT,
    OP_RESOURCE,
    OP_ROOT_RESOURCE,
    OP_VARIABLE,
    OP_ROOT,   /* the name of a type at the start of a path: what is of that type */
    OP_MEMBER, /* left.name, or name of the focus */
    OP_CALL,   /* left.function(arguments) */
    OP_INDEXER,
    OP_PLUS, /* one operand */
    OP_MINUS,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_DIV,
    OP_MOD,
    OP_ADD,
    OP_SUBTRACT,
    OP_CONCATENATE,
    OP_IS,
    OP_AS,
    OP_UNION,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_EQUIVALENT,
    OP_NOT_EQUIVALENT,
    OP_IN,
    OP_CONTAINS,
    OP_AND,
    OP_OR,
    OP_XOR,
    OP_IMPLIES
};

/* What `is`, `as` and ofType ask for. An unqualified name that both model and System have
 * (Quantity) means either. */
struct type_test {
    const struct type_row *fhir; /* or NULL */
    enum fhirpath_kind system;   /* FHIRPATH_NODE: none */
    bool any_system;             /* System.Any */
};

/* The elements that a name means on a type: one, or all members of a choice. */
struct member {
    const struct element_row *first; /* NULL: there is no such element */
    uint16_t count;
    bool choice;
    bool primitive; /* one element, whose `_name` may stand beside it */
};

struct step {
    uint8_t operation;
    uint8_t argument_count;
    bool descending; /* an argument of sort() with `desc` */
    uint32_t position;
    uint32_t left;     /* NO_STEP: the focus */
    uint32_t right;    /* the second operand; of OP_CALL: its first argument in arguments */
    struct slice name; /* of members, variables and functions */
    union {
        struct {
            const struct type_row *type; /* that member belongs to; of OP_ROOT the type */
            struct member member;        /* OP_MEMBER where the type is known */
        };
        struct {
            const struct fhirpath_value *literal;
            uint32_t literal_count;
        };
        struct {
            const struct function *function;
            const void *regex; /* of functions with a literal pattern */
        };
        struct type_test test; /* OP_IS, OP_AS and the argument of ofType() */
    };
};

struct fhirpath {
    const struct definitions *definitions;
    struct slice text;
    const struct step *steps;
    const uint32_t *arguments; /* steps */
    uint32_t root;
    uint32_t depth;
    bool lenient;
};

/* What parsing builds. */
struct parser {
    struct lexer lexer;
    struct token token;
    const struct definitions *definitions;
    struct arena *arena;
    struct outcome *outcome;
    struct step *steps;
    uint32_t *depths; /* of the tree below each step */
    uint32_t *arguments;
    uint32_t count, capacity;
    uint32_t argument_count, argument_capacity;
    uint32_t nesting;
};

MUST_CHECK enum status parse_expression(struct parser *parser, uint32_t *ret_root);

/* Finds the elements that names mean along the types, starting at CONTEXT, and names that no type
 * has (an error unless LENIENT). */
MUST_CHECK enum status check_types(struct parser *parser, uint32_t root,
                                   const struct type_row *context, bool lenient);

/* Puts literals in the place of steps that do not depend on what the expression is asked of. */
MUST_CHECK enum status fold_constants(struct parser *parser, const struct fhirpath *expression);

/* ---- types ------------------------------------------------------------------------------------
 */

struct member type_member(const struct element_tables *tables, const struct type_row *type,
                          struct slice name);

/* The type that a specifier names ("Quantity", "FHIR.Patient", "System.String"): false when there
 * is none. SPACE may be empty. */
bool type_test_find(const struct definitions *definitions, struct slice space, struct slice name,
                    struct type_test *ret_test);
bool type_test_holds(const struct definitions *definitions, const struct type_test *test,
                     const struct fhirpath_value *value);

/* Is TYPE the type WANTED or one that specialises it? */
bool type_derives(const struct element_tables *tables, const struct type_row *type,
                  const struct type_row *wanted);

/* Quantity, Age, Count, Distance, Duration. */
bool type_is_quantity(const struct type_row *type);

/* ---- values -----------------------------------------------------------------------------------
 */

enum truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_EMPTY };

/* A collection. What is somebody else's is not copied until something is added to it: literals, the
 * focus and what a function lets through are only pointed at. */
struct values {
    const struct fhirpath_value *items;
    uint32_t count;
    uint32_t capacity; /* 0: the items are not our own; they stay where they are to the end */
};

/* What date_text may be: as enum date_form, but every part may be missing from the right. */
enum date_kind { DATE_KIND_DATE, DATE_KIND_DATETIME, DATE_KIND_TIME };
/* Reads a date ("2015-02"), dateTime ("2015-02T", "2015-02-04T14:34Z") or time ("14:34") at the
 * start of TEXT; gives the bytes taken, 0 when it is none. *RET_KIND: which it is. TIME wanted: the
 * text begins with the hour. */
size_t date_text_read(struct slice text, bool time, struct partial_date *ret_date,
                      enum date_kind *ret_kind);
void date_text_write(const struct partial_date *date, enum fhirpath_kind kind, struct buffer *out);

/* DATE plus (or minus) a quantity of time. STATUS_INVALID: not a unit that can be added to it.
 * False in *RET_FITS: the result is no date between the years 1 and 9999. */
MUST_CHECK bool date_shift(const struct fhirpath_value *date,
                           const struct fhirpath_quantity *quantity, bool minus,
                           struct fhirpath_value *ret_date, bool *ret_fits);

/* The unit as UCUM knows it: calendar words up to seconds are definite units ("week" is "wk",
 * "second" is "s"); *RET_MATCH false: years and months, which are not. */
struct slice quantity_ucum(const struct fhirpath_quantity *quantity, bool *ret_definite);
/* "days" -> "day"; empty when it is no calendar word. */
struct slice calendar_word(struct slice word);

enum order {
    ORDER_LESS = -1,
    ORDER_SAME = 0,
    ORDER_GREATER = 1,
    ORDER_UNKNOWN = 2,
    ORDER_WRONG = 3
};

/* The order of two values (section 6.2): ORDER_UNKNOWN is empty, ORDER_WRONG: types that have no
 * order between them. */
enum order values_order(struct arena *arena, const struct fhirpath_value *a,
                        const struct fhirpath_value *b);
/* Equality (6.1.1) and equivalence (6.1.2) of two items. */
enum truth values_equal(struct arena *arena, const struct fhirpath_value *a,
                        const struct fhirpath_value *b);
bool values_equivalent(struct arena *arena, const struct fhirpath_value *a,
                       const struct fhirpath_value *b);

/* The System value of a node, in *RET_SYSTEM; false when it has none (see fhirpath_system). */
bool node_system(const struct fhirpath_node *node, struct arena *arena,
                 struct fhirpath_value *ret_system);
/* VALUE as a System value: itself, or *ROOM where it is a node; NULL: it has none. */
static inline const struct fhirpath_value *
as_system(const struct fhirpath_value *value, struct arena *arena, struct fhirpath_value *room)
{
    return value->kind != FHIRPATH_NODE             ? value
           : node_system(&value->node, arena, room) ? room
                                                    : NULL;
}

/* Rounded to the precision of the less precise one, zeros at the end not counted. */
bool decimal_equivalent(struct decimal a, struct decimal b);
/* The text in lower or upper case (Latin, Greek, Cyrillic). */
void text_write_case(struct slice text, bool upper, struct buffer *out);

/* Comparable and, if so, the order of two quantities. */
enum order quantity_order(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b);
bool quantity_equivalent(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b);
bool quantity_comparable(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b);
/* A * B and A / B; false: no such unit, or out of range. */
bool quantity_multiply(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b,
                       bool divide, struct arena *arena, struct fhirpath_quantity *ret_product);
/* A + B and A - B, in the unit of A. */
bool quantity_add(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b,
                  bool subtract, struct fhirpath_quantity *ret_sum);
/* "4 'mg'", "1 day", "1.0"; UNIT quoted or a calendar word. */
bool quantity_read(struct slice text, struct fhirpath_quantity *ret_quantity);
void quantity_write(const struct fhirpath_quantity *quantity, struct buffer *out);

/* ---- evaluation -------------------------------------------------------------------------------
 */

/* What $this, $index and $total are. */
struct frame {
    const struct fhirpath_value *focus;
    size_t focus_count;
    int64_t index;              /* -1: not in a loop */
    const struct values *total; /* NULL: not in aggregate() */
};

struct scope {
    struct slice name;
    struct fhirpath_collection values;
    const struct scope *outer;
};

struct evaluation {
    const struct step *steps; /* the expression's */
    const struct fhirpath *expression;
    const struct fhirpath_environment *environment;
    const struct definitions *definitions;
    const struct element_tables *tables;
    struct arena *arena;
    struct outcome *outcome;
    const struct fhirpath_value *context; /* %context */
    size_t context_count;
    const struct scope *scope; /* defineVariable */
    int64_t now;
    uint32_t steps_taken, step_limit;
    uint32_t depth_limit;
};

struct call {
    struct evaluation *evaluation;
    const struct step *step;
    const struct frame *frame;
    const struct fhirpath_value *input;
    size_t count;
};

/* Appends what STEP gives to OUT. */
MUST_CHECK enum status evaluate(struct evaluation *evaluation, uint32_t step,
                                const struct frame *frame, struct values *out);
/* The same for an operand or an argument: a variable that is defined in it ends with it. */
MUST_CHECK enum status evaluate_operand(struct evaluation *evaluation, uint32_t step,
                                        const struct frame *frame, struct values *out);
MUST_CHECK enum status evaluate_truth(struct evaluation *evaluation, uint32_t step,
                                      const struct frame *frame, enum truth *ret_truth);
/* + and - before one operand. */
MUST_CHECK enum status evaluate_sign(struct evaluation *evaluation, const struct step *step,
                                     const struct frame *frame, struct values *out);
/* An operator of two operands that gives no truth: arithmetic, &. */
MUST_CHECK enum status evaluate_arithmetic(struct evaluation *evaluation, const struct step *step,
                                           const struct frame *frame, struct values *out);
/* Those that do: = and !=, ~ and !~, < <= > >=, `in` and `contains`. */
MUST_CHECK enum status evaluate_equality(struct evaluation *evaluation, const struct step *step,
                                         const struct frame *frame, enum truth *ret_truth);
MUST_CHECK enum status evaluate_equivalence(struct evaluation *evaluation, const struct step *step,
                                            const struct frame *frame, enum truth *ret_truth);
MUST_CHECK enum status evaluate_order(struct evaluation *evaluation, const struct step *step,
                                      const struct frame *frame, enum truth *ret_truth);
MUST_CHECK enum status evaluate_membership(struct evaluation *evaluation, const struct step *step,
                                           const struct frame *frame, enum truth *ret_truth);
/* The elements that STEP names of each item. */
MUST_CHECK enum status navigate(struct evaluation *evaluation, const struct step *step,
                                const struct fhirpath_value *input, size_t count,
                                struct values *out);
/* All children, or all descendants, of each item. */
MUST_CHECK enum status navigate_children(struct evaluation *evaluation, const struct step *step,
                                         const struct fhirpath_value *input, size_t count,
                                         bool deep, struct values *out);
/* The nearest resource around NODE; CONTAINER: not a contained one. NULL: there is none. */
const struct fhirpath_node *node_resource(const struct fhirpath_node *node, bool container);

/* Writes the issue and gives STATUS back. */
#define evaluation_fail(evaluation, status, step, ...)                                             \
    expression_fail((evaluation)->outcome, (status), (evaluation)->expression->text,               \
                    (step)->position, __VA_ARGS__)
MUST_CHECK enum status evaluation_too_long(struct evaluation *evaluation, const struct step *step);
MUST_CHECK static inline enum status evaluation_costs(struct evaluation *evaluation,
                                                      const struct step *step, size_t steps)
{
    if (steps > evaluation->step_limit - evaluation->steps_taken) {
        return evaluation_too_long(evaluation, step);
    }
    evaluation->steps_taken += (uint32_t)steps;
    return STATUS_OK;
}

/* Room for MORE values of its own behind those that are there; false when memory is over. */
bool values_grow(struct evaluation *evaluation, struct values *values, size_t more);
static inline bool values_reserve(struct evaluation *evaluation, struct values *values, size_t more)
{
    return values->count + more <= values->capacity || values_grow(evaluation, values, more);
}
/* Room for one more value: NULL when memory is over (and then every later one). */
static inline struct fhirpath_value *values_add(struct evaluation *evaluation,
                                                struct values *values)
{
    if (values->count >= values->capacity && !values_grow(evaluation, values, 1)) {
        return NULL;
    }
    return (struct fhirpath_value *)(uintptr_t)&values->items[values->count++];
}
/* Copies of ITEMS. */
void values_add_all(struct evaluation *evaluation, struct values *values,
                    const struct fhirpath_value *items, size_t count);
/* The same for ITEMS that stay where they are to the end of the evaluation: those of a literal, a
 * collection that no more is added to, a variable. */
static inline void values_share(struct evaluation *evaluation, struct values *values,
                                const struct fhirpath_value *items, size_t count)
{
    if (values->count == 0) {
        *values = (struct values){items, (uint32_t)count, 0};
    } else if (values->capacity == 0 && items == values->items + values->count) {
        values->count += (uint32_t)count; /* what follows the shared ones */
    } else {
        values_add_all(evaluation, values, items, count);
    }
}
void values_add_boolean(struct evaluation *evaluation, struct values *values, bool boolean);
void values_add_integer(struct evaluation *evaluation, struct values *values, int64_t integer);
void values_add_decimal(struct evaluation *evaluation, struct values *values,
                        struct decimal decimal);
void values_add_string(struct evaluation *evaluation, struct values *values, struct slice text);

/* Does one of ITEMS equal VALUE? */
MUST_CHECK enum status values_have(struct evaluation *evaluation, const struct step *step,
                                   const struct fhirpath_value *items, size_t count,
                                   const struct fhirpath_value *value, bool *ret_has);
/* Adds (shares) those of ITEMS that equal none that is there. */
MUST_CHECK enum status values_add_distinct(struct evaluation *evaluation, const struct step *step,
                                           struct values *values,
                                           const struct fhirpath_value *items, size_t count);
/* ITEMS, of equal ones the first; of the first KNOWN it is known that they differ. */
MUST_CHECK enum status values_distinct(struct evaluation *evaluation, const struct step *step,
                                       const struct fhirpath_value *items, size_t count,
                                       size_t known, struct values *ret_distinct);

/* A copy of the System value of one item. */
static inline bool value_system(struct evaluation *evaluation, const struct fhirpath_value *value,
                                struct fhirpath_value *ret_system)
{
    if (value->kind == FHIRPATH_NODE) {
        return node_system(&value->node, evaluation->arena, ret_system);
    }
    *ret_system = *value;
    return true;
}
/* Singleton evaluation (4.5): EMPTY when there is none, an error when there are several. */
MUST_CHECK enum status truth_of(struct evaluation *evaluation, const struct step *step,
                                const struct fhirpath_value *items, size_t count,
                                enum truth *ret_truth);
static inline enum truth truth(bool value)
{
    return value ? TRUTH_TRUE : TRUTH_FALSE;
}

/* ---- functions --------------------------------------------------------------------------------
 */

/* What the elements of the input must be where their type is known when compiling. */
enum function_input { INPUT_ANY, INPUT_STRING, INPUT_NUMBER };

/* The type of what a function gives, where it is known. */
enum function_result {
    RESULT_ANY,
    RESULT_INPUT, /* that of its input */
    RESULT_BOOLEAN,
    RESULT_INTEGER,
    RESULT_DECIMAL,
    RESULT_STRING,
    RESULT_DATE,
    RESULT_DATETIME,
    RESULT_TIME,
    RESULT_QUANTITY,
    RESULT_TYPE_ARGUMENT,  /* ofType, as */
    RESULT_FIRST_ARGUMENT, /* select */
    RESULT_EXTENSION
};

enum { LAMBDA_0 = 1, LAMBDA_1 = 2, LAMBDA_ALL = 255 };

/* One of run and test is given: test for those that give a truth. */
struct function {
    const char *name;
    uint8_t least, most; /* arguments */
    uint8_t lambdas;     /* arguments that are evaluated with $this as the input's items */
    uint8_t input;       /* enum function_input */
    uint8_t result;      /* enum function_result */
    enum status (*run)(struct call *call, struct values *out);
    enum status (*test)(struct call *call, enum truth *ret_truth);
    const char *section; /* of the specification */
};

extern const struct function functions[];
const struct function *function_find(struct slice name);

/* Argument I in the frame around the call. */
MUST_CHECK enum status call_argument(struct call *call, unsigned i, struct values *ret_values);
/* The same as one System value of KIND; *RET_HAS false: it is empty. Integers become decimals where
 * a decimal is wanted. */
MUST_CHECK enum status call_system(struct call *call, unsigned i, enum fhirpath_kind kind,
                                   struct fhirpath_value *ret_value, bool *ret_has);
MUST_CHECK enum status call_string(struct call *call, unsigned i, struct slice *ret_text,
                                   bool *ret_has);
MUST_CHECK enum status call_integer(struct call *call, unsigned i, int64_t *ret_integer,
                                    bool *ret_has);
/* The input as one System value; *RET_HAS false: empty, or without a value. */
MUST_CHECK enum status call_single(struct call *call, struct fhirpath_value *ret_value,
                                   bool *ret_has);
/* The input as one string. */
MUST_CHECK enum status call_text(struct call *call, struct slice *ret_text, bool *ret_has);
/* Argument I with $this being ITEM. */
MUST_CHECK enum status call_lambda(struct call *call, unsigned i, const struct fhirpath_value *item,
                                   size_t index, const struct values *total, struct values *out);
MUST_CHECK enum status call_lambda_truth(struct call *call, unsigned i,
                                         const struct fhirpath_value *item, size_t index,
                                         enum truth *ret_truth);
#define call_fail(call, status, ...)                                                               \
    evaluation_fail((call)->evaluation, (status), (call)->step, __VA_ARGS__)

/* The implementations, by file. */
#include "fhirpath/functions.h"

#endif
