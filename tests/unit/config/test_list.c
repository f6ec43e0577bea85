/* test_list.c - the options that take several words. */
#include "tests/unit/config/loading.h"

#include <stdio.h>

static void text_repeat(char *text, size_t size, const char *start, const char *word, size_t count)
{
    size_t len = (size_t)snprintf(text, size, "%s", start);

    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, size - len, " %s", word);
    }
}

KW_TEST(addresses_replace_the_earlier_ones)
{
    struct kw_config *config = loaded("bind 10.0.0.1\nbind * -::* -::1 host.example");

    assert_int_equal(config->bind_count, 4);
    assert_string_equal(config->bind[0], "*");
    assert_string_equal(config->bind[1], "-::*");
    assert_string_equal(config->bind[2], "-::1");
    assert_string_equal(config->bind[3], "host.example");
    kw_config_unref(&config);
}

KW_TEST(addresses_that_are_none_are_refused)
{
    assert_refused("bind \"\"", "wrong number of arguments: 0 given");
    assert_refused("bind -", "'-' is not an address");
    assert_refused("bind 1.2.3.4/24", "'1.2.3.4/24' is not an address");
    assert_refused("bind ::1::2", "'::1::2' is not an address");
    assert_refused("bind fe80::1%", "'fe80::1%' is not an address");
    struct kw_config *config = loaded("bind fe80::1%eth0");
    kw_config_unref(&config);
}

KW_TEST(addresses_are_at_most_sixteen)
{
    char text[1024];

    text_repeat(text, sizeof text, "bind", "127.0.0.1", 16);
    struct kw_config *config = loaded(text);
    assert_int_equal(config->bind_count, 16);
    kw_config_unref(&config);

    text_repeat(text, sizeof text, "bind", "127.0.0.1", 17);
    assert_refused(text, "wrong number of arguments: 17 given, expected: 1 to 16 times ADDRESS");
}

KW_TEST(seeds_are_names_and_addresses_with_ports)
{
    struct kw_config *config = loaded("cluster-seeds a.example:7000 10.0.0.1:1 [::1]:65535");
    struct shown shown;

    assert_int_equal(config->cluster_seeds_count, 3);
    assert_string_equal(config->cluster_seeds[0].host, "a.example");
    assert_int_equal(config->cluster_seeds[0].port, 7000);
    assert_string_equal(config->cluster_seeds[1].host, "10.0.0.1");
    assert_int_equal(config->cluster_seeds[1].port, 1);
    assert_string_equal(config->cluster_seeds[2].host, "::1");
    assert_int_equal(config->cluster_seeds[2].port, 65535);
    assert_string_equal(show(config, "cluster-seeds", &shown),
                        "a.example:7000 10.0.0.1:1 [::1]:65535");
    kw_config_unref(&config);
}

KW_TEST(seeds_that_are_none_are_refused)
{
    static const char *const bad[][2] = {
        {"a", "'a' has no port;"},
        {"a:", "has no port from 1 to 65535;"},
        {"a:0", "has no port from 1 to 65535;"},
        {"a:65536", "has no port from 1 to 65535;"},
        {"a:7000x", "has no port from 1 to 65535;"},
        {"a:-1", "has no port from 1 to 65535;"},
        {":7000", "has no host;"},
        {"[]:7000", "has no host;"},
        {"::1:7000", "needs brackets around its IPv6 address;"},
        {"[::g]:7000", "is not an IPv6 address;"},
        {"[a.example]:7000", "is not an IPv6 address;"},
        {"a/b:7000", "has a byte that no host name has;"},
        {"a,b:1,c:2", "needs brackets around its IPv6 address;"},
        {"redis://a:7000", "needs brackets"},
        {"\"a\\x01b:7000\"", "has a byte that no host name has;"},
    };
    char text[128];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, "cluster-seeds good:1 %s good:2", bad[i][0]);
        assert_refused(text, bad[i][1]);
        assert_refused(text, "allowed: host:port, 1.2.3.4:port or [IPv6]:port");
    }
}

KW_TEST(a_seed_has_a_name_of_at_most_253_bytes)
{
    char text[512];
    char host[256];

    memset(host, 'h', sizeof host);
    host[253] = '\0';
    (void)snprintf(text, sizeof text, "cluster-seeds %s:1", host);
    struct kw_config *config = loaded(text);
    assert_string_equal(config->cluster_seeds[0].host, host);
    kw_config_unref(&config);

    (void)snprintf(text, sizeof text, "cluster-seeds h%s:1", host);
    assert_refused(text, "has a host longer than 253 bytes");
}

KW_TEST(seeds_add_up_to_at_most_256)
{
    static char text[8 * 1024];

    text_repeat(text, sizeof text, "cluster-seeds a:1\ncluster-seeds", "b:2", 255);
    struct kw_config *config = loaded(text);
    assert_int_equal(config->cluster_seeds_count, 256);
    assert_string_equal(config->cluster_seeds[0].host, "a");
    kw_config_unref(&config);

    text_repeat(text, sizeof text, "cluster-seeds a:1\ncluster-seeds", "b:2", 256);
    assert_refused(text, "more than 256 seeds");
}

KW_TEST(output_limits_are_set_class_by_class)
{
    struct kw_config *config = loaded("client-output-buffer-limit normal 10mb 1mb 5\n"
                                      "client-output-buffer-limit pubsub 0 0 0\n");
    struct shown shown;

    assert_int_equal(config->output_normal.hard_bytes, 10 << 20);
    assert_int_equal(config->output_normal.soft_bytes, 1 << 20);
    assert_int_equal(config->output_normal.soft_s, 5);
    assert_int_equal(config->output_pubsub.hard_bytes, 0);
    assert_string_equal(show(config, "client-output-buffer-limit", &shown),
                        "normal 10485760 1048576 5 pubsub 0 0 0");
    kw_config_unref(&config);
}

KW_TEST(output_limits_of_replicas_are_ignored_with_a_note)
{
    struct kw_config *config = loaded("client-output-buffer-limit replica 1mb 1mb 1\n"
                                      "client-output-buffer-limit \"slave 1mb 1mb 1\"\n");

    assert_int_equal(config->output_normal.hard_bytes, 256 << 20);
    assert_int_equal(config->output_pubsub.hard_bytes, 32 << 20);
    assert_int_equal(config->notes_count, 1);
    assert_true(has_note(config, "client-output-buffer-limit replica"));
    kw_config_unref(&config);
}

KW_TEST(output_limits_that_are_none_are_refused)
{
    assert_refused("client-output-buffer-limit normal 1 1", "wrong number of arguments: 3 given");
    assert_refused("client-output-buffer-limit other 1 1 1", "'other' is not a class; allowed: ");
    assert_refused("client-output-buffer-limit normal x 1 1", "hard limit is not a size");
    assert_refused("client-output-buffer-limit normal 1025gb 1 1", "hard limit is not a size");
    assert_refused("client-output-buffer-limit normal 1 x 1", "soft limit is not a size");
    assert_refused("client-output-buffer-limit normal 1 1 x", "seconds are not a number");
    assert_refused("client-output-buffer-limit normal 1 1 -1", "seconds are not a number");
    assert_refused("client-output-buffer-limit normal 1 1 2147483648", "seconds are not a number");
}

KW_TEST(lists_may_come_in_one_argument)
{
    struct kw_config *config = loaded("bind \"127.0.0.1 -::1\"\ncluster-seeds \"a:1 b:2\" c:3");

    assert_int_equal(config->bind_count, 2);
    assert_int_equal(config->cluster_seeds_count, 3);
    kw_config_unref(&config);
}
