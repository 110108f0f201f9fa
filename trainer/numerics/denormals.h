#pragma once

namespace twinrun::trainer {

/// MXCSR's flush-to-zero and denormals-are-zero, which turn results and inputs below 2^-126 into
/// zeros. A library built with -ffast-math sets them for the thread that loads it, and threads
/// inherit them, so a program does not know what it gets.

/// Clears both bits on the calling thread and on those of the OpenMP pool, which ATen, MKL and
/// oneDNN share. Call after the pool has its size.
void keep_denormals();

/// Whether either bit is set on any of these threads.
bool denormals_are_flushed();

}  // namespace twinrun::trainer
