/* SPDX-License-Identifier: MIT */
#ifndef CARELAYER_SUBSCRIBE_SUBSCRIBE_INT_H
#define CARELAYER_SUBSCRIBE_SUBSCRIBE_INT_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "subscribe/subscribe.h"

#define BACKPORT "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"

/* ---- topics (topic.c) ---------------------------------------------------------------------------
 */

#define ON_CREATE 1u
#define ON_UPDATE 2u
#define ON_DELETE 4u

struct topic_trigger {
    resource_type type;
    unsigned interactions;
    struct slice previous, current;    /* searches; empty: none */
    bool create_passes, delete_passes; /* what a test of a version that is not there comes to */
    bool both;
    const struct store_query *previous_plan, *current_plan; /* NULL: none */
};

struct topic_filter {   /* canFilterBy */
    resource_type type; /* NONE: any */
    struct slice name;
    const struct slice *modifiers; /* and comparators; none: any modifier, any comparator */
    size_t modifier_count;
};

struct topic_include { /* notificationShape */
    bool reverse;
    resource_type focus;
    resource_type source;
    const struct search_parameter *parameter;
};

struct topic {
    struct slice url, version, title;
    struct slice id; /* of the Basic that it is; empty: it came in a package */
    bool active;
    struct topic_trigger *triggers;
    size_t trigger_count;
    struct topic_filter *filters;
    size_t filter_count;
    struct topic_include *includes;
    size_t include_count;
    struct topic *next;
};

/* Is it a Basic that stands for a SubscriptionTopic, or one itself? */
bool topic_is(yyjson_val *root);

/* Reads either form. What is not understood of it is refused, explained: to pass over a rule would
 * tell too much or too little. Everything lives in ARENA, texts too. */
MUST_CHECK enum status topic_read(const struct definitions *definitions, yyjson_val *root,
                                  struct arena *arena, struct outcome *outcome,
                                  struct topic **ret_topic);

/* ---- what a subscriber wants (wanted.c) ---------------------------------------------------------
 */

enum channel { CHANNEL_REST_HOOK, CHANNEL_WEBSOCKET };
enum standing { STANDING_REQUESTED, STANDING_ACTIVE, STANDING_ERROR, STANDING_OFF };
extern const char *const standing_names[];

#define HEADERS_MOST    16
#define TIMEOUT_DEFAULT 10
#define TIMEOUT_MOST    60
#define COUNT_MOST      100
#define FILTERS_MOST    64
#define FILTERS_BYTES   ((size_t)16 << 10) /* all filters together */
/* Bytes of a Subscription or topic: all of them are held in memory, and written anew with a status,
 * by one thread for all. */
#define RESOURCE_MOST ((size_t)256 << 10)

struct wanted_filter {
    resource_type type; /* NONE: of the topic's only type */
    struct slice text;
    const struct store_query *plan;
};

struct wanted {
    struct slice topic, topic_version;
    enum standing standing;
    int64_t end; /* instant; 0: none */
    enum channel channel;
    struct slice endpoint;
    struct slice *headers; /* "Name: value" */
    size_t header_count;
    enum subscribe_content content;
    uint32_t heartbeat, timeout, most; /* seconds; events in a notification */
    struct wanted_filter *filters;
    size_t filter_count;
};

/* Reads a Subscription of the profile backport-subscription; refusals are explained. */
MUST_CHECK enum status wanted_read(const struct definitions *definitions, yyjson_val *root,
                                   struct arena *arena, struct outcome *outcome,
                                   struct wanted *ret_wanted);

/* admit.c: does a header's value lie beside the record, and where? */
bool header_mark(struct slice header, struct slice *ret_mark, uint64_t *ret_index);

/* May this address be called? It begins as one of the prefixes, up to a border of the address. */
bool endpoint_allowed(const struct config_list *prefixes, struct slice endpoint);

/* ---- plans and matches (match.c) ----------------------------------------------------------------
 */

struct planner {
    const struct subscribe_options *options;
    struct slice base_url;
    struct arena *arena; /* of the plans */
    struct outcome *outcome;
};

MUST_CHECK enum status plan_topic(const struct planner *planner, struct topic *topic);
/* Every filter is one that the topic allows. */
MUST_CHECK enum status plan_filters(const struct planner *planner, const struct topic *topic,
                                    struct wanted *wanted);

/* A change that may be an event, read when first something looks at it. */
struct happening {
    const struct store_version *version;
    struct store_tx *tx;
    struct arena *arena;
    bool has_current, has_previous; /* they were looked for */
    yyjson_val *current, *previous; /* NULL: there is none */
};
MUST_CHECK enum status happening_fires(struct happening *happening, const struct topic *topic,
                                       struct slice base_url, bool *ret_fires);
MUST_CHECK enum status happening_passes(struct happening *happening, const struct wanted *wanted,
                                        struct slice base_url, bool *ret_passes);

/* ---- what is durable (state.c) ------------------------------------------------------------------
 * Notes: "subscribe.cursor"; "subscribe/{id}": the numbers; "subscribe.events/{id}/{n}": events
 * n*CHUNK+1 and following, a line each; "subscribe.base/{id}": under which address it was asked
 * for; "subscribe.secret/{id}/{mark}": an endpoint and the header values meant for it. */

#define CHUNK 64u

struct event {
    uint64_t number, change;
    uint32_t version;
    int64_t updated; /* instant */
    enum store_method method;
    bool created;
    resource_type type;
    struct slice id;
};
void event_write(const struct definitions *definitions, const struct event *event,
                 struct buffer *out);
bool event_read(const struct definitions *definitions, struct slice line, struct event *ret_event);

struct numbers {
    uint64_t version;   /* of the resource that was last taken in, or written by us */
    uint64_t since;     /* only changes after this one count */
    uint64_t first;     /* the first event kept; last + 1: none is */
    uint64_t last;      /* events so far */
    uint64_t delivered; /* up to which event */
};
struct slice numbers_write(const struct numbers *numbers, struct arena *arena);
bool numbers_read(struct slice text, struct numbers *ret_numbers);

/* What is to be committed together. */
struct commit {
    struct arena *arena;
    struct commit_note {
        struct slice name, value; /* at NULL: to be removed */
        struct commit_note *next;
    } * notes;
    struct store_draft *draft; /* NULL: none */
    struct store_condition condition;
    struct slice entry;         /* of the access log, for the draft */
    struct slice before, after; /* seals */
    struct store_written written;
};
struct slice note_name(struct arena *arena, const char *kind, struct slice id);
struct slice events_name(struct arena *arena, struct slice id, uint64_t chunk);
void commit_set(struct commit *commit, struct slice name, struct slice value);
void commit_remove(struct commit *commit, struct slice name);
/* Each commit leaves a seal of its own and asks for that of the one before, so that nobody builds
 * on numbers that another process has changed meanwhile, or on a commit that only seemed to fail:
 * STATUS_CONFLICT, also when this process does not deliver. After this and any other failure but
 * STATUS_PRECONDITION all is read anew. */
MUST_CHECK enum status commit_make(struct commit *commit, struct subscribe *subscribe);
/* The same, whoever delivers: to be the one. */
MUST_CHECK enum status commit_seal(struct commit *commit, struct subscribe *subscribe);

/* ---- who delivers (lease.c) ---------------------------------------------------------------------
 * Of several processes on one server one delivers: the note "subscribe.holder" names it. Each of
 * its commits leaves a new seal; when it has nothing to commit it does so to show that it lives.
 * Who has seen the same seal for the time of a lease, by its own clock, may put its name there. The
 * one that was there stops before, by its own clock; and whatever its clock says, none of its
 * commits is taken any more, so it sends at most again what it had begun with. With SQLite nobody
 * else is there. */

/* Reads the seal and whether the note names us. */
MUST_CHECK enum status lease_recall(struct subscribe *subscribe, struct store_tx *tx);
/* May something be sent now? */
bool lease_held(const struct subscribe *subscribe);
/* Shows that we live, when it is time to. */
MUST_CHECK enum status lease_renew(struct subscribe *subscribe);
/* Takes what is vacant; *RET_TAKEN: all is to be read anew. */
MUST_CHECK enum status lease_take(struct subscribe *subscribe, bool *ret_taken);
/* Gives it to whoever wants it. */
void lease_release(struct subscribe *subscribe);

/* Those with numbers from FIRST to LAST that are kept. */
MUST_CHECK enum status events_load(const struct definitions *definitions, struct store_tx *tx,
                                   struct slice id, uint64_t first, uint64_t last,
                                   struct arena *arena, struct event **ret_events,
                                   size_t *ret_count);

/* ---- the subscriptions --------------------------------------------------------------------------
 */

struct delivery;

struct subscription {
    struct subscribe *subscribe;
    struct subscription *next;
    struct arena *arena; /* of what the resource says; made anew with it */
    struct slice id;     /* in an arena of its own */
    struct arena *own;
    struct wanted wanted;
    const struct topic *topic; /* NULL: there is none (any more) */
    struct slice base_url;
    struct slice error; /* of standing error or off, static or in own */
    struct curl_slist *headers;
    bool headers_lost; /* they were given for another endpoint */
    struct numbers numbers;
    uint64_t
        replaced; /* the version taken in before, until what was kept for it is gone; 0: none */
    bool seen;    /* by the load that is going on */
    bool saved;
    unsigned faults;    /* how often in a row a change could not be compared with it */
    bool unmatched;     /* one cannot be: first its standing says so */
    unsigned unsettled; /* how often in a row its standing could not be written */
    int64_t settle_due; /* time_monotonic: not before */

    /* delivery */
    unsigned failures;
    int64_t due;               /* time_monotonic: not before */
    int64_t sent;              /* time_monotonic: last notification delivered */
    uint64_t acknowledged;     /* delivered, not durable yet */
    struct delivery *delivery; /* under way */
    struct subscribe_socket *socket;
    bool greeted;        /* the socket has had its handshake */
    bool queued;         /* a message of it waits in the socket */
    struct event *fresh; /* by match */
    size_t fresh_count, fresh_capacity;
};

struct token {
    char text[SUBSCRIBE_TOKEN + 1];
    int64_t expires; /* time_monotonic */
    struct slice ids[16];
    size_t count;
    char room[16 * 65];
};
#define TOKENS_MOST 256

struct subscribe {
    struct subscribe_options options;
    struct arena *arena;
    resource_type subscription_type, basic_type;
    struct topic *packaged; /* topics of packages, in arena */

    pthread_mutex_t
        lock; /* of what other threads look at: all below, and what a subscription has */
    pthread_cond_t turned; /* a round has ended */
    uint64_t rounds;
    struct subscription *subscriptions;
    size_t count;
    struct arena *topic_arena;
    struct topic *topics;
    struct subscribe_statistics totals;
    struct token tokens[TOKENS_MOST];
    struct subscribe_socket *sockets;

    /* lease.c: written by the thread */
    _Atomic bool holds; /* this process delivers */
    int64_t until;      /* time_monotonic: as far as it knows */
    int64_t renewed;    /* time_monotonic */
    int64_t seen;       /* time_monotonic: the seal of who does was seen first; 0: it was not */
    bool vacant;        /* nobody delivers */

    /* the thread's own */
    pthread_t thread;
    bool runs;
    struct store_reader *reader;
    CURLM *multi;
    struct delivery *deliveries;
    size_t delivery_count;
    uint64_t cursor, saved_cursor;
    int64_t cursor_saved; /* time_monotonic */
    uint64_t turn;
    bool *types;
    bool loaded; /* no: all of it, the numbers too, is to be read from the store */
    bool stale;  /* Subscriptions and topics are */
    bool anew;   /* while it is loaded: the numbers too */
    char seal[UUID_LENGTH + 1];
    int64_t retry; /* time_monotonic: the store failed; not before */
    _Atomic bool woken, stopping;
    _Atomic bool any; /* there are subscriptions: writes are news */
};

/* load.c: takes in what the snapshot has of Subscriptions and topics. */
MUST_CHECK enum status subscriptions_load(struct subscribe *subscribe, struct store_tx *tx);
MUST_CHECK enum status subscription_take(struct subscribe *subscribe, struct store_tx *tx,
                                         const struct store_version *version);
MUST_CHECK enum status subscription_forget(struct subscribe *subscribe, struct store_tx *tx,
                                           struct slice id);
MUST_CHECK enum status topics_of_packages(struct subscribe *subscribe, struct outcome *outcome);
const struct topic *topic_find(const struct subscribe *subscribe, const struct wanted *wanted);
void subscription_free(struct subscription *subscription);
struct subscription *subscription_find(const struct subscribe *subscribe, struct slice id);

/* follow.c: looks at some changes. *RET_MORE: there are further ones. *RET_ALONE: it failed by one
 * subscription, and the others may be told of what is known. */
MUST_CHECK enum status changes_match(struct subscribe *subscribe, bool *ret_more, bool *ret_alone);

/* load.c: of the versions from the one that was taken in before up to the current one, header
 * values that this no longer has. */
MUST_CHECK enum status secrets_forget_replaced(struct subscription *subscription,
                                               struct store_tx *tx, struct commit *commit);

/* standing.c: says in the resource what became of it. */
MUST_CHECK enum status standing_set(struct subscription *subscription, enum standing standing,
                                    struct slice error);

/* notify.c */
struct notification {
    const struct subscribe_options *options;
    struct slice id, topic, base_url;
    const struct topic *shape; /* NULL: nothing is included */
    enum standing standing;
    const char *type; /* "handshake", "heartbeat", "event-notification", "query-event" ... */
    uint64_t last;
    struct slice error;
    enum subscribe_content content;
    const struct event *events;
    size_t count;
    size_t bytes; /* end early once the Bundle is longer */
    subscribe_disclose *disclose;
    void *context;
};
/* The Parameters alone. */
void notification_write_status(const struct notification *notification, uint64_t waiting,
                               struct buffer *out);
/* *RET_COUNT: of the events, from the first, these are in it. */
MUST_CHECK enum status notification_write(const struct notification *notification,
                                          struct store_tx *tx, struct arena *arena,
                                          struct buffer *out, size_t *ret_count);

/* deliver.c */
/* Before attempt FAILURES + 1, microseconds: FIRST doubled each time up to MOST, less up to half by
 * chance. CHANCE in [0,1). */
int64_t backoff(unsigned failures, int64_t first, int64_t most, double chance);
/* Begins whatever is due; *RET_WAIT: until something is, microseconds. */
MUST_CHECK enum status deliveries_begin(struct subscribe *subscribe, int64_t *ret_wait);
/* Takes in what has ended. */
MUST_CHECK enum status deliveries_end(struct subscribe *subscribe);
/* Ends one that is under way; NULL is allowed. */
void delivery_abandon(struct delivery *delivery);

/* socket.c */
/* Under the lock. The client has taken the message of a delivery, or never will. */
struct message {
    struct arena *arena;
    struct slice text;
    struct subscription *subscription; /* NULL: it went away */
    uint64_t up_to;                    /* the last event in it; 0: none */
    struct message *next;
};
struct subscribe_socket {
    struct subscribe *subscribe;
    struct arena *arena;
    void (*wake)(void *context);
    void *context;
    struct message *first, *last; /* first: being sent once it was handed out */
    bool sending, ended;
    struct subscribe_socket *next;
};
#define MESSAGES_MOST 64 /* unsent ones of a socket that may be bound once more */
void socket_forget(struct subscribe *subscribe, struct subscription *subscription);
/* Under the lock: another process delivers now, so clients are to come again. */
void sockets_end(struct subscribe *subscribe);
void socket_send(struct subscribe_socket *socket, struct message *message);

#endif
