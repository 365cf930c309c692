/* SPDX-License-Identifier: MIT */
/* Topics, filters, what is kept of events, back-off; the store's changes in order. */
#include "store_test.h"
#include "subscribe/subscribe_int.h"

#define EXTENSION "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."

/* A topic in the R5 form; ' for ". */
static struct topic *topic_of(const char *text)
{
    struct topic *topic = NULL;
    struct outcome outcome;
    outcome_init(&outcome, arena);
    enum status status = topic_read(definitions, parse(text), arena, &outcome, &topic);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_BUSINESS_RULE);
        assert_int_equal(outcome.errors, 1);
        return NULL;
    }
    return topic;
}

static struct subscribe_options options_of(void)
{
    return (struct subscribe_options){.definitions = definitions, .store = store};
}

static struct topic *planned(const char *text)
{
    struct topic *topic = topic_of(text);
    struct subscribe_options options = options_of();
    struct outcome outcome;
    outcome_init(&outcome, arena);
    struct planner planner = {.options = &options, .arena = arena, .outcome = &outcome};
    assert_non_null(topic);
    assert_int_equal(plan_topic(&planner, topic), STATUS_OK);
    return topic;
}

/* ---- topics -------------------------------------------------------------------------------- */

static void reads_a_topic_in_either_form(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{'resourceType':'SubscriptionTopic','url':'https://e/t','version':'2','status':'active',"
        "'resourceTrigger':[{'resource':'Encounter','supportedInteraction':['create','delete'],"
        "'queryCriteria':{'previous':'status:not=finished','resultForCreate':'test-passes',"
        "'current':'status=finished','requireBoth':true}}],"
        "'canFilterBy':[{'resource':'Encounter','filterParameter':'length','comparator':['gt']}],"
        "'notificationShape':[{'resource':'Encounter','include':['Encounter:patient&iterate=x',"
        "'Encounter:nothing']}]}",
        "{'resourceType':'Basic','extension':[{'url':'" EXTENSION "url','valueUri':'https://e/t'},"
        "{'url':'" EXTENSION "version','valueString':'2'},"
        "{'url':'" EXTENSION "resourceTrigger','extension':["
        "{'url':'resource','valueUri':'http://hl7.org/fhir/StructureDefinition/Encounter'},"
        "{'url':'supportedInteraction','valueCode':'create'},"
        "{'url':'supportedInteraction','valueCode':'delete'},"
        "{'url':'queryCriteria','extension':[{'url':'previous','valueString':'status:not=finished'}"
        ",{'url':'resultForCreate','valueCode':'test-passes'},"
        "{'url':'current','valueString':'status=finished'},"
        "{'url':'requireBoth','valueBoolean':true}]}]},"
        "{'url':'http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic."
        "canFilterBy','extension':[{'url':'resource','valueUri':'Encounter'},"
        "{'url':'filterParameter','valueString':'length'},{'url':'modifier','valueCode':'gt'}]},"
        "{'url':'" EXTENSION "notificationShape','extension':[{'url':'resource','valueUri':"
        "'Encounter'},{'url':'include','valueString':'Encounter:patient'}]}],"
        "'modifierExtension':[{'url':'" EXTENSION "status','valueCode':'active'}],"
        "'code':{'coding':[{'code':'SubscriptionTopic'}]}}"};
    for (size_t i = 0; i < 2; i++) {
        assert_true(topic_is(parse(forms[i])));
        const struct topic *topic = topic_of(forms[i]);
        assert_non_null(topic);
        assert_true(topic->active && slice_is(topic->url, "https://e/t"));
        assert_true(slice_is(topic->version, "2"));
        assert_int_equal(topic->trigger_count, 1);
        assert_int_equal(topic->triggers[0].type, type_named("Encounter"));
        assert_int_equal(topic->triggers[0].interactions, ON_CREATE | ON_DELETE);
        assert_true(topic->triggers[0].both && topic->triggers[0].create_passes);
        assert_true(slice_is(topic->triggers[0].current, "status=finished"));
        assert_int_equal(topic->filter_count, 1);
        assert_true(slice_is(topic->filters[0].modifiers[0], "gt"));
        assert_int_equal(topic->include_count, 1);
    }
    assert_false(topic_is(parse("{'resourceType':'Basic','code':{'coding':[{'code':'x'}]}}")));
}

static void refuses_what_it_does_not_understand_of_a_topic(void **state)
{
    (void)state;
#define HEAD "{'resourceType':'SubscriptionTopic','url':'https://e/t','status':'active',"
    static const char *const wrong[] = {
        HEAD "'resourceTrigger':[]}",
        HEAD "'resourceTrigger':[{'resource':'Nothing'}]}",
        HEAD "'resourceTrigger':[{'resource':'Patient','supportedInteraction':['read']}]}",
        HEAD "'resourceTrigger':[{'resource':'Patient','fhirPathCriteria':'true'}]}",
        HEAD "'resourceTrigger':[{'resource':'Patient','queryCriteria':{'resultForCreate':'x'}}]}",
        HEAD "'resourceTrigger':[{'resource':'Patient'}],'eventTrigger':[{'resource':'Patient'}]}",
        HEAD "'resourceTrigger':[{'resource':'Patient'}],'canFilterBy':[{'resource':'Patient'}]}",
        ("{'resourceType':'SubscriptionTopic','status':'active','resourceTrigger':[{'resource':"
         "'Patient'}]}")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(topic_of(wrong[i]));
    }
}

/* ---- what fires ---------------------------------------------------------------------------- */

static bool fires(const struct topic *topic, const char *type, const char *id, uint32_t number)
{
    struct store_tx *tx = begin();
    struct store_changes asked = {.most = 100, .bytes = (size_t)1 << 20};
    struct store_version *items;
    size_t count;
    uint64_t up_to;
    bool result = false;
    assert_int_equal(store_changes_read(tx, &asked, arena, &items, &count, &up_to), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        if (items[i].type == type_named(type) && slice_is(items[i].id, id) &&
            items[i].version == number) {
            struct happening happening = {.version = &items[i], .tx = tx, .arena = arena};
            assert_int_equal(happening_fires(&happening, topic, SLICE(""), &result), STATUS_OK);
        }
    }
    store_snapshot_end(tx);
    return result;
}

#define ENCOUNTER(id, status)                                                                      \
    "{'resourceType':'Encounter','id':'" id "','status':'" status "','class':{'code':'AMB'}}"
#define TOPIC(criteria)                                                                            \
    HEAD "'resourceTrigger':[{'resource':'Encounter','queryCriteria':{" criteria "}}]}"

static void asks_the_version_before_and_the_version_after(void **state)
{
    (void)state;
    must_put(ENCOUNTER("e", "planned"));                                                    /* 1 */
    must_put(ENCOUNTER("e", "finished"));                                                   /* 2 */
    must_put(ENCOUNTER("e", "finished"));                                                   /* 3 */
    assert_int_equal(try_delete("Encounter", "e", (struct store_condition){0}), STATUS_OK); /* 4 */
    must_put(ENCOUNTER("f", "finished"));
    const struct topic *both =
        planned(TOPIC("'previous':'status:not=finished','resultForCreate':'test-passes',"
                      "'current':'status=finished','resultForDelete':'test-fails',"
                      "'requireBoth':true"));
    assert_false(fires(both, "Encounter", "e", 1));
    assert_true(fires(both, "Encounter", "e", 2));
    assert_false(fires(both, "Encounter", "e", 3));
    assert_false(fires(both, "Encounter", "e", 4));
    assert_true(fires(both, "Encounter", "f", 1));
    const struct topic *either =
        planned(TOPIC("'previous':'status=finished','current':'status=finished',"
                      "'resultForDelete':'test-passes'"));
    assert_false(fires(either, "Encounter", "e", 1));
    assert_true(fires(either, "Encounter", "e", 2));
    assert_true(fires(either, "Encounter", "e", 4));
    const struct topic *deleted =
        planned(TOPIC("'previous':'status=finished','current':'status=planned','resultForDelete':"
                      "'test-passes','requireBoth':true"));
    assert_true(fires(deleted, "Encounter", "e", 4));
    assert_false(fires(deleted, "Encounter", "e", 3));
    const struct topic *plain =
        planned(HEAD "'resourceTrigger':[{'resource':'Encounter','supportedInteraction':"
                     "['delete']}]}");
    assert_true(fires(plain, "Encounter", "e", 4));
    assert_false(fires(plain, "Encounter", "e", 3));
}

static void asks_all_kinds_of_search_of_one_version(void **state)
{
    (void)state;
    const char *text =
        "{'resourceType':'Observation','id':'o','status':'final','code':{'coding':[{'system':"
        "'http://loinc.org','code':'8867-4'}]},'subject':{'reference':'Patient/p'},"
        "'effectiveDateTime':'2026-01-15','valueQuantity':{'value':72.5,'unit':'/min','system':"
        "'http://unitsofmeasure.org','code':'/min'}}";
    static const struct {
        const char *query;
        bool meets;
    } rows[] = {{"code=http://loinc.org|8867-4", true},
                {"code=8867-4,9", true},
                {"code=9", false},
                {"code:not=9", true},
                {"subject=Patient/p", true},
                {"subject=Patient/q", false},
                {"patient=p", true},
                {"date=ge2026-01-01", true},
                {"date=lt2026-01-01", false},
                {"value-quantity=gt70", true},
                {"value-quantity=gt73", false},
                {"value-quantity=72.5||/min", true},
                {"encounter:missing=true", true},
                {"encounter:missing=false", false},
                {"_id=o", true},
                {"_id=x", false},
                {"status=final&date=2026", true},
                {"status=final&date=2025", false},
                {"code-value-quantity=8867-4$gt70", true}};
    must_put(text);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct topic *topic =
            planned(arena_print(arena,
                                HEAD "'resourceTrigger':[{'resource':'Observation','queryCriteria':"
                                     "{'current':'%s'}}]}",
                                rows[i].query));
        if (fires(topic, "Observation", "o", 1) != rows[i].meets) {
            fail_msg("%s", rows[i].query);
        }
    }
}

static void refuses_searches_that_look_elsewhere(void **state)
{
    (void)state;
    static const char *const wrong[] = {"subject:Patient.name=x",
                                        "_has:Encounter:subject:_id=x",
                                        "_lastUpdated=gt2020",
                                        "_count=5",
                                        "nothing=1",
                                        "date=x"};
    struct subscribe_options options = options_of();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct topic *topic = topic_of(arena_print(
            arena,
            HEAD "'resourceTrigger':[{'resource':'Observation','queryCriteria':{'current':"
                 "'%s'}}]}",
            wrong[i]));
        struct outcome outcome;
        outcome_init(&outcome, arena);
        struct planner planner = {.options = &options, .arena = arena, .outcome = &outcome};
        if (plan_topic(&planner, topic) != STATUS_BUSINESS_RULE) {
            fail_msg("%s", wrong[i]);
        }
        assert_true(outcome.errors > 0);
    }
}

/* ---- filters ------------------------------------------------------------------------------- */

static enum status filter_status(const char *filters, const char *text)
{
    struct topic *topic = planned(arena_print(arena,
                                              HEAD "'resourceTrigger':[{'resource':'Observation'}],"
                                                   "'canFilterBy':[%s]}",
                                              filters));
    struct wanted_filter filter = {.text = slice_text(text)};
    struct wanted wanted = {.filters = &filter, .filter_count = 1};
    struct subscribe_options options = options_of();
    struct outcome outcome;
    outcome_init(&outcome, arena);
    struct planner planner = {.options = &options, .arena = arena, .outcome = &outcome};
    return plan_filters(&planner, topic, &wanted);
}

static void takes_only_filters_that_the_topic_lists(void **state)
{
    (void)state;
#define BY "{'resource':'Observation','filterParameter':'date'"
    assert_int_equal(filter_status(BY "}", "date=gt2026"), STATUS_OK);
    assert_int_equal(filter_status(BY ",'comparator':['gt']}", "date=gt2026"), STATUS_OK);
    assert_int_equal(filter_status(BY ",'comparator':['gt']}", "date=2026"), STATUS_OK);
    assert_int_equal(filter_status(BY ",'comparator':['gt']}", "date=lt2026"),
                     STATUS_BUSINESS_RULE);
    assert_int_equal(filter_status(BY ",'modifier':['gt']}", "date:missing=true"),
                     STATUS_BUSINESS_RULE);
    assert_int_equal(filter_status(BY "}", "date:missing=true"), STATUS_OK);
    assert_int_equal(filter_status(BY "}", "code=1"), STATUS_BUSINESS_RULE);
    assert_int_equal(filter_status(BY "}", "date=2026&code=1"), STATUS_BUSINESS_RULE);
    assert_int_equal(filter_status("{'resource':'Patient','filterParameter':'date'}", "date=2026"),
                     STATUS_BUSINESS_RULE);
    assert_int_equal(filter_status("", "date=2026"), STATUS_BUSINESS_RULE);
    assert_int_equal(filter_status("{'filterParameter':'date'}", "date=2026"), STATUS_OK);
}

/* ---- addresses ----------------------------------------------------------------------------- */

static void calls_only_below_what_is_allowed(void **state)
{
    (void)state;
    const char *items[] = {"https://a.example/in", "http://b.example:8080", "https://c.example/x/"};
    const struct config_list allowed = {items, 3};
    static const char *const fine[] = {"https://a.example/in",     "https://a.example/in/1",
                                       "https://a.example/in?x=1", "http://b.example:8080/any",
                                       "http://b.example:8080",    "https://c.example/x/y"};
    static const char *const wrong[] = {"https://a.example/inside",
                                        "https://a.example/",
                                        "http://a.example/in",
                                        "https://a.example.evil/in",
                                        "http://b.example:80801/",
                                        "http://b.example:8080@evil/",
                                        "http://b.example:8080.evil/",
                                        "https://a.example/in/../out",
                                        "https://a.example/in/%2e%2e/o",
                                        "https://a.example/in/.%2e/o",
                                        "https://a.example/in/x%2F..%2f..%2fo",
                                        "https://a.example/in/x%5c..%5Co",
                                        "https://c.example/x",
                                        "file:///in",
                                        "https://a.example/in\\..\\o",
                                        "https://a.example/in x",
                                        "",
                                        "https://a.example/in/\x01",
                                        "HTTPS://a.example/in",
                                        "https://"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        if (!endpoint_allowed(&allowed, slice_text(fine[i]))) {
            fail_msg("%s", fine[i]);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (endpoint_allowed(&allowed, slice_text(wrong[i]))) {
            fail_msg("%s", wrong[i]);
        }
    }
    const struct config_list none = {NULL, 0};
    assert_false(endpoint_allowed(&none, slice_text(fine[0])));
}

/* ---- admission ----------------------------------------------------------------------------- */

#define SUBSCRIPTION(status, header)                                                               \
    "{'resourceType':'Subscription','id':'s','status':'" status "','reason':'r','criteria':"       \
    "'https://e/t','channel':{'type':'rest-hook','endpoint':'https://a.example/"                   \
    "in','header':[" header                                                                        \
    "],'payload':'application/fhir+json','_payload':{'extension':[{'url':'" BACKPORT               \
    "backport-payload-content','valueCode':'empty'}]}}}"

static void takes_secrets_out_of_the_record(void **state)
{
    (void)state;
    struct subscribe_admission admission;
    struct outcome outcome;
    outcome_init(&outcome, arena);
    yyjson_val *root = parse(SUBSCRIPTION("active", "'Authorization: Bearer a.b.c','X: y'"));
    assert_int_equal(subscribe_admit(NULL, definitions, type_named("Subscription"), SLICE("s"),
                                     root, SLICE(""), arena, &outcome, &admission),
                     STATUS_OK);
    struct buffer text = {.arena = arena};
    json_write(admission.root, NULL, NULL, &text);
    const char *stored = as_text(&text);
    assert_null(strstr(stored, "a.b.c"));
    assert_non_null(strstr(stored, "\"status\":\"requested\""));
    assert_non_null(strstr(stored, "Authorization: [kept by the server: "));
    struct buffer secret = {.arena = arena};
    buffer_add(&secret, admission.secret);
    assert_string_equal(as_text(&secret),
                        "https://a.example/in\nAuthorization: Bearer a.b.c\nX: y");
    /* Put back as it was read, the mark stays and there is no new secret. */
    struct json again;
    assert_int_equal(json_read(slice_text(stored), &json_limits_default, arena, NULL, &again),
                     STATUS_OK);
    assert_int_equal(subscribe_admit(NULL, definitions, type_named("Subscription"), SLICE("s"),
                                     again.root, SLICE(""), arena, &outcome, &admission),
                     STATUS_OK);
    assert_int_equal(admission.mark.length, 0);
    struct buffer same = {.arena = arena};
    json_write(admission.root, NULL, NULL, &same);
    assert_string_equal(as_text(&same), stored);
}

/* ---- what is kept -------------------------------------------------------------------------- */

static void reads_back_what_it_wrote_of_an_event(void **state)
{
    (void)state;
    struct event event = {.number = 18446744073709551615u,
                          .change = 7,
                          .version = 3,
                          .updated = 1764000000000000,
                          .method = STORE_DELETED,
                          .created = true,
                          .type = type_named("Encounter"),
                          .id = SLICE("a-b.c")};
    struct buffer out = {.arena = arena};
    event_write(definitions, &event, &out);
    struct slice text = buffer_slice(&out);
    struct event back = {0};
    assert_true(event_read(definitions, slice_cut(&text, '\n'), &back));
    assert_true(back.number == event.number && back.change == 7 && back.version == 3);
    assert_true(back.updated == event.updated && back.method == STORE_DELETED && back.created);
    assert_true(back.type == event.type && slice_equals(back.id, event.id));
    assert_false(event_read(definitions, SLICE("1 2 3"), &back));
    assert_false(event_read(definitions, SLICE("1 2 3 4 1 0 Nothing x"), &back));
    assert_false(event_read(definitions, SLICE("1 2 3 4 9 0 Patient x"), &back));
    struct numbers numbers = {1, 2, 3, 9, 5}, read;
    assert_true(numbers_read(numbers_write(&numbers, arena), &read));
    assert_memory_equal(&numbers, &read, sizeof read);
    assert_false(numbers_read(SLICE("1 2 3 4 5"), &read)); /* more delivered than there are */
    assert_false(numbers_read(SLICE("1 2 3 4"), &read));
}

static void waits_longer_each_time_up_to_a_limit(void **state)
{
    (void)state;
    assert_int_equal(backoff(1, 1000, 60000, 0), 1000);
    assert_int_equal(backoff(2, 1000, 60000, 0), 2000);
    assert_int_equal(backoff(5, 1000, 60000, 0), 16000);
    assert_int_equal(backoff(7, 1000, 60000, 0), 60000);
    assert_int_equal(backoff(4000000000u, 1000, 60000, 0), 60000);
    assert_int_equal(backoff(3, 1000, 60000, 0.5), 3000);
    for (unsigned i = 1; i < 50; i++) {
        int64_t wait = backoff(i, 1000, 60000, 0.999);
        assert_true(wait >= 500 && wait <= 60000);
    }
}

/* ---- the changes of the store -------------------------------------------------------------- */

static void gives_changes_in_order_and_goes_on_where_it_stopped(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        must_put(arena_print(arena, "{'resourceType':'%s','id':'%d'}",
                             i % 2 == 0 ? "Patient" : "Basic", i % 3));
    }
    assert_int_equal(try_delete("Patient", "0", (struct store_condition){0}), STATUS_OK);
    struct store_tx *tx = begin();
    uint64_t after = 0, last = 0;
    size_t seen = 0;
    for (int round = 0; round < 10; round++) {
        struct store_changes asked = {.after = after, .most = 3, .bytes = (size_t)1 << 20};
        struct store_version *items;
        size_t count;
        assert_int_equal(store_changes_read(tx, &asked, arena, &items, &count, &after), STATUS_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(items[i].change > last);
            last = items[i].change;
            seen++;
        }
        assert_true(count <= 3 && after >= last);
    }
    assert_int_equal(seen, 8);
    /* Only some types: what is passed over is not asked for again. */
    bool *types = arena_array(arena, (size_t)resource_type_count(definitions) + 1, sizeof *types);
    struct store_changes asked = {.types = types, .most = 100, .bytes = (size_t)1 << 20};
    struct store_version *items;
    size_t count;
    uint64_t up_to;
    assert_int_equal(store_changes_read(tx, &asked, arena, &items, &count, &up_to), STATUS_OK);
    assert_true(count == 0 && up_to == last);
    types[type_named("Basic")] = true;
    assert_int_equal(store_changes_read(tx, &asked, arena, &items, &count, &up_to), STATUS_OK);
    assert_int_equal(count, 3);
    store_snapshot_end(tx);
}

static enum status note_run(struct store_tx *tx, void *context)
{
    return store_note_remove(tx, *(struct slice *)context);
}

static void keeps_notes_with_the_draft_and_removes_them(void **state)
{
    (void)state;
    struct put put = {.draft = draft_of("{'resourceType':'Basic','id':'b'}"),
                      .method = STORE_CREATED};
    struct slice value, name = SLICE("subscribe.base/b");
    assert_int_equal(store_draft_add_note(put.draft, name, SLICE("x"), arena), STATUS_OK);
    assert_int_equal(store_write(store, put_run, &put), STATUS_OK);
    struct store_tx *tx = begin();
    assert_int_equal(store_note_get(tx, name, arena, &value), STATUS_OK);
    assert_true(slice_is(value, "x"));
    store_snapshot_end(tx);
    assert_int_equal(store_write(store, note_run, &name), STATUS_OK);
    tx = begin();
    assert_int_equal(store_note_get(tx, name, arena, &value), STATUS_NOT_FOUND);
    store_snapshot_end(tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(reads_a_topic_in_either_form),
        STORE_TEST(refuses_what_it_does_not_understand_of_a_topic),
        STORE_TEST(asks_the_version_before_and_the_version_after),
        STORE_TEST(asks_all_kinds_of_search_of_one_version),
        STORE_TEST(refuses_searches_that_look_elsewhere),
        STORE_TEST(takes_only_filters_that_the_topic_lists),
        STORE_TEST(calls_only_below_what_is_allowed),
        STORE_TEST(takes_secrets_out_of_the_record),
        STORE_TEST(reads_back_what_it_wrote_of_an_event),
        STORE_TEST(waits_longer_each_time_up_to_a_limit),
        STORE_TEST(gives_changes_in_order_and_goes_on_where_it_stopped),
        STORE_TEST(keeps_notes_with_the_draft_and_removes_them),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
