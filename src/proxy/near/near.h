/* near.h - the near cache: reads of hot keys answered from memory, coherent with the nodes.
 *
 * What the rest of the proxy asks of it. Off, it costs one test of proxy->near.
 *
 *   kw_near_answer        a stage of request.c: is the reply here?
 *   kw_near_on_reply      a read was answered past the cache: compare, and fetch what is hot
 *   kw_near_expect        a request enters its client's queue: writes hold fills back
 *   kw_near_on_end        it is answered: what it has written is not in memory any more
 *
 * Thread: the worker's; kw_near_shared_new() and _free() the server's, before and after all others;
 *         kw_near_try() any.
 * Memory: each worker has a kw_near of its own, all of them share one kw_near_shared.
 * See also: near/README.md (the protocol), shared.h, origin.h, fill.h.
 */
#ifndef KW_PROXY_NEAR_NEAR_H
#define KW_PROXY_NEAR_NEAR_H

#include "base/apart.h"
#include "base/assert.h"
#include "proxy/gather/gather.h"
#include "proxy/internal.h"
#include "proxy/route.h"

struct kw_blob;
struct kw_near_shared;
struct kw_sight;

/* What the process has of it: tables, and the cache while near-cache is on. */
struct kw_near_shared *kw_near_shared_new(unsigned workers_count);
void kw_near_shared_free(struct kw_near_shared **shared);

/* Could there be a cache as CONFIG says? Returns KW_OK; KW_E_SYSTEM when the system refuses its
 * memory. Any thread.
 */
KW_CHECK enum kw_status kw_near_try(const struct kw_config *config);

/* PROXY has a part in it: on whenever the configuration says so. */
void kw_near_share(struct kw_proxy *proxy, struct kw_near_shared *shared);

/* Close the connections; nothing is answered from memory any more (P2). */
void kw_near_stop(struct kw_proxy *proxy);
void kw_near_free(struct kw_proxy *proxy);

/* Options changed, near-cache perhaps: proxy->near may come or go. When it goes on any worker,
 * nothing is answered from memory any more on all of them.
 */
void kw_near_apply_config(struct kw_proxy *proxy);

/* A tick is about to end: what is to be fetched joins the output. */
void kw_near_tick(struct kw_proxy *proxy);

/* A tick has ended: the cache need not wait for this worker while it sleeps. */
void kw_near_rest(struct kw_proxy *proxy);

/* Masters may have come or gone. */
void kw_near_align_soon(struct kw_proxy *proxy);

/* SLOT is elsewhere, or on its way: what is kept of it counts no more (R7). */
void kw_near_forget_slot(struct kw_proxy *proxy, uint16_t slot);

/* A node said that SLOT, or some of its keys, is elsewhere: IS_FOR_GOOD, or while it moves. */
void kw_near_redirected(struct kw_proxy *proxy, uint16_t slot, bool is_for_good);

/* kw_request.near: what is to be done when it is answered. */
enum kw_near_mark {
    KW_NEAR_MARK_NONE = 0,
    /* Reads: the reply is looked at. */
    KW_NEAR_MARK_HEEDED,
    KW_NEAR_MARK_KNOWN,  /* near_hash is the hash of its key */
    KW_NEAR_MARK_CHANCE, /* the same, and its key may be fetched, when others are */
    KW_NEAR_MARK_HOT,    /* the same, and its key is hot: it may be fetched at once */
    KW_NEAR_MARK_DUE,    /* whether its keys are hot is seen then */
    /* Of a key that was cold, near_hash is a note of its place (warm.h): only if it is warm now. */
    KW_NEAR_MARK_COLD,
    KW_NEAR_MARK_COLD_WRITE,
    KW_NEAR_MARK_UNSEEN_WRITE, /* the same, but whether it was cold nobody has seen yet */
    KW_NEAR_MARK_BUNCH, /* of keys that were cold; near_hash has a bit for each that is due */
    /* Writes: what their end has to undo. */
    KW_NEAR_MARK_WRITE,     /* counted under near_hash, the hash of its key */
    KW_NEAR_MARK_HOT_WRITE, /* the same, and its key is fetched again */
    KW_NEAR_MARK_LIST,      /* near_hash is the address of a list of hashes: writes.c */
    KW_NEAR_MARK_SLOT,
    KW_NEAR_MARK_ALL,
    KW_NEAR_MARK_POP /* blocked: nothing was held back, its keys are forgotten when it ends */
};

/* Is the near_hash of a request with MARK the hash of its key? */
static inline bool kw_near_knows_hash(uint8_t mark)
{
    return mark >= KW_NEAR_MARK_KNOWN && mark <= KW_NEAR_MARK_HOT;
}

/* Is the reply to a request with MARK to be shown, or its end? */
static inline bool kw_near_heeds_reply(uint8_t mark)
{
    return mark - 1u < KW_NEAR_MARK_COLD_WRITE;
}

static inline bool kw_near_heeds_end(uint8_t mark)
{
    return mark >= KW_NEAR_MARK_COLD_WRITE;
}

/* What a hit must not overtake while REQUEST waits for its answer (R5): slots, mod 64. */
static inline uint64_t kw_near_slots_of(const struct kw_request *request)
{
    bool is_of_many = request->slot == KW_SLOT_NONE || request->is_barrier;

    if (__builtin_expect(request->is_gathered, 0)) { /* of others that line is not needed yet */
        if (request->is_bunch) {
            return request->gather->bunch_slots;
        }
        if (kw__request_is_answer(request)) {
            return 0;
        }
        is_of_many = is_of_many || request->keys_count == 0;
    }
    return is_of_many ? UINT64_MAX : 1ull << (request->slot % 64);
}

/* Some more writes have been sent, or the tick ends: which of their keys are cold? */
KW_APART void kw_near_look_at_writes(struct kw_proxy *proxy);

/* REQUEST has entered its client's queue, nothing of it has left yet. */
KW_APART void kw_near_expect_other(struct kw_request *request);
static inline void kw_near_expect(struct kw_request *request)
{
    bool is_read = request->near == KW_NEAR_MARK_COLD;

    if (!is_read && __builtin_expect(request->near != KW_NEAR_MARK_UNSEEN_WRITE, 0)) {
        kw_near_expect_other(request);
        return;
    }
    KW_DEBUG_ASSERT(request->slot != KW_SLOT_NONE && !request->is_barrier &&
                    !request->is_gathered); /* else kw_near_slots_of() must be asked: A4 */
    request->client->slots_ahead |= 1ull << (request->slot % 64);
    if (!is_read) {
        struct kw_near_brief *near = &request->client->proxy->near_brief;
        near->unseen[near->unseen_count++] = request;
        if (near->unseen_count == KW_NEAR_UNSEEN_MAX) {
            kw_near_look_at_writes(request->client->proxy);
        }
    }
}

/* Answer COMMAND, in proxy->argv, when it is a read whose reply is here: KW_ANSWERED. KW_NEXT: ask
 * the node; TARGET knows what was found out.
 */
enum kw_verdict kw_near_answer(struct kw_client *client, const struct kw_command *command,
                               struct kw_target *target);

/* NAME, of SLOT, is one of several keys that CLIENT asks for, each on its own. True: *VALUE is what
 * GET would answer, borrowed until the cache is used again.
 */
bool kw_near_answer_part(struct kw_client *client, struct kw_bytes name, uint16_t slot,
                         struct kw_bytes *value);

/* Bring near what is kept of KEYS, which are about to be asked for, in this order, and lie so in
 * one input; and remember those that may be, with slot and hash, for kw_near_answer(). How many.
 * kw_near_ahead_end(): nobody will ask for the rest of them; call it whenever an input was parsed.
 */
unsigned kw_near_prepare(struct kw_proxy *proxy, const struct kw_bytes *keys, unsigned count);
static inline void kw_near_ahead_end(struct kw_proxy *proxy)
{
    struct kw_near_brief *near = &proxy->near_brief;

    near->none.name.data = (const char *)UINTPTR_MAX; /* behind all others: ahead.h */
    near->ahead = &near->none;
}

/* The same for keys that are not, when it might matter: from the one in SIGHT on, KW_NEAR_AHEAD_MAX
 * at most, see which of them are cold, and remember their notes and slots. How many it has looked
 * at; the last of them is in SIGHT then.
 */
bool kw_near_may_glance(const struct kw_client *client);
unsigned kw_near_glance(struct kw_proxy *proxy, struct kw_sight *sight);

/* Is nothing kept of NAME? *NOTE will tell whether that is still so. */
bool kw_near_is_cold(const struct kw_near *near, struct kw_bytes name, uint64_t *note);

/* BUNCH is about to enter its client's queue. Its keys were cold, their notes are in its gather. */
void kw_near_on_bunch(struct kw_request *bunch);

/* PART of the reply to REQUEST has come from a node: kw_near_heeds_reply(). */
void kw_near_on_reply(struct kw_request *request, const struct kw_reply_part *part);

/* REQUEST, without a mark, begins: it counts from now on, if it writes. */
void kw_near_on_begin(struct kw_request *request);

/* REQUEST is answered, and the answer has not left yet: kw_near_heeds_end(). */
void kw_near_on_end(struct kw_request *request);

/* INFO nearcache. */
void kw_near_report(const struct kw_proxy *proxy, struct kw_blob *text);

/* PROXY CACHE ON|OFF|STATS|FLUSH. */
enum kw_verdict kw_near_command(struct kw_client *client, const struct kw_command *command);

#endif
