#include "nn/backend/cpu/rounding.h"

#include "core/dtype.h"
#include "nn/backend/cpu/kernels.h"

#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

void round_row(size_t count, const float *from, uint16_t *to) {
    size_t i = 0;
#ifdef __AVX512BF16__
    for (; i + 32 <= count; i += 32) {
        const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
        _mm512_storeu_si512(to + i, (__m512i)both);
    }
#endif
    dtype_from_f32(DTYPE_BF16, from + i, to + i, count - i);
}

void widen_row(size_t count, const uint16_t *from, float *to) {
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)from[i] << 16;
        memcpy(to + i, &bits, sizeof bits);
    }
}

void round_all(size_t count, const float *from, uint16_t *to) {
    enum { CHUNK = 8192 };
#pragma omp parallel for schedule(static) if (count > PARALLEL_ELEMENTS)
    for (size_t first = 0; first < count; first += CHUNK)
        round_row(count - first < CHUNK ? count - first : CHUNK, from + first, to + first);
}
