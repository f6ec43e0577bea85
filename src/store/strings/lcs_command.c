/* lcs_command.c - LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]
 *
 * The table says how long the longest common subsequence of each pair of prefixes is. It is walked
 * from its end to the beginning; what matches without a gap in both strings is a range. A byte that
 * ends a range because it does not touch it begins none itself: so does redis.
 */
#include "base/mem.h"
#include "store/internal.h"

struct lcs {
    struct kw_bytes a;
    struct kw_bytes b;
    uint32_t *table; /* owned */
    bool is_len;
    bool is_idx;
    bool has_match_len;
    int64_t match_min_len;
    char *text; /* owned: the subsequence */
    struct kw_buf ranges;
    size_t ranges_count;
};

struct range {
    size_t a_first;
    size_t a_last;
    size_t b_first;
    size_t b_last;
    bool is_open;
};

static bool lcs_options(struct kw_exec *exec, struct lcs *lcs);
static bool lcs_fill(struct kw_exec *exec, struct lcs *lcs);
static uint32_t *lcs_at(const struct lcs *lcs, size_t i, size_t j);
static void lcs_walk(struct lcs *lcs);
static bool range_take(struct range *range, size_t i, size_t j);
static void range_end(struct lcs *lcs, struct range *range);
static void lcs_reply(struct kw_exec *exec, struct lcs *lcs);

void kw__do_lcs(struct kw_exec *exec)
{
    struct lcs lcs = {0};
    struct kw_cache_found found;
    struct kw_bytes *strings[] = {&lcs.a, &lcs.b};
    bool is_text = true;

    for (size_t i = 0; i < 2; i++) {
        struct kw_cache_key key = kw__key_of(exec->worker, exec->argv[i + 1]);
        if (!kw__key_look(exec->worker, &key, true, &found)) {
            continue;
        }
        is_text = is_text && kw__kind_of(&found) == KW_KIND_STRING;
        *strings[i] = found.value;
    }
    if (!is_text) {
        kw_exec_error(exec, KW_ERROR_LCS_TYPE, NULL);
        return;
    }
    if (!lcs_options(exec, &lcs) || !lcs_fill(exec, &lcs)) {
        return;
    }
    lcs.text = kw_alloc(*lcs_at(&lcs, lcs.a.len, lcs.b.len) + 1);
    kw_buf_init(&lcs.ranges, exec->out->pool);
    if (lcs.is_idx || !lcs.is_len) {
        lcs_walk(&lcs);
    }
    lcs_reply(exec, &lcs);
    kw_free(lcs.text);
    kw_free(lcs.table);
}

static bool lcs_options(struct kw_exec *exec, struct lcs *lcs)
{
    for (size_t i = 3; i < exec->argc; i++) {
        if (kw_exec_is(exec, i, KW_BYTES("IDX"))) {
            lcs->is_idx = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("LEN"))) {
            lcs->is_len = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("WITHMATCHLEN"))) {
            lcs->has_match_len = true;
        } else if (kw_exec_is(exec, i, KW_BYTES("MINMATCHLEN")) && i + 1 < exec->argc) {
            i++;
            if (!kw_exec_int(exec, exec->argv[i], &lcs->match_min_len)) {
                return false;
            }
        } else {
            kw_exec_error(exec, KW_ERROR_SYNTAX, NULL);
            return false;
        }
    }
    if (lcs->is_idx && lcs->is_len) {
        kw_exec_error(exec, KW_ERROR_LCS_BOTH, NULL);
        return false;
    }
    return true;
}

/* The table; false: the error is written. */
static bool lcs_fill(struct kw_exec *exec, struct lcs *lcs)
{
    uint64_t bytes = (uint64_t)(lcs->a.len + 1) * (lcs->b.len + 1) * sizeof *lcs->table;

    if (bytes > KW_STRING_MAX_BYTES) { /* both are at most as long: no overflow */
        kw_exec_error(exec, KW_ERROR_LCS_TABLE, NULL);
        return false;
    }
    lcs->table = kw_try_alloc(bytes);
    if (lcs->table == NULL) {
        kw_exec_error(exec, KW_ERROR_LCS_MEMORY, NULL);
        return false;
    }
    for (size_t i = 0; i <= lcs->a.len; i++) {
        for (size_t j = 0; j <= lcs->b.len; j++) {
            uint32_t *at = lcs_at(lcs, i, j);
            if (i == 0 || j == 0) {
                *at = 0;
            } else if (lcs->a.data[i - 1] == lcs->b.data[j - 1]) {
                *at = *lcs_at(lcs, i - 1, j - 1) + 1;
            } else {
                uint32_t up = *lcs_at(lcs, i - 1, j);
                uint32_t left = *lcs_at(lcs, i, j - 1);
                *at = up > left ? up : left;
            }
        }
    }
    return true;
}

static uint32_t *lcs_at(const struct lcs *lcs, size_t i, size_t j)
{
    return &lcs->table[j + (lcs->b.len + 1) * i];
}

static void lcs_walk(struct lcs *lcs)
{
    size_t i = lcs->a.len;
    size_t j = lcs->b.len;
    size_t left = *lcs_at(lcs, i, j);
    struct range range = {0};

    while (i > 0 && j > 0) {
        bool is_over = false;
        if (lcs->a.data[i - 1] == lcs->b.data[j - 1]) {
            lcs->text[--left] = lcs->a.data[i - 1];
            is_over = !range_take(&range, i, j) || range.a_first == 0 || range.b_first == 0;
            i--;
            j--;
        } else {
            if (*lcs_at(lcs, i - 1, j) > *lcs_at(lcs, i, j - 1)) {
                i--;
            } else {
                j--;
            }
            is_over = range.is_open;
        }
        if (is_over) {
            range_end(lcs, &range);
        }
    }
}

/* The bytes before I and J match. False: RANGE, which is open, does not reach there. */
static bool range_take(struct range *range, size_t i, size_t j)
{
    if (!range->is_open) {
        *range = (struct range){i - 1, i - 1, j - 1, j - 1, true};
        return true;
    }
    if (range->a_first != i || range->b_first != j) {
        return false;
    }
    range->a_first--;
    range->b_first--;
    return true;
}

static void range_end(struct lcs *lcs, struct range *range)
{
    int64_t len = (int64_t)(range->a_last - range->a_first) + 1;

    range->is_open = false;
    if (len < lcs->match_min_len || !lcs->is_idx) {
        return;
    }
    kw_reply_array(&lcs->ranges, lcs->has_match_len ? 3 : 2);
    kw_reply_array(&lcs->ranges, 2);
    kw_reply_int(&lcs->ranges, (int64_t)range->a_first);
    kw_reply_int(&lcs->ranges, (int64_t)range->a_last);
    kw_reply_array(&lcs->ranges, 2);
    kw_reply_int(&lcs->ranges, (int64_t)range->b_first);
    kw_reply_int(&lcs->ranges, (int64_t)range->b_last);
    if (lcs->has_match_len) {
        kw_reply_int(&lcs->ranges, len);
    }
    lcs->ranges_count++;
}

static void lcs_reply(struct kw_exec *exec, struct lcs *lcs)
{
    uint32_t len = *lcs_at(lcs, lcs->a.len, lcs->b.len);

    if (lcs->is_idx) {
        kw_reply_map(exec->out, 2, exec->proto);
        kw_reply_bulk(exec->out, KW_BYTES("matches"));
        kw_reply_array(exec->out, lcs->ranges_count);
        kw_buf_append_buf(exec->out, &lcs->ranges);
        kw_reply_bulk(exec->out, KW_BYTES("len"));
        kw_reply_int(exec->out, len);
    } else if (lcs->is_len) {
        kw_reply_int(exec->out, len);
    } else {
        kw_reply_bulk(exec->out, kw_bytes_of(lcs->text, len));
    }
}
