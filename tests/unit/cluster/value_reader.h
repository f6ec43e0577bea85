/* value_reader.h - RESP text to struct kw_value, for tests and the fuzzer only.
 *
 * Strict about framing and nothing else: what comes out may be any nonsense a node could send.
 * Memory: a struct value_reader holds the values; bytes are borrowed from the text.
 */
#ifndef KW_TESTS_UNIT_CLUSTER_VALUE_READER_H
#define KW_TESTS_UNIT_CLUSTER_VALUE_READER_H

#include "base/text.h"
#include "net/value.h"

#include <stdlib.h>

enum {
    VALUE_READER_DEPTH = 8,
    VALUE_READER_MIN = 3 /* bytes of the shortest value: "_\r\n" */
};

struct value_reader {
    struct kw_value *values; /* owned */
    size_t values_count;
    size_t values_max; /* more can't be in the text: promises beyond are refused */
    const char *at;
    const char *end;
};

/* The line up to CR LF, or false. */
static inline bool value_reader_line(struct value_reader *reader, struct kw_bytes *line)
{
    const char *cr = reader->at == reader->end
                         ? NULL
                         : memchr(reader->at, '\r', (size_t)(reader->end - reader->at));

    if (cr == NULL || reader->end - cr < 2 || cr[1] != '\n') {
        return false;
    }
    *line = kw_bytes_of(reader->at, (size_t)(cr - reader->at));
    reader->at = cr + 2;
    return true;
}

/* Read one value's own line (and bytes) to VALUE; its elements are reserved, not read. */
static inline bool value_reader_one(struct value_reader *reader, struct kw_value *value)
{
    struct kw_bytes line;
    int64_t number = 0;

    memset(value, 0, sizeof *value);
    if (reader->at == reader->end) {
        return false;
    }
    char type = *reader->at++;
    if (!value_reader_line(reader, &line)) {
        return false;
    }
    if (type == '+' || type == '-' || type == ',') {
        value->type =
            type == '+' ? KW_VALUE_STATUS : (type == '-' ? KW_VALUE_ERROR : KW_VALUE_BYTES);
        value->bytes = line;
        return true;
    }
    if (type == '_') {
        return true;
    }
    if (kw_text_to_int(line, &number) != KW_OK) {
        return false;
    }
    if (type == ':') {
        value->type = KW_VALUE_INTEGER;
        value->integer = number;
        return true;
    }
    if (number == -1) {
        return type == '$' || type == '*';
    }
    if (type == '$') {
        if (number < 0 || number > reader->end - reader->at - 2) {
            return false;
        }
        value->type = KW_VALUE_BYTES;
        value->bytes = kw_bytes_of(reader->at, (size_t)number);
        reader->at += number + 2;
        return true;
    }
    if ((type != '*' && type != '%' && type != '~') || number < 0 ||
        (size_t)number > reader->values_max) {
        return false;
    }
    value->type = type == '%' ? KW_VALUE_MAP : KW_VALUE_ARRAY;
    value->elements_count = (uint32_t)(type == '%' ? 2 * number : number);
    if (value->elements_count > reader->values_max - reader->values_count) {
        return false;
    }
    value->elements = reader->values + reader->values_count;
    reader->values_count += value->elements_count;
    return true;
}

/* Read TEXT, all of it. NULL when it is no RESP value. Call value_reader_free() in any case. */
static inline const struct kw_value *value_reader_read(struct value_reader *reader,
                                                       struct kw_bytes text)
{
    struct {
        struct kw_value *next;
        uint32_t left;
    } stack[VALUE_READER_DEPTH];
    int depth = 0;

    reader->values_max = text.len / VALUE_READER_MIN + 1;
    reader->values = calloc(reader->values_max, sizeof *reader->values);
    reader->values_count = 1;
    reader->at = text.data;
    reader->end = text.data + text.len;
    stack[0].next = &reader->values[0];
    stack[0].left = 1;
    while (depth >= 0) {
        if (stack[depth].left == 0) {
            depth--;
            continue;
        }
        struct kw_value *value = stack[depth].next++;
        stack[depth].left--;
        if (!value_reader_one(reader, value)) {
            return NULL;
        }
        if (value->elements_count > 0) {
            if (++depth == VALUE_READER_DEPTH) {
                return NULL;
            }
            stack[depth].next = reader->values + (value->elements - reader->values);
            stack[depth].left = value->elements_count;
        }
    }
    return reader->at == reader->end ? &reader->values[0] : NULL;
}

static inline void value_reader_free(struct value_reader *reader)
{
    free(reader->values);
    reader->values = NULL;
}

#endif
