/* broadcast.c - keys in their order: those of a prefix lie side by side.
 *
 * Most clients ask for all keys, or for the same prefixes: the message that was made last is used
 * again while it is about the same keys.
 */
#include "proxy/pubsub/broadcast.h"

#include "base/blob.h"
#include "base/text.h"

#include <stdlib.h>

/* The keys [begin, end) of all but one writer, as an array on the wire. */
struct message {
    struct kw_blob bytes;
    size_t begin;
    size_t end;
    uint64_t but_writer_id; /* 0: of all */
    size_t count;           /* of keys in it */
};

static size_t keys_unite(struct kw_broadcast_key *keys, size_t count);
static int key_compare(const void *a, const void *b);
static int names_compare(struct kw_bytes a, struct kw_bytes b);
static void prefix_find(const struct kw_broadcast_key *keys, size_t count,
                        const struct kw_prefix *prefix, size_t *begin, size_t *end);
static void message_make(struct message *message, const struct kw_broadcast_key *keys, size_t begin,
                         size_t end, uint64_t but_writer_id);

bool kw_broadcast_is_heard(const struct kw_tracking *tracking)
{
    for (const struct kw_list *at = tracking->trackers.next; at != &tracking->trackers;
         at = at->next) {
        if (KW_LIST_ENTRY(at, struct kw_tracker, all)->is_bcast) {
            return true;
        }
    }
    return false;
}

void kw_broadcast(struct kw_tracking *tracking, struct kw_broadcast_key *keys, size_t count)
{
    struct message message = {.end = 0};

    count = keys_unite(keys, count);
    for (struct kw_list *at = tracking->trackers.next; at != &tracking->trackers;) {
        struct kw_tracker *tracker = KW_LIST_ENTRY(at, struct kw_tracker, all);
        at = at->next;
        for (uint32_t i = 0; tracker->is_bcast && i < tracker->prefixes_count; i++) {
            size_t begin = 0;
            size_t end = 0;
            prefix_find(keys, count, &tracker->prefixes[i], &begin, &end);
            if (begin < end) {
                message_make(&message, keys, begin, end,
                             tracker->is_noloop ? tracker->client->id : 0);
            }
            if (begin < end && message.count > 0) {
                kw_tracking_tell_tracker(tracking, tracker, kw_blob_bytes(&message.bytes));
            }
        }
    }
    kw_blob_deinit(&message.bytes);
}

/* Put KEYS in order, each once. Returns how many they are. */
static size_t keys_unite(struct kw_broadcast_key *keys, size_t count)
{
    size_t kept = 0;

    qsort(keys, count, sizeof *keys, key_compare);
    for (size_t i = 1; i < count; i++) {
        if (!kw_bytes_equal(keys[i].name, keys[kept].name)) {
            keys[++kept] = keys[i];
        } else if (keys[i].writer_id != keys[kept].writer_id) {
            keys[kept].writer_id = 0; /* one of them is not the listener */
        }
    }
    return kept + 1;
}

static int key_compare(const void *a, const void *b)
{
    const struct kw_broadcast_key *left = a;
    const struct kw_broadcast_key *right = b;

    return names_compare(left->name, right->name);
}

static int names_compare(struct kw_bytes a, struct kw_bytes b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* KEYS from *BEGIN to *END begin with PREFIX. */
static void prefix_find(const struct kw_broadcast_key *keys, size_t count,
                        const struct kw_prefix *prefix, size_t *begin, size_t *end)
{
    struct kw_bytes text = kw_bytes_of(prefix->data, prefix->len);
    size_t low = 0;

    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (names_compare(keys[middle].name, text) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *begin = low;
    while (low < count && kw_bytes_start_with(keys[low].name, text)) {
        low++;
    }
    *end = low;
}

static void message_make(struct message *message, const struct kw_broadcast_key *keys, size_t begin,
                         size_t end, uint64_t but_writer_id)
{
    if (message->begin == begin && message->end == end && message->but_writer_id == but_writer_id) {
        return;
    }
    kw_blob_deinit(&message->bytes);
    message->begin = begin;
    message->end = end;
    message->but_writer_id = but_writer_id;
    message->count = 0;
    for (size_t i = begin; i < end; i++) {
        message->count += but_writer_id == 0 || keys[i].writer_id != but_writer_id ? 1 : 0;
    }
    kw_blob_print(&message->bytes, "*%zu\r\n", message->count);
    for (size_t i = begin; i < end; i++) {
        if (but_writer_id == 0 || keys[i].writer_id != but_writer_id) {
            kw_blob_print(&message->bytes, "$%zu\r\n", keys[i].name.len);
            kw_blob_add(&message->bytes, keys[i].name);
            kw_blob_add(&message->bytes, KW_BYTES("\r\n"));
        }
    }
}
