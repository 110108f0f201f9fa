#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace twinrun::trainer {

/// Makes the step that is being queued on `device` take `ns` longer, never less: the CPU waits for
/// its clock; for a GPU a kernel on the current stream waits for the device's clock too, so that a
/// step is longer whether the stream or the queueing thread is what it is bound by. 0 does nothing.
void delay_step(c10::Device device, std::int64_t ns);

}  // namespace twinrun::trainer
