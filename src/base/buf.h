/* buf.h - chains of reference-counted chunks: the one byte container between sockets and parsers.
 *
 * A chunk is a piece of memory from its worker's chunk pool. A buf is a queue of bytes over a chain
 * of chunks: append at the tail, consume at the front. A chunk may also be held by others than the
 * buf (a call keeps the bytes of its command until it is answered): it goes back to the pool with
 * its last reference. An empty buf holds no chunk, so idle connections cost nothing here (B1).
 *
 * Thread: the worker's; references are plain counters.
 * Memory: kw_buf_reset() or consuming gives chunks back; the pool keeps a bounded number of free
 *         ones and returns the rest to the heap.
 * See also: bytes.h (borrowed slices).
 */
#ifndef KW_BASE_BUF_H
#define KW_BASE_BUF_H

#include "base/apart.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/status.h"

#include <stdint.h>
#include <sys/uio.h>

/* Sizes of chunks, header included; the last class has any size and is never pooled. */
enum kw_chunk_class { KW_CHUNK_SMALL = 0, KW_CHUNK_MEDIUM, KW_CHUNK_LARGE, KW_CHUNK_EXACT };

struct kw_chunk_pool;

struct kw_chunk {
    struct kw_chunk *next;      /* in a buf's chain or the free list */
    struct kw_chunk_pool *pool; /* set once */
    struct kw_chunk *owner;     /* a window: the chunk that the bytes belong to, referenced. A loan:
                                 * itself */
    char *data;                 /* own storage, or inside the owner's */
    uint32_t refs;
    uint32_t class;
    size_t start; /* first unread byte */
    size_t end;   /* behind the last byte written */
    size_t cap;   /* size of the storage */
    char storage[];
};

struct kw_chunk_pool {
    struct kw_chunk *free[KW_CHUNK_EXACT];
    uint32_t free_count[KW_CHUNK_EXACT];
    uint64_t in_use_count;
    uint64_t in_use_bytes; /* headers included */
    uint64_t created_count;
};

struct kw_buf {
    struct kw_chunk *head;
    struct kw_chunk *tail;
    size_t len; /* unread bytes in the chain */
    struct kw_chunk_pool *pool;
};

/* An empty pool. */
void kw_chunk_pool_init(struct kw_chunk_pool *pool);

/* Give the free chunks back to the heap. Chunks in use must be gone (asserted). */
void kw_chunk_pool_deinit(struct kw_chunk_pool *pool);

/* Free chunks above a small reserve go back to the heap; call now and then when idle. */
void kw_chunk_pool_trim(struct kw_chunk_pool *pool);

/* A chunk with at least ROOM bytes of storage, one reference, empty. NULL only when ROOM is above
 * the pooled sizes and the heap refuses.
 */
struct kw_chunk *kw_chunk_get(struct kw_chunk_pool *pool, size_t room);

static inline struct kw_chunk *kw_chunk_ref(struct kw_chunk *chunk)
{
    chunk->refs++;
    return chunk;
}

/* The last reference to CHUNK is gone: the slow half of kw_chunk_unref(). */
KW_APART void kw__chunk_release(struct kw_chunk *chunk);

/* Drop one reference and clear the pointer; NULL inside is allowed. */
static inline void kw_chunk_unref(struct kw_chunk **chunk)
{
    struct kw_chunk *old = *chunk;

    if (old != NULL) {
        KW_ASSERT(old->refs > 0);
        *chunk = NULL;
        if (--old->refs == 0) {
            kw__chunk_release(old);
        }
    }
}

/* Make room for at least ROOM more bytes in a chunk that nobody else holds, moving it if needed.
 * Returns KW_OK, or KW_E_MEMORY (the chunk is unchanged).
 */
KW_CHECK enum kw_status kw_chunk_grow(struct kw_chunk **chunk, size_t room);

static inline void kw_buf_init(struct kw_buf *buf, struct kw_chunk_pool *pool)
{
    buf->head = NULL;
    buf->tail = NULL;
    buf->len = 0;
    buf->pool = pool;
}

/* Drop all bytes. */
void kw_buf_reset(struct kw_buf *buf);

/* Append a copy of LEN bytes, over as many chunks as it takes. */
void kw_buf_append_slow(struct kw_buf *buf, const char *data, size_t len);

static inline void kw_buf_append(struct kw_buf *buf, const char *data, size_t len)
{
    struct kw_chunk *tail = buf->tail;

    if (tail != NULL && tail->owner == NULL && tail->cap - tail->end >= len) {
        memcpy(tail->data + tail->end, data, len);
        tail->end += len;
        buf->len += len;
        return;
    }
    kw_buf_append_slow(buf, data, len);
}

static inline void kw_buf_append_bytes(struct kw_buf *buf, struct kw_bytes bytes)
{
    kw_buf_append(buf, bytes.data, bytes.len);
}

/* Append a copy of LEN <= KW_COPY_MAX_BYTES bytes as one run inside one chunk; what lies in
 * kw_buf_spare() is there already.
 *
 * Returns the chunk (borrowed: take a reference to keep it) and the run's place in *offset.
 */
struct kw_chunk *kw_buf_append_run(struct kw_buf *buf, const char *data, size_t len,
                                   size_t *offset);

/* Where ROOM bytes may be written before kw_buf_append_run() is given the first of them, which it
 * takes as they lie. NULL: there is no such place, give it others.
 */
static inline char *kw_buf_spare(const struct kw_buf *buf, size_t room)
{
    const struct kw_chunk *tail = buf->tail;

    return tail != NULL && tail->owner == NULL && tail->cap - tail->end >= room
               ? tail->data + tail->end
               : NULL;
}

/* Append LEN bytes at OFFSET of CHUNK by reference: nothing is copied, CHUNK gains a reference. */
void kw_buf_append_window(struct kw_buf *buf, struct kw_chunk *chunk, size_t offset, size_t len);

/* Bytes that belong to somebody else, who must have them back. Lives in its chunk. */
struct kw_loan {
    struct kw_list all; /* the lender's, NULL pointers until it links it */
    struct kw_chunk *chunk;
    void (*on_return)(struct kw_loan *loan); /* nobody looks at the bytes any more */
    void *lender;
    void *item;
};

/* Append BYTES by reference: they stay as they are until ON_RETURN runs. The loan, whose other
 * fields the lender sets.
 */
struct kw_loan *kw_buf_append_loan(struct kw_buf *buf, struct kw_bytes bytes,
                                   void (*on_return)(struct kw_loan *loan));

/* LOAN is returned at once; whoever has its bytes goes on with a copy. */
void kw_loan_copy(struct kw_loan *loan);

/* Move all bytes of FROM to the end of BUF; small ones are copied so that iovecs stay few. */
void kw_buf_append_buf(struct kw_buf *buf, struct kw_buf *from);

/* Forget the first LEN <= buf->len bytes. */
void kw_buf_consume(struct kw_buf *buf, size_t len);

/* Fill IOV with the unread bytes, at most IOV_MAX pieces. Returns how many. */
int kw_buf_iov(const struct kw_buf *buf, struct iovec *iov, int iov_max);

#endif
