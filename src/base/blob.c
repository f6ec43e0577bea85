/* blob.c - see blob.h. Room doubles, so adding is linear in all that is added. */
#include "base/blob.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_BYTES = 256 };

static void blob_reserve(struct kw_blob *blob, size_t more_bytes);

void kw_blob_add(struct kw_blob *blob, struct kw_bytes bytes)
{
    if (bytes.len > 0) {
        blob_reserve(blob, bytes.len);
        memcpy(blob->data + blob->len, bytes.data, bytes.len);
        blob->len += bytes.len;
    }
}

void kw_blob_print(struct kw_blob *blob, const char *format, ...)
{
    va_list arguments;
    va_list again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    if (len > 0) {
        blob_reserve(blob, (size_t)len + 1);
        (void)vsnprintf(blob->data + blob->len, (size_t)len + 1, format, again);
        blob->len += (size_t)len;
    }
    va_end(again);
    va_end(arguments);
}

void kw_blob_deinit(struct kw_blob *blob)
{
    kw_free(blob->data);
    *blob = (struct kw_blob){0};
}

static void blob_reserve(struct kw_blob *blob, size_t more_bytes)
{
    size_t needed_bytes = blob->len + more_bytes;

    if (needed_bytes > blob->size_bytes) {
        size_t doubled_bytes = blob->size_bytes < FIRST_BYTES ? FIRST_BYTES : blob->size_bytes * 2;
        blob->size_bytes = needed_bytes > doubled_bytes ? needed_bytes : doubled_bytes;
        blob->data = kw_realloc(blob->data, blob->size_bytes);
    }
}
