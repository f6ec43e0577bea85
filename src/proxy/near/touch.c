/* touch.c - see touch.h.
 *
 * The bytes of a request are commands one behind the other: one mostly, MULTI ... EXEC of a
 * transaction, what follows PROXY NODE which. Each is looked up in the table, which knows where its
 * keys are. Keys that are only read count, too: a reply tells of them.
 */
#include "proxy/near/touch.h"

#include "base/mem.h"
#include "command/keys.h"
#include "proxy/near/variant.h"

enum { ROOM_KEPT = 1024 /* slices: what needs more gives it back soon */ };

static struct kw_bytes *room_fit(struct kw_bytes **room, size_t *max, size_t used, size_t more);
static void command_touch(struct kw_near *near, const struct kw_command *command, size_t argc,
                          struct kw_near_touch *touch);
static bool may_change_all(const struct kw_command *command);
static bool may_go_beyond(const struct kw_command *command);

struct kw_near_touch kw__touch_of(struct kw_near *near, const struct kw_request *request)
{
    struct kw_near_touch_room *room = &near->touch_room;
    struct kw_bytes wire = kw_call_bytes(&request->call);
    const char *end = wire.data + wire.len;
    bool is_several = request->run != NULL || request->command->local == KW_LOCAL_PROXY_NODE;
    struct kw_near_touch touch = {.names = NULL};

    if (room->names_max > ROOM_KEPT || room->argv_max > ROOM_KEPT) {
        kw__touch_room_free(room);
    }
    for (const char *at = wire.data; at < end;) {
        struct kw_near_walk walk = kw__walk_begin(kw_bytes_of(at, (size_t)(end - at)));
        size_t argc = walk.left_count;
        struct kw_bytes *argv = room_fit(&room->argv, &room->argv_max, 0, argc);
        struct kw_bytes whole;
        for (size_t i = 0; i < argc; i++) {
            argv[i] = kw__walk_next(&walk, &whole);
        }
        at = walk.at;
        command_touch(near, is_several ? kw__command_of(near->proxy, argv, argc) : request->command,
                      argc, &touch);
    }
    touch.names = room->names;
    return touch;
}

void kw__touch_room_free(struct kw_near_touch_room *room)
{
    kw_free(room->argv);
    kw_free(room->names);
    *room = (struct kw_near_touch_room){.argv = NULL};
}

/* Room for MORE behind USED. */
static struct kw_bytes *room_fit(struct kw_bytes **room, size_t *max, size_t used, size_t more)
{
    if (used + more > *max) {
        size_t wanted = used + more > 2 * *max ? used + more : 2 * *max;
        *room = kw_realloc(*room, wanted * sizeof **room);
        *max = wanted;
    }
    return *room + used;
}

static void command_touch(struct kw_near *near, const struct kw_command *command, size_t argc,
                          struct kw_near_touch *touch)
{
    struct kw_near_touch_room *room = &near->touch_room;
    enum kw_near_role role =
        command != NULL ? kw__near_role(near, command) : KW_NEAR_ROLE_WRITE_ALL;
    struct kw_keys keys;

    if (role == KW_NEAR_ROLE_WRITE_ALL || may_change_all(command)) {
        touch->is_all = true;
        return;
    }
    if (role == KW_NEAR_ROLE_NONE || role == KW_NEAR_ROLE_EXEC) {
        return;
    }
    (void)kw_keys_find(command, room->argv, argc, &keys);
    touch->is_beyond |= may_go_beyond(command);
    touch->is_all |= keys.count == 0 && command->id >= kw_command_count();
    struct kw_bytes *names = room_fit(&room->names, &room->names_max, touch->count, keys.count);
    for (uint32_t i = 0; i < keys.runs_count; i++) {
        const struct kw_key_run *run = &keys.runs[i];
        for (uint32_t n = 0; n < run->count; n++) {
            *names++ = room->argv[run->first + n * run->step];
        }
    }
    touch->count += keys.count;
}

/* What an operator may tell a node. */
static bool may_change_all(const struct kw_command *command)
{
    return strcmp(command->name, "debug") == 0 || strcmp(command->name, "swapdb") == 0;
}

static bool may_go_beyond(const struct kw_command *command)
{
    return command->group == KW_GROUP_SCRIPTING || command->id >= kw_command_count() ||
           (command->flags & KW_COMMAND_MODULE) != 0 || strncmp(command->name, "sort", 4) == 0;
}
