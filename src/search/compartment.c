/* SPDX-License-Identifier: MIT */
/* Compartments (R4 compartmentdefinition.html): what their definitions list, the resources that
 * refer to it by any of the parameters named. A patient's holds that of the linked records too
 * ("all the records associated with the linked patient"). */
#include "search/search_int.h"

static const struct {
    const char *type, *definition;
} compartments[] = {
    {"Device", "http://hl7.org/fhir/CompartmentDefinition/device|4.0.1"},
    {"Encounter", "http://hl7.org/fhir/CompartmentDefinition/encounter|4.0.1"},
    {"Patient", "http://hl7.org/fhir/CompartmentDefinition/patient|4.0.1"},
    {"Practitioner", "http://hl7.org/fhir/CompartmentDefinition/practitioner|4.0.1"},
    {"RelatedPerson", "http://hl7.org/fhir/CompartmentDefinition/relatedPerson|4.0.1"},
};

static yyjson_val *find_definition(const struct planning *planning, struct slice name)
{
    const struct search_options *options = planning->options;
    for (size_t i = 0; i < sizeof compartments / sizeof compartments[0]; i++) {
        if (!slice_is(name, compartments[i].type) || options->conformance == NULL) {
            continue;
        }
        const struct canonical *found =
            conformance_find(options->conformance, SLICE("CompartmentDefinition"),
                             slice_text(compartments[i].definition), planning->arena);
        /* One that somebody stored would say what is in everybody's compartment. */
        bool ours = found != NULL && found->package.length > 0 && found->json != NULL;
        return ours ? found->json->root : NULL;
    }
    return NULL;
}

/* What TYPE's row says: a query for each of its parameters. */
static enum status add_row(struct planning *planning, resource_type type, yyjson_val *row,
                           struct store_query *queries, size_t *count)
{
    const struct search_options *options = planning->options;
    size_t i, max;
    yyjson_val *param;
    yyjson_arr_foreach(json_get(row, "param"), i, max, param)
    {
        struct store_query *query = &queries[*count];
        *query = (struct store_query){.type = type};
        if (slice_is(json_string(param), "{def}")) {
            struct slice *id = arena_array(planning->arena, 1, sizeof *id);
            if (id == NULL) {
                return STATUS_TOO_COSTLY;
            }
            *id = options->compartment_id;
            query->ids = id;
            query->id_count = 1;
            ++*count;
            continue;
        }
        const struct search_parameter *parameter =
            search_parameter_find(options->definitions, type, json_string(param));
        if (parameter == NULL || !search_parameter_targets(parameter, options->compartment)) {
            continue;
        }
        struct store_clause *clause = ARENA_NEW(planning->arena, struct store_clause);
        struct store_value *value = ARENA_NEW(planning->arena, struct store_value);
        if (clause == NULL || value == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *value = (struct store_value){
            .target = options->compartment, .id = options->compartment_id, .person = true};
        *clause = (struct store_clause){
            .parameter = parameter, .modifier = STORE_PLAIN, .values = value, .value_count = 1};
        query->clauses = clause;
        query->clause_count = 1;
        ++*count;
    }
    return STATUS_OK;
}

static enum status add_rows(struct planning *planning, yyjson_val *definition,
                            struct store_query *queries, size_t *count)
{
    const struct search_options *options = planning->options;
    size_t i, max;
    yyjson_val *row;
    yyjson_arr_foreach(json_get(definition, "resource"), i, max, row)
    {
        resource_type type = resource_type_find(options->definitions, json_get_string(row, "code"));
        if (type != RESOURCE_TYPE_NONE &&
            (options->type == RESOURCE_TYPE_NONE || options->type == type)) {
            TRY(add_row(planning, type, row, queries, count));
        }
    }
    return STATUS_OK;
}

static size_t count_params(yyjson_val *definition)
{
    size_t i, max, count = 0;
    yyjson_val *row;
    yyjson_arr_foreach(json_get(definition, "resource"), i, max, row)
    {
        count += yyjson_arr_size(json_get(row, "param"));
    }
    return count;
}

static enum status plan_union(struct planning *planning, struct scope *scope,
                              yyjson_val *definition)
{
    struct store_clause clause = {.modifier = STORE_ANY};
    struct store_query *queries =
        arena_array(planning->arena, count_params(definition) + 1, sizeof *queries);
    if (queries == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(add_rows(planning, definition, queries, &clause.query_count));
    clause.queries = queries;
    if (clause.query_count == 0) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "Resources of this type are not in this compartment.");
    }
    if (clause.query_count == 1 && queries[0].clause_count == 1 &&
        scope->query->type != RESOURCE_TYPE_NONE) {
        return scope_add(planning, scope, &queries[0].clauses[0]);
    }
    return scope_add(planning, scope, &clause);
}

enum status plan_compartment(struct planning *planning, struct scope *scope)
{
    const struct search_options *options = planning->options;
    if (options->compartment == RESOURCE_TYPE_NONE) {
        return STATUS_OK;
    }
    struct slice name = resource_type_name(options->definitions, options->compartment);
    if (options->record) {
        scope->query->has_patient = true;
        scope->query->patient = options->compartment_id;
        return STATUS_OK;
    }
    yyjson_val *definition = find_definition(planning, name);
    if (definition == NULL) {
        return outcome_fail(planning->outcome, STATUS_PARAMETER, "",
                            "There are compartments of Patient, Encounter, RelatedPerson, "
                            "Practitioner and Device only.");
    }
    return plan_union(planning, scope, definition);
}
