/*
 * Cryptoki's header, and what it leaves behind put right: p11-kit 0.24 renames members by macros
 * and forgets to take these back, so that they would rename members of ours.
 */
#ifndef P11_CRYPTOKI_H
#define P11_CRYPTOKI_H

#include <p11-kit/pkcs11.h>

#undef aad_len
#undef aad_ptr
#undef counter_bits
#undef data_params
#undef hash_alg
#undef iv_bits
#undef iv_len
#undef iv_ptr
#undef public_data
#undef public_data_len
#undef s_len
#undef shared_data
#undef shared_data_len
#undef source_data
#undef source_data_len
#undef string_data
#undef string_data_len
#undef tag_bits

#endif
