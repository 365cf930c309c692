/* SPDX-License-Identifier: MIT */
/* Groups whose members are found by searches: the modifier extension member-filter (Bulk Data,
 * "Bulk Cohort API"). A patient is in when every filter finds them, or something that concerns
 * them; the answer is worked out anew for each export, in its snapshot. */
#include "bulk/bulk_int.h"

#define MEMBER_FILTER "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/member-filter"
#define FHIR_QUERY    "application/x-fhir-query"
#define FILTERS_MOST  100
#define FILTER_PAGE   4096

const char bulk_member_filter[] =
    "{\"resourceType\":\"StructureDefinition\",\"url\":\"" MEMBER_FILTER
    "\",\"version\":\"0\",\"name\":\"MemberFilter\",\"title\":\"Search that finds the members of a "
    "Group\",\"status\":\"active\",\"fhirVersion\":\"4.0.1\",\"kind\":\"complex-type\","
    "\"abstract\":false,\"context\":[{\"type\":\"element\",\"expression\":\"Group\"}],"
    "\"type\":\"Extension\",\"baseDefinition\":"
    "\"http://hl7.org/fhir/StructureDefinition/Extension\",\"derivation\":\"constraint\","
    "\"differential\":{\"element\":[{\"id\":\"Extension\",\"path\":\"Extension\","
    "\"isModifier\":true,\"isModifierReason\":\"It says who is a member\"},"
    "{\"id\":\"Extension.extension\",\"path\":\"Extension.extension\",\"max\":\"0\"},"
    "{\"id\":\"Extension.url\",\"path\":\"Extension.url\",\"fixedUri\":\"" MEMBER_FILTER
    "\"},{\"id\":\"Extension.value[x]\",\"path\":\"Extension.value[x]\",\"min\":1,"
    "\"type\":[{\"code\":\"Expression\"}]}]}}";

/* ---- reading ------------------------------------------------------------------------------------
 */

static enum status refuse(struct outcome *outcome, const char *why)
{
    return outcome_fail(outcome, STATUS_BUSINESS_RULE, "Group.modifierExtension", "%s", why);
}

static enum status read_one(struct bulk *bulk, const yyjson_val *extension, struct arena *arena,
                            struct outcome *outcome, struct bulk_filter *ret_filter)
{
    const struct definitions *definitions = bulk->options.definitions;
    const yyjson_val *expression = json_get(extension, "valueExpression");
    if (!slice_is(json_get_string(extension, "url"), MEMBER_FILTER)) {
        return refuse(outcome, "The Group has a modifier extension that is not known here: whom it "
                               "means cannot be told.");
    }
    if (!slice_is(json_get_string(expression, "language"), FHIR_QUERY)) {
        return refuse(outcome, "A member-filter is an expression in the language " FHIR_QUERY ".");
    }
    /* The Group's body goes before the filter does. */
    struct slice text = arena_copy(arena, json_get_string(expression, "expression"));
    enum status status = bulk_filter_read(definitions, text, arena, ret_filter);
    if (status == STATUS_VALUE || (status == STATUS_OK && ret_filter->type != bulk->patient &&
                                   resource_type_is_shared(definitions, ret_filter->type))) {
        return refuse(outcome,
                      "A member-filter is a search of one type, of Patient or of what concerns "
                      "patients: Encounter?class=AMB&date=ge2024-01-01.");
    }
    return status;
}

enum status member_filters_read(struct bulk *bulk, const yyjson_val *root, struct arena *arena,
                                struct outcome *outcome, struct member_filters *ret_filters)
{
    yyjson_val *list = json_get(root, "modifierExtension");
    size_t count = yyjson_arr_size(list);
    struct bulk_filter *items = arena_array(arena, count + 1, sizeof *items);
    *ret_filters = (struct member_filters){
        .items = items, .count = count, .of_all = yyjson_arr_size(json_get(root, "member")) == 0};
    if (items == NULL) {
        return STATUS_MEMORY;
    }
    if (count > FILTERS_MOST) {
        return refuse(outcome, "The Group has more than 100 filters.");
    }
    if (count > 0 && !slice_is(json_get_string(root, "type"), "person")) {
        return refuse(outcome, "Only a Group of persons is found by searches.");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(read_one(bulk, yyjson_arr_get(list, i), arena, outcome, &items[i]));
    }
    return STATUS_OK;
}

/* ---- finding ------------------------------------------------------------------------------------
 */

struct finding {
    struct bulk *bulk;
    struct store_tx *tx;
    const struct job *job; /* NULL: only asked whether it can be answered */
    struct slice base_url;
    struct outcome *outcome;
    struct arena *plan;
    struct arena *pages[2]; /* turn about: a page holds where the next begins */
    struct arena *scratch;
    struct patient_set found;
};

static enum status add_person(struct finding *finding, uint32_t patient)
{
    const uint32_t *same;
    size_t count = 0;
    if (patient_set_has(&finding->found, patient)) {
        return STATUS_OK;
    }
    struct arena_mark mark = arena_mark(finding->scratch);
    enum status status =
        store_person_patients(finding->tx, patient, finding->scratch, &same, &count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = patient_set_add(&finding->found, same[i]);
    }
    arena_rewind(finding->scratch, mark);
    return status;
}

static enum status take_page(struct finding *finding, const struct store_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct store_version *version = &page->items[i];
        if (version->type == finding->bulk->patient) {
            enum status status = patient_add(finding->bulk, finding->tx, version->id,
                                             finding->scratch, &finding->found);
            TRY(status == STATUS_NOT_FOUND ? STATUS_OK : status);
            continue;
        }
        for (size_t j = 0; j < version->patient_count; j++) {
            TRY(add_person(finding, version->patients[j]));
        }
    }
    return finding->job != NULL && job_ends(finding->job) ? STATUS_BUSY : STATUS_OK;
}

static enum status find(struct finding *finding, const struct bulk_filter *filter)
{
    struct store_query one;
    TRY(bulk_filter_query(finding->bulk, finding->base_url, filter, finding->plan, finding->outcome,
                          &one));
    const struct store_clause clause = {.modifier = STORE_ANY, .queries = &one, .query_count = 1};
    struct store_query query = {.type = filter->type,
                                .clauses = &clause,
                                .clause_count = 1,
                                .count = finding->job != NULL ? FILTER_PAGE : 1};
    struct store_page page = {.more = true};
    for (size_t turn = 0; page.more; turn ^= 1) {
        arena_reset(finding->pages[turn], PAGE_BYTES);
        TRY(store_find(finding->tx, &query, finding->pages[turn], finding->outcome, &page));
        if (finding->job == NULL) {
            return STATUS_OK;
        }
        TRY(take_page(finding, &page));
        query.cursor = page.next;
    }
    return STATUS_OK;
}

static void intersect(struct patient_set *set, const struct patient_set *with)
{
    for (size_t i = 0; i < set->bytes; i++) {
        set->bits[i] &= i < with->bytes ? with->bits[i] : 0;
    }
}

static enum status apply(struct finding *finding, const struct member_filters *filters,
                         struct patient_set *set)
{
    for (size_t i = 0; i < filters->count; i++) {
        finding->found = (struct patient_set){.arena = set->arena};
        TRY(find(finding, &filters->items[i]));
        if (i == 0 && filters->of_all) {
            *set = finding->found;
        } else {
            intersect(set, &finding->found);
        }
    }
    return STATUS_OK;
}

enum status member_filters_apply(struct bulk *bulk, struct store_tx *tx,
                                 const struct member_filters *filters, struct slice base_url,
                                 const struct job *job, struct outcome *outcome,
                                 struct patient_set *set)
{
    struct finding finding = {.bulk = bulk,
                              .tx = tx,
                              .job = job,
                              .base_url = base_url,
                              .outcome = outcome,
                              .plan = arena_create(0),
                              .pages = {arena_create(PAGE_BYTES), arena_create(PAGE_BYTES)},
                              .scratch = arena_create(0)};
    bool room = finding.plan != NULL && finding.pages[0] != NULL && finding.pages[1] != NULL &&
                finding.scratch != NULL;
    enum status status = room ? apply(&finding, filters, set) : STATUS_MEMORY;
    arena_destroy(finding.plan);
    arena_destroy(finding.pages[0]);
    arena_destroy(finding.pages[1]);
    arena_destroy(finding.scratch);
    return status;
}
