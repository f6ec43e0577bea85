/* fuzz_keys.c - any arguments: a command is found or not, and every key lies within argv.
 *
 * The input is cut at newlines into arguments. Whatever row the name has, the keys are also looked
 * for with every other row of the table, chosen by the input's length, so that rows are tried with
 * arguments made for others. What COMMAND GETKEYS, INFO and DOCS say about it must be whole.
 */
#include "base/buf.h"
#include "command/command.h"
#include "command/describe.h"
#include "command/keys.h"

#include <stdint.h>
#include <stdlib.h>

enum { ARGS_MAX = 512 };

static size_t split(const char *data, size_t size, struct kw_bytes *argv)
{
    size_t argc = 0;
    size_t start = 0;

    for (size_t i = 0; i <= size && argc < ARGS_MAX; i++) {
        if (i == size || data[i] == '\n') {
            argv[argc++] = kw_bytes_of(data + start, i - start);
            start = i + 1;
        }
    }
    return argc;
}

static void check_keys(const struct kw_command *command, const struct kw_bytes *argv, size_t argc)
{
    struct kw_keys keys;
    enum kw_keys_verdict verdict = kw_keys_find(command, argv, argc, &keys);
    uint32_t single = kw_keys_single(command);
    uint32_t in_runs = 0;

    for (uint32_t i = 0; i < keys.runs_count; i++) {
        in_runs += keys.runs[i].count;
    }
    if (in_runs != keys.count ||
        (verdict == KW_KEYS_OK) != (keys.count > 0 && verdict != KW_KEYS_BAD)) {
        abort();
    }
    for (uint32_t i = 0; i < keys.count; i++) {
        uint32_t at = kw_keys_at(&keys, i);
        if (at == 0 || at >= argc) {
            abort();
        }
    }
    if (single != 0 && kw_command_arity_ok(command, argc) &&
        (verdict != KW_KEYS_OK || keys.count != 1 || kw_keys_at(&keys, 0) != single)) {
        abort();
    }
}

static void describe(const char *word, const struct kw_bytes *argv, size_t argc, int proto)
{
    struct kw_bytes asked[ARGS_MAX + 2] = {KW_BYTES("command"), kw_bytes_of_text(word)};
    struct kw_chunk_pool pool;
    struct kw_buf buf;

    memcpy(asked + 2, argv, argc * sizeof *argv);
    kw_chunk_pool_init(&pool);
    kw_buf_init(&buf, &pool);
    kw_describe(&buf, kw_command_resolve(asked, argc + 2), &(struct kw_describe_rows){0}, asked,
                argc + 2, proto);
    if (buf.len == 0) {
        abort();
    }
    kw_buf_reset(&buf);
    kw_chunk_pool_deinit(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes argv[ARGS_MAX];
    size_t argc = split((const char *)data, size, argv);
    const struct kw_command *command = kw_command_resolve(argv, argc);

    if (command != NULL) {
        check_keys(command, argv, argc);
        (void)kw_command_is_blocking(command, argv, argc);
    }
    check_keys(kw_command_at(size % kw_command_count()), argv, argc);
    describe("getkeysandflags", argv, argc, 3);
    if (size % 16 == 0) { /* these are long: now and then is enough */
        describe("info", argv, argc < 3 ? argc : 3, 2);
        describe("docs", argv, argc < 3 ? argc : 3, 3);
    }
    return 0;
}
