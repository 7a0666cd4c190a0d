/* Word of w: A[w div 32] | B[w mod 32], FORMAT.md 3.7. */
#include <string.h>

#include "domain/shares.h"

static const char FIRST[32][3] = { "ba", "be", "bo", "bu", "da", "de", "do", "du", "fe", "fo", "ga",
                                   "go", "ha", "he", "hu", "ka", "ke", "ko", "la", "le", "lo", "lu",
                                   "ma", "me", "mo", "na", "ne", "no", "ra", "re", "ro", "ta" };

/* B[4 i + j] = I[i] | "aeio"[j] | "klmnrstx"[(i + j) mod 8]. */
static void second(unsigned w, char out[3])
{
    unsigned i = w / 4, j = w % 4;
    out[0] = "bdglmrst"[i];
    out[1] = "aeio"[j];
    out[2] = "klmnrstx"[(i + j) % 8];
}

static unsigned bit_at(const uint8_t *data, size_t len, size_t bit)
{
    return bit / 8 < len ? (unsigned)data[bit / 8] >> (7 - bit % 8) & 1u : 0;
}

void domain_words(const uint8_t *data, size_t len, size_t words, char *out)
{
    for (size_t i = 0; i < words; i++) {
        unsigned w = 0;
        for (size_t b = 0; b < 10; b++)
            w = w << 1 | bit_at(data, len, 10 * i + b);
        memcpy(out, FIRST[w / 32], 2);
        second(w % 32, out + 2);
        out[5] = i + 1 < words ? ' ' : 0;
        out += 6;
    }
}
