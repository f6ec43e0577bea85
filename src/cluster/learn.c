/* learn.c - one question at a time.
 *
 *     RESTING --timer--> CONNECTING --> COMMANDS --> DATABASES --> RESTING (PERIOD_MS)
 *        ^                   |             |             |
 *        +---- failed: the next master, after a growing pause
 *
 * INVARIANTS
 * L1  control is NULL while RESTING.
 * L2  the newest of sets is what the workers were told last.
 */
#include "cluster/learn.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "cluster/command_reply.h"
#include "config/config.h"
#include "net/control.h"
#include "net/timer.h"

enum {
    GAP_MS = 1000,              /* topologies come in bursts: one question for all of them */
    PERIOD_MS = 10 * 60 * 1000, /* modules are loaded rarely */
    PAUSE_MIN_MS = 500,
    PAUSE_MAX_MS = 60 * 1000,
    TIMEOUT_MS = 5000, /* COMMAND of redis 7 is 150 KiB; nobody waits for it */
    DATABASES_OF_PLAIN = 16,
    DATABASES_MAX = 10000000 /* as redis allows */
};

struct kw_learn {
    struct kw_learn_options options; /* one reference of the config */
    struct kw_topology *topology;    /* one reference; NULL at first */
    struct kw_timer *timer;
    struct kw_control *control;                 /* L1 */
    struct kw_learned *answer;                  /* being put together */
    uint32_t turn;                              /* which master is asked */
    uint32_t failures;                          /* in a row */
    struct kw_learned *sets[KW_LEARN_SETS_MAX]; /* owned; L2 */
    uint32_t sets_count;
};

static void learn_on_timer(void *arg);
static const struct kw_topology_node *learn_master(const struct kw_learn *learn);
static void learn_on_ready(void *arg);
static void learn_on_commands(void *arg, enum kw_status status, const struct kw_value *reply);
static void learn_on_databases(void *arg, enum kw_status status, const struct kw_value *reply);
static unsigned databases_of(const struct kw_topology *topology, const struct kw_value *reply);
static void learn_on_down(void *arg, enum kw_status status);
static void learn_finish(struct kw_learn *learn);

struct kw_learn *kw_learn_new(const struct kw_learn_options *options)
{
    struct kw_learn *learn = kw_alloc_zero(1, sizeof *learn);

    learn->options = *options;
    learn->options.config = kw_config_ref(options->config);
    learn->timer = kw_timer_new(options->loop, learn_on_timer, learn);
    return learn;
}

void kw_learn_follow(struct kw_learn *learn, const struct kw_topology *topology)
{
    struct kw_topology *before = learn->topology;

    learn->topology = kw_topology_ref(topology);
    kw_topology_unref(&before);
    if (learn->control == NULL) {
        kw_timer_start(learn->timer, learn->sets_count == 0 ? 0 : GAP_MS);
    }
}

void kw_learn_free(struct kw_learn **learn)
{
    struct kw_learn *ending = *learn;

    *learn = NULL;
    if (ending == NULL) {
        return;
    }
    kw_control_close(&ending->control);
    kw_timer_free(&ending->timer);
    kw_learned_free(&ending->answer);
    for (uint32_t i = 0; i < ending->sets_count; i++) {
        kw_learned_free(&ending->sets[i]);
    }
    kw_topology_unref(&ending->topology);
    kw_config_unref(&ending->options.config);
    kw_free(ending);
}

static void learn_on_timer(void *arg)
{
    struct kw_learn *learn = arg;
    const struct kw_topology_node *node = learn_master(learn);

    KW_ASSERT(learn->control == NULL); /* L1 */
    if (node == NULL) {
        kw_timer_start(learn->timer, PAUSE_MAX_MS); /* a new topology comes before that */
        return;
    }
    const struct kw_control_options options = {
        .address = node->address,
        .auth_user = learn->options.config->cluster_auth_user,
        .auth_pass = learn->options.config->cluster_auth_pass,
        .timeout_ms = TIMEOUT_MS,
        .on_ready = learn_on_ready,
        .on_down = learn_on_down,
        .arg = learn,
    };
    learn->control = kw_control_open(learn->options.loop, &options);
}

/* The next master in turn whose address is known, NULL when there is none. */
static const struct kw_topology_node *learn_master(const struct kw_learn *learn)
{
    const struct kw_topology *topology = learn->topology;

    for (uint32_t i = 0; topology != NULL && i < topology->nodes_count; i++) {
        const struct kw_topology_node *node =
            &topology->nodes[(learn->turn + i) % topology->nodes_count];
        if (node->is_master && kw_address_is_resolved(&node->address)) {
            return node;
        }
    }
    return NULL;
}

static void learn_on_ready(void *arg)
{
    struct kw_learn *learn = arg;

    kw_control_send(learn->control, "COMMAND", TIMEOUT_MS, learn_on_commands, learn);
}

/* An error (the user may not run COMMAND) is an answer too: nothing can be learned. */
static void learn_on_commands(void *arg, enum kw_status status, const struct kw_value *reply)
{
    struct kw_learn *learn = arg;
    const char *question =
        learn->topology->is_plain ? "CONFIG GET databases" : "CONFIG GET cluster-databases";

    if (status != KW_OK) {
        return; /* learn_on_down() follows */
    }
    kw_learned_free(&learn->answer);
    learn->answer = kw_learned_new();
    kw_command_reply_read(reply, learn->answer);
    kw_control_send(learn->control, question, TIMEOUT_MS, learn_on_databases, learn);
}

static void learn_on_databases(void *arg, enum kw_status status, const struct kw_value *reply)
{
    struct kw_learn *learn = arg;

    if (status != KW_OK) {
        return;
    }
    kw_learned_set_databases(learn->answer, databases_of(learn->topology, reply));
    kw_control_close(&learn->control);
    learn->failures = 0;
    kw_timer_start(learn->timer, PERIOD_MS);
    learn_finish(learn);
}

/* ["databases", "16"]; whoever does not tell has as many as is usual. */
static unsigned databases_of(const struct kw_topology *topology, const struct kw_value *reply)
{
    int64_t count = 0;
    bool is_pair = kw_value_is_list(reply) && reply->elements_count == 2 &&
                   kw_value_is_text(&reply->elements[1]);

    if (is_pair && kw_text_to_int(reply->elements[1].bytes, &count) == KW_OK && count >= 1 &&
        count <= DATABASES_MAX) {
        return (unsigned)count;
    }
    return topology->is_plain ? DATABASES_OF_PLAIN : 1;
}

static void learn_on_down(void *arg, enum kw_status status)
{
    struct kw_learn *learn = arg;
    uint64_t pause_ms = (uint64_t)PAUSE_MIN_MS << (learn->failures < 8 ? learn->failures : 8);

    kw_log(KW_LOG_VERBOSE, "can't ask a node for its commands: %s", kw_status_meaning(status));
    kw_control_close(&learn->control);
    kw_learned_free(&learn->answer);
    learn->failures++;
    learn->turn++;
    kw_timer_start(learn->timer, pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);
}

/* Publish the answer when it is news. */
static void learn_finish(struct kw_learn *learn)
{
    uint32_t count = learn->sets_count;
    bool is_news = count == 0 || !kw_learned_equal(learn->sets[count - 1], learn->answer);

    if (!is_news || count == KW_LEARN_SETS_MAX) {
        if (is_news) {
            kw_log(KW_LOG_WARNING, "the nodes' commands have changed %u times: no longer followed",
                   count);
        }
        kw_learned_free(&learn->answer);
        return;
    }
    learn->sets[learn->sets_count++] = learn->answer; /* L2 */
    learn->answer = NULL;
    if (kw_learned_count(learn->sets[count]) > 0) {
        kw_log(KW_LOG_NOTICE, "learned %zu commands from the nodes that this version does not know",
               kw_learned_count(learn->sets[count]));
    }
    learn->options.on_learned(learn->options.arg, learn->sets[count]);
}
