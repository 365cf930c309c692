/* SPDX-License-Identifier: MIT */
#include "fhir/compile_int.h"
#include "fhir/snapshot_int.h"

#define STRUCTURE_PREFIX "http://hl7.org/fhir/StructureDefinition/"
#define NESTED_LIMIT     12 /* profiles of profiles, and types within types */
#define STEP_LIMIT       40
/* A slice is a copy of what it slices, and of the slices within: forty lines could ask for more
 * memory than there is. The largest published snapshots take some 20 MiB. */
#define ROOM ((size_t)128 << 20)

/* Snapshots need the snapshots of other definitions, which may lack theirs. */
static _Thread_local int nested;

struct making {
    struct conformance *conformance;
    struct outcome *outcome;
    struct tree tree;
    yyjson_val *definition;
    bool specialization;
};

static const struct slice none = {NULL, 0};

static enum status refuse(struct making *making, const char *what, struct slice id)
{
    struct slice url = json_get_string(making->definition, "url");
    return outcome_fail(making->outcome, STATUS_INVALID, "StructureDefinition.differential",
                        "No snapshot can be made of %.*s at %.*s: %s.", SLICE_ARGS(url),
                        SLICE_ARGS(id), what);
}

/* ---- other definitions ------------------------------------------------------------------------
 */

/* The tree of another definition's snapshot, in our document; NULL when it is not known. */
static struct node *borrow(struct making *making, struct slice canonical)
{
    const struct canonical *found =
        conformance_hold(making->conformance, SLICE("StructureDefinition"), canonical);
    if (found == NULL) {
        return NULL;
    }
    struct node *root =
        tree_read(&making->tree, json_get(json_get(found->json->root, "snapshot"), "element"));
    conformance_release(making->conformance, found);
    return root;
}

static struct slice type_url(struct making *making, struct slice code)
{
    if (slice_index(code, ':') < code.length) {
        return code; /* a logical model's type is its url */
    }
    return slice_text(arena_print(making->tree.arena, STRUCTURE_PREFIX "%.*s", SLICE_ARGS(code)));
}

static struct slice mut_text(yyjson_mut_val *value)
{
    return yyjson_mut_is_str(value) ? slice_of(yyjson_mut_get_str(value), yyjson_mut_get_len(value))
                                    : none;
}

static struct slice mut_get_text(yyjson_mut_val *object, const char *name)
{
    return mut_text(yyjson_mut_obj_get(object, name));
}

/* The node that "#Questionnaire.item" names: in this tree. */
static struct node *find_path(struct node *root, struct slice path)
{
    struct slice step = slice_cut(&path, '.');
    struct node *at = slice_equals(step, root->name) ? root : NULL;
    while (path.at != NULL && at != NULL) {
        step = slice_cut(&path, '.');
        at = tree_child(at, step, none);
    }
    return at;
}

static enum status descend_reference(struct making *making, struct node *node,
                                     struct slice reference)
{
    reference = arena_copy(making->tree.arena, reference); /* its element goes */
    struct slice path = slice_from(reference, slice_index(reference, '#') + 1);
    struct node *target = find_path(making->tree.root, path);
    if (target == NULL || target == node) {
        return refuse(making, "its content reference names no element", path);
    }
    /* First the children, one of which is mostly this node, with its own reference still in it. */
    tree_copy_children(&making->tree, target, node, true);
    node->reference = reference;
    yyjson_mut_obj_remove_key(node->element, "contentReference");
    yyjson_mut_val *type = yyjson_mut_obj_get(target->element, "type");
    if (type != NULL) {
        yyjson_mut_obj_put(node->element, yyjson_mut_str(making->tree.doc, "type"),
                           tree_copy_element(&making->tree, type));
    }
    return STATUS_OK;
}

/* Gives NODE the children of its type, or of the one profile on it. */
static enum status descend(struct making *making, struct node *node)
{
    struct slice reference = mut_get_text(node->element, "contentReference");
    if (node->first != NULL) {
        return STATUS_OK;
    }
    if (reference.length > 0) {
        return descend_reference(making, node, reference);
    }
    yyjson_mut_val *types = yyjson_mut_obj_get(node->element, "type");
    yyjson_mut_val *type = yyjson_mut_arr_get_first(types);
    struct slice code = mut_get_text(type, "code");
    yyjson_mut_val *profiles = yyjson_mut_obj_get(type, "profile");
    struct node *from = NULL;
    if (yyjson_mut_arr_size(types) > 1) {
        code = SLICE("Element"); /* what all of them have */
    } else if (yyjson_mut_arr_size(profiles) == 1) {
        from = borrow(making, mut_text(yyjson_mut_arr_get_first(profiles)));
    }
    if (from == NULL && code.length > 0 && !slice_starts(code, SLICE("http://hl7.org/fhirpath/"))) {
        from = borrow(making, type_url(making, code));
    }
    if (from != NULL) {
        tree_copy_children(&making->tree, from, node, false);
    }
    return STATUS_OK;
}

/* ---- slices -----------------------------------------------------------------------------------
 */

static void put_text(struct making *making, yyjson_mut_val *object, const char *name,
                     struct slice text)
{
    yyjson_mut_obj_put(object, yyjson_mut_str(making->tree.doc, name),
                       yyjson_mut_strncpy(making->tree.doc, text.at, text.length));
}

/* Slices of extensions are told apart by url and those of a choice by type, unsaid. */
static void imply_slicing(struct making *making, struct node *unsliced)
{
    yyjson_mut_doc *doc = making->tree.doc;
    bool choice = slice_ends(unsliced->name, SLICE("[x]"));
    bool extension =
        slice_is(unsliced->name, "extension") || slice_is(unsliced->name, "modifierExtension");
    if (yyjson_mut_obj_get(unsliced->element, "slicing") != NULL || (!choice && !extension)) {
        return;
    }
    yyjson_mut_val *slicing = yyjson_mut_obj(doc);
    yyjson_mut_val *discriminator = yyjson_mut_obj(doc);
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    if (slicing == NULL || discriminator == NULL || list == NULL) {
        return;
    }
    yyjson_mut_obj_add_str(doc, discriminator, "type", choice ? "type" : "value");
    yyjson_mut_obj_add_str(doc, discriminator, "path", choice ? "$this" : "url");
    yyjson_mut_arr_append(list, discriminator);
    yyjson_mut_obj_add_val(doc, slicing, "discriminator", list);
    yyjson_mut_obj_add_bool(doc, slicing, "ordered", false);
    yyjson_mut_obj_add_str(doc, slicing, "rules", "open");
    yyjson_mut_obj_put(unsliced->element, yyjson_mut_str(doc, "slicing"), slicing);
}

/* The last node of NAME whose slice is SLICE or a re-slice of it ("a", "a/b"). */
static struct node *last_of(struct node *parent, struct slice name, struct slice slice)
{
    struct node *found = NULL;
    for (struct node *each = parent->first; each != NULL; each = each->next) {
        bool below = slice.length == 0 || slice_equals(each->slice, slice) ||
                     (slice_starts(each->slice, slice) && each->slice.length > slice.length &&
                      each->slice.at[slice.length] == '/');
        if (slice_equals(each->name, name) && below) {
            found = each;
        }
    }
    return found;
}

/* A new slice begins as a copy of what it slices: with its children and their slices. */
static struct node *add_slice(struct making *making, struct node *unsliced, struct slice slice)
{
    struct node *model = unsliced;
    size_t slash = slice.length;
    while (slash > 0 && slice.at[slash - 1] != '/') {
        slash--;
    }
    if (slash > 0) {
        struct node *outer =
            tree_child(unsliced->parent, unsliced->name, slice_head(slice, slash - 1));
        model = outer != NULL ? outer : unsliced;
    }
    imply_slicing(making, unsliced);
    struct node *after = last_of(unsliced->parent, unsliced->name, model->slice);
    struct node *node = tree_insert(&making->tree, unsliced->parent, after, unsliced->name,
                                    arena_copy(making->tree.arena, slice));
    if (node == NULL) {
        return NULL;
    }
    node->element = tree_copy_element(&making->tree, model->element);
    yyjson_mut_obj_remove_key(node->element, "slicing");
    yyjson_mut_obj_remove_key(node->element, "sliceIsConstraining");
    put_text(making, node->element, "sliceName", slice);
    /* What must occur at least so often need not be of this slice. */
    yyjson_mut_obj_put(node->element, yyjson_mut_str(making->tree.doc, "min"),
                       yyjson_mut_rawcpy(making->tree.doc, "0"));
    tree_copy_children(&making->tree, model, node, false);
    return node;
}

/* Leaves only the type whose name TAIL is ("Quantity" of valueQuantity). */
static bool keep_type(yyjson_mut_val *element, struct slice tail)
{
    yyjson_mut_val *types = yyjson_mut_obj_get(element, "type");
    bool found = false;
    size_t i = 0;
    while (i < yyjson_mut_arr_size(types)) {
        struct slice code = mut_get_text(yyjson_mut_arr_get(types, i), "code");
        if (slice_equals_ignoring_case(slice_head(code, 1), slice_head(tail, 1)) &&
            slice_equals(slice_from(code, 1), slice_from(tail, 1))) {
            found = true;
            i++;
        } else {
            yyjson_mut_arr_remove(types, i);
        }
    }
    return found;
}

static bool has_type(yyjson_mut_val *element, struct slice tail)
{
    size_t i, max;
    yyjson_mut_val *type;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(element, "type"), i, max, type)
    {
        struct slice code = mut_get_text(type, "code");
        if (slice_equals_ignoring_case(slice_head(code, 1), slice_head(tail, 1)) &&
            slice_equals(slice_from(code, 1), slice_from(tail, 1))) {
            return true;
        }
    }
    return false;
}

/* valueQuantity: the choice among PARENT's children that it is short for, or NULL. */
static struct node *find_choice(struct node *parent, struct slice name, struct slice *ret_tail)
{
    for (struct node *each = parent->first; each != NULL; each = each->next) {
        if (each->slice.length == 0 && slice_ends(each->name, SLICE("[x]"))) {
            struct slice stem = slice_head(each->name, each->name.length - 3);
            *ret_tail = slice_from(name, stem.length);
            if (slice_starts(name, stem) && has_type(each->element, *ret_tail)) {
                return each;
            }
        }
    }
    return NULL;
}

/* ---- steps ------------------------------------------------------------------------------------
 */

struct step {
    struct slice name, slice;
};

static struct node *choice_node(struct making *making, struct node *choice, struct step step,
                                struct slice tail)
{
    yyjson_mut_val *types = yyjson_mut_obj_get(choice->element, "type");
    if (step.slice.length == 0 && yyjson_mut_arr_size(types) == 1) {
        return choice; /* nothing else is left: no slice is needed */
    }
    struct slice slice = step.slice.length > 0 ? step.slice : step.name;
    struct node *node = tree_child(choice->parent, choice->name, slice);
    if (node == NULL) {
        node = add_slice(making, choice, slice);
    }
    if (node != NULL) {
        (void)keep_type(node->element, tail);
    }
    return node;
}

/* "value[x]:valueQuantity" says the type in the slice's name, as the standard form has it. */
static void keep_named_type(struct node *node)
{
    struct slice stem = slice_head(node->name, node->name.length - 3);
    struct slice tail = slice_from(node->slice, stem.length);
    if (slice_ends(node->name, SLICE("[x]")) && slice_starts(node->slice, stem) &&
        has_type(node->element, tail)) {
        (void)keep_type(node->element, tail);
    }
}

static enum status take_step(struct making *making, struct node *parent, struct step step,
                             struct node **ret_node)
{
    TRY(descend(making, parent));
    struct slice tail;
    struct node *unsliced = tree_child(parent, step.name, none);
    *ret_node = NULL;
    if (unsliced == NULL) {
        struct node *choice = find_choice(parent, step.name, &tail);
        if (choice != NULL) {
            *ret_node = choice_node(making, choice, step, tail);
        } else if (making->specialization) {
            *ret_node = tree_insert(&making->tree, parent, NULL,
                                    arena_copy(making->tree.arena, step.name), none);
            if (*ret_node != NULL) {
                (*ret_node)->element = yyjson_mut_obj(making->tree.doc);
            }
        } else {
            return STATUS_NOT_FOUND;
        }
    } else if (step.slice.length == 0) {
        *ret_node = unsliced;
    } else {
        *ret_node = tree_child(parent, step.name, step.slice);
        if (*ret_node == NULL) {
            *ret_node = add_slice(making, unsliced, step.slice);
            if (*ret_node != NULL) {
                keep_named_type(*ret_node);
            }
        }
    }
    return *ret_node != NULL && (*ret_node)->element != NULL ? STATUS_OK : STATUS_MEMORY;
}

/* ---- the differential -------------------------------------------------------------------------
 */

static size_t split(struct slice path, struct slice *steps)
{
    size_t count = 0;
    while (path.at != NULL && count < STEP_LIMIT) {
        steps[count++] = slice_cut(&path, '.');
    }
    return count;
}

/* The steps of a differential's element. Its id says the slices on the way; without a usable id
 * they are those of the elements before (BEFORE, which is brought up to date). */
static size_t steps_of(yyjson_val *element, struct step *before, size_t before_count,
                       struct step *ret_steps)
{
    struct slice names[STEP_LIMIT], ids[STEP_LIMIT];
    size_t count = split(json_get_string(element, "path"), names);
    size_t id_count = split(json_get_string(element, "id"), ids);
    struct slice slice = json_get_string(element, "sliceName");
    bool by_id = id_count == count;
    for (size_t i = 0; i < count && by_id; i++) {
        by_id = slice_equals(slice_head(ids[i], slice_index(ids[i], ':')), names[i]) ||
                slice_ends(slice_head(ids[i], slice_index(ids[i], ':')), SLICE("[x]"));
    }
    bool same = true;
    for (size_t i = 0; i < count; i++) {
        ret_steps[i] = (struct step){names[i], none};
        if (by_id) {
            size_t colon = slice_index(ids[i], ':');
            ret_steps[i] = (struct step){slice_head(ids[i], colon), slice_from(ids[i], colon + 1)};
        } else {
            same = same && i < before_count && slice_equals(before[i].name, names[i]);
            ret_steps[i].slice = same && i + 1 < count ? before[i].slice : none;
        }
    }
    if (slice.length > 0 && count > 0) {
        ret_steps[count - 1].slice = slice;
    } else if (by_id && count > 0 && slice_is(ret_steps[count - 1].slice, "")) {
        ret_steps[count - 1].slice = none;
    }
    return count;
}

/* An extension that is named by a profile has what the profile's root says. */
static void take_profile_root(struct making *making, struct node *node, yyjson_val *differential)
{
    yyjson_val *type = yyjson_arr_get_first(json_get(differential, "type"));
    struct slice profile = json_string(yyjson_arr_get_first(json_get(type, "profile")));
    if (node->slice.length == 0 || !slice_is(json_get_string(type, "code"), "Extension") ||
        profile.length == 0) {
        return;
    }
    struct node *root = borrow(making, profile);
    if (root == NULL) {
        return;
    }
    yyjson_mut_val *max = yyjson_mut_obj_get(root->element, "max");
    if (max != NULL && slice_is(mut_get_text(node->element, "max"), "*")) {
        put_text(making, node->element, "max", mut_text(max));
    }
    static const char *const taken[] = {
        "short", "definition", "comment", "isModifier", "isModifierReason", "constraint", "alias"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        yyjson_mut_val *value = yyjson_mut_obj_get(root->element, taken[i]);
        if (value != NULL) {
            yyjson_mut_obj_put(node->element, yyjson_mut_str(making->tree.doc, taken[i]),
                               tree_copy_element(&making->tree, value));
        }
    }
}

static enum status apply(struct making *making, const struct step *steps, size_t count,
                         yyjson_val *element)
{
    struct node *node = making->tree.root;
    struct slice id = json_get_string(element, "id");
    if (id.length == 0) {
        id = json_get_string(element, "path");
    }
    if (count == 0 || (!slice_equals(steps[0].name, node->name) && !making->specialization)) {
        return refuse(making, "the path does not begin with the type", id);
    }
    for (size_t i = 1; i < count; i++) {
        enum status status = take_step(making, node, steps[i], &node);
        if (status == STATUS_NOT_FOUND) {
            return refuse(making, "the base has no such element", id);
        }
        TRY(status);
    }
    take_profile_root(making, node, element);
    element_merge(&making->tree, node->element, element);
    if (node->slice.length > 0) {
        put_text(making, node->element, "sliceName", node->slice);
    }
    return STATUS_OK;
}

static enum status apply_all(struct making *making)
{
    struct step before[STEP_LIMIT], steps[STEP_LIMIT];
    size_t before_count = 0, i, max;
    yyjson_val *element;
    yyjson_val *elements = json_get(json_get(making->definition, "differential"), "element");
    yyjson_arr_foreach(elements, i, max, element)
    {
        size_t count = steps_of(element, before, before_count, steps);
        TRY(apply(making, steps, count, element));
        memcpy(before, steps, count * sizeof *steps);
        before_count = count;
    }
    return arena_full(making->tree.arena) ? STATUS_MEMORY : STATUS_OK;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static enum status start_tree(struct making *making)
{
    struct slice base = json_get_string(making->definition, "baseDefinition");
    struct slice type = json_get_string(making->definition, "type");
    making->tree.doc = yyjson_mut_doc_new(json_allocator(making->tree.arena));
    if (making->tree.doc == NULL) {
        return STATUS_MEMORY;
    }
    making->specialization =
        slice_is(json_get_string(making->definition, "derivation"), "specialization");
    if (base.length == 0) {
        return refuse(making, "it names no definition that it is based on", base);
    }
    making->tree.root = borrow(making, base);
    if (making->tree.root == NULL) {
        return STATUS_NOT_FOUND;
    }
    if (making->specialization) { /* a new type: its elements hang below its own name */
        size_t slash = type.length;
        while (slash > 0 && type.at[slash - 1] != '/') {
            slash--;
        }
        making->tree.root->name = slice_from(type, slash);
    }
    return STATUS_OK;
}

static void write_definition(const struct making *making, struct buffer *out)
{
    size_t i, max;
    yyjson_val *key, *value;
    buffer_add_byte(out, '{');
    yyjson_obj_foreach(making->definition, i, max, key, value)
    {
        if (!slice_is(json_string(key), "snapshot")) {
            buffer_add_json_string(out, json_string(key));
            buffer_add_byte(out, ':');
            json_write(value, NULL, NULL, out);
            buffer_add_byte(out, ',');
        }
    }
    buffer_add_text(out, "\"snapshot\":{\"element\":");
    tree_write(&making->tree, out);
    buffer_add_text(out, "}}");
}

enum status snapshot_write(struct conformance *conformance, const yyjson_val *definition,
                           struct outcome *outcome, struct buffer *out)
{
    struct making making = {.conformance = conformance,
                            .outcome = outcome,
                            .definition = (yyjson_val *)(uintptr_t)definition};
    if (nested >= NESTED_LIMIT) {
        return refuse(&making, "the definitions it builds on lead back to it",
                      json_get_string(definition, "url"));
    }
    making.tree.arena = arena_create(ROOM);
    if (making.tree.arena == NULL) {
        return STATUS_MEMORY;
    }
    nested++;
    enum status status = start_tree(&making);
    if (status == STATUS_OK) {
        status = apply_all(&making);
    }
    if (status == STATUS_OK) {
        write_definition(&making, out);
        status = buffer_ok(out) && !arena_full(making.tree.arena) ? STATUS_OK : STATUS_MEMORY;
    }
    if (status == STATUS_MEMORY && arena_used(making.tree.arena) > ROOM / 2) {
        status =
            refuse(&making, "its slices multiply past 128 MiB", json_get_string(definition, "id"));
    }
    nested--;
    arena_destroy(making.tree.arena);
    return status;
}
