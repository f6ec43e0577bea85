/* refill.c - a value that was used often, and has changed, is fetched again before it is missed.
 *
 * A hot key that is written is read again at once. Without this it would be missed by all until
 * somebody's read is answered that is looked at, one in some, and then until the fill is. Hot is
 * whose value was used. When it was a client of this keyway who wrote, also who is known to be hot:
 * the detector knows of that write. So a key that is written by many at once is fetched again
 * although its values live too shortly to be used, or were still being fetched.
 *
 *   a write through keyway    judged when it begins; when it is answered its name waits for a tick,
 *                             then it is fetched
 *   the node's invalidation   judged and fetched at once
 *
 * Why the tick: the node sends its invalidation for that very write right behind its reply, to a
 * connection of its own. It would break the promise of a fill that is begun before it is read.
 *
 * A value with fewer than KW_HOT_HITS_MIN hits was not worth its fill. That happens to good keys,
 * too: one that is read nineteen times as often as it is written has one such life in five. So
 * good lives are set off against bad ones, and only who has LIVES_BAD more of these is banned.
 * Keys share their balances by chance; a good one makes up for a bad one then.
 */
#include "proxy/near/refill.h"

#include "base/mem.h"
#include "cache/cache_extra.h"
#include "net/timer.h"
#include "proxy/origin/fill.h"

#include <stdio.h>

enum {
    LIVES_BAD = 8,
    WAITING_MAX = 1024, /* names: more are fetched when they are read */
    S3FIFO_USES_MAX = 3 /* it does not count further */
};

struct waiting {
    struct kw_list all; /* in near->refills, or in near->refills_due */
    uint16_t slot;
    size_t name_len;
    char name[];
};

static unsigned uses_min(const struct kw_near *near);
static void waiting_free(struct kw_near *near, struct waiting *waiting);

void kw__refill_init(struct kw_near *near)
{
    kw_list_init(&near->refills);
    kw_list_init(&near->refills_due);
}

void kw__refill_deinit(struct kw_near *near)
{
    struct kw_list *lists[] = {&near->refills, &near->refills_due};

    for (size_t i = 0; i < 2; i++) {
        while (!kw_list_is_empty(lists[i])) {
            waiting_free(near, KW_LIST_ENTRY(lists[i]->next, struct waiting, all));
        }
    }
}

bool kw__refill_judge(struct kw_near *near, struct kw_bytes name, uint64_t hash, uint16_t slot)
{
    uint8_t *balance = &near->lives[hash % KW_NEAR_LIVES];
    struct kw_near_read get = kw__variant_get(near, name, 2);
    struct kw_cache_found found;
    struct kw_cache_usage usage;
    struct kw_near_key key;

    KW_ASSERT(get.slot == slot);
    if (!kw__variant_make(near, &get, &key) || !kw_cache_peek(near->worker, &key.key, &found)) {
        return false;
    }
    kw_cache_usage(near->worker, &found, &usage);
    if (!usage.has_uses) {
        return true; /* this policy does not know */
    }
    if (usage.uses_count >= uses_min(near)) {
        *balance = *balance == 0 ? 0 : (uint8_t)(*balance - 1);
        return true;
    }
    if (++*balance >= LIVES_BAD) {
        *balance = 0;
        kw_hot_ban(near->hot, hash);
    }
    return false;
}

void kw__refill_soon(struct kw_near *near, struct kw_bytes name, uint16_t slot)
{
    if (near->refills_count >= WAITING_MAX || near->is_stopped) {
        return;
    }
    struct waiting *waiting = kw_alloc(sizeof *waiting + name.len);
    waiting->slot = slot;
    waiting->name_len = name.len;
    memcpy(waiting->name, name.data, name.len);
    kw_list_init(&waiting->all);
    kw_list_append(&near->refills, &waiting->all);
    near->refills_count++;
}

void kw__refill_now(struct kw_near *near, struct kw_bytes name, uint16_t slot)
{
    struct kw_near_read get = kw__variant_get(near, name, 2);
    struct kw_near_key key;
    char head[32];

    KW_ASSERT(get.slot == slot);
    if (kw__near_is_moving(near, slot) || !kw__variant_make(near, &get, &key) ||
        kw_hot_is_banned(near->hot, key.key.hash)) {
        return;
    }
    size_t head_len = (size_t)snprintf(head, sizeof head, "$%zu\r\n", name.len);
    struct kw_bytes wire[] = {
        KW_BYTES("*2\r\n$3\r\nGET\r\n"), {head, head_len}, name, KW_BYTES("\r\n")};
    kw__fill_start(near, &get, &key, wire, sizeof wire / sizeof wire[0]);
}

void kw__refill_tick(struct kw_near *near)
{
    if (near->refills_count == 0 || near->is_stopped) {
        return;
    }
    (void)kw__near_awake(near);
    while (!kw_list_is_empty(&near->refills_due)) {
        struct waiting *waiting = KW_LIST_ENTRY(near->refills_due.next, struct waiting, all);
        kw__refill_now(near, kw_bytes_of(waiting->name, waiting->name_len), waiting->slot);
        waiting_free(near, waiting);
    }
    while (!kw_list_is_empty(&near->refills)) {
        struct kw_list *next = near->refills.next;
        kw_list_remove(next);
        kw_list_append(&near->refills_due, next);
    }
    if (!kw_list_is_empty(&near->refills_due)) {
        kw_timer_start(near->timer, 0); /* another tick, though nothing else may happen */
    }
}

static unsigned uses_min(const struct kw_near *near)
{
    return near->proxy->config->cache_eviction == KW_CACHE_S3FIFO ? S3FIFO_USES_MAX
                                                                  : KW_HOT_HITS_MIN;
}

static void waiting_free(struct kw_near *near, struct waiting *waiting)
{
    kw_list_remove(&waiting->all);
    near->refills_count--;
    kw_free(waiting);
}
