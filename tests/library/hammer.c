/* hammer.c - threads on one cache: no torn value, no value of another key; sleepers hold nothing.
 *
 * Its names are those that the library uses inside: they must not collide.
 */
#include "keyway.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, KEYS = 300, STEPS = 30000, LARGE = 20000, SLEEPERS = 3 };

struct kw_cache {
    struct keyway *keyway;
    _Atomic unsigned failures;
    _Atomic unsigned found;
    _Atomic unsigned sleeping;
    _Atomic unsigned is_over;
};

/* Names of the library's inside, with other meanings. */
void *kw_alloc(size_t size);
int kw_cache_get(struct kw_cache *cache, unsigned number);
int kw_cache_put(struct kw_cache *cache, unsigned number, unsigned len);

void *kw_alloc(size_t size)
{
    return malloc(size);
}

int kw_cache_get(struct kw_cache *cache, unsigned number)
{
    struct keyway_view view;

    if (keyway_get(cache->keyway, &number, sizeof number, &view) != KEYWAY_OK) {
        return 0;
    }
    atomic_fetch_add(&cache->found, 1);
    const unsigned char *bytes = view.data;
    unsigned stored = 0;
    memcpy(&stored, bytes, sizeof stored);
    if (stored != number) {
        atomic_fetch_add(&cache->failures, 1);
    }
    for (size_t i = sizeof stored; i < view.len; i++) {
        if (bytes[i] != (unsigned char)view.len) {
            atomic_fetch_add(&cache->failures, 1);
            break;
        }
    }
    keyway_release(cache->keyway, &view);
    return 1;
}

int kw_cache_put(struct kw_cache *cache, unsigned number, unsigned len)
{
    unsigned char *bytes = kw_alloc(len);

    memset(bytes, (unsigned char)len, len);
    memcpy(bytes, &number, sizeof number);
    enum keyway_status status =
        keyway_set(cache->keyway, &number, sizeof number, bytes, len, number % 7 == 0 ? 3 : 0);
    free(bytes);
    return status == KEYWAY_OK;
}

static void *hammer(void *argument)
{
    struct kw_cache *cache = argument;
    unsigned state = (unsigned)(size_t)&state;

    for (unsigned i = 0; i < STEPS; i++) {
        state = state * 1664525u + 1013904223u;
        unsigned number = (state >> 16) % KEYS;
        unsigned what = (state >> 8) % 100;
        if (what < 70) {
            kw_cache_get(cache, number);
        } else if (what < 95) {
            kw_cache_put(cache, number, what == 94 ? LARGE + number : 8 + (state >> 20) % 900);
        } else if (what < 98) {
            keyway_delete(cache->keyway, &number, sizeof number);
        } else if (what == 98) {
            keyway_expire(cache->keyway, &number, sizeof number, 50);
        } else if (i % 1000 == 0) {
            keyway_clear(cache->keyway);
        }
    }
    return NULL;
}

/* Looks once, leaves something behind to be freed, and sleeps until all is over. */
static void *sleeper(void *argument)
{
    struct kw_cache *cache = argument;

    kw_cache_put(cache, KEYS + 1, LARGE);
    kw_cache_get(cache, KEYS + 1);
    kw_cache_put(cache, KEYS + 1, LARGE);
    atomic_fetch_add(&cache->sleeping, 1);
    while (atomic_load(&cache->is_over) == 0) {
        usleep(1000);
    }
    return NULL;
}

int main(void)
{
    struct keyway_options options = {.memory_max_bytes = (size_t)4 << 20, .policy = KEYWAY_LRU};
    static struct kw_cache cache;
    pthread_t threads[THREADS + SLEEPERS];
    struct keyway_stats stats;

    if (keyway_open(&options, &cache.keyway) != KEYWAY_OK) {
        return 1;
    }
    for (unsigned i = 0; i < SLEEPERS; i++) {
        pthread_create(&threads[THREADS + i], NULL, sleeper, &cache);
    }
    while (atomic_load(&cache.sleeping) < SLEEPERS) {
        usleep(1000);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, hammer, &cache);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    /* Ten times the memory passes through, while the others sleep. */
    unsigned refused = 0;
    for (unsigned i = 0; i < 2000; i++) {
        refused += !kw_cache_put(&cache, 10 * KEYS + i, LARGE);
    }
    atomic_store(&cache.is_over, 1);
    for (unsigned i = 0; i < SLEEPERS; i++) {
        pthread_join(threads[THREADS + i], NULL);
    }
    keyway_stats(cache.keyway, &stats);
    printf("%u failures, %s found, %u refused, %s\n", cache.failures,
           cache.found > 1000 ? "many" : "few", refused,
           stats.memory_bytes <= stats.memory_max_bytes ? "within its memory" : "too large");
    keyway_close(&cache.keyway);
    return 0;
}
