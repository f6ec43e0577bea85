/* answer.c - a read: is its reply here?
 *
 * What the look ahead has seen in its bucket (known, ahead.h), and what the filter calls warm, is
 * looked up; all else is cold, and sent.
 *
 * An entry is used when all of this holds: it is of the slot's present generation, no deadline is
 * over, its origin is connected (the cache knows these), the node gave a sign of life within the
 * lease (R4), and it did so since somebody saw a key of the slot elsewhere (R3, read.c).
 *
 * What has no entry of its own may be in GET's (derived.c).
 *
 * MGET, and EXISTS, is answered when each of its keys has an entry of GET. Keys of one slot are
 * read by a node in one step: so when all are found, and their node has told of all that was
 * changed before the youngest was fetched (with broadcasts that takes a moment), they are looked up
 * once more, and must be the same entries. All of them were there at the moment between. When some
 * are not found, those that share their slot with no other one are answered each on its own
 * (gather/bunch.c).
 *
 * Large values leave by reference: their entries are lent until the client has read them. One that
 * was evicted, invalidated or flushed meanwhile keeps its memory until then. The cache's ceiling
 * stands, others find less room: so what is lent is bounded, a share of the cache for each worker,
 * and above it values are copied as small ones are.
 *
 * INVARIANTS
 * A1  a client in any mode, of another database, between WATCH and EXEC, or that has asked for
 *     it, is never answered from memory (R6).
 * A2  nor is a read that would overtake a request of its own client that may touch its key (R5).
 * A3  lent_bytes is the sum of what is in near->loans.
 * A4  the slot of a request that is not answered is among its client's slots_ahead; perhaps others
 *     are. So the queue is looked at only for a slot that is.
 */
#include "proxy/near/near.h"

#include "proxy/near/derived.h"
#include "proxy/near/touch.h"
#include "proxy/origin/fill.h"
#include "proxy/reply.h"

enum {
    LOOK_MAX = 64,  /* requests in the queue: behind more, a reply from memory gains nothing */
    LENT_SHARE = 4, /* a quarter of the cache, for all workers together */
};

static bool name_is_cold(struct kw_near_brief *near, struct kw_bytes name,
                         const struct kw_near_known **known, struct kw_target *target);
static void cold_pass(const struct kw_client *client, enum kw_near_role role, struct kw_bytes name,
                      struct kw_target *target);
static void cold_look(struct kw_near *near, struct kw_bytes name, struct kw_target *target);
static uint8_t mark_of_heat(enum kw_heat heat);
static enum kw_verdict answer_warm(struct kw_client *client, const struct kw_command *command,
                                   enum kw_near_role role, const struct kw_near_known *known,
                                   struct kw_target *target);
static enum kw_verdict answer_key(struct kw_client *client, const struct kw_command *command,
                                  enum kw_near_role role, const struct kw_near_known *known,
                                  struct kw_target *target);
static enum kw_verdict answer_get(struct kw_client *client, const struct kw_near_known *known,
                                  struct kw_target *target);
static enum kw_verdict answer_whole(struct kw_client *client, const struct kw_command *command,
                                    const struct kw_near_known *known, struct kw_target *target);
static bool may_tell(struct kw_client *client, const struct kw_near_known *known,
                     const struct kw_cache_found *found, struct kw_target *target);
static struct kw_near_read read_of(const struct kw_client *client, const struct kw_command *command,
                                   enum kw_near_role role);
static void answer_found(struct kw_client *client, const struct kw_cache_found *found);
static enum kw_verdict answer_keys(struct kw_client *client, const struct kw_command *command,
                                   enum kw_near_role role);
static bool keys_find(struct kw_near *near, const struct kw_near_read *read, bool is_again);
static bool slot_is_told(const struct kw_near_shared *shared, uint16_t slot, uint16_t domain);
static bool key_find(struct kw_near *near, struct kw_bytes name, int proto,
                     struct kw_cache_found *found, uint64_t *hash);
static int64_t keys_there(const struct kw_near *near, const struct kw_near_read *read);
static bool near_may_answer(struct kw_client *client, uint16_t slot);
static bool queue_lets_pass(struct kw_client *client, uint16_t slot);
static void missed(struct kw_near *near, struct kw_target *target);
static void absent(struct kw_near *near, struct kw_target *target);
static bool near_has_heard(struct kw_near *near, uint16_t slot, uint16_t domain);
static void found_append(struct kw_near *near, struct kw_buf *buf,
                         const struct kw_cache_found *found);
static void loan_on_return(struct kw_loan *loan);
static struct kw_bytes found_reply(const struct kw_cache_found *found, int proto);

enum kw_verdict kw_near_answer(struct kw_client *client, const struct kw_command *command,
                               struct kw_target *target)
{
    struct kw_near_brief *near = &client->proxy->near_brief;
    enum kw_near_role role = kw__role_in(near->roles, command);
    const struct kw_near_known *known = NULL;

    if (role - 1u < KW_NEAR_ROLE_OF_KEY_MAX) {
        struct kw_bytes name = client->proxy->argv.items[command->keys[0].begin];
        if (role == KW_NEAR_ROLE_WRITE_KEY) {
            target->near_hash = kw__warm_note_ahead(near->warm, name);
            target->near_mark = KW_NEAR_MARK_UNSEEN_WRITE;
            return KW_NEXT;
        }
        if (name_is_cold(near, name, &known, target)) {
            cold_pass(client, role, name, target);
            return KW_NEXT;
        }
    }
    return answer_warm(client, command, role, known, target);
}

/* If it is, TARGET has its note. If not, *KNOWN is what the look ahead has seen of it, or NULL. */
static inline bool name_is_cold(struct kw_near_brief *near, struct kw_bytes name,
                                const struct kw_near_known **known, struct kw_target *target)
{
    const struct kw_near_known *next = kw__ahead_take(near, name);

    if (next != NULL && next->state == KW_NEAR_KNOWN_COLD) {
        target->near_hash = next->note;
        target->slot = next->slot;
        return true;
    }
    bool is_here = next != NULL && next->state == KW_NEAR_KNOWN_HERE;
    *known = is_here ? next : NULL;
    return !is_here && kw__warm_is_cold(near->warm, kw__warm_place(name), &target->near_hash);
}

/* Nothing is kept of NAME, which is read: TARGET knows what to do when it is answered. */
static inline void cold_pass(const struct kw_client *client, enum kw_near_role role,
                             struct kw_bytes name, struct kw_target *target)
{
    struct kw_proxy *proxy = client->proxy;

    target->near_mark = KW_NEAR_MARK_COLD;
    if (role == KW_NEAR_ROLE_READ_KEY) {
        return;
    }
    if (client->db != 0) {
        target->near_mark = KW_NEAR_MARK_NONE;
        return;
    }
    KW_STAT_ADD(proxy->stats, near_cache_misses, 1);
    if (kw_hot_is_due(proxy->near_brief.hot)) {
        cold_look(proxy->near, name, target);
    }
}

/* The sketch of hot keys is told of a read of a cold one. */
static KW_APART void cold_look(struct kw_near *near, struct kw_bytes name, struct kw_target *target)
{
    uint64_t hash = kw_cache_key(near->worker, name, kw_bytes_of("", 0)).hash;

    kw_hot_tick(near->hot, kw_loop_now_us(near->proxy->loop) / 1000); /* the cache may sleep on */
    enum kw_heat heat = kw_hot_read(near->hot, hash, 0);
    if (heat != KW_HEAT_NONE) {
        target->near_mark = mark_of_heat(heat);
        target->near_hash = hash;
    }
}

/* Of a read whose key is known. */
static uint8_t mark_of_heat(enum kw_heat heat)
{
    return heat == KW_HEAT_HOT      ? KW_NEAR_MARK_HOT
           : heat == KW_HEAT_CHANCE ? KW_NEAR_MARK_CHANCE
                                    : KW_NEAR_MARK_KNOWN;
}

static KW_APART enum kw_verdict answer_warm(struct kw_client *client,
                                            const struct kw_command *command,
                                            enum kw_near_role role,
                                            const struct kw_near_known *known,
                                            struct kw_target *target)
{
    struct kw_proxy *proxy = client->proxy;
    enum kw_verdict verdict = KW_NEXT;

    if (client->db != 0) {
        return KW_NEXT; /* writes.c counts it, or has read.c look at its reply */
    }
    if (role == KW_NEAR_ROLE_GET || role == KW_NEAR_ROLE_WHOLE) {
        verdict = answer_key(client, command, role, known, target);
    } else if (role == KW_NEAR_ROLE_MGET || role == KW_NEAR_ROLE_EXISTS) {
        verdict = answer_keys(client, command, role);
    } else {
        return KW_NEXT; /* the same */
    }
    if (verdict == KW_ANSWERED) {
        KW_STAT_ADD(proxy->stats, near_cache_hits, 1);
    } else {
        KW_STAT_ADD(proxy->stats, near_cache_misses, 1);
    }
    return verdict;
}

/* KNOWN may be NULL. */
static inline enum kw_verdict answer_key(struct kw_client *client, const struct kw_command *command,
                                         enum kw_near_role role, const struct kw_near_known *known,
                                         struct kw_target *target)
{
    struct kw_proxy *proxy = client->proxy;
    const struct kw_cache_worker *worker = kw__near_awake(proxy->near);
    struct kw_near_known own;

    if (known == NULL) {
        own.name = proxy->argv.items[kw_keys_single(command)];
        own.hash = kw_cache_key(worker, own.name, kw_bytes_of("", 0)).hash;
        own.slot = kw_slot_of_key(own.name);
        known = &own;
    }
    target->slot = known->slot;
    target->near_hash = known->hash;
    target->near_mark = KW_NEAR_MARK_KNOWN;
    return role == KW_NEAR_ROLE_GET ? answer_get(client, known, target)
                                    : answer_whole(client, command, known, target);
}

static inline enum kw_verdict answer_get(struct kw_client *client,
                                         const struct kw_near_known *known,
                                         struct kw_target *target)
{
    struct kw_near *near = client->proxy->near;
    uint32_t generation = kw__near_generation(near->shared, known->slot);
    struct kw_cache_key key = kw__variant_of_get(known->name, known->hash, &generation);
    struct kw_cache_found found;

    /* The look-up first: it is cheap and mostly in vain, a look at a long queue is not. */
    bool is_found = kw_cache_get(near->worker, &key, &found);
    if (!may_tell(client, known, is_found ? &found : NULL, target)) {
        return KW_NEXT;
    }
    answer_found(client, &found);
    return KW_ANSWERED;
}

static KW_APART enum kw_verdict answer_whole(struct kw_client *client,
                                             const struct kw_command *command,
                                             const struct kw_near_known *known,
                                             struct kw_target *target)
{
    struct kw_near *near = client->proxy->near;
    struct kw_near_read read = read_of(client, command, KW_NEAR_ROLE_WHOLE);
    struct kw_cache_found found;
    struct kw_near_key key;

    read.name = known->name;
    read.slot = known->slot;
    read.hash = known->hash;
    if (!kw__variant_make(near, &read, &key)) {
        return KW_NEXT;
    }
    bool is_own = kw_cache_get(near->worker, &key.key, &found);
    bool is_found = is_own || kw__derived_find(near, &read, &key, &found);
    if (!may_tell(client, known, is_found ? &found : NULL, target)) {
        return KW_NEXT;
    }
    if (!is_own) {
        return kw__derived_answer(client, &read, &found) ? KW_ANSWERED : KW_NEXT;
    }
    answer_found(client, &found);
    return KW_ANSWERED;
}

/* A hit, if FOUND may be told to CLIENT now. NULL: nothing was. Else TARGET goes to the node. */
static inline bool may_tell(struct kw_client *client, const struct kw_near_known *known,
                            const struct kw_cache_found *found, struct kw_target *target)
{
    struct kw_near *near = client->proxy->near;

    if (found == NULL) {
        absent(near, target);
        return false;
    }
    if (!near_may_answer(client, known->slot) ||
        !near_has_heard(near, known->slot, found->domain)) {
        missed(near, target);
        return false;
    }
    kw_hot_hit(near->hot, known->hash);
    return true;
}

/* What CLIENT asks for, but for its key. */
static struct kw_near_read read_of(const struct kw_client *client, const struct kw_command *command,
                                   enum kw_near_role role)
{
    const struct kw_argv *argv = &client->proxy->argv;

    return (struct kw_near_read){.command = command,
                                 .role = role,
                                 .argv = argv->items,
                                 .argc = argv->count,
                                 .proto = client->proto};
}

/* The read of a key that something may be kept of goes to the node. */
static void missed(struct kw_near *near, struct kw_target *target)
{
    if (kw_hot_is_due(near->hot)) {
        target->near_mark = mark_of_heat(kw_hot_read(near->hot, target->near_hash, 0));
    }
}

/* Nothing is kept of it. Why? */
static void absent(struct kw_near *near, struct kw_target *target)
{
    struct kw_stats *stats = near->proxy->stats;
    uint64_t hash = target->near_hash;

    if (atomic_load_explicit(&near->shared->key_writes[hash % KW_NEAR_BUCKETS],
                             memory_order_relaxed) != 0) {
        KW_STAT_ADD(stats, near_cache_missed_written, 1);
    } else if (kw_cache_may_have(near->worker, hash)) {
        KW_STAT_ADD(stats, near_cache_missed_fetched, 1);
    }
    missed(near, target);
}

static void answer_found(struct kw_client *client, const struct kw_cache_found *found)
{
    if (__builtin_expect(found->value.len <= KW_CACHE_COPY_MAX_BYTES, 1)) {
        kw_reply_whole(client, found_reply(found, client->proto));
        return;
    }
    found_append(client->proxy->near, kw_reply_begin(client), found);
    kw_reply_end(client);
}

static KW_APART enum kw_verdict answer_keys(struct kw_client *client,
                                            const struct kw_command *command,
                                            enum kw_near_role role)
{
    struct kw_near *near = client->proxy->near;
    struct kw_near_read read = read_of(client, command, role);
    bool is_of_several = read.argc > 2;

    if (read.argc < 2 || read.argc > KW_NEAR_ARGS_MAX) {
        return KW_NEXT;
    }
    (void)kw__near_awake(near);
    if (!keys_find(near, &read, false)) {
        return KW_NEXT;
    }
    for (size_t i = 1; i < read.argc; i++) {
        uint16_t slot = kw_slot_of_key(read.argv[i]);
        if (!near_may_answer(client, slot) ||
            (is_of_several && !slot_is_told(near->shared, slot, near->found[i].domain))) {
            return KW_NEXT;
        }
    }
    if (is_of_several && !keys_find(near, &read, true)) {
        return KW_NEXT;
    }
    struct kw_buf *buf = kw_reply_begin(client);
    if (read.role == KW_NEAR_ROLE_EXISTS) {
        kw_reply_int(buf, keys_there(near, &read));
    } else {
        kw_reply_array(buf, read.argc - 1);
    }
    for (size_t i = 1; i < read.argc && read.role == KW_NEAR_ROLE_MGET; i++) {
        const struct kw_cache_found *found = &near->found[i];
        if (found->value.len > KW_CACHE_COPY_MAX_BYTES) {
            found_append(near, buf, found);
        } else {
            kw_buf_append_bytes(buf, found_reply(found, client->proto));
        }
    }
    kw_reply_end(client);
    return KW_ANSWERED;
}

bool kw_near_answer_part(struct kw_client *client, struct kw_bytes name, uint16_t slot,
                         struct kw_bytes *value)
{
    struct kw_near *near = client->proxy->near;
    struct kw_cache_found found;
    uint64_t hash = 0;

    (void)kw__near_awake(near);
    if (client->db != 0 || !key_find(near, name, client->proto, &found, &hash) ||
        !near_may_answer(client, slot)) {
        return false;
    }
    kw_hot_hit(near->hot, hash);
    KW_STAT_ADD(near->proxy->stats, near_cache_hits, 1);
    *value = found_reply(&found, client->proto);
    return true;
}

/* Find each key of READ as GET would; IS_AGAIN: are they the same? */
static bool keys_find(struct kw_near *near, const struct kw_near_read *read, bool is_again)
{
    struct kw_cache_found found;
    uint64_t hash = 0;

    for (size_t i = 1; i < read->argc; i++) {
        if (!key_find(near, read->argv[i], read->proto, &found, &hash) ||
            (is_again && found.entry != near->found[i].entry)) {
            return false;
        }
        if (!is_again) {
            near->found[i] = found;
            kw_hot_hit(near->hot, hash);
        }
    }
    return true;
}

/* Has the node of DOMAIN told of all that was changed before what is kept of SLOT was fetched? */
static bool slot_is_told(const struct kw_near_shared *shared, uint16_t slot, uint16_t domain)
{
    return atomic_load(&shared->kept_us[slot]) <= atomic_load(&shared->heard_us[domain]);
}

/* What GET NAME would find, and may use. */
static bool key_find(struct kw_near *near, struct kw_bytes name, int proto,
                     struct kw_cache_found *found, uint64_t *hash)
{
    struct kw_near_read get = kw__variant_get(near, name, proto);
    struct kw_near_key key;

    if (!kw__variant_make(near, &get, &key) || !kw_cache_get(near->worker, &key.key, found) ||
        !near_has_heard(near, get.slot, found->domain)) {
        return false;
    }
    *hash = key.key.hash;
    return true;
}

/* How many of those that were found are there; who is named twice counts twice. */
static int64_t keys_there(const struct kw_near *near, const struct kw_near_read *read)
{
    int64_t count = 0;

    for (size_t i = 1; i < read->argc; i++) {
        count += near->found[i].kind != KW_NEAR_KIND_NULL ? 1 : 0;
    }
    return count;
}

/* A1, A2. */
static bool near_may_answer(struct kw_client *client, uint16_t slot)
{
    struct kw_proxy *proxy = client->proxy;

    if (client->modes != 0 || client->transaction != NULL || client->is_near_refused ||
        kw__near_is_moving(proxy->near, slot)) {
        KW_STAT_ADD(proxy->stats, near_cache_missed_refused, 1);
        return false;
    }
#ifndef KW_KNOCKOUT_PIPELINE
    if (client->inflight_count > 0 && (client->slots_ahead >> (slot % 64) & 1) != 0 &&
        !queue_lets_pass(client, slot)) {
        KW_STAT_ADD(proxy->stats, near_cache_missed_behind, 1);
        return false;
    }
    KW_DEBUG_ASSERT(client->queue_count > LOOK_MAX || queue_lets_pass(client, slot)); /* A4 */
#else
    (void)queue_lets_pass;
#endif
    return true;
}

/* Is no unanswered request of CLIENT about SLOT? Then it is known again what they are about. */
static KW_APART bool queue_lets_pass(struct kw_client *client, uint16_t slot)
{
    bool is_plain = kw_route_is_plain(client->proxy);
    uint64_t slots = 0;
    unsigned looked = 0;

    for (const struct kw_request *request = client->inflight_count > 0 ? client->oldest : NULL;
         request != NULL; request = request->next) {
        if (++looked > LOOK_MAX || kw__near_may_touch(request, slot, is_plain)) {
            return false;
        }
        slots |= request->state == KW_REQUEST_DONE ? 0 : kw_near_slots_of(request);
    }
    client->slots_ahead = slots;
    return true;
}

/* Has the node of DOMAIN told of changes within the lease, and since SLOT was seen elsewhere? */
static bool near_has_heard(struct kw_near *near, uint16_t slot, uint16_t domain)
{
    struct kw_near_shared *shared = near->shared;
    uint64_t heard_us = atomic_load_explicit(&shared->heard_us[domain], memory_order_acquire);
    struct kw_stats *stats = near->proxy->stats;

#ifndef KW_KNOCKOUT_LEASE
    if (heard_us + (uint64_t)near->proxy->config->near_cache_lease_ms * 1000 <= near->now_us) {
        KW_STAT_ADD(stats, near_cache_missed_unheard, 1);
        return false;
    }
#endif
    if (heard_us <= kw__near_seen_us(shared, slot)) {
        kw__fill_wish(near, slot, domain);
        KW_STAT_ADD(stats, near_cache_missed_unheard, 1);
        return false;
    }
    return true;
}

static struct kw_bytes found_reply(const struct kw_cache_found *found, int proto)
{
    if (found->kind == KW_NEAR_KIND_NULL) {
        return proto == 3 ? KW_BYTES("_\r\n") : KW_BYTES("$-1\r\n");
    }
    return found->value;
}

/* By reference when it is worth it. */
static void found_append(struct kw_near *near, struct kw_buf *buf,
                         const struct kw_cache_found *found)
{
    size_t lent_max =
        near->proxy->config->cache_max_memory_bytes / LENT_SHARE / near->shared->workers_count;

    if (near->lent_bytes + found->value.len > lent_max || !kw_cache_hold(near->worker, found)) {
        kw_buf_append_bytes(buf, found->value);
        return;
    }
    struct kw_loan *loan = kw_buf_append_loan(buf, found->value, loan_on_return);
    loan->lender = near;
    loan->item = found->entry;
    kw_list_append(&near->loans, &loan->all);
    near->lent_bytes += found->value.len; /* A3 */
}

void kw__near_recall_loans(struct kw_near *near)
{
    while (!kw_list_is_empty(&near->loans)) {
        kw_loan_copy(KW_LIST_ENTRY(near->loans.next, struct kw_loan, all));
    }
    KW_ASSERT(near->lent_bytes == 0); /* A3 */
}

static void loan_on_return(struct kw_loan *loan)
{
    struct kw_near *near = loan->lender;

    KW_ASSERT(near->lent_bytes >= loan->chunk->cap); /* A3 */
    near->lent_bytes -= loan->chunk->cap;
    kw_list_remove(&loan->all);
    kw_cache_release(near->worker, loan->item);
}
