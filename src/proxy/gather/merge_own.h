/* merge_own.h - rules of single commands: FUNCTION STATS, MEMORY DOCTOR, MALLOC-STATS, STATS.
 *
 * Pure. Thread: any. Memory: as merge.h.
 */
#ifndef KW_PROXY_GATHER_MERGE_OWN_H
#define KW_PROXY_GATHER_MERGE_OWN_H

#include "proxy/gather/merge.h"

/* True when COMMAND, whose row says KW_MERGE_OWN, has a rule here. */
bool kw_merge_has_own(const struct kw_command *command);

/* Append the one reply to OUT. False when the replies do not fit together: nothing was appended. */
KW_CHECK bool kw_merge_own(struct kw_merge_job *job, struct kw_buf *out);

/* The text of a bulk or verbatim string. False when REPLY is another thing. */
KW_CHECK bool kw_merge_text(struct kw_bytes reply, struct kw_bytes *text);

/* RANDOMKEY: parts are DBSIZE and RANDOMKEY of each shard in turn. A shard is chosen by its size,
 * with the help of RANDOM; one whose keys have all expired meanwhile is passed over.
 */
void kw_merge_random(struct kw_merge_job *job, uint32_t random, struct kw_buf *out);

#endif
