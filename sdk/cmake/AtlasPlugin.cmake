# atlas_add_plugin(<id> SOURCES <file>...)
#
# A role as a shared object <id>.so that exports exactly one symbol, leaves none undefined but the C and C++ runtimes',
# and sees the SDK's headers only. The target is called like the role. The file comes to ATLAS_PLUGIN_OUTPUT, else to
# CMAKE_CURRENT_BINARY_DIR.
set(ATLAS_PLUGIN_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/plugin.exports)

function(atlas_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  if(NOT name MATCHES "^[a-z0-9._-]+$")
    message(FATAL_ERROR "atlas_add_plugin: \"${name}\" is no id of a role; write 1 to 64 of a-z 0-9 . _ -")
  endif()
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE atlas::sdk)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_20)
  endif()
  if("C" IN_LIST languages)
    target_compile_features(${name} PRIVATE c_std_11)
  endif()
  set(output ${CMAKE_CURRENT_BINARY_DIR})
  if(ATLAS_PLUGIN_OUTPUT)
    set(output ${ATLAS_PLUGIN_OUTPUT})
  endif()
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX .so OUTPUT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${output}
    LINK_DEPENDS ${ATLAS_PLUGIN_EXPORTS})
  target_link_options(${name} PRIVATE -Wl,--version-script=${ATLAS_PLUGIN_EXPORTS})
  # A sanitizer's own symbols come from the program that loads the role.
  if(NOT ATLAS_SANITIZE AND NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
