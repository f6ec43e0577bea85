/* sha1.h - SHA-1 as text: how servers name scripts. Not for anything that must resist an attacker.
 *
 * Thread: any. Memory: none.
 */
#ifndef KW_BASE_SHA1_H
#define KW_BASE_SHA1_H

#include "base/bytes.h"

enum { KW_SHA1_TEXT_LEN = 40 };

/* The SHA-1 of BYTES (FIPS 180-4) as 40 lower-case hexadecimal digits, without a NUL. */
void kw_sha1_text(struct kw_bytes bytes, char out[KW_SHA1_TEXT_LEN]);

#endif
