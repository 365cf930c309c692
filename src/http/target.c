/* SPDX-License-Identifier: MIT */
/* Which of our things a request names, and whether a browser may ask for it from where it stands.
 */
#include "http_int.h"

#define FHIR_PREFIX SLICE("/fhir")

static bool under(struct slice path, struct slice prefix, struct slice *ret_rest)
{
    if (prefix.length == 0 || !slice_starts(path, prefix)) {
        return false;
    }
    struct slice rest = slice_from(path, prefix.length);
    if (rest.length > 0 && rest.at[0] != '/') {
        return false;
    }
    *ret_rest = slice_from(rest, 1);
    return true;
}

/* "Patient%2F1" is not "Patient/1": a slash that is part of a segment would be read as another path
 * further on. */
static bool decode_path(struct connection *connection, struct slice path, struct slice *ret_path,
                        struct failure *failure)
{
    if (slice_index(path, '%') == path.length) {
        *ret_path = path;
        return true;
    }
    struct buffer out = {.arena = connection->request->arena};
    bool fine = url_decode(path, false, &out) && buffer_ok(&out);
    size_t slashes = 0;
    for (size_t i = 0; i < path.length; i++) {
        slashes += path.at[i] == '/';
    }
    for (size_t i = 0; fine && i < out.length; i++) {
        slashes -= out.at[i] == '/';
        fine = (unsigned char)out.at[i] >= ' ' && out.at[i] != 127;
    }
    *ret_path = buffer_slice(&out);
    return (fine && slashes == 0) ||
           failure_set(failure, 400, "structure", "The path has escapes that mean nothing here.");
}

static struct slice host_only(struct slice authority)
{
    if (authority.length > 0 && authority.at[0] == '[') {
        return slice_head(authority, slice_index(authority, ']') + 1);
    }
    return slice_head(authority, slice_index(authority, ':'));
}

static bool is_address_or_localhost(struct slice host)
{
    if (host.length == 0 || host.at[0] == '[' ||
        slice_equals_ignoring_case(host, SLICE("localhost"))) {
        return true;
    }
    for (size_t i = 0; i < host.length; i++) {
        if ((host.at[i] < '0' || host.at[i] > '9') && host.at[i] != '.') {
            return false;
        }
    }
    return true;
}

/* Without rules, "only this machine" is the only guard. A web page whose name is made to resolve to
 * 127.0.0.1 would pass it, but its browser still names the page's host. */
static bool check_rebinding(struct connection *connection, struct failure *failure)
{
    const struct http_server *server = connection->loop->server;
    struct slice authority = connection->parser.head.authority;
    if (!slice_is(slice_text(server->service->config->auth), "off") ||
        is_address_or_localhost(host_only(authority)) ||
        slice_equals_ignoring_case(authority, server->own_authority)) {
        return true;
    }
    return failure_set(failure, 421, "forbidden",
                       "While rules are off this server answers to localhost and to addresses "
                       "only. Set base-url to use a name.");
}

bool origin_allowed(const struct http_server *server, struct slice origin)
{
    const struct config_list *cors = &server->service->config->cors;
    for (size_t i = 0; i < cors->count; i++) {
        if (strcmp(cors->items[i], "*") == 0 || slice_is(origin, cors->items[i])) {
            return origin.length > 0;
        }
    }
    return false;
}

bool origin_is_ours(const struct connection *connection, struct slice origin)
{
    struct slice scheme = connection->tls ? SLICE("https://") : SLICE("http://");
    const struct http_server *server = connection->loop->server;
    struct slice base = config_base_url(server->service->config);
    struct slice authority = connection->parser.head.authority;
    if (slice_starts(origin, scheme) &&
        slice_equals_ignoring_case(slice_from(origin, scheme.length), authority)) {
        return true;
    }
    size_t end = base.length - server->fhir_prefix.length;
    return base.length > 0 && slice_equals_ignoring_case(origin, slice_head(base, end));
}

/* Another site's page may send simple forms without asking first; nothing of ours is meant to be
 * used so. */
static bool check_origin(struct connection *connection, struct failure *failure)
{
    const struct head *head = &connection->parser.head;
    struct slice origin = head->known.origin;
    bool reads =
        head->method == METHOD_GET || head->method == METHOD_HEAD || head->method == METHOD_OPTIONS;
    if (reads || origin.length == 0 || origin_is_ours(connection, origin) ||
        origin_allowed(connection->loop->server, origin)) {
        return true;
    }
    return failure_set(failure, 403, "forbidden",
                       "Pages of this origin may not change records here (see the cors setting).");
}

static void set_base_url(struct connection *connection)
{
    struct request *request = connection->request;
    struct slice configured = config_base_url(connection->loop->server->service->config);
    if (configured.length > 0) {
        request->base_url = configured;
        return;
    }
    struct slice authority = connection->parser.head.authority;
    struct buffer base = {.arena = request->arena};
    buffer_reserve(&base, authority.length + 16);
    buffer_add(&base, connection->tls ? SLICE("https://") : SLICE("http://"));
    buffer_add(&base, authority.length > 0 ? authority : SLICE("localhost"));
    buffer_add(&base, FHIR_PREFIX);
    request->base_url = buffer_slice(&base);
}

bool target_resolve(struct connection *connection, struct failure *failure)
{
    const struct head *head = &connection->parser.head;
    const struct http_server *server = connection->loop->server;
    struct request *request = connection->request;
    struct slice rest = {0};
    if (!check_rebinding(connection, failure) || !check_origin(connection, failure)) {
        return false;
    }
    set_base_url(connection);
    bool preflight = head->known.preflight_method.length > 0 && head->known.origin.length > 0;
    if (head->method == METHOD_OPTIONS && (preflight || slice_is(head->path, "*"))) {
        connection->route = ROUTE_OPTIONS;
        return true;
    }
    if (under(head->path, FHIR_PREFIX, &rest) || under(head->path, server->fhir_prefix, &rest)) {
        connection->route = ROUTE_FHIR;
        return decode_path(connection, rest, &request->target, failure);
    }
    connection->route = slice_is(head->path, "/healthz")   ? ROUTE_HEALTH
                        : slice_is(head->path, "/metrics") ? ROUTE_METRICS
                                                           : ROUTE_APPS;
    return decode_path(connection, head->path, &request->target, failure);
}
