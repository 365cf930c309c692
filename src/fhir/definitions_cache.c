/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "fhir/compile_int.h"

/* A digest over the names and contents of a package's definitions: the same for a .tgz and for the
 * folder it was unpacked to. */
struct digest {
    struct buffer digests; /* of the files, one after another */
};

static enum status digest_file(void *context, struct slice name, struct slice text)
{
    struct digest *digest = context;
    uint8_t bytes[SHA256_LENGTH];
    sha256(name, bytes);
    buffer_add(&digest->digests, slice_of((const char *)bytes, sizeof bytes));
    sha256(text, bytes);
    buffer_add(&digest->digests, slice_of((const char *)bytes, sizeof bytes));
    return buffer_ok(&digest->digests) ? STATUS_OK : STATUS_MEMORY;
}

/* CACHE/HASH.blob, HASH over the base and every package in turn. */
static enum status cached_path(const struct definitions *base, const char *const *packages,
                               size_t count, const char *cache, struct arena *arena,
                               struct outcome *outcome, const char **ret_path)
{
    struct digest digest = {.digests = {.arena = arena}};
    struct buffer name = {.arena = arena};
    buffer_add(&digest.digests, definitions_hash(base));
    for (size_t i = 0; i < count; i++) {
        TRY(package_read(packages[i], digest_file, &digest, outcome));
        buffer_add_byte(&digest.digests, '/');
    }
    uint8_t bytes[SHA256_LENGTH];
    sha256(buffer_slice(&digest.digests), bytes);
    hex_write(slice_of((const char *)bytes, sizeof bytes), &name);
    *ret_path = arena_print(arena, "%s/%.*s.blob", cache, SLICE_ARGS(buffer_slice(&name)));
    return arena_full(arena) ? STATUS_MEMORY : STATUS_OK;
}

static enum status open_or_compile(const struct definitions *base, const char *base_package,
                                   const char *const *packages, size_t count, const char *cache,
                                   struct arena *arena, struct outcome *outcome,
                                   struct definitions **ret_definitions)
{
    const char *path;
    TRY(cached_path(base, packages, count, cache, arena, outcome, &path));
    if (access(path, R_OK) == 0 && definitions_open(path, NULL, ret_definitions) == STATUS_OK) {
        return STATUS_OK;
    }
    const char **all = arena_array(arena, count + 1, sizeof *all);
    if (all == NULL) {
        return STATUS_MEMORY;
    }
    all[0] = base_package;
    memcpy(all + 1, packages, count * sizeof *all);
    enum status status = disk_make_directory(cache);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "", "Cannot make the folder %s.", cache);
    }
    TRY(definitions_compile(all, count + 1, path, outcome));
    return definitions_open(path, outcome, ret_definitions);
}

enum status definitions_open_with(const char *blob, const char *base_package,
                                  const char *const *packages, size_t count, const char *cache,
                                  struct outcome *outcome, struct definitions **ret_definitions)
{
    struct definitions *base;
    TRY(definitions_open(blob, outcome, &base));
    if (count == 0) {
        *ret_definitions = base;
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = arena != NULL ? open_or_compile(base, base_package, packages, count, cache,
                                                         arena, outcome, ret_definitions)
                                       : STATUS_MEMORY;
    arena_destroy(arena);
    definitions_close(base);
    return status;
}
