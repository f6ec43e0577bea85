/* rdb_read.c - lengths, texts and numbers of a payload.
 *
 *     00xxxxxx                     a length of 6 bits
 *     01xxxxxx xxxxxxxx            of 14 bits
 *     10000000 4 bytes             of 32 bits, 10000001: of 64 bits, the highest byte first
 *     11000000 1 byte              no length: a number as text; 11000001 2 bytes, 11000010 4 bytes
 *     11000011 length length ...   no length: a text of the second length, compressed to the first
 */
#include "base/mem.h"
#include "base/number.h"
#include "store/dump/rdb.h"

#include <isa-l/crc64.h>
#include <liblzf/lzf.h>
#include <math.h>

enum {
    LZF_RATIO_MAX = 264, /* bytes that one compressed byte can stand for: nobody claims more */
    TEXT_INFINITE_MINUS = 255,
    TEXT_INFINITE = 254,
    TEXT_NAN = 253
};

static uint64_t read_length(struct kw_rdb *rdb, bool *is_form);
static uint64_t read_highest_first(struct kw_rdb *rdb, size_t len);
static int64_t read_lowest_first(struct kw_rdb *rdb, size_t len);
static void read_compressed(struct kw_rdb *rdb, struct kw_rdb_text *text);

bool kw__rdb_is_sound(struct kw_bytes payload)
{
    if (payload.len < KW_RDB_FOOTER_BYTES) {
        return false;
    }
    const char *footer = payload.data + payload.len - KW_RDB_FOOTER_BYTES;
    uint64_t version = kw_number_at(footer, 2);
    uint64_t sum = kw_number_at(footer + 2, sizeof sum);
    /* The library inverts the sum before and behind: redis does not. */
    uint64_t inverted =
        crc64_jones_refl(UINT64_MAX, (const unsigned char *)payload.data, payload.len - sizeof sum);
    return version <= KW_RDB_VERSION && sum == ~inverted;
}

uint64_t kw__rdb_length(struct kw_rdb *rdb)
{
    bool is_form = false;
    uint64_t length = read_length(rdb, &is_form);

    rdb->is_damaged = rdb->is_damaged || is_form;
    return rdb->is_damaged ? 0 : length;
}

double kw__rdb_double(struct kw_rdb *rdb)
{
    uint64_t bits = (uint64_t)read_lowest_first(rdb, sizeof bits);
    double value = 0;

    memcpy(&value, &bits, sizeof value);
    return value;
}

double kw__rdb_double_text(struct kw_rdb *rdb)
{
    const char *first = kw__rdb_take(rdb, 1);
    unsigned len = first == NULL ? 0 : (unsigned char)*first;
    double value = NAN;

    if (len == TEXT_INFINITE || len == TEXT_INFINITE_MINUS) {
        return len == TEXT_INFINITE ? INFINITY : -INFINITY;
    }
    const char *text = len == TEXT_NAN ? NULL : kw__rdb_take(rdb, len);
    if (text == NULL || kw_text_to_double(kw_bytes_of(text, len), &value) != KW_OK) {
        rdb->is_damaged = true;
    }
    return value;
}

const char *kw__rdb_take(struct kw_rdb *rdb, size_t len)
{
    const char *taken = rdb->rest.data;

    if (rdb->is_damaged || len > rdb->rest.len) {
        rdb->is_damaged = true;
        return NULL;
    }
    rdb->rest.data += len;
    rdb->rest.len -= len;
    return taken;
}

void kw__rdb_text(struct kw_rdb *rdb, struct kw_rdb_text *text)
{
    bool is_form = false;
    uint64_t length = read_length(rdb, &is_form);

    *text = (struct kw_rdb_text){.bytes = KW_BYTES("")};
    if (is_form && length == KW_RDB_FORM_LZF) {
        read_compressed(rdb, text);
    } else if (is_form && length <= KW_RDB_FORM_INT32) {
        int64_t number = read_lowest_first(rdb, (size_t)1 << length);
        text->bytes = kw_bytes_of(text->number, kw_text_from_int(number, text->number));
    } else {
        const char *data = is_form ? NULL : kw__rdb_take(rdb, length);
        rdb->is_damaged = data == NULL;
        text->bytes = kw_bytes_of(data == NULL ? "" : data, data == NULL ? 0 : length);
    }
}

void kw__rdb_text_deinit(struct kw_rdb_text *text)
{
    kw_free(text->owned);
    text->owned = NULL;
}

/* IS_FORM: it is none, but a KW_RDB_FORM_*. */
static uint64_t read_length(struct kw_rdb *rdb, bool *is_form)
{
    const char *first = kw__rdb_take(rdb, 1);
    unsigned byte = first == NULL ? 0 : (unsigned char)*first;
    unsigned kind = byte >> 6;

    *is_form = kind == KW_RDB_FORM;
    if (kind == KW_RDB_LENGTH_14) {
        return (uint64_t)(byte & 0x3f) << 8 | read_highest_first(rdb, 1);
    }
    if (byte == KW_RDB_LENGTH_32 || byte == KW_RDB_LENGTH_64) {
        return read_highest_first(rdb, byte == KW_RDB_LENGTH_32 ? 4 : 8);
    }
    rdb->is_damaged = rdb->is_damaged || kind == KW_RDB_LENGTH_LONG;
    return byte & 0x3f;
}

static uint64_t read_highest_first(struct kw_rdb *rdb, size_t len)
{
    const char *bytes = kw__rdb_take(rdb, len);
    uint64_t number = 0;

    for (size_t i = 0; bytes != NULL && i < len; i++) {
        number = number << 8 | (unsigned char)bytes[i];
    }
    return number;
}

/* With its sign. */
static int64_t read_lowest_first(struct kw_rdb *rdb, size_t len)
{
    const char *bytes = kw__rdb_take(rdb, len);

    return bytes == NULL ? 0 : kw_number_signed_at(bytes, len);
}

static void read_compressed(struct kw_rdb *rdb, struct kw_rdb_text *text)
{
    uint64_t packed_len = kw__rdb_length(rdb);
    uint64_t len = kw__rdb_length(rdb);
    const char *packed = kw__rdb_take(rdb, packed_len);

    rdb->is_damaged = packed == NULL || len == 0 || len > packed_len * LZF_RATIO_MAX;
    text->owned = rdb->is_damaged ? NULL : kw_try_alloc(len);
    if (text->owned == NULL ||
        lzf_decompress(packed, (unsigned)packed_len, text->owned, (unsigned)len) != len) {
        rdb->is_damaged = true;
        return;
    }
    text->bytes = kw_bytes_of(text->owned, len);
}
