/* gather.h - one request, several calls: its parts, and how their replies become one.
 *
 * The parts are requests of their own in the client's queue, in front of the one that answers: all
 * that keeps order and follows redirections works for them as for any other. Their replies are
 * never delivered; the last one that comes merges them.
 *
 * Thread: the worker's. Memory: a gather lives until its answer has left the queue.
 * See also: reply.h (the queue), split.h, shards.h, scan.h, merge.h, command/policy.h.
 */
#ifndef KW_PROXY_GATHER_GATHER_H
#define KW_PROXY_GATHER_GATHER_H

#include "proxy/gather/merge.h"
#include "proxy/gather/scan.h"
#include "proxy/gather/shards.h"
#include "proxy/gather/split.h"
#include "proxy/internal.h"

enum { KW_GATHER_FEW_KEYS = 16 };

struct kw_gather {
    struct kw_client *client;
    const struct kw_command *command;
    struct kw_request *answer;     /* behind its parts in the queue */
    struct kw_request *first;      /* the parts stand from here ... */
    struct kw_request *last;       /* ... to here */
    uint32_t parts_count;          /* ever made: their numbers are below */
    uint32_t left_count;           /* parts without an answer, and 1 while parts are being made */
    uint32_t keys_count;           /* of the request, when key_parts is there */
    uint32_t *key_parts;           /* IN_KEY_ORDER: the part that has each key's element */
    uint32_t *ends;                /* of a part in a bunch: where its reply ends there */
    uint64_t *notes;               /* the same: kw_near_is_cold()'s, if the near cache is on */
    struct kw_chunk *keys_chunk;   /* where these three are; NULL: in few */
    struct kw_chunk *script_chunk; /* the command's bytes, while script.c needs them */
    struct kw_scan_step scan;      /* of SCAN */
    uint64_t bunch_slots;          /* of the keys that are in bunches, modulo 64 */
    uint16_t behind_slot; /* of bunches that are is_behind: which keys; KW_SLOT_NONE: all */
    bool is_complete;
    uint64_t few[2 * KW_GATHER_FEW_KEYS];
};

/* What a worker keeps for all its gathers. */
struct kw_gathering {
    struct kw_pool gathers;
    struct kw_split *split;
    struct kw_shards shards;
    struct kw_argv argv; /* of a request that is cut once more */
    struct kw_merge_part *parts;
    uint32_t parts_size;
};

struct kw_gathering *kw_gathering_new(struct kw_backend *backend);
void kw_gathering_free(struct kw_gathering **gathering);

/* Give memory beyond the ordinary back. */
void kw_gathering_trim(struct kw_gathering *gathering);

/* Start COMMAND, of a route that may need several calls.
 *
 * wire  its bytes as multibulk, borrowed
 * Returns KW_SENT, KW_WAITING or KW_REFUSED; KW_NEXT when one call will do after all.
 */
enum kw_verdict kw_gather_start(struct kw_client *client, const struct kw_command *command,
                                struct kw_bytes wire);

/* For reply.c: a part is DONE. */
void kw_gather_on_part(struct kw_gather *gather);

/* For reply.c: the answer has left the queue, and so have its parts. */
void kw_gather_put(struct kw_gather *gather);

/* For scatter.c and bunch.c. A part of GATHER from the pool; not in the queue yet. */
struct kw_request *kw__gather_add(struct kw_gather *gather, uint16_t slot, uint32_t keys_count);

/* For bunch.c. Put PART, the next one, into the queue. */
void kw__gather_append(struct kw_gather *gather, struct kw_request *part);

/* For bunch.c. Make a part of FROM, and send it. */
void kw__gather_send_part(struct kw_gather *gather, const struct kw_split *split,
                          const struct kw_split_part *from);

/* For scatter.c. Remember which part has the element of each of COUNT keys. Without memory for that
 * the client is gone, and key_parts NULL: a gather without parts yet must not get any.
 */
void kw__gather_keep_keys(struct kw_gather *gather, const uint32_t *key_parts, uint32_t count);

/* For scan.c. A gather of CLIENT without parts yet. */
struct kw_gather *kw__gather_begin(struct kw_client *client, const struct kw_command *command);

/* For scan.c. One more part: COMMAND_BYTES for the owner of SLOT. */
void kw__gather_ask(struct kw_gather *gather, uint16_t slot, struct kw_bytes command_bytes);

/* The same for NODE, which need not own SLOT. */
void kw__gather_ask_node(struct kw_gather *gather, struct kw_node *node, uint16_t slot,
                         struct kw_bytes command_bytes);

/* For scan.c. All parts are made. Appends the request that answers when it is not there yet, unless
 * there is no part.
 */
void kw__gather_end(struct kw_gather *gather);

/* For scan.c. True while a request of CLIENT that has no keys would overtake an earlier one. */
bool kw__gather_must_wait(struct kw_client *client);

/* The whole reply of PART, which is DONE; it lies in parked.head when that is there. */
static inline struct kw_bytes kw__part_reply(const struct kw_request *part)
{
    const struct kw_chunk *chunk = part->parked.head;

    return chunk == NULL ? kw_bytes_of(part->small, part->small_len)
                         : kw_bytes_of(chunk->data + chunk->start, chunk->end - chunk->start);
}

#endif
