/* reply.h - cuts one reply (RESP2 or RESP3) out of bytes, as a flat list of its leaves.
 *
 * Thread: any. Memory: leaves borrow the bytes.
 */
#ifndef KW_TESTS_CONSISTENCY_REPLY_H
#define KW_TESTS_CONSISTENCY_REPLY_H

#include <stdbool.h>
#include <stddef.h>

enum { LEAVES_MAX = 32 };

struct leaf {
    const char *at; /* NULL: nil */
    size_t len;
};

struct reply {
    struct leaf leaves[LEAVES_MAX]; /* of aggregates, in order, nested ones too */
    unsigned leaves_count;
    bool is_error; /* then the first leaf is its text */
};

/* How many bytes the first reply in [AT, END) has; 0 when it is not whole; -1 for nonsense. */
long reply_cut(const char *at, const char *end, struct reply *reply);

#endif
