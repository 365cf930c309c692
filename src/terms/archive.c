/* SPDX-License-Identifier: MIT */
/* The files of a release: below a folder, or in a zip (APPNOTE 6.3: stored and deflated members,
 * one disk, no encryption, no zip64). */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "terms/release.h"

#define MEMBERS_MOST 20000u
#define MEMBER_MOST  ((uint64_t)4 << 30)
#define DEPTH_MOST   16

struct listing {
    struct arena *arena;
    struct member *members;
    size_t count, capacity;
};

static enum status add_member(struct listing *listing, const struct member *member)
{
    if (listing->count == MEMBERS_MOST) {
        return STATUS_TOO_COSTLY;
    }
    if (listing->count == listing->capacity) {
        size_t to = listing->capacity == 0 ? 64 : listing->capacity * 2;
        struct member *members =
            arena_resize(listing->arena, listing->members, listing->capacity * sizeof *members,
                         to * sizeof *members);
        if (members == NULL) {
            return STATUS_TOO_COSTLY;
        }
        listing->members = members;
        listing->capacity = to;
    }
    listing->members[listing->count++] = *member;
    return STATUS_OK;
}

static struct slice base_name(struct slice path)
{
    for (size_t i = path.length; i > 0; i--) {
        if (path.at[i - 1] == '/') {
            return slice_from(path, i);
        }
    }
    return path;
}

/* ---- folders ----------------------------------------------------------------------------------
 */

static enum status list_folder(struct listing *listing, const char *path, unsigned depth)
{
    DIR *folder = depth < DEPTH_MOST ? opendir(path) : NULL;
    enum status status = folder != NULL ? STATUS_OK : STATUS_STRUCTURE;
    for (struct dirent *entry; status == STATUS_OK && (entry = readdir(folder)) != NULL;) {
        struct stat about;
        if (entry->d_name[0] == '.') {
            continue;
        }
        const char *name = arena_print(listing->arena, "%s/%s", path, entry->d_name);
        if (lstat(name, &about) != 0) {
            continue;
        }
        if (S_ISDIR(about.st_mode)) {
            status = list_folder(listing, name, depth + 1);
        } else if (S_ISREG(about.st_mode)) {
            struct member member = {.name = base_name(slice_text(name)),
                                    .path = name,
                                    .length = (uint64_t)about.st_size};
            status = add_member(listing, &member);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return status;
}

/* ---- zips -------------------------------------------------------------------------------------
 */

static uint32_t number(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = bytes; i > 0; i--) {
        value = value << 8 | at[i - 1];
    }
    return value;
}

static bool read_at(int fd, uint64_t at, void *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(fd, (char *)bytes + done, length - done, (off_t)(at + done));
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* The central directory's place: its end record stands in the last 64 KiB. */
static bool find_directory(int fd, uint64_t size, struct arena *arena, uint64_t *ret_at,
                           uint32_t *ret_bytes, uint32_t *ret_entries)
{
    size_t window = size < 65557 ? (size_t)size : 65557;
    uint8_t *tail = arena_alloc(arena, window + 1);
    if (tail == NULL || window < 22 || !read_at(fd, size - window, tail, window)) {
        return false;
    }
    for (size_t i = window - 22 + 1; i > 0; i--) {
        const uint8_t *end = tail + i - 1;
        if (number(end, 4) == 0x06054b50) {
            *ret_entries = number(end + 10, 2);
            *ret_bytes = number(end + 12, 4);
            *ret_at = number(end + 16, 4);
            return *ret_at + *ret_bytes <= size && *ret_bytes != UINT32_MAX;
        }
    }
    return false;
}

static enum status list_entries(struct listing *listing, const char *path, const uint8_t *bytes,
                                size_t length, uint32_t entries)
{
    size_t at = 0;
    for (uint32_t i = 0; i < entries; i++) {
        if (length - at < 46 || number(bytes + at, 4) != 0x02014b50) {
            return STATUS_STRUCTURE;
        }
        const uint8_t *entry = bytes + at;
        size_t name = number(entry + 28, 2);
        size_t more = number(entry + 30, 2) + number(entry + 32, 2);
        uint32_t flags = number(entry + 8, 2), method = number(entry + 10, 2);
        if (length - at - 46 < name + more) {
            return STATUS_STRUCTURE;
        }
        struct member member = {.name = base_name(slice_of((const char *)entry + 46, name)),
                                .path = path,
                                .at = number(entry + 42, 4),
                                .stored = number(entry + 20, 4),
                                .length = number(entry + 24, 4),
                                .zipped = true,
                                .deflated = method == 8};
        if (member.name.length > 0 && (flags & 1) == 0 && (method == 0 || method == 8)) {
            TRY(add_member(listing, &member));
        }
        at += 46 + name + more;
    }
    return STATUS_OK;
}

static enum status list_zip(struct listing *listing, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    uint64_t at;
    uint32_t bytes, entries;
    enum status status = STATUS_STRUCTURE;
    if (fd >= 0 && fstat(fd, &about) == 0 &&
        find_directory(fd, (uint64_t)about.st_size, listing->arena, &at, &bytes, &entries)) {
        uint8_t *directory = arena_alloc(listing->arena, (size_t)bytes + 1);
        status = directory == NULL ? STATUS_TOO_COSTLY
                 : !read_at(fd, at, directory, bytes)
                     ? STATUS_IO
                     : list_entries(listing, path, directory, bytes, entries);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

enum status archive_list(const char *path, struct arena *arena, struct outcome *outcome,
                         struct member **ret_members, size_t *ret_count)
{
    struct listing listing = {.arena = arena};
    struct stat about;
    enum status status = STATUS_NOT_FOUND;
    if (stat(path, &about) == 0) {
        status = S_ISDIR(about.st_mode)
                     ? list_folder(&listing, path, 0)
                     : list_zip(&listing, arena_copy(arena, slice_text(path)).at);
    }
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "",
                            "A release is a folder or a zip of files: this is neither, or it "
                            "cannot be read.");
    }
    *ret_members = listing.members;
    *ret_count = listing.count;
    return STATUS_OK;
}

/* ---- content ----------------------------------------------------------------------------------
 */

static enum status inflate_member(const struct member *member, const char *stored, char *out)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)stored,
                       .avail_in = (uInt)member->stored,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)member->length};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        return STATUS_MEMORY;
    }
    int result = inflate(&stream, Z_FINISH);
    bool whole = result == Z_STREAM_END && stream.total_out == member->length;
    (void)inflateEnd(&stream);
    return whole ? STATUS_OK : STATUS_STRUCTURE;
}

static enum status read_zipped(const struct member *member, int fd, struct arena *arena, char *out)
{
    uint8_t local[30];
    if (!read_at(fd, member->at, local, sizeof local) || number(local, 4) != 0x04034b50) {
        return STATUS_STRUCTURE;
    }
    uint64_t from = member->at + 30 + number(local + 26, 2) + number(local + 28, 2);
    if (!member->deflated) {
        return member->stored == member->length && read_at(fd, from, out, (size_t)member->length)
                   ? STATUS_OK
                   : STATUS_STRUCTURE;
    }
    char *stored = arena_alloc(arena, (size_t)member->stored + 1);
    if (stored == NULL) {
        return STATUS_TOO_COSTLY;
    }
    return read_at(fd, from, stored, (size_t)member->stored) ? inflate_member(member, stored, out)
                                                             : STATUS_STRUCTURE;
}

enum status archive_read(const struct member *member, struct arena *arena, struct outcome *outcome,
                         struct slice *ret_text)
{
    int fd = open(member->path, O_RDONLY | O_CLOEXEC);
    enum status status = STATUS_TOO_LONG;
    char *out = fd >= 0 && member->length < MEMBER_MOST && member->stored < MEMBER_MOST
                    ? arena_alloc(arena, (size_t)member->length + 1)
                    : NULL;
    if (out != NULL) {
        status = member->zipped                                ? read_zipped(member, fd, arena, out)
                 : read_at(fd, 0, out, (size_t)member->length) ? STATUS_OK
                                                               : STATUS_IO;
        *ret_text = slice_of(out, (size_t)member->length);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status == STATUS_OK ? status
                               : outcome_fail(outcome, status, "",
                                              "A file of the release cannot be read: fetch the "
                                              "release again.");
}
