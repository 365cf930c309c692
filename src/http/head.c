/* SPDX-License-Identifier: MIT */
/* The rules of a whole head that a grammar cannot say (RFC 9112, 3.2, 6.1, 6.3). */
#include "parse.h"

static bool is_host_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_';
}

static bool is_address_byte(char byte)
{
    return (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F') ||
           (byte >= '0' && byte <= '9') || byte == ':' || byte == '.';
}

bool authority_is_safe(struct slice authority)
{
    size_t i = 0;
    if (authority.length > 0 && authority.at[0] == '[') {
        for (i = 1; i < authority.length && is_address_byte(authority.at[i]); i++) {
        }
        if (i < 3 || i >= authority.length || authority.at[i] != ']') {
            return false;
        }
        i++;
    } else {
        for (; i < authority.length && is_host_byte(authority.at[i]); i++) {
        }
        if (i == 0 || i > 255) {
            return false;
        }
    }
    if (i == authority.length) {
        return true;
    }
    uint64_t port = 0;
    return authority.at[i] == ':' && slice_to_unsigned(slice_from(authority, i + 1), 65535, &port);
}

static bool split_path(struct head *head, struct slice rest, struct failure *failure)
{
    for (size_t i = 0; i < rest.length; i++) {
        unsigned char byte = (unsigned char)rest.at[i];
        if (byte <= ' ' || byte >= 127 || byte == '#') {
            return failure_set(failure, 400, "structure",
                               "The request target has characters that must be percent-encoded.");
        }
    }
    size_t mark = slice_index(rest, '?');
    head->path = slice_head(rest, mark);
    head->query = slice_from(rest, mark + 1);
    if (head->path.length == 0) {
        head->path = SLICE("/");
    }
    return true;
}

static bool check_target(struct head *head, struct failure *failure)
{
    struct slice target = head->target;
    if (target.length > 0 && target.at[0] == '/') {
        return split_path(head, target, failure);
    }
    if (slice_is(target, "*") && head->method == METHOD_OPTIONS) {
        head->path = target;
        return true;
    }
    size_t scheme = 0;
    if (slice_equals_ignoring_case(slice_head(target, 7), SLICE("http://"))) {
        scheme = 7;
    } else if (slice_equals_ignoring_case(slice_head(target, 8), SLICE("https://"))) {
        scheme = 8;
    } else {
        return failure_set(failure, 400, "structure",
                           "The request target must be a path or an http address.");
    }
    /* An absolute target's authority takes the place of Host (RFC 9112, 3.2.2). */
    struct slice rest = slice_from(target, scheme);
    size_t end = 0;
    while (end < rest.length && rest.at[end] != '/' && rest.at[end] != '?') {
        end++;
    }
    head->authority = slice_head(rest, end);
    return split_path(head, slice_from(rest, end), failure);
}

static bool check_host(struct head *head, struct failure *failure)
{
    if (head->known.host_count > 1) {
        return failure_set(failure, 400, "structure", "Send one Host field, not several.");
    }
    if (head->known.host_count == 0 && head->minor >= 1) {
        return failure_set(failure, 400, "required", "HTTP/1.1 needs a Host field.");
    }
    struct slice host = head->known.host;
    if (host.length > 0 && !authority_is_safe(host)) {
        return failure_set(failure, 400, "value", "The Host field is no host and port.");
    }
    if (head->authority.at == NULL) {
        head->authority = host;
    } else if (!authority_is_safe(head->authority)) {
        return failure_set(failure, 400, "value", "The request target names no host and port.");
    }
    return true;
}

static bool check_framing(const struct head *head, struct failure *failure)
{
    const struct known_headers *known = &head->known;
    if (known->content_length_count > 1 || (head->has_length && head->chunked)) {
        return failure_set(failure, 400, "structure",
                           "Send one Content-Length and no Transfer-Encoding beside it.");
    }
    if (!head->chunked) {
        return true;
    }
    if (head->minor == 0 || known->transfer_encoding_count > 1) {
        return failure_set(failure, 400, "structure",
                           "Send one Transfer-Encoding field, and only with HTTP/1.1.");
    }
    if (!slice_equals_ignoring_case(known->transfer_encoding, SLICE("chunked"))) {
        return failure_set(failure, 501, "not-supported",
                           "The only transfer coding read here is chunked.");
    }
    return true;
}

bool head_check(struct head *head, struct failure *ret_failure)
{
    if (head->minor > 1) {
        return failure_set(ret_failure, 505, "not-supported", "Speak HTTP/1.1 or HTTP/1.0.");
    }
    return check_target(head, ret_failure) && check_host(head, ret_failure) &&
           check_framing(head, ret_failure);
}
