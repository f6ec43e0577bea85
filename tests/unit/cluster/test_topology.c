#include "tests/unit/kw_test.h"

#include "cluster/topology.h"
#include "tests/unit/cluster/topologies.h"

KW_TEST(topology_knows_who_owns_a_slot)
{
    struct kw_topology *topology = a_topology("0-8191 A, a, 8192-16382 B");

    assert_string_equal(kw_topology_node_of_slot(topology, 8191)->id, topology->nodes[0].id);
    assert_int_equal(kw_topology_node_of_slot(topology, 8192)->port, 7002);
    assert_null(kw_topology_node_of_slot(topology, 16383));
    assert_int_equal(topology->slots_covered, 16383);
    assert_int_equal(topology->shards_count, 2);
    assert_int_equal(topology->nodes[1].shard, 0);
    assert_true(kw_topology_is_ailing(topology));
    kw_topology_unref(&topology);
    assert_null(topology);
}

KW_TEST(topology_counts_covered_slots_when_owners_change)
{
    struct kw_topology *topology = a_topology("0-16383 A, B");

    kw_topology_assign(topology, 10, 19, 1);
    assert_int_equal(topology->slots_covered, KW_SLOTS_COUNT);
    kw_topology_assign(topology, 15, 24, KW_NODE_NONE);
    assert_int_equal(topology->slots_covered, KW_SLOTS_COUNT - 10);
    kw_topology_unref(&topology);
}

KW_TEST(topologies_are_equal_whatever_the_order_of_their_nodes)
{
    struct kw_topology *one = a_topology("0-100 A, 101-16383 B");
    struct kw_topology *other = a_topology("101-16383 B, 0-100 A");
    struct kw_topology *moved = a_topology("0-101 A, 102-16383 B");
    struct kw_topology *failing = a_topology("0-100 A!, 101-16383 B");

    assert_true(kw_topology_equal(one, other));
    assert_true(kw_topology_equal(one, one));
    assert_false(kw_topology_equal(one, moved));
    assert_false(kw_topology_equal(one, failing));
    assert_true(kw_topology_is_ailing(failing));
    assert_false(kw_topology_is_ailing(moved));
    other->nodes[0].address.len = 0;
    assert_false(kw_topology_equal(one, other));
    kw_topology_unref(&one);
    kw_topology_unref(&other);
    kw_topology_unref(&moved);
    kw_topology_unref(&failing);
}

KW_TEST(topologies_differ_when_a_replica_follows_another_master)
{
    struct kw_topology *one = a_topology("0-100 A, a, 101-16383 B");
    struct kw_topology *other = a_topology("101-16383 B, 0-100 A, a");
    struct kw_topology *moved = a_topology("0-100 A, 101-16383 B, a");

    assert_true(kw_topology_equal(one, other));
    assert_false(kw_topology_equal(one, moved));
    assert_false(kw_topology_equal(moved, one));
    kw_topology_unref(&one);
    kw_topology_unref(&other);
    kw_topology_unref(&moved);
}

KW_TEST(topology_lives_until_its_last_reference)
{
    struct kw_topology *mine = a_topology("0-16383 A");
    struct kw_topology *yours = kw_topology_ref(mine);

    kw_topology_unref(&mine);
    assert_int_equal(yours->nodes_count, 1);
    kw_topology_unref(&yours);
    kw_topology_unref(&yours); /* NULL is allowed */
}

KW_TEST(topology_finds_nodes_as_moved_names_them)
{
    struct kw_topology *topology = a_topology("0-100 A, 101-16383 B");

    memcpy(topology->nodes[1].host, "Node-B.example", sizeof "Node-B.example");
    assert_ptr_equal(kw_topology_find(topology, KW_BYTES("node-b.example"), 7002),
                     &topology->nodes[1]);
    assert_ptr_equal(kw_topology_find(topology, KW_BYTES("127.0.0.1"), 7002), &topology->nodes[1]);
    assert_ptr_equal(kw_topology_find(topology, KW_BYTES("127.0.0.1"), 7001), &topology->nodes[0]);
    assert_null(kw_topology_find(topology, KW_BYTES("127.0.0.1"), 7003));
    assert_null(kw_topology_find(topology, KW_BYTES(""), 7001));
    assert_null(kw_topology_find_id(topology, ""));
    assert_ptr_equal(kw_topology_find_id(topology, topology->nodes[1].id), &topology->nodes[1]);
    kw_topology_unref(&topology);
}
