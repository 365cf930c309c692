/* SPDX-License-Identifier: MIT */
/* Words: `_text`, `_content` and `:text`; and the folding of strings. */
#include <stdatomic.h>

#include "clause_test.h"

static void put_some(void)
{
    must_put("{'resourceType':'Condition','id':'1','text':{'status':'generated','div':"
             "'<div><p title=\\'hidden\\'>Chronic <b>migraine</b>, caf&#xe9; &amp; light</p>"
             "</div>'},'code':{'coding':[{'system':'http://snomed.info/sct','code':'37796009',"
             "'display':'Migraine (disorder)'}],'text':'Kopfschmerz links'},"
             "'note':[{'text':'Worse after Wine'}],'subject':{'reference':'Patient/abc',"
             "'display':'Anna Bell'}}");
    must_put("{'resourceType':'Condition','id':'2','code':{'coding':[{'system':"
             "'http://snomed.info/sct','code':'37796009','display':'Migraine'}]},'subject':"
             "{'reference':'Patient/abc'},'note':[{'text':'no links'}]}");
    must_put("{'resourceType':'Condition','id':'3','code':{'text':'links headache'},'subject':"
             "{'display':'Bell, somebody'}}");
    must_put("{'resourceType':'Condition','id':'4','code':{'coding':[{'code':'x','display':"
             "'Kopf'},{'code':'y','display':'links'}]},'contained':[{'resourceType':'Patient',"
             "'id':'c','name':[{'family':'Zebedee'}]}],'subject':{'reference':'#c'}}");
}

static void content_is_all_that_people_wrote(void **state)
{
    (void)state;
    put_some();
    static const struct expectation rows[] = {
        {"migraine", "1 2"}, {"MIGRAINE disorder", "1"},
        {"wine", "1"},       {"cafe", "1"},
        {"café", "1"},       {"links", "1 2 3 4"},
        {"links kopf", "4"}, {"zebedee", "4"},
        {"bell", "1 3"},     {"win", ""},
        {"hidden", ""},      {"div", ""},
        {"37796009", ""},    {"generated", ""},
        {"never-seen", ""},  {"wine, (after)", "1"},
        {"abc", ""},
    };
    EXPECT("Condition", "_content", STORE_PLAIN, text_of, rows);
    assert_string_equal(found("Patient", "_content", STORE_PLAIN, text_of("zebedee")), "");
    struct store_value either[] = {text_of("wine"), text_of("zebedee")};
    assert_int_equal(try_values("Condition", "_content", STORE_PLAIN, either, 2), STATUS_OK);
    assert_string_equal(ids_of(&page), "1 4");
}

static void text_is_the_narrative_without_its_markup(void **state)
{
    (void)state;
    put_some();
    static const struct expectation rows[] = {{"migraine", "1"}, {"light chronic", "1"},
                                              {"cafe", "1"},     {"wine", ""},
                                              {"hidden", ""},    {"links", ""}};
    EXPECT("Condition", "_text", STORE_PLAIN, text_of, rows);
}

static void text_of_a_code_is_what_stands_beside_it(void **state)
{
    (void)state;
    put_some();
    static const struct expectation rows[] = {{"migraine", "1 2"},  {"migraine disorder", "1"},
                                              {"kopfschmerz", "1"}, {"links migraine", "1"},
                                              {"links", "1 3 4"},   {"headache", "3"},
                                              {"kopf links", "4"},  {"wine", ""},
                                              {"bell", ""}};
    EXPECT("Condition", "code", STORE_TEXT, text_of, rows);
    assert_string_equal(found("Condition", "subject", STORE_TEXT, text_of("bell")), "1 3");
    assert_string_equal(found("Condition", "subject", STORE_TEXT, text_of("bell anna")), "1");
    assert_string_equal(found("Condition", "subject", STORE_TEXT, text_of("links")), "");
}

static void text_of_an_identifier_is_that_of_its_type(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'p','identifier':[{'type':{'text':'Hospital number'},"
             "'value':'77'},{'type':{'text':'passport'}}]}");
    assert_string_equal(found("Patient", "identifier", STORE_TEXT, text_of("hospital")), "p");
    assert_string_equal(found("Patient", "identifier", STORE_TEXT, text_of("hospital passport")),
                        "");
    assert_string_equal(found("Patient", "identifier", STORE_TEXT, text_of("77")), "");
}

static void a_uuid_is_one_word(void **state)
{
    (void)state;
    must_put("{'resourceType':'Basic','id':'b','identifier':[{'value':"
             "'0b8e4a6e-8a1f-4d1c-9b7a-0123456789ab'}]}");
    static const struct expectation rows[] = {{"0b8e4a6e-8a1f-4d1c-9b7a-0123456789ab", "b"},
                                              {"0B8E4A6E-8A1F-4D1C-9B7A-0123456789AB", "b"},
                                              {"0b8e4a6e", ""}};
    EXPECT("Basic", "_content", STORE_PLAIN, text_of, rows);
}

static void words_are_refused_where_there_are_none_or_too_many(void **state)
{
    (void)state;
    struct store_value none = text_of(" -- ");
    assert_int_equal(try_values("Basic", "_content", STORE_PLAIN, &none, 1), STATUS_VALUE);
    struct buffer many = {.arena = arena};
    for (int i = 0; i < 65; i++) {
        buffer_print(&many, "w%d ", i);
    }
    struct store_value value = {.text = buffer_slice(&many)};
    assert_int_equal(try_values("Basic", "_content", STORE_PLAIN, &value, 1), STATUS_VALUE);
    value.boolean = true;
    assert_int_equal(try_values("Basic", "_content", STORE_EXACT, &value, 1), STATUS_NOT_SUPPORTED);
}

/* Blocks of places: the second page of a patient's record is in another. */
static void words_are_found_in_every_block_and_after_updates_and_deletes(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Basic','id':'%d','subject':{'reference':"
                             "'Patient/p','display':'n%d'},'code':{'text':'every %s'}}",
                             1000 + i, i, i % 100 == 7 ? "seventh" : "other"));
    }
    assert_string_equal(found("Basic", "_content", STORE_PLAIN, text_of("seventh")),
                        "1007 1107 1207");
    assert_string_equal(found("Basic", "code", STORE_TEXT, text_of("seventh every")),
                        "1007 1107 1207");
    assert_string_equal(found("Basic", "_content", STORE_PLAIN, text_of("n299")), "1299");
    must_put("{'resourceType':'Basic','id':'1107','subject':{'reference':'Patient/q'},"
             "'code':{'text':'seventh moved'}}");
    must_put("{'resourceType':'Basic','id':'1207','code':{'text':'was the tenth'}}");
    assert_int_equal(try_delete("Basic", "1007", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(found("Basic", "_content", STORE_PLAIN, text_of("seventh")), "1107");
    assert_string_equal(found("Basic", "_content", STORE_PLAIN, text_of("tenth")), "1207");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(store_reindex(store, NULL, NULL, NULL), STATUS_OK);
    assert_string_equal(found("Basic", "_content", STORE_PLAIN, text_of("seventh")), "1107");
}

/* ---- several jobs in one commit -----------------------------------------------------------------
 */

struct worded {
    struct store_draft *draft;
    const char *words[3];
    size_t found[3];
    enum status end;
    _Atomic int status;
};

static enum status put_and_look(struct store_tx *tx, void *context)
{
    struct worded *worded = context;
    struct store_written written;
    (void)usleep(30000); /* until the next has been handed in too */
    TRY(store_put(tx, worded->draft, STORE_UPDATED, NULL, arena, NULL, &written));
    for (size_t i = 0; i < 3 && worded->words[i] != NULL; i++) {
        struct store_value value = text_of(worded->words[i]);
        struct store_clause clause = {
            .parameter = parameter_named("Basic", "_content"), .values = &value, .value_count = 1};
        struct store_query query = {
            .type = type_named("Basic"), .clauses = &clause, .clause_count = 1, .count = 10};
        struct store_page words;
        TRY(store_find(tx, &query, arena, NULL, &words));
        worded->found[i] = words.count;
    }
    return worded->end;
}

static void worded_done(void *context, enum status status)
{
    struct worded *worded = context;
    atomic_store(&worded->status, (int)status);
}

static struct store_draft *basic_with(const char *id, const char *words)
{
    return draft_of(
        arena_print(arena, "{'resourceType':'Basic','id':'%s','code':{'text':'%s'}}", id, words));
}

static void words_of_a_commit_are_found_inside_it_and_a_job_undone_takes_only_its_own(void **state)
{
    (void)state;
    struct worded worded[] = {
        {.draft = basic_with("a", "alpha")},
        {.draft = basic_with("b", "beta"), .words = {"alpha", "beta"}, .end = STATUS_CONFLICT},
        {.draft = basic_with("c", "gamma"), .words = {"alpha", "beta", "gamma"}},
        {.draft = basic_with("d", "delta beta")}};
    struct store_job jobs[4];
    for (size_t i = 0; i < 4; i++) {
        worded[i].status = -1;
        jobs[i] =
            (struct store_job){.run = put_and_look, .done = worded_done, .context = &worded[i]};
        store_submit(store, &jobs[i]);
        while (on_server() && atomic_load(&worded[i].status) < 0) {
            (void)usleep(1000); /* there they would not be one after another */
        }
    }
    for (size_t i = 0; i < 4; i++) {
        while (atomic_load(&worded[i].status) < 0) {
            (void)usleep(1000);
        }
        assert_int_equal(atomic_load(&worded[i].status), worded[i].end);
    }
    assert_int_equal(worded[1].found[0], 1);
    assert_int_equal(worded[1].found[1], 1);
    assert_int_equal(worded[2].found[0], 1);
    assert_int_equal(worded[2].found[1], 0);
    assert_int_equal(worded[2].found[2], 1);
    static const struct expectation rows[] = {
        {"alpha", "a"}, {"beta", "d"}, {"gamma", "c"}, {"delta", "d"}};
    EXPECT("Basic", "_content", STORE_PLAIN, text_of, rows);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

/* More words than wait at once, in one job. */
static void very_many_words_are_all_there(void **state)
{
    (void)state;
    struct buffer text = {.arena = arena};
    buffer_add_text(&text, "{'resourceType':'Basic','id':'much','code':{'text':'");
    for (int i = 0; i < 40000; i++) {
        buffer_print(&text, "w%d ", i);
    }
    buffer_print(&text, "'}}%c", '\0');
    must_put(text.at);
    static const struct expectation rows[] = {
        {"w0", "much"}, {"w17000 w39999", "much"}, {"w40000", ""}};
    EXPECT("Basic", "_content", STORE_PLAIN, text_of, rows);
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

/* ---- words beside many codes, and many words beside one
 * ------------------------------------------
 */

#define MANY 2400

static bool has_no_code(int i)
{
    return i % 100 == 50;
}
static bool is_seldom(int i)
{
    return i == 1203 || i == 1204 || i == 2398;
}
static bool is_often(int i)
{
    return i % 5 != 0;
}

/* A third has one code; the others a hundred, each with a word of its own. */
static const char *worded_condition(int i)
{
    const char *words = arena_print(arena, "%s %s", is_often(i) ? "often" : "sometimes",
                                    is_seldom(i) ? "seldom" : "");
    const char *coding =
        arena_print(arena, "'coding':[{'system':'urn:s','code':'%s','display':'said kind%d'}],",
                    i % 3 == 0 ? "common" : arena_print(arena, "k%d", i % 100), i % 100);
    return arena_print(arena,
                       "{'resourceType':'Condition','id':'w%04d','subject':{'reference':"
                       "'Patient/p%d'},'code':{%s'text':'%s'}}",
                       i, i % 40, has_no_code(i) ? "" : coding, words);
}

static bool is_said(int i)
{
    return !has_no_code(i);
}
static bool is_seldom_and_often(int i)
{
    return is_seldom(i) && is_often(i);
}
static bool is_kind7(int i)
{
    return i % 100 == 7;
}
static bool is_often_kind3(int i)
{
    return i % 100 == 3 && is_often(i);
}
static bool is_kind11_or_seldom(int i)
{
    return i % 100 == 11 || is_seldom(i);
}
static bool is_never(int i)
{
    (void)i;
    return false;
}

/* How many there are on all pages. */
static size_t count_words(const struct store_value *values, size_t count, uint64_t *ret_total)
{
    struct store_clause clause = {.parameter = parameter_named("Condition", "code"),
                                  .modifier = STORE_TEXT,
                                  .values = values,
                                  .value_count = count};
    struct store_query query = {.type = type_named("Condition"),
                                .clauses = &clause,
                                .clause_count = 1,
                                .count = 150,
                                .total = true};
    struct store_page words;
    size_t found = 0;
    do {
        struct store_tx *tx = begin();
        assert_int_equal(store_find(tx, &query, arena, NULL, &words), STATUS_OK);
        store_snapshot_end(tx);
        query.cursor = words.next;
        found += words.count;
    } while (words.more);
    *ret_total = words.total;
    return found;
}

static void words_beside_a_code_are_found_however_many_have_either(void **state)
{
    (void)state;
    static const struct {
        const char *words, *or_else;
        bool (*holds)(int i);
    } rows[] = {{"often", NULL, is_often},        {"seldom", NULL, is_seldom},
                {"said", NULL, is_said},          {"seldom often", NULL, is_seldom_and_often},
                {"kind7", NULL, is_kind7},        {"often kind3", NULL, is_often_kind3},
                {"seldom kind9", NULL, is_never}, {"kind11", "seldom", is_kind11_or_seldom}};
    put_in_batches(MANY, worded_condition);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct store_value values[2] = {text_of(rows[r].words)};
        size_t expected = 0;
        uint64_t total = 0;
        if (rows[r].or_else != NULL) {
            values[1] = text_of(rows[r].or_else);
        }
        for (int i = 0; i < MANY; i++) {
            expected += rows[r].holds(i);
        }
        assert_int_equal(count_words(values, rows[r].or_else != NULL ? 2 : 1, &total), expected);
        assert_int_equal(total, expected);
    }
}

static void an_older_layout_is_gone_through_when_it_is_opened(void **state)
{
    (void)state;
    ONLY_SQLITE();
    put_some();
    store_shut();
    meddle("DROP TABLE word; DROP TABLE code_word; DROP INDEX code_alike;"
           "DROP TABLE stray; PRAGMA user_version=3");
    store_reopen_with(NULL);
    assert_string_equal(found("Condition", "_content", STORE_PLAIN, text_of("wine")), "1");
    assert_string_equal(found("Condition", "code", STORE_TEXT, text_of("kopfschmerz")), "1");
    assert_int_equal(store_check(store, NULL, NULL, NULL), STATUS_OK);
}

static void strings_are_compared_without_case_accents_and_punctuation(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'a','name':[{'family':'O\xe2\x80\x99"
             "Brien-Smith'}]}");
    must_put("{'resourceType':'Patient','id':'b','name':[{'family':'Ärger   &\\tSöhne'}]}");
    must_put("{'resourceType':'Patient','id':'c','name':[{'family':'Παπαδόπουλος'}]}");
    must_put("{'resourceType':'Patient','id':'d','name':[{'family':'Королёв'}]}");
    must_put("{'resourceType':'Patient','id':'e','name':[{'family':'Ko\xcc\x88nig'}]}");
    static const struct expectation rows[] = {{"obrien", "a"},
                                              {"O'Brien", "a"},
                                              {"o\xe2\x80\x99"
                                               "brien smith",
                                               ""},
                                              {"brien", ""},
                                              {"arger sohne", "b"},
                                              {"ΠΑΠΑΔΟΠΟΥΛΟΣ", "c"},
                                              {"королев", "d"},
                                              {"könig", "e"},
                                              {"KONIG", "e"}};
    EXPECT("Patient", "family", STORE_PLAIN, text_of, rows);
    assert_string_equal(found("Patient", "family", STORE_CONTAINS, text_of("BRIEN.SM")), "a");
    assert_string_equal(found("Patient", "family", STORE_EXACT, text_of("Königs")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(content_is_all_that_people_wrote),
        STORE_TEST(text_is_the_narrative_without_its_markup),
        STORE_TEST(text_of_a_code_is_what_stands_beside_it),
        STORE_TEST(text_of_an_identifier_is_that_of_its_type),
        STORE_TEST(a_uuid_is_one_word),
        STORE_TEST(words_are_refused_where_there_are_none_or_too_many),
        STORE_TEST(words_are_found_in_every_block_and_after_updates_and_deletes),
        STORE_TEST(words_of_a_commit_are_found_inside_it_and_a_job_undone_takes_only_its_own),
        STORE_TEST(very_many_words_are_all_there),
        STORE_TEST(words_beside_a_code_are_found_however_many_have_either),
        STORE_TEST(an_older_layout_is_gone_through_when_it_is_opened),
        STORE_TEST(strings_are_compared_without_case_accents_and_punctuation),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
