/* scan.h - SCAN over the whole cluster: shard after shard, with all that is known in the cursor.
 *
 * Thread: the worker's.
 * Memory: a step belongs to its gather.
 * See also: scan.c (why no key is missed), scan_cursor.h, scan_check.h, gather.h.
 */
#ifndef KW_PROXY_GATHER_SCAN_H
#define KW_PROXY_GATHER_SCAN_H

#include "proxy/gather/scan_cursor.h"
#include "proxy/internal.h"

struct kw_gather;
struct kw_merge_job;

enum kw_scan_stage {
    KW_SCAN_STEP = 0, /* SCAN at one node */
    KW_SCAN_CHECK,    /* the node is through: are its slots still all its own? */
    KW_SCAN_LEAVING,  /* slots are moving away: which keys have left? */
    KW_SCAN_TYPES     /* of which type are those? */
};

/* One SCAN of a client. */
struct kw_scan_step {
    enum kw_scan_stage stage;
    struct kw_scan_cursor at;
    uint32_t end;             /* filtered: the slot behind those that are looked at */
    uint64_t map;             /* fingerprint of the map when it was sent */
    bool is_one_slot;         /* the pattern names one: nothing else is looked at */
    bool is_again;            /* what was looked at has changed: once more from its beginning */
    uint32_t leaving_count;   /* parts that list keys which have left */
    struct kw_chunk *command; /* what was sent to the node */
};

/* Start a SCAN. */
enum kw_verdict kw_scan_start(struct kw_client *client, const struct kw_command *command);

/* All parts of GATHER are answered. True when it is a SCAN that has asked for more. */
bool kw_scan_goes_on(struct kw_gather *gather);

/* Append the answer made of JOB's parts. */
void kw_scan_answer(struct kw_gather *gather, struct kw_merge_job *job, struct kw_buf *out);

void kw_scan_step_drop(struct kw_scan_step *step);

#endif
