/* SPDX-License-Identifier: MIT */
/* carelayer serve: everything opened in order, closed in the reverse order. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "cli/cli.h"
#include "feed/feed.h"
#include "http/http.h"

static const char *const settings[] = {"data",
                                       "database",
                                       "database-writers",
                                       "host",
                                       "port",
                                       "auth",
                                       "base-url",
                                       "package",
                                       "rules",
                                       "definitions",
                                       "terminology",
                                       "apps",
                                       "tls-certificate",
                                       "tls-key",
                                       "loops",
                                       "workers",
                                       "memory",
                                       "cache",
                                       "max-body",
                                       "max-binary",
                                       "max-headers",
                                       "max-connections",
                                       "header-timeout",
                                       "body-timeout",
                                       "idle-timeout",
                                       "send-timeout",
                                       "request-timeout",
                                       "stop-timeout",
                                       "cors",
                                       "integrity",
                                       "page",
                                       "page-max",
                                       "timezone",
                                       "reserve",
                                       "test-numbers",
                                       "validate",
                                       "require-profile",
                                       "exports",
                                       "export-threads",
                                       "export-keep",
                                       "export-spare",
                                       "export-file",
                                       "import-url",
                                       "import-folder",
                                       "imports",
                                       "import-threads",
                                       "import-keep",
                                       "import-file",
                                       "import-timeout",
                                       "import-stall",
                                       "subscription-endpoint",
                                       "subscriptions",
                                       "subscription-retry",
                                       "subscription-retry-most",
                                       "subscription-attempts",
                                       "subscription-waiting",
                                       "subscription-kept",
                                       "subscription-token",
                                       "log-level",
                                       NULL};

struct server {
    struct cli_arguments *arguments;
    struct config *config;
    struct outcome outcome;
    struct cli_service opened;
    struct http_server *http;
    struct feed_jobs *imports;
    int port;
};

static enum status settle_settings(struct server *server)
{
    struct config *config = server->config;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (config->loops == 0) {
        config->loops = cores > 0 ? cores : 1;
    }
    if (config->apps[0] == '\0') {
        const char *apps = cli_program_path(server->arguments->arena, "apps");
        config->apps = apps != NULL ? apps : "";
    }
    if (strcmp(config->auth, "off") != 0) {
        return outcome_fail(&server->outcome, STATUS_NOT_SUPPORTED, "auth",
                            "Only 'off' is supported: identity and rules do not exist yet.");
    }
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(config->log_level, levels[i]) == 0) {
            log_level_set((enum log_level)i);
            return STATUS_OK;
        }
    }
    return outcome_fail(&server->outcome, STATUS_VALUE, "log-level",
                        "log-level is debug, info, warning or error.");
}

/* Most systems start a program with 1,024 descriptors although it may have many more. */
static void raise_descriptor_limit(const struct config *config)
{
    struct rlimit limit;
    /* A connection may have a body in a file; the store and the log have a few dozen. */
    rlim_t wanted = 2 * (rlim_t)config->max_connections + 256;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* without it fewer connections fit: no harm else */
    }
}

static enum status open_service(struct server *server)
{
    raise_descriptor_limit(server->config);
    TRY(cli_open_service(server->arguments, CLI_MAY_CREATE, &server->opened));
    struct service *service = &server->opened.service;
    service->interactions = api_interactions;
    service->metrics = metrics_create(api_interactions);
    TRY(api_capability_open(service));
    TRY(api_exports_open(service, &server->outcome));
    TRY(api_subscriptions_open(service, &server->outcome));
    TRY(feed_jobs_open(service, &server->outcome, &server->imports));
    return http_start(service, &server->outcome, &server->http, &server->port);
}

static void close_service(struct server *server)
{
    struct metrics *metrics = server->opened.service.metrics;
    if (server->http != NULL) {
        http_stop(server->http);
    }
    feed_jobs_close(server->imports);
    bulk_close(server->opened.service.bulk);
    subscribe_close(server->opened.service.subscribe);
    api_capability_close(&server->opened.service);
    cli_close_service(&server->opened);
    metrics_destroy(metrics);
}

static void announce(const struct server *server)
{
    const char *scheme = server->config->tls_certificate[0] != '\0' ? "https" : "http";
    const char *host = server->config->host;
    bool six = strchr(host, ':') != NULL; /* RFC 3986, 3.2.2 */
    const char *address = arena_print(server->arguments->arena, "%s://%s%s%s:%d", scheme,
                                      six ? "[" : "", host, six ? "]" : "", server->port);
    (void)printf("carelayer serves %s/fhir\n", address);
    if (server->config->apps[0] != '\0') {
        (void)printf("open %s/apps/record/\n", address);
    }
    (void)fflush(stdout);
    clearerr(stdout); /* whether somebody reads it or not, it serves */
}

static void wait_for_signal(const sigset_t *signals)
{
    int signal_number;
    while (sigwait(signals, &signal_number) != 0) {
    }
}

int cli_serve(int argc, char **argv)
{
    struct cli_arguments arguments;
    int code = cli_read(argc, argv,
                        "usage: carelayer serve --data DIR [OPTIONS]\n\nServes the FHIR API at "
                        "/fhir and the web apps at /apps until SIGTERM or SIGINT.",
                        settings, NULL, &arguments);
    if (code >= 0) {
        return code;
    }
    if (arguments.file_count > 0) {
        (void)fputs("carelayer serve: takes options only; see --help\n", stderr);
        return CLI_USAGE;
    }
    if (!cli_has_data(&arguments)) {
        return CLI_USAGE;
    }
    /* Before any thread starts, so that all of them leave the signals to us. */
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);

    struct server server = {.arguments = &arguments, .config = &arguments.config};
    outcome_init(&server.outcome, arguments.arena);
    enum status status = settle_settings(&server);
    if (status == STATUS_OK) {
        status = open_service(&server);
    }
    if (status == STATUS_OK) {
        announce(&server);
        wait_for_signal(&signals);
    } else if (server.outcome.errors > 0) {
        cli_print_outcome(&server.outcome, "carelayer serve");
    }
    close_service(&server);
    return cli_exit_code(status);
}
