#include "core/log.h"
#include "nn/backend/cpu/bf16_matmul.h"
#include "nn/backend/cpu/kernels.h"
#include "nn/backend/cpu/narrow_matmul.h"
#include "nn/backend/cpu/onednn.h"

#ifndef WITH_ONEDNN
#include <cblas.h>
#endif
#include <stdlib.h>
#include <string.h>

/* c = 0 · c: what is left of a product without terms. */
static void scale_by_zero(size_t m, size_t n, float *c, size_t c_stride) {
    for (size_t i = 0; i < m; i++)
        memset(c + i * c_stride, 0, n * sizeof *c);
}

static void give_up(bool bf16) {
    log_error("oneDNN cannot multiply in %s",
              bf16 ? "bf16; memory may be short, or use f32" : "f32; memory may be short");
    exit(1);
}

/* By oneDNN, or in a build without it by OpenBLAS, which is not linked otherwise: before main it takes 128 MB
 * of address space a thread, and where they are not there, it tries for ever. */
static void multiply_wide(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                          size_t c_stride) {
#ifdef WITH_ONEDNN
    if (!onednn_matmul_f32(m, n, k, a, b, beta, c, c_stride)) give_up(false);
#else
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f, a.values,
                (blasint)a.stride, b.values, (blasint)b.stride, beta, c, (blasint)c_stride);
#endif
}

static void multiply(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                     size_t c_stride) {
    if (!narrow_matmul(m, n, k, a, b, beta, c, c_stride)) multiply_wide(m, n, k, a, b, beta, c, c_stride);
}

static void multiply_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                          size_t c_stride) {
    if (!b.rounded || !onednn_matmul_bf16(m, n, k, a, b, beta, c, c_stride))
        multiply(m, n, k, a, b, beta, c, c_stride);
}

/* Below this many multiplications, threads take longer to start another product than a packed one saves. */
enum { SMALL_PRODUCT = 1 << 24 };

/* Rows are taken in blocks of few sizes, since each is compiled. What is left and small, or has no packed
 * product, is multiplied plainly, but not in bf16: of a packed matrix there is no plain copy in it. */
static void multiply_packed(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                            size_t c_stride) {
    static const size_t units[] = {256, 16, 1};
    for (size_t i = 0, first = 0; first < m; i++) {
        const size_t left = m - first;
        const bool plain = !bf16 && left * n * k < SMALL_PRODUCT;
        const size_t rows = plain ? left : left / units[i] * units[i];
        const Matrix part = rows_from(a, first);
        float *to = c + first * c_stride;
        if (rows && (plain || !onednn_matmul_packed(bf16, rows, n, k, part, b, beta, to, c_stride))) {
            if (bf16) give_up(true);
            multiply(rows, n, k, part, b, beta, to, c_stride);
        }
        first += rows;
    }
}

/* Whether bf16_matmul takes the operands. */
static bool is_for_bf16_matmul(Matrix a, Matrix b) {
    return a.rounded && (b.rounded || b.packing) && bf16_matmul_is_present();
}

static void matmul_in(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                      size_t c_stride) {
    if (!m || !n) return;
    const bool in_bf16 = bf16 && a.rounded;
    if (!k) {
        if (beta == 0.0f) scale_by_zero(m, n, c, c_stride);
        return;
    }
    if (!in_bf16 && narrow_matmul(m, n, k, a, b, beta, c, c_stride)) return;
    if (in_bf16 && is_for_bf16_matmul(a, b))
        bf16_matmul(m, n, k, a, b, NULL, beta, c, c_stride);
    else if (b.packing && !a.transposed && onednn_is_present())
        multiply_packed(in_bf16, m, n, k, a, b, beta, c, c_stride);
    else if (in_bf16)
        multiply_bf16(m, n, k, a, b, beta, c, c_stride);
    else
        multiply_wide(m, n, k, a, b, beta, c, c_stride);
}

void cpu_matmul_f32(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride) {
    matmul_in(false, m, n, k, a, b, beta, c, c_stride);
}

void cpu_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                     size_t c_stride) {
    matmul_in(true, m, n, k, a, b, beta, c, c_stride);
}

void cpu_matmul_with_bias_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias,
                               float *c) {
    if (m && n && k && is_for_bf16_matmul(a, b)) {
        bf16_matmul(m, n, k, a, b, bias, 0, c, n);
    } else {
        cpu_matmul_bf16(m, n, k, a, b, 0, c, n);
        cpu_activations.forward(m, n, ACTIVATION_NONE, bias, c, NULL, (Values){c, NULL});
    }
}

void cpu_release_packing(Packing *packing) {
    for (int i = 0; i < 4; i++) {
        PackedMatrix *copy = packing->copies[i >> 1][i & 1];
        if (!copy) continue;
        onednn_destroy_memory(copy->memory);
        free(copy->bytes);
        free(copy);
    }
    *packing = (Packing){0};
}
