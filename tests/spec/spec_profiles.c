/* SPDX-License-Identifier: MIT */
/* Full validation against what others wrote: the cases of suites/validator, with the profiles and
 * value sets that each brings, where two other validators' verdicts are known; the examples of the
 * packages against their declared profiles; Synthea's records. validator_runs.json says how a case
 * was run, profile_exclusions.json where we differ, in verdicts and in the paths of errors, and
 * why. CARELAYER_CASE=NAME shows one case in full, CARELAYER_CASE=all every one, CARELAYER_PATHS=1
 * every difference of paths. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fhir/compile_int.h"
#include "validate/validate.h"

#define FILE_LIMIT ((size_t)256 << 20)

struct world {
    struct definitions *definitions;
    struct conformance *conformance;
    struct terms *terms;
    struct validator *validator;
};

static struct arena *lasting, *arena;
static yyjson_val *exclusions, *runs;
static const char *suites;

#define RUN_MOST 16u

static const char *blob_folder(void)
{
    const char *blob = getenv("CARELAYER_DEFINITIONS");
    const char *slash = strrchr(blob, '/');
    return arena_print(lasting, "%.*s", (int)(slash - blob + 1), blob);
}

/* PACKAGE: a file of suites/packages; NULL: the base alone. */
static void world_open(struct world *world, const char *package)
{
    const char *blob = getenv("CARELAYER_DEFINITIONS");
    const char *paths[] = {package != NULL ? arena_print(lasting, "%s/packages/%s", suites, package)
                                           : ""};
    struct outcome outcome;
    outcome_init(&outcome, lasting);
    assert_int_equal(definitions_open_with(blob, arena_print(lasting, "%sr4.tgz", blob_folder()),
                                           paths, package != NULL,
                                           arena_print(lasting, "%scache", blob_folder()), &outcome,
                                           &world->definitions),
                     STATUS_OK);
    assert_int_equal(conformance_open(world->definitions, &world->conformance), STATUS_OK);
    assert_int_equal(terms_open(world->conformance, &outcome, &world->terms), STATUS_OK);
    assert_int_equal(
        validator_open(world->definitions, world->conformance, world->terms, &world->validator),
        STATUS_OK);
}

static void world_close(struct world *world)
{
    validator_close(world->validator);
    terms_close(world->terms);
    conformance_close(world->conformance);
    definitions_close(world->definitions);
}

static bool missing(const char *path)
{
    return access(arena_print(lasting, "%s/%s", suites, path), R_OK) != 0;
}

static struct slice read_suite_file(const char *path)
{
    struct slice bytes;
    struct buffer plain = {.arena = arena};
    assert_int_equal(disk_read_file(path, FILE_LIMIT, arena, &bytes), STATUS_OK);
    if (!slice_ends(slice_text(path), SLICE(".gz"))) {
        return bytes;
    }
    assert_int_equal(gzip_inflate(bytes, FILE_LIMIT, &plain), STATUS_OK);
    return buffer_slice(&plain);
}

/* How a case is run (validator_runs.json). */
struct run {
    bool known_extensions, follow_references, refuse_html, comments;
    struct slice urls[RUN_MOST];
    size_t url_count;
    struct waiver waivers[RUN_MOST];
    size_t waiver_count;
};

static struct run run_of(struct slice name)
{
    size_t i, max;
    yyjson_val *each, *row = yyjson_obj_getn(runs, name.at, name.length);
    struct run run = {.known_extensions =
                          yyjson_is_true(json_get(json_get(runs, "every"), "known_extensions")),
                      .follow_references = yyjson_is_true(json_get(row, "follow_references")),
                      .refuse_html = yyjson_is_true(json_get(row, "refuse_html")),
                      .comments = yyjson_is_true(json_get(row, "comments"))};
    yyjson_arr_foreach(json_get(row, "extension_urls"), i, max, each)
    {
        assert_true(run.url_count < RUN_MOST);
        run.urls[run.url_count++] = json_string(each);
    }
    yyjson_arr_foreach(json_get(row, "waive"), i, max, each)
    {
        struct slice path = json_string(each), rule = slice_cut(&path, '@');
        assert_true(run.waiver_count < RUN_MOST);
        run.waivers[run.waiver_count++] = (struct waiver){.rule = rule, .path = path};
    }
    return run;
}

/* Reads and validates TEXT; OUTCOME has everything. */
static void check(struct world *world, const struct run *run, struct slice text,
                  const struct slice *profiles, size_t profile_count, struct outcome *outcome)
{
    struct json json;
    resource_type type;
    struct json_limits limits = json_limits_default;
    struct validate_options options = {.definitions = world->definitions,
                                       .validator = world->validator,
                                       .strict = true,
                                       .known_extensions = run->known_extensions,
                                       .extension_urls = run->urls,
                                       .extension_url_count = run->url_count,
                                       .follow_references = run->follow_references,
                                       .refuse_html = run->refuse_html,
                                       .waivers = run->waivers,
                                       .waiver_count = run->waiver_count,
                                       .profiles = profiles,
                                       .profile_count = profile_count};
    limits.comments = run->comments;
    enum status status =
        resource_read_any(world->definitions, text, &limits, arena, outcome, &json);
    if (json.root != NULL && (status == STATUS_OK || status == STATUS_STRUCTURE)) {
        status = validate_resource(&options, &json, json.root, (struct slice){NULL, 0}, arena,
                                   outcome, &type);
    }
    assert_true(status == STATUS_OK || outcome->errors > 0);
}

/* FILE as the program reads it: NDJSON holds a resource in each line (R4 nd-json.html). */
static void check_file(struct world *world, const struct run *run, struct slice file,
                       struct slice text, const struct slice *profile, struct outcome *outcome)
{
    if (!slice_ends(file, SLICE(".ndjson"))) {
        check(world, run, text, profile, profile != NULL, outcome);
        return;
    }
    while (text.length > 0) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        if (line.length > 0) {
            check(world, run, line, profile, profile != NULL, outcome);
        }
    }
}

static const char *severities[] = {"fatal", "error", "warning", "information"};

static void show(const struct outcome *outcome, enum severity most)
{
    for (const struct issue *issue = outcome->first; issue != NULL; issue = issue->next) {
        if (issue->severity <= most) {
            print_message("    %s %.*s@%.*s: %.*s\n", severities[issue->severity],
                          SLICE_ARGS(issue->rule), SLICE_ARGS(issue->path),
                          SLICE_ARGS(issue->text));
        }
    }
}

static yyjson_val *excluded(const char *list, struct slice name)
{
    return yyjson_obj_getn(json_get(exclusions, list), name.at, name.length);
}

/* ---- the cases of two validators --------------------------------------------------------------
 */

struct added {
    struct slice type, url, version;
    struct added *next;
};

static struct added *add_resource(struct world *world, yyjson_val *root, struct added *before)
{
    struct buffer text = {.arena = arena};
    struct outcome outcome;
    struct added *added = ARENA_NEW(arena, struct added);
    outcome_init(&outcome, arena);
    json_write(root, NULL, NULL, &text);
    if (json_get_string(root, "url").length == 0 ||
        conformance_add(world->conformance, buffer_slice(&text), &outcome) != STATUS_OK) {
        return before;
    }
    *added = (struct added){json_get_string(root, "resourceType"), json_get_string(root, "url"),
                            json_get_string(root, "version"), before};
    return added;
}

/* The resource in a file of the suite, a conformance resource or a Bundle of them, is added. */
static struct added *add_file(struct world *world, struct slice file, struct added *before,
                              struct slice *ret_url)
{
    const char *path = arena_print(arena, "%s/validator/%.*s", suites, SLICE_ARGS(file));
    struct json json;
    *ret_url = (struct slice){NULL, 0};
    if (access(path, R_OK) != 0) {
        return before;
    }
    /* XML that is out of order is read all the same, as their tools read it. */
    enum status status = resource_read_any(world->definitions, read_suite_file(path),
                                           &json_limits_default, arena, NULL, &json);
    if ((status != STATUS_OK && status != STATUS_STRUCTURE) || json.root == NULL) {
        return before;
    }
    if (slice_is(json_get_string(json.root, "resourceType"), "Bundle")) {
        size_t i, max;
        yyjson_val *entry;
        yyjson_arr_foreach(json_get(json.root, "entry"), i, max, entry)
        {
            before = add_resource(world, json_get(entry, "resource"), before);
        }
        return before;
    }
    *ret_url = json_get_string(json.root, "url");
    return add_resource(world, json.root, before);
}

/* Their paths name entries' resources in comments, and extensions by url; and those of the XML
 * reader are /f:Patient/f:name. */
static const char *plain_path(struct slice path)
{
    struct buffer out = {.arena = arena};
    while (slice_starts(path, SLICE("/f:"))) {
        path = slice_from(path, 3);
        struct slice name = slice_head(path, slice_index(path, '/'));
        buffer_print(&out, "%s%.*s", out.length > 0 ? "." : "", SLICE_ARGS(name));
        path = slice_from(path, name.length);
    }
    while (path.length > 0) {
        if (slice_starts(path, SLICE("/*"))) {
            char *end = memmem(path.at, path.length, "*/", 2);
            path =
                end != NULL ? slice_from(path, (size_t)(end + 2 - path.at)) : slice_head(path, 0);
        } else if (slice_starts(path, SLICE("[url='"))) {
            path = slice_from(path, slice_index(path, ']') + 1);
        } else {
            buffer_add_byte(&out, path.at[0]);
            path = slice_from(path, 1);
        }
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

/* The same place, or one step apart: a rule may be laid at the element or at its member. */
static bool near(struct slice a, struct slice b)
{
    struct slice longer = a.length > b.length ? a : b, shorter = a.length > b.length ? b : a;
    if (!slice_starts(longer, shorter)) {
        return false;
    }
    struct slice rest = slice_from(longer, shorter.length);
    size_t steps = 0;
    for (size_t i = 0; i < rest.length; i++) {
        steps += rest.at[i] == '.' && !slice_starts(slice_from(rest, i), SLICE(".ofType("));
    }
    return steps <= 1;
}

/* What they say of the links between entries counts entries and repeats from one, where FHIRPath
 * (N1, "Indexer"), and they themselves elsewhere, count from zero: the fullUrls in these texts are
 * those of the entries before. */
static const char *path_of(struct slice path, struct slice text)
{
    bool from_one =
        slice_starts(text, SLICE("Entry '")) || slice_starts(text, SLICE("Can't find '"));
    const char *plain = plain_path(path);
    struct buffer out = {.arena = arena};
    for (const char *at = plain; *at != '\0'; at++) {
        uint64_t index;
        size_t digits = strspn(at + 1, "0123456789");
        if (from_one && *at == '[' && slice_to_unsigned(slice_of(at + 1, digits), 100000, &index) &&
            index > 0) {
            buffer_print(&out, "[%u", (unsigned)index - 1);
            at += digits;
        } else {
            buffer_add_byte(&out, *at);
        }
    }
    buffer_add_byte(&out, '\0');
    return out.at;
}

struct paths {
    size_t theirs, found, as_written, ours, strange, unlisted;
};

static bool is_found(const struct outcome *outcome, struct slice path)
{
    bool found = false;
    for (const struct issue *own = outcome->first; own != NULL; own = own->next) {
        found |= own->severity <= SEVERITY_ERROR && near(own->path, path);
    }
    return found;
}

#define PATHS_MOST 512

/* Is this difference explained? LIST is "missing" (theirs that we do not have) or "strange" (ours
 * that they do not have). One that is not there, or there and no difference, is printed. */
static void settle(struct paths *paths, const char *list, struct slice name, struct slice path,
                   struct slice text, bool found)
{
    yyjson_val *row = yyjson_obj_getn(json_get(exclusions, list), name.at, name.length);
    bool listed = yyjson_obj_getn(row, path.at, path.length) != NULL;
    paths->unlisted += listed == found;
    if (listed == found || (!found && getenv("CARELAYER_PATHS") != NULL)) {
        print_message("%s%s: %.*s %.*s: %.*s\n", list,
                      listed ? found ? " no more" : " (listed)" : "", SLICE_ARGS(name),
                      SLICE_ARGS(path), SLICE_ARGS(slice_head(text, 200)));
    }
}

static void compare_paths(struct slice name, yyjson_val *issues, const struct outcome *outcome,
                          struct paths *paths)
{
    size_t i, max;
    yyjson_val *issue;
    struct slice theirs[PATHS_MOST], texts[PATHS_MOST];
    size_t count = 0;
    yyjson_arr_foreach(issues, i, max, issue)
    {
        struct slice severity = json_get_string(issue, "severity");
        struct slice path = json_string(yyjson_arr_get_first(json_get(issue, "expression")));
        if ((slice_is(severity, "error") || slice_is(severity, "fatal")) && path.length > 0 &&
            count < PATHS_MOST) {
            texts[count] = json_get_string(issue, "text");
            paths->as_written += is_found(outcome, slice_text(plain_path(path)));
            theirs[count] = slice_text(path_of(path, texts[count]));
            count++;
        }
    }
    for (size_t each = 0; each < count; each++) {
        bool found = is_found(outcome, theirs[each]);
        paths->theirs++;
        paths->found += found;
        settle(paths, "missing", name, theirs[each], texts[each], found);
    }
    for (const struct issue *own = outcome->first; own != NULL; own = own->next) {
        bool found = own->severity > SEVERITY_ERROR;
        for (size_t each = 0; each < count && !found; each++) {
            found = near(own->path, theirs[each]);
        }
        paths->ours += own->severity <= SEVERITY_ERROR;
        paths->strange += !found;
        if (own->severity <= SEVERITY_ERROR) {
            settle(paths, "strange", name, own->path, own->text, found);
        }
    }
}

struct verdicts {
    size_t cases, hard, agreed, excused, wrong;
    struct paths paths;
};

static unsigned count_of(yyjson_val *test, const char *name)
{
    uint64_t value;
    return slice_to_unsigned(json_number(json_get(test, name)), 100000, &value) ? (unsigned)value
                                                                                : 0;
}

static void run_case(struct world *world, yyjson_val *test, struct verdicts *verdicts)
{
    struct slice name = json_get_string(test, "name"), url, profile_url = {NULL, 0};
    struct slice file = json_get_string(test, "file"), profile = json_get_string(test, "profile");
    const char *path = arena_print(arena, "%s/validator/%.*s", suites, SLICE_ARGS(file));
    bool has = json_number(json_get(test, "errors")).length > 0;
    bool second = json_number(json_get(test, "secondOpinionErrors")).length > 0;
    const struct run run = run_of(name);
    if (access(path, R_OK) != 0 || slice_ends(file, SLICE(".txt"))) {
        return;
    }
    struct added *added = NULL;
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(test, "supporting"), i, max, each)
    {
        added = add_file(world, json_string(each), added, &url);
    }
    if (profile.length > 0) {
        added = add_file(world, profile, added, &profile_url);
        profile_url = profile_url.length > 0 ? profile_url : profile;
    }
    struct outcome outcome;
    outcome_init(&outcome, arena);
    if (profile_url.length > 0) { /* their verdicts are those without it */
        check_file(world, &run, file, read_suite_file(path), &profile_url, &outcome);
        struct slice expected =
            json_get_string(json_get(exclusions, "profiles"), arena_copy(arena, name).at);
        if (!slice_is(expected, outcome.errors > 0 ? "refused" : "accepted")) {
            print_message("%.*s with its profile: %s\n", SLICE_ARGS(name),
                          outcome.errors > 0 ? "refused" : "accepted");
            show(&outcome, SEVERITY_ERROR);
            verdicts->wrong++;
        }
        outcome_init(&outcome, arena);
    }
    check_file(world, &run, file, read_suite_file(path), NULL, &outcome);
    bool theirs = has ? count_of(test, "errors") > 0 : count_of(test, "secondOpinionErrors") > 0;
    bool soft = has && second &&
                (count_of(test, "errors") > 0) != (count_of(test, "secondOpinionErrors") > 0);
    bool ours = outcome.errors > 0;
    const char *only = getenv("CARELAYER_CASE");
    verdicts->cases++;
    if ((has || second) && !soft) {
        verdicts->hard++;
        verdicts->agreed += ours == theirs;
        yyjson_val *row = excluded("validator", name);
        if (ours != theirs) {
            verdicts->excused += row != NULL;
            verdicts->wrong += row == NULL;
        } else if (row != NULL) {
            print_error("%.*s: listed, but agrees now\n", SLICE_ARGS(name));
            verdicts->wrong++;
        }
        if (ours != theirs && (row == NULL || only != NULL)) {
            print_message("%.*s (%.*s): they %s, we %s\n", SLICE_ARGS(name), SLICE_ARGS(file),
                          theirs ? "refuse" : "accept", ours ? "refuse" : "accept");
            show(&outcome, SEVERITY_ERROR);
        }
        compare_paths(name, json_get(test, "issues"), &outcome, &verdicts->paths);
    }
    if (only != NULL && (slice_is(name, only) || strcmp(only, "all") == 0)) {
        print_message("%.*s:\n", SLICE_ARGS(name));
        show(&outcome, SEVERITY_INFORMATION);
    }
    for (; added != NULL; added = added->next) {
        conformance_remove(world->conformance, added->type, added->url, added->version);
    }
}

static void agrees_with_two_other_validators(void **state)
{
    (void)state;
    struct world world;
    struct verdicts verdicts = {0};
    struct json json;
    if (missing("validator/cases.json")) {
        print_message("skipped: the folder validator is not there\n");
        skip();
    }
    world_open(&world, NULL);
    struct slice text = arena_copy(
        lasting, read_suite_file(arena_print(lasting, "%s/validator/cases.json", suites)));
    assert_int_equal(json_read(text, &json_limits_default, lasting, NULL, &json), STATUS_OK);
    size_t i, max;
    yyjson_val *test;
    yyjson_arr_foreach(json.root, i, max, test)
    {
        arena_reset(arena, 0);
        run_case(&world, test, &verdicts);
    }
    arena_reset(arena, 0);
    world_close(&world);
    print_message("validator: %zu cases, %zu of them hard; %zu agree (%.1f %%), %zu listed, %zu "
                  "not; %zu of %zu of their error paths found (%zu as they number entries); %zu of "
                  "%zu of ours "
                  "not theirs\n",
                  verdicts.cases, verdicts.hard, verdicts.agreed,
                  100.0 * (double)verdicts.agreed / (double)verdicts.hard, verdicts.excused,
                  verdicts.wrong, verdicts.paths.found, verdicts.paths.theirs,
                  verdicts.paths.as_written, verdicts.paths.strange, verdicts.paths.ours);
    assert_int_equal(verdicts.wrong, 0);
    assert_int_equal(verdicts.paths.unlisted, 0);
}

/* ---- examples of packages ---------------------------------------------------------------------
 */

struct examples {
    struct world *world;
    const char *list;
    size_t files, judged, fine, wrong;
};

static const char *place_of(const struct issue *issue)
{
    return arena_print(arena, "%.*s@%.*s", SLICE_ARGS(issue->rule), SLICE_ARGS(issue->path));
}

static bool is_error_at(const struct outcome *outcome, struct slice place)
{
    for (const struct issue *issue = outcome->first; issue != NULL; issue = issue->next) {
        if (issue->severity <= SEVERITY_ERROR && slice_is(place, place_of(issue))) {
            return true;
        }
    }
    return false;
}

/* How many of the explanations explain an error that is not there, or say nothing. */
static size_t count_idle(yyjson_val *explained, struct slice name, const struct outcome *outcome)
{
    size_t i, max, idle = 0;
    yyjson_val *key, *reason;
    if (explained == NULL) {
        return 0; /* yyjson's loop computes with the pointer */
    }
    yyjson_obj_foreach(explained, i, max, key, reason)
    {
        const bool there = is_error_at(outcome, json_string(key));
        if (!there) {
            print_message("%.*s: %.*s is explained, but is not there\n", SLICE_ARGS(name),
                          SLICE_ARGS(json_string(key)));
        }
        idle += !there || json_string(reason).length == 0;
    }
    return idle;
}

/* A row of explanations is {"errors": {"rule@path": "theirs: reason"}}. An error that it has not
 * counts as wrong, and so does one of its that is there no more. */
static void compare_errors(struct examples *examples, struct slice name,
                           const struct outcome *outcome)
{
    yyjson_val *explained = json_get(excluded(examples->list, name), "errors");
    size_t wrong = count_idle(explained, name, outcome);
    for (const struct issue *issue = outcome->first; issue != NULL; issue = issue->next) {
        wrong += issue->severity <= SEVERITY_ERROR && json_get(explained, place_of(issue)) == NULL;
    }
    examples->wrong += wrong > 0;
    if (wrong > 0) {
        print_message("%.*s: not as explained\n", SLICE_ARGS(name));
        show(outcome, SEVERITY_ERROR);
    }
}

static enum status check_example(void *context, struct slice name, struct slice text)
{
    struct examples *examples = context;
    struct outcome outcome;
    if (memmem(text.at, text.length, "resourceType", 12) == NULL) {
        return STATUS_OK;
    }
    arena_reset(arena, 0);
    outcome_init(&outcome, arena);
    check(examples->world, &(struct run){0}, text, NULL, 0, &outcome);
    examples->files++;
    examples->fine += outcome.errors == 0;
    compare_errors(examples, name, &outcome);
    return STATUS_OK;
}

static void check_folder(struct examples *examples, const char *package, const char *folder)
{
    const char *path = arena_print(lasting, "%sexamples", blob_folder());
    const char *command = arena_print(
        lasting, "rm -rf '%s' && mkdir -p '%s' && tar -xzf '%s/packages/%s' -C '%s' '%s'", path,
        path, suites, package, path, folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(
        package_read(arena_print(lasting, "%s/%s", path, folder), check_example, examples, NULL),
        STATUS_OK);
    print_message("%s: %zu examples, %zu without error, %zu unexplained\n", package,
                  examples->files, examples->fine, examples->wrong);
}

static void check_package(const char *package, const char *list, const char *folder)
{
    struct world world;
    struct examples examples = {.world = &world, .list = list};
    if (missing(arena_print(lasting, "packages/%s", package))) {
        print_message("skipped: %s is not there\n", package);
        skip();
    }
    world_open(&world, package);
    check_folder(&examples, package, folder);
    arena_reset(arena, 0);
    world_close(&world);
    assert_true(examples.files > 0);
    assert_int_equal(examples.wrong, 0);
}

static void accepts_the_examples_of_the_patient_summary(void **state)
{
    (void)state;
    check_package("hl7.fhir.uv.ips-2.0.0.tgz", "ips", "package/example");
}

static void accepts_the_examples_of_uk_core(void **state)
{
    (void)state;
    check_package("fhir.r4.ukcore.stu2-2.0.2.tgz", "ukcore", "package/examples");
}

#define UK_CORE "https://fhir.hl7.org.uk/StructureDefinition/UKCore-"

/* One of the examples that are XML and name no profile: against the profile of its type, where UK
 * Core 2.0.2 has one, and the base alone where it has none. */
static void check_xml_example(struct examples *examples, const char *folder, const char *name)
{
    struct outcome outcome;
    struct json json;
    arena_reset(arena, 0);
    outcome_init(&outcome, arena);
    struct slice text = read_suite_file(arena_print(arena, "%s/%s", folder, name));
    (void)!resource_read_any(examples->world->definitions, text, &json_limits_default, arena, NULL,
                             &json);
    assert_non_null(json.root); /* what is wrong with the XML itself is told below */
    struct slice type = json_get_string(json.root, "resourceType");
    struct slice profile = slice_text(arena_print(arena, UK_CORE "%.*s", SLICE_ARGS(type)));
    bool known = conformance_find(examples->world->conformance, SLICE("StructureDefinition"),
                                  profile, arena) != NULL;
    check(examples->world, &(struct run){0}, text, &profile, known, &outcome);
    examples->files++;
    examples->judged += known;
    examples->fine += outcome.errors == 0;
    compare_errors(examples, slice_text(name), &outcome);
}

static void judges_the_uk_core_examples_in_xml(void **state)
{
    (void)state;
    struct world world;
    struct examples examples = {.world = &world, .list = "ukcore-examples"};
    const char *package = "fhir.r4.ukcore.stu2-2.0.2.tgz";
    const char *folder = arena_print(lasting, "%s/ukcore-examples", suites);
    DIR *files = opendir(folder);
    if (files == NULL || missing(arena_print(lasting, "packages/%s", package))) {
        print_message("skipped: %s or the package is not there\n", folder);
        skip();
    }
    world_open(&world, package);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        if (slice_ends(slice_text(entry->d_name), SLICE(".xml"))) {
            check_xml_example(&examples, folder, entry->d_name);
        }
    }
    (void)closedir(files);
    arena_reset(arena, 0);
    world_close(&world);
    print_message("ukcore-examples: %zu examples, %zu of a type with a profile of UK Core 2.0.2, "
                  "%zu without error, %zu not as explained\n",
                  examples.files, examples.judged, examples.fine, examples.wrong);
    assert_int_equal(examples.files, 104);
    assert_int_equal(examples.wrong, 0);
}

/* ---- Synthea ----------------------------------------------------------------------------------
 */

/* Microseconds of processor time, so that other programs do not count. */
static int64_t processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * MICROS_PER_SECOND + now.tv_nsec / 1000;
}

static void accepts_synthetic_records(void **state)
{
    (void)state;
    struct world world;
    size_t count = 0, refused = 0, resources = 0;
    int64_t spent = 0;
    const char *folder = arena_print(lasting, "%s/synthea", suites);
    const char *most = getenv("CARELAYER_FILES");
    uint64_t limit = 12;
    (void)slice_to_unsigned(slice_text(most), 100000, &limit);
    DIR *files = opendir(folder);
    if (files == NULL) {
        print_message("skipped: %s is not there\n", folder);
        skip();
    }
    world_open(&world, NULL);
    for (struct dirent *entry; (entry = readdir(files)) != NULL && count < limit;) {
        if (!slice_ends(slice_text(entry->d_name), SLICE(".json.gz"))) {
            continue;
        }
        struct outcome outcome;
        arena_reset(arena, 0);
        outcome_init(&outcome, arena);
        struct slice text = read_suite_file(arena_print(arena, "%s/%s", folder, entry->d_name));
        struct json json;
        resource_type type;
        struct validate_options options = {.definitions = world.definitions,
                                           .validator = world.validator};
        assert_int_equal(json_read(text, &json_limits_default, arena, &outcome, &json), STATUS_OK);
        int64_t start = processor_time();
        enum status status = validate_resource(&options, &json, json.root, (struct slice){NULL, 0},
                                               arena, &outcome, &type);
        spent += count > 3 ? processor_time() - start : 0;
        resources += count > 3 ? yyjson_arr_size(json_get(json.root, "entry")) : 0;
        count++;
        if (status != STATUS_OK) {
            refused++;
            print_message("%s: %s\n", entry->d_name, status_name(status));
            show(&outcome, SEVERITY_ERROR);
        } else if (getenv("CARELAYER_CASE") != NULL) {
            show(&outcome, SEVERITY_INFORMATION);
        }
    }
    (void)closedir(files);
    arena_reset(arena, 0);
    world_close(&world);
    print_message("synthea: %zu Bundles, %zu refused; %.0f resources a second\n", count, refused,
                  spent > 0 ? 1e6 * (double)resources / (double)spent : 0.0);
    assert_int_equal(refused, 0);
}

/* ---- */

static yyjson_val *read_table(const char *path)
{
    struct json json;
    struct slice text;
    return disk_read_file(path, FILE_LIMIT, lasting, &text) == STATUS_OK &&
                   json_read(text, &json_limits_default, lasting, NULL, &json) == STATUS_OK
               ? json.root
               : NULL;
}

static int setup(void **state)
{
    (void)state;
    lasting = arena_create(0);
    arena = arena_create(0);
    exclusions = read_table("tests/spec/profile_exclusions.json");
    runs = read_table("tests/spec/validator_runs.json");
    return exclusions != NULL && runs != NULL && getenv("CARELAYER_DEFINITIONS") != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    arena_destroy(lasting);
    return 0;
}

int main(int argc, char **argv)
{
    suites = getenv("CARELAYER_SUITES");
    if (suites == NULL) {
        suites = argc > 1 ? argv[1] : "../shared/suites";
    }
    cmocka_set_test_filter(getenv("CARELAYER_TEST")); /* a pattern of names */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_two_other_validators),
        cmocka_unit_test(accepts_the_examples_of_the_patient_summary),
        cmocka_unit_test(accepts_the_examples_of_uk_core),
        cmocka_unit_test(judges_the_uk_core_examples_in_xml),
        cmocka_unit_test(accepts_synthetic_records),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
