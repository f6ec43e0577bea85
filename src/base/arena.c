/* arena.c - a jemalloc arena whose pages come from one range, counted.
 *
 *     base ------------------------------------------------------------- base + range
 *     | bookkeeping blocks and extents, handed out upwards | never touched          |
 *     ^ refs count from here                               ^ taken_bytes
 *
 * jemalloc asks arena_extent_alloc() for every page. Nothing is ever returned to the system: pages
 * of freed blocks stay the arena's and are merged at once (decay 0, all purging refused), so a
 * full arena hands out what it has without a system call. What is refused is refused for good
 * until blocks are freed: who allocates makes room and tries again.
 *
 * The first block is jemalloc's own bookkeeping, of which only touched pages are resident. Those
 * are not seen here, so a part of the ceiling is set aside for them (BOOK_*), and the range is
 * larger than the ceiling by the addresses such blocks take.
 *
 * Sanitizer builds have no jemalloc: there a map of used units and a search for the next gap stand
 * in for it, slow, but with poisoned free blocks, so that a late read is seen.
 *
 * INVARIANTS
 * I1  Extents handed out never add up to more than room_bytes.
 * I2  A block's offset from base is a multiple of 16 and above 0 (but for blocks of 8 bytes).
 * I3  Size classes are what kw_arena_block_bytes() takes them to be.
 *
 * Cost: kw_arena_get and _put are O(1); 40-60 ns, less from a tray.
 */
#include "base/arena.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
    BOOK_MIN_BYTES = 256 * 1024, /* an arena's own struct and first tables: 150 KiB seen */
    BOOK_SHARE = 32,             /* 128 bytes for a slab of 4 KiB */
    BOOK_RANGE_BYTES = 2 * 1024 * 1024,
    CEILING_MIN_BYTES = 1024 * 1024,
    PIECES_MAX = 64,
    PIECE_MIN_BYTES = 32 * 1024,
    PIECE_STEP = 16,
    CLASS_MIN_BYTES = 9, /* size classes: 16 bytes apart up to 128, then a quarter of an octave */
    CLASS_LINEAR_BYTES = 128,
    CLASS_MAX_BYTES = 8192
};

static const size_t ceiling_max_bytes = (size_t)60 << 30; /* refs name 64 GiB */

#ifndef KW_NO_JEMALLOC
#include <jemalloc/jemalloc.h>

struct kw_arena_pages {
    extent_hooks_t hooks; /* first: the hooks are given a pointer to it */
    char *range;
    size_t range_bytes;
    size_t room_bytes;
    _Atomic size_t taken_bytes;   /* addresses handed out */
    _Atomic size_t extents_bytes; /* of these, what is not bookkeeping */
    unsigned number;              /* of jemalloc's arena */
};
#else
#include <pthread.h>

struct kw_arena_pages {
    char *range;
    size_t range_bytes;
    size_t room_bytes;
    size_t units_count;
    size_t unit_next; /* where the last search ended */
    size_t allocated_bytes;
    size_t highest_bytes; /* most that was allocated at a time */
    pthread_mutex_t lock;
    uint64_t *used; /* a bit for each unit */
};
#endif

static enum kw_status pages_reserve(struct kw_arena_pages *pages,
                                    const struct kw_arena_options *options);
static enum kw_status pages_open(struct kw_arena_pages *pages);
static void pages_close(struct kw_arena_pages *pages);

enum kw_status kw_arena_init(struct kw_arena *arena, const struct kw_arena_options *options)
{
    *arena = (struct kw_arena){0};
    if (options->ceiling_bytes < CEILING_MIN_BYTES || options->ceiling_bytes > ceiling_max_bytes) {
        return KW_E_INVALID;
    }
    struct kw_arena_pages *pages = kw_alloc_zero(1, sizeof *pages);
    enum kw_status status = pages_reserve(pages, options);
    if (status != KW_OK) {
        kw_free(pages);
        return status;
    }
    status = pages_open(pages);
    if (status != KW_OK) {
        munmap(pages->range, pages->range_bytes);
        kw_free(pages);
        return status;
    }
    arena->base = pages->range;
    arena->pages = pages;
    return KW_OK;
}

void kw_arena_deinit(struct kw_arena *arena)
{
    if (arena->pages != NULL) {
        pages_close(arena->pages);
        munmap(arena->pages->range, arena->pages->range_bytes);
        kw_free(arena->pages);
    }
    *arena = (struct kw_arena){0};
}

bool kw_arena_has(const struct kw_arena *arena, const void *block)
{
    return (uintptr_t)block - (uintptr_t)arena->pages->range < arena->pages->range_bytes;
}

size_t kw_arena_room_bytes(const struct kw_arena *arena)
{
    return arena->pages->room_bytes;
}

static enum kw_status pages_reserve(struct kw_arena_pages *pages,
                                    const struct kw_arena_options *options)
{
    size_t book_bytes = BOOK_MIN_BYTES + options->ceiling_bytes / BOOK_SHARE;

    /* Bookkeeping comes in blocks of 2 MiB at addresses that are multiples of it. */
    pages->range_bytes =
        options->ceiling_bytes + (3 + book_bytes / BOOK_RANGE_BYTES) * (size_t)BOOK_RANGE_BYTES;
    pages->room_bytes = (options->ceiling_bytes - book_bytes) & ~(size_t)4095;
    pages->range = mmap(NULL, pages->range_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages->range == MAP_FAILED) {
        return KW_E_SYSTEM;
    }
    if (options->has_huge_pages) {
        /* A kernel without them says no, and small pages do. */
        (void)madvise(pages->range, pages->range_bytes, MADV_HUGEPAGE);
    }
    if (options->is_locked && mlock2(pages->range, pages->range_bytes, MLOCK_ONFAULT) != 0) {
        munmap(pages->range, pages->range_bytes);
        return KW_E_SYSTEM;
    }
    return KW_OK;
}

#ifndef KW_NO_JEMALLOC
static void *arena_extent_alloc(extent_hooks_t *hooks, void *wanted, size_t size_bytes,
                                size_t alignment, bool *zero, bool *commit, unsigned number);
static bool arena_extent_split(extent_hooks_t *hooks, void *address, size_t size_bytes, size_t a,
                               size_t b, bool is_committed, unsigned number);
static bool arena_extent_merge(extent_hooks_t *hooks, void *a, size_t a_bytes, void *b,
                               size_t b_bytes, bool is_committed, unsigned number);
static void pages_carve(struct kw_arena_pages *pages);
static size_t pages_read(const struct kw_arena_pages *pages, const char *what);

unsigned kw_arena_tray_new(struct kw_arena *arena)
{
    unsigned tray = 0;
    size_t size_bytes = sizeof tray;

    KW_ASSERT(arena->pages != NULL);
    int failed = mallctl("tcache.create", &tray, &size_bytes, NULL, 0);
    KW_ASSERT(failed == 0);
    return tray;
}

void kw_arena_tray_free(struct kw_arena *arena, unsigned tray)
{
    KW_ASSERT(arena->pages != NULL);
    mallctl("tcache.destroy", NULL, NULL, &tray, sizeof tray);
}

void kw_arena_tray_flush(struct kw_arena *arena, unsigned tray)
{
    KW_ASSERT(arena->pages != NULL);
    mallctl("tcache.flush", NULL, NULL, &tray, sizeof tray);
}

void *kw_arena_get(struct kw_arena *arena, unsigned tray, size_t size_bytes)
{
    return mallocx(size_bytes, MALLOCX_ARENA(arena->pages->number) | MALLOCX_TCACHE(tray));
}

void kw_arena_put(struct kw_arena *arena, unsigned tray, void *block, size_t size_bytes)
{
    KW_ASSERT((size_t)((char *)block - arena->base) < arena->pages->range_bytes);
    sdallocx(block, size_bytes, MALLOCX_TCACHE(tray));
}

void *kw_arena_get_low(struct kw_arena *arena, size_t size_bytes)
{
    /* jemalloc fills the lowest slab with a hole, and cuts a new one off the lowest free run. */
    return mallocx(size_bytes, MALLOCX_ARENA(arena->pages->number) | MALLOCX_TCACHE_NONE);
}

void kw_arena_put_low(struct kw_arena *arena, void *block, size_t size_bytes)
{
    KW_ASSERT((size_t)((char *)block - arena->base) < arena->pages->range_bytes);
    sdallocx(block, size_bytes, MALLOCX_TCACHE_NONE);
}

/* As nallocx(), which takes as long as all else of a put: I3. */
size_t kw_arena_block_bytes(size_t size_bytes)
{
    if (size_bytes - CLASS_MIN_BYTES > CLASS_MAX_BYTES - CLASS_MIN_BYTES) {
        return nallocx(size_bytes, 0);
    }
    unsigned bits = 63 - (unsigned)__builtin_clzll((size_bytes - 1) | CLASS_LINEAR_BYTES >> 1);
    size_t step = (size_t)1 << (bits - 2);
    return (size_bytes + step - 1) & ~(step - 1);
}

struct kw_arena_figures kw_arena_figures(const struct kw_arena *arena)
{
    struct kw_arena_figures figures = {0};
    uint64_t epoch = 1;

    /* The statistics are cached until the epoch moves. */
    mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    figures.allocated_bytes =
        pages_read(arena->pages, "small.allocated") + pages_read(arena->pages, "large.allocated");
    figures.resident_bytes = pages_read(arena->pages, "resident");
    figures.mapped_bytes = atomic_load(&arena->pages->extents_bytes);
    return figures;
}

static enum kw_status pages_open(struct kw_arena_pages *pages)
{
    extent_hooks_t *hooks = &pages->hooks;
    size_t size_bytes = sizeof pages->number;
    ssize_t decay_ms = 0;
    char name[64];

    /* What is NULL is refused: nothing is unmapped, decommitted or purged. */
    *hooks = (extent_hooks_t){
        .alloc = arena_extent_alloc, .split = arena_extent_split, .merge = arena_extent_merge};
    for (size_t size = CLASS_MIN_BYTES; size <= CLASS_MAX_BYTES; size = nallocx(size, 0) + 1) {
        KW_ASSERT(kw_arena_block_bytes(size) == nallocx(size, 0)); /* I3 */
        KW_ASSERT(kw_arena_block_bytes(nallocx(size, 0)) == nallocx(size, 0));
    }
    pages->taken_bytes = 0;
    pages->number = UINT32_MAX;
    if (mallctl("arenas.create", &pages->number, &size_bytes, &hooks, sizeof hooks) != 0) {
        return KW_E_SYSTEM;
    }
    snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", pages->number);
    mallctl(name, NULL, NULL, &decay_ms, sizeof decay_ms);
    snprintf(name, sizeof name, "arena.%u.muzzy_decay_ms", pages->number);
    mallctl(name, NULL, NULL, &decay_ms, sizeof decay_ms);
    pages_carve(pages);
    return KW_OK;
}

static void pages_close(struct kw_arena_pages *pages)
{
    char name[64];

    snprintf(name, sizeof name, "arena.%u.destroy", pages->number);
    mallctl(name, NULL, NULL, NULL, 0);
}

/* jemalloc never merges across what it asked for at two times. So it is made to ask for all room at
 * once, in the fewest pieces that its size classes allow, before anything is torn. Addresses only:
 * nothing is touched.
 */
static void pages_carve(struct kw_arena_pages *pages)
{
    int flags = MALLOCX_ARENA(pages->number) | MALLOCX_TCACHE_NONE;
    void *pieces[PIECES_MAX];
    size_t pieces_count = 0;

    for (size_t size_bytes = pages->room_bytes; size_bytes >= PIECE_MIN_BYTES;) {
        void *piece = nallocx(size_bytes, 0) <= size_bytes + size_bytes / PIECE_STEP &&
                              pieces_count < PIECES_MAX
                          ? mallocx(size_bytes, flags)
                          : NULL;
        if (piece == NULL) {
            size_bytes -= size_bytes / PIECE_STEP;
        } else {
            pieces[pieces_count++] = piece;
        }
    }
    while (pieces_count > 0) {
        dallocx(pieces[--pieces_count], flags);
    }
}

/* Called by jemalloc, under locks of its own: must not allocate. */
/* long: the parameters are jemalloc's. */
static void *arena_extent_alloc(extent_hooks_t *hooks, void *wanted, size_t size_bytes,
                                size_t alignment, bool *zero, bool *commit, unsigned number)
{
    struct kw_arena_pages *pages = (struct kw_arena_pages *)hooks;
    /* Only bookkeeping asks for whole huge pages at the address of one. */
    bool is_book = alignment >= BOOK_RANGE_BYTES && size_bytes % BOOK_RANGE_BYTES == 0;
    size_t extents_bytes = 0;

    (void)number;
    if (wanted != NULL) {
        return NULL;
    }
    if (!is_book) {
        extents_bytes = atomic_fetch_add(&pages->extents_bytes, size_bytes) + size_bytes;
        if (extents_bytes > pages->room_bytes) { /* I1 */
            atomic_fetch_sub(&pages->extents_bytes, size_bytes);
            return NULL;
        }
    }
    size_t at = atomic_load(&pages->taken_bytes);
    size_t start = 0;
    do {
        uintptr_t address = (uintptr_t)pages->range + at;
        start = at + (size_t)(-address & (alignment - 1));
        if (start + size_bytes > pages->range_bytes) {
            if (!is_book) {
                atomic_fetch_sub(&pages->extents_bytes, size_bytes);
            }
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&pages->taken_bytes, &at, start + size_bytes));
    *zero = true;
    *commit = true;
    return pages->range + start;
}

/* long: the parameters are jemalloc's. */
static bool arena_extent_split(extent_hooks_t *hooks, void *address, size_t size_bytes, size_t a,
                               size_t b, bool is_committed, unsigned number)
{
    (void)hooks, (void)address, (void)size_bytes, (void)a, (void)b, (void)is_committed;
    (void)number;
    return false;
}

/* long: the parameters are jemalloc's. */
static bool arena_extent_merge(extent_hooks_t *hooks, void *a, size_t a_bytes, void *b,
                               size_t b_bytes, bool is_committed, unsigned number)
{
    (void)hooks, (void)a, (void)a_bytes, (void)b, (void)b_bytes, (void)is_committed, (void)number;
    return false;
}

static size_t pages_read(const struct kw_arena_pages *pages, const char *what)
{
    char name[64];
    size_t value = 0;
    size_t value_size = sizeof value;

    snprintf(name, sizeof name, "stats.arenas.%u.%s", pages->number, what);
    return mallctl(name, &value, &value_size, NULL, 0) == 0 ? value : 0;
}
#else

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define ARENA_POISON(block, size_bytes) __asan_poison_memory_region((block), (size_bytes))
#define ARENA_UNPOISON(block, size_bytes) __asan_unpoison_memory_region((block), (size_bytes))
#else
#define ARENA_POISON(block, size_bytes) ((void)(block), (void)(size_bytes))
#define ARENA_UNPOISON(block, size_bytes) ((void)(block), (void)(size_bytes))
#endif

static size_t units_find(struct kw_arena_pages *pages, size_t count);
static void units_mark(struct kw_arena_pages *pages, size_t first, size_t count, bool is_used);

unsigned kw_arena_tray_new(struct kw_arena *arena)
{
    KW_ASSERT(arena->pages != NULL);
    return 0;
}

void kw_arena_tray_free(struct kw_arena *arena, unsigned tray)
{
    (void)arena, (void)tray;
}

void kw_arena_tray_flush(struct kw_arena *arena, unsigned tray)
{
    (void)arena, (void)tray;
}

void *kw_arena_get(struct kw_arena *arena, unsigned tray, size_t size_bytes)
{
    struct kw_arena_pages *pages = arena->pages;
    size_t block_bytes = kw_arena_block_bytes(size_bytes);
    size_t count = block_bytes / KW_ARENA_UNIT_BYTES;
    void *block = NULL;

    (void)tray;
    pthread_mutex_lock(&pages->lock);
    size_t first = units_find(pages, count);
    if (first != 0) {
        units_mark(pages, first, count, true);
        pages->unit_next = first + count;
        pages->allocated_bytes += block_bytes;
        if (pages->allocated_bytes > pages->highest_bytes) {
            pages->highest_bytes = pages->allocated_bytes;
        }
        block = pages->range + first * KW_ARENA_UNIT_BYTES;
        ARENA_UNPOISON(block, size_bytes);
    }
    pthread_mutex_unlock(&pages->lock);
    return block;
}

void kw_arena_put(struct kw_arena *arena, unsigned tray, void *block, size_t size_bytes)
{
    struct kw_arena_pages *pages = arena->pages;
    size_t block_bytes = kw_arena_block_bytes(size_bytes);

    (void)tray;
    pthread_mutex_lock(&pages->lock);
    ARENA_POISON(block, block_bytes);
    units_mark(pages, kw_arena_ref(arena, block), block_bytes / KW_ARENA_UNIT_BYTES, false);
    pages->allocated_bytes -= block_bytes;
    pthread_mutex_unlock(&pages->lock);
}

void *kw_arena_get_low(struct kw_arena *arena, size_t size_bytes)
{
    struct kw_arena_pages *pages = arena->pages;

    pthread_mutex_lock(&pages->lock);
    pages->unit_next = 1;
    pthread_mutex_unlock(&pages->lock);
    return kw_arena_get(arena, 0, size_bytes);
}

void kw_arena_put_low(struct kw_arena *arena, void *block, size_t size_bytes)
{
    kw_arena_put(arena, 0, block, size_bytes);
}

size_t kw_arena_block_bytes(size_t size_bytes)
{
    size_t units = (size_bytes + KW_ARENA_UNIT_BYTES - 1) / KW_ARENA_UNIT_BYTES;

    return (units == 0 ? 1 : units) * KW_ARENA_UNIT_BYTES;
}

struct kw_arena_figures kw_arena_figures(const struct kw_arena *arena)
{
    struct kw_arena_pages *pages = arena->pages;

    pthread_mutex_lock(&pages->lock);
    struct kw_arena_figures figures = {.allocated_bytes = pages->allocated_bytes,
                                       .resident_bytes = pages->highest_bytes,
                                       .mapped_bytes = pages->highest_bytes};
    pthread_mutex_unlock(&pages->lock);
    return figures;
}

static enum kw_status pages_open(struct kw_arena_pages *pages)
{
    pages->units_count = pages->room_bytes / KW_ARENA_UNIT_BYTES;
    pages->unit_next = 1; /* I2 */
    pages->used = kw_alloc_zero(pages->units_count / 64 + 1, sizeof pages->used[0]);
    pthread_mutex_init(&pages->lock, NULL);
    return KW_OK;
}

static void pages_close(struct kw_arena_pages *pages)
{
    ARENA_UNPOISON(pages->range, pages->range_bytes);
    kw_free(pages->used);
    pthread_mutex_destroy(&pages->lock);
}

/* The first of COUNT free units; 0 when there are none (I1). */
static size_t units_find(struct kw_arena_pages *pages, size_t count)
{
    size_t starts[] = {pages->unit_next, 1};

    for (size_t i = 0; i < 2; i++) {
        size_t run = 0;
        for (size_t at = starts[i]; at < pages->units_count; at++) {
            uint64_t word = pages->used[at / 64];
            if (at % 64 == 0 && word == UINT64_MAX) {
                run = 0;
                at += 63;
                continue;
            }
            run = (word >> at % 64 & 1) != 0 ? 0 : run + 1;
            if (run == count) {
                return at + 1 - count;
            }
        }
    }
    return 0;
}

static void units_mark(struct kw_arena_pages *pages, size_t first, size_t count, bool is_used)
{
    for (size_t at = first; at < first + count; at++) {
        uint64_t bit = (uint64_t)1 << at % 64;
        KW_ASSERT(((pages->used[at / 64] & bit) == 0) == is_used);
        pages->used[at / 64] ^= bit;
    }
}
#endif
