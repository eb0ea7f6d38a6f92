#include "nn/backend/backend.h"

#include "core/log.h"
#include "nn/backend/onednn.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

/* c = 0 · c: what is left of a product without terms. */
static void scale_by_zero(size_t m, size_t n, float *c, size_t c_stride) {
    for (size_t i = 0; i < m; i++)
        memset(c + i * c_stride, 0, n * sizeof *c);
}

static void multiply(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                     size_t c_stride) {
    if (onednn_matmul_f32(m, n, k, a, b, beta, c, c_stride)) return;
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f, a.values,
                (blasint)a.stride, b.values, (blasint)b.stride, beta, c, (blasint)c_stride);
}

static void multiply_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                          size_t c_stride) {
    if (!a.rounded || !b.rounded || !onednn_matmul_bf16(m, n, k, a, b, beta, c, c_stride))
        multiply(m, n, k, a, b, beta, c, c_stride);
}

/* A product in bf16 whose left operand may not be there in f32. */
static void give_up(void) {
    log_error("oneDNN cannot multiply in bf16; memory may be short, or use f32");
    exit(1);
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
            if (bf16) give_up();
            multiply(rows, n, k, part, b, beta, to, c_stride);
        }
        first += rows;
    }
}

static void matmul_in(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                      size_t c_stride) {
    if (!m || !n) return;
    if (!k) {
        if (beta == 0.0f) scale_by_zero(m, n, c, c_stride);
    } else if (b.packing && !a.transposed && onednn_is_present()) {
        multiply_packed(bf16 && a.rounded, m, n, k, a, b, beta, c, c_stride);
    } else if (bf16) {
        multiply_bf16(m, n, k, a, b, beta, c, c_stride);
    } else {
        multiply(m, n, k, a, b, beta, c, c_stride);
    }
}

static void matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride) {
    matmul_in(false, m, n, k, a, b, beta, c, c_stride);
}

static void matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                        size_t c_stride) {
    matmul_in(true, m, n, k, a, b, beta, c, c_stride);
}

const Backend backend_cpu = {
    .name = "cpu", .matmul = matmul, .release_packing = packing_release, .is_host = true};
static const Backend backend_cpu_bf16 = {.name = "cpu bf16",
                                         .rounds = true,
                                         .matmul = matmul_bf16,
                                         .release_packing = packing_release,
                                         .is_host = true};

bool backend_has_bf16(void) {
    return onednn_has_bf16();
}

const char *backend_describe(void) {
    return onednn_has_bf16()     ? "matrix products: f32 and bf16 by oneDNN"
           : onednn_is_present() ? "matrix products: f32 by oneDNN; no bf16 on this processor"
                                 : "matrix products: f32 by OpenBLAS; built without oneDNN, so no bf16";
}

const Backend *backend_find(const char *device, const char *dtype, Error *error) {
    if (strcmp(device, "cpu")) {
        error_set(error, "there is no device '%s' in this build; use --device cpu", device);
        return NULL;
    }
    log_detail("%s", backend_describe());
    if (!strcmp(dtype, "f32")) return &backend_cpu;
    if (!strcmp(dtype, "bf16") && onednn_has_bf16()) return &backend_cpu_bf16;
    error_set(error, "products in %s need %s; use f32", dtype,
              onednn_is_present() ? "a processor with AVX-512 BF16 or AMX" : "a build with oneDNN");
    return NULL;
}
