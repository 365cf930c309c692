/* SPDX-License-Identifier: MIT */
/* Scopes: where names are looked up while a question is answered - first among what the question
 * itself brought, then among the conformance resources, then among the loaded releases. */
#include <stdlib.h>

#include "terms/terms_int.h"

#define SUPPLEMENT_URL "http://hl7.org/fhir/StructureDefinition/valueset-supplement"

void scope_begin(struct scope *scope, struct terms *terms, struct arena *arena)
{
    scope->terms = terms;
    scope->arena = arena;
    scope->problems.arena = arena;
    scope->deadline = time_monotonic() + SCOPE_TIME_MOST;
}

bool scope_late(struct scope *scope)
{
    if (!scope->late && time_monotonic() > scope->deadline) {
        scope->late = true;
        problem_add(&scope->problems, MESSAGE_TOO_LATE, (struct slice){0});
    }
    return scope->late;
}

bool scope_is_plain(const struct scope *scope)
{
    return scope->rule_count == 0 && scope->set_rule_count == 0 && scope->guest_count == 0 &&
           scope->supplement_name_count == 0;
}

/* ---- canonicals and versions ------------------------------------------------------------------
 */

struct slice canonical_url(struct slice canonical, struct slice *ret_version)
{
    struct slice url = slice_head(canonical, slice_index(canonical, '|'));
    struct slice version = slice_from(canonical, url.length + 1);
    if (slice_index(url, '?') == url.length) { /* fragments of implicit value sets stay */
        url = slice_head(url, slice_index(url, '#'));
    }
    *ret_version = slice_head(version, slice_index(version, '#'));
    return url;
}

struct slice canonical_join(struct arena *arena, struct slice url, struct slice version)
{
    if (version.length == 0) {
        return url;
    }
    struct buffer out = {.arena = arena};
    buffer_add(&out, url);
    buffer_add_byte(&out, '|');
    buffer_add(&out, version);
    return buffer_slice(&out);
}

static bool wildcard(struct slice part)
{
    return slice_is(part, "x") || slice_is(part, "X") || slice_is(part, "*");
}

bool version_is_pattern(struct slice version)
{
    if (version.length == 0) {
        return true;
    }
    struct slice rest = version;
    while (rest.at != NULL) {
        if (wildcard(slice_cut(&rest, '.'))) {
            return true;
        }
    }
    return false;
}

bool version_matches(struct slice pattern, struct slice version)
{
    if (pattern.length == 0 || slice_equals(pattern, version)) {
        return true;
    }
    if (slice_starts(pattern, SLICE("http"))) { /* an edition of SNOMED CT, of whatever date */
        return slice_starts(version, pattern) && version.at[pattern.length] == '/';
    }
    if (!version_is_pattern(pattern)) {
        return false;
    }
    struct slice wanted = pattern, given = version, part = {0};
    while (wanted.at != NULL && given.at != NULL) {
        part = slice_cut(&wanted, '.');
        struct slice have = slice_cut(&given, '.');
        if (!wildcard(part) && !slice_equals(part, have)) {
            return false;
        }
    }
    return wanted.at == NULL && (given.at == NULL || wildcard(part));
}

int version_compare(struct slice a, struct slice b)
{
    while (a.at != NULL && b.at != NULL && a.length + b.length > 0) {
        struct slice left = slice_cut(&a, '.'), right = slice_cut(&b, '.');
        uint64_t x, y;
        int order;
        if (slice_to_unsigned(left, UINT32_MAX, &x) && slice_to_unsigned(right, UINT32_MAX, &y)) {
            order = x < y ? -1 : x > y ? 1 : 0;
        } else {
            order = slice_compare(left, right);
        }
        if (order != 0) {
            return order;
        }
    }
    return a.length > b.length ? 1 : a.length < b.length ? -1 : 0;
}

yyjson_val *extension_find(yyjson_val *object, const char *url)
{
    size_t at, max;
    yyjson_val *extension;
    yyjson_arr_foreach(json_get(object, "extension"), at, max, extension)
    {
        if (slice_is(json_get_string(extension, "url"), url)) {
            return extension;
        }
    }
    return NULL;
}

/* ---- code systems -----------------------------------------------------------------------------
 */

struct known_versions {
    struct slice url, pattern;
    struct arena *arena;
    struct slice *list;
    size_t count, capacity;
    bool any;
};

static bool known_add(struct known_versions *known, struct slice version)
{
    known->any = true;
    if (!version_matches(known->pattern, version)) {
        return true;
    }
    if (known->count == known->capacity) {
        size_t from = known->capacity, to = from == 0 ? 8 : from * 2;
        struct slice *list =
            arena_resize(known->arena, known->list, from * sizeof *list, to * sizeof *list);
        if (list == NULL) {
            return false;
        }
        known->list = list;
        known->capacity = to;
    }
    known->list[known->count++] = arena_copy(known->arena, version);
    return true;
}

static bool visit_version(void *context, const struct canonical *canonical)
{
    struct known_versions *known = context;
    return !slice_equals(canonical->url, known->url) || known_add(known, canonical->version);
}

static int compare_versions(const void *a, const void *b)
{
    return version_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static struct known_versions all_versions(struct scope *scope, struct slice url,
                                          struct slice pattern)
{
    struct known_versions known = {.url = url, .pattern = pattern, .arena = scope->arena};
    const struct code_system *const *releases;
    for (size_t i = 0; i < scope->guest_count; i++) {
        if (slice_is(scope->guests[i].type, "CodeSystem") &&
            slice_equals(scope->guests[i].url, url)) {
            (void)known_add(&known, scope->guests[i].version);
        }
    }
    conformance_each(shelf_conformance(scope->terms), SLICE("CodeSystem"), visit_version, &known);
    size_t count = shelf_releases(scope->terms, &releases);
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(releases[i]->url, url)) {
            (void)known_add(&known, releases[i]->version);
        }
    }
    if (known.count > 0) {
        qsort(known.list, known.count, sizeof *known.list, compare_versions);
    }
    return known;
}

struct slice scope_versions(struct scope *scope, struct slice url, bool *ret_known)
{
    struct known_versions known = all_versions(scope, url, (struct slice){0});
    struct buffer out = {.arena = scope->arena};
    size_t written = 0;
    *ret_known = known.any;
    for (size_t i = 0; i < known.count; i++) {
        if (known.list[i].length == 0 ||
            (i > 0 && slice_equals(known.list[i], known.list[i - 1]))) {
            continue;
        }
        buffer_add_text(&out, written == 0 ? "" : i + 1 == known.count ? " or " : ", ");
        buffer_add(&out, known.list[i]);
        written++;
    }
    return buffer_slice(&out);
}

static const struct code_system *guest_system(struct scope *scope, struct slice url,
                                              struct slice version)
{
    struct guest *best = NULL;
    for (size_t i = 0; i < scope->guest_count; i++) {
        struct guest *guest = &scope->guests[i];
        if (slice_is(guest->type, "CodeSystem") && slice_equals(guest->url, url) &&
            version_matches(version, guest->version) &&
            (best == NULL || version_compare(guest->version, best->version) > 0)) {
            best = guest;
        }
    }
    if (best != NULL && best->compiled == NULL &&
        code_system_compile(best->root, scope->arena, &best->compiled) != STATUS_OK) {
        return NULL;
    }
    return best != NULL ? best->compiled : NULL;
}

static const struct code_system *release_system(struct scope *scope, struct slice url,
                                                struct slice version)
{
    const struct code_system *const *releases, *best = NULL;
    size_t count = shelf_releases(scope->terms, &releases);
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(releases[i]->url, url) && version_matches(version, releases[i]->version) &&
            (best == NULL || version_compare(releases[i]->version, best->version) > 0)) {
            best = releases[i];
        }
    }
    return best;
}

static const struct code_system *conformance_system(struct scope *scope, struct slice url,
                                                    struct slice version)
{
    struct slice exact = version;
    if (version.length > 0 && version_is_pattern(version)) {
        struct known_versions known = all_versions(scope, url, version);
        if (known.count == 0) {
            return NULL;
        }
        exact = known.list[known.count - 1];
    }
    const struct canonical *canonical =
        conformance_find(shelf_conformance(scope->terms), SLICE("CodeSystem"),
                         canonical_join(scope->arena, url, exact), scope->arena);
    const struct code_system *system;
    if (canonical == NULL || !slice_equals(canonical->url, url) ||
        (exact.length > 0 && !slice_equals(canonical->version, exact)) ||
        shelf_system(scope->terms, canonical, scope->arena, &system) != STATUS_OK) {
        return NULL;
    }
    return system;
}

const struct code_system *scope_system(struct scope *scope, struct slice url, struct slice version)
{
    const struct code_system *system = guest_system(scope, url, version);
    if (system == NULL) {
        system = conformance_system(scope, url, version);
    }
    if (system == NULL || (system->count == 0 && system->content != CONTENT_SUPPLEMENT)) {
        const struct code_system *release = release_system(scope, url, version);
        system = release != NULL ? release : system;
    }
    if (system == NULL && version.length == 0) {
        system = shelf_listed(scope->terms, url);
    }
    /* A system of which only the name is here tells nothing of its codes. */
    return system != NULL && system->count == 0 && system->content == CONTENT_NOT_PRESENT ? NULL
                                                                                          : system;
}

/* ---- value sets -------------------------------------------------------------------------------
 */

static yyjson_val *guest_set(struct scope *scope, struct slice url, struct slice version)
{
    struct guest *best = NULL;
    for (size_t i = 0; i < scope->guest_count; i++) {
        struct guest *guest = &scope->guests[i];
        bool named = slice_equals(guest->url, url) && version_matches(version, guest->version);
        bool inside = guest->fragment.length > 0 && slice_equals(guest->fragment, url);
        if (slice_is(guest->type, "ValueSet") && url.length > 0 && (named || inside) &&
            (best == NULL || version_compare(guest->version, best->version) > 0)) {
            best = guest;
        }
    }
    return best != NULL ? best->root : NULL;
}

yyjson_val *scope_value_set(struct scope *scope, struct slice canonical, uint64_t *ret_serial)
{
    struct slice version, url = canonical_url(canonical, &version);
    *ret_serial = 0;
    if (url.length == 0) {
        return guest_set(scope, canonical, (struct slice){0}); /* "#contained" */
    }
    for (size_t i = 0; version.length == 0 && i < scope->set_rule_count; i++) {
        if (slice_equals(scope->set_rules[i].url, url)) {
            version = scope->set_rules[i].version;
        }
    }
    yyjson_val *guest = guest_set(scope, url, version);
    if (guest != NULL) {
        return guest;
    }
    const struct canonical *found =
        conformance_find(shelf_conformance(scope->terms), SLICE("ValueSet"),
                         canonical_join(scope->arena, url, version), scope->arena);
    if (found == NULL || found->json == NULL || !slice_equals(found->url, url) ||
        (version.length > 0 && !slice_equals(found->version, version))) {
        return NULL;
    }
    *ret_serial = found->serial;
    return found->json->root;
}

/* ---- supplements ------------------------------------------------------------------------------
 */

static enum status add_supplement(struct scope *scope, struct slice canonical)
{
    struct slice version, url = canonical_url(canonical, &version);
    const struct code_system *system = scope_system(scope, url, version);
    if (system == NULL || system->content != CONTENT_SUPPLEMENT) {
        problem_add(&scope->problems, MESSAGE_SUPPLEMENT_MISSING, (struct slice){0}, canonical);
        return STATUS_BUSINESS_RULE;
    }
    for (size_t i = 0; i < scope->supplement_count; i++) {
        if (scope->supplements[i] == system) {
            return STATUS_OK;
        }
    }
    if (scope->supplement_count == SCOPE_MOST) {
        return STATUS_TOO_COSTLY;
    }
    scope->supplements[scope->supplement_count++] = system;
    return STATUS_OK;
}

enum status scope_supplements(struct scope *scope, yyjson_val *root)
{
    for (size_t i = 0; i < scope->supplement_name_count; i++) {
        TRY(add_supplement(scope, scope->supplement_names[i]));
    }
    size_t at, max;
    yyjson_val *extension;
    yyjson_arr_foreach(json_get(root, "extension"), at, max, extension)
    {
        if (slice_is(json_get_string(extension, "url"), SUPPLEMENT_URL)) {
            TRY(add_supplement(scope, json_get_string(extension, "valueCanonical")));
        }
    }
    return STATUS_OK;
}

bool supplement_adds(const struct code_system *supplement, const struct code_system *system)
{
    struct slice version, url = canonical_url(supplement->supplements, &version);
    return slice_equals(url, system->url) && version_matches(version, system->version);
}

#define MERGED(kind, plural)                                                                       \
    const struct kind *scope_##plural(const struct scope *scope, const struct code_system *system, \
                                      uint32_t code, struct arena *scratch, size_t *ret_count)     \
    {                                                                                              \
        const struct kind *own = code_##plural(system, code, scratch, ret_count);                  \
        for (size_t i = 0; i < scope->supplement_count; i++) {                                     \
            const struct code_system *supplement = scope->supplements[i];                          \
            uint32_t also = supplement_adds(supplement, system)                                    \
                                ? code_find(supplement, code_text(system, code))                   \
                                : CODE_NONE;                                                       \
            size_t more = 0;                                                                       \
            const struct kind *added =                                                             \
                also != CODE_NONE ? code_##plural(supplement, also, scratch, &more) : NULL;        \
            struct kind *both =                                                                    \
                more > 0 ? arena_array(scratch, *ret_count + more, sizeof *both) : NULL;           \
            if (both != NULL) {                                                                    \
                if (*ret_count > 0) {                                                              \
                    memcpy(both, own, *ret_count * sizeof *both);                                  \
                }                                                                                  \
                memcpy(both + *ret_count, added, more * sizeof *both);                             \
                own = both;                                                                        \
                *ret_count += more;                                                                \
            }                                                                                      \
        }                                                                                          \
        return own;                                                                                \
    }
MERGED(designation, designations)
MERGED(property, properties)
#undef MERGED

/* ---- versions asked for -----------------------------------------------------------------------
 */

struct asked_version scope_asked(struct scope *scope, struct slice url, struct slice written)
{
    struct asked_version version = {.written = written, .asked = written};
    for (size_t i = 0; i < scope->rule_count; i++) {
        struct version_rule *rule = &scope->rules[i];
        if (!slice_equals(rule->url, url)) {
            continue;
        }
        bool fills = rule->kind == RULE_FORCE || version.asked.length == 0;
        if (rule->kind == RULE_CHECK) {
            version.check = rule->version;
        }
        if (fills) {
            version.asked = rule->version;
            version.by_rule = !slice_equals(rule->version, written);
            rule->used = true;
        }
    }
    return version;
}
