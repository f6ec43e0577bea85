/* resolve.c - libevent's evdns with a small memory.
 *
 * I1  an evdns base lives only while lookups are under way: the next burst reads /etc/hosts and
 *     resolv.conf again, so edits (Kubernetes, DHCP) are seen without a watch on the files.
 * I2  a lookup is freed by evdns's callback, which comes exactly once, also after a cancel; until
 *     then on_done == NULL means that nobody waits any more.
 * I3  names_count never exceeds NAMES_MAX: the oldest is forgotten for a new one.
 */
#include "net/resolve.h"

#include "base/assert.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/timer.h"

#include <event2/dns.h>
#include <event2/util.h>

enum { NAMES_MAX = 1024 /* about the largest cluster redis recommends */ };

/* What is known of one name. */
struct name {
    struct kw_list node; /* in kw_resolver.names, oldest first */
    char host[KW_HOST_MAX];
    enum kw_status status; /* of the last lookup */
    uint64_t fresh_until_ms;
    uint32_t count; /* addresses of the last lookup that found any */
    struct kw_address addresses[KW_RESOLVE_ADDRESSES_MAX];
};

struct kw_resolver {
    struct kw_loop *loop;
    char *resolv_conf;      /* owned */
    struct evdns_base *dns; /* owned; NULL while nothing is under way (I1) */
    struct kw_timer *idle;  /* owned: frees dns outside of its own callbacks */
    struct kw_list lookups; /* struct kw_lookup.node */
    struct kw_list names;
    uint32_t lookups_count;
    uint32_t names_count;
};

struct kw_lookup {
    struct kw_list node;
    struct kw_resolver *resolver;              /* NULL once that is gone */
    struct kw_timer *deadline;                 /* owned */
    struct evdns_getaddrinfo_request *request; /* evdns's; NULL when it has answered */
    kw_lookup_on_done *on_done;                /* I2 */
    void *arg;
    uint16_t port;
    char host[KW_HOST_MAX];
};

static struct name *resolver_name(struct kw_resolver *resolver, const char *host);
static bool host_is_local(const char *host);
static void answer_local(uint16_t port, kw_lookup_on_done *on_done, void *arg);
static void answer_from_name(const struct name *name, uint16_t port, kw_lookup_on_done *on_done,
                             void *arg);
static struct kw_lookup *lookup_start(struct kw_resolver *resolver, const char *host, uint16_t port,
                                      kw_lookup_on_done *on_done, void *arg);
static void resolver_open_dns(struct kw_resolver *resolver);
static void lookup_on_answer(int result, struct evutil_addrinfo *found, void *arg);
static enum kw_status status_of_answer(int result);
static struct name *resolver_remember(struct kw_resolver *resolver, const char *host,
                                      enum kw_status status, const struct evutil_addrinfo *found);
static void lookup_on_deadline(void *arg);
static void lookup_free(struct kw_lookup *lookup);
static void resolver_on_idle(void *arg);
static void resolver_log(int is_warning, const char *text);

struct kw_resolver *kw_resolver_new(struct kw_loop *loop, const char *resolv_conf)
{
    struct kw_resolver *resolver = kw_alloc_zero(1, sizeof *resolver);

    resolver->loop = loop;
    resolver->resolv_conf = kw_text_copy(resolv_conf == NULL ? "/etc/resolv.conf" : resolv_conf);
    resolver->idle = kw_timer_new(loop, resolver_on_idle, resolver);
    kw_list_init(&resolver->lookups);
    kw_list_init(&resolver->names);
    evdns_set_log_fn(resolver_log);
    return resolver;
}

struct kw_lookup *kw_resolver_lookup(struct kw_resolver *resolver, const char *host, uint16_t port,
                                     kw_lookup_on_done *on_done, void *arg)
{
    struct kw_address address;

    if (kw_address_parse(kw_bytes_of_text(host), port, &address) == KW_OK) {
        on_done(arg, KW_OK, &address, 1);
        return NULL;
    }
    if (host[0] == '\0' || strlen(host) >= KW_HOST_MAX) {
        on_done(arg, KW_E_NOT_FOUND, NULL, 0);
        return NULL;
    }
    if (host_is_local(host)) {
        answer_local(port, on_done, arg);
        return NULL;
    }
    const struct name *name = resolver_name(resolver, host);
    if (name != NULL && kw_loop_now_ms(resolver->loop) < name->fresh_until_ms) {
        answer_from_name(name, port, on_done, arg);
        return NULL;
    }
    return lookup_start(resolver, host, port, on_done, arg);
}

static struct name *resolver_name(struct kw_resolver *resolver, const char *host)
{
    for (struct kw_list *at = resolver->names.next; at != &resolver->names; at = at->next) {
        struct name *name = KW_LIST_ENTRY(at, struct name, node);
        if (strcasecmp(name->host, host) == 0) {
            return name;
        }
    }
    return NULL;
}

/* RFC 6761: never asked of a name server, and there also without any file. */
static bool host_is_local(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0;
}

static void answer_local(uint16_t port, kw_lookup_on_done *on_done, void *arg)
{
    struct kw_address addresses[2];
    enum kw_status v4 = kw_address_parse(KW_BYTES("127.0.0.1"), port, &addresses[0]);
    enum kw_status v6 = kw_address_parse(KW_BYTES("::1"), port, &addresses[1]);

    KW_ASSERT(v4 == KW_OK);
    on_done(arg, KW_OK, addresses, v6 == KW_OK ? 2 : 1);
}

static void answer_from_name(const struct name *name, uint16_t port, kw_lookup_on_done *on_done,
                             void *arg)
{
    struct kw_address addresses[KW_RESOLVE_ADDRESSES_MAX];

    if (name->status != KW_OK && (name->count == 0 || name->status == KW_E_NOT_FOUND)) {
        on_done(arg, name->status, NULL, 0);
        return;
    }
    for (uint32_t i = 0; i < name->count; i++) {
        addresses[i] = name->addresses[i];
        if (addresses[i].any.sa_family == AF_INET) {
            addresses[i].v4.sin_port = htons(port);
        } else {
            addresses[i].v6.sin6_port = htons(port);
        }
    }
    on_done(arg, KW_OK, addresses, name->count);
}

static struct kw_lookup *lookup_start(struct kw_resolver *resolver, const char *host, uint16_t port,
                                      kw_lookup_on_done *on_done, void *arg)
{
    const struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct kw_lookup *lookup = kw_alloc_zero(1, sizeof *lookup);

    lookup->resolver = resolver;
    lookup->on_done = on_done;
    lookup->arg = arg;
    lookup->port = port;
    memcpy(lookup->host, host, strlen(host) + 1);
    lookup->deadline = kw_timer_new(resolver->loop, lookup_on_deadline, lookup);
    kw_timer_start(lookup->deadline, KW_RESOLVE_DEADLINE_MS);
    kw_list_append(&resolver->lookups, &lookup->node);
    resolver->lookups_count++;
    resolver_open_dns(resolver);
    /* NULL when the callback has run already (hosts file, malformed name): LOOKUP is then gone. */
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(resolver->dns, host, NULL, &hints, lookup_on_answer, lookup);
    if (request == NULL) {
        return NULL;
    }
    lookup->request = request;
    return lookup;
}

static void resolver_open_dns(struct kw_resolver *resolver)
{
    kw_timer_stop(resolver->idle);
    if (resolver->dns != NULL) {
        return;
    }
    resolver->dns = evdns_base_new(kw_loop_base(resolver->loop), 0);
    KW_ASSERT(resolver->dns != NULL);
    /* Defaults that fit our deadline (resolv.conf's own options still win), and letters as written:
     * some name servers can't stand libevent's random case. */
    evdns_base_set_option(resolver->dns, "timeout:", "1");
    evdns_base_set_option(resolver->dns, "attempts:", "2");
    evdns_base_set_option(resolver->dns, "randomize-case:", "0");
    evdns_base_set_option(resolver->dns, "getaddrinfo-allow-skew:", "0.5");
    if (evdns_base_resolv_conf_parse(resolver->dns, DNS_OPTIONS_ALL, resolver->resolv_conf) != 0) {
        kw_log(KW_LOG_VERBOSE, "%s is not usable: only /etc/hosts resolves names",
               resolver->resolv_conf);
    }
}

static void lookup_on_answer(int result, struct evutil_addrinfo *found, void *arg)
{
    struct kw_lookup *lookup = arg;
    kw_lookup_on_done *on_done = lookup->on_done;
    void *on_done_arg = lookup->arg;
    uint16_t port = lookup->port;
    struct name *name = NULL;

    if (on_done != NULL) {
        KW_ASSERT(lookup->resolver != NULL);
        name = resolver_remember(lookup->resolver, lookup->host, status_of_answer(result), found);
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
    lookup_free(lookup);
    if (on_done != NULL) {
        answer_from_name(name, port, on_done, on_done_arg);
    }
}

static enum kw_status status_of_answer(int result)
{
    switch (result) {
    case 0:
        return KW_OK;
    case EVUTIL_EAI_NONAME:
    case EVUTIL_EAI_NODATA:
        return KW_E_NOT_FOUND;
    default:
        return KW_E_UNREACHABLE; /* evdns says so of silent and of failing name servers */
    }
}

/* Keep what the lookup found; a failure keeps the addresses of an older answer. */
static struct name *resolver_remember(struct kw_resolver *resolver, const char *host,
                                      enum kw_status status, const struct evutil_addrinfo *found)
{
    struct name *name = resolver_name(resolver, host);
    uint32_t count = 0;

    if (name != NULL) {
        kw_list_remove(&name->node);
    } else if (resolver->names_count == NAMES_MAX) {
        name = KW_LIST_ENTRY(resolver->names.next, struct name, node); /* I3 */
        kw_list_remove(&name->node);
        name->count = 0;
    } else {
        name = kw_alloc_zero(1, sizeof *name);
        resolver->names_count++;
    }
    kw_list_append(&resolver->names, &name->node);
    memcpy(name->host, host, strlen(host) + 1);
    for (; found != NULL && count < KW_RESOLVE_ADDRESSES_MAX; found = found->ai_next) {
        struct kw_address *address = &name->addresses[count];
        if (found->ai_addrlen <= sizeof address->v6 &&
            (found->ai_family == AF_INET || found->ai_family == AF_INET6)) {
            memcpy(&address->any, found->ai_addr, found->ai_addrlen);
            address->len = (socklen_t)found->ai_addrlen;
            count++;
        }
    }
    name->count = count > 0 ? count : name->count;
    name->status = status == KW_OK && count == 0 ? KW_E_NOT_FOUND : status;
    name->fresh_until_ms = kw_loop_now_ms(resolver->loop) +
                           (name->status == KW_OK ? KW_RESOLVE_TTL_MS : KW_RESOLVE_FAILED_TTL_MS);
    return name;
}

static void lookup_on_deadline(void *arg)
{
    struct kw_lookup *lookup = arg;
    kw_lookup_on_done *on_done = lookup->on_done;
    struct kw_lookup *cancelled = lookup;
    const struct name *name = resolver_remember(lookup->resolver, lookup->host, KW_E_TIMEOUT, NULL);
    void *on_done_arg = lookup->arg;
    uint16_t port = lookup->port;

    kw_lookup_cancel(&cancelled);
    answer_from_name(name, port, on_done, on_done_arg);
}

void kw_lookup_cancel(struct kw_lookup **lookup)
{
    struct kw_lookup *cancelled = *lookup;

    if (cancelled == NULL) {
        return;
    }
    KW_ASSERT(cancelled->on_done != NULL);
    cancelled->on_done = NULL; /* I2 */
    kw_timer_stop(cancelled->deadline);
    evdns_getaddrinfo_cancel(cancelled->request);
    *lookup = NULL;
}

static void lookup_free(struct kw_lookup *lookup)
{
    struct kw_resolver *resolver = lookup->resolver;

    if (resolver != NULL) {
        kw_list_remove(&lookup->node);
        resolver->lookups_count--;
        if (resolver->lookups_count == 0) {
            kw_timer_start(resolver->idle, 0); /* I1; we are inside evdns here */
        }
    }
    kw_timer_free(&lookup->deadline);
    kw_free(lookup);
}

static void resolver_on_idle(void *arg)
{
    struct kw_resolver *resolver = arg;

    KW_ASSERT(resolver->lookups_count == 0);
    evdns_base_free(resolver->dns, 0);
    resolver->dns = NULL;
}

void kw_resolver_free(struct kw_resolver **resolver)
{
    struct kw_resolver *freed = *resolver;

    if (freed == NULL) {
        return;
    }
    while (!kw_list_is_empty(&freed->lookups)) {
        struct kw_lookup *lookup = KW_LIST_ENTRY(freed->lookups.next, struct kw_lookup, node);
        kw_list_remove(&lookup->node);
        lookup->resolver = NULL;
        if (lookup->on_done != NULL) {
            kw_lookup_cancel(&lookup);
        }
    }
    if (freed->dns != NULL) {
        evdns_base_free(freed->dns, 1);
    }
    while (!kw_list_is_empty(&freed->names)) {
        struct name *name = KW_LIST_ENTRY(freed->names.next, struct name, node);
        kw_list_remove(&name->node);
        kw_free(name);
    }
    kw_timer_free(&freed->idle);
    kw_free(freed->resolv_conf);
    kw_free(freed);
    *resolver = NULL;
}

/* libevent would print to stderr. */
static void resolver_log(int is_warning, const char *text)
{
    (void)is_warning;
    kw_log(KW_LOG_DEBUG, "name server: %s", text);
}
