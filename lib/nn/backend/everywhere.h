/* EVERYWHERE stands before functions of plain C that the kernels of a GPU call, too. */
#ifndef NN_BACKEND_EVERYWHERE_H
#define NN_BACKEND_EVERYWHERE_H

#ifdef __CUDACC__
#define EVERYWHERE __host__ __device__
#else
#define EVERYWHERE
#endif

#endif
