/* replay FILE…: gives each file to the fuzz target that this is linked with, and says which one while it is
 * there, so that a crash names it. */
#include "fuzz.h"

#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char **files) {
    for (int i = 1; i < count; i++) {
        Error error;
        size_t size;
        unsigned char *bytes = file_read(files[i], SIZE_MAX, &size, &error);
        if (!bytes) {
            fprintf(stderr, "replay: %s\n", error.message);
            return 1;
        }
        printf("# %s\n", files[i]);
        fflush(stdout);
        LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
    }
    printf("%d replayed\n", count - 1);
    return 0;
}
