/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(at, size) ASAN_POISON_MEMORY_REGION((at), (size))
#define SHOW(at, size) ASAN_UNPOISON_MEMORY_REGION((at), (size))
#else
#define HIDE(at, size) ((void)(at), (void)(size))
#define SHOW(at, size) ((void)(at), (void)(size))
#endif

#define ALIGNMENT   ((size_t)16)
#define CHUNK_FIRST ((size_t)16 << 10)
#define CHUNK_MOST  ((size_t)1 << 20)
#define BLOCK_MOST  ((size_t)1 << 39) /* nobody means more: an overflow somewhere */

struct chunk {
    struct chunk *before;
    size_t size; /* of the whole block, this header included */
};

struct deferred {
    void (*release)(void *thing);
    void *thing;
    struct deferred *before;
};

/* Lives at the head of its own first chunk: one malloc makes an arena. */
struct arena {
    char *at;  /* next free byte of the current chunk */
    char *end; /* its end */
    size_t total;
    size_t limit; /* SIZE_MAX: none */
    bool full;
    bool counted;        /* against the global budget */
    struct chunk *chunk; /* current, newest */
    struct chunk *first;
    struct chunk *spare; /* one rewound chunk, so that a loop over a boundary does not malloc */
    struct deferred *deferred;
    char *floor; /* newest mark: what lies before it must not move or grow */
    struct chunk *floor_chunk;
};

#define CHUNK_HEAD ((sizeof(struct chunk) + ALIGNMENT - 1) & ~(ALIGNMENT - 1))
#define ARENA_HEAD ((sizeof(struct arena) + ALIGNMENT - 1) & ~(ALIGNMENT - 1))

static _Atomic size_t budget = (size_t)1 << 30;
static _Atomic size_t budget_used;
static _Atomic unsigned long fail_after;

void arena_budget_set(size_t bytes)
{
    atomic_store(&budget, bytes);
}

size_t arena_budget_used(void)
{
    return atomic_load(&budget_used);
}

unsigned long arena_fail_after(unsigned long count)
{
    return atomic_exchange(&fail_after, count);
}

static bool budget_take(size_t size)
{
    size_t before = atomic_fetch_add_explicit(&budget_used, size, memory_order_relaxed);
    if (before + size > atomic_load_explicit(&budget, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(&budget_used, size, memory_order_relaxed);
        return false;
    }
    return true;
}

static void budget_give(size_t size)
{
    atomic_fetch_sub_explicit(&budget_used, size, memory_order_relaxed);
}

static struct chunk *chunk_take(size_t size, bool counted)
{
    if (counted && !budget_take(size)) {
        return NULL;
    }
    struct chunk *chunk = malloc(size);
    if (chunk == NULL) {
        if (counted) {
            budget_give(size);
        }
        return NULL;
    }
    chunk->before = NULL;
    chunk->size = size;
    HIDE((char *)chunk + CHUNK_HEAD, size - CHUNK_HEAD);
    return chunk;
}

static void chunk_give(struct chunk *chunk, bool counted)
{
    if (chunk == NULL) {
        return;
    }
    if (counted) {
        budget_give(chunk->size);
    }
    SHOW(chunk, chunk->size);
    free(chunk);
}

static void enter_chunk(struct arena *arena, struct chunk *chunk, size_t used)
{
    arena->chunk = chunk;
    arena->at = (char *)chunk + used;
    arena->end = (char *)chunk + chunk->size;
}

struct arena *arena_create(size_t limit)
{
    struct chunk *chunk = chunk_take(CHUNK_FIRST, limit != 0);
    if (chunk == NULL) {
        return NULL;
    }
    struct arena *arena = (struct arena *)(void *)((char *)chunk + CHUNK_HEAD);
    SHOW(arena, sizeof *arena);
    *arena = (struct arena){.limit = limit != 0 ? limit : SIZE_MAX, .counted = limit != 0};
    arena->first = chunk;
    enter_chunk(arena, chunk, CHUNK_HEAD + ARENA_HEAD);
    arena->floor = arena->at;
    arena->floor_chunk = NULL;
    return arena;
}

static void run_deferred(struct arena *arena, const struct deferred *until)
{
    while (arena->deferred != until) {
        struct deferred *deferred = arena->deferred;
        arena->deferred = deferred->before;
        deferred->release(deferred->thing);
    }
}

/* Back to chunk KEEP; the largest chunk of modest size left over becomes the spare. */
static void drop_chunks(struct arena *arena, const struct chunk *keep)
{
    while (arena->chunk != keep) {
        struct chunk *chunk = arena->chunk;
        arena->chunk = chunk->before;
        if (chunk->size <= CHUNK_MOST &&
            (arena->spare == NULL || arena->spare->size < chunk->size)) {
            struct chunk *smaller = arena->spare;
            arena->spare = chunk;
            HIDE((char *)chunk + CHUNK_HEAD, chunk->size - CHUNK_HEAD);
            chunk = smaller;
        }
        chunk_give(chunk, arena->counted);
    }
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    run_deferred(arena, NULL);
    drop_chunks(arena, arena->first);
    chunk_give(arena->spare, arena->counted);
    chunk_give(arena->first, arena->counted);
}

void arena_reset(struct arena *arena, size_t limit)
{
    run_deferred(arena, NULL);
    drop_chunks(arena, arena->first);
    chunk_give(arena->spare, arena->counted);
    arena->spare = NULL;
    bool counted = limit != 0;
    if (counted && !arena->counted) {
        atomic_fetch_add(&budget_used, arena->first->size);
    } else if (!counted && arena->counted) {
        budget_give(arena->first->size);
    }
    arena->counted = counted;
    arena->limit = counted ? limit : SIZE_MAX;
    arena->total = 0;
    arena->full = false;
    enter_chunk(arena, arena->first, CHUNK_HEAD + ARENA_HEAD);
    HIDE(arena->at, (size_t)(arena->end - arena->at));
    arena->floor = arena->at;
    arena->floor_chunk = NULL;
}

static bool add_chunk(struct arena *arena, size_t need)
{
    struct chunk *chunk = arena->spare;
    if (chunk != NULL && chunk->size - CHUNK_HEAD >= need) {
        arena->spare = NULL;
    } else {
        size_t size = arena->chunk->size < CHUNK_MOST / 2 ? arena->chunk->size * 2 : CHUNK_MOST;
        if (size - CHUNK_HEAD < need) {
            size = need + CHUNK_HEAD;
        }
        chunk = chunk_take(size, arena->counted);
        if (chunk == NULL) {
            return false;
        }
    }
    chunk->before = arena->chunk;
    enter_chunk(arena, chunk, CHUNK_HEAD);
    return true;
}

/* Several threads may get here while one is left to count: only one of them counts it. */
static bool count_down(void)
{
    unsigned long left = atomic_load(&fail_after);
    while (left > 0 && !atomic_compare_exchange_weak(&fail_after, &left, left - 1)) {
    }
    return left == 1;
}

/* Is this allocation the one that a test wants to fail? */
static inline bool must_fail(void)
{
    return __builtin_expect(atomic_load_explicit(&fail_after, memory_order_relaxed) != 0, 0) &&
           count_down();
}

/* Where there is more to it than moving AT on. */
static __attribute__((noinline)) void *alloc_slowly(struct arena *arena, size_t size)
{
    size_t need = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (arena->full || size > BLOCK_MOST || must_fail() || need > arena->limit - arena->total) {
        arena->full = true;
        return NULL;
    }
    if (need > (size_t)(arena->end - arena->at)) {
        if (!add_chunk(arena, need)) {
            arena->full = true;
            return NULL;
        }
    }
    void *at = arena->at;
    arena->at += need;
    arena->total += need;
    SHOW(at, size);
    return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    char *at = arena->at;
    /* Chunks begin and end aligned: where SIZE fits, so does what it needs. */
    if (size > (size_t)(arena->end - at) || need > arena->limit - arena->total || arena->full ||
        atomic_load_explicit(&fail_after, memory_order_relaxed) != 0) {
        return alloc_slowly(arena, size);
    }
    arena->at = at + need;
    arena->total += need;
    SHOW(at, size);
    return at;
}

void *arena_zero(struct arena *arena, size_t size)
{
    void *at = arena_alloc(arena, size);
    if (at != NULL) {
        memset(at, 0, size);
    }
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->full = true;
        return NULL;
    }
    return arena_zero(arena, bytes);
}

/* The block is alone in its chunk: let realloc move the pages instead of copying them. */
static void *resize_chunk(struct arena *arena, size_t old_need, size_t new_need)
{
    struct chunk *chunk = arena->chunk;
    size_t old_size = chunk->size;
    size_t new_size = new_need + CHUNK_HEAD;
    if (new_need > SIZE_MAX - CHUNK_HEAD || (arena->counted && !budget_take(new_size - old_size))) {
        return NULL;
    }
    SHOW(chunk, old_size);
    struct chunk *moved = realloc(chunk, new_size);
    if (moved == NULL) {
        if (arena->counted) {
            budget_give(new_size - old_size);
        }
        return NULL;
    }
    moved->size = new_size;
    enter_chunk(arena, moved, new_size);
    arena->total += new_need - old_need;
    return (char *)moved + CHUNK_HEAD;
}

void *arena_resize(struct arena *arena, void *at, size_t old_size, size_t new_size)
{
    size_t old_need = (old_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    size_t new_need = (new_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    bool marked = arena->floor_chunk == arena->chunk;
    bool last = at != NULL && (char *)at + old_need == arena->at &&
                (char *)at >= (char *)arena->chunk && (!marked || (char *)at >= arena->floor);
    if (at == NULL || (!last && new_size > old_size)) {
        void *copy = arena_alloc(arena, new_size);
        if (copy != NULL && old_size > 0) {
            memcpy(copy, at, old_size);
        }
        return copy;
    }
    if (!last) {
        return at;
    }
    if (new_need <= old_need) {
        arena->at -= old_need - new_need;
        arena->total -= old_need - new_need;
        HIDE((char *)at, old_need);
        SHOW(at, new_size);
        return at;
    }
    size_t more = new_need - old_need;
    if (arena->full || new_size > BLOCK_MOST || must_fail() || more > arena->limit - arena->total) {
        arena->full = true;
        return NULL;
    }
    if (more <= (size_t)(arena->end - arena->at)) {
        arena->at += more;
        arena->total += more;
        SHOW(at, new_size);
        return at;
    }
    if ((char *)at == (char *)arena->chunk + CHUNK_HEAD && arena->chunk != arena->first &&
        !marked) {
        void *moved = resize_chunk(arena, old_need, new_need);
        arena->full = moved == NULL;
        return moved;
    }
    void *copy = arena_alloc(arena, new_size);
    if (copy != NULL) {
        memcpy(copy, at, old_size);
    }
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *at = bytes.length < SIZE_MAX ? arena_alloc(arena, bytes.length + 1) : NULL;
    if (at == NULL) {
        return (struct slice){NULL, 0};
    }
    if (bytes.length > 0) {
        memcpy(at, bytes.at, bytes.length);
    }
    at[bytes.length] = '\0';
    return (struct slice){at, bytes.length};
}

const char *arena_print(struct arena *arena, const char *format, ...)
{
    char small[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    char *at = arena_alloc(arena, (size_t)length + 1);
    if (at == NULL) {
        return "";
    }
    if ((size_t)length < sizeof small) {
        memcpy(at, small, (size_t)length + 1);
        return at;
    }
    va_start(arguments, format);
    (void)vsnprintf(at, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return at;
}

enum status arena_defer(struct arena *arena, void (*release)(void *thing), void *thing)
{
    struct deferred *deferred = arena_alloc(arena, sizeof *deferred);
    if (deferred == NULL) {
        release(thing);
        return STATUS_TOO_COSTLY;
    }
    *deferred = (struct deferred){release, thing, arena->deferred};
    arena->deferred = deferred;
    return STATUS_OK;
}

bool arena_full(const struct arena *arena)
{
    return arena->full;
}

void arena_fail(struct arena *arena)
{
    arena->full = true;
}

size_t arena_used(const struct arena *arena)
{
    return arena->total;
}

size_t arena_limit(const struct arena *arena)
{
    return arena->counted ? arena->limit : 0;
}

void arena_raise(struct arena *arena, size_t limit)
{
    if (arena->counted && limit > arena->limit) {
        arena->limit = limit;
    }
}

struct arena_mark arena_mark(struct arena *arena)
{
    arena->floor = arena->at;
    arena->floor_chunk = arena->chunk;
    return (struct arena_mark){.chunk = arena->chunk,
                               .used = (size_t)(arena->at - (char *)arena->chunk),
                               .deferred = arena->deferred,
                               .total = arena->total};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    if (arena->deferred != mark.deferred) {
        run_deferred(arena, mark.deferred);
    }
    if (arena->chunk != mark.chunk) {
        drop_chunks(arena, mark.chunk);
    }
    enter_chunk(arena, mark.chunk, mark.used);
    HIDE(arena->at, (size_t)(arena->end - arena->at));
    arena->total = mark.total;
    arena->floor = arena->at;
    arena->floor_chunk = arena->chunk;
}
