/* fuzz_request_parser.c - any bytes as a client's: the same commands in whatever pieces they come.
 *
 * The input is cut at once, in two pieces (where: its own bytes say), and byte by byte when it is
 * short. All three must give the same commands, the same error at the same place. What is sent to a
 * node must read back as the same arguments, and nothing may be consumed that has not arrived.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "resp/request_parser.h"

#include <stdint.h>

enum { BYTEWISE_MAX = 512 };

/* Small, so that inputs get to them. */
static const struct kw_request_limits limits = {.bulk_max_bytes = 1000, .args_max = 64};

/* A client's stream so far. */
struct reader {
    struct kw_request_parser parser;
    struct kw_argv argv;
    size_t at;     /* bytes consumed */
    size_t count;  /* commands cut */
    uint64_t hash; /* of all that was cut, in order */
    bool is_broken;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_wire(const struct reader *reader, struct kw_bytes wire)
{
    struct kw_request_parser parser = {0};
    struct kw_request_bytes out;
    struct kw_argv argv;
    /* An inline command may have more words, but its words no more bytes, than a multibulk. */
    struct kw_request_limits wide = {.bulk_max_bytes = UINT32_MAX, .args_max = UINT32_MAX};

    kw_argv_init(&argv);
    enum kw_status status = kw_request_parse(&parser, &wide, wire, &argv, &out);
    KW_ASSERT(status == KW_OK);
    KW_ASSERT(out.consumed == wire.len);
    KW_ASSERT(argv.count == reader->argv.count);
    for (size_t i = 0; i < argv.count; i++) {
        KW_ASSERT(kw_bytes_equal(argv.items[i], reader->argv.items[i]));
    }
    kw_argv_deinit(&argv);
}

static void note(struct reader *reader, const struct kw_request_bytes *out, enum kw_status status)
{
    struct kw_bytes what = kw_bytes_of((const char *)&out->error, sizeof out->error);

    if (status == KW_OK) {
        reader->count++;
        for (size_t i = 0; i < reader->argv.count; i++) {
            reader->hash = kw_hash(reader->argv.items[i], reader->hash + 1);
        }
        what = out->wire;
    } else {
        reader->is_broken = true;
        reader->hash++;
    }
    reader->hash = kw_hash(what, reader->hash);
}

/* Cut all there is in the first ARRIVED bytes of DATA. */
static void reader_more(struct reader *reader, const uint8_t *data, size_t arrived)
{
    size_t len = arrived - reader->at;
    char *copy = kw_alloc(len + (len == 0)); /* its own, so that reading past the end is seen */
    size_t used = 0;

    memcpy(copy, data + reader->at, len);
    while (used < len && !reader->is_broken) {
        struct kw_request_bytes out = {0};
        enum kw_status status = kw_request_parse(
            &reader->parser, &limits, kw_bytes_of(copy + used, len - used), &reader->argv, &out);
        if (status == KW_AGAIN) {
            KW_ASSERT(out.consumed == 0);
            break;
        }
        KW_ASSERT(status == KW_OK || status == KW_E_PROTOCOL);
        if (status == KW_OK) {
            KW_ASSERT(out.consumed > 0 && out.consumed <= len - used);
            check_wire(reader, out.wire);
            used += out.consumed;
        }
        note(reader, &out, status);
    }
    reader->at += used;
    kw_free(copy);
}

/* Read all of DATA, STEP bytes more each time, the first time FIRST. */
static void reader_all(struct reader *reader, const uint8_t *data, size_t size, size_t first,
                       size_t step)
{
    *reader = (struct reader){0};
    kw_argv_init(&reader->argv);
    for (size_t arrived = first; arrived < size; arrived += step) {
        reader_more(reader, data, arrived);
    }
    reader_more(reader, data, size);
    kw_argv_deinit(&reader->argv);
}

static void check_same(const struct reader *a, const struct reader *b)
{
    KW_ASSERT(a->count == b->count);
    KW_ASSERT(a->at == b->at);
    KW_ASSERT(a->is_broken == b->is_broken);
    KW_ASSERT(a->hash == b->hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader whole;
    struct reader parts;

    reader_all(&whole, data, size, size, 1);
    if (size > 0) {
        size_t split = kw_hash(kw_bytes_of((const char *)data, size), 0) % size;
        reader_all(&parts, data, size, split, size);
        check_same(&parts, &whole);
    }
    if (size <= BYTEWISE_MAX) {
        reader_all(&parts, data, size, 1, 1);
        check_same(&parts, &whole);
    }
    return 0;
}
