/* SPDX-License-Identifier: MIT */
/* store: a thread that looks at a PostgreSQL server once a second: for what other processes changed
 * that this one keeps in memory, and whether it is time to train a dictionary. */
#include <time.h>

#include "learn_int.h"
#include "postgres.h"

struct keeper {
    struct store *store;
    struct connection connection;
    bool open;
    int64_t seen[WATCHED_MOST];
};

static bool wait_a_second(struct store *store)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_mutex_lock(&store->lock_queue);
    int code = 0;
    while (!store->checkpoint_stopping && code == 0) {
        code = pthread_cond_timedwait(&store->checkpoint_due, &store->lock_queue, &until);
    }
    bool stopping = store->checkpoint_stopping;
    pthread_mutex_unlock(&store->lock_queue);
    return !stopping;
}

static enum status look(struct keeper *keeper, int64_t *ret_resources)
{
    struct store *store = keeper->store;
    struct statement *statement;
    bool row = false;
    *ret_resources = 0;
    TRY(statement_get(&keeper->connection, SQL_SERVER_LOOK, &statement));
    TRY(statement_row(&keeper->connection, statement, &row));
    if (row) {
        *ret_resources = statement_number(statement, 1);
        if (statement_number(statement, 0) != store->taught && !store_learning(store)) {
            learner_told(store);
        }
    }
    statement_reset(statement);
    return STATUS_OK;
}

/* What was there before the first look is news as well: whoever read it may have read earlier. */
static enum status watch(struct keeper *keeper)
{
    struct store *store = keeper->store;
    bool changed = false;
    for (size_t i = 0; i < store->watched_count; i++) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(&keeper->connection, SQL_SERVER_LAST, &statement));
        statement_bind_number(statement, 1, store->watched[i]);
        TRY(statement_row(&keeper->connection, statement, &row));
        int64_t last = row ? statement_number(statement, 0) : 0;
        statement_reset(statement);
        changed = changed || last != keeper->seen[i];
        keeper->seen[i] = last;
    }
    store->news += changed;
    return STATUS_OK;
}

static enum status look_around(struct keeper *keeper)
{
    int64_t resources;
    if (!keeper->open) {
        TRY(database_open(keeper->store, false, &keeper->connection));
        keeper->open = true;
    }
    TRY(look(keeper, &resources));
    TRY(watch(keeper));
    return dictionary_consider(&keeper->connection, resources);
}

void *postgres_keeper_main(void *context)
{
    struct keeper keeper = {.store = context};
    bool failing = false;
    do {
        enum status status = look_around(&keeper);
        bool fails = status != STATUS_OK && status != STATUS_NOT_SUPPORTED;
        if (fails && !failing) {
            log_event(LOG_STORE_FAILED, LOG_TEXT(LOG_FIELD_STATUS, status_name(status)));
        }
        failing = fails;
    } while (wait_a_second(keeper.store));
    if (keeper.open) {
        database_close(&keeper.connection);
    }
    return NULL;
}

void store_watch(struct store *store, const resource_type *types, size_t count)
{
    size_t most = count < WATCHED_MOST ? count : WATCHED_MOST;
    memcpy(store->watched, types, most * sizeof *types);
    store->watched_count = most;
}

struct slice store_member(const struct store *store)
{
    return slice_text(store->member);
}

uint64_t store_news(const struct store *store)
{
    return store->news;
}
