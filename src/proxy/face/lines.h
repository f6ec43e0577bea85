/* lines.h - text for people, of any length, as one reply.
 *
 * Thread: the worker's. Memory: lines live in chunks until kw_lines_reply() takes them.
 */
#ifndef KW_PROXY_FACE_LINES_H
#define KW_PROXY_FACE_LINES_H

#include "base/buf.h"

struct kw_lines {
    struct kw_buf text;
};

void kw_lines_init(struct kw_lines *lines, struct kw_chunk_pool *chunks);

/* Append what printf() would print; nothing is added to it. At most KW_LINE_TEXT_MAX bytes. */
void kw_lines_add(struct kw_lines *lines, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append all of it to BUF, as verbatim text to clients of RESP3, else as a bulk; LINES is empty
 * then.
 */
void kw_lines_reply(struct kw_lines *lines, struct kw_buf *buf, int proto);

enum { KW_LINE_TEXT_MAX = 1024 };

#endif
