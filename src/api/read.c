/* SPDX-License-Identifier: MIT */
/* read and vread (R4 http, "read", "vread"). */
#include "api/api_int.h"

static enum status missing(struct request *request, enum status status,
                           const struct store_version *tombstone)
{
    if (status == STATUS_GONE) {
        request_discloses_version(request, tombstone);
        api_respond_headers(request, tombstone->version, tombstone->updated);
        return request_fail(request, status, "",
                            "The resource was deleted; its _history shows what it was.");
    }
    if (status == STATUS_NOT_FOUND) {
        return request_fail(request, status, "", "There is no resource of this type and id.");
    }
    return status;
}

enum status api_read_perform(struct request *request)
{
    struct store_version version;
    enum status status;
    api_make_reading_room(request);
    if (request->parent == NULL) {
        status =
            store_read_now(request->reader, request->type, request->id, request->arena, &version);
    } else {
        struct store_tx *tx;
        TRY(request_snapshot(request, &tx));
        status = store_read(tx, request->type, request->id, request->arena, &version);
    }
    if (status != STATUS_OK) {
        return missing(request, status, &version);
    }
    return api_respond_version(request, &version);
}

static enum status read_past(struct request *request, struct store_tx *tx,
                             struct store_version *ret_version)
{
    uint64_t number;
    if (!slice_to_unsigned(request->version, UINT32_MAX, &number) || number == 0) {
        return request_fail(request, STATUS_NOT_FOUND, "",
                            "Versions are whole numbers from 1: this one does not exist.");
    }
    return store_read_version(tx, request->type, request->id, (uint32_t)number, request->arena,
                              ret_version);
}

enum status api_find_version(struct request *request, struct store_tx *tx,
                             struct store_version *ret_version)
{
    api_make_reading_room(request);
    enum status status =
        request->interaction->level == LEVEL_VERSION
            ? read_past(request, tx, ret_version)
            : store_read(tx, request->type, request->id, request->arena, ret_version);
    return status == STATUS_OK || request->status != STATUS_OK
               ? status
               : missing(request, status, ret_version);
}

enum status api_version_read_perform(struct request *request)
{
    struct store_tx *tx;
    struct store_version version;
    TRY(request_snapshot(request, &tx));
    TRY(api_find_version(request, tx, &version));
    return api_respond_version(request, &version);
}
