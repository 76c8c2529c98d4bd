// Marks functions that are compiled for the host and, in .cu files, for the device.
#pragma once

#ifdef __CUDACC__
#define SPECTHINK_HOST_DEVICE __host__ __device__
#else
#define SPECTHINK_HOST_DEVICE
#endif
