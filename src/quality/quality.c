/* SPDX-License-Identifier: MIT */
/* Counting and writing down. Three steps: each thread's own table (no lock), the waiting counts of
 * all (one lock, held for a merge), one job of the store's writer. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "quality/quality_int.h"

#define FLUSH_INTERVAL (MICROS_PER_SECOND / 2)
#define SHARD_CELLS    256
#define SHARD_POOL     ((size_t)16 << 10)
#define ALL_CELLS      4096
#define ALL_POOL       ((size_t)256 << 10)
#define RULE_MOST      100 /* bytes of an identifier */
#define WORDS_MOST     600
#define RULES_AN_ENTRY 32

/* A thread's own. The owner says that it is busy before it looks which table is to be used; whoever
 * empties exchanges the table first and waits until the owner is not busy: from then on the owner
 * cannot hold the old one (both in sequential consistency). */
struct shard {
    _Atomic bool busy;
    struct tally *_Atomic table;
    struct tally tables[2];
    const void *owner;
    struct shard *next;
};

struct quality {
    struct store *store;
    struct arena *arena;
    uint64_t life;        /* tells this one from others that the thread may have counted for */
    pthread_mutex_t lock; /* of all that follows, the owners' tables excepted */
    struct shard *shards;
    struct tally tables[2]; /* one collects, the other is being written */
    struct tally *all;
    int32_t day; /* whose names are in the sets */
    int32_t forgotten;
    struct seen sources, rules, combinations;
    pthread_mutex_t flushing; /* one at a time; taken before lock */
    pthread_t thread;
    bool running, stopping;
    pthread_cond_t wake;
};

static _Atomic uint64_t lives;
static _Thread_local struct {
    uint64_t life;
    struct shard *shard;
} mine;

/* ---- the counts of all --------------------------------------------------------------------------
 */

static uint64_t combination(const struct store_quality *row)
{
    return (slice_hash(row->source) * 31 + slice_hash(row->rule)) * 257 + row->type;
}

static void begin_day(struct quality *quality, int32_t day)
{
    quality->day = day;
    seen_clear(&quality->sources);
    seen_clear(&quality->rules);
    seen_clear(&quality->combinations);
}

/* Keeps a day's names within their bounds. The row of an entry and those of its rules have the same
 * source before and have it afterwards. */
static void admit(struct quality *quality, struct store_quality *row)
{
    if (row->day > quality->day) {
        begin_day(quality, row->day);
    }
    if (row->source.length > 0 &&
        !seen_admit(&quality->sources, slice_hash(row->source), QUALITY_SOURCES_A_DAY)) {
        row->source = SLICE(QUALITY_OTHER);
    }
    if (row->rule.length > 0 &&
        (!seen_admit(&quality->rules, slice_hash(row->rule), QUALITY_RULES_A_DAY) ||
         !seen_admit(&quality->combinations, combination(row), QUALITY_COMBINATIONS_A_DAY))) {
        row->rule = SLICE(QUALITY_OTHER);
        row->words = (struct slice){0};
    }
}

/* With the lock held. Only when nothing can be written for days can there be too many: the
 * details go then, and the numbers stay as long as they can. */
static void collect(struct quality *quality, const struct store_quality *row)
{
    struct store_quality kept = *row;
    admit(quality, &kept);
    if (!tally_add(quality->all, &kept)) {
        kept.words = (struct slice){0};
        kept.rule = kept.rule.length > 0 ? SLICE(QUALITY_OTHER) : kept.rule;
        (void)tally_add(quality->all, &kept);
    }
}

static void collect_table(struct quality *quality, struct tally *table)
{
    for (size_t i = 0; i <= table->mask && table->used > 0; i++) {
        if (table->cells[i].count > 0) {
            collect(quality, &table->cells[i]);
        }
    }
    tally_clear(table);
}

/* ---- a thread's own -----------------------------------------------------------------------------
 */

static struct shard *make_shard(struct quality *quality)
{
    struct shard *shard = ARENA_NEW(quality->arena, struct shard);
    if (shard == NULL ||
        tally_make(quality->arena, SHARD_CELLS, SHARD_POOL, &shard->tables[0]) != STATUS_OK ||
        tally_make(quality->arena, SHARD_CELLS, SHARD_POOL, &shard->tables[1]) != STATUS_OK) {
        return NULL;
    }
    shard->table = &shard->tables[0];
    shard->owner = &mine;
    shard->next = quality->shards;
    quality->shards = shard;
    return shard;
}

/* The address of a thread's variable stands for the thread: a later one that gets the same address
 * takes over what the former has left. */
static struct shard *find_shard(struct quality *quality)
{
    if (mine.life == quality->life) {
        return mine.shard;
    }
    (void)pthread_mutex_lock(&quality->lock);
    struct shard *shard = quality->shards;
    while (shard != NULL && shard->owner != &mine) {
        shard = shard->next;
    }
    if (shard == NULL) {
        shard = make_shard(quality);
    }
    (void)pthread_mutex_unlock(&quality->lock);
    mine.life = shard != NULL ? quality->life : 0;
    mine.shard = shard;
    return shard;
}

static void add(struct quality *quality, struct shard *shard, const struct store_quality *row)
{
    if (shard != NULL) {
        atomic_store(&shard->busy, true);
        struct tally *table = atomic_load(&shard->table);
        bool added = tally_add(table, row);
        if (!added) {
            (void)pthread_mutex_lock(&quality->lock);
            collect_table(quality, table);
            (void)pthread_mutex_unlock(&quality->lock);
            added = tally_add(table, row);
        }
        atomic_store_explicit(&shard->busy, false, memory_order_release);
        if (added) {
            return;
        }
    }
    (void)pthread_mutex_lock(&quality->lock);
    collect(quality, row);
    (void)pthread_mutex_unlock(&quality->lock);
}

/* ---- an entry -----------------------------------------------------------------------------------
 */

static bool is_error(const struct issue *issue)
{
    return issue->severity == SEVERITY_FATAL || issue->severity == SEVERITY_ERROR;
}

static struct slice rule_of(const struct issue *issue)
{
    struct slice rule = issue->rule.length > 0 ? issue->rule : slice_text(issue->code);
    return rule.length <= RULE_MOST ? rule : SLICE(QUALITY_OTHER);
}

/* Does this issue count in an entry that was refused, or accepted? A warning without a rule is
 * no finding of the checks, and what could not be checked because something is not loaded here
 * ("system-unknown", "profile-unknown" ...) is not for the sender to mend. */
static bool matters(const struct issue *issue, bool refused)
{
    return refused ? is_error(issue)
                   : issue->severity == SEVERITY_WARNING && issue->rule.length > 0 &&
                         !slice_ends(issue->rule, SLICE("-unknown"));
}

static size_t take_rules(const struct quality_entry *entry, const struct issue **ret_first)
{
    size_t count = 0;
    for (const struct issue *issue = entry->issues; issue != NULL; issue = issue->next) {
        size_t at = 0;
        if (!matters(issue, entry->refused)) {
            continue;
        }
        while (at < count && !slice_equals(rule_of(ret_first[at]), rule_of(issue))) {
            at++;
        }
        if (at == count && count < RULES_AN_ENTRY) {
            ret_first[count++] = issue;
        }
    }
    return count;
}

/* "name.given: text", without the places in lists, which are this entry's own. */
static struct slice words_of(const struct issue *issue, char *words, size_t size)
{
    size_t length = 0;
    bool inside = false;
    struct slice path = issue->path;
    if (slice_starts(path, SLICE("Bundle.entry["))) {
        size_t resource = slice_index(path, ']') + strlen("].resource");
        path = resource < path.length ? slice_from(path, resource) : (struct slice){0};
        path = slice_starts(path, SLICE(".")) ? slice_from(path, 1) : path;
    }
    if (path.length > 0 && path.at[0] >= 'A' && path.at[0] <= 'Z') {
        path = slice_from(path, slice_index(path, '.') + 1); /* the type is counted beside it */
    }
    for (size_t i = 0; i < path.length && length < size / 2; i++) {
        inside = inside || path.at[i] == '[';
        if (!inside) {
            words[length++] = path.at[i];
        }
        inside = inside && path.at[i] != ']';
    }
    for (const char *colon = ": "; length > 0 && *colon != '\0'; colon++) {
        words[length++] = *colon;
    }
    struct slice text = slice_head(issue->text, size - length);
    while (text.length > 0 && text.length < issue->text.length &&
           ((unsigned char)issue->text.at[text.length] & 0xc0) == 0x80) {
        text.length--; /* not in the middle of a character */
    }
    memcpy(words + length, text.length > 0 ? text.at : "", text.length);
    return slice_of(words, text.length > 0 ? length + text.length : 0);
}

void quality_count(struct quality *quality, const struct quality_entry *entry)
{
    const struct issue *first[RULES_AN_ENTRY];
    char words[WORDS_MOST];
    if (quality == NULL) {
        return;
    }
    size_t rules = entry->issues != NULL ? take_rules(entry, first) : 0;
    struct store_quality row = {.day = day_at(time_now()),
                                .type = entry->type,
                                .source = entry->source,
                                .verdict = entry->refused ? STORE_REFUSED
                                           : rules > 0    ? STORE_WARNED
                                                          : STORE_ACCEPTED,
                                .count = 1};
    struct shard *shard = find_shard(quality);
    add(quality, shard, &row);
    for (size_t i = 0; i < rules; i++) {
        row.rule = rule_of(first[i]);
        row.words = words_of(first[i], words, sizeof words);
        add(quality, shard, &row);
    }
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void empty_shards(struct quality *quality)
{
    (void)pthread_mutex_lock(&quality->lock);
    struct shard *shard = quality->shards; /* the list only grows, at its head */
    (void)pthread_mutex_unlock(&quality->lock);
    for (; shard != NULL; shard = shard->next) {
        struct tally *old = atomic_load(&shard->table);
        atomic_store(&shard->table, &shard->tables[old == &shard->tables[0]]);
        while (atomic_load(&shard->busy)) {
            (void)sched_yield(); /* without the lock, for which the owner may wait */
        }
        (void)pthread_mutex_lock(&quality->lock);
        collect_table(quality, old);
        (void)pthread_mutex_unlock(&quality->lock);
    }
}

struct writing {
    const struct tally *table;
    int32_t forget; /* days before this; 0: none */
};

static enum status write_rows(struct store_tx *tx, void *context)
{
    const struct writing *writing = context;
    if (writing->forget != 0) {
        TRY(store_quality_forget(tx, writing->forget));
    }
    for (size_t i = 0; i <= writing->table->mask; i++) {
        if (writing->table->cells[i].count > 0) {
            TRY(store_quality_add(tx, &writing->table->cells[i]));
        }
    }
    return STATUS_OK;
}

enum status quality_flush(struct quality *quality)
{
    (void)pthread_mutex_lock(&quality->flushing);
    empty_shards(quality);
    (void)pthread_mutex_lock(&quality->lock);
    struct tally *table = quality->all;
    quality->all = table == &quality->tables[0] ? &quality->tables[1] : &quality->tables[0];
    int32_t day = quality->day;
    (void)pthread_mutex_unlock(&quality->lock);
    enum status status = STATUS_OK;
    if (table->used > 0) {
        struct writing writing = {.table = table,
                                  .forget = quality->forgotten != day ? day - QUALITY_DAYS : 0};
        status = store_write(quality->store, write_rows, &writing);
        (void)pthread_mutex_lock(&quality->lock);
        if (status == STATUS_OK) {
            quality->forgotten = day;
            tally_clear(table);
        } else {
            collect_table(quality, table); /* nothing of it is there: it waits for the next time */
        }
        (void)pthread_mutex_unlock(&quality->lock);
    }
    (void)pthread_mutex_unlock(&quality->flushing);
    return status;
}

static void *flush_main(void *context)
{
    struct quality *quality = context;
    (void)pthread_mutex_lock(&quality->lock);
    while (!quality->stopping) {
        int64_t next = time_monotonic() + FLUSH_INTERVAL;
        struct timespec until = {.tv_sec = next / MICROS_PER_SECOND,
                                 .tv_nsec = next % MICROS_PER_SECOND * 1000};
        (void)pthread_cond_timedwait(&quality->wake, &quality->lock, &until);
        (void)pthread_mutex_unlock(&quality->lock);
        enum status status = quality_flush(quality);
        (void)status; /* the store has told why, and what was counted is kept */
        (void)pthread_mutex_lock(&quality->lock);
    }
    (void)pthread_mutex_unlock(&quality->lock);
    return NULL;
}

/* ---- starting and ending ------------------------------------------------------------------------
 */

static void know_row(void *context, const struct store_quality *row)
{
    struct quality *quality = context;
    struct store_quality known = *row;
    admit(quality, &known);
}

static enum status know_today(struct quality *quality)
{
    struct store_reader *reader;
    struct store_tx *tx;
    TRY(store_reader_open(quality->store, &reader));
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        status = store_quality_day(tx, quality->day, know_row, quality);
        store_snapshot_end(tx);
    }
    store_reader_close(reader);
    return status;
}

static enum status make_tables(struct quality *quality)
{
    struct arena *arena = quality->arena;
    TRY(tally_make(arena, ALL_CELLS, ALL_POOL, &quality->tables[0]));
    TRY(tally_make(arena, ALL_CELLS, ALL_POOL, &quality->tables[1]));
    TRY(seen_make(arena, 512, &quality->sources));
    TRY(seen_make(arena, 1024, &quality->rules));
    return seen_make(arena, 16384, &quality->combinations);
}

static enum status start_thread(struct quality *quality)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&quality->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    quality->running = pthread_create(&quality->thread, NULL, flush_main, quality) == 0;
    return quality->running ? STATUS_OK : STATUS_MEMORY;
}

enum status quality_start(struct store *store, struct quality **ret_quality)
{
    struct arena *arena = arena_create(0);
    struct quality *quality = arena != NULL ? ARENA_NEW(arena, struct quality) : NULL;
    if (quality == NULL) {
        arena_destroy(arena);
        return STATUS_MEMORY;
    }
    quality->store = store;
    quality->arena = arena;
    quality->life = atomic_fetch_add(&lives, 1) + 1;
    quality->all = &quality->tables[0];
    quality->day = day_at(time_now());
    (void)pthread_mutex_init(&quality->lock, NULL);
    (void)pthread_mutex_init(&quality->flushing, NULL);
    enum status status = make_tables(quality);
    if (status == STATUS_OK) {
        status = know_today(quality);
    }
    if (status == STATUS_OK) {
        status = start_thread(quality);
    }
    if (status != STATUS_OK) {
        quality_stop(quality);
        return status;
    }
    *ret_quality = quality;
    return STATUS_OK;
}

void quality_stop(struct quality *quality)
{
    if (quality == NULL) {
        return;
    }
    if (quality->running) {
        (void)pthread_mutex_lock(&quality->lock);
        quality->stopping = true;
        (void)pthread_cond_signal(&quality->wake);
        (void)pthread_mutex_unlock(&quality->lock);
        (void)pthread_join(quality->thread, NULL);
        (void)pthread_cond_destroy(&quality->wake);
        enum status status = quality_flush(quality);
        (void)status; /* the store has told why */
    }
    (void)pthread_mutex_destroy(&quality->lock);
    (void)pthread_mutex_destroy(&quality->flushing);
    arena_destroy(quality->arena);
}
