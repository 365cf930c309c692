/* SPDX-License-Identifier: MIT */
/* Statements written by hand on a PostgreSQL server: each connection of the store has one of its
 * own beside it, with the server's own settings for plans (and no JIT, which costs more than it
 * gives here, and ten seconds for each). What is measured does not change meanwhile, so the
 * snapshot is another one. */
#include "by_hand.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/postgres.h"

#define LINKS_MOST     64
#define ARGUMENTS_MOST 16

struct link {
    const struct postgres *of;
    PGconn *link;
    bool prepared[BY_HAND_MOST];
};

static struct link links[LINKS_MOST]; /* as long as the process */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct link *link_of(const struct connection *connection)
{
    struct link *found = NULL;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < LINKS_MOST && found == NULL; i++) {
        if (links[i].of == NULL || links[i].of == connection->postgres) {
            found = &links[i];
            found->of = connection->postgres;
        }
    }
    pthread_mutex_unlock(&lock);
    if (found != NULL && found->link == NULL) {
        found->link = PQconnectdb(connection->store->database);
        PQclear(PQexec(found->link, "SET search_path = carelayer"));
        PQclear(PQexec(found->link, "SET jit = off"));
        PQclear(PQexec(found->link, "SET statement_timeout = '10s'"));
    }
    return found;
}

static Oid type_of(char letter)
{
    return letter == 'i'   ? OID_INT8
           : letter == 'r' ? OID_FLOAT8
           : letter == 'x' ? OID_BYTEA
                           : OID_TEXT;
}

struct arguments {
    int count;
    Oid types[ARGUMENTS_MOST];
    const char *at[ARGUMENTS_MOST];
};

static void gather(const struct by_hand_question *question, struct arena *arena,
                   struct arguments *ret_arguments)
{
    *ret_arguments = (struct arguments){0};
    for (size_t i = 0; i < question->count && i + 1 < ARGUMENTS_MOST; i++) {
        struct slice argument = question->arguments[i];
        char letter = argument.length > 0 ? argument.at[0] : 't';
        ret_arguments->types[i] = type_of(letter);
        ret_arguments->at[i] = arena_print(arena, "%s%.*s", letter == 'x' ? "\\x" : "",
                                           SLICE_ARGS(slice_from(argument, 1)));
        ret_arguments->count++;
    }
    if (question->rows > 0) {
        ret_arguments->types[ret_arguments->count] = OID_INT8;
        ret_arguments->at[ret_arguments->count++] = arena_print(arena, "%zu", question->rows);
    }
}

static bool prepare(struct link *link, const struct by_hand_question *question, const char *name,
                    const struct arguments *arguments)
{
    if (link->prepared[question->number]) {
        return true;
    }
    PGresult *result =
        PQprepare(link->link, name, question->sql.at, arguments->count, arguments->types);
    link->prepared[question->number] = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!link->prepared[question->number]) {
        fprintf(stderr, "by hand: %s: %s\n", name, PQerrorMessage(link->link));
    }
    PQclear(result);
    return link->prepared[question->number];
}

enum status by_hand_postgres(const struct connection *connection,
                             const struct by_hand_question *question, struct arena *arena,
                             int64_t *ret_numbers, size_t *ret_count)
{
    struct link *link = link_of(connection);
    struct arguments arguments;
    char name[32];
    if (link == NULL || PQstatus(link->link) != CONNECTION_OK) {
        return STATUS_IO;
    }
    snprintf(name, sizeof(name), "by_hand_%zu", question->number);
    gather(question, arena, &arguments);
    if (!prepare(link, question, name, &arguments)) {
        return STATUS_IO;
    }
    PGresult *result =
        PQexecPrepared(link->link, name, arguments.count, arguments.at, NULL, NULL, 0);
    bool fine = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!fine) {
        fprintf(stderr, "by hand: %s: %s\n", name, PQerrorMessage(link->link));
    }
    *ret_count = fine ? (size_t)PQntuples(result) : 0;
    bool places = fine && PQnfields(result) == 2;
    for (size_t i = 0; i < *ret_count; i++) {
        int64_t first = strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
        ret_numbers[i] =
            places ? first << PLACE_BITS | strtoll(PQgetvalue(result, (int)i, 1), NULL, 10) : first;
    }
    PQclear(result);
    return fine ? STATUS_OK : STATUS_IO;
}
