/* lines.c - see lines.h. */
#include "proxy/face/lines.h"

#include "base/mem.h"
#include "resp/writer.h"

#include <stdarg.h>
#include <stdio.h>

void kw_lines_init(struct kw_lines *lines, struct kw_chunk_pool *chunks)
{
    kw_buf_init(&lines->text, chunks);
}

void kw_lines_add(struct kw_lines *lines, const char *format, ...)
{
    char line[KW_LINE_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (len > 0) {
        kw_buf_append(&lines->text, line,
                      (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
    }
}

void kw_lines_reply(struct kw_lines *lines, struct kw_buf *buf, int proto)
{
    size_t len = 0;
    char *joined = kw_alloc(lines->text.len + 1);

    for (const struct kw_chunk *chunk = lines->text.head; chunk != NULL; chunk = chunk->next) {
        memcpy(joined + len, chunk->data + chunk->start, chunk->end - chunk->start);
        len += chunk->end - chunk->start;
    }
    kw_reply_verbatim(buf, kw_bytes_of(joined, len), proto);
    kw_free(joined);
    kw_buf_reset(&lines->text);
}
