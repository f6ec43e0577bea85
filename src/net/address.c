/* address.c - numeric addresses from and to text, without ever asking a name server. */
#include "net/address.h"

#include "base/assert.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

enum { GETADDRINFO_OK = 0 }; /* getaddrinfo() and getnameinfo() have no name for it */

static bool address_set(struct kw_address *address, const struct sockaddr *any, size_t len);
static const char *address_host(const struct kw_address *address, char *out, size_t out_size);

enum kw_status kw_address_parse(struct kw_bytes host, uint16_t port, struct kw_address *address)
{
    char text[KW_ADDRESS_TEXT_MAX];
    char service[KW_TEXT_INT_MAX + 1];
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;

    *address = (struct kw_address){.len = 0};
    if (host.len == 0 || host.len >= sizeof text || memchr(host.data, '\0', host.len) != NULL) {
        return KW_E_INVALID;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    service[kw_text_from_int(port, service)] = '\0';
    /* getaddrinfo() also takes "1", "0x7f.1" and the like for addresses; those are host names. */
    if (strchr(text, ':') == NULL && inet_pton(AF_INET, text, &(struct in_addr){0}) != 1) {
        return KW_E_INVALID;
    }
    if (getaddrinfo(text, service, &hints, &found) != GETADDRINFO_OK) {
        return KW_E_INVALID;
    }
    bool is_set = address_set(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return is_set ? KW_OK : KW_E_INVALID;
}

static bool address_set(struct kw_address *address, const struct sockaddr *any, size_t len)
{
    if (any->sa_family == AF_INET && len == sizeof address->v4) {
        memcpy(&address->v4, any, len);
    } else if (any->sa_family == AF_INET6 && len == sizeof address->v6) {
        memcpy(&address->v6, any, len);
    } else {
        return false;
    }
    address->len = (socklen_t)len;
    return true;
}

enum kw_status kw_address_split(struct kw_bytes text, struct kw_bytes *host, uint16_t *port)
{
    const char *at = text.len == 0 ? NULL : memchr(text.data, '@', text.len);
    size_t len = at == NULL ? text.len : (size_t)(at - text.data);
    const char *colon = len == 0 ? NULL : memrchr(text.data, ':', len);
    int64_t number = 0;

    if (colon == NULL) {
        return KW_E_INVALID;
    }
    size_t host_len = (size_t)(colon - text.data);
    if (kw_text_to_int(kw_bytes_of(colon + 1, len - host_len - 1), &number) != KW_OK ||
        number < 1 || number > UINT16_MAX) {
        return KW_E_INVALID;
    }
    *host = kw_bytes_of(text.data, host_len);
    if (host_len >= 2 && text.data[0] == '[' && text.data[host_len - 1] == ']') {
        *host = kw_bytes_of(text.data + 1, host_len - 2);
    }
    *port = (uint16_t)number;
    return KW_OK;
}

bool kw_address_equal(const struct kw_address *a, const struct kw_address *b)
{
    if (a->len == 0 || b->len == 0 || a->any.sa_family != b->any.sa_family) {
        return a->len == b->len;
    }
    if (a->any.sa_family == AF_INET) {
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    }
    return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

uint16_t kw_address_port(const struct kw_address *address)
{
    if (address->len == 0) {
        return 0;
    }
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

const char *kw_address_print(const struct kw_address *address, char *out)
{
    char host[KW_ADDRESS_TEXT_MAX - sizeof "[]:65535"];

    if (address->len == 0) {
        snprintf(out, KW_ADDRESS_TEXT_MAX, "unresolved");
        return out;
    }
    bool is_v6 = address->any.sa_family == AF_INET6;
    address_host(address, host, sizeof host);
    int len = snprintf(out, KW_ADDRESS_TEXT_MAX, "%s%s%s:%u", is_v6 ? "[" : "", host,
                       is_v6 ? "]" : "", kw_address_port(address));
    KW_ASSERT(len > 0 && len < KW_ADDRESS_TEXT_MAX);
    return out;
}

const char *kw_address_print_host(const struct kw_address *address, char *out)
{
    return address_host(address, out, KW_ADDRESS_TEXT_MAX);
}

static const char *address_host(const struct kw_address *address, char *out, size_t out_size)
{
    out[0] = '\0';
    if (address->len != 0 && getnameinfo(&address->any, address->len, out, (socklen_t)out_size,
                                         NULL, 0, NI_NUMERICHOST) != GETADDRINFO_OK) {
        snprintf(out, out_size, "?");
    }
    return out;
}
