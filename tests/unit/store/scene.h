/* scene.h - a store and one worker, commands as one line of words, replies as text. */
#ifndef KW_TESTS_UNIT_STORE_SCENE_H
#define KW_TESTS_UNIT_STORE_SCENE_H

#include "store/store.h"
#include "tests/unit/kw_test.h"

#include <stdio.h>

enum { SCENE_WORDS_MAX = 2048, SCENE_REPLY_MAX = 256 * 1024, SCENE_EVENTS_MAX = 4096 };

struct store_scene {
    struct kw_store *store;
    struct kw_store_worker *worker;
    struct kw_chunk_pool pool;
    uint64_t now_ms;
    int proto;
    char reply[SCENE_REPLY_MAX];   /* the last one, with its CR LFs as blanks */
    char events[SCENE_EVENTS_MAX]; /* "event name, event name" since the last look */
};

static inline void scene_on_event(void *user, enum kw_store_class class, const char *event,
                                  struct kw_bytes name)
{
    struct store_scene *scene = user;
    size_t len = strlen(scene->events);

    (void)class;
    (void)snprintf(scene->events + len, SCENE_EVENTS_MAX - len, "%s%s %.*s", len == 0 ? "" : ", ",
                   event, (int)name.len, name.data);
}

static inline void store_scene_open(struct store_scene *scene)
{
    struct kw_store_options options = {.memory_max_bytes = 64 * 1024 * 1024,
                                       .policy = KW_CACHE_KEEP,
                                       .packing = {512, 64, 512, 128, 64},
                                       .workers_max = 2};
    struct kw_store_watcher watcher = {.on_event = scene_on_event, .user = scene};

    scene->now_ms = UINT64_C(1700000000000);
    scene->proto = 2;
    scene->events[0] = '\0';
    kw_chunk_pool_init(&scene->pool);
    assert_int_equal(kw_store_new(&options, &scene->store), KW_OK);
    scene->worker = kw_store_join(scene->store, &watcher, scene->now_ms);
    assert_non_null(scene->worker);
}

static inline void store_scene_close(struct store_scene *scene)
{
    kw_store_leave(&scene->worker);
    kw_store_free(&scene->store);
    kw_chunk_pool_deinit(&scene->pool);
}

static inline void store_scene_pass(struct store_scene *scene, uint64_t ms)
{
    scene->now_ms += ms;
    for (int i = 0; i < 4; i++) {
        kw_store_tick(scene->worker, scene->now_ms);
    }
}

/* The reply to the WORDS of a command. */
static inline const char *store_scene_run_words(struct store_scene *scene,
                                                const struct kw_bytes *words, size_t words_count)
{
    struct kw_argv argv = {.items = (struct kw_bytes *)words, .count = words_count};
    const struct kw_command *command = kw_command_resolve(words, words_count);
    struct kw_buf out;
    size_t len = 0;

    assert_non_null(command);
    kw_buf_init(&out, &scene->pool);
    (void)kw_store_run(scene->worker, command, &argv, scene->proto, &out);
    for (const struct kw_chunk *chunk = out.head; chunk != NULL; chunk = chunk->next) {
        for (size_t i = chunk->start; i < chunk->end && len + 1 < SCENE_REPLY_MAX; i++) {
            char byte = chunk->data[i];
            if (byte != '\r') {
                scene->reply[len++] = (char)(byte == '\n' ? ' ' : byte);
            }
        }
    }
    scene->reply[len > 0 ? len - 1 : 0] = '\0'; /* without the last end of line */
    kw_buf_reset(&out);
    kw_store_tick(scene->worker, scene->now_ms);
    return scene->reply;
}

/* The reply to a command whose words have blanks between them. */
static inline const char *store_scene_run(struct store_scene *scene, const char *line)
{
    struct kw_bytes words[SCENE_WORDS_MAX];
    size_t count = 0;

    while (*line != '\0') {
        size_t len = strcspn(line, " ");
        assert_true(count < SCENE_WORDS_MAX);
        words[count++] = kw_bytes_of(line, len);
        line += len + (line[len] == ' ' ? 1 : 0);
    }
    return store_scene_run_words(scene, words, count);
}

static inline void store_scene_expect(struct store_scene *scene, const char *line,
                                      const char *reply)
{
    assert_string_equal(store_scene_run(scene, line), reply);
}

/* What was told of since the last look. */
static inline void store_scene_expect_events(struct store_scene *scene, const char *events)
{
    assert_string_equal(scene->events, events);
    scene->events[0] = '\0';
}

#endif
