/* session.c - which file takes care of which mode, and of which class of commands.
 *
 * Modes are looked at in the order of the table: what a client may not do at all comes first.
 */
#include "proxy/session.h"

#include "proxy/admit.h"
#include "proxy/database.h"
#include "proxy/pause.h"
#include "proxy/publish.h"
#include "proxy/subscribe.h"

typedef enum kw_verdict session_stage(struct kw_client *client, const struct kw_command *command,
                                      struct kw_bytes wire);

static const struct {
    uint32_t mode; /* of the client or of the proxy */
    session_stage *check;
} checks[] = {
    {KW_MODE_PAUSED, kw_pause_check},
    {KW_MODE_SUBSCRIBED, kw_subscribe_check},
    {KW_MODE_SELECTING | KW_MODE_DB_LOST, kw_database_check},
};

static session_stage *const starts[KW_SESSION_STATE + 1] = {
    [KW_SESSION_NONE] = NULL, /* NULL: not built */
    [KW_SESSION_SUBSCRIBE] = kw_subscribe_start,
    [KW_SESSION_SUBSCRIBE_SLOT] = kw_subscribe_start,
    [KW_SESSION_PUBLISH] = kw_publish_start,
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
}
