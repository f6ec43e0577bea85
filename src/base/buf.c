/* buf.c - chunk pools and chains of chunks.
 *
 *   buf.head -> [chunk start..end] -> [chunk] -> [window -> owner chunk] <- buf.tail
 *
 * Why copying small requests: measured, a copy of 70 bytes costs 3 ns, an iovec entry costs more in
 * the kernel; above KW_COPY_MAX_BYTES a window (a chunk that points into another one) wins.
 *
 * INVARIANTS
 * I1  a chunk is in at most one chain (next is its only link) and has one reference for that.
 * I2  buf.len is the sum of end - start over the chain; no chunk of a chain but the tail is empty.
 * I3  bytes of a chunk never move or change while it has a reference besides its chain's.
 * I4  the pool counts every chunk that is out; the count is 0 when a worker ends.
 * I5  a loan is a chunk that owns itself: its bytes are a lender's, its storage holds the terms. It
 *     is never written to, nor is any window, so `owner` tells who may be appended to.
 *
 * Every operation is O(1) but those over a chain, which are O(chunks touched).
 */
#include "base/buf.h"

#include "base/apart.h"
#include "base/limits.h"
#include "base/mem.h"

/* Whole chunks, header included. SMALL holds one parked reply, MEDIUM a client's replies of a tick,
 * LARGE a link's run of commands. FREE_MAX bounds the reserve: 1 + 4 + 16 MiB a worker.
 */
static const size_t chunk_sizes[KW_CHUNK_EXACT] = {256, 2048, 16384};
static const uint32_t chunk_free_max[KW_CHUNK_EXACT] = {4096, 2048, 1024};
static const uint32_t chunk_trim_to[KW_CHUNK_EXACT] = {256, 64, 16};

static size_t chunk_size(const struct kw_chunk *chunk);
static struct kw_chunk *chunk_new(struct kw_chunk_pool *pool, enum kw_chunk_class class,
                                  size_t size_bytes);
static struct kw_loan *loan_of(struct kw_chunk *chunk);
static void copy_on_return(struct kw_loan *loan);
static struct kw_chunk *buf_add_large(struct kw_buf *buf);
static void buf_add_chunk(struct kw_buf *buf, struct kw_chunk *chunk);

void kw_chunk_pool_init(struct kw_chunk_pool *pool)
{
    memset(pool, 0, sizeof *pool);
}

void kw_chunk_pool_deinit(struct kw_chunk_pool *pool)
{
    KW_ASSERT(pool->in_use_count == 0); /* I4 */
    for (int class = 0; class < KW_CHUNK_EXACT; class ++) {
        while (pool->free[class] != NULL) {
            struct kw_chunk *chunk = pool->free[class];
            pool->free[class] = chunk->next;
            kw_free(chunk);
        }
        pool->free_count[class] = 0;
    }
}

void kw_chunk_pool_trim(struct kw_chunk_pool *pool)
{
    for (int class = 0; class < KW_CHUNK_EXACT; class ++) {
        while (pool->free_count[class] > chunk_trim_to[class]) {
            struct kw_chunk *chunk = pool->free[class];
            pool->free[class] = chunk->next;
            pool->free_count[class]--;
            kw_free(chunk);
        }
    }
}

struct kw_chunk *kw_chunk_get(struct kw_chunk_pool *pool, size_t room)
{
    size_t size_bytes = room + sizeof(struct kw_chunk);
    int class = KW_CHUNK_SMALL;

    while (class < KW_CHUNK_EXACT && chunk_sizes[class] < size_bytes) {
        class ++;
    }
    if (class == KW_CHUNK_EXACT) {
        return chunk_new(pool, KW_CHUNK_EXACT, size_bytes);
    }
    struct kw_chunk *chunk = pool->free[class];
    if (chunk == NULL) {
        return chunk_new(pool, (enum kw_chunk_class) class, chunk_sizes[class]);
    }
    pool->free[class] = chunk->next;
    __builtin_prefetch(chunk->next, 1); /* the next one's link; it has not been touched for long */
    pool->free_count[class]--;
    pool->in_use_count++;
    pool->in_use_bytes += chunk_sizes[class];
    chunk->next = NULL;
    chunk->refs = 1;
    chunk->start = 0;
    chunk->end = 0;
    return chunk;
}

enum kw_status kw_chunk_grow(struct kw_chunk **chunk, size_t room)
{
    struct kw_chunk *old = *chunk;

    KW_ASSERT(old->refs == 1 && old->owner == NULL); /* I3 */
    if (old->cap - old->end >= room) {
        return KW_OK;
    }
    size_t len = old->end - old->start;
    struct kw_chunk *grown = kw_chunk_get(old->pool, len + room);
    if (grown == NULL) {
        return KW_E_MEMORY;
    }
    memcpy(grown->data, old->data + old->start, len);
    grown->end = len;
    kw_chunk_unref(chunk);
    *chunk = grown;
    return KW_OK;
}

void kw_buf_reset(struct kw_buf *buf)
{
    while (buf->head != NULL) {
        struct kw_chunk *chunk = buf->head;
        buf->head = chunk->next;
        chunk->next = NULL;
        kw_chunk_unref(&chunk);
    }
    buf->tail = NULL;
    buf->len = 0;
}

void kw_buf_append_slow(struct kw_buf *buf, const char *data, size_t len)
{
    while (len > 0) {
        struct kw_chunk *tail = buf->tail;
        if (tail == NULL || tail->owner != NULL || tail->end == tail->cap) {
            /* A first chunk is medium, what follows is large: most clients get one small write. */
            size_t room = chunk_sizes[tail == NULL && len < chunk_sizes[KW_CHUNK_MEDIUM] / 2
                                          ? KW_CHUNK_MEDIUM
                                          : KW_CHUNK_LARGE];
            tail = kw_chunk_get(buf->pool, room - sizeof(struct kw_chunk));
            buf_add_chunk(buf, tail);
        }
        size_t part = tail->cap - tail->end < len ? tail->cap - tail->end : len;
        memcpy(tail->data + tail->end, data, part);
        tail->end += part;
        buf->len += part;
        data += part;
        len -= part;
    }
}

struct kw_chunk *kw_buf_append_run(struct kw_buf *buf, const char *data, size_t len, size_t *offset)
{
    struct kw_chunk *tail = buf->tail;

    KW_ASSERT(len <= KW_COPY_MAX_BYTES);
    if (tail == NULL || tail->owner != NULL || tail->cap - tail->end < len) {
        tail = buf_add_large(buf);
    }
    *offset = tail->end;
    if (data != tail->data + tail->end) {
        memcpy(tail->data + tail->end, data, len);
    }
    tail->end += len;
    buf->len += len;
    return tail;
}

void kw_buf_append_window(struct kw_buf *buf, struct kw_chunk *chunk, size_t offset, size_t len)
{
    struct kw_chunk *window = kw_chunk_get(buf->pool, 0);

    KW_ASSERT(offset + len <= chunk->cap);
    window->owner = kw_chunk_ref(chunk);
    window->data = chunk->data + offset;
    window->end = len;
    window->cap = len;
    buf_add_chunk(buf, window);
    buf->len += len;
}

struct kw_loan *kw_buf_append_loan(struct kw_buf *buf, struct kw_bytes bytes,
                                   void (*on_return)(struct kw_loan *loan))
{
    struct kw_chunk *chunk = kw_chunk_get(buf->pool, sizeof(struct kw_loan));
    struct kw_loan *loan = loan_of(chunk);

    *loan = (struct kw_loan){.chunk = chunk, .on_return = on_return};
    chunk->owner = chunk; /* I5 */
    chunk->data = (char *)(uintptr_t)bytes.data;
    chunk->end = bytes.len;
    chunk->cap = bytes.len;
    buf_add_chunk(buf, chunk);
    buf->len += bytes.len;
    return loan;
}

void kw_loan_copy(struct kw_loan *loan)
{
    struct kw_chunk *chunk = loan->chunk;
    char *copy = kw_alloc(chunk->cap);

    memcpy(copy, chunk->data, chunk->cap);
    chunk->data = copy;
    loan->on_return(loan);
    loan->on_return = copy_on_return;
    loan->item = copy;
}

void kw_buf_append_buf(struct kw_buf *buf, struct kw_buf *from)
{
    while (from->head != NULL) {
        struct kw_chunk *chunk = from->head;
        size_t len = chunk->end - chunk->start;
        from->head = chunk->next;
        chunk->next = NULL;
        if (len <= KW_COPY_MAX_BYTES) {
            kw_buf_append(buf, chunk->data + chunk->start, len);
            kw_chunk_unref(&chunk);
        } else {
            buf_add_chunk(buf, chunk);
            buf->len += len;
        }
    }
    from->tail = NULL;
    from->len = 0;
}

void kw_buf_consume(struct kw_buf *buf, size_t len)
{
    KW_ASSERT(len <= buf->len); /* I2 */
    buf->len -= len;
    while (buf->head != NULL) {
        struct kw_chunk *chunk = buf->head;
        size_t available = chunk->end - chunk->start;
        if (len < available) {
            chunk->start += len;
            return;
        }
        len -= available;
        buf->head = chunk->next;
        chunk->next = NULL;
        kw_chunk_unref(&chunk);
    }
    buf->tail = NULL;
}

int kw_buf_iov(const struct kw_buf *buf, struct iovec *iov, int iov_max)
{
    int count = 0;

    for (const struct kw_chunk *chunk = buf->head; chunk != NULL && count < iov_max;
         chunk = chunk->next) {
        iov[count].iov_base = chunk->data + chunk->start;
        iov[count].iov_len = chunk->end - chunk->start;
        count++;
    }
    return count;
}

static size_t chunk_size(const struct kw_chunk *chunk)
{
    return chunk->class == KW_CHUNK_EXACT ? chunk->cap + sizeof *chunk : chunk_sizes[chunk->class];
}

static struct kw_chunk *chunk_new(struct kw_chunk_pool *pool, enum kw_chunk_class class,
                                  size_t size_bytes)
{
    struct kw_chunk *chunk =
        class == KW_CHUNK_EXACT ? kw_try_alloc(size_bytes) : kw_alloc(size_bytes);

    if (chunk == NULL) {
        return NULL;
    }
    chunk->next = NULL;
    chunk->pool = pool;
    chunk->owner = NULL;
    chunk->data = chunk->storage;
    chunk->refs = 1;
    chunk->class = class;
    chunk->start = 0;
    chunk->end = 0;
    chunk->cap = size_bytes - sizeof *chunk;
    pool->created_count++;
    pool->in_use_count++;
    pool->in_use_bytes += size_bytes;
    return chunk;
}

void kw__chunk_release(struct kw_chunk *chunk)
{
    struct kw_chunk_pool *pool = chunk->pool;

    if (chunk->owner == chunk) { /* I5 */
        struct kw_loan *loan = loan_of(chunk);
        loan->on_return(loan);
        chunk->owner = NULL;
        chunk->data = chunk->storage;
        chunk->cap = chunk_sizes[chunk->class] - sizeof *chunk;
    } else if (chunk->owner != NULL) { /* a window: depth is one, owners are never windows */
        kw_chunk_unref(&chunk->owner);
        chunk->data = chunk->storage;
        chunk->cap = chunk_sizes[chunk->class] - sizeof *chunk;
    }
    pool->in_use_count--;
    pool->in_use_bytes -= chunk_size(chunk);
    if (chunk->class == KW_CHUNK_EXACT ||
        pool->free_count[chunk->class] >= chunk_free_max[chunk->class]) {
        kw_free(chunk);
        return;
    }
    chunk->next = pool->free[chunk->class];
    pool->free[chunk->class] = chunk;
    pool->free_count[chunk->class]++;
}

static struct kw_loan *loan_of(struct kw_chunk *chunk)
{
    return (struct kw_loan *)(void *)chunk->storage;
}

static void copy_on_return(struct kw_loan *loan)
{
    kw_free(loan->item);
}

static KW_APART struct kw_chunk *buf_add_large(struct kw_buf *buf)
{
    struct kw_chunk *chunk =
        kw_chunk_get(buf->pool, chunk_sizes[KW_CHUNK_LARGE] - sizeof(struct kw_chunk));

    buf_add_chunk(buf, chunk);
    return chunk;
}

static void buf_add_chunk(struct kw_buf *buf, struct kw_chunk *chunk)
{
    KW_ASSERT(chunk->next == NULL); /* I1 */
    if (buf->tail == NULL) {
        buf->head = chunk;
    } else {
        buf->tail->next = chunk;
    }
    buf->tail = chunk;
}
