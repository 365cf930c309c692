/* SPDX-License-Identifier: MIT */
/* The parts of a yyjson tag, for const values (yyjson's own accessors take mutable ones). */
#ifndef CARELAYER_BASE_JSON_INT_H
#define CARELAYER_BASE_JSON_INT_H

#include "json.h"

static inline uint8_t tag_type(uint64_t tag)
{
    return (uint8_t)(tag & YYJSON_TYPE_MASK);
}

static inline uint8_t tag_subtype(uint64_t tag)
{
    return (uint8_t)(tag & YYJSON_SUBTYPE_MASK);
}

/* Bytes of a string or raw number, elements of an array, members of an object. */
static inline size_t tag_length(uint64_t tag)
{
    return (size_t)(tag >> YYJSON_TAG_BIT);
}

#endif
