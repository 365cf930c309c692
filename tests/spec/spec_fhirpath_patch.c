/* SPDX-License-Identifier: MIT */
/* suites/patch, the FHIRPath Patch part: each case is applied and the result compared as XML, which
 * has one order of elements. A case whose `mode` is both also works backwards in other programs,
 * which make patches; ours only applies them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "fhirpath/fhirpath.h"

static struct definitions *definitions;
static struct arena *arena;
static const char *suites;

static xmlNode *child_of(xmlNode *node, const char *name)
{
    for (xmlNode *child = node->children; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE &&
            (name == NULL || strcmp((const char *)child->name, name) == 0)) {
            return child;
        }
    }
    return NULL;
}

/* The resource inside of the element NAME of a case; NULL: there is none. */
static yyjson_val *resource_in(xmlNode *test, const char *name)
{
    xmlNode *holder = child_of(test, name);
    xmlNode *inside = holder != NULL ? child_of(holder, NULL) : NULL;
    xmlChar *text = NULL;
    int length = 0;
    struct json *json = ARENA_NEW(arena, struct json);
    if (inside == NULL) {
        return NULL;
    }
    xmlDoc *alone = xmlNewDoc((const xmlChar *)"1.0");
    xmlDocSetRootElement(alone, xmlDocCopyNode(inside, alone, 1));
    xmlDocDumpMemory(alone, &text, &length);
    struct slice copy = arena_copy(arena, slice_of((const char *)text, (size_t)length));
    xmlFree(text);
    xmlFreeDoc(alone);
    /* A resource without elements is an empty tag, which R4 forbids; the suite has some. */
    enum status status = xml_read(definitions, copy, &json_limits_default, arena, NULL, json);
    assert_true(status == STATUS_OK || status == STATUS_STRUCTURE);
    assert_non_null(json->root);
    return json->root;
}

/* As XML without white space, without the prefix that the suite's narratives have, and with one way
 * to write a quotation mark: none of it is part of what a patch says. */
static const char *as_xml(yyjson_val *resource)
{
    struct buffer out = {.arena = arena}, bare = {.arena = arena};
    assert_int_equal(xml_write(definitions, resource, true, NULL, &out), STATUS_OK);
    struct slice text = buffer_slice(&out);
    while (text.length > 0) {
        size_t skipped = slice_starts(text, SLICE("html:"))    ? 5
                         : slice_starts(text, SLICE("xmlns:")) ? 6
                         : strchr(" \n\t", text.at[0]) != NULL ? 1
                                                               : 0;
        if (slice_starts(text, SLICE("&quot;"))) {
            buffer_add_byte(&bare, '"');
            skipped = 6;
        } else if (skipped == 0) {
            buffer_add_byte(&bare, text.at[0]);
        }
        text = slice_from(text, skipped > 0 ? skipped : 1);
    }
    return arena_print(arena, "%.*s", SLICE_ARGS(buffer_slice(&bare)));
}

static bool holds(xmlNode *test, const char *name)
{
    struct outcome outcome;
    yyjson_mut_doc *result = NULL;
    outcome_init(&outcome, arena);
    yyjson_val *input = resource_in(test, "input");
    resource_type type = resource_type_find(definitions, json_get_string(input, "resourceType"));
    enum status status = fhirpath_patch_apply(definitions, type, input, resource_in(test, "diff"),
                                              arena, &outcome, &result);
    yyjson_val *wanted = resource_in(test, "output");
    if (wanted == NULL) {
        return status == STATUS_UNPROCESSABLE;
    }
    if (status != STATUS_OK) {
        print_error("%s: %.*s\n", name, SLICE_ARGS(outcome.first->text));
        return false;
    }
    yyjson_doc *fixed = yyjson_mut_doc_imut_copy(result, json_allocator(arena));
    const char *got = as_xml(yyjson_doc_get_root(fixed));
    if (strcmp(got, as_xml(wanted)) != 0) {
        const char *other = as_xml(wanted);
        size_t at = 0;
        while (got[at] == other[at]) {
            at++;
        }
        print_error("%s gives\n%.80s\nwhere the suite has\n%.80s\n", name, got + at, other + at);
        return false;
    }
    return true;
}

static void applies_every_case(void **state)
{
    (void)state;
    const char *path = arena_print(arena, "%s/patch/fhirpath-patch.xml", suites);
    size_t cases = 0, wrong = 0;
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    for (xmlNode *test = child_of(xmlDocGetRootElement(doc), "case"); test != NULL;
         test = test->next) {
        if (test->type != XML_ELEMENT_NODE) {
            continue;
        }
        xmlChar *name = xmlGetProp(test, (const xmlChar *)"name");
        cases++;
        if (!holds(test, (const char *)name)) {
            print_error("not as the suite has it: %s\n", (const char *)name);
            wrong++;
        }
        xmlFree(name);
    }
    xmlFreeDoc(doc);
    print_message("%zu cases\n", cases);
    assert_true(cases > 0);
    assert_int_equal(wrong, 0);
}

static int setup(void **state)
{
    (void)state;
    const char *path = getenv("CARELAYER_DEFINITIONS");
    arena = arena_create(0);
    return path != NULL && arena != NULL && definitions_open(path, NULL, &definitions) == STATUS_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    definitions_close(definitions);
    arena_destroy(arena);
    xmlCleanupParser();
    return 0;
}

int main(int argc, char **argv)
{
    suites = getenv("CARELAYER_SUITES");
    suites = suites != NULL ? suites : argc > 1 ? argv[1] : "../shared/suites";
    const struct CMUnitTest tests[] = {cmocka_unit_test(applies_every_case)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
