#include "model/encode_tool.h"

static const Program program = {
    .name = "pm-encode-text",
    .usage = "(--encoder ENC.pmt | --model MODEL.pmt) [--blocks K] [TOKENS.pmt | HIDDEN.pmt]",
    .purpose = "Runs a text encoder over token ids, or goes on from hidden states after some block.",
    .example =
        "  pm-tokenize --bytes < items.tsv |\n"
        "      pm-encode-text --encoder enc.pmt --blocks 10 > text.pmt",
};

int main(int argc, char **argv) {
    return encode_tool(MODALITY_TEXT, program, argc, argv);
}
