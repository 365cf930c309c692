/* SPDX-License-Identifier: MIT */
/* store: the directory (type, id) -> place, the numbers of things and of patients, and the next
 * free place of a patient. The writer remembers the rows it met last. */
#include "store_int.h"

/* An empty slot is of no id: those have a byte at least. */
static bool entry_is(const struct entry *entry, resource_type type, const struct packed_id *id)
{
    return entry->type == type && entry->id.length == id->length && entry->id.uuid == id->uuid &&
           memcmp(entry->id.bytes, id->bytes, id->length) == 0;
}

/* The slot where it is remembered or will be: one of two neighbours. */
static struct entry *entry_slot(struct writer *writer, resource_type type,
                                const struct packed_id *id)
{
    uint64_t hash =
        slice_hash(slice_of(id->bytes, id->length)) ^ (uint64_t)type * UINT64_C(0x9E3779B97F4A7C15);
    struct entry *first = &writer->entries[(hash ^ hash >> 32) % ENTRY_CACHE];
    struct entry *other = &writer->entries[((hash ^ hash >> 32) % ENTRY_CACHE) ^ 1];
    bool first_free = first->id.length == 0 || first->turn != writer->turn;
    bool other_free = other->id.length == 0 || other->turn != writer->turn;
    bool is_other =
        entry_is(other, type, id) || (!entry_is(first, type, id) && !first_free && other_free);
    return is_other ? other : first;
}

const struct entry *directory_recall(struct writer *writer, resource_type type,
                                     const struct packed_id *id)
{
    const struct entry *slot = entry_slot(writer, type, id);
    return slot->turn == writer->turn && entry_is(slot, type, id) ? slot : NULL;
}

void directory_remember(struct writer *writer, const struct entry *entry)
{
    struct entry *slot = entry_slot(writer, entry->type, &entry->id);
    *slot = *entry;
    slot->turn = writer->turn;
}

void directory_read(const struct statement *statement, int column, struct entry *ret_entry)
{
    ret_entry->known = true;
    ret_entry->entity = statement_number(statement, column);
    ret_entry->rid = statement_number(statement, column + 1);
    ret_entry->version = (uint32_t)statement_number(statement, column + 2);
    ret_entry->state = (enum entry_state)statement_number(statement, column + 3);
}

enum status directory_find(struct store_tx *tx, resource_type type, const struct packed_id *id,
                           struct entry *ret_entry)
{
    const struct entry *slot = tx->writer != NULL ? directory_recall(tx->writer, type, id) : NULL;
    if (slot != NULL) {
        *ret_entry = *slot;
        return STATUS_OK;
    }
    *ret_entry = (struct entry){.type = type, .id = *id};
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_DIRECTORY_GET, &statement));
    statement_bind_number(statement, 1, type);
    statement_bind_id(statement, 2, id);
    bool row = false;
    TRY(statement_row(tx->connection, statement, &row));
    if (row) {
        directory_read(statement, 0, ret_entry);
        statement_reset(statement);
    }
    if (tx->writer != NULL) {
        directory_remember(tx->writer, ret_entry);
    }
    return STATUS_OK;
}

enum status directory_store(struct store_tx *tx, const struct entry *entry)
{
    struct writer *writer = tx->writer;
    struct statement *statement;
    TRY(statement_get(tx->connection, entry->known ? SQL_DIRECTORY_SET : SQL_DIRECTORY_ADD,
                      &statement));
    statement_bind_number(statement, 1, entry->type);
    statement_bind_id(statement, 2, &entry->id);
    statement_bind_number(statement, 3, entry->entity);
    statement_bind_number(statement, 4, entry->rid);
    statement_bind_number(statement, 5, entry->version);
    statement_bind_number(statement, 6, (int)entry->state);
    TRY(statement_run(tx->connection, statement));
    writer->touched = true;
    struct entry now = *entry;
    now.known = true;
    directory_remember(writer, &now);
    return STATUS_OK;
}

enum status directory_mention(struct store_tx *tx, resource_type type, const struct packed_id *id,
                              struct entry *ret_entry)
{
    TRY(directory_find(tx, type, id, ret_entry));
    if (ret_entry->known) {
        return STATUS_OK;
    }
    struct writer *writer = tx->writer;
    if (writer == NULL) {
        ret_entry->entity = UNKNOWN_NUMBER;
        return STATUS_OK;
    }
    ret_entry->state = ENTRY_MENTIONED;
    if (type == tx->connection->store->patient_type) {
        /* References to patients are kept as minus their number. */
        int64_t number = 0;
        TRY(number_next(writer, NUMBER_PATIENT, &number));
        if (number > UINT32_MAX / 2) {
            return STATUS_NO_SPACE;
        }
        ret_entry->entity = -number;
        ret_entry->rid = place_first((uint32_t)number);
        struct statement *statement;
        TRY(statement_get(tx->connection, SQL_PATIENT_ADD, &statement));
        statement_bind_number(statement, 1, number);
        statement_bind_id(statement, 2, id);
        TRY(statement_run(tx->connection, statement));
        place_expect(writer, (uint32_t)number, 0); /* nobody else knows the number yet */
    } else {
        TRY(number_next(writer, NUMBER_ENTITY, &ret_entry->entity));
    }
    TRY(directory_store(tx, ret_entry));
    ret_entry->known = true;
    return STATUS_OK;
}

void place_expect(struct writer *writer, uint32_t patient, int64_t last)
{
    writer->sequences[patient % SEQUENCE_CACHE] =
        (struct sequence){.patient = patient,
                          .turn = writer->turn,
                          .used = true,
                          .next = place_first(patient) + last + 1};
}

enum status place_next(struct store_tx *tx, uint32_t patient, int64_t *ret_rid)
{
    struct writer *writer = tx->writer;
    if (writer->connection.db == NULL && patient < PATIENT_FIRST) {
        /* Everybody writes there: nobody must wait for whoever has the last place. */
        int64_t number = 0;
        TRY(number_next(writer, NUMBER_PLACE, &number));
        *ret_rid = place_first(patient) + number;
        return STATUS_OK;
    }
    struct sequence *sequence = &writer->sequences[patient % SEQUENCE_CACHE];
    if (!sequence->used || sequence->patient != patient || sequence->turn != writer->turn) {
        struct statement *statement;
        TRY(statement_get(tx->connection, SQL_PLACE_LAST, &statement));
        statement_bind_number(statement, 1, place_first(patient));
        statement_bind_number(statement, 2, place_first(patient) + SEQUENCE_LIMIT);
        bool row = false;
        TRY(statement_row(tx->connection, statement, &row));
        int64_t last = place_first(patient);
        if (row && !statement_is_null(statement, 0)) {
            last = statement_number(statement, 0);
        }
        statement_reset(statement);
        place_expect(writer, patient, last - place_first(patient));
    }
    if (sequence->next - place_first(patient) > SEQUENCE_LIMIT) {
        return STATUS_NO_SPACE;
    }
    writer->touched = true;
    *ret_rid = sequence->next++;
    return STATUS_OK;
}

enum status store_patient_id(struct store_tx *tx, uint32_t patient, struct arena *arena,
                             struct slice *ret_id)
{
    struct statement *statement;
    TRY(statement_get(tx->connection, SQL_PATIENT_ID, &statement));
    statement_bind_number(statement, 1, patient);
    bool row = false;
    TRY(statement_row(tx->connection, statement, &row));
    if (!row) {
        return STATUS_NOT_FOUND;
    }
    *ret_id = statement_id(statement, 0, arena);
    statement_reset(statement);
    return ret_id->at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status type_is_used(struct connection *connection, resource_type type, bool *ret_used)
{
    struct statement *statement;
    TRY(statement_get(connection, SQL_TYPE_USED, &statement));
    statement_bind_number(statement, 1, type);
    TRY(statement_row(connection, statement, ret_used));
    statement_reset(statement);
    return STATUS_OK;
}
