/* sha1.c - FIPS 180-4, section 6.1, word by word: short rather than fast, it runs once per script.
 */
#include "base/sha1.h"

#include <stdint.h>

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8 };

static void sha1_block(uint32_t state[5], const unsigned char *block);

void kw_sha1_text(struct kw_bytes bytes, char out[KW_SHA1_TEXT_LEN])
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char last[2 * BLOCK_BYTES] = {0};
    size_t whole = bytes.len / BLOCK_BYTES * BLOCK_BYTES;
    size_t rest = bytes.len - whole;
    size_t last_len = rest + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;

    for (size_t at = 0; at < whole; at += BLOCK_BYTES) {
        sha1_block(state, (const unsigned char *)bytes.data + at);
    }
    if (rest > 0) {
        memcpy(last, bytes.data + whole, rest);
    }
    last[rest] = 0x80;
    for (unsigned i = 0; i < LENGTH_BYTES; i++) {
        last[last_len - 1 - i] = (unsigned char)((uint64_t)bytes.len * 8 >> (8 * i));
    }
    for (size_t at = 0; at < last_len; at += BLOCK_BYTES) {
        sha1_block(state, last + at);
    }
    for (unsigned i = 0; i < KW_SHA1_TEXT_LEN; i++) {
        out[i] = "0123456789abcdef"[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    }
}

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static void sha1_block(uint32_t state[5], const unsigned char *block)
{
    uint32_t w[80];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    for (unsigned t = 0; t < 16; t++) {
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    }
    for (unsigned t = 16; t < 80; t++) {
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    for (unsigned t = 0; t < 80; t++) {
        uint32_t f = t < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                     : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                     : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                              : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}
