/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "fhir/compile_int.h"

/* One file may be as large as the JSON door allows; a whole package, unpacked, 4 GiB. */
#define FILE_LIMIT    ((size_t)64 << 20)
#define PACKAGE_LIMIT ((uint64_t)4 << 30)
#define INPUT_CHUNK   ((size_t)64 << 10)
#define TAR_BLOCK     512u

/* A gzip stream being read piece by piece. */
struct gunzip {
    int file;
    bool started, ended;
    z_stream zlib;
    uint64_t given;
    unsigned char input[INPUT_CHUNK];
};

static void gunzip_close(void *thing)
{
    struct gunzip *stream = thing;
    if (stream->started) {
        inflateEnd(&stream->zlib);
    }
    close(stream->file);
}

static enum status gunzip_fill(struct gunzip *stream)
{
    ssize_t got;
    do {
        got = read(stream->file, stream->input, sizeof stream->input);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return STATUS_IO;
    }
    stream->zlib.next_in = stream->input;
    stream->zlib.avail_in = (uInt)got;
    return STATUS_OK;
}

/* Reads up to LENGTH bytes; *RET_GOT is less only at the end of the stream. AT NULL discards. */
static enum status gunzip_read(struct gunzip *stream, char *at, size_t length, size_t *ret_got)
{
    unsigned char discard[4096];
    size_t got = 0;
    while (got < length && !stream->ended) {
        if (stream->zlib.avail_in == 0) {
            TRY(gunzip_fill(stream));
            if (stream->zlib.avail_in == 0) {
                return STATUS_STRUCTURE; /* cut short */
            }
        }
        size_t want = length - got;
        if (at == NULL && want > sizeof discard) {
            want = sizeof discard;
        }
        stream->zlib.next_out = at == NULL ? discard : (unsigned char *)at + got;
        stream->zlib.avail_out = (uInt)want;
        int answer = inflate(&stream->zlib, Z_NO_FLUSH);
        got += want - stream->zlib.avail_out;
        stream->given += want - stream->zlib.avail_out;
        if (stream->given > PACKAGE_LIMIT) {
            return STATUS_TOO_LONG;
        }
        if (answer == Z_STREAM_END) {
            if (stream->zlib.avail_in == 0) {
                TRY(gunzip_fill(stream));
            }
            if (stream->zlib.avail_in == 0) {
                stream->ended = true;
            } else if (inflateReset(&stream->zlib) != Z_OK) {
                return STATUS_STRUCTURE;
            }
        } else if (answer != Z_OK && answer != Z_BUF_ERROR) {
            return STATUS_STRUCTURE;
        }
    }
    *ret_got = got;
    return STATUS_OK;
}

static enum status gunzip_read_all(struct gunzip *stream, char *at, size_t length)
{
    size_t got = 0;
    TRY(gunzip_read(stream, at, length, &got));
    return got == length ? STATUS_OK : STATUS_STRUCTURE;
}

/* An octal field of a tar header (POSIX.1-2017 pax, "ustar Interchange Format"). */
static bool tar_octal(const char *at, size_t length, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = 0;
    while (i < length && at[i] == ' ') {
        i++;
    }
    for (; i < length && at[i] >= '0' && at[i] <= '7'; i++) {
        value = value * 8 + (uint64_t)(at[i] - '0');
    }
    if (i < length && at[i] != '\0' && at[i] != ' ') {
        return false;
    }
    *ret_value = value;
    return true;
}

static bool tar_checksum_holds(const char *header)
{
    uint64_t stated, sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += i >= 148 && i < 156 ? ' ' : (uint8_t)header[i];
    }
    return tar_octal(header + 148, 8, &stated) && stated == sum;
}

static struct slice tar_field(const char *at, size_t length)
{
    return (struct slice){at, strnlen(at, length)};
}

/* The value of "path" in a pax extended header: records "LENGTH key=value\n". */
static struct slice pax_path(struct slice records)
{
    struct slice path = {NULL, 0};
    while (records.length > 0) {
        uint64_t length;
        size_t space = slice_index(records, ' ');
        if (!slice_to_unsigned(slice_head(records, space), records.length, &length) ||
            length <= space + 1) {
            break;
        }
        struct slice record = slice_from(slice_head(records, length - 1), space + 1);
        if (slice_starts(record, SLICE("path="))) {
            path = slice_from(record, 5);
        }
        records = slice_from(records, length);
    }
    return path;
}

struct tar_entry {
    char kind;
    uint64_t size;
    struct slice name;
};

/* Reads the next header, long names of pax and GNU included; *RET_END at the end of the archive. */
static enum status tar_next(struct gunzip *stream, struct arena *arena, struct tar_entry *ret_entry,
                            bool *ret_end)
{
    struct slice long_name = {NULL, 0};
    for (;;) {
        char header[TAR_BLOCK];
        size_t got;
        TRY(gunzip_read(stream, header, sizeof header, &got));
        *ret_end = got == 0 || (got == sizeof header && header[0] == '\0');
        if (*ret_end) {
            return STATUS_OK;
        }
        struct tar_entry entry = {.kind = header[156]};
        if (got != sizeof header || !tar_checksum_holds(header) ||
            !tar_octal(header + 124, 12, &entry.size)) {
            return STATUS_STRUCTURE;
        }
        if (entry.kind != 'x' && entry.kind != 'L') {
            struct slice name = tar_field(header, 100);
            struct slice prefix = tar_field(header + 345, 155);
            bool ustar = memcmp(header + 257, "ustar", 5) == 0 && header[262] == '\0';
            if (long_name.length == 0 && ustar && prefix.length > 0) {
                long_name = slice_text(
                    arena_print(arena, "%.*s/%.*s", SLICE_ARGS(prefix), SLICE_ARGS(name)));
            }
            entry.name = long_name.length > 0 ? long_name : arena_copy(arena, name);
            *ret_entry = entry;
            return STATUS_OK;
        }
        uint64_t padded = (entry.size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        char *text = padded > FILE_LIMIT ? NULL : arena_alloc(arena, padded);
        if (text == NULL) {
            return STATUS_TOO_LONG;
        }
        TRY(gunzip_read_all(stream, text, padded));
        struct slice value =
            entry.kind == 'x' ? pax_path(slice_of(text, entry.size)) : tar_field(text, entry.size);
        long_name = value.length > 0 ? value : long_name;
    }
}

/* "package/X.json": directly below the top folder. Examples lie deeper in most packages. */
static bool name_is_direct(struct slice name)
{
    struct slice rest = slice_from(name, slice_index(name, '/') + 1);
    return slice_ends(name, SLICE(".json")) && rest.length > 0 &&
           slice_index(rest, '/') == rest.length;
}

static enum status tar_read_entries(struct gunzip *stream, struct arena *arena,
                                    package_visit *visit, void *context)
{
    for (;;) {
        struct arena_mark mark = arena_mark(arena);
        struct tar_entry entry;
        bool end;
        TRY(tar_next(stream, arena, &entry, &end));
        if (end) {
            return STATUS_OK;
        }
        uint64_t padded = (entry.size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        bool is_file = entry.kind == '0' || entry.kind == '\0';
        if (is_file && padded <= FILE_LIMIT && name_is_direct(entry.name)) {
            char *text = arena_alloc(arena, padded);
            if (text == NULL) {
                return STATUS_MEMORY;
            }
            TRY(gunzip_read_all(stream, text, padded));
            TRY(visit(context, entry.name, slice_of(text, entry.size)));
        } else {
            size_t got;
            TRY(gunzip_read(stream, NULL, padded, &got));
            if (got != padded) {
                return STATUS_STRUCTURE;
            }
        }
        arena_rewind(arena, mark);
    }
}

static enum status read_tgz(const char *path, struct arena *arena, package_visit *visit,
                            void *context, struct outcome *outcome)
{
    struct gunzip *stream = ARENA_NEW(arena, struct gunzip);
    if (stream == NULL) {
        return STATUS_MEMORY;
    }
    stream->file = open(path, O_RDONLY | O_CLOEXEC);
    if (stream->file < 0) {
        return outcome_fail(outcome, disk_status(errno), "", "Cannot open the package %s.", path);
    }
    TRY(arena_defer(arena, gunzip_close, stream));
    if (inflateInit2(&stream->zlib, 16 + MAX_WBITS) != Z_OK) {
        return STATUS_MEMORY;
    }
    stream->started = true;
    uint32_t errors = outcome != NULL ? outcome->errors : 0;
    enum status status = tar_read_entries(stream, arena, visit, context);
    if (status != STATUS_OK && (outcome == NULL || outcome->errors == errors)) {
        return outcome_fail(outcome, status, "",
                            "The package %s is no whole gzipped tar archive of files up to 64 MiB; "
                            "fetch it again.",
                            path);
    }
    return status;
}

static enum status read_plain(const char *path, struct arena *arena, package_visit *visit,
                              void *context, struct outcome *outcome)
{
    const char *slash = strrchr(path, '/');
    struct slice name = slice_text(slash != NULL ? slash + 1 : path);
    struct slice text;
    enum status status = disk_read_file(path, FILE_LIMIT, arena, &text);
    if (status != STATUS_OK) {
        return outcome_fail(outcome, status, "", "Cannot read %s.", path);
    }
    return visit(context, name, text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void close_folder(void *folder)
{
    closedir(folder);
}

/* In byte order of the names, so that the blob does not depend on the file system. */
static enum status read_folder(const char *path, struct arena *arena, package_visit *visit,
                               void *context, struct outcome *outcome)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return outcome_fail(outcome, disk_status(errno), "", "Cannot read the folder %s.", path);
    }
    TRY(arena_defer(arena, close_folder, folder));
    struct buffer names = {.arena = arena};
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && slice_ends(slice_text(entry->d_name), SLICE(".json"))) {
            const char *name = arena_print(arena, "%s/%s", path, entry->d_name);
            buffer_add(&names, slice_of((const char *)&name, sizeof name));
            count++;
        }
    }
    if (!buffer_ok(&names) || arena_full(arena)) {
        return STATUS_MEMORY;
    }
    const char **sorted = (const char **)(void *)names.at;
    if (count > 0) {
        qsort(sorted, count, sizeof *sorted, compare_names);
    }
    for (size_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(arena);
        TRY(read_plain(sorted[i], arena, visit, context, outcome));
        arena_rewind(arena, mark);
    }
    return STATUS_OK;
}

enum status package_read(const char *path, package_visit *visit, void *context,
                         struct outcome *outcome)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        return outcome_fail(outcome, disk_status(errno), "", "There is no package at %s.", path);
    }
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return STATUS_MEMORY;
    }
    enum status status;
    if (S_ISDIR(about.st_mode)) {
        const char *inner = arena_print(arena, "%s/package", path);
        struct stat inner_about;
        bool npm = stat(inner, &inner_about) == 0 && S_ISDIR(inner_about.st_mode);
        status = read_folder(npm ? inner : path, arena, visit, context, outcome);
    } else if (slice_ends(slice_text(path), SLICE(".json"))) {
        status = read_plain(path, arena, visit, context, outcome);
    } else {
        status = read_tgz(path, arena, visit, context, outcome);
    }
    arena_destroy(arena);
    return status;
}

struct word {
    struct slice text;
    package_resource *visit;
    void *context;
};

static enum status visit_word(void *context, struct slice name, struct slice text)
{
    const struct word *word = context;
    (void)name;
    bool has = text.length >= word->text.length && word->text.length > 0 &&
               memmem(text.at, text.length, word->text.at, word->text.length) != NULL;
    return has ? word->visit(word->context, text) : STATUS_OK;
}

enum status package_resources(const char *path, struct slice word, package_resource *visit,
                              void *context, struct outcome *outcome)
{
    struct word wanted = {word, visit, context};
    return package_read(path, visit_word, &wanted, outcome);
}
