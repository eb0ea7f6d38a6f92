/* A stream as it comes: zstd frames, header, records, end. */
#include "fuzz.h"

#include "stream/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Error error;
    Record record;
    StreamReader *reader = stream_reader_open(fuzz_file("stream.pmt", bytes, size), &error);
    while (reader && stream_reader_next(reader, &record, &error) == STREAM_RECORD)
        continue;
    stream_reader_close(reader);
    return 0;
}
