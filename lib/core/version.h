#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define PROJECT_VERSION "1.0.0"

#endif
