/* SPDX-License-Identifier: MIT */
/* Whom a job is limited to: the members of a Group, or patients by name. */
#include "bulk/bulk_int.h"

#define GROUPS_MOST 1000 /* in one another */
#define BODY_MOST   ((size_t)1 << 30)

/* ---- sets ---------------------------------------------------------------------------------------
 */

enum status patient_set_add(struct patient_set *set, uint32_t patient)
{
    size_t byte = patient / 8;
    if (byte >= set->bytes) {
        size_t bytes = (byte + 1) * 2;
        uint8_t *more = arena_resize(set->arena, set->bits, set->bytes, bytes);
        if (more == NULL) {
            return STATUS_MEMORY;
        }
        memset(more + set->bytes, 0, bytes - set->bytes);
        set->bits = more;
        set->bytes = bytes;
    }
    set->bits[byte] |= (uint8_t)(1u << patient % 8);
    return STATUS_OK;
}

bool patient_set_has(const struct patient_set *set, uint32_t patient)
{
    return patient / 8 < set->bytes && (set->bits[patient / 8] >> patient % 8 & 1) != 0;
}

bool patient_set_meets(const struct patient_set *set, const struct store_version *version)
{
    for (size_t i = 0; i < version->patient_count; i++) {
        if (patient_set_has(set, version->patients[i])) {
            return true;
        }
    }
    return false;
}

enum status patient_add(struct bulk *bulk, struct store_tx *tx, struct slice id,
                        struct arena *arena, struct patient_set *set)
{
    struct arena_mark mark = arena_mark(arena);
    const uint32_t *own, *same;
    size_t own_count = 0, count = 0;
    enum status status = store_concerned(tx, bulk->patient, id, arena, &own, &own_count);
    if (status == STATUS_OK && own_count == 0) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        status = store_person_patients(tx, own[0], arena, &same, &count);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = patient_set_add(set, same[i]);
    }
    arena_rewind(arena, mark);
    return status;
}

/* ---- groups -------------------------------------------------------------------------------------
 */

struct gathering {
    struct bulk *bulk;
    struct store_tx *tx;
    struct slice base_url;
    struct arena *arena; /* of the ids; bodies have one of their own */
    struct outcome *outcome;
    struct patient_set *set;
    int64_t now;
    uint64_t nameless;
    struct member_filters filters;
    struct slice groups[GROUPS_MOST]; /* those met, in order */
    size_t count;
};

static bool is_false(const yyjson_val *object, const char *name)
{
    yyjson_val *value = json_get(object, name);
    return yyjson_is_bool(value) && !yyjson_get_bool(value);
}

/* A period without a beginning or end is open there. */
static bool in_period(const struct gathering *gathering, const yyjson_val *period)
{
    struct partial_date date;
    int64_t low, high;
    struct slice start = json_get_string(period, "start"), end = json_get_string(period, "end");
    if (start.length > 0) {
        if (!date_parse(start, DATE_FORM_DATETIME, &date)) {
            return false;
        }
        date_range(&date, &low, &high);
        if (low > gathering->now) {
            return false;
        }
    }
    if (end.length > 0) {
        if (!date_parse(end, DATE_FORM_DATETIME, &date)) {
            return false;
        }
        date_range(&date, &low, &high);
        return gathering->now < high;
    }
    return true;
}

static enum status meet_group(struct gathering *gathering, struct slice id)
{
    for (size_t i = 0; i < gathering->count; i++) {
        if (slice_equals(gathering->groups[i], id)) {
            return STATUS_OK;
        }
    }
    if (gathering->count == GROUPS_MOST) {
        return outcome_fail(gathering->outcome, STATUS_TOO_COSTLY, "Group.member",
                            "More than %d Groups are members of one another.", GROUPS_MOST);
    }
    gathering->groups[gathering->count] = arena_copy(gathering->arena, id);
    return gathering->groups[gathering->count++].at != NULL ? STATUS_OK : STATUS_MEMORY;
}

static enum status take_member(struct gathering *gathering, const yyjson_val *member,
                               struct arena *arena)
{
    const struct bulk *bulk = gathering->bulk;
    yyjson_val *inactive = json_get(member, "inactive");
    if ((yyjson_is_bool(inactive) && yyjson_get_bool(inactive)) ||
        !in_period(gathering, json_get(member, "period"))) {
        return STATUS_OK;
    }
    struct slice text = json_get_string(json_get(member, "entity"), "reference");
    struct reference reference =
        reference_parse(bulk->options.definitions, text, gathering->base_url);
    if (reference.kind != REFERENCE_LOCAL) {
        gathering->nameless++;
        return STATUS_OK;
    }
    if (reference.type == bulk->group) {
        return meet_group(gathering, reference.id);
    }
    if (reference.type != bulk->patient) {
        return STATUS_OK; /* a device, a medication, a practitioner */
    }
    enum status status =
        patient_add(gathering->bulk, gathering->tx, reference.id, arena, gathering->set);
    gathering->nameless += status == STATUS_NOT_FOUND;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Only of the Group asked for, not of those in it. */
static enum status check_root(struct gathering *gathering, const yyjson_val *root)
{
    if (is_false(root, "active")) {
        return outcome_fail(gathering->outcome, STATUS_BUSINESS_RULE, "Group.active",
                            "The Group is not active.");
    }
    TRY(member_filters_read(gathering->bulk, root, gathering->arena, gathering->outcome,
                            &gathering->filters));
    if (is_false(root, "actual") && gathering->filters.count == 0) {
        return outcome_fail(gathering->outcome, STATUS_BUSINESS_RULE, "Group.actual",
                            "The Group only describes whom it means and lists nobody: export one "
                            "whose members are named, or found by a member-filter.");
    }
    return STATUS_OK;
}

/* One that says more of its members than their names would need an answer of its own. */
static enum status check_inner(struct gathering *gathering, const yyjson_val *root)
{
    return yyjson_arr_size(json_get(root, "modifierExtension")) == 0
               ? STATUS_OK
               : outcome_fail(gathering->outcome, STATUS_BUSINESS_RULE, "Group.member",
                              "A Group that is a member has a modifier extension (member-filter, "
                              "say): export that Group by itself.");
}

static enum status take_group(struct gathering *gathering, size_t number, struct arena *arena)
{
    struct store_version version;
    struct json json;
    enum status status = store_read(gathering->tx, gathering->bulk->group,
                                    gathering->groups[number], arena, &version);
    if (status == STATUS_NOT_FOUND || status == STATUS_GONE) {
        gathering->nameless += number > 0;
        return number > 0
                   ? STATUS_OK
                   : outcome_fail(gathering->outcome, status, "Group", "There is no such Group.");
    }
    TRY(status);
    TRY(json_read(version.body, &json_limits_default, arena, NULL, &json));
    if (number == 0) {
        TRY(check_root(gathering, json.root));
    } else if (is_false(json.root, "active")) {
        return STATUS_OK;
    } else {
        TRY(check_inner(gathering, json.root));
    }
    if (is_false(json.root, "actual")) {
        return STATUS_OK;
    }
    yyjson_val *members = json_get(json.root, "member");
    size_t at, count = yyjson_arr_size(members);
    yyjson_val *member = count > 0 ? yyjson_arr_get_first(members) : NULL;
    for (at = 0; at < count; at++, member = unsafe_yyjson_get_next(member)) {
        TRY(take_member(gathering, member, arena));
    }
    return STATUS_OK;
}

enum status group_members(struct bulk *bulk, struct store_tx *tx, struct slice id,
                          struct slice base_url, struct arena *arena, struct outcome *outcome,
                          struct patient_set *set, uint64_t *ret_nameless,
                          struct member_filters *ret_filters)
{
    struct gathering *gathering = ARENA_NEW(arena, struct gathering);
    struct arena *bodies = arena_create(BODY_MOST);
    enum status status = gathering != NULL && bodies != NULL ? STATUS_OK : STATUS_MEMORY;
    if (status == STATUS_OK) {
        *gathering = (struct gathering){.bulk = bulk,
                                        .tx = tx,
                                        .base_url = base_url,
                                        .arena = arena,
                                        .outcome = outcome,
                                        .set = set,
                                        .now = time_now()};
        status = meet_group(gathering, id);
    }
    for (size_t i = 0; status == STATUS_OK && i < gathering->count; i++) {
        arena_reset(bodies, BODY_MOST);
        status = take_group(gathering, i, bodies);
    }
    *ret_nameless = gathering != NULL ? gathering->nameless : 0;
    *ret_filters = gathering != NULL ? gathering->filters : (struct member_filters){0};
    arena_destroy(bodies);
    return status;
}

/* ---- both ---------------------------------------------------------------------------------------
 */

/* Of a list, each must be there, and in the Group when one is asked for. */
static enum status add_named(struct bulk *bulk, struct store_tx *tx, const struct bulk_ask *ask,
                             struct arena *arena, struct outcome *outcome,
                             const struct patient_set *members, struct patient_set *set)
{
    for (size_t i = 0; i < ask->patient_count; i++) {
        const uint32_t *own;
        size_t count = 0;
        enum status status =
            store_concerned(tx, bulk->patient, ask->patients[i], arena, &own, &count);
        TRY(status);
        if (count == 0) {
            return outcome_fail(outcome, STATUS_VALUE, "patient",
                                "Patient number %zu of the list is not here.", i + 1);
        }
        if (members != NULL && !patient_set_has(members, own[0])) {
            return outcome_fail(outcome, STATUS_VALUE, "patient",
                                "Patient number %zu of the list is no member of the Group.", i + 1);
        }
        TRY(patient_add(bulk, tx, ask->patients[i], arena, set));
    }
    return STATUS_OK;
}

enum status patients_asked(struct bulk *bulk, struct store_tx *tx, const struct bulk_ask *ask,
                           const struct job *job, struct arena *arena, struct outcome *outcome,
                           struct patient_set *set, bool *ret_limited, uint64_t *ret_nameless)
{
    struct member_filters filters = {0};
    struct patient_set members = {.arena = set->arena};
    bool group = ask->level == BULK_GROUP;
    *ret_limited = group || ask->patient_count > 0;
    *ret_nameless = 0;
    if (group) {
        TRY(group_members(bulk, tx, ask->group, ask->base_url, arena, outcome, &members,
                          ret_nameless, &filters));
        TRY(member_filters_apply(bulk, tx, &filters, ask->base_url, job, outcome, &members));
    }
    if (ask->patient_count == 0) {
        *set = members;
        return STATUS_OK;
    }
    /* Whom a search finds is found out when the job begins. */
    bool told = group && (job != NULL || filters.count == 0);
    return add_named(bulk, tx, ask, arena, outcome, told ? &members : NULL, set);
}
