/* SPDX-License-Identifier: MIT */
/* One file over HTTP, whole or not at all. Redirects are followed by hand: each goes through the
 * same list of places as the first address. What comes is kept as it comes, packed or not; the
 * reader of files tells them apart. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "feed/jobs_int.h"

#define REDIRECTS_MOST  5
#define CONNECT_SECONDS 30L

struct transfer {
    const struct fetch *fetch;
    CURL *curl;
    int file;
    uint64_t length; /* written */
    enum status status;
    bool stopped, too_long, coded; /* CODED: in a content coding that is not gzip */
    bool ends;                     /* the answer says where it ends, so that a break is seen */
};

/* ---- as it comes --------------------------------------------------------------------------------
 */

static bool has_space(const struct transfer *transfer, size_t more)
{
    struct statvfs space;
    if (transfer->fetch->spare <= 0 || fstatvfs(transfer->file, &space) != 0) {
        return true;
    }
    uint64_t left = (uint64_t)space.f_bavail * (uint64_t)space.f_frsize;
    return left >= (uint64_t)transfer->fetch->spare + more;
}

/* Of an answer that is no file (a redirect, an error page) nothing is kept. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    long http = 0;
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &http);
    if (http != 200) {
        return length;
    }
    if (length > transfer->fetch->bytes - transfer->length) {
        transfer->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    transfer->status =
        has_space(transfer, length)
            ? disk_write_all(transfer->file, slice_of(bytes, length), (off_t)transfer->length)
            : STATUS_NO_SPACE;
    transfer->length += length;
    return transfer->status == STATUS_OK ? length : CURL_WRITEFUNC_ERROR;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct slice value = slice_of(bytes, size * count);
    struct slice name = slice_cut(&value, ':');
    value = slice_trim(value);
    transfer->ends = transfer->ends || slice_equals_ignoring_case(name, SLICE("Content-Length")) ||
                     slice_equals_ignoring_case(name, SLICE("Transfer-Encoding"));
    if (slice_equals_ignoring_case(name, SLICE("Content-Encoding"))) {
        transfer->coded = !slice_equals_ignoring_case(value, SLICE("gzip")) &&
                          !slice_equals_ignoring_case(value, SLICE("x-gzip")) &&
                          !slice_equals_ignoring_case(value, SLICE("identity"));
    }
    return size * count;
}

static int look_on(void *context, curl_off_t all, curl_off_t done, curl_off_t up_all, curl_off_t up)
{
    struct transfer *transfer = context;
    const struct fetch *fetch = transfer->fetch;
    (void)up_all;
    (void)up;
    fetch->progress(fetch->context, (uint64_t)done, (uint64_t)all);
    transfer->stopped = fetch->stops(fetch->context);
    return transfer->stopped;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

/* A page that a gateway sends in place of the file is no records. */
static bool is_file_type(struct slice type)
{
    static const char *const known[] = {"application/fhir+ndjson", "application/ndjson",
                                        "application/x-ndjson",    "application/fhir+x-ndjson",
                                        "application/jsonl",       "application/gzip",
                                        "application/x-gzip",      "application/octet-stream",
                                        "binary/octet-stream",     NULL};
    struct slice name = slice_trim(slice_head(type, slice_index(type, ';')));
    for (const char *const *item = known; *item != NULL; item++) {
        if (slice_equals_ignoring_case(name, slice_text(*item))) {
            return true;
        }
    }
    return name.length == 0;
}

static bool set_options(struct transfer *transfer, const char *url, struct curl_slist *headers)
{
    const struct fetch *fetch = transfer->fetch;
    CURL *curl = transfer->curl;
    curl_easy_reset(curl);
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "carelayer/" CARELAYER_VERSION) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)fetch->seconds) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)fetch->stall) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_on) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static enum status fail(struct outcome *outcome, enum status status, const char *why)
{
    return outcome_fail(outcome, status, "input.url", "%s", why);
}

static enum status explain_transfer(const struct transfer *transfer, CURLcode code,
                                    struct outcome *outcome, bool *ret_again)
{
    if (transfer->stopped) {
        return STATUS_BUSY;
    }
    if (transfer->status != STATUS_OK) {
        return transfer->status;
    }
    if (transfer->too_long) {
        return fail(outcome, STATUS_TOO_LONG,
                    "The file is longer than import-file: split it, or ask the operator.");
    }
    *ret_again = true;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return fail(outcome, STATUS_TIMEOUT,
                    "The file's server was too slow: nothing of the file was stored.");
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_WEIRD_SERVER_REPLY:
        return fail(outcome, STATUS_TRANSIENT,
                    "The file broke off before its end: nothing of it was stored.");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        *ret_again = false;
        return fail(outcome, STATUS_UNPROCESSABLE,
                    "The file's server could not prove who it is (TLS).");
    case CURLE_OUT_OF_MEMORY:
        return STATUS_MEMORY;
    default:
        return fail(outcome, STATUS_TRANSIENT, "The file's server cannot be reached.");
    }
}

static enum status explain_answer(const struct transfer *transfer, long http, struct slice type,
                                  struct outcome *outcome, bool *ret_again)
{
    long version = CURL_HTTP_VERSION_1_1;
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_HTTP_VERSION, &version);
    if (http != 200) {
        *ret_again = http == 408 || http == 429 || http >= 500;
        return outcome_fail(outcome,
                            http == 404 || http == 410 ? STATUS_NOT_FOUND : STATUS_UNPROCESSABLE,
                            "input.url", "The file's server answered with HTTP status %ld.", http);
    }
    if (!is_file_type(type)) {
        return fail(outcome, STATUS_MEDIA_TYPE,
                    "What came is not called a file of records: send it as "
                    "application/fhir+ndjson, plain or gzip.");
    }
    if (!transfer->ends && version < CURL_HTTP_VERSION_2_0) {
        return fail(outcome, STATUS_UNPROCESSABLE,
                    "The file's server does not say how long the file is, so that half of it "
                    "looks like all of it: nothing of it was stored. Send it with a "
                    "Content-Length, or chunked.");
    }
    return transfer->coded ? fail(outcome, STATUS_MEDIA_TYPE,
                                  "The file came in a content coding other than gzip.")
                           : STATUS_OK;
}

static struct slice text_of(CURL *curl, CURLINFO info)
{
    char *text = NULL;
    return curl_easy_getinfo(curl, info, &text) == CURLE_OK ? slice_text(text) : (struct slice){0};
}

/* One request; *RET_NEXT: where it was sent on to. */
static enum status ask(struct transfer *transfer, const char *url, struct curl_slist *headers,
                       struct outcome *outcome, bool *ret_again, struct slice *ret_next)
{
    long http = 0;
    *ret_next = (struct slice){0};
    transfer->length = 0;
    transfer->coded = transfer->ends = false;
    if (!set_options(transfer, url, headers)) {
        return STATUS_MEMORY;
    }
    CURLcode code = curl_easy_perform(transfer->curl);
    if (code != CURLE_OK) {
        return explain_transfer(transfer, code, outcome, ret_again);
    }
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &http);
    struct slice next = text_of(transfer->curl, CURLINFO_REDIRECT_URL);
    if (http >= 300 && http < 400 && next.length > 0) {
        *ret_next = arena_copy(transfer->fetch->arena, next);
        return ret_next->at != NULL ? STATUS_OK : STATUS_MEMORY;
    }
    return explain_answer(transfer, http, text_of(transfer->curl, CURLINFO_CONTENT_TYPE), outcome,
                          ret_again);
}

static enum status follow(struct transfer *transfer, struct curl_slist *headers,
                          struct outcome *outcome, bool *ret_again)
{
    const struct fetch *fetch = transfer->fetch;
    struct slice next = fetch->url;
    for (int i = 0; i <= REDIRECTS_MOST; i++) {
        const char *url;
        TRY(places_allow(fetch->places, next, fetch->arena, outcome, &url));
        TRY(ask(transfer, url, headers, outcome, ret_again, &next));
        if (next.length == 0) {
            return STATUS_OK;
        }
    }
    return fail(outcome, STATUS_UNPROCESSABLE,
                "The file's server sends from one place to another.");
}

/* ---- the file -----------------------------------------------------------------------------------
 */

static enum status fetch_into(struct transfer *transfer, struct outcome *outcome, bool *ret_again)
{
    struct curl_slist *accept = curl_slist_append(NULL, "Accept: application/fhir+ndjson");
    struct curl_slist *headers =
        accept != NULL ? curl_slist_append(accept, "Accept-Encoding: gzip") : NULL;
    transfer->curl = curl_easy_init();
    enum status status = headers != NULL && transfer->curl != NULL
                             ? follow(transfer, headers, outcome, ret_again)
                             : STATUS_MEMORY;
    curl_easy_cleanup(transfer->curl);
    curl_slist_free_all(accept);
    if (status == STATUS_OK && (disk->ftruncate(transfer->file, (off_t)transfer->length) != 0 ||
                                disk->fsync(transfer->file) != 0)) {
        status = disk_status(errno);
    }
    return status;
}

enum status fetch_file(const struct fetch *fetch, struct outcome *outcome, bool *ret_again)
{
    const char *part = arena_print(fetch->arena, "%s.part", fetch->path);
    struct transfer transfer = {.fetch = fetch};
    *ret_again = false;
    if (part == NULL) {
        return STATUS_MEMORY;
    }
    transfer.file = disk->open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (transfer.file < 0) {
        return disk_status(errno);
    }
    enum status status = fetch_into(&transfer, outcome, ret_again);
    if (disk->close(transfer.file) != 0 && status == STATUS_OK) {
        status = disk_status(errno);
    }
    if (status == STATUS_OK && disk->rename(part, fetch->path) != 0) {
        status = disk_status(errno);
    }
    if (status == STATUS_OK) {
        return disk_sync_directory(fetch->path);
    }
    (void)disk->unlink(part);
    return status;
}
