/* test_keyspace.c - what nodes say of their keys, and its sum. */
#include "stats/keyspace.h"
#include "tests/unit/kw_test.h"

static struct kw_keyspace_counts parsed(const char *text)
{
    struct kw_keyspace_counts counts;

    kw_keyspace_parse(kw_bytes_of_text(text), &counts);
    return counts;
}

KW_TEST(keyspace_reads_what_servers_say)
{
    struct kw_keyspace_counts counts = parsed("# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=4000\r\n"
                                              "db63:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n");

    assert_int_equal(counts.dbs[0].keys, 12);
    assert_int_equal(counts.dbs[0].expires, 3);
    assert_int_equal(counts.dbs[0].ttl_sum_ms, 12000);
    assert_int_equal(counts.dbs[63].keys, 1);
    assert_int_equal(counts.dbs[1].keys, 0);
}

KW_TEST(keyspace_passes_over_all_else)
{
    static const char *const lines[] = {
        "",
        "\r\n\r\n",
        "db",
        "db:",
        "dbx:keys=1",
        "db64:keys=1",
        "db-1:keys=1",
        "db0",
        "db0:",
        "db0:keys=",
        "db0:keys=-1",
        "db0:keys=x",
        "b0:keys=1\r",
        "db0 keys=1",
        "db99999999999999999999:keys=1",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct kw_keyspace_counts counts = parsed(lines[i]);
        for (int db = 0; db < KW_KEYSPACE_DBS_MAX; db++) {
            assert_int_equal(counts.dbs[db].keys, 0);
        }
    }
}

KW_TEST(keyspace_adds_up_nodes_and_forgets_what_they_said_before)
{
    static struct kw_keyspace keyspace;
    struct kw_keyspace_counts total = {0};
    struct kw_keyspace_counts first = parsed("db0:keys=10,expires=1,avg_ttl=1000");
    struct kw_keyspace_counts second = parsed("db0:keys=5,expires=3,avg_ttl=5000\ndb3:keys=7");
    struct kw_keyspace_counts later = parsed("db0:keys=20,expires=1,avg_ttl=9000");

    kw_keyspace_replace(&total, NULL, &first);
    kw_keyspace_replace(&total, NULL, &second);
    kw_keyspace_publish(&keyspace, &total);
    assert_int_equal(keyspace.dbs[0].keys, 15);
    assert_int_equal(keyspace.dbs[0].expires, 4);
    assert_int_equal(keyspace.dbs[0].avg_ttl_ms, 4000); /* each key with a deadline counts alike */
    assert_int_equal(keyspace.dbs[3].keys, 7);

    kw_keyspace_replace(&total, &second, NULL); /* the second one is gone */
    kw_keyspace_replace(&total, &first, &later);
    kw_keyspace_publish(&keyspace, &total);
    assert_int_equal(keyspace.dbs[0].keys, 20);
    assert_int_equal(keyspace.dbs[0].avg_ttl_ms, 9000);
    assert_int_equal(keyspace.dbs[3].keys, 0);
}
