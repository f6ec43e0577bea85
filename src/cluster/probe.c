/* probe.c - one small state machine per master.
 *
 *     RESTING ─(timer)─▶ CONNECTING ─▶ ASKING ─▶ RESTING
 *        └────(timer, still connected)──▲
 *
 * I1  down_count is the number of subjects with is_down.
 * I2  a subject's node_index is that of its node in the topology that is followed.
 * I3  the pause after a success is health-interval-ms; after the n-th failure in a row 50 ms x 2^n,
 *     at most a second: three failures in a row take about node-timeout-ms each, or are quick.
 * I4  on_node_state may not free the probe, nor make it follow another topology.
 * I5  keyspace is the sum of what all subjects said of their keys last.
 */
#include "cluster/probe.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/discover.h"
#include "config/config.h"
#include "net/control.h"
#include "net/loop.h"
#include "net/timer.h"
#include "stats/keyspace.h"

enum {
    PAUSE_MIN_MS = 50,
    PAUSE_MAX_MS = 1000,
    COUNT_EACH = 12,         /* questions: a minute with the default interval */
    COUNT_WANTED_MS = 120000 /* somebody has looked so long ago: who watches looks again by then */
};

enum subject_state { SUBJECT_RESTING = 0, SUBJECT_CONNECTING, SUBJECT_ASKING };

/* One master being probed. */
struct subject {
    struct kw_probe *probe;
    uint16_t node_index; /* I2 */
    enum subject_state state;
    struct kw_timer *timer;          /* owned: the next question */
    struct kw_control *control;      /* owned; NULL when not connected */
    uint64_t asked_ms;               /* when the last question began */
    uint32_t questions;              /* so far */
    bool is_counting;                /* the last question was for its keys */
    struct kw_keyspace_counts *keys; /* owned: what it said to that; NULL: nothing yet */
    uint32_t failures;               /* in a row */
    bool is_down;                    /* as reported */
};

struct kw_probe {
    struct kw_probe_options options;
    struct kw_config
        *live; /* one reference: what may change; the options' one is for what is fixed */
    struct kw_topology *topology; /* one reference; NULL at first */
    struct subject **subjects;    /* owned */
    uint32_t subjects_count;
    uint32_t down_count;                /* I1 */
    struct kw_keyspace_counts keyspace; /* I5 */
    uint64_t random;                    /* state of the jitter's generator */
};

static struct subject *probe_take(struct kw_probe *probe, const struct kw_topology_node *node);
static struct subject *subject_new(struct kw_probe *probe);
static void subject_free(struct subject **subject);
static uint64_t probe_jittered(struct kw_probe *probe, uint64_t delay_ms);
static void subject_on_timer(void *arg);
static void subject_connect(struct subject *subject);
static void subject_on_ready(void *arg);
static void subject_ask(struct subject *subject);
static bool subject_may_count(const struct subject *subject);
static void subject_count(struct subject *subject, const struct kw_value *reply);
static void subject_on_reply(void *arg, enum kw_status status, const struct kw_value *reply);
static void subject_on_down(void *arg, enum kw_status status);
static void subject_fail(struct subject *subject, enum kw_status status);
static void subject_report(struct subject *subject, bool is_alive, enum kw_status status);
static const struct kw_topology_node *subject_node(const struct subject *subject);

struct kw_probe *kw_probe_new(const struct kw_probe_options *options)
{
    struct kw_probe *probe = kw_alloc_zero(1, sizeof *probe);

    probe->options = *options;
    probe->options.config = kw_config_ref(options->config);
    probe->live = kw_config_ref(options->config);
    probe->random = (kw_clock_wall_us() ^ (uint64_t)(uintptr_t)probe) | 1;
    return probe;
}

void kw_probe_reconfigure(struct kw_probe *probe, struct kw_config *config)
{
    kw_config_unref(&probe->live);
    probe->live = kw_config_ref(config);
}

void kw_probe_follow(struct kw_probe *probe, const struct kw_topology *topology)
{
    struct subject **subjects = kw_alloc_zero(topology->nodes_count + 1, sizeof(struct subject *));
    uint32_t count = 0;

    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        const struct kw_topology_node *node = &topology->nodes[i];
        if (!node->is_master || !kw_address_is_resolved(&node->address)) {
            continue;
        }
        struct subject *subject = probe_take(probe, node);
        if (subject == NULL) {
            subject = subject_new(probe);
        }
        subject->node_index = (uint16_t)i; /* I2 */
        subjects[count++] = subject;
    }
    for (uint32_t i = 0; i < probe->subjects_count; i++) {
        subject_free(&probe->subjects[i]); /* gone, moved, or no master any more */
    }
    kw_free(probe->subjects);
    probe->subjects = subjects;
    probe->subjects_count = count;
    struct kw_topology *before = probe->topology;
    probe->topology = kw_topology_ref(topology);
    kw_topology_unref(&before);
    if (probe->options.discover != NULL) {
        kw_discover_set_hurry(probe->options.discover, probe->down_count > 0);
    }
}

/* Take NODE's subject out of the old list; NULL when there is none at that address. */
static struct subject *probe_take(struct kw_probe *probe, const struct kw_topology_node *node)
{
    for (uint32_t i = 0; i < probe->subjects_count; i++) {
        struct subject *subject = probe->subjects[i];
        if (subject != NULL && kw_topology_node_is_same(subject_node(subject), node) &&
            kw_address_equal(&subject_node(subject)->address, &node->address)) {
            probe->subjects[i] = NULL;
            return subject;
        }
    }
    return NULL;
}

/* A subject whose first question is spread over the interval: not all masters at once. */
static struct subject *subject_new(struct kw_probe *probe)
{
    struct subject *subject = kw_alloc_zero(1, sizeof *subject);
    uint64_t interval_ms = probe->live->health_interval_ms;

    subject->probe = probe;
    subject->timer = kw_timer_new(probe->options.loop, subject_on_timer, subject);
    kw_timer_start(subject->timer, probe_jittered(probe, interval_ms) - interval_ms);
    return subject;
}

static void subject_free(struct subject **subject)
{
    struct subject *freed = *subject;

    if (freed == NULL) {
        return;
    }
    freed->probe->down_count -= freed->is_down; /* I1 */
    subject_count(freed, NULL);
    kw_control_close(&freed->control);
    kw_timer_free(&freed->timer);
    kw_free(freed);
    *subject = NULL;
}

/* DELAY_MS and up to a quarter of it more. */
static uint64_t probe_jittered(struct kw_probe *probe, uint64_t delay_ms)
{
    probe->random ^= probe->random << 13;
    probe->random ^= probe->random >> 7;
    probe->random ^= probe->random << 17;
    return delay_ms + probe->random % (delay_ms / 4 + 1);
}

static void subject_on_timer(void *arg)
{
    struct subject *subject = arg;

    KW_ASSERT(subject->state == SUBJECT_RESTING);
    subject->asked_ms = kw_loop_now_ms(subject->probe->options.loop);
    if (subject->control != NULL && kw_control_is_idle(subject->control)) {
        subject_ask(subject);
    } else {
        subject_connect(subject);
    }
}

static void subject_connect(struct subject *subject)
{
    const struct kw_config *config = subject->probe->options.config;
    const struct kw_control_options options = {
        .address = subject_node(subject)->address,
        .auth_user = config->cluster_auth_user,
        .auth_pass = config->cluster_auth_pass,
        .timeout_ms = config->node_timeout_ms,
        .on_ready = subject_on_ready,
        .on_down = subject_on_down,
        .arg = subject,
    };

    subject->state = SUBJECT_CONNECTING;
    kw_control_close(&subject->control);
    subject->control = kw_control_open(subject->probe->options.loop, &options);
}

static void subject_on_ready(void *arg)
{
    struct subject *subject = arg;

    KW_ASSERT(subject->state == SUBJECT_CONNECTING);
    subject_ask(subject);
}

static void subject_ask(struct subject *subject)
{
    subject->state = SUBJECT_ASKING;
    subject->is_counting = subject_may_count(subject);
    subject->questions++;
    kw_control_send(subject->control, subject->is_counting ? "INFO keyspace" : "PING",
                    subject->probe->live->node_timeout_ms, subject_on_reply, subject);
}

/* Is the next question for its keys? Not while it is in doubt: PING is what any server answers. */
static bool subject_may_count(const struct subject *subject)
{
    struct kw_probe *probe = subject->probe;

    if (probe->options.keyspace == NULL || subject->failures > 0) {
        return false;
    }
    uint64_t wanted_ms =
        atomic_load_explicit(&probe->options.keyspace->wanted_ms, memory_order_relaxed);
    uint64_t now_ms = kw_loop_now_ms(probe->options.loop);
    bool is_wanted = wanted_ms != 0 && now_ms < wanted_ms + COUNT_WANTED_MS;
    return is_wanted || subject->questions % COUNT_EACH == 0;
}

/* REPLY is what it says of its keys; NULL: it is no subject any more. */
static void subject_count(struct subject *subject, const struct kw_value *reply)
{
    struct kw_probe *probe = subject->probe;
    struct kw_keyspace_counts *counts = NULL;

    if (reply != NULL) {
        counts = kw_alloc(sizeof *counts);
        kw_keyspace_parse(reply->bytes, counts);
    }
    if (subject->keys != NULL || counts != NULL) {
        kw_keyspace_replace(&probe->keyspace, subject->keys, counts); /* I5 */
        kw_keyspace_publish(probe->options.keyspace, &probe->keyspace);
    }
    kw_free(subject->keys);
    subject->keys = counts;
}

static void subject_on_reply(void *arg, enum kw_status status, const struct kw_value *reply)
{
    struct subject *subject = arg;
    struct kw_probe *probe = subject->probe;

    if (status != KW_OK) {
        return; /* subject_on_down() follows */
    }
    KW_ASSERT(subject->state == SUBJECT_ASKING);
    if (subject->is_counting && reply != NULL && reply->type == KW_VALUE_BYTES) {
        subject_count(subject, reply);
    }
    subject->state = SUBJECT_RESTING;
    subject->failures = 0;
    kw_timer_start(subject->timer, probe_jittered(probe, probe->live->health_interval_ms));
    if (subject->is_down) {
        subject_report(subject, true, KW_OK);
    }
}

static void subject_on_down(void *arg, enum kw_status status)
{
    struct subject *subject = arg;

    kw_control_close(&subject->control);
    if (subject->state == SUBJECT_RESTING) {
        /* Closed while nothing was asked: an idle limit, or the node went. Ask which. */
        kw_timer_start(subject->timer, 0);
        return;
    }
    if (status == KW_E_AUTH) {
        subject->state = SUBJECT_ASKING; /* it answered: alive, whatever it thinks of us */
        subject_on_reply(subject, KW_OK, NULL);
        return;
    }
    subject_fail(subject, status);
}

static void subject_fail(struct subject *subject, enum kw_status status)
{
    struct kw_probe *probe = subject->probe;
    uint64_t pause_ms = PAUSE_MIN_MS;

    for (uint32_t i = 0; i < subject->failures && pause_ms < PAUSE_MAX_MS; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS; /* I3 */
    subject->state = SUBJECT_RESTING;
    subject->failures++;
    kw_timer_start(subject->timer, probe_jittered(probe, pause_ms));
    if (!subject->is_down && subject->failures >= probe->live->node_failure_limit) {
        subject_report(subject, false, status);
    }
}

static void subject_report(struct subject *subject, bool is_alive, enum kw_status status)
{
    struct kw_probe *probe = subject->probe;
    const struct kw_topology_node *node = subject_node(subject);

    KW_ASSERT(subject->is_down == is_alive);
    subject->is_down = !is_alive;
    if (is_alive) {
        probe->down_count--; /* I1 */
        kw_log(KW_LOG_NOTICE, "node %s:%u answers again", node->host, node->port);
    } else {
        probe->down_count++;
        kw_log(KW_LOG_WARNING, "node %s:%u does not answer (%s, %u times in a row)", node->host,
               node->port, kw_status_meaning(status), subject->failures);
    }
    if (probe->options.discover != NULL) {
        kw_discover_refresh(probe->options.discover,
                            is_alive ? KW_REFRESH_NODE_UP : KW_REFRESH_NODE_DOWN);
        kw_discover_set_hurry(probe->options.discover, probe->down_count > 0);
    }
    probe->options.on_node_state(probe->options.arg, node, is_alive); /* I4 */
}

static const struct kw_topology_node *subject_node(const struct subject *subject)
{
    const struct kw_topology *topology = subject->probe->topology;

    KW_ASSERT(subject->node_index < topology->nodes_count);
    return &topology->nodes[subject->node_index];
}

void kw_probe_suspect(struct kw_probe *probe, const struct kw_topology_node *node)
{
    uint64_t now_ms = kw_loop_now_ms(probe->options.loop);

    for (uint32_t i = 0; i < probe->subjects_count; i++) {
        struct subject *subject = probe->subjects[i];
        bool may_ask = subject->state == SUBJECT_RESTING && subject->failures == 0 &&
                       now_ms - subject->asked_ms >= PAUSE_MIN_MS;
        if (may_ask && kw_topology_node_is_same(subject_node(subject), node)) {
            kw_timer_start(subject->timer, 0);
        }
    }
}

uint32_t kw_probe_down_count(const struct kw_probe *probe)
{
    return probe->down_count;
}

void kw_probe_free(struct kw_probe **probe)
{
    struct kw_probe *freed = *probe;

    if (freed == NULL) {
        return;
    }
    for (uint32_t i = 0; i < freed->subjects_count; i++) {
        subject_free(&freed->subjects[i]);
    }
    kw_free(freed->subjects);
    kw_topology_unref(&freed->topology);
    kw_config_unref(&freed->live);
    kw_config_unref(&freed->options.config);
    kw_free(freed);
    *probe = NULL;
}
