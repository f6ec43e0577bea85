#include "tests/unit/kw_test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/discover.h"
#include "config/config.h"
#include "tests/unit/cluster/fake_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 3 };

/* Three fake nodes, a discovery that has them as seeds, and what it published. */
struct world {
    struct kw_loop *loop;
    struct fake_node *nodes[NODES];
    struct kw_config *config;
    struct kw_discover *discover;
    struct kw_topology *topology; /* the last published */
    int published;
    int wanted; /* for world_has_published() */
};

static void world_on_topology(void *arg, struct kw_topology *taken)
{
    struct world *world = arg;

    kw_topology_unref(&world->topology);
    world->topology = taken;
    world->published++;
}

/* FORMAT with %1, %2, %3 for the ports of the nodes; to be freed. */
static char *with_ports(const struct world *world, const char *format)
{
    char *text = calloc(1, 4096);
    size_t len = 0;

    for (; *format != '\0'; format++) {
        if (*format == '%') {
            format++;
            len += (size_t)sprintf(text + len, "%u",
                                   (unsigned)fake_node_port(world->nodes[*format - '1']));
        } else {
            text[len++] = *format;
        }
    }
    return text;
}

static void node_tells(struct world *world, int node, const char *words, unsigned epoch)
{
    char *ports = with_ports(world, words);
    char *shards = shards_of(ports, NULL);
    char nodes[256];

    snprintf(nodes, sizeof nodes, "id ip:port@cport master - 0 0 %u connected 0-1\n", epoch);
    fake_node_answers_bulk(world->nodes[node], "CLUSTER NODES", nodes);
    fake_node_answers(world->nodes[node], "CLUSTER SHARDS", "%s", shards);
    free(shards);
    free(ports);
}

static void all_tell(struct world *world, const char *words, unsigned epoch)
{
    for (int i = 0; i < NODES; i++) {
        node_tells(world, i, words, epoch);
    }
}

#define HEALTHY "0-5000 %1, 5001-10000 %2, 10001-16383 %3"

static void world_open_with(struct world *world, const char *seed_host, int seeds)
{
    memset(world, 0, sizeof *world);
    world->loop = kw_loop_new();
    world->config = kw_config_new_default();
    world->config->node_timeout_ms = 50;
    world->config->node_failure_limit = 3;
    world->config->health_interval_ms = 100;
    world->config->topology_refresh_ms = 300;
    world->config->cluster_seeds = kw_alloc_zero(NODES, sizeof *world->config->cluster_seeds);
    world->config->cluster_seeds_count = (size_t)seeds;
    for (int i = 0; i < NODES; i++) {
        world->nodes[i] = fake_node_open(world->loop);
    }
    for (int i = 0; i < seeds; i++) {
        world->config->cluster_seeds[i].host = kw_text_copy(seed_host);
        world->config->cluster_seeds[i].port = fake_node_port(world->nodes[i]);
    }
    all_tell(world, HEALTHY, 3);
    world->discover = kw_discover_new(world->loop, world->config, world_on_topology, world);
}

static void world_open(struct world *world)
{
    world_open_with(world, "127.0.0.1", NODES);
}

static void world_close(struct world *world)
{
    kw_discover_free(&world->discover);
    kw_topology_unref(&world->topology);
    kw_config_unref(&world->config);
    for (int i = 0; i < NODES; i++) {
        fake_node_close(&world->nodes[i]);
    }
    loop_run_for(world->loop, 2);
    kw_loop_free(&world->loop);
}

static bool world_has_published(void *arg)
{
    const struct world *world = arg;

    return world->published >= world->wanted;
}

/* Turn until COUNT topologies have been published in all. */
static bool world_waits(struct world *world, int count, uint32_t timeout_ms)
{
    world->wanted = count;
    return loop_run_until(world->loop, world_has_published, world, timeout_ms);
}

/* Turn until figure *COUNT has reached LIMIT. */
struct figure {
    const uint64_t *count;
    uint64_t limit;
};

static bool figure_is_reached(void *arg)
{
    const struct figure *figure = arg;

    return *figure->count >= figure->limit;
}

static bool figure_waits(struct world *world, const uint64_t *count, uint64_t limit)
{
    struct figure figure = {count, limit};

    return loop_run_until(world->loop, figure_is_reached, &figure, LOOP_PATIENCE_MS);
}

KW_TEST(discover_publishes_what_a_seed_tells)
{
    struct world world;

    world_open(&world);
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    assert_int_equal(world.topology->nodes_count, 3);
    assert_int_equal(world.topology->slots_covered, KW_SLOTS_COUNT);
    assert_int_equal(world.topology->epoch, 3);
    assert_int_equal(world.topology->version, 1);
    assert_ptr_equal(kw_discover_topology(world.discover), world.topology);
    assert_int_equal(kw_topology_node_of_slot(world.topology, 6000)->port,
                     fake_node_port(world.nodes[1]));
    world_close(&world);
}

KW_TEST(discover_publishes_only_what_differs)
{
    struct world world;

    world_open(&world);
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    assert_true(figure_waits(&world, &kw_discover_counts(world.discover)->rounds, 3)); /* asks on */
    assert_int_equal(world.published, 1);
    all_tell(&world, "0-4999 %1, 5000-10000 %2, 10001-16383 %3", 4);
    assert_true(world_waits(&world, 2, LOOP_PATIENCE_MS));
    assert_int_equal(world.topology->version, 2);
    assert_int_equal(kw_topology_node_of_slot(world.topology, 5000)->port,
                     fake_node_port(world.nodes[1]));
    world_close(&world);
}

KW_TEST(discover_uses_one_connection_while_all_is_well)
{
    struct world world;
    uint32_t accepted = 0;

    world_open(&world);
    world.config->topology_refresh_ms = 20;
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    while (kw_discover_counts(world.discover)->rounds < 8) {
        loop_run_for(world.loop, 10);
    }
    for (int i = 0; i < NODES; i++) {
        accepted += fake_node_accepted(world.nodes[i]);
    }
    assert_int_equal(accepted, 1);
    world_close(&world);
}

KW_TEST(discover_coalesces_wishes)
{
    struct world world;

    world_open(&world);
    world.config->topology_refresh_ms = 60000;
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    uint64_t start_ms = kw_clock_ms();
    for (int i = 0; i < 60; i++) {
        for (int j = 0; j < 100; j++) {
            kw_discover_refresh(world.discover, KW_REFRESH_REDIRECTED);
        }
        loop_run_for(world.loop, 10);
    }
    uint64_t rounds = kw_discover_counts(world.discover)->rounds;
    assert_true(rounds >= 3);
    assert_true(rounds <= (kw_clock_ms() - start_ms) / KW_DISCOVER_GAP_MS + 2);
    assert_int_equal(kw_discover_counts(world.discover)->wishes[KW_REFRESH_REDIRECTED], 6000);
    world_close(&world);
}

KW_TEST(discover_asks_the_next_one_when_a_node_refuses_or_is_silent)
{
    struct world world;

    uint64_t took_ms = UINT64_MAX;

    for (int try = 0; try < 5 && took_ms >= 300; try++) { /* the machine may stall */
        world_open(&world);
        fake_node_drop(world.nodes[0], false);
        fake_node_set_silent(world.nodes[1], true);
        uint64_t start_ms = kw_clock_ms();
        kw_discover_start(world.discover);
        assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
        took_ms = kw_clock_ms() - start_ms;
        world_close(&world);
    }
    assert_true(took_ms < 300); /* not the deadline of an ask: a hedge */
}

KW_TEST(discover_starts_without_any_node_and_heals)
{
    struct world world;

    world_open(&world);
    for (int i = 0; i < NODES; i++) {
        fake_node_drop(world.nodes[i], false);
    }
    uint64_t start_ms = kw_clock_ms();
    kw_discover_start(world.discover);
    assert_true(figure_waits(&world, &kw_discover_counts(world.discover)->failures, 5));
    assert_true(kw_clock_ms() - start_ms > 600); /* about 100, 200, 400, 800 ms apart */
    assert_int_equal(world.published, 0);
    fake_node_listen_again(world.nodes[2]);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    world_close(&world);
}

KW_TEST(discover_falls_back_to_slots_and_remembers)
{
    struct world world;

    world_open_with(&world, "127.0.0.1", 1);
    char *ports = with_ports(&world, "0-16383 %1");
    char *slots = slots_of(ports);
    fake_node_answers(world.nodes[0], "CLUSTER SHARDS",
                      "-ERR Unknown subcommand or wrong number of arguments for 'SHARDS'\r\n");
    fake_node_answers(world.nodes[0], "CLUSTER SLOTS", "%s", slots);
    fake_node_answers(world.nodes[0], "CLUSTER NODES", "-NOPERM no\r\n");
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    assert_true(figure_waits(&world, &kw_discover_counts(world.discover)->rounds, 3));
    assert_int_equal(world.topology->slots_covered, KW_SLOTS_COUNT);
    assert_int_equal(world.topology->epoch, 0);
    assert_true(fake_node_heard(world.nodes[0], "CLUSTER SLOTS") >= 2);
    /* the seed and the node learnt from it are the same source */
    assert_int_equal(fake_node_heard(world.nodes[0], "CLUSTER SHARDS"), 1);
    free(slots);
    free(ports);
    world_close(&world);
}

KW_TEST(discover_takes_a_server_without_cluster_mode_for_the_owner_of_all_slots)
{
    struct world world;

    world_open_with(&world, "localhost", 1);
    fake_node_answers(world.nodes[0], "CLUSTER NODES",
                      "-ERR This instance has cluster support disabled\r\n");
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    assert_true(world.topology->is_plain);
    assert_int_equal(world.topology->slots_covered, KW_SLOTS_COUNT);
    assert_string_equal(world.topology->nodes[0].host, "127.0.0.1");
    assert_int_equal(world.topology->nodes[0].port, fake_node_port(world.nodes[0]));
    assert_false(world_waits(&world, 2, 700));
    world_close(&world);
}

KW_TEST(discover_resolves_node_names_before_it_publishes)
{
    struct world world;

    world_open_with(&world, "localhost", 1);
    char *ports = with_ports(&world, "0-16383 %1");
    char *shards = shards_of(ports, "localhost");
    fake_node_answers(world.nodes[0], "CLUSTER SHARDS", "%s", shards);
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    assert_string_equal(world.topology->nodes[0].host, "localhost");
    assert_true(kw_address_is_resolved(&world.topology->nodes[0].address));
    free(shards);
    free(ports);
    world_close(&world);
}

KW_TEST(discover_hurries_while_slots_lack_owners_or_masters_fail)
{
    static const char *const ailing[] = {"0-5000 %1, 5001-10000 %2, 10001-16382 %3",
                                         "0-5000 %1!, 5001-10000 %2, 10001-16383 %3"};

    for (int i = 0; i < 2; i++) {
        struct world world;

        world_open(&world);
        world.config->topology_refresh_ms = 60000;
        all_tell(&world, ailing[i], 3);
        kw_discover_start(world.discover);
        assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
        all_tell(&world, HEALTHY, 4);
        assert_true(world_waits(&world, 2, LOOP_PATIENCE_MS));
        world_close(&world);
    }
}

KW_TEST(discover_is_not_poisoned_by_a_minority)
{
    struct world world;

    world_open(&world);
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    node_tells(&world, 0, "0-16383 %1", 2);                /* sat out a failover */
    node_tells(&world, 1, "0-5000 %1, 10001-16383 %3", 3); /* lost slots */
    assert_false(world_waits(&world, 2, 4000));
    assert_true(figure_waits(&world, &kw_discover_counts(world.discover)->doubted, 2));
    assert_int_equal(world.published, 1);
    world_close(&world);
}

KW_TEST(discover_believes_a_loss_of_slots_when_all_nodes_tell_it)
{
    struct world world;

    world_open(&world);
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    all_tell(&world, "0-5000 %1, 10001-16383 %3", 3);
    assert_true(world_waits(&world, 2, LOOP_PATIENCE_MS));
    assert_null(kw_topology_node_of_slot(world.topology, 6000));
    world_close(&world);
}

KW_TEST(discover_never_publishes_a_cluster_without_slots)
{
    struct world world;

    world_open(&world);
    all_tell(&world, "- %1, - %2", 1);
    kw_discover_start(world.discover);
    assert_false(world_waits(&world, 1, 600));
    all_tell(&world, HEALTHY, 1);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    world_close(&world);
}

KW_TEST(discover_goes_on_with_learnt_nodes_when_the_seed_is_gone)
{
    struct world world;

    world_open_with(&world, "127.0.0.1", 1);
    kw_discover_start(world.discover);
    assert_true(world_waits(&world, 1, LOOP_PATIENCE_MS));
    fake_node_drop(world.nodes[0], false);
    all_tell(&world, "0-5000 %2, 5001-10000 %2, 10001-16383 %3, - %1!", 4);
    kw_discover_refresh(world.discover, KW_REFRESH_UNREACHABLE);
    assert_true(world_waits(&world, 2, LOOP_PATIENCE_MS));
    assert_int_equal(kw_topology_node_of_slot(world.topology, 0)->port,
                     fake_node_port(world.nodes[1]));
    world_close(&world);
}

KW_TEST(discover_can_be_freed_at_any_moment)
{
    for (uint32_t ms = 0; ms < 12; ms++) {
        struct world world;

        world_open(&world);
        fake_node_set_silent(world.nodes[ms % NODES], true);
        kw_discover_start(world.discover);
        loop_run_for(world.loop, ms);
        world_close(&world);
    }
}
