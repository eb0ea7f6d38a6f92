/* items.tsv with a NUL and users.tsv behind it. */
#include "fuzz.h"

#include "data/behaviours.h"
#include "data/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const BehavioursOptions options = {
        .min_seq_len = 3, .max_seq_len = 5, .unknown = UNKNOWN_ITEMS_DROP};
    const size_t second = fuzz_second_part(bytes, size);
    Error error;
    Catalogue catalogue;
    Behaviours behaviours;
    char text[512];
    if (!catalogue_read(&catalogue, fuzz_file("items.tsv", bytes, second < size ? second - 1 : size), &error))
        return 0;
    if (behaviours_read(&behaviours, fuzz_file("users.tsv", bytes + second, size - second), catalogue.names,
                        &options, &error)) {
        behaviours_describe(&behaviours, text, sizeof text);
        behaviours_free(&behaviours);
    }
    catalogue_free(&catalogue);
    return 0;
}
