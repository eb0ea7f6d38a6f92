#include "cublasLt.h"

#include <cblas.h>
#include <vector>

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
    *handle = nullptr;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *description, cublasComputeType_t compute,
                                        cudaDataType_t) {
    *description =
        new CublasOnHostDescription{compute, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, nullptr};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
    delete description;
    return CUBLAS_STATUS_SUCCESS;
}

template <typename T> static cublasStatus_t set(T *to, const void *value, size_t size) {
    if (size != sizeof *to) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t what, const void *value,
                                              size_t size) {
    switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(&description->a, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(&description->b, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(&description->epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(&description->bias, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t stride) {
    if (stride < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
    *layout = new CublasOnHostLayout{type, rows, columns, stride};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
    *preference = new CublasOnHostPreference{{256, 256, 256, 256}};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t what,
                                                    const void *value, size_t size) {
    if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return CUBLAS_STATUS_SUCCESS;
    return set(preference->alignment + (what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES), value, size);
}

static bool adds_bias(const CublasOnHostDescription *description) {
    return description->epilogue == CUBLASLT_EPILOGUE_BIAS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t *results, int *found) {
    *found = 1;
    memcpy(results->algo.alignment, preference->alignment, sizeof preference->alignment);
    results->algo.adds_bias = adds_bias(description);
    results->workspaceSize = 0;
    results->state = CUBLAS_STATUS_SUCCESS;
    return CUBLAS_STATUS_SUCCESS;
}

/* A matrix in f32: itself, or the copy of one in bf16. */
static const float *in_f32(const void *matrix, const CublasOnHostLayout *layout, std::vector<float> &copy) {
    if (layout->type == CUDA_R_32F) return static_cast<const float *>(matrix);
    const uint16_t *rounded = static_cast<const uint16_t *>(matrix);
    const size_t count =
        layout->columns ? (layout->columns - 1) * static_cast<size_t>(layout->stride) + layout->rows : 0;
    copy.resize(count);
    for (size_t i = 0; i < count; i++)
        copy[i] = __uint_as_float(static_cast<unsigned>(rounded[i]) << 16);
    return copy.data();
}

static bool is_aligned(const void *memory, uint32_t alignment) {
    return reinterpret_cast<uintptr_t>(memory) % alignment == 0;
}

/* Of d [rows, columns], to each column. */
static void add_bias(const float *bias, const CublasOnHostLayout *layout, float *d) {
    for (size_t j = 0; j < layout->columns; j++)
        for (size_t i = 0; i < layout->rows; i++)
            d[j * static_cast<size_t>(layout->stride) + i] += bias[i];
}

static blasint size_of(uint64_t size) {
    return static_cast<blasint>(size);
}

/* A product as it was when it was queued. */
struct Product {
    CublasOnHostDescription description;
    CublasOnHostLayout a_layout, b_layout, d_layout;
    float alpha, beta;
    const void *a, *b;
    float *d;
};

static void compute(const Product &product) {
    const bool a_turned = product.description.a == CUBLAS_OP_T,
               b_turned = product.description.b == CUBLAS_OP_T;
    const CublasOnHostLayout &a = product.a_layout, &b = product.b_layout, &d = product.d_layout;
    std::vector<float> a_copy, b_copy;
    cblas_sgemm(CblasColMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans,
                size_of(d.rows), size_of(d.columns), size_of(a_turned ? a.rows : a.columns), product.alpha,
                in_f32(product.a, &a, a_copy), static_cast<blasint>(a.stride), in_f32(product.b, &b, b_copy),
                static_cast<blasint>(b.stride), product.beta, product.d, static_cast<blasint>(d.stride));
    if (adds_bias(&product.description)) add_bias(product.description.bias, &d, product.d);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algorithm, void *, size_t, cudaStream_t stream) {
    const bool a_turned = description->a == CUBLAS_OP_T, b_turned = description->b == CUBLAS_OP_T;
    const uint64_t m = d_layout->rows, n = d_layout->columns,
                   k = a_turned ? a_layout->rows : a_layout->columns;
    if ((a_turned ? a_layout->columns : a_layout->rows) != m ||
        (b_turned ? b_layout->rows : b_layout->columns) != n ||
        (b_turned ? b_layout->columns : b_layout->rows) != k || c != d ||
        c_layout->stride != d_layout->stride || a_layout->type != b_layout->type ||
        d_layout->type != CUDA_R_32F)
        return CUBLAS_STATUS_INVALID_VALUE;
    const uint32_t *alignment = algorithm->alignment;
    if (!is_aligned(a, alignment[0]) || !is_aligned(b, alignment[1]) || !is_aligned(c, alignment[2]) ||
        !is_aligned(d, alignment[3]) || algorithm->adds_bias != adds_bias(description) ||
        (algorithm->adds_bias && !is_aligned(description->bias, 16)))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    const double values = static_cast<double>(m * k + k * n), size = a_layout->type == CUDA_R_32F ? 4 : 2;
    counts().products++;
    counts().operations += 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    counts().product_bytes += size * values + 4 * static_cast<double>(m * n);
    if (counts().dry) return CUBLAS_STATUS_SUCCESS;
    const Product product = {*description,
                             *a_layout,
                             *b_layout,
                             *d_layout,
                             *static_cast<const float *>(alpha),
                             *static_cast<const float *>(beta),
                             a,
                             b,
                             static_cast<float *>(d)};
    stream_queue(stream, [=] { compute(product); });
    return CUBLAS_STATUS_SUCCESS;
}
