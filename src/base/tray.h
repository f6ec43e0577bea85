/* tray.h - a thread's free blocks of an arena: what was given back a moment ago is given again.
 *
 * Overwriting takes a block and gives one of about the same size back, a moment later. So blocks
 * that come back lie on shelves, one for each size class, as refs: neither they nor the allocator's
 * tables are touched.
 *
 * Thread: a tray belongs to one. Memory: what lies on it is at most TRAY_SHARE's part of the arena,
 *         and is given to everybody by kw_tray_flush().
 * See also: arena.h.
 */
#ifndef KW_BASE_TRAY_H
#define KW_BASE_TRAY_H

#include "base/arena.h"

enum { KW_SHELVES = 20 /* size classes up to 1 KiB */ };

struct kw_shelf {
    uint32_t *refs; /* owned */
    uint32_t count;
    uint32_t capacity;
};

struct kw_tray {
    struct kw_arena *arena; /* NULL: closed */
    unsigned number;        /* of the allocator's own store, for what is not on shelves */
    size_t bytes;           /* on all shelves */
    size_t bytes_max;
    struct kw_shelf shelves[KW_SHELVES];
};

void kw_tray_open(struct kw_tray *tray, struct kw_arena *arena);
void kw_tray_close(struct kw_tray *tray);

/* As kw_arena_get() and kw_arena_put(). */
void *kw_tray_get(struct kw_tray *tray, size_t size_bytes);
void kw_tray_put(struct kw_tray *tray, void *block, size_t size_bytes);

/* Give all that is free to everybody: for threads that idle, and when there is no block left. */
void kw_tray_flush(struct kw_tray *tray);

#endif
