/* SPDX-License-Identifier: MIT */
/* store: searches about few people, on a server whose tables are distributed by patient. What
 * concerns somebody lies in the partition of their own number, but for what has its home elsewhere
 * and stands in the table of members: so the homes to be looked into are known beforehand, and a
 * stream goes through them one after another, each by a statement that names it. A statement with a
 * range of places instead would begin in every partition. */
#include "postgres.h"

#include "find_int.h"

#define HOMES_MOST 64

/* The targets of a clause that only lets through what refers to these patients. */
static bool targets_of(const struct test *test, struct number_list *homes)
{
    if (!test->streamed || test->clause->parameter == NULL ||
        test->clause->parameter->kind != SEARCH_REFERENCE ||
        test->clause->modifier == STORE_IDENTIFIER) {
        return false;
    }
    size_t before = homes->count;
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        for (size_t j = 0; j < wanted->number_count; j++) {
            /* References to patients are kept as minus their number. */
            if (wanted->numbers[j] >= 0 || list_add(homes, -wanted->numbers[j]) != STATUS_OK) {
                homes->count = before;
                return false;
            }
        }
        if (wanted->key.at != NULL || wanted->system != 0) {
            homes->count = before;
            return false;
        }
    }
    return homes->count > before;
}

void search_note_people(struct search *search, const struct search *branch)
{
    search->about.arena = search->arena;
    if (!targets_of(&branch->tests[0], &search->about)) {
        search->about.count = 0;
    }
}

static enum status find_people(struct search *search, struct number_list *people)
{
    if (search->query->has_patient && search->depth == 0) {
        for (size_t i = 0; i < search->person_count; i++) {
            TRY(list_add(people, search->person[i]));
        }
        return STATUS_OK;
    }
    for (size_t i = 0; i < search->about.count; i++) {
        TRY(list_add(people, search->about.items[i]));
    }
    for (size_t i = 0; i < search->test_count && people->count == 0; i++) {
        if (targets_of(&search->tests[i], people)) {
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

static enum status add_member_homes(struct search *search, uint32_t patient,
                                    struct number_list *homes)
{
    struct statement *statement;
    bool row = false;
    TRY(statement_get(search->connection, SQL_SERVER_MEMBER_HOMES, &statement));
    statement_bind_number(statement, 1, patient);
    statement_bind_number(statement, 2, HOMES_MOST + 1);
    TRY(statement_row(search->connection, statement, &row));
    while (row) {
        TRY(list_add(homes, statement_number(statement, 0)));
        TRY(statement_row(search->connection, statement, &row));
    }
    return STATUS_OK;
}

static enum statement_number within_home(enum statement_number number)
{
    switch (number) {
    case SQL_TOKEN_RIDS:
        return SQL_SERVER_TOKEN_HOME;
    case SQL_SERVER_CODES_RIDS:
        return SQL_SERVER_CODES_HOME;
    case SQL_REFERENCE_RIDS:
        return SQL_SERVER_REFERENCE_HOME;
    case SQL_TEXT_RIDS:
        return SQL_SERVER_TEXT_HOME;
    case SQL_PLACE_RIDS:
        return SQL_SERVER_PLACE_HOME;
    case SQL_ALL_RIDS:
        return SQL_SERVER_ALL_HOME;
    case SQL_WORD_BLOCKS:
        return SQL_SERVER_WORD_HOME;
    default:
        return number;
    }
}

/* A range of places of one patient stays in that. */
static enum status confine_source(struct source *source, const struct number_list *homes,
                                  struct arena *arena)
{
    enum statement_number number = within_home(source->number);
    struct statement within;
    if (statement_is_none(&source->statement) || number == source->number) {
        return STATUS_OK;
    }
    TRY(statement_take(source->connection, number, &within));
    postgres_take_values(within.postgres, source->statement.postgres);
    statement_give(source->connection, source->number, &source->statement);
    source->statement = within;
    source->number = number;
    source->homes = homes->items;
    source->home_count = homes->count;
    if (source->floor != INT64_MIN) {
        int64_t *own = arena_array(arena, 1, sizeof(*own));
        if (own == NULL) {
            return STATUS_TOO_COSTLY;
        }
        *own = place_patient(source->floor);
        source->homes = own;
        source->home_count = 1;
    }
    return STATUS_OK;
}

enum status search_confine(struct search *search, bool *ret_confined)
{
    struct number_list people = {.arena = search->arena}, homes = {.arena = search->arena};
    *ret_confined = false;
    if (search->connection->db != NULL || search->nothing) {
        return STATUS_OK;
    }
    TRY(find_people(search, &people));
    for (size_t i = 0; i < people.count && people.count <= HOMES_MOST; i++) {
        TRY(list_add(&homes, people.items[i]));
        TRY(add_member_homes(search, (uint32_t)people.items[i], &homes));
    }
    list_sort(&homes);
    if (homes.count == 0 || homes.count > HOMES_MOST) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < search->stream_count; i++) {
        for (size_t j = 0; j < search->streams[i].count; j++) {
            TRY(confine_source(&search->streams[i].sources[j], &homes, search->arena));
        }
    }
    *ret_confined = true;
    return STATUS_OK;
}
