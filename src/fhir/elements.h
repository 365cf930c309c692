/* SPDX-License-Identifier: MIT */
/* What types are made of: the rows of the blob, as they lie in the mapped file. A chapter of
 * fhir.h; do not include it alone.
 *
 * A *type* is a resource type, a data type, or the type of one backbone element
 * ("Patient.contact"). Its *elements* are the JSON members its objects may have, choice types spelt
 * out (valueQuantity, valueString ...), in the order of the definition. The `_name` siblings of
 * primitives (R4 json.html "Representation of primitive elements") are not listed: look up the
 * name without its underscore.
 *
 * A *group* is one element of the definition: the members of one choice share it. There are at most
 * 64 groups in a type (the compiler checks it), so that a uint64_t says which were met. */
#ifndef CARELAYER_FHIR_ELEMENTS_H
#define CARELAYER_FHIR_ELEMENTS_H

#include "base/base.h"

/* Bytes of the blob's string pool; always well-formed UTF-8. */
struct text_row {
    uint32_t offset, length;
};

enum type_kind {
    TYPE_PRIMITIVE, /* its elements are those of the `_name` object: id, extension */
    TYPE_COMPLEX,   /* a data type, or the abstract Element and BackboneElement */
    TYPE_BACKBONE,  /* the type of one element of another type */
    TYPE_RESOURCE,  /* concrete */
    TYPE_ABSTRACT   /* Resource, DomainResource: as an element's type, any concrete resource */
};

struct type_row {
    struct text_row name;
    uint64_t required;      /* groups with min >= 1 */
    uint64_t modifiers;     /* groups that are modifier elements */
    uint32_t first_element; /* in elements */
    uint32_t first_slot;    /* in slots: the hash table of member names */
    uint32_t slot_mask;     /* its size - 1 */
    uint32_t seed;          /* the seed that makes it perfect */
    uint16_t element_count;
    uint16_t group_count;
    uint16_t resource; /* resource_type, or 0 */
    uint8_t kind;      /* enum type_kind */
    uint8_t fhir_type; /* enum fhir_type */
};

enum element_flags {
    ELEMENT_ARRAY = 1,     /* written as a JSON array: max > 1 */
    ELEMENT_SUMMARY = 2,   /* part of _summary=true */
    ELEMENT_MODIFIER = 4,  /* isModifier */
    ELEMENT_CHOICE = 8,    /* a member of a choice: name is stem + type */
    ELEMENT_REFERENCE = 16 /* contentReference: its type is another element's backbone */
};

struct element_row {
    struct text_row name;  /* JSON member */
    uint16_t type;         /* in types; of an abstract resource type when any resource may stand */
    uint8_t fhir_type;     /* enum fhir_type of that type */
    uint8_t flags;         /* enum element_flags */
    uint16_t min, max;     /* max 65535: any number */
    uint8_t group;         /* 0..63 within the type */
    uint8_t stem_length;   /* of the name without the choice's type: "value" */
    uint16_t code_set;     /* 1 + index of a required, finite and known set of codes; 0: none */
    uint32_t first_target; /* in targets: resource types that a reference may name */
    uint16_t target_count; /* 0: any */
    uint16_t reserved;
};

/* The codes of a value set: an open-addressed table, keyed by the code's hash. */
struct code_set_row {
    struct text_row url; /* of the value set */
    uint32_t first_slot; /* in codes */
    uint32_t slot_mask;
    uint32_t count;
    uint32_t reserved;
};

struct code_row {
    struct text_row code; /* length 0: an empty slot */
    struct text_row system;
};

/* The tables, in mapped memory; as long-lived as the definitions. */
struct element_tables {
    const char *strings;
    const struct type_row *types; /* resources first: type code N is types[N - 1] */
    const struct element_row *elements;
    const uint16_t *slots; /* 1 + index of an element within its type; 0: empty */
    const struct code_set_row *code_sets;
    const struct code_row *codes;
    const uint16_t *targets; /* resource_type */
    uint32_t type_count, element_count, code_set_count;
};

const struct element_tables *definitions_tables(const struct definitions *definitions);

static inline struct slice table_text(const struct element_tables *tables, struct text_row text)
{
    return (struct slice){tables->strings + text.offset, text.length};
}

/* The type of a resource; TYPE is not RESOURCE_TYPE_NONE. */
static inline const struct type_row *resource_row(const struct element_tables *tables,
                                                  uint16_t type)
{
    return &tables->types[type - 1];
}

static inline const struct type_row *element_type_row(const struct element_tables *tables,
                                                      const struct element_row *element)
{
    return &tables->types[element->type];
}

/* The I-th element of a type, in the order of the definition. */
static inline const struct element_row *type_element(const struct element_tables *tables,
                                                     const struct type_row *type, size_t i)
{
    return &tables->elements[type->first_element + i];
}

/* The hash under which names and codes are kept; part of the blob's format. */
static inline uint32_t name_hash(const char *at, size_t length, uint32_t seed)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = ((uint64_t)seed << 8 ^ length) * factor;
    uint64_t word = 0;
    while (length > 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
        at += 8;
        length -= 8;
    }
    if (length >= 4) {
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + length - 4, 4);
        word = low | (uint64_t)high << 32;
    } else if (length > 0) {
        word = (uint64_t)(uint8_t)at[0] | (uint64_t)(uint8_t)at[length / 2] << 8 |
               (uint64_t)(uint8_t)at[length - 1] << 16;
    } else {
        word = 0;
    }
    hash = (hash ^ word) * factor;
    hash = (hash ^ hash >> 32) * factor; /* names that differ at their end differ in all bits */
    return (uint32_t)(hash >> 32);
}

/* The element with this JSON member name, or NULL. */
static inline const struct element_row *type_find_element(const struct element_tables *tables,
                                                          const struct type_row *type,
                                                          const char *at, size_t length)
{
    uint32_t slot = name_hash(at, length, type->seed) & type->slot_mask;
    uint16_t number = tables->slots[type->first_slot + slot];
    if (number == 0) {
        return NULL;
    }
    const struct element_row *element = &tables->elements[type->first_element + number - 1u];
    if (element->name.length != length ||
        !bytes_equal(tables->strings + element->name.offset, at, length)) {
        return NULL;
    }
    return element;
}

/* Is the code in the set? SYSTEM empty: whatever its system. */
bool code_set_has(const struct element_tables *tables, const struct code_set_row *set,
                  struct slice code, struct slice system);

/* A type by name ("HumanName", "Patient.contact"), or NULL: a binary search, for tools and tests.
 */
const struct type_row *type_find(const struct definitions *definitions, struct slice name);

#endif
