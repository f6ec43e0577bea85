/* tracking.c - the table of reads, and what is told when keys change.
 *
 * INVARIANTS
 * I1  a key has reads; one that has none is freed.
 * I2  a read goes, when its key changes, only while its client waits for nothing: what is on its
 *     way may be older than the change, or younger and changed again.
 * I3  the table has keys_max keys at most: a victim is invalidated.
 * I4  telling a client never ends it, or its tracker: tables are being walked over.
 */
#include "proxy/pubsub/tracking.h"

#include "base/hash.h"
#include "base/mem.h"
#include "net/timer.h"
#include "proxy/client.h"
#include "proxy/embedded/events.h"
#include "proxy/pubsub/referral.h"
#include "proxy/pubsub/tap.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"

/* A key that somebody has read. */
struct kw_tracked_key {
    struct kw_map_link by_name;
    struct kw_list reads;
    size_t name_len;
    char name[];
};

struct kw_tracked_read {
    struct kw_list of_key;
    struct kw_list of_tracker;
    struct kw_tracked_key *key;
    struct kw_tracker *tracker;
    uint64_t first; /* how many changes there were then: kw_events_clock() ... */
    uint64_t last;  /* ... and when it was read again: what changed between is to be told */
};

/* Who has changed a key, and when: which reads are to be told of it. */
struct change {
    uint64_t writer_id;
    uint64_t number; /* among the changes of the embedded store; UINT64_MAX: nobody knows */
};

static struct kw_buf *tell_begin(struct kw_client *client, size_t *before);
static void tell_end(struct kw_client *client, struct kw_buf *buf, size_t before);
static struct kw_tracked_key *key_find(const struct kw_tracking *tracking, struct kw_bytes name);
static void tracking_make_room(struct kw_tracking *tracking);
static void key_invalidate(struct kw_tracking *tracking, struct kw_tracked_key *key,
                           const struct change *change);
static void read_end(struct kw_tracking *tracking, struct kw_tracked_read *read);
static void tracker_tell(struct kw_tracking *tracking, struct kw_tracker *tracker,
                         const struct kw_bytes *key);
static bool tracker_must_remember(const struct kw_tracker *tracker);
static bool tracker_has_prefix_of(const struct kw_tracker *tracker, struct kw_bytes key);

struct kw_tracking *kw_tracking_of(struct kw_proxy *proxy)
{
    struct kw_tracking *tracking = proxy->tracking;
    unsigned workers_count = proxy->hub->workers_count > 0 ? proxy->hub->workers_count : 1;

    if (tracking != NULL) {
        return tracking;
    }
    tracking = kw_alloc_zero(1, sizeof *tracking);
    tracking->proxy = proxy;
    tracking->keys_max =
        (proxy->config->tracking_table_max_keys + workers_count - 1) / workers_count;
    kw_map_init(&tracking->keys);
    kw_list_init(&tracking->trackers);
    kw_list_init(&tracking->pending);
    kw_list_init(&tracking->taps);
    tracking->timer = kw_timer_new(proxy->loop, kw_taps_on_timer, tracking);
    tracking->referrals = kw_referrals_new(proxy);
    proxy->tracking = tracking;
    return tracking;
}

void kw_tracking_stop(struct kw_proxy *proxy)
{
    struct kw_tracking *tracking = proxy->tracking;

    if (tracking != NULL) {
        tracking->is_stopped = true;
        kw_trackers_advance(tracking);
        kw_taps_close(tracking);
        kw_timer_stop(tracking->timer);
    }
}

void kw_tracking_free(struct kw_proxy *proxy)
{
    struct kw_tracking *tracking = proxy->tracking;

    if (tracking == NULL) {
        return;
    }
    KW_ASSERT(kw_list_is_empty(&tracking->trackers) && tracking->keys.count == 0); /* I1 */
    kw_taps_close(tracking);
    kw_map_deinit(&tracking->keys);
    kw_timer_free(&tracking->timer);
    kw_referrals_free(&tracking->referrals);
    kw_free(tracking);
    proxy->tracking = NULL;
}

void kw_tracking_remember(struct kw_tracking *tracking, struct kw_tracker *tracker,
                          struct kw_bytes name)
{
    struct kw_tracked_key *key = key_find(tracking, name);
    uint64_t now = kw_events_clock(tracking->proxy);

    if (key == NULL) {
        tracking_make_room(tracking);
        key = kw_alloc_zero(1, sizeof *key + name.len);
        key->name_len = name.len;
        memcpy(key->name, name.data, name.len);
        kw_list_init(&key->reads);
        kw_map_add(&tracking->keys, &key->by_name, kw_hash(name, 0));
    }
    for (struct kw_list *at = key->reads.next; at != &key->reads; at = at->next) {
        struct kw_tracked_read *read = KW_LIST_ENTRY(at, struct kw_tracked_read, of_key);
        if (read->tracker == tracker) {
            read->last = now;
            return;
        }
    }
    struct kw_tracked_read *read = kw_alloc_zero(1, sizeof *read);
    read->key = key;
    read->tracker = tracker;
    read->first = now;
    read->last = now;
    kw_list_append(&key->reads, &read->of_key);
    kw_list_append(&tracker->reads, &read->of_tracker);
}

void kw_tracking_forget(struct kw_tracking *tracking, struct kw_tracker *tracker)
{
    while (!kw_list_is_empty(&tracker->reads)) {
        read_end(tracking, KW_LIST_ENTRY(tracker->reads.next, struct kw_tracked_read, of_tracker));
    }
}

void kw_tracking_invalidate(struct kw_tracking *tracking, struct kw_bytes name)
{
    const struct change change = {.writer_id = 0, .number = UINT64_MAX};
    struct kw_tracked_key *key = key_find(tracking, name);

    if (key != NULL) {
        key_invalidate(tracking, key, &change);
    }
    for (struct kw_list *at = tracking->trackers.next; at != &tracking->trackers;) {
        struct kw_tracker *tracker = KW_LIST_ENTRY(at, struct kw_tracker, all);
        at = at->next;
        if (tracker->is_bcast && tracker_has_prefix_of(tracker, name)) {
            tracker_tell(tracking, tracker, &name);
        }
    }
}

void kw_tracking_changed(struct kw_tracking *tracking, struct kw_bytes name, uint64_t writer_id,
                         uint64_t number)
{
    const struct change change = {.writer_id = writer_id, .number = number};
    struct kw_tracked_key *key = key_find(tracking, name);

    if (key != NULL) {
        key_invalidate(tracking, key, &change);
    }
}

void kw_tracking_flush(struct kw_tracking *tracking)
{
    for (struct kw_list *at = tracking->trackers.next; at != &tracking->trackers;) {
        struct kw_tracker *tracker = KW_LIST_ENTRY(at, struct kw_tracker, all);
        at = at->next;
        if (!tracker_must_remember(tracker)) { /* I2 */
            kw_tracking_forget(tracking, tracker);
        }
        tracker_tell(tracking, tracker, NULL);
    }
}

void kw_tracking_doubt(struct kw_tracking *tracking, struct kw_tracker *tracker)
{
    tracker_tell(tracking, tracker, NULL);
}

void kw_tracking_tell(struct kw_client *client, const struct kw_bytes *key)
{
    size_t before = 0;
    struct kw_buf *buf = tell_begin(client, &before);

    if (buf == NULL) {
        return;
    }
    if (key == NULL) {
        kw_reply_null(buf, client->proto);
    } else {
        kw_reply_array(buf, 1);
        kw_reply_bulk(buf, *key);
    }
    tell_end(client, buf, before);
}

void kw_tracking_tell_array(struct kw_client *client, struct kw_bytes keys)
{
    size_t before = 0;
    struct kw_buf *buf = tell_begin(client, &before);

    if (buf != NULL) {
        kw_buf_append_bytes(buf, keys);
        tell_end(client, buf, before);
    }
}

void kw_tracking_tell_tracker(struct kw_tracking *tracking, struct kw_tracker *tracker,
                              struct kw_bytes keys)
{
    if (tracker->redirect_id != 0) {
        kw_referrals_add_array(tracking->referrals, tracker->redirect_id, keys);
    } else {
        kw_tracking_tell_array(tracker->client, keys);
    }
}

/* Where the keys are to be written; NULL: CLIENT can't be told. *before: bytes that were there. */
static struct kw_buf *tell_begin(struct kw_client *client, size_t *before)
{
    static const struct kw_bytes push_head = {">2\r\n$10\r\ninvalidate\r\n", 21};
    static const struct kw_bytes message_head = {
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n", 44};

    if (client->proto == 2 && (client->modes & KW_MODE_SUBSCRIBED) == 0) {
        return NULL;
    }
    struct kw_buf *buf = kw_reply_begin_push_behind(client);
    *before = buf->len;
    kw_buf_append_bytes(buf, client->proto == 3 ? push_head : message_head);
    return buf;
}

static void tell_end(struct kw_client *client, struct kw_buf *buf, size_t before)
{
    kw_reply_end_push(client, buf, buf->len - before);
    KW_STAT_ADD(client->proxy->stats, tracking_invalidations, 1);
    if (client->stream.out.len + client->parked_bytes > KW_OUTPUT_PAUSE_BYTES) {
        kw__client_resume_later(client); /* looks at its limits; nobody is closed in here (I4) */
    }
}

static struct kw_tracked_key *key_find(const struct kw_tracking *tracking, struct kw_bytes name)
{
    for (struct kw_map_link *link = kw_map_first(&tracking->keys, kw_hash(name, 0)); link != NULL;
         link = kw_map_next(link)) {
        struct kw_tracked_key *key = KW_MAP_ENTRY(link, struct kw_tracked_key, by_name);
        if (kw_bytes_equal(kw_bytes_of(key->name, key->name_len), name)) {
            return key;
        }
    }
    return NULL;
}

/* Give some key up when the table is full (I3). What must stay by I2 goes as well: its client is
 * told behind the reply that is on its way, and has nothing to lose then.
 */
static void tracking_make_room(struct kw_tracking *tracking)
{
    while (tracking->keys_max > 0 && tracking->keys.count >= tracking->keys_max) {
        struct kw_map_link *link =
            kw_map_any(&tracking->keys, kw_backend_random(tracking->proxy->backend));
        struct kw_tracked_key *key = KW_MAP_ENTRY(link, struct kw_tracked_key, by_name);
        struct kw_bytes name = kw_bytes_of(key->name, key->name_len);
        for (bool is_last = false; !is_last;) {
            struct kw_tracked_read *read =
                KW_LIST_ENTRY(key->reads.next, struct kw_tracked_read, of_key);
            is_last = key->reads.next == key->reads.prev;
            tracker_tell(tracking, read->tracker, &name);
            read_end(tracking, read); /* the key goes with its last one */
        }
    }
}

static void key_invalidate(struct kw_tracking *tracking, struct kw_tracked_key *key,
                           const struct change *change)
{
    struct kw_bytes name = kw_bytes_of(key->name, key->name_len);
    bool is_over = false;

    for (struct kw_list *at = key->reads.next; !is_over;) {
        struct kw_tracked_read *read = KW_LIST_ENTRY(at, struct kw_tracked_read, of_key);
        at = at->next;
        is_over = at == &key->reads; /* the key goes with its last read */
        const struct kw_tracker *tracker = read->tracker;
        if (read->first >= change->number) {
            continue; /* of the new value */
        }
        bool is_kept = tracker_must_remember(tracker);
        bool is_read_again = read->last >= change->number;
        if (!tracker->is_noloop || change->writer_id == 0 ||
            tracker->client->id != change->writer_id) {
            tracker_tell(tracking, read->tracker, &name);
        }
        if (is_read_again) {
            read->first = read->last;
        } else if (!is_kept) {
            read_end(tracking, read);
        }
    }
}

static void read_end(struct kw_tracking *tracking, struct kw_tracked_read *read)
{
    struct kw_tracked_key *key = read->key;

    kw_list_remove(&read->of_key);
    kw_list_remove(&read->of_tracker);
    kw_free(read);
    if (kw_list_is_empty(&key->reads)) {
        kw_map_remove(&tracking->keys, &key->by_name);
        kw_free(key);
    }
}

static void tracker_tell(struct kw_tracking *tracking, struct kw_tracker *tracker,
                         const struct kw_bytes *key)
{
    if (tracker->redirect_id != 0) {
        kw_referrals_add(tracking->referrals, tracker->redirect_id, key);
    } else {
        kw_tracking_tell(tracker->client, key);
    }
}

/* Is something on its way to its client that may have been read before now, or will it run later
 * what it has asked for already (MULTI)? The store of this process reads at once.
 */
static bool tracker_must_remember(const struct kw_tracker *tracker)
{
    const struct kw_client *client = tracker->client;

    return client->proxy->embedded == NULL &&
           (client->oldest != NULL || client->is_waiting || (client->modes & KW_MODE_MULTI) != 0);
}

static bool tracker_has_prefix_of(const struct kw_tracker *tracker, struct kw_bytes key)
{
    for (uint32_t i = 0; i < tracker->prefixes_count; i++) {
        if (kw_bytes_start_with(key,
                                kw_bytes_of(tracker->prefixes[i].data, tracker->prefixes[i].len))) {
            return true;
        }
    }
    return false;
}
