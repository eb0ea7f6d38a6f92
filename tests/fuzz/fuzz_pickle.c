/* A pickle by itself, and what a PyTorch checkpoint's says of its tensors. */
#include "fuzz.h"

#include "arrays/torch_pickle.h"

static void read_tensor(const PickleValue *value) {
    Error error;
    TorchTensor tensor;
    if (torch_is_tensor(value) && torch_tensor_read(value, &tensor, &error)) torch_is_contiguous(&tensor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Error error;
    size_t used;
    Pickle *pickle = pickle_parse(bytes, size, &used, &error);
    if (!pickle) return 0;
    const PickleValue *state = torch_state_dict(pickle_root(pickle), &error);
    for (size_t i = 1; state && i < pickle_count(state); i += 2)
        read_tensor(pickle_item(state, i));
    pickle_free(pickle);
    return 0;
}
