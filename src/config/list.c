/* list.c - the options that take several words: addresses, seeds and output limits.
 *
 * A directive's values are split at blanks first, so that `--bind "a b"` and `--bind a b` are the
 * same, as they are to redis-server. The new entries are then built aside and take the place of the
 * old ones (or join them) only when all are good.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/file.h"
#include "config/internal.h"

#include <arpa/inet.h>
#include <inttypes.h>

enum {
    HOST_MAX_LEN = 253,    /* of a DNS name */
    LIMIT_WORDS_COUNT = 4, /* class, hard, soft, seconds */
};

static enum kw_status values_split(const char *const *values, size_t values_count,
                                   struct kw_file_words *words, struct kw__text *why);
static enum kw_status addresses_set(struct kw_config *config, const struct kw_file_words *words,
                                    struct kw__text *why);
static enum kw_status seeds_set(const struct kw__option *option, struct kw_config *config,
                                const struct kw_file_words *words, struct kw__text *why);
static struct kw_config_seed **seeds_of(const struct kw__option *option, struct kw_config *config,
                                        size_t **count);
static const char *seed_parse(const char *word, struct kw_config_seed *seed);
static const char *host_check(const char *host, size_t len, bool is_ipv6);
static bool host_is_ipv6(const char *host, size_t len);
static enum kw_status output_limits_set(struct kw_config *config, const struct kw_file_words *words,
                                        struct kw__text *why);
static const char *output_limit_parse(char *const *words, struct kw_config_output_limit *limit);

enum kw_status kw__list_set(const struct kw__option *option, struct kw_config *config,
                            const char *const *values, size_t values_count, struct kw__text *why)
{
    struct kw_file_words words = {0};
    enum kw_status status = values_split(values, values_count, &words, why);

    if (status != KW_OK) {
        goto out;
    }
    size_t group_count = option->type == KW__OPTION_OUTPUT_LIMITS ? LIMIT_WORDS_COUNT : 1;
    size_t entries_count = words.count / group_count;
    if (words.count % group_count != 0 || entries_count < option->min ||
        entries_count > option->max) {
        kw__text_add(why, "wrong number of arguments: %zu given, expected: ", words.count);
        kw__option_allowed(option, why);
        status = KW_E_INVALID;
        goto out;
    }
    if (option->type == KW__OPTION_ADDRESSES) {
        status = addresses_set(config, &words, why);
    } else if (option->type == KW__OPTION_SEEDS) {
        status = seeds_set(option, config, &words, why);
    } else {
        KW_ASSERT(option->type == KW__OPTION_OUTPUT_LIMITS);
        status = output_limits_set(config, &words, why);
    }
out:
    kw_file_words_deinit(&words);
    return status;
}

void kw__list_show(const struct kw__option *option, const struct kw_config *config,
                   struct kw__text *text)
{
    const struct kw_config_output_limit *normal = &config->output_normal;
    const struct kw_config_output_limit *pubsub = &config->output_pubsub;

    if (option->type == KW__OPTION_ADDRESSES) {
        for (size_t i = 0; i < config->bind_count; i++) {
            kw__text_add(text, "%s%s", i > 0 ? " " : "", config->bind[i]);
        }
    } else if (option->type == KW__OPTION_SEEDS) {
        size_t *count = NULL;
        /* Only read: the table's fields are reached by one function. */
        const struct kw_config_seed *seeds = *seeds_of(option, (struct kw_config *)config, &count);
        for (size_t i = 0; i < *count; i++) {
            const struct kw_config_seed *seed = &seeds[i];
            bool has_brackets = strchr(seed->host, ':') != NULL;
            kw__text_add(text, "%s%s%s%s:%u", i > 0 ? " " : "", has_brackets ? "[" : "", seed->host,
                         has_brackets ? "]" : "", (unsigned)seed->port);
        }
    } else {
        kw__text_add(text, "normal %" PRIu64 " %" PRIu64 " %u pubsub %" PRIu64 " %" PRIu64 " %u",
                     normal->hard_bytes, normal->soft_bytes, normal->soft_s, pubsub->hard_bytes,
                     pubsub->soft_bytes, pubsub->soft_s);
    }
}

void kw__list_clear(const struct kw__option *option, struct kw_config *config)
{
    if (option->type == KW__OPTION_ADDRESSES) {
        for (size_t i = 0; i < config->bind_count; i++) {
            kw_free(config->bind[i]);
        }
        kw_free(config->bind);
        config->bind = NULL;
        config->bind_count = 0;
    } else if (option->type == KW__OPTION_SEEDS) {
        size_t *count = NULL;
        struct kw_config_seed **seeds = seeds_of(option, config, &count);
        for (size_t i = 0; i < *count; i++) {
            kw_free((*seeds)[i].host);
        }
        kw_free(*seeds);
        *seeds = NULL;
        *count = 0;
    }
}

/* Through its text, which reads back as the same list. */
void kw__list_copy(const struct kw__option *option, struct kw_config *config,
                   const struct kw_config *from)
{
    struct kw__text text = {0};
    struct kw__text why = {0};

    kw__list_show(option, from, &text);
    kw__list_clear(option, config);
    if (text.len > 0) {
        const char *values[] = {text.data};
        enum kw_status status = kw__list_set(option, config, values, 1, &why);
        KW_ASSERT(status == KW_OK);
    }
    kw__text_deinit(&why);
    kw__text_deinit(&text);
}

/* All words of all values, in order. */
static enum kw_status values_split(const char *const *values, size_t values_count,
                                   struct kw_file_words *words, struct kw__text *why)
{
    struct kw__text line = {0};
    const char *reason = NULL;

    for (size_t i = 0; i < values_count; i++) {
        bool has_quote = strpbrk(values[i], "\"'") != NULL;
        kw__text_add(&line, "%s%s", i > 0 ? " " : "", has_quote ? "?" : values[i]);
    }
    enum kw_status status = kw_file_words_split(kw_bytes_of(line.data, line.len), words, &reason);
    if (status != KW_OK) {
        kw__text_add(why, "%s", reason);
    }
    kw__text_deinit(&line);
    return status;
}

static enum kw_status addresses_set(struct kw_config *config, const struct kw_file_words *words,
                                    struct kw__text *why)
{
    for (size_t i = 0; i < words->count; i++) {
        const char *address = words->words[i];
        const char *host = address[0] == '-' ? address + 1 : address;
        size_t len = strlen(host);

        bool is_any = strcmp(host, "*") == 0 || strcmp(host, "::*") == 0;
        if (!is_any && host_check(host, len, strchr(host, ':') != NULL) != NULL) {
            kw__text_add_quoted(why, address);
            kw__text_add(why, " is not an address; allowed: IPv4, IPv6, a host name, *, ::*, each "
                              "with or without a leading '-'");
            return KW_E_INVALID;
        }
    }
    char **bind = kw_alloc(words->count * sizeof *bind);
    for (size_t i = 0; i < words->count; i++) {
        bind[i] = kw_text_copy(words->words[i]);
    }
    for (size_t i = 0; i < config->bind_count; i++) {
        kw_free(config->bind[i]);
    }
    kw_free(config->bind);
    config->bind = bind;
    config->bind_count = words->count;
    return KW_OK;
}

static enum kw_status seeds_set(const struct kw__option *option, struct kw_config *config,
                                const struct kw_file_words *words, struct kw__text *why)
{
    size_t *seeds_count = NULL;
    struct kw_config_seed **list = seeds_of(option, config, &seeds_count);
    size_t count = *seeds_count;
    const char *reason = NULL;

    if (words->count > option->max - count) {
        kw__text_add(why, "more than %" PRIu64 " %s", option->max, strchr(option->name, '-') + 1);
        return KW_E_INVALID;
    }
    struct kw_config_seed *seeds = kw_realloc(*list, (count + words->count) * sizeof *seeds);
    *list = seeds;
    for (size_t i = 0; i < words->count && reason == NULL; i++) {
        reason = seed_parse(words->words[i], &seeds[count]);
        if (reason != NULL) {
            bool is_url = strchr(words->words[i], '@') != NULL; /* with a password in it */
            kw__text_add_quoted(why, is_url ? "..." : words->words[i]);
            kw__text_add(why, " %s; allowed: host:port, 1.2.3.4:port or [IPv6]:port", reason);
        } else {
            count++;
        }
    }
    if (reason != NULL) {
        while (count > *seeds_count) {
            kw_free(seeds[--count].host);
        }
        return KW_E_INVALID;
    }
    *seeds_count = count;
    return KW_OK;
}

/* The field of OPTION, of two that are lists of host:port, and its count. */
static struct kw_config_seed **seeds_of(const struct kw__option *option, struct kw_config *config,
                                        size_t **count)
{
    bool is_keyways = option->offset_bytes == offsetof(struct kw_config, cluster_keyways);

    *count = is_keyways ? &config->cluster_keyways_count : &config->cluster_seeds_count;
    return is_keyways ? &config->cluster_keyways : &config->cluster_seeds;
}

/* Returns NULL with SEED filled (its host is owned), or what is wrong with WORD. */
static const char *seed_parse(const char *word, struct kw_config_seed *seed)
{
    const char *colon = strrchr(word, ':');
    const char *host = word;
    int64_t port = 0;

    if (colon == NULL) {
        return "has no port";
    }
    size_t len = (size_t)(colon - word);
    bool has_brackets = len >= 2 && word[0] == '[' && word[len - 1] == ']';
    if (has_brackets) {
        host++;
        len -= 2;
    }
    const char *reason = host_check(host, len, has_brackets);
    if (reason != NULL) {
        return reason;
    }
    if (kw_text_to_int(kw_bytes_of_text(colon + 1), &port) != KW_OK || port < 1 ||
        port > UINT16_MAX) {
        return "has no port from 1 to 65535";
    }
    seed->host = kw_alloc(len + 1);
    memcpy(seed->host, host, len);
    seed->host[len] = '\0';
    seed->port = (uint16_t)port;
    return NULL;
}

/* Returns NULL when the LEN bytes at HOST may be a name or an address, or what is wrong. */
static const char *host_check(const char *host, size_t len, bool is_ipv6)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.";

    if (len == 0 || len > HOST_MAX_LEN) {
        return len == 0 ? "has no host" : "has a host longer than 253 bytes";
    }
    if (is_ipv6) {
        return host_is_ipv6(host, len) ? NULL : "is not an IPv6 address";
    }
    if (memchr(host, ':', len) != NULL) {
        return "needs brackets around its IPv6 address";
    }
    for (size_t i = 0; i < len; i++) {
        if (memchr(allowed, host[i], sizeof allowed - 1) == NULL) {
            return "has a byte that no host name has";
        }
    }
    return NULL;
}

/* A zone ("%eth0") may follow the address. */
static bool host_is_ipv6(const char *host, size_t len)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    const char *zone = memchr(host, '%', len);
    size_t address_len = zone != NULL ? (size_t)(zone - host) : len;

    if (address_len >= sizeof address || (zone != NULL && address_len + 1 == len)) {
        return false;
    }
    memcpy(address, host, address_len);
    address[address_len] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

static enum kw_status output_limits_set(struct kw_config *config, const struct kw_file_words *words,
                                        struct kw__text *why)
{
    struct kw_config_output_limit normal = config->output_normal;
    struct kw_config_output_limit pubsub = config->output_pubsub;
    struct kw_config_output_limit unused = {0};

    for (size_t i = 0; i < words->count; i += LIMIT_WORDS_COUNT) {
        const char *class_name = words->words[i];
        struct kw_config_output_limit *limit = NULL;
        if (strcasecmp(class_name, "normal") == 0) {
            limit = &normal;
        } else if (strcasecmp(class_name, "pubsub") == 0) {
            limit = &pubsub;
        } else if (strcasecmp(class_name, "replica") == 0 || strcasecmp(class_name, "slave") == 0) {
            limit = &unused;
        } else {
            kw__text_add_quoted(why, class_name);
            kw__text_add(why, " is not a class; allowed: normal, replica, slave, pubsub");
            return KW_E_INVALID;
        }
        const char *reason = output_limit_parse(&words->words[i + 1], limit);
        if (reason != NULL) {
            kw__text_add(why, "%s of class %s", reason, class_name);
            return KW_E_INVALID;
        }
    }
    config->output_normal = normal;
    config->output_pubsub = pubsub;
    return KW_OK;
}

/* WORDS are hard, soft, seconds. Returns NULL with LIMIT filled, or what is wrong. */
static const char *output_limit_parse(char *const *words, struct kw_config_output_limit *limit)
{
    int64_t soft_s = 0;

    if (kw_text_to_size(kw_bytes_of_text(words[0]), &limit->hard_bytes) != KW_OK ||
        limit->hard_bytes > KW__OPTION_SIZE_MAX) {
        return "hard limit is not a size of at most 1024gb";
    }
    if (kw_text_to_size(kw_bytes_of_text(words[1]), &limit->soft_bytes) != KW_OK ||
        limit->soft_bytes > KW__OPTION_SIZE_MAX) {
        return "soft limit is not a size of at most 1024gb";
    }
    if (kw_text_to_int(kw_bytes_of_text(words[2]), &soft_s) != KW_OK || soft_s < 0 ||
        soft_s > INT32_MAX) {
        return "seconds are not a number from 0 to 2147483647";
    }
    limit->soft_s = (unsigned)soft_s;
    return NULL;
}
