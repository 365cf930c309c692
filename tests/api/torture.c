/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

bool torture_thorough;

/* ---- making things fail -------------------------------------------------------------------------
 */

static _Atomic unsigned long steps_left; /* until the one that fails; 0: none does */
static _Atomic int step_code;
static enum fault_kind armed;
static unsigned long armed_for;

int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);

/* The linker puts this in the place of SQLite's. */
int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
    unsigned long left = atomic_load(&steps_left);
    while (left > 0 && !atomic_compare_exchange_weak(&steps_left, &left, left - 1)) {
    }
    return left == 1 ? atomic_load(&step_code) : __real_sqlite3_step(statement);
}

void fault_begin(enum fault_kind kind, unsigned long n, int code)
{
    armed = kind;
    armed_for = n;
    if (kind == FAULT_ALLOCATION) {
        (void)arena_fail_after(n);
    } else {
        atomic_store(&step_code, code);
        atomic_store(&steps_left, n);
    }
}

bool fault_end(void)
{
    unsigned long left =
        armed == FAULT_ALLOCATION ? arena_fail_after(0) : atomic_exchange(&steps_left, 0);
    return armed_for > 0 && left == 0;
}

unsigned long fault_next(unsigned long n)
{
    return torture_thorough || n < 16 ? n + 1 : n + n / 6;
}

size_t fault_codes(enum fault_kind kind, unsigned long n, int *ret_codes)
{
    static const int codes[] = {SQLITE_IOERR_READ, SQLITE_BUSY, SQLITE_NOMEM,
                                SQLITE_INTERRUPT,  SQLITE_FULL, SQLITE_ERROR};
    size_t count = sizeof codes / sizeof codes[0];
    ret_codes[0] = codes[n % count];
    if (kind == FAULT_ALLOCATION || !torture_thorough) {
        return 1;
    }
    memcpy(ret_codes, codes, sizeof codes);
    return count;
}

/* ---- texts --------------------------------------------------------------------------------------
 */

#define MARK_LENGTH 7

const char *torture_mark(void)
{
    static unsigned number;
    return text_of("t%06u", ++number);
}

const char *torture_text(const char *text, const char *mark)
{
    struct buffer out = {.arena = service_memory()};
    if (text == NULL) {
        return NULL;
    }
    for (; *text != '\0'; text++) {
        if (*text == '@') {
            buffer_add_text(&out, mark);
        } else {
            buffer_add_byte(&out, *text);
        }
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

/* Does TEXT begin with this shape? 0: a digit, x: a hexadecimal digit, else itself. */
static bool has_shape(struct slice text, const char *shape)
{
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = i < text.length && text.at[i] >= '0' && text.at[i] <= '9';
        bool letter = i < text.length && text.at[i] >= 'a' && text.at[i] <= 'f';
        bool fits = shape[i] == '0'   ? digit
                    : shape[i] == 'x' ? digit || letter
                                      : i < text.length && text.at[i] == shape[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* Behind this many bytes is content alone. */
#define LONG_TEXT ((size_t)64 << 10)

/* What differs from round to round is made equal: marks, new ids, instants, cursors. */
static struct slice normal(struct slice text, const char *mark)
{
    static const char *const shapes[] = {"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
                                         "0000-00-00T00:00:00.000000Z", "0000-00-00T00:00:00.000Z",
                                         "0000-00-00T00:00:00Z"};
    struct buffer out = {.arena = service_memory()};
    struct slice rest = text.length > LONG_TEXT ? slice_from(text, LONG_TEXT) : (struct slice){0};
    text = slice_head(text, LONG_TEXT);
    while (text.length > 0) {
        size_t skip = slice_starts(text, slice_text(mark)) ? MARK_LENGTH : 0;
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && skip == 0; i++) {
            skip = has_shape(text, shapes[i]) ? strlen(shapes[i]) : 0;
        }
        if (slice_starts(text, SLICE("_cursor="))) {
            skip = slice_index(text, '"');
        }
        buffer_add_byte(&out, skip > 0 ? '~' : text.at[0]);
        text = slice_from(text, skip > 0 ? skip : 1);
    }
    buffer_add(&out, rest);
    return buffer_slice(&out);
}

/* ---- what there is ------------------------------------------------------------------------------
 */

struct state {
    struct store_statistics store;
    uint64_t logged; /* access entries: of reads, and of writes */
};

static uint64_t last_row, waiting; /* of the outbox, so far */

static struct state state_now(void)
{
    struct state state;
    struct audit_statistics log;
    assert_int_equal(store_statistics(service.store, &state.store), STATUS_OK);
    audit_statistics(service.audit, &log);
    waiting += service_outbox(&last_row);
    state.logged = log.entries + waiting;
    return state;
}

/* What one request changed. */
struct difference {
    uint64_t changes, resources, versions, patients, logged;
};

static struct difference since(const struct state *before)
{
    struct state now = state_now();
    return (struct difference){.changes = now.store.last_change - before->store.last_change,
                               .resources = now.store.resources - before->store.resources,
                               .versions = now.store.versions - before->store.versions,
                               .patients = now.store.patients - before->store.patients,
                               .logged = now.logged - before->logged};
}

static bool same_records(const struct difference *a, const struct difference *b)
{
    return a->changes == b->changes && a->resources == b->resources && a->versions == b->versions &&
           a->patients == b->patients;
}

void torture_check_store(void)
{
    struct outcome outcome;
    outcome_init(&outcome, service_memory());
    if (store_check(service.store, NULL, NULL, &outcome) != STATUS_OK) {
        fail_msg("%.*s", outcome.first != NULL ? (int)outcome.first->text.length : 0,
                 outcome.first != NULL ? outcome.first->text.at : "");
    }
}

/* Files without a name, as content is kept in on its way. */
static size_t nameless_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    size_t count = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char target[512];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
        count += length > 0 && slice_ends(slice_of(target, (size_t)length), SLICE(" (deleted)"));
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

/* ---- one round ----------------------------------------------------------------------------------
 */

struct round {
    const struct script *script;
    enum fault_kind kind;
    unsigned long n;
    int code;
    const char *mark;
    struct state before;
};

struct result {
    struct answer answer;
    struct slice body; /* normal */
    struct slice etag, location;
    struct difference difference;
};

static const struct round *now; /* for the hooks */
static bool happened;

static void begin_fault(void)
{
    fault_begin(now->kind, now->n, now->code);
}

static void end_fault(void)
{
    happened = fault_end();
    if (!happened) {
        return;
    }
    service_before_walk = service_after_walk = NULL; /* it fails once: pieces after it do not */
}

static struct answer send_call(const struct script *script, const struct call *call,
                               const char *mark)
{
    const char *path = torture_text(call->path, mark);
    const char *headers = torture_text(call->headers, mark);
    if (script != NULL && script->bytes > 0) {
        char *bytes = arena_alloc(service_memory(), script->bytes);
        memset(bytes, 'b', script->bytes);
        return caller_send_file(service_caller(), call->method, path, headers,
                                slice_of(bytes, script->bytes));
    }
    return ask(call->method, path, headers, torture_text(call->body, mark));
}

/* A body that does not look as pretty as it was asked for has lost nothing. */
static struct slice without_layout(const struct answer *answer)
{
    const yyjson_val *root = answer_value(answer, "");
    struct buffer out = {.arena = service_memory()};
    if (root == NULL) {
        return answer->body;
    }
    json_write(root, NULL, NULL, &out);
    return buffer_slice(&out);
}

static struct result send_script(const struct round *round)
{
    struct result result = {.answer = send_call(round->script, &round->script->call, round->mark)};
    result.body = normal(without_layout(&result.answer), round->mark);
    result.etag = answer_header(&result.answer, "ETag");
    result.location = normal(answer_header(&result.answer, "Location"), round->mark);
    result.difference = since(&round->before);
    return result;
}

static void start_round(struct round *round)
{
    round->mark = torture_mark();
    for (const struct call *call = round->script->before; call->method != NULL; call++) {
        struct answer answer = send_call(NULL, call, round->mark);
        if (answer.http >= 300) {
            fail_msg("%s: before it %s %s gave %d: %.*s", round->script->name, call->method,
                     call->path, answer.http, SLICE_ARGS(slice_head(answer.body, 400)));
        }
    }
    round->before = state_now();
}

static struct result tortured(struct round *round)
{
    start_round(round);
    now = round;
    happened = false;
    service_before_walk = begin_fault;
    service_after_walk = end_fault;
    struct result result = send_script(round);
    service_before_walk = service_after_walk = NULL;
    return result;
}

/* All that is wrong is told, not the first alone; a script that has many faults is left. */
#define COMPLAINTS_MOST 8
static size_t complaints;

static void complain(const struct round *round, const struct result *result, const char *text)
{
    print_error("%s, %s %lu (code %d): %s: HTTP %d %.*s\n", round->script->name,
                round->kind == FAULT_SQL ? "SQL step" : "allocation", round->n, round->code, text,
                result->answer.http, SLICE_ARGS(slice_head(result->answer.body, 600)));
    complaints++;
}

/* Statuses that a machine in trouble may give; any other would blame the caller or lie. */
static bool is_our_trouble(int http)
{
    return http == 413 || http == 500 || http == 503 || http == 507;
}

static int entry_http(const struct answer *answer, size_t index)
{
    struct slice status = answer_text(answer, text_of("entry.%zu.response.status", index));
    uint64_t http = 0;
    return slice_to_unsigned(slice_head(status, 3), 999, &http) ? (int)http : 0;
}

/* A durable write, told without what did not fit: each entry as it is but for what was read. */
static bool is_shortened(const struct result *result, const struct result *wanted, bool each)
{
    if (wanted->difference.changes == 0 && !each) {
        return false;
    }
    if (result->body.length == 0) {
        return answer_value(&wanted->answer, "entry") == NULL;
    }
    size_t count = yyjson_arr_size(answer_value(&wanted->answer, "entry"));
    if (count == 0 || count != yyjson_arr_size(answer_value(&result->answer, "entry"))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int http = entry_http(&result->answer, i);
        bool read = answer_value(&wanted->answer, text_of("entry.%zu.resource", i)) != NULL;
        bool told = http == entry_http(&wanted->answer, i);
        if (!told && !((read || each) && is_our_trouble(http))) {
            return false;
        }
    }
    return true;
}

/* How many entries of a batch say that they wrote. */
static uint64_t entries_written(const struct result *result)
{
    uint64_t written = 0;
    size_t count = yyjson_arr_size(answer_value(&result->answer, "entry"));
    for (size_t i = 0; i < count; i++) {
        const char *location = text_of("entry.%zu.response.location", i);
        int http = entry_http(&result->answer, i);
        written +=
            http / 100 == 2 && (answer_value(&result->answer, location) != NULL || http == 204);
    }
    return written;
}

/* How many accesses an answer that is not whole tells the results of. */
static uint64_t entries_told(const struct result *result)
{
    uint64_t told = 0;
    size_t count = yyjson_arr_size(answer_value(&result->answer, "entry"));
    for (size_t i = 0; i < count; i++) {
        bool explained =
            answer_value(&result->answer, text_of("entry.%zu.response.outcome", i)) != NULL;
        assert_true(explained || entry_http(&result->answer, i) < 400);
        told += entry_http(&result->answer, i) < 400;
    }
    return told;
}

static void check_success(const struct round *round, const struct result *result,
                          const struct result *wanted)
{
    bool each = round->script->each;
    bool whole = slice_equals(result->body, wanted->body);
    if (result->answer.http != wanted->answer.http || !slice_equals(result->etag, wanted->etag) ||
        !slice_equals(result->location, wanted->location)) {
        complain(round, result, "another success than without the fault");
    }
    if (!whole && !result->answer.cut && !is_shortened(result, wanted, each)) {
        complain(round, result, "the answer lost something");
    }
    if (each ? result->difference.changes != entries_written(result)
             : !same_records(&result->difference, &wanted->difference)) {
        complain(round, result, "the records are not what the answer says");
    }
    uint64_t told =
        whole || result->body.length == 0 ? wanted->difference.logged : entries_told(result);
    if (result->difference.logged < told) {
        complain(round, result, "an access has no entry");
    }
}

static void check_failure(const struct round *round, const struct result *result)
{
    static const struct difference nothing = {0};
    const struct answer *answer = &result->answer;
    if (!is_our_trouble(answer->http)) {
        complain(round, result, "the fault was told as something else");
    }
    struct slice severity = answer_text(answer, "issue.0.severity");
    if (!slice_is(answer_text(answer, "resourceType"), "OperationOutcome") ||
        !(slice_is(severity, "error") || slice_is(severity, "fatal"))) {
        complain(round, result, "no OperationOutcome that says what failed");
    }
    if (!same_records(&result->difference, &nothing)) {
        complain(round, result, "a failure left something behind");
    }
}

/* The same request, now untouched. */
static void send_again(struct round *round, const struct result *wanted)
{
    round->before = state_now();
    struct result again = send_script(round);
    if (again.answer.http != wanted->answer.http || again.answer.cut ||
        (!round->script->each && !slice_equals(again.body, wanted->body))) {
        complain(round, &again, "the same request fails afterwards");
    }
    if (!round->script->each && !same_records(&again.difference, &wanted->difference)) {
        complain(round, &again, "the same request does something else afterwards");
    }
    size_t count = round->script->each ? yyjson_arr_size(answer_value(&again.answer, "entry")) : 0;
    for (size_t i = 0; i < count; i++) {
        if (entry_http(&again.answer, i) / 100 != 2) {
            complain(round, &again, "an entry fails afterwards");
        }
    }
}

/* Gives false when nothing was there to fail. */
static bool one_fault(struct round *round, const struct result *wanted)
{
    struct result result = tortured(round);
    bool hit = happened;
    if (result.answer.http / 100 < 4) {
        check_success(round, &result, wanted);
    } else {
        check_failure(round, &result);
    }
    if (hit && (result.answer.http / 100 >= 4 || result.answer.cut)) {
        send_again(round, wanted);
    }
    return hit;
}

void torture(const struct script *script, enum fault_kind kind)
{
    struct round round = {.script = script, .kind = kind};
    /* Twice, so that statements and memories are there; then as it must be. */
    struct result wanted = tortured(&round);
    wanted = tortured(&round);
    if (wanted.answer.http >= 400 || happened) {
        complain(&round, &wanted, "the script fails by itself");
    }
    size_t files = nameless_files();
    unsigned long tried = 0;
    bool hit = true;
    complaints = 0;
    for (round.n = 1; hit && complaints < COMPLAINTS_MOST; round.n = fault_next(round.n)) {
        int codes[FAULT_CODES_MOST];
        size_t count = fault_codes(kind, round.n, codes);
        for (size_t i = 0; i < count && hit; i++) {
            round.code = codes[i];
            hit = one_fault(&round, &wanted);
            tried += hit;
        }
    }
    assert_int_equal(complaints, 0);
    assert_int_equal(nameless_files(), files);
    assert_true(tried > 0 || kind == FAULT_SQL); /* $validate asks the store nothing */
    print_message("  %s: %lu %s failed\n", script->name, tried,
                  kind == FAULT_SQL ? "SQL steps" : "allocations");
}

/* ---- the service --------------------------------------------------------------------------------
 */

int torture_setup(void **state)
{
    (void)state;
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0); /* thousands of syncs say nothing here */
    }
    service_sequenced = false;
    last_row = waiting = 0;
    service_prepare();
    log_target_set(open("/dev/null", O_WRONLY | O_CLOEXEC)); /* each fault is logged */
    service_start();
    return 0;
}

int torture_teardown(void **state)
{
    return service_teardown(state);
}
