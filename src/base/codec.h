/* SPDX-License-Identifier: MIT */
/* Encodings: base64 (RFC 4648), hex, percent-decoding, gzip (zlib), CRC-32C, SHA-256 (OpenSSL). */
#ifndef CARELAYER_BASE_CODEC_H
#define CARELAYER_BASE_CODEC_H

#include "arena.h"
#include "buffer.h"
#include "outcome.h"
#include "slice.h"
#include "status.h"

void base64_write(struct slice bytes, struct buffer *out);

/* Standard alphabet with padding; white space between groups is skipped when ALLOW_SPACE (FHIR
 * base64Binary). False: not base64. */
bool base64_parse(struct slice text, bool allow_space, struct buffer *out);

void hex_write(struct slice bytes, struct buffer *out);

/* Percent-decoding of RFC 3986; '+' becomes a space when PLUS_IS_SPACE (query strings). False on a
 * bad escape, an encoded NUL, or a result that is not UTF-8. */
bool url_decode(struct slice text, bool plus_is_space, struct buffer *out);

/* Whole-buffer gzip at LEVEL 1..9. */
MUST_CHECK enum status gzip_compress(struct slice bytes, int level, struct buffer *out);

/* Inflates a gzip member sequence; more than LIMIT bytes of output is STATUS_TOO_LONG (a bomb),
 * damaged input STATUS_STRUCTURE. */
MUST_CHECK enum status gzip_inflate(struct slice bytes, size_t limit, struct buffer *out);

/* Reads the descriptor FD, which becomes the reader's, plain or as a gzip member sequence,
 * whichever its first two bytes say. NULL: there is no memory, and FD is closed. Close takes NULL
 * too. */
struct gzip_reader;
struct gzip_reader *gzip_reader_open(int fd);
void gzip_reader_close(struct gzip_reader *reader);

/* Reads from 1 to SIZE bytes; *RET_COUNT 0: the end. STATUS_STRUCTURE: the gzip is damaged, cut
 * off, or followed by something that is neither a member nor zeros; STATUS_IO, STATUS_MEMORY. */
MUST_CHECK enum status gzip_reader_read(struct gzip_reader *reader, char *to, size_t size,
                                        size_t *ret_count);

/* Does an Accept-Encoding take gzip (RFC 9110, 12.5.3)? */
bool accepts_gzip(struct slice accept_encoding);

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length); /* start with 0 */

#define SHA256_LENGTH 32
void sha256(struct slice bytes, uint8_t ret_digest[static SHA256_LENGTH]);

#endif
