/* SPDX-License-Identifier: MIT */
/* Releases: made here in the right format, loaded, and asked; and the Expression Constraint
 * Language over them. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "terms_test.h"

#define SCT "http://snomed.info/sct"

/* A little anatomy of diseases. The ids are in SNOMED CT's form; what they mean here is ours. */
#define ROOT      "138875005"
#define DISEASE   "64572001"
#define DIABETES  "73211009"
#define TYPE_ONE  "46635009"
#define GESTATION "11687002"
#define ASTHMA    "195967001"
#define OLD       "19598007"
#define SITE      "363698007"
#define CAUSE     "246075003"
#define STRENGTH  "1142135004"
#define PANCREAS  "15776009"
#define LUNG      "39607008"
#define VIRUS     "49872002"
#define SIMPLE    "999000011000000103"
#define MODULE    "999000011000001104"

static char folder[256];

static const char *file(const char *name)
{
    return arena_print(arena, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(file(name), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

static void add_concept(struct buffer *out, const char *id, const char *active, const char *status)
{
    buffer_print(out, "%s\t20250101\t%s\t" MODULE "\t%s\r\n", id, active, status);
}

static void add_name(struct buffer *out, int id, const char *concept, const char *type,
                     const char *term)
{
    buffer_print(out, "%d\t20250101\t1\t" MODULE "\t%s\ten\t%s\t%s\t900000000000448009\r\n", id,
                 concept, type, term);
}

static void add_link(struct buffer *out, int id, const char *from, const char *to, int group,
                     const char *type)
{
    buffer_print(out,
                 "%d\t20250101\t1\t" MODULE "\t%s\t%s\t%d\t%s\t900000000000011006\t"
                 "900000000000451002\r\n",
                 id, from, to, group, type);
}

static const char *finish(struct buffer *out)
{
    return as_text(out);
}

#define BUFFER(name, head)                                                                         \
    struct buffer name = {.arena = arena};                                                         \
    buffer_add_text(&name, head "\r\n")

static void write_concepts_file(void)
{
    static const char *const ids[] = {ROOT,   DISEASE, DIABETES, TYPE_ONE,   GESTATION,
                                      ASTHMA, SITE,    CAUSE,    STRENGTH,   PANCREAS,
                                      LUNG,   VIRUS,   SIMPLE,   "116680003"};
    BUFFER(out, "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        add_concept(&out, ids[i], "1", i == 3 ? "900000000000073002" : "900000000000074008");
    }
    add_concept(&out, OLD, "0", "900000000000074008");
    write_file("sct2_Concept_Snapshot_GB_20250101.txt", finish(&out));
}

static void write_names_files(void)
{
    BUFFER(out, "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\t"
                "caseSignificanceId");
    add_name(&out, 101, DIABETES, "900000000000003001", "Diabetes mellitus (disorder)");
    add_name(&out, 102, DIABETES, "900000000000013009", "Sugar diabetes");
    add_name(&out, 103, DIABETES, "900000000000013009", "Diabetes mellitus");
    add_name(&out, 104, TYPE_ONE, "900000000000003001", "Type 1 diabetes (disorder)");
    add_name(&out, 105, OLD, "900000000000013009", "Disused");
    write_file("sct2_Description_Snapshot-en_GB_20250101.txt", finish(&out));
    BUFFER(texts, "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\t"
                  "caseSignificanceId");
    add_name(&texts, 201, DIABETES, "900000000000550004", "A disease of sugar.");
    write_file("sct2_TextDefinition_Snapshot-en_GB_20250101.txt", finish(&texts));
    BUFFER(language, "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\t"
                     "acceptabilityId");
    buffer_print(&language,
                 "a\t20250101\t1\t" MODULE "\t900000000000509007\t102\t900000000000548007\r\n"
                 "b\t20250101\t1\t" MODULE "\t999001261000000100\t103\t900000000000548007\r\n"
                 "c\t20250101\t0\t" MODULE "\t999001261000000100\t101\t900000000000548007\r\n");
    write_file("der2_cRefset_LanguageSnapshot-en_GB_20250101.txt", finish(&language));
}

static void write_links_files(void)
{
    const char *is_a = "116680003";
    BUFFER(out, "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\t"
                "typeId\tcharacteristicTypeId\tmodifierId");
    add_link(&out, 1, DISEASE, ROOT, 0, is_a);
    add_link(&out, 2, DIABETES, DISEASE, 0, is_a);
    add_link(&out, 3, TYPE_ONE, DIABETES, 0, is_a);
    add_link(&out, 4, GESTATION, DIABETES, 0, is_a);
    add_link(&out, 5, ASTHMA, DISEASE, 0, is_a);
    add_link(&out, 6, DIABETES, PANCREAS, 1, SITE);
    add_link(&out, 7, TYPE_ONE, PANCREAS, 1, SITE);
    add_link(&out, 8, TYPE_ONE, VIRUS, 1, CAUSE);
    add_link(&out, 9, GESTATION, PANCREAS, 1, SITE);
    add_link(&out, 10, GESTATION, VIRUS, 2, CAUSE);
    add_link(&out, 11, ASTHMA, LUNG, 0, SITE);
    add_link(&out, 12, ASTHMA, "404", 0, SITE); /* a concept that is not there */
    write_file("sct2_Relationship_Snapshot_GB_20250101.txt", finish(&out));
    BUFFER(values, "id\teffectiveTime\tactive\tmoduleId\tsourceId\tvalue\trelationshipGroup\t"
                   "typeId\tcharacteristicTypeId\tmodifierId");
    add_link(&values, 20, TYPE_ONE, "#2.5", 1, STRENGTH);
    add_link(&values, 21, GESTATION, "\"much\"", 1, STRENGTH);
    write_file("sct2_RelationshipConcreteValues_Snapshot_GB_20250101.txt", finish(&values));
    BUFFER(set, "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId");
    buffer_print(&set, "x\t20250101\t1\t" MODULE "\t" SIMPLE "\t" ASTHMA "\r\n"
                       "y\t20250101\t1\t" MODULE "\t" SIMPLE "\t" TYPE_ONE "\r\n"
                       "z\t20250101\t0\t" MODULE "\t" SIMPLE "\t" DISEASE "\r\n");
    write_file("der2_Refset_SimpleSnapshot_GB_20250101.txt", finish(&set));
}

static int release_setup(void **state)
{
    const char *root = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/carelayer-terms-XXXXXX",
                   root != NULL ? root : P_tmpdir);
    return mkdtemp(folder) == NULL || terms_setup(state) != 0;
}

static int release_teardown(void **state)
{
    char command[400];
    int failed = terms_teardown(state);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed;
}

#define RELEASE_TEST(name) cmocka_unit_test_setup_teardown(name, release_setup, release_teardown)

static const char *load(const char *source)
{
    struct outcome outcome;
    const char *name = "";
    outcome_init(&outcome, arena);
    enum status status = terms_load(source, folder, &outcome, arena, &name);
    return status == STATUS_OK ? name : status_name(status);
}

static void load_diseases(void)
{
    write_concepts_file();
    write_names_files();
    write_links_files();
    assert_string_equal(load(folder), "SNOMED CT " SCT "/" MODULE "/version/20250101, 15 concepts");
    terms_use_releases(terms, folder);
}

/* Asks and gives the answer's JSON. */
static const char *answer_to(enum terms_operation operation, const char *parameters)
{
    struct terms_parameter *all;
    struct terms_question question = {.operation = operation};
    struct buffer out = {.arena = arena};
    int http;
    assert_int_equal(terms_parameters_read(parse(parameters), arena, &all, &question.count),
                     STATUS_OK);
    question.parameters = all;
    assert_int_equal(terms_answer(terms, &question, arena, &out, &http), STATUS_OK);
    return as_text(&out);
}

static yyjson_val *json_of(const char *text)
{
    struct json json;
    assert_int_equal(json_read(slice_text(text), &json_limits_default, arena, NULL, &json),
                     STATUS_OK);
    return json.root;
}

/* The codes of an implicit value set, each followed by a space; or "!" when it cannot be made. */
static const char *codes_of(const char *kind)
{
    const char *question =
        arena_print(arena, "{'parameter':[{'name':'url','valueUri':'" SCT "?fhir_vs%s'}]}", kind);
    yyjson_val *answer = json_of(answer_to(TERMS_EXPAND, question));
    struct buffer out = {.arena = arena};
    if (!slice_is(json_get_string(answer, "resourceType"), "ValueSet")) {
        return "!";
    }
    size_t at, max;
    yyjson_val *entry;
    yyjson_arr_foreach(json_get(json_get(answer, "expansion"), "contains"), at, max, entry)
    {
        buffer_print(&out, "%.*s ", SLICE_ARGS(json_get_string(entry, "code")));
    }
    return as_text(&out);
}

/* Percent-encodes what stands in the way. */
static const char *ecl(const char *expression)
{
    struct buffer out = {.arena = arena};
    buffer_add_text(&out, "=ecl/");
    buffer_add_url(&out, slice_text(expression), false);
    return codes_of(as_text(&out));
}

static void loads_a_snapshot(void **state)
{
    (void)state;
    load_diseases();
    assert_int_equal(check("", SCT, DIABETES), TERMS_MEMBER);
    assert_int_equal(check("", SCT, "1"), TERMS_NOT_MEMBER);
    assert_int_equal(terms_subsumes(terms, SLICE(SCT), SLICE(""), SLICE(DISEASE), SLICE(TYPE_ONE)),
                     TERMS_SUBSUMES);
    assert_int_equal(terms_subsumes(terms, SLICE(SCT), SLICE(""), SLICE(ASTHMA), SLICE(TYPE_ONE)),
                     TERMS_NOT_SUBSUMED);
    assert_int_equal(
        terms_subsumes(terms, SLICE(SCT), SLICE(SCT "/" MODULE), SLICE(ROOT), SLICE(ASTHMA)),
        TERMS_SUBSUMES);
    assert_int_equal(
        terms_subsumes(terms, SLICE(SCT), SLICE(SCT "/999"), SLICE(ROOT), SLICE(ASTHMA)),
        TERMS_SUBSUMPTION_UNKNOWN);
}

static void shows_the_name_that_the_uk_prefers(void **state)
{
    (void)state;
    load_diseases();
    struct terms_coding coding = {.system = SLICE(SCT), .code = SLICE(DIABETES)};
    struct slice display;
    assert_int_equal(terms_check(terms, SLICE(""), &coding, arena, &display), TERMS_MEMBER);
    assert_true(slice_is(display, "Diabetes mellitus"));
    coding.code = SLICE(TYPE_ONE);
    assert_int_equal(terms_check(terms, SLICE(""), &coding, arena, &display), TERMS_MEMBER);
    assert_true(slice_is(display, "Type 1 diabetes (disorder)"));
    const char *answer = answer_to(TERMS_LOOKUP, "{'parameter':[{'name':'system','valueUri':'" SCT
                                                 "'},{'name':'code','valueCode':'" DIABETES
                                                 "'},{'name':'property','valueCode':'*'}]}");
    assert_non_null(strstr(answer, "A disease of sugar."));
    assert_non_null(strstr(answer, "Sugar diabetes"));
    assert_non_null(strstr(answer, PANCREAS));
    assert_non_null(strstr(answer, TYPE_ONE)); /* a child */
    answer = answer_to(TERMS_VALIDATE_SYSTEM, "{'parameter':[{'name':'url','valueUri':'" SCT
                                              "'},{'name':'code','valueCode':'" OLD "'}]}");
    assert_non_null(strstr(answer, "\"inactive\",\"valueBoolean\":true"));
}

static void knows_implicit_value_sets_of_snomed(void **state)
{
    (void)state;
    load_diseases();
    assert_string_equal(codes_of("=isa/" DIABETES), GESTATION " " TYPE_ONE " " DIABETES " ");
    assert_string_equal(codes_of("=refset/" SIMPLE), TYPE_ONE " " ASTHMA " ");
    assert_int_equal(check(SCT "?fhir_vs", SCT, LUNG), TERMS_MEMBER);
    assert_int_equal(check(SCT "/" MODULE "?fhir_vs=isa/" DISEASE, SCT, ASTHMA), TERMS_MEMBER);
    assert_int_equal(check(SCT "?fhir_vs=isa/" DISEASE, SCT, LUNG), TERMS_NOT_MEMBER);
}

static void filters_as_r4_says(void **state)
{
    (void)state;
    load_diseases();
    add_set("http://x/below",
            "{'include':[{'system':'" SCT "','filter':[{'property':'concept','op':'descendent-of',"
            "'value':'" DIABETES "'}]}]}");
    add_set("http://x/refset", "{'include':[{'system':'" SCT "','filter':[{'property':'concept',"
                               "'op':'in','value':'" SIMPLE "'}]}]}");
    add_set("http://x/site", "{'include':[{'system':'" SCT "','filter':[{'property':'" SITE
                             "','op':'=','value':'" LUNG "'}]}]}");
    assert_int_equal(check("http://x/below", SCT, TYPE_ONE), TERMS_MEMBER);
    assert_int_equal(check("http://x/below", SCT, DIABETES), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/refset", SCT, ASTHMA), TERMS_MEMBER);
    assert_int_equal(check("http://x/refset", SCT, DISEASE), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/site", SCT, ASTHMA), TERMS_MEMBER);
    assert_int_equal(check("http://x/site", SCT, DIABETES), TERMS_NOT_MEMBER);
}

static void selects_by_expression(void **state)
{
    (void)state;
    load_diseases();
    static const struct {
        const char *expression, *codes;
    } cases[] = {
        {DIABETES, DIABETES " "},
        {DIABETES " |Diabetes mellitus|", DIABETES " "},
        {"<< " DIABETES, GESTATION " " TYPE_ONE " " DIABETES " "},
        {"<" DIABETES, GESTATION " " TYPE_ONE " "},
        {"descendantOf " DIABETES, GESTATION " " TYPE_ONE " "},
        {"<! " DISEASE, DIABETES " " ASTHMA " "},
        {"<<! " DISEASE, DISEASE " " DIABETES " " ASTHMA " "},
        {"> " TYPE_ONE, DISEASE " " DIABETES " " ROOT " "},
        {">> " DISEASE, DISEASE " " ROOT " "},
        {">! " TYPE_ONE, DIABETES " "},
        {"^ " SIMPLE, TYPE_ONE " " ASTHMA " "},
        {"< " DISEASE " AND ^ " SIMPLE, TYPE_ONE " " ASTHMA " "},
        {DIABETES " OR " LUNG, LUNG " " DIABETES " "},
        {"<< " DISEASE " MINUS << " DIABETES, DISEASE " " ASTHMA " "},
        {"(" DIABETES " OR " LUNG ") AND << " DISEASE, DIABETES " "},
        {"* : " SITE " = " LUNG, ASTHMA " "},
        {"< " DISEASE " : " SITE " = *", GESTATION " " TYPE_ONE " " DIABETES " " ASTHMA " "},
        {"< " DISEASE " : " SITE " = " PANCREAS ", " CAUSE " = " VIRUS, GESTATION " " TYPE_ONE " "},
        {"< " DISEASE " : { " SITE " = " PANCREAS ", " CAUSE " = " VIRUS " }", TYPE_ONE " "},
        {"< " DISEASE " : " SITE " = " LUNG " OR " CAUSE " = " VIRUS,
         GESTATION " " TYPE_ONE " " ASTHMA " "},
        {"< " DISEASE " : [0..0] " CAUSE " = *", DIABETES " " ASTHMA " "},
        {"< " DISEASE " : " SITE " != " PANCREAS, ASTHMA " "},
        {"* : " STRENGTH " >= #2.50", TYPE_ONE " "},
        {"* : " STRENGTH " > #2.5", ""},
        {"* : " STRENGTH " = \"much\"", GESTATION " "},
        {TYPE_ONE " . " SITE, PANCREAS " "},
        {"* : R " SITE " = " ASTHMA, LUNG " "},
        {"/* of the lung */ * : " SITE " = " LUNG, ASTHMA " "},
        {"999999999", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *codes = ecl(cases[i].expression);
        if (strcmp(codes, cases[i].codes) != 0) {
            fail_msg("%s gives %s", cases[i].expression, codes);
        }
    }
}

static void refuses_expressions_that_are_none(void **state)
{
    (void)state;
    load_diseases();
    static const char *const wrong[] = {
        "<",
        "12",
        "<< " DIABETES " AND",
        "(" DIABETES,
        DIABETES ")",
        DIABETES " |open",
        DIABETES " AND " LUNG " OR " VIRUS,
        DIABETES " MINUS " LUNG " MINUS " VIRUS,
        DIABETES " :",
        DIABETES " : " SITE,
        DIABETES " : " SITE " < " LUNG,
        DIABETES " : { " SITE " = " LUNG,
        DIABETES " : [1..] " SITE " = " LUNG,
        DIABETES " {{ term = \"x\" }}",
        "what",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (strcmp(ecl(wrong[i]), "!") != 0) {
            fail_msg("%s was read", wrong[i]);
        }
    }
    struct buffer deep = {.arena = arena};
    for (int i = 0; i < 500; i++) {
        buffer_add_byte(&deep, '(');
    }
    assert_string_equal(ecl(as_text(&deep)), "!");
}

/* ---- zips and damage --------------------------------------------------------------------------
 */

static void put(struct buffer *out, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        buffer_add_byte(out, (char)(value >> (8 * i)));
    }
}

/* A zip with one deflated member. */
static const char *zip_of(const char *name, const char *text)
{
    struct buffer zip = {.arena = arena};
    uLong bound = compressBound(strlen(text)) + 64;
    char *packed = arena_alloc(arena, bound);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)text,
                       .avail_in = (uInt)strlen(text),
                       .next_out = (Bytef *)packed,
                       .avail_out = (uInt)bound};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    uint32_t length = (uint32_t)stream.total_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
    put(&zip, 0x04034b50, 4);
    put(&zip, 20, 2), put(&zip, 0, 2), put(&zip, 8, 2), put(&zip, 0, 4), put(&zip, 0, 4);
    put(&zip, length, 4), put(&zip, (uint32_t)strlen(text), 4);
    put(&zip, (uint32_t)strlen(name), 2), put(&zip, 0, 2);
    buffer_add_text(&zip, name);
    buffer_add(&zip, slice_of(packed, length));
    uint32_t directory = (uint32_t)zip.length;
    put(&zip, 0x02014b50, 4);
    put(&zip, 20, 2), put(&zip, 20, 2), put(&zip, 0, 2), put(&zip, 8, 2), put(&zip, 0, 4);
    put(&zip, 0, 4), put(&zip, length, 4), put(&zip, (uint32_t)strlen(text), 4);
    put(&zip, (uint32_t)strlen(name), 2), put(&zip, 0, 4), put(&zip, 0, 4), put(&zip, 0, 4);
    put(&zip, 0, 4);
    buffer_add_text(&zip, name);
    uint32_t size = (uint32_t)zip.length - directory;
    put(&zip, 0x06054b50, 4);
    put(&zip, 0, 4), put(&zip, 1, 2), put(&zip, 1, 2), put(&zip, size, 4);
    put(&zip, directory, 4), put(&zip, 0, 2);
    const char *path = file("release.zip");
    assert_int_equal(disk_replace_file(path, buffer_slice(&zip)), STATUS_OK);
    return path;
}

static void loads_a_zip(void **state)
{
    (void)state;
    BUFFER(out, "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId");
    add_concept(&out, ROOT, "1", "900000000000074008");
    const char *path =
        zip_of("SnomedCT/Snapshot/Terminology/sct2_Concept_Snapshot_GB_20250101.txt", finish(&out));
    assert_string_equal(load(path), "SNOMED CT " SCT "/" MODULE "/version/20250101, 1 concepts");
    terms_use_releases(terms, folder);
    assert_int_equal(check("", SCT, ROOT), TERMS_MEMBER);
}

static void refuses_what_is_no_release(void **state)
{
    (void)state;
    write_file("plain.txt", "nothing");
    assert_string_equal(load(file("plain.txt")), "STATUS_STRUCTURE");
    assert_string_equal(load(file("missing")), "STATUS_NOT_FOUND");
    assert_string_equal(load(folder), "STATUS_NOT_SUPPORTED");
    write_file("sct2_Concept_Snapshot_GB_20250101.txt", "head\nonly two\tcolumns\n");
    assert_string_equal(load(folder), "STATUS_STRUCTURE");
    write_file("sct2_Concept_Snapshot_GB_20250101.txt", "head\nx\t1\t1\t1\t1\n");
    assert_string_equal(load(folder), "STATUS_STRUCTURE");
}

static void leaves_a_damaged_file_out(void **state)
{
    (void)state;
    load_diseases();
    const char *path =
        file("http---snomed.info-sct-http---snomed.info-sct-" MODULE "-version-20250101.terms");
    struct slice bytes;
    assert_int_equal(disk_read_file(path, (size_t)1 << 24, arena, &bytes), STATUS_OK);
    for (size_t i = 0; i < bytes.length; i += bytes.length / 37 + 1) {
        char *copy = (char *)(uintptr_t)arena_copy(arena, bytes).at;
        copy[i] ^= 1;
        assert_int_equal(disk_replace_file(path, slice_of(copy, bytes.length)), STATUS_OK);
        struct terms *other;
        assert_int_equal(terms_open(conformance, NULL, &other), STATUS_OK);
        terms_use_releases(other, folder);
        struct terms_coding coding = {.system = SLICE(SCT), .code = SLICE(ROOT)};
        struct arena *own = arena_create((size_t)4 << 20);
        assert_int_equal(terms_check(other, SLICE(""), &coding, own, NULL), TERMS_UNKNOWN_SYSTEM);
        arena_destroy(own);
        terms_close(other);
    }
}

/* ---- medicines --------------------------------------------------------------------------------
 */

static void loads_the_dictionary_of_medicines(void **state)
{
    (void)state;
    write_file("f_vtm2_3150125.xml",
               "<?xml version='1.0'?><VIRTUAL_THERAPEUTIC_MOIETIES><VTM><VTMID>90332006</VTMID>"
               "<NM>Paracetamol</NM></VTM></VIRTUAL_THERAPEUTIC_MOIETIES>");
    write_file("f_vmp2_3150125.xml",
               "<VIRTUAL_MED_PRODUCTS><VMPS><VMP><VPID>322236009</VPID><VTMID>90332006</VTMID>"
               "<NM>Paracetamol 500mg tablets</NM></VMP><VMP><VPID>111</VPID><INVALID>1</INVALID>"
               "<NM>Gone</NM></VMP></VMPS><VIRTUAL_PRODUCT_INGREDIENT><VPI><VPID>322236009</VPID>"
               "<ISID>387517004</ISID></VPI></VIRTUAL_PRODUCT_INGREDIENT></VIRTUAL_MED_PRODUCTS>");
    write_file("f_amp2_3150125.xml",
               "<ACTUAL_MEDICINAL_PRODUCTS><AMPS><AMP><APID>535371000001103</APID>"
               "<VPID>322236009</VPID><NM>Panadol</NM><DESC>Panadol 500mg tablets (Maker)</DESC>"
               "</AMP></AMPS></ACTUAL_MEDICINAL_PRODUCTS>");
    assert_string_equal(load(folder), "Dictionary of medicines and devices 2025-01-15, 4 concepts");
    terms_use_releases(terms, folder);
    const char *system = "https://dmd.nhs.uk";
    assert_int_equal(check("", system, "322236009"), TERMS_MEMBER);
    assert_int_equal(terms_subsumes(terms, slice_text(system), SLICE(""), SLICE("90332006"),
                                    SLICE("535371000001103")),
                     TERMS_SUBSUMES);
    add_set("http://x/amps",
            "{'inactive':false,'include':[{'system':'https://dmd.nhs.uk','filter':["
            "{'property':'class','op':'=','value':'VMP'}]}]}");
    assert_int_equal(check("http://x/amps", system, "322236009"), TERMS_MEMBER);
    assert_int_equal(check("http://x/amps", system, "111"), TERMS_NOT_MEMBER);
    assert_int_equal(check("http://x/amps", system, "90332006"), TERMS_NOT_MEMBER);
    const char *answer = answer_to(TERMS_LOOKUP, "{'parameter':[{'name':'system','valueUri':"
                                                 "'https://dmd.nhs.uk'},{'name':'code',"
                                                 "'valueCode':'322236009'}]}");
    assert_non_null(strstr(answer, "387517004"));
    write_file("f_vtm2_3150125.xml", "<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>");
    assert_string_equal(load(folder), "STATUS_STRUCTURE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELEASE_TEST(loads_a_snapshot),
        RELEASE_TEST(shows_the_name_that_the_uk_prefers),
        RELEASE_TEST(knows_implicit_value_sets_of_snomed),
        RELEASE_TEST(filters_as_r4_says),
        RELEASE_TEST(selects_by_expression),
        RELEASE_TEST(refuses_expressions_that_are_none),
        RELEASE_TEST(loads_a_zip),
        RELEASE_TEST(refuses_what_is_no_release),
        RELEASE_TEST(leaves_a_damaged_file_out),
        RELEASE_TEST(loads_the_dictionary_of_medicines),
    };
    return cmocka_run_group_tests(tests, definitions_setup, definitions_teardown);
}
