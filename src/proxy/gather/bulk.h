/* bulk.h - writing commands word by word, where the room is known to be enough.
 *
 * Pure. Thread: any. Memory: the caller's.
 * See also: resp/writer.h, which finds room itself.
 */
#ifndef KW_PROXY_GATHER_BULK_H
#define KW_PROXY_GATHER_BULK_H

#include "base/bytes.h"
#include "base/text.h"

#include <string.h>

enum { KW_BULK_EXTRA_BYTES = 26 /* $, a 64-bit number, CR LF twice */ };

/* Write PREFIX, VALUE and CR LF at AT. Returns where they end. Most numbers here have one digit or
 * two.
 */
static inline char *kw__put_number(char *at, char prefix, size_t value)
{
    *at++ = prefix;
    if (value < 10) {
        *at++ = (char)('0' + value);
    } else if (value < 100) {
        *at++ = (char)('0' + value / 10);
        *at++ = (char)('0' + value % 10);
    } else {
        at += kw_text_from_int((int64_t)value, at);
    }
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* Write BYTES at AT as a bulk: up to bytes.len + KW_BULK_EXTRA_BYTES. Returns where it ends. */
static inline char *kw__put_bulk(char *at, struct kw_bytes bytes)
{
    at = kw__put_number(at, '$', bytes.len);
    if (bytes.len - 16 <= 16) { /* as most keys: two moves that may overlap, and no call */
        memcpy(at, bytes.data, 16);
        memcpy(at + bytes.len - 16, bytes.data + bytes.len - 16, 16);
    } else {
        memcpy(at, bytes.data, bytes.len);
    }
    at += bytes.len;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

#endif
