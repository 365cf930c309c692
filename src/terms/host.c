/* SPDX-License-Identifier: MIT */
/* What FHIRPath asks of terminology: memberOf, subsumes and subsumedBy. */
#include "terms/terms_int.h"

struct codes {
    struct terms_coding list[32];
    size_t count;
};

static void add_coding(struct codes *codes, yyjson_val *coding)
{
    if (codes->count < sizeof codes->list / sizeof codes->list[0]) {
        codes->list[codes->count++] =
            (struct terms_coding){.system = json_get_string(coding, "system"),
                                  .version = json_get_string(coding, "version"),
                                  .code = json_get_string(coding, "code")};
    }
}

/* A code, a string, a Coding, a CodeableConcept, or a Quantity's unit. */
static struct codes codes_of(const struct fhirpath_value *value)
{
    struct codes codes = {.count = 0};
    if (value->kind == FHIRPATH_STRING) {
        codes.list[codes.count++] = (struct terms_coding){.code = value->string};
        return codes;
    }
    yyjson_val *node = value->kind == FHIRPATH_NODE ? value->node.value : NULL;
    if (yyjson_is_str(node)) {
        codes.list[codes.count++] = (struct terms_coding){.code = json_string(node)};
        return codes;
    }
    yyjson_val *codings = json_get(node, "coding");
    if (codings == NULL && json_get(node, "code") != NULL) {
        add_coding(&codes, node);
    }
    size_t at, max;
    yyjson_val *coding;
    yyjson_arr_foreach(codings, at, max, coding)
    {
        add_coding(&codes, coding);
    }
    return codes;
}

enum status terms_member_of(void *context, const struct fhirpath_value *value,
                            struct slice value_set, bool *ret_known, bool *ret_member)
{
    struct terms_host *host = context;
    struct codes codes = codes_of(value);
    *ret_known = true;
    *ret_member = false;
    for (size_t i = 0; i < codes.count; i++) {
        enum terms_verdict verdict =
            terms_check(host->terms, value_set, &codes.list[i], host->arena, NULL);
        if (verdict == TERMS_MEMBER) {
            *ret_known = *ret_member = true;
            return STATUS_OK;
        }
        *ret_known &= verdict == TERMS_NOT_MEMBER;
    }
    return STATUS_OK;
}

enum status terms_host_subsumes(void *context, const struct fhirpath_value *a,
                                const struct fhirpath_value *b, bool *ret_known, bool *ret_subsumes)
{
    struct terms_host *host = context;
    struct codes left = codes_of(a), right = codes_of(b);
    *ret_known = true;
    *ret_subsumes = false;
    for (size_t i = 0; i < left.count; i++) {
        for (size_t j = 0; j < right.count; j++) {
            if (!slice_equals(left.list[i].system, right.list[j].system)) {
                continue;
            }
            enum terms_subsumption answer =
                terms_subsumes(host->terms, left.list[i].system, left.list[i].version,
                               left.list[i].code, right.list[j].code);
            *ret_known &= answer != TERMS_SUBSUMPTION_UNKNOWN;
            if (answer == TERMS_EQUIVALENT || answer == TERMS_SUBSUMES) {
                *ret_known = *ret_subsumes = true;
                return STATUS_OK;
            }
        }
    }
    return STATUS_OK;
}
