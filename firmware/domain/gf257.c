/* Arithmetic modulo 257, and Lagrange interpolation on it. No branch and no index depends on a
 * secret: values are reduced by multiplication, which compilers make of a constant modulus. */
#include "domain_priv.h"

#define P 257u

static uint32_t mul(uint32_t a, uint32_t b)
{
    return a * b % P;
}

/* a^(P-2), for public a that is not zero. */
static uint32_t inverse(uint32_t a)
{
    uint32_t r = 1;
    for (uint32_t bit = 128; bit; bit >>= 1) {
        r = mul(r, r);
        if ((P - 2) & bit)
            r = mul(r, a);
    }
    return r;
}

void domain_gf_weights(const uint8_t *x, size_t n, uint32_t at, uint32_t *weight)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t num = 1, den = 1;
        for (size_t j = 0; j < n; j++) {
            if (j == i)
                continue;
            num = mul(num, (at + P - x[j]) % P);
            den = mul(den, (x[i] + P - x[j]) % P);
        }
        weight[i] = mul(num, inverse(den));
    }
}

uint32_t domain_gf_eval(uint32_t constant, const uint16_t *coefficient, size_t n, uint32_t x)
{
    uint32_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = (mul(v, x) + coefficient[i]) % P;
    return (mul(v, x) + constant) % P;
}

uint32_t domain_gf_sum(const uint32_t *weight, const uint16_t *value, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = (v + mul(weight[i], value[i])) % P;
    return v;
}
