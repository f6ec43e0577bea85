/* shared.h - what all workers share of the near cache, and what each has of its own.
 *
 *   shared    the cache, and tables that say what must not be answered from it:
 *               key_writes, all_writes   writes under way (R2), of keys that were warm
 *               slots                    the same for slots, what was seen of them elsewhere (R3),
 *                                        and their generations, which are part of each key: a slot
 *                                        that moved, or was written to as a whole, is forgotten
 *               warm                     which keys anything may be kept of
 *               heard_us                 how far each domain's node has told of changes (R4)
 *   near      one worker's access to the cache, the origins it owns, its detector of hot keys
 *
 * The cache is there while some worker has it open, and used while all have: only then is there no
 * write that nobody has counted. Until then it is as if a write of everything were under way.
 *
 * Thread: shared: all fields but those set once are atomic, or behind `lock`; near: the worker's.
 * Memory: shared is the server's, a near its proxy's. For this chapter, and coalesce.c, only.
 */
#ifndef KW_PROXY_NEAR_SHARED_H
#define KW_PROXY_NEAR_SHARED_H

#include "cache/cache.h"
#include "cache/hot/hot.h"
#include "proxy/internal.h"
#include "proxy/near/ahead.h"
#include "proxy/near/role.h"
#include "proxy/near/warm.h"

#include <pthread.h>
#include <stdatomic.h>

struct kw_timer;

enum {
    KW_NEAR_BUCKETS = 65536,    /* of keys, for writes under way: false sharing is rare, harmless */
    KW_NEAR_VARIANT_MAX = 1024, /* bytes; requests with longer arguments are not kept */
    KW_NEAR_ARGS_MAX = 64, /* of a request that is kept; of MGET: more keys are not looked up */
    KW_NEAR_PREFIXES_MAX = 256,
    KW_NEAR_LIVES = 16384 /* balances of keys that were kept */
};

/* kw_cache_value.kind */
enum kw_near_kind { KW_NEAR_KIND_BYTES = 0, KW_NEAR_KIND_NULL };

struct kw_near_slot {
    _Atomic uint32_t generation;
    _Atomic uint32_t writes;  /* under way */
    _Atomic uint64_t seen_us; /* when a reply that is not kept last told of a key that is */
};

enum { KW_NEAR_MOVING_MS = 1000 /* a slot counts as moving for so long after its last ASK */ };

struct kw_near_shared {
    void *memory;            /* where it lies, from a line on; set once */
    unsigned workers_count;  /* the same */
    struct kw_cache *cache;  /* owned; NULL: no worker has it open. Set under the lock */
    uint64_t cache_number;   /* of the cache, each is another one; the same */
    uint64_t cache_bytes;    /* what it may take; the same */
    unsigned cache_eviction; /* the same */
    unsigned opened_count;   /* workers that have it open; under the lock, as the next one */
    unsigned ready_count;    /* of these, that count writes */
    _Atomic uint32_t all_writes;
    _Atomic bool is_any_blind;    /* some node can't, or couldn't, tell of changes */
    _Atomic uint64_t all_seen_us; /* kw_near_slot.seen_us of all slots */
    struct kw_near_warm warm;
    struct kw_near_slot slots[KW_SLOTS_COUNT];
    _Atomic uint64_t moving_until_ms[KW_SLOTS_COUNT];
    _Atomic uint64_t any_moving_until_ms; /* the latest of them: mostly over, and always near */
    _Atomic uint16_t key_writes[KW_NEAR_BUCKETS];
    /* For coalesce.c, counted: */
    _Atomic uint32_t told[KW_SLOTS_COUNT];       /* what clients have been told of each slot */
    _Atomic uint32_t all_told;                   /* of all of them at once */
    _Atomic uint16_t publishing[KW_SLOTS_COUNT]; /* fills that are being kept */
    _Atomic uint32_t tellers_count;              /* workers that count */
    _Atomic uint32_t all_tellers_count;          /* of these, those that count cold keys, too */
    _Atomic uint32_t tellers_changes;            /* how often either has changed */
    /* By domain. What changed before is gone: when the last command was sent that its node has
     * answered (of a broadcast: origin/hearing.h). And what somebody wished it were later than: a
     * reply was seen then.
     */
    _Atomic uint64_t heard_us[KW_CACHE_DOMAINS];
    _Atomic uint64_t wished_us[KW_CACHE_DOMAINS];
    _Atomic uint64_t kept_us[KW_SLOTS_COUNT]; /* when the youngest fill of each slot was sent */
    pthread_mutex_t lock;
    struct kw_list origins; /* of all workers, by kw_origin.shown; under the lock */
};

/* What the kept reply of GET says beside the value: derived.c. */
enum kw_near_derived {
    KW_NEAR_DERIVED_NONE = 0,
    KW_NEAR_DERIVED_STRLEN,
    KW_NEAR_DERIVED_RANGE, /* GETRANGE, SUBSTR */
    KW_NEAR_DERIVED_TYPE
};

enum { KW_NEAR_DERIVED_MAX = 4 };

struct kw_near_touch_room { /* touch.c's */
    struct kw_bytes *argv;
    size_t argv_max;
    struct kw_bytes *names;
    size_t names_max;
};

struct kw_near {
    struct kw_proxy *proxy; /* and in its near_brief what a request of a cold key needs */
    struct kw_near_shared *shared;
    struct kw_near_warm *warm; /* the shared one */
    struct kw_hot *hot;        /* owned */
    uint8_t *roles;            /* owned: enum kw_near_role by command id */
    struct kw_cache_worker *worker;
    uint64_t cache_number;        /* which cache it is: fills of an earlier one mean nothing */
    uint32_t hot_reads;           /* near-cache-admit-reads of `hot` */
    uint64_t limits_hash;         /* of the options that what is kept obeys */
    const struct kw_command *get; /* GET, set once */
    struct {
        const struct kw_command *command;
        enum kw_near_derived derived;
    } derived[KW_NEAR_DERIVED_MAX]; /* set once */
    struct kw_list origins;
    struct kw_timer *timer; /* runs always: heartbeats, upkeep of the cache */
    uint64_t now_us;        /* of the last look at the cache */
    uint64_t now_ms;        /* the same */
    bool is_awake;          /* the cache waits for this worker */
    bool is_unsettled;      /* masters may have come or gone */
    bool is_stopped;
    struct kw_bytes prefixes[KW_NEAR_PREFIXES_MAX]; /* slices of the configuration */
    size_t prefixes_count;
    struct kw_bytes skips[KW_NEAR_PREFIXES_MAX];
    size_t skips_count;
    struct kw_near_ahead ahead;
    struct kw_cache_found found[KW_NEAR_ARGS_MAX]; /* while an MGET is looked up */
    struct kw_near_touch_room touch_room;          /* owned */
    struct kw_list loans;                          /* values that clients are reading: answer.c */
    size_t lent_bytes;                             /* their sum */
    struct kw_list fills_later;                    /* that can wait: fill.c */
    unsigned fills_later_count;
    struct kw_list refills;       /* refill.c: names to be fetched in the next tick ... */
    struct kw_list refills_due;   /* ... and in this one */
    unsigned refills_count;       /* in both */
    uint8_t lives[KW_NEAR_LIVES]; /* by hash: bad lives, less good ones; refill.c */
};

/* The cache's worker, awake, at the time of this look at the events. To the millisecond: deadlines
 * of servers are.
 */
struct kw_cache_worker *kw__near_awake(struct kw_near *near);

/* True when a fill of KEY in SLOT may bring what a write under way makes stale. Not those that
 * began when it was cold: they see to it themselves when they end.
 */
static inline bool kw__near_is_written(const struct kw_near_shared *shared,
                                       const struct kw_cache_key *key, uint16_t slot)
{
    return atomic_load(&shared->key_writes[key->hash % KW_NEAR_BUCKETS]) != 0 ||
           atomic_load(&shared->slots[slot].writes) != 0 || atomic_load(&shared->all_writes) != 0;
}

/* SLOT is on its way to another node, which has some of its keys: neither's word is enough (R6). */
static inline bool kw__near_is_moving(const struct kw_near *near, uint16_t slot)
{
    const struct kw_near_shared *shared = near->shared;

    return atomic_load_explicit(&shared->any_moving_until_ms, memory_order_acquire) >
               near->now_ms &&
           atomic_load_explicit(&shared->moving_until_ms[slot], memory_order_acquire) >
               near->now_ms;
}

static inline uint32_t kw__near_generation(const struct kw_near_shared *shared, uint16_t slot)
{
    return atomic_load_explicit(&shared->slots[slot].generation, memory_order_acquire);
}

/* Have MOMENT be TO at least. Returns what it was; others may raise it meanwhile. */
static inline uint64_t kw__near_raise(_Atomic uint64_t *moment, uint64_t to)
{
    uint64_t was = atomic_load(moment);

    while (was < to && !atomic_compare_exchange_weak(moment, &was, to)) {
    }
    return was;
}

static inline enum kw_near_role kw__near_role(const struct kw_near *near,
                                              const struct kw_command *command)
{
    return kw__role_in(near->roles, command);
}

/* What is kept of SLOT may be behind what somebody was told: it counts again when its node has been
 * heard of since. KW_SLOT_NONE: of all slots. And when that was so last, of one.
 */
void kw__near_seen(struct kw_near *near, uint16_t slot);
static inline uint64_t kw__near_seen_us(const struct kw_near_shared *shared, uint16_t slot)
{
    uint64_t slot_us = atomic_load_explicit(&shared->slots[slot].seen_us, memory_order_acquire);
    uint64_t all_us = atomic_load_explicit(&shared->all_seen_us, memory_order_acquire);

    return slot_us > all_us ? slot_us : all_us;
}

/* A worker joins the cache, which is made for CONFIG when there is none; NULL: it can't be now.
 * Then kw__shared_ready(): it counts its writes; leaving is the same in reverse.
 */
struct kw_cache_worker *kw__shared_join(struct kw_near_shared *shared,
                                        const struct kw_config *config, uint64_t now_ms,
                                        uint64_t *cache_number);
void kw__shared_ready(struct kw_near_shared *shared);
void kw__shared_unready(struct kw_near_shared *shared, struct kw_cache_worker *worker);
void kw__shared_leave(struct kw_near_shared *shared, struct kw_cache_worker **worker);

/* True when the cache is not the one that CONFIG asks for. */
bool kw__shared_is_other(struct kw_near_shared *shared, const struct kw_config *config);

/* cache-eviction may have changed. */
void kw__shared_set_eviction(struct kw_near_shared *shared, struct kw_cache_worker *worker,
                             const struct kw_config *config);

/* In read.c. BUNCH has begun before the near cache has; is answered, and nobody has been told. */
void kw__near_bunch_began(const struct kw_near *near, struct kw_request *bunch);
void kw__near_bunch_replied(struct kw_near *near, const struct kw_request *bunch);

/* What near.c has for switch.c. */
struct kw_near *kw__near_new(struct kw_proxy *proxy, struct kw_cache_worker *worker);
void kw__near_free(struct kw_near **near);
void kw__near_tune(struct kw_near *near);

/* In answer.c. Nothing of the cache is lent any more: who is reading goes on with copies. */
void kw__near_recall_loans(struct kw_near *near);

#endif
