/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "synth/synth_int.h"
#include "testing.h"

/* ---- folders ------------------------------------------------------------------------------- */

#define FOLDER_LENGTH 32
#define MEBIBYTE      ((size_t)1 << 20)

static void make_folder(char folder[static FOLDER_LENGTH])
{
    (void)snprintf(folder, FOLDER_LENGTH, "carelayer-synth-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void drop_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)remove(path);
    }
    (void)closedir(entries);
    assert_int_equal(rmdir(folder), 0);
}

static struct synth_totals make_people(const char *folder, uint64_t people, uint64_t seed,
                                       enum synth_format format, unsigned threads)
{
    struct synth_options options = {
        .people = people, .seed = seed, .format = format, .directory = folder, .threads = threads};
    struct synth_totals totals;
    assert_int_equal(synth_run(&options, NULL, &totals), STATUS_OK);
    assert_int_equal(totals.people, people);
    return totals;
}

static struct slice read_file(struct arena *arena, const char *folder, const char *name)
{
    struct slice bytes;
    const char *path = arena_print(arena, "%s/%s", folder, name);
    assert_int_equal(disk_read_file(path, 512 * MEBIBYTE, arena, &bytes), STATUS_OK);
    return bytes;
}

/* One digest of the names and contents of all files, whatever order the folder lists them in. */
static void digest_folder(const char *folder, uint8_t ret_digest[static SHA256_LENGTH])
{
    struct arena *arena = arena_create(0);
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    memset(ret_digest, 0, SHA256_LENGTH);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        struct arena_mark mark = arena_mark(arena);
        uint8_t name[SHA256_LENGTH];
        uint8_t bytes[SHA256_LENGTH];
        sha256(slice_text(entry->d_name), name);
        sha256(read_file(arena, folder, entry->d_name), bytes);
        for (unsigned i = 0; i < SHA256_LENGTH; i++) {
            ret_digest[i] = (uint8_t)(ret_digest[i] + (name[i] ^ bytes[(i + 1) % SHA256_LENGTH]));
        }
        arena_rewind(arena, mark);
    }
    (void)closedir(entries);
    arena_destroy(arena);
}

static void digest_people(uint64_t people, uint64_t seed, enum synth_format format,
                          unsigned threads, uint8_t ret_digest[static SHA256_LENGTH])
{
    char folder[FOLDER_LENGTH];
    make_folder(folder);
    (void)make_people(folder, people, seed, format, threads);
    digest_folder(folder, ret_digest);
    drop_folder(folder);
}

/* ---- the same bytes ------------------------------------------------------------------------ */

static void makes_the_same_bytes_from_the_same_seed(void **state)
{
    (void)state;
    uint8_t one[SHA256_LENGTH];
    uint8_t other[SHA256_LENGTH];
    digest_people(200, 11, SYNTH_NDJSON, 1, one);
    digest_people(200, 11, SYNTH_NDJSON, 1, other);
    assert_memory_equal(one, other, SHA256_LENGTH);
    digest_people(200, 12, SYNTH_NDJSON, 1, other);
    assert_memory_not_equal(one, other, SHA256_LENGTH);
}

static void makes_the_same_bytes_with_any_number_of_threads(void **state)
{
    (void)state;
    static const enum synth_format formats[] = {SYNTH_NDJSON, SYNTH_BUNDLE};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t one[SHA256_LENGTH];
        uint8_t other[SHA256_LENGTH];
        digest_people(400, 5, formats[i], 1, one);
        digest_people(400, 5, formats[i], 5, other);
        assert_memory_equal(one, other, SHA256_LENGTH);
    }
}

static void ends_records_on_the_last_day_asked_for(void **state)
{
    struct arena *arena = *state;
    char folder[FOLDER_LENGTH];
    make_folder(folder);
    struct synth_options options = {.people = 60,
                                    .seed = 3,
                                    .format = SYNTH_NDJSON,
                                    .directory = folder,
                                    .until = SLICE("2019-06-30"),
                                    .threads = 1};
    struct synth_totals totals;
    assert_int_equal(synth_run(&options, NULL, &totals), STATUS_OK);
    struct slice lines = read_file(arena, folder, "Encounter.ndjson");
    unsigned count = 0;
    while (lines.length > 0) {
        struct slice line = slice_cut(&lines, '\n');
        struct arena_mark mark = arena_mark(arena);
        struct json json;
        assert_int_equal(json_read(line, &json_limits_default, arena, NULL, &json), STATUS_OK);
        struct slice start = json_get_string(json_get(json.root, "period"), "start");
        assert_true(slice_compare(slice_head(start, 10), SLICE("2019-06-30")) <= 0);
        arena_rewind(arena, mark);
        count++;
    }
    assert_true(count > 200);
    drop_folder(folder);
}

/* ---- every reference, id and line ------------------------------------------------------------ */

struct names {
    struct slice *at;
    size_t count, capacity;
};

static void add_name(struct names *names, struct slice name)
{
    assert_true(names->count < names->capacity);
    names->at[names->count++] = name;
}

static int compare_names(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static bool find_name(const struct names *names, struct slice name)
{
    return bsearch(&name, names->at, names->count, sizeof name, compare_names) != NULL;
}

struct collection {
    struct arena *arena;
    struct names ids, references;
};

/* Collects what "reference" says, and fails on what FHIR's JSON may not have: empty strings, arrays
 * and objects, null. */
static void collect(struct collection *collection, yyjson_val *value)
{
    size_t index;
    size_t count;
    yyjson_val *key;
    yyjson_val *member;
    assert_false(yyjson_is_null(value));
    if (yyjson_is_obj(value)) {
        assert_true(yyjson_obj_size(value) > 0);
        yyjson_obj_foreach(value, index, count, key, member)
        {
            if (slice_is(json_string(key), "reference")) {
                add_name(&collection->references,
                         arena_copy(collection->arena, json_string(member)));
            }
            collect(collection, member);
        }
    } else if (yyjson_is_arr(value)) {
        assert_true(yyjson_arr_size(value) > 0);
        yyjson_arr_foreach(value, index, count, member)
        {
            collect(collection, member);
        }
    } else if (yyjson_is_str(value)) {
        assert_true(json_string(value).length > 0);
        assert_true(slice_is_utf8(json_string(value)));
    }
}

static void collect_resource(struct collection *collection, yyjson_val *resource)
{
    struct buffer name = {.arena = collection->arena};
    buffer_add(&name, json_get_string(resource, "resourceType"));
    buffer_add_byte(&name, '/');
    buffer_add(&name, json_get_string(resource, "id"));
    add_name(&collection->ids, buffer_slice(&name));
    collect(collection, resource);
}

static struct collection begin_collection(size_t capacity)
{
    struct collection collection = {.arena = arena_create(0)};
    assert_non_null(collection.arena);
    collection.ids.capacity = capacity;
    collection.references.capacity = capacity * 8;
    collection.ids.at = arena_array(collection.arena, capacity, sizeof(struct slice));
    collection.references.at = arena_array(collection.arena, capacity * 8, sizeof(struct slice));
    return collection;
}

static void end_collection(struct collection *collection)
{
    struct names *ids = &collection->ids;
    qsort(ids->at, ids->count, sizeof *ids->at, compare_names);
    for (size_t i = 1; i < ids->count; i++) {
        assert_false(slice_equals(ids->at[i - 1], ids->at[i]));
    }
    for (size_t i = 0; i < collection->references.count; i++) {
        if (!find_name(ids, collection->references.at[i])) {
            fail_msg("%.*s is nowhere", SLICE_ARGS(collection->references.at[i]));
        }
    }
    arena_destroy(collection->arena);
}

static void collect_lines(struct collection *collection, struct arena *arena, const char *folder,
                          enum synth_type type)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.ndjson", synth_type_names[type]);
    struct slice lines = read_file(arena, folder, name);
    while (lines.length > 0) {
        struct slice line = slice_cut(&lines, '\n');
        struct arena_mark mark = arena_mark(arena);
        struct json json;
        assert_int_equal(json_read(line, &json_limits_default, arena, NULL, &json), STATUS_OK);
        assert_slice_is(json_get_string(json.root, "resourceType"), synth_type_names[type]);
        collect_resource(collection, json.root);
        arena_rewind(arena, mark);
    }
}

static void writes_lines_whose_every_reference_is_there(void **state)
{
    (void)state;
    char folder[FOLDER_LENGTH];
    make_folder(folder);
    struct synth_totals totals = make_people(folder, 320, 21, SYNTH_NDJSON, 2);
    struct collection collection = begin_collection(totals.resources);
    for (unsigned type = 0; type < TYPE_COUNT; type++) {
        struct arena *arena = arena_create(0);
        collect_lines(&collection, arena, folder, type);
        arena_destroy(arena);
    }
    assert_int_equal(collection.ids.count, totals.resources);
    end_collection(&collection);
    drop_folder(folder);
}

/* Bundles are read in the order of their names: nothing may refer to what comes later. */
static void writes_bundles_that_can_be_loaded_one_after_another(void **state)
{
    (void)state;
    char folder[FOLDER_LENGTH];
    make_folder(folder);
    struct synth_totals totals = make_people(folder, 96, 8, SYNTH_BUNDLE, 2);
    struct collection collection = begin_collection(totals.resources);
    for (unsigned i = 0; i < 97; i++) {
        struct arena *arena = arena_create(0);
        char name[64] = "00-organisations.json";
        if (i > 0) {
            (void)snprintf(name, sizeof name, "person-%08u.json", i - 1);
        }
        struct json json;
        assert_int_equal(
            json_read(read_file(arena, folder, name), &json_limits_default, arena, NULL, &json),
            STATUS_OK);
        assert_slice_is(json_get_string(json.root, "type"), "transaction");
        size_t index;
        size_t count;
        yyjson_val *entry;
        yyjson_arr_foreach(json_get(json.root, "entry"), index, count, entry)
        {
            yyjson_val *request = json_get(entry, "request");
            collect_resource(&collection, json_get(entry, "resource"));
            assert_slice_is(json_get_string(request, "method"), "PUT");
            assert_true(slice_equals(json_get_string(request, "url"),
                                     collection.ids.at[collection.ids.count - 1]));
        }
        qsort(collection.ids.at, collection.ids.count, sizeof(struct slice), compare_names);
        for (size_t r = 0; r < collection.references.count; r++) {
            assert_true(find_name(&collection.ids, collection.references.at[r]));
        }
        collection.references.count = 0;
        arena_destroy(arena);
    }
    assert_int_equal(collection.ids.count, totals.resources);
    end_collection(&collection);
    drop_folder(folder);
}

/* ---- NHS numbers ------------------------------------------------------------------------------
 */

static struct world *make_world(struct arena *arena, uint64_t people, uint64_t seed)
{
    struct synth_options options = {.people = people, .seed = seed};
    struct world *world = world_create(&options, day_of(2025, 12, 31), arena);
    assert_non_null(world);
    return world;
}

static void gives_every_person_an_nhs_number_of_their_own(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct world *world = make_world(arena, 10, 77);
    uint8_t *seen = arena_zero(arena, 1000000);
    for (uint32_t i = 0; i < synth_nhs_capacity(); i++) {
        char text[11];
        nhs_number(world, i, text);
        assert_true(synth_nhs_valid(slice_text(text)));
        assert_true(slice_starts(slice_text(text), SLICE("999")));
        uint32_t number = 0;
        for (unsigned digit = 3; digit < 9; digit++) {
            number = number * 10 + (uint32_t)(text[digit] - '0');
        }
        assert_int_equal(seen[number], 0);
        seen[number] = 1;
    }
    arena_destroy(arena);
}

static void knows_how_many_nhs_numbers_there_are(void **state)
{
    (void)state;
    uint32_t count = 0;
    for (unsigned suffix = 0; suffix < 1000000; suffix++) {
        char text[16];
        for (unsigned check = 0; check < 10; check++) {
            (void)snprintf(text, sizeof text, "999%06u%u", suffix, check);
            count += synth_nhs_valid(slice_text(text)) ? 1 : 0;
        }
    }
    assert_int_equal(count, synth_nhs_capacity());
}

static void refuses_an_nhs_number_with_a_wrong_check_digit(void **state)
{
    (void)state;
    /* 943 476 5919 is the NHS Data Dictionary's own worked example. */
    assert_true(synth_nhs_valid(SLICE("9434765919")));
    assert_false(synth_nhs_valid(SLICE("9434765918")));
    assert_false(synth_nhs_valid(SLICE("9434765991")));
    assert_false(synth_nhs_valid(SLICE("943476591")));
    assert_false(synth_nhs_valid(SLICE("943476591X")));
    assert_false(synth_nhs_valid(SLICE("")));
}

static void leaves_people_past_the_last_number_without_one(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct world *world = make_world(arena, 1000000, 4);
    struct person people[BLOCK];
    block_make(world, synth_nhs_capacity() - 1, 2, people);
    assert_true(people[0].has_nhs);
    assert_false(people[1].has_nhs);
    struct writer writer = {.format = SYNTH_NDJSON};
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        writer.types[i].arena = arena;
    }
    struct arena *scratch = arena_create(0);
    life_write(world, &people[1], people, &writer, scratch);
    arena_destroy(scratch);
    struct json json;
    struct slice line = buffer_slice(&writer.types[TYPE_PATIENT]);
    assert_int_equal(json_read(line, &json_limits_default, arena, NULL, &json), STATUS_OK);
    assert_int_equal(yyjson_arr_size(json_get(json.root, "identifier")), 1);
    assert_int_equal(yyjson_arr_size(json_get(json.root, "extension")) >= 2, 1);
    arena_destroy(arena);
}

/* ---- the population ----------------------------------------------------------------------------
 */

#define SAMPLE 10016 /* 313 blocks */

static struct person *make_sample(struct arena *arena, uint64_t seed)
{
    struct world *world = make_world(arena, SAMPLE, seed);
    struct person *people = arena_array(arena, SAMPLE, sizeof *people);
    assert_non_null(people);
    for (unsigned first = 0; first < SAMPLE; first += BLOCK) {
        block_make(world, first, BLOCK, people + first);
    }
    return people;
}

static void assert_per_cent(const char *what, double got, double wanted, double tolerance)
{
    if (got < wanted - tolerance || got > wanted + tolerance) {
        fail_msg("%s: got %.2f per cent, wanted %.2f +- %.2f", what, got, wanted, tolerance);
    }
}

static void has_the_ages_of_england(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct person *people = make_sample(arena, 1);
    unsigned living = 0;
    unsigned women = 0;
    unsigned ages[6] = {0};
    for (unsigned i = 0; i < SAMPLE; i++) {
        if (people[i].death != DAY_NEVER) {
            assert_true(people[i].death >= people[i].birth);
            assert_true(people[i].end == people[i].death);
            continue;
        }
        int age = years_between(people[i].birth, people[i].end);
        ages[age < 18 ? 0 : age < 30 ? 1 : age < 50 ? 2 : age < 65 ? 3 : age < 85 ? 4 : 5]++;
        women += people[i].female ? 1 : 0;
        living++;
    }
    /* Census 2021, England, residents. */
    static const double shares[6] = {20.8, 14.8, 26.6, 19.4, 16.0, 2.5};
    for (unsigned i = 0; i < 6; i++) {
        assert_per_cent("age", 100.0 * ages[i] / living, shares[i], 1.3);
    }
    assert_per_cent("women", 100.0 * women / living, 51, 1.5);
    assert_per_cent("dead", 100.0 * (SAMPLE - living) / SAMPLE, 4.4, 0.7);
    arena_destroy(arena);
}

static void has_the_prevalences_it_documents(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct person *people = make_sample(arena, 2);
    unsigned with[ILL_COUNT] = {0};
    unsigned living = 0;
    for (unsigned i = 0; i < SAMPLE; i++) {
        living += people[i].death == DAY_NEVER ? 1 : 0;
        for (unsigned illness = 0; illness < ILL_COUNT; illness++) {
            bool ill = people[i].onset[illness] != DAY_NEVER;
            with[illness] += ill && people[i].death == DAY_NEVER ? 1 : 0;
            assert_true(!ill || (people[i].onset[illness] >= people[i].birth &&
                                 people[i].onset[illness] <= people[i].end));
        }
    }
    /* Per cent of all ages, docs/synthetic-people.md. */
    static const struct {
        unsigned illness;
        double wanted, tolerance;
    } rows[] = {
        {ILL_HYPERTENSION, 14.8, 1.5}, {ILL_DIABETES, 6.2, 1.1},
        {ILL_ASTHMA, 6.5, 1.0},        {ILL_COPD, 1.9, 0.6},
        {ILL_CHD, 3.1, 0.7},           {ILL_HEART_FAILURE, 1.1, 0.45},
        {ILL_FIBRILLATION, 2.2, 0.6},  {ILL_STROKE, 1.9, 0.6},
        {ILL_KIDNEY, 3.6, 0.8},        {ILL_DEPRESSION, 11.0, 1.4},
        {ILL_DEMENTIA, 0.9, 0.4},      {ILL_EPILEPSY, 0.7, 0.3},
        {ILL_THYROID, 3.1, 0.7},       {ILL_OSTEOARTHRITIS, 9.0, 1.2},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_per_cent(synth_illnesses[rows[i].illness].display,
                        100.0 * with[rows[i].illness] / living, rows[i].wanted, rows[i].tolerance);
    }
    arena_destroy(arena);
}

static void makes_the_deprived_iller_and_places_alike(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct person *people = make_sample(arena, 3);
    unsigned lungs[2] = {0};
    unsigned count[2] = {0};
    unsigned deciles[11] = {0};
    for (unsigned i = 0; i < SAMPLE; i++) {
        deciles[people[i].imd]++;
        unsigned half = people[i].imd <= 5 ? 0 : 1;
        count[half]++;
        lungs[half] += people[i].onset[ILL_COPD] != DAY_NEVER ? 1 : 0;
    }
    for (unsigned decile = 1; decile <= 10; decile++) {
        assert_per_cent("decile", 100.0 * deciles[decile] / SAMPLE, 10, 1.5);
    }
    assert_true((double)lungs[0] / count[0] > 1.3 * (double)lungs[1] / count[1]);
    arena_destroy(arena);
}

static void gives_children_mothers_who_could_have_borne_them(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    const struct person *people = make_sample(arena, 4);
    unsigned children = 0;
    unsigned linked = 0;
    for (unsigned i = 0; i < SAMPLE; i++) {
        const struct person *child = &people[i];
        children += years_between(child->birth, child->end) < 18 ? 1 : 0;
        if (child->mother < 0) {
            continue;
        }
        const struct person *mother = &people[i - i % BLOCK + (unsigned)child->mother];
        int age = years_between(mother->birth, child->birth);
        assert_true(mother->female && mother->index < child->index);
        assert_true(age >= 18 && age <= 42 && mother->end >= child->birth);
        assert_string_equal(child->family, mother->family);
        assert_ptr_equal(child->area, mother->area);
        linked++;
    }
    assert_per_cent("children with a mother", 100.0 * linked / children, 75, 15);
    arena_destroy(arena);
}

/* The pyramid may change with --people only where more towns come in. */
static void keeps_people_as_they_are_when_more_are_asked_for(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct world *small = make_world(arena, 64, 9);
    struct world *large = make_world(arena, 9000, 9);
    struct person few[BLOCK];
    struct person many[BLOCK];
    block_make(small, 32, BLOCK, few);
    block_make(large, 32, BLOCK, many);
    for (unsigned i = 0; i < BLOCK; i++) {
        assert_memory_equal(&few[i].id, &many[i].id, sizeof few[i].id);
        assert_string_equal(few[i].nhs, many[i].nhs);
        assert_string_equal(few[i].family, many[i].family);
        assert_int_equal(few[i].birth, many[i].birth);
        assert_memory_equal(few[i].onset, many[i].onset, sizeof few[i].onset);
    }
    arena_destroy(arena);
}

/* Whoever has a penicillin allergy on record is never given one. */
static void gives_nobody_a_penicillin_they_are_allergic_to(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct arena *scratch = arena_create(0);
    struct world *world = make_world(arena, 9000, 6);
    struct person people[BLOCK];
    struct writer writer = {.format = SYNTH_NDJSON};
    unsigned allergic = 0;
    unsigned given = 0;
    for (unsigned i = 0; i < TYPE_COUNT; i++) {
        writer.types[i].arena = arena;
    }
    for (unsigned first = 0; first < 8 * BLOCK; first += BLOCK) {
        block_make(world, first, BLOCK, people);
        for (unsigned i = 0; i < BLOCK; i++) {
            struct buffer *requests = &writer.types[TYPE_REQUEST];
            requests->length = 0;
            life_write(world, &people[i], people, &writer, scratch);
            bool penicillin = memmem(requests->at, requests->length, "Amoxicillin", 11) != NULL ||
                              memmem(requests->at, requests->length, "Flucloxacillin", 14) != NULL;
            allergic += people[i].penicillin ? 1 : 0;
            given += penicillin ? 1 : 0;
            assert_false(people[i].penicillin && penicillin);
        }
    }
    assert_true(allergic > 5 && given > 50);
    arena_destroy(scratch);
    arena_destroy(arena);
}

/* ---- small things
 * -------------------------------------------------------------------------------- */

static void writes_days_and_moments_of_the_united_kingdom(void **state)
{
    struct buffer out = {.arena = *state};
    put_day(&out, day_of(2024, 2, 29));
    put_text(&out, " ");
    put_moment(&out, day_of(2024, 3, 30), 9 * 60 + 5);
    put_text(&out, " ");
    put_moment(&out, day_of(2024, 3, 31), 605);
    put_text(&out, " ");
    put_moment(&out, day_of(2024, 10, 26), 605);
    put_text(&out, " ");
    put_moment(&out, day_of(2024, 10, 27), 605);
    assert_buffer_is(&out, "2024-02-29 2024-03-30T09:05:00+00:00 2024-03-31T10:05:00+01:00 "
                           "2024-10-26T10:05:00+01:00 2024-10-27T10:05:00+00:00");
}

static void counts_days_as_the_calendar_does(void **state)
{
    (void)state;
    assert_int_equal(day_of(1970, 1, 1), 0);
    assert_int_equal(day_of(2000, 3, 1), 11017);
    for (day_number day = day_of(1900, 1, 1); day < day_of(2101, 1, 1); day++) {
        struct civil civil = civil_of(day);
        assert_int_equal(day_of(civil.year, civil.month, civil.day), day);
    }
    assert_int_equal(years_between(day_of(2000, 2, 29), day_of(2018, 2, 28)), 17);
    assert_int_equal(years_between(day_of(2000, 2, 29), day_of(2018, 3, 1)), 18);
    assert_int_equal(years_between(day_of(2000, 5, 1), day_of(1999, 5, 1)), 0);
}

static void writes_decimals_with_the_places_they_have(void **state)
{
    struct buffer out = {.arena = *state};
    put_decimal(&out, 1200, 1);
    put_text(&out, " ");
    put_decimal(&out, 5, 2);
    put_text(&out, " ");
    put_decimal(&out, -1234, 3);
    put_text(&out, " ");
    put_decimal(&out, 7, 0);
    assert_buffer_is(&out, "120.0 0.05 -1.234 7");
}

static void makes_prevalence_that_never_falls_with_age(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ILL_COUNT; i++) {
        for (unsigned sex = 0; sex < 2; sex++) {
            double last = 0;
            for (double age = 0; age < 105; age += 0.5) {
                double now = illness_prevalence(&synth_illnesses[i], sex == 1, age);
                assert_true(now >= last && now <= 1);
                last = now;
            }
        }
    }
}

static void refuses_options_that_mean_nothing(void **state)
{
    struct arena *arena = *state;
    struct synth_totals totals;
    struct outcome outcome;
    struct synth_options options = {.people = 0, .directory = "nowhere"};
    outcome_init(&outcome, arena);
    assert_int_equal(synth_run(&options, &outcome, &totals), STATUS_VALUE);
    options.people = SYNTH_PEOPLE_MAX + 1;
    assert_int_equal(synth_run(&options, &outcome, &totals), STATUS_VALUE);
    options.people = 1;
    options.until = SLICE("2025-02-30");
    assert_int_equal(synth_run(&options, &outcome, &totals), STATUS_VALUE);
    options.until = SLICE("2025");
    assert_int_equal(synth_run(&options, &outcome, &totals), STATUS_VALUE);
    options.until = SLICE("1999-12-31");
    assert_int_equal(synth_run(&options, &outcome, &totals), STATUS_VALUE);
    options.until = SLICE("");
    options.threads = SYNTH_THREADS_MAX + 1;
    assert_int_equal(synth_run(&options, &outcome, &totals), STATUS_VALUE);
    assert_int_equal(outcome.errors, 6);
    assert_int_equal(access("nowhere", F_OK), -1);
}

static void says_so_when_the_folder_cannot_be_written(void **state)
{
    struct arena *arena = *state;
    struct synth_totals totals;
    char folder[FOLDER_LENGTH];
    make_folder(folder);
    struct synth_options options = {.people = 1, .format = SYNTH_NDJSON};
    /* A folder stands where a file must go. */
    const char *taken = arena_print(arena, "%s/Patient.ndjson", folder);
    assert_int_equal(mkdir(taken, 0700), 0);
    options.directory = folder;
    assert_int_equal(synth_run(&options, NULL, &totals), STATUS_IO);
    assert_int_equal(rmdir(taken), 0);
    drop_folder(folder);
}

static uint64_t last_people;

static void remember(void *context, uint64_t people_done, uint64_t bytes_done)
{
    (void)context;
    assert_true(people_done > last_people && bytes_done > 0);
    last_people = people_done;
}

static void tells_how_far_it_is(void **state)
{
    (void)state;
    char folder[FOLDER_LENGTH];
    struct synth_totals totals;
    make_folder(folder);
    last_people = 0;
    struct synth_options options = {.people = 300,
                                    .directory = folder,
                                    .format = SYNTH_NDJSON,
                                    .threads = 2,
                                    .progress = remember};
    assert_int_equal(synth_run(&options, NULL, &totals), STATUS_OK);
    assert_int_equal(last_people, 300);
    drop_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_same_bytes_from_the_same_seed),
        cmocka_unit_test(makes_the_same_bytes_with_any_number_of_threads),
        TEST_IN_ARENA(ends_records_on_the_last_day_asked_for),
        cmocka_unit_test(writes_lines_whose_every_reference_is_there),
        cmocka_unit_test(writes_bundles_that_can_be_loaded_one_after_another),
        cmocka_unit_test(gives_every_person_an_nhs_number_of_their_own),
        cmocka_unit_test(knows_how_many_nhs_numbers_there_are),
        cmocka_unit_test(refuses_an_nhs_number_with_a_wrong_check_digit),
        cmocka_unit_test(leaves_people_past_the_last_number_without_one),
        cmocka_unit_test(has_the_ages_of_england),
        cmocka_unit_test(has_the_prevalences_it_documents),
        cmocka_unit_test(makes_the_deprived_iller_and_places_alike),
        cmocka_unit_test(gives_children_mothers_who_could_have_borne_them),
        cmocka_unit_test(keeps_people_as_they_are_when_more_are_asked_for),
        cmocka_unit_test(gives_nobody_a_penicillin_they_are_allergic_to),
        TEST_IN_ARENA(writes_days_and_moments_of_the_united_kingdom),
        cmocka_unit_test(counts_days_as_the_calendar_does),
        TEST_IN_ARENA(writes_decimals_with_the_places_they_have),
        cmocka_unit_test(makes_prevalence_that_never_falls_with_age),
        TEST_IN_ARENA(refuses_options_that_mean_nothing),
        TEST_IN_ARENA(says_so_when_the_folder_cannot_be_written),
        cmocka_unit_test(tells_how_far_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
