/* SPDX-License-Identifier: MIT */
/* SNOMED CT's Expression Constraint Language. */
#include "terms/ecl.h"
#include "terms/release.h"

enum status ecl_filter(const struct code_system *system, struct slice property, struct slice op,
                       struct slice value, struct arena *arena, roaring_bitmap_t *set)
{
    (void)system;
    (void)property;
    (void)op;
    (void)value;
    (void)arena;
    (void)set;
    return STATUS_NOT_SUPPORTED;
}
