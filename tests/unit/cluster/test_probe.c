#include "tests/unit/kw_test.h"

#include "base/clock.h"
#include "cluster/probe.h"
#include "config/config.h"
#include "tests/unit/cluster/fake_node.h"
#include "tests/unit/cluster/topologies.h"

struct watcher {
    struct kw_loop *loop;
    struct fake_node *node;
    struct kw_config *config;
    struct kw_probe *probe;
    struct kw_topology *topology;
    int downs;
    int ups;
    uint16_t port; /* of the node last told about */
};

static void watcher_on_node_state(void *arg, const struct kw_topology_node *node, bool is_alive)
{
    struct watcher *watcher = arg;

    watcher->downs += !is_alive;
    watcher->ups += is_alive;
    watcher->port = node->port;
}

static void node_is_at(struct kw_topology_node *node, uint16_t port)
{
    node->port = port;
    assert_int_equal(kw_address_parse(KW_BYTES("127.0.0.1"), port, &node->address), KW_OK);
}

static void watcher_open(struct watcher *watcher)
{
    struct kw_probe_options options = {.on_node_state = watcher_on_node_state, .arg = watcher};

    memset(watcher, 0, sizeof *watcher);
    watcher->loop = options.loop = kw_loop_new();
    watcher->node = fake_node_open(watcher->loop);
    watcher->config = options.config = kw_config_new_default();
    watcher->config->node_timeout_ms = 40;
    watcher->config->node_failure_limit = 3;
    watcher->config->health_interval_ms = 60;
    watcher->topology = a_topology("0-16383 A, a");
    node_is_at(&watcher->topology->nodes[0], fake_node_port(watcher->node));
    node_is_at(&watcher->topology->nodes[1], fake_node_port(watcher->node));
    watcher->probe = kw_probe_new(&options);
    kw_probe_follow(watcher->probe, watcher->topology);
}

static void watcher_close(struct watcher *watcher)
{
    kw_probe_free(&watcher->probe);
    kw_topology_unref(&watcher->topology);
    kw_config_unref(&watcher->config);
    fake_node_close(&watcher->node);
    kw_loop_free(&watcher->loop);
}

static bool watcher_saw_down(void *arg)
{
    return ((struct watcher *)arg)->downs > 0;
}

static bool watcher_saw_up(void *arg)
{
    return ((struct watcher *)arg)->ups > 0;
}

static bool node_heard_four_pings(void *arg)
{
    return fake_node_heard(arg, "PING") >= 4;
}

static bool node_heard_a_ping(void *arg)
{
    return fake_node_heard(arg, "PING") >= 1;
}

KW_TEST(probe_pings_masters_over_one_connection)
{
    struct watcher watcher;

    watcher_open(&watcher);
    uint64_t start_ms = kw_clock_ms();
    assert_true(
        loop_run_until(watcher.loop, node_heard_four_pings, watcher.node, LOOP_PATIENCE_MS));
    uint64_t allowed = (kw_clock_ms() - start_ms) / 40 + 2; /* every 60 ms, coarse clocks */
    assert_true(fake_node_heard(watcher.node, "PING") <= allowed);
    assert_int_equal(fake_node_accepted(watcher.node), 1); /* the replica is not probed */
    assert_int_equal(watcher.downs, 0);
    watcher_close(&watcher);
}

KW_TEST(probe_reports_a_silent_node_and_its_return)
{
    struct watcher watcher;

    watcher_open(&watcher);
    loop_run_for(watcher.loop, 100);
    fake_node_set_silent(watcher.node, true);
    assert_true(loop_run_until(watcher.loop, watcher_saw_down, &watcher, LOOP_PATIENCE_MS));
    assert_int_equal(kw_probe_down_count(watcher.probe), 1);
    assert_int_equal(watcher.port, fake_node_port(watcher.node));
    loop_run_for(watcher.loop, 300);
    assert_int_equal(watcher.downs, 1); /* told once */
    fake_node_set_silent(watcher.node, false);
    assert_true(loop_run_until(watcher.loop, watcher_saw_up, &watcher, LOOP_PATIENCE_MS));
    assert_int_equal(kw_probe_down_count(watcher.probe), 0);
    watcher_close(&watcher);
}

KW_TEST(probe_reports_a_node_that_refuses_within_half_a_second)
{
    struct watcher watcher;
    uint64_t took_ms = UINT64_MAX;

    for (int try = 0; try < 5 && took_ms >= 500; try++) { /* the machine may stall */
        watcher_open(&watcher);
        watcher.config->health_interval_ms = 60000; /* the closed connection is what tells */
        kw_probe_suspect(watcher.probe, &watcher.topology->nodes[0]);
        assert_true(
            loop_run_until(watcher.loop, node_heard_a_ping, watcher.node, LOOP_PATIENCE_MS));
        loop_run_for(watcher.loop, 20);
        fake_node_drop(watcher.node, false);
        uint64_t start_ms = kw_clock_ms();
        assert_true(loop_run_until(watcher.loop, watcher_saw_down, &watcher, LOOP_PATIENCE_MS));
        took_ms = kw_clock_ms() - start_ms;
        fake_node_listen_again(watcher.node);
        assert_true(loop_run_until(watcher.loop, watcher_saw_up, &watcher, LOOP_PATIENCE_MS));
        watcher_close(&watcher);
    }
    assert_true(took_ms < 500);
}

KW_TEST(probe_takes_any_answer_for_a_sign_of_life)
{
    struct watcher watcher;

    watcher_open(&watcher);
    fake_node_answers(watcher.node, "PING", "-LOADING busy\r\n");
    loop_run_for(watcher.loop, 500);
    assert_int_equal(watcher.downs, 0);
    watcher_close(&watcher);
}

KW_TEST(probe_asks_at_once_when_a_node_is_suspected_but_not_without_end)
{
    struct watcher watcher;

    watcher_open(&watcher);
    watcher.config->health_interval_ms = 60000;
    loop_run_for(watcher.loop, 100);
    uint32_t before = fake_node_heard(watcher.node, "PING");
    uint64_t start_ms = kw_clock_ms();
    for (int i = 0; i < 30; i++) {
        kw_probe_suspect(watcher.probe, &watcher.topology->nodes[0]);
        loop_run_for(watcher.loop, 5);
    }
    assert_true(fake_node_heard(watcher.node, "PING") > before);
    uint64_t allowed = (kw_clock_ms() - start_ms) / 40 + 2; /* every 50 ms, coarse clocks */
    assert_true(fake_node_heard(watcher.node, "PING") <= before + allowed);
    watcher_close(&watcher);
}

KW_TEST(probe_follows_the_topology)
{
    struct watcher watcher;
    struct fake_node *other;

    watcher_open(&watcher);
    other = fake_node_open(watcher.loop);
    fake_node_drop(watcher.node, false);
    assert_true(loop_run_until(watcher.loop, watcher_saw_down, &watcher, LOOP_PATIENCE_MS));

    struct kw_topology *next = a_topology("0-8191 A, 8192-16383 B");
    node_is_at(&next->nodes[0], fake_node_port(watcher.node));
    node_is_at(&next->nodes[1], fake_node_port(other));
    kw_probe_follow(watcher.probe, next);
    assert_true(loop_run_until(watcher.loop, node_heard_a_ping, other, LOOP_PATIENCE_MS));
    assert_int_equal(kw_probe_down_count(watcher.probe), 1); /* A is still down, told once */
    assert_int_equal(watcher.downs, 1);

    next->nodes[0].is_master = false; /* B took over: A is of no interest */
    kw_probe_follow(watcher.probe, next);
    assert_int_equal(kw_probe_down_count(watcher.probe), 0);
    loop_run_for(watcher.loop, 100);
    assert_int_equal(watcher.ups, 0);
    kw_topology_unref(&next);
    fake_node_close(&other);
    watcher_close(&watcher);
}
