/* SPDX-License-Identifier: MIT */
/* Value sets that exist by their URL alone: "URL?fhir_vs" is all of a code system, and of SNOMED CT
 * also isa/, refset/, refset and ecl/ (R4 snomedct.html). */
#include "terms/terms_int.h"

#define SNOMED "http://snomed.info/sct"

static int hex(char byte)
{
    return byte >= '0' && byte <= '9'   ? byte - '0'
           : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
           : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                        : -1;
}

static struct slice percent_decoded(struct slice text, struct arena *arena)
{
    struct buffer out = {.arena = arena};
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '%' && i + 2 < text.length && hex(text.at[i + 1]) >= 0 &&
            hex(text.at[i + 2]) >= 0) {
            buffer_add_byte(&out, (char)(hex(text.at[i + 1]) * 16 + hex(text.at[i + 2])));
            i += 2;
        } else {
            buffer_add_byte(&out, text.at[i]);
        }
    }
    return buffer_slice(&out);
}

static void add_filter(struct buffer *out, const char *property, const char *op, struct slice value)
{
    buffer_print(out, ",\"filter\":[{\"property\":\"%s\",\"op\":\"%s\",\"value\":", property, op);
    buffer_add_json_string(out, value);
    buffer_add_text(out, "}]");
}

/* What follows "fhir_vs"; false: no such kind. */
static bool add_kind(struct slice kind, struct arena *arena, struct buffer *out)
{
    static const struct {
        const char *start, *property, *op;
    } kinds[] = {
        {"=isa/", "concept", "is-a"},
        {"=refset/", "concept", "in"},
        {"=ecl/", "constraint", "="},
    };
    if (kind.length == 0) {
        return true;
    }
    if (slice_is(kind, "=refset")) {
        add_filter(out, "constraint", "=", SLICE("<900000000000455006")); /* the reference sets */
        return true;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct slice start = slice_text(kinds[i].start);
        if (slice_starts(kind, start)) {
            struct slice value = percent_decoded(slice_from(kind, start.length), arena);
            add_filter(out, kinds[i].property, kinds[i].op, value);
            return value.length > 0;
        }
    }
    return false;
}

yyjson_val *implicit_value_set(struct slice canonical, struct arena *arena)
{
    struct slice version, name = canonical_url(canonical, &version);
    struct slice url = slice_head(name, slice_index(name, '?'));
    struct slice query = slice_from(name, url.length + 1);
    if (!slice_starts(query, SLICE("fhir_vs"))) {
        return NULL;
    }
    struct slice kind = slice_from(query, 7);
    struct slice system = url;
    if (slice_starts(url, SLICE(SNOMED "/"))) { /* of one edition, maybe of one date */
        system = SLICE(SNOMED);
        version = url;
    } else if (kind.length > 0 && !slice_is(url, SNOMED)) {
        return NULL;
    }
    struct buffer out = {.arena = arena};
    buffer_add_text(&out, "{\"resourceType\":\"ValueSet\",\"url\":");
    buffer_add_json_string(&out, name);
    buffer_add_text(&out, ",\"status\":\"active\",\"compose\":{\"include\":[{\"system\":");
    buffer_add_json_string(&out, system);
    if (version.length > 0) {
        buffer_add_text(&out, ",\"version\":");
        buffer_add_json_string(&out, version);
    }
    bool known = add_kind(kind, arena, &out);
    buffer_add_text(&out, "}]}}");
    struct json json;
    return known && buffer_ok(&out) &&
                   json_read(buffer_slice(&out), &json_limits_default, arena, NULL, &json) ==
                       STATUS_OK
               ? json.root
               : NULL;
}
