/* What items are known by. */
#ifndef MODEL_MODALITY_H
#define MODEL_MODALITY_H

typedef enum Modality { MODALITY_TEXT, MODALITY_IMAGE, MODALITIES } Modality;

/* As it is called in options and headers. */
static inline const char *modality_name(Modality modality) {
    return modality == MODALITY_TEXT ? "text" : "image";
}

#endif
