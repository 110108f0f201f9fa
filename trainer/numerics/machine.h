#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>

namespace twinrun::trainer {

/// Parts of the manifest that describe where a run happened, each read from its source at run time:
/// keys versions, git, binary, device, cpu, world_size (docs/protocol.md). What cannot be read is
/// null.
nlohmann::json describe_machine(c10::Device device);

}  // namespace twinrun::trainer
