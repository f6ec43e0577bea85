/* scan.h - SCAN over the whole cluster: shard after shard, with all that is known in the cursor.
 *
 * Thread: the worker's; the functions on cursors and patterns are pure.
 * Memory: a step belongs to its gather.
 * See also: scan.c (the cursor, and why no key is missed), gather.h.
 */
#ifndef KW_PROXY_GATHER_SCAN_H
#define KW_PROXY_GATHER_SCAN_H

#include "base/bytes.h"
#include "proxy/internal.h"

struct kw_gather;
struct kw_merge_job;

/* What a cursor says; 0, the start and the end, is none of these. */
struct kw_scan_cursor {
    bool is_filtered;     /* slot by slot: the map has changed since the start */
    uint16_t slot;        /* all keys of lower slots have been returned */
    uint64_t node_cursor; /* of the owner of SLOT */
    uint64_t fingerprint; /* of what must not have changed; as many bits of it as there is room */
};

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

/* Read a client's cursor. False when it is none: redis's "invalid cursor". */
KW_CHECK bool kw_scan_cursor_read(struct kw_bytes text, struct kw_scan_cursor *cursor,
                                  bool *is_start);

/* CURSOR as the number that clients get. 0 when its node cursor is too big. */
uint64_t kw_scan_cursor_value(const struct kw_scan_cursor *cursor);

/* True when FINGERPRINT is the one that CURSOR, as it was read, was made with. */
bool kw_scan_cursor_fits(const struct kw_scan_cursor *cursor, uint64_t fingerprint);

/* The slot of all keys that PATTERN can match, KW_SLOT_NONE when they may be in several. */
uint16_t kw_scan_pattern_slot(struct kw_bytes pattern);

/* Start a SCAN. */
enum kw_verdict kw_scan_start(struct kw_client *client, const struct kw_command *command);

/* All parts of GATHER are answered. True when it is a SCAN that has asked for more. */
bool kw_scan_goes_on(struct kw_gather *gather);

/* Append the answer made of JOB's parts. */
void kw_scan_answer(struct kw_gather *gather, struct kw_merge_job *job, struct kw_buf *out);

void kw_scan_step_drop(struct kw_scan_step *step);

/* What a node says of itself in CLUSTER NODES. */
struct kw_scan_self {
    bool is_master;
    uint64_t owned[KW_SLOT_WORDS];
    uint32_t leaving_count;
    struct {
        uint16_t slot;
        struct kw_bytes to; /* a node's id */
    } leaving[64];          /* more at once are a lost case: then the shard is looked at again */
};

/* Read the line about the node that was asked. False when there is none. */
KW_CHECK bool kw_scan_self_read(struct kw_bytes text, struct kw_scan_self *self);

#endif
