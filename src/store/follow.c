/* SPDX-License-Identifier: MIT */
/* store: what a resource refers to, and what refers to it. This engine does not follow references
 * yet: it says so. */
#include "store_int.h"

enum status store_follow(struct store_tx *tx, const struct store_version *version,
                         const struct search_parameter *parameter, resource_type target,
                         size_t most, struct arena *arena, struct store_version **ret_items,
                         size_t *ret_count)
{
    (void)tx, (void)version, (void)parameter, (void)target, (void)most, (void)arena;
    *ret_items = NULL;
    *ret_count = 0;
    return STATUS_NOT_SUPPORTED;
}

enum status store_referrers(struct store_tx *tx, const struct store_version *version,
                            resource_type source, const struct search_parameter *parameter,
                            size_t most, struct arena *arena, struct store_version **ret_items,
                            size_t *ret_count)
{
    return store_follow(tx, version, parameter, source, most, arena, ret_items, ret_count);
}
