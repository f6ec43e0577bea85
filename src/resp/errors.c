/* errors.c - formats error replies so that no input can forge a second reply line. */
#include "resp/errors.h"

#include "base/assert.h"
#include "base/limits.h"

#include <stdio.h>

static const char *const error_texts[KW_ERROR_COUNT] = {
#define KW_ERROR(code, text, when) text,
#include "resp/errors.def"
#undef KW_ERROR
};

const char *kw_error_text(enum kw_error error)
{
    KW_ASSERT((unsigned)error < KW_ERROR_COUNT);
    return error_texts[error];
}

void kw_reply_error(struct kw_buf *buf, enum kw_error error)
{
    kw_reply_error_text(buf, error, NULL, NULL);
}

/* Replace each %s of TEXT by FIRST, then SECOND; not printf: the row is data. */
static size_t error_expand(char *line, size_t size, const char *text, const char *first,
                           const char *second)
{
    size_t len = 0;

    while (*text != '\0' && len < size) {
        if (text[0] == '%' && text[1] == 's') {
            const char *argument = first != NULL ? first : "";
            first = second;
            while (*argument != '\0' && len < size) {
                line[len++] = *argument++;
            }
            text += 2;
        } else {
            line[len++] = *text++;
        }
    }
    return len;
}

void kw_reply_error_text(struct kw_buf *buf, enum kw_error error, const char *first,
                         const char *second)
{
    char line[KW_ERROR_MAX_BYTES + 3];

    line[0] = '-';
    size_t len =
        1 + error_expand(line + 1, KW_ERROR_MAX_BYTES, kw_error_text(error), first, second);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ') {
            line[i] = ' ';
        }
    }
    line[len++] = '\r';
    line[len++] = '\n';
    kw_buf_append(buf, line, len);
}

void kw_reply_error_bytes(struct kw_buf *buf, enum kw_error error, struct kw_bytes bytes)
{
    char text[KW_ERROR_MAX_BYTES];
    size_t len = bytes.len < sizeof text ? bytes.len : sizeof text - 1;

    memcpy(text, bytes.data, len);
    text[len] = '\0';
    kw_reply_error_text(buf, error, text, NULL);
}
