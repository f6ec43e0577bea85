/* bits.c - see bits.h. */
#include "store/bits/bits.h"

#include "base/text.h"

bool kw__bit_offset(struct kw_exec *exec, struct kw_bytes text, unsigned width, uint64_t *offset)
{
    bool is_number = width > 0 && text.len > 0 && text.data[0] == '#';
    struct kw_bytes digits = is_number ? kw_bytes_of(text.data + 1, text.len - 1) : text;
    int64_t given = 0;

    bool is_right = kw_text_to_int(digits, &given) == KW_OK && given >= 0 &&
                    (!is_number || !__builtin_mul_overflow(given, (int64_t)width, &given)) &&
                    given >> 3 < KW_STRING_MAX_BYTES;
    if (!is_right) {
        kw_exec_error(exec, KW_ERROR_BIT_OFFSET, NULL);
        return false;
    }
    *offset = (uint64_t)given;
    return true;
}

bool kw__bit_string(struct kw_exec *exec, uint64_t last, struct kw_bit_string *string)
{
    struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[1]);
    struct kw_cache_found found = {0};

    bool is_there = kw__key_look(exec->worker, &key, true, &found);
    if (is_there && kw__kind_of(&found) != KW_KIND_STRING) {
        kw_exec_error(exec, KW_ERROR_WRONGTYPE, NULL);
        return false;
    }
    size_t needed = (size_t)(last >> 3) + 1;
    string->len = found.value.len > needed ? found.value.len : needed;
    string->is_other = string->len != found.value.len;
    string->is_raw = is_there && found.kind == KW_FORM_RAW;
    string->data = kw__scratch(exec, string->len);
    if (string->data == NULL) {
        return false;
    }
    if (found.value.len > 0) {
        memcpy(string->data, found.value.data, found.value.len);
    }
    memset(string->data + found.value.len, 0, string->len - found.value.len);
    return true;
}
