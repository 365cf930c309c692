/* SPDX-License-Identifier: MIT */
/* store: of which dates their beginning alone tells that they match, whatever their width in its
 * class: so that a server need not send more of them than where they are. */
#include "find_int.h"

/* Of one value; what test_facts says of them is in match_date. */
static void bound(const struct store_value *value, int64_t shortest, int64_t longest, int64_t *low,
                  int64_t *end)
{
    int64_t first = INT64_MIN, last = INT64_MAX; /* the last that is sure */
    switch (value->compare) {
    case STORE_EQ:
        first = value->low;
        last = value->high - longest;
        break;
    case STORE_GT:
        first = value->high - shortest + 1;
        break;
    case STORE_GE:
        first = value->low;
        break;
    case STORE_SA:
        first = value->high;
        break;
    case STORE_LT:
    case STORE_LE:
        last = value->low - 1;
        break;
    case STORE_EB:
        last = value->low - longest;
        break;
    default:
        first = INT64_MAX;
        break;
    }
    *low = first > *low ? first : *low;
    *end = last < *end - 1 ? last + 1 : *end;
}

bool dates_sure(const struct wanted *const *wanted, size_t count, enum date_class span,
                int64_t *low, int64_t *end)
{
    if (span == DATE_WIDE) {
        return false; /* of any width: few, and no bound */
    }
    int64_t shortest = span == DATE_DAY ? 0 : date_class_width(span - 1) + 1;
    for (size_t i = 0; i < count; i++) {
        bound(wanted[i]->value, shortest, date_class_width(span), low, end);
    }
    return *low < *end;
}
