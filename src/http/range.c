/* SPDX-License-Identifier: MIT */
#include "http_int.h"

/* bytes=FROM-LAST, bytes=FROM-, bytes=-LENGTH. Several ranges, other units and nonsense may be
 * ignored, and are (RFC 9110, 14.2). */
bool range_parse(struct slice text, uint64_t length, uint64_t *ret_from, uint64_t *ret_end,
                 enum status *ret_status)
{
    if (!slice_equals_ignoring_case(slice_head(text, 6), SLICE("bytes="))) {
        return false;
    }
    struct slice rest = slice_from(text, 6);
    size_t dash = slice_index(rest, '-');
    struct slice first = slice_trim(slice_head(rest, dash));
    struct slice last = slice_trim(slice_from(rest, dash + 1));
    uint64_t from = 0, to = UINT64_MAX;
    if (dash == rest.length || (first.length == 0 && last.length == 0) ||
        (first.length > 0 && !slice_to_unsigned(first, INT64_MAX, &from)) ||
        (last.length > 0 && !slice_to_unsigned(last, INT64_MAX, &to)) ||
        (first.length > 0 && last.length > 0 && to < from)) {
        return false;
    }
    if (first.length == 0) {
        from = to < length ? length - to : 0;
        *ret_status = to == 0 || length == 0 ? STATUS_RANGE : STATUS_OK;
        to = UINT64_MAX;
    } else {
        *ret_status = from >= length ? STATUS_RANGE : STATUS_OK;
    }
    if (*ret_status == STATUS_OK) {
        *ret_from = from;
        *ret_end = to >= length ? length : to + 1;
    }
    return true;
}
