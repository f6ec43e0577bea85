/* latency.h - events that took long, by name: what LATENCY tells.
 *
 * Thread: any, behind a lock: events are rare. Memory: bounded; names are static storage.
 * See also: proxy/local_latency.c (LATENCY).
 */
#ifndef KW_STATS_LATENCY_H
#define KW_STATS_LATENCY_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KW_LATENCY_EVENTS_MAX = 8,   /* names */
    KW_LATENCY_SAMPLES_MAX = 160 /* of each, as in redis */
};

struct kw_latency_sample {
    uint64_t at_s; /* since the epoch */
    uint64_t ms;
};

struct kw_latency_event {
    const char *name;
    struct kw_latency_sample samples[KW_LATENCY_SAMPLES_MAX]; /* a ring */
    unsigned samples_count;
    unsigned next;   /* where the next one goes */
    uint64_t max_ms; /* of all there were */
};

struct kw_latency;

struct kw_latency *kw_latency_new(void);
void kw_latency_free(struct kw_latency **latency);

/* NAME, static storage, took MS. Of one second only the longest is kept. */
void kw_latency_add(struct kw_latency *latency, const char *name, uint64_t ms);

/* Copy the events to EVENTS (KW_LATENCY_EVENTS_MAX). Returns how many there are. */
size_t kw_latency_events(struct kw_latency *latency, struct kw_latency_event *events);

/* The sample INDEX of EVENT, oldest first. */
const struct kw_latency_sample *kw_latency_sample(const struct kw_latency_event *event,
                                                  unsigned index);

/* Forget the event NAME (any case), or all when NAME is empty. Returns how many there were. */
size_t kw_latency_reset(struct kw_latency *latency, struct kw_bytes name);

#endif
