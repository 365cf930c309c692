/* SPDX-License-Identifier: MIT */
/* Whether the content of a Binary may be shown (R4 binary.html, "Security Considerations"): only
 * through its securityContext, whichever door it leaves by. While rules are off everybody may read
 * that, so what is kept here is what does not depend on who asks: a context that is not there, no
 * longer there, or cannot be looked up here, opens nothing. The rule proper belongs to the consent
 * stage, which decides for the context what it decides for any resource. */
#include "api/binary_int.h"

/* Type/id at the end of an address, whatever stands before: under which name this server was called
 * must not decide what it shows. */
static struct reference context_of(const struct definitions *definitions, struct slice text)
{
    size_t slashes = 0, at = text.length;
    while (at > 0 && (text.at[at - 1] != '/' || ++slashes < 2)) {
        at--;
    }
    return reference_parse(definitions, slice_from(text, at), (struct slice){NULL, 0});
}

static enum status one_opens(const struct definitions *definitions, struct store_tx *tx,
                             const struct store_version *version, struct arena *arena,
                             bool *ret_open)
{
    struct json json;
    struct store_version context;
    TRY(json_read(version->body, &json_limits_default, arena, NULL, &json));
    yyjson_val *member = json_get(json.root, "securityContext");
    struct slice text = json_get_string(member, "reference");
    struct slice cut = slice_head(text, text.length);
    for (size_t i = 0; i + 10 <= text.length; i++) {
        if (memcmp(text.at + i, "/_history/", 10) == 0) {
            cut = slice_head(text, i);
        }
    }
    struct reference reference = context_of(definitions, cut);
    *ret_open = member == NULL;
    if (member == NULL || reference.kind != REFERENCE_LOCAL) {
        return STATUS_OK;
    }
    enum status status = store_read(tx, reference.type, reference.id, arena, &context);
    *ret_open = status == STATUS_OK;
    return status == STATUS_NOT_FOUND || status == STATUS_GONE ? STATUS_OK : status;
}

enum status binary_guard(const struct definitions *definitions, struct store_tx *tx,
                         const struct store_version *version, struct arena *arena, bool *ret_open)
{
    struct store_version current;
    *ret_open = true;
    if (!slice_is(resource_type_name(definitions, version->type), "Binary") ||
        version->body.length == 0) {
        return STATUS_OK;
    }
    TRY(one_opens(definitions, tx, version, arena, ret_open));
    if (!*ret_open) {
        return STATUS_OK;
    }
    /* A context given later guards what was there before. */
    enum status status = store_read(tx, version->type, version->id, arena, &current);
    if (status == STATUS_OK && current.version != version->version) {
        return one_opens(definitions, tx, &current, arena, ret_open);
    }
    return status == STATUS_NOT_FOUND || status == STATUS_GONE ? STATUS_OK : status;
}

enum status api_binary_guard(struct request *request, struct store_tx *tx,
                             const struct store_version *version)
{
    bool open;
    TRY(binary_guard(request->service->definitions, tx, version, request->arena, &open));
    return open ? STATUS_OK
                : request_fail(request, STATUS_FORBIDDEN, "Binary.securityContext",
                               "The resource that decides who may read this content is not here: "
                               "restore it, or update the Binary with another securityContext.");
}
