/* invalidation.c - >2 invalidate *N keys, or a null when all may have changed. */
#include "proxy/origin/invalidation.h"

#include "base/text.h"
#include "proxy/near/refill.h"

#ifndef KW_KNOCKOUT_SAME_LINK_PUSH
static void invalidate(struct kw_near *near, struct kw_bytes name);
static bool read_count(const char **at, const char *end, char type, int64_t *count);
#endif

enum kw_status kw__invalidation_take(struct kw_near *near, struct kw_bytes push, bool *is_of_all)
{
#ifndef KW_KNOCKOUT_SAME_LINK_PUSH
    static const struct kw_bytes head = {">2\r\n$10\r\ninvalidate\r\n", 21};
    const char *at = push.data + head.len;
    const char *end = push.data + push.len;
    int64_t count = 0;

    if (!kw_bytes_start_with(push, head)) {
        return KW_OK;
    }
    if (*at == '_') {
        *is_of_all = true;
        return KW_OK;
    }
    bool is_read = read_count(&at, end, '*', &count);
    for (; is_read && count > 0; count--) {
        int64_t len = 0;
        is_read = read_count(&at, end, '$', &len) && len <= end - at;
        if (is_read) {
            struct kw_bytes name = kw_bytes_of(at, (size_t)len);
            /* Of a broadcast most are cold: nothing is kept, or promised, of them (fill.c L1). */
            if (kw__warm_has(near->warm, kw__warm_place(name))) {
                invalidate(near, name);
            }
            at += len + 2;
        }
    }
    return is_read ? KW_OK : KW_E_PROTOCOL;
#else
    (void)near;
    (void)push;
    (void)is_of_all;
    return KW_OK;
#endif
}

#ifndef KW_KNOCKOUT_SAME_LINK_PUSH
static void invalidate(struct kw_near *near, struct kw_bytes name)
{
    struct kw_cache_worker *worker = kw__near_awake(near);
    struct kw_cache_key key = kw_cache_key(worker, name, kw_bytes_of("", 0));
    uint16_t slot = kw_slot_of_key(name);
    /* Who writes it through keyway has judged it, and has it fetched again. */
    bool is_worth = !kw__near_is_written(near->shared, &key, slot) &&
                    kw_cache_may_have(worker, key.hash) &&
                    kw__refill_judge(near, name, key.hash, slot);

    (void)kw_cache_invalidate(worker, &key);
    if (is_worth) {
        kw__refill_now(near, name, slot);
    }
    KW_STAT_ADD(near->proxy->stats, near_cache_invalidations, 1);
}

/* The number in the line at *AT, which begins with TYPE; *AT moves behind the line. */
static bool read_count(const char **at, const char *end, char type, int64_t *count)
{
    const char *line = *at;
    const char *line_end = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

    if (line_end == NULL || line[0] != type ||
        kw_text_to_int(kw_bytes_of(line + 1, (size_t)(line_end - line - 2)), count) != KW_OK) {
        return false;
    }
    *at = line_end + 1;
    return *count >= 0;
}
#endif
