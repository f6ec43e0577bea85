/* trial.c - watches some keys that are past the cache, and counts what a fill would have served.
 *
 *     round     | window 0      | window 1      | window 2      | window 3      | judged, anew
 *                 keys come in    their reads and writes are counted
 *
 * A trial watches some keys that were just read past the cache, drawn by the reads that are looked
 * at. Every four windows it is known how many reads one fill would have served, on average, before
 * somebody writes the key, or its value is too old; later when hardly any of them was seen again,
 * as one of very many keys that comes twice says too much.
 *
 * Cost: a look-up by the hash for each key that is looked at.
 */
#include "cache/hot/trial.h"

#include <string.h>

enum {
    TRIALS_MIN = 16,       /* fewer say nothing ... */
    READS_MIN = 4,         /* ... nor do fewer looks at reads of them: the round goes on ... */
    ROUND_PARTS_MAX = 4,   /* ... so much longer, at most */
    TRIAL_WINDOWS = 4,     /* a round of trials */
    TRIAL_LIFE_ROUNDS = 8, /* what a value may live, if nobody writes it: half a minute */
    COUNT_MAX = 1 << 24
};

static int32_t count_within(int64_t count);
static void trials_judge(struct kw_trials *trials, unsigned parts);

void kw__trial_look(struct kw_trials *trials, uint64_t hash, int32_t reads, int32_t writes)
{
    struct kw_trial *trial = kw__trial_of(trials, hash);

    if (trial->fingerprint == kw__fingerprint_of(hash)) {
        trials->looks += reads > 0 ? 1 : 0;
        trial->reads = count_within((int64_t)trial->reads + reads);
        trial->writes = count_within((int64_t)trial->writes + writes);
    }
}

void kw__trials_tick(struct kw_trials *trials)
{
    unsigned parts = ++trials->windows / TRIAL_WINDOWS;

    if (trials->windows % TRIAL_WINDOWS == 0 &&
        (trials->looks >= READS_MIN || trials->count < TRIALS_MIN || parts == ROUND_PARTS_MAX)) {
        trials_judge(trials, parts);
    }
}

static int32_t count_within(int64_t count)
{
    return count < COUNT_MAX ? (int32_t)count : COUNT_MAX;
}

/* The reads that a fill would serve, on average: until somebody writes, or the value is too old.
 * The round had so many PARTS.
 */
static void trials_judge(struct kw_trials *trials, unsigned parts)
{
    uint64_t reads = 0;
    uint64_t writes = 0;

    for (unsigned i = 0; i < KW_TRIALS; i++) {
        reads += (uint64_t)trials->trials[i].reads;
        writes += (uint64_t)trials->trials[i].writes;
    }
    if (trials->count >= TRIALS_MIN) {
        trials->worth = (uint32_t)(reads * TRIAL_LIFE_ROUNDS /
                                   (parts * trials->count + writes * TRIAL_LIFE_ROUNDS));
    }
    memset(trials->trials, 0, sizeof trials->trials);
    trials->count = 0;
    trials->looks = 0;
    trials->windows = 0;
}
