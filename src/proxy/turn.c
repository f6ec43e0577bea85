/* turn.c - is it a request's turn to be sent? (O2: request.c says why)
 *
 * Nearly always nothing is going on that could hold it: that is found out without a look at the
 * client's queue.
 */
#include "proxy/turn.h"

#include "backend/link.h"
#include "backend/node.h"
#include "base/apart.h"

static bool turn_is_held(const struct kw_client *client, const struct kw_command *command,
                         const struct kw_target *target);

bool kw_turn_must_wait(const struct kw_client *client, const struct kw_command *command,
                       const struct kw_target *target)
{
    const struct kw_proxy *proxy = client->proxy;

    if (client->inflight_count == 0 ||
        (client->barriers_count == 0 && client->redirecting_count == 0 && !proxy->has_unstable[0] &&
         !proxy->has_unstable[1] && !kw_node_has_retired(target->node))) {
        return false;
    }
    return turn_is_held(client, command, target);
}

/* The same when something is going on that might hold it. */
static KW_APART bool turn_is_held(const struct kw_client *client, const struct kw_command *command,
                                  const struct kw_target *target)
{
    bool is_unstable = kw__slot_is_unstable(client->proxy, target->slot);
    bool is_read = kw_command_may_retry(command);
    for (const struct kw_request *request = client->oldest; request != NULL;
         request = request->next) {
        const struct kw_link *link = kw__request_call(request)->link;
        bool is_same = request->state != KW_REQUEST_DONE &&
                       (request->slot == target->slot || request->is_bunch);
        bool is_behind_barrier =
            request->is_barrier && !(is_read && kw_command_may_retry(request->command));
        bool is_on_retired = link != NULL && link->is_retired && link->node == target->node;
        if ((is_same && (is_unstable || is_behind_barrier || request->is_redirecting)) ||
            is_on_retired) {
            return true;
        }
    }
    return false;
}
