/* assert.c - the crash report of a failed assert.
 *
 * Only async-signal-safe calls: the heap may be what is broken.
 */
#include "base/assert.h"

#include "base/log.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAMES_MAX = 64 }; /* deeper than any stack of ours: there is no recursion */

_Noreturn void kw_assert_failed(const char *condition, const char *file, int line,
                                const char *function)
{
    char text[512];
    void *frames[FRAMES_MAX];
    int fd = kw_log_fd();
    int len = snprintf(text, sizeof text, "\n=== keyway: assertion failed: %s\n=== %s:%d in %s()\n",
                       condition, file, line, function);

    if (len > 0) {
        size_t text_len = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        if (write(fd, text, text_len) < 0) {
            abort();
        }
    }
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), fd);
    abort();
}
