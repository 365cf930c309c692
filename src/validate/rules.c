/* SPDX-License-Identifier: MIT */
/* Reads tables of rules. The format is described at the head of definitions/national-rules.txt. */
#include <stdio.h>

#include "validate/rules_int.h"

#define COLUMNS      5
#define NAMES_MOST   32
#define FILE_MOST    ((size_t)4 << 20)
#define MESSAGE_MOST 480

struct name_row {
    struct slice name, text;
};

/* A row as it is written, until all files have been read: later ones replace earlier ones. */
struct written {
    struct slice columns[COLUMNS];
    struct slice message;
    const char *file;
    uint32_t line;
    struct written *next;
};

struct reader {
    const struct definitions *definitions;
    const struct element_tables *tables;
    struct arena *arena;
    struct outcome *outcome;
    struct name_row systems[NAMES_MOST], elements[NAMES_MOST];
    size_t system_count, element_count;
    struct written *first, *last;
    struct rules *rules;
    size_t coding_count;
    const char *file;
    uint32_t line;
};

static enum status refuse(struct reader *reader, const char *what)
{
    return outcome_fail(reader->outcome, STATUS_VALUE, "rules", "%s, line %u: %s", reader->file,
                        reader->line, what);
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts a column off *LINE: up to two blanks or a tab. */
static struct slice cut_column(struct slice *line)
{
    size_t end = 0;
    while (end < line->length && line->at[end] != '\t' &&
           !(line->at[end] == ' ' && end + 1 < line->length && is_blank(line->at[end + 1]))) {
        end++;
    }
    struct slice column = slice_trim(slice_head(*line, end));
    *line = slice_trim(slice_from(*line, end));
    return column;
}

static enum status add_name(struct reader *reader, struct name_row *rows, size_t *count,
                            struct slice line)
{
    struct slice name = cut_column(&line);
    if (*count == NAMES_MOST || name.length == 0 || line.length == 0) {
        return refuse(reader, "Write a name and what it stands for, 32 of a kind at most.");
    }
    rows[(*count)++] = (struct name_row){name, line};
    return STATUS_OK;
}

static enum status add_message(struct reader *reader, struct slice line)
{
    struct written *row = reader->last;
    if (row == NULL) {
        return refuse(reader, "A message stands below its rule.");
    }
    const char *joined = arena_print(reader->arena, "%.*s%s%.*s", SLICE_ARGS(row->message),
                                     row->message.length > 0 ? " " : "", SLICE_ARGS(line));
    row->message = slice_text(joined);
    return row->message.length <= MESSAGE_MOST ? STATUS_OK
                                               : refuse(reader, "A message has 480 bytes at most.");
}

static enum status read_line(struct reader *reader, struct slice line)
{
    bool indented = line.length > 0 && is_blank(line.at[0]);
    line = slice_trim(line);
    if (line.length == 0 || line.at[0] == '#') {
        return STATUS_OK;
    }
    if (indented) {
        return add_message(reader, line);
    }
    struct slice name = cut_column(&line);
    if (slice_is(name, "system")) {
        return add_name(reader, reader->systems, &reader->system_count, line);
    }
    if (slice_is(name, "elements")) {
        return add_name(reader, reader->elements, &reader->element_count, line);
    }
    struct written *row = ARENA_NEW(reader->arena, struct written);
    if (row == NULL) {
        return STATUS_MEMORY;
    }
    *row = (struct written){.columns = {name}, .file = reader->file, .line = reader->line};
    for (size_t i = 1; i < COLUMNS; i++) {
        /* The last column may hold two blanks. */
        row->columns[i] = i + 1 < COLUMNS ? cut_column(&line) : line;
        if (row->columns[i].length == 0) {
            return refuse(reader, "A rule has five columns: name, severity, element, when, test, "
                                  "with two spaces or more between them.");
        }
    }
    if (reader->last != NULL) {
        reader->last->next = row;
    } else {
        reader->first = row;
    }
    reader->last = row;
    return STATUS_OK;
}

static enum status read_text(struct reader *reader, const char *file, struct slice text)
{
    reader->file = file;
    reader->line = 0;
    reader->last = NULL; /* a message never joins a rule of another file */
    for (struct written *row = reader->first; row != NULL; row = row->next) {
        reader->last = row;
    }
    if (!slice_is_utf8(text)) {
        return refuse(reader, "A table of rules is written in UTF-8.");
    }
    while (text.at != NULL) {
        reader->line++;
        TRY(read_line(reader, slice_cut(&text, '\n')));
    }
    return STATUS_OK;
}

static enum status read_file(struct reader *reader, const char *path)
{
    FILE *file = fopen(path, "rbe");
    struct buffer text = {.arena = reader->arena};
    char block[8192];
    size_t length;
    if (file == NULL) {
        return outcome_fail(reader->outcome, STATUS_NOT_FOUND, "rules",
                            "The table of rules %s cannot be opened.", path);
    }
    while (text.length < FILE_MOST && (length = fread(block, 1, sizeof block, file)) > 0) {
        buffer_add(&text, slice_of(block, length));
    }
    bool whole = ferror(file) == 0 && buffer_ok(&text) && text.length < FILE_MOST;
    (void)fclose(file);
    if (!whole) {
        return outcome_fail(reader->outcome, STATUS_IO, "rules",
                            "The table of rules %s cannot be read, or is over 4 MiB.", path);
    }
    return read_text(reader, path, text.length > 0 ? buffer_slice(&text) : SLICE(""));
}

/* ---- columns ----------------------------------------------------------------------------------
 */

static enum status split(struct reader *reader, struct slice text, struct rule_list *ret_list)
{
    ret_list->items = arena_array(reader->arena, RULE_VALUES, sizeof(struct slice));
    ret_list->count = 0;
    while (ret_list->items != NULL && text.at != NULL) {
        if (ret_list->count == RULE_VALUES) {
            return refuse(reader, "Name 40 values in one place at most.");
        }
        ret_list->items[ret_list->count++] = slice_trim(slice_cut(&text, ','));
    }
    return ret_list->items != NULL ? STATUS_OK : STATUS_MEMORY;
}

static const char *terminated(struct reader *reader, struct slice text)
{
    struct slice copy = arena_copy(reader->arena, text);
    return copy.at != NULL ? copy.at : "";
}

static enum status read_conditions(struct reader *reader, struct slice text, struct rule_row *row)
{
    if (slice_is(text, "-")) {
        return STATUS_OK;
    }
    while (text.at != NULL) {
        struct slice values = slice_trim(slice_cut(&text, ';'));
        bool named = slice_index(values, '=') < values.length;
        struct slice member = slice_trim(slice_cut(&values, '='));
        if (row->condition_count == RULE_CONDITIONS || member.length == 0 || !named) {
            return refuse(reader, "A condition is member=value,value; four at most, with "
                                  "semicolons between them.");
        }
        struct rule_condition *condition = &row->conditions[row->condition_count++];
        condition->member = terminated(reader, member);
        TRY(split(reader, values.at != NULL ? values : SLICE(""), &condition->values));
    }
    return STATUS_OK;
}

/* LOW..HIGH UNIT */
static enum status read_range(struct reader *reader, struct slice text, struct rule_range *range)
{
    text = slice_trim(text);
    struct slice bounds = slice_cut(&text, ' ');
    range->unit = slice_trim(text);
    for (size_t i = 0; i + 2 < bounds.length; i++) {
        if (memcmp(bounds.at + i, "..", 2) == 0 &&
            decimal_parse(slice_head(bounds, i), &range->low) &&
            decimal_parse(slice_from(bounds, i + 2), &range->high) &&
            decimal_compare(range->low, range->high) <= 0) {
            return ucum_parse(range->unit, NULL, &range->parsed) == STATUS_OK
                       ? STATUS_OK
                       : refuse(reader, "The unit of a range is a code of UCUM.");
        }
    }
    return refuse(reader, "A range is LOW..HIGH UNIT, such as 20..300 /min.");
}

static enum status read_ranges(struct reader *reader, struct slice text, struct rule_row *row)
{
    row->test = RULE_TEST_RANGE;
    while (text.at != NULL) {
        if (row->range_count == RULE_RANGES) {
            return refuse(reader, "A rule has four ranges at most.");
        }
        TRY(read_range(reader, slice_cut(&text, ';'), &row->ranges[row->range_count++]));
    }
    struct buffer said = {.arena = reader->arena}, units = {.arena = reader->arena};
    for (size_t i = 0; i < row->range_count; i++) {
        buffer_add_text(&said, i > 0 ? ", or " : "");
        decimal_write(row->ranges[i].low, &said);
        buffer_add_text(&said, " to ");
        decimal_write(row->ranges[i].high, &said);
        buffer_add_byte(&said, ' ');
        buffer_add(&said, row->ranges[i].unit);
        buffer_add_text(&units, i > 0 ? " or " : "");
        buffer_add(&units, row->ranges[i].unit);
    }
    row->text = arena_print(reader->arena,
                            "This measurement is outside what is plausible (%.*s): check the value "
                            "and its unit.",
                            SLICE_ARGS(buffer_slice(&said)));
    row->unit_text = arena_print(reader->arena,
                                 "Give this measurement in %.*s or a unit of the same kind, as a "
                                 "code of UCUM (system " UCUM_SYSTEM ").",
                                 SLICE_ARGS(buffer_slice(&units)));
    return STATUS_OK;
}

/* "N years of now" or "N years of MEMBER", behind "within". */
static enum status read_within(struct reader *reader, struct slice text, struct rule_row *row)
{
    uint64_t years = 0;
    row->test = RULE_TEST_WITHIN;
    struct slice number = slice_cut(&text, ' ');
    if (!slice_to_unsigned(number, 1000, &years) || !slice_starts(text, SLICE("years of ")) ||
        text.length == 9) {
        return refuse(reader, "Write: within N years of now, or of another member.");
    }
    row->years = (int)years;
    struct slice other = slice_trim(slice_from(text, 9));
    row->other = slice_is(other, "now") ? NULL : terminated(reader, other);
    return STATUS_OK;
}

static enum status read_test(struct reader *reader, struct slice text, struct rule_row *row)
{
    struct slice rest = text;
    struct slice word = slice_cut(&rest, ' ');
    rest = rest.at != NULL ? slice_trim(rest) : SLICE("");
    if (slice_is(text, "nhs-number")) {
        row->test = RULE_TEST_NHS_NUMBER;
    } else if (slice_is(text, "not-future")) {
        row->test = RULE_TEST_NOT_FUTURE;
    } else if (slice_is(word, "shape") && rest.length > 0) {
        row->test = RULE_TEST_SHAPE;
        return split(reader, rest, &row->forms);
    } else if (slice_is(word, "not-before") && rest.length > 0) {
        row->test = RULE_TEST_NOT_BEFORE;
        row->other = terminated(reader, rest);
    } else if (slice_is(word, "within")) {
        return read_within(reader, rest, row);
    } else if (slice_is(word, "range")) {
        return read_ranges(reader, rest, row);
    } else {
        return refuse(reader, "There is no such test: nhs-number, shape, not-future, not-before, "
                              "within, range.");
    }
    return STATUS_OK;
}

static enum status read_severity(struct reader *reader, struct slice text, struct rule_row *row)
{
    row->severity = SEVERITY_ERROR;
    if (slice_is(text, "warning")) {
        row->severity = SEVERITY_WARNING;
    } else if (!slice_is(text, "error") && !slice_is(text, "off")) {
        return refuse(reader, "A severity is error, warning or off.");
    }
    return STATUS_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* "loinc:8867-4" by the names of systems; false when it is a plain value. */
static bool read_coding(const struct reader *reader, struct slice text, struct rule_coding *coding)
{
    struct slice code = text;
    struct slice name = slice_cut(&code, ':');
    for (size_t i = 0; code.at != NULL && i < reader->system_count; i++) {
        if (slice_equals(reader->systems[i].name, name)) {
            coding->system = reader->systems[i].text;
            coding->code = code;
            return true;
        }
    }
    return false;
}

static void place_coding(struct rules *rules, const struct rule_coding *coding)
{
    size_t slot = slice_hash(coding->code) & rules->mask;
    while (rules->codings[slot].row != NULL) {
        slot = (slot + 1) & rules->mask;
    }
    rules->codings[slot] = *coding;
}

/* Twice as many slots as codings, half at most in use. */
static enum status grow_codings(struct reader *reader)
{
    struct rules *rules = reader->rules;
    if (rules->codings != NULL && (reader->coding_count + 1) * 2 <= rules->mask + 1) {
        return STATUS_OK;
    }
    struct rule_coding *old = rules->codings;
    size_t slots = old == NULL ? 0 : rules->mask + 1;
    size_t size = slots == 0 ? 256 : 2 * slots;
    rules->codings = arena_array(reader->arena, size, sizeof *old);
    rules->mask = size - 1;
    if (rules->codings == NULL) {
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < slots; i++) {
        if (old[i].row != NULL) {
            place_coding(rules, &old[i]);
        }
    }
    return STATUS_OK;
}

/* A condition on codings leaves the row's conditions: the row is found by the coding. */
static enum status take_codings(struct reader *reader, struct rule_row *row, bool *ret_taken)
{
    struct rule_condition *condition = NULL;
    struct rule_coding coding = {.row = row};
    *ret_taken = false;
    for (size_t i = 0; i < row->condition_count; i++) {
        if (read_coding(reader, row->conditions[i].values.items[0], &coding)) {
            condition = &row->conditions[i];
        }
    }
    if (condition == NULL) {
        return STATUS_OK;
    }
    coding.member = condition->member;
    const char **member = &reader->rules->coded[row->type];
    if (*member != NULL && strcmp(*member, coding.member) != 0) {
        return refuse(reader, "All rules of one element look at the codings of one member.");
    }
    *member = coding.member;
    for (size_t i = 0; i < condition->values.count; i++) {
        if (!read_coding(reader, condition->values.items[i], &coding)) {
            return refuse(reader, "Codings and other values do not stand in one condition; a "
                                  "system has a line of its own.");
        }
        TRY(grow_codings(reader));
        place_coding(reader->rules, &coding);
        reader->coding_count++;
    }
    *condition = row->conditions[--row->condition_count];
    *ret_taken = true;
    return STATUS_OK;
}

static bool is_date_type(unsigned type)
{
    return type == FHIR_TYPE_DATE || type == FHIR_TYPE_DATETIME || type == FHIR_TYPE_INSTANT;
}

/* Is that an element which the test can be asked of? One that it cannot be asked of would pass. */
static bool test_fits(const struct reader *reader, const struct rule_row *row)
{
    const struct type_row *type = element_type_row(reader->tables, row->element);
    switch (row->test) {
    case RULE_TEST_RANGE:
        return type->fhir_type == FHIR_TYPE_QUANTITY || type->fhir_type == FHIR_TYPE_AGE ||
               type->fhir_type == FHIR_TYPE_DURATION || type->fhir_type == FHIR_TYPE_COUNT ||
               type->fhir_type == FHIR_TYPE_DISTANCE;
    case RULE_TEST_NOT_FUTURE:
    case RULE_TEST_NOT_BEFORE:
    case RULE_TEST_WITHIN:
        return is_date_type(type->fhir_type);
    default:
        return type->kind == TYPE_PRIMITIVE && type->fhir_type != FHIR_TYPE_BOOLEAN &&
               type->fhir_type != FHIR_TYPE_DECIMAL && type->fhir_type != FHIR_TYPE_INTEGER &&
               type->fhir_type != FHIR_TYPE_POSITIVEINT && type->fhir_type != FHIR_TYPE_UNSIGNEDINT;
    }
}

static bool may_be_absent(const struct rule_condition *condition)
{
    for (size_t i = 0; i < condition->values.count; i++) {
        if (condition->values.items[i].length == 0) {
            return true;
        }
    }
    return false;
}

/* Whatever else the row speaks of must be there too, or it would never hold. */
static enum status check_row_fits(struct reader *reader, const struct rule_row *row,
                                  const struct type_row *type)
{
    if (!test_fits(reader, row)) {
        return refuse(reader, "The element is not of a type that the test can be asked of: range "
                              "is for a Quantity, not-future, not-before and within are for dates, "
                              "nhs-number and shape for text.");
    }
    const struct element_row *other =
        row->other != NULL ? type_find_element(reader->tables, type, row->other, strlen(row->other))
                           : NULL;
    if (row->other != NULL &&
        (other == NULL || !is_date_type(element_type_row(reader->tables, other)->fhir_type))) {
        return refuse(reader, "The member that the test compares with is no date of this type.");
    }
    for (size_t i = 0; i < row->condition_count; i++) {
        const char *member = row->conditions[i].member;
        if (!may_be_absent(&row->conditions[i]) &&
            type_find_element(reader->tables, type, member, strlen(member)) == NULL) {
            return refuse(reader, "A condition names a member that this type does not have.");
        }
    }
    return STATUS_OK;
}

/* One row for one element: TYPE.member. */
static enum status add_row(struct reader *reader, const struct rule_row *model, struct slice path)
{
    size_t dot = path.length;
    while (dot > 0 && path.at[dot - 1] != '.') {
        dot--;
    }
    struct slice member = slice_from(path, dot);
    const struct type_row *type =
        dot > 1 ? type_find(reader->definitions, slice_head(path, dot - 1)) : NULL;
    struct rule_row *row = ARENA_NEW(reader->arena, struct rule_row);
    if (row == NULL) {
        return STATUS_MEMORY;
    }
    *row = *model;
    row->element = type != NULL && member.length > 0
                       ? type_find_element(reader->tables, type, member.at, member.length)
                       : NULL;
    if (row->element == NULL) {
        return refuse(reader, "FHIR R4 has no such element: write TYPE.member, choices with their "
                              "type, such as Observation.valueQuantity.");
    }
    row->member = terminated(reader, member);
    row->type = (uint16_t)(type - reader->tables->types);
    TRY(check_row_fits(reader, row, type));
    bool coded;
    TRY(take_codings(reader, row, &coded));
    if (!coded) {
        row->next = reader->rules->plain[row->type];
        reader->rules->plain[row->type] = row;
    }
    return STATUS_OK;
}

static bool is_replaced(const struct written *row)
{
    for (const struct written *later = row->next; later != NULL; later = later->next) {
        if (slice_equals(later->columns[0], row->columns[0])) {
            return true;
        }
    }
    return false;
}

static enum status make_row(struct reader *reader, const struct written *written)
{
    struct rule_row row = {.name = written->columns[0]};
    reader->file = written->file;
    reader->line = written->line;
    TRY(read_severity(reader, written->columns[1], &row));
    TRY(read_conditions(reader, written->columns[3], &row));
    TRY(read_test(reader, written->columns[4], &row));
    bool off = slice_is(written->columns[1], "off");
    if (written->message.length > 0) {
        row.text = terminated(reader, written->message);
    } else if (row.text == NULL && !off) {
        return refuse(reader, "Say below the rule, indented, what the sender should do.");
    }
    if (off || is_replaced(written)) {
        return STATUS_OK;
    }
    struct slice elements = written->columns[2];
    for (size_t i = 0; i < reader->element_count; i++) {
        if (slice_equals(reader->elements[i].name, elements)) {
            elements = reader->elements[i].text;
            break;
        }
    }
    while (elements.at != NULL) {
        TRY(add_row(reader, &row, slice_trim(slice_cut(&elements, ','))));
    }
    return STATUS_OK;
}

enum status rules_read(const struct definitions *definitions, const char *const *files,
                       size_t count, struct arena *arena, struct outcome *outcome,
                       const struct rules **ret_rules)
{
    struct reader reader = {.definitions = definitions,
                            .tables = definitions_tables(definitions),
                            .arena = arena,
                            .outcome = outcome,
                            .rules = ARENA_NEW(arena, struct rules)};
    struct rules *rules = reader.rules;
    if (rules == NULL) {
        return STATUS_MEMORY;
    }
    rules->type_count = reader.tables->type_count;
    rules->plain = arena_array(arena, rules->type_count, sizeof *rules->plain);
    rules->coded = arena_array(arena, rules->type_count, sizeof *rules->coded);
    if (rules->plain == NULL || rules->coded == NULL) {
        return STATUS_MEMORY;
    }
    TRY(read_text(&reader, "national-rules.txt", slice_text(rules_built_in)));
    for (size_t i = 0; i < count; i++) {
        TRY(read_file(&reader, files[i]));
    }
    for (const struct written *row = reader.first; row != NULL; row = row->next) {
        TRY(make_row(&reader, row));
    }
    *ret_rules = rules;
    return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
}
