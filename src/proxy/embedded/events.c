/* events.c - notes of a command, and the errands that follow it.
 *
 *   kw_store_run: changed k, event "lpush" k, ready k       notes
 *   kw_events_tell: ready   -> stall.c: those who block on k are served here and now
 *                   changed -> all workers: who has read k is told (tracking.c)
 *                   event   -> all workers: __keyspace@0__:k, __keyevent@0__:lpush (herald.c)
 *
 * Serving makes notes of its own: they are told in the next round of the same loop.
 *
 * INVARIANTS
 * E1  Nothing is noted that nobody could want: no tracker anywhere, no class switched on, nobody
 *     who blocks. A tracker that comes meanwhile reads the new value (see on_changed).
 * E2  Notes are told in the order in which they were made.
 */
#include "proxy/embedded/events.h"

#include "base/mem.h"
#include "proxy/crew.h"
#include "proxy/embedded/herald.h"
#include "proxy/embedded/shared.h"
#include "proxy/embedded/stall.h"
#include "proxy/pubsub/tracking.h"

enum note_kind { NOTE_CHANGED, NOTE_FLUSHED, NOTE_EVENT, NOTE_READY };

/* Bits of event_classes beside 1 << enum kw_store_class. */
enum { EVENT_KEYSPACE = 1 << 30, EVENT_KEYEVENT = 1 << 29 };

struct note {
    enum note_kind kind;
    uint32_t event_len;
    size_t name_len; /* the event, then the name follow */
};

/* Names that have changed, for the trackers of all workers. */
struct gossip {
    struct kw_errand errand; /* first */
    struct kw_blob names;    /* struct note and name, each */
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

static void on_changed(void *user, struct kw_bytes name);
static void on_flushed(void *user);
static void on_event(void *user, enum kw_store_class class, const char *event,
                     struct kw_bytes name);
static void on_ready(void *user, struct kw_bytes name);
static void note_add(struct kw_blob *notes, enum note_kind kind, struct kw_bytes event,
                     struct kw_bytes name);
static void tell_event(struct kw_proxy *proxy, struct kw_bytes event, struct kw_bytes name);
static void gossip_visit(struct kw_proxy *proxy, struct kw_errand *errand);
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

void kw_events_tell(struct kw_proxy *proxy)
{
    struct kw_embedded *embedded = proxy->embedded;

    if (embedded->notes.len == 0 || embedded->is_telling) {
        return;
    }
    embedded->is_telling = true;
    while (embedded->notes.len > 0) {
        struct kw_blob notes = embedded->notes;
        struct gossip *gossip = NULL;
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
            } else {
                gossip = gossip != NULL ? gossip : kw_alloc_zero(1, sizeof *gossip);
                note_add(&gossip->names, note.kind, event, name);
            }
        }
        kw_blob_deinit(&notes);
        if (gossip != NULL) {
            gossip->errand.visit = gossip_visit;
            gossip->errand.done = gossip_done;
            kw_crew_send(proxy, &gossip->errand);
        }
    }
    embedded->is_telling = false;
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

void kw_events_count_trackers(struct kw_proxy *proxy, int delta)
{
    if (proxy->embedded != NULL) {
        atomic_fetch_add(&proxy->embedded->commons->trackers_count, (uint32_t)delta);
    }
}

static void on_changed(void *user, struct kw_bytes name)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    /* E1: either its reader sees the new value, or we see the reader's worker count. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&embedded->commons->trackers_count, memory_order_relaxed) > 0) {
        note_add(&embedded->notes, NOTE_CHANGED, KW_BYTES(""), name);
    }
}

static void on_flushed(void *user)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    if (atomic_load(&embedded->commons->trackers_count) > 0) {
        note_add(&embedded->notes, NOTE_FLUSHED, KW_BYTES(""), KW_BYTES(""));
    }
}

static void on_event(void *user, enum kw_store_class class, const char *event, struct kw_bytes name)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    if ((embedded->event_classes & 1u << class) != 0) {
        note_add(&embedded->notes, NOTE_EVENT, kw_bytes_of_text(event), name);
    }
}

static void on_ready(void *user, struct kw_bytes name)
{
    struct kw_embedded *embedded = ((struct kw_proxy *)user)->embedded;

    if (kw_stalls_has_any(embedded->commons->stalls)) {
        note_add(&embedded->notes, NOTE_READY, KW_BYTES(""), name);
    }
}

static void note_add(struct kw_blob *notes, enum note_kind kind, struct kw_bytes event,
                     struct kw_bytes name)
{
    struct note note = {.kind = kind, .event_len = (uint32_t)event.len, .name_len = name.len};

    kw_blob_add(notes, kw_bytes_of((const char *)&note, sizeof note));
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
        kw_herald_send(proxy, kw_blob_bytes(&channel), event);
        kw_blob_deinit(&channel);
    }
    if ((proxy->embedded->event_classes & EVENT_KEYEVENT) != 0) {
        kw_blob_add(&channel, KW_BYTES("__keyevent@0__:"));
        kw_blob_add(&channel, event);
        kw_herald_send(proxy, kw_blob_bytes(&channel), name);
        kw_blob_deinit(&channel);
    }
}

static void gossip_visit(struct kw_proxy *proxy, struct kw_errand *errand)
{
    const struct gossip *gossip = (const struct gossip *)errand;
    struct note note;

    for (size_t at = 0; proxy->tracking != NULL && at < gossip->names.len;
         at += sizeof note + note.name_len) {
        memcpy(&note, gossip->names.data + at, sizeof note);
        if (note.kind == NOTE_FLUSHED) {
            kw_tracking_flush(proxy->tracking);
        } else {
            kw_tracking_invalidate(
                proxy->tracking, kw_bytes_of(gossip->names.data + at + sizeof note, note.name_len));
        }
    }
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
