/* SPDX-License-Identifier: MIT */
/* store: several Patient resources can be one person (Patient.link). Linking writes rows and moves
 * nothing; reads expand the set. */
#include "store_int.h"

/* A person with more Patient resources than this is a fault in the data, not a person. */
#define PERSON_LIMIT 1000

enum status person_links_remove(struct store_tx *tx, uint32_t patient)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_LINK_REMOVE, &statement));
    statement_bind_number(statement, 1, patient);
    return statement_run(tx->connection, statement);
}

enum status person_links_put(struct store_tx *tx, const struct store_draft *draft, uint32_t patient)
{
    TRY(person_links_remove(tx, patient));
    for (size_t i = 0; i < draft->link_count; i++) {
        struct packed_id key;
        struct entry entry;
        if (!id_pack(draft->links[i], &key)) {
            continue;
        }
        TRY(directory_mention(tx, tx->connection->store->patient_type, &key, &entry));
        if (place_patient(entry.rid) == patient) {
            continue;
        }
        struct statement *statement;
        TRY(statement_get(tx->connection, SQL_LINK_ADD, &statement));
        statement_bind_number(statement, 1, patient);
        statement_bind_number(statement, 2, place_patient(entry.rid));
        TRY(statement_run(tx->connection, statement));
    }
    return STATUS_OK;
}

static bool set_add(uint32_t *set, size_t *count, uint32_t patient)
{
    for (size_t i = 0; i < *count; i++) {
        if (set[i] == patient) {
            return true;
        }
    }
    if (*count == PERSON_LIMIT) {
        return false;
    }
    set[(*count)++] = patient;
    return true;
}

enum status store_person_patients(struct store_tx *tx, uint32_t patient, struct arena *arena,
                                  const uint32_t **ret_patients, size_t *ret_count)
{
    uint32_t *set = arena_array(arena, PERSON_LIMIT, sizeof(*set));
    size_t count = 0;
    struct statement *statement;
    if (set == NULL) {
        return STATUS_TOO_COSTLY;
    }
    set[count++] = patient;
    for (size_t at = 0; at < count; at++) {
        TRY(statement_get(tx->connection, SQL_LINKED, &statement));
        statement_bind_number(statement, 1, set[at]);
        bool row = false;
        TRY(statement_row(tx->connection, statement, &row));
        while (row) {
            if (!set_add(set, &count, (uint32_t)statement_number(statement, 0))) {
                statement_reset(statement);
                return STATUS_TOO_COSTLY;
            }
            TRY(statement_row(tx->connection, statement, &row));
        }
    }
    *ret_patients = arena_resize(arena, set, PERSON_LIMIT * sizeof(*set), count * sizeof(*set));
    *ret_count = count;
    return *ret_patients != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}
