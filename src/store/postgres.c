/* SPDX-License-Identifier: MIT */
/* store: the connection to a PostgreSQL server. */
#include "postgres.h"

enum pending { PENDING_COMMAND, PENDING_WANTED, PENDING_EARLY, PENDING_SYNC };

/* ---- what SQLSTATEs mean ------------------------------------------------------------------------
 */

static const struct {
    const char *begins;
    enum status status;
    bool again, lost;
} states[] = {
    {"40", STATUS_BUSY, true, false},    /* serialization failure, deadlock */
    {"23505", STATUS_BUSY, true, false}, /* another gave the same key at the same time */
    {"57014", STATUS_TOO_COSTLY, false, false},
    {"53100", STATUS_NO_SPACE, false, false},
    {"2200H", STATUS_NO_SPACE, false, false}, /* a sequence has no more numbers */
    {"53200", STATUS_MEMORY, false, false},
    {"53", STATUS_BUSY, true, false},
    {"55P03", STATUS_BUSY, true, false},     /* a lock was not to be had */
    {"57P0", STATUS_TRANSIENT, true, true},  /* the server stops or starts */
    {"08", STATUS_TRANSIENT, true, true},    /* the connection */
    {"25006", STATUS_TRANSIENT, true, true}, /* a server that only reads: it was demoted */
    {"25P03", STATUS_TRANSIENT, true, true}, /* idle in transaction for too long */
    {"0A000", STATUS_NOT_SUPPORTED, false, false},
    {"XX001", STATUS_CORRUPT, false, false},
    {"XX002", STATUS_CORRUPT, false, false},
    {"58", STATUS_IO, false, false},
};

static void fail(struct postgres *postgres, const PGresult *result)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    enum status status = STATUS_INTERNAL;
    bool again = false;
    if (state == NULL && PQstatus(postgres->link) != CONNECTION_OK) {
        state = "08006";
    }
    for (size_t i = 0; state != NULL && i < sizeof(states) / sizeof(states[0]); i++) {
        if (strncmp(state, states[i].begins, strlen(states[i].begins)) == 0) {
            status = states[i].status;
            again = states[i].again;
            postgres->lost = postgres->lost || states[i].lost;
            break;
        }
    }
    if (status == STATUS_INTERNAL) {
        /* The message may hold values; the code does not. */
        log_event(LOG_STORE_FAILED, LOG_TEXT(LOG_FIELD_LIBRARY, "postgresql"),
                  LOG_TEXT(LOG_FIELD_STATUS, state != NULL ? state : "none"));
    }
    if (postgres->failed == STATUS_OK) {
        postgres->failed = status;
        postgres->again = again;
    }
}

/* ---- connecting ---------------------------------------------------------------------------------
 */

static void no_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static const char *const session[] = {
    "SET search_path = carelayer",
    "SET client_min_messages = error",
    /* Every statement has its index, and a plan must not change with what the server believes of
     * the sizes of tables. A scan of a whole table would also clash with every write to it. */
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET plan_cache_mode = force_generic_plan",
    "SET jit = off",
    "SET idle_in_transaction_session_timeout = 0",
    "SET synchronous_commit = on",
};

static void forget(struct postgres *postgres)
{
    memset(postgres->prepared, 0, sizeof(postgres->prepared));
    postgres->pending_count = 0;
    postgres->unsynced = false;
    postgres->in_transaction = false;
    postgres->lost = false;
    postgres->failed = STATUS_OK;
    postgres->again = false;
    postgres_batches_forget(postgres);
}

static enum status connect_now(struct postgres *postgres)
{
    /* The address comes last: what it says itself wins. */
    const char *const names[] = {"fallback_application_name",
                                 "client_encoding",
                                 "connect_timeout",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "tcp_user_timeout",
                                 "target_session_attrs",
                                 "dbname",
                                 NULL};
    const char *const values[] = {"carelayer",
                                  "UTF8",
                                  "5",
                                  "10",
                                  "5",
                                  "3",
                                  "30000",
                                  postgres->writes ? "read-write" : "any",
                                  postgres->store->database,
                                  NULL};
    PQfinish(postgres->link);
    forget(postgres);
    postgres->link = PQconnectdbParams(names, values, 1);
    if (postgres->link == NULL) {
        return STATUS_MEMORY;
    }
    if (PQstatus(postgres->link) != CONNECTION_OK) {
        postgres->lost = true;
        return STATUS_TRANSIENT;
    }
    postgres->session++;
    PQsetNoticeReceiver(postgres->link, no_notice, NULL);
    if (PQserverVersion(postgres->link) < 150000) {
        postgres->lost = true;
        return STATUS_NOT_SUPPORTED;
    }
    if (PQenterPipelineMode(postgres->link) != 1) {
        return STATUS_INTERNAL;
    }
    for (size_t i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
        TRY(postgres_say(postgres, session[i]));
    }
    return postgres_settle(postgres);
}

enum status postgres_open(struct store *store, bool writing, struct arena *arena,
                          struct postgres **ret_postgres)
{
    struct postgres *postgres = ARENA_NEW(arena, struct postgres);
    *ret_postgres = postgres;
    if (postgres == NULL) {
        return STATUS_MEMORY;
    }
    postgres->store = store;
    postgres->arena = arena;
    postgres->writes = writing;
    TRY(postgres_batches_make(postgres));
    return connect_now(postgres);
}

void postgres_close(struct postgres *postgres)
{
    if (postgres != NULL) {
        if (!postgres->lost) {
            (void)!postgres_settle(postgres); /* or the server thinks that we died */
        }
        PQfinish(postgres->link);
        postgres->link = NULL;
    }
}

enum status postgres_revive(struct postgres *postgres)
{
    bool broken = postgres->lost || PQstatus(postgres->link) != CONNECTION_OK;
    return broken ? connect_now(postgres) : STATUS_OK;
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static void pending_push(struct postgres *postgres, enum pending kind)
{
    size_t at = (postgres->pending_first + postgres->pending_count++) % POSTGRES_PENDING;
    postgres->pending[at] = (char)kind;
    postgres->pending_for[at] = NULL;
}

static bool is_fine(ExecStatusType status)
{
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* All results of one command, up to the NULL that ends them. */
static void take_answer(struct postgres *postgres, enum pending kind,
                        struct postgres_statement *statement, PGresult **ret_result)
{
    PGresult *result;
    while ((result = PQgetResult(postgres->link)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (kind == PENDING_SYNC && status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return;
        }
        if (!is_fine(status)) {
            /* What stood behind a failure was not tried: the failure itself came before. */
            if (status != PGRES_PIPELINE_ABORTED || postgres->failed == STATUS_OK) {
                fail(postgres, result);
            }
        } else if (kind == PENDING_WANTED && ret_result != NULL && *ret_result == NULL) {
            *ret_result = result;
            continue;
        } else if (kind == PENDING_EARLY && statement != NULL && statement->early == NULL) {
            statement->early = result;
            continue;
        }
        PQclear(result);
        if (PQstatus(postgres->link) != CONNECTION_OK) {
            break;
        }
    }
    if (PQstatus(postgres->link) != CONNECTION_OK) {
        fail(postgres, NULL);
        postgres->lost = true;
        postgres->pending_count = 0;
    }
}

static enum status settle(struct postgres *postgres, PGresult **ret_result)
{
    if (postgres->unsynced && !postgres->lost) {
        if (PQpipelineSync(postgres->link) != 1) {
            fail(postgres, NULL);
            postgres->lost = true;
        }
        pending_push(postgres, PENDING_SYNC);
        postgres->unsynced = false;
    }
    while (postgres->pending_count > 0 && !postgres->lost) {
        enum pending kind = (enum pending)postgres->pending[postgres->pending_first];
        struct postgres_statement *statement = postgres->pending_for[postgres->pending_first];
        postgres->pending_first = (postgres->pending_first + 1) % POSTGRES_PENDING;
        postgres->pending_count--;
        take_answer(postgres, kind, statement, ret_result);
    }
    if (postgres->lost) {
        postgres->pending_count = 0;
        postgres->failed = postgres->failed != STATUS_OK ? postgres->failed : STATUS_TRANSIENT;
    }
    if (postgres->failed == STATUS_OK) {
        postgres->settled = postgres->generation;
        return STATUS_OK;
    }
    /* What was to be prepared behind a failure may not have been. */
    struct postgres_prepared *prepared = postgres->prepared[0];
    for (int i = 0; i < (int)STATEMENT_COUNT * (int)POSTGRES_PARTS; i++) {
        if (prepared[i].generation > postgres->settled) {
            prepared[i].generation = 0;
        }
    }
    postgres->settled = postgres->generation;
    if (ret_result != NULL) {
        PQclear(*ret_result);
        *ret_result = NULL;
    }
    return postgres->failed;
}

enum status postgres_settle(struct postgres *postgres)
{
    return settle(postgres, NULL);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

/* Room for a statement, its preparation and a sync. */
static enum status make_room(struct postgres *postgres)
{
    return postgres->pending_count + 4 > POSTGRES_PENDING ? settle(postgres, NULL)
                                                          : postgres->failed;
}

static enum status sent(struct postgres *postgres, int code, enum pending kind)
{
    if (code != 1) {
        postgres->lost = postgres->lost || PQstatus(postgres->link) != CONNECTION_OK;
        fail(postgres, NULL);
        return postgres->failed;
    }
    pending_push(postgres, kind);
    postgres->unsynced = true;
    return STATUS_OK;
}

enum status postgres_say(struct postgres *postgres, const char *sql)
{
    TRY(make_room(postgres));
    return sent(postgres, PQsendQueryParams(postgres->link, sql, 0, NULL, NULL, NULL, NULL, 1),
                PENDING_COMMAND);
}

/* The values as libpq wants them. */
struct sending {
    int count;
    Oid types[POSTGRES_PARAMETERS];
    const char *at[POSTGRES_PARAMETERS];
    int lengths[POSTGRES_PARAMETERS], formats[POSTGRES_PARAMETERS];
    uint64_t numbers[3];
};

static uint64_t big_endian(uint64_t value)
{
    return __builtin_bswap64(value);
}

static void set_number(struct sending *sending, int at, uint64_t *room, int64_t value)
{
    *room = big_endian((uint64_t)value);
    sending->types[at] = OID_INT8;
    sending->at[at] = (const char *)room;
    sending->lengths[at] = 8;
    sending->formats[at] = 1;
    sending->count = at >= sending->count ? at + 1 : sending->count;
}

/* The last row's values are sent back as they came. */
static void set_after(struct sending *sending, const struct postgres_text *text,
                      const struct postgres_statement *statement, const PGresult *before)
{
    int row = PQntuples(before) - 1;
    for (int i = 0; i < text->column_count; i++) {
        int at = sending->count++, from = text->columns[i];
        const struct postgres_column *column =
            from < text->packed ? &statement->columns[from] : NULL;
        sending->types[at] = column != NULL ? column->type : PQftype(before, from);
        sending->at[at] = column != NULL ? column->at : PQgetvalue(before, row, from);
        sending->lengths[at] = column != NULL ? column->length : PQgetlength(before, row, from);
        sending->formats[at] = 1;
    }
}

static void gather(const struct postgres_statement *statement, const struct postgres_piece *piece,
                   struct sending *sending)
{
    const struct postgres_text *text = postgres_text(statement->number);
    sending->count = statement->count;
    for (int i = 0; i < statement->count; i++) {
        const struct postgres_value *value = &statement->values[i];
        sending->types[i] = value->type;
        sending->at[i] = value->own ? value->bytes : value->at;
        sending->lengths[i] = value->length;
        sending->formats[i] = 1;
    }
    if (text->rows == ROWS_KEYED && (piece->offset > 0 || text->key > statement->count)) {
        set_number(sending, text->key - 1, &sending->numbers[0], piece->key);
    }
    if (piece->part == PART_NEXT) {
        set_after(sending, text, statement, piece->before);
    }
    if (piece->limit >= 0) {
        set_number(sending, sending->count, &sending->numbers[1], piece->limit);
    }
    if (piece->limit >= 0 && text->rows == ROWS_COUNTED) {
        set_number(sending, sending->count, &sending->numbers[2], piece->offset);
    }
}

/* Without its order, which a count does not need. */
static void write_count(const char *sql, struct buffer *out)
{
    const char *end = strstr(sql, " ORDER BY ");
    buffer_add_text(out, "SELECT count(*) FROM (");
    for (size_t i = 0; sql[i] != '\0' && sql + i != end; i++) {
        buffer_add_byte(out, sql[i] == '?' ? '$' : sql[i]);
    }
    buffer_add_text(out, ") q");
}

/* An array of each column, and around what gives them. */
static void write_packing(const struct postgres_text *text, bool before, struct buffer *out)
{
    buffer_add_text(out, before ? "SELECT " : ") q(");
    for (int i = 0; i < text->packed; i++) {
        buffer_print(out, before ? "%sarray_agg(c%d)" : "%sc%d", i > 0 ? ", " : "", i);
    }
    if (text->greatest) {
        buffer_print(out, before ? ", max(c%d)" : ", c%d", text->packed);
    }
    buffer_add_text(out, before ? " FROM (" : ")");
}

/* ?1 becomes $1; what cuts the rows into pieces comes behind. */
static enum status write_sql(struct postgres *postgres, enum statement_number number,
                             enum postgres_part part, int count, struct buffer *out)
{
    const struct postgres_text *text = postgres_text(number);
    const char *sql = part == PART_NEXT ? text->next : text->sql;
    out->arena = postgres->arena;
    if (part == PART_COUNT) {
        write_count(sql, out);
    } else if (text->packed > 0) {
        write_packing(text, true, out);
    }
    for (size_t i = 0; part != PART_COUNT && sql[i] != '\0'; i++) {
        buffer_add_byte(out, sql[i] == '?' ? '$' : sql[i]);
    }
    if (part == PART_COUNT) {
        /* all of them */
    } else if (text->rows == ROWS_KEYED || text->rows == ROWS_AFTER) {
        buffer_print(out, " LIMIT $%d", count);
    } else if (text->rows == ROWS_COUNTED) {
        buffer_print(out, " LIMIT $%d OFFSET $%d", count - 1, count);
    }
    if (part != PART_COUNT && text->packed > 0) {
        write_packing(text, false, out);
    }
    buffer_add_byte(out, '\0');
    return buffer_ok(out) ? STATUS_OK : STATUS_MEMORY;
}

/* A parameter that was NULL when the statement was prepared has whatever type the server thought:
 * one that has a value now must be known for what it is. */
static bool is_prepared(const struct postgres_prepared *prepared, const struct sending *sending)
{
    bool same = prepared->generation != 0 && prepared->count == sending->count;
    for (int i = 0; same && i < sending->count; i++) {
        same = sending->types[i] == 0 || sending->types[i] == prepared->types[i];
    }
    return same;
}

static void statement_name(enum statement_number number, enum postgres_part part,
                           unsigned generation, char ret_name[40])
{
    snprintf(ret_name, 40, "c%d_%d_%u", (int)number, (int)part, generation);
}

static enum status prepare_there(struct postgres *postgres, enum statement_number number,
                                 enum postgres_part part, const struct sending *sending)
{
    struct postgres_prepared *prepared = &postgres->prepared[number][part];
    struct arena_mark mark = arena_mark(postgres->arena);
    struct buffer sql = {0};
    char name[40];
    TRY(write_sql(postgres, number, part, sending->count, &sql));
    *prepared =
        (struct postgres_prepared){.generation = ++postgres->generation, .count = sending->count};
    memcpy(prepared->types, sending->types, sizeof(prepared->types));
    statement_name(number, part, prepared->generation, name);
    enum status status =
        sent(postgres, PQsendPrepare(postgres->link, name, sql.at, sending->count, sending->types),
             PENDING_COMMAND);
    arena_rewind(postgres->arena, mark);
    return status;
}

static enum status send(struct postgres *postgres, const struct postgres_statement *statement,
                        const struct postgres_piece *piece, enum pending kind)
{
    struct sending sending = {0};
    char name[40];
    TRY(postgres_batches_before(postgres, statement->number));
    gather(statement, piece, &sending);
    TRY(make_room(postgres));
    struct postgres_prepared *prepared = &postgres->prepared[statement->number][piece->part];
    if (!is_prepared(prepared, &sending)) {
        TRY(prepare_there(postgres, statement->number, piece->part, &sending));
    }
    statement_name(statement->number, piece->part, prepared->generation, name);
    return sent(postgres,
                PQsendQueryPrepared(postgres->link, name, sending.count, sending.at,
                                    sending.lengths, sending.formats, 1),
                kind);
}

enum status postgres_send(struct postgres *postgres, const struct postgres_statement *statement,
                          const struct postgres_piece *piece, PGresult **ret_result)
{
    if (ret_result == NULL) {
        return send(postgres, statement, piece, PENDING_COMMAND);
    }
    *ret_result = NULL;
    TRY(send(postgres, statement, piece, PENDING_WANTED));
    enum status status = settle(postgres, ret_result);
    return status == STATUS_OK && *ret_result == NULL ? STATUS_INTERNAL : status;
}

enum status postgres_send_early(struct postgres *postgres, struct postgres_statement *statement,
                                const struct postgres_piece *piece)
{
    TRY(send(postgres, statement, piece, PENDING_EARLY));
    size_t last = (postgres->pending_first + postgres->pending_count - 1) % POSTGRES_PENDING;
    postgres->pending_for[last] = statement;
    return STATUS_OK;
}

void postgres_disown(struct postgres *postgres, const struct postgres_statement *statement)
{
    for (size_t i = 0; i < postgres->pending_count; i++) {
        size_t at = (postgres->pending_first + i) % POSTGRES_PENDING;
        if (postgres->pending_for[at] == statement) {
            postgres->pending_for[at] = NULL;
        }
    }
}

/* ---- outside the pipeline -----------------------------------------------------------------------
 */

static enum status exec(struct postgres *postgres, const char *sql, PGresult **ret_result)
{
    TRY(postgres_batches_flush(postgres));
    TRY(settle(postgres, NULL));
    if (PQexitPipelineMode(postgres->link) != 1) {
        return STATUS_INTERNAL;
    }
    PGresult *result = PQexec(postgres->link, sql);
    if (!is_fine(PQresultStatus(result))) {
        fail(postgres, result);
    }
    if (ret_result != NULL && postgres->failed == STATUS_OK) {
        *ret_result = result;
    } else {
        PQclear(result);
    }
    if (PQstatus(postgres->link) == CONNECTION_OK && PQenterPipelineMode(postgres->link) != 1) {
        return STATUS_INTERNAL;
    }
    enum status status = postgres->failed;
    if (!postgres->in_transaction) {
        postgres->failed = STATUS_OK;
    }
    return status;
}

enum status postgres_execute(struct postgres *postgres, const char *sql)
{
    return exec(postgres, sql, NULL);
}

enum status postgres_ask(struct postgres *postgres, const char *sql, int64_t *ret_number)
{
    PGresult *result = NULL;
    *ret_number = 0;
    TRY(exec(postgres, sql, &result));
    if (PQntuples(result) > 0 && PQnfields(result) > 0) {
        const char *text = PQgetvalue(result, 0, 0);
        *ret_number = text[0] == 't' ? 1 : strtoll(text, NULL, 10);
    }
    PQclear(result);
    return STATUS_OK;
}

/* ---- transactions -------------------------------------------------------------------------------
 */

bool postgres_in_transaction(const struct postgres *postgres)
{
    return postgres->in_transaction;
}

enum status postgres_begin(struct postgres *postgres, bool write, int64_t deadline)
{
    /* Answers of a transaction that ended are nobody's any more. */
    if (!postgres->lost) {
        (void)!settle(postgres, NULL);
    }
    postgres->failed = STATUS_OK;
    postgres->again = false;
    postgres_batches_forget(postgres);
    TRY(postgres_revive(postgres));
    TRY(postgres_say(postgres, write ? "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"
                                     : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    postgres->in_transaction = postgres->fresh = true;
    postgres->deadline = deadline;
    if (deadline == 0) {
        return STATUS_OK;
    }
    char sql[64];
    int64_t left = (deadline - time_monotonic()) / 1000;
    snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %lld",
             (long long)(left > 1 ? left < INT32_MAX ? left : INT32_MAX : 1));
    return postgres_say(postgres, sql);
}

/* A snapshot has nothing to keep, so nobody waits for its end. */
static enum status end_quietly(struct postgres *postgres)
{
    TRY(postgres_say(postgres, "ROLLBACK"));
    if (PQpipelineSync(postgres->link) != 1) {
        postgres->lost = true;
        return STATUS_TRANSIENT;
    }
    pending_push(postgres, PENDING_SYNC);
    postgres->unsynced = false;
    postgres->in_transaction = false;
    return STATUS_OK;
}

enum status postgres_commit(struct postgres *postgres)
{
    if (postgres->failed != STATUS_OK) {
        return postgres->failed;
    }
    if (!postgres->writes) {
        return end_quietly(postgres);
    }
    TRY(postgres_batches_flush(postgres));
    TRY(postgres_say(postgres, "COMMIT"));
    enum status status = settle(postgres, NULL);
    postgres->unknown = status != STATUS_OK && postgres->lost;
    TRY(status);
    postgres->in_transaction = false;
    return STATUS_OK;
}

void postgres_rollback(struct postgres *postgres)
{
    postgres_batches_forget(postgres);
    if (!postgres->in_transaction) {
        return;
    }
    if (!postgres->lost) {
        (void)!settle(postgres, NULL);
    }
    enum status failed = postgres->failed;
    bool again = postgres->again;
    postgres->failed = STATUS_OK;
    if (!postgres->lost &&
        (postgres_say(postgres, "ROLLBACK") != STATUS_OK ||
         postgres_say(postgres, "SELECT pg_advisory_unlock_all()") != STATUS_OK ||
         settle(postgres, NULL) != STATUS_OK)) {
        postgres->lost = true;
    }
    postgres->in_transaction = false;
    postgres->failed = failed;
    postgres->again = again;
}
