#pragma once

#include <dlfcn.h>

namespace twinrun::trainer {

/// A function of a library that torch has already loaded, so that nothing more has to be linked;
/// null if there is none of this name.
template <typename Function>
Function* loaded(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

}  // namespace twinrun::trainer
