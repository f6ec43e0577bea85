/* tracker.c - CLIENT TRACKING and its kin: who tracks, and when that begins.
 *
 *   TRACKING ON --checked--> does the client of REDIRECT exist? --> are the feeds there? --> +OK,
 *                              on an errand to all workers               else pending
 *
 * Nothing changes before all is checked. While the answer is under way it is the client's only
 * request: what is behind it waits, as nobody knows yet whether it is to be remembered.
 *
 * Deviations from a server: before a cluster NOLOOP is taken note of, but own writes are told as
 * well; keys that a script reads without naming them are not remembered.
 */
#include "proxy/pubsub/tracker.h"

#include "base/mem.h"
#include "command/keys.h"
#include "net/timer.h"
#include "proxy/embedded/events.h"
#include "proxy/pubsub/referral.h"
#include "proxy/pubsub/tap.h"
#include "proxy/pubsub/wish.h"
#include "proxy/reply.h"

static enum kw_verdict tracking_on_off(struct kw_client *client, const struct kw_command *command);
static void wish_decide(struct kw_wish *wish, struct kw_client *client);
static void wish_on_redirect_known(struct kw_proxy *home, void *arg, bool is_there,
                                   bool is_dropped);
static void wish_grant(struct kw_wish *wish, struct kw_client *client);
static void tracker_add_prefix(struct kw_tracker *tracker, struct kw_prefix *prefix);
static void tracker_turn_on(struct kw_tracker *tracker);
static void tracker_answer(struct kw_tracker *tracker, const char *refused_by);
static enum kw_verdict caching(struct kw_client *client);
static void tracking_info(struct kw_client *client, struct kw_buf *buf);

enum kw_verdict kw_tracker_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    struct kw_bytes name = kw_bytes_of(command->name, command->name_len);

    (void)wire;
    if (client->oldest != NULL) {
        return KW_WAITING;
    }
    if (kw_bytes_equal(name, KW_BYTES("client|tracking"))) {
        return tracking_on_off(client, command);
    }
    if (kw_bytes_equal(name, KW_BYTES("client|caching"))) {
        return caching(client);
    }
    struct kw_buf *buf = kw_reply_begin(client);
    if (kw_bytes_equal(name, KW_BYTES("client|getredir"))) {
        kw_reply_int(buf, kw_tracker_redirect(client));
    } else {
        tracking_info(client, buf);
    }
    kw_reply_end(client);
    return KW_ANSWERED;
}

enum kw_verdict kw_tracker_check(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    struct kw_tracker *tracker = client->tracker;

    (void)wire;
    if (tracker == NULL || tracker->request != NULL) {
        return KW_WAITING; /* CLIENT TRACKING ON is under way */
    }
    if (client->proxy->embedded != NULL && (client->modes & KW_MODE_MULTI) != 0) {
        return KW_NEXT; /* bundle.c notes what is read when it is read */
    }
    kw_tracker_note(client, command);
    bool is_about_client =
        kw_bytes_start_with(kw_bytes_of_text(command->name), KW_BYTES("client|"));
    /* It is about the next command, or transaction. */
    bool is_over = command->session == KW_SESSION_TRANSACTION
                       ? strcmp(command->name, "multi") != 0
                       : !is_about_client && (client->modes & KW_MODE_MULTI) == 0;
    if (is_over) {
        tracker->is_caching = false;
    }
    return KW_NEXT;
}

void kw_tracker_note(struct kw_client *client, const struct kw_command *command)
{
    struct kw_tracker *tracker = client->tracker;
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_keys keys;

    if (tracker == NULL || tracker->request != NULL) {
        return;
    }
    bool is_read = (command->flags & KW_COMMAND_READ) != 0 || command->group == KW_GROUP_SCRIPTING;
    bool is_wanted = tracker->is_optin    ? tracker->is_caching
                     : tracker->is_optout ? !tracker->is_caching
                                          : !tracker->is_bcast;
    if (is_read && is_wanted &&
        kw_keys_find(command, argv->items, argv->count, &keys) != KW_KEYS_NONE) {
        for (uint32_t i = 0; i < keys.count; i++) {
            kw_tracking_remember(client->proxy->tracking, tracker,
                                 argv->items[kw_keys_at(&keys, i)]);
        }
    }
}

void kw_tracker_foresee(struct kw_client *client, const struct kw_command *command)
{
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_tracker *tracker = client->tracker;

    if (tracker != NULL && strcmp(command->name, "client|caching") == 0 &&
        kw_bytes_equal_nocase(argv->items[2],
                              tracker->is_optin ? KW_BYTES("yes") : KW_BYTES("no"))) {
        tracker->is_caching = true;
    }
}

bool kw_tracker_is_redirect_broken(const struct kw_client *client)
{
    return client->tracker != NULL && client->tracker->is_redirect_broken;
}

bool kw_tracker_is_bcast(const struct kw_client *client)
{
    return client->tracker != NULL && client->tracker->is_bcast;
}

int64_t kw_tracker_redirect(const struct kw_client *client)
{
    return client->tracker == NULL ? -1 : (int64_t)client->tracker->redirect_id;
}

void kw_tracker_drop(struct kw_client *client)
{
    struct kw_tracker *tracker = client->tracker;

    if (tracker == NULL) {
        return;
    }
    struct kw_request *request = tracker->request;
    kw_tracking_forget(client->proxy->tracking, tracker);
    if (kw_list_is_linked(&tracker->all)) {
        KW_STAT_ADD(client->proxy->stats, clients_tracking, -1);
        kw_events_count_trackers(client->proxy, -1);
    }
    kw_list_remove(&tracker->all);
    kw_list_remove(&tracker->pending);
    for (uint32_t i = 0; i < tracker->prefixes_count; i++) {
        kw_free(tracker->prefixes[i].data);
    }
    kw_free(tracker->prefixes);
    kw_free(tracker);
    client->tracker = NULL;
    client->modes &= ~KW_MODE_TRACKING;
    if (request != NULL) {
        kw_reply_finish(request);
    }
}

void kw_trackers_advance(struct kw_tracking *tracking)
{
    const char *refused_by = NULL;

    if (kw_list_is_empty(&tracking->pending) ||
        !(kw_taps_are_settled(tracking, &refused_by) || tracking->is_stopped)) {
        return;
    }
    while (!kw_list_is_empty(&tracking->pending)) {
        tracker_answer(KW_LIST_ENTRY(tracking->pending.next, struct kw_tracker, pending),
                       refused_by);
    }
}

void kw_trackers_on_redirect_gone(struct kw_tracking *tracking, uint64_t client_id)
{
    for (struct kw_list *at = tracking->trackers.next; at != &tracking->trackers; at = at->next) {
        struct kw_tracker *tracker = KW_LIST_ENTRY(at, struct kw_tracker, all);
        struct kw_client *client = tracker->client;
        if (tracker->redirect_id != client_id || tracker->is_redirect_broken) {
            continue;
        }
        tracker->is_redirect_broken = true;
        if (client->proto == 3) {
            struct kw_buf *buf = kw_reply_begin_push(client);
            size_t before = buf->len;
            kw_buf_append_bytes(buf, KW_BYTES(">2\r\n$21\r\ntracking-redir-broken\r\n"));
            kw_reply_int(buf, (int64_t)client_id);
            kw_reply_end_push(client, buf, buf->len - before);
        }
    }
}

static enum kw_verdict tracking_on_off(struct kw_client *client, const struct kw_command *command)
{
    struct kw_wish wish = {0};
    enum kw_error error = KW_ERROR_SYNTAX;

    if (client->proxy->embedded == NULL && !client->proxy->backend->has_topology &&
        kw_loop_now_ms(client->proxy->loop) < client->proxy->patient_until_ms) {
        return KW_WAITING; /* just started: the feeds have nowhere to go yet */
    }
    if (!kw_wish_read(&wish, &client->proxy->argv, &error)) {
        kw_wish_free(&wish);
        return kw_reply_refuse(client, error, NULL, NULL);
    }
    wish.request = kw_reply_defer(client, command, NULL);
    if (wish.redirect_id == 0) {
        wish_decide(&wish, client);
        return KW_SENT;
    }
    client->modes |= KW_MODE_TRACKING; /* what is behind this waits */
    struct kw_wish *asked = kw_alloc(sizeof *asked);
    *asked = wish;
    kw_referral_ask(client->proxy, wish.redirect_id, wish_on_redirect_known, asked);
    return KW_SENT;
}

/* Grant WISH, or not; it is used up, and its request answered sooner or later. */
static void wish_decide(struct kw_wish *wish, struct kw_client *client)
{
    struct kw_request *request = wish->request;
    struct kw_buf line;

    kw_buf_init(&line, client->proxy->chunks);
    if (!wish->is_on) {
        kw_tracker_drop(client);
        kw_reply_status(&line, KW_BYTES("OK"));
    } else if (kw_wish_fits(wish, client, &line)) {
        wish_grant(wish, client);
        return;
    }
    kw_wish_free(wish);
    kw_reply_pass_buf(request, &line);
    kw_reply_finish(request);
}

/* The errand is back. */
static void wish_on_redirect_known(struct kw_proxy *home, void *arg, bool is_there, bool is_dropped)
{
    struct kw_wish *wish = arg;
    struct kw_request *request = wish->request;
    struct kw_client *client = request->client;

    (void)home;
    client->modes &= client->tracker == NULL ? ~KW_MODE_TRACKING : ~0u;
    if (client->is_gone || is_dropped) {
        kw_wish_free(wish);
        kw_reply_finish(request);
    } else if (!is_there) {
        kw_wish_free(wish);
        kw_reply_fail(request, KW_ERROR_TRACKING_NO_REDIRECT, NULL);
    } else {
        wish_decide(wish, client);
    }
    kw_free(wish);
}

/* All is checked: CLIENT gets what WISH says, once the feeds are there. */
static void wish_grant(struct kw_wish *wish, struct kw_client *client)
{
    struct kw_tracking *tracking = kw_tracking_of(client->proxy);
    struct kw_tracker *tracker = client->tracker;
    struct kw_prefix everything = {.data = NULL, .len = 0};

    if (tracker == NULL) {
        tracker = kw_alloc_zero(1, sizeof *tracker);
        tracker->client = client;
        kw_list_init(&tracker->all);
        kw_list_init(&tracker->pending);
        kw_list_init(&tracker->reads);
        client->tracker = tracker;
    }
    client->modes |= KW_MODE_TRACKING;
    tracker->redirect_id = wish->redirect_id;
    tracker->is_bcast = wish->is_bcast;
    tracker->is_optin = wish->is_optin;
    tracker->is_optout = wish->is_optout;
    tracker->is_noloop = wish->is_noloop;
    tracker->is_redirect_broken = false;
    for (uint32_t i = 0; i < wish->prefixes_count; i++) {
        tracker_add_prefix(tracker, &wish->prefixes[i]); /* takes its bytes */
    }
    if (wish->is_bcast && wish->prefixes_count == 0) {
        everything.data = kw_alloc(1);
        tracker_add_prefix(tracker, &everything);
    }
    kw_wish_free(wish);
    tracker->request = wish->request;
    kw_list_append(&tracking->pending, &tracker->pending);
    kw_taps_align(tracking);
    if (!kw_timer_is_running(tracking->timer)) {
        kw_taps_align_soon(tracking);
    }
    kw_trackers_advance(tracking);
}

/* Insert PREFIX in order, unless it is there; its bytes are taken. */
static void tracker_add_prefix(struct kw_tracker *tracker, struct kw_prefix *prefix)
{
    uint32_t at = 0;
    int order = 1;

    for (; at < tracker->prefixes_count; at++) {
        const struct kw_prefix *other = &tracker->prefixes[at];
        size_t len = prefix->len < other->len ? prefix->len : other->len;
        order = memcmp(prefix->data, other->data, len);
        order = order != 0 ? order : (prefix->len > other->len) - (prefix->len < other->len);
        if (order <= 0) {
            break;
        }
    }
    if (order == 0) {
        kw_free(prefix->data);
        prefix->data = NULL;
        return;
    }
    tracker->prefixes =
        kw_realloc(tracker->prefixes, (tracker->prefixes_count + 1) * sizeof tracker->prefixes[0]);
    memmove(&tracker->prefixes[at + 1], &tracker->prefixes[at],
            (tracker->prefixes_count - at) * sizeof tracker->prefixes[0]);
    tracker->prefixes[at] = *prefix;
    tracker->prefixes_count++;
    prefix->data = NULL;
}

/* The feeds are there, or a node will not have it (REFUSED_BY), or everything ends. */
static void tracker_answer(struct kw_tracker *tracker, const char *refused_by)
{
    struct kw_client *client = tracker->client;
    struct kw_tracking *tracking = client->proxy->tracking;
    struct kw_request *request = tracker->request;

    kw_list_remove(&tracker->pending);
    tracker->request = NULL;
    if (refused_by != NULL || tracking->is_stopped) {
        kw_tracker_drop(client);
        kw_reply_fail(request, KW_ERROR_TRACKING_NODE, refused_by);
        return;
    }
    tracker_turn_on(tracker);
    kw_reply_pass(request, KW_BYTES("+OK\r\n"));
    kw_reply_finish(request);
}

static void tracker_turn_on(struct kw_tracker *tracker)
{
    if (!kw_list_is_linked(&tracker->all)) {
        KW_STAT_ADD(tracker->client->proxy->stats, clients_tracking, 1);
        kw_events_count_trackers(tracker->client->proxy, 1);
        kw_list_append(&tracker->client->proxy->tracking->trackers, &tracker->all);
    }
}

static enum kw_verdict caching(struct kw_client *client)
{
    struct kw_tracker *tracker = client->tracker;
    struct kw_bytes word = client->proxy->argv.items[2];

    if (tracker == NULL) {
        return kw_reply_refuse(client, KW_ERROR_CACHING_OFF, NULL, NULL);
    }
    bool is_yes = kw_bytes_equal_nocase(word, KW_BYTES("yes"));
    if (!is_yes && !kw_bytes_equal_nocase(word, KW_BYTES("no"))) {
        return kw_reply_refuse(client, KW_ERROR_SYNTAX, NULL, NULL);
    }
    if (is_yes && !tracker->is_optin) {
        return kw_reply_refuse(client, KW_ERROR_CACHING_YES, NULL, NULL);
    }
    if (!is_yes && !tracker->is_optout) {
        return kw_reply_refuse(client, KW_ERROR_CACHING_NO, NULL, NULL);
    }
    tracker->is_caching = true;
    kw_reply_status(kw_reply_begin(client), KW_BYTES("OK"));
    kw_reply_end(client);
    return KW_ANSWERED;
}

static void tracking_info(struct kw_client *client, struct kw_buf *buf)
{
    static const struct kw_tracker none;
    const struct kw_tracker *tracker = client->tracker == NULL ? &none : client->tracker;
    const struct {
        bool is_set;
        const char *name;
    } flags[] = {
        {client->tracker == NULL, "off"},
        {client->tracker != NULL, "on"},
        {tracker->is_bcast, "bcast"},
        {tracker->is_optin, "optin"},
        {tracker->is_optin && tracker->is_caching, "caching-yes"},
        {tracker->is_optout, "optout"},
        {tracker->is_optout && tracker->is_caching, "caching-no"},
        {tracker->is_noloop, "noloop"},
        {tracker->is_redirect_broken, "broken_redirect"},
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        count += flags[i].is_set ? 1 : 0;
    }
    kw_reply_map(buf, 3, client->proto);
    kw_reply_bulk(buf, KW_BYTES("flags"));
    kw_reply_set(buf, count, client->proto);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (flags[i].is_set) {
            kw_reply_bulk(buf, kw_bytes_of_text(flags[i].name));
        }
    }
    kw_reply_bulk(buf, KW_BYTES("redirect"));
    kw_reply_int(buf, kw_tracker_redirect(client));
    kw_reply_bulk(buf, KW_BYTES("prefixes"));
    kw_reply_array(buf, tracker->prefixes_count);
    for (uint32_t i = 0; i < tracker->prefixes_count; i++) {
        kw_reply_bulk(buf, kw_bytes_of(tracker->prefixes[i].data, tracker->prefixes[i].len));
    }
}
