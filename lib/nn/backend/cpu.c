#include "nn/backend/backend.h"

#include <cblas.h>
#include <string.h>

static void matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride) {
    if (!m || !n) return;
    if (!k) {
        if (beta == 0.0f)
            for (size_t i = 0; i < m; i++)
                memset(c + i * c_stride, 0, n * sizeof *c);
        return;
    }
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1.0f, a.values,
                (blasint)a.stride, b.values, (blasint)b.stride, beta, c, (blasint)c_stride);
}

const Backend backend_cpu = {"cpu", matmul};

const Backend *backend_find(const char *device, const char *dtype, Error *error) {
    if (strcmp(device, "cpu")) {
        error_set(error, "there is no device '%s' in this build; use --device cpu", device);
        return NULL;
    }
    if (strcmp(dtype, "f32")) {
        error_set(error, "the cpu device computes in f32, not %s; use --dtype f32", dtype);
        return NULL;
    }
    return &backend_cpu;
}
