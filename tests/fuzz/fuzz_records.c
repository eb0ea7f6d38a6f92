/* The objects in a stream: the bytes become its one frame, so that changes need not get past zstd's checksum.
 */
#include "fuzz.h"

#include "stream/reader.h"

#include <stdlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Error error;
    Record record;
    const size_t room = ZSTD_compressBound(size);
    uint8_t *frame = malloc(room);
    const size_t length = ZSTD_compress(frame, room, bytes, size, -5);
    StreamReader *reader = stream_reader_open(fuzz_file("stream.pmt", frame, length), &error);
    while (reader && stream_reader_next(reader, &record, &error) == STREAM_RECORD)
        if (record.count && record_tensor_bytes(&record.tensors[0]) < 1 << 20)
            free(stream_reader_take(reader, &record.tensors[0]));
    stream_reader_close(reader);
    free(frame);
    return 0;
}
