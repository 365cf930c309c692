/* SPDX-License-Identifier: MIT */
/* Arenas: memory with one of four lifetimes (process, connection, request, scratch).
 *
 * An arena is bounded. When it is full it is *sticky*: that and every later allocation gives NULL,
 * buffers in it ignore writes, and arena_full() says so; the code in between need not look at each
 * step, only before it trusts the result. Nothing in an arena is freed by hand: arena_destroy, or
 * arena_rewind for scratch, ends everything at once. One thread at a time. */
#ifndef CARELAYER_BASE_ARENA_H
#define CARELAYER_BASE_ARENA_H

#include "slice.h"
#include "status.h"

struct arena;

/* Bounds of a request's arena (DESIGN 5): 4 MiB + 8 x body. */
#define ARENA_REQUEST_BASE   ((size_t)4 << 20)
#define ARENA_REQUEST_FACTOR 8

/* An arena that gives out at most LIMIT bytes in all; 0 is no limit (process lifetime only).
 * Chunks are taken as needed and count against the global budget. NULL when the budget or the
 * machine has no memory left: answer STATUS_MEMORY. */
struct arena *arena_create(size_t limit);

/* Runs the deferred calls, newest first, and gives the memory back. NULL is allowed. */
void arena_destroy(struct arena *arena);

/* As after arena_create, but keeps the first chunk: cheap reuse between requests. */
void arena_reset(struct arena *arena, size_t limit);

/* SIZE bytes aligned for any type, not cleared; NULL once the arena is full. SIZE 0 gives a
 * valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc, cleared to zero. */
void *arena_zero(struct arena *arena, size_t size);

/* COUNT things of SIZE bytes, cleared; NULL also when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* One cleared struct of this type. */
#define ARENA_NEW(arena, type) ((type *)arena_zero((arena), sizeof(type)))

/* Makes the block AT (OLD_SIZE bytes, from this arena) NEW_SIZE bytes long: in place when it was
 * the last allocation and fits, else a copy. NULL once full; the old block stays valid. */
void *arena_resize(struct arena *arena, void *at, size_t old_size, size_t new_size);

/* A copy of the bytes with a NUL after them (not counted in length). On a full arena the empty
 * slice with at == NULL. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

/* printf into the arena, NUL-terminated; "" (static) when full. */
const char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls RELEASE(THING) when the arena is destroyed, reset, or rewound past this point: for
 * statements, descriptors and locks. When even this does not fit, RELEASE runs at once and the
 * answer is STATUS_TOO_COSTLY. */
MUST_CHECK enum status arena_defer(struct arena *arena, void (*release)(void *thing), void *thing);

/* Did an allocation fail since creation or reset? */
bool arena_full(const struct arena *arena);

/* Marks the arena as full by hand: a library reported no memory, say. */
void arena_fail(struct arena *arena);

/* Bytes given out so far (after rewinds), and the limit it was made with. */
size_t arena_used(const struct arena *arena);
size_t arena_limit(const struct arena *arena);

/* Raises the limit: the body of a request turned out longer. Never lowers it. */
void arena_raise(struct arena *arena, size_t limit);

/* Scratch: everything allocated or deferred after the mark ends at the rewind. */
struct arena_mark {
    void *chunk;
    size_t used;
    void *deferred;
    size_t total;
};
struct arena_mark arena_mark(struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* The global budget in bytes over all bounded arenas (default 1 GiB); past it arena_alloc fails
 * and arena_create gives NULL. Set once at start. */
void arena_budget_set(size_t bytes);
size_t arena_budget_used(void);

/* Fault injection for tests: the COUNT-th arena allocation from now (1 = the next) fails once, in
 * whichever arena and on whichever thread; 0 switches it off. Gives how many were still to come of
 * the COUNT before: 0 when that failure has happened. */
unsigned long arena_fail_after(unsigned long count);

#endif
