/* SPDX-License-Identifier: MIT */
/* store: the content of a Binary, in pieces of one row each, so that it never stands in memory
 * whole. A piece's key is (change << BLOB_PIECE_BITS | number). */
#include <errno.h>
#include <unistd.h>

#include "store_int.h"

static enum status read_piece(int file, uint64_t offset, char *at, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(file, at + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return STATUS_IO;
        }
        done += (size_t)got;
    }
    return STATUS_OK;
}

enum status blob_put(struct store_tx *tx, const struct store_draft *draft, uint64_t change)
{
    if (draft->blob_length > BLOB_PIECE << BLOB_PIECE_BITS) {
        return STATUS_TOO_LONG;
    }
    char *at = arena_alloc(tx->writer->scratch, BLOB_PIECE);
    if (at == NULL) {
        return STATUS_MEMORY;
    }
    uint64_t number = 0;
    for (uint64_t offset = 0; offset < draft->blob_length; offset += BLOB_PIECE, number++) {
        uint64_t rest = draft->blob_length - offset;
        size_t length = (size_t)(rest < BLOB_PIECE ? rest : BLOB_PIECE);
        TRY(read_piece(draft->blob_file, offset, at, length));
        struct statement *statement;
        TRY(statement_get(tx->connection, SQL_BLOB_ADD, &statement));
        statement_bind_number(statement, 1, (int64_t)change);
        statement_bind_number(statement, 2, (int64_t)number);
        statement_bind_blob(statement, 3, slice_of(at, length));
        TRY(statement_run(tx->connection, statement));
    }
    return STATUS_OK;
}

enum status store_read_blob(struct store_tx *tx, const struct store_version *version,
                            uint64_t offset, size_t length, struct buffer *out)
{
    uint64_t end = version->blob_length;
    if (offset >= end) {
        return STATUS_OK;
    }
    if (length < end - offset) {
        end = offset + length;
    }
    while (offset < end) {
        uint64_t number = offset / BLOB_PIECE;
        struct statement *statement;
        TRY(statement_get(tx->connection, SQL_BLOB_GET, &statement));
        statement_bind_number(statement, 1, (int64_t)version->change);
        statement_bind_number(statement, 2, (int64_t)number);
        bool row = false;
        TRY(statement_row(tx->connection, statement, &row));
        struct slice piece = row ? statement_blob(statement, 0) : (struct slice){NULL, 0};
        piece = slice_from(piece, (size_t)(offset - number * BLOB_PIECE));
        piece = slice_head(piece, (size_t)(end - offset));
        buffer_add(out, piece);
        statement_reset(statement);
        if (piece.length == 0) {
            return STATUS_CORRUPT;
        }
        offset += piece.length;
    }
    return buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
