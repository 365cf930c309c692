/* SPDX-License-Identifier: MIT */
/* A QuestionnaireResponse against its questionnaire: each item where the questionnaire has it, as
 * often as it may stand, answered where it must be and only where it is enabled. */
#include "validate/form_int.h"

/* Looks at an item of either side; past it the response is not judged further. */
#define STEPS_MOST 20000000u

/* Lists of items on the way up from where we are: a condition asks the nearest that answers it. */
struct scope {
    const struct scope *up;
    yyjson_val *items;
};

struct response {
    struct checker *checker;
    const struct form *form;
    bool complete; /* nothing may be missing: completed or amended */
    uint32_t steps;
};

static bool out_of_steps(struct response *response)
{
    return ++response->steps > STEPS_MOST;
}

/* ---- conditions -------------------------------------------------------------------------------
 */

/* What the answers to one question say of one condition. */
struct asked {
    struct slice link;
    struct slice wanted_name;
    yyjson_val *wanted;
    bool answered, less, equal, greater;
};

static void ask_items(struct response *response, yyjson_val *items, struct asked *asked);

static void ask_answer(yyjson_val *answer, struct asked *asked)
{
    struct slice name;
    int order;
    yyjson_val *value = choice_value(answer, "value", &name);
    if (value == NULL) {
        return;
    }
    asked->answered = true;
    if (asked->wanted != NULL &&
        answers_compare(value, name, asked->wanted, asked->wanted_name, &order)) {
        asked->less = asked->less || order < 0;
        asked->equal = asked->equal || order == 0;
        asked->greater = asked->greater || order > 0;
    }
}

static void ask_item(struct response *response, yyjson_val *item, struct asked *asked)
{
    size_t i, max;
    yyjson_val *answer;
    bool own = slice_equals(json_get_string(item, "linkId"), asked->link);
    if (out_of_steps(response)) {
        return;
    }
    yyjson_arr_foreach(json_get(item, "answer"), i, max, answer)
    {
        if (own) {
            ask_answer(answer, asked);
        }
        ask_items(response, json_get(answer, "item"), asked);
    }
    ask_items(response, json_get(item, "item"), asked);
}

static void ask_items(struct response *response, yyjson_val *items, struct asked *asked)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(items, i, max, item)
    {
        ask_item(response, item, asked);
    }
}

/* R4 code system questionnaire-enable-operator. */
static bool condition_holds(struct response *response, const struct scope *scope,
                            yyjson_val *condition)
{
    struct slice operator= json_get_string(condition, "operator");
    struct asked asked = {.link = json_get_string(condition, "question")};
    asked.wanted = choice_value(condition, "answer", &asked.wanted_name);
    for (; scope != NULL && !asked.answered; scope = scope->up) {
        ask_items(response, scope->items, &asked);
    }
    return slice_is(operator, "exists") ? asked.answered == yyjson_is_true(asked.wanted)
           : slice_is(operator, "=")    ? asked.equal
           : slice_is(operator, "!=")   ? !asked.equal
           : slice_is(operator, ">")    ? asked.greater
           : slice_is(operator, "<")    ? asked.less
           : slice_is(operator, ">=")   ? asked.greater || asked.equal
           : slice_is(operator, "<=")   ? asked.less || asked.equal
                                        : true;
}

static bool is_enabled(struct response *response, const struct scope *scope,
                       const struct form_item *item)
{
    yyjson_val *conditions = json_get(item->definition, "enableWhen");
    bool any = slice_is(json_get_string(item->definition, "enableBehavior"), "any");
    size_t i, max;
    yyjson_val *condition;
    yyjson_arr_foreach(conditions, i, max, condition)
    {
        if (condition_holds(response, scope, condition) == any) {
            return any;
        }
    }
    return yyjson_arr_size(conditions) == 0 || !any;
}

/* ---- items ------------------------------------------------------------------------------------
 */

static void check_level(struct response *response, const struct place *place,
                        const struct scope *up, const struct form_item *parent, yyjson_val *object);

static bool is_group(const struct form_item *item)
{
    return slice_is(item->type, "group");
}

static void check_answers(struct response *response, const struct place *place,
                          const struct scope *scope, const struct form_item *question,
                          yyjson_val *item)
{
    struct checker *checker = response->checker;
    yyjson_val *answers = json_get(item, "answer");
    size_t i, max, count = yyjson_arr_size(answers);
    yyjson_val *answer;
    if (!question->repeats && question->most == UINT64_MAX && count > 1) {
        report(checker, &place->frame, answers, RULE_FORM,
               "The question does not repeat: give one answer.");
    } else if (question->most != UINT64_MAX && count > question->most) {
        report(checker, &place->frame, answers, RULE_FORM,
               say(checker, "The question takes %u answers at most.", (unsigned)question->most));
    }
    if (response->complete && count < question->least) {
        report(checker, &place->frame, item,
               count == 0 && question->least == 1 ? RULE_ANSWER_MISSING : RULE_FORM,
               say(checker,
                   "The question needs %u answers at least; a response that is not "
                   "complete has the status in-progress.",
                   (unsigned)question->least));
    }
    yyjson_arr_foreach(answers, i, max, answer)
    {
        struct place at = place_member(checker, place, "answer", (uint32_t)i);
        check_answer(checker, &at, question, item, answer);
        check_level(response, &at, scope, question, answer);
    }
}

static void check_item(struct response *response, const struct place *place,
                       const struct scope *scope, const struct form_item *definition,
                       yyjson_val *item)
{
    struct checker *checker = response->checker;
    yyjson_val *answers = json_get(item, "answer"), *nested = json_get(item, "item");
    if (!is_enabled(response, scope, definition)) {
        if (answers != NULL || nested != NULL) {
            report(checker, &place->frame, item, RULE_FORM,
                   "By the answers given this item is not enabled: leave it out, or correct the "
                   "answer that its condition asks about.");
        }
        return;
    }
    if (slice_is(definition->type, "display") || is_group(definition)) {
        if (answers != NULL) {
            report(checker, &place->frame, answers, RULE_FORM,
                   "Groups and texts have no answers: answer the questions inside.");
        }
        check_level(response, place, scope, definition, item);
        return;
    }
    if (nested != NULL) {
        report(checker, &place->frame, nested, RULE_FORM,
               "What is nested in a question stands in its answers: move it there.");
    }
    check_answers(response, place, scope, definition, item);
}

/* Items of the questionnaire that are met at one level: how often, and whether in order. */
struct level {
    uint32_t *counts;
    const struct form_item *parent;
    size_t last;
};

/* NULL, and reported, when the item has no place here. */
static const struct form_item *place_of(struct response *response, const struct place *up,
                                        const struct place *at, const struct form_item *parent,
                                        yyjson_val *item)
{
    struct checker *checker = response->checker;
    yyjson_val *link = json_get(item, "linkId");
    const struct form_item *definition = form_find(response->form, json_string(link));
    if (definition == NULL) {
        report(checker, &up->frame, link, RULE_FORM_LINK,
               "The questionnaire has no item of this linkId: correct it, or name the "
               "questionnaire that was answered.");
        return NULL;
    }
    if (definition->parent != parent) {
        report(checker, &at->frame, link, RULE_FORM,
               "The questionnaire has this item in another place: nest it as it does.");
        return NULL;
    }
    return definition;
}

static void check_placed(struct response *response, const struct place *at,
                         const struct scope *scope, struct level *level,
                         const struct form_item *definition, yyjson_val *item)
{
    struct checker *checker = response->checker;
    size_t number = (size_t)(definition - level->parent->children);
    if (number < level->last) {
        report(checker, &at->frame, json_get(item, "linkId"), RULE_FORM,
               "Items follow the order of the questionnaire: move this one up.");
    }
    level->last = number;
    if (level->counts[number]++ > 0 && !(is_group(definition) && definition->repeats)) {
        report(checker, &at->frame, json_get(item, "linkId"), RULE_FORM,
               is_group(definition)
                   ? "The group does not repeat: give it once."
                   : "A question stands once, with all its answers: put them together.");
    }
    check_item(response, at, scope, definition, item);
}

static void check_missing(struct response *response, const struct place *place,
                          const struct scope *scope, const struct level *level, yyjson_val *object)
{
    struct checker *checker = response->checker;
    for (size_t i = 0; response->complete && i < level->parent->child_count; i++) {
        const struct form_item *definition = &level->parent->children[i];
        if (out_of_steps(response) || level->counts[i] > 0 || definition->least == 0 ||
            slice_is(definition->type, "display") || !is_enabled(response, scope, definition)) {
            continue;
        }
        report(checker, &place->frame, object, RULE_ANSWER_MISSING,
               say(checker,
                   "Item %zu of this level of the questionnaire is required: answer it, "
                   "or give the response the status in-progress.",
                   i + 1));
    }
}

/* PARENT's children as they stand in the items of OBJECT. */
static void check_level(struct response *response, const struct place *place,
                        const struct scope *up, const struct form_item *parent, yyjson_val *object)
{
    struct checker *checker = response->checker;
    yyjson_val *items = json_get(object, "item");
    struct scope scope = {.up = up, .items = items};
    struct level level = {.parent = parent};
    size_t i, max;
    yyjson_val *item;
    struct arena_mark mark = arena_mark(checker->arena);
    level.counts = arena_array(checker->arena, parent->child_count + 1, sizeof(uint32_t));
    if (level.counts == NULL) {
        return;
    }
    yyjson_arr_foreach(items, i, max, item)
    {
        struct place at = place_member(checker, place, "item", (uint32_t)i);
        const struct form_item *definition = place_of(response, place, &at, parent, item);
        if (out_of_steps(response)) {
            break;
        }
        if (definition != NULL) {
            check_placed(response, &at, &scope, &level, definition, item);
        }
    }
    check_missing(response, place, &scope, &level, object);
    if (checker->arena != checker->outcome->arena) {
        arena_rewind(checker->arena, mark);
    }
}

/* ---- the questionnaire ------------------------------------------------------------------------
 */

static yyjson_val *find_contained(yyjson_val *resource, struct slice id)
{
    size_t i, max;
    yyjson_val *contained;
    yyjson_arr_foreach(json_get(resource, "contained"), i, max, contained)
    {
        if (slice_equals(json_get_string(contained, "id"), id)) {
            return contained;
        }
    }
    return NULL;
}

static yyjson_val *find_questionnaire(struct checker *checker, yyjson_val *response,
                                      struct slice canonical)
{
    if (canonical.length > 0 && canonical.at[0] == '#') {
        return find_contained(response, slice_from(canonical, 1));
    }
    const struct canonical *found = conformance_find(
        checker->options->conformance, SLICE("Questionnaire"), canonical, checker->arena);
    return found != NULL ? found->json->root : NULL;
}

void check_questionnaire_response(struct checker *checker, const struct frame *frame,
                                  const struct type_row *type, yyjson_val *root)
{
    struct place place = {.frame = *frame, .type = type};
    struct slice canonical = json_get_string(root, "questionnaire");
    struct slice status = json_get_string(root, "status");
    if (canonical.length == 0) {
        return;
    }
    yyjson_val *questionnaire = find_questionnaire(checker, root, canonical);
    struct response response = {.checker = checker};
    if (questionnaire == NULL) {
        report_as(checker, SEVERITY_WARNING, frame, json_get(root, "questionnaire"),
                  RULE_FORM_UNKNOWN,
                  "The questionnaire is not known here, so the answers were not checked against "
                  "it: load it.");
        return;
    }
    response.form = form_read(questionnaire, checker->arena);
    response.complete = slice_is(status, "completed") || slice_is(status, "amended");
    if (response.form != NULL) {
        check_level(&response, &place, NULL, &response.form->top, root);
    }
    if (response.steps > STEPS_MOST) {
        report(checker, frame, root, RULE_FORM,
               "Checking these answers takes too many steps: split the response.");
    }
}
