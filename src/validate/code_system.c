/* SPDX-License-Identifier: MIT */
/* csd-1: the codes of a CodeSystem are unique, at every level of its hierarchy. As an expression it
 * gathers every element there is, which for tens of thousands of concepts is more than a request
 * may have; here a slot or two for each code do. */
#include "validate/profile_int.h"

#define DEPTH_LIMIT 64u

struct codes {
    yyjson_val **slots; /* open addressing by code */
    size_t mask;
    yyjson_val *again; /* the first that was there already */
};

static size_t count_codes(yyjson_val *concepts, uint32_t depth)
{
    size_t at, max, count = 0;
    yyjson_val *concept;
    yyjson_arr_foreach(concepts, at, max, concept)
    {
        count +=
            1 + (depth < DEPTH_LIMIT ? count_codes(json_get(concept, "concept"), depth + 1) : 0);
    }
    return count;
}

static void add_code(struct codes *codes, yyjson_val *code)
{
    struct slice text = json_string(code);
    if (text.at == NULL || codes->again != NULL) {
        return;
    }
    size_t slot = slice_hash(text) & codes->mask;
    while (codes->slots[slot] != NULL && !slice_equals(json_string(codes->slots[slot]), text)) {
        slot = (slot + 1) & codes->mask;
    }
    if (codes->slots[slot] != NULL) {
        codes->again = code;
    }
    codes->slots[slot] = code;
}

static void add_codes(struct codes *codes, yyjson_val *concepts, uint32_t depth)
{
    size_t at, max;
    yyjson_val *concept;
    yyjson_arr_foreach(concepts, at, max, concept)
    {
        add_code(codes, json_get(concept, "code"));
        if (depth < DEPTH_LIMIT) {
            add_codes(codes, json_get(concept, "concept"), depth + 1);
        }
    }
}

void check_codes_unique(struct review *review, const struct fhirpath_node *node)
{
    yyjson_val *concepts = json_get(node->value, "concept");
    struct arena_mark mark = arena_mark(review->scratch);
    size_t size = 2;
    size_t count = count_codes(concepts, 0);
    while (size < 2 * count) {
        size *= 2;
    }
    struct codes codes = {.slots = arena_array(review->scratch, size, sizeof *codes.slots),
                          .mask = size - 1};
    if (codes.slots != NULL) {
        add_codes(&codes, concepts, 0);
    }
    arena_rewind(review->scratch, mark);
    if (codes.again != NULL) {
        fault(review, node, codes.again, SEVERITY_ERROR, "invariant", SLICE("csd-1"),
              "A code is defined twice: within a code system each concept has a code of its own "
              "(csd-1).");
    }
}
