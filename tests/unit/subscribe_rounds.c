/* SPDX-License-Identifier: MIT */
/* Rounds of deliveries: one subscription that fails is no other's misfortune, none is passed over
 * again and again, and of several processes one delivers. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "store_test.h"
#include "subscribe/subscribe_int.h"

#define EXTENSION "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."

static const char *allowed[] = {"http://127.0.0.1/"};
static const struct config settings = {.subscription_lease = 3,
                                       .subscriptions = 1000,
                                       .subscription_attempts = 3,
                                       .subscription_waiting = 1000,
                                       .subscription_endpoint = {.items = allowed, .count = 1}};

static void open_rounds(struct subscribe *subscribe)
{
    *subscribe = (struct subscribe){
        .options = {.config = &settings, .definitions = definitions, .store = store}};
    subscribe->subscription_type = type_named("Subscription");
    subscribe->basic_type = type_named("Basic");
    subscribe->types =
        arena_array(arena, (size_t)resource_type_count(definitions) + 1, sizeof *subscribe->types);
    (void)pthread_mutex_init(&subscribe->lock, NULL);
    assert_int_equal(store_reader_open(store, &subscribe->reader), STATUS_OK);
}

static void close_rounds(struct subscribe *subscribe)
{
    for (struct subscription *each = subscribe->subscriptions, *next; each != NULL; each = next) {
        next = each->next;
        subscription_free(each);
    }
    store_reader_close(subscribe->reader);
    arena_destroy(subscribe->topic_arena);
    (void)pthread_mutex_destroy(&subscribe->lock);
}

/* A topic of Patients, and Subscriptions to it, all taken in by one that delivers. */
static void subscribe_many(struct subscribe *subscribe, size_t count)
{
    must_put("{'resourceType':'Basic','id':'t','extension':["
             "{'url':'" EXTENSION "url','valueUri':'https://e/t'},"
             "{'url':'" EXTENSION "resourceTrigger','extension':[{'url':'resource','valueUri':"
             "'http://hl7.org/fhir/StructureDefinition/Patient'}]}],"
             "'modifierExtension':[{'url':'" EXTENSION "status','valueCode':'active'}],"
             "'code':{'coding':[{'system':'http://hl7.org/fhir/fhir-types',"
             "'code':'SubscriptionTopic'}]}}");
    for (size_t i = 0; i < count; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Subscription','id':'s%zu','status':'requested',"
                             "'reason':'x','criteria':'https://e/t','channel':{'type':'rest-hook',"
                             "'endpoint':'http://127.0.0.1/in','payload':'application/fhir+json',"
                             "'_payload':{'extension':[{'url':'" BACKPORT
                             "backport-payload-content','valueCode':'empty'}]}}}",
                             i));
    }
    atomic_store(&subscribe->holds, true);
    subscribe->until = INT64_MAX;
    struct store_tx *tx;
    assert_int_equal(store_snapshot_begin(subscribe->reader, 0, &tx), STATUS_OK);
    assert_int_equal(subscriptions_load(subscribe, tx), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(subscribe->count, count);
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        assert_non_null(each->topic);
        each->due = INT64_MAX; /* nothing is sent */
    }
}

/* Two subscriptions taken in, with nothing to tell yet. *RET_OTHER is the one told later. */
static struct subscription *open_two(struct subscribe *subscribe, struct subscription **ret_other)
{
    bool more, alone;
    open_rounds(subscribe);
    subscribe_many(subscribe, 2);
    assert_int_equal(changes_match(subscribe, &more, &alone), STATUS_OK);
    *ret_other = subscribe->subscriptions->next;
    return subscribe->subscriptions;
}

static struct slice status_of(struct slice id)
{
    struct store_version version;
    struct json json;
    struct store_tx *tx = begin();
    assert_int_equal(store_read(tx, type_named("Subscription"), id, arena, &version), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(json_read(version.body, &json_limits_default, arena, NULL, &json), STATUS_OK);
    return json_get_string(json.root, "status");
}

/* ---- matching ------------------------------------------------------------------------------ */

static void one_that_cannot_be_compared_keeps_no_other_from_its_events(void **state)
{
    (void)state;
    /* A search that leads elsewhere cannot be asked of one resource. */
    static const struct store_clause chain = {.modifier = STORE_CHAIN};
    struct store_query query = {
        .type = type_named("Patient"), .clauses = &chain, .clause_count = 1};
    struct wanted_filter filter = {.type = query.type, .plan = &query};
    struct subscribe subscribe;
    bool more, alone;
    int64_t wait = 0;
    struct subscription *other, *broken = open_two(&subscribe, &other);
    broken->wanted.filters = &filter;
    broken->wanted.filter_count = 1;
    must_put("{'resourceType':'Patient','id':'p'}");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(changes_match(&subscribe, &more, &alone), STATUS_NOT_SUPPORTED);
        assert_true(alone);
        assert_int_equal(other->numbers.last, 0); /* not yet: it may pass */
        assert_int_equal(deliveries_begin(&subscribe, &wait), STATUS_OK);
    }
    /* Only now that its standing says so is the change passed over for it. */
    assert_true(slice_is(status_of(broken->id), "error"));
    assert_int_equal(changes_match(&subscribe, &more, &alone), STATUS_OK);
    assert_int_equal(broken->numbers.last, 0);
    assert_int_equal(other->numbers.last, 1);
    assert_int_equal(other->wanted.standing, STANDING_REQUESTED);
    close_rounds(&subscribe);
}

/* ---- standings ----------------------------------------------------------------------------- */

static void one_whose_standing_cannot_be_written_keeps_no_other_from_theirs(void **state)
{
    (void)state;
    struct subscribe subscribe;
    struct arena *large = arena_create((size_t)64 << 20);
    size_t length = (size_t)17 << 20;
    int64_t wait = 0;
    struct subscription *other, *broken = open_two(&subscribe, &other);
    char *text = arena_array(large, length, 1);
    memset(text, 'x', length);
    broken->error = slice_of(text, length); /* larger than a commit may be */
    other->error = SLICE("why");
    assert_int_equal(deliveries_begin(&subscribe, &wait), STATUS_OK);
    assert_int_equal(broken->wanted.standing, STANDING_REQUESTED);
    assert_int_equal(broken->unsettled, 1);
    assert_int_equal(other->wanted.standing, STANDING_ERROR);
    assert_int_equal(deliveries_begin(&subscribe, &wait), STATUS_OK);
    assert_int_equal(broken->unsettled, 1); /* not at once again */
    close_rounds(&subscribe);
    arena_destroy(large);
}

/* ---- turns --------------------------------------------------------------------------------- */

/* Takes connections and never answers. */
static int silent_endpoint(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 200), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return listener;
}

static void who_was_passed_over_is_first_the_next_time(void **state)
{
    (void)state;
    enum { ALL = 150, AT_ONCE = 64 };
    struct subscribe subscribe;
    bool served[ALL] = {false};
    bool more, alone;
    int port, listener = silent_endpoint(&port);
    open_rounds(&subscribe);
    subscribe.multi = curl_multi_init();
    subscribe_many(&subscribe, ALL);
    assert_int_equal(changes_match(&subscribe, &more, &alone), STATUS_OK);
    const char *url = arena_print(arena, "http://127.0.0.1:%d/in", port);
    for (int round = 0; round < 3; round++) {
        int64_t wait = 0;
        size_t count = 0;
        for (struct subscription *each = subscribe.subscriptions; each != NULL; each = each->next) {
            each->due = 0;
            each->wanted.endpoint = slice_text(url);
        }
        assert_int_equal(deliveries_begin(&subscribe, &wait), STATUS_OK);
        for (struct subscription *each = subscribe.subscriptions; each != NULL; each = each->next) {
            uint64_t number;
            assert_true(slice_to_unsigned(slice_from(each->id, 1), ALL, &number));
            served[number] = served[number] || each->delivery != NULL;
            count += each->delivery != NULL;
            delivery_abandon(each->delivery);
        }
        assert_int_equal(count, AT_ONCE);
    }
    for (int i = 0; i < ALL; i++) {
        assert_true(served[i]);
    }
    close_rounds(&subscribe);
    (void)curl_multi_cleanup(subscribe.multi);
    close(listener);
}

/* ---- who delivers -------------------------------------------------------------------------- */

static enum status commit_one(struct subscribe *who, const char *text)
{
    struct commit commit = {.arena = arena};
    commit_set(&commit, SLICE("subscribe.cursor"), slice_text(text));
    return commit_make(&commit, who);
}

static void recall(struct subscribe *who)
{
    struct store_tx *tx;
    assert_int_equal(store_snapshot_begin(who->reader, 0, &tx), STATUS_OK);
    assert_int_equal(lease_recall(who, tx), STATUS_OK);
    store_snapshot_end(tx);
}

static void two_who_number_events_do_not_build_on_each_others_numbers(void **state)
{
    (void)state;
    struct subscribe one, other;
    open_rounds(&one);
    open_rounds(&other);
    assert_int_equal(commit_one(&one, "1"), STATUS_CONFLICT); /* it is not the one */
    atomic_store(&one.holds, true);
    atomic_store(&other.holds, true);
    assert_int_equal(commit_one(&one, "1"), STATUS_OK);
    assert_int_equal(commit_one(&one, "2"), STATUS_OK);
    assert_false(one.anew);
    assert_int_equal(commit_one(&other, "9"), STATUS_CONFLICT);
    assert_true(other.anew);
    struct slice cursor;
    struct store_tx *tx = begin();
    assert_int_equal(store_note_get(tx, SLICE("subscribe.cursor"), arena, &cursor), STATUS_OK);
    assert_true(slice_is(cursor, "2"));
    store_snapshot_end(tx);
    /* Whoever reads anew, and may, goes on. */
    recall(&other);
    atomic_store(&other.holds, true);
    assert_int_equal(commit_one(&other, "3"), STATUS_OK);
    assert_int_equal(commit_one(&one, "3"), STATUS_CONFLICT);
    close_rounds(&one);
    close_rounds(&other);
}

static bool takes(struct subscribe *who)
{
    bool taken = false;
    recall(who);
    if (!atomic_load(&who->holds)) {
        assert_int_equal(lease_take(who, &taken), STATUS_OK);
    }
    return taken;
}

static void a_store_of_its_own(struct subscribe *who, const char *path, struct store **ret_store)
{
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(mkdir(path, 0700), 0);
    struct store_options options = {
        .folder = path, .database = database, .definitions = definitions, .writers = 1};
    assert_int_equal(store_open(&options, &outcome, ret_store), STATUS_OK);
    open_rounds(who);
    store_reader_close(who->reader);
    who->options.store = *ret_store;
    assert_int_equal(store_reader_open(*ret_store, &who->reader), STATUS_OK);
}

static void of_several_processes_one_delivers(void **state)
{
    (void)state;
    struct subscribe one, other;
    if (!on_server()) {
        open_rounds(&one);
        recall(&one);
        assert_true(lease_held(&one)); /* nobody else can be there */
        close_rounds(&one);
        return;
    }
    const char *path = arena_print(arena, "%s-two", folder);
    struct store *theirs;
    open_rounds(&one);
    a_store_of_its_own(&other, path, &theirs);
    assert_false(takes(&one)); /* nobody subscribes */
    one.count = other.count = 1;
    assert_true(takes(&one) && lease_held(&one));
    assert_false(takes(&other));
    assert_int_equal(commit_one(&other, "1"), STATUS_CONFLICT);
    for (int i = 0; i < 4; i++) { /* longer than a lease, and a sign of life now and then */
        usleep(1000000);
        assert_int_equal(lease_renew(&one), STATUS_OK);
        assert_true(lease_held(&one));
        assert_false(takes(&other));
    }
    usleep(3300000);
    assert_false(lease_held(&one)); /* it knows by its own clock */
    assert_true(takes(&other) && lease_held(&other));
    one.until = INT64_MAX; /* and if it did not: */
    assert_int_equal(commit_one(&one, "1"), STATUS_CONFLICT);
    recall(&one);
    assert_false(atomic_load(&one.holds) || lease_held(&one));
    lease_release(&other);
    assert_false(lease_held(&other));
    assert_true(takes(&one));
    one.count = other.count = 0;
    close_rounds(&one);
    close_rounds(&other);
    store_close(theirs);
    (void)unlink(arena_print(arena, "%s/store.id", path));
    (void)unlink(arena_print(arena, "%s/records.lock", path));
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(one_that_cannot_be_compared_keeps_no_other_from_its_events),
        STORE_TEST(one_whose_standing_cannot_be_written_keeps_no_other_from_theirs),
        STORE_TEST(who_was_passed_over_is_first_the_next_time),
        STORE_TEST(two_who_number_events_do_not_build_on_each_others_numbers),
        STORE_TEST(of_several_processes_one_delivers),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
