/* SPDX-License-Identifier: MIT */
/* The web apps. Their files are read once, at the start, into a table: a request is looked up in
 * it and never becomes a path of the file system. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "http_int.h"

#define FILE_MOST   ((size_t)8 << 20)
#define FOLDER_MOST ((size_t)64 << 20)
#define DEPTH_MOST  16

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".woff2", "font/woff2"},
    {".woff", "font/woff"},
    {".txt", "text/plain; charset=utf-8"},
};

/* Pages load from here and nowhere else, run no script that is not a file of ours, and are shown in
 * nobody's frame. */
static const struct {
    const char *name, *value;
} guards[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-cache"},
    {"Content-Security-Policy",
     "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
     "form-action 'self'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Vary", "Accept-Encoding"},
};

/* ---- loading -------------------------------------------------------------------------------- */

static const char *type_of(struct slice path)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_ends(path, slice_text(types[i].ending))) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static struct slice etag_of(struct slice body, struct arena *arena)
{
    uint8_t digest[SHA256_LENGTH];
    struct buffer out = {.arena = arena};
    sha256(body, digest);
    buffer_add_byte(&out, '"');
    hex_write(slice_of((const char *)digest, 16), &out);
    buffer_add_byte(&out, '"');
    return buffer_slice(&out);
}

static struct slice pack(const struct static_file *file, struct arena *arena)
{
    struct buffer packed = {.arena = arena};
    bool pays = file->body.length > 1024 && strncmp(file->content_type, "font/", 5) != 0 &&
                gzip_compress(file->body, 9, &packed) == STATUS_OK &&
                packed.length < file->body.length / 10 * 9;
    return pays ? buffer_slice(&packed) : (struct slice){0};
}

struct loading {
    struct http_server *server;
    struct outcome *outcome;
    size_t capacity, bytes;
    unsigned depth;
};

static enum status too_much(struct loading *loading)
{
    return outcome_fail(loading->outcome, STATUS_TOO_LONG, "apps",
                        "The folder of web apps holds more than %zu MiB, or a file of more than "
                        "%zu MiB.",
                        FOLDER_MOST >> 20, FILE_MOST >> 20);
}

static enum status load_file(struct loading *loading, const char *path, const char *name)
{
    struct http_server *server = loading->server;
    struct arena *arena = server->arena;
    if (server->file_count == loading->capacity) {
        size_t more = loading->capacity * 2 + 64;
        struct static_file *files = arena_resize(
            arena, server->files, loading->capacity * sizeof(*files), more * sizeof(*files));
        if (files == NULL) {
            return STATUS_MEMORY;
        }
        server->files = files;
        loading->capacity = more;
    }
    struct static_file *file = &server->files[server->file_count];
    *file = (struct static_file){.path = slice_text(name)};
    enum status status = disk_read_file(path, FILE_MOST, arena, &file->body);
    loading->bytes += file->body.length;
    if (status == STATUS_TOO_LONG || loading->bytes > FOLDER_MOST) {
        return too_much(loading);
    }
    TRY(status);
    file->content_type = type_of(file->path);
    file->etag = etag_of(file->body, arena);
    file->packed = pack(file, arena);
    server->file_count++;
    return STATUS_OK;
}

static enum status load_folder(struct loading *loading, const char *path, const char *name);

static enum status load_entry(struct loading *loading, const char *path, const char *name)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return STATUS_OK; /* a link to nothing */
    }
    if (S_ISDIR(status.st_mode)) {
        return load_folder(loading, path, name);
    }
    return S_ISREG(status.st_mode) ? load_file(loading, path, name) : STATUS_OK;
}

static enum status load_entries(struct loading *loading, DIR *folder, const char *path,
                                const char *name)
{
    struct arena *arena = loading->server->arena;
    struct dirent *entry = NULL;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        const char *at = arena_print(arena, "%s/%s", path, entry->d_name);
        const char *as = arena_print(arena, "%s/%s", name, entry->d_name);
        TRY(load_entry(loading, at, as));
    }
    return STATUS_OK;
}

static enum status load_folder(struct loading *loading, const char *path, const char *name)
{
    if (loading->depth >= DEPTH_MOST) {
        return outcome_fail(loading->outcome, STATUS_VALUE, "apps",
                            "The folder of web apps is nested too deep.");
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return outcome_fail(loading->outcome, disk_status(errno), "apps",
                            "The folder of web apps cannot be read.");
    }
    loading->depth++;
    enum status status = load_entries(loading, folder, path, name);
    loading->depth--;
    closedir(folder);
    return status;
}

static int compare_files(const void *a, const void *b)
{
    return slice_compare(((const struct static_file *)a)->path,
                         ((const struct static_file *)b)->path);
}

enum status static_load(struct http_server *server, struct outcome *outcome)
{
    struct loading loading = {.server = server, .outcome = outcome};
    const char *folder = server->service->config->apps;
    if (folder[0] == '\0') {
        return STATUS_OK;
    }
    TRY(load_folder(&loading, folder, "/apps"));
    if (server->file_count > 0) {
        qsort(server->files, server->file_count, sizeof(*server->files), compare_files);
    }
    return STATUS_OK;
}

/* ---- answering ------------------------------------------------------------------------------ */

static const struct static_file *find(const struct http_server *server, struct slice path)
{
    const struct static_file key = {.path = path};
    return server->file_count == 0 ? NULL
                                   : bsearch(&key, server->files, server->file_count,
                                             sizeof(*server->files), compare_files);
}

/* The list of If-None-Match holds this tag, compared weakly (RFC 9110, 13.1.2). */
static bool has_tag(struct slice list, struct slice tag)
{
    while (list.at != NULL && list.length > 0) {
        struct slice item = slice_trim(slice_cut(&list, ','));
        if (slice_starts(item, SLICE("W/"))) {
            item = slice_from(item, 2);
        }
        if (slice_equals(item, tag) || slice_is(item, "*")) {
            return true;
        }
    }
    return false;
}

static void send_file(struct connection *connection, const struct static_file *file)
{
    struct request *request = connection->request;
    struct response *response = &request->response;
    const struct known_headers *known = &connection->parser.head.known;
    bool packed = file->packed.length > 0 && accepts_gzip(known->accept_encoding);
    struct slice body = packed ? file->packed : file->body;
    response->http = has_tag(known->if_none_match, file->etag) ? 304 : 200;
    response->content_type = file->content_type;
    /* The same tag for both forms: so it can only be a weak one. */
    response->etag = slice_text(arena_print(request->arena, "W/%.*s", SLICE_ARGS(file->etag)));
    response->body = (struct buffer){
        .at = (char *)(uintptr_t)body.at, .length = body.length, .capacity = body.length};
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        response_add_header(request, guards[i].name, slice_text(guards[i].value));
    }
    if (packed && response->http == 200) {
        response_add_header(request, "Content-Encoding", SLICE("gzip"));
    }
    answer_send(connection);
}

static void redirect(struct connection *connection, struct slice path)
{
    connection->request->response.http = 302;
    connection->request->response.location = path;
    answer_send(connection);
}

void static_answer(struct connection *connection)
{
    const struct http_server *server = connection->loop->server;
    struct request *request = connection->request;
    struct slice path = request->target;
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        response_add_header(request, "Allow", SLICE("GET, HEAD"));
        answer_problem(connection, 405, "not-supported", "This can only be read.");
        return;
    }
    if (slice_is(path, "/")) {
        redirect(connection, SLICE("/apps/record/"));
        return;
    }
    const char *index = arena_print(request->arena, "%.*s%sindex.html", SLICE_ARGS(path),
                                    slice_ends(path, SLICE("/")) ? "" : "/");
    const struct static_file *file = find(server, path);
    const struct static_file *page = file == NULL ? find(server, slice_text(index)) : NULL;
    if (page != NULL && !slice_ends(path, SLICE("/"))) {
        redirect(connection, slice_text(arena_print(request->arena, "%.*s/", SLICE_ARGS(path))));
    } else if (file != NULL || page != NULL) {
        send_file(connection, file != NULL ? file : page);
    } else {
        answer_problem(connection, 404, "not-found",
                       "There is nothing here. Records are below /fhir, pages below /apps.");
    }
}
