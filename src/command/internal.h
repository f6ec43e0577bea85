/* internal.h - for this room only: ACL categories and tips, and who writes which reply.
 *
 * The words of categories and tips are in describe_info.c, in the same order.
 * Thread: any. Memory: none.
 * See also: commands.def (who has which), describe.c (who calls what).
 */
#ifndef KW_COMMAND_INTERNAL_H
#define KW_COMMAND_INTERNAL_H

#include "base/buf.h"
#include "command/command.h"

#include <stddef.h>
#include <stdint.h>

/* ACL categories. The groups' own come first, those that flags imply last. */
enum kw__acl {
    KW__ACL_KEYSPACE = 1u << 0,
    KW__ACL_STRING = 1u << 1,
    KW__ACL_BITMAP = 1u << 2,
    KW__ACL_LIST = 1u << 3,
    KW__ACL_SET = 1u << 4,
    KW__ACL_SORTEDSET = 1u << 5,
    KW__ACL_HASH = 1u << 6,
    KW__ACL_STREAM = 1u << 7,
    KW__ACL_GEO = 1u << 8,
    KW__ACL_HYPERLOGLOG = 1u << 9,
    KW__ACL_ARRAY = 1u << 10,
    KW__ACL_SCRIPTING = 1u << 11,
    KW__ACL_TRANSACTION = 1u << 12,
    KW__ACL_CONNECTION = 1u << 13,
    KW__ACL_JSON = 1u << 14,
    KW__ACL_SEARCH = 1u << 15,
    KW__ACL_BLOOM = 1u << 16,
    KW__ACL_CUCKOO = 1u << 17,
    KW__ACL_CMS = 1u << 18,
    KW__ACL_TOPK = 1u << 19,
    KW__ACL_TDIGEST = 1u << 20,
    KW__ACL_TIMESERIES = 1u << 21,
    KW__ACL_READ = 1u << 22,
    KW__ACL_WRITE = 1u << 23,
    KW__ACL_PUBSUB = 1u << 24,
    KW__ACL_ADMIN = 1u << 25,
    KW__ACL_DANGEROUS = 1u << 26,
    KW__ACL_FAST = 1u << 27,
    KW__ACL_SLOW = 1u << 28,
    KW__ACL_BLOCKING = 1u << 29,
    KW__ACL_NONE = 1u << 30 /* in a row: not even the group's own */
};

/* Tips for clients that talk to nodes themselves. */
enum kw__tip {
    KW__TIP_NONDETERMINISTIC_OUTPUT = 1u << 0,
    KW__TIP_NONDETERMINISTIC_OUTPUT_ORDER = 1u << 1,
    KW__TIP_DONT_CACHE = 1u << 2,
    KW__TIP_REQUEST_ALL_NODES = 1u << 3,
    KW__TIP_REQUEST_ALL_SHARDS = 1u << 4,
    KW__TIP_REQUEST_MULTI_SHARD = 1u << 5,
    KW__TIP_REQUEST_SPECIAL = 1u << 6,
    KW__TIP_RESPONSE_ALL_SUCCEEDED = 1u << 7,
    KW__TIP_RESPONSE_ONE_SUCCEEDED = 1u << 8,
    KW__TIP_RESPONSE_AGG_SUM = 1u << 9,
    KW__TIP_RESPONSE_AGG_MIN = 1u << 10,
    KW__TIP_RESPONSE_AGG_LOGICAL_AND = 1u << 11,
    KW__TIP_RESPONSE_SPECIAL = 1u << 12
};

/* The categories of COMMAND: its own or its group's, and those that its flags imply. */
uint32_t kw__acl_of(const struct kw_command *command);

/* The bit of the category NAME (any case, without '@'), or 0. */
uint32_t kw__acl_by_name(struct kw_bytes name);

/* Append what COMMAND INFO says about COMMAND: ten elements. */
void kw__describe_info(struct kw_buf *buf, const struct kw_command *command, int proto);

/* Append the words of the KW_KEY_* in FLAGS as a set. */
void kw__describe_key_flags(struct kw_buf *buf, uint32_t flags, int proto);

/* Append what COMMAND DOCS says about COMMAND: its name and a map. */
void kw__describe_docs(struct kw_buf *buf, const struct kw_command *command, int proto);

/* Append the lines of <container> HELP, for the container of the row HELP. */
void kw__describe_help(struct kw_buf *buf, const struct kw_command *help);

#endif
