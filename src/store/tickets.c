/* tickets.c - WATCH: a note that says whether a name has changed since.
 *
 * Tickets hang at the stripe of their name. A change looks whether there are any (one load), and
 * then breaks those of its name; expiry and eviction do the same without the stripe's lock, so the
 * lists have one of their own, taken last of all.
 *
 * A name without a value when its ticket was made is not broken by a flush, as in redis.
 */
#include "base/mem.h"
#include "store/internal.h"

struct kw_store_ticket {
    struct kw_store_ticket *next;
    struct kw_store_ticket **link; /* what points to it */
    struct kw_cache_key key;       /* its name is text[] */
    uint64_t deadline_ms;          /* of what was there; KW_DEADLINE_NONE without one */
    bool has_value;                /* there was something, and it was not over */
    _Atomic bool is_broken;
    char text[];
};

struct kw_store_ticket *kw_store_ticket_get(struct kw_store_worker *worker, struct kw_bytes name)
{
    struct kw_store *store = worker->store;
    struct kw_store_ticket *ticket = kw_alloc(sizeof *ticket + name.len);
    struct kw_cache_found found;

    memcpy(ticket->text, name.data, name.len);
    worker->key_last = (struct kw_cache_key){0};
    ticket->key = kw_cache_key(worker->cache, kw_bytes_of(ticket->text, name.len), KW_BYTES(""));
    atomic_init(&ticket->is_broken, false);
    unsigned number = kw__stripe_of(ticket->key.hash);
    struct kw_stripe *stripe = &store->stripes[number];
    bool is_held = kw__stripes_have(&worker->held, number);
    if (!is_held) {
        pthread_mutex_lock(&stripe->lock);
    }
    pthread_mutex_lock(&store->tickets_lock);
    ticket->next = stripe->tickets;
    ticket->link = &stripe->tickets;
    if (ticket->next != NULL) {
        ticket->next->link = &ticket->next;
    }
    stripe->tickets = ticket;
    atomic_fetch_add_explicit(&stripe->tickets_count, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&store->tickets_lock);
    ticket->has_value = kw_cache_peek(worker->cache, &ticket->key, &found);
    ticket->deadline_ms = ticket->has_value ? found.deadline_ms : KW_DEADLINE_NONE;
    if (!is_held) {
        pthread_mutex_unlock(&stripe->lock);
    }
    return ticket;
}

bool kw_store_ticket_holds(struct kw_store_worker *worker, const struct kw_store_ticket *ticket)
{
    bool is_over = ticket->deadline_ms != KW_DEADLINE_NONE && ticket->deadline_ms <= worker->now_ms;

    return !is_over && !atomic_load_explicit(&ticket->is_broken, memory_order_acquire);
}

void kw_store_ticket_put(struct kw_store_worker *worker, struct kw_store_ticket **ticket)
{
    struct kw_store *store = worker->store;
    struct kw_store_ticket *old = *ticket;

    if (old == NULL) {
        return;
    }
    pthread_mutex_lock(&store->tickets_lock);
    *old->link = old->next;
    if (old->next != NULL) {
        old->next->link = old->link;
    }
    atomic_fetch_sub_explicit(&store->stripes[kw__stripe_of(old->key.hash)].tickets_count, 1,
                              memory_order_relaxed);
    pthread_mutex_unlock(&store->tickets_lock);
    kw_free(old);
    *ticket = NULL;
}

void kw__tickets_break(struct kw_store_worker *worker, const struct kw_cache_key *key)
{
    struct kw_stripe *stripe = &worker->store->stripes[kw__stripe_of(key->hash)];

    if (__builtin_expect(atomic_load_explicit(&stripe->tickets_count, memory_order_relaxed) == 0,
                         1)) {
        return;
    }
    pthread_mutex_lock(&worker->store->tickets_lock);
    for (struct kw_store_ticket *ticket = stripe->tickets; ticket != NULL; ticket = ticket->next) {
        if (ticket->key.hash == key->hash && kw_bytes_equal(ticket->key.name, key->name)) {
            atomic_store_explicit(&ticket->is_broken, true, memory_order_release);
        }
    }
    pthread_mutex_unlock(&worker->store->tickets_lock);
}

void kw__tickets_break_all(struct kw_store_worker *worker)
{
    struct kw_store *store = worker->store;
    struct kw_cache_found found;

    pthread_mutex_lock(&store->tickets_lock);
    for (size_t i = 0; i < KW_STRIPES_COUNT; i++) {
        for (struct kw_store_ticket *ticket = store->stripes[i].tickets; ticket != NULL;
             ticket = ticket->next) {
            if (kw_cache_peek(worker->cache, &ticket->key, &found)) {
                atomic_store_explicit(&ticket->is_broken, true, memory_order_release);
            }
        }
    }
    pthread_mutex_unlock(&store->tickets_lock);
}
