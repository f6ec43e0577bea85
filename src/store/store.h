/* store.h - the embedded store: keys and values of this process, and the commands on them.
 *
 * One store is shared by all workers; a command runs at once, on the worker that read it. Plain
 * strings are found without a lock; everything else holds the stripes of its keys while it runs
 * (a stripe is one of a few hundred locks, chosen by a name's hash). A transaction holds the
 * stripes of all its keys from its first command to its last.
 *
 * Thread: a kw_store_worker belongs to one thread; kw_store_new(), _free(), _join() and _leave()
 *         are for the thread that owns the store.
 * Memory: keys, values and what they are made of count towards memory_max_bytes.
 * See also: exec.h (how a command is written), keyspace.h (what it asks of keys),
 *           cache/cache.h (what is underneath), README.md (the rules).
 */
#ifndef KW_STORE_STORE_H
#define KW_STORE_STORE_H

#include "base/buf.h"
#include "cache/cache.h"
#include "command/command.h"
#include "config/config.h"
#include "resp/request_parser.h"

struct kw_store;
struct kw_store_worker;

/* Why a key is spoken of; the letters of notify-keyspace-events. */
enum kw_store_class {
    KW_STORE_GENERIC = 0, /* g */
    KW_STORE_STRING,      /* $ */
    KW_STORE_LIST,        /* l */
    KW_STORE_SET,         /* s */
    KW_STORE_HASH,        /* h */
    KW_STORE_ZSET,        /* z */
    KW_STORE_EXPIRED,     /* x */
    KW_STORE_EVICTED,     /* e */
    KW_STORE_NEW,         /* n */
    KW_STORE_MISS         /* m */
};

/* What happens to keys, for whoever tells clients of it: tracking, notifications, those who block.
 * Runs on the worker that did it, while stripes are held: it may only make a note.
 */
struct kw_store_watcher {
    void (*on_event)(void *user, enum kw_store_class class, const char *event,
                     struct kw_bytes name); /* class and event as redis notifies them */
    /* its value is another one, or gone; CLASS tells of what is nobody's doing: EXPIRED, EVICTED */
    void (*on_changed)(void *user, enum kw_store_class class, struct kw_bytes name);
    void (*on_ready)(void *user, struct kw_bytes name); /* a list or sorted set has got elements */
    void (*on_flushed)(void *user);                     /* every key is gone */
    void *user;
};

struct kw_store_options {
    size_t memory_max_bytes;
    size_t memory_reserved_bytes; /* what memory_max_bytes may become later */
    enum kw_cache_policy policy;
    struct kw_packing packing; /* at the start: kw_store_set_packing() */
    bool is_timed_only;        /* volatile-*: only keys with a deadline are evicted */
    bool has_huge_pages;
    bool is_locked;
    unsigned workers_max;
};

enum kw_store_outcome {
    KW_STORE_DONE = 0, /* one reply is written */
    KW_STORE_FAILED,   /* one reply is written, an error */
    KW_STORE_BLOCKS,   /* nothing is written, nothing changed: it waits for a key (BLPOP ...) */
    KW_STORE_LACKS     /* nothing is written: no such command here */
};

/* Set what follows from maxmemory and maxmemory-policy. 0 bytes: half of the machine's memory. */
void kw_store_options_fill(struct kw_store_options *options, uint64_t maxmemory_bytes,
                           enum kw_memory_policy policy);

/* Returns KW_OK; KW_E_INVALID for options that can't be; KW_E_SYSTEM when the system refuses. */
KW_CHECK enum kw_status kw_store_new(const struct kw_store_options *options,
                                     struct kw_store **store);
void kw_store_free(struct kw_store **store);

/* A worker's access. WATCHER is copied; its functions may be NULL. NOW is the wall clock's. */
struct kw_store_worker *kw_store_join(struct kw_store *store,
                                      const struct kw_store_watcher *watcher, uint64_t now_ms);
void kw_store_leave(struct kw_store_worker **worker);

/* Whether WORKER tells of names that are new, and of those that reads did not find: most people
 * want neither, so it costs them nothing.
 */
void kw_store_tell(struct kw_store_worker *worker, bool of_new, bool of_missed);

/* As kw_cache_tick() and kw_cache_rest(): once a loop's tick, and before sleeping. */
void kw_store_tick(struct kw_store_worker *worker, uint64_t now_ms);
void kw_store_rest(struct kw_store_worker *worker);

/* As kw_cache_upkeep_ms(): when the next tick must be, though nobody asks for anything. */
uint64_t kw_store_upkeep_ms(const struct kw_store_worker *worker);

/* As kw_cache_prepare(): KEYS are about to be used. How many there may be. */
unsigned kw_store_prepare(const struct kw_store_worker *worker, const struct kw_bytes *keys,
                          unsigned count);

/* Execute ARGV, whose row is COMMAND and whose count fits its arity; the reply goes to OUT in the
 * PROTO (2 or 3) of the client.
 */
enum kw_store_outcome kw_store_run(struct kw_store_worker *worker, const struct kw_command *command,
                                   const struct kw_argv *argv, int proto, struct kw_buf *out);

/* Several commands as one. _add() each of them, _begin(), kw_store_run() each of them, _end().
 * Others see all or nothing of it. What would block does not: it is answered as redis does in EXEC.
 */
void kw_store_batch_add(struct kw_store_worker *worker, const struct kw_command *command,
                        const struct kw_argv *argv);
void kw_store_batch_begin(struct kw_store_worker *worker);
void kw_store_batch_end(struct kw_store_worker *worker);

/* WATCH: a ticket for NAME as it is now, and whether it is so still (between _batch_begin() and
 * _end() for certain). Each ticket is given back, by any worker.
 */
struct kw_store_ticket;
struct kw_store_ticket *kw_store_ticket_get(struct kw_store_worker *worker, struct kw_bytes name);
bool kw_store_ticket_holds(struct kw_store_worker *worker, const struct kw_store_ticket *ticket);
void kw_store_ticket_put(struct kw_store_worker *worker, struct kw_store_ticket **ticket);

struct kw_store_figures {
    uint64_t keys_count;      /* those included that are over and not yet swept */
    uint64_t timed_count;     /* those that end */
    uint64_t used_bytes;      /* of keys, values and what finds them */
    uint64_t used_most_bytes; /* at a time */
    uint64_t resident_bytes;  /* pages that they lie on */
    uint64_t spilled_bytes;   /* of used_bytes: above the ceiling for a moment, on the heap */
    uint64_t memory_max_bytes;
    uint64_t hits_count;
    uint64_t misses_count;
    uint64_t evicted_count;
    uint64_t expired_count;
    uint64_t changes_count; /* of keys, since the last snapshot began, or the start */
    /* snapshots: all 0 and false without snapshot-file */
    uint64_t saved_ms; /* when the last one was whole; the start, before there is one */
    uint64_t saves_count;
    uint64_t save_began_ms; /* of the one under way; 0: there is none */
    uint64_t save_took_ms;  /* the last one */
    bool has_save_failed;   /* the last one */
};

/* Sums over all workers; some microseconds. Times are the wall clock's. */
void kw_store_figures(struct kw_store_worker *worker, struct kw_store_figures *figures);

/* Another maxmemory (at most what the machine had at the start) and maxmemory-policy; keys that are
 * too many leave by and by.
 */
void kw_store_reconfigure(struct kw_store_worker *worker, uint64_t maxmemory_bytes,
                          enum kw_memory_policy policy);

/* From now on what WORKER changes is packed so. */
void kw_store_set_packing(struct kw_store_worker *worker, const struct kw_packing *packing);

/* How many keys there are, those included that are over and not yet swept. */
uint64_t kw_store_keys_count(struct kw_store *store);

/* True when this store has COMMAND. */
bool kw_store_offers(const struct kw_command *command);

#endif
