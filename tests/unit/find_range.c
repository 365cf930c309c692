/* SPDX-License-Identifier: MIT */
/* Tests on dates, numbers and texts as lists of places: the same matches whether a range is read to
 * its end, candidates are looked at meanwhile, or two clauses are read as one. */
#include "clause_test.h"

#include <sqlite3.h>

#define MANY 6000 /* more than are read before candidates are looked at */

struct many {
    struct store_draft **drafts;
    size_t count;
};

static enum status many_run(struct store_tx *tx, void *context)
{
    struct many *many = context;
    struct store_condition condition = {0};
    struct store_written written;
    for (size_t i = 0; i < many->count; i++) {
        TRY(store_put(tx, many->drafts[i], STORE_UPDATED, &condition, arena, NULL, &written));
    }
    return STATUS_OK;
}

static int day_of(int i)
{
    return i * 37 % 360;
}

static int value_of(int i)
{
    return i * 7919 % 1000;
}

/* On a day of 2021 or for a while from it on, with a code that one in forty has, and a value. */
static const char *observation(int i)
{
    int month = day_of(i) / 30 + 1, day = day_of(i) % 30 % 28 + 1;
    const char *when =
        i % 5 == 0
            ? arena_print(arena, "'effectivePeriod':{'start':'2021-%02d-%02d','end':'2022-01-31'}",
                          month, day)
            : arena_print(arena, "'effectiveDateTime':'2021-%02d-%02dT09:%02d:00Z'", month, day,
                          i % 60);
    return arena_print(arena,
                       "{'resourceType':'Observation','id':'%d','code':{'coding':[{'code':'%s'}]},"
                       "%s,'valueQuantity':{'value':%d.0,'unit':'mg'}}",
                       i, i % 40 == 3 ? "rare" : "usual", when, value_of(i));
}

#define BATCH 200

static void put_many(void)
{
    for (int first = 0; first < MANY; first += BATCH) {
        struct arena_mark mark = arena_mark(arena);
        struct many many = {arena_array(arena, BATCH, sizeof(struct store_draft *)), BATCH};
        for (int i = 0; i < BATCH; i++) {
            many.drafts[i] = draft_of(observation(first + i));
        }
        assert_int_equal(store_write(store, many_run, &many), STATUS_OK);
        arena_rewind(arena, mark);
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

struct asked {
    const char *code;
    struct store_value value;
};

/* How many there are, counted, and how many come by pages of COUNT. */
static uint64_t counted(const char *type, const struct asked *asked, size_t asked_count,
                        const struct store_sort *sort, size_t count)
{
    struct store_clause clauses[4];
    for (size_t i = 0; i < asked_count; i++) {
        clauses[i] = (struct store_clause){.parameter = parameter_named(type, asked[i].code),
                                           .modifier = STORE_PLAIN,
                                           .values = &asked[i].value,
                                           .value_count = 1};
    }
    struct store_query query = {.type = type_named(type),
                                .clauses = clauses,
                                .clause_count = asked_count,
                                .sorts = sort,
                                .sort_count = sort != NULL,
                                .count = count};
    uint64_t come = 0, total = 0;
    do {
        struct store_tx *tx = begin();
        query.total = come == 0 && total == 0;
        assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
        store_snapshot_end(tx);
        total = query.total ? page.total : total;
        come += page.count;
        query.cursor = page.next;
    } while (page.more);
    assert_int_equal(come, total);
    return total;
}

static uint64_t by_hand(bool (*match)(int i))
{
    uint64_t count = 0;
    for (int i = 0; i < MANY; i++) {
        count += match(i);
    }
    return count;
}

static int date_number(int i)
{
    return (day_of(i) / 30 + 1) * 100 + day_of(i) % 30 % 28 + 1;
}

static bool in_march(int i)
{
    return i % 5 != 0 && date_number(i) >= 301 && date_number(i) < 401;
}

static bool begins_before_april(int i)
{
    return (i % 5 == 0 || date_number(i) >= 301) && date_number(i) < 401;
}

static bool rare_in_march(int i)
{
    return i % 40 == 3 && begins_before_april(i);
}

static bool above(int i)
{
    return value_of(i) > 500;
}

static bool between(int i)
{
    return value_of(i) > 500 && value_of(i) <= 510;
}

static bool rare_above(int i)
{
    return i % 40 == 3 && above(i);
}

static struct asked date(const char *text)
{
    return (struct asked){"date", date_of(text)};
}

static struct asked quantity(const char *text)
{
    return (struct asked){"value-quantity", quantity_of(text)};
}

static struct asked code(const char *text)
{
    return (struct asked){"code", token_of(text)};
}

static void what_a_range_lets_through_is_found_however_long_it_is(void **state)
{
    (void)state;
    put_many();
    struct asked march[] = {date("2021-03")};
    assert_int_equal(counted("Observation", march, 1, NULL, 50), by_hand(in_march));
    struct asked range[] = {date("ge2021-03-01"), date("lt2021-04-01")};
    assert_int_equal(counted("Observation", range, 2, NULL, 50), by_hand(begins_before_april));
    struct asked all[] = {date("ge2021")};
    assert_int_equal(counted("Observation", all, 1, NULL, 1000), MANY);
    struct asked both[] = {date("ge2021-03-01"), code("rare"), date("lt2021-04-01")};
    assert_int_equal(counted("Observation", both, 3, NULL, 7), by_hand(rare_in_march));
    struct asked more[] = {quantity("gt500")};
    assert_int_equal(counted("Observation", more, 1, NULL, 500), by_hand(above));
    struct asked window[] = {quantity("gt500"), quantity("le510")};
    assert_int_equal(counted("Observation", window, 2, NULL, 20), by_hand(between));
    struct asked rare[] = {quantity("gt500"), code("rare")};
    assert_int_equal(counted("Observation", rare, 2, NULL, 20), by_hand(rare_above));
    struct asked none[] = {quantity("gt500"), quantity("lt400"), code("rare")};
    assert_int_equal(counted("Observation", none, 3, NULL, 20), 0);
}

static void sorted_pages_are_the_same_by_walking_and_by_ranking(void **state)
{
    (void)state;
    put_many();
    for (int down = 0; down < 2; down++) {
        struct store_sort sort = {.parameter = parameter_named("Observation", "date"),
                                  .descending = down == 1};
        struct asked usual[] = {code("usual")}, rare[] = {code("rare"), quantity("gt500")};
        assert_int_equal(counted("Observation", usual, 1, &sort, 900), MANY - MANY / 40);
        assert_int_equal(counted("Observation", rare, 2, &sort, 9), by_hand(rare_above));
        struct asked march[] = {date("2021-03")};
        assert_int_equal(counted("Observation", march, 1, &sort, 300), by_hand(in_march));
    }
}

/* ---- several values ------------------------------------------------------------------------- */

static void clauses_about_several_values_of_a_resource_are_not_read_as_one(void **state)
{
    (void)state;
    must_put("{'resourceType':'CarePlan','id':'two','activity':["
             "{'detail':{'scheduledPeriod':{'start':'2020-01-01','end':'2020-01-02'}}},"
             "{'detail':{'scheduledPeriod':{'start':'2022-01-01','end':'2022-01-02'}}}]}");
    must_put("{'resourceType':'CarePlan','id':'one','activity':["
             "{'detail':{'scheduledPeriod':{'start':'2022-01-01','end':'2022-01-02'}}}]}");
    struct asked apart[] = {{"activity-date", date_of("ge2021-06-01")},
                            {"activity-date", date_of("lt2020-06-01")}};
    assert_int_equal(counted("CarePlan", apart, 2, NULL, 10), 1);
    must_put("{'resourceType':'Observation','id':'x','effectiveDateTime':'2022-01-01'}");
    struct asked same[] = {date("ge2021-06-01"), date("lt2020-06-01")};
    assert_int_equal(counted("Observation", same, 2, NULL, 10), 0);
}

static void only_what_equals_an_end_of_a_range_is_looked_up_again(void **state)
{
    (void)state;
    static const char *const values[] = {"5", "5.0", "5.00", "5.01", "4.99", "5.000001"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Observation','id':'%zu',"
                             "'valueQuantity':{'value':%s,'unit':'mg'}}",
                             i, values[i]));
    }
    static const struct expectation rows[] = {
        {"gt5", "3 5"}, {"ge5.0", "0 1 2 3 5"}, {"lt5.0", "4"}, {"le5", "0 1 2 4"}};
    EXPECT("Observation", "value-quantity", STORE_PLAIN, quantity_of, rows);
}

static void numbers_past_all_others_are_found(void **state)
{
    (void)state;
    static const char *const values[] = {"1e399", "1.75e308", "-1e399"};
    put_many();
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Observation','id':'past%zu',"
                             "'valueQuantity':{'value':%s,'unit':'mg'}}",
                             i, values[i]));
    }
    struct asked above[] = {quantity("gt1e300")}, below[] = {quantity("lt-1e300")};
    assert_int_equal(counted("Observation", above, 1, NULL, 10), 2);
    assert_int_equal(counted("Observation", below, 1, NULL, 10), 1);
}

/* ---- dates of all widths -------------------------------------------------------------------- */

static void put_widths(void)
{
    static const char *const when[] = {
        "'effectiveDateTime':'2021-03-15T10:00:00Z'",
        "'effectiveDateTime':'2021-03-15'",
        "'effectiveDateTime':'2021-03'",
        "'effectiveDateTime':'2021'",
        "'effectivePeriod':{'start':'2019-01-01','end':'2021-03-10'}",
        "'effectivePeriod':{'start':'2021-02-20'}",
        "'effectivePeriod':{'end':'2021-03-20'}",
        "'effectiveDateTime':'2021-10-31'", /* it has 25 hours in London */
    };
    for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
        must_put(arena_print(arena, "{'resourceType':'Observation','id':'%zu',%s}", i, when[i]));
    }
}

static const struct expectation widths[] = {
    {"ge2021-03-14", "0 1 2 3 5 6 7"},
    {"gt2021-03-15", "2 3 5 6 7"},
    {"lt2021-03-01", "3 4 5 6"},
    {"2021-03", "0 1 2"},
    {"2021", "0 1 2 3 7"},
    {"sa2021-03-10", "0 1 7"},
    {"eb2021-04", "0 1 2 4 6"},
    {"le2021-03-15", "0 1 2 3 4 5 6"},
    {"ge2021-10-31", "3 5 7"},
    {"ne2021", "4 5 6"},
};

static void dates_of_all_widths_are_found_and_sorted(void **state)
{
    (void)state;
    put_widths();
    EXPECT("Observation", "date", STORE_PLAIN, date_of, widths);
    struct store_sort sort = {.parameter = parameter_named("Observation", "date")};
    assert_int_equal(counted("Observation", NULL, 0, &sort, 2), 8);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void dates_of_an_older_layout_are_put_apart(void **state)
{
    (void)state;
    ONLY_SQLITE();
    char path[300];
    sqlite3 *db = NULL;
    put_widths();
    store_shut();
    snprintf(path, sizeof(path), "%s/records.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE date SET parameter=parameter%16777216;"
                                  "DROP TABLE stray; PRAGMA user_version=4",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    store_reopen_with(NULL);
    EXPECT("Observation", "date", STORE_PLAIN, date_of, widths);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

/* ---- when it was stored --------------------------------------------------------------------- */

static const char *stored_in(int64_t low, int64_t high)
{
    struct store_query query = {.type = type_named("Basic"),
                                .updated_low = low,
                                .updated_high = high,
                                .count = 10,
                                .total = true};
    struct store_tx *tx = begin();
    assert_int_equal(store_find(tx, &query, arena, NULL, &page), STATUS_OK);
    store_snapshot_end(tx);
    assert_int_equal(page.total, page.count);
    qsort(page.items, page.count, sizeof(*page.items), version_order);
    return ids_of(&page);
}

static int64_t put_basic(const char *id)
{
    struct store_written written =
        must_put(arena_print(arena, "{'resourceType':'Basic','id':'%s'}", id));
    usleep(2000);
    return written.updated;
}

static void what_was_stored_in_a_time_is_found_and_what_is_gone_is_not(void **state)
{
    (void)state;
    int64_t a = put_basic("a"), b = put_basic("b"), c = put_basic("c");
    put_basic("d");
    must_put("{'resourceType':'Patient','id':'p'}");
    assert_string_equal(stored_in(a, INT64_MAX), "a b c d");
    assert_string_equal(stored_in(b, c), "b");
    assert_string_equal(stored_in(b, c + 1), "b c");
    assert_string_equal(stored_in(INT64_MIN, a), "");
    assert_int_equal(try_delete("Basic", "b", (struct store_condition){0}), STATUS_OK);
    int64_t again = put_basic("a");
    assert_string_equal(stored_in(a, c + 1), "c");
    assert_string_equal(stored_in(again, INT64_MAX), "a");
    assert_string_equal(stored_in(again + 1, INT64_MAX), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_a_range_lets_through_is_found_however_long_it_is),
        STORE_TEST(sorted_pages_are_the_same_by_walking_and_by_ranking),
        STORE_TEST(clauses_about_several_values_of_a_resource_are_not_read_as_one),
        STORE_TEST(only_what_equals_an_end_of_a_range_is_looked_up_again),
        STORE_TEST(numbers_past_all_others_are_found),
        STORE_TEST(dates_of_all_widths_are_found_and_sorted),
        STORE_TEST(dates_of_an_older_layout_are_put_apart),
        STORE_TEST(what_was_stored_in_a_time_is_found_and_what_is_gone_is_not),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
