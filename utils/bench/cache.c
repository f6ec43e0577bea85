/* cache.c - the cache alone: miss ratios of its policies, and what a hit costs.
 *
 *     make bench-cache                    everything, about two minutes
 *     build/bench-cache miss|speed|pages  a part of it;  --quick: a fifth of the requests;
 *                                         --row=1.0-4-mixed, --row=-16- ...: only such rows
 *
 * `miss` replays generated traces (Zipf, seeds fixed, so that every run prints the same figures up
 * to fragmentation) through a real cache, one for each policy, and through three models that know
 * no fragmentation: plain S3-FIFO, GDSF with an exact heap, and Belady, who sees the future. The
 * models get the room that the default policy's cache really had for live bytes, and count
 * sizes as the cache does. A scan is one-time keys, ten times the cache in bytes, one to each
 * request of the trace from the middle on; the trace's own misses are counted.
 *
 * `speed` measures hits: cost of one, two workers on one key, many keys, huge pages. CPU time of
 * each thread is counted in bursts, and the best burst is taken: the machine may be shared.
 *
 * `pages` fills 320 MiB in small, huge and locked pages: what hits and overwrites of random keys
 * cost then, what starting and filling take, what is resident. Where ulimit -l forbids to lock as
 * much, as much as it allows is compared with as much that is not locked.
 *
 * Exit status 1 when a target is missed.
 */
#include "base/clock.h"
#include "cache/cache_extra.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    KEYS = 200000,
    REQUESTS = 2000000,
    SCAN_TIMES = 10,
    VALUE_MAX = 32768,
    MIB = 1024 * 1024,
    INDEX_BYTES = 10,
    TICK_EVERY = 16,
    BURSTS = 10,
    BURST_HITS = 300000,
    PAGES_KEYS = 1 << 21, /* of 160 bytes as the allocator counts */
    PAGES_SIZE = 100,
    PAGES_MIB = 512
};

struct trace {
    uint32_t *ids; /* KEYS and above: a scan's */
    uint32_t *sizes;
    size_t count;
    size_t ids_count;
};

enum model { MODEL_S3FIFO, MODEL_GDSF, MODEL_BELADY };

static const char *const policy_names[] = {"balanced", "s3fifo", "lru", "lfu", "random"};
enum { POLICIES = 5 };

static char value_bytes[VALUE_MAX];

/* ---- traces ---------------------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t size_mixed(uint64_t *state)
{
    uint32_t kind = (uint32_t)(random_next(state) % 100);
    uint64_t r = random_next(state);

    return kind < 90 ? 64 + r % 449 : kind < 99 ? 1024 + r % 3073 : 8192 + r % 24577;
}

static void trace_make(struct trace *trace, double alpha, size_t requests, bool is_mixed,
                       size_t scan_bytes)
{
    uint64_t state = 42;
    double *sums = malloc(KEYS * sizeof *sums);
    double sum = 0;
    size_t scanned_bytes = 0;

    trace->ids = malloc(2 * requests * sizeof *trace->ids);
    trace->sizes = malloc((KEYS + requests) * sizeof *trace->sizes);
    trace->count = 0;
    trace->ids_count = KEYS;
    for (size_t i = 0; i < KEYS; i++) {
        sum += pow((double)(i + 1), -alpha);
        sums[i] = sum;
        trace->sizes[i] = is_mixed ? size_mixed(&state) : 256;
    }
    uint64_t scan_state = 7;
    for (size_t i = 0; i < requests; i++) {
        double wanted = (double)(random_next(&state) >> 11) / 9007199254740992.0 * sum;
        size_t low = 0;
        size_t high = KEYS - 1;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (sums[middle] < wanted) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        trace->ids[trace->count++] = (uint32_t)low;
        if (i > requests / 2 && scanned_bytes < scan_bytes) {
            uint32_t id = (uint32_t)trace->ids_count++;
            trace->sizes[id] = is_mixed ? size_mixed(&scan_state) : 256;
            scanned_bytes += trace->sizes[id];
            trace->ids[trace->count++] = id;
        }
    }
    free(sums);
}

static void trace_free(struct trace *trace)
{
    free(trace->ids);
    free(trace->sizes);
}

static size_t name_of(uint32_t id, char *name)
{
    return (size_t)sprintf(name, "key:%08x", id);
}

static uint32_t room_of(const struct trace *trace, uint32_t id)
{
    return (uint32_t)kw_cache_entry_bytes(12, trace->sizes[id]) + INDEX_BYTES;
}

/* ---- the cache itself ------------------------------------------------------------------------ */

static struct kw_cache *cache_open(size_t memory_bytes, enum kw_cache_policy policy, bool has_huge,
                                   bool is_locked)
{
    struct kw_cache_options options = {.memory_max_bytes = memory_bytes,
                                       .policy = policy,
                                       .seed = 1,
                                       .workers_max = 2,
                                       .has_huge_pages = has_huge,
                                       .is_locked = is_locked};
    struct kw_cache *cache = NULL;

    if (kw_cache_new(&options, &cache) != KW_OK) {
        fprintf(stderr, "bench-cache: no cache of %zu bytes%s\n", memory_bytes,
                is_locked ? " in locked pages: ulimit -l" : "");
        exit(1);
    }
    return cache;
}

/* Ask for ID, fetch it when it isn't there; was it? */
static bool cache_ask(struct kw_cache_worker *worker, uint32_t id, uint32_t size, uint64_t now_ms)
{
    char name[32];
    struct kw_cache_key key =
        kw_cache_key(worker, kw_bytes_of(name, name_of(id, name)), kw_bytes_of(NULL, 0));
    struct kw_cache_found found;

    if (kw_cache_get(worker, &key, &found)) {
        return true;
    }
    struct kw_cache_value value = {.bytes = {value_bytes, size}};
    for (int i = 0; i < 4 && kw_cache_put(worker, &key, &value) == KW_E_MEMORY; i++) {
        kw_cache_tick(worker, now_ms);
        kw_cache_tick(worker, now_ms);
        kw_cache_tick(worker, now_ms);
    }
    return false;
}

/* The miss ratio of the trace's own requests; LIVE: bytes of entries and index at the end. */
static double replay_cache(const struct trace *trace, size_t memory_bytes,
                           enum kw_cache_policy policy, size_t *live)
{
    struct kw_cache *cache = cache_open(memory_bytes, policy, false, false);
    struct kw_cache_worker *worker = kw_cache_join(cache, 1);
    struct kw_cache_figures figures;
    size_t misses = 0;
    size_t own = 0;

    for (size_t i = 0; i < trace->count; i++) {
        uint64_t now_ms = 1 + i / 500;
        uint32_t id = trace->ids[i];
        if (i % TICK_EVERY == 0) {
            kw_cache_tick(worker, now_ms);
        }
        bool is_hit = cache_ask(worker, id, trace->sizes[id], now_ms);
        own += id < KEYS;
        misses += id < KEYS && !is_hit;
    }
    kw_cache_figures(cache, &figures);
    if (figures.resident_bytes > memory_bytes) {
        printf("MISS: %lu bytes resident, %zu allowed\n", (unsigned long)figures.resident_bytes,
               memory_bytes);
        exit(1);
    }
    if (live != NULL) {
        *live = figures.live_bytes;
    }
    kw_cache_leave(&worker);
    kw_cache_free(&cache);
    return (double)misses / (double)own;
}

/* ---- models ---------------------------------------------------------------------------------- */

struct heap {
    double *keys;
    uint32_t *ids;
    size_t count;
    size_t max;
};

static void heap_push(struct heap *heap, double key, uint32_t id)
{
    if (heap->count == heap->max) {
        heap->max = heap->max == 0 ? 1024 : heap->max * 2;
        heap->keys = realloc(heap->keys, heap->max * sizeof *heap->keys);
        heap->ids = realloc(heap->ids, heap->max * sizeof *heap->ids);
    }
    size_t at = heap->count++;
    while (at > 0 && heap->keys[(at - 1) / 2] > key) {
        heap->keys[at] = heap->keys[(at - 1) / 2];
        heap->ids[at] = heap->ids[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->keys[at] = key;
    heap->ids[at] = id;
}

static void heap_pop(struct heap *heap)
{
    double key = heap->keys[--heap->count];
    uint32_t id = heap->ids[heap->count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->keys[child + 1] < heap->keys[child]) {
            child++;
        }
        if (heap->keys[child] >= key) {
            break;
        }
        heap->keys[at] = heap->keys[child];
        heap->ids[at] = heap->ids[child];
        at = child;
    }
    heap->keys[at] = key;
    heap->ids[at] = id;
}

/* GDSF and Belady: the least key leaves. Stale places in the heap are skipped. */
static double replay_heap(const struct trace *trace, size_t room, enum model model)
{
    double *keys = calloc(trace->ids_count, sizeof *keys); /* of those that are in; else 0 */
    uint32_t *uses = calloc(trace->ids_count, sizeof *uses);
    size_t *next = calloc(trace->count, sizeof *next);
    size_t *last = calloc(trace->ids_count, sizeof *last);
    struct heap heap = {0};
    double age = 0;
    size_t used = 0;
    size_t misses = 0;
    size_t own = 0;

    for (size_t i = trace->count; i-- > 0;) {
        next[i] = last[trace->ids[i]] == 0 ? 2 * trace->count : last[trace->ids[i]];
        last[trace->ids[i]] = i;
    }
    for (size_t i = 0; i < trace->count; i++) {
        uint32_t id = trace->ids[i];
        bool is_hit = keys[id] != 0;
        uint32_t size = room_of(trace, id);
        own += id < KEYS;
        misses += id < KEYS && !is_hit;
        uses[id] = is_hit ? uses[id] + 1 : 1;
        keys[id] = model == MODEL_GDSF ? age + (double)uses[id] / size : -(double)next[i];
        heap_push(&heap, keys[id], id);
        used += is_hit ? 0 : size;
        while (used > room) {
            uint32_t out = heap.ids[0];
            double key = heap.keys[0];
            heap_pop(&heap);
            if (keys[out] != key) {
                continue;
            }
            used -= room_of(trace, out);
            keys[out] = 0;
            age = model == MODEL_GDSF ? key : 0;
        }
    }
    free(keys), free(uses), free(next), free(last), free(heap.keys), free(heap.ids);
    return (double)misses / (double)own;
}

struct fifo {
    uint32_t *ids;
    size_t first;
    size_t end;
    size_t bytes;
};

/* S3-FIFO as published: a tenth for the small queue, ghosts as many as the main queue's bytes. */
static double replay_s3fifo(const struct trace *trace, size_t room)
{
    enum { OUT = 0, SMALL, MAIN, GHOST };
    uint8_t *place = calloc(trace->ids_count, 1);
    uint8_t *uses = calloc(trace->ids_count, 1);
    uint32_t *ghost_at = calloc(trace->ids_count, sizeof *ghost_at);
    struct fifo small = {.ids = malloc((trace->count + 1) * sizeof(uint32_t))};
    struct fifo main_queue = {.ids = malloc((8 * trace->count + 1) * sizeof(uint32_t))};
    struct fifo ghost = {.ids = malloc((trace->count + 1) * sizeof(uint32_t))};
    size_t misses = 0;
    size_t own = 0;

    for (size_t i = 0; i < trace->count; i++) {
        uint32_t id = trace->ids[i];
        uint32_t size = room_of(trace, id);
        bool is_hit = place[id] == SMALL || place[id] == MAIN;
        own += id < KEYS;
        misses += id < KEYS && !is_hit;
        if (is_hit) {
            uses[id] += uses[id] < 3 ? 1 : 0;
            continue;
        }
        while (small.bytes + main_queue.bytes + size > room) {
            if (small.bytes > room / 10 || main_queue.first == main_queue.end) {
                uint32_t out = small.ids[small.first++];
                small.bytes -= room_of(trace, out);
                if (uses[out] > 1) {
                    place[out] = MAIN;
                    uses[out] = 0;
                    main_queue.ids[main_queue.end++] = out;
                    main_queue.bytes += room_of(trace, out);
                } else {
                    place[out] = GHOST;
                    ghost_at[out] = (uint32_t)ghost.end;
                    ghost.ids[ghost.end++] = out;
                    ghost.bytes += room_of(trace, out);
                }
            } else {
                uint32_t out = main_queue.ids[main_queue.first++];
                if (uses[out] > 0) {
                    uses[out]--;
                    main_queue.ids[main_queue.end++] = out;
                } else {
                    place[out] = OUT;
                    main_queue.bytes -= room_of(trace, out);
                }
            }
        }
        while (ghost.bytes > room * 9 / 10) {
            uint32_t out = ghost.ids[ghost.first];
            if (place[out] == GHOST && ghost_at[out] == ghost.first) {
                place[out] = OUT;
            }
            ghost.bytes -= room_of(trace, out);
            ghost.first++;
        }
        struct fifo *queue = place[id] == GHOST ? &main_queue : &small;
        place[id] = place[id] == GHOST ? MAIN : SMALL;
        uses[id] = 0;
        queue->ids[queue->end++] = id;
        queue->bytes += size;
    }
    free(place), free(uses), free(ghost_at);
    free(small.ids), free(main_queue.ids), free(ghost.ids);
    return (double)misses / (double)own;
}

/* ---- the table of misses --------------------------------------------------------------------- */

static int misses_row(double alpha, size_t memory_mib, bool is_mixed, size_t requests)
{
    struct trace trace;
    double ratios[POLICIES];
    size_t live = 0;
    int failed = 0;

    trace_make(&trace, alpha, requests, is_mixed, 0);
    for (int i = 0; i < POLICIES; i++) {
        ratios[i] =
            replay_cache(&trace, memory_mib * MIB, (enum kw_cache_policy)i, i == 0 ? &live : NULL);
    }
    double s3fifo = replay_s3fifo(&trace, live);
    double gdsf = replay_heap(&trace, live, MODEL_GDSF);
    double belady = replay_heap(&trace, live, MODEL_BELADY);
    trace_free(&trace);
    trace_make(&trace, alpha, requests, is_mixed, SCAN_TIMES * memory_mib * MIB);
    double scanned = replay_cache(&trace, memory_mib * MIB, KW_CACHE_BALANCED, NULL);
    double lru_scanned = replay_cache(&trace, memory_mib * MIB, KW_CACHE_LRU, NULL);
    trace_free(&trace);

    double closed = s3fifo > gdsf ? (s3fifo - ratios[0]) / (s3fifo - gdsf) : 1;
    printf("| %.1f | %-5s | %3zu |", alpha, is_mixed ? "mixed" : "256 B", memory_mib);
    for (int i = 0; i < POLICIES; i++) {
        printf(" %.3f |", ratios[i]);
    }
    printf(" %.3f | %.3f | %.3f | %+5.1f | %+5.1f | %2.0f %% |", s3fifo, gdsf, belady,
           100 * (scanned - ratios[0]), 100 * (lru_scanned - ratios[2]),
           100 * (double)live / ((double)memory_mib * MIB));
    if (ratios[0] > s3fifo + 0.0005) {
        printf(" MISS: worse than S3-FIFO");
        failed = 1;
    }
    if (is_mixed && closed < 0.5) {
        printf(" MISS: closes %.0f %% of the gap", 100 * closed);
        failed = 1;
    }
    if (scanned - ratios[0] > 0.02) {
        printf(" MISS: the scan");
        failed = 1;
    }
    printf("%s\n", is_mixed && failed == 0 ? " ok" : "");
    fflush(stdout);
    return failed;
}

static int misses(size_t requests, const char *only)
{
    static const double alphas[] = {0.7, 0.9, 1.0, 1.1};
    static const size_t memories[] = {4, 16};
    int failed = 0;

    printf(
        "Miss ratios, %d keys, %zu requests; sizes mixed (90 %% 64-512 B, 9 %% 1-4 KiB, 1 %% "
        "8-32 KiB) or equal.\nscan: points that a scan of %d caches costs. live: of balanced's memory, "
        "entries and index.\n\n",
        KEYS, requests, SCAN_TIMES);
    printf("| alpha | sizes | MiB |");
    for (int i = 0; i < POLICIES; i++) {
        printf(" %s |", policy_names[i]);
    }
    printf(" S3-FIFO model | GDSF model | Belady | balanced scan | lru scan | live |\n"
           "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof alphas / sizeof alphas[0]; i++) {
        for (size_t j = 0; j < sizeof memories / sizeof memories[0]; j++) {
            for (int is_mixed = 1; is_mixed >= 0; is_mixed--) {
                char name[32];
                snprintf(name, sizeof name, "%.1f-%zu-%s", alphas[i], memories[j],
                         is_mixed ? "mixed" : "equal");
                if (only == NULL || strstr(name, only) != NULL) {
                    failed |= misses_row(alphas[i], memories[j], is_mixed, requests);
                }
            }
        }
    }
    return failed;
}

/* ---- speed ----------------------------------------------------------------------------------- */

struct burst {
    struct kw_cache *cache;
    _Atomic int *waiting; /* threads that are not ready */
    uint32_t keys;        /* hit these at random, a power of two */
    uint32_t size;
    size_t hits;
    bool is_put;    /* overwrite instead */
    double seconds; /* of CPU */
};

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *burst_run(void *argument)
{
    struct burst *burst = argument;
    struct kw_cache_worker *worker = kw_cache_join(burst->cache, 1);
    char(*names)[16] = malloc((size_t)burst->keys * sizeof *names);
    char copy[4096];
    uint64_t state = (uintptr_t)burst;

    for (uint32_t i = 0; i < burst->keys; i++) {
        name_of(i, names[i]);
    }
    atomic_fetch_sub(burst->waiting, 1);
    while (atomic_load(burst->waiting) > 0) {
    }
    double start = cpu_seconds();
    for (size_t i = 0; i < burst->hits; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const char *name = names[(uint32_t)(state >> 40) & (burst->keys - 1)];
        struct kw_cache_key key = kw_cache_key(worker, kw_bytes_of(name, 12), kw_bytes_of(NULL, 0));
        struct kw_cache_found found;
        struct kw_cache_value value = {.bytes = {value_bytes, burst->size}};
        if (burst->is_put ? kw_cache_put(worker, &key, &value) != KW_OK
                          : !kw_cache_get(worker, &key, &found)) {
            abort();
        }
        if (!burst->is_put) {
            memcpy(copy, found.value.data, found.value.len);
            __asm__ volatile("" : : "r"(copy) : "memory");
        }
        if (i % 64 == 0) {
            kw_cache_tick(worker, 1);
        }
    }
    burst->seconds = cpu_seconds() - start;
    free(names);
    kw_cache_leave(&worker);
    return NULL;
}

/* The best burst: nanoseconds of CPU a hit, or an overwrite, with THREADS at once. */
static double hit_ns(struct kw_cache *cache, int threads, uint32_t keys, uint32_t size, bool is_put)
{
    double best = 1e9;

    for (int i = 0; i < BURSTS; i++) {
        struct burst bursts[2];
        pthread_t ids[2];
        _Atomic int waiting = threads;
        double sum = 0;
        for (int j = 0; j < threads; j++) {
            bursts[j] = (struct burst){cache, &waiting, keys, size, BURST_HITS, is_put, 0};
            pthread_create(&ids[j], NULL, burst_run, &bursts[j]);
        }
        for (int j = 0; j < threads; j++) {
            pthread_join(ids[j], NULL);
            sum += bursts[j].seconds / (double)bursts[j].hits / threads;
        }
        best = sum < best ? sum : best;
    }
    return best * 1e9;
}

static int speed(void)
{
    static const struct {
        uint32_t keys;
        uint32_t size;
        bool has_huge;
    } rows[] = {{1, 100, false},      {1, 1024, false},     {16384, 100, false},
                {16384, 1024, false}, {131072, 100, false}, {131072, 100, true}};
    int failed = 0;

    printf(
        "\nHits with a copy of the value, ns of CPU each.\n\n"
        "| keys | value | pages | 1 worker | 2 workers | 2 over 1 |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kw_cache *cache =
            cache_open((size_t)128 * MIB, KW_CACHE_BALANCED, rows[i].has_huge, false);
        struct kw_cache_worker *worker = kw_cache_join(cache, 1);
        for (uint32_t id = 0; id < rows[i].keys; id++) {
            cache_ask(worker, id, rows[i].size, 1);
        }
        kw_cache_leave(&worker);
        double one = hit_ns(cache, 1, rows[i].keys, rows[i].size, false);
        double two = hit_ns(cache, 2, rows[i].keys, rows[i].size, false);
        printf("| %u | %u B | %s | %.1f | %.1f | %.2f x |%s\n", rows[i].keys, rows[i].size,
               rows[i].has_huge ? "huge" : "4 KiB", one, two, 2 * one / two,
               rows[i].keys == 1 && 2 * one / two < 1.8 ? " MISS" : "");
        failed |= rows[i].keys == 1 && 2 * one / two < 1.8;
        kw_cache_free(&cache);
    }
    return failed;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static double resident_mib(void)
{
    unsigned long count = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%*u %lu", &count) != 1) {
        count = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return (double)count * (double)sysconf(_SC_PAGESIZE) / MIB;
}

static void pages_row(size_t memory_mib, uint32_t keys, bool has_huge, bool is_locked)
{
    double before = resident_mib();
    uint64_t start_us = kw_clock_us();
    struct kw_cache *cache = cache_open(memory_mib * MIB, KW_CACHE_BALANCED, has_huge, is_locked);
    double open_ms = (double)(kw_clock_us() - start_us) / 1000;
    double open_mib = resident_mib() - before;
    struct kw_cache_worker *worker = kw_cache_join(cache, 1);
    double fill_s = cpu_seconds();

    for (uint32_t id = 0; id < keys; id++) {
        cache_ask(worker, id, PAGES_SIZE, 1);
    }
    fill_s = cpu_seconds() - fill_s;
    kw_cache_leave(&worker);
    double hit = hit_ns(cache, 1, keys, PAGES_SIZE, false);
    double put = hit_ns(cache, 1, keys, PAGES_SIZE, true);
    printf("| %s | %s | %.1f | %.1f | %.3f | %.1f | %.0f | %.0f |\n", has_huge ? "huge" : "4 KiB",
           is_locked ? "yes" : "no", open_ms, open_mib, fill_s, resident_mib() - before, hit, put);
    fflush(stdout);
    kw_cache_free(&cache);
}

static void pages_head(size_t memory_mib, uint32_t keys)
{
    printf(
        "\n%u keys of %d B in a cache of %zu MiB, by its pages; CPU of one worker, random keys.\n\n"
        "| pages | locked | start ms | MiB then | fill s | MiB filled | ns a hit | ns an "
        "overwrite |\n|---|---|---|---|---|---|---|---|\n",
        keys, PAGES_SIZE, memory_mib);
}

/* How many MiB may be locked here; SIZE_MAX: as many as one likes. */
static size_t lockable_mib(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        return SIZE_MAX;
    }
    return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 ? limit.rlim_cur / MIB : 0;
}

static void pages(void)
{
    size_t lockable = lockable_mib();
    bool is_limited = lockable < PAGES_MIB;
    size_t small_mib = lockable / 2; /* the kernel counts what is reserved beside it, too */
    uint32_t small_keys = (uint32_t)(PAGES_KEYS / PAGES_MIB * small_mib);

    pages_head(PAGES_MIB, PAGES_KEYS);
    for (int is_locked = 0; is_locked < (is_limited ? 1 : 2); is_locked++) {
        pages_row(PAGES_MIB, PAGES_KEYS, false, is_locked);
        pages_row(PAGES_MIB, PAGES_KEYS, true, is_locked);
    }
    if (is_limited && small_mib < KW_CACHE_MEMORY_MIN_BYTES / MIB) {
        printf("\nPages can't be locked here: ulimit -l\n");
    } else if (is_limited) {
        pages_head(small_mib, small_keys); /* as much as ulimit -l lets us lock */
        pages_row(small_mib, small_keys, false, false);
        pages_row(small_mib, small_keys, false, true);
    }
}

int main(int argc, char **argv)
{
    bool is_miss = true;
    bool is_speed = true;
    bool is_pages = true;
    size_t requests = REQUESTS;
    const char *only = NULL;

    for (int i = 1; i < argc; i++) {
        bool is_part = argv[i][0] != '-';
        is_miss = is_miss && (!is_part || strcmp(argv[i], "miss") == 0);
        is_speed = is_speed && (!is_part || strcmp(argv[i], "speed") == 0);
        is_pages = is_pages && (!is_part || strcmp(argv[i], "pages") == 0);
        requests = strcmp(argv[i], "--quick") == 0 ? REQUESTS / 5 : requests;
        only = strncmp(argv[i], "--row=", 6) == 0 ? argv[i] + 6 : only;
    }
    int failed = is_miss ? misses(requests, only) : 0;
    failed |= is_speed ? speed() : 0;
    if (is_pages) {
        pages();
    }
    return failed;
}
