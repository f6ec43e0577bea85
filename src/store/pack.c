/* pack.c - see pack.h. */
#include "store/pack.h"

enum { NUMBER_MAX_BYTES = 10 };

void kw_pack_number(struct kw_buf *out, uint64_t number)
{
    char bytes[NUMBER_MAX_BYTES];
    size_t len = 0;

    while (number >= 0x80) {
        bytes[len++] = (char)(0x80 | (number & 0x7f));
        number >>= 7;
    }
    bytes[len++] = (char)number;
    kw_buf_append(out, bytes, len);
}

void kw_pack_bytes(struct kw_buf *out, struct kw_bytes bytes)
{
    kw_pack_number(out, bytes.len);
    if (bytes.len > 0) {
        kw_buf_append_bytes(out, bytes);
    }
}

uint64_t kw_unpack_number(struct kw_unpack *unpack)
{
    uint64_t number = 0;

    for (size_t i = 0; i < unpack->rest.len && i < NUMBER_MAX_BYTES; i++) {
        unsigned char byte = (unsigned char)unpack->rest.data[i];
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            unpack->rest.data += i + 1;
            unpack->rest.len -= i + 1;
            return number;
        }
    }
    unpack->is_damaged = true;
    unpack->rest.len = 0;
    return 0;
}

struct kw_bytes kw_unpack_bytes(struct kw_unpack *unpack)
{
    size_t len = kw_unpack_count(unpack, 1);
    struct kw_bytes bytes = {unpack->rest.data, len};

    unpack->rest.data += len;
    unpack->rest.len -= len;
    return bytes;
}

size_t kw_unpack_count(struct kw_unpack *unpack, size_t least_bytes)
{
    uint64_t count = kw_unpack_number(unpack);

    if (count > unpack->rest.len / least_bytes) {
        unpack->is_damaged = true;
        unpack->rest.len = 0;
        return 0;
    }
    return (size_t)count;
}

bool kw_unpack_ends_well(const struct kw_unpack *unpack)
{
    return !unpack->is_damaged && unpack->rest.len == 0;
}
