/* SPDX-License-Identifier: MIT */
/* Definitions that are judged themselves: what R4 states of StructureDefinitions and
 * SearchParameters in words, or in an invariant whose expression does not ask what its words say
 * (eld-11, eld-19). */
#include "validate/form_int.h"
#include "validate/profile_int.h"

#define EXTENSIONS "http://hl7.org/fhir/StructureDefinition/"
#define TOOLS      "http://hl7.org/fhir/tools/StructureDefinition/"

/* ---- types by path ----------------------------------------------------------------------------
 */

/* The type of the member NAME of TYPE, or of its choice's only type; NULL: not to be told. *RET_IS:
 * there is such a member. */
static const struct type_row *member_type(const struct checker *checker,
                                          const struct type_row *type, struct slice name,
                                          bool *ret_is)
{
    const struct type_row *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < type->element_count; i++) {
        const struct element_row *element = type_element(checker->tables, type, i);
        struct slice whole = table_text(checker->tables, element->name);
        if (slice_equals(slice_head(whole, element->stem_length), name) ||
            slice_equals(whole, name)) {
            found = element_type_row(checker->tables, element);
            count++;
        }
    }
    *ret_is = count > 0;
    return count == 1 ? found : NULL;
}

static bool has_members(const struct type_row *type)
{
    return type != NULL && type->kind != TYPE_ABSTRACT && type->element_count > 0;
}

/* The type at the end of a path that begins with a type's name; NULL: not to be told. */
static const struct type_row *type_of_path(const struct checker *checker, struct slice path)
{
    const struct type_row *type = type_find(checker->definitions, slice_cut(&path, '.'));
    bool is = true;
    while (path.length > 0 && has_members(type)) {
        struct slice name = slice_cut(&path, '.');
        name.length -= slice_ends(name, SLICE("[x]")) ? 3 : 0;
        type = member_type(checker, type, name, &is);
    }
    return path.length == 0 ? type : NULL;
}

/* False when a step of a discriminator's PATH is no member of what stands before it (R4
 * profiling.html#discriminator); functions end what can be told. */
static bool can_follow(const struct checker *checker, const struct type_row *type,
                       struct slice path)
{
    bool is = true;
    while (path.length > 0 && has_members(type) && is) {
        struct slice name = slice_cut(&path, '.');
        if (slice_index(name, '(') < name.length) {
            return true;
        }
        if (!slice_is(name, "$this")) {
            type = member_type(checker, type, name, &is);
        }
    }
    return is;
}

/* ---- elements ---------------------------------------------------------------------------------
 */

static bool is_coded(struct slice type)
{
    static const char *const coded[] = {
        "code", "Coding",    "CodeableConcept", "Quantity", "Age",  "Count", "Distance", "Duration",
        "uri",  "canonical", "markdown",        "string",   "uuid", "url",   "oid",      "id"};
    for (size_t i = 0; i < sizeof coded / sizeof *coded; i++) {
        if (slice_is(type, coded[i])) {
            return true;
        }
    }
    /* A type of a logical model, or one that is constrained: not to be told. */
    return slice_index(type, ':') < type.length;
}

/* eld-11 */
static void check_bindable(struct checker *checker, const struct place *place, yyjson_val *element)
{
    yyjson_val *types = json_get(element, "type"), *type;
    size_t i, max;
    bool coded = yyjson_arr_size(types) == 0;
    yyjson_arr_foreach(types, i, max, type)
    {
        struct slice code = json_get_string(type, "code");
        const struct type_row *row = type_find(checker->definitions, code);
        coded = coded || is_coded(code) || row == NULL || row->fhir_type == FHIR_TYPE_EXTENSION;
    }
    if (json_get(element, "binding") != NULL && !coded) {
        report(checker, &place->frame, json_get(element, "binding"), RULE_DEFINITION,
               "Only codes, Coding, CodeableConcept, Quantity, string and uri are bound to value "
               "sets: leave the binding out (eld-11).");
    }
}

/* eld-19, of the whole path */
static void check_names(struct checker *checker, const struct place *place, yyjson_val *element)
{
    struct slice path = json_get_string(element, "path");
    bool wrong = path.length > 0 && path.at[path.length - 1] == '.';
    while (path.length > 0) {
        struct slice name = slice_cut(&path, '.');
        wrong = wrong || name.length == 0;
    }
    if (wrong) {
        report(checker, &place->frame, json_get(element, "path"), RULE_DEFINITION,
               "A path is names with one dot between two of them (eld-19).");
    }
}

static void check_discriminators(struct checker *checker, const struct place *place,
                                 yyjson_val *element)
{
    const struct type_row *type = type_of_path(checker, json_get_string(element, "path"));
    struct place slicing = place_member(checker, place, "slicing", NO_INDEX);
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(json_get(element, "slicing"), "discriminator"), i, max, each)
    {
        yyjson_val *path = json_get(each, "path");
        if (!can_follow(checker, type, json_string(path))) {
            struct place at = place_member(checker, &slicing, "discriminator", (uint32_t)i);
            report(checker, &at.frame, path, RULE_DEFINITION,
                   "The path of a discriminator leads from the element that is sliced to a member "
                   "of it: there is none of this name.");
        }
    }
}

/* ---- derived definitions ----------------------------------------------------------------------
 */

/* What a profile fixes stays fixed in what is derived from it (R4 profiling.html). */
static void check_still_fixed(struct checker *checker, const struct place *place,
                              yyjson_val *element, yyjson_val *base)
{
    size_t i, max;
    yyjson_val *each;
    struct slice id = json_get_string(element, "id"), name, base_name;
    yyjson_val *fixed = choice_value(element, "fixed", &name);
    if (fixed == NULL || id.length == 0) {
        return;
    }
    yyjson_arr_foreach(json_get(json_get(base, "snapshot"), "element"), i, max, each)
    {
        if (!slice_equals(json_get_string(each, "id"), id)) {
            continue;
        }
        yyjson_val *before = choice_value(each, "fixed", &base_name);
        if (before != NULL && (!slice_equals(name, base_name) || !value_is_fixed(before, fixed))) {
            report(checker, &place->frame, fixed, RULE_DEFINITION,
                   "The definition that this one builds on fixes another value here: a derived "
                   "definition keeps it.");
        }
    }
}

static bool is_obligation_profile(yyjson_val *root)
{
    static const char *const flags[] = {
        EXTENSIONS "obligation-profile-flag", EXTENSIONS "obligation-profile",
        TOOLS "obligation-profile-flag", TOOLS "obligation-profile"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (yyjson_is_true(extension_value(root, flags[i]))) {
            return true;
        }
    }
    return false;
}

/* The extension inherit-obligations (HL7 FHIR Extensions Pack): the profile that it names is marked
 * as one of obligations; those are laid on the elements of one base, so both have that. */
static void check_obligations(struct checker *checker, const struct place *place, yyjson_val *root)
{
    struct conformance *conformance = checker->options->conformance;
    size_t i, max;
    yyjson_val *each;
    yyjson_arr_foreach(json_get(root, "extension"), i, max, each)
    {
        struct slice url = json_get_string(each, "url");
        bool inherits = slice_is(url, EXTENSIONS "inherit-obligations") ||
                        slice_is(url, TOOLS "inherit-obligations");
        const struct canonical *other =
            inherits && conformance != NULL
                ? conformance_hold(conformance, SLICE("StructureDefinition"),
                                   json_get_string(each, "valueCanonical"))
                : NULL;
        if (other == NULL) {
            continue;
        }
        struct place at = place_member(checker, place, "extension", (uint32_t)i);
        if (!is_obligation_profile(other->json->root)) {
            report(checker, &at.frame, each, RULE_DEFINITION,
                   "Obligations are inherited from a profile that is marked as one of obligations "
                   "(obligation-profile-flag): name one, or mark this one.");
        } else if (!slice_equals(json_get_string(other->json->root, "baseDefinition"),
                                 json_get_string(root, "baseDefinition"))) {
            report(checker, &at.frame, each, RULE_DEFINITION,
                   "The profile whose obligations are inherited builds on another definition than "
                   "this one: obligations are of elements of the same base.");
        }
        conformance_release(conformance, other);
    }
}

static void check_elements(struct checker *checker, const struct place *place, yyjson_val *root,
                           const char *view, yyjson_val *base)
{
    size_t i, max;
    yyjson_val *element;
    struct place above = place_member(checker, place, view, NO_INDEX);
    yyjson_arr_foreach(json_get(json_get(root, view), "element"), i, max, element)
    {
        struct place at = place_member(checker, &above, "element", (uint32_t)i);
        check_names(checker, &at, element);
        check_bindable(checker, &at, element);
        check_discriminators(checker, &at, element);
        if (base != NULL) {
            check_still_fixed(checker, &at, element, base);
        }
    }
}

/* R4 code system discriminator-type. */
static bool is_discriminator(struct slice type)
{
    static const char *const types[] = {"value", "exists", "pattern", "type", "profile"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (slice_is(type, types[i])) {
            return true;
        }
    }
    return type.length == 0; /* it is missing, which the structure says */
}

/* A differential stands for a snapshot (R4 profiling.html#snapshot), whose slices can be told
 * apart. */
static bool can_apply(struct checker *checker, yyjson_val *root)
{
    size_t i, max, j, last;
    yyjson_val *element, *each;
    yyjson_arr_foreach(json_get(json_get(root, "differential"), "element"), i, max, element)
    {
        yyjson_arr_foreach(json_get(json_get(element, "slicing"), "discriminator"), j, last, each)
        {
            if (!is_discriminator(json_get_string(each, "type"))) {
                return false;
            }
        }
    }
    struct buffer snapshot = {.arena = arena_create(arena_limit(checker->arena))};
    enum status status = snapshot.arena != NULL
                             ? snapshot_write(checker->options->conformance, root, NULL, &snapshot)
                             : STATUS_TOO_COSTLY;
    arena_destroy(snapshot.arena);
    return status != STATUS_INVALID;
}

/* Where a definition is only stored it need not be of use yet, but whoever sends one is told. */
static void check_snapshot(struct checker *checker, const struct frame *frame, yyjson_val *root)
{
    bool strict = checker->options->strict;
    if ((strict || json_get(root, "snapshot") == NULL) && !can_apply(checker, root)) {
        report_as(checker, strict ? SEVERITY_ERROR : SEVERITY_WARNING, frame, root, RULE_DEFINITION,
                  "No snapshot can be made of this differential, so that nothing can be checked "
                  "against it: correct its paths, slices and discriminators.");
    }
}

void check_structure_definition(struct checker *checker, const struct frame *frame,
                                const struct type_row *type, yyjson_val *root)
{
    struct place place = {.frame = *frame, .type = type};
    struct conformance *conformance = checker->options->conformance;
    if (slice_is(json_get_string(root, "kind"), "logical")) {
        return;
    }
    struct slice url = json_get_string(root, "baseDefinition");
    const struct canonical *base =
        conformance != NULL && slice_is(json_get_string(root, "derivation"), "constraint")
            ? conformance_hold(conformance, SLICE("StructureDefinition"), url)
            : NULL;
    if (checker->options->strict) {
        check_obligations(checker, &place, root);
        check_elements(checker, &place, root, "differential",
                       base != NULL ? base->json->root : NULL);
    }
    if (base != NULL) {
        check_snapshot(checker, frame, root);
    }
    conformance_release(conformance, base);
}

static bool can_be_read(struct checker *checker, yyjson_val *root, struct slice base)
{
    const struct fhirpath *compiled;
    const struct type_row *row = type_find(checker->definitions, base);
    struct arena *arena = arena_create(arena_limit(checker->arena));
    bool can = row == NULL || arena == NULL ||
               fhirpath_compile(checker->definitions, json_get_string(root, "expression"), row,
                                FHIRPATH_LENIENT, arena, NULL, &compiled) == STATUS_OK;
    arena_destroy(arena);
    return can;
}

/* The definitions' own parameter stands where another has its code. */
static bool is_taken(const struct checker *checker, yyjson_val *root, struct slice base)
{
    const struct search_parameter *there =
        search_parameter_find(checker->definitions, resource_type_find(checker->definitions, base),
                              json_get_string(root, "code"));
    return there != NULL && !slice_equals(there->url, json_get_string(root, "url"));
}

/* One that is stored is searched by: who sends it is told when it will not be. */
static void check_usable(struct checker *checker, const struct frame *frame, yyjson_val *root)
{
    struct slice base = json_string(yyjson_arr_get_first(json_get(root, "base")));
    enum severity severity = checker->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING;
    if (!slice_is(json_get_string(root, "status"), "active")) {
        return;
    }
    if (json_get_string(root, "expression").length == 0) {
        report_as(checker, SEVERITY_WARNING, frame, root, RULE_DEFINITION,
                  "Without an expression nothing is found by this search parameter: add one.");
    } else if (!can_be_read(checker, root, base)) {
        report_as(checker, severity, frame, json_get(root, "expression"), RULE_DEFINITION,
                  "The expression cannot be read as FHIRPath on the base type, so that nothing is "
                  "found by this search parameter: correct it.");
    }
    if (is_taken(checker, root, base)) {
        report_as(checker, SEVERITY_WARNING, frame, json_get(root, "code"), RULE_DEFINITION,
                  "The base type has a search parameter of this code already, which goes on being "
                  "the one that counts: give this one another code.");
    }
}

void check_search_parameter(struct checker *checker, const struct frame *frame,
                            const struct type_row *type, yyjson_val *root)
{
    (void)type;
    if (checker->options->strict && slice_is(json_get_string(root, "type"), "composite") &&
        yyjson_arr_size(json_get(root, "component")) < 2) {
        report(checker, frame, root, RULE_DEFINITION,
               "A composite search parameter combines two components or more (R4 "
               "search.html#composite): add them.");
    }
    check_usable(checker, frame, root);
}
