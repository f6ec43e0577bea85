/* events.c - notes of a command, and the errands that follow it.
 *
 *   kw_store_run: changed k, event "lpush" k, ready k       notes
 *   kw_events_tell: ready   -> stall.c: those who block on k are served here and now
 *                   changed -> who has read k is told (tracking.c): here at once, in the other
 *                              workers when the tick ends; with BCAST only then (broadcast.c)
 *                   event   -> all workers: __keyspace@0__:k, __keyevent@0__:lpush (herald.c)
 *
 * Serving makes notes of its own: they are told in the next round of the same loop.
 *
 * INVARIANTS
 * E1  Nothing is noted that nobody could want: no tracker anywhere, no class switched on, nobody
 *     who blocks. A tracker that comes meanwhile reads the new value (see on_changed).
 * E2  Notes are told in the order in which they were made.
 * E3  Other workers are told before the replies of this tick are written: a client that has its
 *     answer is ahead of nobody's invalidation for long.
 * E4  The clock moves when the new value is there: who has read a key at a clock that a change has
 *     moved already has read what it left, and is not told of it, on any worker.
 */
#include "proxy/embedded/events.h"

#include "base/mem.h"
#include "proxy/crew.h"
#include "proxy/embedded/herald.h"
#include "proxy/embedded/shared.h"
#include "proxy/embedded/stall.h"
#include "proxy/pubsub/broadcast.h"

enum note_kind { NOTE_CHANGED, NOTE_FLUSHED, NOTE_EVENT, NOTE_READY, NOTE_MESSAGE };

/* Bits of event_classes beside 1 << enum kw_store_class. */
enum { EVENT_KEYSPACE = 1 << 30, EVENT_KEYEVENT = 1 << 29 };

struct note {
    enum note_kind kind;
    uint32_t event_len;
    size_t name_len; /* the event, then the name follow; MESSAGE: its channel and text */
    enum kw_channel_kind channel_kind;
    uint64_t number;    /* CHANGED: the clock that it moved */
    uint64_t writer_id; /* CHANGED: who did it; 0: nobody, it was over or evicted */
};

/* Names that have changed, for the trackers of all workers. */
struct gossip {
    struct kw_errand errand; /* first */
    struct kw_blob names;    /* struct note and name, each */
    size_t names_count;      /* of those, keys */
};

/* The letters of notify-keyspace-events, in the order redis prints them. Streams and modules, which
 * this store has not, are letters all the same: clients send them.
 */
static const struct {
    char letter;
    unsigned bits;
} letters[] = {
    {'g', 1u << KW_STORE_GENERIC},
    {'$', 1u << KW_STORE_STRING},
    {'l', 1u << KW_STORE_LIST},
    {'s', 1u << KW_STORE_SET},
    {'h', 1u << KW_STORE_HASH},
    {'z', 1u << KW_STORE_ZSET},
    {'x', 1u << KW_STORE_EXPIRED},
    {'e', 1u << KW_STORE_EVICTED},
    {'t', 1u << 20},
    {'d', 1u << 21},
    {'n', 1u << KW_STORE_NEW},
    {'K', EVENT_KEYSPACE},
    {'E', EVENT_KEYEVENT},
    {'m', 1u << KW_STORE_MISS},
};

enum {
    LETTERS_COUNT = sizeof letters / sizeof letters[0],
    LETTERS_ALL = 10 /* of these, from the first: what 'A' stands for */
};

static void on_changed(void *user, enum kw_store_class class, struct kw_bytes name);
static void on_flushed(void *user);
static void on_event(void *user, enum kw_store_class class, const char *event,
                     struct kw_bytes name);
static void on_ready(void *user, struct kw_bytes name);
static void note_add(struct kw_blob *notes, const struct note *note, struct kw_bytes event,
                     struct kw_bytes name);
static void gossip_add(struct kw_proxy *proxy, struct note *note, struct kw_bytes name,
                       uint64_t client_id);
static void tell_event(struct kw_proxy *proxy, struct kw_bytes event, struct kw_bytes name);
static void gossip_visit(struct kw_proxy *proxy, struct kw_errand *errand);
static void gossip_broadcast(struct kw_proxy *proxy, const struct gossip *gossip);
static void gossip_done(struct kw_proxy *home, struct kw_errand *errand);
static unsigned classes_of_all(void);

struct kw_store_watcher kw_events_watcher(struct kw_proxy *proxy)
{
    return (struct kw_store_watcher){.on_event = on_event,
                                     .on_changed = on_changed,
                                     .on_ready = on_ready,
                                     .on_flushed = on_flushed,
                                     .user = proxy};
}

void kw_events_configure(struct kw_proxy *proxy)
{
    unsigned classes = 0;

    if (proxy->embedded == NULL) {
        return;
    }
    (void)kw_events_read(kw_bytes_of_text(proxy->config->notify_keyspace_events), &classes);
    bool is_any = (classes & (EVENT_KEYSPACE | EVENT_KEYEVENT)) != 0;
    classes = is_any ? classes : 0;
    proxy->embedded->event_classes = classes;
    kw_store_tell(proxy->embedded->store, (classes & 1u << KW_STORE_NEW) != 0,
                  (classes & 1u << KW_STORE_MISS) != 0);
}

void kw_events_tell(struct kw_proxy *proxy, const struct kw_client *client)
{
    struct kw_embedded *embedded = proxy->embedded;
    uint64_t client_id = client == NULL ? 0 : client->id;

    if (embedded->notes.len == 0 || embedded->is_telling) {
        return;
    }
    embedded->is_telling = true;
    while (embedded->notes.len > 0) {
        struct kw_blob notes = embedded->notes;
        embedded->notes = (struct kw_blob){0};
        for (size_t at = 0; at < notes.len;) { /* E2 */
            struct note note;
            memcpy(&note, notes.data + at, sizeof note);
            struct kw_bytes event = kw_bytes_of(notes.data + at + sizeof note, note.event_len);
            struct kw_bytes name = kw_bytes_of(event.data + event.len, note.name_len);
            at += sizeof note + event.len + name.len;
            if (note.kind == NOTE_READY) {
                kw_stalls_serve(proxy, name);
            } else if (note.kind == NOTE_EVENT) {
                tell_event(proxy, event, name);
            } else if (note.kind == NOTE_MESSAGE) {
                kw_herald_send(proxy, note.channel_kind, event, name);
            } else {
                gossip_add(proxy, &note, name, client_id);
            }
        }
        kw_blob_deinit(&notes);
        client_id = 0; /* what comes of it: of clients that were blocked */
    }
    embedded->is_telling = false;
}

void kw_events_tick(struct kw_proxy *proxy)
{
    struct gossip *gossip = proxy->embedded->gossip;

    if (__builtin_expect(gossip != NULL, 0)) {
        proxy->embedded->gossip = NULL;
        kw_crew_send(proxy, &gossip->errand); /* E3 */
    }
}

void kw_events_add_message(struct kw_proxy *proxy, enum kw_channel_kind kind,
                           struct kw_bytes channel, struct kw_bytes text)
{
    const struct note note = {.kind = NOTE_MESSAGE, .channel_kind = kind};

    note_add(&proxy->embedded->notes, &note, channel, text);
}

void kw_events_drop(struct kw_embedded *embedded)
{
    kw_blob_deinit(&embedded->notes);
    if (embedded->gossip != NULL) {
        gossip_done(NULL, &embedded->gossip->errand);
        embedded->gossip = NULL;
    }
}

bool kw_events_read(struct kw_bytes text, unsigned *classes)
{
    *classes = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned bits = text.data[i] == 'A' ? classes_of_all() : 0;
        for (size_t n = 0; n < LETTERS_COUNT; n++) {
            bits |= letters[n].letter == text.data[i] ? letters[n].bits : 0;
        }
        if (bits == 0) {
            return false;
        }
        *classes |= bits;
    }
    return true;
}

void kw_events_write(unsigned classes, char *text)
{
    unsigned all = classes_of_all();
    bool has_all = (classes & all) == all;

    if (has_all) {
        *text++ = 'A';
    }
    for (size_t n = 0; n < LETTERS_COUNT; n++) {
        bool is_said = has_all && (letters[n].bits & (all | 1u << KW_STORE_NEW)) != 0;
        if ((classes & letters[n].bits) != 0 && !is_said) {
            *text++ = letters[n].letter;
        }
    }
    *text = '\0';
}

uint64_t kw_events_clock(const struct kw_proxy *proxy)
{
    return proxy->embedded == NULL ? 0 : atomic_load(&proxy->embedded->commons->changes_count);
}

void kw_events_count_trackers(struct kw_proxy *proxy, int delta)
{
    if (proxy->embedded != NULL) {
        atomic_fetch_add(&proxy->embedded->commons->trackers_count, (uint32_t)delta);
    }
}

static void on_changed(void *user, enum kw_store_class class, struct kw_bytes name)
{
    const struct kw_proxy *proxy = user;
    struct kw_embedded *embedded = proxy->embedded;
    struct note note = {.kind = NOTE_CHANGED};

    /* E1: either its reader sees the new value, or we see the reader's worker count. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&embedded->commons->trackers_count, memory_order_relaxed) > 0) {
        note.number = atomic_fetch_add(&embedded->commons->changes_count, 1) + 1;
        note.writer_id = class == KW_STORE_EXPIRED || class == KW_STORE_EVICTED ? 0 : 1;
        note_add(&embedded->notes, &note, KW_BYTES(""), name);
    }
}

static void on_flushed(void *user)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    if (atomic_load(&embedded->commons->trackers_count) > 0) {
        note_add(&embedded->notes, &(struct note){.kind = NOTE_FLUSHED}, KW_BYTES(""),
                 KW_BYTES(""));
    }
}

static void on_event(void *user, enum kw_store_class class, const char *event, struct kw_bytes name)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    if ((embedded->event_classes & 1u << class) != 0) {
        note_add(&embedded->notes, &(struct note){.kind = NOTE_EVENT}, kw_bytes_of_text(event),
                 name);
    }
}

static void on_ready(void *user, struct kw_bytes name)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    if (kw_stalls_has_any(embedded->commons->stalls)) {
        note_add(&embedded->notes, &(struct note){.kind = NOTE_READY}, KW_BYTES(""), name);
    }
}

static void note_add(struct kw_blob *notes, const struct note *note, struct kw_bytes event,
                     struct kw_bytes name)
{
    struct note added = *note;

    added.event_len = (uint32_t)event.len;
    added.name_len = name.len;
    kw_blob_add(notes, kw_bytes_of((const char *)&added, sizeof added));
    kw_blob_add(notes, event);
    kw_blob_add(notes, name);
}

static void tell_event(struct kw_proxy *proxy, struct kw_bytes event, struct kw_bytes name)
{
    struct kw_blob channel = {0};

    if (!kw_herald_is_heard(proxy)) {
        return;
    }
    if ((proxy->embedded->event_classes & EVENT_KEYSPACE) != 0) {
        kw_blob_add(&channel, KW_BYTES("__keyspace@0__:"));
        kw_blob_add(&channel, name);
        kw_herald_send(proxy, KW_CHANNEL_PLAIN, kw_blob_bytes(&channel), event);
        kw_blob_deinit(&channel);
    }
    if ((proxy->embedded->event_classes & EVENT_KEYEVENT) != 0) {
        kw_blob_add(&channel, KW_BYTES("__keyevent@0__:"));
        kw_blob_add(&channel, event);
        kw_herald_send(proxy, KW_CHANNEL_PLAIN, kw_blob_bytes(&channel), name);
        kw_blob_deinit(&channel);
    }
}

/* NOTE of a change by the client CLIENT_ID: told here, and when the tick ends to all. */
static void gossip_add(struct kw_proxy *proxy, struct note *note, struct kw_bytes name,
                       uint64_t client_id)
{
    struct gossip *gossip = proxy->embedded->gossip;

    if (gossip == NULL) {
        gossip = kw_alloc_zero(1, sizeof *gossip);
        gossip->errand.visit = gossip_visit;
        gossip->errand.done = gossip_done;
        proxy->embedded->gossip = gossip;
    }
    note->writer_id = note->writer_id == 0 ? 0 : client_id;
    gossip->names_count += note->kind == NOTE_CHANGED ? 1 : 0;
    note_add(&gossip->names, note, KW_BYTES(""), name);
    if (proxy->tracking != NULL && note->kind == NOTE_FLUSHED) {
        kw_tracking_flush(proxy->tracking);
    } else if (proxy->tracking != NULL) {
        kw_tracking_changed(proxy->tracking, name, note->writer_id, note->number);
    }
}

static void gossip_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    const struct gossip *gossip = (const struct gossip *)errand;
    bool is_home = errand->visited_count == 0; /* where it was told already */
    struct note note;

    if (proxy->tracking == NULL) {
        return;
    }
    for (size_t at = 0; !is_home && at < gossip->names.len; at += sizeof note + note.name_len) {
        memcpy(&note, gossip->names.data + at, sizeof note);
        if (note.kind == NOTE_FLUSHED) {
            kw_tracking_flush(proxy->tracking);
        } else {
            kw_tracking_changed(proxy->tracking,
                                kw_bytes_of(gossip->names.data + at + sizeof note, note.name_len),
                                note.writer_id, note.number);
        }
    }
    gossip_broadcast(proxy, gossip);
}

static void gossip_broadcast(struct kw_proxy *proxy, const struct gossip *gossip)
{
    struct kw_broadcast_key *keys = NULL;
    size_t count = 0;
    struct note note;

    if (gossip->names_count == 0 || !kw_broadcast_is_heard(proxy->tracking)) {
        return;
    }
    keys = kw_alloc(gossip->names_count * sizeof *keys);
    for (size_t at = 0; at < gossip->names.len; at += sizeof note + note.name_len) {
        memcpy(&note, gossip->names.data + at, sizeof note);
        if (note.kind == NOTE_CHANGED) {
            keys[count++] = (struct kw_broadcast_key){
                .name = kw_bytes_of(gossip->names.data + at + sizeof note, note.name_len),
                .writer_id = note.writer_id};
        }
    }
    KW_ASSERT(count == gossip->names_count);
    kw_broadcast(proxy->tracking, keys, count);
    kw_free(keys);
}

static void gossip_done(struct kw_proxy *home, struct kw_errand *errand)
{
    struct gossip *gossip = (struct gossip *)errand;

    (void)home;
    kw_blob_deinit(&gossip->names);
    kw_free(gossip);
}

static unsigned classes_of_all(void)
{
    unsigned bits = 0;

    for (size_t n = 0; n < LETTERS_ALL; n++) {
        bits |= letters[n].bits;
    }
    return bits;
}
