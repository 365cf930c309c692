/* SPDX-License-Identifier: MIT */
/* store: the values that a search parameter finds in a resource (R4 search, "Search Parameter
 * Types": which parts of each data type a search of each kind looks at). */
#include "store_int.h"
#include "ucum/ucum.h"

struct extraction {
    const struct definitions *definitions;
    const struct search_parameter *parameter;
    resource_type type;
    uint32_t number;
    struct slice base_url;
    struct facts *facts;
    const struct element_row *element; /* that holds the value; NULL: the path tells */
};

static void add_token(const struct extraction *to, struct slice system, struct slice code)
{
    if (code.length > 0 || system.length > 0) {
        struct fact fact = {
            .parameter = to->number * 2, .tree = TREE_TOKEN, .text = code, .system = system};
        facts_add(to->facts, &fact);
    }
}

/* The text of an identifier and its like; which is made a key when its system has a number. */
static void add_identifier(const struct extraction *to, struct slice system, struct slice value,
                           bool logical)
{
    if (value.length > 0 || system.length > 0) {
        struct fact fact = {.parameter = to->number * 2 + (logical ? 1 : 0),
                            .tree = TREE_TEXT,
                            .identifier = true,
                            .text = value,
                            .system = system};
        facts_add(to->facts, &fact);
    }
    if (system.length > 0) { /* found by its system alone */
        struct fact fact = {.parameter = to->number * 2 + 1, .tree = TREE_TOKEN, .system = system};
        facts_add(to->facts, &fact);
    }
}

/* A code element has no system of its own: it is that of the code in the value set that the element
 * is bound to (R4 search, "token"). Empty when the binding is to no known finite set. */
static struct slice implied_system(const struct extraction *to, const struct search_path *path,
                                   struct slice code)
{
    const struct element_tables *tables = definitions_tables(to->definitions);
    const struct type_row *type = resource_row(tables, to->type);
    const struct element_row *element = to->element;
    for (size_t i = 0; i < path->count && type != NULL; i++) {
        element = type_find_element(tables, type, path->steps[i].at, path->steps[i].length);
        type = element != NULL ? element_type_row(tables, element) : NULL;
    }
    if (type == NULL || element == NULL || element->code_set == 0 || code.length == 0) {
        return (struct slice){NULL, 0};
    }
    const struct code_set_row *set = &tables->code_sets[element->code_set - 1];
    uint32_t slot = name_hash(code.at, code.length, 0) & set->slot_mask;
    for (;; slot = (slot + 1) & set->slot_mask) {
        const struct code_row *row = &tables->codes[set->first_slot + slot];
        if (row->code.length == 0) {
            return (struct slice){NULL, 0};
        }
        if (slice_equals(table_text(tables, row->code), code)) {
            return table_text(tables, row->system);
        }
    }
}

/* So that what is there is not missing, though there is nothing to find it by. */
static void add_presence(const struct extraction *to)
{
    struct fact fact = {.parameter = to->number * 2, .tree = TREE_TOKEN};
    facts_add(to->facts, &fact);
}

static void extract_token(const struct extraction *to, const struct search_path *path,
                          yyjson_val *value)
{
    switch (path->type) {
    case FHIR_TYPE_CODEABLECONCEPT: {
        words_of_concept(to->facts, path, value);
        size_t i, max;
        yyjson_val *coding;
        yyjson_arr_foreach(json_get(value, "coding"), i, max, coding)
        {
            add_token(to, json_get_string(coding, "system"), json_get_string(coding, "code"));
        }
        break;
    }
    case FHIR_TYPE_CODING:
        words_of_concept(to->facts, path, value);
        add_token(to, json_get_string(value, "system"), json_get_string(value, "code"));
        break;
    case FHIR_TYPE_IDENTIFIER:
        add_identifier(to, json_get_string(value, "system"), json_get_string(value, "value"),
                       false);
        break;
    case FHIR_TYPE_CONTACTPOINT:
        add_identifier(to, SLICE(""), json_get_string(value, "value"), false);
        break;
    case FHIR_TYPE_BOOLEAN:
        if (yyjson_is_bool(value)) {
            add_token(to, SLICE(""), yyjson_is_true(value) ? SLICE("true") : SLICE("false"));
        }
        break;
    case FHIR_TYPE_CODE:
        add_token(to, implied_system(to, path, json_string(value)), json_string(value));
        break;
    default:
        if (yyjson_is_str(value)) {
            add_identifier(to, SLICE(""), json_string(value), false);
        }
        break;
    }
}

static void add_text(const struct extraction *to, struct slice text)
{
    if (text.length > 0) {
        struct fact fact = {.parameter = to->number * 2,
                            .tree = TREE_TEXT,
                            .text = slice_head(text, TEXT_KEY_LIMIT)};
        facts_add(to->facts, &fact);
    }
}

static void add_string(const struct extraction *to, yyjson_val *value)
{
    struct slice text = json_string(value);
    if (text.length == 0) {
        return;
    }
    struct buffer folded = {.arena = to->facts->arena};
    text_fold(slice_head(text, TEXT_KEY_LIMIT * 3), &folded);
    if (!buffer_ok(&folded)) {
        to->facts->broken = true;
        return;
    }
    add_text(to, buffer_slice(&folded));
}

static void add_strings(const struct extraction *to, yyjson_val *object, const char *const *names)
{
    for (size_t name = 0; names[name] != NULL; name++) {
        yyjson_val *member = json_get(object, names[name]);
        if (!yyjson_is_arr(member)) {
            add_string(to, member);
            continue;
        }
        size_t i, max;
        yyjson_val *item;
        yyjson_arr_foreach(member, i, max, item)
        {
            add_string(to, item);
        }
    }
}

static void extract_string(const struct extraction *to, enum fhir_type type, yyjson_val *value)
{
    static const char *const name_parts[] = {"family", "given", "text", "prefix", "suffix", NULL};
    static const char *const address_parts[] = {"text",  "line",       "city",    "district",
                                                "state", "postalCode", "country", NULL};
    if (type == FHIR_TYPE_HUMANNAME) {
        add_strings(to, value, name_parts);
    } else if (type == FHIR_TYPE_ADDRESS) {
        add_strings(to, value, address_parts);
    } else {
        add_string(to, value);
    }
}

/* A resource that lies in this one (Bundle.entry[0].resource): a reference to it. */
static void add_resource(const struct extraction *to, yyjson_val *resource)
{
    struct fact fact = {
        .parameter = to->number * 2,
        .tree = TREE_REFERENCE,
        .text = json_get_string(resource, "id"),
        .target = resource_type_find(to->definitions, json_get_string(resource, "resourceType"))};
    if (fact.text.length > 0 && fact.target != RESOURCE_TYPE_NONE) {
        facts_add(to->facts, &fact);
    }
}

/* A canonical with a version is found without it too (R4 search, "reference"). */
static void add_uri(const struct extraction *to, const struct search_path *path, struct slice text)
{
    size_t version = path->type == FHIR_TYPE_CANONICAL ? slice_index(text, '|') : text.length;
    add_text(to, text);
    if (version < text.length) {
        add_text(to, slice_head(text, version));
    }
}

static void extract_reference(const struct extraction *to, const struct search_path *path,
                              yyjson_val *value)
{
    if (path->type != FHIR_TYPE_REFERENCE) {
        yyjson_is_obj(value) ? add_resource(to, value) : add_uri(to, path, json_string(value));
        return;
    }
    struct slice text = json_get_string(value, "reference");
    struct reference reference = reference_parse(to->definitions, text, to->base_url);
    if (text.length > 0 && reference.kind == REFERENCE_LOCAL) {
        if (slice_index(text, ':') < text.length) { /* scheme and host may be written otherwise */
            to->facts->used_base = true;
        }
        struct fact fact = {.parameter = to->number * 2,
                            .tree = TREE_REFERENCE,
                            .text = reference.id,
                            .target = reference.type};
        facts_add(to->facts, &fact);
    } else if (reference.kind == REFERENCE_FRAGMENT) { /* a chain looks for these (find_link.c) */
        add_presence(to);
    } else if (reference.kind == REFERENCE_FOREIGN || reference.kind == REFERENCE_URN) {
        add_text(to, text);
    }
    yyjson_val *identifier = json_get(value, "identifier");
    if (identifier != NULL) {
        add_identifier(to, json_get_string(identifier, "system"),
                       json_get_string(identifier, "value"), true);
    }
}

static void add_date(const struct extraction *to, int64_t low, int64_t high)
{
    /* An end that is not known is as far as can be; the width stays a positive number. */
    int64_t width = low < 0 && high > INT64_MAX + low ? INT64_MAX : high - low;
    struct fact fact = {.parameter = to->number * 2 + (width > DATE_NARROW ? 1 : 0),
                        .tree = TREE_DATE,
                        .number = low,
                        .other = width};
    facts_add(to->facts, &fact);
}

static bool date_of(yyjson_val *value, int64_t *ret_low, int64_t *ret_high)
{
    struct partial_date date;
    if (!date_parse(json_string(value), DATE_FORM_DATETIME, &date)) {
        return false;
    }
    date_range(&date, ret_low, ret_high);
    return true;
}

static bool period_of(yyjson_val *value, int64_t *ret_low, int64_t *ret_high)
{
    int64_t unused;
    bool start = date_of(json_get(value, "start"), ret_low, &unused);
    bool end = date_of(json_get(value, "end"), &unused, ret_high);
    if (!start) {
        *ret_low = DATE_BEGINNING;
    }
    if (!end) {
        *ret_high = DATE_END;
    }
    return (start || end) && *ret_low < *ret_high;
}

/* Only the outer limits of a schedule matter (R4 search, "date"). */
static void extract_timing(const struct extraction *to, yyjson_val *value)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    size_t i, max;
    yyjson_val *event;
    yyjson_arr_foreach(json_get(value, "event"), i, max, event)
    {
        int64_t from, until;
        if (date_of(event, &from, &until)) {
            low = from < low ? from : low;
            high = until > high ? until : high;
        }
    }
    int64_t from, until;
    if (period_of(json_get(json_get(value, "repeat"), "boundsPeriod"), &from, &until)) {
        low = from < low ? from : low;
        high = until > high ? until : high;
    }
    if (low < high) {
        add_date(to, low, high);
    }
}

static void extract_date(const struct extraction *to, enum fhir_type type, yyjson_val *value)
{
    int64_t low, high;
    if (type == FHIR_TYPE_TIMING) {
        extract_timing(to, value);
    } else if (type == FHIR_TYPE_PERIOD ? period_of(value, &low, &high)
                                        : date_of(value, &low, &high)) {
        add_date(to, low, high);
    }
}

static void extract_number(const struct extraction *to, yyjson_val *value)
{
    struct decimal number;
    if (decimal_parse(json_number(value), &number)) {
        struct fact fact = {
            .parameter = to->number * 2, .tree = TREE_NUMBER, .real = decimal_double(number)};
        facts_add(to->facts, &fact);
    }
}

static void add_quantity(const struct extraction *to, bool canonical, double value,
                         struct slice system, struct slice code)
{
    struct fact fact = {.parameter = to->number * 2 + canonical,
                        .tree = TREE_QUANTITY,
                        .real = value,
                        .system = system,
                        .text = code};
    facts_add(to->facts, &fact);
}

/* A quantity is found by its coded unit, by its unit as written, and if it is one of UCUM by its
 * value in canonical units (R4 search, "quantity"). Of a range the body decides. */
static void extract_quantity(const struct extraction *to, enum fhir_type type, yyjson_val *value)
{
    struct decimal number, canonical;
    if (type == FHIR_TYPE_RANGE) {
        add_quantity(to, true, RANGE_PLACE, SLICE(""), SLICE(""));
        return;
    }
    if (!decimal_parse(json_number(json_get(value, "value")), &number)) {
        return;
    }
    double real = decimal_double(number);
    if (type == FHIR_TYPE_MONEY) {
        add_quantity(to, false, real, SLICE("urn:iso:std:iso:4217"),
                     json_get_string(value, "currency"));
        return;
    }
    struct slice code = json_get_string(value, "code"), system = json_get_string(value, "system");
    struct slice unit = json_get_string(value, "unit"), base;
    add_quantity(to, false, real, system, code);
    if (unit.length > 0 && !slice_equals(unit, code)) {
        add_quantity(to, false, real, SLICE(""), unit);
    }
    if (slice_is(system, UCUM_SYSTEM) && code.length > 0 &&
        ucum_canonical(number, code, to->facts->arena, NULL, &canonical, &base) == STATUS_OK) {
        add_quantity(to, true, decimal_double(canonical), SLICE(CANONICAL_UNITS), base);
    }
}

static void extract_value(void *context, const struct search_path *path, yyjson_val *value)
{
    const struct extraction *to = context;
    size_t before = to->facts->count;
    switch (to->parameter->kind) {
    case SEARCH_TOKEN:
        extract_token(to, path, value);
        break;
    case SEARCH_REFERENCE:
        extract_reference(to, path, value);
        break;
    case SEARCH_STRING:
        extract_string(to, path->type, value);
        break;
    case SEARCH_URI:
        add_uri(to, path, json_string(value));
        break;
    case SEARCH_DATE:
        extract_date(to, path->type, value);
        break;
    case SEARCH_NUMBER:
        extract_number(to, value);
        break;
    case SEARCH_QUANTITY:
        extract_quantity(to, path->type, value);
        break;
    case SEARCH_COMPOSITE:
    case SEARCH_SPECIAL:
        break;
    }
    if (to->facts->count == before) {
        add_presence(to);
    }
}

static void extract_existence(void *context, const struct search_path *path, yyjson_val *value)
{
    (void)path;
    bool *met = context;
    *met = *met || !yyjson_is_false(value);
}

static void extract_parameter(const struct store *store, resource_type type,
                              const struct search_parameter *parameter,
                              const struct parameter *known, yyjson_val *resource,
                              struct slice base_url, struct facts *facts)
{
    struct extraction to = {store->definitions, parameter, type, known->number,
                            base_url,           facts,     NULL};
    bool met = false, used_base = false;
    enum status status =
        parameter_visit(store->definitions, type, parameter, known, resource, base_url,
                        facts->arena, parameter->exists ? extract_existence : extract_value,
                        parameter->exists ? (void *)&met : (void *)&to, &used_base);
    facts->broken = facts->broken || status != STATUS_OK;
    facts->used_base = facts->used_base || used_base;
    if (parameter->exists) {
        add_token(&to, SLICE(""), met ? SLICE("true") : SLICE("false"));
    }
}

void extract_one(const struct store *store, resource_type type,
                 const struct search_parameter *parameter, yyjson_val *resource,
                 struct slice base_url, struct facts *facts)
{
    const struct parameter *known = store_parameter(store, type, parameter);
    if (known != NULL) {
        extract_parameter(store, type, parameter, known, resource, base_url, facts);
    }
}

void extract_value_of(const struct store *store, resource_type type,
                      const struct search_parameter *parameter, const struct search_path *path,
                      const struct element_row *element, yyjson_val *value, struct slice base_url,
                      struct facts *facts)
{
    const struct parameter *known = store_parameter(store, type, parameter);
    if (known != NULL) {
        struct extraction to = {store->definitions, parameter, type,   known->number,
                                base_url,           facts,     element};
        extract_value(&to, path, value);
    }
}

static void extract_contained(const struct store *store, resource_type type, yyjson_val *resource,
                              struct facts *facts)
{
    const struct parameter *known = store_parameter(store, type, &contained_parameter);
    size_t i, max;
    yyjson_val *contained;
    if (known == NULL) {
        return;
    }
    struct extraction to = {.number = known->number, .facts = facts};
    yyjson_arr_foreach(json_get(resource, "contained"), i, max, contained)
    {
        add_token(&to, SLICE(""), json_get_string(contained, "resourceType"));
    }
}

static bool is_kept(const struct fact *fact)
{
    struct packed_id key;
    return fact->tree != TREE_REFERENCE || id_pack(fact->text, &key); /* as resolve.c has it */
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* After all others. */
static void extract_presence(const struct store *store, resource_type type, struct facts *facts)
{
    const struct parameter *known = store_parameter(store, type, &presence_parameter);
    if (known == NULL || facts->broken) {
        return;
    }
    struct buffer text = {.arena = facts->arena};
    uint32_t *numbers = arena_array(facts->arena, facts->count + 1, sizeof(*numbers));
    size_t count = 0;
    for (size_t i = 0; numbers != NULL && i < facts->count; i++) {
        if (is_kept(&facts->items[i])) {
            numbers[count++] = facts->items[i].parameter / 2;
        }
    }
    if (count > 0) {
        qsort(numbers, count, sizeof(*numbers), number_order);
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || numbers[i] != numbers[i - 1]) {
            buffer_print(&text, "%s%u", i > 0 ? " " : "", numbers[i]);
        }
    }
    struct fact fact = {.parameter = known->number * 2,
                        .tree = TREE_TOKEN,
                        .text = count > 0 ? buffer_slice(&text) : SLICE(""),
                        .system = SLICE(PRESENCE_SYSTEM)};
    facts->broken = facts->broken || numbers == NULL || !buffer_ok(&text);
    facts_add(facts, &fact);
}

void extract_all(const struct store *store, resource_type type, yyjson_val *resource,
                 struct slice base_url, struct facts *facts)
{
    size_t count = 0;
    const struct search_parameter *parameters = search_parameters(store->definitions, type, &count);
    for (size_t i = 0; i < count; i++) {
        const struct parameter *known = store_parameter(store, type, &parameters[i]);
        if (known != NULL) {
            extract_parameter(store, type, &parameters[i], known, resource, base_url, facts);
        }
    }
    extract_contained(store, type, resource, facts);
    extract_presence(store, type, facts);
    words_extract(store->definitions, type, resource, facts);
}
