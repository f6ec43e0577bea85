/* test_lease.c - a link for one user alone: taken, waited for, given back, lost. */
#include "backend/lease.h"
#include "tests/unit/backend/scene.h"

static struct scene scene;

#define ID_WIRE "*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n"
#define BLPOP_WIRE "*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n"

/* A lease that writes down what becomes of it. */
struct holder {
    struct kw_lease lease; /* first */
    unsigned ready_count;
    unsigned lost_count;
    enum kw_status status;
};

static void holder_on_ready(struct kw_lease *lease, struct kw_node *node, enum kw_status status)
{
    struct holder *holder = (struct holder *)lease;

    assert_non_null(node);
    assert_true((lease->link != NULL) == (status == KW_OK));
    holder->ready_count++;
    holder->status = status;
}

static void holder_on_lost(struct kw_lease *lease)
{
    assert_null(lease->link);
    ((struct holder *)lease)->lost_count++;
}

static const struct kw_lease_user holder_user = {holder_on_ready, holder_on_lost};

static void holder_init(struct holder *holder)
{
    *holder = (struct holder){.status = KW_AGAIN};
    kw_lease_init(&holder->lease, &holder_user);
}

/* HOLDER has a READY link to node 0 then. Returns the node's side of it. */
static int take_ready(struct holder *holder)
{
    holder_init(holder);
    assert_int_equal(kw_lease_take(&holder->lease, scene_node(&scene, 0), 2, 0), KW_OK);
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PONG\r\n");
    scene_expect(&scene, fd, ID_WIRE);
    scene_say(&scene, fd, ":77\r\n");
    return fd;
}

KW_TEST(lease_has_a_link_of_its_own_whose_id_is_known)
{
    struct holder first;
    struct holder second;

    scene_open(&scene, "", 1);
    take_ready(&first);
    take_ready(&second);

    assert_ptr_not_equal(first.lease.link, second.lease.link);
    assert_ptr_not_equal(first.lease.link, scene_link(&scene, 0, 2, 0));
    assert_int_equal(first.lease.link->id_at_node, 77);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_links_leased), 2);
    kw_lease_close(&first.lease);
    kw_lease_close(&second.lease);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_links_leased), 0);
    scene_close(&scene);
}

KW_TEST(lease_given_back_serves_the_next_who_wants_the_same_kind)
{
    struct holder first;
    struct holder second;

    scene_open(&scene, "", 1);
    take_ready(&first);
    struct kw_link *link = first.lease.link;
    kw_lease_give_back(&first.lease);
    assert_null(first.lease.link);
    holder_init(&second);
    assert_int_equal(kw_lease_take(&second.lease, scene_node(&scene, 0), 2, 0), KW_OK);
    assert_ptr_equal(second.lease.link, link);
    holder_init(&first);
    assert_int_equal(kw_lease_take(&first.lease, scene_node(&scene, 0), 2, 0), KW_OK);
    assert_ptr_not_equal(first.lease.link, link);
    kw_lease_close(&first.lease);
    kw_lease_give_back(&second.lease);
    assert_int_equal(kw_lease_take(&first.lease, scene_node(&scene, 0), 3, 0), KW_OK);
    assert_ptr_not_equal(first.lease.link, link); /* another protocol version */
    kw_lease_close(&first.lease);
    assert_int_equal(kw_lease_take(&first.lease, scene_node(&scene, 0), 2, 5), KW_OK);
    assert_ptr_not_equal(first.lease.link, link); /* another database */
    kw_lease_close(&first.lease);
    scene_close(&scene);
}

KW_TEST(lease_waits_for_its_turn_when_all_links_are_taken)
{
    struct holder holders[4];

    scene_open(&scene, "leased-links-per-node 1", 1);
    struct kw_node *node = scene_node(&scene, 0);
    take_ready(&holders[0]);
    for (int i = 1; i < 4; i++) {
        holder_init(&holders[i]);
        assert_int_equal(kw_lease_take(&holders[i].lease, node, 2, 0), KW_E_FULL);
        kw_lease_wait(&holders[i].lease, node, 2, 0);
    }
    kw_lease_give_back(&holders[2].lease); /* has enough of waiting */
    kw_lease_give_back(&holders[0].lease);
    assert_int_equal(holders[1].ready_count, 1);
    assert_int_equal(holders[1].status, KW_OK);
    assert_int_equal(holders[2].ready_count, 0);
    assert_int_equal(holders[3].ready_count, 0);
    kw_lease_close(&holders[1].lease);
    scene_turn(&scene);
    assert_int_equal(holders[3].ready_count, 1); /* a link of its own was opened */
    assert_non_null(holders[3].lease.link);
    kw_lease_close(&holders[3].lease);
    scene_close(&scene);
}

KW_TEST(lease_is_not_disturbed_by_silence_while_its_call_is_patient)
{
    struct holder holder;
    struct heard call = {0};

    scene_open(&scene, "node-timeout-ms 100", 1);
    int fd = take_ready(&holder);
    struct kw_node *node = scene_node(&scene, 0);
    heard_send(&call, holder.lease.link, BLPOP_WIRE);
    call.call.is_patient = true;
    scene_expect(&scene, fd, BLPOP_WIRE);
    kw_node_check(node, scene.now_ms + 50);
    kw_node_check(node, scene.now_ms + 100000);
    assert_false(node->is_down);
    assert_false(call.is_done);

    scene_say(&scene, fd, "*-1\r\n");
    assert_heard(&call, "*-1\r\n");
    heard_send(&call, holder.lease.link, GET_WIRE); /* not patient: WATCH, EXEC */
    kw_lease_watch(&holder.lease);
    kw_node_check(node, scene.now_ms + 100000);
    assert_true(node->is_down);
    assert_true(call.is_failed);
    assert_int_equal(holder.lost_count, 1);
    scene_close(&scene);
}

KW_TEST(lease_is_told_when_its_link_is_lost_with_nothing_in_flight)
{
    struct holder holder;

    scene_open(&scene, "", 1);
    int fd = take_ready(&holder);
    scene_hang_up(&scene, fd);
    while (holder.lost_count == 0) {
        scene_turn(&scene);
    }

    assert_null(holder.lease.link);
    assert_false(scene_node(&scene, 0)->is_down);
    assert_int_equal(scene_node(&scene, 0)->leases.count, 0);
    scene_close(&scene);
}

KW_TEST(lease_that_is_closed_fails_its_calls_and_is_no_news)
{
    struct holder holder;
    struct heard call;

    scene_open(&scene, "", 1);
    int fd = take_ready(&holder);
    heard_send(&call, holder.lease.link, BLPOP_WIRE);
    scene_expect(&scene, fd, BLPOP_WIRE);
    unsigned wishes = scene.wishes;
    kw_lease_close(&holder.lease);
    scene_turn(&scene);

    assert_unheard(&call, KW_E_CLOSED, true);
    scene_expect_end(&scene, fd);
    assert_int_equal(holder.lost_count, 0);
    assert_int_equal(scene.wishes, wishes);
    assert_int_equal(kw_stats_sum(&scene.hub, KW_METRIC_links_failed), 0);
    scene_close(&scene);
}

KW_TEST(lease_waiters_are_told_when_the_node_goes)
{
    struct holder holder;
    struct holder waiter;

    scene_open(&scene, "leased-links-per-node 1", 1);
    struct kw_node *node = scene_node(&scene, 0);
    take_ready(&holder);
    holder_init(&waiter);
    kw_lease_wait(&waiter.lease, node, 2, 0);
    kw_backend_free(&scene.backend);

    assert_int_equal(holder.lost_count, 1);
    assert_int_equal(waiter.ready_count, 1);
    assert_true(waiter.status != KW_OK);
    assert_null(waiter.lease.link);
    scene_close(&scene);
}

KW_TEST(lease_links_that_were_idle_for_long_are_closed)
{
    struct holder first;
    struct holder second;

    scene_open(&scene, "", 1);
    struct kw_node *node = scene_node(&scene, 0);
    int fd = take_ready(&first);
    int kept = take_ready(&second);
    kw_lease_give_back(&first.lease);
    assert_true(kw_node_check(node, scene.now_ms + 9000)); /* there is something to look at */
    assert_int_equal(node->leases.count, 2);
    kw_node_check(node, scene.now_ms + 11000);
    assert_int_equal(node->leases.count, 1);
    scene_turn(&scene);

    scene_expect_end(&scene, fd);
    assert_non_null(second.lease.link);
    scene_expect_nothing(&scene, kept);
    kw_lease_close(&second.lease);
    scene_close(&scene);
}

KW_TEST(lease_links_are_not_all_made_at_once)
{
    enum { HOLDERS = 130, MAKING_MAX = 128 };
    static struct holder holders[HOLDERS];

    scene_open(&scene, "", 1);
    struct kw_node *node = scene_node(&scene, 0);
    for (int i = 0; i < HOLDERS; i++) {
        holder_init(&holders[i]);
        enum kw_status status = kw_lease_take(&holders[i].lease, node, 2, 0);
        assert_int_equal(status, i < MAKING_MAX ? KW_OK : KW_E_FULL);
        if (status == KW_E_FULL) {
            kw_lease_wait(&holders[i].lease, node, 2, 0);
        }
    }
    int fd = scene_accept(&scene, 0);
    scene_expect(&scene, fd, PING_WIRE);
    scene_say(&scene, fd, "+PONG\r\n"); /* one is READY: one more is made */
    assert_int_equal(holders[MAKING_MAX].ready_count, 1);
    assert_int_equal(holders[MAKING_MAX + 1].ready_count, 0);
    kw_lease_close(&holders[1].lease);
    scene_turn(&scene);
    assert_int_equal(holders[MAKING_MAX + 1].ready_count, 1);
    for (int i = 0; i < HOLDERS; i++) {
        kw_lease_close(&holders[i].lease);
    }
    assert_int_equal(node->leases.making_count, 0);
    scene_close(&scene);
}
