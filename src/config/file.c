/* file.c - see file.h.
 *
 * The splitter follows redis's sdssplitargs(), quirks included: quotes may open in the middle of a
 * word (a"b c"d is one word), a closing quote must be followed by a blank or the end. Unlike it, a
 * NUL byte is refused, written plainly or as \x00: every value becomes a C string.
 *
 * A word is unescaped into a buffer as long as the line, which no unescaped word can exceed. The
 * whole is O(length of the line): words are limited, so that growing their array costs nothing.
 */
#include "config/file.h"

#include "base/mem.h"

/* A word being read. */
struct word {
    struct kw_bytes line;
    size_t at;  /* index of the next byte of the line */
    char *data; /* as long as the line, plus the NUL */
    size_t len;
};

static struct kw_bytes line_trim(struct kw_bytes line);
static const char *word_read(struct word *word);
static const char *word_read_quoted(struct word *word, char quote);
static char word_unescape(struct word *word);
static int hex_value(char digit);
static void words_add(struct kw_file_words *words, const struct word *word);
static bool is_blank(char byte);

void kw_file_cursor_init(struct kw_file_cursor *cursor, struct kw_bytes text)
{
    const struct kw_bytes mark = KW_BYTES("\xef\xbb\xbf");

    if (kw_bytes_start_with(text, mark)) {
        text = kw_bytes_of(text.data + mark.len, text.len - mark.len);
    }
    *cursor = (struct kw_file_cursor){.rest = text, .line_number = 0};
}

bool kw_file_cursor_next(struct kw_file_cursor *cursor, struct kw_bytes *line)
{
    while (cursor->rest.len > 0) {
        const char *start = cursor->rest.data;
        const char *end = memchr(start, '\n', cursor->rest.len);
        size_t line_len = end != NULL ? (size_t)(end - start) : cursor->rest.len;
        size_t taken_len = line_len + (end != NULL ? 1 : 0);

        cursor->rest = kw_bytes_of(start + taken_len, cursor->rest.len - taken_len);
        cursor->line_number++;
        *line = line_trim(kw_bytes_of(start, line_len));
        if (line->len > 0 && line->data[0] != '#') {
            return true;
        }
    }
    return false;
}

enum kw_status kw_file_words_split(struct kw_bytes line, struct kw_file_words *words,
                                   const char **reason)
{
    struct word word = {.line = line, .at = 0, .data = kw_alloc(line.len + 1), .len = 0};
    enum kw_status status = KW_OK;

    *reason = NULL;
    while (status == KW_OK) {
        while (word.at < line.len && is_blank(line.data[word.at])) {
            word.at++;
        }
        if (word.at == line.len) {
            break;
        }
        word.len = 0;
        *reason = word_read(&word);
        if (*reason != NULL) {
            status = KW_E_INVALID;
        } else if (words->count == KW_FILE_WORDS_MAX) {
            *reason = "more than 1024 words on a line";
            status = KW_E_INVALID;
        } else {
            words_add(words, &word);
        }
    }
    kw_free(word.data);
    if (status != KW_OK) {
        kw_file_words_deinit(words);
    }
    return status;
}

void kw_file_words_deinit(struct kw_file_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        kw_free(words->words[i]);
    }
    kw_free(words->words);
    *words = (struct kw_file_words){0};
}

static struct kw_bytes line_trim(struct kw_bytes line)
{
    while (line.len > 0 && is_blank(line.data[0])) {
        line.data++;
        line.len--;
    }
    while (line.len > 0 && is_blank(line.data[line.len - 1])) {
        line.len--;
    }
    return line;
}

/* Read up to the next blank. Returns NULL, or the reason why it can't be read. */
static const char *word_read(struct word *word)
{
    const char *reason = NULL;

    while (reason == NULL && word->at < word->line.len && !is_blank(word->line.data[word->at])) {
        char byte = word->line.data[word->at++];
        if (byte == '"' || byte == '\'') {
            reason = word_read_quoted(word, byte);
        } else {
            word->data[word->len++] = byte;
        }
    }
    if (reason == NULL && memchr(word->data, '\0', word->len) != NULL) {
        return "a value can't hold a NUL byte";
    }
    return reason;
}

static const char *word_read_quoted(struct word *word, char quote)
{
    const struct kw_bytes line = word->line;

    while (word->at < line.len) {
        char byte = line.data[word->at++];
        if (byte == quote) {
            bool is_end = word->at == line.len || is_blank(line.data[word->at]);
            return is_end ? NULL : "a closing quote must be followed by a blank";
        }
        bool is_escape =
            byte == '\\' && word->at < line.len && (quote == '"' || line.data[word->at] == '\'');
        word->data[word->len++] = is_escape ? word_unescape(word) : byte;
    }
    return "quotes are not balanced";
}

/* The byte that the escape means whose backslash was just read; there is a byte behind it. */
static char word_unescape(struct word *word)
{
    const struct kw_bytes line = word->line;
    char byte = line.data[word->at++];

    switch (byte) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    case 'x':
        break;
    default:
        return byte;
    }
    if (line.len - word->at < 2 || hex_value(line.data[word->at]) < 0 ||
        hex_value(line.data[word->at + 1]) < 0) {
        return byte;
    }
    int value = hex_value(line.data[word->at]) * 16 + hex_value(line.data[word->at + 1]);
    word->at += 2;
    return (char)value;
}

/* -1 when DIGIT is none. */
static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void words_add(struct kw_file_words *words, const struct word *word)
{
    char *copy = kw_alloc(word->len + 1);

    memcpy(copy, word->data, word->len);
    copy[word->len] = '\0';
    words->words = kw_realloc(words->words, (words->count + 1) * sizeof *words->words);
    words->words[words->count++] = copy;
}

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}
