/* test_config.c - the snapshot: its defaults and its references. */
#include "tests/unit/config/loading.h"

KW_TEST(a_new_config_has_the_documented_defaults)
{
    struct kw_config *config = kw_config_new_default();

    assert_int_equal(config->port, 6379);
    assert_int_equal(config->bind_count, 2);
    assert_string_equal(config->bind[0], "127.0.0.1");
    assert_string_equal(config->bind[1], "-::1");
    assert_string_equal(config->unixsocket, "");
    assert_int_equal(config->unixsocketperm, 0);
    assert_int_equal(config->tcp_backlog, 511);
    assert_int_equal(config->timeout_s, 0);
    assert_int_equal(config->tcp_keepalive_s, 300);
    assert_int_equal(config->maxclients, 10000);
    assert_int_equal(config->maxmemory_bytes, 0);
    assert_int_equal(config->proto_max_bulk_len_bytes, 512 << 20);
    assert_int_equal(config->client_query_buffer_limit_bytes, 1 << 30);
    assert_int_equal(config->output_normal.hard_bytes, 256 << 20);
    assert_int_equal(config->output_normal.soft_bytes, 64 << 20);
    assert_int_equal(config->output_normal.soft_s, 60);
    assert_int_equal(config->output_pubsub.hard_bytes, 32 << 20);
    assert_int_equal(config->cluster_seeds_count, 0);
    assert_null(config->cluster_seeds);
    assert_string_equal(config->cluster_auth_user, "");
    assert_string_equal(config->cluster_auth_pass, "");
    assert_int_equal(config->node_timeout_ms, 500);
    assert_int_equal(config->node_failure_limit, 3);
    assert_int_equal(config->health_interval_ms, 5000);
    assert_int_equal(config->topology_refresh_ms, 10000);
    assert_int_equal(config->request_retry_ms, 2000);
    assert_int_equal(config->batch_delay_us, 0);
    assert_int_equal(config->links_per_node, 1);
    assert_int_equal(config->threads, 0);
    assert_false(config->near_cache);
    assert_false(config->daemonize);
    assert_int_equal(config->loglevel, KW_LOG_NOTICE);
    assert_string_equal(config->config_file, "");
    assert_int_equal(config->notes_count, 0);

    kw_config_unref(&config);
    assert_null(config);
}

KW_TEST(a_config_lives_as_long_as_its_last_reference)
{
    struct kw_config *first = kw_config_new_default();
    struct kw_config *second = kw_config_ref(first);

    kw_config_unref(&first);

    assert_null(first);
    assert_int_equal(second->port, 6379);
    kw_config_unref(&second);
    assert_null(second);
}

KW_TEST(unref_of_no_config_does_nothing)
{
    struct kw_config *none = NULL;

    kw_config_unref(&none);

    assert_null(none);
}
