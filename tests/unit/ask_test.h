/* SPDX-License-Identifier: MIT */
/* What the tests of finding by URL share: planned and found as the server does it. */
#ifndef CARELAYER_TESTS_ASK_TEST_H
#define CARELAYER_TESTS_ASK_TEST_H

#include "search/search.h"
#include "store_test.h"

struct puts {
    struct store_draft **drafts;
    size_t count;
};

static inline enum status put_all(struct store_tx *tx, void *context)
{
    const struct puts *puts = context;
    for (size_t i = 0; i < puts->count; i++) {
        struct store_condition condition = {0};
        struct store_written written;
        TRY(store_put(tx, puts->drafts[i], STORE_UPDATED, &condition, arena, NULL, &written));
    }
    return STATUS_OK;
}

/* In one commit. */
static inline void must_put_all(const char *const *texts, size_t count)
{
    struct puts puts = {arena_array(arena, count + 1, sizeof *puts.drafts), count};
    for (size_t i = 0; i < count; i++) {
        puts.drafts[i] = draft_of(texts[i]);
    }
    assert_int_equal(store_write(store, put_all, &puts), STATUS_OK);
}

static inline int found_order(const void *a, const void *b)
{
    const struct store_version *x = a, *y = b;
    return slice_compare(x->id, y->id);
}

/* The ids, in order, that "Type?name:modifier=value&..." finds, not encoded; or the status. */
static inline const char *ask(const char *url)
{
    struct search_argument arguments[8];
    size_t count = 0;
    struct slice rest = slice_text(url);
    resource_type type = resource_type_find(definitions, slice_cut(&rest, '?'));
    while (rest.at != NULL && rest.length > 0) {
        struct slice value = slice_cut(&rest, '&'), name = slice_cut(&value, '=');
        struct slice bare = slice_head(name, slice_index(name, ':'));
        assert_true(count < 8);
        arguments[count++] = (struct search_argument){
            .name = bare, .modifier = slice_from(name, bare.length + 1), .value = value};
    }
    const struct search_options options = {.definitions = definitions,
                                           .base_url = SLICE("http://here.example/fhir"),
                                           .type = type,
                                           .contained = true,
                                           .count_default = 100,
                                           .count_max = 100};
    struct search_plan plan;
    struct store_page page;
    struct outcome outcome;
    outcome_init(&outcome, arena);
    enum status status = search_plan_make(&options, arguments, count, arena, &outcome, &plan);
    if (status == STATUS_OK) {
        struct store_tx *tx = begin();
        status = store_find(tx, &plan.query, arena, &outcome, &page);
        store_snapshot_end(tx);
    }
    if (status != STATUS_OK) {
        return status_name(status);
    }
    if (page.count > 0) {
        qsort(page.items, page.count, sizeof *page.items, found_order);
    }
    return ids_of(&page);
}

struct asked {
    const char *url, *ids;
};

static inline void expect_all(const struct asked *rows, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const char *ids = ask(rows[i].url);
        if (strcmp(ids, rows[i].ids) != 0) {
            print_message("%s: '%s', not '%s'\n", rows[i].url, ids, rows[i].ids);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}
#define EXPECT_ALL(rows) expect_all(rows, sizeof rows / sizeof *rows)

#endif
