/* status.c - names of the status codes, straight from status.def. */
#include "base/status.h"

#include <stddef.h>

static const struct status_row {
    const char *name;
    const char *meaning;
} status_rows[KW_STATUS_COUNT] = {
#define KW_STATUS(code, word, text) {word, text},
#include "base/status.def"
#undef KW_STATUS
};

const char *kw_status_name(enum kw_status status)
{
    return (unsigned)status < KW_STATUS_COUNT ? status_rows[status].name : "unknown";
}

const char *kw_status_meaning(enum kw_status status)
{
    return (unsigned)status < KW_STATUS_COUNT ? status_rows[status].meaning : "unknown status";
}
