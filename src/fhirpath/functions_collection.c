/* SPDX-License-Identifier: MIT */
/* Existence, filtering and projection, subsetting, combining (FHIRPath N1, sections 5.1 to 5.4),
 * aggregates (7), and sort(). */
#include <stdlib.h>

#include "fhirpath/fhirpath_int.h"

/* ---- 5.1 existence ----------------------------------------------------------------------------
 */

enum status function_empty(struct call *call, enum truth *ret_truth)
{
    *ret_truth = truth(call->count == 0);
    return STATUS_OK;
}

enum status function_exists(struct call *call, enum truth *ret_truth)
{
    *ret_truth = truth(call->count > 0);
    if (call->step->argument_count == 0) {
        return STATUS_OK;
    }
    *ret_truth = TRUTH_FALSE;
    for (size_t i = 0; i < call->count; i++) {
        enum truth criterion;
        TRY(call_lambda_truth(call, 0, &call->input[i], i, &criterion));
        if (criterion == TRUTH_TRUE) {
            *ret_truth = TRUTH_TRUE;
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

enum status function_all(struct call *call, enum truth *ret_truth)
{
    *ret_truth = TRUTH_TRUE;
    for (size_t i = 0; i < call->count; i++) {
        enum truth criterion;
        TRY(call_lambda_truth(call, 0, &call->input[i], i, &criterion));
        if (criterion != TRUTH_TRUE) {
            *ret_truth = TRUTH_FALSE;
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* Whether ALL items, or any, are WANTED. */
static enum status ask_booleans(struct call *call, bool wanted, bool all, enum truth *ret_truth)
{
    *ret_truth = truth(all);
    for (size_t i = 0; i < call->count; i++) {
        struct fhirpath_value system;
        if (!value_system(call->evaluation, &call->input[i], &system) ||
            system.kind != FHIRPATH_BOOLEAN) {
            return call_fail(call, STATUS_INVALID, "The function %s is asked of true and false.",
                             call->step->function->name);
        }
        if ((system.boolean == wanted) != all) {
            *ret_truth = truth(!all);
        }
    }
    return STATUS_OK;
}

enum status function_all_true(struct call *call, enum truth *ret_truth)
{
    return ask_booleans(call, true, true, ret_truth);
}

enum status function_any_true(struct call *call, enum truth *ret_truth)
{
    return ask_booleans(call, true, false, ret_truth);
}

enum status function_all_false(struct call *call, enum truth *ret_truth)
{
    return ask_booleans(call, false, true, ret_truth);
}

enum status function_any_false(struct call *call, enum truth *ret_truth)
{
    return ask_booleans(call, false, false, ret_truth);
}

static enum status is_subset(struct call *call, const struct fhirpath_value *items, size_t count,
                             const struct fhirpath_value *others, size_t other_count,
                             enum truth *ret_truth)
{
    *ret_truth = TRUTH_TRUE;
    for (size_t i = 0; i < count && *ret_truth == TRUTH_TRUE; i++) {
        bool has;
        TRY(values_have(call->evaluation, call->step, others, other_count, &items[i], &has));
        *ret_truth = truth(has);
    }
    return STATUS_OK;
}

enum status function_subset_of(struct call *call, enum truth *ret_truth)
{
    struct values other;
    TRY(call_argument(call, 0, &other));
    return is_subset(call, call->input, call->count, other.items, other.count, ret_truth);
}

enum status function_superset_of(struct call *call, enum truth *ret_truth)
{
    struct values other;
    TRY(call_argument(call, 0, &other));
    return is_subset(call, other.items, other.count, call->input, call->count, ret_truth);
}

enum status function_count(struct call *call, struct values *out)
{
    values_add_integer(call->evaluation, out, (int64_t)call->count);
    return STATUS_OK;
}

enum status function_distinct(struct call *call, struct values *out)
{
    struct values distinct;
    TRY(values_distinct(call->evaluation, call->step, call->input, call->count, 0, &distinct));
    values_share(call->evaluation, out, distinct.items, distinct.count);
    return STATUS_OK;
}

enum status function_is_distinct(struct call *call, enum truth *ret_truth)
{
    struct values distinct;
    TRY(values_distinct(call->evaluation, call->step, call->input, call->count, 0, &distinct));
    *ret_truth = truth(distinct.count == call->count);
    return STATUS_OK;
}

enum status function_not(struct call *call, enum truth *ret_truth)
{
    TRY(truth_of(call->evaluation, call->step, call->input, call->count, ret_truth));
    *ret_truth = *ret_truth == TRUTH_EMPTY ? TRUTH_EMPTY : truth(*ret_truth == TRUTH_FALSE);
    return STATUS_OK;
}

/* ---- 5.2 filtering and projection -------------------------------------------------------------
 */

enum status function_where(struct call *call, struct values *out)
{
    for (size_t i = 0; i < call->count; i++) {
        enum truth criterion;
        TRY(call_lambda_truth(call, 0, &call->input[i], i, &criterion));
        if (criterion == TRUTH_TRUE) {
            values_share(call->evaluation, out, &call->input[i], 1);
        }
    }
    return STATUS_OK;
}

enum status function_select(struct call *call, struct values *out)
{
    for (size_t i = 0; i < call->count; i++) {
        TRY(call_lambda(call, 0, &call->input[i], i, NULL, out));
    }
    return STATUS_OK;
}

/* Each item once; what was added is asked in its turn. */
enum status function_repeat(struct call *call, struct values *out)
{
    struct values found = {0};
    for (size_t i = 0; i < call->count; i++) {
        struct values next = {0};
        TRY(call_lambda(call, 0, &call->input[i], i, NULL, &next));
        TRY(values_add_distinct(call->evaluation, call->step, &found, next.items, next.count));
    }
    for (size_t i = 0; i < found.count; i++) {
        struct values next = {0};
        TRY(call_lambda(call, 0, &found.items[i], i, NULL, &next));
        TRY(values_add_distinct(call->evaluation, call->step, &found, next.items, next.count));
        TRY(evaluation_costs(call->evaluation, call->step, 1));
    }
    values_share(call->evaluation, out, found.items, found.count);
    return STATUS_OK;
}

/* The type stands in the step of the argument. */
enum status function_of_type(struct call *call, struct values *out)
{
    const struct fhirpath *expression = call->evaluation->expression;
    const struct type_test *test =
        &expression->steps[expression->arguments[call->step->right]].test;
    for (size_t i = 0; i < call->count; i++) {
        if (type_test_holds(call->evaluation->definitions, test, &call->input[i])) {
            values_share(call->evaluation, out, &call->input[i], 1);
        }
    }
    return STATUS_OK;
}

/* ---- 5.3 subsetting ---------------------------------------------------------------------------
 */

enum status function_single(struct call *call, struct values *out)
{
    if (call->count > 1) {
        return call_fail(call, STATUS_INVALID, "single() is asked of several items.");
    }
    values_share(call->evaluation, out, call->input, call->count);
    return STATUS_OK;
}

enum status function_first(struct call *call, struct values *out)
{
    values_share(call->evaluation, out, call->input, call->count > 0 ? 1 : 0);
    return STATUS_OK;
}

enum status function_last(struct call *call, struct values *out)
{
    if (call->count > 0) {
        values_share(call->evaluation, out, &call->input[call->count - 1], 1);
    }
    return STATUS_OK;
}

static void add_from(struct call *call, size_t from, struct values *out)
{
    if (from < call->count) {
        values_share(call->evaluation, out, call->input + from, call->count - from);
    }
}

enum status function_tail(struct call *call, struct values *out)
{
    add_from(call, 1, out);
    return STATUS_OK;
}

enum status function_skip(struct call *call, struct values *out)
{
    int64_t number;
    bool has;
    TRY(call_integer(call, 0, &number, &has));
    if (has) {
        add_from(call, number > 0 ? (size_t)number : 0, out);
    }
    return STATUS_OK;
}

enum status function_take(struct call *call, struct values *out)
{
    int64_t number;
    bool has;
    TRY(call_integer(call, 0, &number, &has));
    if (has && number > 0) {
        values_share(call->evaluation, out, call->input,
                     (uint64_t)number < call->count ? (size_t)number : call->count);
    }
    return STATUS_OK;
}

enum status function_intersect(struct call *call, struct values *out)
{
    struct values other, common = {0};
    TRY(call_argument(call, 0, &other));
    for (size_t i = 0; i < call->count; i++) {
        bool has;
        TRY(values_have(call->evaluation, call->step, other.items, other.count, &call->input[i],
                        &has));
        if (has) {
            TRY(values_add_distinct(call->evaluation, call->step, &common, &call->input[i], 1));
        }
    }
    values_share(call->evaluation, out, common.items, common.count);
    return STATUS_OK;
}

enum status function_exclude(struct call *call, struct values *out)
{
    struct values other;
    TRY(call_argument(call, 0, &other));
    for (size_t i = 0; i < call->count; i++) {
        bool has;
        TRY(values_have(call->evaluation, call->step, other.items, other.count, &call->input[i],
                        &has));
        if (!has) {
            values_share(call->evaluation, out, &call->input[i], 1);
        }
    }
    return STATUS_OK;
}

/* ---- 5.4 combining ----------------------------------------------------------------------------
 */

enum status function_union(struct call *call, struct values *out)
{
    struct values other, both = {call->input, (uint32_t)call->count, 0}, distinct;
    TRY(call_argument(call, 0, &other));
    values_share(call->evaluation, &both, other.items, other.count);
    TRY(values_distinct(call->evaluation, call->step, both.items, both.count, 0, &distinct));
    values_share(call->evaluation, out, distinct.items, distinct.count);
    return STATUS_OK;
}

enum status function_combine(struct call *call, struct values *out)
{
    struct values other;
    TRY(call_argument(call, 0, &other));
    values_share(call->evaluation, out, call->input, call->count);
    values_share(call->evaluation, out, other.items, other.count);
    return STATUS_OK;
}

/* The first argument that is not empty, the input counting as the first of them. */
enum status function_coalesce(struct call *call, struct values *out)
{
    for (unsigned i = 0; i < call->step->argument_count; i++) {
        struct values values;
        TRY(call_argument(call, i, &values));
        if (values.count > 0) {
            values_share(call->evaluation, out, values.items, values.count);
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* ---- 7 aggregates -----------------------------------------------------------------------------
 */

enum status function_aggregate(struct call *call, struct values *out)
{
    struct values total = {0};
    if (call->step->argument_count > 1) {
        TRY(call_argument(call, 1, &total));
    }
    for (size_t i = 0; i < call->count; i++) {
        struct values next = {0};
        TRY(call_lambda(call, 0, &call->input[i], i, &total, &next));
        total = next;
    }
    values_share(call->evaluation, out, total.items, total.count);
    return STATUS_OK;
}

/* ---- sort -------------------------------------------------------------------------------------
 */

#define KEYS_MOST 16

struct sort_item {
    const struct fhirpath_value *item;
    struct fhirpath_value *keys; /* one an argument */
    const bool *has;
    size_t place;
};

struct sort {
    struct call *call;
    unsigned keys;
    bool descending[KEYS_MOST];
    bool wrong; /* two keys have no order between them */
};

/* What is empty comes first, last when descending. */
static int compare_items(const void *first, const void *second, void *context)
{
    struct sort *sort = context;
    const struct sort_item *a = first, *b = second;
    for (unsigned i = 0; i < sort->keys; i++) {
        int order = (int)a->has[i] - (int)b->has[i];
        if (a->has[i] && b->has[i]) {
            enum order found =
                values_order(sort->call->evaluation->arena, &a->keys[i], &b->keys[i]);
            sort->wrong = sort->wrong || found == ORDER_WRONG;
            order = found == ORDER_LESS ? -1 : found == ORDER_GREATER ? 1 : 0;
        }
        if (order != 0) {
            return sort->descending[i] ? -order : order;
        }
    }
    return a->place < b->place ? -1 : 1;
}

/* A key may be asked for the other way round: -key, for any type of key, or `key desc`. */
static enum status sort_key(struct call *call, unsigned i, size_t place, struct fhirpath_value *key,
                            bool *has)
{
    const struct fhirpath *expression = call->evaluation->expression;
    uint32_t index = expression->arguments[call->step->right + i];
    const struct step *step = &expression->steps[index];
    const struct frame frame = {.focus = &call->input[place],
                                .focus_count = 1,
                                .index = (int64_t)place,
                                .total = call->frame->total};
    const struct scope *scope = call->evaluation->scope;
    struct values values = {0};
    TRY(evaluate(call->evaluation, step->operation == OP_MINUS ? step->left : index, &frame,
                 &values));
    call->evaluation->scope = scope;
    if (values.count > 1) {
        return call_fail(call, STATUS_INVALID, "A key of sort() is one item; here are several.");
    }
    *has = values.count == 1;
    if (*has) {
        *key = values.items[0];
    }
    return STATUS_OK;
}

static enum status sort_prepare(struct call *call, struct sort *sort, struct sort_item *items)
{
    const struct fhirpath *expression = call->evaluation->expression;
    unsigned arguments = call->step->argument_count;
    for (unsigned i = 0; i < arguments; i++) {
        const struct step *step = &expression->steps[expression->arguments[call->step->right + i]];
        sort->descending[i] = step->descending != (step->operation == OP_MINUS);
    }
    for (size_t place = 0; place < call->count; place++) {
        struct fhirpath_value *keys =
            arena_alloc(call->evaluation->arena, sort->keys * sizeof *keys);
        bool *has = arena_array(call->evaluation->arena, sort->keys, sizeof *has);
        if (keys == NULL || has == NULL) {
            return STATUS_TOO_COSTLY;
        }
        items[place] = (struct sort_item){&call->input[place], keys, has, place};
        if (arguments == 0) {
            keys[0] = call->input[place];
            has[0] = true;
        }
        for (unsigned i = 0; i < arguments; i++) {
            TRY(sort_key(call, i, place, &keys[i], &has[i]));
        }
    }
    return STATUS_OK;
}

enum status function_sort(struct call *call, struct values *out)
{
    unsigned arguments = call->step->argument_count;
    struct sort sort = {.call = call, .keys = arguments > 0 ? arguments : 1};
    struct sort_item *items = arena_array(call->evaluation->arena, call->count, sizeof *items);
    if (items == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(sort_prepare(call, &sort, items));
    TRY(evaluation_costs(call->evaluation, call->step, call->count));
    qsort_r(items, call->count, sizeof *items, compare_items, &sort);
    if (sort.wrong) {
        return call_fail(call, STATUS_INVALID, "Values of these types have no order.");
    }
    for (size_t i = 0; i < call->count; i++) {
        values_share(call->evaluation, out, items[i].item, 1);
    }
    return STATUS_OK;
}
