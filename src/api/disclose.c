/* SPDX-License-Identifier: MIT */
/* Whom the answer to a search tells something about though no resource in it is theirs: those whom
 * its criteria name, whether or not anything was found; those because of whom something matched
 * that is nobody's own ("which practitioners have seen somebody with this code?"); and those who
 * were only counted. */
#include "api/api_int.h"

/* Persons are named while they are no more than this; more are a count. */
#define NAMES_PERSONS 100

struct telling {
    struct request *request;
    struct store_tx *tx;
    resource_type patient; /* the type Patient */
    size_t seen;           /* because of whom something matched */
    bool many;             /* they are too many: said as a count */
};

static struct telling begin(struct request *request, struct store_tx *tx)
{
    return (struct telling){
        .request = request,
        .tx = tx,
        .patient = resource_type_find(request->service->definitions, SLICE("Patient"))};
}

/* Runs QUERY for its persons only. */
static enum status find_some(const struct telling *telling, const struct store_query *query,
                             struct store_page *ret_page)
{
    struct store_query bare = *query;
    bare.count = NAMES_PERSONS;
    bare.total = bare.estimate = bare.bodies = false;
    bare.sort_count = 0;
    bare.cursor = (struct slice){0};
    return store_find(telling->tx, &bare, telling->request->arena, &telling->request->outcome,
                      ret_page);
}

/* ---- who is named -------------------------------------------------------------------------------
 */

static enum status name_resource(const struct telling *telling, resource_type type, struct slice id)
{
    const uint32_t *patients;
    size_t count;
    TRY(store_concerned(telling->tx, type, id, telling->request->arena, &patients, &count));
    request_discloses_once(telling->request, patients, count);
    return STATUS_OK;
}

/* An identifier is as good as a name, unless it is that of many. */
static enum status name_identified(const struct telling *telling, const struct store_clause *clause)
{
    struct store_page page;
    struct store_clause identifier = *clause;
    identifier.parameter = search_parameter_find(telling->request->service->definitions,
                                                 telling->patient, SLICE("identifier"));
    if (clause->modifier == STORE_IDENTIFIER) { /* of a reference: the same of whom it leads to */
        identifier.modifier = STORE_PLAIN;
    }
    const struct store_query query = {
        .type = telling->patient, .clauses = &identifier, .clause_count = 1};
    if (identifier.parameter == NULL) {
        return STATUS_OK;
    }
    TRY(find_some(telling, &query, &page));
    for (size_t i = 0; i < page.count && !page.more; i++) {
        request_discloses_once(telling->request, page.items[i].patients,
                               page.items[i].patient_count);
    }
    return STATUS_OK;
}

static enum status name_referred(const struct telling *telling,
                                 const struct search_parameter *parameter,
                                 const struct store_value *value)
{
    if (value->id.length == 0) {
        return STATUS_OK;
    }
    if (value->target != RESOURCE_TYPE_NONE) {
        return name_resource(telling, value->target, value->id);
    }
    for (size_t i = 0; i < parameter->target_count; i++) {
        TRY(name_resource(telling, parameter->targets[i], value->id));
    }
    return parameter->target_count > 0 ? STATUS_OK
                                       : name_resource(telling, telling->patient, value->id);
}

static enum status name_in_value(const struct telling *telling,
                                 const struct search_parameter *parameter,
                                 const struct store_value *value)
{
    if (parameter->kind == SEARCH_REFERENCE) {
        return name_referred(telling, parameter, value);
    }
    for (size_t i = 0; i < value->part_count && i < parameter->component_count; i++) {
        const struct search_parameter *part = parameter->components[i].parameter;
        if (part->kind == SEARCH_REFERENCE) {
            TRY(name_referred(telling, part, &value->parts[i]));
        }
    }
    return STATUS_OK;
}

static enum status name_in_query(const struct telling *telling, const struct store_query *query);

static enum status name_in_clause(const struct telling *telling, resource_type type,
                                  const struct store_clause *clause)
{
    const struct search_parameter *parameter = clause->parameter;
    for (size_t i = 0; i < clause->query_count; i++) {
        TRY(name_in_query(telling, &clause->queries[i]));
    }
    if (parameter == NULL || clause->query_count > 0 || clause->modifier == STORE_MISSING ||
        clause->modifier == STORE_NOT) {
        return STATUS_OK;
    }
    bool own = type == telling->patient && parameter->kind == SEARCH_TOKEN &&
               slice_is(parameter->code, "identifier");
    bool logical = clause->modifier == STORE_IDENTIFIER &&
                   search_parameter_targets(parameter, telling->patient);
    if (own || logical) {
        return name_identified(telling, clause);
    }
    for (size_t i = 0; i < clause->value_count; i++) {
        TRY(name_in_value(telling, parameter, &clause->values[i]));
    }
    return STATUS_OK;
}

static enum status name_in_query(const struct telling *telling, const struct store_query *query)
{
    resource_type type = query->type != RESOURCE_TYPE_NONE ? query->type : telling->patient;
    for (size_t i = 0; i < query->id_count; i++) {
        TRY(name_resource(telling, type, query->ids[i]));
    }
    if (query->has_patient) {
        TRY(name_resource(telling, telling->patient, query->patient));
    }
    for (size_t i = 0; i < query->clause_count; i++) {
        TRY(name_in_clause(telling, query->type, &query->clauses[i]));
    }
    return STATUS_OK;
}

/* One token and nothing else: whom it names is a match. */
static bool names_matches_only(const struct store_query *query)
{
    return query->type != RESOURCE_TYPE_NONE && query->contained == STORE_CONTAINED_NOT &&
           !query->has_patient && query->id_count == 0 &&
           query->updated_low == query->updated_high && query->clause_count == 1 &&
           query->clauses[0].modifier == STORE_PLAIN &&
           query->clauses[0].parameter->kind == SEARCH_TOKEN;
}

enum status api_disclose_criteria(struct request *request, struct store_tx *tx,
                                  const struct store_query *query)
{
    const struct telling telling = begin(request, tx);
    return name_in_query(&telling, query);
}

enum status api_disclose_named(struct request *request, struct store_tx *tx,
                               const struct store_query *query)
{
    return names_matches_only(query) ? STATUS_OK : api_disclose_criteria(request, tx, query);
}

/* ---- because of whom something matches ----------------------------------------------------------
 */

static enum status tell_behind(struct telling *telling, const struct store_version *match,
                               const struct store_query *query);

/* Of what a match was found by: whom it concerns, or who is behind it in turn. */
static enum status tell_found(struct telling *telling, const struct store_version *found,
                              const struct store_query *query)
{
    if (found->patient_count == 0) {
        return tell_behind(telling, found, query);
    }
    request_discloses_once(telling->request, found->patients, found->patient_count);
    telling->seen++;
    return STATUS_OK;
}

static enum status tell_many(struct telling *telling, const struct store_query *query)
{
    struct store_query all = *query;
    struct store_page page = {.total = 0};
    all.count = 0;
    all.total = all.estimate = true;
    telling->many = true;
    TRY(store_find(telling->tx, &all, telling->request->arena, &telling->request->outcome, &page));
    request_discloses_count(telling->request,
                            page.total > NAMES_PERSONS ? page.total : NAMES_PERSONS + 1);
    return STATUS_OK;
}

/* What meets QUERY and refers to the match by the clause's parameter. */
static enum status tell_referrers(struct telling *telling, const struct store_version *match,
                                  const struct store_clause *clause,
                                  const struct store_query *query)
{
    const struct store_value value = {.target = match->type, .id = match->id};
    size_t count = query->clause_count;
    struct store_clause *clauses = arena_array(telling->request->arena, count + 1, sizeof *clauses);
    struct store_query narrowed = *query;
    struct store_page page;
    if (clauses == NULL) {
        return STATUS_TOO_COSTLY;
    }
    if (count > 0) {
        memcpy(clauses, query->clauses, count * sizeof *clauses);
    }
    clauses[count] =
        (struct store_clause){.parameter = clause->parameter, .values = &value, .value_count = 1};
    narrowed.clauses = clauses;
    narrowed.clause_count = count + 1;
    TRY(find_some(telling, &narrowed, &page));
    if (page.more || telling->seen + page.count > NAMES_PERSONS) {
        return tell_many(telling, query);
    }
    for (size_t i = 0; i < page.count && !telling->many; i++) {
        TRY(tell_found(telling, &page.items[i], query));
    }
    return STATUS_OK;
}

/* What the match refers to by the clause's parameter, whichever of it met the criteria. */
static enum status tell_followed(struct telling *telling, const struct store_version *match,
                                 const struct store_clause *clause)
{
    struct store_version *found;
    size_t count;
    struct request *request = telling->request;
    const struct search_parameter *parameter =
        search_parameter_find(request->service->definitions, match->type, clause->parameter->code);
    if (parameter == NULL) {
        return STATUS_OK;
    }
    enum status status = store_follow(telling->tx, match, parameter, RESOURCE_TYPE_NONE,
                                      NAMES_PERSONS, request->arena, &found, &count);
    if (status == STATUS_TOO_COSTLY && !arena_full(request->arena)) {
        telling->many = true;
        request_discloses_count(request, NAMES_PERSONS + 1);
        return STATUS_OK;
    }
    TRY(status);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < clause->query_count && !telling->many; j++) {
            if (clause->queries[j].type == found[i].type) {
                TRY(tell_found(telling, &found[i], &clause->queries[j]));
            }
        }
    }
    return STATUS_OK;
}

static enum status tell_behind(struct telling *telling, const struct store_version *match,
                               const struct store_query *query)
{
    for (size_t i = 0; i < query->clause_count; i++) {
        const struct store_clause *clause = &query->clauses[i];
        if (clause->modifier == STORE_CHAIN) {
            TRY(tell_followed(telling, match, clause));
        }
        for (size_t j = 0; j < clause->query_count && !telling->many; j++) {
            const struct store_query *inner = &clause->queries[j];
            bool same = inner->type == RESOURCE_TYPE_NONE || inner->type == match->type;
            if (clause->modifier == STORE_HAS) {
                TRY(tell_referrers(telling, match, clause, inner));
            } else if (clause->modifier == STORE_ANY && same) {
                TRY(tell_behind(telling, match, inner));
            }
        }
    }
    return STATUS_OK;
}

static enum status tell_of_page(struct telling *telling, const struct store_query *query,
                                const struct store_page *page)
{
    for (size_t i = 0; i < page->count && !telling->many; i++) {
        if (page->items[i].patient_count == 0) {
            TRY(tell_behind(telling, &page->items[i], query));
        }
    }
    return STATUS_OK;
}

/* ---- of a search --------------------------------------------------------------------------------
 */

/* A total tells that somebody is among the matches: of few the persons are named, of many the
 * count. */
static enum status tell_total(struct telling *telling, const struct store_query *query,
                              uint64_t total)
{
    struct store_page page;
    struct request *request = telling->request;
    if (total > NAMES_PERSONS) {
        request_discloses_count(request, total);
        return STATUS_OK;
    }
    TRY(find_some(telling, query, &page));
    for (size_t i = 0; i < page.count; i++) {
        const struct store_version *item = &page.items[i];
        if (item->patient_count > 0) {
            request_discloses_once(request, item->patients, item->patient_count);
        } else {
            request_discloses_version(request, item);
        }
    }
    return tell_of_page(telling, query, &page);
}

/* Whose compartment was asked about is told of them, also when nothing is in it. */
static enum status tell_compartment(const struct telling *telling)
{
    const struct request *request = telling->request;
    return request->compartment == RESOURCE_TYPE_NONE
               ? STATUS_OK
               : name_resource(telling, request->compartment, request->id);
}

enum status api_disclose_search(struct request *request, struct store_tx *tx,
                                const struct search_plan *plan, const struct store_page *page)
{
    struct telling telling = begin(request, tx);
    const struct store_query *query = &plan->query;
    bool whole = query->count > 0 && !page->more && query->cursor.length == 0;
    TRY(tell_compartment(&telling));
    TRY(api_disclose_named(request, tx, query));
    if (query->total && !whole) {
        TRY(tell_total(&telling, query, page->total));
    }
    return telling.many ? STATUS_OK : tell_of_page(&telling, query, page);
}
