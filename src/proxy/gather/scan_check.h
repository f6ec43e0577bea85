/* scan_check.h - has a walk over a shard seen all keys? For scan.c.
 *
 * Thread: the worker's.
 * See also: scan.h.
 */
#ifndef KW_PROXY_GATHER_SCAN_CHECK_H
#define KW_PROXY_GATHER_SCAN_CHECK_H

#include "base/bytes.h"
#include "proxy/internal.h"

struct kw_gather;

/* What the node says of its slots has come. True when more is asked. */
bool kw__scan_check(struct kw_gather *gather);

/* The keys that have left are here. With TYPE, ask for theirs: their nodes redirect. True when
   something is asked. */
bool kw__scan_ask_types(struct kw_gather *gather);

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

/* The options of a SCAN that keyway looks at. */
struct kw_step_options {
    struct kw_bytes pattern; /* data NULL: none */
    struct kw_bytes type;
};

/* In scan.c. The client's options, from the command that was sent. Valid until another command is
   cut. */
struct kw_step_options kw__step_options(struct kw_gather *gather);

/* In scan.c. Cut one bulk off the front of *KEYS. False at the end. */
bool kw__scan_key_cut(struct kw_bytes *keys, struct kw_bytes *key);

#endif
