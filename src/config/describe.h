/* describe.h - the options as text: redis.conf.example, --help and CONFIG GET.
 *
 * All three follow from options.def; secrets appear in none of them.
 *
 * Thread: any; snapshots are immutable.
 * Memory: nothing is kept; names and values given to a callback are borrowed until it returns.
 * See also: config.h (the snapshot), options.def (the table).
 */
#ifndef KW_CONFIG_DESCRIBE_H
#define KW_CONFIG_DESCRIBE_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdio.h>

struct kw_config;

/* Called once for each name and its value. */
typedef void (*kw_config_on_value)(void *arg, struct kw_bytes name, struct kw_bytes value);

/* Write the commented example file, which loads as the defaults. */
void kw_config_print_example(FILE *file);

/* Write what `keyway --help` says. */
void kw_config_print_help(FILE *file);

/* Call ON_VALUE(ARG, ...) for every name that one of COUNT PATTERNS matches as CONFIG GET matches:
 * a glob, any case. Names are those of the options, their redis aliases, and a few fixed ones that
 * tools ask for ("appendonly", "databases" ...). Sizes are in bytes, secrets "(redacted)" or empty.
 * Returns how many there were.
 */
size_t kw_config_get(const struct kw_config *config, const struct kw_bytes *patterns, size_t count,
                     kw_config_on_value on_value, void *arg);

/* Is NAME an option of redis's servers, which keyway leaves to them? */
bool kw_config_is_servers(struct kw_bytes name);

/* True for options of the embedded store alone: where there is none, the servers have them. */
bool kw_config_is_stores(struct kw_bytes name);

#endif
