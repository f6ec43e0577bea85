/* switch.c - the near cache goes on and off while requests are under way.
 *
 *   on   join the cache; count what this worker has in flight as if it began now; ready
 *   off  nothing is found any more (all workers); forget what was counted; close the connections;
 *        leave the cache
 *
 * CONFIG SET's errand visits all workers before its reply leaves. So when a client reads the OK to
 * `near-cache no` nothing is answered from memory, whichever worker has seen it; and between the
 * OK to `yes` and what was sent before it there is nothing that was not counted.
 *
 * A cache of other bytes (cache-max-memory) is another cache: workers leave the old one, the last
 * of them makes the new one, and an errand calls the others back. That may be a little behind the
 * reply: it costs hits, nothing else.
 *
 * INVARIANTS
 * S1  proxy->near is there exactly while its worker is ready, but for kw_near_stop()'s.
 * S2  no request has a mark, or a near_hash, while proxy->near is NULL.
 */
#include "base/mem.h"
#include "command/keys.h"
#include "net/timer.h"
#include "proxy/coalesce.h"
#include "proxy/near/near.h"
#include "proxy/origin/origin.h"

static void near_open(struct kw_proxy *proxy);
static void near_close(struct kw_proxy *proxy);
static void requests_count(struct kw_proxy *proxy);
static void request_count(struct kw_near *near, struct kw_request *request);
static void requests_forget(struct kw_proxy *proxy);
static void crew_call(struct kw_proxy *proxy);
static void call_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void call_done(struct kw_proxy *home, struct kw_errand *errand);

void kw_near_share(struct kw_proxy *proxy, struct kw_near_shared *shared)
{
    proxy->near_shared = shared;
    kw_near_apply_config(proxy);
}

void kw_near_apply_config(struct kw_proxy *proxy)
{
    const struct kw_config *config = proxy->config;
    struct kw_near_shared *shared = proxy->near_shared;

    if (shared == NULL || proxy->is_draining) {
        return;
    }
    bool is_changing =
        proxy->near != NULL && config->near_cache && kw__shared_is_other(shared, config);
    if (proxy->near != NULL && (is_changing || !config->near_cache)) {
        near_close(proxy);
    }
    if (proxy->near == NULL && config->near_cache) {
        near_open(proxy);
        if (is_changing && proxy->near != NULL) {
            crew_call(proxy); /* those that left the old cache before us */
        }
    }
    if (proxy->near != NULL) {
        kw__near_tune(proxy->near);
        kw__shared_set_eviction(shared, proxy->near->worker, config);
    }
    kw_coalesce_configure(proxy);
}

void kw_near_free(struct kw_proxy *proxy)
{
    if (proxy->near != NULL) {
        KW_ASSERT(proxy->near->is_stopped);
        near_close(proxy);
    }
}

static void near_open(struct kw_proxy *proxy)
{
    uint64_t now_ms = kw_loop_now_us(proxy->loop) / 1000;
    uint64_t number = 0;
    struct kw_cache_worker *worker =
        kw__shared_join(proxy->near_shared, proxy->config, now_ms, &number);

    if (worker != NULL) {
        kw_cache_rest(worker);
        proxy->near = kw__near_new(proxy, worker);
        proxy->near->cache_number = number;
        requests_count(proxy);
        kw__shared_ready(proxy->near_shared);
    }
}

static void near_close(struct kw_proxy *proxy)
{
    struct kw_near *near = proxy->near;

    (void)kw__near_awake(near);
    kw__shared_unready(near->shared, near->worker);
    requests_forget(proxy);
    kw__near_recall_loans(near);
    kw_near_stop(proxy);
    (void)kw__near_awake(near);
    kw__shared_leave(near->shared, &near->worker);
    kw__near_free(&proxy->near);
}

/* What is in flight began before anybody counted. */
static void requests_count(struct kw_proxy *proxy)
{
    for (struct kw_list *at = proxy->clients.next; at != &proxy->clients; at = at->next) {
        struct kw_client *client = KW_LIST_ENTRY(at, struct kw_client, all);
        client->slots_ahead = UINT64_MAX;
        for (struct kw_request *request = client->oldest; request != NULL;
             request = request->next) {
            if (request->state != KW_REQUEST_DONE) {
                request_count(proxy->near, request);
            }
        }
    }
}

static void request_count(struct kw_near *near, struct kw_request *request)
{
    KW_ASSERT(request->near == KW_NEAR_MARK_NONE && request->near_hash == 0); /* S2 */
    if (request->command == NULL || request->call.chunk == NULL) {
        return;
    }
    if (request->is_bunch) {
        kw__near_bunch_began(near, request);
        return;
    }
    enum kw_near_role role = kw__near_role(near, request->command);
    if (role != KW_NEAR_ROLE_GET && role != KW_NEAR_ROLE_WHOLE) {
        kw_near_on_begin(request);
        return;
    }
    request->near = KW_NEAR_MARK_HEEDED;
}

static void requests_forget(struct kw_proxy *proxy)
{
    for (struct kw_list *at = proxy->clients.next; at != &proxy->clients; at = at->next) {
        const struct kw_client *client = KW_LIST_ENTRY(at, struct kw_client, all);
        for (struct kw_request *request = client->oldest; request != NULL;
             request = request->next) {
            if (kw_near_heeds_end(request->near)) {
                kw_near_on_end(request);
            }
            request->near = KW_NEAR_MARK_NONE; /* S2 */
            request->near_hash = 0;
        }
    }
}

static void crew_call(struct kw_proxy *proxy)
{
    struct kw_errand *call = kw_alloc_zero(1, sizeof *call);

    call->visit = call_visit;
    call->done = call_done;
    kw_crew_send(proxy, call);
}

static void call_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    (void)errand;
    kw_near_apply_config(proxy);
}

static void call_done(struct kw_proxy *home, struct kw_errand *errand)
{
    (void)home;
    kw_free(errand);
}
