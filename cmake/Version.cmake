# Git commit and dirty flag go into every manifest. They are read when a build starts, so that a
# stale configure cannot name the wrong commit; the header changes only when the answer does.
add_custom_target(twinrun_version_header
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          -DOUT=${PROJECT_BINARY_DIR}/generated/twinrun_version.h
          -P ${PROJECT_SOURCE_DIR}/cmake/write_version.cmake
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/twinrun_version.h)
add_library(twinrun_version INTERFACE)
add_library(twinrun::version ALIAS twinrun_version)
target_include_directories(twinrun_version INTERFACE ${PROJECT_BINARY_DIR}/generated)
add_dependencies(twinrun_version twinrun_version_header)
