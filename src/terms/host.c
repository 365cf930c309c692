/* SPDX-License-Identifier: MIT */
/* What FHIRPath asks of terminology: memberOf, subsumes and subsumedBy. */
#include "terms/terms_int.h"

/* A concept with more codings is compared with another one of as many no longer: each pair counts.
 */
#define PAIRS_MOST ((size_t)1 << 20)

struct codes {
    struct terms_coding *list;
    size_t count;
};

static void add_coding(struct codes *codes, yyjson_val *coding)
{
    codes->list[codes->count++] =
        (struct terms_coding){.system = json_get_string(coding, "system"),
                              .version = json_get_string(coding, "version"),
                              .code = json_get_string(coding, "code")};
}

/* A code, a string, a Coding, a CodeableConcept, or a Quantity's unit. */
static enum status codes_of(const struct fhirpath_value *value, struct arena *arena,
                            struct codes *ret_codes)
{
    yyjson_val *node = value->kind == FHIRPATH_NODE ? value->node.value : NULL;
    yyjson_val *codings = json_get(node, "coding");
    *ret_codes = (struct codes){
        .list = arena_array(arena, yyjson_arr_size(codings) + 1, sizeof *ret_codes->list)};
    if (ret_codes->list == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (value->kind == FHIRPATH_STRING || yyjson_is_str(node)) {
        struct slice code = value->kind == FHIRPATH_STRING ? value->string : json_string(node);
        ret_codes->list[ret_codes->count++] = (struct terms_coding){.code = code};
        return STATUS_OK;
    }
    if (codings == NULL && json_get(node, "code") != NULL) {
        add_coding(ret_codes, node);
    }
    size_t at, max;
    yyjson_val *coding;
    yyjson_arr_foreach(codings, at, max, coding)
    {
        add_coding(ret_codes, coding);
    }
    return STATUS_OK;
}

enum status terms_member_of(void *context, const struct fhirpath_value *value,
                            struct slice value_set, bool *ret_known, bool *ret_member)
{
    struct terms_host *host = context;
    struct codes codes;
    TRY(codes_of(value, host->arena, &codes));
    *ret_known = true;
    *ret_member = false;
    for (size_t i = 0; i < codes.count; i++) {
        struct arena_mark mark = arena_mark(host->arena);
        enum terms_verdict verdict =
            terms_check(host->terms, value_set, &codes.list[i], host->arena, NULL);
        arena_rewind(host->arena, mark);
        if (verdict == TERMS_MEMBER) {
            *ret_known = *ret_member = true;
            return STATUS_OK;
        }
        *ret_known &= verdict == TERMS_NOT_MEMBER;
        if (arena_full(host->arena)) {
            return STATUS_TOO_COSTLY;
        }
    }
    return STATUS_OK;
}

enum status terms_host_subsumes(void *context, const struct fhirpath_value *a,
                                const struct fhirpath_value *b, bool *ret_known, bool *ret_subsumes)
{
    struct terms_host *host = context;
    struct codes left, right;
    TRY(codes_of(a, host->arena, &left));
    TRY(codes_of(b, host->arena, &right));
    if (left.count > PAIRS_MOST / (right.count + 1)) {
        return STATUS_TOO_COSTLY;
    }
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
