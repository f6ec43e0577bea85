/* example.c - a program with keyway's cache inside: remembers what is slow to work out.
 *
 *     cc example.c libkeyway.a -ljemalloc -lxxhash -lpthread && ./a.out
 */
#include "keyway.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Stands for a question to a database. */
static size_t ask_slowly(const char *name, char *answer, size_t answer_max)
{
    return (size_t)snprintf(answer, answer_max, "the answer to %s", name);
}

static void ask(struct keyway *cache, const char *name)
{
    struct keyway_view view;
    char answer[256];

    if (keyway_get(cache, name, strlen(name), &view) == KEYWAY_OK) {
        printf("%s: %.*s (from the cache)\n", name, (int)view.len, (const char *)view.data);
        keyway_release(cache, &view);
        return;
    }
    size_t len = ask_slowly(name, answer, sizeof answer);
    printf("%s: %.*s\n", name, (int)len, answer);
    enum keyway_status status = keyway_set(cache, name, strlen(name), answer, len, 60000);
    if (status != KEYWAY_OK) {
        printf("%s is not remembered: %s\n", name, keyway_status_text(status));
    }
}

int main(void)
{
    struct keyway_options options = {.memory_max_bytes = (size_t)16 << 20,
                                     .policy = KEYWAY_BALANCED};
    struct keyway *cache = NULL;
    struct keyway_stats stats;

    enum keyway_status status = keyway_open(&options, &cache);
    if (status != KEYWAY_OK) {
        fprintf(stderr, "no cache: %s\n", keyway_status_text(status));
        return 1;
    }
    ask(cache, "life");
    ask(cache, "life");
    keyway_delete(cache, "life", strlen("life"));
    ask(cache, "life");
    keyway_stats(cache, &stats);
    printf("%" PRIu64 " entry, %" PRIu64 " hit, %" PRIu64 " misses\n", stats.entries_count,
           stats.hits_count, stats.misses_count);
    keyway_close(&cache);
    return 0;
}
