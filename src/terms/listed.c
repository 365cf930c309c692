/* SPDX-License-Identifier: MIT */
/* Code systems that other bodies define and no CodeSystem resource brings: what is known of them
 * all the same. Of some, R4 lists the codes in a value set; of others the standard says how a code
 * is written, so that what is not written so is no code of theirs. */
#include "terms/terms_int.h"

/* A value set of the specification that lists codes of a system, though not all that there may be:
 * of ISO 3166 the two-letter codes, not those of three letters or digits. */
static const struct {
    const char *system, *value_set;
} listings[] = {
    {"urn:iso:std:iso:3166", "http://hl7.org/fhir/ValueSet/iso3166-1-2"},
};

/* How a code is written: A a capital letter, 9 a digit, X either. */
static const struct {
    const char *system, *forms;
} written[] = {
    {"urn:iso:std:iso:3166", "AA,AAA,999"},
    {"urn:iso:std:iso:3166:-2", "AA-X,AA-XX,AA-XXX"},
    {"urn:iso:std:iso:4217", "AAA,999"},
    {"http://unstats.un.org/unsd/methods/m49/m49.htm", "999"},
};

static bool has_form(struct slice code, struct slice form)
{
    if (code.length != form.length) {
        return false;
    }
    for (size_t i = 0; i < code.length; i++) {
        char c = code.at[i];
        bool letter = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
        bool fits = form.at[i] == 'A'   ? letter
                    : form.at[i] == '9' ? digit
                    : form.at[i] == 'X' ? letter || digit
                                        : c == form.at[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

bool code_may_be(struct slice system, struct slice code)
{
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        if (!slice_is(system, written[i].system)) {
            continue;
        }
        struct slice rest = slice_text(written[i].forms);
        while (rest.length > 0) {
            if (has_form(code, slice_cut(&rest, ','))) {
                return true;
            }
        }
        return false;
    }
    return true;
}

const char *listing_of(struct slice system)
{
    for (size_t i = 0; i < sizeof listings / sizeof *listings; i++) {
        if (slice_is(system, listings[i].system)) {
            return listings[i].value_set;
        }
    }
    return NULL;
}

/* The concepts of a ValueSet's include and of a CodeSystem are written alike. */
struct code_system *listed_system_make(struct slice url, yyjson_val *value_set, struct arena *arena)
{
    struct buffer text = {.arena = arena};
    struct json json;
    struct code_system *system;
    size_t i, max, j, most;
    yyjson_val *include, *concept;
    bool any = false;
    buffer_add_text(&text, "{\"resourceType\":\"CodeSystem\",\"url\":");
    buffer_add_json_string(&text, url);
    buffer_add_text(&text, ",\"status\":\"active\",\"content\":\"fragment\","
                           "\"caseSensitive\":true,\"concept\":[");
    yyjson_arr_foreach(json_get(json_get(value_set, "compose"), "include"), i, max, include)
    {
        if (!slice_equals(json_get_string(include, "system"), url)) {
            continue;
        }
        yyjson_arr_foreach(json_get(include, "concept"), j, most, concept)
        {
            buffer_add_text(&text, any ? "," : "");
            json_write(concept, NULL, NULL, &text);
            any = true;
        }
    }
    buffer_add_text(&text, "]}");
    if (!any || !buffer_ok(&text) ||
        json_read(buffer_slice(&text), &json_limits_default, arena, NULL, &json) != STATUS_OK ||
        code_system_compile(json.root, arena, &system) != STATUS_OK) {
        return NULL;
    }
    system->listed = true;
    return system;
}
