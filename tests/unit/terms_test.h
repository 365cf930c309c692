/* SPDX-License-Identifier: MIT */
/* What the tests of terms share: terms over the base definitions, and resources added to them. */
#ifndef CARELAYER_TESTS_TERMS_TEST_H
#define CARELAYER_TESTS_TERMS_TEST_H

#include "fhir_test.h"
#include "terms/terms.h"

static struct conformance *conformance;
static struct terms *terms;

static inline int terms_setup(void **state)
{
    return arena_setup(state) != 0 || conformance_open(definitions, &conformance) != STATUS_OK ||
           terms_open(conformance, NULL, &terms) != STATUS_OK;
}

static inline int terms_teardown(void **state)
{
    (void)arena_teardown(state); /* what was found is released with its arena */
    terms_close(terms);
    conformance_close(conformance);
    return 0;
}

#define TERMS_TEST(name) cmocka_unit_test_setup_teardown(name, terms_setup, terms_teardown)

/* Adds a resource written with ' for ". */
static inline void add(const char *text)
{
    struct buffer out = {.arena = arena};
    json_write(parse(text), NULL, NULL, &out);
    assert_int_equal(conformance_add(conformance, buffer_slice(&out), NULL), STATUS_OK);
}

static inline enum terms_verdict check(const char *set, const char *system, const char *code)
{
    struct terms_coding coding = {.system = slice_text(system), .code = slice_text(code)};
    return terms_check(terms, slice_text(set), &coding, arena, NULL);
}

/* A code system of animals: a hierarchy by nesting, one link by a property, two states. */
#define ANIMALS                                                                                    \
    "{'resourceType':'CodeSystem','url':'http://x/animals','version':'1.0.0','content':"           \
    "'complete','caseSensitive':true,'status':'active','language':'en','property':["               \
    "{'code':'legs','type':'integer'},{'code':'kept','type':'code'},"                              \
    "{'code':'dead','uri':'http://hl7.org/fhir/concept-properties#inactive','type':'boolean'},"    \
    "{'code':'parent','uri':'http://hl7.org/fhir/concept-properties#parent','type':'code'}],"      \
    "'concept':[{'code':'mammal','display':'Mammal','property':[{'code':'notSelectable',"          \
    "'valueBoolean':true}],'concept':["                                                            \
    "{'code':'cat','display':'Cat','designation':[{'language':'de','value':'Katze'}],"             \
    "'property':[{'code':'legs','valueInteger':4},{'code':'kept','valueCode':'home'}],"            \
    "'concept':[{'code':'lynx','display':'Lynx','property':[{'code':'legs','valueInteger':4}]}]}," \
    "{'code':'whale','display':'Whale','property':[{'code':'legs','valueInteger':0}]}]},"          \
    "{'code':'bird','display':'Bird','concept':[{'code':'dodo','display':'Dodo','property':"       \
    "[{'code':'dead','valueBoolean':true},{'code':'legs','valueInteger':2}]},"                     \
    "{'code':'owl','display':'Owl'}]},"                                                            \
    "{'code':'platypus','display':'Platypus','property':[{'code':'parent','valueCode':'mammal'},"  \
    "{'code':'parent','valueCode':'bird'}]}]}"

/* A value set of animals whose compose is TEXT. */
static inline void add_set(const char *url, const char *compose)
{
    add(arena_print(arena,
                    "{'resourceType':'ValueSet','url':'%s','version':'1','status':'active',"
                    "'compose':%s}",
                    url, compose));
}

#endif
