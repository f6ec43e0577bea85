/* route.c - keys to slot, slot to node.
 *
 * A request without keys, or whose keys can't be made out, goes to a stable node: its first
 * argument is hashed like a key. Nothing is guessed that way: the server says itself what is wrong
 * with it.
 */
#include "proxy/route.h"

#include "base/assert.h"
#include "base/text.h"
#include "command/keys.h"
#include "proxy/admit.h"
#include "proxy/reply.h"

static uint16_t slot_without_keys(const struct kw_command *command, const struct kw_argv *argv);

enum kw_verdict kw_route(struct kw_client *client, const struct kw_command *command,
                         struct kw_target *target)
{
    const struct kw_argv *argv = &client->proxy->argv;
    uint32_t single = kw_keys_single(command);
    struct kw_keys keys;

    if (single != 0) {
        if (target->slot == KW_SLOT_NONE) { /* else the near cache has looked already */
            target->slot = kw_slot_of_key(argv->items[single]);
        }
        KW_DEBUG_ASSERT(target->slot == kw_slot_of_key(argv->items[single]));
    } else if (kw_keys_find(command, argv->items, argv->count, &keys) == KW_KEYS_OK) {
        if (!kw_route_keys_agree(argv, &keys, &target->slot) && !kw_route_is_plain(client->proxy)) {
            return kw_reply_refuse(client, KW_ERROR_CROSSSLOT, NULL, NULL);
        }
        target->has_several_keys = keys.count > 1;
    } else {
        target->slot = slot_without_keys(command, argv);
    }
    return kw_route_slot(client, target);
}

enum kw_verdict kw_route_slot(struct kw_client *client, struct kw_target *target)
{
    struct kw_proxy *proxy = client->proxy;

    target->node = kw_backend_node_of_slot(proxy->backend, target->slot);
    if (target->node == NULL) {
        if (!proxy->backend->has_topology &&
            kw_loop_now_ms(proxy->loop) < proxy->patient_until_ms) {
            return KW_WAITING; /* just started: the seeds are being asked */
        }
        kw_backend_want_topology(proxy->backend);
        enum kw_error error =
            proxy->backend->has_topology ? KW_ERROR_SLOT_UNSERVED : KW_ERROR_NO_TOPOLOGY;
        return kw_reply_refuse(client, error, NULL, NULL);
    }
    return KW_NEXT;
}

/* CLUSTER COUNTKEYSINSLOT 42, FT.SEARCH index ..., FT.CURSOR READ index ..., TIME. */
static uint16_t slot_without_keys(const struct kw_command *command, const struct kw_argv *argv)
{
    size_t at = strchr(command->name, '|') != NULL && argv->count > 2 ? 2 : 1;
    int64_t number = 0;

    if (command->route == KW_ROUTE_SLOT_NUMBER) {
        bool is_slot = kw_text_to_int(argv->items[2], &number) == KW_OK && number >= 0 &&
                       number < KW_SLOTS_COUNT;
        return is_slot ? (uint16_t)number : 0; /* else the node says what is wrong */
    }
    return argv->count > at ? kw_slot_of_key(argv->items[at]) : 0;
}

bool kw_route_keys_agree(const struct kw_argv *argv, const struct kw_keys *keys, uint16_t *slot)
{
    bool is_first = true;

    for (uint32_t i = 0; i < keys->runs_count; i++) {
        const struct kw_key_run *run = &keys->runs[i];
        for (uint32_t n = 0; n < run->count; n++) {
            uint16_t other = kw_slot_of_key(argv->items[run->first + n * run->step]);
            if (!is_first && other != *slot) {
                return false;
            }
            *slot = other;
            is_first = false;
        }
    }
    return true;
}
