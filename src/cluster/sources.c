/* sources.c - a small array, scanned: it is used a few times a second at most. */
#include "cluster/sources.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"

enum { REST_ROUNDS_MAX = 32 };

static void source_set(struct kw_source *source, const char *host, uint16_t port, bool is_seed);
static bool source_is_better(const struct kw_source *a, const struct kw_source *b, uint64_t round);
static bool source_is_resting(const struct kw_source *source, uint64_t round);

void kw_sources_init(struct kw_sources *sources, const struct kw_config *config)
{
    sources->all = kw_alloc_zero(config->cluster_seeds_count + 1, sizeof *sources->all);
    sources->count = 0;
    /* Two processes started together must not ask the same node: T3. */
    sources->random = (kw_clock_wall_us() ^ (uint64_t)(uintptr_t)sources) | 1;
    for (size_t i = 0; i < config->cluster_seeds_count; i++) {
        const struct kw_config_seed *seed = &config->cluster_seeds[i];
        if (strlen(seed->host) < KW_HOST_MAX &&
            kw_sources_find(sources, seed->host, seed->port) == NULL) {
            source_set(&sources->all[sources->count++], seed->host, seed->port, true);
        }
    }
}

static void source_set(struct kw_source *source, const char *host, uint16_t port, bool is_seed)
{
    memset(source, 0, sizeof *source);
    memcpy(source->host, host, strlen(host) + 1);
    source->port = port;
    source->is_seed = is_seed;
}

void kw_sources_learn(struct kw_sources *sources, const struct kw_topology *topology)
{
    struct kw_sources learnt = {.random = sources->random};

    learnt.all = kw_alloc_zero(sources->count + topology->nodes_count + 1, sizeof *learnt.all);
    for (uint32_t i = 0; i < sources->count; i++) {
        if (sources->all[i].is_seed) {
            learnt.all[learnt.count++] = sources->all[i];
        }
    }
    for (uint32_t i = 0; i < topology->nodes_count; i++) {
        const struct kw_topology_node *node = &topology->nodes[i];
        const struct kw_source *before = kw_sources_find(sources, node->host, node->port);
        if (before != NULL && !before->is_seed) {
            learnt.all[learnt.count++] = *before;
        } else if (before == NULL) {
            source_set(&learnt.all[learnt.count++], node->host, node->port, false);
        }
    }
    kw_free(sources->all);
    *sources = learnt;
}

struct kw_source *kw_sources_next(struct kw_sources *sources, uint64_t round)
{
    struct kw_source *best = NULL;
    uint32_t equals = 0;

    for (uint32_t i = 0; i < sources->count; i++) {
        struct kw_source *source = &sources->all[i];
        if (source->asked_round == round) {
            continue;
        }
        if (best == NULL || source_is_better(source, best, round)) {
            best = source;
            equals = 1;
        } else if (!source_is_better(best, source, round)) {
            equals++;
            best = kw_sources_random(sources, equals) == 0 ? source : best;
        }
    }
    return best;
}

static bool source_is_better(const struct kw_source *a, const struct kw_source *b, uint64_t round)
{
    bool is_a_resting = source_is_resting(a, round);
    bool is_b_resting = source_is_resting(b, round);

    if (is_a_resting != is_b_resting) {
        return is_b_resting;
    }
    return a->asked_round < b->asked_round;
}

/* A source that failed is passed over for some rounds, not for good: rule R3 wants all heard. */
static bool source_is_resting(const struct kw_source *source, uint64_t round)
{
    uint64_t rest = source->failures < REST_ROUNDS_MAX / 2 ? 2 * source->failures : REST_ROUNDS_MAX;

    return round - source->asked_round < rest;
}

struct kw_source *kw_sources_find(struct kw_sources *sources, const char *host, uint16_t port)
{
    for (uint32_t i = 0; i < sources->count; i++) {
        if (sources->all[i].port == port && strcasecmp(sources->all[i].host, host) == 0) {
            return &sources->all[i];
        }
    }
    return NULL;
}

uint32_t kw_sources_random(struct kw_sources *sources, uint32_t limit)
{
    KW_ASSERT(limit > 0);
    /* xorshift64*: jitter needs no more. */
    sources->random ^= sources->random >> 12;
    sources->random ^= sources->random << 25;
    sources->random ^= sources->random >> 27;
    return (uint32_t)((sources->random * 0x2545f4914f6cdd1d) >> 33) % limit;
}

void kw_sources_deinit(struct kw_sources *sources)
{
    kw_free(sources->all);
    sources->all = NULL;
    sources->count = 0;
}
