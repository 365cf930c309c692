/* SPDX-License-Identifier: MIT */
/* Bundles: full URLs, and the references that a document must hold within itself (R4 bundle.html
 * "Resource URL & Uniqueness rules in a bundle", "Resolving references in Bundles";
 * documents.html).
 */
#include "validate/form_int.h"

/* ---- entries by full URL ----------------------------------------------------------------------
 */

/* Where the URL is or would go. */
static size_t entry_slot(const struct bundle_index *index, struct slice url)
{
    size_t slot = slice_hash(url) & index->mask;
    while (index->slots[slot] != 0 &&
           !slice_equals(index->entries[index->slots[slot] - 1].full_url, url)) {
        slot = (slot + 1) & index->mask;
    }
    return slot;
}

const struct bundle_index *bundle_index_make(yyjson_val *bundle, struct arena *arena)
{
    yyjson_val *entries = json_get(bundle, "entry");
    size_t i, max, size = 8, count = yyjson_arr_size(entries);
    yyjson_val *entry;
    struct bundle_index *index = ARENA_NEW(arena, struct bundle_index);
    while (size < count * 2) {
        size *= 2;
    }
    if (index == NULL) {
        return NULL;
    }
    index->mask = size - 1;
    index->slots = arena_array(arena, size, sizeof(uint32_t));
    index->entries = arena_array(arena, count + 1, sizeof(struct bundle_index_entry));
    index->count = count;
    if (index->slots == NULL || index->entries == NULL) {
        return NULL;
    }
    yyjson_arr_foreach(entries, i, max, entry)
    {
        struct bundle_index_entry *row = &index->entries[i];
        row->entry = entry;
        row->number = (uint32_t)i;
        row->resource = json_get(entry, "resource");
        row->full_url = json_get_string(entry, "fullUrl");
        if (row->full_url.length > 0) {
            size_t slot = entry_slot(index, row->full_url);
            if (index->slots[slot] == 0) {
                index->slots[slot] = (uint32_t)i + 1;
            }
        }
    }
    return index;
}

static bool is_absolute(struct slice url)
{
    return slice_starts(url, SLICE("urn:")) ||
           (url.length > 0 && memmem(url.at, url.length, "://", 3) != NULL);
}

/* The part of a RESTful full URL before Type/id, with its slash; empty when it is not of that form.
 */
static struct slice base_of(struct slice full_url)
{
    size_t slashes = 0, length = full_url.length;
    if (slice_starts(full_url, SLICE("urn:"))) {
        return (struct slice){NULL, 0};
    }
    while (length > 0) {
        slashes += full_url.at[length - 1] == '/';
        if (slashes == 2) {
            return slice_head(full_url, length);
        }
        length--;
    }
    return (struct slice){NULL, 0};
}

struct slice reference_without_version(struct slice reference)
{
    const char *at =
        reference.length > 0 ? memmem(reference.at, reference.length, "/_history/", 10) : NULL;
    return at != NULL ? slice_head(reference, (size_t)(at - reference.at)) : reference;
}

const struct bundle_index_entry *bundle_index_find(const struct bundle_index *index,
                                                   struct slice from, struct slice reference,
                                                   struct arena *arena)
{
    struct slice url = reference_without_version(reference);
    if (url.length == 0 || url.at[0] == '#') {
        return NULL;
    }
    if (!is_absolute(url) && is_absolute(from)) {
        struct slice base = base_of(from);
        if (base.length == 0) {
            return NULL;
        }
        url = slice_text(arena_print(arena, "%.*s%.*s", SLICE_ARGS(base), SLICE_ARGS(url)));
    }
    uint32_t number = index->slots[entry_slot(index, url)];
    return number > 0 ? &index->entries[number - 1] : NULL;
}

/* ---- full URLs --------------------------------------------------------------------------------
 */

/* An http(s) URL that ends as a RESTful server's does: /Type/id. */
static bool names_type(const struct checker *checker, struct slice full_url, struct slice *ret_type,
                       struct slice *ret_id)
{
    struct slice base = base_of(full_url);
    if (base.length == 0 || !slice_starts(full_url, SLICE("http"))) {
        return false;
    }
    struct slice id = slice_from(full_url, base.length);
    *ret_type = slice_cut(&id, '/');
    *ret_id = id;
    return resource_type_find(checker->definitions, *ret_type) != RESOURCE_TYPE_NONE;
}

static bool is_relative(yyjson_val *entry)
{
    yyjson_val *url = json_get(entry, "fullUrl");
    return url != NULL && json_get(entry, "resource") != NULL && !is_absolute(json_string(url));
}

/* Who makes relative URLs makes them throughout: said once, at the first, with their number. */
static void check_absolute(struct checker *checker, const struct place *place, yyjson_val *bundle)
{
    yyjson_val *entries = json_get(bundle, "entry"), *entry, *first = NULL;
    size_t i, max, at = 0, count = 0;
    yyjson_arr_foreach(entries, i, max, entry)
    {
        if (is_relative(entry)) {
            at = count == 0 ? i : at;
            first = count++ == 0 ? entry : first;
        }
    }
    if (count > 0) {
        struct place where = place_member(checker, place, "entry", (uint32_t)at);
        report(checker, &where.frame, json_get(first, "fullUrl"), RULE_FULL_URL,
               say(checker,
                   "A fullUrl is absolute: write the whole URL, or urn:uuid: and a UUID. %zu of "
                   "%zu entries have a relative one; this is the first.",
                   count, max));
    }
}

static void check_full_url(struct checker *checker, const struct place *place, yyjson_val *entry,
                           bool needed)
{
    yyjson_val *url = json_get(entry, "fullUrl"), *resource = json_get(entry, "resource");
    struct slice text = json_string(url), type, id;
    if (resource == NULL) {
        return;
    }
    if (url == NULL) {
        if (needed) {
            report(checker, &place->frame, entry, RULE_FULL_URL,
                   "An entry needs a fullUrl, which says who its resource is: a URL or urn:uuid:.");
        }
        return;
    }
    if (is_absolute(text) && names_type(checker, text, &type, &id) &&
        (!slice_equals(type, json_get_string(resource, "resourceType")) ||
         !slice_equals(id, json_get_string(resource, "id")))) {
        report(checker, &place->frame, url, RULE_FULL_URL,
               "A fullUrl of this form ends with the type and the id of its resource: make both "
               "agree.");
    }
}

/* ---- links ------------------------------------------------------------------------------------
 */

/* Paging (R4 http.html#paging, RFC 5005): each of these stands once, or a reader does not know
 * which page comes next; and all but self only where there are pages. */
static void check_links(struct checker *checker, const struct place *place, yyjson_val *bundle)
{
    static const char *const relations[] = {"self", "first", "previous", "prev", "next", "last"};
    struct slice kind = json_get_string(bundle, "type");
    bool pages = slice_is(kind, "searchset") || slice_is(kind, "history");
    enum severity severity = checker->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING;
    bool met[sizeof relations / sizeof *relations] = {false};
    size_t i, max;
    yyjson_val *link;
    yyjson_arr_foreach(json_get(bundle, "link"), i, max, link)
    {
        yyjson_val *relation = json_get(link, "relation");
        struct place at = place_member(checker, place, "link", (uint32_t)i);
        for (size_t each = 0; each < sizeof relations / sizeof *relations; each++) {
            if (!slice_is(json_string(relation), relations[each])) {
                continue;
            }
            if (met[each]) {
                report_as(checker, severity, &at.frame, relation, RULE_LINK,
                          "A Bundle has one link of this relation: leave the others out.");
            } else if (!pages && each > 0 && kind.length > 0) {
                report_as(checker, severity, &at.frame, relation, RULE_LINK,
                          "This relation leads to a page of a search or a history, and this Bundle "
                          "is neither: leave it out.");
            }
            met[each] = true;
        }
    }
}

static struct slice version_of(const struct bundle_index_entry *entry)
{
    return json_get_string(json_get(entry->resource, "meta"), "versionId");
}

/* bdl-7: one version of one resource stands once. Its expression is quadratic. */
static void check_unique(struct checker *checker, const struct place *place, yyjson_val *bundle)
{
    const struct bundle_index *index = bundle_index_make(bundle, checker->arena);
    uint32_t *seen =
        index != NULL ? arena_array(checker->arena, index->mask + 1, sizeof *seen) : NULL;
    for (size_t i = 0; seen != NULL && i < index->count; i++) {
        const struct bundle_index_entry *entry = &index->entries[i], *other = NULL;
        size_t slot =
            (slice_hash(entry->full_url) * 31 + slice_hash(version_of(entry))) & index->mask;
        for (; seen[slot] != 0; slot = (slot + 1) & index->mask) {
            other = &index->entries[seen[slot] - 1];
            if (slice_equals(other->full_url, entry->full_url) &&
                slice_equals(version_of(other), version_of(entry))) {
                break;
            }
        }
        if (entry->full_url.length == 0) {
            continue;
        }
        if (seen[slot] != 0) {
            report(checker, &place->frame, entry->entry, RULE_UNIQUE,
                   "A fullUrl stands once in a Bundle, or its entries have different "
                   "meta.versionId.");
            return;
        }
        seen[slot] = (uint32_t)i + 1;
    }
}

/* ---- documents --------------------------------------------------------------------------------
 */

struct document {
    struct checker *checker;
    const struct bundle_index *index;
    struct slice full_url; /* of the composition */
};

static void check_inside(struct document *document, const struct place *up, const char *name,
                         uint32_t number, yyjson_val *reference)
{
    struct checker *checker = document->checker;
    yyjson_val *text = json_get(reference, "reference");
    struct slice target = json_string(text);
    if (target.length == 0 || target.at[0] == '#' ||
        bundle_index_find(document->index, document->full_url, target, checker->arena) != NULL) {
        return;
    }
    struct place at = place_member(checker, up, name, number);
    report(checker, &at.frame, text, RULE_DOCUMENT,
           "A document holds what its Composition refers to: add the resource, and refer to it by "
           "its fullUrl.");
}

static void check_each_inside(struct document *document, const struct place *up, const char *name,
                              yyjson_val *object)
{
    yyjson_val *value = json_get(object, name), *item;
    size_t i, max;
    if (yyjson_is_obj(value)) {
        check_inside(document, up, name, NO_INDEX, value);
    }
    yyjson_arr_foreach(value, i, max, item)
    {
        check_inside(document, up, name, (uint32_t)i, item);
    }
}

static void check_sections(struct document *document, const struct place *up, yyjson_val *object)
{
    size_t i, max;
    yyjson_val *section;
    yyjson_arr_foreach(json_get(object, "section"), i, max, section)
    {
        struct place at = place_member(document->checker, up, "section", (uint32_t)i);
        check_each_inside(document, &at, "author", section);
        check_each_inside(document, &at, "focus", section);
        check_each_inside(document, &at, "entry", section);
        check_sections(document, &at, section);
    }
}

static void check_composition(struct document *document, const struct place *place,
                              yyjson_val *composition)
{
    size_t i, max;
    yyjson_val *item;
    check_each_inside(document, place, "subject", composition);
    check_each_inside(document, place, "encounter", composition);
    check_each_inside(document, place, "author", composition);
    check_each_inside(document, place, "custodian", composition);
    yyjson_arr_foreach(json_get(composition, "attester"), i, max, item)
    {
        struct place at = place_member(document->checker, place, "attester", (uint32_t)i);
        check_each_inside(document, &at, "party", item);
    }
    yyjson_arr_foreach(json_get(composition, "event"), i, max, item)
    {
        struct place at = place_member(document->checker, place, "event", (uint32_t)i);
        check_each_inside(document, &at, "detail", item);
    }
    check_sections(document, place, composition);
}

/* Which entries hang together by references: union-find over their numbers. */
struct web {
    struct document *document;
    uint32_t *parents;
    uint32_t number; /* of the entry walked */
};

static uint32_t web_root(struct web *web, uint32_t number)
{
    while (web->parents[number] != number) {
        web->parents[number] = web->parents[web->parents[number]];
        number = web->parents[number];
    }
    return number;
}

static void web_join(struct web *web, uint32_t one, uint32_t other)
{
    web->parents[web_root(web, one)] = web_root(web, other);
}

/* A document brings its stylesheets with it (R4 documents.html#presentation). WEB learns of those
 * that it has. */
static void check_stylesheets(struct document *document, const struct place *up, yyjson_val *bundle,
                              struct web *web)
{
    struct checker *checker = document->checker;
    size_t i, max;
    yyjson_val *link;
    yyjson_arr_foreach(json_get(bundle, "link"), i, max, link)
    {
        struct slice url = json_get_string(link, "url");
        if (!slice_is(json_get_string(link, "relation"), "stylesheet")) {
            continue;
        }
        const struct bundle_index_entry *sheet =
            bundle_index_find(document->index, document->full_url, url, checker->arena);
        if (sheet != NULL) {
            web_join(web, 0, (uint32_t)(sheet - document->index->entries));
        } else if (checker->options->strict && !is_absolute(url)) {
            struct place at = place_member(checker, up, "link", (uint32_t)i);
            report(checker, &at.frame, link, RULE_DOCUMENT,
                   "A document holds its stylesheet as a Binary: add it, and link to its fullUrl.");
        }
    }
}

static void join_reference(void *context, const struct walk_value *value)
{
    struct web *web = context;
    const struct bundle_index *index = web->document->index;
    if (value->parent_type != FHIR_TYPE_REFERENCE || !slice_is(value->name, "reference")) {
        return;
    }
    const struct bundle_index_entry *target =
        bundle_index_find(index, index->entries[web->number].full_url, json_string(value->value),
                          web->document->checker->arena);
    if (target != NULL) {
        web_join(web, web->number, (uint32_t)(target - index->entries));
    }
}

static bool web_make(struct document *document, struct web *ret_web)
{
    const struct bundle_index *index = document->index;
    *ret_web = (struct web){.document = document};
    ret_web->parents = arena_array(document->checker->arena, index->count, sizeof(uint32_t));
    for (uint32_t i = 0; ret_web->parents != NULL && i < index->count; i++) {
        ret_web->parents[i] = i;
    }
    return ret_web->parents != NULL;
}

/* Everything is reached from the Composition, or points to what is, or is a stylesheet that the
 * document names (R4 documents.html#bundle). */
static void check_reached(struct document *document, const struct place *place, struct web *web)
{
    struct checker *checker = document->checker;
    const struct bundle_index *index = document->index;
    for (uint32_t i = 0; i < index->count; i++) {
        yyjson_val *resource = index->entries[i].resource;
        resource_type type =
            resource_type_find(checker->definitions, json_get_string(resource, "resourceType"));
        web->number = i;
        if (type != RESOURCE_TYPE_NONE) {
            resource_walk(checker->definitions, type, resource, join_reference, web);
        }
    }
    for (uint32_t i = 1; i < index->count; i++) {
        yyjson_val *resource = index->entries[i].resource;
        bool sheet = slice_is(json_get_string(resource, "resourceType"), "Binary");
        if (web_root(web, i) != web_root(web, 0) && index->entries[i].full_url.length > 0 &&
            (!sheet || checker->options->strict)) {
            struct place at = place_member(checker, place, "entry", i);
            report(checker, &at.frame, resource, RULE_DOCUMENT,
                   "Nothing links this entry with the Composition: refer to it, or leave it out.");
        }
    }
}

static void check_document(struct checker *checker, const struct place *place, yyjson_val *bundle)
{
    const struct bundle_index *index = bundle_index_make(bundle, checker->arena);
    if (index == NULL || index->count == 0) {
        return;
    }
    yyjson_val *composition = index->entries[0].resource;
    if (!slice_is(json_get_string(composition, "resourceType"), "Composition")) {
        return; /* bdl-11 says so */
    }
    struct document document = {
        .checker = checker, .index = index, .full_url = index->entries[0].full_url};
    struct place entry = place_member(checker, place, "entry", 0);
    struct place at = place_member(checker, &entry, "resource", NO_INDEX);
    at.type = type_find(checker->definitions, SLICE("Composition"));
    check_composition(&document, &at, composition);
    struct web web;
    if (web_make(&document, &web)) {
        check_stylesheets(&document, place, bundle, &web);
        check_reached(&document, place, &web);
    }
}

void check_bundle(struct checker *checker, const struct frame *frame, const struct type_row *type,
                  yyjson_val *bundle)
{
    struct place place = {.frame = *frame, .type = type};
    struct slice kind = json_get_string(bundle, "type");
    bool sent = slice_is(kind, "batch") || slice_is(kind, "transaction");
    size_t i, max;
    yyjson_val *entry;
    yyjson_arr_foreach(json_get(bundle, "entry"), i, max, entry)
    {
        struct place at = place_member(checker, &place, "entry", (uint32_t)i);
        check_full_url(checker, &at, entry, !sent);
    }
    check_absolute(checker, &place, bundle);
    check_links(checker, &place, bundle);
    if (!slice_is(kind, "history")) {
        check_unique(checker, &place, bundle);
    }
    if (slice_is(kind, "document")) {
        check_document(checker, &place, bundle);
    }
}
