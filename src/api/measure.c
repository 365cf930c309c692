/* SPDX-License-Identifier: MIT */
/* Measure/data-quality: what the reports on data quality count, as a resource. It is generated, so
 * it can be read and not written. */
#include "api/measure_int.h"

#define STANDARD "http://terminology.hl7.org/CodeSystem/measure-population"

const struct measure_population measure_populations[] = {
    {STANDARD, "initial-population", MEASURE_EVERY,
     "Every entry: a resource that was sent to be stored, alone, in a batch or transaction, as the "
     "result of a patch, or in an import. Entries are counted, not people.",
     "true"},
    {STANDARD, "denominator", MEASURE_EVERY, "Every entry.", "true"},
    {STANDARD, "numerator", MEASURE_KEPT, "Entries that were accepted, with or without warnings.",
     "issue.where(severity = 'fatal' or severity = 'error').empty()"},
    {MEASURE_SYSTEM, "accepted", MEASURE_HAS(STORE_ACCEPTED),
     "Entries that were accepted without a warning.",
     "issue.where(severity != 'information').empty()"},
    {MEASURE_SYSTEM, "accepted-with-warnings", MEASURE_HAS(STORE_WARNED),
     "Entries that were accepted, with something to mend all the same.",
     "issue.where(severity = 'fatal' or severity = 'error').empty() and "
     "issue.where(severity = 'warning').exists()"},
    {MEASURE_SYSTEM, "refused", MEASURE_HAS(STORE_REFUSED),
     "Entries that were refused because they broke a rule. What failed for another reason (a "
     "version conflict, another entry of its transaction) is in no population.",
     "issue.where(severity = 'fatal' or severity = 'error').exists()"},
    {0},
};

const struct measure_stratifier measure_stratifiers[] = {
    {"source", STORE_QUALITY_BY_SOURCE, false,
     "Who sent it: what meta.source says, else what the import was told, else unknown."},
    {"resource-type", STORE_QUALITY_BY_TYPE, false, "The type of the resource."},
    {"rule", STORE_QUALITY_BY_RULE, false,
     "The rule that was broken, with words on how to mend it. An entry that broke several is in "
     "each of them."},
    {"day", STORE_QUALITY_BY_DAY, false, "The day on which it came, in the server's time zone."},
    {"rule-and-resource-type", STORE_QUALITY_BY_RULE, true,
     "The rule that was broken, for each type of resource."},
    {0},
};

bool measure_is_ours(const struct request *request)
{
    return slice_is(request->id, MEASURE_ID);
}

static void write_concept(const char *system, const char *code, struct buffer *out)
{
    buffer_print(out, "{\"coding\":[{\"system\":\"%s\",\"code\":\"%s\"}]}", system, code);
}

static void write_population(const struct measure_population *population, struct buffer *out)
{
    buffer_add_text(out, "{\"code\":");
    write_concept(population->system, population->code, out);
    buffer_add_text(out, ",\"description\":");
    buffer_add_json_string(out, slice_text(population->description));
    buffer_add_text(out, ",\"criteria\":{\"description\":\"On the OperationOutcome of the entry's "
                         "checks.\",\"language\":\"text/fhirpath\",\"expression\":");
    buffer_add_json_string(out, slice_text(population->criteria));
    buffer_add_text(out, "}}");
}

static void write_component(const char *code, const char *expression, struct buffer *out)
{
    buffer_add_text(out, "{\"code\":");
    write_concept(MEASURE_SYSTEM, code, out);
    buffer_print(out, ",\"criteria\":{\"language\":\"text/fhirpath\",\"expression\":\"%s\"}}",
                 expression);
}

static void write_stratifier(const struct measure_stratifier *stratifier, struct buffer *out)
{
    buffer_add_byte(out, '{');
    if (stratifier->with_type) { /* mea-1: components and no description, or none of them */
        buffer_add_text(out, "\"component\":[");
        write_component("rule", "issue.details.coding.where(system = 'urn:carelayer:rule').code",
                        out);
        buffer_add_byte(out, ',');
        write_component("resource-type", "%resource.type().name", out);
        buffer_add_text(out, "]}");
        return;
    }
    buffer_add_text(out, "\"code\":");
    write_concept(MEASURE_SYSTEM, stratifier->code, out);
    buffer_add_text(out, ",\"description\":");
    buffer_add_json_string(out, slice_text(stratifier->description));
    buffer_add_byte(out, '}');
}

static void write_measure(const struct request *request, struct buffer *out)
{
    buffer_add_text(out,
                    "{\"resourceType\":\"Measure\",\"id\":\"" MEASURE_ID "\",\"meta\":{},\"url\":");
    struct buffer url = {.arena = request->arena};
    buffer_add(&url, request->base_url);
    buffer_add_text(&url, "/Measure/" MEASURE_ID);
    buffer_add_json_string(out, buffer_slice(&url));
    buffer_add_text(
        out, ",\"version\":\"" CARELAYER_VERSION "\",\"name\":\"DataQuality\",\"title\":\"Data "
             "quality at entry\",\"status\":\"active\",\"subjectCodeableConcept\":{\"text\":"
             "\"An entry: a resource that was sent to be stored\"},\"description\":\"How many "
             "entries were accepted, accepted with warnings and refused, by who sent them, "
             "resource type, rule and day; so that a sender sees what is wrong and mends the "
             "source.\",\"scoring\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/measure-scoring\",\"code\":\"proportion\"}]},\"improvementNotation\":{"
             "\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "measure-improvement-notation\",\"code\":\"increase\"}]},\"group\":[{\"population\":["
             "");
    for (const struct measure_population *row = measure_populations; row->code != NULL; row++) {
        buffer_add_text(out, row == measure_populations ? "" : ",");
        write_population(row, out);
    }
    buffer_add_text(out, "],\"stratifier\":[");
    for (const struct measure_stratifier *row = measure_stratifiers; row->code != NULL; row++) {
        buffer_add_text(out, row == measure_stratifiers ? "" : ",");
        write_stratifier(row, out);
    }
    buffer_add_text(out, "]}]}");
}

enum status api_measure_read_perform(struct request *request)
{
    static const char until_meta[] =
        "{\"resourceType\":\"Measure\",\"id\":\"" MEASURE_ID "\",\"meta\":{";
    struct buffer body = {.arena = request->arena};
    if (!measure_is_ours(request)) {
        return api_read_perform(request);
    }
    write_measure(request, &body);
    if (!buffer_ok(&body)) {
        return STATUS_TOO_COSTLY;
    }
    struct store_version version = {.type = request->type,
                                    .id = request->id,
                                    .version = 1,
                                    .updated = request->service->started,
                                    .body = buffer_slice(&body),
                                    .splice = sizeof until_meta - 1};
    return api_respond_version(request, &version);
}

static enum status refuse_ours(struct request *request)
{
    return measure_is_ours(request)
               ? request_fail(request, STATUS_FORBIDDEN, "",
                              "This Measure is the server's own and cannot be changed: use "
                              "another id.")
               : STATUS_OK;
}

enum status api_measure_update_perform(struct request *request)
{
    TRY(refuse_ours(request));
    return api_update_perform(request);
}

enum status api_measure_patch_perform(struct request *request)
{
    TRY(refuse_ours(request));
    return api_patch_perform(request);
}
