/* SPDX-License-Identifier: MIT */
/* store: tests on dates, numbers and texts as lists of places. What such a test lets through lies
 * in few runs of one tree, but in the order of values, so the runs are read and their places
 * sorted. Whether that is less than looking at candidates nobody can know beforehand, so they take
 * turns: whoever has spent less goes on, and the search costs at most about twice the shorter way.
 *
 * A row of a tree is a whole value, so it decides by itself; only where it leaves a doubt must the
 * candidate be tested again. Tests on the same parameter are read as one where no resource has more
 * than one value of it ("date=ge2021&date=lt2022"): each alone may let through nearly everything.
 * And beside a test for codes, where the two make a pair (pairs.c), its rows are read instead: they
 * are of what passes both tests.
 *
 * Whether a value is missing is no value of a tree, but its store keeps which parameters a resource
 * has values of as a code (presence_parameter): read are the places of the codes that say so.
 */
#include "find_int.h"

#include <math.h>

#define ROWS_OF_A_LOOK 12                /* rows that cost as much as looking at a candidate */
#define FIRST_ROWS     4096              /* of each, before any candidate is looked at */
#define FIRST_PAIRS    1024              /* the same of a pair, whose candidates match more often */
#define PROBE_ROWS     1024              /* on a server, before a few of all places are looked at */
#define PROBE_LOOKS    128               /* so many, to see whether nearly all match */
#define FEW_LOOKS      32                /* enough when hardly any does: */
#define DENSE          8                 /* less than one in so many */
#define THERE_ROWS     16384             /* and then: rows come many at once, places do not */
#define TURN_ROWS      1024              /* rows before the others have their turn */
#define RANGE_ROWS     ((size_t)1 << 21) /* more places than this are no lists, all together */
#define RANGE_MOST     900000            /* nor more than this one; below what list_add allows */
#define RANGE_TESTS    4                 /* read as one */
#define RANGE_SHORT    512               /* a list shorter than this needs no help */
#define PRESENCE_CODES 4096              /* more of a type are not worth looking through */

enum range_state { RANGE_OPEN, RANGE_NEVER, RANGE_DONE };
/* A long run of dates on a server: once it is where each surely matches, only places are read. */
enum range_part { PART_ALL, PART_SURE, PART_REST };

struct range {
    enum range_state state;
    struct test *tests[RANGE_TESTS];
    size_t test_count; /* 0: of when it was stored */
    size_t wanted_at;  /* the run that is being read, or is the next */
    uint32_t run_at;
    enum range_part part;
    int64_t sure_low, sure_end; /* of the run; no low end: equal */
    int64_t part_low;           /* where PART_SURE begins */
    bool rest;                  /* something is behind it */
    const struct pair *pair;    /* whose rows are read, for each of these codes; else NULL */
    const int64_t *codes;
    size_t code_count, code_at;
    uint32_t presence;          /* what these are codes of instead; else 0 */
    size_t prefix;              /* bytes of the code in a row's text */
    struct statement statement; /* none: none is */
    enum statement_number number;
    struct number_list list, doubts; /* doubts: of whom a row only says that they may match */
    uint64_t rows;
};

/* ---- which ranges there are ---------------------------------------------------------------------
 */

static bool same_numbers(const struct wanted *a, const struct wanted *b)
{
    return a->number_count == b->number_count &&
           (a->number_count == 0 ||
            memcmp(a->numbers, b->numbers, a->number_count * sizeof(*a->numbers)) == 0);
}

/* Can both be asked of each value alone? A quantity has a row for each way to write its unit. */
static bool reads_as_one(const struct search *search, const struct test *a, const struct test *b)
{
    enum search_kind kind = a->clause->parameter->kind;
    bool same = a->parameter == b->parameter && a->count == 1 && b->count == 1 &&
                a->clause->modifier == STORE_PLAIN && b->clause->modifier == STORE_PLAIN;
    if (!same || !(kind == SEARCH_DATE || kind == SEARCH_NUMBER || kind == SEARCH_QUANTITY)) {
        return false;
    }
    if (kind == SEARCH_QUANTITY &&
        (a->wanted->any_unit != b->wanted->any_unit ||
         a->wanted->canonical != b->wanted->canonical || !same_numbers(a->wanted, b->wanted))) {
        return false;
    }
    return parameter_is_single(search->store, search->query->type, a->clause->parameter);
}

static bool has_range(const struct test *test)
{
    enum store_modifier modifier = test->clause->modifier;
    if (test->kind != TEST_FACTS || test->streamed || modifier == STORE_NOT ||
        modifier == STORE_TEXT || parameter_is_words(test->clause->parameter)) {
        return false;
    }
    if (modifier == STORE_MISSING) {
        return true; /* where the store keeps presence */
    }
    for (size_t i = 0; i < test->count; i++) {
        const struct wanted *wanted = &test->wanted[i];
        switch (test->clause->parameter->kind) {
        case SEARCH_DATE:
        case SEARCH_NUMBER:
        case SEARCH_QUANTITY:
            if (wanted->value->compare == STORE_NE) {
                return false; /* nearly everything */
            }
            break;
        default:
            if (wanted->number_count > 0 || wanted->system != 0 || wanted->key.length == 0) {
                return false;
            }
            break;
        }
    }
    return test->count > 0;
}

static void add_test(struct search *search, struct test *test)
{
    for (size_t i = 0; i < search->range_count; i++) {
        struct range *range = &search->ranges[i];
        if (range->test_count > 0 && range->test_count < RANGE_TESTS &&
            reads_as_one(search, range->tests[0], test)) {
            range->tests[range->test_count++] = test;
            return;
        }
    }
    search->ranges[search->range_count++] = (struct range){.tests = {test},
                                                           .test_count = 1,
                                                           .list = {.arena = search->arena},
                                                           .doubts = {.arena = search->arena}};
}

/* ---- pairs --------------------------------------------------------------------------------------
 */

/* Whose values are all codes: these and no others. */
static bool is_of_codes(const struct test *test)
{
    size_t codes = 0;
    if (test->kind != TEST_FACTS || !test->streamed || test->clause->modifier != STORE_PLAIN ||
        test->clause->parameter->kind != SEARCH_TOKEN) {
        return false;
    }
    for (size_t i = 0; i < test->count; i++) {
        if (test->wanted[i].key.at != NULL || test->wanted[i].system != 0) {
            return false;
        }
        codes += test->wanted[i].number_count;
    }
    return codes > 0 && codes <= PAIR_CODES;
}

enum status pair_of_search(struct search *search, uint32_t second, const struct pair **ret_pair,
                           const int64_t **ret_codes, size_t *ret_count)
{
    *ret_pair = NULL;
    for (size_t i = 0; i < search->test_count && *ret_pair == NULL; i++) {
        const struct test *test = &search->tests[i];
        struct number_list codes = {.arena = search->arena};
        const struct pair *pair =
            is_of_codes(test) ? pair_find(search->connection, test->parameter, second) : NULL;
        for (size_t j = 0; pair != NULL && j < test->count; j++) {
            for (size_t k = 0; k < test->wanted[j].number_count; k++) {
                TRY(list_add(&codes, test->wanted[j].numbers[k]));
            }
        }
        if (pair != NULL) {
            list_sort(&codes);
            *ret_pair = pair;
            *ret_codes = codes.items;
            *ret_count = codes.count;
        }
    }
    return STATUS_OK;
}

/* ---- presence -----------------------------------------------------------------------------------
 */

/* Is NUMBER one of TEXT's? */
static bool presence_has(struct slice text, uint32_t number)
{
    uint32_t each = 0;
    for (size_t i = 0; i <= text.length; i++) {
        if (i < text.length && text.at[i] != ' ') {
            each = each * 10 + (uint32_t)(text.at[i] - '0');
            continue;
        }
        if (each == number) {
            return true;
        }
        each = 0;
    }
    return false;
}

/* The codes under which what passes the test stands. None that it may read: RANGE_NEVER. */
static enum status presence_codes(struct search *search, struct range *range)
{
    const struct test *test = range->tests[0];
    const struct parameter *known =
        search->query->type != RESOURCE_TYPE_NONE
            ? store_parameter(search->store, search->query->type, &presence_parameter)
            : NULL;
    struct number_list codes = {.arena = search->arena};
    int64_t number = INT64_MIN;
    size_t seen = 0;
    if (known == NULL || !parameter_is_ready(known, search->connection)) {
        range->state = RANGE_NEVER;
        return STATUS_OK;
    }
    for (bool row = true; row;) {
        struct statement *statement;
        struct slice text;
        TRY(statement_get(search->connection, SQL_TOKEN_NEXT, &statement));
        statement_bind_number(statement, 1, known->number * 2);
        statement_bind_number(statement, 2, number);
        TRY(statement_row(search->connection, statement, &row));
        if (!row) {
            break;
        }
        number = statement_number(statement, 0);
        statement_reset(statement);
        if (++seen > PRESENCE_CODES) {
            range->state = RANGE_NEVER;
            return STATUS_OK;
        }
        TRY(sort_code_text(search, number, search->scratch, &text));
        if (presence_has(text, test->parameter / 2) != test->clause->values[0].boolean) {
            TRY(list_add(&codes, number));
        }
        TRY(search_look(search));
    }
    range->presence = known->number * 2;
    range->codes = codes.items;
    range->code_count = codes.count;
    range->wanted_at = codes.count > 0 ? 0 : 1; /* behind the last run */
    return STATUS_OK;
}

/* ---- runs of a tree -----------------------------------------------------------------------------
 */

/* Low ends of dates between which every match of the value lies, among those of a span. */
static void date_bounds(const struct store_value *value, enum date_class span, int64_t *low,
                        int64_t *high)
{
    int64_t first = INT64_MIN, end = INT64_MAX;
    switch (value->compare) {
    case STORE_EQ:
        first = value->low;
        end = value->high;
        break;
    case STORE_GT:
    case STORE_GE:
        first = span == DATE_WIDE ? INT64_MIN : value->low - date_class_width(span);
        break;
    case STORE_SA:
        first = value->high;
        break;
    case STORE_LT:
    case STORE_LE:
    case STORE_EB:
        end = value->high;
        break;
    default:
        break;
    }
    *low = first > *low ? first : *low;
    *high = end < *high ? end : *high;
}

/* Beside quantities in canonical units stand ranges, at RANGE_PLACE. */
static double number_lowest(const struct wanted *wanted)
{
    return wanted->canonical ? RANGE_PLACE / 10 : -INFINITY;
}

static void number_bounds(const struct wanted *wanted, double *low, double *high)
{
    double first = -INFINITY, last = INFINITY;
    switch (wanted->value->compare) {
    case STORE_EQ:
    case STORE_AP:
        first = wanted->low;
        last = wanted->high;
        break;
    case STORE_GT:
    case STORE_GE:
    case STORE_SA:
        first = wanted->number;
        break;
    case STORE_LT:
    case STORE_LE:
    case STORE_EB:
        last = wanted->number;
        break;
    default:
        break;
    }
    *low = first > *low ? first : *low;
    *high = last < *high ? last : *high;
}

static enum status take(struct search *search, struct range *range, enum statement_number number,
                        uint32_t parameter)
{
    TRY(statement_take(search->connection, number, &range->statement));
    range->number = number;
    statement_bind_number(&range->statement, 1, parameter);
    return STATUS_OK;
}

static void find_sure(const struct search *search, struct range *range, int64_t low, int64_t high)
{
    const struct wanted *wanted[RANGE_TESTS];
    range->sure_low = low;
    range->sure_end = high;
    for (size_t i = 0; i < range->test_count; i++) {
        wanted[i] = &range->tests[i]->wanted[range->wanted_at];
    }
    if (search->connection->db != NULL ||
        !dates_sure(wanted, range->test_count, (enum date_class)range->run_at, &range->sure_low,
                    &range->sure_end)) {
        range->sure_low = range->sure_end = low;
    }
    range->rest = range->sure_end < high;
}

static enum status open_date(struct search *search, struct range *range)
{
    enum date_class span = (enum date_class)range->run_at;
    int64_t low = INT64_MIN, high = INT64_MAX;
    for (size_t i = 0; i < range->test_count; i++) {
        date_bounds(range->tests[i]->wanted[range->wanted_at].value, span, &low, &high);
    }
    find_sure(search, range, low, high);
    if (range->part == PART_SURE) {
        low = range->part_low;
        high = range->sure_end;
    } else if (range->part == PART_REST) {
        low = range->sure_end;
    }
    TRY(take(search, range, range->part == PART_SURE ? SQL_SERVER_DATE_SURE : SQL_DATE_RANGE,
             date_class_parameter(range->tests[0]->parameter, span)));
    statement_bind_number(&range->statement, 2, low);
    statement_bind_number(&range->statement, 3, high);
    return STATUS_OK;
}

/* The second run: ranges of quantities stand apart. */
static enum status open_number(struct search *search, struct range *range, bool quantity)
{
    const struct wanted *wanted = &range->tests[0]->wanted[range->wanted_at];
    double low = number_lowest(wanted), high = INFINITY;
    bool apart = range->run_at == 1;
    for (size_t i = 0; i < range->test_count; i++) {
        number_bounds(&range->tests[i]->wanted[range->wanted_at], &low, &high);
    }
    TRY(take(search, range, quantity ? SQL_QUANTITY_RANGE : SQL_NUMBER_RANGE,
             range->tests[0]->parameter + (apart || wanted->canonical)));
    statement_bind_real(&range->statement, 2, apart ? RANGE_PLACE : low);
    statement_bind_real(&range->statement, 3, apart ? RANGE_PLACE : high);
    return STATUS_OK;
}

/* What the texts begin with, if anything: all of them are read for what is above a URI. */
static struct slice beginning(const struct test *test, const struct wanted *wanted)
{
    return test->clause->modifier == STORE_ABOVE ? SLICE("")
                                                 : slice_head(wanted->key, TEXT_KEY_LIMIT);
}

static enum status open_text(struct search *search, struct range *range)
{
    const struct test *test = range->tests[0];
    const struct wanted *wanted = &test->wanted[range->wanted_at];
    struct slice key = beginning(test, wanted);
    if (test->clause->modifier == STORE_CONTAINS) { /* the engine passes the others faster by */
        TRY(take(search, range, SQL_TEXT_HAVING, test_text_parameter(test)));
        statement_bind_blob(&range->statement, 2, slice_head(wanted->key, TEXT_KEY_LIMIT));
        statement_bind_number(&range->statement, 3, TEXT_KEY_LIMIT);
        return STATUS_OK;
    }
    /* The least text that is greater than all that begin with KEY. */
    struct slice end = arena_copy(search->arena, key);
    char *at = (char *)(uintptr_t)end.at;
    if (at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    while (end.length > 0 && (uint8_t)at[end.length - 1] == 0xff) {
        end.length--;
    }
    TRY(take(search, range, end.length > 0 ? SQL_TEXT_RANGE : SQL_TEXT_FROM,
             test_text_parameter(test)));
    statement_bind_blob(&range->statement, 2, key);
    if (end.length > 0) {
        at[end.length - 1]++;
        statement_bind_blob(&range->statement, 3, end);
    }
    return STATUS_OK;
}

/* The rows of one code whose second values are of the run. */
static enum status open_pair(struct search *search, struct range *range)
{
    struct pair_key from = {.length = 0}, end;
    pair_add_code(&from, range->codes[range->code_at]);
    end = from;
    range->prefix = from.length;
    uint32_t number = range->pair->known.number * 2;
    if (range->pair->tree == TREE_DATE) {
        enum date_class span = (enum date_class)range->run_at;
        int64_t low = INT64_MIN, high = INT64_MAX;
        for (size_t i = 0; i < range->test_count; i++) {
            date_bounds(range->tests[i]->wanted[range->wanted_at].value, span, &low, &high);
        }
        number = date_class_parameter(number, span);
        pair_add_date(&from, low);
        pair_add_date(&end, high);
    } else {
        const struct wanted *wanted = &range->tests[0]->wanted[range->wanted_at];
        double low = number_lowest(wanted), high = INFINITY;
        bool apart = range->run_at == 1;
        for (size_t i = 0; i < range->test_count; i++) {
            number_bounds(&range->tests[i]->wanted[range->wanted_at], &low, &high);
        }
        number += apart || wanted->canonical;
        pair_add_cut(&from, pair_cut(apart ? RANGE_PLACE : low));
        pair_add_cut(&end, pair_cut(apart ? RANGE_PLACE : high) + 1);
    }
    struct slice first = arena_copy(search->arena, slice_of(from.bytes, from.length));
    struct slice last = arena_copy(search->arena, slice_of(end.bytes, end.length));
    if (first.at == NULL || last.at == NULL) {
        return STATUS_TOO_COSTLY;
    }
    TRY(take(search, range, SQL_TEXT_RANGE, number));
    statement_bind_blob(&range->statement, 2, first);
    statement_bind_blob(&range->statement, 3, last);
    return STATUS_OK;
}

/* Every change in that time; what was changed again since is among them, and what is gone. */
static enum status open_changes(struct search *search, struct range *range)
{
    const struct store_query *query = search->query;
    int64_t first = 0, end = INT64_MAX;
    TRY(change_since(search->connection, query->type, query->updated_low, &first));
    if (query->updated_high != INT64_MAX) {
        TRY(change_since(search->connection, query->type, query->updated_high, &end));
    }
    TRY(take(search, range, SQL_CHANGE_RANGE, query->type));
    statement_bind_number(&range->statement, 2, first);
    statement_bind_number(&range->statement, 3, end);
    return STATUS_OK;
}

/* *RET_OPEN false: all runs have been read. */
static enum status open_run(struct search *search, struct range *range, bool *ret_open)
{
    const struct test *test = range->tests[0];
    size_t wanted = test != NULL && range->presence == 0 ? test->count : 1;
    *ret_open = range->wanted_at < wanted;
    if (!*ret_open) {
        return STATUS_OK;
    }
    if (test == NULL) {
        return open_changes(search, range);
    }
    if (range->presence != 0) {
        TRY(take(search, range, SQL_TOKEN_RANGE, range->presence));
        statement_bind_number(&range->statement, 2, range->codes[range->code_at]);
        return STATUS_OK;
    }
    if (range->pair != NULL) {
        return open_pair(search, range);
    }
    enum search_kind kind = test->clause->parameter->kind;
    switch (kind) {
    case SEARCH_DATE:
        return open_date(search, range);
    case SEARCH_NUMBER:
    case SEARCH_QUANTITY:
        return open_number(search, range, kind == SEARCH_QUANTITY);
    default:
        return open_text(search, range);
    }
}

static void close_run(struct search *search, struct range *range)
{
    statement_give(search->connection, range->number, &range->statement);
    range->statement = (struct statement){NULL, NULL};
}

static void next_run(struct search *search, struct range *range)
{
    uint32_t runs = 1;
    if (range->test_count > 0 && range->presence == 0) {
        enum search_kind kind = range->tests[0]->clause->parameter->kind;
        runs = kind == SEARCH_DATE ? DATE_CLASSES : kind == SEARCH_QUANTITY ? 2 : 1;
    }
    close_run(search, range);
    if (range->part == PART_SURE && range->rest) {
        range->part = PART_REST;
        return;
    }
    range->part = PART_ALL;
    if (++range->code_at < range->code_count) {
        return;
    }
    range->code_at = 0;
    if (++range->run_at == runs) {
        range->run_at = 0;
        range->wanted_at++;
    }
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static struct fact fact_of_row(const struct range *range)
{
    const struct statement *statement = &range->statement;
    struct fact fact = {.parameter = range->tests[0]->parameter};
    switch (range->number) {
    case SQL_DATE_RANGE:
        fact.tree = TREE_DATE;
        fact.number = statement_number(statement, 1);
        fact.other = statement_number(statement, 2);
        break;
    case SQL_NUMBER_RANGE:
        fact.tree = TREE_NUMBER;
        fact.real = statement_real(statement, 1);
        break;
    case SQL_QUANTITY_RANGE:
        fact.tree = TREE_QUANTITY;
        fact.real = statement_real(statement, 1);
        fact.other = statement_number(statement, 2);
        if (range->run_at == 1 || range->tests[0]->wanted[range->wanted_at].canonical) {
            fact.parameter++;
        }
        break;
    default:
        fact.tree = TREE_TEXT;
        fact.text = statement_blob(statement, 1);
        fact.parameter = test_text_parameter(range->tests[0]);
        break;
    }
    return fact;
}

/* What a date that begins here comes to is sure where its longest and its shortest agree: each
 * prefix holds for all from a width on, or up to one. */
static enum match match_pair_date(const struct test *test, const struct wanted *wanted,
                                  enum date_class span, int64_t low)
{
    int64_t longest = DATE_END - low; /* low is not below DATE_BEGINNING */
    struct fact fact = {.parameter = test->parameter, .tree = TREE_DATE, .number = low};
    fact.other = span == DATE_DAY ? 1 : date_class_width(span - 1) + 1;
    enum match match = test_fact(test, wanted, &fact);
    fact.other = span == DATE_WIDE ? longest : date_class_width(span);
    return match == test_fact(test, wanted, &fact) ? match : MATCH_MAYBE;
}

/* The unit is not known, and the value only where it is cut the same as no end of what is wanted.
 */
static enum match match_pair_quantity(const struct test *test, const struct wanted *wanted,
                                      bool apart, uint32_t cut)
{
    struct wanted any = *wanted;
    struct fact fact = {.parameter = test->parameter + apart,
                        .tree = TREE_QUANTITY,
                        .real = pair_uncut(cut),
                        .other = UNIT_RANGE + 1};
    if (cut == pair_cut(RANGE_PLACE) || cut == pair_cut(wanted->number) ||
        cut == pair_cut(wanted->low) || cut == pair_cut(wanted->high)) {
        return MATCH_MAYBE;
    }
    any.any_unit = true;
    enum match match = test_fact(test, &any, &fact);
    return match == MATCH_YES && !wanted->any_unit ? MATCH_MAYBE : match;
}

static enum match match_pair(const struct range *range, const struct test *test)
{
    const struct wanted *wanted = &test->wanted[range->wanted_at];
    struct slice second = slice_from(statement_blob(&range->statement, 1), range->prefix);
    if (range->pair->tree == TREE_DATE) {
        return match_pair_date(test, wanted, (enum date_class)range->run_at,
                               pair_read_date(second));
    }
    return match_pair_quantity(test, wanted, range->run_at == 1 || wanted->canonical,
                               pair_read_cut(second));
}

/* By all tests. */
static enum match match_row(const struct range *range)
{
    enum match least = MATCH_YES;
    struct fact fact = {0};
    if (range->presence != 0 || range->part == PART_SURE) {
        return MATCH_YES;
    }
    if (range->test_count > 0 && range->pair == NULL) {
        fact = fact_of_row(range);
    } /* without tests the candidate's row decides */
    for (size_t i = 0; i < range->test_count && least != MATCH_NO; i++) {
        const struct test *test = range->tests[i];
        enum match match = range->pair != NULL
                               ? match_pair(range, test)
                               : test_fact(test, &test->wanted[range->wanted_at], &fact);
        least = match == MATCH_YES ? least : match;
    }
    return least;
}

static bool splits(const struct range *range)
{
    return range->number == SQL_DATE_RANGE && range->part == PART_ALL &&
           range->sure_low < range->sure_end;
}

/* Those that are the same again stand in the list twice until it is sorted. */
static void turn_sure(struct search *search, struct range *range)
{
    int64_t low = statement_number(&range->statement, 1);
    if (splits(range) && low >= range->sure_low && low < range->sure_end &&
        postgres_piece_ends(range->statement.postgres)) {
        close_run(search, range);
        range->part = PART_SURE;
        range->part_low = low;
    }
}

/* At most ROWS of them; MORE are soon. */
static enum status read_rows(struct search *search, struct range *range, uint64_t rows,
                             uint64_t more)
{
    uint64_t until = range->rows + rows;
    while (range->state == RANGE_OPEN && range->rows < until) {
        bool row = false;
        if (statement_is_none(&range->statement)) {
            TRY(open_run(search, range, &row));
            if (!row) {
                range->state = RANGE_DONE;
                return STATUS_OK;
            }
        }
        if (range->statement.postgres != NULL) {
            uint64_t wish = until + more - range->rows;
            postgres_wish(range->statement.postgres,
                          splits(range) && wish > PROBE_ROWS ? PROBE_ROWS : wish);
        }
        TRY(statement_row(search->connection, &range->statement, &row));
        range->rows++;
        if (!row) {
            next_run(search, range);
            continue;
        }
        enum match match = match_row(range);
        int64_t rid = statement_number(&range->statement, 0);
        if (match != MATCH_NO) {
            TRY(list_add(&range->list, rid));
        }
        if (match == MATCH_MAYBE) {
            TRY(list_add(&range->doubts, rid));
        }
        size_t most = RANGE_ROWS / search->range_count;
        most = most < RANGE_MOST ? most : RANGE_MOST;
        range->state = range->list.count >= most ? RANGE_NEVER : range->state;
        if (range->statement.postgres != NULL) {
            turn_sure(search, range);
        }
    }
    return STATUS_OK;
}

/* ---- turns --------------------------------------------------------------------------------------
 */

/* The range has become a list. That of all places is not wanted beside it. */
static enum status range_done(struct search *search, struct range *range)
{
    static const int64_t none[1] = {0};
    list_sort(&range->list);
    list_sort(&range->doubts);
    bool changes = range->test_count == 0;
    search->gone = changes && search->stream_count == 0;
    if (search->all && !changes) {
        stream_close(&search->streams[0]);
        search->stream_count--;
        memmove(search->streams, search->streams + 1,
                search->stream_count * sizeof(*search->streams));
        search->all = false;
    }
    struct stream *stream = &search->streams[search->stream_count++];
    search->turn++;
    *stream = (struct stream){.count = 0};
    TRY(stream_add_list(stream, search->arena, range->list.count > 0 ? range->list.items : none,
                        range->list.count));
    for (size_t i = 0; i < range->test_count; i++) {
        struct test *test = range->tests[i];
        test->streamed = range->doubts.count == 0;
        test->sifted = true;
        test->doubts = range->doubts.items;
        test->doubt_count = range->doubts.count;
    }
    search->narrow = search->typed = true;
    search->brief = search->brief || range->list.count < RANGE_SHORT;
    return STATUS_OK;
}

/* How many rows may have been read by now. Where every place would be a candidate, and every match
 * is wanted, there are not many more rows than places, and each costs a fraction of looking at one.
 */
static uint64_t rows_allowed(const struct search *search, const struct range *range)
{
    bool all = search->stream_count == 0 || search->all;
    uint64_t first = range->pair != NULL ? FIRST_PAIRS : FIRST_ROWS;
    if (search->every && all) {
        return RANGE_ROWS;
    }
    if (search->connection->db == NULL && all && !search->wants_row) {
        bool dense = search->own < FEW_LOOKS || search->matched * DENSE >= search->own;
        first = dense && search->own < PROBE_LOOKS ? PROBE_ROWS : THERE_ROWS;
    }
    return first + search->own * ROWS_OF_A_LOOK;
}

/* As far as is allowed, a turn at a time. What is short ends it. */
static enum status advance(struct search *search)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < search->range_count && !search->brief; i++) {
            struct range *range = &search->ranges[i];
            uint64_t allowed = rows_allowed(search, range);
            if (range->state != RANGE_OPEN || range->rows >= allowed) {
                continue;
            }
            uint64_t left = allowed - range->rows, turn = left < TURN_ROWS ? left : TURN_ROWS;
            TRY(read_rows(search, range, turn, left - turn));
            TRY(search_look(search));
            if (range->state != RANGE_OPEN) {
                close_run(search, range);
            }
            if (range->state == RANGE_DONE) {
                TRY(range_done(search, range));
            }
            more = more || (range->state == RANGE_OPEN && range->rows < allowed);
        }
    }
    return STATUS_OK;
}

enum status ranges_prepare(struct search *search)
{
    search->ranges = arena_array(search->arena, search->test_count + 2, sizeof(struct range));
    if (search->ranges == NULL) {
        return STATUS_TOO_COSTLY;
    }
    for (size_t i = 0; i < search->test_count; i++) {
        if (has_range(&search->tests[i])) {
            add_test(search, &search->tests[i]);
        }
    }
    for (size_t i = 0; i < search->range_count; i++) {
        struct range *range = &search->ranges[i];
        if (range->tests[0]->clause->modifier == STORE_MISSING) {
            TRY(presence_codes(search, range));
            continue;
        }
        TRY(pair_of_search(search, range->tests[0]->parameter, &range->pair, &range->codes,
                           &range->code_count));
    }
    const struct store_query *query = search->query;
    bool updated = query->updated_low != 0 || query->updated_high != 0;
    if (updated && query->type != RESOURCE_TYPE_NONE) {
        search->ranges[search->range_count++] =
            (struct range){.list = {.arena = search->arena}, .doubts = {.arena = search->arena}};
    }
    return advance(search);
}

enum status ranges_advance(struct search *search)
{
    return search->range_count == 0 || search->brief ? STATUS_OK : advance(search);
}

void ranges_close(struct search *search)
{
    for (size_t i = 0; i < search->range_count; i++) {
        close_run(search, &search->ranges[i]);
    }
    search->range_count = 0;
}
