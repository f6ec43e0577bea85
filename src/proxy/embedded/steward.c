/* steward.c - see steward.h. A table of names and functions; what they say is true of this process,
 * or what a redis without scripts, modules and replicas says.
 */
#include "proxy/embedded/steward.h"

#include "base/blob.h"
#include "base/mem.h"
#include "base/text.h"
#include "proxy/embedded/embedded.h"
#include "proxy/local/client_filter.h"
#include "proxy/reply.h"

#include <stdio.h>
#include <time.h>

enum { SMALL_BYTES = 5 * 1024 * 1024, NAME_BYTES = 64, ADDRESS_BYTES = 128, FIELDS_COUNT = 27 };

typedef enum kw_verdict steward_answer(struct kw_client *client, struct kw_buf *buf);

struct steward_row {
    const char *name;
    steward_answer *answer;
};

static steward_answer say_ok;
static steward_answer say_empty;
static steward_answer say_not_busy;
static steward_answer say_zeros;
static steward_answer say_doctor;
static steward_answer say_malloc_stats;
static steward_answer say_memory_stats;
static steward_answer say_replicaof;
static steward_answer say_debug;

static const struct steward_row steward_rows[] = {
    {"memory|doctor", say_doctor},
    {"memory|malloc-stats", say_malloc_stats},
    {"memory|purge", say_ok}, /* free pages go back to the system by themselves, within a second */
    {"memory|stats", say_memory_stats},
    {"module|list", say_empty},
    {"script|flush", say_ok},
    {"script|exists", say_zeros},
    {"script|kill", say_not_busy},
    {"function|flush", say_ok},
    {"function|kill", say_not_busy},
    {"function|list", say_empty},
    {"replicaof", say_replicaof},
    {"slaveof", say_replicaof},
    {"debug", say_debug},
};

enum { ROWS_COUNT = sizeof steward_rows / sizeof steward_rows[0] };

static const struct steward_row *row_of(const struct kw_command *command);
static bool asks_for_debug_help(const struct kw_client *client, const struct steward_row *row);
static bool may_debug(const struct kw_client *client);
static void on_report(void *user, const char *text);
static enum kw_verdict refuse(struct kw_buf *buf, enum kw_error error, const char *text);
static void field_int(struct kw_buf *buf, const char *name, uint64_t value);
static void field_ratio(struct kw_buf *buf, int proto, const char *name, uint64_t part,
                        uint64_t whole, double factor);
static enum kw_verdict debug_sleep(struct kw_client *client, struct kw_buf *buf);
static enum kw_verdict debug_protocol(struct kw_client *client, struct kw_buf *buf);
static enum kw_verdict debug_protocol_3(struct kw_client *client, struct kw_buf *buf,
                                        struct kw_bytes type);

enum kw_verdict kw_steward_answer(struct kw_client *client, const struct kw_command *command)
{
    const struct steward_row *row = row_of(command);

    if (row == NULL) {
        return KW_NEXT;
    }
    if (asks_for_debug_help(client, row)) {
        return kw_steward_help(client, command);
    }
    struct kw_buf *buf = kw_reply_begin(client);
    enum kw_verdict verdict = row->answer(client, buf);
    kw_reply_end(client);
    return verdict;
}

bool kw_steward_offers(const struct kw_command *command)
{
    return row_of(command) != NULL;
}

enum kw_verdict kw_steward_check(struct kw_client *client, const struct kw_command *command)
{
    const struct steward_row *row = row_of(command);

    return row == NULL || row->answer != say_debug || may_debug(client)
               ? KW_NEXT
               : kw_reply_refuse(client, KW_ERROR_DEBUG_FORBIDDEN, NULL, NULL);
}

static const struct steward_row *row_of(const struct kw_command *command)
{
    struct kw_bytes name = kw_bytes_of(command->name, command->name_len);

    for (size_t i = 0; i < ROWS_COUNT; i++) {
        if (kw_bytes_equal(name, kw_bytes_of_text(steward_rows[i].name))) {
            return &steward_rows[i];
        }
    }
    return NULL;
}

/* DEBUG has no rows of its subcommands. */
static bool asks_for_debug_help(const struct kw_client *client, const struct steward_row *row)
{
    const struct kw_argv *argv = &client->proxy->argv;

    return row->answer == say_debug && may_debug(client) && argv->count == 2 &&
           kw_bytes_equal_nocase(argv->items[1], KW_BYTES("help"));
}

static bool may_debug(const struct kw_client *client)
{
    enum kw_debug_leave leave = client->proxy->config->enable_debug_command;
    char address[ADDRESS_BYTES];

    if (leave != KW_DEBUG_LOCAL) {
        return leave == KW_DEBUG_YES;
    }
    kw_client_address(client, false, address, sizeof address);
    struct kw_bytes text = kw_bytes_of_text(address);
    return kw_bytes_start_with(text, KW_BYTES("127.")) ||
           kw_bytes_start_with(text, KW_BYTES("[::1]")) || kw_bytes_start_with(text, KW_BYTES("/"));
}

static enum kw_verdict say_ok(struct kw_client *client, struct kw_buf *buf)
{
    (void)client;
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

static enum kw_verdict say_empty(struct kw_client *client, struct kw_buf *buf)
{
    (void)client;
    kw_reply_array(buf, 0);
    return KW_ANSWERED;
}

static enum kw_verdict say_not_busy(struct kw_client *client, struct kw_buf *buf)
{
    (void)client;
    return refuse(buf, KW_ERROR_SCRIPT_NOT_BUSY, NULL);
}

/* No script is there. */
static enum kw_verdict say_zeros(struct kw_client *client, struct kw_buf *buf)
{
    size_t count = client->proxy->argv.count - 2;

    kw_reply_array(buf, count);
    for (size_t i = 0; i < count; i++) {
        kw_reply_int(buf, 0);
    }
    return KW_ANSWERED;
}

/* Of the ailments that redis's doctor looks for, none is known to this memory. */
static enum kw_verdict say_doctor(struct kw_client *client, struct kw_buf *buf)
{
    struct kw_store_figures figures;

    kw_embedded_figures(client->proxy, &figures);
    kw_reply_verbatim(
        buf,
        figures.used_bytes < SMALL_BYTES
            ? KW_BYTES("Hi Sam, this instance is empty or is using very little memory, my issues "
                       "detector can't be used in these conditions. Please, leave for your "
                       "mission on Earth and fill it with some data. The new Sam and I will be "
                       "back to our programming as soon as I finished rebooting.\n")
            : KW_BYTES("Hi Sam, I can't find any memory issue in your instance. I can only account "
                       "for what occurs on this base.\n"),
        client->proto);
    return KW_ANSWERED;
}

static enum kw_verdict say_malloc_stats(struct kw_client *client, struct kw_buf *buf)
{
    struct kw_blob text = {0};

    kw_mem_report(on_report, &text);
    kw_reply_verbatim(buf, kw_blob_bytes(&text), client->proto);
    kw_blob_deinit(&text);
    return KW_ANSWERED;
}

static void on_report(void *user, const char *text)
{
    kw_blob_add(user, kw_bytes_of_text(text));
}

/* Redis's fields, in its order. What keyway does not have is 0. */
static enum kw_verdict say_memory_stats(struct kw_client *client, struct kw_buf *buf)
{
    struct kw_store_figures figures;
    int proto = client->proto;

    kw_embedded_figures(client->proxy, &figures);
    uint64_t total = figures.used_bytes;
    uint64_t resident = figures.resident_bytes;
    kw_reply_map(buf, figures.keys_count > 0 ? FIELDS_COUNT + 1 : FIELDS_COUNT, proto);
    field_int(buf, "peak.allocated", total);
    field_int(buf, "total.allocated", total);
    field_int(buf, "startup.allocated", 0);
    field_int(buf, "replication.backlog", 0);
    field_int(buf, "clients.slaves", 0);
    field_int(buf, "clients.normal", 0);
    field_int(buf, "cluster.links", 0);
    field_int(buf, "aof.buffer", 0);
    field_int(buf, "lua.caches", 0);
    field_int(buf, "functions.caches", 0);
    if (figures.keys_count > 0) {
        kw_reply_bulk(buf, KW_BYTES("db.0"));
        kw_reply_map(buf, 3, proto);
        field_int(buf, "overhead.hashtable.main", 0);
        field_int(buf, "overhead.hashtable.expires", 0);
        field_int(buf, "overhead.hashtable.slot-to-keys", 0);
    }
    field_int(buf, "overhead.total", 0);
    field_int(buf, "keys.count", figures.keys_count);
    field_int(buf, "keys.bytes-per-key",
              figures.keys_count > 0 ? figures.used_bytes / figures.keys_count : 0);
    field_int(buf, "dataset.bytes", figures.used_bytes);
    field_ratio(buf, proto, "dataset.percentage", figures.used_bytes, total, 100);
    field_ratio(buf, proto, "peak.percentage", total, total, 100);
    field_int(buf, "allocator.allocated", total);
    field_int(buf, "allocator.active", resident);
    field_int(buf, "allocator.resident", resident);
    field_ratio(buf, proto, "allocator-fragmentation.ratio", resident, total, 1);
    field_int(buf, "allocator-fragmentation.bytes", resident > total ? resident - total : 0);
    field_ratio(buf, proto, "allocator-rss.ratio", resident, resident, 1);
    field_int(buf, "allocator-rss.bytes", 0);
    field_ratio(buf, proto, "rss-overhead.ratio", resident, resident, 1);
    field_int(buf, "rss-overhead.bytes", 0);
    field_ratio(buf, proto, "fragmentation", resident, total, 1);
    field_int(buf, "fragmentation.bytes", resident > total ? resident - total : 0);
    return KW_ANSWERED;
}

/* NO ONE is what it is already. */
static enum kw_verdict say_replicaof(struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    if (kw_bytes_equal_nocase(argv->items[1], KW_BYTES("no")) &&
        kw_bytes_equal_nocase(argv->items[2], KW_BYTES("one"))) {
        return say_ok(client, buf);
    }
    return KW_NEXT;
}

static enum kw_verdict say_debug(struct kw_client *client, struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    struct kw_bytes word = argv->items[1];
    char name[NAME_BYTES];

    if (!may_debug(client)) {
        return refuse(buf, KW_ERROR_DEBUG_FORBIDDEN, NULL);
    }
    if (kw_bytes_equal_nocase(word, KW_BYTES("sleep")) && argv->count == 3) {
        return debug_sleep(client, buf);
    }
    if (kw_bytes_equal_nocase(word, KW_BYTES("set-active-expire")) && argv->count == 3) {
        return say_ok(client, buf);
    }
    if (kw_bytes_equal_nocase(word, KW_BYTES("protocol")) && argv->count == 3) {
        return debug_protocol(client, buf);
    }
    (void)snprintf(name, sizeof name, "%.*s", word.len < NAME_BYTES ? (int)word.len : NAME_BYTES,
                   word.data);
    return refuse(buf, KW_ERROR_DEBUG_UNKNOWN, name);
}

static enum kw_verdict refuse(struct kw_buf *buf, enum kw_error error, const char *text)
{
    kw_reply_error_text(buf, error, text, NULL);
    return KW_REFUSED;
}

static void field_int(struct kw_buf *buf, const char *name, uint64_t value)
{
    kw_reply_bulk(buf, kw_bytes_of_text(name));
    kw_reply_int(buf, (int64_t)value);
}

static void field_ratio(struct kw_buf *buf, int proto, const char *name, uint64_t part,
                        uint64_t whole, double factor)
{
    kw_reply_bulk(buf, kw_bytes_of_text(name));
    kw_reply_double(buf, whole > 0 ? factor * (double)part / (double)whole : 0, proto);
}

/* This thread of keyway stands still, and all its clients: that is what is asked for. */
static enum kw_verdict debug_sleep(struct kw_client *client, struct kw_buf *buf)
{
    double seconds = 0;

    if (kw_text_to_double(client->proxy->argv.items[2], &seconds) == KW_OK && seconds > 0 &&
        seconds < INT32_MAX) {
        struct timespec rest = {.tv_sec = (time_t)seconds};
        rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * 1e9);
        while (nanosleep(&rest, &rest) != 0) {
        }
    }
    return say_ok(client, buf);
}

/* A value of each type, as redis gives them to try parsers with. */
static enum kw_verdict debug_protocol(struct kw_client *client, struct kw_buf *buf)
{
    static const char big[] = "1234567999999999999999999999999999999";
    struct kw_bytes type = client->proxy->argv.items[2];
    int proto = client->proto;

    if (kw_bytes_equal_nocase(type, KW_BYTES("string"))) {
        kw_reply_bulk(buf, KW_BYTES("Hello World"));
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("integer"))) {
        kw_reply_int(buf, 12345);
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("double"))) {
        kw_reply_double(buf, 3.141, proto);
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("null"))) {
        kw_reply_null(buf, proto);
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("verbatim"))) {
        kw_reply_verbatim(buf, KW_BYTES("This is a verbatim\nstring"), proto);
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("true")) ||
               kw_bytes_equal_nocase(type, KW_BYTES("false"))) {
        kw_reply_bool(buf, type.len == 4, proto);
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("bignum")) && proto == 2) {
        kw_reply_bulk(buf, kw_bytes_of_text(big));
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("bignum"))) {
        kw_buf_append(buf, "(", 1);
        kw_buf_append_bytes(buf, kw_bytes_of_text(big));
        kw_buf_append(buf, "\r\n", 2);
    } else {
        return debug_protocol_3(client, buf, type);
    }
    return KW_ANSWERED;
}

/* Those that are made of others. */
static enum kw_verdict debug_protocol_3(struct kw_client *client, struct kw_buf *buf,
                                        struct kw_bytes type)
{
    bool is_map = kw_bytes_equal_nocase(type, KW_BYTES("map"));
    bool is_set = kw_bytes_equal_nocase(type, KW_BYTES("set"));
    bool is_push = kw_bytes_equal_nocase(type, KW_BYTES("push"));
    int proto = client->proto;

    if (is_map || is_set || kw_bytes_equal_nocase(type, KW_BYTES("array"))) {
        if (is_map) {
            kw_reply_map(buf, 3, proto);
        } else if (is_set) {
            kw_reply_set(buf, 3, proto);
        } else {
            kw_reply_array(buf, 3);
        }
        for (int i = 0; i < 3; i++) {
            kw_reply_int(buf, i);
            if (is_map) {
                kw_reply_bool(buf, i == 1, proto);
            }
        }
    } else if (is_push && proto == 2) {
        return refuse(buf, KW_ERROR_DEBUG_RESP2, NULL);
    } else if (is_push) {
        kw_buf_append_bytes(buf, KW_BYTES(">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n"));
        kw_reply_bulk(buf, KW_BYTES("Some real reply following the push reply"));
    } else if (kw_bytes_equal_nocase(type, KW_BYTES("attrib"))) {
        if (proto == 3) {
            kw_buf_append_bytes(
                buf, KW_BYTES("|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"));
        }
        kw_reply_bulk(buf, KW_BYTES("Some real reply following the attribute"));
    } else {
        return refuse(buf, KW_ERROR_DEBUG_PROTOCOL, NULL);
    }
    return KW_ANSWERED;
}
