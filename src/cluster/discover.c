/* discover.c - when to ask whom, and what to do with the answer.
 *
 *        ┌──────────────────────────── timer ◀───────────────────────────────┐
 *        ▼                                                                    │
 *     WAITING ──▶ ASKING ──(first good answer)──▶ judge ──▶ NAMING ──▶ publish if it differs
 *                  │  ▲ next source at once when one fails, beside it when it is silent (hedge)
 *                  └──┘ no source left ──▶ WAITING with a growing pause
 *
 * I1  rounds begin at least KW_DISCOVER_GAP_MS apart, however many ask for one.
 * I2  while WAITING the timer runs; while ASKING or NAMING wishes are only noted (is_wanted).
 * I3  at most ASKS_MAX questions are under way.
 * I4  the kept ask is idle or asking; it is one of asks[] only in the latter case.
 *
 * What comes next after a round: at once (after the gap) when somebody wished so meanwhile; after
 * KW_DISCOVER_HURRY_MS while slots lack an owner, a master is failing or an answer is in doubt;
 * else after topology-refresh-ms. All of them jittered, so that many processes don't beat as one.
 */
#include "cluster/discover.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/ask.h"
#include "cluster/judge.h"
#include "cluster/naming.h"
#include "cluster/sources.h"
#include "config/config.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/timer.h"

enum {
    ASKS_MAX = 3,              /* one silent node, one slow, and one that will answer */
    KEPT_ROUNDS_MAX = 8,       /* the same node in a row: then another's view is heard */
    PAUSE_MIN_MS = 100,        /* after the first round without an answer */
    ASK_TIMEOUT_MIN_MS = 1000, /* a large map over a long way is slow, not silent */
    LOG_EVERY_MS = 5000        /* about an outage that goes on */
};

enum discover_state { DISCOVER_IDLE = 0, DISCOVER_WAITING, DISCOVER_ASKING, DISCOVER_NAMING };

struct kw_discover {
    /* set once */
    struct kw_loop *loop;
    struct kw_config *config;     /* one reference: what is fixed, for asks */
    struct kw_config *live;       /* one reference: what may change */
    struct kw_resolver *resolver; /* owned */
    void (*on_topology)(void *arg, struct kw_topology *taken);
    void *arg;

    /* the round */
    enum discover_state state;
    struct kw_timer *timer;        /* owned: the next round, or the hedge of this one */
    struct kw_ask *asks[ASKS_MAX]; /* owned; NULL = free */
    struct kw_ask *kept;           /* owned when not in asks[]: I4 */
    uint32_t kept_rounds;
    struct kw_naming *naming; /* owned; in NAMING */
    uint64_t round_ms;        /* when the last round began */
    uint64_t next_ms;         /* in WAITING: when the timer fires */
    bool is_wanted;           /* a refresh was asked for meanwhile */
    bool is_in_hurry;

    /* what is known */
    struct kw_sources sources;
    struct kw_judge judge;
    struct kw_topology *topology; /* one reference; NULL = none yet */
    uint32_t failed_rounds;       /* in a row */
    uint64_t logged_ms;           /* last line about an outage; 0 = none in this outage */
    struct kw_discover_counts counts;
};

static void discover_wait(struct kw_discover *discover, uint64_t delay_ms);
static uint64_t jittered(struct kw_discover *discover, uint64_t delay_ms);
static void discover_on_timer(void *arg);
static void discover_begin_round(struct kw_discover *discover);
static bool discover_ask_kept(struct kw_discover *discover);
static bool discover_ask_next(struct kw_discover *discover);
static bool discover_has_ask(const struct kw_discover *discover);
static void discover_start_ask(struct kw_discover *discover, struct kw_ask *ask,
                               struct kw_source *source);
static void discover_on_answer(void *arg, struct kw_ask *ask, struct kw_ask_answer *answer);
static void discover_on_failure(struct kw_discover *discover, struct kw_ask *ask,
                                const struct kw_ask_answer *answer);
static void discover_log_failure(struct kw_discover *discover, const struct kw_ask *ask,
                                 const struct kw_ask_answer *answer);
static void discover_fail_round(struct kw_discover *discover);
static void discover_on_success(struct kw_discover *discover, struct kw_ask *ask,
                                struct kw_topology *taken);
static void discover_doubt(struct kw_discover *discover, const struct kw_ask *ask,
                           enum kw_judgement judgement);
static void discover_on_named(void *arg, struct kw_topology *taken);
static void discover_publish(struct kw_discover *discover, struct kw_topology *taken);
static void discover_log_change(const struct kw_discover *discover,
                                const struct kw_topology *topology);
static void discover_end_round(struct kw_discover *discover, bool is_in_doubt);

struct kw_discover *kw_discover_new(struct kw_loop *loop, struct kw_config *config,
                                    void (*on_topology)(void *arg, struct kw_topology *taken),
                                    void *arg)
{
    struct kw_discover *discover = kw_alloc_zero(1, sizeof *discover);

    discover->loop = loop;
    discover->config = kw_config_ref(config);
    discover->live = kw_config_ref(config);
    discover->resolver = kw_resolver_new(loop, NULL);
    discover->on_topology = on_topology;
    discover->arg = arg;
    discover->timer = kw_timer_new(loop, discover_on_timer, discover);
    kw_sources_init(&discover->sources, config);
    return discover;
}

void kw_discover_start(struct kw_discover *discover)
{
    KW_ASSERT(discover->state == DISCOVER_IDLE);
    discover_wait(discover, 0);
}

void kw_discover_refresh(struct kw_discover *discover, enum kw_refresh_reason reason)
{
    uint64_t now_ms = kw_loop_now_ms(discover->loop);

    KW_ASSERT(reason < KW_REFRESH_REASONS_COUNT);
    discover->counts.wishes[reason]++;
    if (discover->state != DISCOVER_WAITING) {
        discover->is_wanted = discover->state != DISCOVER_IDLE; /* I2 */
        return;
    }
    if (discover->failed_rounds > 0 && reason != KW_REFRESH_NODE_UP) {
        return; /* nobody answers: wishes don't shorten the pause */
    }
    uint64_t earliest_ms = discover->round_ms + jittered(discover, KW_DISCOVER_GAP_MS); /* I1 */
    uint64_t delay_ms = earliest_ms > now_ms ? earliest_ms - now_ms : 0;
    if (now_ms + delay_ms < discover->next_ms) {
        discover_wait(discover, delay_ms);
    }
}

void kw_discover_set_hurry(struct kw_discover *discover, bool is_wanted)
{
    discover->is_in_hurry = is_wanted;
    if (is_wanted) {
        kw_discover_refresh(discover, KW_REFRESH_NODE_DOWN);
    }
}

static void discover_wait(struct kw_discover *discover, uint64_t delay_ms)
{
    KW_ASSERT(!discover_has_ask(discover));
    discover->state = DISCOVER_WAITING;
    discover->next_ms = kw_loop_now_ms(discover->loop) + delay_ms;
    kw_timer_start(discover->timer, delay_ms);
}

/* DELAY_MS and up to a quarter of it more. */
static uint64_t jittered(struct kw_discover *discover, uint64_t delay_ms)
{
    return delay_ms + kw_sources_random(&discover->sources, (uint32_t)(delay_ms / 4 + 1));
}

static void discover_on_timer(void *arg)
{
    struct kw_discover *discover = arg;

    switch (discover->state) {
    case DISCOVER_WAITING:
        discover_begin_round(discover);
        return;
    case DISCOVER_ASKING: /* silence: ask somebody else beside */
        kw_timer_start(discover->timer, discover->live->node_timeout_ms);
        discover_ask_next(discover);
        return;
    case DISCOVER_IDLE:
    case DISCOVER_NAMING:
    default:
        KW_UNREACHABLE(); /* I2 */
    }
}

static void discover_begin_round(struct kw_discover *discover)
{
    discover->state = DISCOVER_ASKING;
    discover->is_wanted = false;
    discover->round_ms = kw_loop_now_ms(discover->loop);
    discover->counts.rounds++;
    kw_timer_start(discover->timer, discover->live->node_timeout_ms);
    if (discover_ask_kept(discover) || discover_ask_next(discover)) {
        return;
    }
    discover_fail_round(discover);
}

/* Ask over the open connection, unless it is time for another node's view. */
static bool discover_ask_kept(struct kw_discover *discover)
{
    if (discover->kept == NULL) {
        return false;
    }
    struct kw_source *source = kw_sources_find(&discover->sources, kw_ask_host(discover->kept),
                                               kw_ask_port(discover->kept));
    bool is_all_well = !discover->is_in_hurry && discover->judge.doubts == 0 &&
                       discover->failed_rounds == 0 && discover->topology != NULL &&
                       !kw_topology_is_ailing(discover->topology);
    discover->kept_rounds++;
    if (source == NULL || !is_all_well || discover->kept_rounds > KEPT_ROUNDS_MAX) {
        kw_ask_close(&discover->kept);
        return false;
    }
    discover_start_ask(discover, discover->kept, source);
    return true;
}

/* Ask the next source, if there is one and room for it. True while any question is under way. */
static bool discover_ask_next(struct kw_discover *discover)
{
    bool has_room = false;

    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        has_room = has_room || discover->asks[i] == NULL;
    }
    struct kw_source *source =
        has_room ? kw_sources_next(&discover->sources, discover->counts.rounds) : NULL;
    if (source == NULL) {
        return discover_has_ask(discover);
    }
    const struct kw_ask_options options = {
        .loop = discover->loop,
        .resolver = discover->resolver,
        .config = discover->config,
        .host = source->host,
        .port = source->port,
        .speaks_slots = source->speaks_slots,
        .on_answer = discover_on_answer,
        .arg = discover,
    };
    discover_start_ask(discover, kw_ask_open(&options), source);
    return true;
}

static bool discover_has_ask(const struct kw_discover *discover)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (discover->asks[i] != NULL) {
            return true;
        }
    }
    return false;
}

static void discover_start_ask(struct kw_discover *discover, struct kw_ask *ask,
                               struct kw_source *source)
{
    uint64_t patience = discover->failed_rounds < 4 ? 1 + discover->failed_rounds : 5;
    uint64_t timeout_ms =
        (uint64_t)discover->live->node_timeout_ms * discover->live->node_failure_limit;

    timeout_ms = timeout_ms < ASK_TIMEOUT_MIN_MS ? ASK_TIMEOUT_MIN_MS : timeout_ms;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (discover->asks[i] == NULL) {
            discover->asks[i] = ask;
            source->asked_round = discover->counts.rounds;
            discover->counts.questions++;
            kw_ask_start(ask, (uint32_t)(timeout_ms * patience));
            return;
        }
    }
    KW_UNREACHABLE(); /* I3 */
}

static void discover_on_answer(void *arg, struct kw_ask *ask, struct kw_ask_answer *answer)
{
    struct kw_discover *discover = arg;
    struct kw_source *source =
        kw_sources_find(&discover->sources, kw_ask_host(ask), kw_ask_port(ask));

    KW_ASSERT(discover->state == DISCOVER_ASKING);
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (discover->asks[i] == ask) {
            discover->asks[i] = NULL; /* now ours */
        }
    }
    KW_ASSERT(source != NULL); /* sources change only when no question is under way */
    source->speaks_slots = answer->speaks_slots;
    source->failures = answer->status == KW_OK ? 0 : source->failures + 1;
    if (answer->status == KW_OK) {
        discover_on_success(discover, ask, answer->topology);
    } else {
        discover_on_failure(discover, ask, answer);
    }
}

static void discover_on_failure(struct kw_discover *discover, struct kw_ask *ask,
                                const struct kw_ask_answer *answer)
{
    discover_log_failure(discover, ask, answer);
    if (discover->kept == ask) {
        discover->kept = NULL;
    }
    kw_ask_close(&ask);
    if (!discover_ask_next(discover)) {
        discover_fail_round(discover);
    }
}

static void discover_log_failure(struct kw_discover *discover, const struct kw_ask *ask,
                                 const struct kw_ask_answer *answer)
{
    uint64_t now_ms = kw_loop_now_ms(discover->loop);
    bool is_outage = discover->topology == NULL || discover->failed_rounds > 0;
    const char *says = answer->error[0] != '\0' ? answer->error : kw_status_meaning(answer->status);

    if (!is_outage && answer->status != KW_E_AUTH) {
        kw_log(KW_LOG_VERBOSE, "%s:%u does not tell about the cluster: %s", kw_ask_host(ask),
               kw_ask_port(ask), says);
        return;
    }
    if (discover->logged_ms != 0 && now_ms - discover->logged_ms < LOG_EVERY_MS) {
        return;
    }
    discover->logged_ms = now_ms;
    kw_log(KW_LOG_WARNING, "no node tells about the cluster (%s:%u: %s); trying on",
           kw_ask_host(ask), kw_ask_port(ask), says);
}

static void discover_fail_round(struct kw_discover *discover)
{
    uint64_t pause_ms = PAUSE_MIN_MS;

    KW_ASSERT(!discover_has_ask(discover));
    for (uint32_t i = 0; i < discover->failed_rounds && pause_ms < KW_DISCOVER_PAUSE_MAX_MS; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms < KW_DISCOVER_PAUSE_MAX_MS ? pause_ms : KW_DISCOVER_PAUSE_MAX_MS;
    discover->failed_rounds++;
    discover->counts.failures++;
    discover_wait(discover, jittered(discover, pause_ms));
}

static void discover_on_success(struct kw_discover *discover, struct kw_ask *ask,
                                struct kw_topology *taken)
{
    kw_timer_stop(discover->timer);
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (discover->asks[i] == discover->kept) {
            discover->kept = NULL; /* closed with the others that were too slow */
        }
        kw_ask_close(&discover->asks[i]);
    }
    if (discover->kept != ask) {
        kw_ask_close(&discover->kept);
        discover->kept = ask;
        discover->kept_rounds = 0;
    }
    if (discover->failed_rounds > 0 && discover->logged_ms != 0 && discover->topology != NULL) {
        kw_log(KW_LOG_NOTICE, "%s:%u tells about the cluster again", kw_ask_host(ask),
               kw_ask_port(ask));
    }
    enum kw_judgement judgement = kw_judge_hear(&discover->judge, discover->topology, taken);
    if (judgement != KW_JUDGE_ACCEPT) {
        kw_topology_unref(&taken);
        discover_doubt(discover, ask, judgement);
        return;
    }
    discover->failed_rounds = 0;
    discover->logged_ms = 0;
    discover->state = DISCOVER_NAMING;
    struct kw_naming *naming =
        kw_naming_start(discover->resolver, taken, discover_on_named, discover);
    if (naming != NULL) {
        discover->naming = naming; /* when NULL, the round is over already */
    }
}

static void discover_doubt(struct kw_discover *discover, const struct kw_ask *ask,
                           enum kw_judgement judgement)
{
    uint64_t now_ms = kw_loop_now_ms(discover->loop);

    discover->failed_rounds = 0;
    discover->counts.doubted++;
    if (discover->logged_ms == 0 || now_ms - discover->logged_ms >= LOG_EVERY_MS) {
        discover->logged_ms = now_ms;
        kw_log(KW_LOG_WARNING, "what %s:%u tells about the cluster is not used: %s",
               kw_ask_host(ask), kw_ask_port(ask),
               judgement == KW_JUDGE_REFUSE ? "no slot has an owner there"
                                            : kw_doubt_text(discover->judge.doubt));
    }
    discover_end_round(discover, true);
}

static void discover_on_named(void *arg, struct kw_topology *taken)
{
    struct kw_discover *discover = arg;

    KW_ASSERT(discover->state == DISCOVER_NAMING);
    discover->naming = NULL;
    if (discover->topology != NULL && kw_topology_equal(discover->topology, taken)) {
        kw_topology_unref(&taken);
    } else {
        discover_publish(discover, taken);
    }
    discover_end_round(discover, false);
}

static void discover_publish(struct kw_discover *discover, struct kw_topology *taken)
{
    taken->version = discover->topology == NULL ? 1 : discover->topology->version + 1;
    discover_log_change(discover, taken);
    kw_topology_unref(&discover->topology);
    discover->topology = taken;
    kw_sources_learn(&discover->sources, taken);
    discover->counts.published++;
    discover->on_topology(discover->arg, kw_topology_ref(taken));
}

static void discover_log_change(const struct kw_discover *discover,
                                const struct kw_topology *topology)
{
    const struct kw_topology *before = discover->topology;
    const struct kw_topology_node *first = &topology->nodes[0];
    uint32_t masters = 0;

    if (topology->is_plain) {
        kw_log(KW_LOG_WARNING,
               "%s:%u has cluster support disabled: used as one plain server for all %d slots",
               first->host, first->port, KW_SLOTS_COUNT);
        return;
    }
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        const struct kw_topology_node *node = &topology->nodes[i];
        masters += node->is_master;
        if (kw_address_is_resolved(&node->address)) {
            continue;
        }
        const struct kw_topology_node *same =
            before == NULL ? NULL
                           : kw_topology_find(before, kw_bytes_of_text(node->host), node->port);
        if (same == NULL || kw_address_is_resolved(&same->address)) {
            kw_log(KW_LOG_WARNING, "the name of node %s:%u has no address", node->host, node->port);
        }
    }
    kw_log(KW_LOG_NOTICE,
           "the cluster%s: %u masters, %u replicas, %u of %d slots owned, epoch %llu",
           before == NULL ? "" : " changed", masters, topology->nodes_count - masters,
           topology->slots_covered, KW_SLOTS_COUNT, (unsigned long long)topology->epoch);
}

static void discover_end_round(struct kw_discover *discover, bool is_in_doubt)
{
    uint64_t delay_ms = discover->live->topology_refresh_ms;

    if (is_in_doubt || discover->is_in_hurry || discover->topology == NULL ||
        kw_topology_is_ailing(discover->topology)) {
        delay_ms = delay_ms < KW_DISCOVER_HURRY_MS ? delay_ms : KW_DISCOVER_HURRY_MS;
    }
    discover_wait(discover, jittered(discover, delay_ms));
    if (discover->is_wanted) {
        kw_discover_refresh(discover, KW_REFRESH_OPERATOR);
    }
}

const struct kw_topology *kw_discover_topology(const struct kw_discover *discover)
{
    return discover->topology;
}

const struct kw_discover_counts *kw_discover_counts(const struct kw_discover *discover)
{
    return &discover->counts;
}

void kw_discover_reconfigure(struct kw_discover *discover, struct kw_config *config)
{
    kw_config_unref(&discover->live);
    discover->live = kw_config_ref(config);
}

void kw_discover_free(struct kw_discover **discover)
{
    struct kw_discover *freed = *discover;

    if (freed == NULL) {
        return;
    }
    kw_naming_cancel(&freed->naming);
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (freed->asks[i] == freed->kept) {
            freed->kept = NULL; /* I4 */
        }
        kw_ask_close(&freed->asks[i]);
    }
    kw_ask_close(&freed->kept);
    kw_timer_free(&freed->timer);
    kw_resolver_free(&freed->resolver);
    kw_sources_deinit(&freed->sources);
    kw_topology_unref(&freed->topology);
    kw_config_unref(&freed->live);
    kw_config_unref(&freed->config);
    kw_free(freed);
    *discover = NULL;
}
