/* SPDX-License-Identifier: MIT */
/* The selection of few patients: each person's record is a short range, so it is looked up instead
 * of going through everybody's. */
#include <stdlib.h>

#include "bulk/bulk_int.h"

#define FEW_PATIENTS 1000
#define FEW_ITEMS    500000
#define FEW_PAGE     1000

struct item {
    resource_type type; /* of the file that it goes to */
    enum selected_kind kind;
    struct store_version version; /* type, id and version only */
};

struct few {
    struct selecting *selecting;
    struct item *items;
    size_t count, capacity;
    resource_type *types; /* NULL: all */
    size_t type_count;
};

/* Binaries of a person leave as DocumentReferences. */
static bool takes_binaries(const struct selecting *selecting)
{
    return type_asked(selecting->bulk, &selecting->job->ask, selecting->bulk->document);
}

static enum status list_types(struct few *few)
{
    const struct bulk *bulk = few->selecting->bulk;
    resource_type last = resource_type_count(bulk->options.definitions);
    if (few->selecting->job->ask.type_count == 0) {
        return STATUS_OK; /* one look for all types is the quicker one */
    }
    few->types = arena_array(few->selecting->arena, last + 1u, sizeof *few->types);
    for (resource_type type = 1; few->types != NULL && type <= last; type++) {
        if (type == bulk->binary ? takes_binaries(few->selecting)
                                 : type_asked(bulk, &few->selecting->job->ask, type)) {
            few->types[few->type_count++] = type;
        }
    }
    return few->types != NULL ? STATUS_OK : STATUS_MEMORY;
}

static enum status keep(struct few *few, const struct store_version *version)
{
    struct arena *arena = few->selecting->arena;
    bool binary = version->type == few->selecting->bulk->binary;
    if (few->count == few->capacity) {
        size_t more = few->capacity * 2 + 1024;
        struct item *larger =
            arena_resize(arena, few->items, few->capacity * sizeof *larger, more * sizeof *larger);
        if (larger == NULL) {
            return STATUS_MEMORY;
        }
        few->items = larger;
        few->capacity = more;
    }
    few->items[few->count++] =
        (struct item){.type = binary ? few->selecting->bulk->document : version->type,
                      .kind = binary ? SELECTED_DOCUMENT : SELECTED_RESOURCE,
                      .version = {.type = version->type,
                                  .id = arena_copy(arena, version->id),
                                  .version = version->version}};
    return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
}

static enum status gather_person(struct few *few, struct slice id)
{
    struct selecting *selecting = few->selecting;
    const struct bulk_ask *ask = &selecting->job->ask;
    struct store_page page = {.more = true};
    struct store_query query = {.types = few->types,
                                .type_count = few->type_count,
                                .has_patient = true,
                                .patient = id,
                                .count = FEW_PAGE};
    if (ask->has_since) {
        query.updated_low = ask->since + 1;
        query.updated_high = INT64_MAX;
    }
    while (page.more && few->count <= FEW_ITEMS) {
        arena_reset(selecting->page, PAGE_BYTES);
        TRY(store_find(selecting->tx, &query, selecting->page, &selecting->outcome, &page));
        for (size_t i = 0; i < page.count; i++) {
            if (patient_set_meets(&selecting->set, &page.items[i])) {
                selection_tells(selecting, &page.items[i]);
                TRY(keep(few, &page.items[i]));
            }
        }
        query.cursor = arena_copy(selecting->arena, page.next);
        if (query.cursor.at == NULL || job_ends(selecting->job)) {
            return query.cursor.at == NULL ? STATUS_MEMORY : STATUS_BUSY;
        }
    }
    return STATUS_OK;
}

static enum status gather(struct few *few)
{
    struct selecting *selecting = few->selecting;
    for (size_t byte = 0; byte < selecting->set.bytes; byte++) {
        for (unsigned bit = 0; bit < 8 && selecting->set.bits[byte] >> bit != 0; bit++) {
            struct slice id;
            uint32_t patient = (uint32_t)(byte * 8 + bit);
            if (!patient_set_has(&selecting->set, patient)) {
                continue;
            }
            enum status status = store_patient_id(selecting->tx, patient, selecting->arena, &id);
            if (status != STATUS_NOT_FOUND) {
                TRY(status);
                TRY(gather_person(few, id));
            }
        }
    }
    return STATUS_OK;
}

static int by_file(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return slice_compare(a->version.id, b->version.id);
}

/* What concerns two of them was found twice. */
static enum status add_all(struct few *few)
{
    if (few->count > 0) {
        qsort(few->items, few->count, sizeof *few->items, by_file);
    }
    for (size_t i = 0; i < few->count; i++) {
        if (i == 0 || by_file(&few->items[i - 1], &few->items[i]) != 0) {
            TRY(selection_add(few->selecting, few->items[i].kind, &few->items[i].version));
        }
    }
    return STATUS_OK;
}

static size_t count_set(const struct patient_set *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->bytes; i++) {
        count += (size_t)__builtin_popcount(set->bits[i]);
    }
    return count;
}

enum status select_few(struct selecting *selecting, bool *ret_done)
{
    struct few few = {.selecting = selecting};
    *ret_done = false;
    if (!selecting->limited || selecting->job->ask.filter_count > 0 ||
        count_set(&selecting->set) > FEW_PATIENTS) {
        return STATUS_OK;
    }
    struct arena_mark mark = arena_mark(selecting->arena);
    enum status status = list_types(&few);
    if (status == STATUS_OK && (few.types == NULL || few.type_count > 0)) {
        status = gather(&few);
    }
    *ret_done = few.count <= FEW_ITEMS;
    if (status == STATUS_OK && *ret_done) {
        status = add_all(&few);
    }
    arena_rewind(selecting->arena, mark);
    return status;
}
