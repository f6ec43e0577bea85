/* trial.h - what it would be worth to fetch a key that was read once, whichever it is.
 *
 * Thread: the detector's. Memory: a fixed piece of it.
 * See also: hot.h (who takes chances by it), trial.c (how it is found out).
 */
#ifndef KW_CACHE_HOT_TRIAL_H
#define KW_CACHE_HOT_TRIAL_H

#include "cache/hot/fingerprint.h"

#include <stdint.h>

enum { KW_TRIALS = 1024 };

/* A key that was read, and the cache did not have: what would keeping it have been worth? */
struct kw_trial {
    uint32_t fingerprint; /* 0: free */
    int32_t reads;
    int32_t writes;
};

/* All zero: nothing is known. */
struct kw_trials {
    uint32_t worth; /* reads that any value would have for its fill, by the last round */
    unsigned windows;
    unsigned count;                    /* of keys that are watched */
    unsigned looks;                    /* at reads of these */
    struct kw_trial trials[KW_TRIALS]; /* by hash */
};

static inline struct kw_trial *kw__trial_of(struct kw_trials *trials, uint64_t hash)
{
    return &trials->trials[(hash >> 24) % KW_TRIALS];
}

/* The key of HASH had READS and WRITES: it counts if it is watched. */
void kw__trial_look(struct kw_trials *trials, uint64_t hash, int32_t reads, int32_t writes);

/* The key of HASH was read: from now on it is watched, if there is a place. In a round's first
 * window only: all are watched for about as long.
 */
static inline void kw__trial_begin(struct kw_trials *trials, uint64_t hash)
{
    struct kw_trial *trial = kw__trial_of(trials, hash);

    if (trials->windows == 0 && trial->fingerprint == 0) {
        trial->fingerprint = kw__fingerprint_of(hash);
        trials->count++;
    }
}

/* A window has ended; with it perhaps a round, which says what any value is worth. */
void kw__trials_tick(struct kw_trials *trials);

#endif
