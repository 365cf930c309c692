/* SPDX-License-Identifier: MIT */
/* The table of settings. One row gives a setting's name, kind, default, range and meaning; the
 * command line (--name), the environment (CARELAYER_NAME), the configuration file (name = value)
 * and the manual page (docs/operate/configuration.md) all come from it. Later sources win in this
 * order: default, file, environment, command line. */
#ifndef CARELAYER_BASE_CONFIG_H
#define CARELAYER_BASE_CONFIG_H

#include "arena.h"
#include "outcome.h"
#include "slice.h"
#include "status.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_NUMBER,
    CONFIG_BYTES,
    CONFIG_SECONDS,
    CONFIG_SWITCH,
    CONFIG_LIST
};

/* C member, name, kind, default, minimum, maximum, meaning (one sentence; Markdown).
 * BYTES take k, M, G suffixes; SECONDS a plain number; SWITCH on/off; LIST may be repeated. */
#define CONFIG_TABLE(X)                                                                            \
    X(data, "data", CONFIG_TEXT, "", 0, 0,                                                         \
      "Folder that holds the records, the access log and everything derived from them.")           \
    X(database, "database", CONFIG_TEXT, "", 0, 0,                                                 \
      "PostgreSQL server that keeps the records instead of a file in the data folder "             \
      "(`postgresql://user@host/name`, or what else libpq takes; "                                 \
      "[postgresql.md](postgresql.md)); "                                                          \
      "empty: SQLite. An address with a password belongs in the environment.")                     \
    X(database_writers, "database-writers", CONFIG_NUMBER, "8", 1, 256,                            \
      "Connections that write to the PostgreSQL server at once.")                                  \
    X(host, "host", CONFIG_TEXT, "127.0.0.1", 0, 0,                                                \
      "Address to listen on. While rules are off only a loopback address is accepted.")            \
    X(port, "port", CONFIG_NUMBER, "8080", 0, 65535,                                               \
      "TCP port; 0 lets the system choose and prints it.")                                         \
    X(auth, "auth", CONFIG_TEXT, "off", 0, 0,                                                      \
      "`off`: no rules, loopback only. It is the only value until identity exists.")               \
    X(base_url, "base-url", CONFIG_TEXT, "", 0, 0,                                                 \
      "The address clients use, with path (`https://example.org/fhir`); empty: taken from the "    \
      "Host header.")                                                                              \
    X(package, "package", CONFIG_LIST, "", 0, 0,                                                   \
      "FHIR package (`.tgz`), folder or single conformance resource to load; may be repeated.")    \
    X(rules, "rules", CONFIG_LIST, "", 0, 0,                                                       \
      "Table of rules to add to the national ones or to put in their place "                       \
      "([national-rules.md](national-rules.md)); may be repeated.")                                \
    X(definitions, "definitions", CONFIG_TEXT, "", 0, 0,                                           \
      "Compiled base definitions; empty: the installed ones.")                                     \
    X(terminology, "terminology", CONFIG_TEXT, "", 0, 0,                                           \
      "Folder of the compiled terminology releases; empty: `terminology` in the data folder.")     \
    X(apps, "apps", CONFIG_TEXT, "", 0, 0, "Folder of the web apps; empty: the installed ones.")   \
    X(tls_certificate, "tls-certificate", CONFIG_TEXT, "", 0, 0,                                   \
      "PEM file with the certificate chain; together with tls-key it switches TLS on.")            \
    X(tls_key, "tls-key", CONFIG_TEXT, "", 0, 0, "PEM file with the private key.")                 \
    X(loops, "loops", CONFIG_NUMBER, "0", 0, 256, "Event loops; 0: one a core.")                   \
    X(workers, "workers", CONFIG_NUMBER, "0", 0, 1024, "Worker threads; 0: two a core.")           \
    X(memory, "memory", CONFIG_BYTES, "1G", 16777216, INT64_MAX,                                   \
      "Budget of all request memory together; past it requests get 503.")                          \
    X(cache, "cache", CONFIG_BYTES, "16M", 1048576, INT64_MAX,                                     \
      "Page cache of the store, shared over its connections.")                                     \
    X(max_body, "max-body", CONFIG_BYTES, "64M", 1024, INT64_MAX,                                  \
      "Longest request body; Binary content may be larger (max-binary).")                          \
    X(max_binary, "max-binary", CONFIG_BYTES, "1G", 1024, INT64_MAX,                               \
      "Longest raw Binary body; it is streamed, not held in memory.")                              \
    X(max_headers, "max-headers", CONFIG_BYTES, "32k", 1024, 1048576, "Longest header section.")   \
    X(max_connections, "max-connections", CONFIG_NUMBER, "4096", 1, 1000000,                       \
      "Connections at once; more are closed at accept.")                                           \
    X(header_timeout, "header-timeout", CONFIG_SECONDS, "10", 1, 3600,                             \
      "Time from the first byte of a request to the end of its headers.")                          \
    X(body_timeout, "body-timeout", CONFIG_SECONDS, "60", 1, 86400,                                \
      "Time from the end of the headers to the end of the body.")                                  \
    X(idle_timeout, "idle-timeout", CONFIG_SECONDS, "60", 1, 86400,                                \
      "Time a kept-alive connection may be silent between requests.")                              \
    X(send_timeout, "send-timeout", CONFIG_SECONDS, "60", 1, 86400,                                \
      "Time without progress after which an unread answer is dropped.")                            \
    X(request_timeout, "request-timeout", CONFIG_SECONDS, "30", 1, 86400,                          \
      "Deadline of one query, from when it begins; past it the answer is `too-costly`.")           \
    X(stop_timeout, "stop-timeout", CONFIG_SECONDS, "30", 0, 3600,                                 \
      "Time a graceful stop waits for accepted requests.")                                         \
    X(cors, "cors", CONFIG_LIST, "", 0, 0,                                                         \
      "Origin that browsers may call from (`*` for any); may be repeated.")                        \
    X(integrity, "integrity", CONFIG_SWITCH, "off", 0, 0,                                          \
      "Refuse a write whose literal references to this server name nothing, and a delete of what " \
      "is referred to.")                                                                           \
    X(page, "page", CONFIG_NUMBER, "50", 1, 10000,                                                 \
      "Entries on a page of search or history when the caller does not say.")                      \
    X(page_max, "page-max", CONFIG_NUMBER, "1000", 1, 10000,                                       \
      "Most entries on a page, whatever the caller says.")                                         \
    X(timezone, "timezone", CONFIG_TEXT, "Europe/London", 0, 0,                                    \
      "Zone of dates written without one.")                                                        \
    X(reserve, "reserve", CONFIG_BYTES, "64M", 0, INT64_MAX,                                       \
      "Disk space kept allocated for the access log, so that reads go on when the disk is full.")  \
    X(test_numbers, "test-numbers", CONFIG_SWITCH, "off", 0, 0,                                    \
      "Accept NHS numbers of the 999 test range: demonstrations and tests only.")                  \
    X(validate, "validate", CONFIG_TEXT, "full", 0, 0,                                             \
      "What is asked of every entry: `full` (structure, invariants, codes, profiles) or "          \
      "`structure`.")                                                                              \
    X(require_profile, "require-profile", CONFIG_LIST, "", 0, 0,                                   \
      "A profile that every resource of a type must conform to, as `Patient=URL`; may be "         \
      "repeated.")                                                                                 \
    X(exports, "exports", CONFIG_NUMBER, "8", 1, 10000,                                            \
      "Bulk exports that may be unfinished at once; more get 429.")                                \
    X(export_threads, "export-threads", CONFIG_NUMBER, "2", 1, 64,                                 \
      "Bulk exports worked on at once; the others wait.")                                          \
    X(export_keep, "export-keep", CONFIG_SECONDS, "86400", 1, 31536000,                            \
      "Time that the files of a finished bulk export can be fetched; then they are removed.")      \
    X(export_spare, "export-spare", CONFIG_BYTES, "1G", 0, INT64_MAX,                              \
      "Disk space that bulk exports and the files that `$import` fetches leave free: one that "    \
      "needs more ends with 507.")                                                                 \
    X(export_file, "export-file", CONFIG_BYTES, "128M", 65536, 4294967296,                         \
      "About how long a file of a bulk export gets, before it is packed; then the next begins.")   \
    X(import_url, "import-url", CONFIG_LIST, "", 0, 0,                                             \
      "What URLs begin with that `$import` may fetch files from (`https://host/path/`); may be "   \
      "repeated. None: it fetches nothing.")                                                       \
    X(import_folder, "import-folder", CONFIG_TEXT, "", 0, 0,                                       \
      "Folder below which `$import` may read files (`file:` URLs). None: it reads none.")          \
    X(imports, "imports", CONFIG_NUMBER, "8", 1, 10000,                                            \
      "Imports over HTTP that may be unfinished at once; more get 429. One is worked on at a "     \
      "time.")                                                                                     \
    X(import_threads, "import-threads", CONFIG_NUMBER, "1", 1, 64,                                 \
      "Threads that check what `$import` takes in, apart from those of requests.")                 \
    X(import_keep, "import-keep", CONFIG_SECONDS, "604800", 1, 31536000,                           \
      "Time that the result of a finished import can be fetched; then it is removed.")             \
    X(import_file, "import-file", CONFIG_BYTES, "64G", 1024, INT64_MAX,                            \
      "Longest file that `$import` takes in, as it comes and unpacked.")                           \
    X(import_timeout, "import-timeout", CONFIG_SECONDS, "21600", 1, 31536000,                      \
      "Time that `$import` may take to fetch one file.")                                           \
    X(import_stall, "import-stall", CONFIG_SECONDS, "60", 1, 86400,                                \
      "Time without a byte after which `$import` gives a fetch up; it tries three times.")         \
    X(subscription_endpoint, "subscription-endpoint", CONFIG_LIST, "", 0, 0,                       \
      "What addresses of subscribers begin with that may be called (`https://example.org/in/`); "  \
      "may be repeated. None: no subscriber is called.")                                           \
    X(subscriptions, "subscriptions", CONFIG_NUMBER, "1000", 1, 100000,                            \
      "Subscriptions that may be kept; more are refused.")                                         \
    X(subscription_retry, "subscription-retry", CONFIG_NUMBER, "1000", 1, 3600000,                 \
      "Milliseconds before a failed notification is tried again; doubled each time.")              \
    X(subscription_retry_most, "subscription-retry-most", CONFIG_SECONDS, "300", 1, 86400,         \
      "Longest time between two attempts.")                                                        \
    X(subscription_attempts, "subscription-attempts", CONFIG_NUMBER, "20", 1, 100000,              \
      "Failed attempts in a row after which a Subscription gets status `error`.")                  \
    X(subscription_waiting, "subscription-waiting", CONFIG_NUMBER, "100000", 64, 100000000,        \
      "Events that may wait for one subscriber; with more its Subscription gets status `off`.")    \
    X(subscription_kept, "subscription-kept", CONFIG_NUMBER, "1000", 0, 100000000,                 \
      "Delivered events of a Subscription that `$events` still gives.")                            \
    X(subscription_token, "subscription-token", CONFIG_SECONDS, "60", 1, 3600,                     \
      "Time that a token for a websocket can be used.")                                            \
    X(subscription_lease, "subscription-lease", CONFIG_SECONDS, "10", 1, 3600,                     \
      "Of several processes on one PostgreSQL server one tells all subscribers: time without a "   \
      "sign of it after which another does. The same for all.")                                    \
    X(log_level, "log-level", CONFIG_TEXT, "info", 0, 0, "`debug`, `info`, `warning` or `error`.")

struct config_list {
    const char **items;
    size_t count;
};

struct config {
#define CONFIG_MEMBER_CONFIG_TEXT                                 const char *
#define CONFIG_MEMBER_CONFIG_NUMBER                               int64_t
#define CONFIG_MEMBER_CONFIG_BYTES                                int64_t
#define CONFIG_MEMBER_CONFIG_SECONDS                              int64_t
#define CONFIG_MEMBER_CONFIG_SWITCH                               bool
#define CONFIG_MEMBER_CONFIG_LIST                                 struct config_list
#define CONFIG_ROW(member, name, kind, value, low, high, meaning) CONFIG_MEMBER_##kind member;
    CONFIG_TABLE(CONFIG_ROW)
#undef CONFIG_ROW
};

/* All defaults. */
void config_init(struct config *config);

/* Sets one by its name; values are copied into ARENA. Unknown names (with the nearest known one as
 * a hint), bad values and values out of range are STATUS_VALUE. */
MUST_CHECK enum status config_set(struct config *config, const char *name, const char *value,
                                  struct arena *arena, struct outcome *outcome);

/* Reads a file of `name = value` lines; `#` starts a comment. */
MUST_CHECK enum status config_read_file(struct config *config, const char *path,
                                        struct arena *arena, struct outcome *outcome);

/* Takes every CARELAYER_NAME (upper case, - as _) of the environment. */
MUST_CHECK enum status config_read_environment(struct config *config, struct arena *arena,
                                               struct outcome *outcome);

/* The folder of the compiled terminology releases, as the setting `terminology` says or its
 * default; NULL: neither that nor the data folder is known, or ARENA, where it may lie, is full. */
const char *config_terminology(const struct config *config, struct arena *arena);

/* Is NAME a switch (so that the command line need not give a value)? */
bool config_is_switch(const char *name);

/* The address clients use without a slash at its end; empty: not set. Lives as long as CONFIG. */
struct slice config_base_url(const struct config *config);

/* The manual page, Markdown. */
void config_write_manual(struct buffer *out);

#endif
