/* blob.h - growing bytes on the heap: what chunks can't hold, as it goes from thread to thread.
 *
 * Thread: one at a time. Memory: zero-initialise; the owner calls kw_blob_deinit().
 * See also: buf.h (chunks, which belong to one worker).
 */
#ifndef KW_BASE_BLOB_H
#define KW_BASE_BLOB_H

#include "base/bytes.h"

#include <stddef.h>

struct kw_blob {
    char *data; /* owned; NULL while nothing was added */
    size_t len;
    size_t size_bytes;
};

void kw_blob_add(struct kw_blob *blob, struct kw_bytes bytes);

/* Append what printf() would print, of any length. */
void kw_blob_print(struct kw_blob *blob, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline struct kw_bytes kw_blob_bytes(const struct kw_blob *blob)
{
    return kw_bytes_of(blob->len > 0 ? blob->data : "", blob->len);
}

/* Give the memory back; BLOB is empty then. */
void kw_blob_deinit(struct kw_blob *blob);

#endif
