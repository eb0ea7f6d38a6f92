#include "model/encode_tool.h"

static const Program program = {
    .name = "pm-encode-image",
    .usage = "(--encoder ENC.pmt | --model MODEL.pmt) [--blocks K] [IMAGES.lmdb… | PIXELS.pmt | HIDDEN.pmt]",
    .purpose = "Runs an image encoder over images, or goes on from hidden states after some block.",
    .example = "  pm-encode-image --encoder clip.pmt --blocks 10 images.lmdb > image.pmt",
};

int main(int argc, char **argv) {
    return encode_tool(MODALITY_IMAGE, program, argc, argv);
}
