/* SPDX-License-Identifier: MIT */
/* Clients on websockets: tokens that let them in, and what waits to be sent to them. */
#include "subscribe/subscribe_int.h"

/* ---- tokens -------------------------------------------------------------------------------------
 */

/* Whoever asks for a token uses it at once: so older ones go first, none is refused, and nobody has
 * more than a few waiting for one Subscription. */
#define TOKENS_OF_ONE 4

static bool is_older(const struct token *token, const struct token *other)
{
    return other == NULL || token->expires < other->expires;
}

static struct token *room_for_token(struct subscribe *subscribe)
{
    struct token *oldest = NULL;
    for (size_t i = 0; i < TOKENS_MOST; i++) {
        struct token *token = &subscribe->tokens[i];
        if (token->count == 0) {
            return token;
        }
        oldest = is_older(token, oldest) ? token : oldest;
    }
    return oldest;
}

static bool names(const struct token *token, struct slice id)
{
    for (size_t i = 0; i < token->count; i++) {
        if (slice_equals(token->ids[i], id)) {
            return true;
        }
    }
    return false;
}

/* Room for one more that names this. */
static void thin_out(struct subscribe *subscribe, struct slice id, int64_t now)
{
    struct token *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < TOKENS_MOST; i++) {
        struct token *token = &subscribe->tokens[i];
        if (token->count > 0 && token->expires <= now) {
            token->count = 0;
        }
        if (names(token, id)) {
            count++;
            oldest = is_older(token, oldest) ? token : oldest;
        }
    }
    if (count >= TOKENS_OF_ONE) {
        oldest->count = 0;
    }
}

static void name_token(struct token *token)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[SUBSCRIBE_TOKEN];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < SUBSCRIBE_TOKEN; i++) {
        token->text[i] = letters[bytes[i] % 64];
    }
    token->text[SUBSCRIBE_TOKEN] = '\0';
}

static bool is_bindable(const struct subscribe *subscribe, struct slice id)
{
    const struct subscription *subscription = subscription_find(subscribe, id);
    return subscription != NULL && subscription->wanted.channel == CHANNEL_WEBSOCKET &&
           subscription->wanted.standing <= STANDING_ACTIVE;
}

static enum status make_token(struct subscribe *subscribe, const struct slice *ids, size_t count,
                              struct outcome *outcome, struct token **ret_token)
{
    size_t used = 0;
    *ret_token = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!is_bindable(subscribe, ids[i])) {
            return outcome_fail(outcome, STATUS_NOT_FOUND, "id",
                                "Subscription number %zu is not here, not for the channel "
                                "websocket, or not in force.",
                                i + 1);
        }
    }
    for (size_t i = 0; i < count; i++) {
        thin_out(subscribe, ids[i], time_monotonic());
    }
    struct token *token = room_for_token(subscribe);
    *ret_token = token;
    for (size_t i = 0; i < count; i++) {
        memcpy(token->room + used, ids[i].at, ids[i].length);
        token->ids[i] = slice_of(token->room + used, ids[i].length);
        used += ids[i].length;
    }
    name_token(token);
    token->count = count;
    token->expires =
        time_monotonic() + subscribe->options.config->subscription_token * MICROS_PER_SECOND;
    return STATUS_OK;
}

enum status subscribe_token(struct subscribe *subscribe, const struct slice *ids, size_t count,
                            struct outcome *outcome, char ret_token[static SUBSCRIBE_TOKEN + 1],
                            int64_t *ret_expires)
{
    struct token *token = NULL;
    if (count == 0 || count > 16) {
        return outcome_fail(outcome, STATUS_VALUE, "id",
                            "A token is for one to 16 Subscriptions: name them with id.");
    }
    if (!atomic_load(&subscribe->holds)) {
        return outcome_fail(outcome, STATUS_TRANSIENT, "",
                            "Another process of this server tells subscribers: websockets are for "
                            "its address (docs/subscriptions.md), or for this one in a moment.");
    }
    (void)pthread_mutex_lock(&subscribe->lock);
    enum status status = make_token(subscribe, ids, count, outcome, &token);
    if (status == STATUS_OK) {
        memcpy(ret_token, token->text, SUBSCRIBE_TOKEN + 1);
        *ret_expires =
            time_now() + subscribe->options.config->subscription_token * MICROS_PER_SECOND;
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    return status;
}

/* Compared without telling by its time how much of it is right. */
static struct token *find_token(struct subscribe *subscribe, struct slice text)
{
    struct token *found = NULL;
    for (size_t i = 0; i < TOKENS_MOST && text.length == SUBSCRIBE_TOKEN; i++) {
        struct token *token = &subscribe->tokens[i];
        unsigned difference = token->count == 0;
        for (size_t j = 0; j < SUBSCRIBE_TOKEN; j++) {
            difference |= (unsigned char)(token->text[j] ^ text.at[j]);
        }
        found = difference == 0 ? token : found;
    }
    return found;
}

/* ---- sockets ------------------------------------------------------------------------------------
 */

struct subscribe_socket *subscribe_socket_open(struct subscribe *subscribe,
                                               void (*wake)(void *context), void *context)
{
    struct arena *arena = arena_create((size_t)64 << 10);
    struct subscribe_socket *socket =
        arena != NULL ? ARENA_NEW(arena, struct subscribe_socket) : NULL;
    if (socket == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    *socket = (struct subscribe_socket){
        .subscribe = subscribe, .arena = arena, .wake = wake, .context = context};
    (void)pthread_mutex_lock(&subscribe->lock);
    socket->next = subscribe->sockets;
    subscribe->sockets = socket;
    subscribe->totals.sockets++;
    (void)pthread_mutex_unlock(&subscribe->lock);
    return socket;
}

static void drop_first(struct subscribe_socket *socket)
{
    struct message *message = socket->first;
    socket->first = message->next;
    if (socket->first == NULL) {
        socket->last = NULL;
    }
    arena_destroy(message->arena);
}

void subscribe_socket_close(struct subscribe_socket *socket)
{
    struct subscribe *subscribe = socket->subscribe;
    (void)pthread_mutex_lock(&subscribe->lock);
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        if (each->socket == socket) {
            each->socket = NULL;
            each->greeted = false;
            each->queued = false; /* what it had not sent is sent again, to another */
        }
    }
    struct subscribe_socket **at = &subscribe->sockets;
    while (*at != socket) {
        at = &(*at)->next;
    }
    *at = socket->next;
    subscribe->totals.sockets--;
    while (socket->first != NULL) {
        drop_first(socket);
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    arena_destroy(socket->arena);
}

enum status subscribe_socket_bind(struct subscribe_socket *socket, struct slice text)
{
    struct subscribe *subscribe = socket->subscribe;
    enum status status = STATUS_FORBIDDEN;
    (void)pthread_mutex_lock(&subscribe->lock);
    struct token *token = find_token(subscribe, text);
    size_t unsent = 0;
    for (const struct message *each = socket->first; each != NULL; each = each->next) {
        unsent++;
    }
    if (token != NULL && token->expires > time_monotonic() && unsent < MESSAGES_MOST) {
        status = STATUS_OK;
        for (size_t i = 0; i < token->count; i++) {
            struct subscription *subscription = subscription_find(subscribe, token->ids[i]);
            if (subscription != NULL && is_bindable(subscribe, token->ids[i])) {
                subscription->socket = socket;
                subscription->greeted = subscription->queued = false;
                subscription->due = 0;
            }
        }
    }
    if (token != NULL) {
        token->count = 0; /* once */
    }
    (void)pthread_mutex_unlock(&subscribe->lock);
    subscribe_wake(subscribe);
    return status;
}

bool subscribe_socket_next(struct subscribe_socket *socket, struct slice *ret_message)
{
    (void)pthread_mutex_lock(&socket->subscribe->lock);
    bool has = socket->first != NULL && !socket->sending && !socket->ended;
    if (has) {
        socket->sending = true;
        *ret_message = socket->first->text;
    }
    (void)pthread_mutex_unlock(&socket->subscribe->lock);
    return has;
}

bool subscribe_socket_ended(struct subscribe_socket *socket)
{
    (void)pthread_mutex_lock(&socket->subscribe->lock);
    bool ended = socket->ended;
    (void)pthread_mutex_unlock(&socket->subscribe->lock);
    return ended;
}

void subscribe_socket_sent(struct subscribe_socket *socket)
{
    struct subscribe *subscribe = socket->subscribe;
    (void)pthread_mutex_lock(&subscribe->lock);
    struct message *message = socket->first;
    struct subscription *subscription = message->subscription;
    if (subscription != NULL && subscription->socket == socket) {
        subscription->queued = false;
        subscription->sent = time_monotonic();
        if (message->up_to > subscription->acknowledged) {
            subscription->acknowledged = message->up_to;
        }
    }
    socket->sending = false;
    drop_first(socket);
    (void)pthread_mutex_unlock(&subscribe->lock);
    subscribe_wake(subscribe);
}

void socket_send(struct subscribe_socket *socket, struct message *message)
{
    if (socket->last != NULL) {
        socket->last->next = message;
    } else {
        socket->first = message;
    }
    socket->last = message;
    socket->wake(socket->context);
}

void socket_forget(struct subscribe *subscribe, struct subscription *subscription)
{
    for (struct subscribe_socket *socket = subscribe->sockets; socket != NULL;
         socket = socket->next) {
        for (struct message *each = socket->first; each != NULL; each = each->next) {
            each->subscription = each->subscription == subscription ? NULL : each->subscription;
        }
    }
}

void sockets_end(struct subscribe *subscribe)
{
    for (struct subscription *each = subscribe->subscriptions; each != NULL; each = each->next) {
        each->socket = NULL;
        each->greeted = each->queued = false;
    }
    for (size_t i = 0; i < TOKENS_MOST; i++) {
        subscribe->tokens[i].count = 0;
    }
    for (struct subscribe_socket *socket = subscribe->sockets; socket != NULL;
         socket = socket->next) {
        socket->ended = true;
        socket->wake(socket->context);
    }
}
