/* arena.h - a heap of its own, over one range of addresses, with a ceiling that holds.
 *
 * All blocks of an arena come from one reserved range, so that 32 bits name a block (a ref), and
 * everything that makes the arena larger is asked here first: the bytes of its pages, used or
 * torn by fragmentation, never exceed the ceiling. A block that would need more is refused.
 *
 * Thread: any; a tray belongs to one thread. Memory: blocks are the caller's until given back; a
 *         range stays mapped until kw_arena_deinit(), so a late reader of a freed block reads
 *         nonsense but never faults.
 * See also: mem.h (the heap of everything else).
 */
#ifndef KW_BASE_ARENA_H
#define KW_BASE_ARENA_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KW_ARENA_UNIT_BYTES = 16 }; /* what a ref counts; the smallest distance of two blocks */

struct kw_arena_options {
    size_t ceiling_bytes; /* of everything: blocks, their rounding, torn pages, bookkeeping */
    bool has_huge_pages;  /* ask the kernel for huge pages; harmless where it has none */
    bool is_locked;       /* keep the pages in memory */
};

struct kw_arena {
    char *base; /* what refs count from; nothing is ever at ref 0 */
    struct kw_arena_pages *pages;
};

struct kw_arena_figures {
    size_t allocated_bytes; /* blocks, rounded up to their size classes */
    size_t resident_bytes;  /* pages of blocks and of bookkeeping, as the allocator counts them */
    size_t mapped_bytes;    /* taken from the range so far: never above the ceiling */
};

/* Reserve a range and make ARENA a heap over it.
 *
 * Returns KW_OK; KW_E_INVALID when the ceiling is below 1 MiB or above what refs can name;
 *         KW_E_SYSTEM when the system has no such range, or may not lock it.
 */
KW_CHECK enum kw_status kw_arena_init(struct kw_arena *arena,
                                      const struct kw_arena_options *options);

/* Give everything back, blocks and all. */
void kw_arena_deinit(struct kw_arena *arena);

/* A thread's store of small free blocks: allocating from it takes no lock. */
unsigned kw_arena_tray_new(struct kw_arena *arena);
void kw_arena_tray_free(struct kw_arena *arena, unsigned tray);

/* Give what TRAY keeps to everybody: for threads that idle, and when there is no block left. */
void kw_arena_tray_flush(struct kw_arena *arena, unsigned tray);

/* SIZE bytes, uninitialised, or NULL when the ceiling is reached. */
void *kw_arena_get(struct kw_arena *arena, unsigned tray, size_t size_bytes);

/* The same from no tray: the lowest place for a block of its size. Slower. */
void *kw_arena_get_low(struct kw_arena *arena, size_t size_bytes);
void kw_arena_put_low(struct kw_arena *arena, void *block, size_t size_bytes);

/* Give a BLOCK of SIZE bytes, as it was asked for, back. */
void kw_arena_put(struct kw_arena *arena, unsigned tray, void *block, size_t size_bytes);

/* True when BLOCK came from ARENA. */
bool kw_arena_has(const struct kw_arena *arena, const void *block);

/* What a block of SIZE bytes really takes. */
size_t kw_arena_block_bytes(size_t size_bytes);

/* Costs some microseconds. */
struct kw_arena_figures kw_arena_figures(const struct kw_arena *arena);

/* The ceiling of blocks and their pages: what is left after bookkeeping. */
size_t kw_arena_room_bytes(const struct kw_arena *arena);

static inline uint32_t kw_arena_ref(const struct kw_arena *arena, const void *block)
{
    return (uint32_t)((size_t)((const char *)block - arena->base) / KW_ARENA_UNIT_BYTES);
}

static inline void *kw_arena_at(const struct kw_arena *arena, uint32_t ref)
{
    return arena->base + (size_t)ref * KW_ARENA_UNIT_BYTES;
}

#endif
