/* SPDX-License-Identifier: MIT */
/* store: search parameters as data. A thread takes in what SearchParameters say once they are
 * committed, and indexes what is stored by the parameters that are new, a few resources a job. */
#include <time.h>

#include "learn_int.h"
#include "store_int.h"

#define DUE_NOTE        SLICE("store.indexing")
#define RESOURCES_A_JOB 64
#define RETRY_AFTER     1 /* seconds, when the disk is full */

/* A type to be gone through, in the order of places. */
struct due {
    int64_t place; /* the last one done */
    int64_t type;
};

struct learner {
    struct store *store;
    pthread_t thread;
    bool running, stopping;
    pthread_mutex_t lock; /* of stopping, asked and answered */
    pthread_cond_t changed;
    _Atomic uint64_t asked, answered; /* how often there was news, and up to which it is known */
    _Atomic uint64_t turn;
    bool *pending;   /* by type: its parameters have changed, and the database does not know */
    struct due *due; /* room for every type */
    _Atomic size_t due_count;
    _Atomic uint64_t done, all;
};

/* ---- what is stored ---------------------------------------------------------------------------
 */

struct reading {
    struct arena *arena;
    yyjson_val **roots;
    size_t count, capacity;
};

static enum status keep(void *context, const struct store_version *version)
{
    struct reading *reading = context;
    struct json json;
    struct slice body = arena_copy(reading->arena, version->body);
    if (reading->count == reading->capacity) {
        size_t to = 2 * reading->capacity + 16;
        yyjson_val **roots =
            arena_resize(reading->arena, reading->roots, reading->capacity * sizeof(yyjson_val *),
                         to * sizeof(yyjson_val *));
        if (roots == NULL) {
            return STATUS_MEMORY;
        }
        reading->roots = roots;
        reading->capacity = to;
    }
    TRY(json_read(body, &json_limits_default, reading->arena, NULL, &json));
    reading->roots[reading->count++] = json.root;
    return STATUS_OK;
}

static void type_changed(void *context, resource_type type)
{
    struct learner *learner = context;
    learner->pending[type] = true;
}

static enum status publish(struct learner *learner, struct store_tx *tx)
{
    struct store *store = learner->store;
    struct reading reading = {.arena = arena_create(0)};
    if (reading.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_scan(tx, store->parameter_type, keep, &reading);
    if (status == STATUS_OK) {
        status = search_parameters_add(store->definitions, reading.roots, reading.count,
                                       type_changed, learner);
    }
    arena_destroy(reading.arena);
    return status;
}

/* ---- what the database is told ----------------------------------------------------------------
 */

/* A parameter that the store does not know yet. */
struct lesson {
    resource_type type;
    const struct search_parameter *parameter;
    struct parameter *known;
    const struct fhirpath *expression;
    struct parameter_state state;
};

/* A parameter that is no more, and ready still. */
struct forgotten {
    uint32_t number;
    resource_type type;
};

struct lessons {
    struct learner *learner;
    struct arena *arena;
    struct lesson *items;
    size_t count;
    struct forgotten *forgotten;
    size_t forgotten_count, forgotten_room;
    struct due *due;
    size_t due_count;
    bool changed; /* anything to be written */
    int64_t taught;
};

static void due_add(struct lessons *lessons, resource_type type, bool anew)
{
    size_t i = 0;
    while (i < lessons->due_count && lessons->due[i].type != type) {
        i++;
    }
    if (i == lessons->due_count) {
        lessons->due[lessons->due_count++] = (struct due){INT64_MIN, type};
        lessons->changed = true;
    } else if (anew) {
        lessons->due[i].place = INT64_MIN;
        lessons->changed = true;
    }
}

/* Those of TYPE that have no number in this store. One whose expression does not compile has none
 * for good, and a search by it is refused. */
static enum status find_lessons(struct lessons *lessons, resource_type type)
{
    struct store *store = lessons->learner->store;
    size_t count = 0;
    const struct search_parameter *all = search_parameters(store->definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        const struct fhirpath *expression = NULL;
        if (!parameter_is_indexed(&all[i]) || all[i].number == 0 ||
            all[i].number >= store->parameter_counts[type]) {
            continue;
        }
        struct parameter *known = &store->parameters[type][all[i].number];
        if (known->number != 0 || all[i].simple) {
            continue;
        }
        if (parameter_compile(store->definitions, type, &all[i], store->arena, &expression) !=
            STATUS_OK) {
            continue;
        }
        struct lesson *items =
            arena_resize(lessons->arena, lessons->items, lessons->count * sizeof *items,
                         (lessons->count + 1) * sizeof *items);
        if (items == NULL) {
            return STATUS_MEMORY;
        }
        lessons->items = items;
        items[lessons->count++] = (struct lesson){type, &all[i], known, expression, {0, false}};
        lessons->changed = true;
    }
    return STATUS_OK;
}

static enum status forget(struct lessons *lessons, uint32_t number, resource_type type)
{
    if (lessons->forgotten_count == lessons->forgotten_room) {
        size_t to = 2 * lessons->forgotten_room + 16;
        struct forgotten *items =
            arena_resize(lessons->arena, lessons->forgotten,
                         lessons->forgotten_room * sizeof *items, to * sizeof *items);
        if (items == NULL) {
            return STATUS_MEMORY;
        }
        lessons->forgotten = items;
        lessons->forgotten_room = to;
    }
    lessons->forgotten[lessons->forgotten_count++] = (struct forgotten){number, type};
    lessons->changed = true;
    return STATUS_OK;
}

/* A parameter that came back later would otherwise pass for ready, without the values of what was
 * written meanwhile. */
static enum status find_forgotten(struct lessons *lessons, struct connection *connection)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_PARAMETERS, &statement));
    TRY(statement_row(connection, statement, &row));
    while (row) {
        resource_type type = (resource_type)statement_number(statement, 1);
        const struct search_parameter *parameter =
            parameter_of_code(connection->store, type, statement_blob(statement, 2));
        bool gone = (parameter == NULL || !parameter_is_indexed(parameter)) &&
                    !pair_is_named(statement_blob(statement, 2));
        if (gone && (int)statement_number(statement, 4) != 0) {
            TRY(forget(lessons, (uint32_t)statement_number(statement, 0), type));
        }
        TRY(statement_row(connection, statement, &row));
    }
    return STATUS_OK;
}

static enum status last_number(struct connection *connection, uint32_t *ret_last)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_PARAMETER_LAST, &statement));
    TRY(statement_row(connection, statement, &row));
    *ret_last = row ? (uint32_t)statement_number(statement, 0) : 0;
    statement_reset(statement);
    return STATUS_OK;
}

static enum status due_save(struct store_tx *tx, const struct due *due, size_t count)
{
    return store_note_set(tx, DUE_NOTE, slice_of((const char *)due, count * sizeof *due));
}

static enum status teach(struct store_tx *tx, void *context)
{
    struct lessons *lessons = context;
    struct connection *connection = tx->connection;
    struct statement *statement;
    uint32_t last = 0;
    TRY(last_number(connection, &last));
    for (size_t i = 0; i < lessons->count; i++) {
        struct lesson *lesson = &lessons->items[i];
        TRY(parameter_recall(connection, lesson->type, lesson->parameter, &lesson->state));
        if (lesson->state.ready) {
            continue;
        }
        bool add = lesson->state.number == 0;
        lesson->state.number = add ? ++last : lesson->state.number;
        TRY(parameter_save(connection, lesson->type, lesson->parameter, &lesson->state, add));
        due_add(lessons, lesson->type, true);
    }
    for (size_t i = 0; i < lessons->forgotten_count; i++) {
        TRY(statement_get(connection, SQL_PARAMETER_READY, &statement));
        statement_bind_number(statement, 1, lessons->forgotten[i].number);
        statement_bind_number(statement, 2, 0);
        TRY(statement_run(connection, statement));
        due_add(lessons, lessons->forgotten[i].type, true); /* its values go */
    }
    return due_save(tx, lessons->due, lessons->due_count);
}

/* The number last: who sees it may rely on the rest. */
static void apply(const struct lessons *lessons)
{
    for (size_t i = 0; i < lessons->count; i++) {
        const struct lesson *lesson = &lessons->items[i];
        lesson->known->expression = lesson->expression;
        lesson->known->ready = lesson->state.ready ? time_monotonic() : 0;
        lesson->known->number = lesson->state.number;
    }
}

static enum status count_due(struct learner *learner, struct connection *connection)
{
    uint64_t all = 0;
    for (size_t i = 0; i < learner->due_count; i++) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(connection, SQL_TYPE_COUNT, &statement));
        statement_bind_number(statement, 1, learner->due[i].type);
        statement_bind_number(statement, 2, learner->due[i].place);
        TRY(statement_row(connection, statement, &row));
        all += row ? (uint64_t)statement_number(statement, 0) : 0;
        statement_reset(statement);
    }
    learner->done = 0;
    learner->all = all;
    return STATUS_OK;
}

/* What TYPE has under the number AT of its parameters, those of the store's own after them, and
 * the pairs; NULL: nothing that is known. *RET_END: nor after it. */
static struct parameter *parameter_at(const struct store *store, resource_type type, size_t at,
                                      bool *ret_end)
{
    size_t count = 0;
    const struct search_parameter *all = search_parameters(store->definitions, type, &count);
    *ret_end = false;
    if (at <= count) {
        uint16_t number = at < count ? all[at].number : contained_parameter.number;
        return number < store->parameter_counts[type] ? &store->parameters[type][number] : NULL;
    }
    if (at == count + 1) {
        return &store->presence[type];
    }
    at -= count + 2;
    *ret_end = at >= store->pair_count;
    return !*ret_end && store->pairs[at].type == type ? &store->pairs[at].known : NULL;
}

/* The next of TYPE, from *AT on, that is known and not ready; NULL: there is none. */
static struct parameter *next_unready(const struct store *store, resource_type type, size_t *at)
{
    for (bool end = false; !end;) {
        struct parameter *known = parameter_at(store, type, (*at)++, &end);
        if (known != NULL && known->number != 0 && known->ready == 0) {
            return known;
        }
    }
    return NULL;
}

/* Which change of SearchParameters the snapshot has, on a server. */
static enum status taught_read(struct connection *connection, int64_t *ret_taught)
{
    struct statement *statement;
    bool row = false;
    *ret_taught = 0;
    if (connection->db != NULL) {
        return STATUS_OK;
    }
    TRY(statement_get(connection, SQL_SERVER_TAUGHT, &statement));
    TRY(statement_row(connection, statement, &row));
    *ret_taught = row ? statement_number(statement, 0) : 0;
    statement_reset(statement);
    return STATUS_OK;
}

static enum status gather(struct lessons *lessons, struct store_tx *tx)
{
    struct learner *learner = lessons->learner;
    struct store *store = learner->store;
    resource_type types = resource_type_count(store->definitions);
    TRY(taught_read(tx->connection, &lessons->taught));
    TRY(publish(learner, tx));
    lessons->due = arena_array(lessons->arena, types + (size_t)1, sizeof *lessons->due);
    if (lessons->due == NULL) {
        return STATUS_MEMORY;
    }
    lessons->due_count = learner->due_count;
    memcpy(lessons->due, learner->due, learner->due_count * sizeof *learner->due);
    for (resource_type type = 1; type <= types; type++) {
        if (learner->pending[type]) {
            lessons->changed = true;
            TRY(find_lessons(lessons, type));
        }
        size_t at = 0;
        if (next_unready(store, type, &at) != NULL) {
            due_add(lessons, type, false);
        }
    }
    return find_forgotten(lessons, tx->connection);
}

/* Takes in what is committed. */
static enum status learn(struct learner *learner, struct store_reader *reader)
{
    struct store *store = learner->store;
    struct lessons lessons = {.learner = learner, .arena = arena_create(0)};
    struct store_tx *tx;
    uint64_t asked = learner->asked;
    if (lessons.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        status = gather(&lessons, tx);
        store_snapshot_end(tx);
    }
    if (status == STATUS_OK && lessons.changed) {
        status = writer_wait(store, teach, &lessons, true);
    }
    if (status == STATUS_OK) {
        apply(&lessons);
        memset(learner->pending, 0, resource_type_count(store->definitions) + (size_t)1);
        memcpy(learner->due, lessons.due, lessons.due_count * sizeof *learner->due);
        learner->due_count = lessons.due_count;
        learner->turn += lessons.changed;
        store->taught = lessons.taught;
        status = store_snapshot_begin(reader, 0, &tx);
    }
    if (status == STATUS_OK) {
        status = count_due(learner, tx->connection);
        store_snapshot_end(tx);
    }
    if (status == STATUS_OK) {
        pthread_mutex_lock(&learner->lock);
        learner->answered = asked;
        pthread_cond_broadcast(&learner->changed);
        pthread_mutex_unlock(&learner->lock);
    }
    arena_destroy(lessons.arena);
    return status;
}

/* ---- indexing ---------------------------------------------------------------------------------
 */

struct round {
    struct learner *learner;
    struct due due;
    uint64_t done;
    bool finished;
};

static enum status finish_type(struct store_tx *tx, struct learner *learner, resource_type type)
{
    const struct parameter *known;
    size_t at = 0;
    while ((known = next_unready(learner->store, type, &at)) != NULL) {
        struct statement *statement;
        TRY(statement_get(tx->connection, SQL_PARAMETER_READY, &statement));
        statement_bind_number(statement, 1, known->number);
        statement_bind_number(statement, 2, 1);
        TRY(statement_run(tx->connection, statement));
    }
    return due_save(tx, learner->due + 1, learner->due_count - 1);
}

static enum status index_few(struct store_tx *tx, void *context)
{
    struct round *round = context;
    struct learner *learner = round->learner;
    resource_type type = (resource_type)round->due.type;
    round->due = learner->due[0]; /* it may be run again */
    round->done = 0;
    round->finished = false;
    if (tx->connection->db == NULL && tx->writer->taught_there != learner->store->taught) {
        learner_told(learner->store);
        return STATUS_CONFLICT; /* it would take out what others index by what it does not know */
    }
    for (int i = 0; i < RESOURCES_A_JOB; i++) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(tx->connection, SQL_REINDEX_TYPE, &statement));
        statement_bind_number(statement, 1, type);
        statement_bind_number(statement, 2, round->due.place);
        TRY(statement_row(tx->connection, statement, &row));
        if (!row) {
            round->finished = true;
            return finish_type(tx, learner, type);
        }
        struct arena_mark mark = arena_mark(tx->writer->scratch);
        TRY(reindex_row(tx, tx->writer->scratch, statement, &round->due.place));
        arena_rewind(tx->writer->scratch, mark);
        round->done++;
    }
    struct due first = learner->due[0];
    learner->due[0] = round->due;
    enum status status = due_save(tx, learner->due, learner->due_count);
    learner->due[0] = first; /* until it is durable */
    return status;
}

static void type_ready(struct store *store, resource_type type)
{
    struct parameter *known;
    size_t at = 0;
    while ((known = next_unready(store, type, &at)) != NULL) {
        known->ready = time_monotonic();
    }
}

static enum status index_some(struct learner *learner)
{
    struct round round = {.learner = learner, .due = learner->due[0]};
    TRY(writer_wait(learner->store, index_few, &round, true));
    learner->due[0] = round.due;
    learner->done += round.done;
    if (round.finished) {
        type_ready(learner->store, (resource_type)round.due.type);
        pthread_mutex_lock(&learner->lock);
        memmove(learner->due, learner->due + 1, (learner->due_count - 1) * sizeof *learner->due);
        learner->due_count--;
        pthread_cond_broadcast(&learner->changed);
        pthread_mutex_unlock(&learner->lock);
    }
    return STATUS_OK;
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static bool is_idle(const struct learner *learner)
{
    return learner->asked == learner->answered && learner->due_count == 0;
}

static void wait_a_little(struct learner *learner)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_AFTER;
    pthread_mutex_lock(&learner->lock);
    while (!learner->stopping &&
           pthread_cond_timedwait(&learner->changed, &learner->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&learner->lock);
}

static void *learner_main(void *context)
{
    struct learner *learner = context;
    struct store_reader *reader = NULL;
    for (;;) {
        pthread_mutex_lock(&learner->lock);
        while (!learner->stopping && is_idle(learner)) {
            pthread_cond_wait(&learner->changed, &learner->lock);
        }
        bool stopping = learner->stopping;
        pthread_mutex_unlock(&learner->lock);
        if (stopping) {
            break;
        }
        enum status status =
            reader == NULL ? store_reader_open(learner->store, &reader) : STATUS_OK;
        if (status == STATUS_OK) {
            status =
                learner->asked != learner->answered ? learn(learner, reader) : index_some(learner);
        }
        if (status != STATUS_OK) {
            wait_a_little(learner);
        }
    }
    if (reader != NULL) {
        store_reader_close(reader);
    }
    return NULL;
}

static enum status learner_make(struct store *store)
{
    size_t types = resource_type_count(store->definitions) + (size_t)1;
    struct learner *learner = ARENA_NEW(store->arena, struct learner);
    if (learner == NULL) {
        return STATUS_MEMORY;
    }
    learner->store = store;
    learner->pending = arena_array(store->arena, types, sizeof *learner->pending);
    learner->due = arena_array(store->arena, types, sizeof *learner->due);
    if (learner->pending == NULL || learner->due == NULL ||
        pthread_mutex_init(&learner->lock, NULL) != 0) {
        return STATUS_MEMORY;
    }
    if (pthread_cond_init(&learner->changed, NULL) != 0) {
        pthread_mutex_destroy(&learner->lock);
        return STATUS_MEMORY;
    }
    store->learner = learner;
    return STATUS_OK;
}

/* Where an earlier run came to. */
static enum status due_load(struct learner *learner, struct store_tx *tx)
{
    struct slice value;
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = store_note_get(tx, DUE_NOTE, arena, &value);
    size_t count = status == STATUS_OK ? value.length / sizeof *learner->due : 0;
    if (count > 0 && count <= resource_type_count(learner->store->definitions)) {
        memcpy(learner->due, value.at, count * sizeof *learner->due);
        learner->due_count = count;
    }
    arena_destroy(arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status learner_start(struct store *store)
{
    struct store_reader *reader;
    struct store_tx *tx;
    TRY(learner_make(store));
    struct learner *learner = store->learner;
    TRY(store_reader_open(store, &reader));
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        status = due_load(learner, tx);
        store_snapshot_end(tx);
    }
    if (status == STATUS_OK) {
        status = learn(learner, reader);
    }
    store_reader_close(reader);
    if (status == STATUS_NO_SPACE) {
        learner->asked++; /* reading goes on; the thread tries again */
        status = STATUS_OK;
    }
    TRY(status);
    if (pthread_create(&learner->thread, NULL, learner_main, learner) != 0) {
        return STATUS_MEMORY;
    }
    learner->running = true;
    return STATUS_OK;
}

enum status learner_read_only(struct store *store, struct connection *connection)
{
    struct store_tx tx = {.connection = connection};
    struct lessons lessons = {.arena = arena_create(0)};
    if (lessons.arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status = learner_make(store);
    lessons.learner = store->learner;
    if (status == STATUS_OK) {
        status = publish(store->learner, &tx);
    }
    for (resource_type type = 1;
         status == STATUS_OK && type <= resource_type_count(store->definitions); type++) {
        if (store->learner->pending[type]) {
            status = find_lessons(&lessons, type);
        }
    }
    for (size_t i = 0; status == STATUS_OK && i < lessons.count; i++) {
        struct lesson *lesson = &lessons.items[i];
        status = parameter_recall(connection, lesson->type, lesson->parameter, &lesson->state);
    }
    if (status == STATUS_OK) {
        apply(&lessons);
    }
    arena_destroy(lessons.arena);
    return status;
}

void learner_stop(struct store *store)
{
    struct learner *learner = store->learner;
    if (learner == NULL) {
        return;
    }
    pthread_mutex_lock(&learner->lock);
    learner->stopping = true;
    pthread_cond_broadcast(&learner->changed);
    pthread_mutex_unlock(&learner->lock);
    if (learner->running) {
        pthread_join(learner->thread, NULL);
    }
}

void learner_close(struct store *store)
{
    if (store->learner != NULL) {
        pthread_cond_destroy(&store->learner->changed);
        pthread_mutex_destroy(&store->learner->lock);
    }
}

/* ---- asked from outside -----------------------------------------------------------------------
 */

void learner_told(struct store *store)
{
    struct learner *learner = store->learner;
    if (learner == NULL) {
        return;
    }
    pthread_mutex_lock(&learner->lock);
    learner->asked++;
    pthread_cond_broadcast(&learner->changed);
    pthread_mutex_unlock(&learner->lock);
}

uint64_t store_parameters_turn(const struct store *store)
{
    return store->learner != NULL ? store->learner->turn : 0;
}

bool store_learning(const struct store *store)
{
    return store->learner != NULL && store->learner->asked != store->learner->answered;
}

bool store_indexing(const struct store *store, uint64_t *ret_done, uint64_t *ret_all)
{
    const struct learner *learner = store->learner;
    *ret_done = learner != NULL ? learner->done : 0;
    *ret_all = learner != NULL ? learner->all : 0;
    return learner != NULL && learner->running && learner->due_count > 0;
}

enum status store_learned(struct store *store)
{
    struct learner *learner = store->learner;
    if (learner == NULL || !learner->running) {
        return STATUS_FORBIDDEN;
    }
    pthread_mutex_lock(&learner->lock);
    while (!learner->stopping && !is_idle(learner)) {
        pthread_cond_wait(&learner->changed, &learner->lock);
    }
    pthread_mutex_unlock(&learner->lock);
    return STATUS_OK;
}
