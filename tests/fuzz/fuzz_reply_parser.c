/* fuzz_reply_parser.c - any bytes as a node's: replies end at the same places in whatever pieces.
 *
 * The first byte chooses the protocol version. The rest is walked over at once, in two pieces
 * (where: its own bytes say), and byte by byte when it is short. All three must see the same ends,
 * the same types and the same refusal. A plain walk of our own, which knows the bytes whole, must
 * agree about the first reply.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "resp/reply_parser.h"

#include <stdint.h>

enum { BYTEWISE_MAX = 1024 };

/* A link's stream so far. */
struct reader {
    struct kw_reply_parser parser;
    size_t scanned;
    size_t count;     /* replies that ended */
    size_t first_end; /* where the first one did */
    uint64_t hash;    /* of ends and types, in order */
    bool is_broken;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walk on now that the first ARRIVED bytes of DATA are there. */
static void reader_more(struct reader *reader, int proto, const uint8_t *data, size_t arrived)
{
    size_t len = arrived - reader->scanned;
    char *copy = kw_alloc(len + (len == 0)); /* its own, so that reading past the end is seen */
    size_t at = 0;

    memcpy(copy, data + reader->scanned, len);
    while (at < len && !reader->is_broken) {
        size_t step = 0;
        enum kw_status status = kw_reply_scan(&reader->parser, proto, copy + at, len - at, &step);
        KW_ASSERT(step <= len - at);
        KW_ASSERT((status == KW_AGAIN) <= reader->parser.is_started);
        at += step;
        if (status == KW_AGAIN) {
            break;
        }
        KW_ASSERT(status == KW_OK || status == KW_E_PROTOCOL);
        if (status == KW_OK) {
            KW_ASSERT(step > 0);
            size_t end = reader->scanned + at;
            reader->first_end = reader->count++ == 0 ? end : reader->first_end;
            reader->hash = kw_hash(kw_bytes_of((const char *)&end, sizeof end), reader->hash);
            reader->hash = kw_hash(kw_bytes_of(&reader->parser.type, 1), reader->hash);
        }
        reader->is_broken = status == KW_E_PROTOCOL;
    }
    reader->scanned += at;
    kw_free(copy);
}

static void check_same(const struct reader *a, const struct reader *b)
{
    KW_ASSERT(a->count == b->count);
    KW_ASSERT(a->first_end == b->first_end);
    KW_ASSERT(a->is_broken == b->is_broken);
    KW_ASSERT(a->hash == b->hash);
}

/* The end of the first reply of TEXT, found with one counter of values to come; 0 when there is
 * none. Only for TEXT that the parser has found a whole reply in: nothing is checked here.
 */
static size_t plain_end(struct kw_bytes text)
{
    uint64_t left = 1;
    size_t at = 0;

    while (left > 0 && at < text.len) {
        char type = text.data[at];
        int64_t number = 0;
        bool is_minus = text.len > at + 1 && text.data[at + 1] == '-';
        for (at++; at < text.len && text.data[at] != '\n'; at++) {
            unsigned digit = (unsigned char)text.data[at] - (unsigned)'0';
            number = digit <= 9 && number < INT64_MAX / 16 ? number * 10 + (int64_t)digit : number;
        }
        at++;
        number = is_minus ? -1 : number;
        left--;
        if ((type == '$' || type == '!' || type == '=') && number >= 0) {
            at += (size_t)number + 2;
        } else if ((type == '*' || type == '~' || type == '>') && number > 0) {
            left += (uint64_t)number;
        } else if (type == '%') {
            left += 2 * (uint64_t)number;
        } else if (type == '|') {
            left += 2 * (uint64_t)number + 1; /* the value it describes is still to come */
        }
    }
    return left == 0 && at <= text.len ? at : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader whole = {0};
    struct reader parts = {0};
    struct reader bytes = {0};

    if (size == 0) {
        return 0;
    }
    int proto = (data[0] & 1) != 0 ? 3 : 2;
    data++;
    size--;
    reader_more(&whole, proto, data, size);
    if (whole.count > 0) {
        KW_ASSERT(plain_end(kw_bytes_of((const char *)data, size)) == whole.first_end);
    }
    if (size > 0) {
        size_t split = kw_hash(kw_bytes_of((const char *)data, size), 0) % size;
        reader_more(&parts, proto, data, split);
        reader_more(&parts, proto, data, size);
        check_same(&parts, &whole);
    }
    if (size <= BYTEWISE_MAX) {
        for (size_t arrived = 1; arrived <= size; arrived++) {
            reader_more(&bytes, proto, data, arrived);
        }
        check_same(&bytes, &whole);
    }
    return 0;
}
