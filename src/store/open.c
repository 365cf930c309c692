/* SPDX-License-Identifier: MIT */
/* store: opening and closing, connections, and the thread that looks after the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "learn_int.h"
#include "postgres.h"

#define PAGE_SIZE         "8192"
#define CACHE_DEFAULT     ((int64_t)16 << 20)
#define MAP_BYTES         "2147418112" /* as much as SQLite maps at all */
#define BUSY_MILLISECONDS 60000
#define PROGRESS_STEPS    2000

/* Frames of the log (pages) after which it is moved into the file, and after which readers are
 * waited for so that it can start again from its beginning. */
#define LOG_FRAMES           1000
#define LOG_FRAMES_FAR       8000
#define RESTART_MILLISECONDS 200
#define RESTART_INTERVAL     (2 * MICROS_PER_SECOND)

static void configure_once(void)
{
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_initialize();
}

/* ---- connections -------------------------------------------------------------------------------
 */

static int past_deadline(void *context)
{
    const struct connection *connection = context;
    return connection->deadline != 0 && time_monotonic() > connection->deadline;
}

static enum status connection_pragmas(struct connection *connection, bool writing)
{
    struct store *store = connection->store;
    int64_t cache = store->cache_bytes / (writing ? 2 : 16);
    char sql[256];
    if (writing) {
        TRY(database_execute(connection, "PRAGMA page_size=" PAGE_SIZE));
        TRY(database_execute(connection, "PRAGMA journal_mode=WAL"));
        TRY(database_execute(connection, "PRAGMA synchronous=FULL"));
        TRY(database_execute(connection, "PRAGMA wal_autocheckpoint=0"));
        TRY(database_execute(connection, "PRAGMA journal_size_limit=67108864"));
    }
    snprintf(sql, sizeof(sql), "PRAGMA cache_size=-%lld; PRAGMA mmap_size=" MAP_BYTES,
             (long long)(cache / 1024 > 256 ? cache / 1024 : 256));
    TRY(database_execute(connection, sql));
    return database_execute(connection, "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF");
}

/* A writer killed while it made the file leaves a rollback journal, which who only reads may not
 * play back: a writer does, once. */
static void play_back_journal(struct store *store, sqlite3 *reader)
{
    static const char look[] = "SELECT 1 FROM sqlite_schema";
    sqlite3 *writer = NULL;
    if (sqlite3_exec(reader, look, NULL, NULL, NULL) != SQLITE_READONLY_ROLLBACK) {
        return;
    }
    if (sqlite3_open_v2(store->file, &writer, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE,
                        store->vfs) == SQLITE_OK) {
        (void)sqlite3_exec(writer, look, NULL, NULL, NULL); /* the reader tells what came of it */
    }
    (void)sqlite3_close(writer);
}

enum status database_open(struct store *store, bool writing, struct connection *connection)
{
    int flags = SQLITE_OPEN_NOMUTEX |
                (writing ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    connection->store = store;
    connection->arena = arena_create(0);
    connection->decompress = ZSTD_createDCtx();
    if (connection->arena == NULL || connection->decompress == NULL) {
        database_close(connection);
        return STATUS_MEMORY;
    }
    if (store->database != NULL) {
        enum status status =
            postgres_open(store, writing, connection->arena, &connection->postgres);
        if (status != STATUS_OK) {
            database_close(connection);
        }
        return status;
    }
    int code = sqlite3_open_v2(store->file, &connection->db, flags, store->vfs);
    enum status status = database_status(connection, code);
    if (status == STATUS_OK) {
        sqlite3_extended_result_codes(connection->db, 1);
        sqlite3_busy_timeout(connection->db, BUSY_MILLISECONDS);
        sqlite3_progress_handler(connection->db, PROGRESS_STEPS, past_deadline, connection);
        if (!writing && store->read_only) {
            play_back_journal(store, connection->db);
        }
        status = connection_pragmas(connection, writing);
    }
    if (status != STATUS_OK) {
        database_close(connection);
    }
    return status;
}

void database_close(struct connection *connection)
{
    statements_finalize(connection);
    sqlite3_close(connection->db);
    connection->db = NULL;
    postgres_close(connection->postgres);
    connection->postgres = NULL;
    ZSTD_freeDCtx(connection->decompress);
    connection->decompress = NULL;
    arena_destroy(connection->arena);
    connection->arena = NULL;
}

/* ---- readers -----------------------------------------------------------------------------------
 */

enum status store_reader_open(struct store *store, struct store_reader **ret_reader)
{
    struct connection connection = {0};
    TRY(database_open(store, false, &connection));
    struct store_reader *reader = ARENA_NEW(connection.arena, struct store_reader);
    if (reader == NULL) {
        database_close(&connection);
        return STATUS_MEMORY;
    }
    reader->connection = connection;
    reader->tx.connection = &reader->connection;
    if (store->database == NULL) {
        /* The handler was given the address on the stack. */
        sqlite3_progress_handler(reader->connection.db, PROGRESS_STEPS, past_deadline,
                                 &reader->connection);
    }
    *ret_reader = reader;
    return STATUS_OK;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader != NULL) {
        store_reader_rest(reader);
        /* The reader lives in the arena that closing destroys. */
        struct connection connection = reader->connection;
        database_close(&connection);
    }
}

enum status store_snapshot_begin(struct store_reader *reader, int64_t deadline,
                                 struct store_tx **ret_tx)
{
    store_reader_rest(reader);
    reader->connection.deadline = deadline;
    reader->connection.begun = time_monotonic();
    reader->connection.doomed = STATUS_OK;
    TRY(database_begin(&reader->connection, false));
    *ret_tx = &reader->tx;
    return STATUS_OK;
}

void store_snapshot_end(struct store_tx *tx)
{
    struct connection *connection = tx->connection;
    statements_reset(connection);
    connection->deadline = 0;
    if (database_commit(connection) != STATUS_OK) {
        database_rollback(connection);
    }
}

/* ---- moving the log into the file --------------------------------------------------------------
 */

static int log_grew(void *context, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    struct store *store = context;
    if (frames >= LOG_FRAMES) {
        pthread_mutex_lock(&store->lock_queue);
        store->checkpoint_wanted = true;
        pthread_cond_signal(&store->checkpoint_due);
        pthread_mutex_unlock(&store->lock_queue);
    }
    return SQLITE_OK;
}

/* Between two groups of the writer: one that never pauses (an import) would win the lock each time
 * and make the log grow without end. */
static void restart_log(struct connection *connection)
{
    struct store *store = connection->store;
    pthread_mutex_lock(&store->lock_queue);
    store->log_restarting = true;
    while (store->group_running) {
        pthread_cond_wait(&store->turn_ended, &store->lock_queue);
    }
    pthread_mutex_unlock(&store->lock_queue);
    sqlite3_busy_timeout(connection->db, RESTART_MILLISECONDS);
    sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    sqlite3_busy_timeout(connection->db, BUSY_MILLISECONDS);
    pthread_mutex_lock(&store->lock_queue);
    store->log_restarting = false;
    pthread_cond_broadcast(&store->turn_ended);
    pthread_mutex_unlock(&store->lock_queue);
}

static void checkpoint(struct connection *connection, int64_t *last_restart)
{
    int frames = 0, moved = 0;
    sqlite3_wal_checkpoint_v2(connection->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    int64_t now = time_monotonic();
    if (frames >= LOG_FRAMES_FAR && now - *last_restart > RESTART_INTERVAL) {
        /* Readers or writes came one after another and the log never had an end: wait a little for
         * those there are, while new ones read the file alone. Writers wait too, so it must be
         * brief; a snapshot that lasts longer (an export) makes the log grow until it ends. */
        restart_log(connection);
        *last_restart = time_monotonic();
    }
}

void *store_checkpoint_main(void *context)
{
    struct store *store = context;
    struct connection connection = {0};
    int64_t last_restart = 0;
    if (database_open(store, true, &connection) != STATUS_OK) {
        log_event(LOG_STORE_FAILED, LOG_TEXT(LOG_FIELD_STAGE, "checkpoint"));
        return NULL;
    }
    for (;;) {
        pthread_mutex_lock(&store->lock_queue);
        while (!store->checkpoint_wanted && !store->checkpoint_stopping) {
            pthread_cond_wait(&store->checkpoint_due, &store->lock_queue);
        }
        bool stop = store->checkpoint_stopping;
        store->checkpoint_wanted = false;
        int64_t resources = store->shown.resources;
        pthread_mutex_unlock(&store->lock_queue);
        if (stop) {
            break;
        }
        checkpoint(&connection, &last_restart);
        enum status status = dictionary_consider(&connection, resources);
        if (status != STATUS_OK && status != STATUS_NOT_SUPPORTED) {
            log_event(LOG_STORE_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
        }
    }
    database_close(&connection);
    return NULL;
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static enum status lock_folder(struct store *store, struct outcome *outcome)
{
    const char *path = arena_print(store->arena, "%s/records.lock", store->folder);
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock < 0) {
        return outcome_fail(outcome, disk_status(errno), "",
                            "The data folder cannot be written. Check its owner and rights.");
    }
    if (flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
        return outcome_fail(outcome, STATUS_CONFLICT, "",
                            "Another carelayer process has this data folder open for writing. Stop "
                            "it first, or use another folder.");
    }
    return STATUS_OK;
}

enum status writer_memory(struct store *store, struct writer *writer)
{
    writer->tx = ARENA_NEW(store->arena, struct store_tx);
    writer->intern.arena = arena_create(0);
    writer->scratch = arena_create(0);
    writer->entries = arena_array(store->arena, ENTRY_CACHE, sizeof(*writer->entries));
    writer->sequences = arena_array(store->arena, SEQUENCE_CACHE, sizeof(*writer->sequences));
    writer->words = arena_array(store->arena, WORD_CACHE, sizeof(*writer->words));
    writer->new_words = arena_array(store->arena, NEW_WORDS, sizeof(*writer->new_words));
    if (writer->tx == NULL || writer->intern.arena == NULL || writer->scratch == NULL ||
        writer->entries == NULL || writer->sequences == NULL || writer->words == NULL ||
        writer->new_words == NULL) {
        return STATUS_MEMORY;
    }
    *writer->tx = (struct store_tx){.connection = &writer->connection, .writer = writer};
    return STATUS_OK;
}

void writer_close(struct writer *writer)
{
    postgres_expected_close(&writer->connection);
    database_close(&writer->connection);
    arena_destroy(writer->intern.arena);
    arena_destroy(writer->scratch);
}

static enum status writer_create(struct store *store, struct outcome *outcome)
{
    struct writer *writer = ARENA_NEW(store->arena, struct writer);
    if (writer == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = database_open(store, true, &writer->connection);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "",
                            "The records file cannot be opened (%s). Check the disk, or restore a "
                            "backup.",
                            status_name(status));
    }
    store->writer = writer;
    TRY(writer_memory(store, writer));
    writer->connection.begun = INT64_MAX; /* it sees all that is committed */
    sqlite3_wal_hook(writer->connection.db, log_grew, store);
    return STATUS_OK;
}

static enum status load_all(struct store *store, struct connection *connection, bool writing,
                            struct outcome *outcome)
{
    int from = 0, to = 0;
    TRY(schema_apply(connection, outcome, &from, &to));
    if (outcome != NULL && from != to && from != 0) {
        outcome_note(outcome, "", "The records were migrated from layout %d to %d.", from, to);
    }
    TRY(parameters_load(store, connection, writing));
    TRY(dictionaries_load(connection));
    return counters_load(connection, &store->shown);
}

/* After a crash the log may hold commits that were written but not yet synced, and so never
 * acknowledged. From now on they are read; another power cut must not take them back, so a commit
 * of our own syncs them. On a full disk there is no room for one, and the log is synced as it is.
 */
static enum status make_recovered_durable(struct connection *connection)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d", SCHEMA_APPLICATION);
    enum status status = database_execute(connection, sql); /* the same as before: written anyway */
    sqlite3_file *log = NULL;
    if (status != STATUS_NO_SPACE ||
        sqlite3_file_control(connection->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) !=
            SQLITE_OK ||
        log == NULL || log->pMethods == NULL) {
        return status;
    }
    connection->doomed = STATUS_OK;
    return database_status(connection, log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
}

static bool was_cut_short(struct store *store)
{
    struct stat about;
    const char *log = arena_print(store->arena, "%s-wal", store->file);
    return stat(log, &about) == 0 && about.st_size > 0;
}

static enum status threads_start(struct store *store)
{
    if (pthread_create(&store->writer_thread, NULL, store_writer_main, store) != 0) {
        return STATUS_MEMORY;
    }
    store->writer_running = true;
    if (pthread_create(&store->checkpoint_thread, NULL, store_checkpoint_main, store) != 0) {
        return STATUS_MEMORY;
    }
    store->checkpoint_running = true;
    return STATUS_OK;
}

static enum status folder_take(struct store *store, struct outcome *outcome)
{
    enum status made = disk_make_directory(store->folder);
    if (made != STATUS_OK) {
        return outcome_fail(outcome, made, "",
                            "The data folder is not there and cannot be made. Check its path, its "
                            "owner and rights, and that no file has its name.");
    }
    return lock_folder(store, outcome);
}

static enum status open_inside(struct store *store, const struct store_options *options,
                               struct outcome *outcome)
{
    if (store->database != NULL) {
        if (!store->read_only) {
            TRY(folder_take(store, outcome));
        }
        TRY(postgres_store_open(store, options, outcome));
        if (store->read_only) {
            return STATUS_OK;
        }
        TRY(learner_start(store));
        return layout_catch_up(store, options, outcome);
    }
    if (options->must_exist && access(store->file, F_OK) != 0) {
        if (errno == EACCES) {
            return outcome_fail(outcome, STATUS_IO, "",
                                "The data folder may not be read. Check its owner and rights.");
        }
        return outcome_fail(outcome, STATUS_NOT_FOUND, "",
                            "There are no records in this data folder. Check its path.");
    }
    if (store->read_only) {
        struct connection connection = {0};
        enum status status = database_open(store, false, &connection);
        if (status == STATUS_OK) {
            status = load_all(store, &connection, false, outcome);
        }
        if (status == STATUS_OK) {
            status = learner_read_only(store, &connection);
        }
        database_close(&connection);
        bool told = status == STATUS_OK || (outcome != NULL && outcome->errors > 0);
        return told ? status
                    : outcome_fail(outcome, status, "",
                                   "The records file cannot be read (%s). Check its owner and "
                                   "rights, and the disk; where nobody has it open, reading takes "
                                   "the right to write in its folder too.",
                                   status_name(status));
    }
    TRY(folder_take(store, outcome));
    bool recovers = was_cut_short(store);
    TRY(writer_create(store, outcome));
    TRY(load_all(store, &store->writer->connection, true, outcome));
    if (recovers) {
        TRY(make_recovered_durable(&store->writer->connection));
    }
    store->writer->counters = store->writer->written = store->shown;
    TRY(threads_start(store));
    TRY(learner_start(store));
    return layout_catch_up(store, options, outcome);
}

enum status store_open(const struct store_options *options, struct outcome *outcome,
                       struct store **ret_store)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_once);
    struct arena *arena = arena_create(0);
    struct store *store = arena != NULL ? ARENA_NEW(arena, struct store) : NULL;
    if (store == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    store->arena = arena;
    store->definitions = options->definitions;
    store->folder = arena_copy(arena, slice_text(options->folder)).at;
    store->file = arena_print(arena, "%s/records.db", options->folder);
    store->vfs = options->vfs;
    store->log = 0;
    store->database =
        options->database != NULL ? arena_copy(arena, slice_text(options->database)).at : NULL;
    store->cache_bytes = options->cache_bytes > 0 ? options->cache_bytes : CACHE_DEFAULT;
    store->read_only = options->read_only;
    store->lock = -1;
    store->patient_type = resource_type_find(store->definitions, SLICE("Patient"));
    store->parameter_type = resource_type_find(store->definitions, SLICE("SearchParameter"));
    pthread_mutex_init(&store->lock_queue, NULL);
    pthread_mutex_init(&store->compressors_lock, NULL);
    pthread_cond_init(&store->queue_filled, NULL);
    pthread_cond_init(&store->checkpoint_due, NULL);
    pthread_cond_init(&store->turn_ended, NULL);
    enum status status = open_inside(store, options, outcome);
    if (status != STATUS_OK && outcome != NULL && outcome->errors == 0) {
        status =
            outcome_fail(outcome, status, "",
                         "The records cannot be opened (%s). Check the disk and its space, and "
                         "the owner and rights of the data folder.",
                         status_name(status));
    }
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    log_event(LOG_STORE_OPENED, LOG_NUMBER(LOG_FIELD_COUNT, store->shown.resources));
    *ret_store = store;
    return STATUS_OK;
}

static void threads_stop(struct store *store)
{
    /* These threads submit jobs themselves, so they go first. */
    learner_stop(store);
    pthread_mutex_lock(&store->lock_queue);
    store->checkpoint_stopping = true;
    pthread_cond_broadcast(&store->checkpoint_due);
    pthread_mutex_unlock(&store->lock_queue);
    if (store->checkpoint_running) {
        pthread_join(store->checkpoint_thread, NULL);
    }
    pthread_mutex_lock(&store->lock_queue);
    store->stopping = true;
    pthread_cond_broadcast(&store->queue_filled);
    pthread_mutex_unlock(&store->lock_queue);
    if (store->writer_running) {
        pthread_join(store->writer_thread, NULL);
    }
    for (size_t i = 0; i < store->writer_count; i++) {
        if (store->writers[i].running) {
            pthread_join(store->writers[i].thread, NULL);
        }
    }
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    threads_stop(store);
    if (store->database != NULL) {
        postgres_store_close(store);
    } else if (store->writer != NULL) {
        sqlite3_wal_checkpoint_v2(store->writer->connection.db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                  NULL, NULL);
        writer_close(store->writer);
    }
    dictionaries_close(store);
    if (store->lock >= 0) {
        close(store->lock);
    }
    learner_close(store);
    pthread_cond_destroy(&store->queue_filled);
    pthread_cond_destroy(&store->checkpoint_due);
    pthread_cond_destroy(&store->turn_ended);
    pthread_mutex_destroy(&store->compressors_lock);
    pthread_mutex_destroy(&store->lock_queue);
    arena_destroy(store->arena);
}
