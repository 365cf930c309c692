/* SPDX-License-Identifier: MIT */
/* What the server, import and export open: definitions, store, access log, workers. */
#include <unistd.h>

#include "api/api.h"
#include "cli/cli.h"
#include "validate/validate.h"

/* "Patient=http://...": of every resource of the type. */
static enum status require_profiles(const struct config *config, struct validator *validator,
                                    struct outcome *outcome)
{
    for (size_t i = 0; i < config->require_profile.count; i++) {
        struct slice profile = slice_text(config->require_profile.items[i]);
        struct slice type = slice_cut(&profile, '=');
        if (slice_trim(profile).length == 0) {
            return outcome_fail(outcome, STATUS_VALUE, "require-profile",
                                "Give the type and its profile, as Patient=URL.");
        }
        TRY(validator_require(validator, slice_trim(type), slice_trim(profile), outcome));
    }
    return STATUS_OK;
}

static enum status open_validator(const struct config *config, struct service *service,
                                  struct outcome *outcome)
{
    bool full = strcmp(config->validate, "full") == 0;
    if (!full && strcmp(config->validate, "structure") != 0) {
        return outcome_fail(outcome, STATUS_VALUE, "validate", "validate is full or structure.");
    }
    if (!full) {
        return STATUS_OK;
    }
    TRY(validator_open(service->definitions, service->conformance, service->terms,
                       &service->validator));
    return require_profiles(config, service->validator, outcome);
}

static enum status open_parts(const struct cli_arguments *arguments, enum cli_access access,
                              struct cli_service *opened, struct outcome *outcome)
{
    struct service *service = &opened->service;
    const struct config *config = &arguments->config;
    if (!date_zone_set(config->timezone)) {
        return outcome_fail(outcome, STATUS_VALUE, "timezone",
                            "This machine does not know the zone: give an IANA name such as "
                            "Europe/London.");
    }
    arena_budget_set((size_t)config->memory);
    service->config = config;
    service->started = time_now();
    TRY(cli_open_store(arguments, access, &opened->definitions, &service->store));
    service->definitions = opened->definitions;
    TRY(rules_read(service->definitions, config->rules.items, config->rules.count, arguments->arena,
                   outcome, &service->rules));
    TRY(api_conformance_open(service, outcome));
    TRY(open_validator(config, service, outcome));
    struct audit_options log = {.folder = config->data, .reserve_bytes = config->reserve};
    TRY(audit_open(&log, outcome, &service->audit));
    TRY(audit_sequence(service->audit, service->store));
    TRY(quality_start(service->store, &service->quality));
    return workers_start(service->store, (size_t)config->workers, &service->workers);
}

enum status cli_open_service(struct cli_arguments *arguments, enum cli_access access,
                             struct cli_service *ret_service)
{
    struct outcome outcome;
    *ret_service = (struct cli_service){0};
    outcome_init(&outcome, arguments->arena);
    if (arguments->config.workers == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        arguments->config.workers = cores > 0 ? 2 * cores : 2;
    }
    enum status status = open_parts(arguments, access, ret_service, &outcome);
    if (status != STATUS_OK && outcome.errors == 0 && ret_service->service.store != NULL) {
        status = outcome_fail(&outcome, status, "",
                              "The records were opened, but not all that works on them (%s). Check "
                              "memory, disk and rights in the data folder.",
                              status_name(status));
    }
    if (outcome.errors > 0) {
        cli_print_outcome(&outcome, "carelayer");
    }
    return status;
}

void cli_close_service(struct cli_service *opened)
{
    struct service *service = &opened->service;
    workers_stop(service->workers);
    quality_stop(service->quality);
    if (service->audit != NULL) {
        audit_close(service->audit);
    }
    if (service->store != NULL) {
        store_close(service->store);
    }
    validator_close(service->validator);
    api_conformance_close(service);
    if (opened->definitions != NULL) {
        definitions_close(opened->definitions);
    }
    *opened = (struct cli_service){0};
}
