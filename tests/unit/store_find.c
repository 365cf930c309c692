/* SPDX-License-Identifier: MIT */
#include "store/store_int.h"
#include "store_test.h"

static struct store_page page;

static enum status try_find(struct store_query *query)
{
    struct store_tx *tx = begin();
    query->count = query->count != 0 ? query->count : 100;
    query->bodies = true;
    enum status status = store_find(tx, query, arena, NULL, &page);
    store_snapshot_end(tx);
    return status;
}

static int version_order(const void *a, const void *b)
{
    const struct store_version *x = a, *y = b;
    return slice_compare(x->id, y->id);
}

/* The ids that one clause with one value finds. */
static const char *found(const char *type, const char *code, enum store_modifier modifier,
                         struct store_value value)
{
    struct store_clause clause = {.parameter = parameter_named(type, code),
                                  .modifier = modifier,
                                  .values = &value,
                                  .value_count = 1};
    struct store_query query = {.type = type_named(type), .clauses = &clause, .clause_count = 1};
    assert_int_equal(try_find(&query), STATUS_OK);
    if (page.count > 0) {
        qsort(page.items, page.count, sizeof(*page.items), version_order);
    }
    return ids_of(&page);
}

static const char *token(const char *type, const char *code, const char *system, const char *value)
{
    return found(type, code, STORE_PLAIN,
                 (struct store_value){.has_system = system != NULL,
                                      .system = slice_text(system),
                                      .code = slice_text(value)});
}

static const char *text(const char *type, const char *code, enum store_modifier modifier,
                        const char *value)
{
    return found(type, code, modifier, (struct store_value){.text = slice_text(value)});
}

static const char *date(enum store_compare compare, const char *value)
{
    struct partial_date partial;
    struct store_value wanted = {.compare = compare};
    assert_true(date_parse(slice_text(value), DATE_FORM_SEARCH, &partial));
    date_range(&partial, &wanted.low, &wanted.high);
    return found("Observation", "date", STORE_PLAIN, wanted);
}

static const char *quantity(enum store_compare compare, const char *value, const char *unit)
{
    struct store_value wanted = {.compare = compare, .code = slice_text(unit)};
    assert_true(decimal_parse(slice_text(value), &wanted.number));
    assert_true(decimal_range(wanted.number, &wanted.number_low, &wanted.number_high));
    return found("Observation", "value-quantity", STORE_PLAIN, wanted);
}

static void put_people(void)
{
    must_put("{'resourceType':'Patient','id':'a','active':true,'gender':'female',"
             "'birthDate':'1950-01-02','name':[{'use':'official','family':'Ångström',"
             "'given':['Zoë','Mary  Ann']}],'identifier':[{'system':'http://nhs','value':'999'}],"
             "'telecom':[{'system':'phone','value':'0123'}]}");
    must_put("{'resourceType':'Patient','id':'b','gender':'male','deceasedBoolean':true,"
             "'name':[{'family':'angst','given':['Bob']}],"
             "'identifier':[{'system':'http://other','value':'999'},{'value':'777'}]}");
    must_put("{'resourceType':'Patient','id':'c','gender':'female','deceasedBoolean':false}");
}

static void finds_tokens_with_and_without_their_system(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'1','code':{'coding':[{'system':'http://s',"
             "'code':'x'},{'code':'y'}]}}");
    must_put("{'resourceType':'Observation','id':'2','code':{'coding':[{'system':'http://t',"
             "'code':'x'}]}}");
    assert_string_equal(token("Observation", "code", NULL, "x"), "1 2");
    assert_string_equal(token("Observation", "code", "http://s", "x"), "1");
    assert_string_equal(token("Observation", "code", "http://t", ""), "2");
    assert_string_equal(token("Observation", "code", "", "y"), "1");
    assert_string_equal(token("Observation", "code", "", "x"), "");
    assert_string_equal(token("Observation", "code", "http://never", "x"), "");
    assert_string_equal(found("Observation", "code", STORE_NOT,
                              (struct store_value){.has_system = true,
                                                   .system = SLICE("http://s"),
                                                   .code = SLICE("x")}),
                        "2");
}

static void finds_identifiers_by_value_and_by_system(void **state)
{
    (void)state;
    put_people();
    assert_string_equal(token("Patient", "identifier", NULL, "999"), "a b");
    assert_string_equal(token("Patient", "identifier", "http://nhs", "999"), "a");
    assert_string_equal(token("Patient", "identifier", "", "777"), "b");
    assert_string_equal(token("Patient", "identifier", "", "999"), "");
    assert_string_equal(token("Patient", "identifier", NULL, "99"), "");
    assert_string_equal(token("Patient", "phone", NULL, "0123"), "a");
    assert_string_equal(token("Patient", "gender", NULL, "female"), "a c");
    assert_string_equal(
        token("Patient", "gender", "http://hl7.org/fhir/administrative-gender", "male"), "b");
    assert_string_equal(token("Patient", "gender", "http://other", "male"), "");
    assert_string_equal(token("Patient", "active", NULL, "true"), "a");
    assert_string_equal(token("Patient", "deceased", NULL, "true"), "b");
    assert_string_equal(token("Patient", "deceased", NULL, "false"), "a c");
}

static void finds_strings_folded_exact_and_in_the_middle(void **state)
{
    (void)state;
    put_people();
    assert_string_equal(text("Patient", "family", STORE_PLAIN, "ANGST"), "a b");
    assert_string_equal(text("Patient", "family", STORE_EXACT, "angst"), "b");
    assert_string_equal(text("Patient", "family", STORE_EXACT, "Angst"), "");
    assert_string_equal(text("Patient", "family", STORE_EXACT, "Ångström"), "a");
    assert_string_equal(text("Patient", "family", STORE_CONTAINS, "strö"), "a");
    assert_string_equal(text("Patient", "given", STORE_PLAIN, "mary a"), "a");
    assert_string_equal(text("Patient", "given", STORE_PLAIN, "ann"), "");
    assert_string_equal(text("Patient", "name", STORE_PLAIN, "zoe"), "a");
    /* `official` is a use, not a name. */
    assert_string_equal(text("Patient", "name", STORE_EXACT, "official"), "");
}

static void finds_what_is_missing_and_what_is_not(void **state)
{
    (void)state;
    put_people();
    assert_string_equal(
        found("Patient", "birthdate", STORE_MISSING, (struct store_value){.boolean = true}), "b c");
    assert_string_equal(
        found("Patient", "birthdate", STORE_MISSING, (struct store_value){.boolean = false}), "a");
}

static const char *reference_found(const char *type, const char *code, const char *target,
                                   const char *id)
{
    return found(type, code, STORE_PLAIN,
                 (struct store_value){.target = type_named(target), .id = slice_text(id)});
}

static void finds_by_expressions_that_are_no_simple_path(void **state)
{
    (void)state;
    must_put("{'resourceType':'Bundle','id':'doc','type':'document','entry':[{'resource':{"
             "'resourceType':'Composition','id':'c1'}},{'resource':{'resourceType':'Composition',"
             "'id':'c2'}}]}");
    must_put("{'resourceType':'QuestionnaireResponse','id':'q','item':[{'linkId':'1','extension':[{"
             "'url':'http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject',"
             "'valueBoolean':true}],'answer':[{'valueReference':{'reference':'Patient/a'}}]},{"
             "'linkId':'2','answer':[{'valueReference':{'reference':'Patient/b'}}]}]}");
    assert_string_equal(reference_found("Bundle", "composition", "Composition", "c1"), "doc");
    assert_string_equal(reference_found("Bundle", "composition", "Composition", "c2"), "");
    assert_string_equal(reference_found("QuestionnaireResponse", "item-subject", "Patient", "a"),
                        "q");
    assert_string_equal(reference_found("QuestionnaireResponse", "item-subject", "Patient", "b"),
                        "");
}

static void finds_references_to_what_is_there_and_to_what_is_not_yet(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'1','subject':{'reference':'Patient/later'},"
             "'encounter':{'reference':'http://here.example/fhir/Encounter/e'}}");
    must_put("{'resourceType':'Observation','id':'2','subject':{'reference':'http://x/Patient/9',"
             "'identifier':{'system':'http://nhs','value':'5'}}}");
    must_put("{'resourceType':'Encounter','id':'e'}");
    struct store_value value = {.target = type_named("Patient"), .id = SLICE("later")};
    assert_string_equal(found("Observation", "subject", STORE_PLAIN, value), "1");
    must_put("{'resourceType':'Patient','id':'later'}");
    assert_string_equal(found("Observation", "subject", STORE_PLAIN, value), "1");
    value.target = RESOURCE_TYPE_NONE;
    assert_string_equal(found("Observation", "patient", STORE_PLAIN, value), "1");
    value = (struct store_value){.target = type_named("Encounter"), .id = SLICE("e")};
    assert_string_equal(found("Observation", "encounter", STORE_PLAIN, value), "1");
    value = (struct store_value){.text = SLICE("http://x/Patient/9")};
    assert_string_equal(found("Observation", "subject", STORE_PLAIN, value), "2");
    value =
        (struct store_value){.has_system = true, .system = SLICE("http://nhs"), .code = SLICE("5")};
    assert_string_equal(found("Observation", "subject", STORE_IDENTIFIER, value), "2");
    struct store_version version;
    struct store_tx *tx = begin();
    assert_int_equal(store_find_referrer(tx, type_named("Encounter"), SLICE("e"), arena, &version),
                     STATUS_OK);
    assert_true(slice_is(version.id, "1"));
    assert_int_equal(
        store_find_referrer(tx, type_named("Observation"), SLICE("1"), arena, &version),
        STATUS_NOT_FOUND);
    store_snapshot_end(tx);
}

static void dates_compare_as_ranges(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'y','effectiveDateTime':'2020'}");
    must_put("{'resourceType':'Observation','id':'d','effectiveDateTime':'2020-06-15'}");
    must_put("{'resourceType':'Observation','id':'s','effectiveInstant':'2020-06-15T12:00:00Z'}");
    must_put("{'resourceType':'Observation','id':'p','effectivePeriod':"
             "{'start':'2019-01-01','end':'2022-01-01'}}");
    must_put("{'resourceType':'Observation','id':'o','effectivePeriod':{'start':'2021-01-01'}}");
    assert_string_equal(date(STORE_EQ, "2020"), "d s y");
    assert_string_equal(date(STORE_EQ, "2020-06-15"), "d s");
    assert_string_equal(date(STORE_NE, "2020"), "o p");
    assert_string_equal(date(STORE_GT, "2020-06-15"), "o p y");
    assert_string_equal(date(STORE_LT, "2020-06-15"), "p y");
    assert_string_equal(date(STORE_GE, "2020-06-15"), "d o p s y");
    assert_string_equal(date(STORE_SA, "2020"), "o");
    assert_string_equal(date(STORE_EB, "2021"), "d s y");
    assert_string_equal(date(STORE_SA, "2017"), "d o p s y");
}

static void numbers_are_compared_exactly_at_the_edge(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'1','valueQuantity':{'value':5.4,'unit':'mg',"
             "'system':'http://unitsofmeasure.org','code':'mg'}}");
    must_put("{'resourceType':'Observation','id':'2','valueQuantity':{'value':5.45,'unit':'mg'}}");
    must_put("{'resourceType':'Observation','id':'3','valueQuantity':"
             "{'value':5.4000000000000000000001,'unit':'g'}}");
    assert_string_equal(quantity(STORE_EQ, "5.4", "mg"), "1");
    assert_string_equal(quantity(STORE_EQ, "5.4", ""), "1 3");
    assert_string_equal(quantity(STORE_GT, "5.4", ""), "2 3");
    assert_string_equal(quantity(STORE_LE, "5.4", ""), "1");
    assert_string_equal(quantity(STORE_EQ, "5.4000000000000000000001", ""), "3");
    assert_string_equal(quantity(STORE_NE, "5.4", ""), "2");
}

static void uris_are_found_whole_below_and_above(void **state)
{
    (void)state;
    must_put("{'resourceType':'ValueSet','id':'1','url':'http://x/a'}");
    must_put("{'resourceType':'ValueSet','id':'2','url':'http://x/a/b'}");
    assert_string_equal(text("ValueSet", "url", STORE_PLAIN, "http://x/a"), "1");
    assert_string_equal(text("ValueSet", "url", STORE_BELOW, "http://x/a"), "1 2");
    assert_string_equal(text("ValueSet", "url", STORE_ABOVE, "http://x/a/b"), "1 2");
    assert_string_equal(text("ValueSet", "url", STORE_PLAIN, "http://x/A"), "");
}

static void an_update_and_a_delete_take_old_values_away(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'a','gender':'female'}");
    must_put("{'resourceType':'Patient','id':'a','gender':'male'}");
    assert_string_equal(token("Patient", "gender", NULL, "female"), "");
    assert_string_equal(token("Patient", "gender", NULL, "male"), "a");
    assert_int_equal(try_delete("Patient", "a", (struct store_condition){0}), STATUS_OK);
    assert_string_equal(token("Patient", "gender", NULL, "male"), "");
}

static void clauses_are_anded_and_values_ored(void **state)
{
    (void)state;
    put_people();
    struct store_value genders[] = {{.code = SLICE("female")}, {.code = SLICE("male")}};
    struct store_value dead = {.code = SLICE("false")};
    struct store_clause clauses[] = {
        {parameter_named("Patient", "gender"), STORE_PLAIN, genders, 2},
        {parameter_named("Patient", "deceased"), STORE_PLAIN, &dead, 1}};
    struct store_query query = {
        .type = type_named("Patient"), .clauses = clauses, .clause_count = 2, .total = true};
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "a c");
    assert_int_equal(page.total, 2);
    struct slice ids[] = {SLICE("c"), SLICE("b"), SLICE("nobody")};
    query.ids = ids;
    query.id_count = 3;
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "c");
}

static void pages_follow_each_other_without_gap_or_repeat(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        must_put(arena_print(arena, "{'resourceType':'Basic','id':'b-%d'}", i));
    }
    for (int sorted = 0; sorted < 2; sorted++) {
        struct store_sort sort = {.descending = true};
        struct store_query query = {.type = type_named("Basic"),
                                    .count = 10,
                                    .total = true,
                                    .sorts = &sort,
                                    .sort_count = (size_t)sorted};
        size_t seen = 0;
        bool met[25] = {false};
        do {
            query.cursor = page.next;
            query.cursor = seen == 0 ? (struct slice){NULL, 0} : page.next;
            assert_int_equal(try_find(&query), STATUS_OK);
            assert_int_equal(page.total, 25);
            for (size_t i = 0; i < page.count; i++) {
                uint64_t number = 0;
                assert_true(slice_to_unsigned(slice_from(page.items[i].id, 2), 24, &number));
                assert_false(met[number]);
                met[number] = true;
                seen++;
            }
        } while (page.more);
        assert_int_equal(seen, 25);
    }
}

/* Behind a full page nothing is looked at any more, only counted. */
static void totals_are_of_all_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        must_put(arena_print(arena,
                             "{'resourceType':'Basic','id':'b%d','code':{'coding':[{'code':'%s'}]},"
                             "'subject':{'reference':'Group/%s'}}",
                             i, i % 5 == 0 ? "rare" : "often", i % 5 == 1 ? "few" : "many"));
    }
    struct store_value values[] = {{.code = SLICE("often")},
                                   {.target = type_named("Group"), .id = SLICE("many")}};
    static const char *const codes[] = {"code", "subject"};
    for (size_t i = 0; i < 2; i++) {
        struct store_clause clause = {.parameter = parameter_named("Basic", codes[i]),
                                      .values = &values[i],
                                      .value_count = 1};
        struct store_query query = {.type = type_named("Basic"),
                                    .clauses = &clause,
                                    .clause_count = 1,
                                    .count = 3,
                                    .total = true};
        for (int pages = 0; pages < 7; pages++) { /* the last has two */
            assert_int_equal(try_find(&query), STATUS_OK);
            assert_int_equal(page.total, 20);
            assert_int_equal(page.count, pages < 6 ? 3 : 2);
            query.cursor = page.next;
        }
    }
}

static void sorts_by_a_parameter_and_puts_what_lacks_it_last(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'x','birthDate':'1960-01-01'}");
    must_put("{'resourceType':'Patient','id':'y'}");
    must_put("{'resourceType':'Patient','id':'z','birthDate':'1950-01-01'}");
    struct store_sort sort = {.parameter = parameter_named("Patient", "birthdate")};
    struct store_query query = {.type = type_named("Patient"), .sorts = &sort, .sort_count = 1};
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "z x y");
    sort.descending = true;
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "x z y");
}

static void a_patients_record_is_all_that_concerns_them_wherever_it_lives(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'mother'}");
    must_put("{'resourceType':'Patient','id':'baby'}");
    must_put("{'resourceType':'Observation','id':'1','subject':{'reference':'Patient/baby'},"
             "'performer':[{'reference':'Patient/mother'}]}");
    must_put("{'resourceType':'Appointment','id':'2','participant':[{'actor':"
             "{'reference':'Patient/mother'}},{'actor':{'reference':'Patient/baby'}}]}");
    must_put("{'resourceType':'Organization','id':'3'}");
    struct store_query query = {.has_patient = true, .patient = SLICE("mother")};
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_int_equal(page.count, 3);
    query.type = type_named("Observation");
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "1");
    assert_int_equal(page.items[0].patient_count, 2);
    query.type = type_named("Patient");
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "mother");
    query.patient = SLICE("stranger");
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_int_equal(page.count, 0);
}

static void a_changed_subject_moves_the_current_row_and_leaves_history(void **state)
{
    (void)state;
    must_put("{'resourceType':'Observation','id':'1','status':'final',"
             "'subject':{'reference':'Patient/p'}}");
    struct store_written written = must_put("{'resourceType':'Observation','id':'1',"
                                            "'status':'final','subject':"
                                            "{'reference':'Patient/q'}}");
    assert_int_equal(written.patient_count, 2);
    struct store_query query = {.has_patient = true, .patient = SLICE("p")};
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_int_equal(page.count, 0);
    query.patient = SLICE("q");
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "1");
    assert_string_equal(token("Observation", "status", NULL, "final"), "1");
    struct store_tx *tx = begin();
    struct store_version version;
    assert_int_equal(
        store_read_version(tx, type_named("Observation"), SLICE("1"), 1, arena, &version),
        STATUS_OK);
    struct slice id;
    assert_int_equal(store_patient_id(tx, version.patients[0], arena, &id), STATUS_OK);
    assert_true(slice_is(id, "p"));
    store_snapshot_end(tx);
}

static void linked_patients_are_one_person_until_unlinked(void **state)
{
    (void)state;
    must_put("{'resourceType':'Patient','id':'a','link':[{'type':'replaces','other':"
             "{'reference':'Patient/b'}}]}");
    must_put("{'resourceType':'Patient','id':'c','link':[{'type':'seealso','other':"
             "{'reference':'Patient/b'}}]}");
    must_put("{'resourceType':'Basic','id':'x','subject':{'reference':'Patient/b'}}");
    struct store_query query = {
        .has_patient = true, .patient = SLICE("c"), .type = type_named("Basic")};
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "x");
    query.type = type_named("Patient");
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_int_equal(page.count, 2);
    must_put("{'resourceType':'Patient','id':'c'}");
    assert_int_equal(try_find(&query), STATUS_OK);
    assert_string_equal(ids_of(&page), "c");
}

static void refuses_what_it_cannot_answer_and_cursors_not_its_own(void **state)
{
    (void)state;
    struct store_value value = {.code = SLICE("x")};
    struct store_clause clause = {parameter_named("Observation", "code-value-concept"), STORE_PLAIN,
                                  &value, 1};
    struct store_query query = {
        .type = type_named("Observation"), .clauses = &clause, .clause_count = 1};
    assert_int_equal(try_find(&query), STATUS_NOT_SUPPORTED);
    query.clause_count = 0;
    query.cursor = SLICE("0123456789abcdef");
    assert_int_equal(try_find(&query), STATUS_VALUE);
    /* The sum of a cursor is no secret: anybody can make one that counts on from the last number.
     */
    static const int64_t places[] = {INT64_MAX, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        query.cursor = cursor_write(arena, 'p', slice_of((const char *)&places[i], 8));
        assert_int_equal(try_find(&query), STATUS_VALUE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(finds_tokens_with_and_without_their_system),
        STORE_TEST(finds_identifiers_by_value_and_by_system),
        STORE_TEST(finds_strings_folded_exact_and_in_the_middle),
        STORE_TEST(finds_what_is_missing_and_what_is_not),
        STORE_TEST(finds_by_expressions_that_are_no_simple_path),
        STORE_TEST(finds_references_to_what_is_there_and_to_what_is_not_yet),
        STORE_TEST(dates_compare_as_ranges),
        STORE_TEST(numbers_are_compared_exactly_at_the_edge),
        STORE_TEST(uris_are_found_whole_below_and_above),
        STORE_TEST(an_update_and_a_delete_take_old_values_away),
        STORE_TEST(clauses_are_anded_and_values_ored),
        STORE_TEST(pages_follow_each_other_without_gap_or_repeat),
        STORE_TEST(totals_are_of_all_pages),
        STORE_TEST(sorts_by_a_parameter_and_puts_what_lacks_it_last),
        STORE_TEST(a_patients_record_is_all_that_concerns_them_wherever_it_lives),
        STORE_TEST(a_changed_subject_moves_the_current_row_and_leaves_history),
        STORE_TEST(linked_patients_are_one_person_until_unlinked),
        STORE_TEST(refuses_what_it_cannot_answer_and_cursors_not_its_own),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
