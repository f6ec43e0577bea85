/* client_filter.h - which clients CLIENT LIST and CLIENT KILL are about.
 *
 * Thread: made on one worker, read on all while its errand is there.
 * Memory: kw_client_filter_deinit() gives back what the fields own.
 */
#ifndef KW_PROXY_LOCAL_CLIENT_FILTER_H
#define KW_PROXY_LOCAL_CLIENT_FILTER_H

#include "proxy/internal.h"

enum kw_client_kind {
    KW_CLIENT_ANY = 0,
    KW_CLIENT_NORMAL,
    KW_CLIENT_PUBSUB,
    KW_CLIENT_OF_SERVERS /* masters and replicas: keyway has none */
};

struct kw_client_filter {
    uint64_t *ids; /* owned; any of them */
    size_t ids_count;
    char *address;       /* owned; NULL = any */
    char *local_address; /* owned; NULL = any */
    uint64_t self_id;    /* not this one, unless 0 */
    uint64_t age_min_s;  /* connected for at least so long; 0 = any */
    enum kw_client_kind kind;
    bool is_by_id; /* ids decide, even when there is none */
};

/* What WORD names: normal, pubsub, master, replica or slave. KW_CLIENT_ANY when nothing. */
enum kw_client_kind kw_client_kind_by_name(struct kw_bytes word);

enum kw_client_kind kw_client_kind(const struct kw_client *client);

void kw_client_filter_add_id(struct kw_client_filter *filter, uint64_t id);

/* Is CLIENT, which is connected, one of them? */
bool kw_client_filter_matches(const struct kw_client_filter *filter,
                              const struct kw_client *client);

void kw_client_filter_deinit(struct kw_client_filter *filter);

/* CLIENT's address, or with IS_LOCAL the one that it connected to, as CLIENT LIST shows it. */
void kw_client_address(const struct kw_client *client, bool is_local, char *text, size_t size);

#endif
