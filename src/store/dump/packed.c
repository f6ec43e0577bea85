/* packed.c - see packed.h. Numbers have their lowest byte first, but where it is said.
 *
 *     listpack  bytes (4), count (2), elements, 0xff
 *               element: encoding, text, its own length once more, from behind (1 to 5 bytes)
 *     ziplist   bytes (4), offset of the last (4), count (2), elements, 0xff
 *               element: length of the one before (1 byte, or 0xfe and 4), encoding, text
 *     zipmap    count (1), {length, key, length, free (1), value, free bytes}, 0xff
 *     intset    width (4), count (4), numbers
 *
 * The counts and offsets in headers are not needed, and not looked at.
 */
#include "store/dump/packed.h"

#include "base/number.h"

enum {
    LISTPACK_HEADER_BYTES = 6,
    ZIPLIST_HEADER_BYTES = 10,
    INTSET_HEADER_BYTES = 8,
    PACKED_END = 0xff,
    LONG_LENGTH = 0xfe /* 4 bytes of it follow */
};

static bool next_of_listpack(struct kw_packed *packed, struct kw_bytes *text);
static bool next_of_ziplist(struct kw_packed *packed, struct kw_bytes *text);
static bool next_of_zipmap(struct kw_packed *packed, struct kw_bytes *text);
static bool take_long_length(struct kw_packed *packed, size_t *len);
static bool take_text(struct kw_packed *packed, size_t header, size_t len, struct kw_bytes *text);
static bool take_number(struct kw_packed *packed, size_t header, size_t width,
                        struct kw_bytes *text);
static bool give_number(struct kw_packed *packed, int64_t number, struct kw_bytes *text);
static bool skip(struct kw_packed *packed, size_t len);

void kw__packed_begin(struct kw_packed *packed, enum kw_packed_form form, struct kw_bytes bytes)
{
    static const size_t headers[] = {LISTPACK_HEADER_BYTES, ZIPLIST_HEADER_BYTES, 1,
                                     INTSET_HEADER_BYTES};

    packed->rest = bytes;
    packed->form = form;
    packed->is_damaged = false;
    packed->is_value = false;
    packed->turn = 0;
    packed->width = 0;
    if (!skip(packed, headers[form])) {
        return;
    }
    uint64_t first = form == KW_PACKED_ZIPMAP ? 0 : kw_number_at(bytes.data, 4);
    if (form == KW_PACKED_INTSET) {
        packed->width = (unsigned)first;
        packed->is_damaged = (first != 2 && first != 4 && first != 8) ||
                             packed->rest.len != kw_number_at(bytes.data + 4, 4) * first;
        return;
    }
    bool has_end = packed->rest.len > 0 && (unsigned char)bytes.data[bytes.len - 1] == PACKED_END;
    packed->is_damaged = !has_end || (form != KW_PACKED_ZIPMAP && first != bytes.len);
}

bool kw__packed_next(struct kw_packed *packed, struct kw_bytes *text)
{
    size_t len = packed->rest.len;

    if (packed->is_damaged || (len == 0 && packed->form == KW_PACKED_INTSET)) {
        return false;
    }
    if (packed->form == KW_PACKED_INTSET) {
        return take_number(packed, 0, packed->width, text);
    }
    if (len <= 1) {
        packed->is_damaged = len == 0 || (unsigned char)packed->rest.data[0] != PACKED_END;
        return false;
    }
    switch (packed->form) {
    case KW_PACKED_LISTPACK:
        return next_of_listpack(packed, text);
    case KW_PACKED_ZIPLIST:
        return next_of_ziplist(packed, text);
    case KW_PACKED_ZIPMAP:
    case KW_PACKED_INTSET:
    default:
        return next_of_zipmap(packed, text);
    }
}

static bool next_of_listpack(struct kw_packed *packed, struct kw_bytes *text)
{
    const char *begin = packed->rest.data;
    unsigned first = (unsigned char)begin[0];
    unsigned second = (unsigned char)begin[1]; /* at least the end is there */
    bool is_there = false;

    if (first < 0x80) {
        is_there = skip(packed, 1) && give_number(packed, first, text);
    } else if (first < 0xc0) {
        is_there = take_text(packed, 1, first & 0x3f, text);
    } else if (first < 0xe0) {
        int64_t number = (int64_t)((first & 0x1f) << 8 | second);
        is_there = skip(packed, 2) &&
                   give_number(packed, number < 0x1000 ? number : number - 0x2000, text);
    } else if (first < 0xf0) {
        is_there = take_text(packed, 2, (first & 0x0f) << 8 | second, text);
    } else if (first == 0xf0) {
        is_there = packed->rest.len > 5 && take_text(packed, 5, kw_number_at(begin + 1, 4), text);
    } else if (first <= 0xf4) {
        is_there = take_number(packed, 1, first == 0xf4 ? 8 : first - 0xef, text);
    }
    size_t len = (size_t)(packed->rest.data - begin);
    size_t again = len < 128 ? 1 : len < 16383 ? 2 : len < 2097151 ? 3 : len < 268435455 ? 4 : 5;
    packed->is_damaged = !is_there || !skip(packed, again);
    return !packed->is_damaged;
}

static bool next_of_ziplist(struct kw_packed *packed, struct kw_bytes *text)
{
    static const size_t widths[] = {2, 4, 8, 3}; /* of 0xc0, 0xd0, 0xe0, 0xf0 */
    bool is_there = skip(packed, (unsigned char)packed->rest.data[0] == LONG_LENGTH ? 5 : 1) &&
                    packed->rest.len > 1;

    if (!is_there) {
        packed->is_damaged = true;
        return false;
    }
    unsigned first = (unsigned char)packed->rest.data[0];
    unsigned second = (unsigned char)packed->rest.data[1];
    if (first < 0x40) {
        is_there = take_text(packed, 1, first, text);
    } else if (first < 0x80) {
        is_there = take_text(packed, 2, (first & 0x3f) << 8 | second, text);
    } else if (first == 0x80) { /* the highest byte first */
        uint64_t len = packed->rest.len > 5 ? kw_number_at(packed->rest.data + 1, 4) : UINT32_MAX;
        is_there = take_text(packed, 5, __builtin_bswap32((uint32_t)len), text);
    } else if (first > 0xf0 && first < 0xfe) {
        is_there = skip(packed, 1) && give_number(packed, (int64_t)first - 0xf1, text);
    } else if (first == 0xfe) {
        is_there = take_number(packed, 1, 1, text);
    } else {
        is_there = (first & 0xf) == 0 && first >= 0xc0 &&
                   take_number(packed, 1, widths[(first - 0xc0) >> 4], text);
    }
    packed->is_damaged = !is_there;
    return is_there;
}

static bool next_of_zipmap(struct kw_packed *packed, struct kw_bytes *text)
{
    size_t len = 0;
    size_t unused = 0;

    bool is_there = take_long_length(packed, &len);
    if (is_there && packed->is_value) {
        is_there = packed->rest.len > 0;
        unused = is_there ? (unsigned char)packed->rest.data[0] : 0;
        is_there = is_there && skip(packed, 1);
    }
    is_there = is_there && take_text(packed, 0, len, text) && skip(packed, unused);
    packed->is_value = !packed->is_value;
    packed->is_damaged = !is_there;
    return is_there;
}

static bool take_long_length(struct kw_packed *packed, size_t *len)
{
    *len = (unsigned char)packed->rest.data[0];
    if (*len != LONG_LENGTH) {
        return *len < LONG_LENGTH && skip(packed, 1);
    }
    *len = packed->rest.len > 5 ? kw_number_at(packed->rest.data + 1, 4) : 0;
    return packed->rest.len > 5 && skip(packed, 5);
}

/* Of LEN bytes, behind HEADER bytes. */
static bool take_text(struct kw_packed *packed, size_t header, size_t len, struct kw_bytes *text)
{
    if (!skip(packed, header)) {
        return false;
    }
    *text = kw_bytes_of(packed->rest.data, len);
    return skip(packed, len);
}

static bool take_number(struct kw_packed *packed, size_t header, size_t width,
                        struct kw_bytes *text)
{
    if (!skip(packed, header)) {
        return false;
    }
    const char *at = packed->rest.data;
    if (!skip(packed, width)) {
        return false;
    }
    return give_number(packed, kw_number_signed_at(at, width), text);
}

static bool give_number(struct kw_packed *packed, int64_t number, struct kw_bytes *text)
{
    char *room = packed->numbers[packed->turn++ % 2];

    *text = kw_bytes_of(room, kw_text_from_int(number, room));
    return true;
}

/* False: there are fewer, and it is damaged. */
static bool skip(struct kw_packed *packed, size_t len)
{
    if (len > packed->rest.len) {
        packed->is_damaged = true;
        return false;
    }
    packed->rest.data += len;
    packed->rest.len -= len;
    return true;
}
