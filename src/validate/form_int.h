/* SPDX-License-Identifier: MIT */
/* Forms, inside: a Questionnaire made ready to be asked about, and the answers of one response
 * (R4 questionnaire.html, questionnaireresponse.html). */
#ifndef CARELAYER_VALIDATE_FORM_INT_H
#define CARELAYER_VALIDATE_FORM_INT_H

#include "validate/validate_int.h"

/* Where we are, with the type whose members stand there. */
struct place {
    struct frame frame;
    const struct type_row *type;
};

#define NO_INDEX UINT32_MAX

/* Member NAME of what stands at UP, which must outlive the answer; INDEX of the array's item. */
struct place place_member(const struct checker *checker, const struct place *up, const char *name,
                          uint32_t index);

/* The value of an extension: the first of this URL on OBJECT, its member value..., or NULL. */
yyjson_val *extension_value(yyjson_val *object, const char *url);

/* The member value... of an answer, option or extension; *RET_NAME its whole name. */
yyjson_val *choice_value(yyjson_val *object, const char *stem, struct slice *ret_name);

/* A question, group or text of a questionnaire. */
struct form_item {
    yyjson_val *definition;
    struct slice link;
    struct slice type; /* "group", "string" ... */
    bool required, repeats;
    uint64_t least, most; /* answers: required, repeats and the extensions minOccurs, maxOccurs */
    const struct form_item *parent;
    struct form_item *children;
    size_t child_count;
};

/* All items by linkId: open addressing. Of several items with one linkId the first counts (que-2
 * forbids them). */
struct form {
    struct form_item top; /* its children are the questionnaire's items */
    struct form_item **items;
    size_t mask, count;
};

/* Reads QUESTIONNAIRE into ARENA; NULL when the arena is full or it is nested too deep. */
const struct form *form_read(yyjson_val *questionnaire, struct arena *arena);
const struct form_item *form_find(const struct form *form, struct slice link);

/* One ANSWER to QUESTION, at PLACE (QuestionnaireResponse.item.answer), among those of ITEM: its
 * type, options and limits. */
void check_answer(struct checker *checker, const struct place *place,
                  const struct form_item *question, yyjson_val *item, yyjson_val *answer);

/* The order of two answers (of members value..., answer...), <0, 0, >0; false when they cannot be
 * compared. Of codings, references and booleans only whether they are equal (0) or not (1). */
bool answers_compare(yyjson_val *a, struct slice a_name, yyjson_val *b, struct slice b_name,
                     int *ret_order);

#endif
