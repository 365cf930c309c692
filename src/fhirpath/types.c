/* SPDX-License-Identifier: MIT */
/* Types: those of the definitions, those of System, and which specialises which. */
#include "fhirpath/fhirpath_int.h"

/* ---- the hierarchy ----------------------------------------------------------------------------
 */

/* R4 datatypes.html: what a data type specialises, where that is not Element. The rows of the blob
 * are flat (each has all its elements), so this is said here. */
struct base_row {
    struct slice name, base;
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct base_row bases[] = {
    {TEXT("Age"), TEXT("Quantity")},
    {TEXT("Count"), TEXT("Quantity")},
    {TEXT("Distance"), TEXT("Quantity")},
    {TEXT("Dosage"), TEXT("BackboneElement")},
    {TEXT("Duration"), TEXT("Quantity")},
    {TEXT("ElementDefinition"), TEXT("BackboneElement")},
    {TEXT("MarketingStatus"), TEXT("BackboneElement")},
    {TEXT("MoneyQuantity"), TEXT("Quantity")},
    {TEXT("Population"), TEXT("BackboneElement")},
    {TEXT("ProdCharacteristic"), TEXT("BackboneElement")},
    {TEXT("ProductShelfLife"), TEXT("BackboneElement")},
    {TEXT("SimpleQuantity"), TEXT("Quantity")},
    {TEXT("SubstanceAmount"), TEXT("BackboneElement")},
    {TEXT("Timing"), TEXT("BackboneElement")},
    {TEXT("canonical"), TEXT("uri")},
    {TEXT("code"), TEXT("string")},
    {TEXT("id"), TEXT("string")},
    {TEXT("markdown"), TEXT("string")},
    {TEXT("oid"), TEXT("uri")},
    {TEXT("positiveInt"), TEXT("integer")},
    {TEXT("unsignedInt"), TEXT("integer")},
    {TEXT("url"), TEXT("uri")},
    {TEXT("uuid"), TEXT("uri")},
};

#define BASE_COUNT (sizeof bases / sizeof bases[0])

/* The resources that are no DomainResource. */
static bool is_bare_resource(struct slice name)
{
    return slice_is(name, "Bundle") || slice_is(name, "Binary") || slice_is(name, "Parameters");
}

bool type_derives(const struct element_tables *tables, const struct type_row *type,
                  const struct type_row *wanted)
{
    if (type == wanted) {
        return true;
    }
    struct slice name = table_text(tables, type->name);
    struct slice base = table_text(tables, wanted->name);
    switch (type->kind) {
    case TYPE_RESOURCE:
    case TYPE_ABSTRACT:
        return slice_is(base, "Resource") ||
               (slice_is(base, "DomainResource") && !is_bare_resource(name) &&
                !slice_is(name, "Resource"));
    case TYPE_BACKBONE:
        return slice_is(base, "BackboneElement") || slice_is(base, "Element");
    default:
        break;
    }
    if (slice_is(base, "Element")) {
        return true;
    }
    for (size_t i = 0; i < BASE_COUNT; i++) {
        if (slice_equals(name, bases[i].name)) {
            return slice_equals(base, bases[i].base);
        }
    }
    return false;
}

bool type_is_quantity(const struct type_row *type)
{
    switch (type->fhir_type) {
    case FHIR_TYPE_QUANTITY:
    case FHIR_TYPE_AGE:
    case FHIR_TYPE_COUNT:
    case FHIR_TYPE_DISTANCE:
    case FHIR_TYPE_DURATION:
        return true;
    default:
        return false;
    }
}

/* ---- names ------------------------------------------------------------------------------------
 */

static const char *const system_names[] = {[FHIRPATH_NODE] = "",
                                           [FHIRPATH_BOOLEAN] = "Boolean",
                                           [FHIRPATH_INTEGER] = "Integer",
                                           [FHIRPATH_DECIMAL] = "Decimal",
                                           [FHIRPATH_STRING] = "String",
                                           [FHIRPATH_DATE] = "Date",
                                           [FHIRPATH_DATETIME] = "DateTime",
                                           [FHIRPATH_TIME] = "Time",
                                           [FHIRPATH_QUANTITY] = "Quantity",
                                           [FHIRPATH_TYPE] = "TypeInfo"};

struct fhirpath_type fhirpath_type_of(const struct definitions *definitions,
                                      const struct fhirpath_value *value)
{
    if (value->kind != FHIRPATH_NODE) {
        return (struct fhirpath_type){SLICE("System"), slice_text(system_names[value->kind])};
    }
    const struct type_row *type = value->node.type;
    return (struct fhirpath_type){SLICE("FHIR"),
                                  type->kind == TYPE_BACKBONE
                                      ? SLICE("BackboneElement")
                                      : table_text(definitions_tables(definitions), type->name)};
}

bool type_test_find(const struct definitions *definitions, struct slice space, struct slice name,
                    struct type_test *ret_test)
{
    *ret_test = (struct type_test){NULL, FHIRPATH_NODE, false};
    bool any = space.length == 0;
    if (any || slice_is(space, "System")) {
        for (unsigned kind = FHIRPATH_BOOLEAN; kind <= FHIRPATH_QUANTITY; kind++) {
            if (slice_is(name, system_names[kind])) {
                ret_test->system = (enum fhirpath_kind)kind;
            }
        }
        ret_test->any_system = !any && slice_is(name, "Any");
    }
    if (any || slice_is(space, "FHIR")) {
        ret_test->fhir = type_find(definitions, name);
        if (ret_test->fhir != NULL && ret_test->fhir->kind == TYPE_BACKBONE) {
            ret_test->fhir = NULL; /* "Patient.contact" is no name of a type */
        }
    }
    return ret_test->fhir != NULL || ret_test->system != FHIRPATH_NODE || ret_test->any_system;
}

bool type_test_holds(const struct definitions *definitions, const struct type_test *test,
                     const struct fhirpath_value *value)
{
    if (value->kind != FHIRPATH_NODE) {
        return test->any_system || value->kind == test->system;
    }
    return test->fhir != NULL &&
           type_derives(definitions_tables(definitions), value->node.type, test->fhir);
}

/* ---- elements ---------------------------------------------------------------------------------
 */

struct member type_member(const struct element_tables *tables, const struct type_row *type,
                          struct slice name)
{
    const struct element_row *element = type_find_element(tables, type, name.at, name.length);
    if (element != NULL && (element->flags & ELEMENT_CHOICE) == 0) {
        bool primitive = element_type_row(tables, element)->kind == TYPE_PRIMITIVE;
        return (struct member){.first = element, .count = 1, .primitive = primitive};
    }
    if (element != NULL || type->kind == TYPE_PRIMITIVE) {
        return (struct member){0}; /* valueQuantity: the path says value */
    }
    for (size_t i = 0; i < type->element_count; i++) {
        element = type_element(tables, type, i);
        if ((element->flags & ELEMENT_CHOICE) == 0 || element->stem_length != name.length ||
            memcmp(tables->strings + element->name.offset, name.at, name.length) != 0) {
            continue;
        }
        size_t count = 1;
        while (i + count < type->element_count && element[count].group == element->group) {
            count++;
        }
        return (struct member){.first = element, .count = (uint16_t)count, .choice = true};
    }
    return (struct member){0};
}

/* ---- System values ----------------------------------------------------------------------------
 */

static bool system_date(struct slice text, enum fhirpath_kind kind,
                        struct fhirpath_value *ret_system)
{
    enum date_kind found;
    ret_system->kind = kind;
    size_t taken = date_text_read(text, kind == FHIRPATH_TIME, &ret_system->date, &found);
    return taken > 0 && taken == text.length;
}

static bool system_integer(struct slice text, struct fhirpath_value *ret_system)
{
    uint64_t magnitude;
    bool minus = text.length > 0 && text.at[0] == '-';
    ret_system->kind = FHIRPATH_INTEGER;
    if (!slice_to_unsigned(minus ? slice_from(text, 1) : text, INT64_MAX, &magnitude)) {
        return false;
    }
    ret_system->integer = minus ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool system_primitive(const struct fhirpath_node *node, struct fhirpath_value *ret_system)
{
    switch (node->type->fhir_type) {
    case FHIR_TYPE_BOOLEAN:
        ret_system->kind = FHIRPATH_BOOLEAN;
        ret_system->boolean = yyjson_is_true(node->value);
        return yyjson_is_bool(node->value);
    case FHIR_TYPE_INTEGER:
    case FHIR_TYPE_POSITIVEINT:
    case FHIR_TYPE_UNSIGNEDINT:
        return system_integer(json_number(node->value), ret_system);
    case FHIR_TYPE_DECIMAL:
        ret_system->kind = FHIRPATH_DECIMAL;
        return decimal_parse(json_number(node->value), &ret_system->decimal);
    case FHIR_TYPE_DATE:
        return system_date(json_string(node->value), FHIRPATH_DATE, ret_system);
    case FHIR_TYPE_DATETIME:
    case FHIR_TYPE_INSTANT:
        return system_date(json_string(node->value), FHIRPATH_DATETIME, ret_system);
    case FHIR_TYPE_TIME:
        return system_date(json_string(node->value), FHIRPATH_TIME, ret_system);
    default:
        if (!yyjson_is_str(node->value)) {
            return false;
        }
        ret_system->kind = FHIRPATH_STRING;
        ret_system->string = slice_of(yyjson_get_str(node->value), yyjson_get_len(node->value));
        return true;
    }
}

/* R4 fhirpath.html: a FHIR Quantity is a System one where it has a value; the unit is the code
 * where the system is UCUM, else the unit. One with a comparator is a range and none. */
static bool system_quantity(const struct fhirpath_node *node, struct arena *arena,
                            struct fhirpath_value *ret_system)
{
    struct fhirpath_quantity quantity = {.unit = SLICE("1")};
    if (!decimal_parse(json_number(json_get(node->value, "value")), &quantity.value) ||
        json_get(node->value, "comparator") != NULL) {
        return false;
    }
    struct slice code = json_get_string(node->value, "code");
    struct slice unit = json_get_string(node->value, "unit");
    bool ucum = slice_is(json_get_string(node->value, "system"), "http://unitsofmeasure.org");
    if (ucum && code.length > 0) {
        quantity.unit = code;
    } else if (unit.length > 0 || code.length > 0) {
        quantity.unit = unit.length > 0 ? unit : code;
    }
    struct fhirpath_quantity *kept = arena_alloc(arena, sizeof *kept);
    if (kept == NULL) {
        return false;
    }
    *kept = quantity;
    ret_system->kind = FHIRPATH_QUANTITY;
    ret_system->quantity = kept;
    return true;
}

bool node_system(const struct fhirpath_node *node, struct arena *arena,
                 struct fhirpath_value *ret_system)
{
    if (node->value == NULL) {
        return false;
    }
    if (node->type->kind == TYPE_PRIMITIVE) {
        return system_primitive(node, ret_system);
    }
    return type_is_quantity(node->type) && system_quantity(node, arena, ret_system);
}

bool fhirpath_system(const struct definitions *definitions, const struct fhirpath_value *value,
                     struct arena *arena, struct fhirpath_value *ret_system)
{
    (void)definitions;
    if (value->kind == FHIRPATH_NODE) {
        return node_system(&value->node, arena, ret_system);
    }
    *ret_system = *value;
    return true;
}
