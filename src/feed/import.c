/* SPDX-License-Identifier: MIT */
/* Import: the caller's thread reads and cuts, workers decode, validate and index, the store's
 * writer inserts. A bounded number of units is under way at once. */
#include <errno.h>
#include <unistd.h>

#include "feed/feed_int.h"

#define UNITS_AT_ONCE 16
#define BYTES_AT_ONCE ((size_t)48 << 20)

/* A unit's arena: the text, what it is parsed to, and drafts. */
#define UNIT_ARENA(length) (((size_t)64 << 20) + 64 * (length))

void unit_await_turn(struct import *import, uint64_t number)
{
    (void)pthread_mutex_lock(&import->lock);
    while (import->submitted < number) {
        (void)pthread_cond_wait(&import->changed, &import->lock);
    }
    (void)pthread_mutex_unlock(&import->lock);
}

static void run_unit(void *context, struct store_reader *reader)
{
    struct unit *unit = context;
    struct import *import = unit->import;
    uint64_t number = unit->number;
    unit->request->on_worker = true;
    unit->reader = reader;
    request_start(unit->request); /* the unit may be gone when this returns */
    unit_await_turn(import, number);
    (void)pthread_mutex_lock(&import->lock);
    import->submitted = number + 1;
    import->running--;
    (void)pthread_cond_broadcast(&import->changed);
    (void)pthread_mutex_unlock(&import->lock);
}

static void wait_for_room(struct import *import, size_t units, size_t bytes)
{
    (void)pthread_mutex_lock(&import->lock);
    while (import->in_flight > units || (units == 0 && import->running > 0) ||
           (import->in_flight > 0 && import->bytes_in_flight > bytes)) {
        struct timespec soon;
        (void)clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 100000000L;
        if (soon.tv_nsec >= 1000000000L) {
            soon.tv_nsec -= 1000000000L;
            soon.tv_sec++;
        }
        (void)pthread_cond_timedwait(&import->changed, &import->lock, &soon);
        struct feed_result now = import->result;
        if (import->options->progress != NULL) {
            (void)pthread_mutex_unlock(&import->lock);
            import->options->progress(import->options->context, now.stored,
                                      now.bytes + import->bytes_before);
            (void)pthread_mutex_lock(&import->lock);
        }
    }
    (void)pthread_mutex_unlock(&import->lock);
}

static enum status start_unit(struct import *import, const struct source *source,
                              struct ledger *ledger, uint64_t file_number, struct slice text,
                              uint64_t line)
{
    struct request *request =
        request_create(&import->service, &feed_door, NULL, UNIT_ARENA(text.length));
    struct unit *unit = request != NULL ? ARENA_NEW(request->arena, struct unit) : NULL;
    struct slice body = unit != NULL ? arena_copy(request->arena, text) : (struct slice){0};
    if (body.at == NULL) {
        request_destroy(request);
        return STATUS_MEMORY;
    }
    *unit = (struct unit){.import = import,
                          .request = request,
                          .file = source->name,
                          .ledger = ledger,
                          .number = import->next++,
                          .file_number = file_number,
                          .line = line,
                          .lines = source->lines,
                          .length = text.length,
                          .rejects = {.arena = request->arena},
                          .work = {.run = run_unit, .context = unit}};
    request->door_context = unit;
    request->method = METHOD_POST;
    request->body = body;
    request->deadline = 0; /* long units are no fault of the caller */
    const struct feed_options *options = import->options;
    request->id_text = options->request.length > 0 ? options->request : SLICE("import");
    request->base_url =
        options->base_url.length > 0 ? options->base_url : config_base_url(import->service.config);
    (void)pthread_mutex_lock(&import->lock);
    import->in_flight++;
    import->running++;
    import->bytes_in_flight += text.length;
    (void)pthread_mutex_unlock(&import->lock);
    workers_submit(import->service.workers, &unit->work);
    return STATUS_OK;
}

static enum status current_status(struct import *import)
{
    (void)pthread_mutex_lock(&import->lock);
    enum status status = import->status;
    (void)pthread_mutex_unlock(&import->lock);
    return status;
}

static enum status read_units(struct import *import, struct source *source, struct ledger *ledger,
                              struct outcome *outcome)
{
    const struct feed_options *options = import->options;
    size_t units = options->units > 0 ? options->units : UNITS_AT_ONCE;
    for (uint64_t number = 0;; number++) {
        struct slice text;
        uint64_t line;
        if (options->stops != NULL && options->stops(options->context)) {
            return STATUS_BUSY;
        }
        TRY(source_next(source, outcome, &text, &line));
        if (text.length == 0) {
            ledger->units = number;
            return STATUS_OK;
        }
        if (ledger_has(ledger, number)) {
            import->result.resumed++;
            import->bytes_before += text.length;
            continue;
        }
        wait_for_room(import, units - 1, BYTES_AT_ONCE);
        TRY(current_status(import));
        TRY(start_unit(import, source, ledger, number, text, line));
    }
}

struct ledgers {
    struct arena *arena;
    struct ledger *items;
    size_t count;
};

static enum status close_ledgers(struct store_tx *tx, void *context)
{
    struct ledgers *ledgers = context;
    for (size_t i = 0; i < ledgers->count; i++) {
        TRY(ledger_close(tx, ledgers->arena, &ledgers->items[i]));
    }
    return STATUS_OK;
}

static enum status import_file(struct import *import, const char *path, struct arena *arena,
                               struct ledger *ledger, struct outcome *outcome)
{
    struct source source;
    ledger_name(path, import->options->ledger, ledger);
    TRY(ledger_read(import->service.store, arena, ledger));
    if (ledger->whole && !import->options->again) {
        import->result.files_done_before++;
        return STATUS_OK;
    }
    if (ledger->whole) {
        ledger->whole = false;
        ledger->low = 0;
        ledger->ahead_count = 0;
    }
    TRY(source_open(path, import->options->ndjson, outcome, &source));
    source.name = arena_print(arena, "%s", source.name);
    enum status status = read_units(import, &source, ledger, outcome);
    source_close(&source);
    return status;
}

static enum status import_files(struct import *import, const char *const *files, size_t count,
                                struct outcome *outcome)
{
    /* Units of the last files are still under way while the next are read. */
    struct arena *arena = arena_create(0);
    struct ledgers ledgers = {
        .arena = arena,
        .items = arena != NULL ? arena_array(arena, count, sizeof(struct ledger)) : NULL};
    enum status status = ledgers.items != NULL ? STATUS_OK : STATUS_MEMORY;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = import_file(import, files[i], arena, &ledgers.items[i], outcome);
        ledgers.count = i + 1;
    }
    wait_for_room(import, 0, 0);
    if (status == STATUS_OK) {
        status = current_status(import);
    }
    if (status == STATUS_OK) {
        status = store_write(import->service.store, close_ledgers, &ledgers);
    }
    if (import->options->ledger != NULL && ledgers.count == 1 &&
        ledger_read(import->service.store, arena, &ledgers.items[0]) == STATUS_OK) {
        import->result.stored_in_all = ledgers.items[0].stored;
    }
    arena_destroy(arena);
    return status;
}

enum status feed_import(const struct feed_options *options, const char *const *files, size_t count,
                        struct outcome *outcome, struct feed_result *ret_result)
{
    struct import import = {.options = options, .service = *options->service};
    import.service.interactions = feed_interactions;
    import.service.metrics = NULL;
    (void)pthread_mutex_init(&import.lock, NULL);
    (void)pthread_cond_init(&import.changed, NULL);
    enum status status = import_files(&import, files, count, outcome);
    *ret_result = import.result;
    if (status != STATUS_OK && outcome->errors == 0) {
        (void)outcome_fail(outcome, status, "",
                           status == STATUS_NO_SPACE
                               ? "The disk is full. What was reported as stored is safe; make "
                                 "room and start the same import again."
                               : "The import stopped. What was reported as stored is safe; start "
                                 "the same import again to go on.");
    }
    (void)pthread_cond_destroy(&import.changed);
    (void)pthread_mutex_destroy(&import.lock);
    return status;
}
