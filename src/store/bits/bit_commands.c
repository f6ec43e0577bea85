/* bit_commands.c - single bits, counting and looking for them, and strings of them combined. */
#include "base/text.h"
#include "store/bits/bits.h"

enum bit_operation { BIT_AND, BIT_OR, BIT_XOR, BIT_NOT };

static bool bit_range(struct kw_exec *exec, struct kw_bytes value, size_t first_at,
                      struct kw_bit_range *range);
static bool range_unit(struct kw_exec *exec, size_t at, bool *is_bits);
static int64_t bits_count(const char *data, struct kw_bit_range range);
static int64_t bits_find(const char *data, struct kw_bit_range range, bool bit);
static bool operation_read(struct kw_exec *exec, enum bit_operation *operation);
static bool operation_len(struct kw_exec *exec, size_t *len);
static void operation_fold(struct kw_exec *exec, enum bit_operation operation, char *result,
                           size_t len);

void kw__do_setbit(struct kw_exec *exec)
{
    struct kw_bytes name = exec->argv[1];
    struct kw_bit_string string;
    uint64_t offset = 0;
    int64_t on = 0;

    if (!kw__bit_offset(exec, exec->argv[2], 0, &offset)) {
        return;
    }
    if (kw_text_to_int(exec->argv[3], &on) != KW_OK || (on & ~INT64_C(1)) != 0) {
        kw_exec_error(exec, KW_ERROR_BIT_VALUE, NULL);
        return;
    }
    if (!kw__bit_string(exec, offset, &string)) {
        return;
    }
    bool was_on = kw__bit_at(string.data, offset);
    bool is_changed = string.is_other || was_on != (on != 0);
    if (was_on != (on != 0)) {
        string.data[offset >> 3] = (char)(string.data[offset >> 3] ^ (0x80 >> (offset & 7)));
    }
    if ((is_changed || !string.is_raw) &&
        !kw__key_put_form(exec, name, KW_FORM_RAW, kw_bytes_of(string.data, string.len),
                          KW_DEADLINE_KEEP)) {
        return;
    }
    if (is_changed) {
        kw_key_changed(exec, name, KW_STORE_STRING, "setbit");
    }
    kw_reply_int(exec->out, was_on ? 1 : 0);
}

void kw__do_getbit(struct kw_exec *exec)
{
    struct kw_bytes value = {0};
    uint64_t offset = 0;

    if (kw__bit_offset(exec, exec->argv[2], 0, &offset) &&
        kw_key_string(exec, exec->argv[1], &value) != KW_FOUND_OTHER) {
        bool is_on = offset >> 3 < value.len && kw__bit_at(value.data, offset);
        kw_reply_int(exec->out, is_on ? 1 : 0);
    }
}

/* BITCOUNT key [first last [BYTE | BIT]] */
void kw__do_bitcount(struct kw_exec *exec)
{
    struct kw_bit_range range = {0};
    struct kw_bytes value;

    enum kw_found found = kw_key_string(exec, exec->argv[1], &value);
    if (found == KW_FOUND_NOTHING) {
        kw_reply_int(exec->out, 0);
    }
    if (found != KW_FOUND) {
        return;
    }
    range.last = (int64_t)value.len * 8 - 1;
    if (exec->argc == 3 || exec->argc > 5) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
    } else if (exec->argc == 2 || bit_range(exec, value, 2, &range)) {
        kw_reply_int(exec->out, bits_count(value.data, range));
    }
}

/* BITPOS key bit [first [last [BYTE | BIT]]] */
void kw__do_bitpos(struct kw_exec *exec)
{
    struct kw_bit_range range = {0};
    struct kw_bytes value;
    int64_t bit = 0;

    if (!kw_exec_int(exec, exec->argv[2], &bit)) {
        return;
    }
    if (bit != 0 && bit != 1) {
        kw_exec_error(exec, KW_ERROR_BITPOS_BIT, NULL);
        return;
    }
    enum kw_found found = kw_key_string(exec, exec->argv[1], &value);
    if (found == KW_FOUND_NOTHING) {
        kw_reply_int(exec->out, bit == 1 ? -1 : 0);
    }
    if (found != KW_FOUND) {
        return;
    }
    range.last = (int64_t)value.len * 8 - 1;
    if (exec->argc > 6) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    if (exec->argc > 3 && !bit_range(exec, value, 3, &range)) {
        return;
    }
    int64_t at = bits_find(value.data, range, bit == 1);
    bool is_padded = bit == 0 && exec->argc < 5 && range.first <= range.last;
    kw_reply_int(exec->out, at < 0 && is_padded ? range.last + 1 : at);
}

/* BITOP operation destination key [key ...] */
void kw__do_bitop(struct kw_exec *exec)
{
    struct kw_bytes to = exec->argv[2];
    enum bit_operation operation = BIT_AND;
    size_t len = 0;

    if (!operation_read(exec, &operation) || !operation_len(exec, &len)) {
        return;
    }
    if (len == 0) {
        if (kw_key_remove(exec, to)) {
            kw_key_changed(exec, to, KW_STORE_GENERIC, "del");
        }
        kw_reply_int(exec->out, 0);
        return;
    }
    char *result = kw__scratch(exec, len);
    if (result == NULL) {
        return;
    }
    operation_fold(exec, operation, result, len);
    if (kw__key_put_form(exec, to, KW_FORM_RAW, kw_bytes_of(result, len), KW_DEADLINE_NONE)) {
        kw_key_changed(exec, to, KW_STORE_STRING, "set");
        kw_reply_int(exec->out, (int64_t)len);
    }
}

/* Arguments from FIRST_AT on as a range of bits; the last may be missing. */
static bool bit_range(struct kw_exec *exec, struct kw_bytes value, size_t first_at,
                      struct kw_bit_range *range)
{
    bool has_last = exec->argc > first_at + 1;
    bool is_bits = false;
    int64_t first = 0;
    int64_t last = -1;

    if (!kw_exec_int(exec, exec->argv[first_at], &first) ||
        (has_last && first_at == 2 && !kw_exec_int(exec, exec->argv[first_at + 1], &last))) {
        return false;
    }
    if (first_at == 2 && first < 0 && last < 0 && first > last) { /* BITCOUNT's short cut */
        *range = (struct kw_bit_range){0, -1};
        return true;
    }
    if (!range_unit(exec, first_at + 2, &is_bits) ||
        (has_last && first_at == 3 && !kw_exec_int(exec, exec->argv[first_at + 1], &last))) {
        return false;
    }
    if (!kw_text_places(value.len * (is_bits ? 8 : 1), &first, &last)) {
        *range = (struct kw_bit_range){0, -1};
    } else {
        *range = is_bits ? (struct kw_bit_range){first, last}
                         : (struct kw_bit_range){first * 8, last * 8 + 7};
    }
    return true;
}

/* BYTE or BIT at argument AT, if it is there. */
static bool range_unit(struct kw_exec *exec, size_t at, bool *is_bits)
{
    if (at < exec->argc) {
        *is_bits = kw_exec_is(exec, at, KW_BYTES("BIT"));
        if (!*is_bits && !kw_exec_is(exec, at, KW_BYTES("BYTE"))) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    return true;
}

static int64_t bits_count(const char *data, struct kw_bit_range range)
{
    int64_t count = 0;
    int64_t at = range.first;

    while (at <= range.last) {
        uint64_t word = 0;
        if ((at & 7) == 0 && range.last - at >= 63) {
            memcpy(&word, data + (at >> 3), sizeof word);
            count += __builtin_popcountll(word);
            at += 64;
        } else {
            count += kw__bit_at(data, (uint64_t)at) ? 1 : 0;
            at++;
        }
    }
    return count;
}

/* Where the first BIT of RANGE is; -1: nowhere. */
static int64_t bits_find(const char *data, struct kw_bit_range range, bool bit)
{
    const unsigned char none = bit ? 0 : 0xff;
    int64_t at = range.first;

    while (at <= range.last) {
        if ((at & 7) == 0 && (unsigned char)data[at >> 3] == none) {
            at += 8; /* the range may end within it: then it is over, too */
        } else if (kw__bit_at(data, (uint64_t)at) == bit) {
            return at;
        } else {
            at++;
        }
    }
    return -1;
}

static bool operation_read(struct kw_exec *exec, enum bit_operation *operation)
{
    static const struct kw_bytes words[] = {{"AND", 3}, {"OR", 2}, {"XOR", 3}, {"NOT", 3}};

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (kw_exec_is(exec, 1, words[i])) {
            *operation = (enum bit_operation)i;
            if (*operation == BIT_NOT && exec->argc != 4) {
                kw_exec_error(exec, KW_ERROR_BITOP_NOT, NULL);
                return false;
            }
            return true;
        }
    }
    kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
    return false;
}

/* The length of the longest operand; false: one is no string, the error is written. */
static bool operation_len(struct kw_exec *exec, size_t *len)
{
    for (size_t i = 3; i < exec->argc; i++) {
        struct kw_bytes value = {0};
        enum kw_found found = kw_key_string(exec, exec->argv[i], &value);
        if (found == KW_FOUND_OTHER) {
            return false;
        }
        if (found == KW_FOUND_NOTHING) {
            kw_key_missed(exec, exec->argv[i]);
        }
        *len = value.len > *len ? value.len : *len;
    }
    return true;
}

static void operation_fold(struct kw_exec *exec, enum bit_operation operation, char *result,
                           size_t len)
{
    for (size_t i = 3; i < exec->argc; i++) {
        struct kw_bytes value = {0};
        (void)kw_key_string(exec, exec->argv[i], &value);
        for (size_t at = 0; at < len; at++) {
            char byte = at < value.len ? value.data[at] : 0;
            if (i == 3) {
                result[at] = operation == BIT_NOT ? (char)~byte : byte;
            } else if (operation == BIT_AND) {
                result[at] = (char)(result[at] & byte);
            } else if (operation == BIT_OR) {
                result[at] = (char)(result[at] | byte);
            } else {
                result[at] = (char)(result[at] ^ byte);
            }
        }
    }
}
