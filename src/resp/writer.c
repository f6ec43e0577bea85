/* writer.c - RESP, outgoing. */
#include "resp/writer.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>

enum { DOUBLE_TEXT_MAX = 40 };

/* From here on %.17g writes an exponent. */
#define DOUBLE_WHOLE_MAX 1e17

/* PREFIX, VALUE and CR LF: every header and integer. */
static void write_number(struct kw_buf *buf, char prefix, int64_t value)
{
    char line[KW_TEXT_INT_MAX + 3];
    size_t len = 0;

    line[len++] = prefix;
    len += kw_text_from_int(value, line + len);
    line[len++] = '\r';
    line[len++] = '\n';
    kw_buf_append(buf, line, len);
}

void kw_reply_status(struct kw_buf *buf, struct kw_bytes text)
{
    kw_buf_append(buf, "+", 1);
    kw_buf_append_bytes(buf, text);
    kw_buf_append(buf, "\r\n", 2);
}

void kw_reply_int(struct kw_buf *buf, int64_t value)
{
    write_number(buf, ':', value);
}

void kw_reply_bulk(struct kw_buf *buf, struct kw_bytes bytes)
{
    write_number(buf, '$', (int64_t)bytes.len);
    kw_buf_append_bytes(buf, bytes);
    kw_buf_append(buf, "\r\n", 2);
}

void kw_reply_verbatim(struct kw_buf *buf, struct kw_bytes text, int proto)
{
    if (proto == 2) {
        kw_reply_bulk(buf, text);
        return;
    }
    write_number(buf, '=', (int64_t)text.len + 4);
    kw_buf_append(buf, "txt:", 4);
    kw_buf_append_bytes(buf, text);
    kw_buf_append(buf, "\r\n", 2);
}

void kw_reply_null(struct kw_buf *buf, int proto)
{
    kw_buf_append_bytes(buf, proto == 2 ? KW_BYTES("$-1\r\n") : KW_BYTES("_\r\n"));
}

void kw_reply_null_array(struct kw_buf *buf, int proto)
{
    kw_buf_append_bytes(buf, proto == 2 ? KW_BYTES("*-1\r\n") : KW_BYTES("_\r\n"));
}

void kw_reply_bool(struct kw_buf *buf, bool value, int proto)
{
    if (proto == 2) {
        kw_reply_int(buf, value ? 1 : 0);
        return;
    }
    kw_buf_append_bytes(buf, value ? KW_BYTES("#t\r\n") : KW_BYTES("#f\r\n"));
}

/* As printf's %.17g. Whole numbers, which most are, are written ten times as fast as it does. */
static size_t double_text(double value, char *text)
{
    if (value > -DOUBLE_WHOLE_MAX && value < DOUBLE_WHOLE_MAX) {
        int64_t whole = (int64_t)value;
        if ((double)whole == value && (whole != 0 || !signbit(value))) {
            return kw_text_from_int(whole, text);
        }
    }
    if (isinf(value)) {
        return (size_t)snprintf(text, DOUBLE_TEXT_MAX, "%s", value > 0 ? "inf" : "-inf");
    }
    return (size_t)snprintf(text, DOUBLE_TEXT_MAX, "%.17g", value);
}

void kw_reply_double(struct kw_buf *buf, double value, int proto)
{
    char text[DOUBLE_TEXT_MAX];
    struct kw_bytes bytes = kw_bytes_of(text, double_text(value, text));

    if (proto == 2) {
        kw_reply_bulk(buf, bytes);
        return;
    }
    kw_buf_append(buf, ",", 1);
    kw_buf_append_bytes(buf, bytes);
    kw_buf_append(buf, "\r\n", 2);
}

void kw_reply_array(struct kw_buf *buf, size_t count)
{
    write_number(buf, '*', (int64_t)count);
}

void kw_reply_set(struct kw_buf *buf, size_t count, int proto)
{
    write_number(buf, proto == 2 ? '*' : '~', (int64_t)count);
}

void kw_reply_map(struct kw_buf *buf, size_t pairs, int proto)
{
    write_number(buf, proto == 2 ? '*' : '%', (int64_t)(proto == 2 ? pairs * 2 : pairs));
}

void kw_write_command(struct kw_buf *buf, const struct kw_bytes *argv, size_t argc)
{
    kw_reply_array(buf, argc);
    for (size_t i = 0; i < argc; i++) {
        kw_reply_bulk(buf, argv[i]);
    }
}
