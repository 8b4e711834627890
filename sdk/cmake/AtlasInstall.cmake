# What `cmake --install` lays down below a prefix: the program, its roles, and the SDK to write more of them. Everything
# finds the rest relative to itself, so the tree may be moved as a whole.
#
#   bin/atlas                    the program
#   lib/atlas/plugins/<id>.so    the roles that come with it
#   include/atlas/               the SDK's headers, the host for unit tests among them (atlas/testing/)
#   lib/cmake/atlas-sdk/         find_package(atlas-sdk): atlas::sdk, atlas::testing, atlas_add_plugin()
#   lib/pkgconfig/atlas-sdk.pc   the same for people without CMake
#   lib/systemd/system/          atlas.service
#   share/atlas/                 config samples, templates of `atlas plugin new`, examples
include(CMakePackageConfigHelpers)

# The node loads a role only from a directory that nobody else can write, whatever the umask of whoever installs.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(atlas_role_permissions OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

function(atlas_install)
  install(TARGETS atlas RUNTIME DESTINATION bin)
  foreach(role bootstrap discovery keepalive messaging relay)
    if(TARGET ${role} AND NOT ATLAS_STATIC_PLUGINS)
      install(TARGETS ${role} LIBRARY DESTINATION lib/atlas/plugins PERMISSIONS ${atlas_role_permissions})
    endif()
  endforeach()
  install(DIRECTORY config/ DESTINATION share/atlas/config FILES_MATCHING PATTERN "*.toml" PATTERN systemd EXCLUDE)
  atlas_install_service()
  atlas_install_sdk()
endfunction()

# The unit names the program by the place where this prefix has it.
function(atlas_install_service)
  install(CODE "
    file(READ \"${CMAKE_SOURCE_DIR}/config/systemd/atlas.service\" unit)
    string(REPLACE \"/usr/bin/atlas\" \"\${CMAKE_INSTALL_PREFIX}/bin/atlas\" unit \"\${unit}\")
    file(WRITE \"${CMAKE_BINARY_DIR}/installed/atlas.service\" \"\${unit}\")")
  install(FILES ${CMAKE_BINARY_DIR}/installed/atlas.service DESTINATION lib/systemd/system)
endfunction()

function(atlas_install_sdk)
  install(TARGETS atlas-sdk atlas-testing EXPORT atlas-sdk-targets)
  install(DIRECTORY sdk/include/ sdk/testing/include/ DESTINATION include
          FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
  install(EXPORT atlas-sdk-targets NAMESPACE atlas:: DESTINATION lib/cmake/atlas-sdk)
  configure_package_config_file(sdk/cmake/atlas-sdk-config.cmake.in ${CMAKE_BINARY_DIR}/installed/atlas-sdk-config.cmake
                                INSTALL_DESTINATION lib/cmake/atlas-sdk NO_CHECK_REQUIRED_COMPONENTS_MACRO)
  # An SDK serves every project that asks for this one or an older one of its major version.
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/installed/atlas-sdk-config-version.cmake
                                   COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
  configure_file(sdk/cmake/atlas-sdk.pc.in ${CMAKE_BINARY_DIR}/installed/atlas-sdk.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/installed/atlas-sdk-config.cmake
                ${CMAKE_BINARY_DIR}/installed/atlas-sdk-config-version.cmake
                sdk/cmake/AtlasPlugin.cmake sdk/cmake/plugin.exports
          DESTINATION lib/cmake/atlas-sdk)
  install(FILES ${CMAKE_BINARY_DIR}/installed/atlas-sdk.pc DESTINATION lib/pkgconfig)
  install(DIRECTORY sdk/templates sdk/examples DESTINATION share/atlas USE_SOURCE_PERMISSIONS)
endfunction()

atlas_install()

# A program that runs from the build directory finds the templates where an installed one does.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/atlas)
file(CREATE_LINK ${CMAKE_SOURCE_DIR}/sdk/templates ${CMAKE_BINARY_DIR}/share/atlas/templates SYMBOLIC)
