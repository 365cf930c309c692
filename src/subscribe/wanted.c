/* SPDX-License-Identifier: MIT */
/* What a Subscription asks for (Subscriptions R5 Backport 1.1, profile "backport-subscription"). */
#include "subscribe/subscribe_int.h"

const char *const standing_names[] = {"requested", "active", "error", "off"};

struct reading {
    const struct definitions *definitions;
    struct arena *arena;
    struct outcome *outcome;
    struct wanted *wanted;
};

static enum status refuse(const struct reading *reading, enum status status, const char *path,
                          const char *text)
{
    return outcome_fail(reading->outcome, status, path, "%s", text);
}

/* ---- extensions ---------------------------------------------------------------------------------
 */

/* The extension number INDEX of this name; NULL: none. */
static yyjson_val *extension_of(yyjson_val *element, const char *name, size_t index)
{
    size_t at, max;
    yyjson_val *extension, *all = json_get(element, "extension");
    struct slice prefix = slice_text(BACKPORT);
    if (!yyjson_is_arr(all)) {
        return NULL;
    }
    yyjson_arr_foreach(all, at, max, extension)
    {
        struct slice url = json_get_string(extension, "url");
        if (slice_starts(url, prefix) && slice_is(slice_from(url, prefix.length), name) &&
            index-- == 0) {
            return extension;
        }
    }
    return NULL;
}

static enum status read_number(const struct reading *reading, yyjson_val *channel,
                               const char *extension, const char *member, uint64_t least,
                               uint64_t most, uint32_t *ret_number)
{
    yyjson_val *found = extension_of(channel, extension, 0);
    uint64_t number = 0;
    if (found == NULL) {
        return STATUS_OK;
    }
    if (!slice_to_unsigned(json_number(json_get(found, member)), most, &number) || number < least) {
        return outcome_fail(reading->outcome, STATUS_BUSINESS_RULE, "Subscription.channel",
                            "%s has %s from %llu to %llu.", extension, member,
                            (unsigned long long)least, (unsigned long long)most);
    }
    *ret_number = (uint32_t)number;
    return STATUS_OK;
}

/* ---- the address --------------------------------------------------------------------------------
 */

static bool is_plain(struct slice address)
{
    for (size_t i = 0; i < address.length; i++) {
        unsigned char byte = (unsigned char)address.at[i];
        if (byte <= ' ' || byte >= 127 || strchr("\"<>\\^`{|}", byte) != NULL) {
            return false;
        }
    }
    return true;
}

/* A name before the host (http://known@other/) or steps up would make a prefix mean little. */
static bool is_endpoint(struct slice address)
{
    bool http = slice_starts(address, SLICE("http://")) || slice_starts(address, SLICE("https://"));
    if (!http || address.length > 2000 || !is_plain(address)) {
        return false;
    }
    struct slice rest = slice_from(address, slice_starts(address, SLICE("https")) ? 8 : 7);
    size_t host = 0;
    while (host < rest.length && strchr("/?#", rest.at[host]) == NULL) {
        if (rest.at[host++] == '@') {
            return false;
        }
    }
    struct slice path = slice_from(rest, host);
    for (size_t i = 0; i < path.length && path.at[i] != '?'; i++) {
        struct slice here = slice_from(path, i);
        if (slice_starts(here, SLICE("/..")) || slice_starts(here, SLICE("/%2e")) ||
            slice_starts(here, SLICE("/%2E")) || slice_starts(here, SLICE("/.%"))) {
            return false;
        }
    }
    return host > 0;
}

bool endpoint_allowed(const struct config_list *prefixes, struct slice endpoint)
{
    for (size_t i = 0; i < prefixes->count && is_endpoint(endpoint); i++) {
        struct slice prefix = slice_text(prefixes->items[i]);
        char next = endpoint.length > prefix.length ? endpoint.at[prefix.length] : '/';
        bool border = slice_ends(prefix, SLICE("/")) || next == '/' || next == '?';
        if (is_endpoint(prefix) && slice_starts(endpoint, prefix) && border) {
            return true;
        }
    }
    return false;
}

/* ---- the channel --------------------------------------------------------------------------------
 */

/* Those that say how the message is framed are not the subscriber's to set. */
static bool header_is_ours(struct slice name)
{
    static const char *const ours[] = {
        "Host",         "Content-Length", "Transfer-Encoding", "Connection",
        "Content-Type", "Expect",         "Upgrade",           "TE",
        "Trailer"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (slice_equals_ignoring_case(name, slice_text(ours[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_header(struct slice header)
{
    struct slice rest = header;
    struct slice name = slice_cut(&rest, ':');
    if (rest.at == NULL || name.length == 0 || header.length > 8000 || header_is_ours(name)) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) { /* a token of RFC 9110, 5.6.2 */
        char c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    for (size_t i = 0; i < rest.length; i++) {
        unsigned char byte = (unsigned char)rest.at[i];
        if ((byte < ' ' && byte != '\t') || byte == 127) {
            return false;
        }
    }
    return true;
}

static enum status read_headers(const struct reading *reading, yyjson_val *channel)
{
    struct wanted *wanted = reading->wanted;
    yyjson_val *header, *all = json_get(channel, "header");
    size_t at, max, count = yyjson_is_arr(all) ? yyjson_arr_size(all) : 0;
    if (count > HEADERS_MOST) {
        return refuse(reading, STATUS_BUSINESS_RULE, "Subscription.channel.header",
                      "There are at most 16 headers.");
    }
    wanted->headers = arena_array(reading->arena, count + 1, sizeof *wanted->headers);
    if (wanted->headers == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (count == 0) {
        return STATUS_OK;
    }
    yyjson_arr_foreach(all, at, max, header)
    {
        if (!is_header(json_string(header))) {
            return outcome_fail(reading->outcome, STATUS_BUSINESS_RULE,
                                "Subscription.channel.header",
                                "Header number %zu is not 'Name: value' of HTTP, or is one that "
                                "this server sets itself.",
                                at + 1);
        }
        wanted->headers[wanted->header_count++] = arena_copy(reading->arena, json_string(header));
    }
    return STATUS_OK;
}

static enum status read_payload(const struct reading *reading, yyjson_val *channel)
{
    struct slice type = json_get_string(channel, "payload");
    struct slice media = slice_trim(slice_head(type, slice_index(type, ';')));
    yyjson_val *extension =
        extension_of(json_get(channel, "_payload"), "backport-payload-content", 0);
    struct slice content = json_get_string(extension, "valueCode");
    static const char *const contents[] = {"empty", "id-only", "full-resource"};
    if (!slice_is(media, "application/fhir+json") && !slice_is(media, "application/json")) {
        return refuse(reading, STATUS_NOT_SUPPORTED, "Subscription.channel.payload",
                      "Notifications are sent as application/fhir+json.");
    }
    for (size_t i = 0; i < 3; i++) {
        if (slice_is(content, contents[i])) {
            reading->wanted->content = (enum subscribe_content)i;
            return STATUS_OK;
        }
    }
    return refuse(reading, STATUS_BUSINESS_RULE, "Subscription.channel.payload",
                  "The extension backport-payload-content says empty, id-only or full-resource.");
}

static enum status read_channel(const struct reading *reading, yyjson_val *channel)
{
    struct wanted *wanted = reading->wanted;
    struct slice type = json_get_string(channel, "type");
    bool hook = slice_is(type, "rest-hook");
    wanted->channel = hook ? CHANNEL_REST_HOOK : CHANNEL_WEBSOCKET;
    if ((!hook && !slice_is(type, "websocket")) ||
        extension_of(json_get(channel, "_type"), "backport-channel-type", 0) != NULL) {
        return refuse(reading, STATUS_NOT_SUPPORTED, "Subscription.channel.type",
                      "The channels here are rest-hook and websocket.");
    }
    wanted->endpoint = arena_copy(reading->arena, json_get_string(channel, "endpoint"));
    if (hook && !is_endpoint(wanted->endpoint)) {
        return refuse(reading, STATUS_BUSINESS_RULE, "Subscription.channel.endpoint",
                      "The endpoint is an http or https address without user or '..' in it.");
    }
    TRY(read_headers(reading, channel));
    TRY(read_payload(reading, channel));
    wanted->timeout = TIMEOUT_DEFAULT;
    wanted->most = COUNT_MOST;
    TRY(read_number(reading, channel, "backport-heartbeat-period", "valueUnsignedInt", 1, 31536000,
                    &wanted->heartbeat));
    TRY(read_number(reading, channel, "backport-timeout", "valueUnsignedInt", 1, TIMEOUT_MOST,
                    &wanted->timeout));
    TRY(read_number(reading, channel, "backport-max-count", "valuePositiveInt", 1, 1000000,
                    &wanted->most));
    wanted->most = wanted->most > COUNT_MOST ? COUNT_MOST : wanted->most;
    return STATUS_OK;
}

/* ---- the criteria -------------------------------------------------------------------------------
 */

static enum status read_filters(const struct reading *reading, yyjson_val *criteria)
{
    struct wanted *wanted = reading->wanted;
    yyjson_val *extension;
    size_t count = 0;
    while (extension_of(criteria, "backport-filter-criteria", count) != NULL) {
        count++;
    }
    wanted->filters = arena_array(reading->arena, count + 1, sizeof *wanted->filters);
    if (wanted->filters == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; (extension = extension_of(criteria, "backport-filter-criteria", i)) != NULL;
         i++) {
        struct wanted_filter *filter = &wanted->filters[wanted->filter_count++];
        struct slice text = json_get_string(extension, "valueString");
        size_t mark = slice_index(text, '?');
        filter->text =
            arena_copy(reading->arena, slice_from(text, mark < text.length ? mark + 1 : 0));
        if (mark < text.length) {
            filter->type = resource_type_find(reading->definitions, slice_head(text, mark));
        }
        if (filter->text.length == 0 ||
            (mark < text.length && filter->type == RESOURCE_TYPE_NONE)) {
            return refuse(reading, STATUS_BUSINESS_RULE, "Subscription.criteria",
                          "A filter is a search as Encounter?patient=Patient/1.");
        }
    }
    return STATUS_OK;
}

static enum status read_criteria(const struct reading *reading, yyjson_val *root)
{
    struct wanted *wanted = reading->wanted;
    struct slice topic = json_get_string(root, "criteria");
    struct slice url = slice_cut(&topic, '|');
    size_t scheme = slice_index(url, ':');
    if (scheme == url.length || slice_index(url, '?') < scheme) {
        return refuse(reading, STATUS_NOT_SUPPORTED, "Subscription.criteria",
                      "criteria is the canonical URL of a topic, with filters in the extension "
                      "backport-filter-criteria: a search as criteria (R4 without the backport) is "
                      "not supported.");
    }
    wanted->topic = arena_copy(reading->arena, url);
    wanted->topic_version = arena_copy(reading->arena, topic);
    return read_filters(reading, json_get(root, "_criteria"));
}

enum status wanted_read(const struct definitions *definitions, yyjson_val *root,
                        struct arena *arena, struct outcome *outcome, struct wanted *ret_wanted)
{
    struct slice status = json_get_string(root, "status");
    struct slice end = json_get_string(root, "end");
    struct partial_date date;
    struct reading reading = {definitions, arena, outcome, ret_wanted};
    int64_t high;
    *ret_wanted = (struct wanted){.standing = STANDING_REQUESTED};
    for (size_t i = 0; i <= STANDING_OFF; i++) {
        if (slice_is(status, standing_names[i])) {
            ret_wanted->standing = (enum standing)i;
        }
    }
    if (date_parse(end, DATE_FORM_INSTANT, &date)) {
        date_range(&date, &ret_wanted->end, &high);
    }
    TRY(read_criteria(&reading, root));
    TRY(read_channel(&reading, json_get(root, "channel")));
    return arena_full(arena) ? STATUS_TOO_COSTLY : STATUS_OK;
}
