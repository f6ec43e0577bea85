/* algebra_commands.c - ZUNION ZINTER ZDIFF, their STORE forms, ZINTERCARD.
 *
 * Inputs are sorted sets, and sets, whose members have the score 1. The result is a sorted set of
 * its own, also when it is only answered; so the destination may be among the inputs.
 */
#include "store/zsets/zsets.h"

#include "base/mem.h"
#include "store/sets/set.h"

#include <math.h>

enum { FEW_INPUTS = 16 }; /* more of them are looked up into memory of the heap */

enum zset_operation { ZSET_UNION = 0, ZSET_INTER, ZSET_DIFF };
enum zset_aggregate { ZSET_SUM = 0, ZSET_MIN, ZSET_MAX };

/* One of the keys: at most one of the two is there. */
struct zset_input {
    const struct kw_zset *zset;
    const struct kw_set *set;
    uint64_t count;
    double weight;
};

struct zset_algebra {
    enum zset_operation operation;
    enum zset_aggregate aggregate;
    bool is_store;
    bool is_count; /* ZINTERCARD */
    bool has_scores;
    int64_t limit; /* of ZINTERCARD; 0: none */
    size_t at;     /* the argument that is the number of inputs */
    size_t inputs_count;
    struct zset_input *inputs;
    const char *event; /* when it is stored */
};

/* All elements of an input. */
struct input_walk {
    const struct zset_input *input;
    union {
        struct kw_zset_walk zset;
        struct kw_set_walk set;
    };
};

static void algebra_run(struct kw_exec *exec, struct zset_algebra *algebra);
static bool algebra_parse(struct kw_exec *exec, struct zset_algebra *algebra);
static bool algebra_parse_inputs(struct kw_exec *exec, struct zset_algebra *algebra);
static size_t algebra_parse_option(struct kw_exec *exec, struct zset_algebra *algebra, size_t at);
static void algebra_answer(struct kw_exec *exec, struct zset_algebra *algebra);
static void inputs_sort(struct zset_input *inputs, size_t count);
static bool algebra_may_have_minus(const struct zset_algebra *algebra);
static int64_t algebra_intersect(struct kw_exec *exec, const struct zset_algebra *algebra,
                                 struct kw_zset *result);
static void algebra_unite(struct kw_exec *exec, const struct zset_algebra *algebra,
                          struct kw_zset *result);
static void algebra_subtract(struct kw_exec *exec, const struct zset_algebra *algebra,
                             struct kw_zset *result);
static void algebra_reply(struct kw_exec *exec, const struct zset_algebra *algebra,
                          const struct kw_zset *result);

void kw__do_zunion(struct kw_exec *exec)
{
    algebra_run(exec, &(struct zset_algebra){.operation = ZSET_UNION, .at = 1});
}

void kw__do_zinter(struct kw_exec *exec)
{
    algebra_run(exec, &(struct zset_algebra){.operation = ZSET_INTER, .at = 1});
}

void kw__do_zdiff(struct kw_exec *exec)
{
    algebra_run(exec, &(struct zset_algebra){.operation = ZSET_DIFF, .at = 1});
}

void kw__do_zintercard(struct kw_exec *exec)
{
    algebra_run(exec, &(struct zset_algebra){.operation = ZSET_INTER, .is_count = true, .at = 1});
}

void kw__do_zunionstore(struct kw_exec *exec)
{
    algebra_run(exec,
                &(struct zset_algebra){
                    .operation = ZSET_UNION, .is_store = true, .at = 2, .event = "zunionstore"});
}

void kw__do_zinterstore(struct kw_exec *exec)
{
    algebra_run(exec,
                &(struct zset_algebra){
                    .operation = ZSET_INTER, .is_store = true, .at = 2, .event = "zinterstore"});
}

void kw__do_zdiffstore(struct kw_exec *exec)
{
    algebra_run(exec,
                &(struct zset_algebra){
                    .operation = ZSET_DIFF, .is_store = true, .at = 2, .event = "zdiffstore"});
}

static void algebra_run(struct kw_exec *exec, struct zset_algebra *algebra)
{
    struct zset_input few[FEW_INPUTS];
    int64_t count = 0;

    if (!kw_exec_int(exec, exec->argv[algebra->at], &count)) {
        return;
    }
    if (count < 1) {
        kw_exec_error(exec, KW_ERROR_INPUT_KEY, exec->command->name);
        return;
    }
    if ((uint64_t)count > exec->argc - algebra->at - 1) {
        kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        return;
    }
    algebra->inputs_count = (size_t)count;
    algebra->inputs = few;
    if (algebra->inputs_count > FEW_INPUTS) {
        algebra->inputs = kw_alloc(algebra->inputs_count * sizeof *algebra->inputs);
    }
    if (algebra_parse(exec, algebra)) {
        algebra_answer(exec, algebra);
    }
    if (algebra->inputs != few) {
        kw_free(algebra->inputs);
    }
}

static bool algebra_parse(struct kw_exec *exec, struct zset_algebra *algebra)
{
    size_t next = algebra->at + 1 + algebra->inputs_count;

    if (!algebra_parse_inputs(exec, algebra)) {
        return false;
    }
    while (next < exec->argc) {
        size_t count = algebra_parse_option(exec, algebra, next);
        if (count == 0 && !exec->has_failed) {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
        }
        if (count == 0) {
            return false;
        }
        next += count;
    }
    return true;
}

static bool algebra_parse_inputs(struct kw_exec *exec, struct zset_algebra *algebra)
{
    for (size_t i = 0; i < algebra->inputs_count; i++) {
        struct kw_bytes name = exec->argv[algebra->at + 1 + i];
        struct zset_input *input = &algebra->inputs[i];
        void *object = NULL;
        enum kw_kind kind = kw_key_kind(exec, name);

        *input = (struct zset_input){.weight = 1};
        if (kind == KW_KIND_COUNT) {
            kw_key_missed(exec, name);
            continue;
        }
        kind = kind == KW_KIND_SET ? KW_KIND_SET : KW_KIND_ZSET;
        enum kw_found found = kw_key_object(exec, name, kind, &object);
        if (found == KW_FOUND_OTHER) {
            return false;
        }
        if (found == KW_FOUND && kind == KW_KIND_SET) {
            input->set = object;
            input->count = kw__set_count(input->set);
        } else if (found == KW_FOUND) {
            input->zset = object;
            input->count = input->zset->count;
        }
    }
    return true;
}

/* How many arguments the option at AT takes; 0: it is none here, or the error is written. */
static size_t algebra_parse_option(struct kw_exec *exec, struct zset_algebra *algebra, size_t at)
{
    size_t left = exec->argc - at;
    bool is_weighted = algebra->operation != ZSET_DIFF && !algebra->is_count;

    if (is_weighted && left > algebra->inputs_count && kw_exec_is(exec, at, KW_BYTES("weights"))) {
        for (size_t i = 0; i < algebra->inputs_count; i++) {
            if (kw_text_to_double(exec->argv[at + 1 + i], &algebra->inputs[i].weight) != KW_OK) {
                kw_exec_error(exec, KW_ERROR_WEIGHT, NULL);
                return 0;
            }
        }
        return 1 + algebra->inputs_count;
    }
    if (is_weighted && left > 1 && kw_exec_is(exec, at, KW_BYTES("aggregate"))) {
        if (kw_exec_is(exec, at + 1, KW_BYTES("sum"))) {
            algebra->aggregate = ZSET_SUM;
        } else if (kw_exec_is(exec, at + 1, KW_BYTES("min"))) {
            algebra->aggregate = ZSET_MIN;
        } else if (kw_exec_is(exec, at + 1, KW_BYTES("max"))) {
            algebra->aggregate = ZSET_MAX;
        } else {
            return 0;
        }
        return 2;
    }
    if (!algebra->is_store && !algebra->is_count && kw_exec_is(exec, at, KW_BYTES("withscores"))) {
        algebra->has_scores = true;
        return 1;
    }
    if (algebra->is_count && left > 1 && kw_exec_is(exec, at, KW_BYTES("limit"))) {
        bool is_limit =
            kw_exec_int_from(exec, exec->argv[at + 1], 0, KW_ERROR_LIMIT_NEGATIVE, &algebra->limit);
        return is_limit ? 2 : 0;
    }
    return 0;
}

static void algebra_answer(struct kw_exec *exec, struct zset_algebra *algebra)
{
    struct kw_zset *result = kw_zset_new(exec->worker);
    int64_t count = 0;

    if (algebra_may_have_minus(algebra)) {
        kw_zset_spread(exec->worker, result); /* a flat one does not know -0 */
    }
    if (algebra->operation != ZSET_DIFF) {
        inputs_sort(algebra->inputs, algebra->inputs_count);
    }
    if (algebra->operation == ZSET_UNION) {
        algebra_unite(exec, algebra, result);
    } else if (algebra->operation == ZSET_INTER) {
        count = algebra_intersect(exec, algebra, result);
    } else {
        algebra_subtract(exec, algebra, result);
    }
    if (algebra->is_store) {
        kw_zset_flatten(exec->worker, result);
        kw__zset_store(exec, exec->argv[1], result, algebra->event);
        return;
    }
    if (algebra->is_count) {
        kw_reply_int(exec->out, count);
    } else {
        algebra_reply(exec, algebra, result);
    }
    kw_zset_free(exec->worker, &result);
}

/* The smallest first, those of one size as they came: sums of doubles depend on the order. */
static void inputs_sort(struct zset_input *inputs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct zset_input input = inputs[i];
        size_t place = i;
        for (; place > 0 && inputs[place - 1].count > input.count; place--) {
            inputs[place] = inputs[place - 1];
        }
        inputs[place] = input;
    }
}

/* True when a score of the result may be -0. */
static bool algebra_may_have_minus(const struct zset_algebra *algebra)
{
    bool may_have = false;

    for (size_t i = 0; i < algebra->inputs_count && !may_have; i++) {
        const struct zset_input *input = &algebra->inputs[i];
        may_have = input->weight <= 0 || (input->zset != NULL && input->zset->is_large);
    }
    return may_have;
}

static void input_walk_begin(struct input_walk *walk, const struct zset_input *input)
{
    walk->input = input;
    if (input->zset != NULL) {
        kw_zset_walk_begin(&walk->zset, input->zset, 0, false);
    } else if (input->set != NULL) {
        kw__set_walk_begin(&walk->set, input->set);
    }
}

static bool input_walk_next(struct input_walk *walk, struct kw_zset_item *item)
{
    if (walk->input->zset != NULL) {
        return kw_zset_walk_next(&walk->zset, item);
    }
    item->score = 1;
    return walk->input->set != NULL && kw__set_walk_next(&walk->set, &item->member);
}

static bool input_score(const struct zset_input *input, struct kw_bytes member, double *score)
{
    if (input->zset != NULL) {
        return kw_zset_score(input->zset, member, score);
    }
    *score = 1;
    return input->set != NULL && kw__set_has(input->set, member);
}

/* SCORE of the input with WEIGHT; infinity times nothing is nothing. */
static double weighted(double score, double weight)
{
    double product = score * weight;

    return isnan(product) ? 0 : product;
}

static double aggregated(enum zset_aggregate aggregate, double score, double value)
{
    if (aggregate == ZSET_MIN) {
        return value < score ? value : score;
    }
    if (aggregate == ZSET_MAX) {
        return value > score ? value : score;
    }
    double sum = score + value;
    return isnan(sum) ? 0 : sum;
}

/* Returns how many there are; with is_count nothing is put into RESULT. */
static int64_t algebra_intersect(struct kw_exec *exec, const struct zset_algebra *algebra,
                                 struct kw_zset *result)
{
    const struct zset_input *inputs = algebra->inputs;
    struct input_walk walk;
    struct kw_zset_item item;
    int64_t count = 0;

    input_walk_begin(&walk, &inputs[0]);
    while ((algebra->limit == 0 || count < algebra->limit) && input_walk_next(&walk, &item)) {
        double score = weighted(item.score, inputs[0].weight);
        size_t i = 1;
        for (; i < algebra->inputs_count; i++) {
            double value = 0;
            if (!input_score(&inputs[i], item.member, &value)) {
                break;
            }
            score = aggregated(algebra->aggregate, score, value * inputs[i].weight);
        }
        if (i < algebra->inputs_count) {
            continue;
        }
        count++;
        if (!algebra->is_count) {
            kw_zset_put(exec->worker, result, item.member, score);
        }
    }
    return count;
}

/* The scores are summed up in a table first: a sorted set takes no 0 instead of -0. */
static void algebra_unite(struct kw_exec *exec, const struct zset_algebra *algebra,
                          struct kw_zset *result)
{
    static const struct kw_table_limits limits = {KW_FLAT_COUNT_MAX, KW_FLAT_MEMBER_MAX};
    struct kw_table sums;
    struct kw_table_walk sums_walk;
    struct kw_table_item sum;
    struct input_walk walk;
    struct kw_zset_item item;

    kw_table_init(&sums, sizeof item.score, false);
    for (size_t i = 0; i < algebra->inputs_count; i++) {
        input_walk_begin(&walk, &algebra->inputs[i]);
        while (input_walk_next(&walk, &item)) {
            double score = weighted(item.score, algebra->inputs[i].weight);
            double old = 0;
            if (!kw_table_put(exec->worker, &sums, &limits, item.member, KW_BYTES(""), &sum)) {
                memcpy(&old, sum.extra, sizeof old);
                score = aggregated(algebra->aggregate, old, score);
            }
            memcpy(sum.extra, &score, sizeof score);
        }
    }
    kw_table_walk_begin(&sums_walk, &sums);
    while (kw_table_walk_next(&sums_walk, &sum)) {
        memcpy(&item.score, sum.extra, sizeof item.score);
        kw_zset_put(exec->worker, result, sum.key, item.score);
    }
    kw_table_deinit(exec->worker, &sums);
}

static void algebra_subtract(struct kw_exec *exec, const struct zset_algebra *algebra,
                             struct kw_zset *result)
{
    struct input_walk walk;
    struct kw_zset_item item;

    input_walk_begin(&walk, &algebra->inputs[0]);
    while (input_walk_next(&walk, &item)) {
        bool is_elsewhere = false;
        double score = 0;
        for (size_t i = 1; i < algebra->inputs_count && !is_elsewhere; i++) {
            is_elsewhere = input_score(&algebra->inputs[i], item.member, &score);
        }
        if (!is_elsewhere) {
            kw_zset_put(exec->worker, result, item.member, item.score);
        }
    }
}

static void algebra_reply(struct kw_exec *exec, const struct zset_algebra *algebra,
                          const struct kw_zset *result)
{
    struct kw_zset_walk walk;
    struct kw_zset_item item;

    kw__zset_reply_header(exec, result->count, algebra->has_scores);
    kw_zset_walk_begin(&walk, result, 0, false);
    while (kw_zset_walk_next(&walk, &item)) {
        kw__zset_reply_item(exec, &item, algebra->has_scores);
    }
}
