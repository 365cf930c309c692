/* SPDX-License-Identifier: MIT */
/* Counting what is accepted and refused: on a real store, from several threads. */
#include <pthread.h>

#include "quality/quality.h"
#include "store_test.h"

static struct quality *quality;

static int setup(void **state)
{
    return store_setup(state) != 0 || quality_start(store, &quality) != STATUS_OK ? -1 : 0;
}

static int teardown(void **state)
{
    quality_stop(quality);
    quality = NULL;
    return store_teardown(state);
}
#define QUALITY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void restart(void)
{
    quality_stop(quality);
    store_shut();
    store_reopen_with(NULL);
    assert_int_equal(quality_start(store, &quality), STATUS_OK);
}

static void count_entry(const char *type, const char *source, bool refused,
                        const struct issue *issues)
{
    struct quality_entry entry = {.type = type_named(type),
                                  .source = slice_text(source),
                                  .refused = refused,
                                  .issues = issues};
    quality_count(quality, &entry);
}

static void write_row(void *context, const struct store_quality *row)
{
    struct buffer *out = context;
    struct slice type =
        row->type != RESOURCE_TYPE_NONE ? resource_type_name(definitions, row->type) : SLICE("-");
    buffer_print(out, "%s%.*s %.*s %.*s %d %llu", out->length > 0 ? "; " : "",
                 SLICE_ARGS(row->source), SLICE_ARGS(type), SLICE_ARGS(row->rule),
                 (int)row->verdict, (unsigned long long)row->count);
}

/* "SOURCE TYPE RULE verdict count; ..." of today, in the order of the table. */
static const char *counts(void)
{
    struct buffer out = {.arena = arena};
    assert_int_equal(quality_flush(quality), STATUS_OK);
    struct store_tx *tx = begin();
    assert_int_equal(store_quality_day(tx, day_at(time_now()), write_row, &out), STATUS_OK);
    store_snapshot_end(tx);
    return as_text(&out);
}

static size_t rows_where(const char *what)
{
    char sql[300];
    snprintf(sql, sizeof(sql), "SELECT %s FROM quality", what);
    return (size_t)meddle(sql);
}

/* ---- who sent it ---- */

static const char *source_of(const char *text, bool said)
{
    char source[QUALITY_SOURCE_MOST];
    size_t length = 0;
    if (!quality_source_read(slice_text(text), said, source, &length)) {
        assert_int_equal(length, 0);
        return "";
    }
    return arena_copy(arena, slice_of(source, length)).at;
}

static void names_organisations_and_systems_as_sources(void **state)
{
    (void)state;
    static const struct {
        const char *text, *source;
    } cases[] = {
        {"https://fhir.nhs.uk/Id/ods-organization-code/RX1", QUALITY_ODS_SYSTEM "|RX1"},
        {"https://fhir.nhs.uk/Id/ods-organization-code|RX1#m1", QUALITY_ODS_SYSTEM "|RX1"},
        {"https://directory.spineservices.nhs.uk/STU3/Organization/A81001",
         QUALITY_ODS_SYSTEM "|A81001"},
        {"https://Trust.Example:8443/fhir/r4?x=1#message", "https://trust.example:8443"},
        {"HTTP://192.168.10.100/x", "http://192.168.10.100"},
        {"urn:oid:2.16.840.1.113883.2.1.3.2", "urn:oid:2.16.840.1.113883.2.1.3.2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(source_of(cases[i].text, false), cases[i].source);
    }
    assert_string_equal(source_of("RX1", true), QUALITY_ODS_SYSTEM "|RX1");
}

static void takes_nothing_that_may_be_a_person_for_a_source(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "#abc",
        "RX1", /* nobody but an operator says it so: it could be initials */
        "John Smith",
        "mailto:john.smith@example.org",
        "https://john:secret@example.org/",
        "https://john smith/",
        "https://fhir.nhs.uk/Id/ods-organization-code/9434765919",
        "https://fhir.nhs.uk/Id/ods-organization-code/rx1",
        "https://9434765919.example/",
        "https://943-476-5919.example/",
        "urn:oid:2.16.840.1.113883.2.1.4.1.9434765919",
        "urn:uuid:0c2c4f1e-8f0c-4c43-8d5c-6f4c3d2b1a00",
        "https://",
        "ftp://trust.example/",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(source_of(texts[i], false), "");
    }
    assert_string_equal(source_of("9434765919", true), "");
    assert_string_equal(source_of("John Smith", true), "");
    /* The path of an address may name a person: only who answers there is kept. */
    assert_string_equal(source_of("https://a.example/Patient/9434765919", false),
                        "https://a.example");
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "https://", 8);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(source_of(longest, false), "");
}

static void asks_the_resource_first_who_sent_it(void **state)
{
    (void)state;
    struct slice otherwise = SLICE("https://otherwise.example");
    yyjson_val *says = parse("{'resourceType':'Basic','meta':{'source':'https://says.example/x'}}");
    yyjson_val *odd = parse("{'resourceType':'Basic','meta':{'source':'urn:nobody:knows'}}");
    yyjson_val *silent = parse("{'resourceType':'Basic','meta':7}");
    assert_true(slice_is(quality_source_of(says, otherwise, arena), "https://says.example"));
    assert_true(slice_equals(quality_source_of(odd, otherwise, arena), otherwise));
    assert_true(slice_equals(quality_source_of(silent, otherwise, arena), otherwise));
    assert_true(slice_equals(quality_source_of(parse("[1]"), otherwise, arena), otherwise));
}

/* ---- counting ---- */

static void counts_an_entry_once_and_each_of_its_rules_once(void **state)
{
    (void)state;
    struct issue third = {.severity = SEVERITY_WARNING, .code = "value", .rule = SLICE("w")};
    struct issue second = {.severity = SEVERITY_ERROR, .code = "value", .next = &third};
    struct issue again = {
        .severity = SEVERITY_ERROR, .code = "x", .rule = SLICE("dom-2"), .next = &second};
    struct issue first = {
        .severity = SEVERITY_ERROR, .code = "x", .rule = SLICE("dom-2"), .next = &again};
    struct issue note = {.severity = SEVERITY_INFORMATION, .code = "x", .rule = SLICE("n")};
    struct issue plain = {.severity = SEVERITY_WARNING, .code = "x"};
    count_entry("Basic", "s", true, &first);
    count_entry("Basic", "s", false, &third);
    count_entry("Basic", "s", false, &note);
    struct issue unloaded = {
        .severity = SEVERITY_WARNING, .code = "not-found", .rule = SLICE("system-unknown")};
    count_entry("Basic", "s", false, &plain);    /* no finding of the checks */
    count_entry("Basic", "s", false, &unloaded); /* nothing that the sender could mend */
    count_entry("Basic", "", false, NULL);
    assert_string_equal(counts(), " Basic  0 1; s Basic  0 3; s Basic  1 1; s Basic  2 1; "
                                  "s Basic dom-2 2 1; s Basic value 2 1; s Basic w 1 1");
}

static void adds_up_over_flushes_and_restarts(void **state)
{
    (void)state;
    count_entry("Basic", "s", false, NULL);
    assert_string_equal(counts(), "s Basic  0 1");
    assert_string_equal(counts(), "s Basic  0 1"); /* nothing is written twice */
    count_entry("Basic", "s", false, NULL);
    restart();
    count_entry("Basic", "s", false, NULL);
    assert_string_equal(counts(), "s Basic  0 3");
}

static void writes_within_a_second_by_itself(void **state)
{
    (void)state;
    count_entry("Basic", "s", false, NULL);
    for (int i = 0; i < 6000 && rows_where("count(*)") == 0; i++) { /* on a slow machine */
        (void)usleep(10000);
    }
    assert_int_equal(rows_where("sum(count)"), 1);
}

#define THREADS 4
#define ENTRIES 5000

static void *count_many(void *context)
{
    const char *source = context;
    for (int i = 0; i < ENTRIES; i++) {
        char rule[16];
        snprintf(rule, sizeof(rule), "r%d", i % 300);
        struct issue issue = {.severity = SEVERITY_ERROR, .code = "x", .rule = slice_text(rule)};
        struct quality_entry entry = {
            .type = 1, .source = slice_text(source), .refused = true, .issues = &issue};
        quality_count(quality, &entry);
    }
    return NULL;
}

/* 300 rules do not fit a thread's own table: it is emptied in between. */
static void loses_nothing_between_threads_and_flushes(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    static char names[THREADS][8] = {"s0", "s0", "s1", "s2"};
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, names[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(quality_flush(quality), STATUS_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(quality_flush(quality), STATUS_OK);
    assert_int_equal(rows_where("sum(count) FILTER (WHERE rule='')"), THREADS * ENTRIES);
    assert_int_equal(rows_where("sum(count) FILTER (WHERE rule<>'')"), THREADS * ENTRIES);
    assert_int_equal(rows_where("sum(count) FILTER (WHERE rule='' AND source='s0')"), 2 * ENTRIES);
}

/* ---- bounds ---- */

static void nobody_fills_the_table_with_sources_or_rules(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char source[40], rule[16];
        snprintf(source, sizeof(source), "https://s%d.example", i);
        snprintf(rule, sizeof(rule), "r%d", i);
        struct issue issue = {.severity = SEVERITY_ERROR, .code = "x", .rule = slice_text(rule)};
        count_entry("Basic", source, true, &issue);
        if (i == 1500) {
            restart(); /* the names of the day are known again */
        }
    }
    assert_int_equal(quality_flush(quality), STATUS_OK);
    assert_int_equal(rows_where("count(DISTINCT source)"), QUALITY_SOURCES_A_DAY + 1);
    assert_in_range(rows_where("count(DISTINCT rule)"), 2, QUALITY_RULES_A_DAY + 2);
    assert_int_equal(rows_where("sum(count) FILTER (WHERE rule='')"), 3000);
    assert_int_equal(rows_where("sum(count) FILTER (WHERE rule<>'')"), 3000);
    struct outcome outcome;
    outcome_init(&outcome, arena);
    assert_int_equal(store_check(store, NULL, NULL, &outcome), STATUS_OK);
}

static void cuts_identifiers_and_words_that_are_too_long(void **state)
{
    (void)state;
    char longest[2000];
    memset(longest, 'x', sizeof(longest));
    struct issue issue = {.severity = SEVERITY_ERROR,
                          .code = "x",
                          .rule = slice_of(longest, sizeof(longest)),
                          .path = slice_of(longest, sizeof(longest)),
                          .text = slice_of(longest, sizeof(longest))};
    count_entry("Basic", "s", true, &issue);
    assert_string_equal(counts(), "s Basic  2 1; s Basic other 2 1");
}

/* ---- words and sums ---- */

static struct store_quality *sum_by(enum store_quality_by by, const char *source, size_t *ret_count)
{
    struct store_quality *rows = NULL;
    int32_t today = day_at(time_now());
    struct store_quality_query query = {.first = today - 1,
                                        .last = today,
                                        .by = by,
                                        .has_source = source != NULL,
                                        .source = slice_text(source)};
    assert_int_equal(quality_flush(quality), STATUS_OK);
    struct store_tx *tx = begin();
    assert_int_equal(store_quality_sum(tx, &query, arena, &rows, ret_count), STATUS_OK);
    store_snapshot_end(tx);
    return rows;
}

static void keeps_the_words_that_say_how_to_mend(void **state)
{
    (void)state;
    struct issue issue = {.severity = SEVERITY_ERROR,
                          .code = "x",
                          .rule = SLICE("format"),
                          .path = SLICE("Bundle.entry[3].resource.name[0].given[1]"),
                          .text = SLICE("Give a text.")};
    struct issue later = issue;
    later.text = SLICE("Other words.");
    size_t count;
    count_entry("Patient", "a", true, &issue);
    (void)counts();
    count_entry("Patient", "b", true, &later);
    struct store_quality *rows = sum_by(STORE_QUALITY_BY_RULE, NULL, &count);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].count, 2);
    assert_true(slice_is(rows[0].rule, "format"));
    assert_true(slice_is(rows[0].words, "name.given: Give a text."));
}

static void sums_by_each_property_and_for_one_source(void **state)
{
    (void)state;
    size_t count;
    count_entry("Patient", "a", false, NULL);
    count_entry("Basic", "a", true, NULL);
    count_entry("Basic", "", true, NULL);
    assert_int_equal(sum_by(STORE_QUALITY_ALL, NULL, &count)[0].count, 1);
    assert_int_equal(count, 2); /* accepted and refused */
    (void)sum_by(STORE_QUALITY_BY_SOURCE, NULL, &count);
    assert_int_equal(count, 3);
    (void)sum_by(STORE_QUALITY_BY_TYPE, NULL, &count);
    assert_int_equal(count, 2);
    (void)sum_by(STORE_QUALITY_BY_DAY, "a", &count);
    assert_int_equal(count, 2);
    (void)sum_by(STORE_QUALITY_ALL, "", &count); /* unknown is a source too */
    assert_int_equal(count, 1);
    (void)sum_by(STORE_QUALITY_ALL, "nobody", &count);
    assert_int_equal(count, 0);
}

/* ---- keeping ---- */

static enum status add_old(struct store_tx *tx, void *context)
{
    return store_quality_add(tx, context);
}

static void forgets_days_long_gone_with_their_words(void **state)
{
    (void)state;
    struct store_quality old = {.day = day_at(time_now()) - QUALITY_DAYS - 1,
                                .type = 1,
                                .rule = SLICE("old"),
                                .words = SLICE("words"),
                                .verdict = STORE_REFUSED,
                                .count = 1};
    assert_int_equal(store_write(store, add_old, &old), STATUS_OK);
    old.rule = (struct slice){0};
    assert_int_equal(store_write(store, add_old, &old), STATUS_OK);
    count_entry("Basic", "", false, NULL);
    assert_string_equal(counts(), " Basic  0 1");
    assert_int_equal(rows_where("count(*)"), 1);
    assert_int_equal(rows_where("(SELECT count(*) FROM quality_rule) + count(*) * 0"), 0);
}

static void reindex_and_restore_keep_the_counts(void **state)
{
    (void)state;
    char path[300], other[300];
    snprintf(path, sizeof(path), "%s/backup.db", folder);
    snprintf(other, sizeof(other), "%s/restored", folder);
    struct outcome outcome;
    outcome_init(&outcome, arena);
    must_put("{'resourceType':'Basic','id':'b'}");
    count_entry("Basic", "s", false, NULL);
    const char *before = counts();
    assert_int_equal(store_reindex(store, NULL, NULL, &outcome), STATUS_OK);
    assert_string_equal(counts(), before);
    if (on_server()) {
        assert_int_equal(store_backup(store, path, NULL, NULL, &outcome), STATUS_NOT_SUPPORTED);
        return;
    }
    assert_int_equal(store_backup(store, path, NULL, NULL, &outcome), STATUS_OK);
    assert_int_equal(store_restore(path, other, NULL, NULL, &outcome), STATUS_OK);
    char home[256];
    memcpy(home, folder, sizeof(home));
    snprintf(folder, sizeof(folder), "%.200s/restored", home);
    assert_int_equal(rows_where("sum(count)"), 1);
    char file[600];
    static const char *const names[] = {"records.db", "records.db-wal", "records.db-shm",
                                        "records.lock"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
        unlink(file);
    }
    rmdir(folder);
    memcpy(folder, home, sizeof(home));
}

static void check_sees_counts_that_cannot_be(void **state)
{
    (void)state;
    static const char *const faults[] = {
        "UPDATE quality SET count=0 WHERE rule=''",
        "UPDATE quality SET verdict=7 WHERE rule=''",
        "DELETE FROM quality WHERE rule=''",
        "UPDATE quality SET count=9 WHERE rule='dom-2'",
    };
    struct issue issue = {.severity = SEVERITY_ERROR, .code = "x", .rule = SLICE("dom-2")};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct outcome outcome;
        outcome_init(&outcome, arena);
        count_entry("Basic", "s", true, &issue);
        (void)counts();
        assert_int_equal(store_check(store, NULL, NULL, &outcome), STATUS_OK);
        meddle(faults[i]);
        assert_int_equal(store_check(store, NULL, NULL, &outcome), STATUS_CORRUPT);
        meddle("DELETE FROM quality");
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        FHIR_TEST(names_organisations_and_systems_as_sources),
        FHIR_TEST(takes_nothing_that_may_be_a_person_for_a_source),
        FHIR_TEST(asks_the_resource_first_who_sent_it),
        QUALITY_TEST(counts_an_entry_once_and_each_of_its_rules_once),
        QUALITY_TEST(adds_up_over_flushes_and_restarts),
        QUALITY_TEST(writes_within_a_second_by_itself),
        QUALITY_TEST(loses_nothing_between_threads_and_flushes),
        QUALITY_TEST(nobody_fills_the_table_with_sources_or_rules),
        QUALITY_TEST(cuts_identifiers_and_words_that_are_too_long),
        QUALITY_TEST(keeps_the_words_that_say_how_to_mend),
        QUALITY_TEST(sums_by_each_property_and_for_one_source),
        QUALITY_TEST(forgets_days_long_gone_with_their_words),
        QUALITY_TEST(reindex_and_restore_keep_the_counts),
        QUALITY_TEST(check_sees_counts_that_cannot_be),
    };
    cmocka_set_test_filter(count > 1 ? arguments[1] : NULL);
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
