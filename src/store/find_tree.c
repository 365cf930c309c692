/* SPDX-License-Identifier: MIT */
/* store: hierarchies (R4 search, "reference", :above and :below): resources of a type that are part
 * of others of it, as Location.partOf says. */
#include "find_int.h"

#define TREE_LIMIT 10000 /* resources in one hierarchy */

/* The parameter by which resources of the type say what they are part of; NULL: it has none. */
static const struct search_parameter *part_of(const struct store *store, resource_type type)
{
    static const char *const codes[] = {"partof", "part-of"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const struct search_parameter *parameter =
            search_parameter_find(store->definitions, type, slice_text(codes[i]));
        if (parameter == NULL || parameter->kind != SEARCH_REFERENCE) {
            continue;
        }
        for (size_t j = 0; j < parameter->target_count; j++) {
            if (parameter->targets[j] == type) {
                return parameter;
            }
        }
    }
    return NULL;
}

static enum status too_many(struct search *search)
{
    return outcome_fail(search->outcome, STATUS_TOO_COSTLY, "",
                        "The hierarchy has more than %d members. Name one further down.",
                        TREE_LIMIT);
}

struct climb {
    struct search *search;
    const struct search_parameter *parameter;
    uint32_t number;
    resource_type type;
    struct number_set entities; /* found; looked at in this order */
    struct number_set places;   /* of each; negative: it is not there */
};

/* RID negative: it is not there; each such place is another number. */
static void climb_add(struct climb *climb, int64_t entity, int64_t rid)
{
    if (number_set_add(&climb->entities, entity)) {
        (void)number_set_add(&climb->places, rid >= 0 ? rid : -1 - entity);
    }
}

/* What says that it is part of the entity. */
static enum status add_children(struct climb *climb, int64_t entity)
{
    struct connection *connection = climb->search->connection;
    struct number_set children = {.arena = climb->search->scratch};
    struct statement *statement;
    bool row = false;
    TRY(statement_get(connection, SQL_REFERENCE_RIDS, &statement));
    statement_bind_number(statement, 1, climb->number);
    statement_bind_number(statement, 2, entity);
    statement_bind_number(statement, 3, INT64_MIN);
    TRY(statement_row(connection, statement, &row));
    while (row && children.count <= TREE_LIMIT) {
        (void)number_set_add(&children, statement_number(statement, 0));
        TRY(statement_row(connection, statement, &row));
    }
    statement_reset(statement);
    for (size_t i = 0; i < children.count; i++) {
        int64_t child = 0;
        TRY(place_entity(climb->search->tx, children.items[i], &child));
        climb_add(climb, child, children.items[i]);
    }
    return children.broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

/* What it says that it is part of. */
static enum status add_parents(struct climb *climb, int64_t rid)
{
    struct target *targets;
    size_t count;
    if (rid < 0) {
        return STATUS_OK;
    }
    TRY(targets_of_place(climb->search->tx, rid, climb->parameter, climb->search->scratch, &targets,
                         &count));
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &targets[i].entry;
        if (targets[i].type == climb->type) {
            climb_add(climb, entry->entity, entry->state == ENTRY_LIVE ? entry->rid : -1);
        }
    }
    return STATUS_OK;
}

/* Everything on the way; what was met is not met again, so a circle ends. */
static enum status climb_all(struct climb *climb, bool below)
{
    struct search *search = climb->search;
    for (size_t at = 0; at < climb->entities.count; at++) {
        struct arena_mark mark = arena_mark(search->scratch);
        TRY(search_look(search));
        TRY(below ? add_children(climb, climb->entities.items[at])
                  : add_parents(climb, climb->places.items[at]));
        arena_rewind(search->scratch, mark);
        if (climb->entities.count > TREE_LIMIT) {
            return too_many(search);
        }
    }
    return climb->entities.broken || climb->places.broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

static enum status climb_from(struct search *search, const struct store_clause *clause,
                              resource_type type, const struct packed_id *key,
                              struct number_set *entities, bool *ret_any)
{
    const struct search_parameter *parameter = part_of(search->store, type);
    const struct parameter *known =
        parameter != NULL ? store_parameter(search->store, type, parameter) : NULL;
    struct entry entry;
    if (known == NULL) {
        return STATUS_OK;
    }
    if (!parameter_is_ready(known, search->connection)) {
        return search_not_ready(search, parameter);
    }
    *ret_any = true;
    TRY(directory_find(search->tx, type, key, &entry));
    if (!entry.known) {
        return STATUS_OK;
    }
    struct climb climb = {.search = search,
                          .parameter = parameter,
                          .number = known->number * 2,
                          .type = type,
                          .entities = {.arena = search->arena},
                          .places = {.arena = search->arena}};
    climb_add(&climb, entry.entity, entry.state == ENTRY_LIVE ? entry.rid : -1);
    TRY(climb_all(&climb, clause->modifier == STORE_BELOW));
    for (size_t i = 0; i < climb.entities.count; i++) {
        (void)number_set_add(entities, climb.entities.items[i]);
    }
    return STATUS_OK;
}

enum status tree_prepare(struct search *search, const struct store_clause *clause,
                         const struct store_value *value, struct number_set *ret_entities)
{
    const struct search_parameter *parameter = clause->parameter;
    struct packed_id key;
    bool any = false;
    if (value->id.length == 0) {
        return search_refuse(search, clause, "only a resource of this server is in a hierarchy.");
    }
    if (!id_pack(value->id, &key)) {
        return STATUS_OK;
    }
    if (value->target != RESOURCE_TYPE_NONE) {
        TRY(climb_from(search, clause, value->target, &key, ret_entities, &any));
    }
    for (size_t i = 0; value->target == RESOURCE_TYPE_NONE && i < parameter->target_count; i++) {
        TRY(climb_from(search, clause, parameter->targets[i], &key, ret_entities, &any));
    }
    if (!any) {
        return search_refuse(search, clause,
                             "what it refers to is in no hierarchy of one type. Leave out the "
                             "modifier.");
    }
    return ret_entities->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}
