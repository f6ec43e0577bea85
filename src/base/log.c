/* log.c - formats a line on the stack and writes it in one system call.
 *
 * A line looks as redis's do, so that the same tools read it:
 *     PID:keyway 21 Nov 2026 13:14:15.016 * text
 * with . - * # for debug, verbose, notice, warning. Control bytes in the text become '?', so that
 * nothing a client sends can forge a line.
 */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 2048, /* longer lines are cut: the log is for people */
    LOG_BURST = 10         /* lines a second of one limited call site */
};

/* The one sink of the process (allow-listed by lint). */
static struct {
    _Atomic int fd;
    _Atomic int level;
    char path[PATH_MAX];
} log_sink = {.fd = STDOUT_FILENO, .level = KW_LOG_NOTICE};

static void log_write(enum kw_log_level level, const char *format, va_list arguments,
                      uint32_t withheld) __attribute__((format(printf, 2, 0)));

enum kw_status kw_log_open(const char *path, enum kw_log_level level)
{
    int fd = STDOUT_FILENO;

    if (path[0] != '\0') {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) {
            return KW_E_SYSTEM;
        }
    }
    int old_fd = atomic_exchange(&log_sink.fd, fd);
    if (old_fd > STDERR_FILENO) {
        close(old_fd);
    }
    snprintf(log_sink.path, sizeof log_sink.path, "%s", path);
    kw_log_set_level(level);
    return KW_OK;
}

void kw_log_set_level(enum kw_log_level level)
{
    atomic_store(&log_sink.level, (int)level);
}

void kw_log_reopen(void)
{
    if (log_sink.path[0] == '\0') {
        return;
    }
    int fd = open(log_sink.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        kw_log(KW_LOG_WARNING, "can't reopen the log file %s: %s", log_sink.path, strerror(errno));
        return;
    }
    /* dup2 keeps the number valid for writers that have just read it. */
    int sink_fd = atomic_load(&log_sink.fd);
    if (dup2(fd, sink_fd) < 0) {
        kw_log(KW_LOG_WARNING, "can't reopen the log file: %s", strerror(errno));
    }
    close(fd);
}

int kw_log_fd(void)
{
    return atomic_load(&log_sink.fd);
}

int kw_log_is_on(enum kw_log_level level)
{
    return (int)level >= atomic_load_explicit(&log_sink.level, memory_order_relaxed);
}

void kw_log(enum kw_log_level level, const char *format, ...)
{
    if (!kw_log_is_on(level)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    log_write(level, format, arguments, 0);
    va_end(arguments);
}

void kw_log_limited(struct kw_log_limit *limit, uint64_t now_ms, enum kw_log_level level,
                    const char *format, ...)
{
    if (!kw_log_is_on(level)) {
        return;
    }
    uint64_t second = now_ms / 1000;
    if (limit->second != second) {
        limit->second = second;
        limit->lines = 0;
    }
    if (limit->lines >= LOG_BURST) {
        limit->withheld++;
        return;
    }
    limit->lines++;
    va_list arguments;
    va_start(arguments, format);
    log_write(level, format, arguments, limit->withheld);
    va_end(arguments);
    limit->withheld = 0;
}

static void log_write(enum kw_log_level level, const char *format, va_list arguments,
                      uint32_t withheld)
{
    char line[LINE_MAX_BYTES];
    struct tm parts;
    uint64_t wall_ms = kw_clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);

    localtime_r(&seconds, &parts);
    int head = snprintf(line, sizeof line, "%d:keyway ", (int)getpid());
    size_t len = (size_t)head;
    len += strftime(line + len, sizeof line - len, "%d %b %Y %H:%M:%S", &parts);
    len += (size_t)snprintf(line + len, sizeof line - len, ".%03d %c ", (int)(wall_ms % 1000),
                            ".-*#"[level]);
    size_t text_at = len;
    int text_len = vsnprintf(line + len, sizeof line - len - 1, format, arguments);
    if (text_len < 0) {
        return;
    }
    len += (size_t)text_len < sizeof line - len - 1 ? (size_t)text_len : sizeof line - len - 2;
    if (withheld > 0 && sizeof line - len > 48) {
        len += (size_t)snprintf(line + len, sizeof line - len - 1, " (%u similar lines withheld)",
                                (unsigned)withheld);
    }
    for (size_t i = text_at; i < len; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[len++] = '\n';
    /* A log that can't be written must not stop the proxy. */
    ssize_t written = write(atomic_load(&log_sink.fd), line, len);
    (void)written;
}
