/* SPDX-License-Identifier: MIT */
/* The FHIR form of content that is kept beside the body: the resource with data put in before its
 * last brace, in whatever pieces it is asked for. */
#include "api/binary_int.h"

/* data is the last element of a Binary, in either form. */
static const struct parts {
    struct slice opening; /* before the content, in place of as much of the head's end */
    struct slice closing;
    size_t replaced;
} forms[] = {[FORMAT_JSON] = {{",\"data\":\"", 9}, {"\"}", 2}, 1},
             [FORMAT_XML] = {{"<data value=\"", 13}, {"\"/></Binary>", 12}, 9 /* </Binary> */}};

static uint64_t encoded_length(uint64_t length)
{
    return (length + 2) / 3 * 4;
}

uint64_t binary_form_length(enum format format, struct slice head, uint64_t blob_length)
{
    const struct parts *parts = &forms[format];
    return head.length - parts->replaced + parts->opening.length + encoded_length(blob_length) +
           parts->closing.length;
}

/* A part of the whole that begins at *AT: what of it lies in [offset, end) is written. */
struct cut {
    uint64_t at, offset, end;
    struct buffer *out;
};

static bool cut_range(struct cut *cut, uint64_t length, uint64_t *ret_from, uint64_t *ret_to)
{
    uint64_t start = cut->at;
    cut->at += length;
    uint64_t from = cut->offset > start ? cut->offset - start : 0;
    uint64_t to = cut->end > start ? cut->end - start : 0;
    *ret_from = from;
    *ret_to = to < length ? to : length;
    return *ret_from < *ret_to;
}

static void add_text(struct cut *cut, struct slice text)
{
    uint64_t from, to;
    if (cut_range(cut, text.length, &from, &to)) {
        buffer_add(cut->out, slice_of(text.at + from, (size_t)(to - from)));
    }
}

/* Base64 begins anew every three bytes: read from the group that holds the first wanted sign. */
static enum status add_content(struct cut *cut, struct store_tx *tx,
                               const struct store_version *version)
{
    uint64_t from, to;
    if (!cut_range(cut, encoded_length(version->blob_length), &from, &to)) {
        return STATUS_OK;
    }
    struct buffer bytes = {.arena = cut->out->arena};
    struct buffer signs = {.arena = cut->out->arena};
    uint64_t first = from / 4;
    uint64_t last = (to + 3) / 4;
    TRY(store_read_blob(tx, version, first * 3, (size_t)((last - first) * 3), &bytes));
    base64_write(buffer_slice(&bytes), &signs);
    size_t skipped = (size_t)(from - first * 4);
    buffer_add(cut->out,
               slice_head(slice_from(buffer_slice(&signs), skipped), (size_t)(to - from)));
    return buffer_ok(&signs) && buffer_ok(cut->out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status binary_form_write(struct store_tx *tx, const struct store_version *version,
                              enum format format, struct slice head, uint64_t offset, size_t max,
                              struct buffer *out)
{
    struct cut cut = {.offset = offset, .end = offset + max, .out = out};
    add_text(&cut, slice_head(head, head.length - forms[format].replaced));
    add_text(&cut, forms[format].opening);
    TRY(add_content(&cut, tx, version));
    add_text(&cut, forms[format].closing);
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
