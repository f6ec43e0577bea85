/* packed.h - the small encodings of redis, read: elements in one run of bytes.
 *
 * Thread: any. Memory: elements lie in the bytes given; texts of numbers in the walk, until the one
 *         after the next is read.
 * See also: packed.c (the layouts).
 */
#ifndef KW_STORE_DUMP_PACKED_H
#define KW_STORE_DUMP_PACKED_H

#include "base/bytes.h"
#include "base/text.h"

enum kw_packed_form {
    KW_PACKED_LISTPACK = 0,
    KW_PACKED_ZIPLIST,
    KW_PACKED_ZIPMAP,
    KW_PACKED_INTSET
};

struct kw_packed {
    struct kw_bytes rest;
    enum kw_packed_form form;
    bool is_damaged;
    bool is_value;  /* zipmap: what comes next */
    unsigned width; /* intset: bytes of a number */
    unsigned turn;
    char numbers[2][KW_TEXT_INT_MAX];
};

/* Elements of BYTES from the first on; is_damaged when the header is wrong. */
void kw__packed_begin(struct kw_packed *packed, enum kw_packed_form form, struct kw_bytes bytes);

/* False: that was all, or what follows is damaged. */
bool kw__packed_next(struct kw_packed *packed, struct kw_bytes *text);

#endif
