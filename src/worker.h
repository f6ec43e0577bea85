/* worker.h - one thread: its loop, buffers, links and clients. The owner of all mutable state.
 *
 * Thread: created and told what to do by the control thread, by letters; everything else happens
 *         on the worker's own thread.
 * Memory: kw_worker_new() returns an owned pointer; kw_worker_free() joins the thread.
 * See also: server.h (who makes workers), proxy/proxy.h, backend/backend.h.
 */
#ifndef KW_WORKER_H
#define KW_WORKER_H

#include "base/mailbox.h"
#include "cluster/topology.h"
#include "command/learned.h"
#include "config/config.h"
#include "net/inbox.h"
#include "proxy/crew.h"
#include "proxy/embedded/commons.h"
#include "stats/stats.h"

struct kw_near_shared;
struct kw_worker;

/* What a worker tells the control thread. The letter belongs to the worker and is sent again only
 * after it was handled.
 */
struct kw_worker_letter {
    struct kw_letter letter; /* first */
    _Atomic bool is_posted;
    struct kw_worker *worker;
    bool is_drained; /* false: a fresh topology is wanted */
};

/* A listening socket, and what those take keyway for who come in through it. */
struct kw_door {
    int fd;
    enum kw_personality personality;
};

/* A worker with DOORS (their descriptors are its own from now on), number INDEX in the hub. */
struct kw_worker *kw_worker_new(unsigned index, struct kw_config *config, struct kw_stats_hub *hub,
                                struct kw_inbox *control, const struct kw_door *doors,
                                size_t doors_count);

/* Make it one of CREW, before any thread starts. */
void kw_worker_join(struct kw_worker *worker, struct kw_crew *crew);

/* Its half of the near cache, before it starts. */
void kw_worker_share(struct kw_worker *worker, struct kw_near_shared *near);

/* Serve from STORE, which outlives it, before any thread starts. */
void kw_worker_embed(struct kw_worker *worker, struct kw_commons *commons);

/* Start the thread. */
void kw_worker_start(struct kw_worker *worker);

/* Hand it one reference of TOPOLOGY. */
void kw_worker_send_topology(struct kw_worker *worker, struct kw_topology *taken);

/* Commands beside those of commands.def, from now on. LEARNED lives as long as the worker. */
void kw_worker_send_learned(struct kw_worker *worker, const struct kw_learned *learned);

/* The node with ADDRESS answers again. */
void kw_worker_send_alive(struct kw_worker *worker, const struct kw_address *address);

/* Hand it one reference of the options that are in force from now on. */
void kw_worker_send_config(struct kw_worker *worker, struct kw_config *taken);

/* Stop accepting; finish what is in flight; say so by a letter with is_drained. */
void kw_worker_send_drain(struct kw_worker *worker);

/* End the thread now and wait for it. No letter comes from the worker after this. */
void kw_worker_stop(struct kw_worker *worker);

/* Free everything and clear; the thread must have been stopped, if it was started. */
void kw_worker_free(struct kw_worker **worker);

#endif
