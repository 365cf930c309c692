/* SPDX-License-Identifier: MIT */
/* `_id` and `_lastUpdated`: columns of the store. */
#include "search/search_int.h"

static bool holds(const struct slice *ids, size_t count, struct slice id)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(ids[i], id)) {
            return true;
        }
    }
    return false;
}

enum status plan_ids(struct planning *planning, const struct search_argument *argument)
{
    struct store_query *query = &planning->plan->query;
    size_t count;
    if (argument->modifier.length > 0) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '_id' is not supported with a modifier.");
    }
    struct slice *ids = split_values(planning->arena, argument->value, ',', &count);
    if (ids == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(check_value_count(planning, argument, count));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        /* Given twice, both must hold; a duplicate would be found twice. */
        bool wanted = query->ids == NULL || holds(query->ids, query->id_count, ids[i]);
        if (wanted && !holds(ids, kept, ids[i])) {
            ids[kept++] = ids[i];
        }
    }
    query->ids = ids;
    query->id_count = kept;
    return STATUS_OK;
}

enum status plan_updated(struct planning *planning, const struct search_argument *argument)
{
    struct store_query *query = &planning->plan->query;
    struct slice text = argument->value;
    enum store_compare compare = take_prefix(&text);
    struct partial_date date;
    int64_t low, high;
    if (argument->modifier.length > 0 || compare == STORE_NE || compare == STORE_AP ||
        slice_index(text, ',') < text.length) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '_lastUpdated' takes one value, with a prefix other than ne "
                            "and ap, and no modifier.");
    }
    if (!date_parse(text, DATE_FORM_SEARCH, &date)) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "",
                            "The value of parameter '_lastUpdated' cannot be read: give a date or "
                            "time, with a prefix such as ge if wanted: ge2026-01-31.");
    }
    date_range(&date, &low, &high);
    int64_t from = INT64_MIN, to = INT64_MAX;
    switch (compare) {
    case STORE_GT:
    case STORE_SA:
        from = high;
        break;
    case STORE_LT:
    case STORE_EB:
        to = low;
        break;
    case STORE_GE:
        from = low;
        break;
    case STORE_LE:
        to = high;
        break;
    default:
        from = low;
        to = high;
        break;
    }
    bool first = query->updated_low == 0 && query->updated_high == 0;
    query->updated_low = first || from > query->updated_low ? from : query->updated_low;
    query->updated_high = first || to < query->updated_high ? to : query->updated_high;
    if (query->updated_low >= query->updated_high) {
        /* Nothing can match; 0,0 would mean anything. */
        query->updated_low = query->updated_high = 1;
    }
    return STATUS_OK;
}
