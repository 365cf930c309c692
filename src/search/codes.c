/* SPDX-License-Identifier: MIT */
/* Sets of codes: :in and :not-in of a value set, :below and :above of a code. What cannot be told
 * wholly is refused. */
#include "search/search_int.h"
#include "terms/terms.h"

bool is_code_set(const struct search_modifier *modifier)
{
    static const char *const names[] = {"in", "not-in", "below", "above"};
    for (size_t i = 0; modifier != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(modifier->name, names[i]) == 0) {
            return modifier->kinds == 1u << SEARCH_TOKEN;
        }
    }
    return false;
}

static enum status refuse(struct planning *planning, enum status status, bool set)
{
    if (status == STATUS_NOT_FOUND) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "",
                            set ? "Parameter '%s': no such value set is loaded here."
                                : "Parameter '%s': its code system has no such code.",
                            planning->shown);
    }
    if (status == STATUS_INVALID) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "",
                            "Parameter '%s': its code system is not loaded here, or only in part, "
                            "so the codes cannot be told.",
                            planning->shown);
    }
    return outcome_fail(planning->outcome, STATUS_TOO_COSTLY, "",
                        "Parameter '%s': this comes to more than %d codes. Use a smaller value "
                        "set or a narrower code.",
                        planning->shown, SEARCH_CODES_MOST);
}

static enum status find_codes(struct planning *planning, const struct search_modifier *modifier,
                              struct slice text, struct terms_code **ret_codes, size_t *ret_count)
{
    struct terms *terms = planning->options->terms;
    bool set = strcmp(modifier->name, "in") == 0 || strcmp(modifier->name, "not-in") == 0;
    enum status status;
    size_t count;
    if (set) {
        status = terms_codes_in(terms, unescape(planning->arena, text), SEARCH_CODES_MOST,
                                planning->arena, ret_codes, ret_count);
        return status == STATUS_OK ? status : refuse(planning, status, true);
    }
    struct slice *parts = split_values(planning->arena, text, '|', &count);
    if (parts == NULL || count != 2 || parts[0].length == 0 || parts[1].length == 0) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "",
                            "A value of parameter '%s' cannot be read: give system|code.",
                            planning->shown);
    }
    struct terms_code code = {unescape(planning->arena, parts[0]),
                              unescape(planning->arena, parts[1])};
    status = terms_codes_beside(terms, &code, strcmp(modifier->name, "above") == 0,
                                SEARCH_CODES_MOST, planning->arena, ret_codes, ret_count);
    return status == STATUS_OK ? status : refuse(planning, status, false);
}

enum status plan_codes(struct planning *planning, const struct search_modifier *modifier,
                       struct slice text, struct store_value *value)
{
    struct terms_code *found = NULL;
    size_t count = 0;
    if (planning->options->terms == NULL) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Parameter '%s': there is no terminology here to tell the codes.",
                            planning->shown);
    }
    if (text.length == 0) {
        return outcome_fail(planning->outcome, STATUS_VALUE, "",
                            "A value of parameter '%s' cannot be read: give the URL of a value "
                            "set, or system|code.",
                            planning->shown);
    }
    TRY(find_codes(planning, modifier, text, &found, &count));
    struct store_code *codes = arena_array(planning->arena, count + 1, sizeof *codes);
    if (codes == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < count; i++) {
        codes[i] = (struct store_code){found[i].system, found[i].code};
    }
    value->codes = codes;
    value->code_count = count;
    value->has_codes = true;
    return STATUS_OK;
}
