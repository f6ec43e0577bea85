/* test_crew.c - an errand visits every worker once, on its thread, and comes home. */
#include "tests/unit/kw_test.h"

#include "base/mem.h"
#include "net/inbox.h"
#include "proxy/crew.h"
#include "proxy/internal.h"

#include <pthread.h>

enum { WORKERS = 3, ROUNDS = 200 };

static struct test_worker {
    struct kw_proxy proxy; /* a crew needs no more of it than the loop */
    struct kw_inbox *inbox;
    pthread_t thread; /* main's */
    pthread_t self;   /* the thread's own note of it */
} workers[WORKERS];

struct round {
    struct kw_errand errand; /* first */
    unsigned visits;         /* one bit for each worker */
    int left;
    int dones;
    int drops;
};

static struct round rounds[WORKERS];
static atomic_int rounds_open;

static void round_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    struct round *round = (struct round *)errand;

    KW_ASSERT(pthread_equal(pthread_self(), workers[proxy->crew_index].self));
    KW_ASSERT((round->visits & (1u << proxy->crew_index)) == 0);
    round->visits |= 1u << proxy->crew_index;
}

static void stop_all(void)
{
    for (int i = 0; i < WORKERS; i++) {
        kw_inbox_post(workers[i].inbox, kw_alloc_zero(1, sizeof(struct kw_letter)));
    }
}

static void round_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct round *round = (struct round *)errand;

    KW_ASSERT(home == &workers[round - rounds].proxy);
    round->dones++;
    if (errand->is_dropped) {
        round->drops++;
        return;
    }
    KW_ASSERT(round->visits == (1u << WORKERS) - 1);
    round->visits = 0;
    if (--round->left > 0) {
        kw_crew_send(home, errand); /* an errand may be sent again from its end */
    } else if (atomic_fetch_sub(&rounds_open, 1) == 1) {
        stop_all();
    }
}

static void on_letter(void *arg, struct kw_letter *letter)
{
    struct test_worker *worker = arg;

    kw_free(letter);
    kw_loop_stop(worker->proxy.loop);
}

static void *run(void *arg)
{
    struct test_worker *worker = arg;

    worker->self = pthread_self();
    kw_crew_send(&worker->proxy, &rounds[worker - workers].errand);
    kw_loop_run(worker->proxy.loop);
    return NULL;
}

static struct kw_crew *workers_open(void)
{
    struct kw_crew *crew = kw_crew_new(NULL);

    memset(workers, 0, sizeof workers);
    memset(rounds, 0, sizeof rounds);
    atomic_store(&rounds_open, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        rounds[i].errand.visit = round_visit;
        rounds[i].errand.done = round_done;
        rounds[i].left = ROUNDS;
        workers[i].self = pthread_self();
        workers[i].proxy.loop = kw_loop_new();
        workers[i].inbox = kw_inbox_open(workers[i].proxy.loop, on_letter, &workers[i]);
        kw_crew_join(crew, &workers[i].proxy);
    }
    return crew;
}

static void workers_close(struct kw_crew *crew)
{
    kw_crew_stop(crew); /* may have been stopped before */
    for (int i = 0; i < WORKERS; i++) {
        kw_inbox_close(&workers[i].inbox);
        kw_loop_free(&workers[i].proxy.loop);
    }
    kw_crew_free(&crew);
}

KW_TEST(crew_errand_visits_each_worker_on_its_own_thread_and_ends_at_home)
{
    struct kw_crew *crew = workers_open();

    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
    }

    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(rounds[i].dones, ROUNDS);
        assert_int_equal(rounds[i].drops, 0);
    }
    workers_close(crew);
}

KW_TEST(crew_errand_under_way_when_the_process_ends_is_dropped_at_home)
{
    struct kw_crew *crew = workers_open();
    kw_crew_send(&workers[1].proxy, &rounds[1].errand);

    kw_crew_stop(crew);
    kw_crew_send(&workers[2].proxy, &rounds[2].errand);

    assert_int_equal(rounds[1].visits, 1u << 1);
    assert_int_equal(rounds[1].drops, 1);
    assert_int_equal(rounds[2].visits, 0);
    assert_int_equal(rounds[2].drops, 1);
    workers_close(crew);
}

static void one_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    (void)proxy;
    ((struct round *)errand)->visits++;
}

static void one_done(struct kw_proxy *home, struct kw_errand *errand)
{
    (void)home;
    ((struct round *)errand)->dones++;
}

KW_TEST(crew_of_one_does_all_before_send_returns)
{
    struct kw_crew *crew = kw_crew_new(NULL);
    struct kw_proxy alone = {.loop = kw_loop_new()};
    struct round round = {.errand = {.visit = one_visit, .done = one_done}};

    kw_crew_send(&alone, &round.errand); /* without a crew */
    assert_int_equal(round.dones, 1);
    kw_crew_join(crew, &alone);
    kw_crew_send(&alone, &round.errand);

    assert_int_equal(round.visits, 2);
    assert_int_equal(round.dones, 2);
    kw_crew_stop(crew);
    kw_crew_free(&crew);
    kw_loop_free(&alone.loop);
}
