/* SPDX-License-Identifier: MIT */
/* Every function that an expression may call. Rows are in the order of their names: function_find
 * searches by halves. */
#include "fhirpath/fhirpath_int.h"

/* clang-format off */
#define RUN(function) function, NULL
#define TEST(function) NULL, function
#define NONE NULL, NULL

/* name, fewest and most arguments, which of them see $this, what the input must be, what comes out,
 * the implementation (none: not supported), where it is specified: N1 by section, "2" the draft of
 * FHIRPath 2 and 3, "R4" fhirpath.html, "SQL" SQL on FHIR. */
const struct function functions[] = {
    {"abs", 0, 0, 0, INPUT_NUMBER, RESULT_INPUT, RUN(function_abs), "5.7.1"},
    {"aggregate", 1, 2, LAMBDA_0, INPUT_ANY, RESULT_ANY, RUN(function_aggregate), "7.1"},
    {"all", 1, 1, LAMBDA_0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_all), "5.1.3"},
    {"allFalse", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_all_false), "5.1.6"},
    {"allTrue", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_all_true), "5.1.4"},
    {"anyFalse", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_any_false), "5.1.7"},
    {"anyTrue", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_any_true), "5.1.5"},
    {"avg", 0, 0, 0, INPUT_ANY, RESULT_DECIMAL, RUN(function_avg), "2"},
    {"ceiling", 0, 0, 0, INPUT_NUMBER, RESULT_INTEGER, RUN(function_ceiling), "5.7.2"},
    {"checkModifiers", 1, 16, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_check_modifiers), "R4"},
    {"children", 0, 0, 0, INPUT_ANY, RESULT_ANY, RUN(function_children), "5.8.1"},
    {"coalesce", 1, 16, 0, INPUT_ANY, RESULT_ANY, RUN(function_coalesce), "2"},
    {"combine", 1, 1, 0, INPUT_ANY, RESULT_ANY, RUN(function_combine), "5.4.2"},
    {"comparable", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_comparable), "2"},
    {"conformsTo", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_conforms_to), "R4"},
    {"contains", 1, 1, 0, INPUT_STRING, RESULT_BOOLEAN, TEST(function_contains), "5.6.5"},
    {"convertsToBoolean", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_boolean), "5.5.2"},
    {"convertsToDate", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_date), "5.5.4"},
    {"convertsToDateTime", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_date_time), "5.5.5"},
    {"convertsToDecimal", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_decimal), "5.5.6"},
    {"convertsToInteger", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_integer), "5.5.3"},
    {"convertsToQuantity", 0, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_quantity), "5.5.7"},
    {"convertsToString", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_string), "5.5.8"},
    {"convertsToTime", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_converts_to_time), "5.5.9"},
    {"count", 0, 0, 0, INPUT_ANY, RESULT_INTEGER, RUN(function_count), "5.1.10"},
    {"decode", 1, 1, 0, INPUT_STRING, RESULT_STRING, RUN(function_decode), "2"},
    {"defineVariable", 1, 2, LAMBDA_1, INPUT_ANY, RESULT_INPUT, RUN(function_define_variable), "2"},
    {"descendants", 0, 0, 0, INPUT_ANY, RESULT_ANY, RUN(function_descendants), "5.8.2"},
    {"distinct", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_distinct), "5.1.11"},
    {"elementDefinition", 0, 0, 0, INPUT_ANY, RESULT_ANY, NONE, "R4"},
    {"empty", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_empty), "5.1.1"},
    {"encode", 1, 1, 0, INPUT_STRING, RESULT_STRING, RUN(function_encode), "2"},
    {"endsWith", 1, 1, 0, INPUT_STRING, RESULT_BOOLEAN, TEST(function_ends_with), "5.6.4"},
    {"escape", 1, 1, 0, INPUT_STRING, RESULT_STRING, RUN(function_escape), "2"},
    {"exclude", 1, 1, 0, INPUT_ANY, RESULT_INPUT, RUN(function_exclude), "5.3.9"},
    {"exists", 0, 1, LAMBDA_0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_exists), "5.1.2"},
    {"exp", 0, 0, 0, INPUT_NUMBER, RESULT_DECIMAL, RUN(function_exp), "5.7.3"},
    {"extension", 1, 1, 0, INPUT_ANY, RESULT_EXTENSION, RUN(function_extension), "R4"},
    {"first", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_first), "5.3.3"},
    {"floor", 0, 0, 0, INPUT_NUMBER, RESULT_INTEGER, RUN(function_floor), "5.7.4"},
    {"getReferenceKey", 0, 1, 0, INPUT_ANY, RESULT_STRING, RUN(function_get_reference_key), "SQL"},
    {"getResourceKey", 0, 0, 0, INPUT_ANY, RESULT_STRING, RUN(function_get_resource_key), "SQL"},
    {"getValue", 0, 0, 0, INPUT_ANY, RESULT_ANY, RUN(function_get_value), "R4"},
    {"hasExtension", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_has_extension), "R4"},
    {"hasValue", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_has_value), "R4"},
    {"highBoundary", 0, 1, 0, INPUT_ANY, RESULT_ANY, RUN(function_high_boundary), "2"},
    {"htmlChecks", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_html_checks), "R4"},
    {"iif", 2, 3, LAMBDA_ALL, INPUT_ANY, RESULT_ANY, RUN(function_iif), "5.5.1"},
    {"indexOf", 1, 1, 0, INPUT_STRING, RESULT_INTEGER, RUN(function_index_of), "5.6.1"},
    {"intersect", 1, 1, 0, INPUT_ANY, RESULT_INPUT, RUN(function_intersect), "5.3.8"},
    {"isDistinct", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_is_distinct), "5.1.12"},
    {"join", 0, 1, 0, INPUT_STRING, RESULT_STRING, RUN(function_join), "2"},
    {"last", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_last), "5.3.4"},
    {"lastIndexOf", 1, 1, 0, INPUT_STRING, RESULT_INTEGER, RUN(function_last_index_of), "2"},
    {"length", 0, 0, 0, INPUT_STRING, RESULT_INTEGER, RUN(function_length), "5.6.11"},
    {"ln", 0, 0, 0, INPUT_NUMBER, RESULT_DECIMAL, RUN(function_ln), "5.7.5"},
    {"log", 1, 1, 0, INPUT_NUMBER, RESULT_DECIMAL, RUN(function_log), "5.7.6"},
    {"lowBoundary", 0, 1, 0, INPUT_ANY, RESULT_ANY, RUN(function_low_boundary), "2"},
    {"lower", 0, 0, 0, INPUT_STRING, RESULT_STRING, RUN(function_lower), "5.6.7"},
    {"matches", 1, 1, 0, INPUT_STRING, RESULT_BOOLEAN, TEST(function_matches), "5.6.9"},
    {"matchesFull", 1, 1, 0, INPUT_STRING, RESULT_BOOLEAN, TEST(function_matches_full), "2"},
    {"max", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_max), "2"},
    {"memberOf", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_member_of), "R4"},
    {"min", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_min), "2"},
    {"not", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_not), "6.5.3"},
    {"now", 0, 0, 0, INPUT_ANY, RESULT_DATETIME, RUN(function_now), "5.9.2"},
    {"ofType", 1, 1, 0, INPUT_ANY, RESULT_TYPE_ARGUMENT, RUN(function_of_type), "5.2.4"},
    {"power", 1, 1, 0, INPUT_NUMBER, RESULT_ANY, RUN(function_power), "5.7.7"},
    {"precision", 0, 0, 0, INPUT_ANY, RESULT_INTEGER, RUN(function_precision), "2"},
    {"repeat", 1, 1, LAMBDA_0, INPUT_ANY, RESULT_ANY, RUN(function_repeat), "5.2.3"},
    {"replace", 2, 2, 0, INPUT_STRING, RESULT_STRING, RUN(function_replace), "5.6.8"},
    {"replaceMatches", 2, 2, 0, INPUT_STRING, RESULT_STRING, RUN(function_replace_matches), "5.6.10"},
    {"resolve", 0, 0, 0, INPUT_ANY, RESULT_ANY, RUN(function_resolve), "R4"},
    {"round", 0, 1, 0, INPUT_NUMBER, RESULT_DECIMAL, RUN(function_round), "5.7.8"},
    {"select", 1, 1, LAMBDA_0, INPUT_ANY, RESULT_FIRST_ARGUMENT, RUN(function_select), "5.2.2"},
    {"single", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_single), "5.3.2"},
    {"skip", 1, 1, 0, INPUT_ANY, RESULT_INPUT, RUN(function_skip), "5.3.6"},
    {"slice", 2, 2, 0, INPUT_ANY, RESULT_ANY, NONE, "R4"},
    {"sort", 0, 16, LAMBDA_ALL, INPUT_ANY, RESULT_INPUT, RUN(function_sort), "2"},
    {"split", 1, 1, 0, INPUT_STRING, RESULT_STRING, RUN(function_split), "2"},
    {"sqrt", 0, 0, 0, INPUT_NUMBER, RESULT_DECIMAL, RUN(function_sqrt), "5.7.9"},
    {"startsWith", 1, 1, 0, INPUT_STRING, RESULT_BOOLEAN, TEST(function_starts_with), "5.6.3"},
    {"subsetOf", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_subset_of), "5.1.8"},
    {"substring", 1, 2, 0, INPUT_STRING, RESULT_STRING, RUN(function_substring), "5.6.2"},
    {"subsumedBy", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_subsumed_by), "R4"},
    {"subsumes", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_subsumes), "R4"},
    {"sum", 0, 0, 0, INPUT_ANY, RESULT_ANY, RUN(function_sum), "2"},
    {"supersetOf", 1, 1, 0, INPUT_ANY, RESULT_BOOLEAN, TEST(function_superset_of), "5.1.9"},
    {"tail", 0, 0, 0, INPUT_ANY, RESULT_INPUT, RUN(function_tail), "5.3.5"},
    {"take", 1, 1, 0, INPUT_ANY, RESULT_INPUT, RUN(function_take), "5.3.7"},
    {"timeOfDay", 0, 0, 0, INPUT_ANY, RESULT_TIME, RUN(function_time_of_day), "5.9.3"},
    {"toBoolean", 0, 0, 0, INPUT_ANY, RESULT_BOOLEAN, RUN(function_to_boolean), "5.5.2"},
    {"toChars", 0, 0, 0, INPUT_STRING, RESULT_STRING, RUN(function_to_chars), "5.6.12"},
    {"toDate", 0, 0, 0, INPUT_ANY, RESULT_DATE, RUN(function_to_date), "5.5.4"},
    {"toDateTime", 0, 0, 0, INPUT_ANY, RESULT_DATETIME, RUN(function_to_date_time), "5.5.5"},
    {"toDecimal", 0, 0, 0, INPUT_ANY, RESULT_DECIMAL, RUN(function_to_decimal), "5.5.6"},
    {"toInteger", 0, 0, 0, INPUT_ANY, RESULT_INTEGER, RUN(function_to_integer), "5.5.3"},
    {"toQuantity", 0, 1, 0, INPUT_ANY, RESULT_QUANTITY, RUN(function_to_quantity), "5.5.7"},
    {"toString", 0, 0, 0, INPUT_ANY, RESULT_STRING, RUN(function_to_string), "5.5.8"},
    {"toTime", 0, 0, 0, INPUT_ANY, RESULT_TIME, RUN(function_to_time), "5.5.9"},
    {"today", 0, 0, 0, INPUT_ANY, RESULT_DATE, RUN(function_today), "5.9.4"},
    {"trace", 1, 2, LAMBDA_1, INPUT_ANY, RESULT_INPUT, RUN(function_trace), "5.9.1"},
    {"trim", 0, 0, 0, INPUT_STRING, RESULT_STRING, RUN(function_trim), "2"},
    {"truncate", 0, 0, 0, INPUT_NUMBER, RESULT_INTEGER, RUN(function_truncate), "5.7.10"},
    {"type", 0, 0, 0, INPUT_ANY, RESULT_ANY, RUN(function_type), "2"},
    {"unescape", 1, 1, 0, INPUT_STRING, RESULT_STRING, RUN(function_unescape), "2"},
    {"union", 1, 1, 0, INPUT_ANY, RESULT_ANY, RUN(function_union), "5.4.1"},
    {"upper", 0, 0, 0, INPUT_STRING, RESULT_STRING, RUN(function_upper), "5.6.6"},
    {"where", 1, 1, LAMBDA_0, INPUT_ANY, RESULT_INPUT, RUN(function_where), "5.2.1"},
};
/* clang-format on */

static const size_t row_count = sizeof functions / sizeof functions[0];

const struct function *function_find(struct slice name)
{
    size_t low = 0, high = row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(name, slice_text(functions[middle].name));
        if (order == 0) {
            return &functions[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
