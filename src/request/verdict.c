/* SPDX-License-Identifier: MIT */
/* What the checks at entry said, kept until the end of the walk and counted there: only then is it
 * known whether what was accepted is also stored. */
#include "request/request_int.h"

bool request_refuses(enum status status)
{
    int http = status_http(status);
    return http >= 400 && http < 500 && status != STATUS_TOO_COSTLY && status != STATUS_TOO_LONG;
}

enum status request_judge(struct request *request, resource_type type, yyjson_val *root,
                          enum status status)
{
    /* A client will have a name of its own here once there is identity. */
    static const struct slice nobody = {0};
    request->verdict = (struct verdict){
        .checked = status == STATUS_OK || request_refuses(status),
        .refused = status != STATUS_OK,
        .type = type,
        .source = root != NULL ? quality_source_of(root, nobody, request->arena) : nobody,
    };
    return status;
}

static void count_one(const struct request *request)
{
    const struct verdict *verdict = &request->verdict;
    bool stores = verdict->checked &&
                  (request->interaction->flags & INTERACTION_WRITES) != 0; /* no question */
    if (!stores || (!verdict->refused && request->status != STATUS_OK)) {
        return;
    }
    struct quality_entry entry = {.type = verdict->type,
                                  .source = verdict->source,
                                  .refused = verdict->refused,
                                  .issues = request->outcome.first};
    quality_count(request->service->quality, &entry);
}

void request_count_verdicts(struct request *request)
{
    count_one(request);
    for (size_t i = 0; i < request->child_count; i++) {
        count_one(request->children[i]);
    }
}
