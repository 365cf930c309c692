/* SPDX-License-Identifier: MIT */
/* store: streams of places in rising order. */
#include "find_int.h"

/* Steps taken before a new descent into the tree is thought cheaper. */
#define STEPS_BEFORE_SEEK 4
#define FEW_ROWS          32 /* of each source, on a server */

/* ---- adding
 * -------------------------------------------------------------------------------------- */

static struct source *source_add(struct stream *stream, struct arena *arena)
{
    if (stream->count == stream->capacity) {
        size_t capacity = stream->capacity == 0 ? 4 : stream->capacity * 2;
        struct source *sources =
            arena_resize(arena, stream->sources, stream->capacity * sizeof(*sources),
                         capacity * sizeof(*sources));
        if (sources == NULL) {
            return NULL;
        }
        stream->sources = sources;
        stream->capacity = capacity;
    }
    struct source *source = &stream->sources[stream->count];
    *source = (struct source){.current = -1, .floor = INT64_MIN};
    return source;
}

static enum status source_statement(struct stream *stream, struct connection *connection,
                                    struct arena *arena, enum statement_number number, int from,
                                    struct source **ret_source)
{
    struct source *source = source_add(stream, arena);
    if (source == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(statement_take(connection, number, &source->statement));
    source->connection = connection;
    source->number = number;
    source->from = from;
    stream->count++;
    *ret_source = source;
    return STATUS_OK;
}

enum status stream_add_tree(struct stream *stream, struct connection *connection,
                            struct arena *arena, enum statement_number number, uint32_t parameter,
                            int64_t value)
{
    struct source *source;
    TRY(source_statement(stream, connection, arena, number, 3, &source));
    source->parameter = parameter;
    source->value = value;
    statement_bind_number(&source->statement, 1, parameter);
    statement_bind_number(&source->statement, 2, value);
    return STATUS_OK;
}

enum status stream_add_codes(struct stream *stream, struct connection *connection,
                             struct arena *arena, uint32_t parameter, const int64_t *codes,
                             size_t count)
{
    struct source *source;
    TRY(source_statement(stream, connection, arena, SQL_SERVER_CODES_RIDS, 3, &source));
    statement_bind_number(&source->statement, 1, parameter);
    return postgres_bind_numbers(source->statement.postgres, 2, codes, count, arena);
}

enum status stream_add_homes(struct stream *stream, struct arena *arena, const struct source *like)
{
    TRY(stream_add_tree(stream, like->connection, arena, like->number, like->parameter,
                        like->value));
    stream->sources[stream->count - 1].firsts = true;
    return STATUS_OK;
}

enum status stream_add_text(struct stream *stream, struct connection *connection,
                            struct arena *arena, uint32_t parameter, struct slice key)
{
    struct source *source;
    TRY(source_statement(stream, connection, arena, SQL_TEXT_RIDS, 3, &source));
    statement_bind_number(&source->statement, 1, parameter);
    statement_bind_blob(&source->statement, 2, key);
    return STATUS_OK;
}

enum status stream_add_places(struct stream *stream, struct connection *connection,
                              struct arena *arena, resource_type type, int64_t low, int64_t high)
{
    struct source *source;
    bool typed = type != RESOURCE_TYPE_NONE;
    TRY(source_statement(stream, connection, arena, typed ? SQL_PLACE_RIDS : SQL_ALL_RIDS,
                         typed ? 2 : 1, &source));
    if (typed) {
        statement_bind_number(&source->statement, 1, type);
    }
    statement_bind_number(&source->statement, typed ? 3 : 2, high);
    source->floor = low;
    return STATUS_OK;
}

enum status stream_add_members(struct stream *stream, struct connection *connection,
                               struct arena *arena, uint32_t patient)
{
    struct source *source;
    TRY(source_statement(stream, connection, arena, SQL_MEMBER_RIDS, 2, &source));
    statement_bind_number(&source->statement, 1, patient);
    return STATUS_OK;
}

enum status stream_add_blocks(struct stream *stream, struct connection *connection,
                              struct arena *arena, uint32_t word)
{
    struct source *source;
    TRY(source_statement(stream, connection, arena, SQL_WORD_BLOCKS, 3, &source));
    statement_bind_number(&source->statement, 1, word);
    source->shift = WORD_BLOCK_BITS;
    return STATUS_OK;
}

enum status stream_add_list(struct stream *stream, struct arena *arena, const int64_t *list,
                            size_t count)
{
    struct source *source = source_add(stream, arena);
    if (source == NULL) {
        return STATUS_TOO_COSTLY;
    }
    source->list = list;
    source->list_count = count;
    stream->count++;
    return STATUS_OK;
}

/* ---- moving
 * -------------------------------------------------------------------------------------- */

/* Towards RID: of a block every place counts. */
static enum status source_step(struct source *source, int64_t rid)
{
    bool row = false;
    TRY(statement_row(source->connection, &source->statement, &row));
    while (!row && source->homes != NULL && source->home + 1 < source->home_count) {
        int64_t first = place_first((uint32_t)source->homes[++source->home]);
        statement_reset(&source->statement);
        statement_bind_number(&source->statement, source->from, first >> source->shift);
        TRY(statement_row(source->connection, &source->statement, &row));
    }
    if (!row) {
        source->current = STREAM_END;
        return STATUS_OK;
    }
    int64_t first = statement_number(&source->statement, 0);
    if (source->firsts) {
        source->current = place_first(place_patient(first));
        return STATUS_OK;
    }
    bool within = source->shift > 0 && first == rid >> source->shift;
    source->current = within ? rid : (int64_t)((uint64_t)first << source->shift);
    return STATUS_OK;
}

static enum status source_seek_list(struct source *source, int64_t rid)
{
    size_t low = source->list_at, high = source->list_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (source->list[middle] < rid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    source->list_at = low;
    source->current = low < source->list_count ? source->list[low] : STREAM_END;
    return STATUS_OK;
}

/* The first of its homes that is not before *FROM, which then is not before that. */
static bool home_find(struct source *source, int64_t *from)
{
    source->home = 0;
    while (source->home < source->home_count && source->homes[source->home] < *from >> PLACE_BITS) {
        source->home++;
    }
    if (source->home == source->home_count) {
        return false;
    }
    int64_t first = place_first((uint32_t)source->homes[source->home]);
    *from = *from > first ? *from : first;
    return true;
}

/* What a statement begins at to come to what counts from RID on. */
static int64_t key_from(const struct source *source, int64_t rid)
{
    int64_t from = rid > source->floor ? rid : source->floor;
    if (source->firsts && (from & SEQUENCE_LIMIT) != 0) { /* the first of its home is behind */
        int64_t last = from | SEQUENCE_LIMIT;
        from = last == INT64_MAX ? last : last + 1;
    }
    return from >> source->shift;
}

/* Is what is at RID known without a question? */
static bool is_near(const struct source *source, int64_t rid)
{
    return source->started &&
           (source->current >= rid ||
            (source->shift > 0 && source->current >> source->shift == rid >> source->shift));
}

/* In what came with the last answer, on a server; in a file by a few steps. */
static enum status seek_near(struct source *source, int64_t rid, bool *ret_found)
{
    struct statement *statement = &source->statement;
    *ret_found = false;
    if (statement->postgres != NULL) {
        TRY(postgres_seek(source->connection->postgres, statement->postgres, key_from(source, rid),
                          ret_found));
        return *ret_found ? source_step(source, rid) : STATUS_OK;
    }
    for (int i = 0; source->started && i < STEPS_BEFORE_SEEK && !*ret_found; i++) {
        TRY(source_step(source, rid));
        *ret_found = source->current >= rid;
    }
    if (!*ret_found) {
        statement_reset(statement);
    }
    return STATUS_OK;
}

static enum status source_seek(struct source *source, int64_t rid)
{
    bool found = false;
    if (is_near(source, rid)) {
        source->current = source->current > rid ? source->current : rid;
        return STATUS_OK;
    }
    if (statement_is_none(&source->statement)) {
        source->started = true;
        return source_seek_list(source, rid);
    }
    if (source->homes == NULL) {
        TRY(seek_near(source, rid, &found));
    } else {
        for (int i = 0; source->started && i < STEPS_BEFORE_SEEK && !found; i++) {
            TRY(source_step(source, rid));
            found = source->current >= rid;
        }
    }
    if (found) {
        source->started = true;
        return STATUS_OK;
    }
    int64_t from = rid > source->floor ? rid : source->floor;
    if (source->homes != NULL) {
        statement_reset(&source->statement);
        if (!home_find(source, &from)) {
            source->started = true;
            source->current = STREAM_END;
            return STATUS_OK;
        }
    }
    statement_bind_number(&source->statement, source->from, key_from(source, from));
    source->started = true;
    return source_step(source, rid);
}

/* On a server: what a seek will ask is asked of all sources at once. */
static enum status foresee(struct stream *stream, int64_t rid, int rows)
{
    for (size_t i = 0; i < stream->count; i++) {
        struct source *source = &stream->sources[i];
        struct postgres_statement *statement = source->statement.postgres;
        int64_t key = key_from(source, rid);
        if (statement == NULL || source->homes != NULL || is_near(source, rid) ||
            postgres_covers(statement, key)) {
            continue;
        }
        bool found;
        TRY(postgres_seek(source->connection->postgres, statement, key, &found));
        if (!found) {
            statement_bind_number(&source->statement, source->from, key);
            TRY(postgres_foresee(source->connection->postgres, statement, rows));
        }
    }
    return STATUS_OK;
}

enum status stream_seek(struct stream *stream, int64_t rid)
{
    stream->current = STREAM_END;
    if (stream->count > 1) {
        TRY(foresee(stream, rid, 0));
    }
    for (size_t i = 0; i < stream->count; i++) {
        TRY(source_seek(&stream->sources[i], rid));
        if (stream->sources[i].current < stream->current) {
            stream->current = stream->sources[i].current;
        }
    }
    return STATUS_OK;
}

void stream_rewind(struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        struct source *source = &stream->sources[i];
        if (source->statement.sqlite != NULL || source->homes != NULL) {
            statement_reset(&source->statement);
        }
        source->list_at = 0;
        source->started = false;
        source->current = -1;
    }
}

void stream_aim(struct stream *stream, int64_t value)
{
    stream_rewind(stream);
    stream->sources[0].value = value;
    statement_reset(&stream->sources[0].statement);
    statement_bind_number(&stream->sources[0].statement, 2, value);
}

enum status stream_take(struct stream *to, struct arena *arena, struct stream *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct source *source = source_add(to, arena);
        if (source == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *source = from->sources[i];
        from->sources[i].statement = (struct statement){NULL, NULL};
        to->count++;
    }
    from->count = 0;
    return STATUS_OK;
}

enum status stream_gather(struct stream *stream, struct arena *arena, size_t limit)
{
    struct number_list list = {.arena = arena};
    stream_rewind(stream);
    TRY(stream_seek(stream, INT64_MIN));
    while (stream->current != STREAM_END && list.count < limit) {
        TRY(list_add(&list, stream->current));
        TRY(stream_seek(stream, stream->current + 1));
    }
    bool whole = stream->current == STREAM_END && list.count > 0;
    stream_rewind(stream);
    if (whole) {
        stream_close(stream);
        TRY(stream_add_list(stream, arena, list.items, list.count));
    }
    return STATUS_OK;
}

/* In a file: the engine counts rows in a third of the time that it takes to give them. */
static enum status count_tree(struct source *source, uint64_t *ret_count)
{
    struct statement *statement;
    bool row = false;
    bool token = source->number == SQL_TOKEN_RIDS;
    TRY(statement_get(source->connection, token ? SQL_TOKEN_COUNT : SQL_REFERENCE_COUNT,
                      &statement));
    statement_bind_number(statement, 1, source->parameter);
    statement_bind_number(statement, 2, source->value);
    statement_bind_number(statement, 3, source->current + 1);
    TRY(statement_row(source->connection, statement, &row));
    *ret_count = row ? (uint64_t)statement_number(statement, 0) : 0;
    statement_reset(statement);
    source->current = STREAM_END;
    return STATUS_OK;
}

enum status stream_rest(struct stream *stream, uint64_t *ret_count)
{
    struct source *source = &stream->sources[0];
    *ret_count = 0;
    if (statement_is_none(&source->statement)) {
        *ret_count = source->list_count - source->list_at - (source->current != STREAM_END);
        source->list_at = source->list_count;
        source->current = STREAM_END;
    }
    bool tree = source->number == SQL_TOKEN_RIDS || source->number == SQL_REFERENCE_RIDS;
    bool within = source->started && source->current != STREAM_END && source->homes == NULL;
    if (within && source->statement.postgres != NULL) {
        TRY(postgres_count(source->connection->postgres, source->statement.postgres, ret_count));
        source->current = STREAM_END;
    } else if (within && tree && source->statement.sqlite != NULL) {
        TRY(count_tree(source, ret_count));
    }
    while (source->current != STREAM_END) {
        TRY(source_step(source, 0));
        *ret_count += source->current != STREAM_END;
    }
    stream->current = STREAM_END;
    return STATUS_OK;
}

enum status stream_foresee(struct stream *stream, size_t rows)
{
    size_t each = stream->count > 0 ? rows / stream->count : 0;
    return foresee(stream, INT64_MIN, each > FEW_ROWS ? (int)each : FEW_ROWS);
}

enum status stream_probe(struct stream *stream, size_t limit, size_t *ret_count)
{
    size_t count = 0;
    TRY(stream_foresee(stream, limit));
    TRY(stream_seek(stream, INT64_MIN));
    while (stream->current != STREAM_END && count < limit) {
        if (++count < limit) { /* what comes behind is not asked for */
            TRY(stream_seek(stream, stream->current + 1));
        }
    }
    stream_rewind(stream);
    *ret_count = count;
    return STATUS_OK;
}

void stream_close(struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        struct source *source = &stream->sources[i];
        if (!statement_is_none(&source->statement)) {
            statement_give(source->connection, source->number, &source->statement);
        }
    }
    stream->count = 0;
}
