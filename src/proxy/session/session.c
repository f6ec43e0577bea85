/* session.c - which file takes care of which mode, and of which class of commands.
 *
 * Modes are looked at in the order of the table: what a client may not do at all comes first.
 */
#include "proxy/session/session.h"

#include "proxy/admit.h"
#include "proxy/face/database.h"
#include "proxy/face/monitor.h"
#include "proxy/face/pause.h"
#include "proxy/pubsub/publish.h"
#include "proxy/pubsub/subscribe.h"
#include "proxy/pubsub/tracker.h"
#include "proxy/session/blocked.h"
#include "proxy/session/transaction.h"
#include "proxy/session/wait.h"
#include "proxy/session/watch.h"

typedef enum kw_verdict session_stage(struct kw_client *client, const struct kw_command *command,
                                      struct kw_bytes wire);

static session_stage session_wait;

static const struct {
    uint32_t mode; /* of the client or of the proxy */
    session_stage *check;
} checks[] = {
    /* first: nothing else starts meanwhile */
    {KW_MODE_LEASED | KW_MODE_SELECTING | KW_MODE_HOSTING, session_wait},
    {KW_MODE_PAUSED, kw_pause_check},
    {KW_MODE_MONITORING, kw_monitor_check},
    {KW_MODE_SUBSCRIBED, kw_subscribe_check},
    {KW_MODE_TRACKING, kw_tracker_check}, /* before MULTI: what it queues is read later */
    {KW_MODE_DB_LOST, kw_database_check},
    {KW_MODE_MULTI, kw_transaction_check},
};

static session_stage *const starts[KW_SESSION_STATE + 1] = {
    [KW_SESSION_NONE] = NULL, /* NULL: not built */
    [KW_SESSION_SUBSCRIBE] = kw_subscribe_start,
    [KW_SESSION_SUBSCRIBE_SLOT] = kw_subscribe_start,
    [KW_SESSION_PUBLISH] = kw_publish_start,
    [KW_SESSION_BLOCK] = kw_blocked_start,
    [KW_SESSION_BLOCK_OPTION] = kw_blocked_start,
    [KW_SESSION_TRANSACTION] = kw_transaction_start,
    [KW_SESSION_WATCH] = kw_watch_start,
    [KW_SESSION_WAIT] = kw_wait_start,
    [KW_SESSION_TRACKING] = kw_tracker_start,
};

enum kw_verdict kw_session_check(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    uint32_t modes = client->modes | client->proxy->modes;
    enum kw_verdict verdict = KW_NEXT;

    for (size_t i = 0; verdict == KW_NEXT && i < sizeof checks / sizeof checks[0]; i++) {
        if ((modes & checks[i].mode) != 0) {
            verdict = checks[i].check(client, command, wire);
        }
    }
    return verdict;
}

enum kw_verdict kw_session_start(struct kw_client *client, const struct kw_command *command,
                                 struct kw_bytes wire)
{
    session_stage *start = starts[command->session];

    return start == NULL ? kw_admit_not_built(client, command) : start(client, command, wire);
}

void kw_session_drop(struct kw_client *client)
{
    kw_subscribe_drop(client);
    kw_tracker_drop(client);
    kw_monitor_drop(client);
    kw_blocked_drop(client);
    kw_wait_drop(client);
    kw_transaction_drop(client);
}

/* A request is on a link of its own, or has guests: what comes behind it waits. */
static enum kw_verdict session_wait(struct kw_client *client, const struct kw_command *command,
                                    struct kw_bytes wire)
{
    (void)client;
    (void)command;
    (void)wire;
    return KW_WAITING;
}
