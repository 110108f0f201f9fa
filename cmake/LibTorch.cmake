# LibTorch as an imported target, without torch's own CMake package: that one enables CUDA through
# its own search, adds flags for every target and needs TORCH_CUDA_ARCH_LIST even to configure.
#
# TWINRUN_LIBTORCH  folder with include/ and lib/ (the `torch` package of a wheel, or an unpacked
#                   libtorch archive); ci/bootstrap prints the one it installed.
set(TWINRUN_LIBTORCH "$ENV{TWINRUN_LIBTORCH}" CACHE PATH "LibTorch folder (include/, lib/)")
if(NOT TWINRUN_LIBTORCH)  # an empty value cached by an earlier configure
  set(TWINRUN_LIBTORCH "$ENV{TWINRUN_LIBTORCH}" CACHE PATH "LibTorch folder (include/, lib/)" FORCE)
endif()
if(NOT EXISTS ${TWINRUN_LIBTORCH}/include/ATen/ATen.h)
  message(FATAL_ERROR "TWINRUN_LIBTORCH='${TWINRUN_LIBTORCH}' holds no include/ATen/ATen.h. "
    "Run ci/bootstrap, or name a LibTorch 2.11 folder. The judge alone: cmake --preset harness.")
endif()
file(STRINGS ${TWINRUN_LIBTORCH}/include/torch/headeronly/version.h torch_version_lines
     REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX MATCHALL "[0-9]+" torch_version_numbers "${torch_version_lines}")
list(JOIN torch_version_numbers "." TWINRUN_TORCH_VERSION)
if(NOT TWINRUN_TORCH_VERSION VERSION_EQUAL 2.11)
  message(FATAL_ERROR "LibTorch ${TWINRUN_TORCH_VERSION} in ${TWINRUN_LIBTORCH}; twinrun is built and tested with 2.11")
endif()

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
enable_language(CUDA)
find_package(CUDAToolkit 13.0 REQUIRED)

add_library(twinrun_libtorch INTERFACE)
add_library(twinrun::libtorch ALIAS twinrun_libtorch)
target_include_directories(twinrun_libtorch SYSTEM INTERFACE
  ${TWINRUN_LIBTORCH}/include ${TWINRUN_LIBTORCH}/include/torch/csrc/api/include)
target_link_directories(twinrun_libtorch INTERFACE ${TWINRUN_LIBTORCH}/lib)
# torch_cuda registers its kernels in static initialisers; --as-needed would drop it. libstdc++ comes
# first: libtorch exports a std::filesystem::remove_all of its own that calls a null pointer.
target_link_options(twinrun_libtorch INTERFACE
  LINKER:--push-state,--no-as-needed -lstdc++ -ltorch -ltorch_cpu -ltorch_cuda -lc10 -lc10_cuda -lgomp LINKER:--pop-state
  LINKER:-rpath,${TWINRUN_LIBTORCH}/lib
  # CMake takes the toolkit's folder for one that the loader searches anyway; of the wheels' that is not so.
  LINKER:-rpath,${CUDAToolkit_LIBRARY_DIR})
target_link_libraries(twinrun_libtorch INTERFACE CUDA::cudart)
