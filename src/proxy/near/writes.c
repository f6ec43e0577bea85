/* writes.c - a write through keyway: before its answer leaves, what it makes stale is gone, and
 * nothing of it comes from a fetch that may be older (R2).
 *
 *   begin   count it as under way: no fetch of its key begins
 *   fill    promise, then look whether a write is under way (fill.c)
 *   end     remove what is kept and break promises, then count it as over
 *
 * What was kept serves until then. Nobody has been told that the write is done, so the old value
 * may be told still; unless somebody has been told the new one by the node, and then read.c has
 * seen to it that what is kept does not contradict (R3). A fetch that was begun before the write
 * may end meanwhile, and serves as well: the node's stream says what is newer. One that begins when
 * the write is over is executed behind it. Whatever becomes of a write - refused, timed out, lost
 * with its link, redirected and answered by another node - it ends, once, and removes.
 *
 * Why fetches wait for the end, though it would break them: they would cost a node for nothing. Why
 * not remove at the beginning: a hot key has several writes under way at all times when many
 * clients pipeline, and would never be kept.
 *
 *   a cold key    nothing is kept of it, so nothing is counted. When it is answered, and is warm by
 *                 then, fills have begun meanwhile that may be older: what they have brought goes,
 *                 and their promises are broken, before the reply leaves. Fills that begin later
 *                 are executed later (warm.c). So it doesn't matter when it is seen to be cold:
 *                 that is when some more writes have been sent, or the tick ends, as what is looked
 *                 at has come near by then
 *   a key         counted in a bucket of its hash; its entries are removed by name
 *   a list        the same for several: of a command, of all that a transaction has queued, of what
 *                 PROXY NODE sends. What is kept of them goes at the beginning: nobody else's
 *                 promise outlives that, nor is one made before the end
 *   a slot        for what may write keys that no argument names, in a cluster: scripts. All its
 *                 keys are of one slot. Its generation moves on at the beginning, so that nothing
 *                 kept of it is found any more; no key need be looked for
 *   everything    FLUSHALL, or what nobody knows
 *   popping       what blocks for long must not hold fills back: its keys are forgotten when it is
 *                 answered
 *
 * Without cluster mode a script may write any key. Those that it names are a list; for the others,
 * when it is answered, everything that is kept waits until its node has been heard of since: by
 * then the node has told of what the script has changed. One round trip, and nothing is lost.
 *
 * INVARIANTS
 * W1  what request->near says was counted at its beginning is undone at its end, once: by the
 *     hashes that were counted, whatever the tables say by then.
 * W2  the end removes before it counts the write as over: a fill that begins in between sees the
 *     count, and gives up (fill.c L1).
 * W3  a write has the mark of a cold one only if it was seen to be cold after its note was made.
 *     Until it was seen, its end finds out for itself.
 */
#include "base/mem.h"
#include "command/keys.h"
#include "proxy/near/near.h"
#include "proxy/near/refill.h"
#include "proxy/near/touch.h"
#include "proxy/near/variant.h"
#include "proxy/session/transaction.h"

/* What KW_NEAR_MARK_LIST has counted. */
struct list {
    size_t count;
    bool is_beyond; /* other keys may be written, too */
    uint64_t hashes[];
};

static void begin(struct kw_near *near, struct kw_request *request);
static void unseen_remove(struct kw_near_brief *near, const struct kw_request *request);
static void cold_begin(struct kw_proxy *proxy, struct kw_request *request);
static void cold_look(struct kw_near *near, const struct kw_request *request);
static void cold_end(struct kw_near *near, const struct kw_request *request);
static struct kw_bytes single_name(const struct kw_request *request);
static enum kw_near_role role_of(const struct kw_near *near, const struct kw_request *request);
static enum kw_near_mark mark_of(struct kw_near *near, const struct kw_request *request,
                                 enum kw_near_role role);
static enum kw_near_mark key_begin(struct kw_near *near, struct kw_request *request);
static enum kw_near_mark list_begin(struct kw_near *near, struct kw_request *request);
static uint64_t name_begin(struct kw_near *near, struct kw_bytes name);
static void name_forget(struct kw_near *near, struct kw_bytes name, uint64_t hash);
static enum kw_near_mark slot_begin(struct kw_near *near, const struct kw_request *request);
static enum kw_near_mark all_begin(struct kw_near *near);
static void hash_begin(struct kw_near *near, uint64_t hash);
static void key_end(struct kw_near *near, const struct kw_request *request);
static void hash_end(struct kw_near *near, uint64_t hash);
static void list_end(struct kw_near *near, const struct kw_request *request);
static void pop_end(struct kw_near *near, const struct kw_request *request);

KW_APART void kw_near_look_at_writes(struct kw_proxy *proxy)
{
    struct kw_near_brief *near = &proxy->near_brief;
    struct kw_near_warm_view view;
    unsigned left_count = 0;

    if (near->unseen_count == 0) {
        return;
    }
    view = kw__warm_view(near->warm);
    for (unsigned i = 0; i < near->unseen_count; i++) {
        struct kw_request *request = near->unseen[i];
        if (__builtin_expect(kw__warm_looks(view, request->near_hash), 0)) {
            kw__warm_prefetch_leaf(near->warm, request->near_hash);
            near->unseen[left_count++] = request;
            continue;
        }
        cold_begin(proxy, request);
    }
    for (unsigned i = 0; i < left_count; i++) {
        struct kw_request *request = near->unseen[i];
        if (!kw__warm_leaf_has(near->warm, request->near_hash)) {
            cold_begin(proxy, request);
            continue;
        }
        request->near = KW_NEAR_MARK_NONE;
        request->near_hash = 0;
        kw_near_on_begin(request);
    }
    near->unseen_count = 0;
}

static inline void cold_begin(struct kw_proxy *proxy, struct kw_request *request)
{
    request->near = KW_NEAR_MARK_COLD_WRITE;
    KW_STAT_ADD(proxy->stats, near_cache_writes, 1);
    if (kw_hot_is_due(proxy->near_brief.hot)) {
        cold_look(proxy->near, request);
    }
}

/* The sketch of hot keys is told of a write of a cold one. The cache may sleep on. */
static KW_APART void cold_look(struct kw_near *near, const struct kw_request *request)
{
    kw_hot_tick(near->hot, kw_loop_now_us(near->proxy->loop) / 1000);
    kw_hot_write(near->hot,
                 kw_cache_key(near->worker, single_name(request), kw_bytes_of("", 0)).hash);
}

KW_APART void kw_near_expect_other(struct kw_request *request)
{
    request->client->slots_ahead |= kw_near_slots_of(request);
    if (request->near == KW_NEAR_MARK_NONE) {
        kw_near_on_begin(request);
    }
}

void kw_near_on_begin(struct kw_request *request)
{
    if (request->command != NULL &&
        request->call.chunk != NULL) { /* else it sends nothing itself */
        begin(request->client->proxy->near, request);
    }
}

static KW_APART void begin(struct kw_near *near, struct kw_request *request)
{
    enum kw_near_mark mark = mark_of(near, request, role_of(near, request));

    request->near = KW_NEAR_MARK_NONE;
#ifdef KW_KNOCKOUT_WRITE_THROUGH
    if (mark > KW_NEAR_MARK_DUE) {
        return;
    }
#endif
    if (mark == KW_NEAR_MARK_WRITE) {
        mark = key_begin(near, request);
    } else if (mark == KW_NEAR_MARK_LIST) {
        mark = list_begin(near, request);
    } else if (mark == KW_NEAR_MARK_ALL) {
        mark = all_begin(near);
    }
    request->near = (uint8_t)mark;
    if (kw_near_heeds_end(request->near) && mark != KW_NEAR_MARK_POP) {
        KW_STAT_ADD(near->proxy->stats, near_cache_writes, 1);
    }
}

void kw_near_on_end(struct kw_request *request)
{
    struct kw_near *near = request->client->proxy->near;
    struct kw_near_shared *shared = near->shared;

    switch ((enum kw_near_mark)request->near) { /* W1 */
    case KW_NEAR_MARK_NONE:
    case KW_NEAR_MARK_HEEDED:
    case KW_NEAR_MARK_KNOWN:
    case KW_NEAR_MARK_CHANCE:
    case KW_NEAR_MARK_HOT:
    case KW_NEAR_MARK_DUE:
    case KW_NEAR_MARK_COLD:
        return;
    case KW_NEAR_MARK_UNSEEN_WRITE:
        unseen_remove(&near->proxy->near_brief, request);
        cold_end(near, request);
        break;
    case KW_NEAR_MARK_COLD_WRITE:
        cold_end(near, request);
        break;
    case KW_NEAR_MARK_BUNCH:
        kw__near_bunch_replied(near, request);
        break;
    case KW_NEAR_MARK_WRITE:
        key_end(near, request);
        break;
    case KW_NEAR_MARK_HOT_WRITE:
        key_end(near, request);
        kw__refill_soon(near, single_name(request), request->slot);
        break;
    case KW_NEAR_MARK_LIST:
        list_end(near, request);
        break;
    case KW_NEAR_MARK_SLOT:
        atomic_fetch_sub(&shared->slots[request->slot].writes, 1);
        break;
    case KW_NEAR_MARK_ALL:
        atomic_fetch_sub(&shared->all_writes, 1);
        break;
    case KW_NEAR_MARK_POP:
        pop_end(near, request);
        break;
    default:
        KW_UNREACHABLE();
    }
    request->near = KW_NEAR_MARK_NONE;
    request->near_hash = 0;
}

static void unseen_remove(struct kw_near_brief *near, const struct kw_request *request)
{
    for (unsigned i = 0; i < near->unseen_count; i++) {
        if (near->unseen[i] == request) {
            near->unseen[i] = near->unseen[--near->unseen_count];
            return;
        }
    }
}

/* A fill has begun since, of this key perhaps, and what it brings may be older than the write. Or
 * that failed: nobody knows when it was executed.
 */
static void cold_end(struct kw_near *near, const struct kw_request *request)
{
#ifndef KW_KNOCKOUT_WRITE_THROUGH
    if (!kw__warm_has(near->warm, request->near_hash)) {
        return;
    }
    struct kw_bytes name = single_name(request);

    name_forget(near, name, kw_cache_key(kw__near_awake(near), name, kw_bytes_of("", 0)).hash);
#else
    (void)near;
    (void)request;
#endif
}

/* The key of a request that has one. */
static struct kw_bytes single_name(const struct kw_request *request)
{
    return kw__variant_argument(kw_call_bytes(&request->call), kw_keys_single(request->command));
}

/* What an operator sends to one node may be anything. */
static enum kw_near_role role_of(const struct kw_near *near, const struct kw_request *request)
{
    return request->command->local == KW_LOCAL_PROXY_NODE ? KW_NEAR_ROLE_WRITE_SLOT
                                                          : kw__near_role(near, request->command);
}

static enum kw_near_mark mark_of(struct kw_near *near, const struct kw_request *request,
                                 enum kw_near_role role)
{
    bool is_blocking = request->leased != NULL || request->call.is_patient;

    switch (role) {
    case KW_NEAR_ROLE_NONE:
    case KW_NEAR_ROLE_GET: /* answer.c has seen it, or it is of another database */
    case KW_NEAR_ROLE_WHOLE:
        return KW_NEAR_MARK_NONE;
    case KW_NEAR_ROLE_MGET:
        return kw_hot_is_due(near->hot) ? KW_NEAR_MARK_DUE : KW_NEAR_MARK_HEEDED;
    case KW_NEAR_ROLE_EXISTS:
    case KW_NEAR_ROLE_READ_KEY:
    case KW_NEAR_ROLE_READ_SLOT:
        return KW_NEAR_MARK_HEEDED;
    case KW_NEAR_ROLE_WRITE_KEY:
        return is_blocking ? KW_NEAR_MARK_POP : KW_NEAR_MARK_WRITE;
    case KW_NEAR_ROLE_WRITE_SLOT:
        return is_blocking ? KW_NEAR_MARK_POP : KW_NEAR_MARK_LIST;
    case KW_NEAR_ROLE_EXEC: /* inside a transaction nothing blocks */
        if (request->run != NULL && request->run->is_flushing) {
            return KW_NEAR_MARK_ALL;
        }
        return request->run != NULL && request->run->is_read_only ? KW_NEAR_MARK_HEEDED
                                                                  : KW_NEAR_MARK_LIST;
    case KW_NEAR_ROLE_WRITE_ALL:
        return KW_NEAR_MARK_ALL;
    default:
        KW_UNREACHABLE();
    }
}

static enum kw_near_mark key_begin(struct kw_near *near, struct kw_request *request)
{
    struct kw_bytes name = single_name(request);
    uint64_t hash = kw_cache_key(kw__near_awake(near), name, kw_bytes_of("", 0)).hash;
    bool is_worth =
        kw_cache_may_have(near->worker, hash) && kw__refill_judge(near, name, hash, request->slot);
    is_worth = is_worth || kw_hot_is_hot(near->hot, hash); /* another write may have removed it */
    request->near_hash = hash;
    hash_begin(near, hash);
    return is_worth ? KW_NEAR_MARK_HOT_WRITE : KW_NEAR_MARK_WRITE;
}

static enum kw_near_mark list_begin(struct kw_near *near, struct kw_request *request)
{
    bool is_of_slot = request->slot != KW_SLOT_NONE && !kw_route_is_plain(near->proxy);
    struct kw_near_touch touch = kw__touch_of(near, request);

    if ((touch.is_beyond || touch.is_all) && is_of_slot) {
        return slot_begin(near, request);
    }
    if (touch.is_all) {
        return all_begin(near);
    }
    if (touch.count == 0 && !touch.is_beyond) {
        return KW_NEAR_MARK_NONE;
    }
    struct list *list = kw_alloc(sizeof *list + touch.count * sizeof list->hashes[0]);
    list->count = touch.count;
    list->is_beyond = touch.is_beyond;
    for (size_t i = 0; i < touch.count; i++) {
        list->hashes[i] = name_begin(near, touch.names[i]);
    }
    request->near_hash = (uint64_t)(uintptr_t)list;
    return KW_NEAR_MARK_LIST;
}

/* Count NAME as being written, remove what is kept of it. Its hash. */
static uint64_t name_begin(struct kw_near *near, struct kw_bytes name)
{
    uint64_t hash = kw_cache_key(kw__near_awake(near), name, kw_bytes_of("", 0)).hash;

    hash_begin(near, hash);
    name_forget(near, name, hash);
    return hash;
}

/* Remove what is kept of NAME, break promises. */
static void name_forget(struct kw_near *near, struct kw_bytes name, uint64_t hash)
{
    struct kw_cache_worker *worker = kw__near_awake(near);

    if (kw_cache_may_have(worker, hash)) {
        const struct kw_cache_key key = {.name = name, .variant = kw_bytes_of("", 0), .hash = hash};
        (void)kw_cache_invalidate(worker, &key);
    }
}

static void hash_begin(struct kw_near *near, uint64_t hash)
{
    atomic_fetch_add(&near->shared->key_writes[hash % KW_NEAR_BUCKETS], 1);
    if (kw_hot_is_due(near->hot)) {
        kw_hot_write(near->hot, hash);
    }
}

static enum kw_near_mark slot_begin(struct kw_near *near, const struct kw_request *request)
{
    atomic_fetch_add(&near->shared->slots[request->slot].writes, 1);
    atomic_fetch_add(&near->shared->slots[request->slot].generation, 1);
    return KW_NEAR_MARK_SLOT;
}

static enum kw_near_mark all_begin(struct kw_near *near)
{
    atomic_fetch_add(&near->shared->all_writes, 1);
    kw_cache_flush(kw__near_awake(near));
    return KW_NEAR_MARK_ALL;
}

/* W2. */
static void key_end(struct kw_near *near, const struct kw_request *request)
{
    name_forget(near, single_name(request), request->near_hash);
    hash_end(near, request->near_hash);
}

static void hash_end(struct kw_near *near, uint64_t hash)
{
    atomic_fetch_sub(&near->shared->key_writes[hash % KW_NEAR_BUCKETS], 1);
}

static void list_end(struct kw_near *near, const struct kw_request *request)
{
    struct list *list = (struct list *)(uintptr_t)request->near_hash;

    for (size_t i = 0; i < list->count; i++) {
        hash_end(near, list->hashes[i]);
    }
    if (list->is_beyond) {
        (void)kw__near_awake(near);
        kw__near_seen(near, KW_SLOT_NONE);
    }
    kw_free(list);
}

static void pop_end(struct kw_near *near, const struct kw_request *request)
{
    struct kw_near_touch touch = kw__touch_of(near, request);
    struct kw_cache_worker *worker = kw__near_awake(near);

    for (size_t i = 0; i < touch.count; i++) {
        struct kw_cache_key key = kw_cache_key(worker, touch.names[i], kw_bytes_of("", 0));
        (void)kw_cache_invalidate(worker, &key);
    }
}
