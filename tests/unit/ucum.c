/* SPDX-License-Identifier: MIT */
#include "ucum/ucum.h"
#include "testing.h"

static struct decimal read_decimal(const char *text)
{
    struct decimal value = {0};
    assert_true(decimal_parse(slice_text(text), &value));
    return value;
}

static void assert_decimal(struct arena *arena, struct decimal value, const char *wanted)
{
    struct buffer out = {.arena = arena};
    decimal_write(value, &out);
    assert_buffer_is(&out, wanted);
}

static void reads_what_is_a_unit(void **state)
{
    (void)state;
    static const char *const codes[] = {"m",        "1",       "10*",        "10^-3",
                                        "10*+3/uL", "/min",    "{score}",    "mg{total}/L",
                                        "m[H2O]",   "cm[H2O]", "dB[SPL]",    "B[10.nV]",
                                        "dar",      "dam",     "cd",         "[m/s2/Hz^(1/2)]",
                                        "Amb",      "KiBy",    "mmol/(8.h)", "((m))",
                                        "kg.m/s2",  "m+2",     "m-2",        "'",
                                        "''",       "%",       "g%",         "[in_i'H2O]",
                                        "a_j",      "cal_[15]"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        bool wanted = strcmp(codes[i], "Amb") != 0;
        if (ucum_valid(slice_text(codes[i])) != wanted) {
            fail_msg("\"%s\" is judged wrongly", codes[i]);
        }
    }
}

static void refuses_what_is_no_unit_and_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t at;
    } rows[] = {{"", 0},        {"mmHg", 0},    {"bpm", 0},       {"mg/dl/", 6}, {"mg//L", 3},
                {"m^2", 0},     {"kg m", 0},    {"m.", 2},        {"(m", 2},     {"m)", 1},
                {"{a", 0},      {"{a b}", 2},   {"{a}m", 3},      {"m{a}s", 4},  {"12h", 2},
                {"10+3/ul", 2}, {"ug(8.h)", 2}, {"m2s", 2},       {"m1000", 4},  {"[iIU]", 0},
                {"MGM", 0},     {"k", 0},       {"m-", 2},        {"[pi", 0},    {"(m)2", 3},
                {"0.m", 0},     {"10*999", 0},  {"m\xc2\xb2", 0}, {"kmin", 0},   {"}", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t at = 99;
        const char *fault = ucum_fault(slice_text(rows[i].code), &at);
        if (fault == NULL || at != rows[i].at) {
            fail_msg("\"%s\": fault at %zu, not at %zu", rows[i].code, at, rows[i].at);
        }
    }
}

static void names_the_place_and_not_the_code(void **state)
{
    struct outcome outcome;
    struct ucum_unit unit;
    outcome_init(&outcome, *state);
    assert_int_equal(ucum_parse(SLICE("mg/secret"), &outcome, &unit), STATUS_VALUE);
    assert_int_equal(outcome.errors, 1);
    struct slice text = outcome.first->text;
    assert_true(slice_starts(text, SLICE("UCUM unit, character 4: ")));
    for (size_t i = 0; i + 6 <= text.length; i++) {
        assert_true(memcmp(text.at + i, "secret", 6) != 0);
    }
}

static void bounds_length_nesting_and_size(void **state)
{
    (void)state;
    char code[600];
    size_t at;
    memset(code, '(', sizeof code);
    assert_non_null(ucum_fault(slice_of(code, 200), &at));
    assert_int_equal(at, 32);
    assert_non_null(ucum_fault(slice_of(code, 600), &at));
    for (size_t i = 0; i < 252; i += 4) {
        memcpy(code + i, "Ym9.", 4);
    }
    assert_non_null(ucum_fault(slice_of(code, 251), &at));
    assert_false(ucum_valid(SLICE("[iU].[CFU].[PFU].[FFU]")));
    assert_true(ucum_valid(SLICE("[iU].[CFU].[PFU].[FFU]/[iU]")) ==
                ucum_valid(SLICE("[iU].[CFU].[PFU].[FFU]")));
}

static void converts_exactly(void **state)
{
    static const char *const rows[][4] = {
        {"6.3", "mm", "m", "0.0063"},
        {"120", "mm[Hg]", "kPa", "15.99864"},
        {"1", "mg/dL", "g/L", "0.01"},
        {"72", "kg", "g", "72000"},
        {"1", "[lb_av]", "kg", "0.45359237"},
        {"5", "[ft_i]", "cm", "152.4"},
        {"360", "deg", "circ", "1"},
        {"180", "deg", "rad", "3.14159265358979323846264338327950288"},
        {"3", "m/3937", "m/3937", "3"},
        {"3937", "[ft_us]", "m", "1200"},
        {"90", "/min", "Hz", "1.5"},
        {"1", "a", "d", "365.25"},
        {"5.5", "mmol/L", "mol/m3", "5.5"},
        {"2", "m[iU]/mL", "[iU]/L", "2"},
        {"1", "[IU]", "[iU]", "1"},
        {"50", "%", "1", "0.50"},
        {"1", "10*-3", "1", "0.001"},
        {"37", "Cel", "K", "310.15"},
        {"37", "Cel", "[degF]", "98.6"},
        {"98.6", "[degF]", "Cel", "37"},
        {"212", "[degF]", "[degRe]", "80"},
        {"-40", "Cel", "[degF]", "-40"},
        {"1", "kCel", "Cel", "1000"},
        {"7", "[pH]", "mol/L", "0.0000001"},
        {"0.001", "mol/L", "[pH]", "3"},
        {"20", "dB", "B", "2"},
        {"2", "B", "1", "100"},
        {"3", "bit_s", "1", "8"},
        {"100", "%[slope]", "deg", "45"},
        {"4", "[m/s2/Hz^(1/2)]", "m2/s4/Hz", "16"},
        {"2", "[hp'_C]", "1", "0.0001"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal value, rounded;
        if (ucum_convert(read_decimal(rows[i][0]), slice_text(rows[i][1]), slice_text(rows[i][2]),
                         NULL, &value) != STATUS_OK) {
            fail_msg("%s does not become %s", rows[i][1], rows[i][2]);
        }
        struct decimal wanted = read_decimal(rows[i][3]);
        if (strcmp(rows[i][2], "deg") == 0) {
            assert_true(decimal_round(value, 12, DECIMAL_HALF_EVEN, &rounded));
            value = rounded;
        }
        if (decimal_compare(value, wanted) != 0) {
            assert_decimal(*state, value, rows[i][3]);
        }
    }
}

static void converts_there_and_back_without_loss(void **state)
{
    (void)state;
    static const char *const units[][2] = {{"[mi_i]", "km"}, {"[gal_br]", "mL"},  {"[degF]", "Cel"},
                                           {"cal", "J"},     {"mm[Hg]", "[psi]"}, {"mo", "wk"},
                                           {"eV", "J"},      {"[oz_av]", "g"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct decimal value = read_decimal("98.6"), there, back, rounded;
        struct slice a = slice_text(units[i][0]), b = slice_text(units[i][1]);
        assert_int_equal(ucum_convert(value, a, b, NULL, &there), STATUS_OK);
        assert_int_equal(ucum_convert(there, b, a, NULL, &back), STATUS_OK);
        assert_true(decimal_round(back, 30, DECIMAL_HALF_EVEN, &rounded));
        assert_int_equal(decimal_compare(rounded, value), 0);
    }
}

static void writes_base_units_that_can_be_read_again(void **state)
{
    static const char *const rows[][4] = {{"5", "mg/dL", "50", "g.m-3"},
                                          {"37", "Cel", "310.15", "K"},
                                          {"50", "%", "0.50", "1"},
                                          {"1", "N", "1000", "g.m.s-2"},
                                          {"1", "V", "1000", "C-1.g.m2.s-2"},
                                          {"3", "[iU]/mL", "3000000", "m-3.[iU]"},
                                          {"1", "lx", "1", "cd.m-2.rad2"},
                                          {"2", "{tablet}", "2", "1"},
                                          {"1", "mmol/L", "602214076000000000000000", "m-3"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal value, again;
        struct slice unit;
        assert_int_equal(ucum_canonical(read_decimal(rows[i][0]), slice_text(rows[i][1]), *state,
                                        NULL, &value, &unit),
                         STATUS_OK);
        assert_decimal(*state, value, rows[i][2]);
        assert_slice_is(unit, rows[i][3]);
        assert_int_equal(ucum_convert(value, unit, unit, NULL, &again), STATUS_OK);
        assert_int_equal(ucum_convert(value, unit, slice_text(rows[i][1]), NULL, &again),
                         STATUS_OK);
        assert_int_equal(decimal_compare(again, read_decimal(rows[i][0])), 0);
    }
}

static void compares_across_units(void **state)
{
    (void)state;
    static const struct {
        const char *a, *unit_a, *b, *unit_b;
        int order;
    } rows[] = {{"1", "m", "100", "cm", 0},
                {"1", "[ft_us]", "0.3048006096", "m", 1},
                {"1", "m", "3", "m/3", 0},
                {"38", "Cel", "98.6", "[degF]", 1},
                {"37.0", "Cel", "98.6", "[degF]", 0},
                {"7.1", "[pH]", "7.4", "[pH]", -1},
                {"1", "mL", "1", "cm3", 0},
                {"4", "mmol/L", "5", "umol/mL", -1},
                {"180", "deg", "3.14", "rad", 1},
                {"180", "deg", "1", "[pi].rad", 0},
                {"1", "10*3/uL", "1", "10*9/L", 0},
                {"-1", "km", "1", "mm", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int order = 9;
        struct decimal a = read_decimal(rows[i].a), b = read_decimal(rows[i].b);
        struct slice unit_a = slice_text(rows[i].unit_a), unit_b = slice_text(rows[i].unit_b);
        assert_int_equal(ucum_compare(a, unit_a, b, unit_b, NULL, &order), STATUS_OK);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        assert_int_equal(ucum_compare(b, unit_b, a, unit_a, NULL, &order), STATUS_OK);
        assert_int_equal((order > 0) - (order < 0), -rows[i].order);
    }
}

static void refuses_units_of_different_kinds(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"m", "s"},   {"[iU]", "1"},        {"[iU]", "[CFU]"}, {"mg", "mL"},   {"[iU]/L", "g/L"},
        {"Cel", "m"}, {"Cel/min", "K/min"}, {"Cel2", "K2"},    {"m.[pH]", "m"}};
    struct decimal value;
    int order;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice a = slice_text(rows[i][0]), b = slice_text(rows[i][1]);
        struct decimal one = decimal_from_integer(1);
        assert_int_equal(ucum_convert(one, a, b, NULL, &value), STATUS_UNPROCESSABLE);
        assert_int_equal(ucum_compare(one, a, one, b, NULL, &order), STATUS_UNPROCESSABLE);
    }
    struct decimal none = decimal_from_integer(0);
    assert_int_equal(ucum_convert(none, SLICE("mol/L"), SLICE("[pH]"), NULL, &value),
                     STATUS_UNPROCESSABLE);
    assert_int_equal(ucum_convert(none, SLICE("mol/L"), SLICE("what"), NULL, &value), STATUS_VALUE);
}

static void multiplies_and_divides_quantities(void **state)
{
    static const struct {
        const char *a, *unit_a, *b, *unit_b;
        bool divide;
        const char *value, *unit;
    } rows[] = {{"2", "cm", "3", "m", false, "0.06", "m2"},
                {"6", "m2", "3", "m", true, "2", "m"},
                {"10", "mg", "2", "mg", true, "5", "1"},
                {"10", "[iU]", "2", "mL", true, "5000000", "m-3.[iU]"},
                {"0", "Cel", "2", "1", false, "546.30", "K"},
                {"1", "m/3", "3", "1", false, "1", "m"},
                {"-6", "m", "4", "s", true, "-1.5", "m.s-1"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decimal value, a = read_decimal(rows[i].a), b = read_decimal(rows[i].b);
        struct slice unit;
        enum status status =
            rows[i].divide ? ucum_divide(a, slice_text(rows[i].unit_a), b,
                                         slice_text(rows[i].unit_b), *state, NULL, &value, &unit)
                           : ucum_multiply(a, slice_text(rows[i].unit_a), b,
                                           slice_text(rows[i].unit_b), *state, NULL, &value, &unit);
        assert_int_equal(status, STATUS_OK);
        assert_decimal(*state, value, rows[i].value);
        assert_slice_is(unit, rows[i].unit);
    }
    struct decimal value, one = decimal_from_integer(1), none = decimal_from_integer(0);
    struct slice unit;
    assert_int_equal(ucum_divide(one, SLICE("m"), none, SLICE("s"), *state, NULL, &value, &unit),
                     STATUS_UNPROCESSABLE);
}

static void says_units_in_words(void **state)
{
    static const char *const rows[][2] = {{"", "(unity)"},
                                          {"mm", "(millimeter)"},
                                          {"m/s2", "(meter) / (second ^ 2)"},
                                          {"/min", "1 / (minute)"},
                                          {"mg{total}/(8.h)", "(milligram) / (8 * (hour))"},
                                          {"{tablet}", "(tablet)"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice text;
        assert_int_equal(ucum_display(slice_text(rows[i][0]), *state, NULL, &text), STATUS_OK);
        assert_slice_is(text, rows[i][1]);
    }
}

static void tells_equal_units_however_written(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {{"mL", "cm3", true},    {"[IU]", "[iU]", true},   {"m/s/s", "m.s-2", true},
                {"mg{a}", "mg", true},  {"l", "L", true},         {"mL", "L", false},
                {"Cel", "K", false},    {"[iU]", "[CFU]", false}, {"dB", "B", false},
                {"/60", "10/600", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ucum_unit a, b;
        assert_int_equal(ucum_parse(slice_text(rows[i].a), NULL, &a), STATUS_OK);
        assert_int_equal(ucum_parse(slice_text(rows[i].b), NULL, &b), STATUS_OK);
        assert_int_equal(ucum_equal(&a, &b), rows[i].equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_a_unit),
        cmocka_unit_test(refuses_what_is_no_unit_and_says_where),
        TEST_IN_ARENA(names_the_place_and_not_the_code),
        cmocka_unit_test(bounds_length_nesting_and_size),
        TEST_IN_ARENA(converts_exactly),
        cmocka_unit_test(converts_there_and_back_without_loss),
        TEST_IN_ARENA(writes_base_units_that_can_be_read_again),
        cmocka_unit_test(compares_across_units),
        cmocka_unit_test(refuses_units_of_different_kinds),
        TEST_IN_ARENA(multiplies_and_divides_quantities),
        TEST_IN_ARENA(says_units_in_words),
        cmocka_unit_test(tells_equal_units_however_written),
    };
    return cmocka_run_group_tests_name("ucum", tests, NULL, NULL);
}
