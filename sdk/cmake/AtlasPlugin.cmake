# atlas_add_plugin(<name> SOURCES <file>...)
#
# A role as a shared object <name>.so that exports exactly one symbol, leaves none undefined but the C and C++
# runtimes', and sees the SDK's headers only.
set(ATLAS_PLUGIN_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/plugin.exports)

function(atlas_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE atlas-sdk)
  set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins
    LINK_DEPENDS ${ATLAS_PLUGIN_EXPORTS})
  target_link_options(${name} PRIVATE -Wl,--version-script=${ATLAS_PLUGIN_EXPORTS})
  if(NOT ATLAS_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
