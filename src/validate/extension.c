/* SPDX-License-Identifier: MIT */
/* Extensions by their definitions (R4 extensibility.html, defining-extensions.html#context), and
 * attachments. */
#include "validate/profile_int.h"

#define PATH_LIMIT 512

static bool is_path(struct slice path, struct slice type, struct slice tail)
{
    return path.length == type.length + tail.length && slice_starts(path, type) &&
           slice_ends(path, tail);
}

/* Does PATH, written from a type, name NODE? It may begin at any type on the way to it. */
static bool is_named(const struct review *review, struct slice path,
                     const struct fhirpath_node *node)
{
    char suffix[PATH_LIMIT];
    size_t start = sizeof suffix; /* the suffix is written from its end */
    for (const struct fhirpath_node *at = node; at != NULL; at = at->parent) {
        struct slice type = table_text(review->tables, at->type->name);
        struct slice tail = slice_of(suffix + start, sizeof suffix - start);
        if (is_path(path, type, tail)) {
            return true;
        }
        if (at->element == NULL || at->type->kind == TYPE_RESOURCE) {
            return is_path(path, SLICE("DomainResource"), tail) ||
                   is_path(path, SLICE("Resource"), tail);
        }
        struct slice name =
            slice_head(table_text(review->tables, at->element->name), at->element->stem_length);
        if (name.length + 1 > start) {
            return false;
        }
        start -= name.length;
        memcpy(suffix + start, name.at, name.length);
        suffix[--start] = '.';
    }
    return false;
}

static bool is_kind(struct slice context, const struct fhirpath_node *host)
{
    bool resource = host->type->kind == TYPE_RESOURCE;
    if (slice_is(context, "Element")) {
        return true; /* published definitions mean resources by it too */
    }
    if (slice_is(context, "Resource") || slice_is(context, "DomainResource")) {
        return resource;
    }
    if (slice_is(context, "CanonicalResource") || slice_is(context, "MetadataResource")) {
        return resource && json_get(host->value, "url") != NULL; /* R5's name for those */
    }
    if (slice_is(context, "BackboneElement")) {
        return host->type->kind == TYPE_BACKBONE;
    }
    return host->type->fhir_type == FHIR_TYPE_EXTENSION &&
           slice_equals(context, json_get_string(host->value, "url"));
}

static bool may_stand(const struct review *review, const struct profile *profile,
                      const struct fhirpath_node *host)
{
    /* Its own definition says ElementDefinition.type.code; the specification's StructureDefinitions
     * have it on type. */
    bool erratum = slice_ends(profile->url, SLICE("/structuredefinition-fhir-type"));
    if (profile->any_context || profile->context_count == 0 || erratum) {
        return true;
    }
    for (size_t i = 0; i < profile->context_count; i++) {
        struct slice context = profile->contexts[i];
        bool choice = slice_ends(context, SLICE("[x]"));
        struct slice path = slice_head(context, context.length - (choice ? 3 : 0));
        if (is_kind(context, host) || is_named(review, path, host)) {
            return true;
        }
    }
    return false;
}

/* Of one of HL7's guides, which publish every extension of theirs. */
static bool is_published(struct slice url)
{
    return slice_starts(url, SLICE("http://hl7.org/fhir/us/")) ||
           slice_starts(url, SLICE("http://hl7.org/fhir/uv/"));
}

/* Of another version of FHIR, which has as an element what is known here only by its url (R4
 * versions.html, "Extensions for converting between versions"). */
static bool is_of_other_version(struct slice url)
{
    return slice_starts(url, SLICE("http://hl7.org/fhir/")) && url.length > 20 &&
           url.at[20] >= '0' && url.at[20] <= '9';
}

static bool is_allowed(const struct validate_options *options, struct slice url)
{
    for (size_t i = 0; i < options->extension_url_count; i++) {
        if (slice_starts(url, options->extension_urls[i])) {
            return true;
        }
    }
    return false;
}

/* The definition of the extension at NODE is not loaded. */
static void report_unknown(struct review *review, const struct fhirpath_node *node,
                           struct slice url, bool modifier)
{
    const struct validate_options *options = review->options;
    bool other = is_of_other_version(url);
    bool ours = options->strict && is_published(url);
    bool asked = options->known_extensions && !other && !is_allowed(options, url);
    const char *text =
        modifier ? "The definition of this modifier extension is not loaded, so what it changes is "
                   "not known: load its package."
        : ours   ? "An extension of a guide of HL7's that is not loaded, so that it cannot be "
                   "judged: load the guide's package, or correct the url."
        : asked  ? "Only extensions that are known may stand here, and the definition of this one "
                   "is not loaded: load its package, or correct the url."
                 : "The definition of this extension is not loaded.";
    fault(review, node, json_get(node->value, "url"),
          !modifier && !ours && !asked ? SEVERITY_INFORMATION
          : other                      ? SEVERITY_WARNING
                                       : SEVERITY_ERROR,
          "not-found", SLICE("extension-unknown"), text);
}

void check_extension_use(struct review *review, const struct fhirpath_node *node, bool modifier)
{
    struct slice url = json_get_string(node->value, "url");
    yyjson_val *at = json_get(node->value, "url");
    const struct fhirpath_node *host = node->parent;
    if (url.length == 0 ||
        (host->type->fhir_type == FHIR_TYPE_EXTENSION && slice_index(url, ':') == url.length)) {
        return; /* within an extension: its definition says what stands there */
    }
    const struct profile *profile = profile_find(review->validator, url);
    if (profile == NULL || profile->type->fhir_type != FHIR_TYPE_EXTENSION) {
        report_unknown(review, node, url, modifier);
        return;
    }
    if (profile->modifier != modifier) {
        fault(review, node, at, SEVERITY_ERROR, "structure", SLICE("extension-modifier"),
              modifier ? "This extension modifies nothing: it stands in extension."
                       : "This extension modifies the meaning: it stands in modifierExtension.");
    }
    if (!may_stand(review, profile, host)) {
        fault(review, node, at, SEVERITY_ERROR, "structure", SLICE("extension-context"),
              tell(review, "The extension %.*s is not for the element it stands on.",
                   SLICE_ARGS(profile->url)));
    }
    profile_walk(review, profile, node);
}

void check_attachment(struct review *review, const struct fhirpath_node *node)
{
    struct slice data = json_get_string(node->value, "data");
    struct slice size = json_number(json_get(node->value, "size"));
    uint64_t stated;
    if (data.length == 0 || !slice_to_unsigned(size, UINT32_MAX, &stated)) {
        return;
    }
    size_t digits = 0;
    for (size_t i = 0; i < data.length; i++) {
        digits += data.at[i] != '=' && (uint8_t)data.at[i] > ' ';
    }
    if (digits * 3 / 4 != stated) {
        fault(review, node, NULL, SEVERITY_ERROR, "structure", SLICE("attachment-size"),
              "Attachment.size is the number of bytes of Attachment.data before base64: correct "
              "it.");
    }
}
