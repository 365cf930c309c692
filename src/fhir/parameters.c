/* SPDX-License-Identifier: MIT */
/* Parameters as the body of an operation. What reads it takes one content of each parameter, so a
 * second would be passed over without a word, and need not be the one that was checked. */
#include "fhir/fhir.h"

static size_t contents_of(yyjson_val *parameter)
{
    size_t at, most, count = 0;
    yyjson_val *key, *value;
    yyjson_obj_foreach(parameter, at, most, key, value)
    {
        struct slice name = json_string(key);
        count += slice_starts(name, SLICE("value")) || slice_is(name, "resource") ||
                 slice_is(name, "part");
    }
    return count;
}

/* MEMBER of what stands at PATH: `parameter` or, within one of them, `part`. Depth is that of JSON.
 */
static enum status check_list(yyjson_val *list, const char *path, const char *member,
                              struct arena *arena, struct outcome *outcome)
{
    size_t at, most;
    yyjson_val *parameter;
    if (list != NULL && !yyjson_is_arr(list)) {
        return outcome_fail(outcome, STATUS_VALUE, path,
                            "The member %s repeats: write it as a JSON array.", member);
    }
    yyjson_arr_foreach(list, at, most, parameter)
    {
        const char *why = !yyjson_is_obj(parameter) ? "It must be an object with a name."
                          : json_get_string(parameter, "name").length == 0
                              ? "Give the parameter a name."
                          : contents_of(parameter) > 1
                              ? "Give a parameter one value[x], or a resource, or parts, and "
                                "nothing beside it; for several values give it several times."
                              : NULL;
        yyjson_val *parts = yyjson_is_obj(parameter) ? json_get(parameter, "part") : NULL;
        if (why == NULL && parts == NULL) {
            continue;
        }
        const char *own = arena_print(arena, "%s.%s[%zu]", path, member, at);
        if (own == NULL) {
            return STATUS_TOO_COSTLY;
        }
        if (why != NULL) {
            return outcome_fail(outcome, STATUS_VALUE, own, "%s", why);
        }
        TRY(check_list(parts, own, "part", arena, outcome));
    }
    return STATUS_OK;
}

enum status parameters_check(yyjson_val *root, struct arena *arena, struct outcome *outcome)
{
    if (!slice_is(json_get_string(root, "resourceType"), "Parameters")) {
        return outcome_fail(outcome, STATUS_STRUCTURE, "resourceType",
                            "Send the parameters of the operation as a Parameters resource.");
    }
    return check_list(json_get(root, "parameter"), "Parameters", "parameter", arena, outcome);
}
