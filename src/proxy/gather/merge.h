/* merge.h - several replies become one.
 *
 * What a merge can't take as it is (an error among the replies, a reply of another shape) becomes
 * one error: an answer that lacks something is never given out as a whole one.
 *
 * Pure. Thread: any. Memory: replies are borrowed; large elements are referenced from the chunk
 * that the reply lies in, all others copied.
 * See also: command/policy.h (enum kw_merge), gather.h (who has the replies), merge_own.h.
 */
#ifndef KW_PROXY_GATHER_MERGE_H
#define KW_PROXY_GATHER_MERGE_H

#include "base/buf.h"
#include "command/command.h"

/* The whole reply of one part. */
struct kw_merge_part {
    struct kw_bytes reply;
    struct kw_chunk *chunk; /* that the reply lies in; NULL: it must be copied */
    uint32_t keys_count;    /* that it is about; 0: it is about a shard */
    const char *node;       /* who said it, for texts that name nodes; NULL = unknown */
};

struct kw_merge_job {
    const struct kw_command *command;
    enum kw_merge how;
    int proto;                   /* 2 or 3: of the replies and of the answer */
    struct kw_merge_part *parts; /* replies are cut away from the front by the merge */
    uint32_t parts_count;
    const uint32_t *key_parts; /* IN_KEY_ORDER: which part has the element of each key */
    uint32_t keys_count;
    bool may_be_partial; /* IN_KEY_ORDER of a read: errors may stand for elements */
};

/* Append the one reply to OUT. */
void kw_merge(struct kw_merge_job *job, struct kw_buf *out);

/* True when REPLY is an error. */
static inline bool kw_merge_is_error(struct kw_bytes reply)
{
    return reply.len > 0 && (reply.data[0] == '-' || reply.data[0] == '!');
}

/* Cut the number of an integer reply, or the count of an array, set or map, off the front of
 * *REPLY. False when it is not of TYPE.
 */
KW_CHECK bool kw_merge_take_number(struct kw_bytes *reply, char type, int64_t *number);

/* Cut one whole value off the front of *REPLY. False when there is none. */
KW_CHECK bool kw_merge_take_value(struct kw_bytes *reply, int proto, struct kw_bytes *value);

/* Append BYTES of PART's reply to OUT. */
void kw_merge_pass(const struct kw_merge_part *part, struct kw_bytes bytes, struct kw_buf *out);

#endif
