/* redirect.c - a table of first words. */
#include "proxy/redirect.h"

#include "base/text.h"
#include "net/address.h"

static const struct redirect_row {
    struct kw_bytes word; /* with the dash */
    enum kw_redirect_kind kind;
} redirect_rows[] = {
    {{"-MOVED", 6}, KW_REDIRECT_MOVED},    {{"-ASK", 4}, KW_REDIRECT_ASK},
    {{"-TRYAGAIN", 9}, KW_REDIRECT_LATER}, {{"-CLUSTERDOWN", 12}, KW_REDIRECT_LATER},
    {{"-LOADING", 8}, KW_REDIRECT_LATER},  {{"-MASTERDOWN", 11}, KW_REDIRECT_LATER},
    {{"-READONLY", 9}, KW_REDIRECT_LATER}, /* a master that has just become a replica */
};

static bool read_target(struct kw_bytes rest, uint16_t slot, struct kw_redirect *redirect);

bool kw_redirect_classify(struct kw_bytes line, uint16_t slot, struct kw_redirect *redirect)
{
    for (size_t i = 0; i < sizeof redirect_rows / sizeof redirect_rows[0]; i++) {
        const struct redirect_row *row = &redirect_rows[i];
        if (!kw_bytes_start_with(line, row->word) || line.len == row->word.len ||
            (unsigned char)line.data[row->word.len] > ' ') {
            continue;
        }
        size_t skip = row->word.len + 1;
        redirect->kind = row->kind;
        if (row->kind != KW_REDIRECT_LATER &&
            !read_target(kw_bytes_of(line.data + skip, line.len - skip), slot, redirect)) {
            redirect->kind = KW_REDIRECT_NOWHERE;
        }
        return true;
    }
    return false;
}

/* "3999 127.0.0.1:6381\r\n", also with further words behind it. */
static bool read_target(struct kw_bytes rest, uint16_t slot, struct kw_redirect *redirect)
{
    const char *space = memchr(rest.data, ' ', rest.len);
    int64_t number = 0;

    if (space == NULL) {
        return false;
    }
    struct kw_bytes text = kw_bytes_of(rest.data, (size_t)(space - rest.data));
    if (kw_text_to_int(text, &number) != KW_OK || number != slot) {
        return false;
    }
    struct kw_bytes endpoint = kw_bytes_of(space + 1, rest.len - text.len - 1);
    size_t len = 0;
    while (len < endpoint.len && (unsigned char)endpoint.data[len] > ' ') {
        len++;
    }
    endpoint.len = len;
    return kw_address_split(endpoint, &redirect->host, &redirect->port) == KW_OK;
}

bool kw_redirect_is_servers_own(struct kw_bytes line)
{
    static const char *const texts[] = {
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-CLUSTERDOWN The cluster is down and only accepts read commands\r\n",
        "-CLUSTERDOWN Hash slot not served\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-LOADING Valkey is loading the dataset in memory\r\n",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (kw_bytes_equal(line, kw_bytes_of_text(texts[i]))) {
            return true;
        }
    }
    return false;
}
