/* SPDX-License-Identifier: MIT */
/* Measure/data-quality/$evaluate-measure (R4, operation Measure-evaluate-measure): the counts of a
 * period as a MeasureReport of type summary. */
#include "api/measure_int.h"

/* Strata of one stratifier; those with the fewest entries are put together past this. */
#define STRATA_MOST 1000

struct evaluation {
    struct request *request;
    struct store_tx *tx;
    struct store_quality_query query;
    struct buffer *out;
};

struct stratum {
    struct store_quality key;
    uint64_t counts[STORE_REFUSED + 1];
    uint64_t worded; /* entries of the type whose words these are */
};

/* ---- parameters ---------------------------------------------------------------------------------
 */

static enum status take_date(struct evaluation *evaluation, struct slice value, bool last)
{
    struct partial_date date;
    int64_t low, high;
    if (!date_parse(value, DATE_FORM_DATE, &date)) {
        return request_fail(evaluation->request, STATUS_VALUE, last ? "periodEnd" : "periodStart",
                            "Give a date: 2026-11-21, 2026-11 or 2026.");
    }
    date_range(&date, &low, &high);
    if (last) {
        evaluation->query.last = day_at(high - 1);
    } else {
        evaluation->query.first = day_at(low);
    }
    return STATUS_OK;
}

/* The name of a source as a report gives it: a URI, an ODS code with or without its system, or
 * "unknown" and "other". */
static enum status take_reporter(struct evaluation *evaluation, struct slice value)
{
    struct request *request = evaluation->request;
    char source[QUALITY_SOURCE_MOST];
    size_t length = 0;
    evaluation->query.has_source = true;
    if (slice_is(value, QUALITY_OTHER)) {
        evaluation->query.source = SLICE(QUALITY_OTHER);
        return STATUS_OK;
    }
    if (!slice_is(value, "unknown") && !quality_source_read(value, true, source, &length)) {
        return request_fail(request, STATUS_VALUE, "reporter",
                            "Give a source as the report names it: an ODS code, an http(s) URL, a "
                            "urn:oid, 'unknown' or 'other'.");
    }
    evaluation->query.source = arena_copy(request->arena, slice_of(source, length));
    return evaluation->query.source.at != NULL ? STATUS_OK : STATUS_TOO_COSTLY;
}

static enum status take_report_type(struct evaluation *evaluation, struct slice value)
{
    /* R4 names the kinds of the operation one way and those of the report another. */
    if (slice_is(value, "population") || slice_is(value, "summary")) {
        return STATUS_OK;
    }
    return request_fail(evaluation->request, STATUS_NOT_SUPPORTED, "reportType",
                        "Only summaries are made: entries are counted, no subjects listed. Leave "
                        "it out or say population.");
}

/* The period is said in days, both included; the Measure has no subject. */
static const struct operation_parameter table[] = {
    {"periodStart", "date", .min = 1, .max = 1},
    {"periodEnd", "date", .min = 1, .max = 1},
    {"reporter", "string", .max = 1},
    {"reportType", "code", .max = 1},
    {0},
};

static enum status take_parameter(struct evaluation *evaluation,
                                  const struct terms_parameter *parameter)
{
    struct slice name = parameter->name;
    if (slice_is(name, "reporter")) {
        return take_reporter(evaluation, parameter->text);
    }
    return slice_is(name, "reportType")
               ? take_report_type(evaluation, parameter->text)
               : take_date(evaluation, parameter->text, slice_is(name, "periodEnd"));
}

static enum status take_parameters(struct evaluation *evaluation)
{
    struct request *request = evaluation->request;
    struct terms_parameter *parameters;
    size_t count;
    yyjson_val *body = request->method == METHOD_POST ? request->json.root : NULL;
    TRY(operation_parameters(request, table, body, NULL, &parameters, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(take_parameter(evaluation, &parameters[i]));
    }
    int32_t days = evaluation->query.last - evaluation->query.first;
    if (days < 0 || days >= QUALITY_DAYS) {
        return request_fail(request, STATUS_VALUE, "periodEnd",
                            "The period must end on or after its start, and within %d days.",
                            QUALITY_DAYS);
    }
    return STATUS_OK;
}

/* ---- strata -------------------------------------------------------------------------------------
 */

static uint64_t total(const struct stratum *stratum)
{
    return stratum->counts[STORE_ACCEPTED] + stratum->counts[STORE_WARNED] +
           stratum->counts[STORE_REFUSED];
}

static bool same(const struct measure_stratifier *by, const struct store_quality *a,
                 const struct store_quality *b)
{
    switch (by->by) {
    case STORE_QUALITY_BY_SOURCE:
        return slice_equals(a->source, b->source);
    case STORE_QUALITY_BY_TYPE:
        return a->type == b->type;
    case STORE_QUALITY_BY_RULE:
        return slice_equals(a->rule, b->rule) && (!by->with_type || a->type == b->type);
    case STORE_QUALITY_BY_DAY:
        return a->day == b->day;
    case STORE_QUALITY_ALL:
        break;
    }
    return true;
}

/* Rows of one stratum stand together. Its words are those of the type that has the most of it. */
static size_t gather(const struct measure_stratifier *by, const struct store_quality *rows,
                     size_t count, struct stratum *strata)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (used == 0 || !same(by, &strata[used - 1].key, &rows[i])) {
            strata[used++] = (struct stratum){.key = rows[i]};
        }
        struct stratum *stratum = &strata[used - 1];
        stratum->counts[rows[i].verdict] += rows[i].count;
        if (rows[i].words.length > 0 && rows[i].count > stratum->worded) {
            stratum->worded = rows[i].count;
            stratum->key.words = rows[i].words;
        }
    }
    return used;
}

static int by_total(const void *a, const void *b)
{
    const struct stratum *one = a, *other = b;
    uint64_t first = total(one), second = total(other);
    return first != second ? (first < second ? 1 : -1)
                           : slice_compare(one->key.rule, other->key.rule);
}

static size_t order(const struct measure_stratifier *by, struct stratum *strata, size_t count)
{
    if (by->by == STORE_QUALITY_BY_DAY || count == 0) {
        return count;
    }
    qsort(strata, count, sizeof *strata, by_total);
    if (count <= STRATA_MOST) {
        return count;
    }
    struct stratum *rest = &strata[STRATA_MOST - 1];
    for (size_t i = STRATA_MOST; i < count; i++) {
        for (size_t verdict = 0; verdict <= STORE_REFUSED; verdict++) {
            rest->counts[verdict] += strata[i].counts[verdict];
        }
    }
    rest->key =
        (struct store_quality){.source = SLICE(QUALITY_OTHER), .rule = SLICE(QUALITY_OTHER)};
    return STRATA_MOST;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void write_coding(struct buffer *out, struct slice system, struct slice code)
{
    buffer_add_text(out, "{\"coding\":[{\"system\":");
    buffer_add_json_string(out, system);
    buffer_add_text(out, ",\"code\":");
    buffer_add_json_string(out, code);
    buffer_add_text(out, "}]");
}

static void write_concept(struct buffer *out, struct slice system, struct slice code,
                          struct slice text)
{
    write_coding(out, system, code);
    if (text.length > 0) {
        buffer_add_text(out, ",\"text\":");
        buffer_add_json_string(out, text);
    }
    buffer_add_byte(out, '}');
}

/* The parts of a source's name: an ODS code has its own system, other names are URIs. */
static struct slice split_source(struct slice source, struct slice *ret_system)
{
    size_t bar = slice_index(source, '|');
    if (source.length == 0 || slice_is(source, QUALITY_OTHER)) {
        *ret_system = SLICE(MEASURE_SYSTEM);
        return source.length == 0 ? SLICE("unknown") : source;
    }
    *ret_system = bar < source.length ? slice_head(source, bar) : SLICE("urn:ietf:rfc:3986");
    return bar < source.length ? slice_from(source, bar + 1) : source;
}

static void write_type(const struct evaluation *evaluation, resource_type type)
{
    if (type == RESOURCE_TYPE_NONE) {
        write_concept(evaluation->out, SLICE(MEASURE_SYSTEM), SLICE("unknown"),
                      SLICE("A resource whose type could not be told"));
        return;
    }
    struct slice name = resource_type_name(evaluation->request->service->definitions, type);
    write_concept(evaluation->out, SLICE("http://hl7.org/fhir/resource-types"), name, name);
}

static void write_key(const struct evaluation *evaluation, const struct measure_stratifier *by,
                      const struct store_quality *key)
{
    struct slice system, code;
    char day[DAY_LENGTH + 1];
    switch (by->by) {
    case STORE_QUALITY_BY_SOURCE:
        code = split_source(key->source, &system);
        write_concept(evaluation->out, system, code, code);
        break;
    case STORE_QUALITY_BY_TYPE:
        write_type(evaluation, key->type);
        break;
    case STORE_QUALITY_BY_RULE:
        write_concept(evaluation->out, SLICE("urn:carelayer:rule"), key->rule, key->words);
        break;
    case STORE_QUALITY_BY_DAY:
        day_write(key->day, day);
        write_concept(evaluation->out, SLICE(MEASURE_SYSTEM), slice_text(day), slice_text(day));
        break;
    case STORE_QUALITY_ALL:
        break;
    }
}

static void write_stratum_key(const struct evaluation *evaluation,
                              const struct measure_stratifier *by, const struct stratum *stratum)
{
    struct buffer *out = evaluation->out;
    if (!by->with_type) {
        buffer_add_text(out, "\"value\":");
        write_key(evaluation, by, &stratum->key);
        return;
    }
    buffer_add_text(out, "\"component\":[{\"code\":{\"coding\":[{\"system\":\"" MEASURE_SYSTEM
                         "\",\"code\":\"rule\"}]},\"value\":");
    write_key(evaluation, by, &stratum->key);
    buffer_add_text(out, "},{\"code\":{\"coding\":[{\"system\":\"" MEASURE_SYSTEM
                         "\",\"code\":\"resource-type\"}]},\"value\":");
    write_type(evaluation, stratum->key.type);
    buffer_add_text(out, "}]");
}

/* The score is the share that was accepted, cut after four digits so that 1 means all. */
static void write_score(struct buffer *out, const struct stratum *counts)
{
    uint64_t all = total(counts);
    uint64_t kept = counts->counts[STORE_ACCEPTED] + counts->counts[STORE_WARNED];
    if (all > 0) {
        uint64_t parts = (uint64_t)((__uint128_t)kept * 10000 / all);
        buffer_print(out, ",\"measureScore\":{\"value\":%u.%04u}", (unsigned)(parts / 10000),
                     (unsigned)(parts % 10000));
    }
}

static void write_counts(struct buffer *out, const struct stratum *counts)
{
    buffer_add_text(out, "\"population\":[");
    for (const struct measure_population *row = measure_populations; row->code != NULL; row++) {
        uint64_t count = 0;
        for (unsigned verdict = 0; verdict <= STORE_REFUSED; verdict++) {
            count += (row->verdicts & MEASURE_HAS(verdict)) != 0 ? counts->counts[verdict] : 0;
        }
        buffer_add_text(out, row == measure_populations ? "{\"code\":" : ",{\"code\":");
        write_concept(out, slice_text(row->system), slice_text(row->code), (struct slice){0});
        /* An integer of FHIR ends there. */
        buffer_print(out, ",\"count\":%u}", count < INT32_MAX ? (unsigned)count : INT32_MAX);
    }
    buffer_add_byte(out, ']');
}

static enum status sum(struct evaluation *evaluation, enum store_quality_by by,
                       struct store_quality **ret_rows, size_t *ret_count)
{
    evaluation->query.by = by;
    return store_quality_sum(evaluation->tx, &evaluation->query, evaluation->request->arena,
                             ret_rows, ret_count);
}

static enum status write_stratifier(struct evaluation *evaluation,
                                    const struct measure_stratifier *by)
{
    struct buffer *out = evaluation->out;
    struct store_quality *rows;
    size_t count;
    TRY(sum(evaluation, by->by, &rows, &count));
    struct stratum *strata =
        arena_array(evaluation->request->arena, count + 1, sizeof(struct stratum));
    if (strata == NULL) {
        return STATUS_TOO_COSTLY;
    }
    count = order(by, strata, gather(by, rows, count, strata));
    buffer_print(out, "%s{\"code\":[", by == measure_stratifiers ? "" : ",");
    write_concept(out, SLICE(MEASURE_SYSTEM), slice_text(by->code), (struct slice){0});
    buffer_add_byte(out, ']');
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, i == 0 ? ",\"stratum\":[{" : ",{");
        write_stratum_key(evaluation, by, &strata[i]);
        buffer_add_byte(out, ',');
        write_counts(out, &strata[i]);
        if (by->by != STORE_QUALITY_BY_RULE) { /* entries that broke none are in no rule */
            write_score(out, &strata[i]);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, count > 0 ? "]}" : "}");
    return STATUS_OK;
}

static void write_reporter(const struct evaluation *evaluation)
{
    struct buffer *out = evaluation->out;
    struct slice system;
    if (!evaluation->query.has_source) {
        return;
    }
    struct slice code = split_source(evaluation->query.source, &system);
    buffer_add_text(out, ",\"reporter\":{\"identifier\":{\"system\":");
    buffer_add_json_string(out, system);
    buffer_add_text(out, ",\"value\":");
    buffer_add_json_string(out, code);
    buffer_add_text(out, "},\"display\":");
    buffer_add_json_string(out, code);
    buffer_add_byte(out, '}');
}

static void write_head(const struct evaluation *evaluation)
{
    struct request *request = evaluation->request;
    char now[INSTANT_LENGTH + 1], first[DAY_LENGTH + 1], last[DAY_LENGTH + 1];
    struct buffer url = {.arena = request->arena};
    instant_write(time_now(), now);
    day_write(evaluation->query.first, first);
    day_write(evaluation->query.last, last);
    buffer_add(&url, request->base_url);
    buffer_add_text(&url, "/Measure/" MEASURE_ID "|" CARELAYER_VERSION);
    buffer_add_text(evaluation->out, "{\"resourceType\":\"MeasureReport\",\"status\":\"complete\","
                                     "\"type\":\"summary\",\"measure\":");
    buffer_add_json_string(evaluation->out, buffer_slice(&url));
    buffer_print(evaluation->out, ",\"date\":\"%s\"", now);
    write_reporter(evaluation);
    buffer_print(evaluation->out,
                 ",\"period\":{\"start\":\"%s\",\"end\":\"%s\"},\"improvementNotation\":{"
                 "\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
                 "measure-improvement-notation\",\"code\":\"increase\"}]},\"group\":[{",
                 first, last);
}

static enum status write_report(struct evaluation *evaluation)
{
    struct store_quality *rows;
    struct stratum all = {0};
    size_t count;
    write_head(evaluation);
    TRY(sum(evaluation, STORE_QUALITY_ALL, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        all.counts[rows[i].verdict] += rows[i].count;
    }
    write_counts(evaluation->out, &all);
    write_score(evaluation->out, &all);
    buffer_add_text(evaluation->out, ",\"stratifier\":[");
    for (const struct measure_stratifier *row = measure_stratifiers; row->code != NULL; row++) {
        TRY(write_stratifier(evaluation, row));
    }
    buffer_add_text(evaluation->out, "]}]}");
    return buffer_ok(evaluation->out) ? STATUS_OK : STATUS_TOO_COSTLY;
}

enum status api_evaluate_measure_perform(struct request *request)
{
    struct evaluation evaluation = {.request = request, .out = &request->response.body};
    if (!measure_is_ours(request)) {
        return request_fail(request, STATUS_NOT_SUPPORTED, "",
                            "Only Measure/" MEASURE_ID " can be evaluated: the server counts it "
                            "as it goes.");
    }
    TRY(take_parameters(&evaluation));
    arena_raise(request->arena, 2 * API_PAGE_BYTES);
    TRY(request_snapshot(request, &evaluation.tx));
    return write_report(&evaluation);
}
