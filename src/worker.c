/* worker.c - a thread is a loop over one proxy on one backend.
 *
 *   control thread --letters--> worker_on_letter          worker --letters--> control thread
 *   each tick: events -> handlers append and mark -> kw_proxy_tick() writes
 */
#include "worker.h"

#include "backend/backend.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/timer.h"
#include "proxy/embedded/embedded.h"
#include "proxy/near/near.h"
#include "proxy/proxy.h"

#include <pthread.h>
#include <stdio.h>

enum { LISTENERS_MAX = 64, DRAIN_CHECK_MS = 20 };

enum order_kind {
    ORDER_TOPOLOGY,
    ORDER_LEARNED,
    ORDER_ALIVE,
    ORDER_CONFIG,
    ORDER_DRAIN,
    ORDER_STOP
};

/* What the control thread tells a worker. */
struct order {
    struct kw_letter letter; /* first */
    enum order_kind kind;
    struct kw_topology *topology;     /* one reference, with ORDER_TOPOLOGY */
    struct kw_address address;        /* with ORDER_ALIVE */
    const struct kw_learned *learned; /* with ORDER_LEARNED */
    struct kw_config *config;         /* one reference, with ORDER_CONFIG */
};

struct kw_worker {
    /* set once */
    unsigned index;
    struct kw_config *config; /* one reference */
    struct kw_inbox *control; /* borrowed: where our letters go */
    pthread_t thread;
    bool is_started;

    /* the thread's */
    struct kw_loop *loop;
    struct kw_inbox *inbox;
    struct kw_chunk_pool chunks;
    struct kw_backend *backend;
    struct kw_proxy *proxy;
    struct kw_listener *listeners[LISTENERS_MAX];
    size_t listeners_count;
    struct kw_timer *drain_timer;
    char *scratch;

    /* shared, atomic: see is_posted */
    struct kw_worker_letter wish;
    struct kw_worker_letter farewell;
};

static void *worker_main(void *arg);
static void worker_on_tick(void *arg);
static void worker_on_letter(void *arg, struct kw_letter *letter);
static void worker_on_accept(void *arg, int fd);
static void worker_on_accept_cluster(void *arg, int fd);
static void worker_on_topology_wanted(void *arg);
static void worker_on_drain_check(void *arg);
static void worker_post(struct kw_worker *worker, struct kw_worker_letter *letter);
static void worker_send(struct kw_worker *worker, const struct order *order);

struct kw_worker *kw_worker_new(unsigned index, struct kw_config *config, struct kw_stats_hub *hub,
                                struct kw_inbox *control, const struct kw_door *doors,
                                size_t doors_count)
{
    struct kw_worker *worker = kw_alloc_zero(1, sizeof *worker);
    struct kw_stats *stats = &hub->workers[index];

    KW_ASSERT(doors_count <= LISTENERS_MAX);
    worker->index = index;
    worker->config = kw_config_ref(config);
    worker->control = control;
    worker->wish.worker = worker;
    worker->farewell.worker = worker;
    worker->farewell.is_drained = true;
    worker->loop = kw_loop_new();
    if (config->io_uring) {
        kw_loop_allow_ring(worker->loop);
    }
    worker->inbox = kw_inbox_open(worker->loop, worker_on_letter, worker);
    worker->scratch = kw_alloc(KW_BACKEND_SCRATCH_BYTES);
    kw_chunk_pool_init(&worker->chunks);
    worker->backend = kw_backend_new(worker->loop, config, stats, &worker->chunks, worker->scratch);
    worker->backend->on_topology_wanted = worker_on_topology_wanted;
    worker->backend->on_topology_wanted_arg = worker;
    worker->proxy = kw_proxy_new(hub, worker->backend);
    worker->drain_timer = kw_timer_new(worker->loop, worker_on_drain_check, worker);
    for (size_t i = 0; i < doors_count; i++) {
        bool is_cluster = doors[i].personality == KW_PERSONALITY_CLUSTER;
        worker->listeners[worker->listeners_count++] =
            kw_listener_open(worker->loop, doors[i].fd, config->tcp_keepalive_s,
                             is_cluster ? worker_on_accept_cluster : worker_on_accept, worker);
    }
    kw_loop_set_tick(worker->loop, worker_on_tick, worker);
    return worker;
}

void kw_worker_join(struct kw_worker *worker, struct kw_crew *crew)
{
    kw_crew_join(crew, worker->proxy);
}

void kw_worker_share(struct kw_worker *worker, struct kw_near_shared *near)
{
    kw_near_share(worker->proxy, near);
}

void kw_worker_embed(struct kw_worker *worker, struct kw_commons *commons)
{
    kw_embedded_open(worker->proxy, commons);
}

void kw_worker_start(struct kw_worker *worker)
{
    char name[16];

    int error = pthread_create(&worker->thread, NULL, worker_main, worker);
    if (error != 0) {
        kw_log(KW_LOG_WARNING, "can't start worker thread %u: out of threads or memory",
               worker->index);
        KW_UNREACHABLE();
    }
    worker->is_started = true;
    snprintf(name, sizeof name, "worker-%u", worker->index);
    pthread_setname_np(worker->thread, name);
}

void kw_worker_send_topology(struct kw_worker *worker, struct kw_topology *taken)
{
    worker_send(worker, &(struct order){.kind = ORDER_TOPOLOGY, .topology = taken});
}

void kw_worker_send_learned(struct kw_worker *worker, const struct kw_learned *learned)
{
    worker_send(worker, &(struct order){.kind = ORDER_LEARNED, .learned = learned});
}

void kw_worker_send_alive(struct kw_worker *worker, const struct kw_address *address)
{
    worker_send(worker, &(struct order){.kind = ORDER_ALIVE, .address = *address});
}

void kw_worker_send_config(struct kw_worker *worker, struct kw_config *taken)
{
    worker_send(worker, &(struct order){.kind = ORDER_CONFIG, .config = taken});
}

void kw_worker_send_drain(struct kw_worker *worker)
{
    worker_send(worker, &(struct order){.kind = ORDER_DRAIN});
}

void kw_worker_stop(struct kw_worker *worker)
{
    if (worker->is_started) {
        worker_send(worker, &(struct order){.kind = ORDER_STOP});
        pthread_join(worker->thread, NULL);
        worker->is_started = false;
    }
    worker->control = NULL;
}

void kw_worker_free(struct kw_worker **worker)
{
    struct kw_worker *ending = *worker;

    KW_ASSERT(!ending->is_started);
    for (size_t i = 0; i < ending->listeners_count; i++) {
        kw_listener_close(&ending->listeners[i]);
    }
    kw_inbox_close(&ending->inbox);
    kw_proxy_drain(ending->proxy); /* nothing is tried again from here on */
    kw_backend_free(&ending->backend);
    kw_proxy_free(&ending->proxy);
    kw_timer_free(&ending->drain_timer);
    kw_chunk_pool_deinit(&ending->chunks);
    kw_loop_free(&ending->loop);
    kw_config_unref(&ending->config);
    kw_free(ending->scratch);
    kw_free(ending);
    *worker = NULL;
}

static void *worker_main(void *arg)
{
    struct kw_worker *worker = arg;

    kw_loop_run(worker->loop);
    return NULL;
}

static void worker_on_tick(void *arg)
{
    struct kw_worker *worker = arg;

    kw_proxy_tick(worker->proxy);
}

static void worker_on_letter(void *arg, struct kw_letter *letter)
{
    struct kw_worker *worker = arg;
    struct order *order = (struct order *)letter;

    switch (order->kind) {
    case ORDER_TOPOLOGY:
        kw_backend_apply(worker->backend, order->topology);
        kw_topology_unref(&order->topology);
        break;
    case ORDER_LEARNED:
        kw_proxy_learn(worker->proxy, order->learned);
        break;
    case ORDER_ALIVE:
        kw_backend_on_node_alive(worker->backend, &order->address);
        break;
    case ORDER_CONFIG:
        for (size_t i = 0; i < worker->listeners_count; i++) {
            kw_listener_set_keepalive(worker->listeners[i], order->config->tcp_keepalive_s);
        }
        kw_proxy_reconfigure(worker->proxy, order->config);
        break;
    case ORDER_DRAIN:
        for (size_t i = 0; i < worker->listeners_count; i++) {
            kw_listener_close(&worker->listeners[i]);
        }
        worker->listeners_count = 0;
        kw_proxy_drain(worker->proxy);
        kw_timer_start(worker->drain_timer, 0);
        break;
    case ORDER_STOP:
        kw_loop_stop(worker->loop);
        break;
    default:
        KW_UNREACHABLE();
    }
    kw_free(order);
}

static void worker_on_accept(void *arg, int fd)
{
    struct kw_worker *worker = arg;

    kw_proxy_accept(worker->proxy, fd, KW_PERSONALITY_STANDALONE);
}

static void worker_on_accept_cluster(void *arg, int fd)
{
    struct kw_worker *worker = arg;

    kw_proxy_accept(worker->proxy, fd, KW_PERSONALITY_CLUSTER);
}

static void worker_on_topology_wanted(void *arg)
{
    struct kw_worker *worker = arg;

    worker_post(worker, &worker->wish); /* one letter at a time; discovery paces itself */
}

static void worker_on_drain_check(void *arg)
{
    struct kw_worker *worker = arg;

    if (kw_proxy_clients_count(worker->proxy) == 0) {
        worker_post(worker, &worker->farewell);
        return;
    }
    kw_timer_start(worker->drain_timer, DRAIN_CHECK_MS);
}

static void worker_post(struct kw_worker *worker, struct kw_worker_letter *letter)
{
    bool is_posted = false;

    if (worker->control == NULL) {
        return; /* everything ends: nobody reads letters any more */
    }
    if (atomic_compare_exchange_strong(&letter->is_posted, &is_posted, true)) {
        kw_inbox_post(worker->control, &letter->letter);
    }
}

static void worker_send(struct kw_worker *worker, const struct order *order)
{
    struct order *copy = kw_alloc(sizeof *copy);

    *copy = *order;
    kw_inbox_post(worker->inbox, &copy->letter);
}
