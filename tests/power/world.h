/* SPDX-License-Identifier: MIT */
/* The world outside: what it was told by a process that then lost its power, and what it asks of
 * the one that comes after. */
#ifndef CARELAYER_TESTS_POWER_WORLD_H
#define CARELAYER_TESTS_POWER_WORLD_H

#include "api/api.h"
#include "vfs_power.h"

#define WORLD_SEGMENT ((size_t)8 << 10) /* of the access log: small, so that many are begun */

#define WORLD_WRITERS  2 /* threads that PUT and DELETE keys of their own */
#define WORLD_BUNDLERS 2 /* threads that send transactions of three linked resources */
#define WORLD_READERS  2
#define WORLD_KEYS     24 /* of each such thread */
#define WORLD_BUNDLES  96 /* transactions in a file to import */
#define WORLD_IMPORTS  60 /* such files */

enum told_kind {
    TOLD_PUT,          /* Patient KEY has VERSION with HASH */
    TOLD_DELETED,      /* VERSION of Patient KEY is its tombstone */
    TOLD_TRANSACTION,  /* the three resources of KEY have one more version */
    TOLD_READ,         /* was answered with VERSION and HASH */
    TOLD_LOOKED,       /* something was answered that disclosed no single version */
    TOLD_IMPORTED,     /* file KEY is in */
    TOLD_REPLACED,     /* the replaced file holds VERSION */
    TOLD_READY,        /* segments of the access log up to VERSION are allocated */
    TOLD_BACKUP_BEGUN, /* number KEY */
    TOLD_BACKUP,
    TOLD_FAILED, /* an answer was none of those expected; VERSION is its HTTP status */
};

/* One line to the world: written at once, after the answer. */
struct told {
    uint64_t request, hash;
    uint32_t kind, key, version, count;
};

struct world {
    char root[160], folder[200], replaced[200];
    struct definitions *definitions;
    uint64_t seed;
    const char *ignored; /* syncs that do nothing */
    uint32_t round, import;
    bool backs_up;     /* this round */
    struct told *told; /* of this folder's life */
    size_t told_count, told_capacity, round_begins;
};

/* "Patient", "x12-3": the resource that a told one is about; PART 0..2 of a transaction's. */
struct name {
    const char *type;
    char id[32];
};
struct name world_name(const struct told *told, uint32_t part);
struct name world_imported(uint32_t file, uint32_t bundle, uint32_t part);

uint64_t world_hash(struct slice bytes);
void world_import_path(const struct world *world, uint32_t file, char ret_path[static 256]);
void world_backup_path(const struct world *world, uint32_t number, char ret_path[static 256]);

/* Works on the folder until the lights go out; what is acknowledged goes to PIPE. ON_SYSTEM: on the
 * operating system's own disk. */
_Noreturn void world_round(const struct world *world, int pipe, bool on_system);

/* Looks at what is left, with the machine as it is. False: something is lost; it was printed. */
bool world_verify(const struct world *world, bool everything);

#endif
