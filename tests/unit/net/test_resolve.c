#include "tests/unit/kw_test.h"

#include "net/resolve.h"
#include "tests/unit/cluster/fake_node.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A name server on loopback that knows one name, and the resolver that asks it. */
struct world {
    struct kw_loop *loop;
    struct kw_resolver *resolver;
    struct evdns_server_port *server;
    char resolv_conf[64];
    bool is_silent;
    int questions;

    /* the last answer */
    int done;
    enum kw_status status;
    uint32_t count;
    char first[KW_ADDRESS_TEXT_MAX];
};

static void server_on_request(struct evdns_server_request *request, void *arg)
{
    struct world *world = arg;
    int error = DNS_ERR_NOTEXIST;

    world->questions++;
    if (world->is_silent) {
        evdns_server_request_drop(request);
        return;
    }
    for (int i = 0; i < request->nquestions; i++) {
        const struct evdns_server_question *question = request->questions[i];
        if (strcasecmp(question->name, "known.test") == 0) {
            const unsigned char addresses[8] = {127, 0, 0, 7, 127, 0, 0, 8};
            error = DNS_ERR_NONE;
            if (question->type == EVDNS_TYPE_A) {
                evdns_server_request_add_a_reply(request, question->name, 2, addresses, 1);
            }
        }
    }
    evdns_server_request_respond(request, error);
}

static void world_open(struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    memset(world, 0, sizeof *world);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(world->resolv_conf, sizeof world->resolv_conf, "/tmp/keyway-resolv-XXXXXX");
    int file = mkstemp(world->resolv_conf);
    dprintf(file, "nameserver 127.0.0.1:%u\n", ntohs(address.sin_port));
    close(file);
    world->loop = kw_loop_new();
    world->resolver = kw_resolver_new(world->loop, world->resolv_conf);
    world->server =
        evdns_add_server_port_with_base(kw_loop_base(world->loop), fd, 0, server_on_request, world);
}

static void world_close(struct world *world)
{
    kw_resolver_free(&world->resolver);
    loop_run_for(world->loop, 20);
    evdns_close_server_port(world->server);
    unlink(world->resolv_conf);
    kw_loop_free(&world->loop);
}

static void world_on_done(void *arg, enum kw_status status, const struct kw_address *addresses,
                          uint32_t count)
{
    struct world *world = arg;

    world->done++;
    world->status = status;
    world->count = count;
    world->first[0] = '\0';
    if (count > 0) {
        kw_address_print(&addresses[0], world->first);
    }
}

static bool world_is_done(void *arg)
{
    return ((struct world *)arg)->done > 0;
}

/* Look NAME up and wait for the answer. Returns whether it came at once. */
static bool looked_up(struct world *world, const char *name, uint16_t port)
{
    world->done = 0;
    struct kw_lookup *lookup =
        kw_resolver_lookup(world->resolver, name, port, world_on_done, world);
    if (lookup == NULL) {
        assert_int_equal(world->done, 1);
        return true;
    }
    assert_int_equal(world->done, 0);
    assert_true(loop_run_until(world->loop, world_is_done, world, KW_RESOLVE_DEADLINE_MS + 1000));
    loop_run_for(world->loop, 5);
    assert_int_equal(world->done, 1);
    return false;
}

KW_TEST(resolver_answers_numbers_and_localhost_at_once)
{
    struct world world;

    world_open(&world);
    assert_true(looked_up(&world, "10.0.0.1", 7000));
    assert_string_equal(world.first, "10.0.0.1:7000");
    assert_true(looked_up(&world, "::1", 7000));
    assert_string_equal(world.first, "[::1]:7000");
    assert_true(looked_up(&world, "LocalHost", 7001));
    assert_string_equal(world.first, "127.0.0.1:7001");
    assert_int_equal(world.count, 2);
    assert_true(looked_up(&world, "", 7001));
    assert_int_equal(world.status, KW_E_NOT_FOUND);
    assert_int_equal(world.questions, 0);
    world_close(&world);
}

KW_TEST(resolver_asks_a_name_server_once_and_remembers)
{
    struct world world;

    world_open(&world);
    assert_false(looked_up(&world, "known.test", 7000));
    assert_int_equal(world.status, KW_OK);
    assert_int_equal(world.count, 2);
    assert_string_equal(world.first, "127.0.0.7:7000");
    int questions = world.questions;
    assert_true(looked_up(&world, "KNOWN.test", 7001)); /* also for another port */
    assert_string_equal(world.first, "127.0.0.7:7001");
    assert_int_equal(world.questions, questions);
    world_close(&world);
}

KW_TEST(resolver_remembers_for_a_while_that_there_is_no_such_name)
{
    struct world world;

    world_open(&world);
    assert_false(looked_up(&world, "unknown.test", 1));
    assert_int_equal(world.status, KW_E_NOT_FOUND);
    assert_int_equal(world.count, 0);
    assert_true(looked_up(&world, "unknown.test", 1));
    assert_int_equal(world.status, KW_E_NOT_FOUND);
    world_close(&world);
}

KW_TEST(resolver_gives_up_on_a_silent_name_server)
{
    struct world world;

    world_open(&world);
    world.is_silent = true;
    assert_false(looked_up(&world, "known.test", 1));
    assert_true(world.status == KW_E_TIMEOUT || world.status == KW_E_UNREACHABLE);
    assert_int_equal(world.count, 0);
    world_close(&world);
}

KW_TEST(resolver_lookups_can_be_cancelled_at_any_time)
{
    struct world world;

    world_open(&world);
    struct kw_lookup *lookup =
        kw_resolver_lookup(world.resolver, "known.test", 1, world_on_done, &world);
    kw_lookup_cancel(&lookup);
    loop_run_for(world.loop, 30);
    world.is_silent = true;
    lookup = kw_resolver_lookup(world.resolver, "known.test", 1, world_on_done, &world);
    loop_run_for(world.loop, 5);
    kw_lookup_cancel(&lookup);
    kw_resolver_lookup(world.resolver, "other.test", 1, world_on_done, &world);
    kw_resolver_free(&world.resolver); /* cancels */
    loop_run_for(world.loop, 30);
    assert_int_equal(world.done, 0);
    world_close(&world);
}
