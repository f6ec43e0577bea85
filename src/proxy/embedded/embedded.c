/* embedded.c - a request and the store of this process.
 *
 *     kw_request_start -> kw_embedded_start
 *       admit            unknown, arity                     -> an error
 *       session          MULTI, paused, monitoring ...
 *       kw_store_run     nearly all: the reply is written   -> ANSWERED, REFUSED
 *       kw_local_answer  the connection's own commands
 *       lacks            what only servers have             -> an error that says so
 *
 * The store sees the wall clock of the loop's look at the events, so it ticks when that has moved
 * on, and rests while the loop sleeps. A timer wakes it for what is due meanwhile, or under way; it
 * runs from the first tick on, until it finds nothing to do. Each worker looks after what it has
 * done itself: who gives a key a deadline has ticked, so its timer runs, and sees that deadline.
 */
#include "proxy/embedded/embedded.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/timer.h"
#include "proxy/account.h"
#include "proxy/admit.h"
#include "proxy/embedded/bundle.h"
#include "proxy/embedded/events.h"
#include "proxy/embedded/herald.h"
#include "proxy/embedded/shared.h"
#include "proxy/embedded/stall.h"
#include "proxy/embedded/steward.h"
#include "proxy/face/cluster_face.h"
#include "proxy/local/local.h"
#include "proxy/pubsub/subscribe.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/reply.h"
#include "proxy/session/session.h"

enum {
    UPKEEP_MS = 100,           /* between ticks while there is something to do */
    ASLEEP_MAX_MS = 10 * 1000, /* the wall clock may be set meanwhile */
    QUICK_ARGS_MAX = 8         /* with more arguments any command may take long */
};

static void embedded_wake(struct kw_proxy *proxy);
static void embedded_keep_up(struct kw_proxy *proxy);
static bool command_is_timed(struct kw_proxy *proxy, const struct kw_command *command);
static enum kw_verdict embedded_timed(struct kw_client *client, const struct kw_command *command,
                                      struct kw_bytes wire);
static enum kw_verdict embedded_run(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire);
static enum kw_verdict embedded_other(struct kw_client *client, const struct kw_command *command,
                                      struct kw_bytes wire);
static const char *lacking(const struct kw_command *command);
static void embedded_on_timer(void *arg);

void kw_embedded_open(struct kw_proxy *proxy, struct kw_commons *commons)
{
    struct kw_embedded *embedded = kw_alloc_zero(1, sizeof *embedded);
    struct kw_store_watcher watcher = kw_events_watcher(proxy);

    embedded->now_ms = kw_loop_now_wall_ms(proxy->loop);
    embedded->commons = commons;
    embedded->store = kw_store_join(commons->store, &watcher, embedded->now_ms);
    KW_ASSERT(embedded->store != NULL);
    kw_store_rest(embedded->store);
    embedded->timer = kw_timer_new(proxy->loop, embedded_on_timer, proxy);
    kw_argv_init(&embedded->argv);
    proxy->embedded = embedded;
    embedded_keep_up(proxy);
    kw_events_configure(proxy);
}

void kw_embedded_close(struct kw_proxy *proxy)
{
    struct kw_embedded *embedded = proxy->embedded;

    if (embedded == NULL) {
        return;
    }
    kw_timer_free(&embedded->timer);
    kw_store_leave(&embedded->store);
    kw_argv_deinit(&embedded->argv);
    kw_events_drop(embedded);
    kw_free(embedded);
    proxy->embedded = NULL;
}

enum kw_verdict kw_embedded_start(struct kw_client *client, const struct kw_command *command,
                                  struct kw_bytes wire, bool *is_admitted)
{
    struct kw_proxy *proxy = client->proxy;
    enum kw_verdict verdict = KW_NEXT;

    *is_admitted = command != NULL && kw_command_arity_ok(command, proxy->argv.count);
    if (!*is_admitted) {
        return kw_admit(client, command);
    }
    if (__builtin_expect((client->modes | proxy->modes) != 0, 0)) {
        verdict = kw_session_check(client, command, wire);
    }
    if (verdict == KW_NEXT) {
        embedded_wake(proxy);
        verdict = command_is_timed(proxy, command) ? embedded_timed(client, command, wire)
                                                   : kw_embedded_answer(client, command, wire);
        kw_events_tell(proxy, client);
    }
    return verdict;
}

enum kw_verdict kw_embedded_answer(struct kw_client *client, const struct kw_command *command,
                                   struct kw_bytes wire)
{
    enum kw_verdict verdict = embedded_run(client, command, wire);

    return verdict == KW_NEXT ? embedded_other(client, command, wire) : verdict;
}

enum kw_verdict kw_embedded_perform(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire)
{
    embedded_wake(client->proxy);
    enum kw_verdict verdict = kw_embedded_answer(client, command, wire);
    kw_events_tell(client->proxy, client);
    return verdict;
}

bool kw_embedded_offers(const struct kw_command *command)
{
    if (command->local == KW_LOCAL_HELP) { /* where there is something to help with */
        const char *bar = memchr(command->name, '|', command->name_len);
        command = kw_command_find(kw_bytes_of(command->name, (size_t)(bar - command->name)));
    }
    if ((command->flags & KW_COMMAND_CONTAINER) != 0 && command->local != KW_LOCAL_COMMAND) {
        const struct kw_command *row = command + 1;
        for (; kw_command_is_within(row, command); row++) {
            if (row->local != KW_LOCAL_HELP && kw_embedded_offers(row)) {
                return true;
            }
        }
        return false;
    }
    switch (command->session) {
    case KW_SESSION_TRANSACTION:
    case KW_SESSION_WATCH:
    case KW_SESSION_SUBSCRIBE:
    case KW_SESSION_SUBSCRIBE_SLOT:
    case KW_SESSION_TRACKING:
    case KW_SESSION_PUBLISH:
        return true;
    case KW_SESSION_WAIT:
        return strcmp(command->name, "wait") == 0;
    case KW_SESSION_NONE:
    case KW_SESSION_BLOCK:
    case KW_SESSION_BLOCK_OPTION:
    case KW_SESSION_CURSOR:
    case KW_SESSION_STATE:
    default:
        break;
    }
    bool is_about_channels = (command->flags & KW_COMMAND_PUBSUB) != 0;
    bool is_local = command->route == KW_ROUTE_LOCAL && command->group != KW_GROUP_CLUSTER;
    return kw_store_offers(command) || kw_steward_offers(command) || is_local || is_about_channels;
}

enum kw_verdict kw_embedded_lacks(struct kw_client *client, const struct kw_command *command)
{
    char name[KW_COMMAND_NAME_MAX + 1];

    if (strcmp(command->name, "shutdown") == 0) {
        return kw_reply_refuse(client, KW_ERROR_STORE_ENDS, NULL, NULL);
    }
    kw_admit_shown_name(command, name, sizeof name);
    return kw_reply_refuse(client, KW_ERROR_STORE_LACKS, name, lacking(command));
}

void kw_embedded_configure(struct kw_proxy *proxy)
{
    const struct kw_config *config = proxy->config;

    if (proxy->embedded == NULL) {
        return;
    }
    embedded_wake(proxy);
    kw_store_reconfigure(proxy->embedded->store, config->maxmemory_bytes, config->maxmemory_policy);
    kw_store_set_packing(proxy->embedded->store, &config->packing);
}

void kw_embedded_figures(const struct kw_proxy *proxy, struct kw_store_figures *figures)
{
    if (proxy->embedded != NULL) {
        kw_store_figures(proxy->embedded->store, figures);
    } else {
        *figures = (struct kw_store_figures){0};
    }
}

unsigned kw_embedded_prepare(struct kw_proxy *proxy, const struct kw_bytes *keys, unsigned count)
{
    embedded_wake(proxy);
    return kw_store_prepare(proxy->embedded->store, keys, count);
}

void kw_embedded_rest(struct kw_proxy *proxy)
{
    if (proxy->embedded->is_awake) {
        proxy->embedded->is_awake = false;
        proxy->embedded->has_timed = false;
        kw_store_rest(proxy->embedded->store);
    }
}

static void embedded_wake(struct kw_proxy *proxy)
{
    struct kw_embedded *embedded = proxy->embedded;
    uint64_t now_ms = kw_loop_now_wall_ms(proxy->loop);

    if (!embedded->is_awake || now_ms != embedded->now_ms) {
        embedded->is_awake = true;
        embedded->now_ms = now_ms;
        kw_store_tick(embedded->store, now_ms);
        if (!embedded->is_kept_up) {
            embedded_keep_up(proxy);
        }
    }
}

/* Two looks at the clock cost a fifth of a GET: so of those commands that take no longer than a GET
 * only the first of a tick is timed. Of the others, any may be the slow one.
 */
static bool command_is_timed(struct kw_proxy *proxy, const struct kw_command *command)
{
    bool is_first = !proxy->embedded->has_timed;

    proxy->embedded->has_timed = true;
    bool is_put = command->group == KW_GROUP_STRING && (command->flags & KW_COMMAND_WRITE) != 0;
    bool is_quick = is_put || (command->flags & KW_COMMAND_FAST) != 0;
    return is_first || !is_quick || proxy->argv.count > QUICK_ARGS_MAX;
}

static enum kw_verdict embedded_timed(struct kw_client *client, const struct kw_command *command,
                                      struct kw_bytes wire)
{
    uint64_t start_us = kw_clock_us();
    enum kw_verdict verdict = kw_embedded_answer(client, command, wire);

    if (verdict == KW_ANSWERED) {
        kw_account_took(client, command, kw_clock_us() - start_us);
    }
    return verdict;
}

static void embedded_keep_up(struct kw_proxy *proxy)
{
    proxy->embedded->is_kept_up = true;
    kw_timer_start(proxy->embedded->timer, UPKEEP_MS);
}

/* NEXT: the store has no such command. */
static enum kw_verdict embedded_run(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire)
{
    struct kw_proxy *proxy = client->proxy;
    struct kw_buf *buf = kw_reply_begin(client);
    size_t len = buf->len;

    enum kw_store_outcome outcome =
        kw_store_run(proxy->embedded->store, command, &proxy->argv, client->proto, buf);
    if (outcome == KW_STORE_FAILED) {
        kw_account_written(proxy, buf, len);
    }
    kw_reply_end(client);
    switch (outcome) {
    case KW_STORE_DONE:
        return KW_ANSWERED;
    case KW_STORE_FAILED:
        return KW_REFUSED;
    case KW_STORE_BLOCKS:
        return kw_stall_start(client, command, wire);
    case KW_STORE_LACKS:
    default:
        return KW_NEXT;
    }
}

static enum kw_verdict embedded_other(struct kw_client *client, const struct kw_command *command,
                                      struct kw_bytes wire)
{
    bool is_local = command->route == KW_ROUTE_LOCAL && command->local != KW_LOCAL_NONE;

    if (kw_cluster_face_is_hidden(client, command)) {
        return kw_reply_refuse(client, KW_ERROR_CLUSTER_DISABLED, NULL, NULL);
    }
    if (is_local || command->group == KW_GROUP_SENTINEL) {
        enum kw_verdict verdict =
            command->local == KW_LOCAL_HELP ? kw_steward_help(client, command) : KW_NEXT;
        verdict = verdict == KW_NEXT ? kw_admit(client, command) : verdict;
        return verdict == KW_NEXT ? kw_local_answer(client, command) : verdict;
    }
    switch (command->session) {
    case KW_SESSION_TRANSACTION:
        return kw_transaction_start(client, command, wire);
    case KW_SESSION_WATCH:
        return kw_bundle_watch(client);
    case KW_SESSION_SUBSCRIBE:
    case KW_SESSION_SUBSCRIBE_SLOT:
        return kw_subscribe_start(client, command, wire);
    case KW_SESSION_TRACKING:
        return kw_tracker_start(client, command, wire);
    case KW_SESSION_PUBLISH:
        return kw_herald_publish(client, command, false);
    case KW_SESSION_WAIT:
        return strcmp(command->name, "wait") == 0 ? kw_stall_wait(client, command, wire)
                                                  : kw_embedded_lacks(client, command);
    case KW_SESSION_NONE:
    case KW_SESSION_BLOCK:
    case KW_SESSION_BLOCK_OPTION:
    case KW_SESSION_CURSOR:
    case KW_SESSION_STATE:
    default: {
        enum kw_verdict verdict = kw_herald_answer(client, command);
        verdict = verdict == KW_NEXT ? kw_steward_answer(client, command) : verdict;
        return verdict == KW_NEXT ? kw_embedded_lacks(client, command) : verdict;
    }
    }
}

/* What COMMAND would be about. */
static const char *lacking(const struct kw_command *command)
{
    static const char *const words[KW_GROUP_COUNT] = {
        [KW_GROUP_STREAM] = "streams",           [KW_GROUP_GEO] = "positions",
        [KW_GROUP_HYPERLOGLOG] = "HyperLogLogs", [KW_GROUP_ARRAY] = "arrays",
        [KW_GROUP_SCRIPTING] = "scripts",        [KW_GROUP_CLUSTER] = "cluster",
    };

    if (command->group >= KW_GROUP_JSON) {
        return "modules";
    }
    return words[command->group] != NULL ? words[command->group] : "such command";
}

static void embedded_on_timer(void *arg)
{
    struct kw_proxy *proxy = arg;
    struct kw_embedded *embedded = proxy->embedded;
    uint64_t asleep_ms = 0;

    embedded->is_kept_up = true; /* as far as waking is concerned */
    embedded_wake(proxy);
    kw_events_tell(proxy, NULL); /* of what was over */
    uint64_t upkeep_ms = kw_store_upkeep_ms(embedded->store);
    if (upkeep_ms > embedded->now_ms) {
        asleep_ms = upkeep_ms - embedded->now_ms;
    }
    if (asleep_ms <= UPKEEP_MS) {
        embedded_keep_up(proxy);
        return;
    }
    embedded->is_kept_up = false;
    if (upkeep_ms != UINT64_MAX) {
        kw_timer_start(embedded->timer, asleep_ms < ASLEEP_MAX_MS ? asleep_ms : ASLEEP_MAX_MS);
    }
}
