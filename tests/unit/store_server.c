/* SPDX-License-Identifier: MIT */
/* What only a server of several writers can get wrong: clashes, slower transactions, connections
 * that are lost at any moment, a server that goes away. Run beside one:
 * tests/postgresql/with_server.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "store_test.h"

#define NEEDS_SERVER()                                                                             \
    do {                                                                                           \
        if (!on_server()) {                                                                        \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static int setup(void **state)
{
    return on_server() ? store_setup(state) : 0;
}

static int teardown(void **state)
{
    return on_server() ? store_teardown(state) : 0;
}

static char other_folder[300];

static struct store *open_another(const char *address)
{
    struct store *other = NULL;
    snprintf(other_folder, sizeof(other_folder), "%s/other", folder);
    struct store_options options = {
        .folder = other_folder, .definitions = definitions, .database = address, .writers = 2};
    assert_int_equal(store_open(&options, NULL, &other), STATUS_OK);
    return other;
}

static void close_another(struct store *other)
{
    static const char *const names[] = {"records.lock", "store.id"};
    store_close(other);
    for (size_t i = 0; i < 2; i++) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", other_folder, names[i]);
        unlink(path);
    }
    rmdir(other_folder);
}

/* ---- jobs on threads ------------------------------------------------------------------------- */

struct racer {
    pthread_t thread;
    struct store *store;
    enum status (*run)(struct store_tx *tx, struct racer *racer);
    struct arena *arena;
    struct store_draft *draft, *other;
    int number;
    atomic_int runs;
    enum status status;
    struct store_written written;
};

static enum status racer_run(struct store_tx *tx, void *context)
{
    struct racer *racer = context;
    atomic_fetch_add(&racer->runs, 1);
    return racer->run(tx, racer);
}

static void *racer_main(void *context)
{
    struct racer *racer = context;
    racer->status = store_write(racer->store, racer_run, racer);
    return NULL;
}

static void racer_start(struct racer *racer)
{
    racer->store = racer->store != NULL ? racer->store : store;
    racer->arena = arena_create(0);
    assert_int_equal(pthread_create(&racer->thread, NULL, racer_main, racer), 0);
}

static void racer_end(struct racer *racer)
{
    pthread_join(racer->thread, NULL);
    arena_destroy(racer->arena);
}

static enum status run_put(struct store_tx *tx, struct racer *racer)
{
    return store_put(tx, racer->draft, STORE_UPDATED, NULL, racer->arena, NULL, &racer->written);
}

/* ---- several processes ----------------------------------------------------------------------- */

static void two_stores_on_one_database_see_each_other(void **state)
{
    (void)state;
    NEEDS_SERVER();
    struct store *other = open_another(database);
    struct racer racers[8] = {0};
    for (int i = 0; i < 8; i++) {
        char text[200];
        snprintf(text, sizeof(text), "{'resourceType':'Patient','id':'p%d','gender':'male'}", i);
        racers[i] = (struct racer){
            .store = i % 2 == 0 ? store : other, .run = run_put, .draft = draft_of(text)};
        racer_start(&racers[i]);
    }
    for (int i = 0; i < 8; i++) {
        struct store_version version;
        char id[16];
        racer_end(&racers[i]);
        assert_int_equal(racers[i].status, STATUS_OK);
        snprintf(id, sizeof(id), "p%d", i);
        assert_int_equal(try_read("Patient", id, &version), STATUS_OK);
    }
    struct store_statistics numbers;
    assert_int_equal(store_statistics(other, &numbers), STATUS_OK);
    assert_int_equal(numbers.resources, 8);
    assert_int_equal(numbers.patients, 8);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
    close_another(other);
}

/* ---- clashes --------------------------------------------------------------------------------- */

static enum status run_create_once(struct store_tx *tx, struct racer *racer)
{
    struct store_value value = {.text = SLICE("42"), .code = SLICE("42")};
    struct store_clause clause = {
        .parameter = parameter_named("Patient", "identifier"), .values = &value, .value_count = 1};
    struct store_query query = {
        .type = type_named("Patient"), .clauses = &clause, .clause_count = 1, .count = 2};
    struct store_page page;
    TRY(store_find(tx, &query, racer->arena, NULL, &page));
    return page.count > 0 ? STATUS_OK : run_put(tx, racer);
}

static void of_many_conditional_creates_at_once_one_creates(void **state)
{
    (void)state;
    NEEDS_SERVER();
    struct racer racers[6] = {0};
    for (int i = 0; i < 6; i++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "{'resourceType':'Patient','id':'c%d','identifier':[{'system':'http://s','value':"
                 "'42'}]}",
                 i);
        racers[i] = (struct racer){.run = run_create_once, .draft = draft_of(text)};
        racer_start(&racers[i]);
    }
    int created = 0;
    for (int i = 0; i < 6; i++) {
        struct store_version version;
        char id[16];
        racer_end(&racers[i]);
        assert_int_equal(racers[i].status, STATUS_OK);
        snprintf(id, sizeof(id), "c%d", i);
        created += try_read("Patient", id, &version) == STATUS_OK;
    }
    assert_int_equal(created, 1);
}

static void versions_of_one_resource_are_in_order_whoever_writes(void **state)
{
    (void)state;
    NEEDS_SERVER();
    struct racer racers[9] = {0};
    for (int i = 0; i < 9; i++) {
        racers[i] =
            (struct racer){.run = run_put, .draft = draft_of("{'resourceType':'Basic','id':'b'}")};
        racer_start(&racers[i]);
    }
    bool seen[10] = {false};
    for (int i = 0; i < 9; i++) {
        racer_end(&racers[i]);
        assert_int_equal(racers[i].status, STATUS_OK);
        assert_in_range(racers[i].written.version, 1, 9);
        assert_false(seen[racers[i].written.version]);
        seen[racers[i].written.version] = true;
    }
    struct store_page page;
    struct store_history_query query = {
        .type = type_named("Basic"), .id = SLICE("b"), .since = INT64_MIN, .count = 20};
    assert_int_equal(store_history(begin(), &query, arena, NULL, &page), STATUS_OK);
    assert_int_equal(page.count, 9);
    for (size_t i = 1; i < page.count; i++) {
        assert_int_equal(page.items[i].version + 1, page.items[i - 1].version);
        assert_true(page.items[i].change < page.items[i - 1].change);
        assert_true(page.items[i].updated < page.items[i - 1].updated);
    }
}

/* An Observation comes while its Encounter moves to another patient: neither sees the other. */
static void whom_a_resource_concerns_is_right_though_both_ends_change_at_once(void **state)
{
    (void)state;
    NEEDS_SERVER();
    must_put("{'resourceType':'Patient','id':'p1'}");
    must_put("{'resourceType':'Patient','id':'p2'}");
    must_put("{'resourceType':'Encounter','id':'e','subject':{'reference':'Patient/p1'}}");
    for (int i = 0; i < 10; i++) {
        char media[200], visit[200];
        snprintf(media, sizeof(media),
                 "{'resourceType':'Media','id':'m%d','encounter':{'reference':'Encounter/e'}}", i);
        snprintf(visit, sizeof(visit),
                 "{'resourceType':'Encounter','id':'e','subject':{'reference':'Patient/p%d'}}",
                 2 - i % 2);
        struct racer a = {.run = run_put, .draft = draft_of(media)};
        struct racer b = {.run = run_put, .draft = draft_of(visit)};
        racer_start(&a);
        racer_start(&b);
        racer_end(&a);
        racer_end(&b);
        assert_int_equal(a.status, STATUS_OK);
        assert_int_equal(b.status, STATUS_OK);
    }
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

/* ---- slower transactions --------------------------------------------------------------------- */

static atomic_int slow_step;

static enum status run_slowly(struct store_tx *tx, struct racer *racer)
{
    TRY(run_put(tx, racer));
    atomic_store(&slow_step, 1);
    while (atomic_load(&slow_step) == 1) {
        usleep(1000);
    }
    return STATUS_OK;
}

static const char *changed(const char *type)
{
    struct store_page page;
    struct store_history_query query = {.type =
                                            type != NULL ? type_named(type) : RESOURCE_TYPE_NONE,
                                        .since = INT64_MIN,
                                        .count = 20};
    struct store_tx *tx = begin();
    assert_int_equal(store_history(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    for (size_t i = 1; i < page.count; i++) {
        assert_true(page.items[i].change < page.items[i - 1].change);
        assert_true(page.items[i].updated <= page.items[i - 1].updated);
    }
    return ids_of(&page);
}

static void history_waits_for_a_slower_transaction(void **state)
{
    (void)state;
    NEEDS_SERVER();
    must_put("{'resourceType':'Basic','id':'before'}");
    assert_string_equal(changed("Basic"), "before");
    struct racer slow = {.run = run_slowly,
                         .draft = draft_of("{'resourceType':'Basic','id':'slow'}")};
    atomic_store(&slow_step, 0);
    racer_start(&slow);
    while (atomic_load(&slow_step) != 1) {
        usleep(1000);
    }
    must_put("{'resourceType':'Patient','id':'quick'}");
    struct store_version version;
    assert_int_equal(try_read("Patient", "quick", &version), STATUS_OK);
    assert_string_equal(changed("Patient"), "");
    assert_string_equal(changed(NULL), "before");
    atomic_store(&slow_step, 2);
    racer_end(&slow);
    assert_int_equal(slow.status, STATUS_OK);
    assert_string_equal(changed(NULL), "quick slow before");
}

/* ---- connections that break ------------------------------------------------------------------ */

/* Between the store and its server: passes bytes on, and cuts the line where it is told to. */
enum cut { CUT_NEVER, CUT_BEFORE_COMMIT, CUT_AFTER_COMMIT };

static struct {
    char folder[128];
    int listener;
    pthread_t thread;
    atomic_int cut; /* of the next commit */
    atomic_bool stopping;
} proxy;

static int socket_at(const char *place, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", place);
    int link = socket(AF_UNIX, SOCK_STREAM, 0);
    int code = listening ? bind(link, (struct sockaddr *)&address, sizeof(address))
                         : connect(link, (struct sockaddr *)&address, sizeof(address));
    if (code != 0 || (listening && listen(link, 64) != 0)) {
        close(link);
        return -1;
    }
    return link;
}

static const char *server_folder(void)
{
    return getenv("CARELAYER_POSTGRESQL_FOLDER");
}

static bool pass(int from, int to, bool to_server)
{
    char bytes[16384];
    ssize_t length = read(from, bytes, sizeof(bytes));
    if (length <= 0) {
        return false;
    }
    int cut = CUT_NEVER;
    if (to_server && memmem(bytes, (size_t)length, "COMMIT", 6) != NULL) {
        cut = atomic_exchange(&proxy.cut, CUT_NEVER);
    }
    if (cut == CUT_BEFORE_COMMIT) {
        return false;
    }
    for (ssize_t done = 0; done < length;) {
        ssize_t sent = write(to, bytes + done, (size_t)(length - done));
        if (sent <= 0) {
            return false;
        }
        done += sent;
    }
    if (cut == CUT_AFTER_COMMIT) {
        (void)!read(to, bytes, sizeof(bytes)); /* it was done; nobody is told */
        return false;
    }
    return true;
}

static void *line_main(void *context)
{
    int client = (int)(intptr_t)context;
    int server = socket_at(server_folder(), false);
    struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool open = server >= 0;
    while (open && poll(ends, 2, -1) > 0) {
        open = (ends[0].revents == 0 || pass(client, server, true)) &&
               (ends[1].revents == 0 || pass(server, client, false));
    }
    close(client);
    close(server);
    return NULL;
}

static void *proxy_main(void *unused)
{
    (void)unused;
    for (;;) {
        int client = accept(proxy.listener, NULL, NULL);
        if (client < 0 || atomic_load(&proxy.stopping)) {
            close(client);
            return NULL;
        }
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, line_main, (void *)(intptr_t)client), 0);
        pthread_detach(thread);
    }
}

static struct store *open_by_proxy(void)
{
    static char address[300];
    snprintf(proxy.folder, sizeof(proxy.folder), "%.100s/line", folder);
    assert_int_equal(mkdir(proxy.folder, 0700), 0);
    proxy.listener = socket_at(proxy.folder, true);
    assert_true(proxy.listener >= 0);
    atomic_store(&proxy.stopping, false);
    atomic_store(&proxy.cut, CUT_NEVER);
    assert_int_equal(pthread_create(&proxy.thread, NULL, proxy_main, NULL), 0);
    snprintf(address, sizeof(address), "host=%s user=carelayer %s", proxy.folder,
             strstr(database, "dbname="));
    return open_another(address);
}

static void proxy_close(void)
{
    char path[300];
    atomic_store(&proxy.stopping, true);
    close(socket_at(proxy.folder, false));
    pthread_join(proxy.thread, NULL);
    close(proxy.listener);
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", proxy.folder);
    unlink(path);
    rmdir(proxy.folder);
}

static void a_commit_whose_answer_is_lost_is_done_once(void **state)
{
    (void)state;
    NEEDS_SERVER();
    struct store *other = open_by_proxy();
    for (int cut = CUT_NEVER; cut <= CUT_AFTER_COMMIT; cut++) {
        struct racer racer = {
            .store = other, .run = run_put, .draft = draft_of("{'resourceType':'Basic','id':'b'}")};
        struct store_version version;
        atomic_store(&proxy.cut, cut);
        racer_start(&racer);
        racer_end(&racer);
        assert_int_equal(racer.status, STATUS_OK);
        assert_int_equal(racer.runs, cut == CUT_BEFORE_COMMIT ? 2 : 1);
        assert_int_equal(atomic_load(&proxy.cut), CUT_NEVER);
        assert_int_equal(try_read("Basic", "b", &version), STATUS_OK);
        assert_int_equal(version.version, cut + 1);
        assert_int_equal(version.change, racer.written.change);
    }
    assert_int_equal(store_check(other, NULL, NULL, NULL), STATUS_OK);
    close_another(other);
    proxy_close();
}

static void connections_that_were_ended_are_made_anew(void **state)
{
    (void)state;
    NEEDS_SERVER();
    static const char end_all[] = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                  " WHERE datname=current_database() AND pid<>pg_backend_pid()";
    struct store_version version;
    must_put("{'resourceType':'Basic','id':'a'}");
    assert_int_equal(try_read("Basic", "a", &version), STATUS_OK);
    assert_true(meddle(end_all) > 0);
    assert_int_equal(try_read("Basic", "a", &version), STATUS_OK);
    assert_true(meddle(end_all) > 0);
    must_put("{'resourceType':'Basic','id':'b'}");
    struct store_tx *tx = begin();
    assert_int_equal(store_read(tx, type_named("Basic"), SLICE("a"), arena, &version), STATUS_OK);
    assert_true(meddle(end_all) > 0);
    /* The snapshot is gone with the connection: a newer one would be a lie. */
    assert_int_equal(store_read(tx, type_named("Basic"), SLICE("b"), arena, &version),
                     STATUS_TRANSIENT);
    store_snapshot_end(tx);
    tx = begin();
    assert_int_equal(store_read(tx, type_named("Basic"), SLICE("b"), arena, &version), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void server_command(const char *name)
{
    const char *command = getenv(name);
    assert_non_null(command);
    assert_int_equal(system(command), 0);
}

static void while_the_server_is_away_everything_says_try_again(void **state)
{
    (void)state;
    NEEDS_SERVER();
    struct store_version version;
    must_put("{'resourceType':'Basic','id':'a'}");
    server_command("CARELAYER_POSTGRESQL_STOP");
    assert_int_equal(try_read("Basic", "a", &version), STATUS_TRANSIENT);
    int64_t before = time_monotonic();
    assert_int_equal(
        try_put("{'resourceType':'Basic','id':'b'}", (struct store_condition){0}, NULL),
        STATUS_TRANSIENT);
    assert_true(time_monotonic() - before < 20 * MICROS_PER_SECOND);
    server_command("CARELAYER_POSTGRESQL_START");
    assert_int_equal(try_read("Basic", "a", &version), STATUS_OK);
    assert_int_equal(try_read("Basic", "b", &version), STATUS_NOT_FOUND);
    must_put("{'resourceType':'Basic','id':'b'}");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

/* ---- moving to another server ---------------------------------------------------------------- */

static void changes_go_on_behind_those_of_an_older_server(void **state)
{
    (void)state;
    NEEDS_SERVER();
    must_put("{'resourceType':'Basic','id':'a'}");
    store_shut();
    meddle("UPDATE resource SET change=change+(1000000::int8<<20)");
    meddle("UPDATE change SET change=change+(1000000::int8<<20)");
    store_reopen_with(NULL);
    must_put("{'resourceType':'Basic','id':'b'}");
    assert_string_equal(changed("Basic"), "b a");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void a_patient_s_rows_are_looked_for_in_one_partition(void **state)
{
    (void)state;
    NEEDS_SERVER();
    static const char *const shapes[] = {
        "SELECT body FROM resource WHERE patient=(2199023255553::int8 >> 31)::int4"
        " AND seq=(2199023255553::int8 & 2147483647)::int4",
        "SELECT home, seq FROM member WHERE patient=1024::int8::int4",
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char sql[400];
        PGconn *link = PQconnectdb(database);
        PQclear(
            PQexec(link, "SET search_path = carelayer; SET plan_cache_mode = force_generic_plan"));
        snprintf(sql, sizeof(sql), "EXPLAIN (COSTS off) %s", shapes[i]);
        PGresult *result = PQexec(link, sql);
        int scans = 0;
        for (int row = 0; row < PQntuples(result); row++) {
            scans += strstr(PQgetvalue(result, row, 0), "Scan") != NULL;
        }
        assert_in_range(scans, 1, 2); /* a bitmap is two steps on one table */
        PQclear(result);
        PQfinish(link);
    }
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(two_stores_on_one_database_see_each_other),
        SERVER_TEST(of_many_conditional_creates_at_once_one_creates),
        SERVER_TEST(versions_of_one_resource_are_in_order_whoever_writes),
        SERVER_TEST(whom_a_resource_concerns_is_right_though_both_ends_change_at_once),
        SERVER_TEST(history_waits_for_a_slower_transaction),
        SERVER_TEST(a_commit_whose_answer_is_lost_is_done_once),
        SERVER_TEST(connections_that_were_ended_are_made_anew),
        SERVER_TEST(while_the_server_is_away_everything_says_try_again),
        SERVER_TEST(changes_go_on_behind_those_of_an_older_server),
        SERVER_TEST(a_patient_s_rows_are_looked_for_in_one_partition),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
