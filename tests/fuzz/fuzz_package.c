/* SPDX-License-Identifier: MIT */
/* FHIR packages from outside, as --package takes them: read, compiled over a small base
 * specification into a blob, and every conformance resource asked for, which makes the snapshots
 * that are missing. The first byte says what the rest is: a whole .tgz ('g'); a tar archive ('t'),
 * whose checksums are put right; else files, each begun by a line "=NAME". */
#include <unistd.h>

#include "fhir/conformance.h"
#include "fuzz.h"

#define BLOCK ((size_t)512)

static char folder[256], base[300], package[300], blob[300];

/* ---- the base ---------------------------------------------------------------------------------
 */

#define DEFINE(kind, type, base, elements)                                                         \
    "{'resource':{'resourceType':'StructureDefinition','url':'http://hl7.org/fhir/"                \
    "StructureDefinition/" type "','version':'4.0.1','fhirVersion':'4.0.1','kind':'" kind          \
    "','type':'" type "','baseDefinition':'http://hl7.org/fhir/StructureDefinition/" base          \
    "','derivation':'specialization','abstract':false,'snapshot':{'element':[{'path':'" type       \
    "','min':0,'max':'*'}" elements "]}}}"
#define ONE(path, type)  ",{'path':'" path "','min':0,'max':'1','type':[{'code':'" type "'}]}"
#define MANY(path, type) ",{'path':'" path "','min':0,'max':'*','type':[{'code':'" type "'}]}"

/* clang-format never settles on these. */
/* clang-format off */
static const char specification[] =
    "{'resourceType':'Bundle','entry':["
    DEFINE("primitive-type", "string", "Element", "") ","
    DEFINE("primitive-type", "uri", "Element", "") ","
    DEFINE("primitive-type", "id", "Element", "") ","
    DEFINE("primitive-type", "boolean", "Element", "") ","
    DEFINE("primitive-type", "code", "Element", "") ","
    DEFINE("complex-type", "Element", "Element", MANY("Element.extension", "Extension")) ","
    DEFINE("complex-type", "Extension", "Element",
           MANY("Extension.extension", "Extension") ONE("Extension.url", "uri")
           ",{'path':'Extension.value[x]','min':0,'max':'1','type':[{'code':'string'},"
           "{'code':'code'},{'code':'Coding'}]}") ","
    DEFINE("complex-type", "Coding", "Element",
           MANY("Coding.extension", "Extension") ONE("Coding.system", "uri")
           ONE("Coding.code", "code")) ","
    DEFINE("complex-type", "Reference", "Element", ONE("Reference.reference", "string")) ","
    DEFINE("complex-type", "BackboneElement", "Element",
           MANY("BackboneElement.extension", "Extension")) ","
    DEFINE("resource", "Patient", "Patient",
           ONE("Patient.id", "id") MANY("Patient.extension", "Extension")
           ONE("Patient.active", "boolean")
           ",{'path':'Patient.gender','min':0,'max':'1','type':[{'code':'code'}],'binding':"
           "{'strength':'required','valueSet':'http://x/set'}}"
           MANY("Patient.language", "Coding") MANY("Patient.contact", "BackboneElement")
           ONE("Patient.contact.name", "string") ONE("Patient.contact.code", "Coding")
           MANY("Patient.link", "BackboneElement") ONE("Patient.link.other", "Reference"))
    ",{'resource':{'resourceType':'CodeSystem','url':'http://x/codes','content':'complete',"
    "'concept':[{'code':'a'},{'code':'b'}]}},{'resource':{'resourceType':'ValueSet','url':"
    "'http://x/set','compose':{'include':[{'system':'http://x/codes'}]}}},{'resource':"
    "{'resourceType':'SearchParameter','url':'http://x/active','code':'active','base':['Patient'],"
    "'type':'token','expression':'Patient.active'}}]}";
/* clang-format on */

/* ---- files ------------------------------------------------------------------------------------
 */

static int no_sync(int file)
{
    (void)file;
    return 0;
}

static void write_file(const char *path, struct slice text)
{
    FILE *file = fopen(path, "wb");
    must(file != NULL && fwrite(text.at, 1, text.length, file) == text.length);
    (void)fclose(file);
}

static void start(void)
{
    static struct disk_operations quick;
    static char text[sizeof specification];
    const char *root = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/carelayer-fuzz-XXXXXX",
                   root != NULL ? root : P_tmpdir);
    must(mkdtemp(folder) != NULL);
    (void)snprintf(base, sizeof base, "%s/base.json", folder);
    (void)snprintf(package, sizeof package, "%s/package.tgz", folder);
    (void)snprintf(blob, sizeof blob, "%s/definitions.blob", folder);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = specification[i] == '\'' ? '"' : specification[i];
    }
    write_file(base, slice_text(text));
    quick = disk_system; /* nothing here need outlive a power cut */
    quick.fsync = no_sync;
    quick.fdatasync = no_sync;
    disk = &quick;
}

static void write_checksum(char *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += (uint8_t)header[i];
    }
    (void)snprintf(header + 148, 8, "%06o", sum & 0777777);
}

/* Puts the checksums of an archive's headers right, so that what they say is looked at. */
static void mend_checksums(char *at, size_t length)
{
    for (size_t i = 0; i + BLOCK <= length && at[i] != '\0';) {
        char digits[13] = {0};
        memcpy(digits, at + i + 124, 12);
        write_checksum(at + i);
        i += BLOCK + (strtoull(digits, NULL, 8) % (64 * BLOCK) + BLOCK - 1) / BLOCK * BLOCK;
    }
}

static void add_file(struct buffer *tar, struct slice name, struct slice text)
{
    char header[BLOCK] = {0};
    memcpy(header, name.at, name.length < 100 ? name.length : 100);
    (void)snprintf(header + 124, 12, "%011o", (unsigned)text.length);
    header[156] = '0';
    write_checksum(header);
    buffer_add(tar, slice_of(header, sizeof header));
    buffer_add(tar, text);
    while (tar->length % BLOCK != 0 && buffer_ok(tar)) {
        buffer_add_byte(tar, 0);
    }
}

/* "=package/x.json\n{...}\n=package/y.json\n{...}" */
static void add_files(struct buffer *tar, struct slice text)
{
    while (text.length > 0 && buffer_ok(tar)) {
        struct slice line = slice_cut(&text, '\n');
        size_t end = 0;
        while (end < text.length &&
               !(text.at[end] == '\n' && end + 1 < text.length && text.at[end + 1] == '=')) {
            end++;
        }
        add_file(tar, slice_from(line, 1), slice_head(text, end));
        text = slice_from(text, end + 1);
    }
}

static void write_package(struct slice input, struct arena *arena)
{
    struct buffer tar = {.arena = arena}, packed = {.arena = arena};
    char kind = input.at[0];
    if (kind == 'g') {
        write_file(package, slice_from(input, 1));
        return;
    }
    if (kind == 't') {
        buffer_add(&tar, slice_from(input, 1));
        must(buffer_ok(&tar));
        mend_checksums(tar.at, tar.length);
    } else {
        add_files(&tar, input);
    }
    must(gzip_compress(buffer_slice(&tar), 1, &packed) == STATUS_OK);
    write_file(package, buffer_slice(&packed));
}

/* ---- what becomes of it ----------------------------------------------------------------------
 */

struct names {
    struct arena *arena;
    struct slice types[64], urls[64];
    size_t count;
};

static bool take_name(void *context, const struct canonical *canonical)
{
    struct names *names = context;
    if (names->count < 64 && slice_is(canonical->type, "StructureDefinition")) {
        names->types[names->count] = arena_copy(names->arena, canonical->type);
        names->urls[names->count++] = arena_copy(names->arena, canonical->url);
    }
    return true;
}

static void ask(const struct definitions *definitions, struct arena *arena)
{
    struct conformance *conformance;
    struct names names = {.arena = arena};
    must(conformance_open(definitions, &conformance) == STATUS_OK);
    conformance_each(conformance, SLICE(""), take_name, &names);
    for (size_t i = 0; i < names.count; i++) {
        struct arena *own = arena_create((size_t)16 << 20);
        const struct canonical *found =
            conformance_find(conformance, names.types[i], names.urls[i], own);
        if (found != NULL) {
            yyjson_val *root = found->json->root;
            must(json_get(root, "snapshot") != NULL || json_get(root, "differential") == NULL);
        }
        arena_destroy(own);
    }
    conformance_close(conformance);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *paths[] = {base, package};
    struct definitions *definitions;
    struct outcome outcome;
    if (folder[0] == '\0') {
        start();
    }
    if (size == 0) {
        return 0;
    }
    struct arena *arena = arena_create((size_t)64 << 20);
    must(arena != NULL);
    outcome_init(&outcome, arena);
    write_package(slice_of((const char *)data, size), arena);
    if (definitions_compile(paths, 2, blob, &outcome) == STATUS_OK) {
        must(definitions_open(blob, &outcome, &definitions) == STATUS_OK);
        ask(definitions, arena);
        definitions_close(definitions);
    } else {
        must(outcome.errors > 0 || arena_full(arena));
    }
    arena_destroy(arena);
    return 0;
}
