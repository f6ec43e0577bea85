/* internal.h - the structs of this room, for its files only; that of a request is in queue.h.
 *
 *   kw_proxy  1 --- n  kw_client  1 --- n  kw_request (in order of arrival)  1 --- 1  kw_call
 *
 * Thread: the worker's. Memory: requests come from proxy->requests, clients from the heap.
 */
#ifndef KW_PROXY_INTERNAL_H
#define KW_PROXY_INTERNAL_H

#include "backend/backend.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "command/command.h"
#include "command/learned.h"
#include "config/config.h"
#include "net/loop.h"
#include "net/stream.h"
#include "proxy/modes.h"
#include "proxy/near/brief.h"
#include "proxy/proxy.h"
#include "proxy/queue.h"
#include "resp/errors.h"
#include "resp/request_parser.h"
#include "resp/writer.h"
#include "stats/stats.h"

struct kw_channels;
struct kw_coalesce;
struct kw_embedded;
struct kw_near;
struct kw_near_shared;
struct kw_timer;
struct kw_tracking;

/* What a stage says of a request; the spine decides what follows. */
enum kw_verdict {
    KW_NEXT = 0, /* go on with the next stage */
    KW_ANSWERED, /* a reply is written: done */
    KW_REFUSED,  /* an error reply is written: done */
    KW_WAITING,  /* it must wait behind the client's earlier requests: try again later */
    KW_SENT      /* a call is in flight */
};

struct kw_client {
    struct kw_stream stream; /* first: the stream's callbacks cast back */
    struct kw_proxy *proxy;  /* set once */
    struct kw_list all;      /* in proxy->clients */
    struct kw_list resuming; /* in proxy->resuming */
    uint64_t id;             /* unique in the process, set once */
    struct kw_request *oldest;
    struct kw_request *newest;
    size_t inflight_bytes;   /* of commands not answered */
    size_t parked_bytes;     /* of replies that wait for older ones */
    uint32_t queue_count;    /* requests in the queue */
    uint32_t inflight_count; /* requests in the queue that are not DONE */
    uint32_t redirecting_count;
    uint32_t barriers_count; /* unanswered requests with several keys */
    uint64_t slots_ahead;    /* of the unanswered, mod 64, or more: near.h; while the cache is on */
    struct kw_chunk *input;  /* bytes not parsed yet; referenced */
    struct kw_request_parser parser;
    struct kw_link *paused_link; /* its big reply waits for this client */
    char *name;                  /* CLIENT SETNAME, owned, NULL = none */
    char *lib_name;              /* CLIENT SETINFO */
    char *lib_version;
    const struct kw_command *command; /* its last one; NULL = none yet */
    uint64_t opened_ms;               /* set once */
    uint64_t active_ms;               /* when it last sent something */
    uint64_t over_soft_ms; /* since when its output is above the soft limit; 0 = it is not */
    /* what only some clients have; NULL = not, owned by the file named */
    struct kw_transaction *transaction; /* MULTI, WATCH: transaction.c */
    struct kw_blocked *blocked;         /* a blocking command under way: blocked.c */
    struct kw_finale *finale;           /* the end of a transaction under way: finale.c */
    struct kw_wait *wait;               /* WAIT under way: wait.c */
    struct kw_stall *stall;             /* waits for a key of the embedded store: stall.c */
    struct kw_subscriber *subscriber;   /* channels: subscribe.c */
    struct kw_list monitoring;          /* in the monitor's clients: monitor.c */
    struct kw_tracker *tracker;         /* CLIENT TRACKING: tracker.c */
    uint32_t modes;                     /* KW_MODE_*: why kw_session_check() must look */
    uint32_t db;                        /* its database: requests take links of that one */
    uint32_t selecting_db;              /* while KW_MODE_SELECTING: the one asked for */
    uint8_t proto;                      /* 2 or 3 */
    bool is_cluster;                    /* takes keyway for a cluster: cluster_face.h */
    bool is_waiting;                    /* its next request waits for earlier ones (KW_WAITING) */
    bool is_closing;      /* takes no input any more; closed when all is answered and written */
    bool is_slow;         /* did not read in time while others waited: pauses no link any more */
    bool is_gone;         /* the connection is closed; lives on until its requests end (O6) */
    bool is_muted;        /* replies of requests from now on are dropped (KW_MODE_REPLY_*) */
    bool is_skip_fresh;   /* KW_MODE_REPLY_SKIP was set by this very command */
    bool is_no_evict;     /* CLIENT NO-EVICT ON */
    bool is_no_touch;     /* CLIENT NO-TOUCH ON: shown, nothing else */
    bool is_near_refused; /* PROXY CACHE OFF */
};

enum { KW_SLOT_WORDS = KW_SLOTS_COUNT / 64 };

struct kw_proxy {
    /* set once */
    struct kw_loop *loop;
    const struct kw_config *config;       /* the backend's, too */
    struct kw_command *config_everywhere; /* owned: CONFIG SET at all masters; NULL until used */
    struct kw_config *config_taken;       /* the reference to it; NULL: it is still the worker's */
    struct kw_stats_hub *hub;
    struct kw_stats *stats;
    struct kw_chunk_pool *chunks;
    struct kw_backend *backend;
    struct kw_embedded *embedded; /* this process's own store: embedded.c; NULL: a cluster */
    struct kw_crew *crew;         /* NULL: this proxy is alone */
    unsigned crew_index;          /* its place there */
    char *scratch;
    struct kw_request_limits limits;
    const struct kw_learned *learned; /* commands that the servers have told of; NULL: none yet */
    uint64_t patient_until_ms;        /* until then requests wait for the first topology */
    uint64_t memory_max_bytes;        /* this worker's share of maxmemory; UINT64_MAX = none */

    struct kw_stream_set streams; /* clients with output */
    struct kw_buf sink;           /* where replies are written that nobody gets */
    struct kw_pool requests;
    struct kw_argv argv;             /* of the command being handled */
    struct kw_command_recent recent; /* names of those before */
    struct kw_gathering *gathering;  /* what gather.c needs; owned */
    struct kw_scripts *scripts;      /* owned */
    struct kw_list clients;
    size_t clients_count;
    struct kw_list resuming;       /* clients that may go on: handled at the end of the tick */
    struct kw_list yielding;       /* clients that go on in the next tick */
    struct kw_list retrying;       /* requests that wait for due_ms */
    struct kw_list lease_waiting;  /* kw_leased that wait for a link, by due_ms */
    struct kw_list lease_retrying; /* ... that are tried again, by due_ms */
    struct kw_list unblocking;     /* kw_unblocking: clients that CLIENT UNBLOCK is to free */
    struct kw_timer *yield_timer;  /* makes that one come at once */
    struct kw_list ended_clients;
    uint64_t held[KW_SLOT_WORDS]; /* of one client, while kw_resend_queued() walks */
    struct kw_timer *retry_timer; /* runs while retrying is not empty or a reply is paused */
    bool is_retry_running;
    struct kw_timer *second_timer; /* housekeeping */
    struct kw_timer *batch_timer;  /* runs while is_batching */
    bool is_batching;              /* commands wait for batch-delay-us */
    uint64_t seconds;
    uint64_t unstable[2][KW_SLOT_WORDS]; /* slots seen moving: this and the last period */
    bool has_unstable[2];                /* any of them */
    unsigned unstable_period_s;
    unsigned unstable_now;        /* which of the two is this period's */
    unsigned paused_count;        /* clients with a paused link */
    uint64_t relieved_at_ms;      /* when a client was last closed for maxmemory */
    uint32_t modes;               /* KW_MODE_* that concern all clients */
    struct kw_channels *channels; /* subscriptions: channels.c; NULL until there is one */
    struct kw_tracking *tracking; /* CLIENT TRACKING: tracking.c; NULL until there is one */
    struct kw_near *near;         /* the near cache: near.h; NULL when it is off */
    struct kw_near_brief near_brief;
    struct kw_coalesce *coalesce; /* reads that others may wait for; NULL: they wait for none */
    /* the process's half of the near cache; NULL: it can't be on */
    struct kw_near_shared *near_shared;
    /* pipelines that are not looked ahead into: that many more, of so many: lookahead.c */
    unsigned lookahead_pause;
    unsigned lookahead_pause_length;
    bool is_draining;
    struct kw_tally *tally;          /* owned: figures per command */
    struct kw_tally_row *tally_rows; /* its rows, by command id */
    uint64_t last_second[3];         /* figures a second ago: requests, bytes in, bytes out */
    uint64_t slow_us;                /* requests at least so slow are looked into */
    struct kw_monitor *monitor;      /* NULL until the first MONITOR: monitor.c */
    bool is_all_paused;              /* while KW_MODE_PAUSED: reads, too */
    uint64_t pause_end_ms;           /* of the clock */
    struct kw_timer *pause_timer;    /* NULL until the first CLIENT PAUSE */
    struct kw_log_limit log_limit;
};

/* A request of CLIENT from the pool: no command, no call, nothing special. */
static inline struct kw_request *kw__request_get(struct kw_client *client,
                                                 enum kw_request_state state)
{
    struct kw_request *request = kw_pool_get(&client->proxy->requests);
    const size_t from = offsetof(struct kw_request, near_hash);

    if (__builtin_expect(request->client == NULL, 0)) { /* never used: all zero */
        kw_buf_init(&request->parked, client->proxy->chunks);
        kw_list_init(&request->retrying);
        kw_list_init(&request->followers);
    }
    memset((char *)request + from, 0, offsetof(struct kw_request, gather) - from);
    request->call.user = NULL;
    request->call.len = 0;
    request->client = client;
    request->command = NULL;
    request->state = (uint8_t)state;
    return request;
}

/* Put REQUEST, which is in no queue and holds nothing, back to its pool. */
void kw__request_put(struct kw_request *request);

/* True when SLOT was redirected within the last few seconds. */
static inline bool kw__slot_is_unstable(const struct kw_proxy *proxy, uint16_t slot)
{
    uint64_t bit = 1ull << (slot % 64);

    return ((proxy->unstable[0][slot / 64] | proxy->unstable[1][slot / 64]) & bit) != 0;
}

static inline void kw__slot_set_unstable(struct kw_proxy *proxy, uint16_t slot)
{
    proxy->unstable[proxy->unstable_now][slot / 64] |= 1ull << (slot % 64);
    proxy->has_unstable[proxy->unstable_now] = true;
}

/* It waits for something to happen at a node: that it leaves must be noticed. */
static inline bool kw__client_is_blocked(const struct kw_client *client)
{
    return client->blocked != NULL || client->wait != NULL || client->stall != NULL;
}

/* Have the client looked at when the tick ends: it may be able to go on. */
static inline void kw__client_resume_later(struct kw_client *client)
{
    if (!kw_list_is_linked(&client->resuming)) {
        kw_list_append(&client->proxy->resuming, &client->resuming);
    }
}

/* Have the client go on in the next tick: it has had its share of this one (K2). */
static inline void kw__client_yield(struct kw_client *client)
{
    kw_list_remove(&client->resuming);
    kw_list_append(&client->proxy->yielding, &client->resuming);
}

/* Let the clients whose next request waits try again. */
void kw__proxy_resume_waiting(struct kw_proxy *proxy);

/* The row for the request ARGV, of commands.def or learned; NULL when nobody knows the name. */
static inline const struct kw_command *kw__command_of(struct kw_proxy *proxy,
                                                      const struct kw_bytes *argv, size_t argc)
{
    const struct kw_command *command = kw_command_resolve_recent(&proxy->recent, argv, argc);

    return __builtin_expect(command != NULL, 1) ? command
                                                : kw_learned_resolve(proxy->learned, argv, argc);
}

/* Bring the figures that are kept elsewhere into the statistics. */
void kw__proxy_publish(struct kw_proxy *proxy);

/* Make sure the retry timer runs. */
void kw__proxy_watch(struct kw_proxy *proxy);

#endif
