/* writer.h - appends replies and commands to a buf, in RESP2 or RESP3.
 *
 * proto is 2 or 3 everywhere: RESP2 has no maps, sets, doubles or nulls of their own and gets what
 * redis sends there instead.
 *
 * Thread: the buf's. Memory: what is appended is copied.
 */
#ifndef KW_RESP_WRITER_H
#define KW_RESP_WRITER_H

#include "base/buf.h"

void kw_reply_status(struct kw_buf *buf, struct kw_bytes text);
void kw_reply_int(struct kw_buf *buf, int64_t value);
void kw_reply_bulk(struct kw_buf *buf, struct kw_bytes bytes);
void kw_reply_verbatim(struct kw_buf *buf, struct kw_bytes text, int proto);
void kw_reply_null(struct kw_buf *buf, int proto);
void kw_reply_null_array(struct kw_buf *buf, int proto);
void kw_reply_bool(struct kw_buf *buf, bool value, int proto);
void kw_reply_double(struct kw_buf *buf, double value, int proto);

/* Headers: COUNT elements (of a map: pairs) must follow. */
void kw_reply_array(struct kw_buf *buf, size_t count);
void kw_reply_set(struct kw_buf *buf, size_t count, int proto);
void kw_reply_map(struct kw_buf *buf, size_t pairs, int proto);

/* A command as clients send them: an array of bulks. */
void kw_write_command(struct kw_buf *buf, const struct kw_bytes *argv, size_t argc);

#endif
