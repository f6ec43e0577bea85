/* shared.h - one worker's half of the embedded face, for the files of this chapter only.
 *
 * Thread: the worker's. Memory: owned by the proxy.
 */
#ifndef KW_PROXY_EMBEDDED_SHARED_H
#define KW_PROXY_EMBEDDED_SHARED_H

#include "base/blob.h"
#include "proxy/embedded/commons.h"
#include "proxy/internal.h"

struct gossip;

struct kw_embedded {
    struct kw_commons *commons; /* borrowed, set once */
    struct kw_store_worker *store;
    struct kw_timer *timer;
    uint64_t now_ms; /* that the store knows */
    bool is_awake;
    bool has_timed;         /* a command of this tick */
    bool is_kept_up;        /* the timer fires within UPKEEP_MS */
    bool is_telling;        /* kw_events_tell() is at it */
    unsigned event_classes; /* bits of enum kw_store_class that are to be notified, and two more */
    struct kw_blob notes;   /* what has happened to keys and is not told yet: events.c */
    struct gossip *gossip;  /* what all workers are to be told when the tick ends; or NULL */
    struct kw_argv argv;    /* of a command inside EXEC */
};

#endif
