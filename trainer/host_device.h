#pragma once

/// Marks what a CUDA kernel may call too; nothing where no CUDA compiler reads the file.
#if defined(__CUDACC__)
#define TWINRUN_HOST_DEVICE __host__ __device__
#else
#define TWINRUN_HOST_DEVICE
#endif
