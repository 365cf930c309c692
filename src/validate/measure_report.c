/* SPDX-License-Identifier: MIT */
/* A MeasureReport against its Measure (R4 measurereport.html): the results of the calculation, one
 * for each group of the measure, and in a group one for each of its populations and stratifiers,
 * told apart by their codes. */
#include "validate/form_int.h"

/* Comparisons of an item with an item; past it the report is not judged further. */
#define STEPS_MOST 1000000u

struct comparison {
    struct checker *checker;
    uint32_t steps;
};

/* One list of the report beside that of the measure. */
struct pairing {
    const char *name; /* of both lists */
    const char *same; /* what an item of the report is told when nothing matches it */
    const char *all;  /* what is said where the measure's item has none */
};

static bool codings_agree(yyjson_val *a, yyjson_val *b)
{
    size_t i, max, j, last;
    yyjson_val *left, *right;
    yyjson_arr_foreach(json_get(a, "coding"), i, max, left)
    {
        yyjson_arr_foreach(json_get(b, "coding"), j, last, right)
        {
            struct slice code = json_get_string(left, "code");
            if (code.length > 0 && slice_equals(code, json_get_string(right, "code")) &&
                slice_equals(json_get_string(left, "system"), json_get_string(right, "system"))) {
                return true;
            }
        }
    }
    struct slice text = json_get_string(a, "text");
    return text.length > 0 && slice_equals(text, json_get_string(b, "text"));
}

/* MeasureReport.group.stratifier.code repeats, the others do not. */
static bool agree(yyjson_val *reported, yyjson_val *defined)
{
    yyjson_val *own = json_get(reported, "code"), *code = json_get(defined, "code"), *each;
    size_t i, max;
    if (!yyjson_is_arr(own)) {
        return codings_agree(own, code);
    }
    yyjson_arr_foreach(own, i, max, each)
    {
        if (codings_agree(each, code)) {
            return true;
        }
    }
    return false;
}

/* Of one and one it is plain which belongs to which, unless both have codes, and other ones. */
static bool are_meant(yyjson_val *reported, yyjson_val *defined, bool only)
{
    bool coded = json_get(reported, "code") != NULL && json_get(defined, "code") != NULL;
    return agree(reported, defined) || (only && !coded);
}

static yyjson_val *counterpart(struct comparison *comparison, yyjson_val *list, yyjson_val *other,
                               bool report, bool only)
{
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(list, i, max, each)
    {
        if (++comparison->steps > STEPS_MOST) {
            return each;
        }
        if (report ? are_meant(each, other, only) : are_meant(other, each, only)) {
            return each;
        }
    }
    return NULL;
}

static const struct pairing groups = {
    "group", "The measure has no group of this code: give the group the code of the measure's.",
    "A group of the measure is not in the report: add it, with its code."};
static const struct pairing populations = {
    "population",
    "The group of the measure has no population of this code: give it the code of the measure's.",
    "A population of the measure's group is not in the report: add it, with its code."};
static const struct pairing stratifiers = {
    "stratifier",
    "The group of the measure has no stratifier of this code: give it the code of the measure's.",
    "A stratifier of the measure's group is not in the report: add it, with its code."};

static void check_list(struct comparison *comparison, const struct place *place,
                       yyjson_val *report_item, yyjson_val *measure_item,
                       const struct pairing *pairing)
{
    struct checker *checker = comparison->checker;
    yyjson_val *reported = json_get(report_item, pairing->name), *each;
    yyjson_val *defined = json_get(measure_item, pairing->name);
    bool only = yyjson_arr_size(reported) == 1 && yyjson_arr_size(defined) == 1;
    size_t i, max;
    yyjson_arr_foreach(reported, i, max, each)
    {
        struct place at = place_member(checker, place, pairing->name, (uint32_t)i);
        yyjson_val *meant = counterpart(comparison, defined, each, false, only);
        if (meant == NULL) {
            report(checker, &at.frame, each, RULE_MEASURE, pairing->same);
        } else if (pairing == &groups) {
            check_list(comparison, &at, each, meant, &populations);
            check_list(comparison, &at, each, meant, &stratifiers);
        }
    }
    yyjson_arr_foreach(defined, i, max, each)
    {
        if (counterpart(comparison, reported, each, true, only) == NULL) {
            report(checker, &place->frame, report_item, RULE_MEASURE, pairing->all);
        }
    }
}

/* A cohort has no score (R4 code system measure-scoring). */
static void check_scores(struct checker *checker, const struct place *place, yyjson_val *root,
                         yyjson_val *measure)
{
    size_t i, max;
    yyjson_val *each;
    bool cohort = false;
    yyjson_arr_foreach(json_get(json_get(measure, "scoring"), "coding"), i, max, each)
    {
        cohort = cohort || slice_is(json_get_string(each, "code"), "cohort");
    }
    yyjson_arr_foreach(json_get(root, "group"), i, max, each)
    {
        if (cohort && json_get(each, "measureScore") != NULL) {
            struct place group = place_member(checker, place, "group", (uint32_t)i);
            struct place at = place_member(checker, &group, "measureScore", NO_INDEX);
            report(checker, &at.frame, json_get(each, "measureScore"), RULE_MEASURE,
                   "The measure defines a cohort, which has no score: leave it out.");
        }
    }
}

void check_measure_report(struct checker *checker, const struct frame *frame,
                          const struct type_row *type, yyjson_val *root)
{
    struct place place = {.frame = *frame, .type = type};
    struct slice url = json_get_string(root, "measure");
    if (!checker->options->strict || url.length == 0 ||
        slice_is(json_get_string(root, "type"), "data-collection")) {
        return; /* those have no groups (mrp-1) */
    }
    const struct canonical *measure =
        conformance_hold(checker->options->conformance, SLICE("Measure"), url);
    struct comparison comparison = {.checker = checker};
    if (measure != NULL) {
        check_list(&comparison, &place, root, measure->json->root, &groups);
        check_scores(checker, &place, root, measure->json->root);
    }
    conformance_release(checker->options->conformance, measure);
}
