/* slowlog.c - see slowlog.h. */
#include "stats/slowlog.h"

#include "base/blob.h"
#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>

struct kw_slowlog {
    pthread_mutex_t lock;
    struct kw_slowlog_entry *newest;
    size_t len;
    uint64_t next_id;
};

static struct kw_slowlog_entry *entry_new(const struct kw_bytes *arguments, size_t count);
static void argument_keep(struct kw_slowlog_entry *entry, struct kw_bytes bytes);
static void entry_free(struct kw_slowlog_entry *entry);
static void slowlog_cut(struct kw_slowlog *slowlog, size_t max_len);

struct kw_slowlog *kw_slowlog_new(void)
{
    struct kw_slowlog *slowlog = kw_alloc_zero(1, sizeof *slowlog);

    pthread_mutex_init(&slowlog->lock, NULL);
    return slowlog;
}

void kw_slowlog_free(struct kw_slowlog **slowlog)
{
    if (*slowlog != NULL) {
        slowlog_cut(*slowlog, 0);
        pthread_mutex_destroy(&(*slowlog)->lock);
        kw_free(*slowlog);
        *slowlog = NULL;
    }
}

void kw_slowlog_add(struct kw_slowlog *slowlog, const struct kw_slowlog_request *request,
                    size_t max_len)
{
    struct kw_slowlog_entry *entry = entry_new(request->arguments, request->arguments_count);

    entry->took_us = request->took_us;
    entry->at_s = kw_clock_wall_us() / 1000000;
    entry->address = kw_text_copy(request->address);
    entry->name = kw_text_copy(request->name);
    pthread_mutex_lock(&slowlog->lock);
    entry->id = slowlog->next_id++;
    entry->next = slowlog->newest;
    slowlog->newest = entry;
    slowlog->len++;
    slowlog_cut(slowlog, max_len);
    pthread_mutex_unlock(&slowlog->lock);
}

size_t kw_slowlog_len(struct kw_slowlog *slowlog)
{
    pthread_mutex_lock(&slowlog->lock);
    size_t len = slowlog->len;
    pthread_mutex_unlock(&slowlog->lock);
    return len;
}

void kw_slowlog_each(struct kw_slowlog *slowlog, size_t count,
                     void (*on_count)(void *arg, size_t count),
                     void (*on_entry)(void *arg, const struct kw_slowlog_entry *entry), void *arg)
{
    pthread_mutex_lock(&slowlog->lock);
    size_t left = count < slowlog->len ? count : slowlog->len;
    on_count(arg, left);
    for (const struct kw_slowlog_entry *entry = slowlog->newest; left > 0; entry = entry->next) {
        on_entry(arg, entry);
        left--;
    }
    pthread_mutex_unlock(&slowlog->lock);
}

void kw_slowlog_reset(struct kw_slowlog *slowlog)
{
    pthread_mutex_lock(&slowlog->lock);
    slowlog_cut(slowlog, 0);
    pthread_mutex_unlock(&slowlog->lock);
}

static struct kw_slowlog_entry *entry_new(const struct kw_bytes *arguments, size_t count)
{
    struct kw_slowlog_entry *entry = kw_alloc_zero(1, sizeof *entry);
    size_t kept = count < KW_SLOWLOG_ARGUMENTS_MAX ? count : KW_SLOWLOG_ARGUMENTS_MAX - 1;
    struct kw_blob rest = {0};

    entry->arguments = kw_alloc_zero(KW_SLOWLOG_ARGUMENTS_MAX, sizeof *entry->arguments);
    entry->lens = kw_alloc_zero(KW_SLOWLOG_ARGUMENTS_MAX, sizeof *entry->lens);
    for (size_t i = 0; i < kept; i++) {
        argument_keep(entry, arguments[i]);
    }
    if (kept < count) {
        kw_blob_print(&rest, "... (%zu more arguments)", count - kept);
        argument_keep(entry, kw_blob_bytes(&rest));
        kw_blob_deinit(&rest);
    }
    return entry;
}

static void argument_keep(struct kw_slowlog_entry *entry, struct kw_bytes bytes)
{
    struct kw_blob text = {0};

    if (bytes.len > KW_SLOWLOG_ARGUMENT_BYTES) {
        kw_blob_add(&text, kw_bytes_of(bytes.data, KW_SLOWLOG_ARGUMENT_BYTES));
        kw_blob_print(&text, "... (%zu more bytes)", bytes.len - KW_SLOWLOG_ARGUMENT_BYTES);
    } else {
        kw_blob_add(&text, bytes);
    }
    entry->lens[entry->arguments_count] = text.len;
    entry->arguments[entry->arguments_count++] = text.data;
}

static void entry_free(struct kw_slowlog_entry *entry)
{
    for (size_t i = 0; i < entry->arguments_count; i++) {
        kw_free(entry->arguments[i]);
    }
    kw_free(entry->arguments);
    kw_free(entry->lens);
    kw_free(entry->address);
    kw_free(entry->name);
    kw_free(entry);
}

static void slowlog_cut(struct kw_slowlog *slowlog, size_t max_len)
{
    struct kw_slowlog_entry **link = &slowlog->newest;

    for (size_t i = 0; i < max_len && *link != NULL; i++) {
        link = &(*link)->next;
    }
    while (*link != NULL) {
        struct kw_slowlog_entry *gone = *link;
        *link = gone->next;
        slowlog->len--;
        entry_free(gone);
    }
}
