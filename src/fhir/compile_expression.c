/* SPDX-License-Identifier: MIT */
/* The part of FHIRPath that search parameters of the specification are written in, turned into
 * plain paths: unions, members, `as`, ofType, where with one equality or `resolve() is`,
 * extension(url), and `X.exists() and X != false`. Everything else is not simple. */
#include "fhir/compile_int.h"

#define OPERATION_LIMIT 24u
#define STATE_LIMIT     96u
#define STEP_LIMIT      12u

enum operation_kind { OPERATION_MEMBER, OPERATION_AS, OPERATION_WHERE, OPERATION_TARGET };

struct operation {
    enum operation_kind kind;
    struct slice name, value;
};

struct chain {
    struct operation operations[OPERATION_LIMIT];
    size_t count;
    bool exists; /* ended in .exists() */
};

/* ---- reading ----------------------------------------------------------------------------------
 */

static void skip_space(struct slice *text)
{
    while (text->length > 0 && (text->at[0] == ' ' || text->at[0] == '\n' || text->at[0] == '\r' ||
                                text->at[0] == '\t')) {
        *text = slice_from(*text, 1);
    }
}

static bool take_byte(struct slice *text, char byte)
{
    skip_space(text);
    if (text->length == 0 || text->at[0] != byte) {
        return false;
    }
    *text = slice_from(*text, 1);
    return true;
}

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

static bool take_name(struct slice *text, struct slice *ret_name)
{
    skip_space(text);
    size_t length = 0;
    while (length < text->length && is_word_byte(text->at[length])) {
        length++;
    }
    *ret_name = slice_head(*text, length);
    *text = slice_from(*text, length);
    return length > 0;
}

static bool take_word(struct slice *text, const char *word)
{
    struct slice rest = *text, name;
    if (!take_name(&rest, &name) || !slice_is(name, word)) {
        return false;
    }
    *text = rest;
    return true;
}

/* 'text', without escapes. */
static bool take_string(struct slice *text, struct slice *ret_string)
{
    if (!take_byte(text, '\'')) {
        return false;
    }
    size_t end = slice_index(*text, '\'');
    *ret_string = slice_head(*text, end);
    bool whole = end < text->length && slice_index(*ret_string, '\\') == ret_string->length;
    *text = slice_from(*text, end + 1);
    return whole;
}

static bool add_operation(struct chain *chain, enum operation_kind kind, struct slice name,
                          struct slice value)
{
    if (chain->count == OPERATION_LIMIT) {
        return false;
    }
    chain->operations[chain->count++] = (struct operation){kind, name, value};
    return true;
}

#define NOTHING ((struct slice){NULL, 0})

/* After "where(": up to the closing parenthesis. */
static bool take_where(struct slice *text, struct chain *chain)
{
    struct slice name, value;
    if (!take_name(text, &name)) {
        return false;
    }
    if (slice_is(name, "resolve")) {
        return take_byte(text, '(') && take_byte(text, ')') && take_word(text, "is") &&
               take_name(text, &value) && add_operation(chain, OPERATION_TARGET, value, NOTHING);
    }
    return take_byte(text, '=') && take_string(text, &value) &&
           add_operation(chain, OPERATION_WHERE, name, value);
}

static bool take_function(struct slice *text, struct slice name, struct chain *chain)
{
    struct slice value;
    if (slice_is(name, "as") || slice_is(name, "ofType")) {
        return take_name(text, &value) && add_operation(chain, OPERATION_AS, value, NOTHING) &&
               take_byte(text, ')');
    }
    if (slice_is(name, "where")) {
        return take_where(text, chain) && take_byte(text, ')');
    }
    if (slice_is(name, "extension")) {
        return take_string(text, &value) &&
               add_operation(chain, OPERATION_MEMBER, SLICE("extension"), NOTHING) &&
               add_operation(chain, OPERATION_WHERE, SLICE("url"), value) && take_byte(text, ')');
    }
    if (slice_is(name, "exists")) {
        chain->exists = true;
        return take_byte(text, ')');
    }
    return false;
}

static bool take_chain(struct slice *text, struct chain *chain, unsigned depth)
{
    struct slice name;
    if (depth > 8) {
        return false;
    }
    if (take_byte(text, '(')) {
        if (!take_chain(text, chain, depth + 1) || !take_byte(text, ')')) {
            return false;
        }
    } else if (!take_name(text, &name) || !add_operation(chain, OPERATION_MEMBER, name, NOTHING)) {
        return false;
    }
    while (!chain->exists && take_byte(text, '.')) {
        if (!take_name(text, &name)) {
            return false;
        }
        bool fine = take_byte(text, '(') ? take_function(text, name, chain)
                                         : add_operation(chain, OPERATION_MEMBER, name, NOTHING);
        if (!fine) {
            return false;
        }
    }
    if (take_word(text, "as")) {
        return take_name(text, &name) && add_operation(chain, OPERATION_AS, name, NOTHING);
    }
    return true;
}

static bool same_chain(const struct chain *a, const struct chain *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = a->operations[i].kind == b->operations[i].kind &&
               slice_equals(a->operations[i].name, b->operations[i].name) &&
               slice_equals(a->operations[i].value, b->operations[i].value);
    }
    return same;
}

/* One part of the union. */
static bool read_part(struct slice text, struct chain *chain)
{
    chain->count = 0;
    chain->exists = false;
    if (!take_chain(&text, chain, 0)) {
        return false;
    }
    if (chain->exists) {
        struct chain again = {.count = 0};
        if (!take_word(&text, "and") || !take_chain(&text, &again, 0) ||
            !same_chain(chain, &again) || !take_byte(&text, '!') || !take_byte(&text, '=') ||
            !take_word(&text, "false")) {
            return false;
        }
    }
    skip_space(&text);
    return text.length == 0;
}

/* ---- following it through the types -----------------------------------------------------------
 */

struct state {
    uint32_t type; /* number */
    enum fhir_type fhir_type;
    struct text_row steps[STEP_LIMIT];
    size_t step_count;
    struct slice filter_name, filter_value;
    size_t filter_step;
    resource_type target;
};

struct states {
    struct state at[STATE_LIMIT];
    size_t count;
};

static bool add_state(struct states *states, const struct state *from,
                      const struct element_row *element)
{
    if (states->count == STATE_LIMIT || from->step_count == STEP_LIMIT) {
        return false;
    }
    struct state *state = &states->at[states->count++];
    *state = *from;
    state->type = element->type;
    state->fhir_type = (enum fhir_type)element->fhir_type;
    state->steps[state->step_count++] = element->name;
    return true;
}

static bool follow_member(const struct element_tables *tables, const struct states *from,
                          struct slice name, struct states *to)
{
    to->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        const struct type_row *type = &tables->types[from->at[i].type];
        for (size_t j = 0; j < type->element_count; j++) {
            const struct element_row *element = type_element(tables, type, j);
            struct slice stem = slice_head(table_text(tables, element->name), element->stem_length);
            if (slice_equals(stem, name) && !add_state(to, &from->at[i], element)) {
                return false;
            }
        }
    }
    return to->count > 0;
}

static bool follow_as(const struct element_tables *tables, struct states *states, struct slice name)
{
    size_t kept = 0;
    for (size_t i = 0; i < states->count; i++) {
        if (slice_equals(table_text(tables, tables->types[states->at[i].type].name), name)) {
            states->at[kept++] = states->at[i];
        }
    }
    states->count = kept;
    return kept > 0;
}

static bool follow_filter(const struct compiler *compiler, struct states *states,
                          const struct operation *operation)
{
    for (size_t i = 0; i < states->count; i++) {
        struct state *state = &states->at[i];
        if (operation->kind == OPERATION_TARGET) {
            state->target = compile_resource_find(compiler, operation->name);
            if (state->target == RESOURCE_TYPE_NONE || state->fhir_type != FHIR_TYPE_REFERENCE) {
                return false;
            }
        } else {
            if (state->filter_name.length > 0) {
                return false; /* a path has room for one */
            }
            state->filter_name = operation->name;
            state->filter_value = operation->value;
            state->filter_step = state->step_count;
        }
    }
    return true;
}

/* Which types a parameter of this kind can index (R4 search.html, "Search Parameter Types"): only
 * asked of extensions, whose value may be of any type. */
static bool kind_takes(enum search_kind kind, enum fhir_type type)
{
    switch (kind) {
    case SEARCH_NUMBER:
        return type == FHIR_TYPE_INTEGER || type == FHIR_TYPE_DECIMAL ||
               type == FHIR_TYPE_POSITIVEINT || type == FHIR_TYPE_UNSIGNEDINT;
    case SEARCH_DATE:
        return type == FHIR_TYPE_DATE || type == FHIR_TYPE_DATETIME || type == FHIR_TYPE_INSTANT ||
               type == FHIR_TYPE_PERIOD || type == FHIR_TYPE_TIMING;
    case SEARCH_STRING:
        return type == FHIR_TYPE_STRING || type == FHIR_TYPE_MARKDOWN ||
               type == FHIR_TYPE_HUMANNAME || type == FHIR_TYPE_ADDRESS;
    case SEARCH_TOKEN:
        return type == FHIR_TYPE_CODE || type == FHIR_TYPE_CODING ||
               type == FHIR_TYPE_CODEABLECONCEPT || type == FHIR_TYPE_IDENTIFIER ||
               type == FHIR_TYPE_BOOLEAN || type == FHIR_TYPE_STRING || type == FHIR_TYPE_ID ||
               type == FHIR_TYPE_URI || type == FHIR_TYPE_CONTACTPOINT;
    case SEARCH_REFERENCE:
        return type == FHIR_TYPE_REFERENCE || type == FHIR_TYPE_CANONICAL;
    case SEARCH_QUANTITY:
        return type == FHIR_TYPE_QUANTITY || type == FHIR_TYPE_MONEY || type == FHIR_TYPE_AGE ||
               type == FHIR_TYPE_DURATION || type == FHIR_TYPE_RANGE ||
               type == FHIR_TYPE_DISTANCE || type == FHIR_TYPE_COUNT;
    case SEARCH_URI:
        return type == FHIR_TYPE_URI || type == FHIR_TYPE_URL || type == FHIR_TYPE_CANONICAL ||
               type == FHIR_TYPE_OID || type == FHIR_TYPE_UUID;
    case SEARCH_COMPOSITE:
    case SEARCH_SPECIAL:
        break;
    }
    return false;
}

/* An expression that ends at an extension means its value. */
static bool finish_extensions(const struct element_tables *tables, enum search_kind kind,
                              struct states *states, struct states *spare)
{
    if (states->count != 1 || states->at[0].fhir_type != FHIR_TYPE_EXTENSION) {
        return true;
    }
    if (!follow_member(tables, states, SLICE("value"), spare)) {
        return false;
    }
    states->count = 0;
    for (size_t i = 0; i < spare->count; i++) {
        if (kind_takes(kind, spare->at[i].fhir_type)) {
            states->at[states->count++] = spare->at[i];
        }
    }
    return states->count > 0;
}

static bool follow_chain(const struct compiler *compiler, resource_type type, enum search_kind kind,
                         const struct chain *chain, struct states **states, struct states **spare)
{
    struct element_tables tables = compile_view(compiler);
    (*states)->count = 1;
    memset(&(*states)->at[0], 0, sizeof(*states)->at[0]);
    (*states)->at[0].type = type - 1u;
    for (size_t i = 0; i < chain->count; i++) {
        const struct operation *operation = &chain->operations[i];
        bool root = i == 0 && operation->name.at[0] >= 'A' && operation->name.at[0] <= 'Z';
        bool fine = true;
        if (root) {
            continue; /* the part was chosen by it */
        }
        if (operation->kind == OPERATION_MEMBER) {
            fine = follow_member(&tables, *states, operation->name, *spare);
            struct states *swap = *states;
            *states = *spare;
            *spare = swap;
        } else if (operation->kind == OPERATION_AS) {
            fine = follow_as(&tables, *states, operation->name);
        } else {
            fine = follow_filter(compiler, *states, operation);
        }
        if (!fine) {
            return false;
        }
    }
    return (*states)->at[0].step_count > 0 && finish_extensions(&tables, kind, *states, *spare);
}

/* ---- the union --------------------------------------------------------------------------------
 */

/* Cuts the part before the next '|' outside quotes and parentheses. */
static struct slice cut_part(struct slice *text)
{
    unsigned depth = 0;
    bool quoted = false;
    size_t i = 0;
    for (; i < text->length; i++) {
        char byte = text->at[i];
        if (byte == '\'') {
            quoted = !quoted;
        } else if (!quoted && byte == '(') {
            depth++;
        } else if (!quoted && byte == ')') {
            depth -= depth > 0;
        } else if (!quoted && depth == 0 && byte == '|') {
            break;
        }
    }
    struct slice part = slice_trim(slice_head(*text, i));
    *text = i < text->length ? slice_from(*text, i + 1) : NOTHING;
    return part;
}

/* Does the part begin at this type, at one it derives from, or at no type at all? */
static bool part_applies(const struct compiler *compiler, resource_type type, struct slice part)
{
    struct slice name;
    while (take_byte(&part, '(')) {
    }
    if (!take_name(&part, &name)) {
        return true;
    }
    if (!(name.at[0] >= 'A' && name.at[0] <= 'Z')) {
        return true;
    }
    struct element_tables tables = compile_view(compiler);
    return slice_is(name, "Resource") ||
           (slice_is(name, "DomainResource") && compiler->domain[type - 1]) ||
           slice_equals(name, table_text(&tables, tables.types[type - 1].name));
}

struct slice compile_expression_for(struct compiler *compiler, resource_type type,
                                    struct slice expression)
{
    struct buffer out = {.arena = compiler->arena};
    while (expression.length > 0) {
        struct slice part = cut_part(&expression);
        if (part_applies(compiler, type, part)) {
            buffer_add_text(&out, out.length > 0 ? " | " : "");
            buffer_add(&out, part);
        }
    }
    return buffer_slice(&out);
}

static bool keep_states(struct compiler *compiler, const struct states *states,
                        struct path_list *list)
{
    for (size_t i = 0; i < states->count; i++) {
        const struct state *state = &states->at[i];
        if (list->count == list->capacity || list->step_count + STEP_LIMIT > list->step_capacity) {
            return false;
        }
        list->rows[list->count++] =
            (struct path_row){.first_step = (uint32_t)list->step_count,
                              .step_count = (uint16_t)state->step_count,
                              .type = (uint16_t)state->fhir_type,
                              .filter_name = compile_text(compiler, state->filter_name),
                              .filter_value = compile_text(compiler, state->filter_value),
                              .filter_step = (uint16_t)state->filter_step,
                              .target = state->target};
        memcpy(&list->steps[list->step_count], state->steps,
               state->step_count * sizeof *state->steps);
        list->step_count += state->step_count;
    }
    return true;
}

void compile_expression(struct compiler *compiler, resource_type type, enum search_kind kind,
                        struct slice expression, struct path_list *ret_list)
{
    struct arena *arena = compiler->scratch;
    *ret_list = (struct path_list){.capacity = 2 * STATE_LIMIT,
                                   .step_capacity = 2 * STATE_LIMIT * STEP_LIMIT};
    ret_list->rows = arena_array(arena, ret_list->capacity, sizeof *ret_list->rows);
    ret_list->steps = arena_array(arena, ret_list->step_capacity, sizeof *ret_list->steps);
    struct states *states = ARENA_NEW(arena, struct states);
    struct states *spare = ARENA_NEW(arena, struct states);
    struct chain *chain = ARENA_NEW(arena, struct chain);
    if (arena_full(arena) || kind == SEARCH_COMPOSITE || kind == SEARCH_SPECIAL) {
        return;
    }
    bool simple = true;
    unsigned parts = 0;
    while (simple && expression.length > 0) {
        struct slice part = cut_part(&expression);
        if (!part_applies(compiler, type, part)) {
            continue;
        }
        simple = read_part(part, chain) &&
                 follow_chain(compiler, type, kind, chain, &states, &spare) &&
                 keep_states(compiler, states, ret_list);
        ret_list->exists = ret_list->exists || (simple && chain->exists);
        parts++;
    }
    ret_list->simple = simple && ret_list->count > 0 && (!ret_list->exists || parts == 1);
    if (!ret_list->simple) {
        ret_list->count = 0;
        ret_list->step_count = 0;
        ret_list->exists = false;
    }
}
