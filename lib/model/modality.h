/* What items are known by. */
#ifndef MODEL_MODALITY_H
#define MODEL_MODALITY_H

typedef enum Modality { MODALITY_TEXT, MODALITY_IMAGE, MODALITIES } Modality;

/* As it is called in options and headers. */
static inline const char *modality_name(Modality modality) {
    return modality == MODALITY_TEXT ? "text" : "image";
}

/* Under which a model's header has the configuration of its encoder. */
static inline const char *modality_encoder_key(Modality modality) {
    return modality == MODALITY_TEXT ? "text_encoder" : "image_encoder";
}

#endif
