/* hot.h - which keys are read so often, and written so seldom, that caching them pays.
 *
 * Each worker has a detector of its own. It sees the hashes of keys that its clients read and
 * write, and says of a read whether its key is hot by now. It remembers some 30,000 keys in a fixed
 * piece of memory, the busiest ones; what it says of the others is that they are not hot.
 *
 *     weight  what the last seconds say of a key: a read adds 1, a write takes 4 away, and eight
 *             windows of a second halve it. A key that is written as often as read is in debt.
 *     chance  it also watches what any key is worth that is read once. When that is enough some are
 *             called hot that it does not know: of ten thousands of keys, each read now and then.
 *     ban     a key whose cached value did not live to be used is left alone for a while.
 *
 * Thread: a detector belongs to one thread. Memory: KW_HOT_BYTES and a little more, never grows.
 * See also: hot.c (how), trial.h (what a chance is worth), ban.h, cache.h (whose hashes these are).
 */
#ifndef KW_CACHE_HOT_HOT_H
#define KW_CACHE_HOT_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kw_hot;

/* What a read says of its key. */
enum kw_heat {
    KW_HEAT_NONE = 0,
    KW_HEAT_CHANCE, /* it is one of many that nobody knows, and pays on average: it can wait, and
                       kw_hot_take_chance() has the last word */
    KW_HEAT_HOT
};

/* What a request that is not looked at costs: the detector begins with this. */
struct kw_hot_pace {
    uint32_t left; /* requests until one is looked at */
};

struct kw_hot_options {
    uint32_t
        reads_min; /* that make a key of at most KW_HOT_SIZE_UNIT hot; 1: all keys are, always */
    bool is_exact; /* look at each read, also when there are very many */
    uint64_t seed; /* of chance; the same seed and calls give the same answers */
};

enum {
    KW_HOT_BYTES = 272 * 1024,
    KW_HOT_READS_MIN = 8,    /* for reads_min: one invalidation costs as much as 1 to 6 reads */
    KW_HOT_SIZE_UNIT = 1024, /* a value of three of these has to be read three times as often */
    KW_HOT_WINDOW_MS = 1000, /* requests in one say how many are looked at */
    KW_HOT_HALF_WINDOWS = 8,
    KW_HOT_HITS_MIN = 4, /* a value with fewer, when it is invalidated, was not worth its fill */
    KW_HOT_BAN_MIN_MS = 1000,
    KW_HOT_BAN_MAX_MS = 64 * 1000
};

struct kw_hot *kw_hot_new(const struct kw_hot_options *options, uint64_t now_ms);
void kw_hot_free(struct kw_hot **hot);

/* The rest of kw_hot_is_due(). */
void kw__hot_pick(struct kw_hot *hot);

/* A key was read or written, and the cache did not have it. True: this one is to be looked at.
 * When there are few all are, else one in 2 to 32, by chance, or up to 1024 while none of them is
 * hot; it counts for as many.
 */
static inline bool kw_hot_is_due(struct kw_hot *hot)
{
    struct kw_hot_pace *pace = (struct kw_hot_pace *)hot;

    if (__builtin_expect(--pace->left != 0, 1)) {
        return false;
    }
    kw__hot_pick(hot);
    return true;
}

/* The key of HASH was read, is due, and the cache did not have it. Is it worth a fill?
 *
 * size_bytes  of the value, as far as it is known; 0: unknown
 */
enum kw_heat kw_hot_read(struct kw_hot *hot, uint64_t hash, size_t size_bytes);

/* HEAT was said of the key of HASH when the size of its value was unknown. Is it worth a fill of
 * SIZE_BYTES, too?
 */
bool kw_hot_is_worth(const struct kw_hot *hot, uint64_t hash, enum kw_heat heat, size_t size_bytes);

/* A fill by chance is about to begin. False: there were enough in this window. */
bool kw_hot_take_chance(struct kw_hot *hot);

/* The key of HASH was read, and the cache had it: keeps it known as hot until it is invalidated.
 * Looks at one hit in eight only, on average, and when it does at the one that it had picked the
 * time before: what it writes to has come near since.
 */
void kw_hot_hit(struct kw_hot *hot, uint64_t hash);

/* The key of HASH was written, and is due. Like a hit it may be counted when the next one is. */
void kw_hot_write(struct kw_hot *hot, uint64_t hash);

/* The value of HASH was invalidated before it had KW_HOT_HITS_MIN hits: not hot for
 * KW_HOT_BAN_MIN_MS, and for twice as long each time that this happens again soon.
 */
void kw_hot_ban(struct kw_hot *hot, uint64_t hash);

/* Is the key of HASH, which nobody reads now, known to be hot, or worth a chance? When each read is
 * enough to make its key hot, none is without one.
 */
bool kw_hot_is_hot(const struct kw_hot *hot, uint64_t hash);

/* Is there room for keys that are not known to be hot? At first there is none. */
void kw_hot_set_room(struct kw_hot *hot, bool has_room);

/* For who fills on behalf of other workers: is HASH banned here? */
bool kw_hot_is_banned(const struct kw_hot *hot, uint64_t hash);

/* It is NOW. Cheap; once a loop's tick. */
void kw_hot_tick(struct kw_hot *hot, uint64_t now_ms);

#endif
