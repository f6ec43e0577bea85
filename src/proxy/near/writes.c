/* writes.c - a write through keyway: what it makes stale is gone before it leaves, and nothing of
 * it is fetched again before it is answered (R2).
 *
 *   begin   count it as under way, then remove what is kept
 *   fill    promise, then look whether a write is under way (fill.c)
 *   end     count it as over
 *
 * Whichever of the two comes first, the other one sees it: no fill that may have been executed
 * before the write outlives its beginning.
 *
 *   keys          counted in a bucket of their hash; their entries are removed by name
 *   a slot        for what writes very many keys, or keys that no argument names (scripts, EXEC):
 *                 all keys of a request are of one slot. Its generation moves on, so that
 *                 nothing kept of it is found any more; no key need be looked for
 *   everything    FLUSHALL, or requests of several slots to a server without cluster mode
 *   popping       what blocks for long must not hold fills back: the slot is forgotten when it is
 *                 answered
 *
 * INVARIANTS
 * W1  what request->near says was counted at its beginning is undone at its end, once.
 */
#include "command/keys.h"
#include "proxy/near/near.h"

#include "proxy/near/variant.h"
#include "proxy/session/transaction.h"

static enum kw_near_mark mark_of(const struct kw_near *near, const struct kw_request *request,
                                 enum kw_near_role role);
static bool names_few_keys(const struct kw_request *request);
static uint32_t keys_cut(const struct kw_request *request, struct kw_bytes *names);
static void keys_begin(struct kw_near *near, struct kw_request *request);
static void keys_end(struct kw_near *near, const struct kw_request *request);

void kw_near_on_begin(struct kw_request *request)
{
    struct kw_near *near = request->client->proxy->near;
    struct kw_near_shared *shared = near->shared;

    if (request->command == NULL || request->call.chunk == NULL) {
        return; /* it sends nothing itself */
    }
    enum kw_near_role role = kw__near_role(near, request->command);
    if (role >= KW_NEAR_ROLE_MGET && role <= KW_NEAR_ROLE_READ_SLOT) {
        request->near_hash = 1; /* read.c looks at the reply */
    }
#ifdef KW_KNOCKOUT_WRITE_THROUGH
    role = KW_NEAR_ROLE_NONE;
#endif
    request->near = (uint8_t)mark_of(near, request, role);
    if (role == KW_NEAR_ROLE_EXEC && request->near == KW_NEAR_MARK_NONE) {
        request->near_hash = 1; /* it only reads */
    }
    switch ((enum kw_near_mark)request->near) {
    case KW_NEAR_MARK_NONE:
    case KW_NEAR_MARK_POP:
        return;
    case KW_NEAR_MARK_KEY:
    case KW_NEAR_MARK_KEYS:
        keys_begin(near, request);
        break;
    case KW_NEAR_MARK_SLOT:
        atomic_fetch_add(&shared->slots[request->slot].writes, 1);
        atomic_fetch_add(&shared->slots[request->slot].generation, 1);
        break;
    case KW_NEAR_MARK_ALL:
        atomic_fetch_add(&shared->all_writes, 1);
        kw_cache_flush(kw__near_awake(near));
        break;
    default:
        KW_UNREACHABLE();
    }
    KW_STAT_ADD(near->proxy->stats, near_cache_writes, 1);
}

void kw_near_on_end(struct kw_request *request)
{
    struct kw_near *near = request->client->proxy->near;
    struct kw_near_shared *shared = near->shared;

    switch ((enum kw_near_mark)request->near) { /* W1 */
    case KW_NEAR_MARK_NONE:
        return;
    case KW_NEAR_MARK_KEY:
        atomic_fetch_sub(&shared->key_writes[request->near_hash % KW_NEAR_BUCKETS], 1);
        break;
    case KW_NEAR_MARK_KEYS:
        keys_end(near, request);
        break;
    case KW_NEAR_MARK_SLOT:
        atomic_fetch_sub(&shared->slots[request->slot].writes, 1);
        break;
    case KW_NEAR_MARK_ALL:
        atomic_fetch_sub(&shared->all_writes, 1);
        break;
    case KW_NEAR_MARK_POP:
        atomic_fetch_add(&shared->slots[request->slot].generation, 1);
        break;
    default:
        KW_UNREACHABLE();
    }
    request->near = KW_NEAR_MARK_NONE;
    request->near_hash = 0;
}

static enum kw_near_mark mark_of(const struct kw_near *near, const struct kw_request *request,
                                 enum kw_near_role role)
{
    bool is_plain = kw_route_is_plain(near->proxy);
    bool is_blocking = request->leased != NULL || request->call.is_patient;

    switch (role) {
    case KW_NEAR_ROLE_NONE:
    case KW_NEAR_ROLE_GET:
    case KW_NEAR_ROLE_WHOLE:
    case KW_NEAR_ROLE_MGET:
    case KW_NEAR_ROLE_READ_KEY:
    case KW_NEAR_ROLE_READ_SLOT:
        return KW_NEAR_MARK_NONE;
    case KW_NEAR_ROLE_WRITE_KEY:
        if (!is_blocking) {
            return KW_NEAR_MARK_KEY;
        }
        break;
    case KW_NEAR_ROLE_WRITE_ALL:
        return KW_NEAR_MARK_ALL;
    case KW_NEAR_ROLE_EXEC:
        if (request->run != NULL && request->run->is_read_only) {
            return KW_NEAR_MARK_NONE;
        }
        is_blocking = false; /* inside a transaction nothing blocks */
        break;
    case KW_NEAR_ROLE_WRITE_SLOT:
        if (!is_blocking && names_few_keys(request)) {
            return KW_NEAR_MARK_KEYS;
        }
        break;
    default:
        KW_UNREACHABLE();
    }
    if (request->slot == KW_SLOT_NONE || (is_plain && !is_blocking)) {
        return KW_NEAR_MARK_ALL;
    }
    return is_blocking ? KW_NEAR_MARK_POP : KW_NEAR_MARK_SLOT;
}

/* Does it say which keys it writes, all of them, in so many arguments? */
static bool names_few_keys(const struct kw_request *request)
{
    struct kw_bytes names[KW_NEAR_ARGS_MAX];

    return request->command->group != KW_GROUP_SCRIPTING &&
           request->command->id < kw_command_count() && keys_cut(request, names) > 0;
}

/* The keys of REQUEST, which are in NAMES then; 0 when they can't be told, or there are many. */
static uint32_t keys_cut(const struct kw_request *request, struct kw_bytes *names)
{
    struct kw_bytes argv[KW_NEAR_ARGS_MAX];
    struct kw_keys keys;
    size_t argc = kw__variant_cut(kw_call_bytes(&request->call), argv, KW_NEAR_ARGS_MAX);

    if (argc > KW_NEAR_ARGS_MAX ||
        kw_keys_find(request->command, argv, argc, &keys) != KW_KEYS_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < keys.count; i++) {
        names[i] = argv[kw_keys_at(&keys, i)];
    }
    return keys.count;
}

static void keys_begin(struct kw_near *near, struct kw_request *request)
{
    struct kw_bytes names[KW_NEAR_ARGS_MAX];
    struct kw_cache_worker *worker = kw__near_awake(near);
    uint32_t count = 1;

    if (request->near == KW_NEAR_MARK_KEY) {
        struct kw_bytes argv[8];
        (void)kw__variant_cut(kw_call_bytes(&request->call), argv, sizeof argv / sizeof argv[0]);
        names[0] = argv[kw_keys_single(request->command)];
    } else {
        count = keys_cut(request, names);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct kw_cache_key key = kw_cache_key(worker, names[i], kw_bytes_of("", 0));
        request->near_hash = key.hash; /* W1: of a single one, so that it need not be cut again */
        atomic_fetch_add(&near->shared->key_writes[key.hash % KW_NEAR_BUCKETS], 1);
        if (kw_cache_may_have(worker, key.hash)) {
            (void)kw_cache_invalidate(worker, &key);
        }
        kw_hot_write(near->hot, key.hash);
    }
}

static void keys_end(struct kw_near *near, const struct kw_request *request)
{
    struct kw_bytes names[KW_NEAR_ARGS_MAX];
    uint32_t count = keys_cut(request, names);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = kw_cache_key(near->worker, names[i], kw_bytes_of("", 0)).hash;
        atomic_fetch_sub(&near->shared->key_writes[hash % KW_NEAR_BUCKETS], 1);
    }
}
