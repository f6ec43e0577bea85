/* role.h - what the near cache does about a command.
 *
 * Thread: any; a table is its owner's. See also: answer.c, read.c, writes.c (who act by it).
 */
#ifndef KW_PROXY_NEAR_ROLE_H
#define KW_PROXY_NEAR_ROLE_H

#include "command/command.h"

#include <stdint.h>

enum kw_near_role {
    KW_NEAR_ROLE_NONE = 0,
    KW_NEAR_ROLE_GET,       /* served; one entry for RESP2 and RESP3 */
    KW_NEAR_ROLE_WHOLE,     /* served; an entry for each version and list of arguments */
    KW_NEAR_ROLE_READ_KEY,  /* not served; says something of its only key */
    KW_NEAR_ROLE_WRITE_KEY, /* writes its only key */
    KW_NEAR_ROLE_OF_KEY_MAX = KW_NEAR_ROLE_WRITE_KEY, /* up to here: kw_keys_single() knows it */
    KW_NEAR_ROLE_MGET,                                /* served from the entries of GET */
    KW_NEAR_ROLE_EXISTS,                              /* the same */
    KW_NEAR_ROLE_READ_SLOT,  /* not served; says something of keys of its slot */
    KW_NEAR_ROLE_WRITE_SLOT, /* writes keys of its slot */
    KW_NEAR_ROLE_WRITE_ALL,  /* writes anything */
    KW_NEAR_ROLE_EXEC        /* writes keys of its slot, unless all that was queued only reads */
};

enum { KW_NEAR_ROLE_LEARNED = UINT8_MAX }; /* in tables only: kw__role_in() knows more */

/* Roles by command id; those that the nodes have told of share one. The caller's, for kw_free(). */
uint8_t *kw__roles_new(void);

/* The role of COMMAND, which the nodes have told of. */
enum kw_near_role kw__role_learned(const struct kw_command *command);

static inline enum kw_near_role kw__role_in(const uint8_t *roles, const struct kw_command *command)
{
    uint8_t role = roles[command->id];

    return __builtin_expect(role != KW_NEAR_ROLE_LEARNED, 1) ? (enum kw_near_role)role
                                                             : kw__role_learned(command);
}

#endif
