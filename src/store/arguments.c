/* arguments.c - see arguments.h. */
#include "store/arguments.h"

#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

enum { TIMEOUT_MAX_BYTES = 256 }; /* redis takes no longer ones */

bool kw_exec_int_from(struct kw_exec *exec, struct kw_bytes bytes, int64_t min, enum kw_error error,
                      int64_t *value)
{
    if (kw_text_to_int(bytes, value) == KW_OK && *value >= min) {
        return true;
    }
    kw_exec_error(exec, error, NULL);
    return false;
}

bool kw_exec_timeout(struct kw_exec *exec, struct kw_bytes bytes)
{
    char text[TIMEOUT_MAX_BYTES];
    char *end = text;
    long double seconds = NAN;

    if (bytes.len > 0 && bytes.len < sizeof text && !isspace((unsigned char)bytes.data[0])) {
        memcpy(text, bytes.data, bytes.len);
        text[bytes.len] = '\0';
        seconds = strtold(text, &end);
    }
    if (isnan(seconds) || end != text + bytes.len) {
        kw_exec_error(exec, KW_ERROR_TIMEOUT_FLOAT, NULL);
        return false;
    }
    /* What is more than 64 bits of milliseconds is negative: so redis 7.0 says. */
    long double ms = ceill(seconds * 1000);
    if (ms < 0 || ms > (long double)INT64_MAX) {
        kw_exec_error(exec, KW_ERROR_TIMEOUT_NEGATIVE, NULL);
        return false;
    }
    return true;
}
