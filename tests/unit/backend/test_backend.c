/* test_backend.c - the slot map, nodes that come and go, and the order of a tick's end. */
#include "tests/unit/backend/scene.h"

static struct scene scene;

static void apply(unsigned first, unsigned count)
{
    struct kw_topology *topology = scene_topology(&scene, first, count);

    kw_backend_apply(scene.backend, topology);
    kw_topology_unref(&topology);
}

static unsigned nodes_alive(void)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < scene.backend->nodes_count; i++) {
        count += scene.backend->nodes[i] != NULL ? 1 : 0;
    }
    return count;
}

KW_TEST(backend_without_a_topology_knows_no_owner)
{
    scene_open(&scene, "", 0);

    assert_false(scene.backend->has_topology);
    assert_null(kw_backend_node_of_slot(scene.backend, 0));
    assert_null(kw_backend_node_of_slot(scene.backend, KW_SLOTS_COUNT - 1));
    scene_close(&scene);
}

KW_TEST(backend_applies_a_topology_slot_by_slot)
{
    scene_open(&scene, "", 2);

    assert_true(scene.backend->has_topology);
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 0), scene_node(&scene, 0));
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 8191), scene_node(&scene, 0));
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 8192), scene_node(&scene, 1));
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 16383), scene_node(&scene, 1));
    scene_close(&scene);
}

KW_TEST(backend_keeps_nodes_and_links_over_a_new_topology)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 2);
    struct kw_node *node = scene_node(&scene, 0);
    heard_send(&call, scene_ready_link(&scene, 0, &fd), GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    apply(0, 2);
    scene_say(&scene, fd, "+OK\r\n");

    assert_ptr_equal(scene_node(&scene, 0), node);
    assert_heard(&call, "+OK\r\n");
    assert_int_equal(nodes_alive(), 2);
    scene_close(&scene);
}

KW_TEST(backend_a_node_that_moved_to_another_address_gets_new_links)
{
    struct heard call;
    int fd = -1;

    /* given a node, known by its id, with a call in flight */
    scene_open(&scene, "node-timeout-ms 10000", 2);
    struct kw_node *node = scene_node(&scene, 0);
    heard_send(&call, scene_ready_link(&scene, 0, &fd), GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);

    /* when the topology says that it listens elsewhere now */
    struct kw_topology *topology = scene_topology(&scene, 0, 1);
    topology->nodes[0].port = scene.nodes[1].port;
    topology->nodes[0].address = scene_node(&scene, 1)->address;
    kw_backend_apply(scene.backend, topology);
    kw_topology_unref(&topology);

    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 0), node);
    assert_int_equal(node->port, scene.nodes[1].port);
    assert_unheard(&call, KW_E_CLOSED, true);
    scene_expect_end(&scene, fd);
    scene_close(&scene);
}

KW_TEST(backend_a_patched_slot_has_a_new_owner_at_once_and_asks_for_the_topology)
{
    scene_open(&scene, "", 2);
    unsigned wishes = scene.wishes;

    kw_backend_patch_slot(scene.backend, 42, scene_node(&scene, 1));

    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 42), scene_node(&scene, 1));
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 41), scene_node(&scene, 0));
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 43), scene_node(&scene, 0));
    assert_int_equal(scene.wishes, wishes + 1);
    apply(0, 2); /* which has the last word */
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 42), scene_node(&scene, 0));
    scene_close(&scene);
}

KW_TEST(backend_neighbours_of_one_block_of_slots_may_have_different_owners)
{
    scene_open(&scene, "", 2);

    for (uint16_t slot = 1; slot < 3 * KW_SLOTS_BLOCK; slot += 2) {
        kw_backend_patch_slot(scene.backend, slot, scene_node(&scene, 1));
    }

    for (uint16_t slot = 0; slot < 4 * KW_SLOTS_BLOCK; slot++) {
        unsigned owner = slot < 3 * KW_SLOTS_BLOCK ? slot % 2 : 0;
        assert_ptr_equal(kw_backend_node_of_slot(scene.backend, slot), scene_node(&scene, owner));
    }
    apply(0, 2);
    for (uint16_t slot = 0; slot < 4 * KW_SLOTS_BLOCK; slot++) {
        assert_ptr_equal(kw_backend_node_of_slot(scene.backend, slot), scene_node(&scene, 0));
    }
    scene_close(&scene);
}

KW_TEST(backend_finds_the_node_that_a_moved_names)
{
    scene_open(&scene, "", 2);
    struct kw_node *first = scene_node(&scene, 0);
    struct kw_node *second = scene_node(&scene, 1);

    assert_ptr_equal(kw_backend_node_at(scene.backend, KW_BYTES("127.0.0.1"), second->port, first),
                     second);
    assert_ptr_equal(kw_backend_node_at(scene.backend, KW_BYTES(""), second->port, first), second);
    assert_ptr_equal(kw_backend_node_at(scene.backend, KW_BYTES("?"), first->port, second), first);
    assert_int_equal(nodes_alive(), 2);
    scene_close(&scene);
}

KW_TEST(backend_makes_a_node_for_an_address_that_it_does_not_know)
{
    scene_open(&scene, "", 1);
    struct kw_node *asked = scene_node(&scene, 0);

    struct kw_node *stranger =
        kw_backend_node_at(scene.backend, KW_BYTES("127.0.0.2"), 7777, asked);
    assert_non_null(stranger);
    assert_ptr_not_equal(stranger, asked);
    assert_false(stranger->is_known);
    assert_string_equal(stranger->name, "127.0.0.2:7777");
    assert_ptr_equal(kw_backend_node_at(scene.backend, KW_BYTES("127.0.0.2"), 7777, asked),
                     stranger);
    assert_int_equal(nodes_alive(), 2);
    scene_close(&scene);
}

KW_TEST(backend_a_host_longer_than_any_is_nowhere)
{
    char host[KW_HOST_MAX + 1];

    scene_open(&scene, "", 1);
    memset(host, 'h', sizeof host);

    assert_null(kw_backend_node_at(scene.backend, kw_bytes_of(host, KW_HOST_MAX), 7000,
                                   scene_node(&scene, 0)));
    assert_int_equal(nodes_alive(), 1);
    scene_close(&scene);
}

KW_TEST(backend_ten_thousand_strangers_are_not_more_nodes_than_the_limit)
{
    scene_open(&scene, "", 1);
    struct kw_node *asked = scene_node(&scene, 0);
    unsigned refused = 0;

    for (unsigned i = 0; i < KW_NODES_MAX + 10; i++) {
        struct kw_node *node =
            kw_backend_node_at(scene.backend, KW_BYTES("127.0.0.9"), (uint16_t)(10000 + i), asked);
        refused += node == NULL ? 1 : 0;
    }
    assert_int_equal(nodes_alive(), KW_NODES_MAX);
    assert_int_equal(refused, 11);
    scene_close(&scene);
}

/* Let the backend's own timer run once, whatever the time. */
static void run_timer(void)
{
    scene.backend->is_watching = false;
    kw_backend_watch(scene.backend);
    scene.backend->is_watching = false;
    while (!scene.backend->is_watching && nodes_alive() > 1) {
        scene_turn(&scene);
    }
}

KW_TEST(backend_forgets_a_node_that_left_when_it_owes_nothing)
{
    struct heard call;
    int fd = -1;

    /* given a node that is no longer in the topology, with a call in flight */
    scene_open(&scene, "node-timeout-ms 30000", 2);
    struct kw_node *gone = scene_node(&scene, 1);
    heard_send(&call, scene_ready_link(&scene, 1, &fd), GET_WIRE);
    scene_expect(&scene, fd, GET_WIRE);
    apply(0, 1);
    assert_false(gone->is_known);
    assert_ptr_equal(kw_backend_node_of_slot(scene.backend, 16383), scene_node(&scene, 0));

    /* when its time is over it stays, for the call's sake */
    gone->unknown_since_ms -= 20000;
    run_timer();
    assert_int_equal(nodes_alive(), 2);
    scene_say(&scene, fd, "+OK\r\n");
    assert_heard(&call, "+OK\r\n");

    /* and then goes, its link with it */
    run_timer();
    assert_int_equal(nodes_alive(), 1);
    assert_null(scene_node(&scene, 1));
    scene_expect_end(&scene, fd);
    scene_close(&scene);
}

KW_TEST(backend_keeps_a_node_that_left_for_a_while)
{
    scene_open(&scene, "node-timeout-ms 30000", 2);
    apply(0, 1);
    run_timer();

    assert_int_equal(nodes_alive(), 2); /* a MOVED may run ahead of the topology */
    scene_close(&scene);
}

KW_TEST(backend_a_place_of_a_forgotten_node_is_used_again)
{
    scene_open(&scene, "node-timeout-ms 30000", 3);
    apply(0, 1);
    scene_node(&scene, 1)->unknown_since_ms -= 20000;
    scene_node(&scene, 2)->unknown_since_ms -= 20000;
    run_timer();
    assert_int_equal(nodes_alive(), 1);
    uint32_t places = scene.backend->nodes_count;
    apply(0, 3);

    assert_int_equal(nodes_alive(), 3);
    assert_int_equal(scene.backend->nodes_count, places);
    scene_close(&scene);
}

KW_TEST(backend_a_link_that_fails_is_closed_before_anything_is_written)
{
    struct heard call;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&call, link, GET_WIRE);
    kw_link_fail(link, KW_E_PROTOCOL);
    kw_link_fail(link, KW_E_RESET); /* the first reason counts */
    scene_turn(&scene);

    assert_unheard(&call, KW_E_PROTOCOL, false); /* so it was really not sent */
    scene_expect_end(&scene, fd);
    scene_close(&scene);
}

KW_TEST(backend_that_ends_fails_what_is_in_flight)
{
    struct heard sent;
    struct heard unsent;
    int fd = -1;

    scene_open(&scene, "node-timeout-ms 10000", 1);
    struct kw_link *link = scene_ready_link(&scene, 0, &fd);
    heard_send(&sent, link, GET_WIRE);
    scene_turn(&scene);
    heard_send(&unsent, link, GET_WIRE);
    scene_close(&scene);

    assert_unheard(&sent, KW_E_CLOSED, true);
    assert_unheard(&unsent, KW_E_CLOSED, false);
}

KW_TEST(backend_jitter_is_never_the_same_for_long)
{
    scene_open(&scene, "", 0);
    uint32_t last = kw_backend_random(scene.backend);
    unsigned same = 0;

    for (int i = 0; i < 1000; i++) {
        uint32_t next = kw_backend_random(scene.backend);
        same += next == last ? 1 : 0;
        last = next;
    }
    assert_true(same < 2);
    scene_close(&scene);
}
