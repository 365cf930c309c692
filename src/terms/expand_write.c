/* SPDX-License-Identifier: MIT */
/* The ValueSet of an expansion. Properties of concepts, which R4 has no element for, are written as
 * the extensions that R5's elements have in R4. */
#include "terms/expand.h"

#define EXTENSION   "http://hl7.org/fhir/StructureDefinition/"
#define EXTENSION_5 "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion."
#define CONCEPT     "http://hl7.org/fhir/concept-properties#"
#define NODES_MOST  (SCOPE_MOST + 2)
#define PREFERRED_USE                                                                              \
    "\"use\":{\"system\":\"http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra\",\"code\":"    \
    "\"preferredForLanguage\",\"display\":\"Preferred For Language\"},"

/* Where extensions of an item stand: in the value set, the code system, its supplements. */
struct nodes {
    yyjson_val *list[NODES_MOST];
    size_t count;
};

static struct nodes nodes_of(const struct expansion *expansion, const struct item *item)
{
    struct nodes nodes = {.count = 0};
    const struct scope *scope = expansion->question->scope;
    if (item->listed != NULL) {
        nodes.list[nodes.count++] = item->listed;
    }
    if (item->system->nodes != NULL && item->system->nodes[item->code] != NULL &&
        item->system->nodes[item->code] != item->listed) {
        nodes.list[nodes.count++] = item->system->nodes[item->code];
    }
    for (size_t i = 0; i < scope->supplement_count; i++) {
        const struct code_system *supplement = scope->supplements[i];
        uint32_t code = supplement_adds(supplement, item->system)
                            ? code_find(supplement, code_text(item->system, item->code))
                            : CODE_NONE;
        if (code != CODE_NONE && supplement->nodes != NULL) {
            nodes.list[nodes.count++] = supplement->nodes[code];
        }
    }
    return nodes;
}

static yyjson_val *nodes_extension(const struct nodes *nodes, const char *url)
{
    for (size_t i = 0; i < nodes->count; i++) {
        yyjson_val *extension = extension_find(nodes->list[i], url);
        if (extension != NULL) {
            return extension;
        }
    }
    return NULL;
}

/* ---- extensions -------------------------------------------------------------------------------
 */

struct list {
    struct buffer *out;
    const char *open; /* written before the first */
    bool any;
};

static void list_next(struct list *list)
{
    buffer_add_text(list->out, list->any ? "," : list->open);
    list->any = true;
}

static void list_end(struct list *list)
{
    buffer_add_text(list->out, list->any ? "]," : "");
}

static void write_known_extensions(const struct nodes *nodes, const struct item *item,
                                   struct list *list)
{
    static const char *const shown[] = {
        EXTENSION "rendering-style",           EXTENSION "rendering-xhtml",
        EXTENSION "valueset-deprecated",       EXTENSION "valueset-concept-definition",
        EXTENSION "valueset-concept-comments",
    };
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        yyjson_val *extension = nodes_extension(nodes, shown[i]);
        if (extension != NULL) {
            list_next(list);
            json_write(extension, NULL, NULL, list->out);
        }
    }
    /* Of the code system it is the property status; of the value set an extension. */
    yyjson_val *standing =
        extension_find(item->listed, EXTENSION "structuredefinition-standards-status");
    if (standing != NULL) {
        list_next(list);
        json_write(standing, NULL, NULL, list->out);
    }
}

/* ---- properties -------------------------------------------------------------------------------
 */

static void note_used(struct expansion *expansion, struct slice code, struct slice uri)
{
    for (size_t i = 0; i < expansion->used_count; i++) {
        if (slice_equals(expansion->used[i].code, code)) {
            return;
        }
    }
    if (expansion->used_count < PROPERTIES_MOST) {
        expansion->used[expansion->used_count++] = (struct used_property){code, uri};
    }
}

static void write_property(struct expansion *expansion, struct list *list, struct slice code,
                           struct slice uri, const char *type, struct slice value)
{
    note_used(expansion, code, uri);
    list_next(list);
    buffer_add_text(list->out, "{\"url\":\"" EXTENSION_5 "contains.property\",\"extension\":["
                               "{\"url\":\"code\",\"valueCode\":");
    buffer_add_json_string(list->out, code);
    buffer_add_text(list->out, "},{\"url\":\"value\",");
    value_write(list->out, type, value);
    buffer_add_text(list->out, "}]}");
}

static struct slice number_text(yyjson_val *extension)
{
    struct slice text = json_number(json_get(extension, "valueInteger"));
    return text.length > 0 ? text : json_number(json_get(extension, "valueDecimal"));
}

static yyjson_val *first_of(const struct nodes *nodes, const char *a, const char *b)
{
    for (size_t i = 0; i < nodes->count; i++) {
        yyjson_val *found = extension_find(nodes->list[i], a);
        found = found != NULL ? found : extension_find(nodes->list[i], b);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

static void write_standard_properties(struct expansion *expansion, const struct nodes *nodes,
                                      struct list *list)
{
    yyjson_val *weight = nodes_extension(nodes, EXTENSION "itemWeight");
    yyjson_val *label = first_of(nodes, EXTENSION "valueset-label", EXTENSION "codesystem-label");
    yyjson_val *order =
        first_of(nodes, EXTENSION "valueset-conceptOrder", EXTENSION "codesystem-conceptOrder");
    if (number_text(weight).length > 0) {
        write_property(expansion, list, SLICE("weight"), SLICE(CONCEPT "itemWeight"), "Decimal",
                       number_text(weight));
    }
    if (json_get(label, "valueString") != NULL) {
        write_property(expansion, list, SLICE("label"), SLICE(CONCEPT "label"), "String",
                       json_get_string(label, "valueString"));
    }
    if (number_text(order).length > 0) {
        write_property(expansion, list, SLICE("order"), SLICE(CONCEPT "order"), "Decimal",
                       number_text(order));
    }
}

static bool is_asked_for(const struct expansion *expansion, struct slice code)
{
    const struct question *question = expansion->question;
    for (size_t i = 0; i < question->count; i++) {
        if (slice_is(question->parameters[i].name, "property") &&
            slice_equals(question->parameters[i].text, code)) {
            return true;
        }
    }
    return false;
}

static struct slice property_uri(const struct expansion *expansion, const struct item *item,
                                 struct slice code)
{
    const struct scope *scope = expansion->question->scope;
    struct slice uri = code_property_uri(item->system, code);
    for (size_t i = 0; uri.length == 0 && i < scope->supplement_count; i++) {
        uri = code_property_uri(scope->supplements[i], code);
    }
    return uri;
}

static void write_properties(struct expansion *expansion, const struct item *item,
                             const struct nodes *nodes, struct list *list)
{
    const struct code_system *system = item->system;
    size_t count;
    const struct property *all = scope_properties(expansion->question->scope, system, item->code,
                                                  expansion->question->arena, &count);
    struct slice status = {0};
    write_standard_properties(expansion, nodes, list);
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(all[i].code, system->status_property)) {
            status = all[i].value;
        } else if (is_asked_for(expansion, all[i].code) && all[i].node == NULL) {
            write_property(expansion, list, all[i].code, property_uri(expansion, item, all[i].code),
                           all[i].type, all[i].value);
        }
    }
    if (status.length == 0) {
        yyjson_val *standing = system->nodes != NULL
                                   ? extension_find(system->nodes[item->code], EXTENSION
                                                    "structuredefinition-standards-status")
                                   : NULL;
        status = json_get_string(standing, "valueCode");
    }
    if (status.length > 0 && (!slice_is(status, "active") || is_asked_for(expansion, status))) {
        write_property(expansion, list, SLICE("status"), SLICE(CONCEPT "status"), "Code", status);
    }
    struct slice definition = code_definition(system, item->code);
    if (definition.length > 0 && is_asked_for(expansion, SLICE("definition"))) {
        write_property(expansion, list, SLICE("definition"), SLICE(CONCEPT "definition"), "String",
                       definition);
    }
}

/* ---- designations -----------------------------------------------------------------------------
 */

/* `designation` asks for "system|code": a use, or a language of urn:ietf:bcp:47. */
static bool designation_asked(const struct expansion *expansion,
                              const struct designation *designation)
{
    const struct question *question = expansion->question;
    bool any = false;
    for (size_t i = 0; i < question->count; i++) {
        if (!slice_is(question->parameters[i].name, "designation")) {
            continue;
        }
        struct slice text = question->parameters[i].text;
        struct slice system = slice_head(text, slice_index(text, '|'));
        struct slice code = slice_from(text, system.length + 1);
        any = true;
        if (slice_is(system, "urn:ietf:bcp:47") ? language_matches(code, designation->language)
                                                : slice_equals(system, designation->use_system) &&
                                                      slice_equals(code, designation->use_code)) {
            return true;
        }
    }
    return !any;
}

static void write_designation(const struct designation *designation, struct list *list)
{
    static const char *const shown[] = {EXTENSION "coding-sctdescid",
                                        EXTENSION "structuredefinition-standards-status"};
    list_next(list);
    buffer_add_byte(list->out, '{');
    struct list extensions = {.out = list->out, .open = "\"extension\":["};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        yyjson_val *extension = extension_find(designation->node, shown[i]);
        if (extension != NULL) {
            list_next(&extensions);
            json_write(extension, NULL, NULL, list->out);
        }
    }
    list_end(&extensions);
    if (designation->language.length > 0) {
        buffer_add_text(list->out, "\"language\":");
        buffer_add_json_string(list->out, designation->language);
        buffer_add_byte(list->out, ',');
    }
    yyjson_val *use = json_get(designation->node, "use");
    if (use != NULL) {
        buffer_add_text(list->out, "\"use\":");
        json_write(use, NULL, NULL, list->out);
        buffer_add_byte(list->out, ',');
    } else if (designation->use_code.length > 0) {
        buffer_add_text(list->out, "\"use\":{\"system\":");
        buffer_add_json_string(list->out, designation->use_system);
        buffer_add_text(list->out, ",\"code\":");
        buffer_add_json_string(list->out, designation->use_code);
        buffer_add_text(list->out, "},");
    }
    buffer_add_text(list->out, "\"value\":");
    buffer_add_json_string(list->out, designation->value);
    buffer_add_byte(list->out, '}');
}

static void write_designations(const struct expansion *expansion, const struct item *item,
                               const struct shown *shown, struct buffer *out)
{
    struct arena *arena = expansion->question->arena;
    struct list list = {.out = out, .open = "\"designation\":["};
    size_t count;
    const struct designation *all =
        scope_designations(expansion->question->scope, item->system, item->code, arena, &count);
    struct slice standard = code_display(item->system, item->code);
    struct designation own = {.language = item->system->language, .value = standard};
    if (standard.length > 0 && !slice_equals(standard, shown->text) &&
        designation_asked(expansion, &own)) {
        list_next(&list);
        buffer_add_byte(out, '{');
        if (own.language.length > 0) {
            buffer_add_text(out, "\"language\":");
            buffer_add_json_string(out, own.language);
            buffer_add_byte(out, ',');
        }
        buffer_add_text(out, PREFERRED_USE "\"value\":");
        buffer_add_json_string(out, standard);
        buffer_add_byte(out, '}');
    }
    for (size_t i = 0; i < count; i++) {
        bool is_shown = slice_equals(all[i].value, shown->text) &&
                        slice_equals(all[i].language, shown->language);
        if (!is_shown && designation_asked(expansion, &all[i])) {
            write_designation(&all[i], &list);
        }
    }
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(json_get(item->listed, "designation"), at, max, node)
    {
        struct designation each = {.language = json_get_string(node, "language"),
                                   .use_system = json_get_string(json_get(node, "use"), "system"),
                                   .use_code = json_get_string(json_get(node, "use"), "code"),
                                   .value = json_get_string(node, "value"),
                                   .node = node};
        if (designation_asked(expansion, &each) &&
            !(slice_equals(each.value, shown->text) &&
              slice_equals(each.language, shown->language))) {
            write_designation(&each, &list);
        }
    }
    list_end(&list);
}

/* ---- contains ---------------------------------------------------------------------------------
 */

/* Is more than one version of the system in the expansion? */
static bool needs_version(const struct expansion *expansion, const struct code_system *system)
{
    const struct value_set *set = expansion->set;
    for (size_t i = 0; i < set->include_count; i++) {
        const struct code_system *other = set->includes[i].system;
        if (other != NULL && other != system && slice_equals(other->url, system->url)) {
            return true;
        }
    }
    for (size_t i = 0; i < set->exclude_count; i++) {
        const struct code_system *other = set->excludes[i].system;
        if (other != NULL && other != system && slice_equals(other->url, system->url)) {
            return true;
        }
    }
    for (size_t i = 0; i < set->set_count; i++) {
        const struct code_system *other = set->sets[i].system;
        if (other != system && slice_equals(other->url, system->url)) {
            return true;
        }
    }
    return false;
}

static void write_item(struct expansion *expansion, const struct item *item, struct buffer *out)
{
    const struct code_system *system = item->system;
    struct nodes nodes = nodes_of(expansion, item);
    struct list extensions = {.out = out, .open = "\"extension\":["};
    struct shown shown = display_for(expansion->question, system, item->code, item->listed);
    write_known_extensions(&nodes, item, &extensions);
    write_properties(expansion, item, &nodes, &extensions);
    list_end(&extensions);
    buffer_add_text(out, "\"system\":");
    buffer_add_json_string(out, system->url);
    if (code_is(system, item->code, CODE_ABSTRACT)) {
        buffer_add_text(out, ",\"abstract\":true");
    }
    if (code_is(system, item->code, CODE_INACTIVE)) {
        buffer_add_text(out, ",\"inactive\":true");
    }
    if (system->version.length > 0 && needs_version(expansion, system)) {
        buffer_add_text(out, ",\"version\":");
        buffer_add_json_string(out, system->version);
    }
    buffer_add_text(out, ",\"code\":");
    buffer_add_json_string(out, code_text(system, item->code));
    if (shown.text.length > 0) {
        buffer_add_text(out, ",\"display\":");
        buffer_add_json_string(out, shown.text);
    }
    if (expansion->designations) {
        buffer_add_byte(out, ',');
        write_designations(expansion, item, &shown, out);
        out->length--; /* the comma before nothing, or after the list */
    }
}

static void write_nested(struct expansion *expansion, size_t first, struct buffer *out)
{
    struct list list = {.out = out, .open = "\"contains\":["};
    for (size_t at = first; at != 0; at = expansion->items[at - 1].next) {
        list_next(&list);
        buffer_add_byte(out, '{');
        write_item(expansion, &expansion->items[at - 1], out);
        if (expansion->items[at - 1].child != 0) {
            buffer_add_byte(out, ',');
            write_nested(expansion, expansion->items[at - 1].child, out);
        }
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, list.any ? "]" : "");
}

static void write_page(struct expansion *expansion, struct buffer *out)
{
    struct list list = {.out = out, .open = "\"contains\":["};
    size_t from = expansion->page_offset;
    for (size_t i = from; i < expansion->count && i - from < expansion->page_count; i++) {
        list_next(&list);
        buffer_add_byte(out, '{');
        write_item(expansion, &expansion->items[i - expansion->first], out);
        buffer_add_byte(out, '}');
    }
    buffer_add_text(out, list.any ? "]" : "");
}

/* ---- the head ---------------------------------------------------------------------------------
 */

static void write_definition(const struct expansion *expansion, struct buffer *out)
{
    static const char *const brief[] = {"language", "url",      "identifier", "version",
                                        "name",     "title",    "status",     "experimental",
                                        "date",     "publisher"};
    static const char *const left_out[] = {"resourceType", "id",   "meta",
                                           "expansion",    "text", "contained"};
    yyjson_val *root = expansion->set->root;
    size_t at, max;
    yyjson_val *name, *value;
    buffer_add_text(out, "{\"resourceType\":\"ValueSet\"");
    yyjson_obj_foreach(root, at, max, name, value)
    {
        bool shown = expansion->definition;
        size_t count = expansion->definition ? sizeof left_out / sizeof left_out[0]
                                             : sizeof brief / sizeof brief[0];
        for (size_t i = 0; i < count; i++) {
            shown ^= slice_is(json_string(name), expansion->definition ? left_out[i] : brief[i]);
        }
        if (shown && !slice_is(json_string(name), "identifier")) {
            buffer_add_byte(out, ',');
            buffer_add_json_string(out, json_string(name));
            buffer_add_byte(out, ':');
            json_write(value, NULL, NULL, out);
        }
    }
    if (json_get(root, "status") == NULL) {
        buffer_add_text(out, ",\"status\":\"unknown\"");
    }
}

static const struct code_system *fragment_of(const struct value_set *set)
{
    for (size_t i = 0; i < set->include_count; i++) {
        const struct include *include = &set->includes[i];
        if (include->system != NULL && !include->system->stand_in &&
            include->system->content == CONTENT_FRAGMENT && include->listed_count == 0) {
            return include->system;
        }
        for (size_t j = 0; j < include->import_count; j++) {
            const struct code_system *found = fragment_of(include->imports[j]);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}

static void write_head_extensions(const struct expansion *expansion, struct buffer *out)
{
    struct list list = {.out = out, .open = "\"extension\":["};
    const struct code_system *fragment = fragment_of(expansion->set);
    if (fragment != NULL) {
        list_next(&list);
        buffer_add_text(out, "{\"url\":\"" EXTENSION "valueset-unclosed\",\"valueBoolean\":true},"
                             "{\"url\":\"" EXTENSION "valueset-unclosed-reason\",\"valueString\":");
        struct slice reason =
            slice_text(arena_print(expansion->question->arena,
                                   "This extension is based on a fragment of the code system %.*s",
                                   SLICE_ARGS(fragment->url)));
        buffer_add_json_string(out, reason);
        buffer_add_byte(out, '}');
    }
    for (size_t i = 0; i < expansion->used_count; i++) {
        list_next(&list);
        buffer_add_text(out, "{\"url\":\"" EXTENSION_5 "property\",\"extension\":[{\"url\":"
                             "\"code\",\"valueCode\":");
        buffer_add_json_string(out, expansion->used[i].code);
        buffer_add_byte(out, '}');
        if (expansion->used[i].uri.length > 0) {
            buffer_add_text(out, ",{\"url\":\"uri\",\"valueUri\":");
            buffer_add_json_string(out, expansion->used[i].uri);
            buffer_add_byte(out, '}');
        }
        buffer_add_text(out, "]}");
    }
    list_end(&list);
}

enum status expansion_write(struct expansion *expansion, struct buffer *out)
{
    char uuid[UUID_LENGTH + 1], instant[INSTANT_LENGTH + 1];
    struct buffer contains = {.arena = expansion->question->arena};
    if (expansion->nested) {
        write_nested(expansion, expansion->first_root, &contains);
    } else {
        write_page(expansion, &contains);
    }
    random_uuid(uuid);
    instant_write(time_now(), instant);
    write_definition(expansion, out);
    buffer_add_text(out, ",\"expansion\":{");
    write_head_extensions(expansion, out);
    buffer_print(out, "\"identifier\":\"urn:uuid:%s\",\"timestamp\":\"%s\",\"total\":%zu,", uuid,
                 instant, expansion->count);
    if (expansion->offset_given || expansion->count_given) {
        buffer_print(out, "\"offset\":%zu,", expansion->page_offset);
    }
    expansion_write_parameters(expansion, out);
    if (contains.length > 0) {
        buffer_add(out, buffer_slice(&contains));
        buffer_add_byte(out, ',');
    }
    out->length--; /* the last comma */
    buffer_add_text(out, "}}");
    return buffer_ok(&contains) && buffer_ok(out) ? STATUS_OK : STATUS_TOO_COSTLY;
}
