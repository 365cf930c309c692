/* SPDX-License-Identifier: MIT */
/* suites/ucum as data: the functional cases, and our table of units beside the published one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "ucum/ucum.h"

struct world {
    struct arena *arena;
    xmlDoc *cases, *essence;
    int run, failed;
};

static xmlDoc *suite_read(struct arena *arena, const char *name)
{
    const char *folder = getenv("CARELAYER_SUITES");
    const char *path =
        arena_print(arena, "%s/ucum/%s", folder != NULL ? folder : "../shared/suites", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    (void)fclose(file);
    return xmlReadFile(path, NULL, XML_PARSE_NONET);
}

static int open_world(void **state)
{
    static struct world world;
    world.arena = arena_create((size_t)64 << 20);
    world.cases = suite_read(world.arena, "UcumFunctionalTests.xml");
    world.essence = suite_read(world.arena, "ucum-essence.xml");
    *state = &world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    xmlFreeDoc(world->cases);
    xmlFreeDoc(world->essence);
    arena_destroy(world->arena);
    return 0;
}

static xmlNode *child_of(xmlNode *node, const char *name)
{
    xmlNode *child = node != NULL ? node->children : NULL;
    while (child != NULL && xmlStrcmp(child->name, (const xmlChar *)name) != 0) {
        child = child->next;
    }
    return child;
}

/* The attribute, or the text for NAME NULL; the empty slice when there is none. */
static struct slice text_of(struct world *world, xmlNode *node, const char *name)
{
    xmlChar *value =
        name != NULL ? xmlGetProp(node, (const xmlChar *)name) : xmlNodeGetContent(node);
    struct slice copy = arena_copy(world->arena, slice_text((const char *)value));
    xmlFree(value);
    return copy;
}

static struct decimal decimal_of(struct world *world, xmlNode *node, const char *name)
{
    struct decimal value = {0};
    struct slice text = text_of(world, node, name);
    if (!decimal_parse(text, &value)) {
        fail_msg("\"%.*s\" is no decimal", SLICE_ARGS(text));
    }
    return value;
}

static void count(struct world *world, xmlNode *item, bool held)
{
    world->run++;
    if (!held) {
        world->failed++;
        struct slice id = text_of(world, item, "id");
        struct slice unit = text_of(world, item, "unit");
        print_error("case %.*s %.*s fails\n", SLICE_ARGS(id), SLICE_ARGS(unit));
    }
}

/* As many places as the suite wrote, rounded. */
static bool agrees(struct decimal value, struct decimal wanted)
{
    struct decimal rounded;
    return decimal_round(value, wanted.scale, DECIMAL_HALF_UP, &rounded) &&
           decimal_compare(rounded, wanted) == 0;
}

static bool validation_holds(struct world *world, xmlNode *item)
{
    return ucum_valid(text_of(world, item, "unit")) ==
           slice_is(text_of(world, item, "valid"), "true");
}

static bool display_holds(struct world *world, xmlNode *item)
{
    struct slice text;
    return ucum_display(text_of(world, item, "unit"), world->arena, NULL, &text) == STATUS_OK &&
           slice_equals(text, text_of(world, item, "display"));
}

static bool conversion_holds(struct world *world, xmlNode *item)
{
    struct decimal value;
    return ucum_convert(decimal_of(world, item, "value"), text_of(world, item, "srcUnit"),
                        text_of(world, item, "dstUnit"), NULL, &value) == STATUS_OK &&
           agrees(value, decimal_of(world, item, "outcome"));
}

static bool product_holds(struct world *world, xmlNode *item, bool divide)
{
    struct decimal value, a = decimal_of(world, item, "v1"), b = decimal_of(world, item, "v2");
    struct slice unit, unit_a = text_of(world, item, "u1"), unit_b = text_of(world, item, "u2");
    enum status status =
        divide ? ucum_divide(a, unit_a, b, unit_b, world->arena, NULL, &value, &unit)
               : ucum_multiply(a, unit_a, b, unit_b, world->arena, NULL, &value, &unit);
    return status == STATUS_OK && agrees(value, decimal_of(world, item, "vRes")) &&
           slice_equals(unit, text_of(world, item, "uRes"));
}

static bool multiplication_holds(struct world *world, xmlNode *item)
{
    return product_holds(world, item, false);
}

static bool division_holds(struct world *world, xmlNode *item)
{
    return product_holds(world, item, true);
}

static void passes_every_functional_case(void **state)
{
    static const struct {
        const char *name;
        bool (*holds)(struct world *world, xmlNode *item);
    } groups[] = {{"validation", validation_holds},
                  {"displayNameGeneration", display_holds},
                  {"conversion", conversion_holds},
                  {"multiplication", multiplication_holds},
                  {"division", division_holds}};
    struct world *world = *state;
    if (world->cases == NULL) {
        print_message("skipped: there is no suites/ucum\n");
        skip();
    }
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        xmlNode *group = child_of(xmlDocGetRootElement(world->cases), groups[i].name);
        assert_non_null(group);
        for (xmlNode *item = group->children; item != NULL; item = item->next) {
            if (xmlStrcmp(item->name, (const xmlChar *)"case") == 0) {
                count(world, item, groups[i].holds(world, item));
            }
        }
    }
    print_message("%d of %d cases as they should be\n", world->run - world->failed, world->run);
    assert_true(world->run > 250);
    assert_int_equal(world->failed, 0);
}

static bool display_is(struct world *world, struct slice code, struct slice name)
{
    struct slice text;
    struct buffer wanted = {.arena = world->arena};
    buffer_add_byte(&wanted, '(');
    for (size_t i = 0; i < name.length; i++) {
        /* A no-break space is a space here. */
        bool broken = i + 1 < name.length && memcmp(name.at + i, "\xc2\xa0", 2) == 0;
        buffer_add_byte(&wanted, broken ? ' ' : name.at[i]);
        i += broken;
    }
    buffer_add_byte(&wanted, ')');
    return ucum_display(code, world->arena, NULL, &text) == STATUS_OK &&
           slice_equals(text, buffer_slice(&wanted));
}

/* 1 of the unit is so many of that one. Where it is on a scale, only the dimension is compared. */
static bool size_is(struct world *world, struct slice code, xmlNode *value)
{
    struct decimal number, canonical;
    struct slice base, other;
    xmlNode *function = child_of(value, "function");
    struct slice unit = text_of(world, function != NULL ? function : value, "Unit");
    struct decimal one = decimal_from_integer(1);
    if (function != NULL) {
        return ucum_canonical(one, code, world->arena, NULL, &canonical, &base) == STATUS_OK &&
               ucum_canonical(one, unit, world->arena, NULL, &canonical, &other) == STATUS_OK &&
               slice_equals(base, other);
    }
    if (slice_is(code, "[pi]")) {
        return ucum_canonical(one, code, world->arena, NULL, &canonical, &base) == STATUS_OK &&
               decimal_double(canonical) == 3.14159265358979323846;
    }
    int order;
    number = decimal_of(world, value, "value");
    return ucum_compare(one, code, number, unit, NULL, &order) == STATUS_OK && order == 0;
}

static bool unit_holds(struct world *world, xmlNode *item)
{
    struct slice code = text_of(world, item, "Code");
    struct ucum_unit unit;
    bool metric = slice_is(text_of(world, item, "isMetric"), "yes");
    struct slice prefixed = slice_text(arena_print(world->arena, "Y%.*s", SLICE_ARGS(code)));
    if (ucum_parse(code, NULL, &unit) != STATUS_OK || ucum_valid(prefixed) != metric ||
        !display_is(world, code, text_of(world, child_of(item, "name"), NULL))) {
        return false;
    }
    bool special = slice_is(text_of(world, item, "isSpecial"), "yes");
    bool arbitrary = slice_is(text_of(world, item, "isArbitrary"), "yes");
    if (special != (unit.special != 0) || arbitrary != (unit.arbitrary[0].unit != 0)) {
        return false;
    }
    xmlNode *value = child_of(item, "value");
    /* An arbitrary unit of value "1" is commensurable with itself alone. */
    return (arbitrary && slice_is(text_of(world, value, "Unit"), "1")) ||
           size_is(world, code, value);
}

static bool base_holds(struct world *world, xmlNode *item)
{
    struct decimal value;
    struct slice base, code = text_of(world, item, "Code");
    return ucum_canonical(decimal_from_integer(1), code, world->arena, NULL, &value, &base) ==
               STATUS_OK &&
           slice_equals(base, code) && decimal_compare(value, decimal_from_integer(1)) == 0 &&
           display_is(world, code, text_of(world, child_of(item, "name"), NULL));
}

static bool prefix_holds(struct world *world, xmlNode *item)
{
    int order;
    struct slice code = text_of(world, item, "Code");
    struct slice name = text_of(world, child_of(item, "name"), NULL);
    struct slice prefixed = slice_text(arena_print(world->arena, "%.*sm", SLICE_ARGS(code)));
    struct slice shown = slice_text(arena_print(world->arena, "%.*smeter", SLICE_ARGS(name)));
    return ucum_compare(decimal_from_integer(1), prefixed,
                        decimal_of(world, child_of(item, "value"), "value"), SLICE("m"), NULL,
                        &order) == STATUS_OK &&
           order == 0 && display_is(world, prefixed, shown);
}

static void knows_every_unit_of_the_published_table(void **state)
{
    struct world *world = *state;
    if (world->essence == NULL) {
        print_message("skipped: there is no suites/ucum\n");
        skip();
    }
    int run = 0, failed = 0;
    for (xmlNode *item = xmlDocGetRootElement(world->essence)->children; item != NULL;
         item = item->next) {
        bool held = true;
        if (xmlStrcmp(item->name, (const xmlChar *)"unit") == 0) {
            held = unit_holds(world, item);
        } else if (xmlStrcmp(item->name, (const xmlChar *)"base-unit") == 0) {
            held = base_holds(world, item);
        } else if (xmlStrcmp(item->name, (const xmlChar *)"prefix") == 0) {
            held = prefix_holds(world, item);
        } else {
            continue;
        }
        run++;
        if (!held) {
            failed++;
            print_error("%.*s differs\n", SLICE_ARGS(text_of(world, item, "Code")));
        }
    }
    print_message("%d rows of the published table compared\n", run);
    assert_true(run > 300);
    assert_int_equal(failed, 0);
}

int main(int count_of_arguments, char **arguments)
{
    if (count_of_arguments > 1) {
        (void)setenv("CARELAYER_SUITES", arguments[1], 0);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_every_functional_case),
        cmocka_unit_test(knows_every_unit_of_the_published_table),
    };
    return cmocka_run_group_tests_name("spec_ucum", tests, open_world, close_world);
}
