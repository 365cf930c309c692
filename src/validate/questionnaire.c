/* SPDX-License-Identifier: MIT */
/* Questionnaires: what their invariants do not say. */
#include "validate/form_int.h"

static bool is_inside(const struct form_item *item, const struct form_item *outer)
{
    while (item != NULL && item != outer) {
        item = item->parent;
    }
    return item != NULL;
}

static void check_conditions(struct checker *checker, const struct place *place,
                             const struct form *form, const struct form_item *item)
{
    size_t i, max;
    yyjson_val *condition;
    yyjson_arr_foreach(json_get(item->definition, "enableWhen"), i, max, condition)
    {
        yyjson_val *link = json_get(condition, "question");
        const struct form_item *asked = form_find(form, json_string(link));
        struct place at = place_member(checker, place, "enableWhen", (uint32_t)i);
        if (asked == NULL) {
            report(checker, &at.frame, link, RULE_FORM,
                   "No item has the linkId that this condition asks about: correct it.");
        } else if (is_inside(asked, item)) {
            report(checker, &place->frame, link, RULE_FORM,
                   "An item cannot hang on an answer to itself or to a question inside it: ask "
                   "about a question outside.");
        } else if (slice_is(asked->type, "group") || slice_is(asked->type, "display")) {
            report(checker, &at.frame, link, RULE_FORM,
                   "Groups and texts have no answers: ask about a question.");
        }
    }
}

static void check_form_items(struct checker *checker, const struct place *place,
                             const struct form *form, const struct form_item *parent)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        struct place at = place_member(checker, place, "item", (uint32_t)i);
        check_conditions(checker, &at, form, &parent->children[i]);
        check_form_items(checker, &at, form, &parent->children[i]);
    }
}

void check_questionnaire(struct checker *checker, const struct frame *frame,
                         const struct type_row *type, yyjson_val *questionnaire)
{
    struct place place = {.frame = *frame, .type = type};
    const struct form *form = form_read(questionnaire, checker->arena);
    if (form != NULL) {
        check_form_items(checker, &place, form, &form->top);
    }
}
