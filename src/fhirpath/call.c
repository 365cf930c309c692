/* SPDX-License-Identifier: MIT */
/* What functions share: their arguments, evaluated when they are asked for. */
#include "fhirpath/fhirpath_int.h"

static uint32_t argument_step(const struct call *call, unsigned i)
{
    return call->evaluation->expression->arguments[call->step->right + i];
}

enum status call_argument(struct call *call, unsigned i, struct values *ret_values)
{
    *ret_values = (struct values){0};
    return evaluate_operand(call->evaluation, argument_step(call, i), call->frame, ret_values);
}

/* Argument I as a System value of KIND, perhaps made in ROOM; NULL: it is empty. */
static enum status argument(struct call *call, unsigned i, enum fhirpath_kind kind,
                            struct fhirpath_value *room, const struct fhirpath_value **ret_value)
{
    struct values values;
    *ret_value = NULL;
    if (i >= call->step->argument_count) {
        return STATUS_OK;
    }
    TRY(call_argument(call, i, &values));
    if (values.count == 0) {
        return STATUS_OK;
    }
    if (values.count > 1) {
        return call_fail(call, STATUS_INVALID, "An argument of %s is one item; here are several.",
                         call->step->function->name);
    }
    const struct fhirpath_value *value = as_system(values.items, call->evaluation->arena, room);
    if (value != NULL && kind == FHIRPATH_DECIMAL && value->kind == FHIRPATH_INTEGER) {
        *room = (struct fhirpath_value){.kind = FHIRPATH_DECIMAL,
                                        .decimal = decimal_from_integer(value->integer)};
        value = room;
    }
    if (value != NULL ? value->kind != kind : values.items[0].node.value != NULL) {
        return call_fail(call, STATUS_INVALID, "An argument of %s is of another type.",
                         call->step->function->name);
    }
    *ret_value = value;
    return STATUS_OK;
}

enum status call_system(struct call *call, unsigned i, enum fhirpath_kind kind,
                        struct fhirpath_value *ret_value, bool *ret_has)
{
    struct fhirpath_value room;
    const struct fhirpath_value *value;
    TRY(argument(call, i, kind, &room, &value));
    *ret_has = value != NULL;
    if (value != NULL) {
        *ret_value = *value;
    }
    return STATUS_OK;
}

enum status call_string(struct call *call, unsigned i, struct slice *ret_text, bool *ret_has)
{
    struct fhirpath_value room;
    const struct fhirpath_value *value;
    TRY(argument(call, i, FHIRPATH_STRING, &room, &value));
    *ret_has = value != NULL;
    *ret_text = value != NULL ? value->string : (struct slice){"", 0};
    return STATUS_OK;
}

enum status call_integer(struct call *call, unsigned i, int64_t *ret_integer, bool *ret_has)
{
    struct fhirpath_value room;
    const struct fhirpath_value *value;
    TRY(argument(call, i, FHIRPATH_INTEGER, &room, &value));
    *ret_has = value != NULL;
    *ret_integer = value != NULL ? value->integer : 0;
    return STATUS_OK;
}

/* The input as one System value, perhaps made in ROOM; NULL: empty, or without a value. */
static enum status single(struct call *call, struct fhirpath_value *room,
                          const struct fhirpath_value **ret_value)
{
    *ret_value = NULL;
    if (call->count == 0) {
        return STATUS_OK;
    }
    if (call->count > 1) {
        return call_fail(call, STATUS_INVALID,
                         "The function %s is asked of one item; here are several.",
                         call->step->function->name);
    }
    *ret_value = as_system(call->input, call->evaluation->arena, room);
    return STATUS_OK;
}

enum status call_single(struct call *call, struct fhirpath_value *ret_value, bool *ret_has)
{
    const struct fhirpath_value *value;
    TRY(single(call, ret_value, &value));
    *ret_has = value != NULL;
    if (value != NULL && value != ret_value) {
        *ret_value = *value;
    }
    return STATUS_OK;
}

enum status call_text(struct call *call, struct slice *ret_text, bool *ret_has)
{
    struct fhirpath_value room;
    const struct fhirpath_value *value;
    TRY(single(call, &room, &value));
    *ret_has = value != NULL;
    *ret_text = (struct slice){"", 0};
    if (value != NULL && value->kind == FHIRPATH_STRING) {
        *ret_text = value->string.length > 0 ? value->string : *ret_text;
        return STATUS_OK;
    }
    bool valueless = call->count == 0 || (value == NULL && call->input[0].node.value == NULL);
    return valueless ? STATUS_OK
                     : call_fail(call, STATUS_INVALID, "The function %s is asked of a string.",
                                 call->step->function->name);
}

static struct frame lambda_frame(const struct call *call, const struct fhirpath_value *item,
                                 size_t index, const struct values *total)
{
    return (struct frame){.focus = item,
                          .focus_count = 1,
                          .index = (int64_t)index,
                          .total = total != NULL ? total : call->frame->total};
}

enum status call_lambda(struct call *call, unsigned i, const struct fhirpath_value *item,
                        size_t index, const struct values *total, struct values *out)
{
    const struct frame frame = lambda_frame(call, item, index, total);
    return evaluate_operand(call->evaluation, argument_step(call, i), &frame, out);
}

/* Nothing of the evaluation is left when the truth is known: its memory is used again. */
enum status call_lambda_truth(struct call *call, unsigned i, const struct fhirpath_value *item,
                              size_t index, enum truth *ret_truth)
{
    struct evaluation *evaluation = call->evaluation;
    const struct scope *scope = evaluation->scope;
    const struct frame frame = lambda_frame(call, item, index, NULL);
    struct arena_mark mark = arena_mark(evaluation->arena);
    TRY(evaluate_truth(evaluation, argument_step(call, i), &frame, ret_truth));
    evaluation->scope = scope;
    if (!arena_full(evaluation->arena)) {
        arena_rewind(evaluation->arena, mark);
    }
    return STATUS_OK;
}
