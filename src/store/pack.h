/* pack.h - objects as bytes, for DUMP and snapshots: lengths, numbers and byte strings in a row.
 *
 * A length takes 1 to 10 bytes, 7 bits each, the top bit says that more follow. A reader that meets
 * something else says so at its end, and gives zeroes meanwhile.
 *
 * Thread: any. Memory: what is read lies in the bytes given.
 */
#ifndef KW_STORE_PACK_H
#define KW_STORE_PACK_H

#include "base/buf.h"

void kw_pack_number(struct kw_buf *out, uint64_t number);
void kw_pack_bytes(struct kw_buf *out, struct kw_bytes bytes);

struct kw_unpack {
    struct kw_bytes rest;
    bool is_damaged;
};

uint64_t kw_unpack_number(struct kw_unpack *unpack);
struct kw_bytes kw_unpack_bytes(struct kw_unpack *unpack);

/* A count of things that take LEAST bytes each; there are at most so many as bytes are left for. */
size_t kw_unpack_count(struct kw_unpack *unpack, size_t least_bytes);

/* True when all was read, and nothing was damaged. */
bool kw_unpack_ends_well(const struct kw_unpack *unpack);

#endif
