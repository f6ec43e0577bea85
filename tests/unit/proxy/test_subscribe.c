/* test_subscribe.c - subscriptions of one worker: the registry, feeds cut anywhere. */
#include "tests/unit/proxy/proxy_scene.h"

#include "proxy/pubsub/channels.h"
#include "proxy/pubsub/subscribe.h"

#define SUBSCRIBE(name) "*2\r\n$9\r\nsubscribe\r\n$1\r\n" name "\r\n"
#define UNSUBSCRIBE(name) "*2\r\n$11\r\nunsubscribe\r\n$1\r\n" name "\r\n"
#define CONFIRMED(name, count) "*3\r\n$9\r\nsubscribe\r\n$1\r\n" name "\r\n:" count "\r\n"
#define ENDED(name, count) "*3\r\n$11\r\nunsubscribe\r\n$1\r\n" name "\r\n:" count "\r\n"
#define MESSAGE(name, text) "*3\r\n$7\r\nmessage\r\n$1\r\n" name "\r\n$1\r\n" text "\r\n"

static struct proxy_scene stage;

/* The feed that comes when something is first subscribed to at node 0. */
static int feed_of_node(void)
{
    return proxy_scene_node(&stage, 0); /* says PING first, as a link does */
}

KW_TEST(subscriptions_are_shared_and_leave_nothing_behind)
{
    proxy_scene_open(&stage, "", 1);
    int one = proxy_scene_client(&stage);
    int two = proxy_scene_client(&stage);
    scene_say(&stage.scene, one, "SUBSCRIBE a b\r\n");
    int feed = feed_of_node();
    scene_expect(&stage.scene, feed, SUBSCRIBE("a") SUBSCRIBE("b"));
    scene_say(&stage.scene, feed, CONFIRMED("a", "1") CONFIRMED("b", "2"));
    scene_expect(&stage.scene, one, CONFIRMED("a", "1") CONFIRMED("b", "2"));
    scene_say(&stage.scene, two, "SUBSCRIBE a\r\n");
    scene_expect(&stage.scene, two, CONFIRMED("a", "1"));
    assert_int_equal(stage.proxy->channels->by_name.count, 2);
    assert_int_equal(stage.proxy->channels->by_pair.count, 3);

    scene_say(&stage.scene, feed, MESSAGE("a", "x") MESSAGE("b", "y"));
    scene_expect(&stage.scene, one, MESSAGE("a", "x") MESSAGE("b", "y"));
    scene_expect(&stage.scene, two, MESSAGE("a", "x"));
    scene_hang_up(&stage.scene, two);
    scene_say(&stage.scene, one, "UNSUBSCRIBE\r\n");
    scene_expect(&stage.scene, one, ENDED("a", "1") ENDED("b", "0"));
    scene_expect(&stage.scene, feed, UNSUBSCRIBE("a") UNSUBSCRIBE("b"));
    scene_say(&stage.scene, feed, ENDED("a", "1") ENDED("b", "0"));
    scene_expect_nothing(&stage.scene, feed);

    assert_int_equal(stage.proxy->channels->by_name.count, 0);
    assert_int_equal(stage.proxy->channels->by_pair.count, 0);
    proxy_scene_close(&stage);
    kw_census_free(&stage.scene.hub);
}

KW_TEST(a_feed_is_read_wherever_it_is_cut)
{
    static const char stream[] = CONFIRMED("a", "1") MESSAGE("a", "x") MESSAGE("b", "n")
        MESSAGE("a", "y") "*2\r\n$4\r\npong\r\n$0\r\n\r\n" MESSAGE("a", "z");

    for (size_t cut = 1; cut < sizeof stream - 1; cut++) {
        proxy_scene_open(&stage, "", 1);
        int client = proxy_scene_client(&stage);
        scene_say(&stage.scene, client, "SUBSCRIBE a\r\n");
        int feed = feed_of_node();
        scene_expect(&stage.scene, feed, SUBSCRIBE("a"));

        scene_say_bytes(&stage.scene, feed, stream, cut);
        for (int i = 0; i < 3; i++) {
            scene_turn(&stage.scene);
        }
        scene_say_bytes(&stage.scene, feed, stream + cut, sizeof stream - 1 - cut);

        scene_expect(&stage.scene, client,
                     CONFIRMED("a", "1") MESSAGE("a", "x") MESSAGE("a", "y") MESSAGE("a", "z"));
        proxy_scene_close(&stage);
        kw_census_free(&stage.scene.hub);
    }
}

KW_TEST(bytes_that_are_no_values_end_the_feed_and_another_is_made)
{
    static const char *const nonsense[] = {"x\r\n", "*3\r\n$-5\r\n", "*1\r\n$1\r\na\r\n", ":1\r\n",
                                           CONFIRMED("q", "1")};

    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        proxy_scene_open(&stage, "", 1);
        int client = proxy_scene_client(&stage);
        scene_say(&stage.scene, client, "SUBSCRIBE a\r\n");
        int feed = feed_of_node();
        scene_expect(&stage.scene, feed, SUBSCRIBE("a"));
        scene_say(&stage.scene, feed, CONFIRMED("a", "1"));
        scene_expect(&stage.scene, client, CONFIRMED("a", "1"));

        scene_say(&stage.scene, feed, nonsense[i]);
        scene_expect_end(&stage.scene, feed);
        scene_pass(&stage.scene, 2000); /* longer than it waits before it tries again */
        int again = feed_of_node();
        scene_expect(&stage.scene, again, SUBSCRIBE("a"));
        scene_say(&stage.scene, again, CONFIRMED("a", "1") MESSAGE("a", "x"));
        scene_expect(&stage.scene, client, MESSAGE("a", "x"));
        proxy_scene_close(&stage);
        kw_census_free(&stage.scene.hub);
    }
}

KW_TEST(channels_and_patterns_that_may_bring_events_are_known)
{
    static const struct {
        const char *name;
        enum kw_channel_kind kind;
        bool is_everywhere;
    } rows[] = {
        {"__keyspace@0__:k", KW_CHANNEL_PLAIN, true},
        {"__keyevent@0__:del", KW_CHANNEL_PLAIN, true},
        {"__redis__:invalidate", KW_CHANNEL_PLAIN, false},
        {"news", KW_CHANNEL_PLAIN, false},
        {"*", KW_CHANNEL_PATTERN, true},
        {"__key*", KW_CHANNEL_PATTERN, true},
        {"__key?pace@*", KW_CHANNEL_PATTERN, true},
        {"[_]_keyevent@*", KW_CHANNEL_PATTERN, true},
        {"__keyevent@0__:*", KW_CHANNEL_PATTERN, true},
        {"__keys", KW_CHANNEL_PATTERN, false},
        {"n*", KW_CHANNEL_PATTERN, false},
        {"__keyspacf*", KW_CHANNEL_PATTERN, false},
        {"", KW_CHANNEL_PATTERN, false},
        {"__keyspace@0__:k", KW_CHANNEL_SHARD, false},
    };

    proxy_scene_open(&stage, "", 1);
    struct kw_channels *channels = kw_channels_of(stage.proxy);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kw_channel *channel =
            kw_channel_get(channels, rows[i].kind, kw_bytes_of_text(rows[i].name));
        assert_int_equal(channel->is_everywhere, rows[i].is_everywhere);
        kw_channel_put(channels, channel);
    }
    proxy_scene_close(&stage);
}
