/* role.c - commands by what the near cache does about them, from the table's columns. */
#include "proxy/near/role.h"

#include "base/mem.h"
#include "command/keys.h"

#include <stdbool.h>
#include <string.h>

static enum kw_near_role role_of(const struct kw_command *command);
static bool is_of_kept_group(const struct kw_command *command);
static bool is_about_age(const struct kw_command *command);
static bool is_named(const struct kw_command *command, const char *name);

uint8_t *kw__roles_new(void)
{
    size_t count = kw_command_count();
    uint8_t *roles = kw_alloc_zero(count + 1, sizeof *roles);

    for (size_t i = 0; i < count; i++) {
        roles[i] = (uint8_t)role_of(kw_command_at(i));
    }
    roles[count] = KW_NEAR_ROLE_LEARNED; /* the id of all of them */
    return roles;
}

enum kw_near_role kw__role_learned(const struct kw_command *command)
{
    return role_of(command);
}

static enum kw_near_role role_of(const struct kw_command *command)
{
    bool is_learned = command->id >= kw_command_count();
    bool is_writing = command->cache == KW_CACHE_INVALIDATES ||
                      (is_learned && (command->flags & KW_COMMAND_READ) == 0);

    if (is_named(command, "get")) {
        return KW_NEAR_ROLE_GET;
    }
    if (is_named(command, "mget")) {
        return KW_NEAR_ROLE_MGET;
    }
    if (is_named(command, "exists")) {
        return KW_NEAR_ROLE_EXISTS;
    }
    if ((command->cache == KW_CACHE_WHOLE_REPLY || command->cache == KW_CACHE_EACH_KEY) &&
        !is_learned && kw_keys_single(command) != 0 && is_of_kept_group(command)) {
        return KW_NEAR_ROLE_WHOLE;
    }
    if (command->cache == KW_CACHE_INVALIDATES_ALL) {
        return KW_NEAR_ROLE_WRITE_ALL;
    }
    if (command->cache == KW_CACHE_AT_EXEC) {
        return KW_NEAR_ROLE_EXEC;
    }
    if (!is_writing) {
        bool tells = (command->flags & KW_COMMAND_READ) != 0 &&
                     command->keys[0].find != KW_FIND_NONE && !is_about_age(command);
        return !tells                         ? KW_NEAR_ROLE_NONE
               : kw_keys_single(command) != 0 ? KW_NEAR_ROLE_READ_KEY
                                              : KW_NEAR_ROLE_READ_SLOT;
    }
    return kw_keys_single(command) != 0 ? KW_NEAR_ROLE_WRITE_KEY : KW_NEAR_ROLE_WRITE_SLOT;
}

/* Modules may change a key without a word to those who track it. The others' replies can't be
 * told in RESP2 from what they are in RESP3: nulls of two kinds, arrays in arrays.
 */
static bool is_of_kept_group(const struct kw_command *command)
{
    switch ((int)command->group) {
    case KW_GROUP_GENERIC:
    case KW_GROUP_STRING:
    case KW_GROUP_BITMAP:
    case KW_GROUP_LIST:
    case KW_GROUP_SET:
    case KW_GROUP_SORTED_SET:
    case KW_GROUP_HASH:
        return (command->flags & KW_COMMAND_MODULE) == 0;
    default:
        return false;
    }
}

/* What is often asked beside a value, and does not show it. */
static bool is_about_age(const struct kw_command *command)
{
    return is_named(command, "ttl") || is_named(command, "pttl") || is_named(command, "touch") ||
           strncmp(command->name, "object|", 7) == 0;
}

static bool is_named(const struct kw_command *command, const char *name)
{
    return strcmp(command->name, name) == 0;
}
