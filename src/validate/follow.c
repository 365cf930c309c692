/* SPDX-License-Identifier: MIT */
/* References that must lead somewhere, for whoever asks that of a document (follow_references). */
#include "validate/profile_int.h"

#define PART_DEPTH_MOST 32u

/* Is Type/id among the resources of these parameters, or of their parts? */
static bool is_parameter(yyjson_val *parameters, const struct reference *wanted, struct slice type,
                         unsigned depth)
{
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(parameters, i, max, each)
    {
        yyjson_val *resource = json_get(each, "resource");
        if ((slice_equals(json_get_string(resource, "resourceType"), type) &&
             slice_equals(json_get_string(resource, "id"), wanted->id)) ||
            (depth < PART_DEPTH_MOST &&
             is_parameter(json_get(each, "part"), wanted, type, depth + 1))) {
            return true;
        }
    }
    return false;
}

/* The resources of one Parameters are sent together, so they may name each other. */
static bool is_beside(const struct review *review, const struct fhirpath_node *node,
                      const struct reference *wanted)
{
    struct slice type = resource_type_name(review->definitions, wanted->type);
    for (; node != NULL; node = node->parent) {
        if (node->type->kind == TYPE_RESOURCE &&
            slice_is(json_get_string(node->value, "resourceType"), "Parameters") &&
            is_parameter(json_get(node->value, "parameter"), wanted, type, 0)) {
            return true;
        }
    }
    return false;
}

void check_followed(struct review *review, const struct fhirpath_node *node)
{
    struct slice text = json_get_string(node->value, "reference");
    struct reference parsed = reference_parse(review->definitions, text, (struct slice){NULL, 0});
    struct fhirpath_node target;
    if (parsed.kind != REFERENCE_LOCAL && parsed.kind != REFERENCE_URN) {
        return; /* of this resource (structure's), of another server, or a search */
    }
    enum reach reach = reference_reach(review, node, text, &target);
    if ((reach == REACH_NONE || reach == REACH_TYPE) &&
        !(parsed.kind == REFERENCE_LOCAL && is_beside(review, node, &parsed))) {
        fault(review, node, json_get(node->value, "reference"), SEVERITY_ERROR, "not-found",
              SLICE("reference-unresolved"),
              "What is named here is not in the document: send it along, or correct the "
              "reference.");
    }
}
