/* SPDX-License-Identifier: MIT */
#include "fhir/bundle_int.h"

static const char *const method_names[] = {"DELETE", "POST", "PUT", "PATCH", "GET", "HEAD"};

const char *bundle_method_name(enum bundle_method method)
{
    return method_names[method];
}

/* One entry being read; problems are gathered, the first one's status stays. */
struct reading {
    const struct definitions *definitions;
    struct slice base;
    struct arena *arena;
    struct bundle *bundle;
    struct bundle_entry *entry;
    struct outcome faults;
    enum status status;
};

static void fault(struct reading *reading, enum status status, const char *member, const char *text)
{
    const char *path = arena_print(reading->arena, "Bundle.entry[%zu]%s%s", reading->entry->index,
                                   member[0] != '\0' ? "." : "", member);
    enum status given = outcome_fail(&reading->faults, status, path, "%s", text);
    reading->status = reading->status == STATUS_OK ? given : reading->status;
}

/* ---- the request --------------------------------------------------------------------------------
 */

static struct slice text_read(struct reading *reading, yyjson_val *object, const char *name,
                              const char *member)
{
    yyjson_val *value = json_get(object, name);
    if (value == NULL) {
        return (struct slice){NULL, 0};
    }
    if (json_string(value).length == 0) {
        fault(reading, STATUS_STRUCTURE, member, "Give a string that is not empty.");
    }
    return json_string(value);
}

static bool method_read(struct reading *reading, yyjson_val *request)
{
    struct slice name = json_get_string(request, "method");
    for (size_t i = 0; i < sizeof(method_names) / sizeof(method_names[0]); i++) {
        if (slice_is(name, method_names[i])) {
            reading->entry->method = (enum bundle_method)i;
            return true;
        }
    }
    fault(reading, name.length == 0 ? STATUS_REQUIRED : STATUS_VALUE, "request.method",
          "Give GET, HEAD, POST, PUT, PATCH or DELETE.");
    return false;
}

/* The url without the base; at is NULL when it is absolute and not ours. */
static struct slice url_relative(const struct reading *reading, struct slice url)
{
    size_t length = reading->base.length;
    if (length > 0 && slice_starts(url, reading->base) && url.length > length &&
        url.at[length] == '/') {
        return slice_from(url, length + 1);
    }
    size_t colon = slice_index(url, ':');
    bool absolute =
        url.length > 0 &&
        (url.at[0] == '/' || (colon < slice_index(url, '/') && colon < slice_index(url, '?')));
    return absolute ? (struct slice){NULL, 0} : url;
}

/* [Type[/id]][/more][?query] */
static bool url_read(struct reading *reading, yyjson_val *request)
{
    struct bundle_entry *entry = reading->entry;
    struct slice given = json_get_string(request, "url");
    struct slice url = url_relative(reading, given);
    if (given.length == 0 || url.at == NULL) {
        fault(reading, given.length == 0 ? STATUS_REQUIRED : STATUS_VALUE, "request.url",
              "Give the url relative to the base, as in Patient/123, without a slash before it.");
        return false;
    }
    size_t mark = slice_index(url, '?');
    struct slice path = slice_head(url, mark);
    struct slice rest = path;
    entry->url = url;
    entry->query = slice_from(url, mark + 1);
    struct slice first = slice_cut(&rest, '/');
    entry->type = resource_type_find(reading->definitions, first);
    if (entry->type == RESOURCE_TYPE_NONE) {
        entry->below = path;
        if (first.length == 0 || first.at[0] == '$' || first.at[0] == '_' ||
            slice_is(first, "metadata")) {
            return true;
        }
        fault(reading, STATUS_VALUE, "request.url", "It begins with no resource type of R4.");
        return false;
    }
    if (rest.length > 0 && rest.at[0] != '$' && rest.at[0] != '_') {
        entry->id = slice_cut(&rest, '/');
        if (!resource_id_valid(entry->id)) {
            fault(reading, STATUS_VALUE, "request.url",
                  "The id may have up to 64 letters, digits, hyphens and full stops.");
            return false;
        }
    }
    entry->below = rest;
    return true;
}

static void request_read(struct reading *reading, yyjson_val *request)
{
    struct bundle_entry *entry = reading->entry;
    entry->if_none_match = text_read(reading, request, "ifNoneMatch", "request.ifNoneMatch");
    entry->if_match = text_read(reading, request, "ifMatch", "request.ifMatch");
    entry->if_none_exist = text_read(reading, request, "ifNoneExist", "request.ifNoneExist");
    entry->if_modified_since =
        text_read(reading, request, "ifModifiedSince", "request.ifModifiedSince");
    if (entry->if_none_exist.length > 0 && entry->method != BUNDLE_POST) {
        fault(reading, STATUS_INVALID, "request.ifNoneExist",
              "It makes a create conditional and goes with POST only.");
    }
}

/* ---- the resource -------------------------------------------------------------------------------
 */

static void resource_read(struct reading *reading, yyjson_val *value)
{
    struct bundle_entry *entry = reading->entry;
    if (value == NULL) {
        return;
    }
    entry->resource = value;
    entry->resource_type =
        resource_type_find(reading->definitions, json_get_string(value, "resourceType"));
    if (!yyjson_is_obj(value) || entry->resource_type == RESOURCE_TYPE_NONE) {
        fault(reading, STATUS_STRUCTURE, "resource",
              "Give an object whose resourceType is a resource type of R4.");
    }
}

static void body_check(struct reading *reading)
{
    const struct bundle_entry *entry = reading->entry;
    if (entry->resource == NULL) {
        fault(reading, STATUS_REQUIRED, "resource", "POST, PUT and PATCH need a resource.");
    } else if (entry->method != BUNDLE_PATCH && entry->resource_type != RESOURCE_TYPE_NONE &&
               entry->resource_type != entry->type) {
        fault(reading, STATUS_INVALID, "resource.resourceType",
              "It must be the type that request.url names.");
    }
}

static void create_check(struct reading *reading)
{
    const struct bundle_entry *entry = reading->entry;
    if (entry->below.length > 0) {
        return; /* an operation or a search, whose body is its own affair */
    }
    if (entry->type == RESOURCE_TYPE_NONE || entry->id.length > 0) {
        fault(reading, STATUS_INVALID, "request.url",
              "POST goes to a type, as in Patient. To give the id yourself use PUT.");
        return;
    }
    body_check(reading);
}

static void change_check(struct reading *reading)
{
    const struct bundle_entry *entry = reading->entry;
    if (entry->type == RESOURCE_TYPE_NONE || entry->below.length > 0 ||
        (entry->id.length == 0 && entry->query.length == 0)) {
        fault(reading, STATUS_INVALID, "request.url",
              "It must name one resource, as in Patient/123, or search for it, as in "
              "Patient?identifier=...");
        return;
    }
    if (entry->method == BUNDLE_DELETE) {
        return;
    }
    body_check(reading);
    if (entry->method == BUNDLE_PUT && entry->id.length > 0 && entry->resource != NULL &&
        !slice_equals(json_get_string(entry->resource, "id"), entry->id)) {
        fault(reading, STATUS_INVALID, "resource.id", "It must be the id that request.url names.");
    }
}

/* ---- fullUrl ------------------------------------------------------------------------------------
 */

struct slice full_url_root(const struct definitions *definitions, struct slice full_url,
                           resource_type *ret_type, struct slice *ret_id)
{
    size_t at = full_url.length;
    if (slice_starts(full_url, SLICE("http://")) || slice_starts(full_url, SLICE("https://"))) {
        for (int slashes = 0; at > 0 && slashes < 2; at--) {
            slashes += full_url.at[at - 1] == '/' ? 1 : 0;
        }
        at++; /* past the second slash from the end */
    }
    struct reference reference =
        reference_parse(definitions, slice_from(full_url, at), (struct slice){NULL, 0});
    /* At least one byte of host must stand before Type/id. */
    if (reference.kind != REFERENCE_LOCAL || at <= sizeof("https://") - 1) {
        *ret_type = RESOURCE_TYPE_NONE;
        return (struct slice){NULL, 0};
    }
    *ret_type = reference.type;
    *ret_id = reference.id;
    return slice_head(full_url, at);
}

static void full_url_check(struct reading *reading)
{
    const struct bundle_entry *entry = reading->entry;
    struct reference parsed =
        reference_parse(reading->definitions, entry->full_url, (struct slice){NULL, 0});
    if (parsed.kind != REFERENCE_FOREIGN && parsed.kind != REFERENCE_URN) {
        fault(reading, STATUS_INVALID, "fullUrl",
              "Give an absolute URI, as in urn:uuid:... or https://...");
        return;
    }
    if (memmem(entry->full_url.at, entry->full_url.length, "/_history/", 10) != NULL) {
        fault(reading, STATUS_INVALID, "fullUrl",
              "It must not name one version (bdl-8). Leave out /_history/ and what follows.");
        return;
    }
    resource_type type;
    struct slice id;
    (void)full_url_root(reading->definitions, entry->full_url, &type, &id);
    struct slice own = json_get_string(entry->resource, "id");
    if (type == RESOURCE_TYPE_NONE || entry->resource_type == RESOURCE_TYPE_NONE ||
        entry->method == BUNDLE_PATCH) {
        return;
    }
    if (type != entry->resource_type || (own.length > 0 && !slice_equals(own, id))) {
        fault(reading, STATUS_INVALID, "fullUrl",
              "It must end in the type and id of the entry's resource.");
    }
}

static enum status full_url_link(struct reading *reading)
{
    struct bundle_entry *entry = reading->entry;
    bool is_new;
    struct entry_link *link = link_map_add(&reading->bundle->links, entry->full_url, &is_new);
    if (link == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (!is_new) {
        fault(reading, STATUS_INVALID, "fullUrl",
              "Another entry has the same fullUrl (bdl-7). Give each entry its own.");
        return STATUS_OK;
    }
    link->owner = entry;
    entry->link = link;
    /* A create is no link to the id of a url, an update is: its id is known from the start. */
    return entry->id.length > 0 && entry->method == BUNDLE_PUT
               ? bundle_set_target(reading->definitions, reading->bundle, entry, entry->id)
               : STATUS_OK;
}

/* ---- identities ---------------------------------------------------------------------------------
 */

static enum status claim(const struct definitions *definitions, struct bundle *bundle,
                         const struct bundle_entry *entry, struct slice id, bool *ret_free)
{
    *ret_free = true;
    if (!bundle->transaction) {
        return STATUS_OK;
    }
    struct slice text = identity_text(definitions, bundle->claims.arena, entry->type, id);
    bool is_new;
    struct entry_link *link = text.at != NULL ? link_map_add(&bundle->claims, text, &is_new) : NULL;
    if (link == NULL) {
        return STATUS_TOO_COSTLY;
    }
    link->owner = is_new ? entry : link->owner;
    *ret_free = link->owner == entry;
    return STATUS_OK;
}

static const char overlap[] =
    "Another entry of the transaction changes the same resource. Put both changes into one entry.";

enum status bundle_claim(const struct definitions *definitions, struct bundle *bundle,
                         const struct bundle_entry *entry, struct slice id, struct outcome *outcome)
{
    bool is_free;
    TRY(claim(definitions, bundle, entry, id, &is_free));
    if (is_free) {
        return STATUS_OK;
    }
    const char *path =
        arena_print(bundle->claims.arena, "Bundle.entry[%zu].request.url", entry->index);
    return outcome_fail(outcome, STATUS_INVALID, path, "%s", overlap);
}

/* ---- the bundle ---------------------------------------------------------------------------------
 */

static bool is_change(const struct bundle_entry *entry)
{
    return entry->method == BUNDLE_PUT || entry->method == BUNDLE_PATCH ||
           entry->method == BUNDLE_DELETE;
}

static void entry_check(struct reading *reading, yyjson_val *value)
{
    struct bundle_entry *entry = reading->entry;
    yyjson_val *request = json_get(value, "request");
    resource_read(reading, json_get(value, "resource"));
    if (!yyjson_is_obj(request)) {
        fault(reading, STATUS_REQUIRED, "request", "Say what is to be done: give method and url.");
        return;
    }
    bool method = method_read(reading, request);
    bool url = url_read(reading, request);
    if (!method) {
        return;
    }
    request_read(reading, request);
    if (url && entry->method == BUNDLE_POST) {
        create_check(reading);
    } else if (url && is_change(entry)) {
        change_check(reading);
    }
}

/* Marks ENTRY as faulty, for its own answer and in the whole's outcome. */
static enum status faults_keep(struct reading *reading, struct outcome *outcome)
{
    struct bundle_entry *entry = reading->entry;
    if (reading->status == STATUS_OK) {
        return STATUS_OK;
    }
    struct outcome *kept = ARENA_NEW(reading->arena, struct outcome);
    if (kept == NULL) {
        return STATUS_TOO_COSTLY;
    }
    *kept = reading->faults;
    entry->status = reading->status;
    entry->faults = kept;
    for (const struct issue *issue = kept->first; outcome != NULL && issue != NULL;
         issue = issue->next) {
        struct issue copy = *issue;
        copy.next = NULL;
        outcome_add(outcome, &copy);
    }
    return STATUS_OK;
}

static enum status entry_read(struct reading *reading, yyjson_val *value, struct outcome *outcome)
{
    struct bundle_entry *entry = reading->entry;
    outcome_init(&reading->faults, reading->arena);
    reading->status = STATUS_OK;
    entry_check(reading, value);
    entry->full_url = text_read(reading, value, "fullUrl", "fullUrl");
    if (entry->full_url.length > 0) {
        full_url_check(reading);
        TRY(full_url_link(reading));
    }
    if (reading->status == STATUS_OK && is_change(entry) && entry->id.length > 0) {
        bool is_free;
        TRY(claim(reading->definitions, reading->bundle, entry, entry->id, &is_free));
        if (!is_free) {
            fault(reading, STATUS_INVALID, "request.url", overlap);
        }
    }
    return faults_keep(reading, outcome);
}

static enum status type_read(yyjson_val *value, struct outcome *outcome, bool *ret_transaction)
{
    struct slice type = json_get_string(value, "type");
    *ret_transaction = slice_is(type, "transaction");
    if (!slice_is(json_get_string(value, "resourceType"), "Bundle")) {
        return outcome_fail(outcome, STATUS_STRUCTURE, "resourceType", "Send a Bundle here.");
    }
    if (!*ret_transaction && !slice_is(type, "batch")) {
        return outcome_fail(outcome, STATUS_INVALID, "Bundle.type",
                            "Only a Bundle of type batch or transaction can be carried out. To "
                            "keep another as it is, send it to [base]/Bundle.");
    }
    return STATUS_OK;
}

enum status bundle_read(const struct definitions *definitions, yyjson_val *value, struct slice base,
                        struct arena *arena, struct outcome *outcome, struct bundle *ret_bundle)
{
    struct bundle *bundle = ret_bundle;
    *bundle = (struct bundle){.links = {.arena = arena}, .claims = {.arena = arena}};
    TRY(type_read(value, outcome, &bundle->transaction));
    yyjson_val *entries = json_get(value, "entry");
    if (entries != NULL && !yyjson_is_arr(entries)) {
        return outcome_fail(outcome, STATUS_STRUCTURE, "Bundle.entry", "It must be an array.");
    }
    bundle->entries = arena_array(arena, yyjson_arr_size(entries), sizeof(*bundle->entries));
    if (bundle->entries == NULL) {
        return STATUS_TOO_COSTLY;
    }
    bundle->count = yyjson_arr_size(entries);
    struct reading reading = {
        .definitions = definitions, .base = base, .arena = arena, .bundle = bundle};
    enum status first = STATUS_OK;
    size_t at, max;
    yyjson_val *item;
    yyjson_arr_foreach(entries, at, max, item)
    {
        reading.entry = &bundle->entries[at];
        reading.entry->index = at;
        TRY(entry_read(&reading, item, outcome));
        first = first == STATUS_OK ? reading.status : first;
    }
    return bundle->transaction ? first : STATUS_OK;
}

struct bundle_entry *const *bundle_order(const struct bundle *bundle, struct arena *arena)
{
    static const int ranks[] = {0, 1, 2, 2, 3, 3}; /* by enum bundle_method */
    struct bundle_entry **order = arena_array(arena, bundle->count, sizeof(struct bundle_entry *));
    size_t count = 0;
    for (int rank = 0; order != NULL && rank <= 3; rank++) {
        for (size_t i = 0; i < bundle->count; i++) {
            if (bundle->transaction ? ranks[bundle->entries[i].method] == rank : rank == 0) {
                order[count++] = &bundle->entries[i];
            }
        }
    }
    return order;
}
