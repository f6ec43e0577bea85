/* test_census.c - counts of clients and of keyway's own subscriptions. */
#include "tests/unit/kw_test.h"

#include "proxy/pubsub/census.h"

static struct kw_stats_hub hub;

static void expect(struct kw_census_count count, uint64_t clients, uint64_t feeds)
{
    assert_int_equal(count.clients, clients);
    assert_int_equal(count.feeds, feeds);
}

KW_TEST(census_of_nobody_is_zero)
{
    expect(kw_census_receivers(&hub, KW_CHANNEL_PLAIN, KW_BYTES("c"), "n:1"), 0, 0);
    assert_null(hub.census);
    expect(kw_census_patterns(&hub), 0, 0);
    kw_census_free(&hub);
}

KW_TEST(census_counts_receivers_with_their_patterns_and_feeds_of_the_node_only)
{
    struct kw_bytes news = KW_BYTES("news");
    struct kw_bytes pattern = KW_BYTES("n*");

    kw_census_add_clients(&hub, KW_CHANNEL_PLAIN, news, 3);
    kw_census_add_feeds(&hub, KW_CHANNEL_PLAIN, news, "a:1", 2);
    kw_census_add_clients(&hub, KW_CHANNEL_PATTERN, pattern, 2);
    kw_census_add_feeds(&hub, KW_CHANNEL_PATTERN, pattern, "b:1", 1);
    kw_census_add_clients(&hub, KW_CHANNEL_SHARD, news, 5);
    kw_census_add_feeds(&hub, KW_CHANNEL_SHARD, news, "b:1", 1);

    expect(kw_census_receivers(&hub, KW_CHANNEL_PLAIN, news, "a:1"), 5, 2);
    expect(kw_census_receivers(&hub, KW_CHANNEL_PLAIN, news, "b:1"), 5, 1);
    expect(kw_census_receivers(&hub, KW_CHANNEL_PLAIN, KW_BYTES("nothing"), "b:1"), 2, 1);
    expect(kw_census_receivers(&hub, KW_CHANNEL_PLAIN, KW_BYTES("other"), "b:1"), 0, 0);
    expect(kw_census_subscribers(&hub, KW_CHANNEL_PLAIN, news), 3, 2);
    expect(kw_census_patterns(&hub), 1, 1);
    assert_int_equal(kw_census_names_count(&hub, KW_CHANNEL_PLAIN), 1);
    kw_census_add_clients(&hub, KW_CHANNEL_PLAIN, news, -3);
    assert_int_equal(kw_census_names_count(&hub, KW_CHANNEL_PLAIN), 0);
    kw_census_free(&hub);
}

KW_TEST(census_counts_clients_only_while_some_node_sends_their_messages)
{
    struct kw_bytes shard = KW_BYTES("s");

    kw_census_add_clients(&hub, KW_CHANNEL_SHARD, shard, 2);
    expect(kw_census_receivers(&hub, KW_CHANNEL_SHARD, shard, "a:1"), 0, 0);
    kw_census_add_feeds(&hub, KW_CHANNEL_SHARD, shard, "a:1", 1);
    expect(kw_census_receivers(&hub, KW_CHANNEL_SHARD, shard, "a:1"), 2, 1);
    expect(kw_census_receivers(&hub, KW_CHANNEL_SHARD, shard, "b:1"), 0, 0);
    kw_census_add_feeds(&hub, KW_CHANNEL_SHARD, shard, "a:1", -1);
    kw_census_add_clients(&hub, KW_CHANNEL_SHARD, shard, -2);
    expect(kw_census_subscribers(&hub, KW_CHANNEL_SHARD, shard), 0, 0);
    kw_census_free(&hub);
}
