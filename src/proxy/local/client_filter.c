/* client_filter.c - see client_filter.h. Addresses are asked of the system when somebody asks for
 * them: clients don't carry them about.
 */
#include "proxy/local/client_filter.h"

#include "base/mem.h"
#include "net/sock.h"
#include "proxy/pubsub/subscribe.h"

#include <stdio.h>

enum { ADDRESS_TEXT_MAX = 128 }; /* a socket path has at most 108 */

enum kw_client_kind kw_client_kind_by_name(struct kw_bytes word)
{
    static const struct {
        const char *name;
        enum kw_client_kind kind;
    } kinds[] = {
        {"normal", KW_CLIENT_NORMAL},     {"pubsub", KW_CLIENT_PUBSUB},
        {"master", KW_CLIENT_OF_SERVERS}, {"replica", KW_CLIENT_OF_SERVERS},
        {"slave", KW_CLIENT_OF_SERVERS},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kw_bytes_equal_nocase(word, kw_bytes_of_text(kinds[i].name))) {
            return kinds[i].kind;
        }
    }
    return KW_CLIENT_ANY;
}

enum kw_client_kind kw_client_kind(const struct kw_client *client)
{
    for (int kind = 0; kind < KW_CHANNEL_KINDS; kind++) {
        if (kw_subscriber_count(client, (enum kw_channel_kind)kind) > 0) {
            return KW_CLIENT_PUBSUB;
        }
    }
    return KW_CLIENT_NORMAL;
}

void kw_client_filter_add_id(struct kw_client_filter *filter, uint64_t id)
{
    filter->ids = kw_realloc(filter->ids, (filter->ids_count + 1) * sizeof *filter->ids);
    filter->ids[filter->ids_count++] = id;
    filter->is_by_id = true;
}

bool kw_client_filter_matches(const struct kw_client_filter *filter, const struct kw_client *client)
{
    char address[ADDRESS_TEXT_MAX];
    bool is_named = !filter->is_by_id;

    for (size_t i = 0; i < filter->ids_count && !is_named; i++) {
        is_named = filter->ids[i] == client->id;
    }
    if (!is_named || client->id == filter->self_id) {
        return false;
    }
    if (filter->kind != KW_CLIENT_ANY) {
        if (kw_client_kind(client) != filter->kind) {
            return false;
        }
    }
    uint64_t age_s = (kw_loop_now_ms(client->proxy->loop) - client->opened_ms) / 1000;
    if (age_s < filter->age_min_s) {
        return false;
    }
    if (filter->address != NULL) {
        kw_client_address(client, false, address, sizeof address);
        if (strcmp(address, filter->address) != 0) {
            return false;
        }
    }
    if (filter->local_address != NULL) {
        kw_client_address(client, true, address, sizeof address);
        return strcmp(address, filter->local_address) == 0;
    }
    return true;
}

void kw_client_filter_deinit(struct kw_client_filter *filter)
{
    kw_free(filter->ids);
    kw_free(filter->address);
    kw_free(filter->local_address);
    *filter = (struct kw_client_filter){0};
}

void kw_client_address(const struct kw_client *client, bool is_local, char *text, size_t size)
{
    struct kw_address address;
    char printed[KW_ADDRESS_TEXT_MAX];
    const char *path = client->proxy->config->unixsocket;

    if (kw_sock_local_address(client->stream.fd, &address) != KW_OK) {
        (void)snprintf(text, size, "%s:0", path);
    } else if (is_local) {
        (void)snprintf(text, size, "%s", kw_address_print(&address, printed));
    } else {
        kw_sock_peer_text(client->stream.fd, text, size);
    }
}
