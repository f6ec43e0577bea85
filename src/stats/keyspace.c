/* keyspace.c - from the nodes' lines to sums, and to where all threads see them. */
#include "stats/keyspace.h"

#include "base/text.h"

#include <string.h>

static void line_parse(struct kw_bytes line, struct kw_keyspace_counts *counts);
static struct kw_bytes bytes_cut(struct kw_bytes *rest, char end);
static uint64_t field_value(struct kw_bytes field, struct kw_bytes name);

void kw_keyspace_parse(struct kw_bytes text, struct kw_keyspace_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    while (text.len > 0) {
        line_parse(bytes_cut(&text, '\n'), counts);
    }
}

void kw_keyspace_replace(struct kw_keyspace_counts *total, const struct kw_keyspace_counts *before,
                         const struct kw_keyspace_counts *now)
{
    for (int i = 0; i < KW_KEYSPACE_DBS_MAX; i++) {
        struct kw_keyspace_count *sum = &total->dbs[i];
        if (before != NULL) {
            sum->keys -= before->dbs[i].keys;
            sum->expires -= before->dbs[i].expires;
            sum->ttl_sum_ms -= before->dbs[i].ttl_sum_ms;
        }
        if (now != NULL) {
            sum->keys += now->dbs[i].keys;
            sum->expires += now->dbs[i].expires;
            sum->ttl_sum_ms += now->dbs[i].ttl_sum_ms;
        }
    }
}

void kw_keyspace_publish(struct kw_keyspace *keyspace, const struct kw_keyspace_counts *total)
{
    for (int i = 0; i < KW_KEYSPACE_DBS_MAX; i++) {
        const struct kw_keyspace_count *sum = &total->dbs[i];
        uint64_t avg_ttl_ms = sum->expires > 0 ? sum->ttl_sum_ms / sum->expires : 0;
        atomic_store_explicit(&keyspace->dbs[i].keys, sum->keys, memory_order_relaxed);
        atomic_store_explicit(&keyspace->dbs[i].expires, sum->expires, memory_order_relaxed);
        atomic_store_explicit(&keyspace->dbs[i].avg_ttl_ms, avg_ttl_ms, memory_order_relaxed);
    }
}

/* db0:keys=1,expires=0,avg_ttl=0 */
static void line_parse(struct kw_bytes line, struct kw_keyspace_counts *counts)
{
    struct kw_bytes name = bytes_cut(&line, ':');
    int64_t db = 0;

    if (!kw_bytes_start_with(name, KW_BYTES("db")) ||
        kw_text_to_int(kw_bytes_of(name.data + 2, name.len - 2), &db) != KW_OK || db < 0 ||
        db >= KW_KEYSPACE_DBS_MAX) {
        return;
    }
    struct kw_keyspace_count count = {0};
    uint64_t avg_ttl_ms = 0;
    while (line.len > 0) {
        struct kw_bytes field = bytes_cut(&line, ',');
        count.keys += field_value(field, KW_BYTES("keys="));
        count.expires += field_value(field, KW_BYTES("expires="));
        avg_ttl_ms += field_value(field, KW_BYTES("avg_ttl="));
    }
    count.ttl_sum_ms = avg_ttl_ms * count.expires;
    counts->dbs[db] = count;
}

/* What is before END in REST, without a CR; REST is what follows it. */
static struct kw_bytes bytes_cut(struct kw_bytes *rest, char end)
{
    const char *at = memchr(rest->data, end, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->data);
    size_t used = at == NULL ? len : len + 1;
    struct kw_bytes cut = kw_bytes_of(rest->data, len);

    *rest = kw_bytes_of(rest->data + used, rest->len - used);
    if (cut.len > 0 && cut.data[cut.len - 1] == '\r') {
        cut.len--;
    }
    return cut;
}

/* The number behind NAME; 0 when FIELD is another one. */
static uint64_t field_value(struct kw_bytes field, struct kw_bytes name)
{
    int64_t value = 0;

    if (!kw_bytes_start_with(field, name) ||
        kw_text_to_int(kw_bytes_of(field.data + name.len, field.len - name.len), &value) != KW_OK ||
        value < 0) {
        return 0;
    }
    return (uint64_t)value;
}
