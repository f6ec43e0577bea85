/* latency.c - see latency.h. */
#include "stats/latency.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>

struct kw_latency {
    pthread_mutex_t lock;
    struct kw_latency_event events[KW_LATENCY_EVENTS_MAX];
    size_t events_count;
};

static struct kw_latency_event *event_find(struct kw_latency *latency, const char *name);
static void event_add(struct kw_latency_event *event, uint64_t now_s, uint64_t ms);

struct kw_latency *kw_latency_new(void)
{
    struct kw_latency *latency = kw_alloc_zero(1, sizeof *latency);

    pthread_mutex_init(&latency->lock, NULL);
    return latency;
}

void kw_latency_free(struct kw_latency **latency)
{
    if (*latency != NULL) {
        pthread_mutex_destroy(&(*latency)->lock);
        kw_free(*latency);
        *latency = NULL;
    }
}

void kw_latency_add(struct kw_latency *latency, const char *name, uint64_t ms)
{
    uint64_t now_s = kw_clock_wall_us() / 1000000;

    pthread_mutex_lock(&latency->lock);
    struct kw_latency_event *event = event_find(latency, name);
    if (event != NULL) {
        event_add(event, now_s, ms);
    }
    pthread_mutex_unlock(&latency->lock);
}

size_t kw_latency_events(struct kw_latency *latency, struct kw_latency_event *events)
{
    pthread_mutex_lock(&latency->lock);
    size_t count = latency->events_count;
    memcpy(events, latency->events, count * sizeof *events);
    pthread_mutex_unlock(&latency->lock);
    return count;
}

const struct kw_latency_sample *kw_latency_sample(const struct kw_latency_event *event,
                                                  unsigned index)
{
    unsigned oldest = event->next + KW_LATENCY_SAMPLES_MAX - event->samples_count;

    return &event->samples[(oldest + index) % KW_LATENCY_SAMPLES_MAX];
}

size_t kw_latency_reset(struct kw_latency *latency, struct kw_bytes name)
{
    size_t kept = 0;

    pthread_mutex_lock(&latency->lock);
    size_t before = latency->events_count;
    for (size_t i = 0; i < before; i++) {
        struct kw_bytes event_name = kw_bytes_of_text(latency->events[i].name);
        if (name.len > 0 && !kw_bytes_equal_nocase(event_name, name)) {
            latency->events[kept++] = latency->events[i];
        }
    }
    latency->events_count = kept;
    pthread_mutex_unlock(&latency->lock);
    return before - kept;
}

/* NULL when there are too many names. */
static struct kw_latency_event *event_find(struct kw_latency *latency, const char *name)
{
    for (size_t i = 0; i < latency->events_count; i++) {
        if (strcmp(latency->events[i].name, name) == 0) {
            return &latency->events[i];
        }
    }
    if (latency->events_count == KW_LATENCY_EVENTS_MAX) {
        return NULL;
    }
    struct kw_latency_event *event = &latency->events[latency->events_count++];
    *event = (struct kw_latency_event){.name = name};
    return event;
}

static void event_add(struct kw_latency_event *event, uint64_t now_s, uint64_t ms)
{
    unsigned last = (event->next + KW_LATENCY_SAMPLES_MAX - 1) % KW_LATENCY_SAMPLES_MAX;

    event->max_ms = ms > event->max_ms ? ms : event->max_ms;
    if (event->samples_count > 0 && event->samples[last].at_s == now_s) {
        if (ms > event->samples[last].ms) {
            event->samples[last].ms = ms;
        }
        return;
    }
    event->samples[event->next] = (struct kw_latency_sample){now_s, ms};
    event->next = (event->next + 1) % KW_LATENCY_SAMPLES_MAX;
    event->samples_count += event->samples_count < KW_LATENCY_SAMPLES_MAX ? 1 : 0;
}
