/* snapshot.c - the thread that saves: it sleeps until it is asked, an interval is over, or it ends.
 *
 * Invariants:
 * N1  Who waits for a save never holds a stripe: the save needs them all, one after the other.
 */
#include "store/snapshot/snapshot.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/internal.h"

#include <time.h>

struct kw_snapshot {
    /* set once */
    struct kw_store *store;
    char *path;
    uint64_t interval_ms;
    pthread_t thread;
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_wanted;
    bool is_saving;
    bool is_ending;
    uint64_t saves_count; /* that have ended */
    uint64_t last_ms;
    uint64_t began_ms;     /* the one under way, or the last one */
    uint64_t took_ms;      /* the last one */
    enum kw_status status; /* of the last one */
};

static void *snapshot_thread(void *arg);
static void snapshot_sleep(struct kw_snapshot *snapshot, uint64_t until_ms);
static enum kw_status snapshot_save(struct kw_snapshot *snapshot);

struct kw_snapshot *kw_snapshot_open(struct kw_store *store, const char *path, uint64_t interval_ms)
{
    struct kw_snapshot *snapshot = kw_alloc_zero(1, sizeof *snapshot);
    pthread_condattr_t monotonic;

    snapshot->store = store;
    snapshot->path = kw_text_copy(path);
    snapshot->interval_ms = interval_ms;
    snapshot->last_ms = kw_clock_wall_ms();
    pthread_mutex_init(&snapshot->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&snapshot->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failed = pthread_create(&snapshot->thread, NULL, snapshot_thread, snapshot);
    KW_ASSERT(failed == 0);
    store->snapshot = snapshot;
    return snapshot;
}

void kw_snapshot_close(struct kw_snapshot **snapshot)
{
    struct kw_snapshot *ending = *snapshot;

    if (ending == NULL) {
        return;
    }
    pthread_mutex_lock(&ending->lock);
    ending->is_ending = true;
    pthread_cond_broadcast(&ending->changed);
    pthread_mutex_unlock(&ending->lock);
    pthread_join(ending->thread, NULL);
    (void)snapshot_save(ending); /* it says in the log how it went */
    ending->store->snapshot = NULL;
    pthread_cond_destroy(&ending->changed);
    pthread_mutex_destroy(&ending->lock);
    kw_free(ending->path);
    kw_free(ending);
    *snapshot = NULL;
}

bool kw__snapshot_ask(struct kw_snapshot *snapshot, bool is_awaited, enum kw_status *status)
{
    pthread_mutex_lock(&snapshot->lock);
    bool is_free = !snapshot->is_saving && !snapshot->is_wanted;
    if (is_free) {
        uint64_t count = snapshot->saves_count;
        snapshot->is_wanted = true;
        pthread_cond_broadcast(&snapshot->changed);
        while (is_awaited && snapshot->saves_count == count) { /* N1 */
            pthread_cond_wait(&snapshot->changed, &snapshot->lock);
        }
        *status = snapshot->status;
    }
    pthread_mutex_unlock(&snapshot->lock);
    return is_free;
}

uint64_t kw__snapshot_last_ms(struct kw_snapshot *snapshot)
{
    pthread_mutex_lock(&snapshot->lock);
    uint64_t last_ms = snapshot->last_ms;
    pthread_mutex_unlock(&snapshot->lock);
    return last_ms;
}

void kw__snapshot_figures(struct kw_snapshot *snapshot, struct kw_store_figures *figures)
{
    pthread_mutex_lock(&snapshot->lock);
    figures->saved_ms = snapshot->last_ms;
    figures->saves_count = snapshot->saves_count;
    figures->save_began_ms = snapshot->is_saving ? snapshot->began_ms : 0;
    figures->save_took_ms = snapshot->took_ms;
    figures->has_save_failed = snapshot->status != KW_OK;
    pthread_mutex_unlock(&snapshot->lock);
}

static void *snapshot_thread(void *arg)
{
    struct kw_snapshot *snapshot = arg;
    uint64_t next_ms = kw_clock_ms() + snapshot->interval_ms;

    pthread_mutex_lock(&snapshot->lock);
    /* One that is wanted is still written at the end: somebody may be waiting for it. */
    while (snapshot->is_wanted || !snapshot->is_ending) {
        bool is_due = snapshot->interval_ms != 0 && kw_clock_ms() >= next_ms;
        if (!snapshot->is_wanted && !is_due) {
            snapshot_sleep(snapshot, next_ms);
            continue;
        }
        snapshot->is_wanted = false;
        snapshot->is_saving = true;
        snapshot->began_ms = kw_clock_wall_ms();
        pthread_mutex_unlock(&snapshot->lock);
        uint64_t changes = kw__changes_count(snapshot->store); /* later ones may not be in it */
        enum kw_status status = snapshot_save(snapshot);
        pthread_mutex_lock(&snapshot->lock);
        snapshot->is_saving = false;
        snapshot->saves_count++;
        snapshot->status = status;
        uint64_t now_ms = kw_clock_wall_ms();
        snapshot->took_ms = now_ms > snapshot->began_ms ? now_ms - snapshot->began_ms : 0;
        if (status == KW_OK) {
            snapshot->last_ms = now_ms;
            atomic_store_explicit(&snapshot->store->saved_changes, changes, memory_order_relaxed);
        }
        next_ms = kw_clock_ms() + snapshot->interval_ms;
        pthread_cond_broadcast(&snapshot->changed);
    }
    pthread_mutex_unlock(&snapshot->lock);
    return NULL;
}

static void snapshot_sleep(struct kw_snapshot *snapshot, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};

    if (snapshot->interval_ms == 0) {
        pthread_cond_wait(&snapshot->changed, &snapshot->lock);
    } else {
        pthread_cond_timedwait(&snapshot->changed, &snapshot->lock, &until);
    }
}

static enum kw_status snapshot_save(struct kw_snapshot *snapshot)
{
    struct kw_snapshot_figures figures;
    enum kw_status status = kw_snapshot_save(snapshot->store, snapshot->path, &figures);

    if (status == KW_OK) {
        kw_log(KW_LOG_NOTICE, "snapshot: %llu keys, %llu KiB, in %llu ms",
               (unsigned long long)figures.keys_count,
               (unsigned long long)figures.bytes_count >> 10, (unsigned long long)figures.took_ms);
    }
    return status;
}
