/* SPDX-License-Identifier: MIT */
/* Every search parameter of the specification, asked as in a URL: what has its value is found, and
 * nothing else of its type is. For each path of each parameter a resource is made that has a value
 * of its own there, so that a parameter which looks elsewhere, or at too much, finds another one.
 */
#include "ask_test.h"

struct made {
    const struct search_parameter *parameter;
    char id[12];
    const char *json, *hit, *miss; /* values of the parameter: this one has; it does not have */
    bool shared;                   /* others may have it too: there are only two values */
    bool may_miss; /* of several choices of elements, some of which the parameter does not join */
};

#define PARTS_MOST 3 /* components */

static struct made all[1024]; /* of one type */
static size_t count_made, number;

/* ---- values -------------------------------------------------------------------------------------
 */

struct sample {
    const char *json, *query, *other;
    bool shared;
};

/* A day for each number. */
static const char *day(size_t at)
{
    return arena_print(arena, "%04zu-%02zu-%02zu", 1900 + at / 336, at / 28 % 12 + 1, at % 28 + 1);
}

static struct sample text_sample(enum fhir_type type, size_t at)
{
    const char *word = arena_print(arena, "Word%05zu", at);
    const char *json = type == FHIR_TYPE_HUMANNAME ? arena_print(arena, "{'family':'%s'}", word)
                       : type == FHIR_TYPE_ADDRESS ? arena_print(arena, "{'city':'%s'}", word)
                                                   : arena_print(arena, "'%s'", word);
    return (struct sample){json, word, "Nowhere", false};
}

static struct sample token_sample(enum fhir_type type, size_t at)
{
    const char *code = arena_print(arena, "c%05zu", at);
    const char *both = arena_print(arena, "http://system|%s", code);
    const char *none = "http://system|none";
    switch (type) {
    case FHIR_TYPE_CODEABLECONCEPT:
        return (struct sample){
            arena_print(arena, "{'coding':[{'system':'http://system','code':'%s'}]}", code), both,
            none, false};
    case FHIR_TYPE_CODING:
        return (struct sample){arena_print(arena, "{'system':'http://system','code':'%s'}", code),
                               both, none, false};
    case FHIR_TYPE_IDENTIFIER:
        return (struct sample){arena_print(arena, "{'system':'http://system','value':'%s'}", code),
                               both, none, false};
    case FHIR_TYPE_CONTACTPOINT:
        return (struct sample){arena_print(arena, "{'value':'%s'}", code), code, "none", false};
    case FHIR_TYPE_BOOLEAN:
        return (struct sample){"true", "true", "false", true};
    default:
        return (struct sample){arena_print(arena, "'%s'", code), code, "none", false};
    }
}

static struct sample date_sample(enum fhir_type type, size_t at)
{
    const char *date = day(at);
    const char *json;
    switch (type) {
    case FHIR_TYPE_PERIOD:
        json = arena_print(arena, "{'start':'%s','end':'%s'}", date, date);
        break;
    case FHIR_TYPE_TIMING:
        json = arena_print(arena, "{'event':['%s']}", date);
        break;
    case FHIR_TYPE_INSTANT:
        json = arena_print(arena, "'%sT12:00:00Z'", date);
        break;
    default:
        json = arena_print(arena, "'%s'", date);
        break;
    }
    return (struct sample){json, date, "1850-01-01", false};
}

static struct sample quantity_sample(enum fhir_type type, size_t at)
{
    const char *json;
    switch (type) {
    case FHIR_TYPE_MONEY:
        json = arena_print(arena, "{'value':%zu,'currency':'GBP'}", at);
        break;
    case FHIR_TYPE_RANGE:
        json = arena_print(arena, "{'low':{'value':%zu},'high':{'value':%zu}}", at, at);
        break;
    default:
        json = arena_print(arena, "{'value':%zu,'system':'http://unitsofmeasure.org','code':'kg'}",
                           at);
        break;
    }
    return (struct sample){json, arena_print(arena, "%zu", at), "9999999", false};
}

static struct sample reference_sample(const struct search_parameter *parameter,
                                      const struct search_path *path, size_t at)
{
    resource_type target = path->target != RESOURCE_TYPE_NONE ? path->target
                           : parameter->target_count > 0      ? parameter->targets[0]
                                                              : type_named("Patient");
    struct slice name = resource_type_name(definitions, target);
    if (path->type != FHIR_TYPE_REFERENCE) { /* a canonical is found without its version too */
        const char *url = arena_print(arena, "http://canonical/%05zu", at);
        const char *version = path->type == FHIR_TYPE_CANONICAL ? "|1" : "";
        return (struct sample){arena_print(arena, "'%s%s'", url, version), url,
                               "http://canonical/no", false};
    }
    const char *address = arena_print(arena, "%.*s/r%zu", SLICE_ARGS(name), at);
    return (struct sample){arena_print(arena, "{'reference':'%s'}", address), address,
                           arena_print(arena, "%.*s/none", SLICE_ARGS(name)), false};
}

static struct sample sample_of(const struct search_parameter *parameter,
                               const struct search_path *path, size_t at)
{
    const char *plain = arena_print(arena, "%zu", at);
    switch (parameter->kind) {
    case SEARCH_NUMBER:
        return (struct sample){plain, plain, "9999999", false};
    case SEARCH_DATE:
        return date_sample(path->type, at);
    case SEARCH_STRING:
        return text_sample(path->type, at);
    case SEARCH_TOKEN:
        return token_sample(path->type, at);
    case SEARCH_REFERENCE:
        return reference_sample(parameter, path, at);
    case SEARCH_QUANTITY:
        return quantity_sample(path->type, at);
    case SEARCH_URI: {
        const char *url = arena_print(arena, "http://uri/%05zu", at);
        return (struct sample){arena_print(arena, "'%s'", url), url, "http://uri/no", false};
    }
    default:
        fail();
        return (struct sample){0};
    }
}

/* ---- resources ----------------------------------------------------------------------------------
 */

/* A value and where it stands. */
struct part {
    const struct search_path *path;
    const char *json;
};

static void write_filter(struct buffer *out, const struct search_path *path, size_t at)
{
    if (path->filter_name.length > 0 && path->filter_step == at) {
        buffer_print(out, "'%.*s':'%.*s',", SLICE_ARGS(path->filter_name),
                     SLICE_ARGS(path->filter_value));
    }
}

static void write_value(struct buffer *out, const struct part *part)
{
    const char *json = part->json;
    if (json[0] == '{') {
        buffer_add_byte(out, *json++);
        write_filter(out, part->path, part->path->count);
    }
    buffer_add_text(out, json);
}

/* The members of the object that is met after AT steps: `'a':{'b':VALUE},'c':VALUE`. */
static void write_members(struct buffer *out, const struct part *parts, size_t count, size_t at)
{
    bool done[PARTS_MOST] = {false};
    for (size_t i = 0; i < count; i++) {
        struct part group[PARTS_MOST];
        struct slice step = parts[i].path->steps[at];
        size_t size = 0;
        for (size_t j = i; j < count && !done[i]; j++) {
            if (parts[j].path->count > at && slice_equals(parts[j].path->steps[at], step)) {
                group[size++] = parts[j];
                done[j] = j > i || done[j];
            }
        }
        if (size == 0) {
            continue;
        }
        buffer_add_text(out, i > 0 ? "," : "");
        write_filter(out, parts[i].path, at);
        buffer_print(out, "'%.*s':", SLICE_ARGS(step));
        if (parts[i].path->count == at + 1) {
            write_value(out, &parts[i]);
            continue;
        }
        buffer_add_byte(out, '{');
        write_members(out, group, size, at + 1);
        buffer_add_byte(out, '}');
    }
}

static struct made *made_new(resource_type type, const struct search_parameter *parameter,
                             struct buffer *out)
{
    struct made *made = &all[count_made++];
    assert_true(count_made < sizeof all / sizeof all[0]);
    *made = (struct made){.parameter = parameter};
    snprintf(made->id, sizeof made->id, "i%zu", ++number);
    *out = (struct buffer){.arena = arena};
    buffer_print(out, "{'resourceType':'%.*s','id':'%s'",
                 SLICE_ARGS(resource_type_name(definitions, type)), made->id);
    return made;
}

static void made_end(struct made *made, struct buffer *out, const char *hit, const char *miss)
{
    buffer_add_byte(out, '}');
    made->json = as_text(out);
    made->hit = hit;
    made->miss = miss;
}

static void make_plain(resource_type type, const struct search_parameter *parameter)
{
    for (size_t i = 0; i < parameter->path_count; i++) {
        const struct search_path *path = &parameter->paths[i];
        if (path->type == FHIR_TYPE_ATTACHMENT || path->type == FHIR_TYPE_SAMPLEDDATA) {
            continue; /* neither a reference nor a quantity, though it may stand in its place */
        }
        struct buffer out;
        struct made *made = made_new(type, parameter, &out);
        struct sample sample = parameter->exists ? (struct sample){"true", "true", "false", true}
                                                 : sample_of(parameter, path, number);
        const struct part part = {path, sample.json};
        buffer_add_byte(&out, ',');
        write_members(&out, &part, 1, 0);
        made->shared = sample.shared;
        made_end(made, &out, sample.query, sample.other);
    }
}

/* Values of all components: PATHS has one of each. */
static void make_beside(resource_type type, const struct search_parameter *parameter,
                        const struct search_path *const *paths)
{
    struct buffer out, hit = {.arena = arena}, miss = {.arena = arena};
    struct made *made = made_new(type, parameter, &out);
    struct part parts[PARTS_MOST];
    size_t count = parameter->component_count;
    made->shared = made->may_miss = true;
    for (size_t i = 0; i < count; i++) {
        struct sample sample = sample_of(parameter->components[i].parameter, paths[i], number);
        parts[i] = (struct part){paths[i], sample.json};
        made->shared = made->shared && sample.shared;
        buffer_print(&hit, "%s%s", i > 0 ? "$" : "", sample.query);
        buffer_print(&miss, "%s%s", i > 0 ? "$" : "", i + 1 == count ? sample.other : sample.query);
    }
    buffer_add_byte(&out, ',');
    write_members(&out, parts, count, 0);
    made_end(made, &out, as_text(&hit), as_text(&miss));
}

/* One resource of every choice of paths. */
static void make_composite(resource_type type, const struct search_parameter *parameter)
{
    size_t count = parameter->component_count, choices = 1;
    assert_in_range(count, 2, PARTS_MOST);
    for (size_t i = 0; i < count; i++) {
        choices *= parameter->components[i].parameter->path_count;
    }
    for (size_t choice = 0; choice < choices; choice++) {
        const struct search_path *paths[PARTS_MOST];
        size_t rest = choice;
        for (size_t i = 0; i < count; i++) {
            const struct search_parameter *part = parameter->components[i].parameter;
            paths[i] = &part->paths[rest % part->path_count];
            rest /= part->path_count;
        }
        make_beside(type, parameter, paths);
    }
}

/* What is no path of members: [type, parameter, members, hit, miss]. */
static const char *const by_hand[][5] = {
    {"Bundle", "composition",
     ",'type':'document','entry':[{'resource':{'resourceType':'Composition','id':'inside'}}]",
     "Composition/inside", "Composition/none"},
    {"Bundle", "message",
     ",'type':'message','entry':[{'resource':{'resourceType':'MessageHeader','id':'inside'}}]",
     "MessageHeader/inside", "MessageHeader/none"},
    {"QuestionnaireResponse", "item-subject",
     ",'item':[{'extension':[{'url':'http://hl7.org/fhir/StructureDefinition/"
     "questionnaireresponse-isSubject','valueBoolean':true}],'linkId':'1','answer':[{"
     "'valueReference':{'reference':'Patient/subject'}}]}]",
     "Patient/subject", "Patient/none"},
    {"Binary", "_content", ",'securityContext':{'display':'seen'}", "seen", "unseen"},
    {"Bundle", "_content", ",'link':[{'relation':'seen','url':'http://x'}]", "seen", "unseen"},
    {"Parameters", "_content", ",'parameter':[{'name':'seen'}]", "seen", "unseen"},
    {"Location", "near", ",'position':{'longitude':-1.5,'latitude':53.8}", "53.8|-1.5|1|km",
     "51.5|-0.1|1|km"},
};

static bool make_by_hand(resource_type type, const struct search_parameter *parameter)
{
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        const char *const *row = by_hand[i];
        if (type == type_named(row[0]) && slice_is(parameter->code, row[1])) {
            struct buffer out;
            struct made *made = made_new(type, parameter, &out);
            buffer_add_text(&out, row[2]);
            made_end(made, &out, row[3], row[4]);
            return true;
        }
    }
    return false;
}

/* Those of every type that are no paths. */
static bool make_of_every_type(resource_type type, const struct search_parameter *parameter)
{
    struct buffer out;
    bool words = slice_is(parameter->code, "_text") || slice_is(parameter->code, "_content");
    if (words) {
        struct made *made = made_new(type, parameter, &out);
        buffer_print(&out,
                     ",'text':{'status':'generated','div':'<div "
                     "xmlns=\\'http://www.w3.org/1999/xhtml\\'>seen%05zu</div>'}",
                     number);
        made_end(made, &out, arena_print(arena, "seen%05zu", number), "unseen");
    } else if (slice_is(parameter->code, "_id")) {
        struct made *made = made_new(type, parameter, &out);
        made_end(made, &out, made->id, "none");
    } else if (slice_is(parameter->code, "_lastUpdated")) {
        struct made *made = made_new(type, parameter, &out);
        made->shared = true;
        made_end(made, &out, "gt2000", "lt2000");
    } else {
        return false;
    }
    return true;
}

static void make(resource_type type, const struct search_parameter *parameter)
{
    if (make_by_hand(type, parameter) || make_of_every_type(type, parameter)) {
        return;
    }
    assert_true(parameter->kind != SEARCH_SPECIAL);
    if (parameter->kind == SEARCH_COMPOSITE) {
        make_composite(type, parameter);
    } else {
        assert_true(parameter->simple);
        make_plain(type, parameter);
    }
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static void store_all(void)
{
    const char **texts = arena_array(arena, count_made + 1, sizeof *texts);
    for (size_t i = 0; i < count_made; i++) {
        texts[i] = all[i].json;
    }
    must_put_all(texts, count_made);
}

/* The ids that `code=value` finds; of those only ID when that is not NULL. */
static const char *ask_for(resource_type type, const struct search_parameter *parameter,
                           const char *value, const char *id)
{
    return ask(arena_print(
        arena, "%.*s?%.*s=%s%s%s", SLICE_ARGS(resource_type_name(definitions, type)),
        SLICE_ARGS(parameter->code), value, id != NULL ? "&_id=" : "", id != NULL ? id : ""));
}

static size_t wrong;

static void complain(resource_type type, const struct made *made, const char *value,
                     const char *found)
{
    wrong++;
    print_message("%.*s?%.*s=%s: '%s'; made: %s\n",
                  SLICE_ARGS(resource_type_name(definitions, type)),
                  SLICE_ARGS(made->parameter->code), value, found, made->json);
}

/* Is it found by its own value, alone; and not by another? */
static bool check(resource_type type, const struct made *made)
{
    const char *only = made->shared ? made->id : NULL;
    const char *hit = ask_for(type, made->parameter, made->hit, only);
    const char *miss = ask_for(type, made->parameter, made->miss, only);
    if (strcmp(miss, "") != 0) {
        complain(type, made, made->miss, miss);
    }
    if (strcmp(hit, made->id) != 0 && !(made->may_miss && strcmp(hit, "") == 0)) {
        complain(type, made, made->hit, hit);
    }
    return strcmp(hit, made->id) == 0;
}

static void every_parameter_finds_what_has_its_value_and_nothing_else(void **state)
{
    (void)state;
    size_t hits = 0, refused = 0;
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        struct arena_mark mark = arena_mark(arena);
        size_t count;
        const struct search_parameter *parameters = search_parameters(definitions, type, &count);
        count_made = 0;
        for (size_t i = 0; i < count; i++) {
            if (search_parameter_answered(&parameters[i])) {
                make(type, &parameters[i]);
            } else { /* they name a query, a filter, or nothing */
                assert_string_equal(ask_for(type, &parameters[i], "x", NULL), "STATUS_PARAMETER");
                refused++;
            }
        }
        store_all();
        for (size_t i = 0, one = 0; i < count_made; i += one) {
            bool hit = false;
            for (one = 0; i + one < count_made && all[i + one].parameter == all[i].parameter;) {
                hit = check(type, &all[i + one++]) || hit;
            }
            if (!hit) {
                complain(type, &all[i], all[i].hit, "in none of its places");
            }
            hits += hit;
        }
        arena_rewind(arena, mark);
    }
    print_message("%zu parameters, %zu paths\n", hits, number);
    assert_int_equal(wrong, 0);
    assert_int_equal(hits, 1708 + 1457 - refused);
    assert_int_equal(refused, 2 * 146 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(every_parameter_finds_what_has_its_value_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
