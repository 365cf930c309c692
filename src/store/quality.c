/* SPDX-License-Identifier: MIT */
/* store: how many entries were accepted, warned of and refused. The rows are no index: what was
 * refused is counted here and stands nowhere else. */
#include "store_int.h"

static enum status words_add(struct store_tx *tx, const struct store_quality *row)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_QUALITY_WORDS, &statement));
    statement_bind_text(statement, 1, row->rule);
    statement_bind_number(statement, 2, row->type);
    statement_bind_text(statement, 3, row->words);
    return statement_run(tx->connection, statement);
}

enum status store_quality_add(struct store_tx *tx, const struct store_quality *row)
{
    struct statement *statement;
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    TRY(statement_get(tx->connection, SQL_QUALITY_ADD, &statement));
    statement_bind_number(statement, 1, row->day);
    statement_bind_text(statement, 2, row->source);
    statement_bind_number(statement, 3, row->type);
    statement_bind_text(statement, 4, row->rule);
    statement_bind_number(statement, 5, (int)row->verdict);
    statement_bind_number(statement, 6, (int64_t)row->count);
    TRY(statement_run(tx->connection, statement));
    return row->rule.length > 0 && row->words.length > 0 ? words_add(tx, row) : STATUS_OK;
}

enum status store_quality_forget(struct store_tx *tx, int32_t day)
{
    struct statement *statement;
    if (tx->writer == NULL) {
        return STATUS_INTERNAL;
    }
    TRY(statement_get(tx->connection, SQL_QUALITY_FORGET, &statement));
    statement_bind_number(statement, 1, day);
    TRY(statement_run(tx->connection, statement));
    TRY(statement_get(tx->connection, SQL_QUALITY_FORGET_WORDS, &statement));
    return statement_run(tx->connection, statement);
}

enum status store_quality_day(struct store_tx *tx, int32_t day, store_quality_visit *visit,
                              void *context)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(tx->connection, SQL_QUALITY_DAY, &statement));
    statement_bind_number(statement, 1, day);
    enum status status = statement_row(tx->connection, statement, &row);
    while (status == STATUS_OK && row) {
        struct store_quality found = {
            .day = (int)statement_number(statement, 0),
            .source = statement_blob(statement, 1),
            .type = (resource_type)statement_number(statement, 2),
            .rule = statement_blob(statement, 3),
            .verdict = (enum store_verdict)statement_number(statement, 4),
            .count = (uint64_t)statement_number(statement, 5),
        };
        visit(context, &found);
        status = statement_row(tx->connection, statement, &row);
    }
    statement_reset(statement);
    return status;
}

/* ---- sums ---------------------------------------------------------------------------------------
 */

static const enum statement_number sums[] = {
    [STORE_QUALITY_ALL] = SQL_QUALITY_ALL,       [STORE_QUALITY_BY_SOURCE] = SQL_QUALITY_SOURCES,
    [STORE_QUALITY_BY_TYPE] = SQL_QUALITY_TYPES, [STORE_QUALITY_BY_RULE] = SQL_QUALITY_RULES,
    [STORE_QUALITY_BY_DAY] = SQL_QUALITY_DAYS,
};

struct summing {
    struct store_tx *tx;
    struct arena *arena;
    struct store_quality *rows;
    size_t count, capacity;
};

static enum status words_find(struct summing *summing, struct store_quality *row)
{
    struct statement *statement;
    bool found = false;
    TRY(statement_get(summing->tx->connection, SQL_QUALITY_MEND, &statement));
    statement_bind_text(statement, 1, row->rule);
    statement_bind_number(statement, 2, row->type);
    TRY(statement_row(summing->tx->connection, statement, &found));
    if (found) {
        row->words = arena_copy(summing->arena, statement_blob(statement, 0));
        statement_reset(statement);
    }
    return STATUS_OK;
}

static enum status take_sum(struct summing *summing, enum store_quality_by by,
                            struct statement *statement)
{
    if (summing->count == summing->capacity) {
        size_t capacity = summing->capacity == 0 ? 64 : summing->capacity * 2;
        struct store_quality *more =
            arena_resize(summing->arena, summing->rows, summing->capacity * sizeof *more,
                         capacity * sizeof *more);
        if (more == NULL) {
            return STATUS_TOO_COSTLY;
        }
        summing->rows = more;
        summing->capacity = capacity;
    }
    struct store_quality *row = &summing->rows[summing->count++];
    *row = (struct store_quality){.count = (uint64_t)statement_number(statement, 0),
                                  .verdict = (enum store_verdict)statement_number(statement, 1)};
    switch (by) {
    case STORE_QUALITY_BY_SOURCE:
        row->source = arena_copy(summing->arena, statement_blob(statement, 2));
        break;
    case STORE_QUALITY_BY_TYPE:
        row->type = (resource_type)statement_number(statement, 2);
        break;
    case STORE_QUALITY_BY_RULE:
        row->rule = arena_copy(summing->arena, statement_blob(statement, 2));
        row->type = (resource_type)statement_number(statement, 3);
        return words_find(summing, row);
    case STORE_QUALITY_BY_DAY:
        row->day = (int)statement_number(statement, 2);
        break;
    case STORE_QUALITY_ALL:
        break;
    }
    return STATUS_OK;
}

enum status store_quality_sum(struct store_tx *tx, const struct store_quality_query *query,
                              struct arena *arena, struct store_quality **ret_rows,
                              size_t *ret_count)
{
    struct summing summing = {.tx = tx, .arena = arena};
    struct statement *statement;
    bool row = false;
    TRY(statement_get(tx->connection, sums[query->by], &statement));
    statement_bind_number(statement, 1, query->first);
    statement_bind_number(statement, 2, query->last);
    if (query->has_source) {
        statement_bind_text(statement, 3, query->source);
    } else {
        statement_bind_null(statement, 3);
    }
    enum status status = statement_row(tx->connection, statement, &row);
    while (status == STATUS_OK && row) {
        status = take_sum(&summing, query->by, statement);
        if (status == STATUS_OK) {
            status = statement_row(tx->connection, statement, &row);
        }
    }
    statement_reset(statement);
    *ret_rows = summing.rows;
    *ret_count = summing.count;
    return status == STATUS_OK && arena_full(arena) ? STATUS_TOO_COSTLY : status;
}
