/* SPDX-License-Identifier: MIT */
/* subscribe: telling others what happened, as topic-based subscriptions (FHIR R5) in the form of
 * the Subscriptions R5 Backport for R4 (STU 1.1). Subscriptions are resources; topics are resources
 * too, of type Basic in the guide's cross-version form, or come in packages.
 *
 * One thread does it all: it reads the store's changes in their order, gives each change that a
 * topic and a subscription's filters ask for a running number of that subscription, and delivers
 * by number, one notification at a time, so that nothing is lost and order holds. The numbers, what
 * was delivered and how far changes were read are durable in one commit, before anything leaves:
 * after kill -9 a number still means the same event. (docs/adr/0013)
 *
 * What may be sent is decided when it is sent, and every person it is about has an access entry on
 * disk before the first byte leaves. An endpoint is called only when the operator allowed it.
 *
 * Threads: everything here may be called from any thread. */
#ifndef CARELAYER_SUBSCRIBE_SUBSCRIBE_H
#define CARELAYER_SUBSCRIBE_SUBSCRIBE_H

#include "audit/audit.h"
#include "base/base.h"
#include "fhir/fhir.h"
#include "search/search.h"
#include "store/store.h"

struct subscribe;

struct subscribe_options {
    const struct config *config; /* endpoints, limits, back-off; packages with topics */
    const struct definitions *definitions;
    struct store *store;
    struct audit *audit;
    struct terms *terms;                 /* for filters; may be NULL */
    struct conformance *conformance;     /* the same */
    enum status (*ready)(void *context); /* before a filter is planned; NULL: nothing to do */
    void *context;
    /* May VERSION be shown? Asked of every resource whose content is about to leave. */
    enum status (*guard)(const struct definitions *definitions, struct store_tx *tx,
                         const struct store_version *version, struct arena *arena, bool *ret_open);
};

/* Goes on where an earlier process stopped. */
MUST_CHECK enum status subscribe_open(const struct subscribe_options *options,
                                      struct outcome *outcome, struct subscribe **ret_subscribe);
/* Ends what is under way; it is sent again after subscribe_open. NULL is allowed. */
void subscribe_close(struct subscribe *subscribe);

/* Something was written. Cheap. NULL is allowed. */
void subscribe_wake(struct subscribe *subscribe);

/* ---- what is about to be stored -----------------------------------------------------------------
 */

/* Looks at a Subscription or Basic that is about to be stored; anything else is STATUS_OK and
 * itself. A Subscription that this server could not serve is refused, explained. What is to be
 * stored instead of ROOT: the status a client may not set becomes `requested`, and header values,
 * which are secrets, go out of the record: they are named by marks, and kept beside it by
 * subscribe_keep. SUBSCRIBE may be NULL: nothing is served then. */
struct subscribe_admission {
    yyjson_val *root;
    struct slice id;     /* of the Subscription; empty: it is none */
    struct slice mark;   /* under which the secrets are kept; empty: there are none */
    struct slice secret; /* and these */
};
MUST_CHECK enum status subscribe_admit(struct subscribe *subscribe,
                                       const struct definitions *definitions, resource_type type,
                                       struct slice id, yyjson_val *root, struct slice base_url,
                                       struct arena *arena, struct outcome *outcome,
                                       struct subscribe_admission *ret_admission);

/* A topic counts a moment after it was stored. When the one that this Subscription names is not
 * known, waits until what is stored now is taken in, at most seconds. Not within a transaction.
 * Anything but a Subscription, or NULL: nothing. */
void subscribe_await_topic(struct subscribe *subscribe, yyjson_val *root);

/* What must be stored together with the draft made of it. */
MUST_CHECK enum status subscribe_keep(const struct subscribe_admission *admission,
                                      struct slice base_url, struct arena *arena,
                                      struct store_draft *draft);

/* ---- operations ---------------------------------------------------------------------------------
 */

enum subscribe_content { SUBSCRIBE_EMPTY, SUBSCRIBE_ID_ONLY, SUBSCRIBE_FULL };

/* Writes the Parameters of the guide's profile "backport-subscription-status-r4" with type
 * query-status, as the snapshot has it. STATUS_NOT_FOUND: no such subscription. WANTED: statuses,
 * comma between; empty: any (*RET_WANTED false: another one). */
MUST_CHECK enum status subscribe_status(struct subscribe *subscribe, struct store_tx *tx,
                                        struct slice id, struct slice wanted, struct slice base_url,
                                        struct arena *arena, struct buffer *out, bool *ret_wanted);

/* The ids of all, in order. */
MUST_CHECK enum status subscribe_ids(struct subscribe *subscribe, struct store_tx *tx,
                                     struct arena *arena, struct slice **ret_ids,
                                     size_t *ret_count);

/* Whose data is in what was written. */
typedef void subscribe_disclose(void *context, const struct store_version *version);

struct subscribe_question {
    struct slice id;
    uint64_t since, until; /* event numbers, both included; 0: from the first, to the last */
    bool has_content;
    enum subscribe_content content; /* never more than the subscription itself asks for */
    struct slice base_url;
};
/* $events: writes the notification Bundle (type query-event) of the events that are kept.
 * STATUS_NOT_FOUND; STATUS_TOO_COSTLY: more at once than a Bundle may hold, explained. */
MUST_CHECK enum status subscribe_events(struct subscribe *subscribe, struct store_tx *tx,
                                        const struct subscribe_question *question,
                                        subscribe_disclose *disclose, void *context,
                                        struct arena *arena, struct outcome *outcome,
                                        struct buffer *out);

/* ---- websockets ---------------------------------------------------------------------------------
 */

/* A token that binds one socket, once, to subscriptions with channel websocket, for some seconds.
 * STATUS_NOT_FOUND: one of them is none of these, explained. STATUS_TRANSIENT: another process
 * tells subscribers, explained. */
#define SUBSCRIBE_TOKEN 43
MUST_CHECK enum status subscribe_token(struct subscribe *subscribe, const struct slice *ids,
                                       size_t count, struct outcome *outcome,
                                       char ret_token[static SUBSCRIBE_TOKEN + 1],
                                       int64_t *ret_expires);

/* A client at the other end of a socket. WAKE is called, from any thread, when there is something
 * to send; and not any more once subscribe_socket_close has returned. */
struct subscribe_socket;
struct subscribe_socket *subscribe_socket_open(struct subscribe *subscribe,
                                               void (*wake)(void *context), void *context);
void subscribe_socket_close(struct subscribe_socket *socket);

/* STATUS_FORBIDDEN: no such token, used before, or too late. */
MUST_CHECK enum status subscribe_socket_bind(struct subscribe_socket *socket, struct slice token);

/* The next message to send: false when there is none. It lives until subscribe_socket_sent, which
 * says that it left for the client; one at a time. */
bool subscribe_socket_next(struct subscribe_socket *socket, struct slice *ret_message);
void subscribe_socket_sent(struct subscribe_socket *socket);

/* Another process tells subscribers now: the client is to come again, there. */
bool subscribe_socket_ended(struct subscribe_socket *socket);

/* ---- numbers ------------------------------------------------------------------------------------
 */

struct subscribe_statistics {
    uint64_t active, failed, requested, off; /* subscriptions now */
    uint64_t waiting;                        /* events not delivered yet, of active ones */
    uint64_t dead;                           /* events of failed ones: nobody delivers them */
    uint64_t events, delivered, failures;    /* since the start of the process */
    uint64_t sockets;
    bool delivers; /* of several processes this one does; else all but the last are its own past */
};
void subscribe_statistics(struct subscribe *subscribe, struct subscribe_statistics *ret_numbers);

#endif
