/* SPDX-License-Identifier: MIT */
/* Patient/[id]/$everything (R4, operation Patient-everything): all that concerns one person, in the
 * order of the store, page by page. */
#include "api/api_int.h"

/* "The date range relates to care dates, not record currency dates": when the care was given or
 * asked for. What is not listed - allergies, consents, goals, family history, the Patient - holds
 * at all times and is always given, and so is what has no such date: that nothing is known of its
 * time is no reason to hide it. Conditions last from their onset until they abate. */
static const struct {
    const char *type, *from, *until; /* search parameters; UNTIL NULL: the same */
} care_dates[] = {
    {"AdverseEvent", "date", NULL},
    {"Appointment", "date", NULL},
    {"AuditEvent", "date", NULL},
    {"CarePlan", "date", NULL},
    {"CareTeam", "date", NULL},
    {"ChargeItem", "occurrence", NULL},
    {"Claim", "created", NULL},
    {"ClaimResponse", "created", NULL},
    {"ClinicalImpression", "date", NULL},
    {"Communication", "sent", NULL},
    {"CommunicationRequest", "authored", NULL},
    {"Composition", "date", NULL},
    {"Condition", "onset-date", "abatement-date"},
    {"CoverageEligibilityRequest", "created", NULL},
    {"CoverageEligibilityResponse", "created", NULL},
    {"DetectedIssue", "identified", NULL},
    {"DeviceRequest", "authored-on", NULL},
    {"DiagnosticReport", "date", NULL},
    {"DocumentManifest", "created", NULL},
    {"DocumentReference", "date", NULL},
    {"Encounter", "date", NULL},
    {"EpisodeOfCare", "date", NULL},
    {"ExplanationOfBenefit", "created", NULL},
    {"Flag", "date", NULL},
    {"ImagingStudy", "started", NULL},
    {"Immunization", "date", NULL},
    {"Invoice", "date", NULL},
    {"MeasureReport", "period", NULL},
    {"Media", "created", NULL},
    {"MedicationAdministration", "effective-time", NULL},
    {"MedicationDispense", "whenhandedover", NULL},
    {"MedicationRequest", "authoredon", NULL},
    {"MedicationStatement", "effective", NULL},
    {"NutritionOrder", "datetime", NULL},
    {"Observation", "date", NULL},
    {"Procedure", "date", NULL},
    {"QuestionnaireResponse", "authored", NULL},
    {"RequestGroup", "authored", NULL},
    {"RiskAssessment", "date", NULL},
    {"ServiceRequest", "authored", NULL},
    {"Specimen", "collected", NULL},
    {"SupplyRequest", "date", NULL},
    {"Task", "authored-on", NULL},
    {"VisionPrescription", "datewritten", NULL},
};
#define CARE_DATES (sizeof care_dates / sizeof care_dates[0])

struct range {
    bool has_start, has_end;
    struct store_value start, end;
    struct store_value missing;
};

static enum status take_date(struct request *request, const struct parameter *parameter,
                             enum store_compare compare, bool *has, struct store_value *value)
{
    struct partial_date date;
    if (*has || parameter->modifier.length > 0 ||
        !date_parse(parameter->value, DATE_FORM_SEARCH, &date)) {
        return request_fail(request, STATUS_VALUE, "",
                            "start and end of $everything are dates, each given once: "
                            "start=2026-01-31.");
    }
    *has = true;
    value->compare = compare;
    date_range(&date, &value->low, &value->high);
    return STATUS_OK;
}

/* ---- the clause of care dates -----------------------------------------------------------------
 */

struct any {
    struct arena *arena;
    struct store_query *queries;
    size_t count;
    bool full;
};

static struct store_clause *add_query(struct any *any, resource_type type, size_t clauses)
{
    struct store_clause *first = arena_array(any->arena, clauses + 1, sizeof *first);
    any->full = any->full || first == NULL;
    if (first != NULL) {
        any->queries[any->count++] =
            (struct store_query){.type = type, .clauses = first, .clause_count = clauses};
    }
    return first;
}

static void add_missing(struct any *any, resource_type type, const struct range *range,
                        const struct search_parameter *parameter)
{
    struct store_clause *clause = add_query(any, type, 1);
    if (clause != NULL) {
        clause[0] = (struct store_clause){.parameter = parameter,
                                          .modifier = STORE_MISSING,
                                          .values = &range->missing,
                                          .value_count = 1};
    }
}

/* It begins by the end of the range, and ends no earlier than its start; with a second parameter
 * for the end, also what has not ended. */
static void add_dated(struct any *any, resource_type type, const struct range *range,
                      const struct search_parameter *from, const struct search_parameter *until)
{
    for (int open = 0; open <= (until != from && range->has_start); open++) {
        struct store_clause *clauses = add_query(any, type, 0u + range->has_start + range->has_end);
        size_t count = 0;
        if (clauses != NULL && range->has_start) {
            clauses[count++] =
                (struct store_clause){.parameter = until,
                                      .modifier = open ? STORE_MISSING : STORE_PLAIN,
                                      .values = open ? &range->missing : &range->start,
                                      .value_count = 1};
        }
        if (clauses != NULL && range->has_end) {
            clauses[count++] =
                (struct store_clause){.parameter = from, .values = &range->end, .value_count = 1};
        }
    }
}

static void add_type(const struct definitions *definitions, resource_type type,
                     const struct range *range, struct any *any)
{
    struct slice name = resource_type_name(definitions, type);
    for (size_t i = 0; i < CARE_DATES; i++) {
        if (!slice_is(name, care_dates[i].type)) {
            continue;
        }
        const char *until_name =
            care_dates[i].until != NULL ? care_dates[i].until : care_dates[i].from;
        const struct search_parameter *from =
            search_parameter_find(definitions, type, slice_text(care_dates[i].from));
        const struct search_parameter *until =
            search_parameter_find(definitions, type, slice_text(until_name));
        if (from != NULL && until != NULL) {
            add_dated(any, type, range, from, until);
            add_missing(any, type, range, from);
            return;
        }
    }
    (void)add_query(any, type, 0);
}

static enum status limit_to_range(struct request *request, struct range *range,
                                  struct search_plan *plan)
{
    const struct definitions *definitions = request->service->definitions;
    struct store_query *query = &plan->query;
    resource_type last = resource_type_count(definitions);
    if (!range->has_start && !range->has_end) {
        return STATUS_OK;
    }
    range->missing.boolean = true;
    struct any any = {.arena = request->arena,
                      .queries = arena_array(request->arena, 3u * last, sizeof *any.queries)};
    struct store_clause *clauses =
        arena_array(request->arena, query->clause_count + 1, sizeof *clauses);
    if (any.queries == NULL || clauses == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (resource_type type = 1; type <= last; type++) {
        add_type(definitions, type, range, &any);
    }
    if (query->clause_count > 0) {
        memcpy(clauses, query->clauses, query->clause_count * sizeof *clauses);
    }
    clauses[query->clause_count++] = (struct store_clause){
        .modifier = STORE_ANY, .queries = any.queries, .query_count = any.count};
    query->clauses = clauses;
    return any.full ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* ---- parameters -------------------------------------------------------------------------------
 */

struct asked {
    struct range *range;
    struct search_argument *arguments, *links; /* of the search; as they came, for the links */
    size_t count, link_count;
    struct slice since; /* the value of _lastUpdated that stands for _since */
};

static enum status take_since(struct request *request, const struct parameter *parameter,
                              struct asked *asked)
{
    struct partial_date date;
    struct buffer since = {.arena = request->arena};
    if (asked->since.length > 0 || parameter->modifier.length > 0 ||
        !date_parse(parameter->value, DATE_FORM_SEARCH, &date)) {
        return request_fail(request, STATUS_VALUE, "",
                            "_since of $everything is an instant, given once: "
                            "_since=2026-01-31T09:30:00Z; in a URL + is written %%2B.");
    }
    buffer_add_text(&since, "ge");
    buffer_add(&since, parameter->value);
    asked->since = buffer_slice(&since);
    asked->arguments[asked->count++] =
        (struct search_argument){.name = SLICE("_lastUpdated"), .value = asked->since};
    return buffer_ok(&since) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status take_parameter(struct request *request, const struct parameter *parameter,
                                  struct asked *asked)
{
    struct range *range = asked->range;
    struct search_argument argument = {
        .name = parameter->name, .modifier = parameter->modifier, .value = parameter->value};
    if (slice_is(parameter->name, "start")) {
        TRY(take_date(request, parameter, STORE_GE, &range->has_start, &range->start));
        asked->links[asked->link_count++] = argument;
        return STATUS_OK;
    }
    if (slice_is(parameter->name, "end")) {
        TRY(take_date(request, parameter, STORE_LE, &range->has_end, &range->end));
        asked->links[asked->link_count++] = argument;
        return STATUS_OK;
    }
    if (slice_is(parameter->name, "_since")) {
        TRY(take_since(request, parameter, asked));
        asked->links[asked->link_count++] = argument;
        return STATUS_OK;
    }
    asked->arguments[asked->count++] = argument;
    return STATUS_OK;
}

/* The links say what was asked for, in the operation's own words. */
static enum status take_links(struct request *request, struct asked *asked,
                              struct search_plan *plan)
{
    struct search_argument *links =
        arena_array(request->arena, asked->link_count + plan->applied_count + 1, sizeof *links);
    size_t count = asked->link_count;
    if (links == NULL) {
        return STATUS_TOO_COSTLY;
    }
    memcpy(links, asked->links, count * sizeof *links);
    bool since = asked->since.length > 0;
    for (size_t i = 0; i < plan->applied_count; i++) {
        const struct search_argument *applied = &plan->applied[i];
        if (since && slice_is(applied->name, "_lastUpdated") &&
            slice_equals(applied->value, asked->since)) {
            since = false; /* said as _since; a _lastUpdated of the caller's own stays */
            continue;
        }
        links[count++] = *applied;
    }
    plan->applied = links;
    plan->applied_count = count;
    return STATUS_OK;
}

static enum status plan_everything(struct request *request, struct range *range,
                                   struct search_plan *plan)
{
    size_t most = request->parameter_count + 1;
    struct asked asked = {.range = range,
                          .arguments = arena_array(request->arena, most, sizeof *asked.arguments),
                          .links = arena_array(request->arena, most, sizeof *asked.links)};
    if (asked.arguments == NULL || asked.links == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        TRY(take_parameter(request, &request->parameters[i], &asked));
    }
    const struct config *config = request->service->config;
    struct search_options options = {.definitions = request->service->definitions,
                                     .base_url = request->base_url,
                                     .learning = store_learning(request->service->store),
                                     .compartment = request->type,
                                     .compartment_id = request->id,
                                     .record = true,
                                     .lenient = request->prefer_lenient,
                                     .count_default = (size_t)config->page_max,
                                     .count_max = (size_t)config->page_max};
    TRY(search_plan_make(&options, asked.arguments, asked.count, request->arena, &request->outcome,
                         plan));
    TRY(take_links(request, &asked, plan));
    return limit_to_range(request, range, plan);
}

enum status api_everything_perform(struct request *request)
{
    struct search_plan plan;
    struct range range = {0};
    struct store_tx *tx;
    struct search_answer answer = {0};
    struct store_version patient;
    TRY(operation_parameters_join(request));
    TRY(plan_everything(request, &range, &plan));
    if (request->summary == SUMMARY_COUNT || plan.query.count == 0) {
        plan.query.count = 0;
        plan.query.total = true;
    }
    TRY(request_snapshot(request, &tx));
    enum status status = store_read(tx, request->type, request->id, request->arena, &patient);
    if (status == STATUS_GONE) {
        request_discloses_version(request, &patient);
    }
    if (status == STATUS_GONE || status == STATUS_NOT_FOUND) {
        return request_fail(request, status, "",
                            status == STATUS_GONE ? "The Patient was deleted; its _history shows "
                                                    "what it was."
                                                  : "There is no Patient of this id.");
    }
    TRY(status);
    plan.query.bytes = API_PAGE_BYTES;
    arena_raise(request->arena, 6 * API_PAGE_BYTES);
    TRY(store_find(tx, &plan.query, request->arena, &request->outcome, &answer.page));
    TRY(api_include(request, tx, &plan, &answer));
    TRY(api_respond_page(request, &plan, &answer));
    /* That nothing of a kind is in a record is told of somebody too. */
    request_discloses_also(request, patient.patients, patient.patient_count);
    return STATUS_OK;
}
