/* SPDX-License-Identifier: MIT */
/* The links of a narrative (R4 narrative.html): '#x' leads to an id of the record, and a urn: leads
 * nowhere. Asked only when a record is judged: a dead link is no reason to turn a fact away. */
#include "validate/profile_int.h"

struct anchors {
    struct slice *slots;
    size_t mask, count;
    struct arena *arena;
    bool failed;
};

/* ---- attributes -------------------------------------------------------------------------------
 */

typedef void attribute_visit(void *context, struct slice name, struct slice value);

static struct slice after(struct slice text, const char *end)
{
    const char *found = text.length > 0 ? memmem(text.at, text.length, end, strlen(end)) : NULL;
    return found != NULL ? slice_from(text, (size_t)(found - text.at) + strlen(end))
                         : slice_from(text, text.length);
}

/* One tag, from behind its '<'; returns what follows it. */
static struct slice each_in_tag(struct slice text, attribute_visit *visit, void *context)
{
    while (text.length > 0 && text.at[0] != '>') {
        size_t equals = slice_index(text, '='), close = slice_index(text, '>');
        if (close < equals) {
            return slice_from(text, close);
        }
        struct slice name = slice_trim(slice_head(text, equals));
        for (size_t i = name.length; i > 0; i--) {
            if ((uint8_t)name.at[i - 1] <= ' ') {
                name = slice_from(name, i);
                break;
            }
        }
        text = slice_trim(slice_from(text, equals + (equals < text.length)));
        if (text.length == 0) {
            return text;
        }
        struct slice rest = slice_from(text, 1);
        size_t length = slice_index(rest, text.at[0]);
        visit(context, name, slice_trim(slice_head(rest, length)));
        text = slice_from(rest, length + (length < rest.length));
    }
    return text;
}

/* Every attribute of XHTML that narrative_fault found nothing wrong with. */
static void each_attribute(struct slice text, attribute_visit *visit, void *context)
{
    while (text.length > 0) {
        size_t open = slice_index(text, '<');
        text = slice_from(text, open);
        if (slice_starts(text, SLICE("<!--"))) {
            text = after(text, "-->");
        } else if (text.length > 0) {
            text = each_in_tag(slice_from(text, 1), visit, context);
        }
    }
}

/* ---- where a link may lead --------------------------------------------------------------------
 */

static size_t anchor_slot(const struct anchors *anchors, struct slice name)
{
    size_t slot = slice_hash(name) & anchors->mask;
    while (anchors->slots[slot].length > 0 && !slice_equals(anchors->slots[slot], name)) {
        slot = (slot + 1) & anchors->mask;
    }
    return slot;
}

static bool anchors_grow(struct anchors *anchors)
{
    struct anchors more = *anchors;
    more.mask = anchors->slots == NULL ? 63 : anchors->mask * 2 + 1;
    more.slots = arena_array(anchors->arena, more.mask + 1, sizeof(struct slice));
    if (more.slots == NULL) {
        return false;
    }
    for (size_t i = 0; anchors->slots != NULL && i <= anchors->mask; i++) {
        if (anchors->slots[i].length > 0) {
            more.slots[anchor_slot(&more, anchors->slots[i])] = anchors->slots[i];
        }
    }
    *anchors = more;
    return true;
}

static void anchors_add(struct anchors *anchors, struct slice name)
{
    bool full = anchors->slots == NULL || anchors->count * 2 > anchors->mask;
    if (name.length == 0 || anchors->failed) {
        return;
    }
    if (full && !anchors_grow(anchors)) {
        anchors->failed = true;
        return;
    }
    size_t slot = anchor_slot(anchors, name);
    anchors->count += anchors->slots[slot].length == 0;
    anchors->slots[slot] = name;
}

static void add_attribute(void *context, struct slice name, struct slice value)
{
    if (slice_is(name, "id") || slice_is(name, "name") || slice_is(name, "xml:id")) {
        anchors_add(context, value);
    }
}

/* Every id below VALUE: of resources, elements and, in narratives, of markup. */
static void add_anchors(struct anchors *anchors, yyjson_val *value, unsigned depth)
{
    size_t i, max;
    yyjson_val *key, *each;
    if (depth == 0) {
        return; /* structure has said so */
    }
    yyjson_obj_foreach(value, i, max, key, each)
    {
        struct slice name = json_string(key), text = json_string(each);
        if (slice_is(name, "id")) {
            anchors_add(anchors, text);
        } else if (slice_is(name, "div") && narrative_fault(text, &(size_t){0}) == NULL) {
            each_attribute(text, add_attribute, anchors);
        } else {
            add_anchors(anchors, each, depth - 1);
        }
    }
    yyjson_arr_foreach(value, i, max, each)
    {
        add_anchors(anchors, each, depth - 1);
    }
}

static const struct anchors *anchors_of(struct review *review, const struct fhirpath_node *node)
{
    if (review->anchors == NULL) {
        struct anchors *anchors = ARENA_NEW(review->arena, struct anchors);
        while (node->parent != NULL) {
            node = node->parent;
        }
        if (anchors == NULL) {
            return NULL;
        }
        *anchors = (struct anchors){.arena = review->arena};
        add_anchors(anchors, node->value, 128);
        review->anchors = anchors;
    }
    return review->anchors->failed ? NULL : review->anchors;
}

/* ---- links ------------------------------------------------------------------------------------
 */

struct links {
    struct review *review;
    const struct fhirpath_node *node; /* the resource */
    size_t dead, names;
};

static void see_link(void *context, struct slice name, struct slice value)
{
    struct links *links = context;
    if (!slice_is(name, "href")) {
        return;
    }
    links->names += slice_starts(value, SLICE("urn:"));
    if (value.length < 2 || value.at[0] != '#') {
        return;
    }
    const struct anchors *anchors = anchors_of(links->review, links->node);
    links->dead +=
        anchors != NULL && (anchors->slots == NULL ||
                            anchors->slots[anchor_slot(anchors, slice_from(value, 1))].length == 0);
}

void check_narrative_links(struct review *review, const struct fhirpath_node *node)
{
    const struct element_row *element = type_find_element(review->tables, node->type, "text", 4);
    yyjson_val *narrative = json_get(node->value, "text"), *div = json_get(narrative, "div");
    struct slice text = json_string(div);
    if (element == NULL || text.length == 0 || narrative_fault(text, &(size_t){0}) != NULL) {
        return;
    }
    struct fhirpath_node above = node_child(review->definitions, node, element, narrative, NULL, 0);
    element = type_find_element(review->tables, above.type, "div", 3);
    if (element == NULL) {
        return;
    }
    struct fhirpath_node at = node_child(review->definitions, &above, element, div, NULL, 0);
    struct links links = {.review = review, .node = node};
    each_attribute(text, see_link, &links);
    if (links.dead > 0) {
        fault(review, &at, NULL, SEVERITY_ERROR, "not-found", SLICE("narrative-link"),
              tell(review,
                   "%zu links of the narrative lead to an id (#...) that is nowhere in this "
                   "record: correct or remove them.",
                   links.dead));
    }
    if (links.names > 0) {
        fault(review, &at, NULL, SEVERITY_ERROR, "invalid", SLICE("narrative-link"),
              tell(review,
                   "%zu links of the narrative are urn: names, which cannot be followed: link to "
                   "an address or an id, or use no link.",
                   links.names));
    }
}
