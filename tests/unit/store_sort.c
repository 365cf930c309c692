/* SPDX-License-Identifier: MIT */
/* Sorting (R4 search, "Sorting"): of several values the least counts upwards and the greatest
 * downwards, what has none comes last; and walking a tree gives the same pages as ranking. */
#include "find_test.h"

static struct store_sort sort_by(const char *type, const char *code, bool descending)
{
    struct store_sort sort = {.descending = descending};
    sort.parameter = code != NULL ? parameter_named(type, code) : NULL;
    return sort;
}

/* All ids, in the order given, by pages of COUNT. RANKED: a total makes it rank all. */
static const char *paged(struct store_query *query, size_t count, bool ranked)
{
    struct buffer out = {.arena = arena};
    query->count = count;
    query->total = ranked;
    query->cursor = (struct slice){NULL, 0};
    do {
        assert_int_equal(try_find(query), STATUS_OK);
        buffer_add_text(&out, out.length > 0 && page.count > 0 ? " " : "");
        buffer_add_text(&out, ids_of(&page));
        query->cursor = page.next;
    } while (page.more);
    return as_text(&out);
}

static const char *sorted(const char *type, const char *code, bool descending)
{
    struct store_query *query = query_of(type, NULL);
    struct store_sort sort = sort_by(type, code, descending);
    query->sorts = &sort;
    query->sort_count = 1;
    const char *walked = paged(query, 2, false);
    assert_string_equal(paged(query, 2, true), walked);
    return walked;
}

static void several_values_count_by_their_least_or_greatest(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'b','name':[{'family':'Bell'},{'family':'Yates'}]}");
    must_put("{'resourceType':'Patient','id':'a','name':[{'family':'Amis'},{'family':'Zola'}]}");
    must_put("{'resourceType':'Patient','id':'none'}");
    must_put("{'resourceType':'Patient','id':'m','name':[{'family':'Mann'}]}");
    must_put("{'resourceType':'Patient','id':'x','name':[{'family':'Adams'}]}");
    assert_string_equal(sorted("Patient", "family", false), "x a b m none");
    assert_string_equal(sorted("Patient", "family", true), "a b m x none");
}

static void sorts_by_id_as_text(void **state)
{
    (void)state;
    static const char *const ids[] = {"b",
                                      "a-1",
                                      "A",
                                      "9",
                                      "00000000-0000-4000-8000-000000000001",
                                      "b-2",
                                      "f0000000-0000-4000-8000-000000000001",
                                      "z"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        must_put(arena_print(arena, "{'resourceType':'Basic','id':'%s'}", ids[i]));
    }
    const char *up = "00000000-0000-4000-8000-000000000001 9 A a-1 b b-2 "
                     "f0000000-0000-4000-8000-000000000001 z";
    const char *down = "z f0000000-0000-4000-8000-000000000001 b-2 b a-1 A 9 "
                       "00000000-0000-4000-8000-000000000001";
    assert_string_equal(sorted("Basic", "_id", false), up);
    assert_string_equal(sorted("Basic", "_id", true), down);
}

static void sorts_by_when_it_was_changed_last(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        must_put(arena_print(arena, "{'resourceType':'Basic','id':'%d'}", i));
        usleep(2000);
    }
    must_put("{'resourceType':'Basic','id':'1','code':{'text':'x'}}");
    usleep(2000);
    assert_int_equal(try_delete("Basic", "3", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(sorted("Basic", NULL, false), "0 2 4 1");
    assert_string_equal(sorted("Basic", NULL, true), "1 4 2 0");
}

static void dates_stand_where_they_begin(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'long','effectivePeriod':"
             "{'start':'2010-01-01','end':'2030-01-01'}}");
    must_put("{'resourceType':'Observation','id':'day','effectiveDateTime':'2015-05-05'}");
    must_put("{'resourceType':'Observation','id':'open','effectivePeriod':{'start':'2020'}}");
    must_put("{'resourceType':'Observation','id':'not'}");
    assert_string_equal(sorted("Observation", "date", false), "long day open not");
    assert_string_equal(sorted("Observation", "date", true), "open day long not");
}

static void refuses_to_sort_by_a_reference(void **state)
{
    (void)state;
    struct store_sort sorts[5] = {sort_by("Observation", "subject", false)};
    struct store_query *query = query_of("Observation", NULL);
    query->sorts = sorts;
    query->sort_count = 1;
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
    memset(sorts, 0, sizeof(sorts));
    query->sort_count = 5;
    assert_int_equal(try_find(query), STATUS_NOT_SUPPORTED);
}

/* ---- walked and ranked ---------------------------------------------------------------------- */

static uint64_t state_of_chance = 11;

static unsigned chance(unsigned of)
{
    state_of_chance = state_of_chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(state_of_chance >> 33) % of;
}

static void put_random(void)
{
    static const char *const statuses[] = {"final", "amended", "preliminary", "registered"};
    static const char *const words[] = {"",
                                        "low",
                                        "Low",
                                        "high",
                                        "a rather long text which goes on"
                                        " well past where a key is cut 1",
                                        "a rather long text which goes on well past where a key is"
                                        " cut 0"};
    for (int i = 0; i < 120; i++) {
        struct buffer out = {.arena = arena};
        buffer_add_text(&out, arena_print(arena,
                                          "{'resourceType':'Observation','id':'%s%u','status':'%s'",
                                          chance(2) ? "a" : "Z", (unsigned)i, statuses[chance(4)]));
        if (chance(4) != 0) {
            buffer_add_text(&out, arena_print(arena, ",'effectiveDateTime':'2020-0%u-%02u'",
                                              chance(3) + 1, chance(9) + 1));
        } else if (chance(2) != 0) {
            buffer_add_text(&out, ",'effectivePeriod':{'start':'2020-02-05','end':'2029'}");
        }
        if (chance(3) == 0) {
            buffer_add_text(
                &out, arena_print(arena, ",'valueQuantity':{'value':%d}", (int)chance(20) - 10));
        } else if (chance(2) == 0) {
            buffer_add_text(&out, arena_print(arena, ",'valueString':'%s'", words[chance(5) + 1]));
        }
        unsigned identifiers = chance(3);
        for (unsigned j = 0; j < identifiers; j++) {
            buffer_add_text(&out,
                            arena_print(arena, "%s{'system':'http://%u','value':'%u'}",
                                        j == 0 ? ",'identifier':[" : ",", chance(2), chance(40)));
        }
        buffer_add_text(&out, identifiers > 0 ? "]}" : "}");
        must_put(as_text(&out));
    }
    for (int i = 0; i < 20; i++) {
        must_put(arena_print(arena, "{'resourceType':'Observation','id':'a%u','status':'final'}",
                             chance(120)));
    }
}

static void walking_gives_what_ranking_gives(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "date", "value-quantity", "value-string", "status", "identifier", "_id", NULL};
    put_random();
    struct store_clause *not_final = code_is("Observation", "status", "final");
    not_final->modifier = STORE_NOT;
    for (unsigned i = 0; i < 56; i++) {
        struct store_query *query = query_of("Observation", i % 2 == 0 ? NULL : not_final);
        struct store_sort sorts[2] = {sort_by("Observation", codes[i / 2 % 7], i / 14 % 2 == 1),
                                      sort_by("Observation", codes[chance(7)], chance(2) == 1)};
        query->sorts = sorts;
        query->sort_count = 1 + i / 28;
        const char *ranked = paged(query, 500, true);
        assert_string_equal(paged(query, 500, false), ranked);
        assert_string_equal(paged(query, 7, false), ranked);
        assert_string_equal(paged(query, 13, true), ranked);
    }
}

/* A page that ends among many of one date goes on with the first of them by place, however long
 * each lasts. */
static void many_of_one_date_come_in_the_order_of_places(void **state)
{
    (void)state;
    static const char *const dates[] = {
        "DateTime':'2020-05-01'",
        "Period':{'start':'2020-05-02','end':'2020-05-02T09:00:00Z'}",
        "DateTime':'2020-05-02'",
        "Period':{'start':'2020-05-02','end':'2020-05-02T08:00:00Z'}",
        "DateTime':'2020-05-02T10:00:00Z'",
        "DateTime':'2020'",
        "Period':{'end':'2021'}",
        "Period':{'end':'2020'}"};
    for (unsigned i = 0; i < 700; i++) {
        struct arena_mark mark = arena_mark(arena);
        must_put(arena_print(arena,
                             "{'resourceType':'Observation','id':'%u','subject':{'reference':"
                             "'Patient/%u'},'code':{'coding':[{'code':'x'}]},"
                             "'effective%s}",
                             i, chance(9), dates[i % 50 < 43 ? 1 + chance(3) : chance(8)]));
        arena_rewind(arena, mark);
    }
    struct store_clause *code = code_is("Observation", "code", "x");
    for (unsigned i = 0; i < 4; i++) {
        struct store_query *query = query_of("Observation", i % 2 == 0 ? NULL : code);
        struct store_sort sort = sort_by("Observation", "date", i / 2 == 1);
        query->sorts = &sort;
        query->sort_count = 1;
        const char *ranked = paged(query, 700, true);
        assert_string_equal(paged(query, 90, false), ranked);
        assert_string_equal(paged(query, 7, false), ranked);
    }
}

/* An Observation or RiskAssessment with values of which many are equal: of one beginning and more
 * lengths, and of one number and more units, than are read one by one. */
static void put_alike(unsigned i)
{
    static const char *const texts[] = {"smith", "smith", "smithy",
                                        "a rather long text which goes on past what a key has"};
    struct arena_mark mark = arena_mark(arena);
    must_put(arena_print(arena,
                         "{'resourceType':'RiskAssessment','id':'%u','prediction':[{"
                         "'probabilityDecimal':%s},{'probabilityDecimal':%s}]}",
                         i, chance(5) == 0 ? "0.25" : "0.5", chance(9) == 0 ? "0" : "0.5"));
    must_put(arena_print(arena,
                         "{'resourceType':'Observation','id':'%u','code':{'coding':[{'code':'x'}]},"
                         "'effectivePeriod':{'start':'2020-05-02','end':'2020-05-%02uT09:00:00Z'},"
                         "'identifier':[{%s'value':'%u'}],"
                         "'valueString':'%s','component':[{'valueQuantity':{'value':%d,"
                         "'code':'u%u'}},{'valueQuantity':{'value':7,'unit':'%u'}}]}",
                         i, 3 + chance(i < 300 ? 3 : 20), chance(2) ? "'system':'http://s'," : "",
                         chance(4) * 11 + 1, texts[chance(4)], chance(5) == 0 ? -7 : 7,
                         chance(i < 300 ? 3 : 14), chance(2)));
    arena_rewind(arena, mark);
}

static void many_of_one_value_come_in_the_order_of_places(void **state)
{
    (void)state;
    static const struct {
        const char *type, *code;
    } kinds[] = {{"Observation", "date"},
                 {"Observation", "value-string"},
                 {"Observation", "identifier"},
                 {"Observation", "combo-value-quantity"},
                 {"RiskAssessment", "probability"}};
    for (unsigned few = 0; few < 2; few++) { /* lengths and units, then many */
        for (unsigned i = few * 300; i < 300 + few * 300; i++) {
            put_alike(i);
        }
        for (unsigned i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
            struct store_query *query = query_of(kinds[i / 2].type, NULL);
            struct store_sort sort = sort_by(kinds[i / 2].type, kinds[i / 2].code, i % 2 == 1);
            query->sorts = &sort;
            query->sort_count = 1;
            const char *ranked = paged(query, 700, true);
            assert_string_equal(paged(query, 90, false), ranked);
            assert_string_equal(paged(query, 7, false), ranked);
        }
    }
}

/* Decimals past the ends of what a double tells apart, and below zero by less than it can tell. */
static void numbers_at_the_ends_are_met(void **state)
{
    (void)state;
    static const char *const numbers[] = {"1e399", "1.75e308", "-1e399", "-1.75e308", "-1e-390",
                                          "0",     "1e-390",   "-0.0",   "3",         "-1e-390"};
    for (unsigned i = 0; i < 10; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'RiskAssessment','id':'%u','subject':{'reference':"
                             "'Patient/p'},'prediction':[{'probabilityDecimal':%s}]}",
                             i, numbers[i]));
    }
    assert_string_equal(sorted("RiskAssessment", "probability", false), "2 3 4 5 6 7 9 8 1 0");
    assert_string_equal(sorted("RiskAssessment", "probability", true), "0 1 8 4 5 6 7 9 3 2");
}

/* ---- while others write --------------------------------------------------------------------- */

static size_t times_met(const char *all, const char *id)
{
    size_t times = 0, length = strlen(id);
    for (const char *at = all; (at = strstr(at, id)) != NULL; at += length) {
        bool begins = at == all || at[-1] == ' ';
        times += begins && (at[length] == ' ' || at[length] == '\0');
    }
    return times;
}

static void what_does_not_change_is_met_once_whatever_others_write(void **state)
{
    (void)state;
    static const char *const codes[] = {"status", "_id", NULL};
    for (size_t way = 0; way < 3; way++) {
        for (int i = 0; i < 40; i++) {
            must_put(arena_print(arena, "{'resourceType':'Observation','id':'%c%d','status':'%s'}",
                                 i % 2 == 0 ? 'u' : 'c', i, i % 3 == 0 ? "final" : "amended"));
        }
        struct store_query *query = query_of("Observation", NULL);
        struct store_sort sort = sort_by("Observation", codes[way], false);
        query->sorts = &sort;
        query->sort_count = 1;
        query->count = 5;
        struct buffer out = {.arena = arena};
        int turn = 0;
        do {
            assert_int_equal(try_find(query), STATUS_OK);
            buffer_add_text(&out, out.length > 0 && page.count > 0 ? " " : "");
            buffer_add_text(&out, ids_of(&page));
            query->cursor = page.next;
            /* Those of odd number change, go or come; the others stay as they are. */
            must_put(arena_print(arena, "{'resourceType':'Observation','id':'c%d','status':'%s'}",
                                 turn * 2 + 1, turn % 2 == 0 ? "registered" : "unknown"));
            (void)try_delete("Observation", arena_print(arena, "c%d", 39 - turn * 2),
                             (struct store_condition){0});
            turn++;
        } while (page.more && turn < 30);
        for (int i = 0; i < 40; i += 2) {
            assert_int_equal(times_met(as_text(&out), arena_print(arena, "u%d", i)), 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(several_values_count_by_their_least_or_greatest),
        STORE_TEST(sorts_by_id_as_text),
        STORE_TEST(sorts_by_when_it_was_changed_last),
        STORE_TEST(dates_stand_where_they_begin),
        STORE_TEST(refuses_to_sort_by_a_reference),
        STORE_TEST(walking_gives_what_ranking_gives),
        STORE_TEST(many_of_one_date_come_in_the_order_of_places),
        STORE_TEST(many_of_one_value_come_in_the_order_of_places),
        STORE_TEST(numbers_at_the_ends_are_met),
        STORE_TEST(what_does_not_change_is_met_once_whatever_others_write),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
