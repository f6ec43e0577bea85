/* fuzz_restore.c - any value as a payload: it becomes a key, or it is refused, and nothing is lost.
 *
 * The input is what stands before the version of a payload; the sum is made right here, so that what
 * is behind it is reached. What was restored is dumped and restored again: it must be the same.
 */
#include "store/dump/rdb.h"

#include <isa-l/crc64.h>
#include <stdlib.h>

enum { INPUT_MAX = 1 << 16 };

struct fuzz {
    struct kw_store *store;
    struct kw_store_worker *worker;
    struct kw_chunk_pool pool;
};

/* The reply to ARGV, as one run of bytes in ROOM. */
static struct kw_bytes run(struct fuzz *fuzz, struct kw_bytes *argv, size_t argc, char *room,
                           size_t size)
{
    struct kw_argv arguments = {.items = argv, .count = argc};
    struct kw_buf out;
    size_t len = 0;

    kw_buf_init(&out, &fuzz->pool);
    (void)kw_store_run(fuzz->worker, kw_command_resolve(argv, argc), &arguments, 2, &out);
    for (const struct kw_chunk *chunk = out.head; chunk != NULL; chunk = chunk->next) {
        size_t part = chunk->end - chunk->start;
        if (len + part > size) {
            part = size - len;
        }
        memcpy(room + len, chunk->data + chunk->start, part);
        len += part;
    }
    kw_buf_reset(&out);
    kw_store_tick(fuzz->worker, 1);
    return kw_bytes_of(room, len);
}

static bool is_ok(struct kw_bytes reply)
{
    return kw_bytes_equal(reply, KW_BYTES("+OK\r\n"));
}

/* What a bulk holds. */
static struct kw_bytes bulk(struct kw_bytes reply)
{
    const char *end = memchr(reply.data, '\n', reply.len);

    if (reply.len < 4 || reply.data[0] != '$' || end == NULL) {
        abort();
    }
    size_t header = (size_t)(end - reply.data) + 1;
    return kw_bytes_of(reply.data + header, reply.len - header - 2);
}

static void dump_again(struct fuzz *fuzz)
{
    static char first[8 * INPUT_MAX * 4];
    static char second[8 * INPUT_MAX * 4];
    struct kw_bytes dump[] = {KW_BYTES("dump"), KW_BYTES("k")};

    struct kw_bytes reply = run(fuzz, dump, 2, first, sizeof first);
    if (reply.len == sizeof first) {
        return; /* a text that was compressed well */
    }
    struct kw_bytes restore[] = {KW_BYTES("restore"), KW_BYTES("l"), KW_BYTES("0"), bulk(reply),
                                 KW_BYTES("replace")};
    char status[64];
    if (!is_ok(run(fuzz, restore, 5, status, sizeof status))) {
        abort();
    }
    dump[1] = KW_BYTES("l");
    struct kw_bytes again = run(fuzz, dump, 2, second, sizeof second);
    if (again.len != reply.len) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_store_options options = {
        .memory_max_bytes = 64 * 1024 * 1024, .policy = KW_CACHE_KEEP, .workers_max = 1};
    static struct fuzz fuzz;
    static char payload[INPUT_MAX + KW_RDB_FOOTER_BYTES];
    char status[256];

    if (size > INPUT_MAX) {
        return 0;
    }
    if (fuzz.store == NULL) {
        kw_chunk_pool_init(&fuzz.pool);
        if (kw_store_new(&options, &fuzz.store) != KW_OK) {
            abort();
        }
        fuzz.worker = kw_store_join(fuzz.store, NULL, 1);
    }
    memcpy(payload, data, size);
    payload[size] = KW_RDB_VERSION;
    payload[size + 1] = 0;
    uint64_t sum = ~crc64_jones_refl(UINT64_MAX, (const unsigned char *)payload, size + 2);
    memcpy(payload + size + 2, &sum, sizeof sum);

    struct kw_bytes restore[] = {KW_BYTES("restore"), KW_BYTES("k"), KW_BYTES("0"),
                                 kw_bytes_of(payload, size + KW_RDB_FOOTER_BYTES),
                                 KW_BYTES("replace")};
    struct kw_bytes reply = run(&fuzz, restore, 5, status, sizeof status);
    if (is_ok(reply)) {
        dump_again(&fuzz);
    } else if (reply.len < 4 || reply.data[0] != '-') {
        abort();
    }
    return 0;
}
