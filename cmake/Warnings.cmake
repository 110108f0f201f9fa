# Warnings are errors in our own code; third-party headers come in as SYSTEM.
# -Wno-restrict: g++ 12 sees overlaps in std::string's operator+ that are none (GCC PR 105651).
add_library(twinrun_warnings INTERFACE)
add_library(twinrun::warnings ALIAS twinrun_warnings)
target_compile_options(twinrun_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Werror -Wno-restrict>
  $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
if(TWINRUN_SANITIZE)
  target_compile_options(twinrun_warnings INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(twinrun_warnings INTERFACE -fsanitize=address,undefined)
endif()
