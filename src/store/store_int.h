/* SPDX-License-Identifier: MIT */
/* store, inside. Who does what:
 *
 *   schema.c      the tables, as numbered forward migrations
 *   engine.h, statement.c   statements on either engine, and what SQLite's codes mean to us
 *   postgres*.c   the PostgreSQL engine (postgres.h)
 *   open.c        opening, closing, connections, the checkpoint thread
 *   writer.c      the queue of jobs and the group commit
 *   compress.c    zstd with trained dictionaries
 *   draft.c       a resource made ready; extract.c, fold.c: its index values
 *   words.c       words of texts, and which blocks of places have them
 *   facts.c       index values packed into one blob a resource, and as rows of the trees
 *   pairs.c       rows of two values at once
 *   concern_find.c, concern.c, concern_spread.c, set.c: whom a resource concerns
 *   directory.c   ids, places and patient numbers; intern.c: codes and systems as numbers
 *   quality.c     how many entries were accepted and refused: no index, reindex leaves it alone
 *   put.c         versions written; read.c, history.c: read
 *   find*.c, stream.c: find: find_query.c prepares, find_clause.c and find_range.c make streams,
 *                 find_test.c, find_body.c test by facts and body, find_link.c chains,
 *                 find_composite.c, find_tree.c hierarchies, find_sort.c, find_walk.c sorts,
 *                 find_estimate.c; find_follow.c includes
 */
#ifndef CARELAYER_STORE_STORE_INT_H
#define CARELAYER_STORE_STORE_INT_H

#include <pthread.h>
#include <zstd.h>

#include "store/store.h"

/* ---- places ----------------------------------------------------------------------------------
 * A row id is (patient << 31 | sequence). Patient 0 holds what is shared by all, 1..255 what
 * belongs to nobody, real patients start at PATIENT_FIRST; a Patient is sequence 0 of its own. */
#define PLACE_BITS     31
#define PLACE_SHARED   0u
#define PLACE_BUCKETS  255u
#define PATIENT_FIRST  1024u
#define SEQUENCE_LIMIT ((INT64_C(1) << PLACE_BITS) - 1)

static inline uint32_t place_patient(int64_t rid)
{
    return (uint32_t)(rid >> PLACE_BITS);
}

static inline int64_t place_first(uint32_t patient)
{
    return (int64_t)patient << PLACE_BITS;
}

/* ---- ids -------------------------------------------------------------------------------------
 * A canonical lower-case UUID is kept as its 16 bytes (BLOB), any other id as TEXT: never equal. */
struct packed_id {
    uint8_t length;
    bool uuid;
    char bytes[64]; /* only LENGTH of them mean anything */
};
bool id_pack(struct slice id, struct packed_id *ret_id);
bool uuid_pack(struct slice text, uint8_t ret_bytes[static 16]);
void uuid_unpack(const uint8_t bytes[static 16], char ret_text[static 36]);

/* ---- statements ------------------------------------------------------------------------------ */

#include "engine.h"

/* Further copies of a statement, for searches that run several at once. */
#define SPARE_STATEMENTS 16
struct spare_statement {
    enum statement_number number;
    struct statement statement; /* of none: an empty slot */
};

struct connection {
    struct store *store;
    struct arena *arena; /* as long as the connection */
    sqlite3 *db;         /* NULL: of PostgreSQL */
    struct postgres *postgres;
    struct statement statements[STATEMENT_COUNT];
    struct spare_statement spares[SPARE_STATEMENTS];
    ZSTD_DCtx *decompress;
    int64_t deadline;          /* time_monotonic; 0: none */
    int64_t begun;             /* of the snapshot: it sees all that was committed before */
    enum status doomed;        /* writer: why the whole group must be undone; else STATUS_OK */
    struct expected *expected; /* writer on a PostgreSQL server */
};

/* The status of an SQLite result code; remembers in the connection what dooms a transaction. */
enum status database_status(struct connection *connection, int code);
void statements_finalize(struct connection *connection);

/* ---- index values ---------------------------------------------------------------------------- */

enum tree { TREE_TOKEN, TREE_REFERENCE, TREE_TEXT, TREE_DATE, TREE_NUMBER, TREE_QUANTITY };
#define TREE_COUNT 6

/* Texts in keys are cut to this many bytes; a search for a longer one looks into the body. */
#define TEXT_KEY_LIMIT 200

/* Dates wider than this are kept under an odd parameter number, so that the others can be found by
 * their low end alone. */
#define DATE_NARROW (INT64_C(400) * MICROS_PER_DAY)

/* In the tree dates stand apart by how wide they are, so that what reaches into a range from before
 * its beginning is found without reading all that began long ago. */
enum date_class { DATE_DAY, DATE_MONTH, DATE_YEAR, DATE_WIDE };
#define DATE_CLASSES     4u
#define DATE_CLASS_SHIFT 24 /* above the number of any parameter */
static inline int64_t date_class_width(enum date_class span)
{
    return span == DATE_DAY     ? INT64_C(25) * MICROS_PER_DAY / 24 /* when clocks go back */
           : span == DATE_MONTH ? INT64_C(32) * MICROS_PER_DAY
                                : DATE_NARROW;
}
static inline enum date_class date_class_of(int64_t width)
{
    enum date_class span = DATE_DAY;
    while (span < DATE_WIDE && width > date_class_width(span)) {
        span++;
    }
    return span;
}
/* The ends of a period that has none. */
#define DATE_BEGINNING (INT64_MIN / 2)
#define DATE_END       (INT64_MAX / 2)

/* The number in the tree, by the even number of a parameter. */
static inline uint32_t date_class_parameter(uint32_t parameter, enum date_class span)
{
    return span == DATE_WIDE ? parameter + 1 : parameter | (uint32_t)span << DATE_CLASS_SHIFT;
}

/* The code of a value that is there but says nothing to find it by: a concept in words only, a
 * reference to a contained resource. */
#define CODE_PRESENT 0

/* The unit of a range of quantities, which the body decides; all stand at one value of the tree. */
#define UNIT_RANGE  0
#define RANGE_PLACE (-1e300)

/* The system of canonical units (src/ucum): no one else's codes. */
#define CANONICAL_UNITS "urn:carelayer:canonical-units"

/* One index value. Before it is stored, codes and targets are still text. */
struct fact {
    /* 2 x number in the table parameter; + 1: a wide date, the identifier of a reference, the
     * system of an identifier, a quantity in canonical units or a range of them. */
    uint32_t parameter;
    uint8_t tree;
    bool identifier;      /* TREE_TEXT: a token's text, with a system */
    int64_t number;       /* code, target, low end of a date */
    int64_t other;        /* width of a date, unit of a quantity */
    double real;          /* number, quantity */
    struct slice text;    /* TREE_TEXT key; code before it is interned; id of a target */
    struct slice system;  /* of a code before it is interned */
    resource_type target; /* of a reference before it is resolved */
};

/* A word of the texts beside a code. Before it is stored, the code is still text. */
struct code_word {
    uint32_t word;
    int64_t number;
    struct slice system, code;
};

struct facts {
    struct arena *arena;
    struct fact *items;
    size_t count, capacity;
    uint32_t *words; /* of all its texts, ordered, none twice (words.c) */
    size_t word_count;
    struct code_word *code_words;
    size_t code_word_count, code_word_capacity;
    const void *concepts[16]; /* whose words are in already: several parameters meet the same */
    size_t concept_count;
    bool broken;
    bool used_base; /* an absolute reference was local by the server's base URL */
};
void facts_add(struct facts *facts, const struct fact *fact);
/* Orders resolved facts and drops doubles. */
void facts_sort(struct facts *facts);
int fact_compare(const struct fact *a, const struct fact *b);
/* The blob of a resource, and back. */
void facts_write(const struct facts *facts, struct buffer *out);
MUST_CHECK enum status facts_read(struct slice blob, struct facts *ret_facts);

struct facts_cursor {
    const uint8_t *at, *end;
    uint32_t parameter;
    bool broken;
};
void facts_open(struct slice blob, struct facts_cursor *ret_cursor);
bool facts_next(struct facts_cursor *cursor, struct fact *ret_fact);

MUST_CHECK enum status fact_insert(struct connection *connection, const struct fact *fact,
                                   int64_t rid);
MUST_CHECK enum status fact_delete(struct connection *connection, const struct fact *fact,
                                   int64_t rid);

MUST_CHECK enum status fact_has(struct connection *connection, const struct fact *fact, int64_t rid,
                                bool *ret_has);
MUST_CHECK enum status facts_exchange(struct connection *connection, const struct facts *old,
                                      int64_t old_rid, const struct facts *new, int64_t rid);
/* Texts become numbers; ordered, without doubles. */
MUST_CHECK enum status facts_resolve(struct store_tx *tx, const struct facts *facts,
                                     struct facts *ret_facts);
/* What the facts of a stored body must be. BASE: number of the base URL it was put under; 0: it did
 * not matter. */
MUST_CHECK enum status facts_of_body(struct store_tx *tx, resource_type type, struct slice body,
                                     int64_t base, struct arena *arena, struct facts *ret_facts);

/* The base URL of that number; empty for 0. */
MUST_CHECK enum status base_url_of(struct store_tx *tx, int64_t base, struct arena *arena,
                                   struct slice *ret_base_url);

/* A row's method column is (number of the base URL << METHOD_BITS | method). */
#define METHOD_BITS 3
/* Instead of STORE_UPDATED: an update that put a deleted resource back. */
#define METHOD_PUT_BACK 5

/* The key text of a token's text or identifier: value, NUL, number of the system. */
void text_key_write(struct slice value, int64_t system, struct buffer *out);
/* Only its value part: what all systems share. */
void text_key_value(struct slice value, struct buffer *out);

/* Lower case, no diacritics, no punctuation, one space for white space, trimmed (R4 search,
 * "string"). */
void text_fold(struct slice text, struct buffer *out);

/* The character at AT and its length in bytes: never 0, never past the end. */
size_t text_decode(struct slice text, size_t at, uint32_t *ret_point);
/* A character as UTF-8. */
void text_encode(uint32_t point, struct buffer *out);

/* ---- words (words.c) ------------------------------------------------------------------------- */

/* Words are runs of letters and digits, folded; a UUID is one. A visitor's slice lasts as long as
 * the call. */
typedef void word_visit(void *context, struct slice word);
void words_each(struct slice text, struct arena *arena, word_visit *visit, void *context);
/* The number under which a word is kept. Different words may share one: what is found by it is
 * decided on the body. Stored: it never changes. */
uint32_t word_number(struct slice word);
/* XHTML without its markup. */
void narrative_text(struct slice xhtml, struct buffer *out);

/* Calls VISIT with every text of RESOURCE for people: strings, markdown and narrative (markup taken
 * out, in ARENA), those of contained resources too; no codes, addresses, ids or references. */
typedef void text_visit(void *context, struct slice text);
void resource_texts(const struct definitions *definitions, resource_type type, yyjson_val *resource,
                    struct arena *arena, text_visit *visit, void *context);
/* The same of one value of a coded element, an identifier or a reference: what `:text` looks at. */
void value_texts(const struct search_path *path, yyjson_val *value, text_visit *visit,
                 void *context);

/* Fills in the words of FACTS from RESOURCE. */
void words_extract(const struct definitions *definitions, resource_type type, yyjson_val *resource,
                   struct facts *facts);
/* The words of a concept for each of its codes. */
void words_of_concept(struct facts *facts, const struct search_path *path, yyjson_val *value);

/* Which words are in which block of places. Words stay when their resource goes: a block says no
 * more than that they may be in it. */
#define WORD_BLOCK_BITS 6
MUST_CHECK enum status words_put(struct store_tx *tx, const struct facts *facts, int64_t rid);
/* Words that are put wait in the writer: their order has nothing to do with that of the resources,
 * so a whole group's are sorted first. They go in before its commit (words_flush), in its savepoint
 * for a search in the same job (words_show); a job that is undone leaves those before it. */
struct writer;
MUST_CHECK enum status words_begin_job(struct writer *writer);
MUST_CHECK enum status words_show(struct writer *writer);
MUST_CHECK enum status words_flush(struct writer *writer);
MUST_CHECK enum status words_have(struct connection *connection, const struct facts *facts,
                                  int64_t rid, bool *ret_have);

struct fhirpath;

/* A parameter as this store knows it. */
struct parameter {
    _Atomic uint32_t number;           /* 0: not indexed, or not yet */
    _Atomic int64_t ready;             /* time_monotonic since when every resource has been indexed
                                          by it; 0: not yet */
    const struct fhirpath *expression; /* where the paths do not say all of it; else NULL */
};
/* Can a search of CONNECTION rely on it? What it sees must not be older than the last index row. */
static inline bool parameter_is_ready(const struct parameter *known,
                                      const struct connection *connection)
{
    int64_t since = known->ready;
    return since != 0 && since <= connection->begun;
}
const struct parameter *store_parameter(const struct store *store, resource_type type,
                                        const struct search_parameter *parameter);

#include "pairs.h"

/* What every type has beside the parameters of its definitions: the types of the resources that one
 * of it contains, each the code of a token. No name in a URL leads to it. Its number is 0, which is
 * that of parameters without an index otherwise. */
extern const struct search_parameter contained_parameter;

/* And which of its type's parameters it has values of, as one code: their numbers, rising, with a
 * blank between, under PRESENCE_SYSTEM. There are few such codes, so what lacks a value is found by
 * reading the places of those without its number. */
extern const struct search_parameter presence_parameter;
#define PRESENCE_SYSTEM "urn:carelayer:presence"

/* Calls VISIT with every value that the parameter's expression meets in RESOURCE; of a parameter
 * that takes references to one type, with those that lead to it by their own words. Values that lie
 * in no resource (X.exists()) are made in ARENA, their texts last as long as it. *RET_USED_BASE: an
 * absolute reference was local by BASE_URL. STATUS_TOO_COSTLY, STATUS_MEMORY: not all of them. */
MUST_CHECK enum status parameter_visit(const struct definitions *definitions, resource_type type,
                                       const struct search_parameter *parameter,
                                       const struct parameter *known, yyjson_val *resource,
                                       struct slice base_url, struct arena *arena,
                                       search_visit *visit, void *context, bool *ret_used_base);

/* The contained resource of this id; NULL. */
yyjson_val *contained_find(yyjson_val *root, struct slice id);

/* The expression of a parameter that is not simple. */
MUST_CHECK enum status parameter_compile(const struct definitions *definitions, resource_type type,
                                         const struct search_parameter *parameter,
                                         struct arena *arena,
                                         const struct fhirpath **ret_expression);

/* Of one parameter that the store indexes. */
void extract_one(const struct store *store, resource_type type,
                 const struct search_parameter *parameter, yyjson_val *resource,
                 struct slice base_url, struct facts *facts);

/* Of one value, of the type path->type, which ELEMENT (NULL: unknown) holds. */
void extract_value_of(const struct store *store, resource_type type,
                      const struct search_parameter *parameter, const struct search_path *path,
                      const struct element_row *element, yyjson_val *value, struct slice base_url,
                      struct facts *facts);

/* Of all indexed parameters of the type. */
void extract_all(const struct store *store, resource_type type, yyjson_val *resource,
                 struct slice base_url, struct facts *facts);

/* ---- sets ------------------------------------------------------------------------------------ */

/* Start as {.arena = ...}. Broken when the arena was full. */
struct number_set {
    struct arena *arena;
    int64_t *items; /* in the order in which they came */
    size_t count, capacity, mask;
    uint32_t *slots;
    bool broken;
};
struct text_set {
    struct arena *arena;
    struct slice *items; /* copies */
    size_t count, capacity, mask;
    uint32_t *slots;
    bool broken;
};
bool number_set_has(const struct number_set *set, int64_t number);
/* False: it was there, or there was no memory. */
bool number_set_add(struct number_set *set, int64_t number);
bool text_set_has(const struct text_set *set, struct slice text);
void text_set_add(struct text_set *set, struct slice text);

/* ---- whom a resource concerns ---------------------------------------------------------------- */

#define TIE_RESOURCE   'r'
#define TIE_IDENTIFIER 'i'
#define TIE_HOLDS      'h'
void tie_write(char kind, resource_type type, const struct packed_id *id, struct buffer *out);

/* What a resource itself says of whom it concerns. */
struct said {
    struct text_set homes;    /* ids of patients; the first that is there */
    struct text_set patients; /* ids of all patients it refers to */
    struct text_set ties;
    bool used_base; /* something was local by the server's base URL */
};
MUST_CHECK enum status concern_find(const struct store *store, resource_type type, yyjson_val *root,
                                    struct slice base_url, struct arena *arena,
                                    struct said *ret_said);

/* Of one place: its ties as keys, sorted, and how many of the patients in its row it names itself;
 * those stand first. */
struct concern {
    struct slice *keys;
    size_t key_count;
    size_t direct;
};
/* Keys of what a draft says. */
MUST_CHECK enum status concern_keys(struct store_tx *tx, const struct text_set *ties,
                                    struct arena *arena, struct concern *concern);
/* Of a place with OTHERS patients beside its home, or of minus a change in history. */
MUST_CHECK enum status concern_read(struct connection *connection, int64_t place, size_t others,
                                    struct arena *arena, struct concern *ret_concern);
MUST_CHECK enum status concern_write(struct connection *connection, int64_t place,
                                     const struct concern *concern, size_t others,
                                     struct arena *arena);
MUST_CHECK enum status concern_remove(struct connection *connection, int64_t place,
                                      const struct concern *concern, size_t others);
MUST_CHECK enum status concern_to_past(struct connection *connection, uint64_t change,
                                       bool tombstone, const struct concern *concern, size_t others,
                                       struct arena *arena);
/* Does it concern whoever its holders concern? */
bool concern_is_held(const struct store *store, resource_type type);
/* Adds everybody whom (type, id) concerns by its ties. OWN: its place, or negative. */
MUST_CHECK enum status concern_reach(struct store_tx *tx, resource_type type,
                                     const struct packed_id *id, int64_t own,
                                     const struct concern *concern, struct arena *arena,
                                     struct outcome *outcome, struct number_set *patients);

/* What was written, for the others whom it may concern. */
struct concern_change {
    resource_type type;
    const struct packed_id *id;
    bool was_live, was_deleted;
    struct number_set before, after; /* patients, home first */
    const struct concern *old, *new; /* ties */
    const struct facts *old_facts, *new_facts;
};
/* What the body at PLACE, put under the base URL of number BASE, says of whom it concerns, and the
 * patients that come to, home first. A reader finds none under what it does not know. */
MUST_CHECK enum status concern_of_body(struct store_tx *tx, int64_t place, resource_type type,
                                       const struct packed_id *id, struct slice body, int64_t base,
                                       struct arena *arena, struct concern *ret_concern,
                                       struct number_set *ret_patients);
/* Makes the row at PLACE agree with that. */
MUST_CHECK enum status concern_repair(struct store_tx *tx, int64_t place, struct slice body,
                                      int64_t base, struct arena *arena);
/* The same for a version in history, which only gains: BODY is its own, or for a tombstone what was
 * deleted. */
MUST_CHECK enum status concern_repair_past(struct store_tx *tx, uint64_t change, struct slice body,
                                           int64_t base, struct arena *arena);
MUST_CHECK enum status concern_spread(struct store_tx *tx, const struct concern_change *change,
                                      struct arena *arena, struct outcome *outcome);

/* ---- drafts ---------------------------------------------------------------------------------- */

struct store_draft {
    resource_type type;
    struct slice id;
    struct packed_id key;
    struct slice body; /* minified */
    uint32_t splice;
    struct slice stored; /* body as it goes to disk */
    int64_t dictionary;  /* STORED_PLAIN, or the dictionary's number (0: none) */
    struct said said;    /* of whom it concerns */
    struct slice *links; /* Patient.link.other: ids of Patients */
    size_t link_count;
    struct facts facts;
    uint64_t turn; /* of the learner, when the facts were extracted */
    struct slice base_url;
    int blob_file;
    uint64_t blob_length;
    struct draft_note *notes; /* to be set with it */
};
struct draft_note {
    struct slice name, value;
    struct draft_note *next;
};
#define STORED_PLAIN (-1)

/* ---- compression ----------------------------------------------------------------------------- */

struct dictionary {
    int64_t number;
    ZSTD_CDict *compress; /* only of the newest */
    ZSTD_DDict *decompress;
    struct dictionary *_Atomic next;
};
MUST_CHECK enum status body_compress(struct store *store, struct slice body, struct arena *arena,
                                     struct slice *ret_stored, int64_t *ret_dictionary);
MUST_CHECK enum status body_decompress(struct connection *connection, struct slice stored,
                                       int64_t dictionary, struct arena *arena,
                                       struct slice *ret_body);
MUST_CHECK enum status dictionaries_load(struct connection *connection);
void dictionaries_close(struct store *store);
/* Trains a dictionary when enough resources have come since the last: on the thread that looks
 * after the log. */
MUST_CHECK enum status dictionary_consider(struct connection *connection, int64_t resources);

/* ---- the writer's memory --------------------------------------------------------------------- */

/* Numbers given out; one row of the table state, written with each group. */
struct counters {
    int64_t change, entity, patient, code, system, outbox, updated, resources, versions, patients;
};

enum entry_state { ENTRY_MENTIONED, ENTRY_LIVE, ENTRY_DELETED };

/* A row of the directory, or that there is none. */
struct entry {
    resource_type type;
    struct packed_id id;
    bool known; /* there is a row */
    int64_t entity;
    int64_t rid;
    uint32_t version;
    enum entry_state state;
    uint32_t turn; /* of the writer that remembers it */
};

#define ENTRY_CACHE    8192
#define SEQUENCE_CACHE 4096
#define WORD_CACHE     32768
#define NEW_WORDS      16384

struct sequence {
    uint32_t patient, turn;
    bool used;
    int64_t next;
};

/* A row of the tables of words; NUMBER 0 is no row. */
struct word_row {
    int64_t other; /* block or code */
    uint32_t word, number;
};

struct intern_slot {
    uint64_t hash;
    int64_t system; /* -1: the text is a system's */
    int64_t number; /* 0: an empty slot */
    struct slice text;
};
struct intern {
    struct arena *arena;
    struct intern_slot *slots;
    size_t mask, count;
};

enum number_kind {
    NUMBER_ENTITY,
    NUMBER_PATIENT,
    NUMBER_CODE,
    NUMBER_SYSTEM,
    NUMBER_PLACE, /* of what lives with no patient */
    NUMBER_KINDS
};

struct writer {
    struct connection connection;
    struct store_tx *tx;
    struct counters counters, written; /* now, and as in the open file */
    struct intern intern;
    struct entry *entries;
    struct sequence *sequences;
    struct word_row *words; /* rows known to be in the tables of words, or waiting */
    /* Rows of the table of words that wait for the end of the group (words.c): room for NEW_WORDS;
     * the first words_before are of jobs before the one that runs. */
    struct word_row *new_words;
    size_t word_count, words_before;
    bool touched; /* caches changed since the savepoint */
    bool taught;  /* a SearchParameter was written or deleted in this group */
    struct arena *scratch;
    int64_t deadline; /* time_monotonic, of the searches of the job that runs; 0: none */
    /* Only on a PostgreSQL server. */
    uint32_t turn; /* of the transaction that runs: what is remembered of others may be old */
    int64_t transaction;
    int64_t attempt;      /* what it is known by should the answer to its commit be lost */
    int64_t taught_there; /* the last change of a SearchParameter that the transaction sees */
    int slot;             /* its row of the tally, leased by SESSION; negative: none */
    unsigned session;
    struct number_block {
        int64_t next, end;
    } blocks[NUMBER_KINDS];
    pthread_t thread;
    bool running;
};

/* What a transaction on a PostgreSQL server has looked for ahead of its writes (postgres_expect.c).
 */
struct expected {
    struct arena *arena;
    size_t drafts;          /* still to be put */
    struct text_set untied; /* keys to which nothing was tied */
    struct text_set tied;   /* and has been since */
};
MUST_CHECK enum status postgres_expected_make(struct connection *connection);
void postgres_expected_close(struct connection *connection);
void postgres_expected_forget(struct connection *connection);
/* Is it known that nothing is tied to KEY? */
bool postgres_expects_none(const struct connection *connection, struct slice key);
void postgres_expected_tie(struct connection *connection, struct slice key);
/* A draft is about to be put: looks for what it needs, unless store_expect did. */
MUST_CHECK enum status postgres_expect(struct store_tx *tx, const struct store_draft *draft);

MUST_CHECK enum status postgres_number_next(struct writer *writer, enum number_kind kind,
                                            int64_t *ret_number);
/* The next number of a kind that no other writer ever gets. */
MUST_CHECK enum status number_next(struct writer *writer, enum number_kind kind,
                                   int64_t *ret_number);

void writer_forget(struct writer *writer);
/* As store_write; LEARNS: it is the learner's own. */
MUST_CHECK enum status writer_wait(struct store *store,
                                   enum status (*run)(struct store_tx *tx, void *context),
                                   void *context, bool learns);
/* Gives it all but its connection; and ends all of it. */
MUST_CHECK enum status writer_memory(struct store *store, struct writer *writer);
void writer_close(struct writer *writer);

MUST_CHECK enum status intern_system(struct store_tx *tx, struct slice system, int64_t *ret_number);
MUST_CHECK enum status intern_code(struct store_tx *tx, struct slice system, struct slice code,
                                   int64_t *ret_number);
/* (A reader, which gives no numbers, gets UNKNOWN_NUMBER for what is new.) */
#define UNKNOWN_NUMBER INT64_MAX
/* Looks only: 0 when it was never seen. */
MUST_CHECK enum status lookup_system(struct connection *connection, struct slice system,
                                     int64_t *ret_number);

/* The directory's row, or known == false. */
MUST_CHECK enum status directory_find(struct store_tx *tx, resource_type type,
                                      const struct packed_id *id, struct entry *ret_entry);
/* As directory_find, giving the id a number when it is new: a first mention. */
MUST_CHECK enum status directory_mention(struct store_tx *tx, resource_type type,
                                         const struct packed_id *id, struct entry *ret_entry);
/* What is remembered of it, which may be that there is no row; NULL: nothing. */
const struct entry *directory_recall(struct writer *writer, resource_type type,
                                     const struct packed_id *id);
void directory_remember(struct writer *writer, const struct entry *entry);
/* Entity, place, version and state, from COLUMN on. */
void directory_read(const struct statement *statement, int column, struct entry *ret_entry);
/* Writes the row and remembers it. */
MUST_CHECK enum status directory_store(struct store_tx *tx, const struct entry *entry);
/* LAST is the last place of a patient that is taken, 0: none. */
void place_expect(struct writer *writer, uint32_t patient, int64_t last);
MUST_CHECK enum status place_next(struct store_tx *tx, uint32_t patient, int64_t *ret_rid);

/* ---- transactions ---------------------------------------------------------------------------- */

struct store_tx {
    struct connection *connection;
    struct writer *writer; /* NULL: only reading */
};

struct store_reader {
    struct connection connection;
    struct store_tx tx;
    bool keeps;    /* a snapshot for point reads is open, */
    uint64_t turn; /* since which nothing was committed */
};

#define WATCHED_MOST 8

/* Who comes first goes first, together with others or alone; so neither kind starves. */
struct turnstile {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t given, called; /* tickets */
    size_t together;
    bool alone;
};

#define STRAY_PARAMETERS 16384 /* of those with greater numbers it is not known */

struct store {
    struct arena *arena;
    const struct definitions *definitions;
    const char *folder, *file, *vfs;
    const char *database;         /* address of a PostgreSQL server; NULL: SQLite */
    int64_t log;                  /* number of this folder's access log there */
    char member[UUID_LENGTH + 1]; /* the folder's name there; empty: SQLite */
    struct writer *writers;       /* on a PostgreSQL server: writer is their first */
    size_t writer_count;
    struct turnstile *turnstile; /* jobs go together at their first attempt, alone at later ones */
    _Atomic int64_t taught;      /* which change of SearchParameters there is known here */
    _Atomic uint64_t news;       /* how often a resource of the types watched was seen to change */
    resource_type watched[WATCHED_MOST];
    _Atomic size_t watched_count;
    int64_t cache_bytes;
    bool read_only;
    int lock;                                   /* descriptor of the locked file; -1 */
    resource_type patient_type, parameter_type; /* Patient, SearchParameter */
    struct parameter **parameters;              /* [type][number] */
    uint32_t *parameter_counts;
    struct parameter *presence; /* [type] */
    _Atomic uint64_t strays[STRAY_PARAMETERS / 64];
    struct pair *pairs;
    size_t pair_count;
    struct slice epoch; /* of cursors */

    struct dictionary *_Atomic dictionaries; /* newest first */
    pthread_mutex_t compressors_lock;
    ZSTD_CCtx *compressors[64];
    size_t compressor_count;

    struct writer *writer;
    pthread_t writer_thread, checkpoint_thread;
    bool writer_running, checkpoint_running;
    pthread_mutex_t lock_queue;
    pthread_cond_t queue_filled, checkpoint_due, turn_ended;
    struct store_job *first, *last;
    bool stopping, checkpoint_wanted, checkpoint_stopping;
    bool group_running, log_restarting; /* one at a time; turn_ended tells */
    uint64_t waiting, commits, jobs;
    _Atomic uint64_t turn; /* odd while a commit comes to be seen, then one more */
    bool full;
    struct counters shown; /* as of the last commit; under lock_queue */

    struct learner *learner;
};

MUST_CHECK enum status database_open(struct store *store, bool writing,
                                     struct connection *connection);
void database_close(struct connection *connection);
MUST_CHECK enum status schema_apply(struct connection *connection, struct outcome *outcome,
                                    int *ret_from, int *ret_to);
#define SCHEMA_APPLICATION 0x434c5253 /* "CLRS" */
/* Is there any current resource of the type? */
MUST_CHECK enum status type_is_used(struct connection *connection, resource_type type,
                                    bool *ret_used);
MUST_CHECK enum status parameters_load(struct store *store, struct connection *connection,
                                       bool writing);

/* Does what is at RID refer, by the fact, to a patient in whose home it is not? */
bool fact_strays(const struct fact *fact, int64_t rid);
/* Notes that what is at RID refers to a patient in whose home it is not, if the fact says so. In
 * the transaction that gives it the place. */
MUST_CHECK enum status stray_note(struct connection *connection, const struct fact *fact,
                                  int64_t rid);
/* May some resource refer by PARAMETER (even) to a patient in whose home it is not? In a snapshot:
 * what it has not seen may be counted too. Of a store in a file, and that this process writes: what
 * another one notes meanwhile is not known here. */
bool stray_may_be(const struct store *store, uint32_t parameter);
/* As the snapshot has it. */
MUST_CHECK enum status stray_is_noted(struct connection *connection, uint32_t parameter,
                                      bool *ret_noted);
MUST_CHECK enum status strays_load(struct store *store, struct connection *connection);

/* ---- writing, and the PostgreSQL engine ------------------------------------------------------ */

void *store_writer_main(void *store);
/* The next job, LARGE ones only where asked for; NULL: there is none, or with WAIT the store is
 * being closed. */
struct store_job *store_queue_take(struct store *store, bool large, bool wait);
/* Until when the job's searches may take, if its turn is now; 0: for ever. */
static inline int64_t job_deadline(const struct store_job *job)
{
    return job->patience != 0 ? time_monotonic() + job->patience : 0;
}
void *postgres_writer_main(void *writer);
MUST_CHECK enum status postgres_store_open(struct store *store, const struct store_options *options,
                                           struct outcome *outcome);
void postgres_store_close(struct store *store);
/* There a change's number is its transaction's, shifted by this, and its own within that. */
#define CHANGE_BITS 20
/* Changes from this number on may still be joined by lower ones that are not there yet. */
MUST_CHECK enum status change_horizon(struct connection *connection, int64_t *ret_change);
void *store_checkpoint_main(void *store);
MUST_CHECK enum status counters_load(struct connection *connection, struct counters *ret_counters);

/* ---- rows to versions ------------------------------------------------------------------------ */

/* Columns of STATEMENT_READ and its like, in this order; see statements.h. */
MUST_CHECK enum status version_from_row(struct connection *connection, struct statement *statement,
                                        bool body, struct arena *arena,
                                        struct store_version *ret_version);
/* One version out of history by its change number; STATUS_NOT_FOUND. */
MUST_CHECK enum status history_read(struct connection *connection, uint64_t change, bool body,
                                    struct arena *arena, struct store_version *ret_version);
/* The current row at RID; STATUS_NOT_FOUND. */
MUST_CHECK enum status place_read(struct connection *connection, int64_t rid, bool body,
                                  struct arena *arena, struct store_version *ret_version);
/* Those at COUNT places, none twice. */
MUST_CHECK enum status place_read_all(struct connection *connection, const int64_t *rids,
                                      size_t count, bool body, struct arena *arena,
                                      struct store_version *ret_versions);

/* Unsigned LEB128. */
void varint_write(struct buffer *out, uint64_t value);
bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *ret_value);
static inline uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}
static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Patient numbers as a blob of varints. */
void patients_write(const uint32_t *patients, size_t count, struct buffer *out);
MUST_CHECK enum status patients_read(struct slice blob, uint32_t home, struct arena *arena,
                                     const uint32_t **ret_patients, size_t *ret_count);

/* Pieces of a blob: one row each. */
#define BLOB_PIECE      ((uint64_t)64 << 10)
#define BLOB_PIECE_BITS 20
MUST_CHECK enum status blob_put(struct store_tx *tx, const struct store_draft *draft,
                                uint64_t change);
MUST_CHECK enum status person_links_put(struct store_tx *tx, const struct store_draft *draft,
                                        uint32_t patient);
MUST_CHECK enum status person_links_remove(struct store_tx *tx, uint32_t patient);

/* Cursors: "kind.number.number.check" in base64url-safe characters. */
struct slice cursor_write(struct arena *arena, char kind, const struct slice bytes);
bool cursor_read(struct slice cursor, char kind, struct arena *arena, struct slice *ret_bytes);

#endif
