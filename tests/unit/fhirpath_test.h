/* SPDX-License-Identifier: MIT */
/* What the tests of fhirpath share: expressions asked of small resources, answers as text. */
#ifndef CARELAYER_TESTS_FHIRPATH_TEST_H
#define CARELAYER_TESTS_FHIRPATH_TEST_H

#include "fhir_test.h"
#include "fhirpath/fhirpath.h"

/* What is asked when a test says no more. */
static const char patient[] =
    "{'resourceType':'Patient','id':'p1','active':true,'birthDate':'1974-12-25',"
    "'_birthDate':{'extension':[{'url':'http://time','valueDateTime':'1974-12-25T14:35:45-05:00'}]"
    "},'gender':'male','deceasedBoolean':false,'multipleBirthInteger':2,"
    "'name':[{'use':'official','family':'Chalmers','given':['Peter','James']},"
    "{'use':'usual','given':['Jim']},"
    "{'use':'maiden','family':'Windsor','given':['Peter',null],'_given':[null,{'id':'g'}]}],"
    "'contact':[{'name':{'family':'Marché'},'gender':'female'}],"
    "'contained':[{'resourceType':'Organization','id':'o1','name':'Acme'}],"
    "'managingOrganization':{'reference':'#o1'},"
    "'extension':[{'url':'http://q','valueQuantity':{'value':70.5,'unit':'kg','system':"
    "'http://unitsofmeasure.org','code':'kg'}}]}";

struct asked {
    const char *resource; /* JSON with '; NULL: none */
    const char *type;     /* of the context when it is compiled; NULL: that of the resource */
    unsigned flags;
    struct fhirpath_environment environment;
};

static struct outcome asked_outcome;

static inline enum status ask_values(struct asked *asked, const char *expression,
                                     struct fhirpath_collection *ret_values)
{
    const struct fhirpath *compiled;
    struct fhirpath_node focus;
    const struct type_row *type = NULL;
    outcome_init(&asked_outcome, arena);
    asked->environment.definitions = definitions;
    if (asked->resource != NULL) {
        yyjson_val *root = parse(asked->resource);
        focus = fhirpath_root(
            definitions, resource_type_find(definitions, json_get_string(root, "resourceType")),
            root);
        type = focus.type;
    }
    TRY(fhirpath_compile(definitions, slice_text(expression), type, asked->flags, arena,
                         &asked_outcome, &compiled));
    return fhirpath_evaluate(compiled, &asked->environment, asked->resource != NULL ? &focus : NULL,
                             arena, &asked_outcome, ret_values);
}

/* "Peter, James", "" for empty, "error" where it has one. */
static inline const char *ask(struct asked *asked, const char *expression)
{
    struct fhirpath_collection values;
    struct buffer text = {.arena = arena};
    if (ask_values(asked, expression, &values) != STATUS_OK) {
        return "error";
    }
    for (size_t i = 0; i < values.count; i++) {
        buffer_add_text(&text, i > 0 ? ", " : "");
        fhirpath_write(&values.items[i], &text);
    }
    return arena_print(arena, "%.*s", SLICE_ARGS(buffer_slice(&text)));
}

struct expectation {
    const char *expression, *answer;
};

/* Each asked of the patient above. */
static inline void assert_answers(const struct expectation *expectations)
{
    size_t wrong = 0;
    for (; expectations->expression != NULL; expectations++) {
        struct asked asked = {.resource = patient};
        const char *answer = ask(&asked, expectations->expression);
        if (strcmp(answer, expectations->answer) != 0) {
            print_error("%s\n  gives  %s\n  wanted %s\n", expectations->expression, answer,
                        expectations->answer);
            if (asked_outcome.first != NULL) {
                print_error("  %.*s\n", SLICE_ARGS(asked_outcome.first->text));
            }
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* LIST is rows of {expression, answer}. */
#define ANSWERS(...) assert_answers((const struct expectation[]){__VA_ARGS__, {NULL, NULL}})

#endif
