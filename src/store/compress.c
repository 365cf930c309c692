/* SPDX-License-Identifier: MIT */
/* store: bodies compressed by zstd with dictionaries trained from what is stored. A row names its
 * dictionary, so older rows stay readable after a new one is trained. */
#include <zdict.h>

#include "store_int.h"

/* Negative levels leave literals unpacked: reading is twice as quick as at level 3 and writing half
 * as long, for some 60 bytes more a resource. */
#define LEVEL           (-1)
#define BODY_LIMIT      ((unsigned long long)1 << 31)
#define DICTIONARY_SIZE ((size_t)112 << 10)
#define SAMPLES         4000
#define SAMPLE_BYTES    ((size_t)3 << 19) /* more takes seconds and gains little */
#define SAMPLE_LONGEST  4096

/* Resources stored at which the next dictionary is trained. */
static const int64_t training_points[] = {2000, 50000};
#define TRAINING_POINTS ((int64_t)(sizeof(training_points) / sizeof(training_points[0])))

static ZSTD_CCtx *compressor_take(struct store *store)
{
    ZSTD_CCtx *context = NULL;
    pthread_mutex_lock(&store->compressors_lock);
    if (store->compressor_count > 0) {
        context = store->compressors[--store->compressor_count];
    }
    pthread_mutex_unlock(&store->compressors_lock);
    if (context == NULL) {
        context = ZSTD_createCCtx();
    }
    return context;
}

static void compressor_give(struct store *store, ZSTD_CCtx *context)
{
    const size_t room = sizeof(store->compressors) / sizeof(store->compressors[0]);
    pthread_mutex_lock(&store->compressors_lock);
    if (store->compressor_count < room) {
        store->compressors[store->compressor_count++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&store->compressors_lock);
    ZSTD_freeCCtx(context);
}

static size_t compress_into(ZSTD_CCtx *context, const struct dictionary *dictionary,
                            struct slice body, char *at, size_t room)
{
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(context, ZSTD_c_dictIDFlag, 0);
    if (dictionary != NULL) {
        ZSTD_CCtx_refCDict(context, dictionary->compress);
    }
    return ZSTD_compress2(context, at, room, body.at, body.length);
}

enum status body_compress(struct store *store, struct slice body, struct arena *arena,
                          struct slice *ret_stored, int64_t *ret_dictionary)
{
    *ret_stored = body;
    *ret_dictionary = STORED_PLAIN;
    ZSTD_CCtx *context = compressor_take(store);
    char *at = arena_alloc(arena, ZSTD_compressBound(body.length));
    if (context == NULL || at == NULL) {
        ZSTD_freeCCtx(context);
        return context == NULL ? STATUS_MEMORY : STATUS_TOO_COSTLY;
    }
    const struct dictionary *dictionary = store->dictionaries;
    size_t length = compress_into(context, dictionary, body, at, ZSTD_compressBound(body.length));
    compressor_give(store, context);
    if (ZSTD_isError(length)) {
        return STATUS_INTERNAL;
    }
    if (length + length / 16 < body.length) {
        *ret_stored = slice_of(at, length);
        *ret_dictionary = dictionary != NULL ? dictionary->number : 0;
    }
    return STATUS_OK;
}

static const struct dictionary *dictionary_find(struct store *store, int64_t number)
{
    struct dictionary *dictionary = store->dictionaries;
    while (dictionary != NULL && dictionary->number != number) {
        dictionary = dictionary->next;
    }
    return dictionary;
}

enum status body_decompress(struct connection *connection, struct slice stored, int64_t number,
                            struct arena *arena, struct slice *ret_body)
{
    if (number == STORED_PLAIN) {
        *ret_body = arena_copy(arena, stored);
        return ret_body->at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
    }
    const struct dictionary *dictionary = NULL;
    if (number != 0) {
        dictionary = dictionary_find(connection->store, number);
        if (dictionary == NULL) {
            /* Another process trained it. */
            TRY(dictionaries_load(connection));
            dictionary = dictionary_find(connection->store, number);
        }
        if (dictionary == NULL) {
            return STATUS_CORRUPT;
        }
    }
    unsigned long long length = ZSTD_getFrameContentSize(stored.at, stored.length);
    if (length == ZSTD_CONTENTSIZE_ERROR || length > BODY_LIMIT) {
        return STATUS_CORRUPT;
    }
    char *at = arena_alloc(arena, (size_t)length);
    if (at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    size_t done = dictionary != NULL
                      ? ZSTD_decompress_usingDDict(connection->decompress, at, (size_t)length,
                                                   stored.at, stored.length, dictionary->decompress)
                      : ZSTD_decompressDCtx(connection->decompress, at, (size_t)length, stored.at,
                                            stored.length);
    if (ZSTD_isError(done) || done != length) {
        return STATUS_CORRUPT;
    }
    *ret_body = slice_of(at, done);
    return STATUS_OK;
}

/* ---- the list of dictionaries ------------------------------------------------------------------
 */

/* Under compressors_lock. The list only grows, so readers walk it without the lock. */
static enum status dictionary_install(struct store *store, int64_t number, struct slice bytes)
{
    if (dictionary_find(store, number) != NULL) {
        return STATUS_OK;
    }
    if (dictionary_find(store, number) != NULL) {
        return STATUS_OK;
    }
    struct dictionary *dictionary = ARENA_NEW(store->arena, struct dictionary);
    if (dictionary == NULL) {
        return STATUS_MEMORY;
    }
    dictionary->number = number;
    dictionary->compress = ZSTD_createCDict(bytes.at, bytes.length, LEVEL);
    dictionary->decompress = ZSTD_createDDict(bytes.at, bytes.length);
    if (dictionary->compress == NULL || dictionary->decompress == NULL) {
        ZSTD_freeCDict(dictionary->compress);
        ZSTD_freeDDict(dictionary->decompress);
        return STATUS_MEMORY;
    }
    dictionary->next = store->dictionaries;
    store->dictionaries = dictionary;
    return STATUS_OK;
}

enum status dictionaries_load(struct connection *connection)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_DICTIONARY_GET, &statement));
    struct store *store = connection->store;
    pthread_mutex_lock(&store->compressors_lock);
    bool row = false;
    enum status status = statement_row(connection, statement, &row);
    while (status == STATUS_OK && row) {
        status =
            dictionary_install(store, statement_number(statement, 0), statement_blob(statement, 1));
        if (status == STATUS_OK) {
            status = statement_row(connection, statement, &row);
        }
    }
    pthread_mutex_unlock(&store->compressors_lock);
    statement_reset(statement);
    return status;
}

void dictionaries_close(struct store *store)
{
    for (struct dictionary *dictionary = store->dictionaries; dictionary != NULL;
         dictionary = dictionary->next) {
        ZSTD_freeCDict(dictionary->compress);
        ZSTD_freeDDict(dictionary->decompress);
    }
    while (store->compressor_count > 0) {
        ZSTD_freeCCtx(store->compressors[--store->compressor_count]);
    }
}

/* ---- training ---------------------------------------------------------------------------------
 */

struct samples {
    struct arena *arena;
    struct buffer bytes;
    size_t *lengths;
    unsigned count;
};

/* Every N-th resource, so that all types and patients have their share. */
static enum status samples_take(struct connection *connection, int64_t resources,
                                struct samples *samples)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_BODIES, &statement));
    int64_t every = resources / (SAMPLES / 4) + 1;
    int64_t at = 0;
    struct arena *scratch = arena_create(0);
    enum status status = scratch != NULL ? STATUS_OK : STATUS_MEMORY;
    while (status == STATUS_OK && samples->count < SAMPLES &&
           samples->bytes.length < SAMPLE_BYTES) {
        status = statement_row(connection, statement, &row);
        if (status != STATUS_OK || !row) {
            break;
        }
        if (at++ % every != 0) {
            continue;
        }
        struct slice body;
        status = body_decompress(connection, statement_blob(statement, 1),
                                 statement_number(statement, 0), scratch, &body);
        if (status == STATUS_OK) {
            body = slice_head(body, SAMPLE_LONGEST);
            buffer_add(&samples->bytes, body);
            samples->lengths[samples->count++] = body.length;
        }
        arena_reset(scratch, 0);
    }
    statement_reset(statement);
    arena_destroy(scratch);
    return status;
}

struct training {
    int64_t number;
    struct slice bytes;
};

static enum status training_store(struct store_tx *tx, void *context)
{
    const struct training *training = context;
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_DICTIONARY_ADD, &statement));
    statement_bind_number(statement, 1, training->number);
    statement_bind_blob(statement, 2, training->bytes);
    return statement_run(tx->connection, statement);
}

static enum status train(struct connection *connection, int64_t resources, struct arena *arena,
                         struct training *training)
{
    struct samples samples = {.arena = arena, .bytes = {.arena = arena}};
    samples.lengths = arena_array(arena, SAMPLES, sizeof(size_t));
    char *bytes = arena_alloc(arena, DICTIONARY_SIZE);
    if (samples.lengths == NULL || bytes == NULL) {
        return STATUS_MEMORY;
    }
    TRY(samples_take(connection, resources, &samples));
    if (!buffer_ok(&samples.bytes)) {
        return STATUS_MEMORY;
    }
    size_t length = ZDICT_trainFromBuffer(bytes, DICTIONARY_SIZE, samples.bytes.at, samples.lengths,
                                          samples.count);
    if (ZDICT_isError(length)) {
        return STATUS_NOT_SUPPORTED; /* too uniform or too few: go on without */
    }
    training->bytes = slice_of(bytes, length);
    return STATUS_OK;
}

enum status dictionary_consider(struct connection *connection, int64_t resources)
{
    struct store *store = connection->store;
    int64_t have = store->dictionaries != NULL ? store->dictionaries->number : 0;
    if (have >= TRAINING_POINTS || resources < training_points[have]) {
        return STATUS_OK;
    }
    if (connection->db == NULL) { /* another process may have been quicker */
        TRY(dictionaries_load(connection));
        have = store->dictionaries != NULL ? store->dictionaries->number : 0;
        if (have >= TRAINING_POINTS || resources < training_points[have]) {
            return STATUS_OK;
        }
    }
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    struct training training = {.number = have + 1};
    /* A store that grew past several points at once trains on all it has, once. */
    while (training.number < TRAINING_POINTS && resources >= training_points[training.number]) {
        training.number++;
    }
    enum status status = train(connection, resources, arena, &training);
    if (status == STATUS_OK) {
        status = store_write(store, training_store, &training);
    }
    if (status == STATUS_OK && connection->db == NULL) {
        status = dictionaries_load(connection); /* ours, or that of who was quicker */
    } else if (status == STATUS_OK) {
        pthread_mutex_lock(&store->compressors_lock);
        status = dictionary_install(store, training.number, training.bytes);
        pthread_mutex_unlock(&store->compressors_lock);
        log_event(LOG_STORE_DICTIONARY, LOG_NUMBER(LOG_FIELD_BYTES, training.bytes.length));
    }
    arena_destroy(arena);
    return status;
}
