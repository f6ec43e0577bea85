/* module.c - a module for redis-server with commands that keyway's table does not know.
 *
 * The few functions of the module API that it needs are declared here, as redismodule.h is not
 * everywhere: the first word of a context is the function that finds the others.
 */
#include <stddef.h>

typedef struct RedisModuleCtx RedisModuleCtx;
typedef struct RedisModuleString RedisModuleString;
typedef struct RedisModuleCallReply RedisModuleCallReply;
typedef struct RedisModuleCommand RedisModuleCommand;
typedef int command_function(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

static void (*set_attributes)(RedisModuleCtx *ctx, const char *name, int ver, int apiver);
static int (*create_command)(RedisModuleCtx *ctx, const char *name, command_function *function,
                             const char *flags, int first, int last, int step);
static RedisModuleCommand *(*get_command)(RedisModuleCtx *ctx, const char *name);
static int (*create_subcommand)(RedisModuleCommand *parent, const char *name,
                                command_function *function, const char *flags, int first, int last,
                                int step);
static RedisModuleCallReply *(*call)(RedisModuleCtx *ctx, const char *name, const char *format,
                                     ...);
static int (*reply_with)(RedisModuleCtx *ctx, RedisModuleCallReply *reply);
static int (*reply_with_status)(RedisModuleCtx *ctx, const char *text);
static void (*free_reply)(RedisModuleCallReply *reply);

static int pass(RedisModuleCtx *ctx, RedisModuleCallReply *reply)
{
    reply_with(ctx, reply);
    free_reply(reply);
    return 0;
}

static int on_get(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    return argc != 2 ? reply_with_status(ctx, "count") : pass(ctx, call(ctx, "GET", "s", argv[1]));
}

static int on_set(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    return argc != 3 ? reply_with_status(ctx, "count")
                     : pass(ctx, call(ctx, "SET", "ss", argv[1], argv[2]));
}

static int on_mget(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    return pass(ctx, call(ctx, "MGET", "v", argv + 1, (size_t)(argc - 1)));
}

static int on_hello(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    (void)argv;
    (void)argc;
    return reply_with_status(ctx, "HELLO");
}

static int on_box_get(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    return argc != 3 ? reply_with_status(ctx, "count") : pass(ctx, call(ctx, "GET", "s", argv[2]));
}

int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    int (*find)(const char *name, void *function) = *(int (**)(const char *, void *))ctx;

    (void)argv;
    (void)argc;
    find("RedisModule_SetModuleAttribs", &set_attributes);
    find("RedisModule_CreateCommand", &create_command);
    find("RedisModule_GetCommand", &get_command);
    find("RedisModule_CreateSubcommand", &create_subcommand);
    find("RedisModule_Call", &call);
    find("RedisModule_ReplyWithCallReply", &reply_with);
    find("RedisModule_ReplyWithSimpleString", &reply_with_status);
    find("RedisModule_FreeCallReply", &free_reply);
    set_attributes(ctx, "keyway-test", 1, 1);
    create_command(ctx, "kwt.get", on_get, "readonly fast", 1, 1, 1);
    create_command(ctx, "kwt.set", on_set, "write deny-oom", 1, 1, 1);
    create_command(ctx, "kwt.mget", on_mget, "readonly", 1, -1, 1);
    create_command(ctx, "kwt.hello", on_hello, "readonly", 0, 0, 0);
    create_command(ctx, "kwt.wipe", on_hello, "write", 0, 0, 0);
    create_command(ctx, "kwt.admin", on_hello, "admin", 0, 0, 0);
    create_command(ctx, "kwt.state", on_hello, "", 0, 0, 0);
    create_command(ctx, "kwt.box", NULL, "", 0, 0, 0);
    create_subcommand(get_command(ctx, "kwt.box"), "get", on_box_get, "readonly", 2, 2, 1);
    return 0;
}
