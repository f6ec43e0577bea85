/* stripes.c - the locks of names: which a command needs, and how they are taken.
 *
 * A command with several keys, or a batch, changes names one after the other. Readers of one key
 * take no lock; so while such a command runs, the `turn` of its stripes is odd, and a reader who
 * sees that, or sees it change, looks again under the lock (keyspace.c). Thus others see all of it
 * or nothing.
 *
 * INVARIANTS
 * P1  Stripes are locked in ascending order, all at once: no two commands wait for each other.
 * P2  A turn is written under its stripe's lock; it is even when nobody holds the lock.
 */
#include "store/internal.h"

static void set_fill(struct kw_stripe_set *set);
static bool has_patterns(const struct kw_bytes *argv, size_t argc);

unsigned kw__stripes_want(struct kw_store_worker *worker, struct kw_stripe_set *set,
                          const struct kw_command *command, const struct kw_bytes *argv,
                          size_t argc)
{
    const struct kw_store_row *row = &worker->store->rows[command->id];
    struct kw_keys keys;

    if (row->run == NULL) {
        return 0;
    }
    if (row->stripes == KW_STRIPES_ALL) {
        set_fill(set);
        return KW_STRIPES_COUNT;
    }
    if (row->stripes == KW_STRIPES_PATTERNS && has_patterns(argv, argc)) {
        set_fill(set);
    }
    /* Of an ill-formed command no key is touched: it answers with its error. */
    (void)kw_keys_find(command, argv, argc, &keys);
    for (uint32_t i = 0; i < keys.count; i++) {
        struct kw_cache_key key = kw__key_of(worker, argv[kw_keys_at(&keys, i)]);
        kw__stripes_add(set, kw__stripe_of(key.hash));
    }
    return keys.count;
}

void kw__stripes_take(struct kw_store_worker *worker, const struct kw_stripe_set *set,
                      bool is_turned)
{
    for (unsigned word = 0; word < KW_STRIPE_WORDS; word++) { /* P1 */
        for (uint64_t bits = set->bits[word]; bits != 0; bits &= bits - 1) {
            struct kw_stripe *stripe =
                &worker->store->stripes[word * 64 + (unsigned)__builtin_ctzll(bits)];
            pthread_mutex_lock(&stripe->lock);
            if (is_turned) {
                uint32_t turn = atomic_load_explicit(&stripe->turn, memory_order_relaxed);
                KW_DEBUG_ASSERT((turn & 1) == 0); /* P2 */
                atomic_store_explicit(&stripe->turn, turn + 1, memory_order_seq_cst);
            }
        }
    }
    worker->held = *set;
}

void kw__stripes_give(struct kw_store_worker *worker, bool is_turned)
{
    for (unsigned word = 0; word < KW_STRIPE_WORDS; word++) {
        for (uint64_t bits = worker->held.bits[word]; bits != 0; bits &= bits - 1) {
            struct kw_stripe *stripe =
                &worker->store->stripes[word * 64 + (unsigned)__builtin_ctzll(bits)];
            if (is_turned) {
                uint32_t turn = atomic_load_explicit(&stripe->turn, memory_order_relaxed);
                atomic_store_explicit(&stripe->turn, turn + 1, memory_order_release);
            }
            pthread_mutex_unlock(&stripe->lock);
        }
    }
    worker->held = (struct kw_stripe_set){{0}};
}

static void set_fill(struct kw_stripe_set *set)
{
    memset(set->bits, 0xff, sizeof set->bits);
}

/* True when SORT's BY or GET name keys by a star. */
static bool has_patterns(const struct kw_bytes *argv, size_t argc)
{
    for (size_t i = 2; i + 1 < argc; i++) {
        bool is_pattern = kw_bytes_equal_nocase(argv[i], KW_BYTES("BY")) ||
                          kw_bytes_equal_nocase(argv[i], KW_BYTES("GET"));
        if (is_pattern && memchr(argv[i + 1].data, '*', argv[i + 1].len) != NULL) {
            return true;
        }
    }
    return false;
}
