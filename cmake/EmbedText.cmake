# twinrun_embed_text(TARGET FILE NAME): the text of FILE as `constexpr const char* NAME` in NAME's header
# (kVerdictSchemaText: verdict_schema_text.h), written again when FILE changes.
function(twinrun_embed_text target file name)
  string(REGEX REPLACE "^k" "" header ${name})
  string(REGEX REPLACE "([a-z])([A-Z])" "\\1_\\2" header ${header})
  string(TOLOWER ${header} header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/embedded/${header}.h @ONLY CONTENT
    "#pragma once\n\nnamespace twinrun {\ninline constexpr const char* @name@ = R\"text(@text@)text\";\n}\n")
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/embedded)
endfunction()
