/* SPDX-License-Identifier: MIT */
/* store: index values made whole: codes, units, systems and targets become numbers. The writer
 * gives numbers to what is new; a reader answers UNKNOWN for it. */
#include "store_int.h"

static enum status resolve_reference(struct store_tx *tx, const struct fact *fact,
                                     struct fact *ret_fact)
{
    struct packed_id key;
    struct entry entry;
    if (!id_pack(fact->text, &key)) {
        return STATUS_NOT_FOUND; /* never an id of ours: nothing to find it by */
    }
    TRY(directory_mention(tx, fact->target, &key, &entry));
    ret_fact->number = entry.entity;
    return STATUS_OK;
}

static enum status resolve_text(struct store_tx *tx, const struct fact *fact, struct arena *arena,
                                struct fact *ret_fact)
{
    int64_t system = 0;
    struct buffer key = {.arena = arena};
    TRY(intern_system(tx, fact->system, &system));
    text_key_write(fact->text, system, &key);
    ret_fact->text = buffer_slice(&key);
    return buffer_ok(&key) ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status resolve(struct store_tx *tx, const struct fact *fact, struct arena *arena,
                           struct fact *ret_fact)
{
    *ret_fact = *fact;
    switch ((enum tree)fact->tree) {
    case TREE_TOKEN:
        if (fact->text.length == 0 && fact->system.length == 0) {
            ret_fact->number = CODE_PRESENT;
            return STATUS_OK;
        }
        return intern_code(tx, fact->system, fact->text, &ret_fact->number);
    case TREE_QUANTITY:
        if (fact->text.length == 0 && fact->system.length == 0) {
            return STATUS_OK;
        }
        return intern_code(tx, fact->system, fact->text, &ret_fact->other);
    case TREE_REFERENCE:
        return resolve_reference(tx, fact, ret_fact);
    case TREE_TEXT:
        return fact->identifier ? resolve_text(tx, fact, arena, ret_fact) : STATUS_OK;
    case TREE_DATE:
    case TREE_NUMBER:
        return STATUS_OK;
    }
    return STATUS_INTERNAL;
}

static enum status resolve_words(struct store_tx *tx, const struct facts *facts,
                                 struct facts *ret_facts)
{
    ret_facts->words = facts->words;
    ret_facts->word_count = facts->word_count;
    ret_facts->code_word_count = facts->code_word_count;
    ret_facts->code_words =
        arena_array(ret_facts->arena, facts->code_word_count, sizeof(*ret_facts->code_words));
    if (facts->code_word_count > 0 && ret_facts->code_words == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < facts->code_word_count; i++) {
        struct code_word *word = &ret_facts->code_words[i];
        *word = facts->code_words[i];
        if (i > 0 && slice_equals(word->code, word[-1].code) &&
            slice_equals(word->system, word[-1].system)) {
            word->number = word[-1].number;
            continue;
        }
        TRY(intern_code(tx, word->system, word->code, &word->number));
    }
    return STATUS_OK;
}

enum status facts_resolve(struct store_tx *tx, const struct facts *facts, struct facts *ret_facts)
{
    TRY(resolve_words(tx, facts, ret_facts));
    for (size_t i = 0; i < facts->count; i++) {
        struct fact fact;
        enum status status = resolve(tx, &facts->items[i], ret_facts->arena, &fact);
        if (status == STATUS_NOT_FOUND) {
            continue;
        }
        TRY(status);
        facts_add(ret_facts, &fact);
    }
    facts_sort(ret_facts);
    return ret_facts->broken || facts->broken ? STATUS_TOO_COSTLY : STATUS_OK;
}

enum status base_url_of(struct store_tx *tx, int64_t base, struct arena *arena,
                        struct slice *ret_base_url)
{
    *ret_base_url = (struct slice){NULL, 0};
    if (base != 0) {
        struct statement *statement;
        bool row = false;
        TRY(statement_get(tx->connection, SQL_SYSTEM_URI, &statement));
        statement_bind_number(statement, 1, base);
        TRY(statement_row(tx->connection, statement, &row));
        *ret_base_url = row ? arena_copy(arena, statement_blob(statement, 0)) : *ret_base_url;
        statement_reset(statement);
    }
    return STATUS_OK;
}

enum status facts_of_body(struct store_tx *tx, resource_type type, struct slice body, int64_t base,
                          struct arena *arena, struct facts *ret_facts)
{
    struct json json;
    struct slice base_url;
    struct facts raw = {.arena = arena};
    TRY(base_url_of(tx, base, arena, &base_url));
    TRY(json_read(body, &json_limits_default, arena, NULL, &json));
    extract_all(tx->connection->store, type, json.root, base_url, &raw);
    *ret_facts = (struct facts){.arena = arena};
    return facts_resolve(tx, &raw, ret_facts);
}
