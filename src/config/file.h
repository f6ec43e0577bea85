/* file.h - the grammar of redis.conf: lines, words and quotes. Pure: no files, no options.
 *
 *     directive word "double quoted\n\x41" 'single quoted'
 *     # a comment has a line of its own
 *
 * Lines end with LF or CRLF. In double quotes \n \r \t \b \a and \xHH mean what they do in C, a
 * backslash before anything else means that byte; in single quotes only \' is special.
 *
 * Thread: any. Memory: a cursor borrows its text; words are copies, owned by struct kw_file_words.
 * See also: load.c (reads files and calls this), config.h.
 */
#ifndef KW_CONFIG_FILE_H
#define KW_CONFIG_FILE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { KW_FILE_WORDS_MAX = 1024 }; /* of one line: four times the longest list of options.def */

/* Where a reader is in a text. */
struct kw_file_cursor {
    struct kw_bytes rest; /* not read yet */
    unsigned line_number; /* of the last line read; 0 before the first */
};

/* The words of one line. Zero-initialise. */
struct kw_file_words {
    char **words; /* owned, NUL-terminated each; NULL when the count is 0 */
    size_t count;
};

/* Start reading TEXT (borrowed); a UTF-8 byte order mark is skipped. */
void kw_file_cursor_init(struct kw_file_cursor *cursor, struct kw_bytes text);

/* Step to the next line that is neither blank nor a comment.
 * Returns true and *line, without blanks around it; false at the end of the text.
 */
bool kw_file_cursor_next(struct kw_file_cursor *cursor, struct kw_bytes *line);

/* Split LINE into *words, which must be empty.
 * Returns KW_OK, or KW_E_INVALID with *reason (static storage) and no words.
 */
KW_CHECK enum kw_status kw_file_words_split(struct kw_bytes line, struct kw_file_words *words,
                                            const char **reason);

/* Give the words back; WORDS is empty then. */
void kw_file_words_deinit(struct kw_file_words *words);

#endif
