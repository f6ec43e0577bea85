/* local_slowlog.c - SLOWLOG, and COMMANDLOG, which is its newer name. */
#include "base/text.h"
#include "proxy/local/local.h"
#include "stats/slowlog.h"

enum { COUNT_BY_DEFAULT = 10 };

static void on_count(void *arg, size_t count);
static void on_entry(void *arg, const struct kw_slowlog_entry *entry);
static enum kw_verdict get(struct kw_client *client, struct kw_bytes count, struct kw_buf *buf);
static enum kw_verdict type_of(struct kw_bytes word, bool *is_slow, struct kw_buf *buf);

enum kw_verdict kw__local_slowlog_get(struct kw_client *client, const struct kw_command *command,
                                      struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;

    (void)command;
    if (argv->count > 3) {
        kw_reply_error_text(buf, KW_ERROR_SUBCOMMAND_ARITY, "GET", "SLOWLOG");
        return KW_REFUSED;
    }
    return get(client, argv->count == 3 ? argv->items[2] : KW_BYTES("10"), buf);
}

enum kw_verdict kw__local_slowlog_len(struct kw_client *client, const struct kw_command *command,
                                      struct kw_buf *buf)
{
    (void)command;
    kw_reply_int(buf, (int64_t)kw_slowlog_len(client->proxy->hub->slowlog));
    return KW_ANSWERED;
}

enum kw_verdict kw__local_slowlog_reset(struct kw_client *client, const struct kw_command *command,
                                        struct kw_buf *buf)
{
    (void)command;
    kw_slowlog_reset(client->proxy->hub->slowlog);
    kw_reply_status(buf, KW_BYTES("OK"));
    return KW_ANSWERED;
}

/* COMMANDLOG GET count type: large requests and replies are not kept. */
enum kw_verdict kw__local_commandlog_get(struct kw_client *client, const struct kw_command *command,
                                         struct kw_buf *buf)
{
    const struct kw_argv *argv = &client->proxy->argv;
    bool is_slow = false;

    (void)command;
    enum kw_verdict verdict = type_of(argv->items[3], &is_slow, buf);
    if (verdict == KW_ANSWERED && is_slow) {
        return get(client, argv->items[2], buf);
    }
    if (verdict == KW_ANSWERED) {
        kw_reply_array(buf, 0);
    }
    return verdict;
}

enum kw_verdict kw__local_commandlog_len(struct kw_client *client, const struct kw_command *command,
                                         struct kw_buf *buf)
{
    bool is_slow = false;

    enum kw_verdict verdict = type_of(client->proxy->argv.items[2], &is_slow, buf);
    if (verdict == KW_ANSWERED && is_slow) {
        return kw__local_slowlog_len(client, command, buf);
    }
    if (verdict == KW_ANSWERED) {
        kw_reply_int(buf, 0);
    }
    return verdict;
}

enum kw_verdict kw__local_commandlog_reset(struct kw_client *client,
                                           const struct kw_command *command, struct kw_buf *buf)
{
    bool is_slow = false;

    enum kw_verdict verdict = type_of(client->proxy->argv.items[2], &is_slow, buf);
    if (verdict == KW_ANSWERED && is_slow) {
        return kw__local_slowlog_reset(client, command, buf);
    }
    if (verdict == KW_ANSWERED) {
        kw_reply_status(buf, KW_BYTES("OK"));
    }
    return verdict;
}

static enum kw_verdict get(struct kw_client *client, struct kw_bytes count, struct kw_buf *buf)
{
    int64_t wanted = COUNT_BY_DEFAULT;

    if (kw_text_to_int(count, &wanted) != KW_OK || wanted < -1) {
        kw_reply_error(buf, KW_ERROR_SLOWLOG_COUNT);
        return KW_REFUSED;
    }
    kw_slowlog_each(client->proxy->hub->slowlog, wanted == -1 ? SIZE_MAX : (size_t)wanted, on_count,
                    on_entry, buf);
    return KW_ANSWERED;
}

static void on_count(void *arg, size_t count)
{
    kw_reply_array(arg, count);
}

static void on_entry(void *arg, const struct kw_slowlog_entry *entry)
{
    struct kw_buf *buf = arg;

    kw_reply_array(buf, 6);
    kw_reply_int(buf, (int64_t)entry->id);
    kw_reply_int(buf, (int64_t)entry->at_s);
    kw_reply_int(buf, (int64_t)entry->took_us);
    kw_reply_array(buf, entry->arguments_count);
    for (size_t i = 0; i < entry->arguments_count; i++) {
        kw_reply_bulk(buf, entry->lens[i] > 0 ? kw_bytes_of(entry->arguments[i], entry->lens[i])
                                              : KW_BYTES(""));
    }
    kw_reply_bulk(buf, kw_bytes_of_text(entry->address));
    kw_reply_bulk(buf, kw_bytes_of_text(entry->name));
}

static enum kw_verdict type_of(struct kw_bytes word, bool *is_slow, struct kw_buf *buf)
{
    *is_slow = kw_bytes_equal_nocase(word, KW_BYTES("slow"));
    if (!*is_slow && !kw_bytes_equal_nocase(word, KW_BYTES("large-request")) &&
        !kw_bytes_equal_nocase(word, KW_BYTES("large-reply"))) {
        kw_reply_error(buf, KW_ERROR_COMMANDLOG_TYPE);
        return KW_REFUSED;
    }
    return KW_ANSWERED;
}
