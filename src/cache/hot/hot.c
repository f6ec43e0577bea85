/* hot.c - a sketch of the busiest keys: lines of eight fingerprints with their weights.
 *
 *     line   [ f0 f1 f2 f3 f4 f5 f6 f7 | w0 w1 w2 w3 w4 w5 w6 w7 ]       64 bytes, one cache line
 *
 * A key belongs to one line. Is it there, its weight changes. Is it not, it takes the place of the
 * lightest key there with the probability 1 / (lightest + 1), and its weight: so the line's sum is
 * right on average, a key that comes often gets in soon, and the thousands that come once hardly
 * ever push out one that is known. (Random admission; beside Count-Min, Space-Saving and
 * HeavyKeeper it finds more of the hot keys with less memory: a plain heap of the lightest is
 * displaced by each stranger, and a count that many keys share calls cold keys hot.)
 *
 * A write counts against its key, below zero too: what has a large weight of either sign is busy,
 * and stays known. A walk that may go below zero hardly ever comes up again when there are fewer
 * than four reads to a write; one that stops at zero would start anew after each write, and a
 * busy key would be called hot again and again.
 *
 * In a line of strangers the lightest is heavy, too, and who takes its place inherits that. So what
 * counts is by how much a key is above the lightest of its line: what it had itself, about.
 *
 * Weights are halved every eight windows: a value is worth its fill when it is read some times
 * before it is written or too old, however long that takes. A memory of some seconds sees keys that
 * are read once a second, of which there are many.
 *
 * Chance
 *
 * Keys by the ten thousand, each read once in some seconds, may be half of all reads, and no sketch
 * finds them. But each read of them is as good a reason to fetch it as any other: trials (trial.c)
 * say what that would bring. As long as that is as many reads as make a key hot, whoever is looked
 * at is fetched, if it is not in debt: a bounded number in each window, while there is room. What
 * gets in that way changes what is left: those that are read more rarely.
 *
 * A fill costs keyway as much as some pipelined requests do, and what it brings comes later. Who
 * gets nothing from the cache should not notice that: it pays for one fill in CHANCES_REQUESTS of
 * its requests. What goes beyond is paid for by hits, CHANCES_HITS for each: the more there are,
 * the faster there will be more.
 *
 * With many requests in a window only one in STEP is looked at, on average, and counts for as many:
 * 2 to 8, beyond VERY_MANY looks 16 or 32. The window before says how many; when there turn out to
 * be more, the step grows at once. Chance draws the distance to the next one: a fixed step would
 * see the same command of each pipeline. Then hot is who was seen SEEN_MIN times at least.
 *
 * A look costs what it takes to fetch a line from far away. So as long as looks find next to no key
 * that is hot, the next window has a 32nd of them, or a thousand, and one that finds some has all
 * of them again: a key that turns hot with one read in some hundred is seen within a second, many
 * small ones some seconds later. But there are twice as many as there are chances to be taken, and
 * all of them when chances were left over: then most of those that are looked at may not be kept.
 * Unless they are writes, nearly all: no look at those takes a chance.
 *
 * Who was seen once with a long step has its weight, and is not hot for that: when steps get much
 * shorter, weights do, too, so that each look still counts as one.
 *
 * A fingerprint is 32 bits beside the 10 that choose the line: two keys of some thousand are
 * taken for one another once in half a million.
 *
 * INVARIANTS
 * H1  A line has no fingerprint twice; 0 marks a free place, and has no weight.
 * H2  Weights stay between -DEBT_MAX and WEIGHT_MAX.
 */
#include "cache/hot/hot.h"

#include "base/assert.h"
#include "base/mem.h"
#include "cache/hot/ban.h"
#include "cache/hot/fingerprint.h"
#include "cache/hot/trial.h"

#include <stdlib.h>

enum {
    WAYS = 8,
    LINES = 4096,
    WEIGHT_MAX = 1 << 24,
    DEBT_MAX = 4095, /* nothing is left of it when a key was not written for 96 seconds */
    WRITE_WEIGHT = 4,
    HIT_STEP = 8,
    STEP_MAX = 32,
    SEEN_MIN = 3,
    /* Looks in a window, at most, until a step of 8; and with longer ones, which tell less. */
    MANY = 8 * 1024,
    VERY_MANY = 32 * 1024,
    SURGE = 4 * 1024,        /* looks in a window that did not expect them, until the step grows */
    WORTH_SHARE = 64,        /* looks are worth it when one in so many is of use */
    CALM = 5,                /* halvings, while they don't ... */
    LOOKS_MIN = 1024,        /* ... and so many in a window are left */
    LEAP = 4,                /* a step that is so much shorter than the one before */
    CHANCES_MAX = 4000,      /* fills by chance in a window: a percent or two of a processor */
    CHANCES_REQUESTS = 1024, /* past the cache, for one of them: costs these half a percent */
    CHANCES_HITS = 8         /* for one: about what makes a fill worth it */
};

/* Half of a line's fingerprints or weights. */
typedef int32_t quad __attribute__((vector_size(16)));

struct line {
    union {
        uint32_t fingerprint[WAYS];
        quad fingerprints[2];
    };
    union {
        int32_t weight[WAYS];
        quad weights[2];
    };
};

struct kw_hot {
    struct kw_hot_pace pace; /* first: kw_hot_is_due() */
    /* set once */
    uint32_t reads_min;
    bool is_exact;

    uint64_t chance;      /* state of the generator; never 0 */
    uint32_t to_hit;      /* hits until one is picked */
    uint64_t hit_hash;    /* of the key picked last: looked at when the next one is; 0: none yet */
    uint64_t write_hash;  /* the same of writes, while steps are long */
    int32_t step;         /* what a request that is looked at counts for */
    int32_t weight_min;   /* that makes a key hot, whatever its size */
    uint32_t looks_count; /* in this window */
    uint32_t reads_count; /* of them, at reads */
    uint32_t looks_left;  /* until the step grows */
    uint32_t finds_count; /* and at who was known to be hot */
    uint64_t past_count;  /* requests in this window, as far as the looks tell */
    uint64_t hits_count;  /* the same */
    uint64_t now_ms;
    uint64_t window_end_ms;
    unsigned aged_to;   /* the line to be aged next */
    struct line *lines; /* LINES of them, each in a cache line of its own */
    struct kw_ban *bans;

    bool has_room;
    uint32_t chances_left; /* in this window */
    struct kw_trials trials;
};

static void hot_set_step(struct kw_hot *hot, int32_t step);
static uint32_t hot_chances(const struct kw_hot *hot);
static int32_t hot_step(const struct kw_hot *hot, bool are_left_over);
static bool is_worth(const struct kw_hot *hot, uint32_t count);
static uint32_t looks_until_surge(const struct kw_hot *hot);
static bool hot_looks_at_all(const struct kw_hot *hot);
static uint32_t looks_max(int32_t step);
static int32_t hot_add(struct kw_hot *hot, uint64_t hash, int32_t weight);
static struct line *line_of(const struct kw_hot *hot, uint64_t hash);
static unsigned line_find(const struct line *line, uint32_t fingerprint);
static unsigned line_lightest(const struct line *line);
static int32_t weight_above(const struct line *line, int32_t weight);
static quad quad_abs(quad numbers);
static int32_t weight_within(int64_t weight);
static uint64_t chance_draw(struct kw_hot *hot);
static uint32_t chance_distance(struct kw_hot *hot, uint32_t step);
static uint32_t reads_for(const struct kw_hot *hot, size_t size_bytes);
static bool hot_pays_by_chance(const struct kw_hot *hot, size_t size_bytes);
static void hot_age(struct kw_hot *hot, uint64_t windows_count);
static void lines_age(struct line *lines, unsigned count, unsigned times);

_Static_assert(sizeof(struct line) == 64, "a look takes one cache line");
_Static_assert(LINES % KW_HOT_HALF_WINDOWS == 0, "hot_age() comes round");
_Static_assert(sizeof(struct line) * LINES + KW_BANS_BYTES == KW_HOT_BYTES, "what hot.h says");

struct kw_hot *kw_hot_new(const struct kw_hot_options *options, uint64_t now_ms)
{
    struct kw_hot *hot = kw_alloc_zero(1, sizeof *hot);

    KW_ASSERT(options->reads_min > 0);
    hot->reads_min = options->reads_min;
    hot->is_exact = options->is_exact;
    hot->chance = options->seed * 0x9E3779B97F4A7C15ULL | 1;
    hot->pace.left = 1;
    hot->to_hit = 1;
    hot->now_ms = now_ms;
    hot->window_end_ms = now_ms + KW_HOT_WINDOW_MS;
    hot->lines = kw_alloc_line(LINES, sizeof *hot->lines);
    hot->bans = kw__bans_new();
    hot_set_step(hot, 1);
    return hot;
}

void kw_hot_free(struct kw_hot **hot)
{
    kw_free((*hot)->lines);
    kw_free((*hot)->bans);
    kw_free(*hot);
    *hot = NULL;
}

void kw__hot_pick(struct kw_hot *hot)
{
    hot->pace.left = hot->step == 1 ? 1 : chance_distance(hot, (uint32_t)hot->step);
    hot->looks_count++;
    hot->past_count += (uint64_t)hot->step;
    if (--hot->looks_left == 0) {
        int32_t longest = STEP_MAX << (is_worth(hot, hot->finds_count) ? 0 : CALM);
        hot_set_step(hot,
                     hot->step < longest && !hot_looks_at_all(hot) ? 2 * hot->step : hot->step);
    }
}

enum kw_heat kw_hot_read(struct kw_hot *hot, uint64_t hash, size_t size_bytes)
{
    if (hot->reads_min == 1) {
        return KW_HEAT_HOT;
    }
    kw__trial_look(&hot->trials, hash, hot->step, 0);
    kw__trial_begin(&hot->trials, hash);
    hot->reads_count++;
    int32_t weight = hot_add(hot, hash, hot->step);
    if (weight >= hot->weight_min) {
        int32_t above = weight_above(line_of(hot, hash), weight);
        if (above >= hot->weight_min && (uint32_t)above >= reads_for(hot, size_bytes)) {
            hot->finds_count++;
            return kw_hot_is_banned(hot, hash) ? KW_HEAT_NONE : KW_HEAT_HOT;
        }
    }
    return weight > 0 && hot->chances_left > 0 && hot_pays_by_chance(hot, size_bytes) &&
                   !kw_hot_is_banned(hot, hash)
               ? KW_HEAT_CHANCE
               : KW_HEAT_NONE;
}

bool kw_hot_is_hot(const struct kw_hot *hot, uint64_t hash)
{
    const struct line *line = line_of(hot, hash);
    unsigned known = line_find(line, kw__fingerprint_of(hash));
    int32_t weight = known < WAYS ? line->weight[known] : 1;

    if (hot->reads_min == 1 || weight <= 0) {
        return false;
    }
    bool is_known_hot = known < WAYS && weight_above(line, weight) >= (int32_t)hot->reads_min;
    return (is_known_hot || hot_pays_by_chance(hot, 0)) && !kw_hot_is_banned(hot, hash);
}

void kw_hot_set_room(struct kw_hot *hot, bool has_room)
{
    hot->has_room = has_room;
}

bool kw_hot_is_worth(const struct kw_hot *hot, uint64_t hash, enum kw_heat heat, size_t size_bytes)
{
    if (heat == KW_HEAT_NONE || size_bytes <= KW_HOT_SIZE_UNIT || hot->reads_min == 1) {
        return heat != KW_HEAT_NONE;
    }
    if (heat == KW_HEAT_CHANCE) {
        return hot_pays_by_chance(hot, size_bytes);
    }
    const struct line *line = line_of(hot, hash);
    unsigned known = line_find(line, kw__fingerprint_of(hash));
    int32_t reads = (int32_t)reads_for(hot, size_bytes);
    return known < WAYS && weight_above(line, line->weight[known]) >= reads;
}

bool kw_hot_take_chance(struct kw_hot *hot)
{
    if (hot->chances_left == 0) {
        return false;
    }
    hot->chances_left--;
    return true;
}

void kw_hot_hit(struct kw_hot *hot, uint64_t hash)
{
    if (--hot->to_hit > 0) {
        return;
    }
    uint64_t before = hot->hit_hash;
    hot->hit_hash = hash;
    __builtin_prefetch(line_of(hot, hash), 1); /* by the next time it is near */
    hot->to_hit = chance_distance(hot, HIT_STEP);
    hot->hits_count += HIT_STEP;
    if (before != 0) {
        kw__trial_look(&hot->trials, before, HIT_STEP, 0);
        (void)hot_add(hot, before, HIT_STEP);
    }
}

void kw_hot_write(struct kw_hot *hot, uint64_t hash)
{
    uint64_t before = hot->write_hash;

    if (hot->reads_min == 1) {
        return;
    }
    if (hot->step < HIT_STEP) {
        hot->write_hash = 0;
        before = hash;
    } else {
        hot->write_hash = hash;
        __builtin_prefetch(line_of(hot, hash), 1);
        __builtin_prefetch(kw__trial_of(&hot->trials, hash));
    }
    if (before != 0) {
        kw__trial_look(&hot->trials, before, 0, hot->step);
        (void)hot_add(hot, before, -WRITE_WEIGHT * hot->step);
    }
}

void kw_hot_ban(struct kw_hot *hot, uint64_t hash)
{
    kw__ban_strike(hot->bans, hash, hot->now_ms);
}

bool kw_hot_is_banned(const struct kw_hot *hot, uint64_t hash)
{
    return hot->reads_min > 1 && kw__ban_is_on(hot->bans, hash, hot->now_ms);
}

void kw_hot_tick(struct kw_hot *hot, uint64_t now_ms)
{
    hot->now_ms = now_ms;
    if (now_ms < hot->window_end_ms) {
        return;
    }
    uint64_t windows = 1 + (now_ms - hot->window_end_ms) / KW_HOT_WINDOW_MS;
    hot->window_end_ms += windows * KW_HOT_WINDOW_MS;
    hot->past_count = windows == 1 ? hot->past_count : 0; /* of the last one */
    hot->hits_count = windows == 1 ? hot->hits_count : 0;
    hot_age(hot, windows);
    kw__trials_tick(&hot->trials);
    bool are_left_over = hot->chances_left > 0 && is_worth(hot, hot->reads_count);
    hot->chances_left = hot_chances(hot);
    hot_set_step(hot, hot_step(hot, are_left_over));
    hot->looks_left = looks_until_surge(hot);
    hot->looks_count = 0;
    hot->reads_count = 0;
    hot->finds_count = 0;
    hot->past_count = 0;
    hot->hits_count = 0;
}

static void hot_set_step(struct kw_hot *hot, int32_t step)
{
    uint32_t seen = step == 1 ? 1 : SEEN_MIN * (uint32_t)step;
    uint32_t reads = hot->reads_min < WEIGHT_MAX ? hot->reads_min : WEIGHT_MAX;

    if (hot->step >= LEAP * step) {
        lines_age(hot->lines, LINES, (unsigned)__builtin_ctz((unsigned)(hot->step / step)));
    }
    hot->write_hash = hot->step == step ? hot->write_hash : 0; /* it counted for another one */
    hot->step = step;
    hot->pace.left = step == 1 ? 1 : hot->pace.left;
    hot->looks_left = SURGE;
    hot->weight_min = (int32_t)(reads > seen ? reads : seen);
}

/* How many keys that are not known to be hot may be fetched in this window. */
static uint32_t hot_chances(const struct kw_hot *hot)
{
    uint64_t count = hot->past_count / CHANCES_REQUESTS + hot->hits_count / CHANCES_HITS;

    if (!hot_pays_by_chance(hot, 0)) {
        return 0;
    }
    return count < CHANCES_MAX ? (uint32_t)count : CHANCES_MAX;
}

/* By how many there were in the window that has ended; were chances left over in it? */
static int32_t hot_step(const struct kw_hot *hot, bool are_left_over)
{
    int32_t step = 1;

    if (hot_looks_at_all(hot)) {
        return 1;
    }
    while (step < STEP_MAX && hot->past_count / (uint64_t)step > looks_max(step)) {
        step *= 2;
    }
    for (int i = 0; i < CALM && !is_worth(hot, hot->finds_count) && !are_left_over; i++) {
        uint64_t looks = hot->past_count / (uint64_t)step / 2;
        bool is_enough = looks >= LOOKS_MIN && looks >= 2 * (uint64_t)hot->chances_left;
        step = is_enough ? 2 * step : step;
    }
    return step;
}

/* Are looks worth it that serve COUNT times? */
static bool is_worth(const struct kw_hot *hot, uint32_t count)
{
    return (uint64_t)count * WORTH_SHARE >= hot->looks_count;
}

/* More looks than twice those of the window before are a surge: the step grows. */
static uint32_t looks_until_surge(const struct kw_hot *hot)
{
    uint64_t expected = 2 * hot->past_count / (uint64_t)hot->step;

    return expected < SURGE ? SURGE : (uint32_t)(expected < UINT32_MAX ? expected : UINT32_MAX);
}

static bool hot_looks_at_all(const struct kw_hot *hot)
{
    return hot->is_exact || hot->reads_min == 1;
}

/* How many there may be in a window. */
static uint32_t looks_max(int32_t step)
{
    return step < HIT_STEP ? MANY : VERY_MANY;
}

/* WEIGHT more for the key of HASH. Its weight then; for a stranger that was not let in, WEIGHT. */
static int32_t hot_add(struct kw_hot *hot, uint64_t hash, int32_t weight)
{
    struct line *line = line_of(hot, hash);
    uint32_t fingerprint = kw__fingerprint_of(hash);

    unsigned known = line_find(line, fingerprint);

    if (known < WAYS) {
        line->weight[known] = weight_within((int64_t)line->weight[known] + weight);
        return line->weight[known];
    }
    unsigned place = line_lightest(line);
    uint64_t lightest = (uint64_t)abs(line->weight[place]);
    uint64_t added = (uint64_t)abs(weight);
    if (lightest > 0 && (chance_draw(hot) >> 32) * (lightest + added) >= added << 32) {
        return weight;
    }
    line->fingerprint[place] = fingerprint;
    line->weight[place] =
        weight_within(weight > 0 ? (int64_t)(lightest + added) : -(int64_t)(lightest + added));
    return weight > 0 ? weight : line->weight[place];
}

static struct line *line_of(const struct kw_hot *hot, uint64_t hash)
{
    return &hot->lines[(hash >> 32) % LINES];
}

/* The place of FINGERPRINT; WAYS: it is not there. One comparison of eight is true at most (H1). */
static unsigned line_find(const struct line *line, uint32_t fingerprint)
{
    const quad wanted = (quad){0} + (int32_t)fingerprint;
    quad found = ((line->fingerprints[0] == wanted) & (quad){8, 7, 6, 5}) |
                 ((line->fingerprints[1] == wanted) & (quad){4, 3, 2, 1});

    return WAYS - (unsigned)(found[0] | found[1] | found[2] | found[3]);
}

/* Each with its place in the low bits: the least of them says where it is (H2). */
static unsigned line_lightest(const struct line *line)
{
    quad first = quad_abs(line->weights[0]) * WAYS + (quad){0, 1, 2, 3};
    quad second = quad_abs(line->weights[1]) * WAYS + (quad){4, 5, 6, 7};
    quad is_first = first < second;
    quad least = (first & is_first) | (second & ~is_first);
    int32_t left = least[0] < least[1] ? least[0] : least[1];
    int32_t right = least[2] < least[3] ? least[2] : least[3];

    return (unsigned)(left < right ? left : right) % WAYS;
}

/* WEIGHT without what it may have inherited. */
static int32_t weight_above(const struct line *line, int32_t weight)
{
    return weight - abs(line->weight[line_lightest(line)]);
}

static quad quad_abs(quad numbers)
{
    quad signs = numbers >> 31;

    return (numbers ^ signs) - signs;
}

static int32_t weight_within(int64_t weight)
{
    if (weight > WEIGHT_MAX) {
        return WEIGHT_MAX; /* H2 */
    }
    return weight < -DEBT_MAX ? -DEBT_MAX : (int32_t)weight;
}

/* xorshift64*: its upper half is well mixed. */
static uint64_t chance_draw(struct kw_hot *hot)
{
    hot->chance ^= hot->chance >> 12;
    hot->chance ^= hot->chance << 25;
    hot->chance ^= hot->chance >> 27;
    return hot->chance * 0x2545F4914F6CDD1DULL;
}

/* STEP on average: 1 to 2 * STEP - 1. */
static uint32_t chance_distance(struct kw_hot *hot, uint32_t step)
{
    return 1 + (uint32_t)(((chance_draw(hot) >> 32) * (2 * step - 1)) >> 32);
}

/* The weight that makes a value of this size hot. */
static uint32_t reads_for(const struct kw_hot *hot, size_t size_bytes)
{
    uint64_t units = size_bytes <= 1 ? 1 : 1 + (size_bytes - 1) / KW_HOT_SIZE_UNIT;
    uint64_t reads = units < WEIGHT_MAX ? hot->reads_min * units : WEIGHT_MAX;

    return reads < WEIGHT_MAX ? (uint32_t)reads : WEIGHT_MAX;
}

/* Any key is worth a fill now, as far as there is room, and one of this size. */
static bool hot_pays_by_chance(const struct kw_hot *hot, size_t size_bytes)
{
    return hot->has_room && hot->trials.worth >= reads_for(hot, size_bytes);
}

/* Each window a part of the lines, so that no tick has to walk through all of them. */
static void hot_age(struct kw_hot *hot, uint64_t windows_count)
{
    uint64_t turns = windows_count / KW_HOT_HALF_WINDOWS;

    if (turns > 0) {
        lines_age(hot->lines, LINES, turns < 30 ? (unsigned)turns : 30); /* H2: 25 leave nothing */
    }
    for (uint64_t i = 0; i < windows_count % KW_HOT_HALF_WINDOWS; i++) {
        lines_age(&hot->lines[hot->aged_to], LINES / KW_HOT_HALF_WINDOWS, 1);
        hot->aged_to = (hot->aged_to + LINES / KW_HOT_HALF_WINDOWS) % LINES;
    }
}

static void lines_age(struct line *lines, unsigned count, unsigned times)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < WAYS; j++) {
            lines[i].weight[j] /= 1 << times;
        }
    }
}
