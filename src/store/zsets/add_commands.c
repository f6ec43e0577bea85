/* add_commands.c - ZADD ZINCRBY. */
#include "store/zsets/zsets.h"

#include "base/mem.h"

#include <math.h>

enum { FEW_SCORES = 32 }; /* more of them are parsed into memory of the heap */

struct zset_add {
    struct kw_zset *zset;
    bool is_for_new; /* NX */
    bool is_for_old; /* XX */
    bool is_greater; /* GT */
    bool is_less;    /* LT */
    bool is_change;  /* CH */
    bool is_increment;
    bool has_skipped; /* the last element was left as it is */
    double score;     /* the last element's */
    int64_t added_count;
    int64_t changed_count;
};

static void add_run(struct kw_exec *exec, struct zset_add *add);
static size_t add_parse_options(struct kw_exec *exec, struct zset_add *add);
static bool add_options_fit(struct kw_exec *exec, const struct zset_add *add, size_t rest);
static void add_elements(struct kw_exec *exec, struct zset_add *add, size_t first,
                         const double *scores);
static bool add_element(struct kw_exec *exec, struct zset_add *add, struct kw_bytes member,
                        double score);
static void add_reply(struct kw_exec *exec, const struct zset_add *add);

void kw__do_zadd(struct kw_exec *exec)
{
    struct zset_add add = {.zset = NULL};

    add_run(exec, &add);
}

void kw__do_zincrby(struct kw_exec *exec)
{
    struct zset_add add = {.is_increment = true};

    add_run(exec, &add);
}

static void add_run(struct kw_exec *exec, struct zset_add *add)
{
    size_t first = add_parse_options(exec, add);
    size_t count = (exec->argc - first) / 2;
    double few[FEW_SCORES];
    double *scores = few;

    if (!add_options_fit(exec, add, exec->argc - first)) {
        return;
    }
    if (count > FEW_SCORES) {
        scores = kw_alloc(count * sizeof *scores);
    }
    size_t parsed = 0;
    while (parsed < count &&
           kw_exec_double(exec, exec->argv[first + 2 * parsed], &scores[parsed])) {
        parsed++;
    }
    if (parsed == count) {
        add_elements(exec, add, first, scores);
    }
    if (scores != few) {
        kw_free(scores);
    }
}

/* Returns the first argument that is no option. */
static size_t add_parse_options(struct kw_exec *exec, struct zset_add *add)
{
    size_t i = 2;

    for (; i < exec->argc; i++) {
        if (kw_exec_is(exec, i, KW_BYTES("nx"))) {
            add->is_for_new = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("xx"))) {
            add->is_for_old = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("ch"))) {
            add->is_change = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("incr"))) {
            add->is_increment = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("gt"))) {
            add->is_greater = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("lt"))) {
            add->is_less = true;
        } else {
            break;
        }
    }
    return i;
}

static bool add_options_fit(struct kw_exec *exec, const struct zset_add *add, size_t rest)
{
    enum kw_error error = KW_ERROR_COUNT;

    if (rest == 0 || rest % 2 != 0) {
        error = KW_ERROR_SYNTAX;
    } else if (add->is_for_new && add->is_for_old) {
        error = KW_ERROR_ZADD_XX_NX;
    } else if ((add->is_for_new && (add->is_greater || add->is_less)) ||
               (add->is_greater && add->is_less)) {
        error = KW_ERROR_ZADD_GT_LT_NX;
    } else if (add->is_increment && rest > 2) {
        error = KW_ERROR_ZADD_INCR;
    }
    if (error != KW_ERROR_COUNT) {
        kw_exec_error(exec, error, NULL);
    }
    return error == KW_ERROR_COUNT;
}

static void add_elements(struct kw_exec *exec, struct zset_add *add, size_t first,
                         const double *scores)
{
    struct kw_bytes name = exec->argv[1];
    enum kw_found found = kw__zset_find(exec, name, &add->zset);

    if (found == KW_FOUND_OTHER) {
        return;
    }
    if (found == KW_FOUND_NOTHING) {
        if (add->is_for_old) {
            add->has_skipped = true;
            add_reply(exec, add);
            return;
        }
        add->zset = kw_zset_new(exec->worker);
        if (!kw_key_put_object(exec, name, KW_KIND_ZSET, add->zset, KW_DEADLINE_NONE)) {
            return;
        }
    }
    bool is_number = true;
    for (size_t i = 0; is_number && first + 2 * i < exec->argc; i++) {
        is_number = add_element(exec, add, exec->argv[first + 2 * i + 1], scores[i]);
    }
    if (is_number) {
        add_reply(exec, add);
    }
    if (add->added_count + add->changed_count > 0) {
        kw_key_changed(exec, name, KW_STORE_ZSET, add->is_increment ? "zincr" : "zadd");
        kw_key_ready(exec, name);
    }
}

/* False: the sum is no number, the error is written. */
static bool add_element(struct kw_exec *exec, struct zset_add *add, struct kw_bytes member,
                        double score)
{
    bool is_plain = !add->is_for_new && !add->is_for_old && !add->is_increment &&
                    !add->is_greater && !add->is_less;
    double old = 0;

    add->has_skipped = false;
    if (!is_plain) {
        bool is_there = kw_zset_score(add->zset, member, &old);
        add->has_skipped = is_there ? add->is_for_new : add->is_for_old;
        if (add->has_skipped) {
            return true;
        }
        score = is_there && add->is_increment ? score + old : score; /* -0 + 0 is another one */
        if (isnan(score)) {
            kw_exec_error(exec, KW_ERROR_SCORE_NAN, NULL);
            return false;
        }
        if (is_there && ((add->is_less && score >= old) || (add->is_greater && score <= old))) {
            add->has_skipped = true;
            return true;
        }
    }
    enum kw_zset_put put = kw_zset_put(exec->worker, add->zset, member, score);
    add->score = score;
    add->added_count += put == KW_ZSET_ADDED ? 1 : 0;
    add->changed_count += put == KW_ZSET_CHANGED ? 1 : 0;
    return true;
}

static void add_reply(struct kw_exec *exec, const struct zset_add *add)
{
    if (!add->is_increment) {
        kw_reply_int(exec->out, add->added_count + (add->is_change ? add->changed_count : 0));
    } else if (add->has_skipped) {
        kw_reply_null(exec->out, exec->proto);
    } else {
        kw_reply_double(exec->out, add->score, exec->proto);
    }
}
