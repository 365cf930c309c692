/* SPDX-License-Identifier: MIT */
/* store: words. A search for words is rare and mostly for rare ones, so the tree of words does not
 * say which resource has one, only which block of neighbouring places may: the neighbours are of
 * one person and say much the same. What is found is decided on the bodies. */
#include "store_int.h"

/* ---- letters ------------------------------------------------------------------------------------
 */

/* Outside ASCII everything is a letter but what is known to be none: spaces, punctuation, signs. */
static bool is_word_point(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } others[] = {{0x80, 0xa9},     {0xab, 0xb1},     {0xb4, 0xb4},     {0xb6, 0xb8},
                  {0xbb, 0xbf},     {0xd7, 0xd7},     {0xf7, 0xf7},     {0x37e, 0x37e},
                  {0x387, 0x387},   {0x55a, 0x55f},   {0x589, 0x58a},   {0x5be, 0x5be},
                  {0x5c0, 0x5c0},   {0x5c3, 0x5c3},   {0x5f3, 0x5f4},   {0x600, 0x60f},
                  {0x61b, 0x61f},   {0x66a, 0x66d},   {0x6d4, 0x6d4},   {0x964, 0x965},
                  {0x2000, 0x206f}, {0x20a0, 0x20cf}, {0x2190, 0x2bff}, {0x2e00, 0x2e7f},
                  {0x3000, 0x3004}, {0x3008, 0x3020}, {0x3030, 0x3030}, {0xe000, 0xf8ff},
                  {0xfe10, 0xfe1f}, {0xfe30, 0xfe6f}, {0xff01, 0xff0f}, {0xff1a, 0xff20},
                  {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0xfff0, 0xffff}, {0x1f000, 0x1faff}};
    if (point < 0x80) {
        return (point >= '0' && point <= '9') || (point >= 'a' && point <= 'z') ||
               (point >= 'A' && point <= 'Z');
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && point >= others[i].first; i++) {
        if (point <= others[i].last) {
            return false;
        }
    }
    return true;
}

#define UUID_LENGTH 36

/* A UUID in either case at the beginning of TEXT and no longer than that. */
static bool begins_with_uuid(struct slice text, char ret_lower[static UUID_LENGTH])
{
    uint32_t next;
    uint8_t bytes[16];
    if (text.length < UUID_LENGTH || text.at[8] != '-') {
        return false;
    }
    for (size_t i = 0; i < UUID_LENGTH; i++) {
        char byte = text.at[i];
        ret_lower[i] = (char)(byte >= 'A' && byte <= 'F' ? byte + 32 : byte);
    }
    if (!uuid_pack(slice_of(ret_lower, UUID_LENGTH), bytes)) {
        return false;
    }
    if (text.length > UUID_LENGTH) {
        (void)text_decode(text, UUID_LENGTH, &next);
        return !is_word_point(next);
    }
    return true;
}

/* ---- words --------------------------------------------------------------------------------------
 */

/* BITS: all that its points have. Most words are short and of ASCII letters. */
static void give_word(struct slice word, uint32_t bits, struct arena *arena, word_visit *visit,
                      void *context)
{
    char lower[64];
    if (bits < 0x80 && word.length <= sizeof(lower)) {
        for (size_t i = 0; i < word.length; i++) {
            char byte = word.at[i];
            lower[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
        }
        visit(context, slice_of(lower, word.length));
        return;
    }
    struct buffer folded = {.arena = arena};
    text_fold(word, &folded);
    if (folded.length > 0) {
        visit(context, buffer_slice(&folded));
    }
}

void words_each(struct slice text, struct arena *arena, word_visit *visit, void *context)
{
    for (size_t at = 0; at < text.length;) {
        uint32_t point;
        char uuid[UUID_LENGTH];
        size_t length = text_decode(text, at, &point);
        if (!is_word_point(point)) {
            at += length;
            continue;
        }
        if (begins_with_uuid(slice_from(text, at), uuid)) {
            visit(context, slice_of(uuid, UUID_LENGTH));
            at += UUID_LENGTH;
            continue;
        }
        size_t start = at;
        uint32_t bits = 0;
        while (at < text.length && is_word_point(point)) {
            bits |= point;
            at += length;
            length = at < text.length ? text_decode(text, at, &point) : 0;
        }
        give_word(slice_of(text.at + start, at - start), bits, arena, visit, context);
    }
}

uint32_t word_number(struct slice word)
{
    /* FNV-1a, folded to 31 bits, which take four bytes in a row. */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < word.length; i++) {
        hash = (hash ^ (uint8_t)word.at[i]) * UINT64_C(0x100000001b3);
    }
    return (uint32_t)((hash ^ hash >> 33) & 0x7fffffff);
}

/* ---- narrative ----------------------------------------------------------------------------------
 */

static void add_reference(struct slice name, struct buffer *out)
{
    static const struct {
        const char *name, *text;
    } known[] = {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
    if (name.length > 1 && name.at[0] == '#') {
        bool hexadecimal = name.at[1] == 'x';
        uint32_t point = 0;
        for (size_t i = hexadecimal ? 2 : 1; i < name.length && point < 0x110000; i++) {
            char byte = (char)(name.at[i] | 32);
            uint32_t digit =
                byte >= 'a' ? (uint32_t)(byte - 'a') + 10 : (uint32_t)(name.at[i] - '0');
            point = point * (hexadecimal ? 16 : 10) + digit;
        }
        if (point >= 0x20 && point < 0x110000) {
            text_encode(point, out);
        }
        return;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (slice_is(name, known[i].name)) {
            buffer_add_text(out, known[i].text);
            return;
        }
    }
    buffer_add_byte(out, ' ');
}

void narrative_text(struct slice xhtml, struct buffer *out)
{
    for (size_t at = 0; at < xhtml.length;) {
        char byte = xhtml.at[at];
        struct slice rest = slice_from(xhtml, at + 1);
        size_t end = slice_index(rest, byte == '<' ? '>' : ';');
        if (byte == '<') {
            buffer_add_byte(out, ' ');
            at += end + 2;
        } else if (byte == '&' && end <= 10 && end < rest.length) {
            add_reference(slice_head(rest, end), out);
            at += end + 2;
        } else {
            buffer_add_byte(out, byte);
            at++;
        }
    }
}

/* ---- texts of a resource ------------------------------------------------------------------------
 */

struct texting {
    struct arena *arena;
    text_visit *visit;
    void *context;
};

static void visit_text(void *context, const struct walk_value *value)
{
    const struct texting *texting = context;
    struct slice text = json_string(value->value);
    if (value->type == FHIR_TYPE_XHTML) {
        struct buffer plain = {.arena = texting->arena};
        narrative_text(text, &plain);
        if (plain.length > 0) {
            texting->visit(texting->context, buffer_slice(&plain));
        }
        return;
    }
    bool address = value->parent_type == FHIR_TYPE_REFERENCE && slice_is(value->name, "reference");
    if ((value->type == FHIR_TYPE_STRING || value->type == FHIR_TYPE_MARKDOWN) && !address &&
        !slice_is(value->name, "id") && text.length > 0) {
        texting->visit(texting->context, text);
    }
}

void resource_texts(const struct definitions *definitions, resource_type type, yyjson_val *resource,
                    struct arena *arena, text_visit *visit, void *context)
{
    struct texting texting = {arena, visit, context};
    resource_walk(definitions, type, resource, visit_text, &texting);
}

static void visit_member(yyjson_val *object, const char *name, text_visit *visit, void *context)
{
    struct slice text = json_get_string(object, name);
    if (text.length > 0) {
        visit(context, text);
    }
}

static void concept_texts(yyjson_val *concept, text_visit *visit, void *context)
{
    size_t i, max;
    yyjson_val *coding;
    visit_member(concept, "text", visit, context);
    yyjson_arr_foreach(json_get(concept, "coding"), i, max, coding)
    {
        visit_member(coding, "display", visit, context);
    }
}

void value_texts(const struct search_path *path, yyjson_val *value, text_visit *visit,
                 void *context)
{
    switch (path->type) {
    case FHIR_TYPE_CODEABLECONCEPT:
        concept_texts(value, visit, context);
        break;
    case FHIR_TYPE_IDENTIFIER:
        visit_member(json_get(value, "type"), "text", visit, context);
        break;
    case FHIR_TYPE_CODING:
    case FHIR_TYPE_REFERENCE:
        visit_member(value, "display", visit, context);
        break;
    default:
        break;
    }
}

/* ---- gathering ----------------------------------------------------------------------------------
 */

struct gathering {
    struct arena *arena;
    uint32_t *items;
    size_t count, capacity;
    bool broken;
};

static void gather_word(void *context, struct slice word)
{
    struct gathering *to = context;
    if (to->count == to->capacity) {
        size_t capacity = to->capacity == 0 ? 64 : to->capacity * 2;
        uint32_t *items = arena_resize(to->arena, to->items, to->capacity * sizeof(*items),
                                       capacity * sizeof(*items));
        if (items == NULL) {
            to->broken = true;
            return;
        }
        to->items = items;
        to->capacity = capacity;
    }
    to->items[to->count++] = word_number(word);
}

static void gather_text(void *context, struct slice text)
{
    struct gathering *to = context;
    words_each(text, to->arena, gather_word, to);
}

static int word_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void gather_end(struct gathering *to)
{
    if (to->count == 0) {
        return;
    }
    size_t kept = 1;
    qsort(to->items, to->count, sizeof(*to->items), word_order);
    for (size_t i = 1; i < to->count; i++) {
        if (to->items[i] != to->items[kept - 1]) {
            to->items[kept++] = to->items[i];
        }
    }
    to->count = kept;
}

void words_extract(const struct definitions *definitions, resource_type type, yyjson_val *resource,
                   struct facts *facts)
{
    struct gathering to = {.arena = facts->arena};
    resource_texts(definitions, type, resource, facts->arena, gather_text, &to);
    gather_end(&to);
    facts->words = to.items;
    facts->word_count = to.count;
    facts->broken = facts->broken || to.broken;
}

static void add_code_word(struct facts *facts, uint32_t word, yyjson_val *coding)
{
    struct code_word added = {.word = word,
                              .system = json_get_string(coding, "system"),
                              .code = json_get_string(coding, "code")};
    if (added.code.length == 0 && added.system.length == 0) {
        return;
    }
    if (facts->code_word_count == facts->code_word_capacity) {
        size_t capacity = facts->code_word_capacity == 0 ? 32 : facts->code_word_capacity * 2;
        struct code_word *items =
            arena_resize(facts->arena, facts->code_words,
                         facts->code_word_capacity * sizeof(*items), capacity * sizeof(*items));
        if (items == NULL) {
            facts->broken = true;
            return;
        }
        facts->code_words = items;
        facts->code_word_capacity = capacity;
    }
    facts->code_words[facts->code_word_count++] = added;
}

void words_of_concept(struct facts *facts, const struct search_path *path, yyjson_val *value)
{
    struct gathering to = {.arena = facts->arena};
    size_t ring = sizeof(facts->concepts) / sizeof(facts->concepts[0]);
    for (size_t i = 0; i < ring && i < facts->concept_count; i++) {
        if (facts->concepts[i] == value) {
            return;
        }
    }
    facts->concepts[facts->concept_count++ % ring] = value;
    value_texts(path, value, gather_text, &to);
    gather_end(&to);
    facts->broken = facts->broken || to.broken;
    yyjson_val *codings = path->type == FHIR_TYPE_CODING ? value : json_get(value, "coding");
    size_t i, max;
    yyjson_val *coding;
    for (size_t j = 0; yyjson_is_obj(codings) && j < to.count; j++) {
        add_code_word(facts, to.items[j], codings);
    }
    yyjson_arr_foreach(codings, i, max, coding)
    {
        for (size_t j = 0; j < to.count; j++) {
            add_code_word(facts, to.items[j], coding);
        }
    }
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static enum status insert_row(struct connection *connection, enum statement_number number,
                              uint32_t word, int64_t other)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    statement_bind_number(statement, 1, word);
    statement_bind_number(statement, 2, other);
    return statement_run(connection, statement);
}

static int row_order(const void *a, const void *b)
{
    const struct word_row *x = a, *y = b;
    return x->word != y->word ? (x->word > y->word) - (x->word < y->word)
                              : (x->other > y->other) - (x->other < y->other);
}

/* In the order of the tree, which meets each of its pages once then. */
static enum status insert_rows(struct writer *writer, struct word_row *rows, size_t count)
{
    if (count > 1) {
        qsort(rows, count, sizeof(*rows), row_order);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(insert_row(&writer->connection, SQL_WORD_ADD, rows[i].word, rows[i].other));
    }
    return STATUS_OK;
}

enum status words_flush(struct writer *writer)
{
    size_t count = writer->word_count;
    writer->word_count = writer->words_before = 0;
    return insert_rows(writer, writer->new_words, count);
}

enum status words_begin_job(struct writer *writer)
{
    if (writer->word_count > NEW_WORDS / 2) {
        TRY(words_flush(writer));
    }
    writer->words_before = writer->word_count;
    return STATUS_OK;
}

/* They still wait: what a savepoint undoes is not only this job's. */
enum status words_show(struct writer *writer)
{
    size_t before = writer->words_before;
    TRY(insert_rows(writer, writer->new_words, before));
    return insert_rows(writer, writer->new_words + before, writer->word_count - before);
}

static enum status word_wait(struct writer *writer, uint32_t word, int64_t block)
{
    size_t before = writer->words_before;
    if (writer->word_count == NEW_WORDS) { /* of this job, and undone with it */
        TRY(insert_rows(writer, writer->new_words + before, writer->word_count - before));
        writer->word_count = before;
    }
    writer->new_words[writer->word_count++] = (struct word_row){.other = block, .word = word};
    return STATUS_OK;
}

/* Most words of a resource are in its block already, by its neighbours: a small memory spares most
 * of the descents. */
static enum status add_row(struct writer *writer, enum statement_number number, uint32_t word,
                           int64_t other)
{
    uint64_t hash =
        ((uint64_t)word << 32 ^ (uint64_t)other ^ number) * UINT64_C(0x9E3779B97F4A7C15);
    struct word_row *slot = &writer->words[hash >> 40 & (WORD_CACHE - 1)];
    if (slot->word == word && slot->other == other && slot->number == 1u + number) {
        return STATUS_OK;
    }
    TRY(number == SQL_WORD_ADD ? word_wait(writer, word, other)
                               : insert_row(&writer->connection, number, word, other));
    writer->touched = true;
    *slot = (struct word_row){other, word, 1u + number};
    return STATUS_OK;
}

enum status words_put(struct store_tx *tx, const struct facts *facts, int64_t rid)
{
    for (size_t i = 0; i < facts->word_count; i++) {
        TRY(add_row(tx->writer, SQL_WORD_ADD, facts->words[i], rid >> WORD_BLOCK_BITS));
    }
    for (size_t i = 0; i < facts->code_word_count; i++) {
        const struct code_word *word = &facts->code_words[i];
        TRY(add_row(tx->writer, SQL_CODE_WORD_ADD, word->word, word->number));
    }
    return STATUS_OK;
}

static enum status has_row(struct connection *connection, enum statement_number number,
                           uint32_t word, int64_t other, bool *ret_has)
{
    struct statement *statement;
    TRY(statement_get(connection, number, &statement));
    statement_bind_number(statement, 1, word);
    statement_bind_number(statement, 2, other);
    TRY(statement_row(connection, statement, ret_has));
    statement_reset(statement);
    return STATUS_OK;
}

enum status words_have(struct connection *connection, const struct facts *facts, int64_t rid,
                       bool *ret_have)
{
    *ret_have = true;
    for (size_t i = 0; *ret_have && i < facts->word_count; i++) {
        TRY(has_row(connection, SQL_WORD_HAS, facts->words[i], rid >> WORD_BLOCK_BITS, ret_have));
    }
    for (size_t i = 0; *ret_have && i < facts->code_word_count; i++) {
        const struct code_word *word = &facts->code_words[i];
        TRY(has_row(connection, SQL_CODE_WORD_HAS, word->word, word->number, ret_have));
    }
    return STATUS_OK;
}
