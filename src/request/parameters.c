/* SPDX-License-Identifier: MIT */
/* Query strings: "name:modifier=value&..." (R4 search), also as a form body. */
#include "request/request_int.h"

static enum status parse_one(struct slice part, struct arena *arena, struct outcome *outcome,
                             struct parameter *ret_parameter)
{
    size_t equals = slice_index(part, '=');
    struct slice name = slice_head(part, equals);
    struct slice value = slice_from(part, equals < part.length ? equals + 1 : part.length);
    struct buffer decoded_name = {.arena = arena};
    struct buffer decoded_value = {.arena = arena};
    if (!url_decode(name, true, &decoded_name) || !url_decode(value, true, &decoded_value)) {
        return outcome_fail(outcome, STATUS_VALUE, "",
                            "A query parameter is not valid percent-encoded UTF-8: encode it as "
                            "RFC 3986 asks.");
    }
    if (!buffer_ok(&decoded_name) || !buffer_ok(&decoded_value)) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "", "The query string is too long.");
    }
    struct slice whole = buffer_slice(&decoded_name);
    size_t colon = slice_index(whole, ':');
    *ret_parameter = (struct parameter){
        .name = slice_head(whole, colon),
        .modifier = slice_from(whole, colon < whole.length ? colon + 1 : whole.length),
        .value = buffer_slice(&decoded_value),
    };
    return STATUS_OK;
}

enum status parameters_parse(struct slice query, struct arena *arena, struct outcome *outcome,
                             struct parameter **ret_parameters, size_t *ret_count)
{
    size_t most = 1;
    for (size_t i = 0; i < query.length; i++) {
        most += query.at[i] == '&';
    }
    struct parameter *all = arena_array(arena, most, sizeof *all);
    if (all == NULL) {
        return outcome_fail(outcome, STATUS_TOO_COSTLY, "", "The query string is too long.");
    }
    size_t count = 0;
    while (query.at != NULL) {
        struct slice part = slice_cut(&query, '&');
        if (part.length > 0) {
            TRY(parse_one(part, arena, outcome, &all[count]));
            count++;
        }
    }
    *ret_parameters = all;
    *ret_count = count;
    return STATUS_OK;
}
