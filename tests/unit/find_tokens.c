/* SPDX-License-Identifier: MIT */
/* Tokens in all their forms, sets of codes, identifiers of a type, uris and references. */
#include "clause_test.h"

static void put_codes(void)
{
    must_put("{'resourceType':'Observation','id':'1','status':'final','code':{'coding':[{'system':"
             "'http://s','code':'Ab'},{'system':'http://unitsofmeasure.org','code':'mm'}]}}");
    must_put("{'resourceType':'Observation','id':'2','status':'amended','code':{'coding':[{"
             "'system':'http://t','code':'AB'},{'code':'bare'}]}}");
    must_put("{'resourceType':'Observation','id':'3','code':{'text':'words only'}}");
    must_put("{'resourceType':'Observation','id':'4'}");
}

static void a_code_is_found_in_each_form_of_a_token(void **state)
{
    (void)state;
    put_codes();
    static const struct expectation rows[] = {
        {"Ab", "1 2"}, {"http://s|Ab", "1"}, {"http://s|", "1"},    {"|bare", "2"},
        {"|Ab", ""},   {"http://t|", "2"},   {"http://never|", ""}, {"http://S|Ab", ""},
    };
    EXPECT("Observation", "code", STORE_PLAIN, token_of, rows);
}

/* R4 CodeSystem.caseSensitive: where it is not known, codes are accepted in any case. */
static void case_counts_where_the_code_system_says_so(void **state)
{
    (void)state;
    put_codes();
    static const struct expectation rows[] = {
        {"http://s|ab", "1"}, {"ab", "1 2"}, {"mm", "1"}, {"MM", ""}, {"BARE", "2"}};
    EXPECT("Observation", "code", STORE_PLAIN, token_of, rows);
    static const struct expectation status[] = {
        {"final", "1"}, {"FINAL", ""}, {"http://hl7.org/fhir/observation-status|final", "1"}};
    EXPECT("Observation", "status", STORE_PLAIN, token_of, status);
    must_put("{'resourceType':'Patient','id':'p','identifier':[{'value':'aB'}]}");
    static const struct expectation identifiers[] = {{"aB", "p"}, {"ab", ""}};
    EXPECT("Patient", "identifier", STORE_PLAIN, token_of, identifiers);
}

static void not_and_missing_are_about_the_whole_resource(void **state)
{
    (void)state;
    put_codes();
    assert_string_equal(found("Observation", "code", STORE_NOT, token_of("http://s|Ab")), "2 3 4");
    assert_string_equal(found("Observation", "code", STORE_NOT, token_of("http://s|")), "2 3 4");
    assert_string_equal(
        found("Observation", "code", STORE_MISSING, (struct store_value){.boolean = true}), "4");
    assert_string_equal(
        found("Observation", "code", STORE_MISSING, (struct store_value){.boolean = false}),
        "1 2 3");
    must_put("{'resourceType':'Observation','id':'5','subject':{'display':'somebody'}}");
    assert_string_equal(
        found("Observation", "subject", STORE_MISSING, (struct store_value){.boolean = false}),
        "5");
}

static const char *of_set(enum store_modifier modifier, const struct store_code *codes,
                          size_t count)
{
    return found("Observation", "code", modifier,
                 (struct store_value){.has_codes = true, .codes = codes, .code_count = count});
}

static void sets_of_codes_may_be_empty_small_or_large(void **state)
{
    (void)state;
    put_codes();
    struct store_code few[] = {{SLICE("http://s"), SLICE("Ab")}, {SLICE("http://t"), SLICE("Ab")}};
    assert_string_equal(of_set(STORE_PLAIN, few, 0), "");
    assert_string_equal(of_set(STORE_NOT, few, 0), "1 2 3 4");
    assert_string_equal(of_set(STORE_PLAIN, few, 2), "1");
    assert_string_equal(of_set(STORE_NOT, few, 2), "2 3 4");
    size_t count = 100000;
    struct store_code *many = arena_array(arena, count, sizeof(*many));
    for (size_t i = 0; i < count; i++) {
        many[i] = (struct store_code){SLICE("http://t"), slice_text(arena_print(arena, "c%zu", i))};
    }
    assert_string_equal(of_set(STORE_PLAIN, many, count), "");
    many[77777].code = SLICE("AB");
    assert_string_equal(of_set(STORE_PLAIN, many, count), "2");
    assert_string_equal(of_set(STORE_NOT, many, count), "1 3 4");
    many[5].system = SLICE("");
    many[5].code = SLICE("bare");
    many[77777].code = SLICE("other");
    assert_string_equal(of_set(STORE_PLAIN, many, count), "2");
    struct store_value set = {.has_codes = true, .codes = few, .code_count = 2};
    assert_int_equal(try_values("Patient", "identifier", STORE_PLAIN, &set, 1),
                     STATUS_NOT_SUPPORTED);
}

static void a_set_with_many_codes_in_use_finds_all_of_them(void **state)
{
    (void)state;
    size_t count = 300;
    struct store_code *codes = arena_array(arena, count, sizeof(*codes));
    for (size_t i = 0; i < count; i++) {
        const char *code = arena_print(arena, "k%03zu", i);
        codes[i] = (struct store_code){SLICE("http://s"), slice_text(code)};
        must_put(arena_print(arena,
                             "{'resourceType':'Observation','id':'%zu','code':{'coding':[{"
                             "'system':'http://s','code':'%s'}]}}",
                             i, code));
    }
    struct store_value set = {.has_codes = true, .codes = codes, .code_count = count - 10};
    assert_int_equal(try_values("Observation", "code", STORE_PLAIN, &set, 1), STATUS_OK);
    assert_int_equal(page.count, 290);
    assert_string_equal(found("Observation", "code", STORE_PLAIN, token_of("http://s|k299")),
                        "299");
    struct store_value all = token_of("http://s|");
    assert_int_equal(try_values("Observation", "code", STORE_PLAIN, &all, 1), STATUS_OK);
    assert_int_equal(page.count, 300);
}

static const char *of_type(const char *type, const char *value)
{
    struct store_value wanted = token_of(type);
    wanted.text = slice_text(value);
    return found("Patient", "identifier", STORE_OF_TYPE, wanted);
}

static void an_identifier_is_found_by_its_type_and_its_system(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'a','identifier':[{'type':{'coding':[{'system':"
             "'http://v2','code':'MR'}]},'system':'http://one','value':'446053'},{'system':"
             "'http://two','value':'9'}]}");
    must_put("{'resourceType':'Patient','id':'b','identifier':[{'type':{'coding':[{'system':"
             "'http://v2','code':'SS'}]},'value':'446053'},{'type':{'coding':[{'system':"
             "'http://v2','code':'MR'}]},'value':'1'}]}");
    must_put("{'resourceType':'Patient','id':'c','identifier':[{'system':'http://two'}]}");
    assert_string_equal(of_type("http://v2|MR", "446053"), "a");
    assert_string_equal(of_type("http://v2|SS", "446053"), "b");
    assert_string_equal(of_type("http://v2|MR", "1"), "b");
    assert_string_equal(of_type("http://v2|MR", "4460"), "");
    assert_string_equal(of_type("http://v3|MR", "446053"), "");
    static const struct expectation rows[] = {
        {"http://two|", "a c"}, {"http://one|", "a"}, {"http://three|", ""}, {"|446053", "b"}};
    EXPECT("Patient", "identifier", STORE_PLAIN, token_of, rows);
    assert_string_equal(found("Patient", "identifier", STORE_NOT, token_of("http://one|")), "b c");
}

static void values_longer_than_a_key_are_decided_by_the_body(void **state)
{
    (void)state;
    char longer[260];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    must_put(arena_print(arena,
                         "{'resourceType':'Patient','id':'a','identifier':[{'system':'http://s',"
                         "'value':'%sA'}]}",
                         longer));
    must_put(arena_print(arena,
                         "{'resourceType':'Patient','id':'b','identifier':[{'system':'http://s',"
                         "'value':'%sB'}]}",
                         longer));
    const struct expectation rows[] = {
        {arena_print(arena, "http://s|%sA", longer), "a"},
        {arena_print(arena, "%sB", longer), "b"},
        {arena_print(arena, "http://t|%sA", longer), ""},
        {longer, ""},
    };
    EXPECT("Patient", "identifier", STORE_PLAIN, token_of, rows);
    assert_string_equal(found("Patient", "identifier", STORE_NOT,
                              token_of(arena_print(arena, "http://s|%sA", longer))),
                        "b");
    must_put(arena_print(arena,
                         "{'resourceType':'Observation','id':'o','subject':{'identifier':{'value':"
                         "'%sA'}}}",
                         longer));
    assert_string_equal(found("Observation", "subject", STORE_IDENTIFIER,
                              token_of(arena_print(arena, "%sA", longer))),
                        "o");
    assert_string_equal(found("Observation", "subject", STORE_IDENTIFIER,
                              token_of(arena_print(arena, "%sB", longer))),
                        "");
}

static void a_reference_is_found_by_the_system_of_its_identifier(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'o','subject':{'identifier':{'system':'http://s',"
             "'value':'1'}}}");
    must_put("{'resourceType':'Observation','id':'n','subject':{'reference':'Patient/1'}}");
    assert_string_equal(found("Observation", "subject", STORE_IDENTIFIER, token_of("http://s|")),
                        "o");
    assert_string_equal(found("Observation", "subject", STORE_IDENTIFIER, token_of("http://s|1")),
                        "o");
    assert_string_equal(found("Observation", "subject", STORE_IDENTIFIER, token_of("http://s|2")),
                        "");
}

static void a_uri_is_compared_to_the_letter_and_by_its_path(void **state)
{
    (void)state;
    must_put("{'resourceType':'ValueSet','id':'fhir','url':'http://acme.org/fhir'}");
    must_put("{'resourceType':'ValueSet','id':'v123','url':'http://acme.org/fhir/ValueSet/123'}");
    must_put("{'resourceType':'ValueSet','id':'v12','url':'http://acme.org/fhir/ValueSet/12'}");
    must_put("{'resourceType':'ValueSet','id':'oid','url':'urn:oid:1.2.3'}");
    static const struct expectation plain[] = {{"http://acme.org/fhir/ValueSet/123", "v123"},
                                               {"http://acme.org/FHIR/ValueSet/123", ""},
                                               {"http://acme.org/fhir/", ""},
                                               {"urn:oid:1.2.3", "oid"}};
    EXPECT("ValueSet", "url", STORE_PLAIN, text_of, plain);
    static const struct expectation below[] = {{"http://acme.org/fhir/", "v12 v123"},
                                               {"http://acme.org/fhir", "fhir v12 v123"}};
    EXPECT("ValueSet", "url", STORE_BELOW, text_of, below);
    static const struct expectation within[] = {{"ValueSet/12", "v12 v123"}, {"valueset", ""}};
    EXPECT("ValueSet", "url", STORE_CONTAINS, text_of, within);
    static const struct expectation above[] = {
        {"http://acme.org/fhir/ValueSet/123/_history/5", "fhir v123"},
        {"http://acme.org/fhir/ValueSet/123", "fhir v123"},
        {"http://acme.org/fhirs", ""}};
    EXPECT("ValueSet", "url", STORE_ABOVE, text_of, above);
}

static void a_canonical_is_found_with_and_without_its_version(void **state)
{
    (void)state;
    must_put("{'resourceType':'CarePlan','id':'v','instantiatesCanonical':['http://x/plan|1.0']}");
    must_put("{'resourceType':'CarePlan','id':'w','instantiatesCanonical':['http://x/plan']}");
    static const struct expectation rows[] = {{"http://x/plan", "v w"},
                                              {"http://x/plan|1.0", "v"},
                                              {"http://x/plan|2.0", ""},
                                              {"http://x/pla", ""}};
    EXPECT("CarePlan", "instantiates-canonical", STORE_PLAIN, text_of, rows);
    must_put("{'resourceType':'Basic','id':'p','meta':{'profile':['http://x/profile|3'],'source':"
             "'http://feed','tag':[{'system':'http://s','code':'t'}],'security':[{'system':"
             "'http://s','code':'R'}]}}");
    assert_string_equal(found("Basic", "_profile", STORE_PLAIN, text_of("http://x/profile")), "p");
    assert_string_equal(found("Basic", "_profile", STORE_PLAIN, text_of("http://x/profile|3")),
                        "p");
    assert_string_equal(found("Basic", "_source", STORE_PLAIN, text_of("http://feed")), "p");
    assert_string_equal(found("Basic", "_tag", STORE_PLAIN, token_of("http://s|t")), "p");
    assert_string_equal(found("Basic", "_security", STORE_PLAIN, token_of("http://s|R")), "p");
}

static void a_reference_is_found_in_each_of_its_forms(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'plain','subject':{'reference':'Patient/23'}}");
    must_put("{'resourceType':'Observation','id':'version','subject':{'reference':"
             "'Patient/23/_history/4'}}");
    must_put("{'resourceType':'Observation','id':'ours','subject':{'reference':"
             "'http://here.example/fhir/Patient/23'}}");
    must_put("{'resourceType':'Observation','id':'theirs','subject':{'reference':"
             "'http://there.example/fhir/Patient/23'}}");
    must_put("{'resourceType':'Observation','id':'group','subject':{'reference':'Group/23'}}");
    struct store_value value = {.target = type_named("Patient"), .id = SLICE("23")};
    assert_string_equal(found("Observation", "subject", STORE_PLAIN, value), "ours plain version");
    value.target = RESOURCE_TYPE_NONE;
    assert_string_equal(found("Observation", "subject", STORE_PLAIN, value),
                        "group ours plain version");
    assert_string_equal(found("Observation", "patient", STORE_PLAIN, value), "ours plain version");
    assert_string_equal(found("Observation", "subject", STORE_PLAIN,
                              text_of("http://there.example/fhir/Patient/23")),
                        "theirs");
}

/* More than are read as streams beside the others; that they are given back the sanitizer tells. */
static void a_set_of_many_codes_that_must_not_be_there_keeps_no_statements(void **state)
{
    (void)state;
    struct store_code codes[12];
    put_codes();
    for (size_t i = 0; i < 12; i++) {
        const char *code = arena_print(arena, "c%zu", i);
        must_put(arena_print(arena,
                             "{'resourceType':'Observation','id':'n%zu','code':{'coding':[{"
                             "'system':'http://n','code':'%s'}]}}",
                             i, code));
        codes[i] = (struct store_code){SLICE("http://n"), slice_text(code)};
    }
    assert_string_equal(of_set(STORE_NOT, codes, 12), "1 2 3 4");
}

/* What can be asked of every type, and what cannot, with the reason beside it. */
static void every_parameter_of_the_specification_is_answered_but_for_four(void **state)
{
    (void)state;
    size_t asked = 0, refused = 0;
    for (resource_type type = 1; type <= resource_type_count(definitions); type++) {
        size_t count;
        const struct search_parameter *all = search_parameters(definitions, type, &count);
        for (size_t i = 0; i < count; i++) {
            struct slice code = all[i].code;
            bool known = slice_is(code, "_id") || slice_is(code, "_lastUpdated"); /* columns */
            bool silent = slice_is(code, "_query") || slice_is(code, "_filter") ||
                          (all[i].expression.length == 0 && /* nothing to look at */
                           (slice_is(code, "age") || slice_is(code, "birthOrderBoolean")));
            if (known || all[i].kind == SEARCH_COMPOSITE || slice_is(code, "near")) {
                continue;
            }
            struct store_value value = {.text = SLICE("word"), .code = SLICE("x")};
            struct store_clause clause = {.parameter = &all[i], .values = &value, .value_count = 1};
            struct store_query query = {
                .type = type, .clauses = &clause, .clause_count = 1, .count = 1};
            struct store_tx *tx = begin();
            struct arena_mark mark = arena_mark(arena);
            enum status status = store_find(tx, &query, arena, NULL, &page);
            arena_rewind(arena, mark);
            store_snapshot_end(tx);
            assert_int_equal(status, silent ? STATUS_NOT_SUPPORTED : STATUS_OK);
            asked += !silent;
            refused += silent;
        }
    }
    assert_int_equal(refused, 2 * 146 + 2);
    assert_int_equal(asked, 1708 + 1457 - 72 - 1 - 2 * 146 - (2 * 146 + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_code_is_found_in_each_form_of_a_token),
        STORE_TEST(case_counts_where_the_code_system_says_so),
        STORE_TEST(not_and_missing_are_about_the_whole_resource),
        STORE_TEST(sets_of_codes_may_be_empty_small_or_large),
        STORE_TEST(a_set_with_many_codes_in_use_finds_all_of_them),
        STORE_TEST(a_set_of_many_codes_that_must_not_be_there_keeps_no_statements),
        STORE_TEST(an_identifier_is_found_by_its_type_and_its_system),
        STORE_TEST(values_longer_than_a_key_are_decided_by_the_body),
        STORE_TEST(a_reference_is_found_by_the_system_of_its_identifier),
        STORE_TEST(a_uri_is_compared_to_the_letter_and_by_its_path),
        STORE_TEST(a_canonical_is_found_with_and_without_its_version),
        STORE_TEST(every_parameter_of_the_specification_is_answered_but_for_four),
        STORE_TEST(a_reference_is_found_in_each_of_its_forms),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
