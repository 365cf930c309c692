/* SPDX-License-Identifier: MIT */
/* The codes and identifiers of synthetic people: check digits of every one that has them, and
 * nothing that a register could have given to somebody. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "synth/synth_int.h"
#include "testing.h"

#define MEBIBYTE ((size_t)1 << 20)

/* ---- check digits -------------------------------------------------------------------------- */

/* Verhoeff's: multiplication in the dihedral group of ten, digits permuted by place (SNOMED CT
 * Release File Specifications, "Check-digit computation"). */
static unsigned multiply(unsigned a, unsigned b)
{
    if (a < 5) {
        return b < 5 ? (a + b) % 5 : 5 + (a + b) % 5;
    }
    return b < 5 ? 5 + (a + 5 - b) % 5 : (a + 5 - b) % 5;
}

static unsigned permute(unsigned place, unsigned digit)
{
    static const unsigned once[10] = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
    for (unsigned i = 0; i < place % 8; i++) {
        digit = once[digit];
    }
    return digit;
}

/* A concept's identifier: 6 to 18 digits, no leading zero, partition 00 or 10, a right check
 * digit. */
static bool is_concept_id(struct slice code)
{
    if (code.length < 6 || code.length > 18 || code.at[0] == '0') {
        return false;
    }
    unsigned check = 0;
    for (size_t place = 0; place < code.length; place++) {
        char letter = code.at[code.length - 1 - place];
        if (letter < '0' || letter > '9') {
            return false;
        }
        check = multiply(check, permute((unsigned)place, (unsigned)(letter - '0')));
    }
    char item = code.at[code.length - 2];
    char partition = code.at[code.length - 3];
    return check == 0 && item == '0' && (partition == '0' || partition == '1');
}

/* LOINC: digits, a hyphen, and Luhn's check digit over them. */
static bool is_loinc(struct slice code)
{
    if (code.length < 3 || code.at[code.length - 2] != '-') {
        return false;
    }
    unsigned sum = 0;
    bool twice = true;
    for (size_t i = code.length - 2; i-- > 0; twice = !twice) {
        if (code.at[i] < '0' || code.at[i] > '9') {
            return false;
        }
        unsigned digit = (unsigned)(code.at[i] - '0') * (twice ? 2 : 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return code.at[code.length - 1] == (char)('0' + (10 - sum % 10) % 10);
}

static void assert_concept(const char *code, const char *display)
{
    assert_non_null(code);
    if (!is_concept_id(slice_of(code, strlen(code)))) {
        fail_msg("%s (%s) is no SNOMED CT concept's identifier", code, display);
    }
    assert_true(display != NULL && display[0] != '\0');
}

/* ---- tables -------------------------------------------------------------------------------- */

static void knows_a_wrong_check_digit(void **state)
{
    (void)state;
    assert_true(is_concept_id(SLICE("22298006")));
    assert_true(is_concept_id(SLICE("999000041000000102")));
    assert_false(is_concept_id(SLICE("22298007")));
    assert_false(is_concept_id(SLICE("22289006")));
    assert_false(is_concept_id(SLICE("22298006x")));
    assert_false(is_concept_id(SLICE("751689013"))); /* a description's */
    assert_true(is_loinc(SLICE("8480-6")));
    assert_false(is_loinc(SLICE("8480-5")));
    assert_false(is_loinc(SLICE("8408-6")));
}

static void has_illnesses_and_complaints_with_right_check_digits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        assert_concept(synth_illnesses[i].code, synth_illnesses[i].display);
        if (synth_illnesses[i].plan_code != NULL) {
            assert_concept(synth_illnesses[i].plan_code, synth_illnesses[i].plan);
        }
    }
    for (unsigned i = 0; i < synth_complaint_count; i++) {
        assert_concept(synth_complaints[i].code, synth_complaints[i].display);
    }
    for (unsigned i = 0; i < synth_allergy_count; i++) {
        assert_concept(synth_allergies[i].code, synth_allergies[i].display);
        assert_concept(synth_allergies[i].reaction, synth_allergies[i].reaction_display);
    }
}

static void has_medicines_with_right_check_digits_or_no_code(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MED_COUNT; i++) {
        const struct medicine *medicine = &synth_medicines[i];
        if (medicine->system == 'N') {
            assert_string_equal(medicine->code, "");
        } else {
            assert_true(medicine->system == 'D' || medicine->system == 'S');
            assert_concept(medicine->code, medicine->display);
        }
    }
}

static void assert_vaccine(const struct vaccine *vaccine)
{
    assert_concept(vaccine->procedure, vaccine->procedure_display);
    if (vaccine->system == 'N') {
        assert_string_equal(vaccine->product, "");
    } else {
        assert_concept(vaccine->product, vaccine->product_display);
    }
}

static void has_vaccines_with_right_check_digits_or_no_code(void **state)
{
    (void)state;
    for (unsigned i = 0; i < synth_vaccine_count; i++) {
        assert_vaccine(&synth_vaccines[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_vaccine(&synth_covid[i]);
    }
    assert_vaccine(&synth_flu);
    assert_vaccine(&synth_flu_child);
    assert_vaccine(&synth_shingles);
    assert_vaccine(&synth_pneumococcal);
    assert_vaccine(&synth_rsv);
}

static void has_measures_with_right_check_digits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        const struct measure *measure = &synth_measures[i];
        if (!is_loinc(slice_of(measure->loinc, strlen(measure->loinc)))) {
            fail_msg("%s is no LOINC code", measure->loinc);
        }
        if (measure->snomed != NULL) {
            assert_concept(measure->snomed, measure->snomed_display);
        }
    }
}

/* ---- what is written ----------------------------------------------------------------------- */

struct tally {
    unsigned concepts, products, loinc, phones, mails, identifiers;
};

static bool starts_with(struct slice s, const char *start)
{
    size_t length = strlen(start);
    return s.length >= length && memcmp(s.at, start, length) == 0;
}

static void check_code(yyjson_val *value, struct slice system, struct tally *tally)
{
    struct slice code = json_get_string(value, "code");
    bool snomed = slice_is(system, "http://snomed.info/sct");
    bool product = slice_is(system, "https://dmd.nhs.uk");
    if ((snomed || product) && !is_concept_id(code)) {
        fail_msg("%.*s has a wrong check digit", SLICE_ARGS(code));
    }
    bool loinc = slice_is(system, "http://loinc.org");
    if (loinc && !is_loinc(code)) {
        fail_msg("%.*s has a wrong check digit", SLICE_ARGS(code));
    }
    tally->concepts += snomed;
    tally->products += product;
    tally->loinc += loinc;
}

/* Ofcom's numbers for drama; addresses of a domain that nobody can have (RFC 2606). */
static void check_contact(yyjson_val *value, struct slice system, struct tally *tally)
{
    struct slice text = json_get_string(value, "value");
    if (slice_is(system, "phone")) {
        assert_int_equal(text.length, 12);
        assert_true(starts_with(text, "07700 900") || starts_with(text, "01632 960"));
        tally->phones++;
    } else if (slice_is(system, "email")) {
        static const char domain[] = "@example.org";
        size_t length = sizeof domain - 1;
        assert_true(text.length > length);
        assert_memory_equal(text.at + text.length - length, domain, length);
        tally->mails++;
    }
}

static void check_value(yyjson_val *value, bool identifier, struct tally *tally)
{
    size_t index;
    size_t count;
    yyjson_val *key;
    yyjson_val *member;
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, index, count, member)
        {
            check_value(member, identifier, tally);
        }
        return;
    }
    if (!yyjson_is_obj(value)) {
        return;
    }
    struct slice system = json_get_string(value, "system");
    if (identifier) {
        assert_true(slice_is(system, "https://fhir.nhs.uk/Id/nhs-number") ||
                    starts_with(system, "https://example.org/"));
        tally->identifiers++;
    } else if (json_get(value, "code") != NULL) {
        check_code(value, system, tally);
    } else if (json_get(value, "value") != NULL) {
        check_contact(value, system, tally);
    }
    yyjson_obj_foreach(value, index, count, key, member)
    {
        check_value(member, slice_is(json_string(key), "identifier"), tally);
    }
}

static void check_file(const char *path, struct tally *tally)
{
    struct arena *arena = arena_create(0);
    struct slice lines;
    assert_int_equal(disk_read_file(path, 256 * MEBIBYTE, arena, &lines), STATUS_OK);
    while (lines.length > 0) {
        struct arena_mark mark = arena_mark(arena);
        struct json json;
        assert_int_equal(
            json_read(slice_cut(&lines, '\n'), &json_limits_default, arena, NULL, &json),
            STATUS_OK);
        check_value(json.root, false, tally);
        arena_rewind(arena, mark);
    }
    arena_destroy(arena);
}

/* Codes that stand in no table, and whatever else carries one, are seen here. */
static void writes_no_wrong_check_digit_and_no_number_of_somebody(void **state)
{
    (void)state;
    char folder[] = "carelayer-synth-codes-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct synth_options options = {
        .people = 250, .seed = 33, .format = SYNTH_NDJSON, .directory = folder, .threads = 1};
    struct synth_totals totals;
    assert_int_equal(synth_run(&options, NULL, &totals), STATUS_OK);
    struct tally tally = {0};
    for (unsigned type = 0; type < TYPE_COUNT; type++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s.ndjson", folder, synth_type_names[type]);
        check_file(path, &tally);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    assert_true(tally.concepts > 1000 && tally.products > 100 && tally.loinc > 1000);
    assert_true(tally.phones > 150 && tally.mails > 80 && tally.identifiers > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_wrong_check_digit),
        cmocka_unit_test(has_illnesses_and_complaints_with_right_check_digits),
        cmocka_unit_test(has_medicines_with_right_check_digits_or_no_code),
        cmocka_unit_test(has_vaccines_with_right_check_digits_or_no_code),
        cmocka_unit_test(has_measures_with_right_check_digits),
        cmocka_unit_test(writes_no_wrong_check_digit_and_no_number_of_somebody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
