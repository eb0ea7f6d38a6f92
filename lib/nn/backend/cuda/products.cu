#include "device.h"
#include "table.h"
#include "values.h"

#include <array>
#include <cstdlib>
#include <cublasLt.h>
#include <map>

/* cuBLASLt counts by columns: a matrix that lies by rows is its transpose there. So cᵀ = bᵀ · aᵀ is computed,
 * with b on the left. */

enum { WORKSPACE_BYTES = 32 << 20, MOST_PLANS = 4096 };

/* What a product is chosen by: sizes, strides, alignments, transposes and the type; the last is the alignment
 * of a bias, or 0 without one. */
typedef std::array<uint64_t, 13> Shape;

typedef struct Plan {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t left, right, result;
    cublasLtMatmulAlgo_t algorithm;
} Plan;

typedef struct Products {
    cublasLtHandle_t handle;
    void *workspace;
    std::map<Shape, Plan> plans;
} Products;

static void check(cublasStatus_t status, const char *what) {
    if (status != CUBLAS_STATUS_SUCCESS)
        device_give_up("the card failed in %s: status %d of cuBLASLt", what, static_cast<int>(status));
}

static Products &products() {
    static Products *all; /* as long as the program: the card may be gone when statics end */
    if (!all) {
        all = new Products();
        all->workspace = device_take(WORKSPACE_BYTES);
        check(cublasLtCreate(&all->handle), "cublasLtCreate");
    }
    return *all;
}

/* Of memory, as far as it matters to the choice of a product. */
static uint32_t alignment_of(const void *memory) {
    uint32_t alignment = 256;
    while (reinterpret_cast<uintptr_t>(memory) % alignment)
        alignment /= 2;
    return alignment;
}

/* TF32 halves the digits of f32 products and makes them several times as fast. */
static cublasComputeType_t compute_type() {
    const char *wanted = getenv("PM_CUDA_TF32");
    return wanted && *wanted == '1' ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

static cublasLtMatrixLayout_t layout(cudaDataType_t type, uint64_t rows, uint64_t columns, bool turned,
                                     uint64_t stride) {
    cublasLtMatrixLayout_t made;
    check(cublasLtMatrixLayoutCreate(&made, type, turned ? columns : rows, turned ? rows : columns,
                                     static_cast<int64_t>(stride)),
          "cublasLtMatrixLayoutCreate");
    return made;
}

static void choose_algorithm(Plan *plan, const uint32_t alignments[3]) {
    static const cublasLtMatmulPreferenceAttributes_t attributes[4] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const size_t workspace = WORKSPACE_BYTES;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found;
    int count = 0;
    check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &workspace, sizeof workspace),
          "cublasLtMatmulPreferenceSetAttribute");
    for (int i = 0; i < 4; i++)
        check(cublasLtMatmulPreferenceSetAttribute(preference, attributes[i], &alignments[i < 2 ? i : 2],
                                                   sizeof *alignments),
              "cublasLtMatmulPreferenceSetAttribute");
    check(cublasLtMatmulAlgoGetHeuristic(products().handle, plan->product, plan->left, plan->right,
                                         plan->result, plan->result, preference, 1, &found, &count),
          "cublasLtMatmulAlgoGetHeuristic");
    if (!count) device_give_up("cuBLASLt knows no such product");
    plan->algorithm = found.algo;
    cublasLtMatmulPreferenceDestroy(preference);
}

static void destroy_plan(const Plan &plan) {
    cublasLtMatmulDescDestroy(plan.product);
    cublasLtMatrixLayoutDestroy(plan.left);
    cublasLtMatrixLayoutDestroy(plan.right);
    cublasLtMatrixLayoutDestroy(plan.result);
}

/* The choice of a product depends on where the bias lies, but it may lie elsewhere in each call. */
static void set_bias(const Plan &plan, const float *bias) {
    check(cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias),
          "cublasLtMatmulDescSetAttribute");
}

static void add_bias(const Plan &plan, const float *bias) {
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    check(cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                         sizeof epilogue),
          "cublasLtMatmulDescSetAttribute");
    set_bias(plan, bias);
}

/* c [m, n] = a [m, k] · b [k, n] as cuBLASLt sees it. */
static Plan make_plan(const Shape &shape, const float *bias) {
    const uint64_t m = shape[0], n = shape[1], k = shape[2];
    const cudaDataType_t type = shape[3] ? CUDA_R_16BF : CUDA_R_32F;
    const bool a_turned = shape[4], b_turned = shape[5];
    const uint32_t alignments[3] = {static_cast<uint32_t>(shape[10]), static_cast<uint32_t>(shape[9]),
                                    static_cast<uint32_t>(shape[11])};
    const cublasOperation_t left = b_turned ? CUBLAS_OP_T : CUBLAS_OP_N,
                            right = a_turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    Plan plan;
    check(cublasLtMatmulDescCreate(&plan.product, shape[3] ? CUBLAS_COMPUTE_32F : compute_type(), CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    check(cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left),
          "cublasLtMatmulDescSetAttribute");
    check(cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right),
          "cublasLtMatmulDescSetAttribute");
    plan.left = layout(type, n, k, b_turned, shape[7]);
    plan.right = layout(type, k, m, a_turned, shape[6]);
    plan.result = layout(CUDA_R_32F, n, m, false, shape[8]);
    if (bias) add_bias(plan, bias);
    choose_algorithm(&plan, alignments);
    return plan;
}

static const Plan &find_plan(const Shape &shape, const float *bias) {
    std::map<Shape, Plan> &plans = products().plans;
    const auto found = plans.find(shape);
    if (found != plans.end()) return found->second;
    if (plans.size() == MOST_PLANS) {
        for (const auto &plan : plans)
            destroy_plan(plan.second);
        plans.clear();
    }
    return plans[shape] = make_plan(shape, bias);
}

/* A stride is at least a row long, also of a matrix of one row, where it may be anything. */
static uint64_t stride_of(const Matrix &matrix, size_t rows, size_t columns) {
    const size_t row = matrix.transposed ? rows : columns;
    return matrix.stride < row ? row : matrix.stride;
}

static void multiply(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias,
                     float beta, float *c, size_t c_stride) {
    const float one = 1;
    const void *left = bf16 ? static_cast<const void *>(b.rounded) : b.values;
    const void *right = bf16 ? static_cast<const void *>(a.rounded) : a.values;
    const Shape shape = {m,
                         n,
                         k,
                         bf16,
                         a.transposed,
                         b.transposed,
                         stride_of(a, m, k),
                         stride_of(b, k, n),
                         c_stride < n ? n : c_stride,
                         alignment_of(right),
                         alignment_of(left),
                         alignment_of(c),
                         bias ? alignment_of(bias) : 0};
    const Plan &plan = find_plan(shape, bias);
    if (bias) set_bias(plan, bias);
    check(cublasLtMatmul(products().handle, plan.product, &one, left, plan.left, right, plan.right, &beta, c,
                         plan.result, c, plan.result, &plan.algorithm, products().workspace, WORKSPACE_BYTES,
                         device_stream()),
          "cublasLtMatmul");
}

/* The packing is the matrix in bf16, as it lies. */
struct PackedMatrix {
    uint16_t *rounded;
};

static const uint16_t *find_rounded(size_t k, size_t n, const Matrix &b) {
    if (b.rounded || !b.packing) return b.rounded;
    const size_t rows = b.transposed ? n : k, columns = b.transposed ? k : n;
    const size_t count = (rows - 1) * b.stride + columns;
    PackedMatrix *&copy = b.packing->copies[1][0];
    if (!copy) copy = new PackedMatrix{static_cast<uint16_t *>(device_take(count * sizeof *copy->rounded))};
    if (!b.packing->current[1][0]) cuda_elements.round(count, b.values, copy->rounded);
    b.packing->current[1][0] = true;
    return copy->rounded;
}

void cuda_release_packing(Packing *packing) {
    if (packing->copies[1][0]) device_release(packing->copies[1][0]->rounded);
    delete packing->copies[1][0];
    *packing = Packing();
}

static void queue_product(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias,
                          float beta, float *c, size_t c_stride) {
    if (bf16 && a.rounded) b.rounded = find_rounded(k, n, b);
    device_queue([=] { multiply(bf16 && a.rounded && b.rounded, m, n, k, a, b, bias, beta, c, c_stride); });
}

static void matmul_in(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                      size_t c_stride) {
    if (!m || !n) return;
    if (k) {
        queue_product(bf16, m, n, k, a, b, nullptr, beta, c, c_stride);
    } else if (beta == 0.0f) {
        each_cell(m, n, [=] __device__(size_t i, size_t j) { c[i * c_stride + j] = 0; });
    }
}

void cuda_matmul(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c, size_t c_stride) {
    matmul_in(false, m, n, k, a, b, beta, c, c_stride);
}

void cuda_matmul_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, float beta, float *c,
                      size_t c_stride) {
    matmul_in(true, m, n, k, a, b, beta, c, c_stride);
}

/* Biases are loaded four at a time: one that does not lie so is added by a kernel. */
static void matmul_with_bias_in(bool bf16, size_t m, size_t n, size_t k, Matrix a, Matrix b,
                                const float *bias, float *c) {
    if (m && n && k && alignment_of(bias) >= 4 * sizeof *bias) {
        queue_product(bf16, m, n, k, a, b, bias, 0, c, n);
    } else {
        matmul_in(bf16, m, n, k, a, b, 0, c, n);
        cuda_activations.forward(m, n, ACTIVATION_NONE, bias, c, nullptr, {});
    }
}

void cuda_matmul_with_bias(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias, float *c) {
    matmul_with_bias_in(false, m, n, k, a, b, bias, c);
}

void cuda_matmul_with_bias_bf16(size_t m, size_t n, size_t k, Matrix a, Matrix b, const float *bias,
                                float *c) {
    matmul_with_bias_in(true, m, n, k, a, b, bias, c);
}
