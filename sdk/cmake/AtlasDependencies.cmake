# Every library that the project links, found once. Licences are listed in README.md.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
pkg_check_modules(GNUTLS REQUIRED IMPORTED_TARGET gnutls>=3.7.2)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.35)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.40)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)

# ngtcp2: the system's, or one unpacked under ATLAS_NGTCP2_ROOT (tests build the older flavour that way).
add_library(atlas_ngtcp2 INTERFACE)
if(ATLAS_NGTCP2_ROOT)
  find_library(NGTCP2_LIBRARY ngtcp2 REQUIRED NO_DEFAULT_PATH
               PATHS ${ATLAS_NGTCP2_ROOT}/usr/lib PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE})
  find_library(NGTCP2_GNUTLS_LIBRARY ngtcp2_crypto_gnutls REQUIRED NO_DEFAULT_PATH
               PATHS ${ATLAS_NGTCP2_ROOT}/usr/lib PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE})
  target_include_directories(atlas_ngtcp2 BEFORE INTERFACE ${ATLAS_NGTCP2_ROOT}/usr/include)
  get_filename_component(NGTCP2_LIBRARY_DIR ${NGTCP2_LIBRARY} DIRECTORY)
  target_link_options(atlas_ngtcp2 INTERFACE -Wl,-rpath,${NGTCP2_LIBRARY_DIR})
  target_link_libraries(atlas_ngtcp2 INTERFACE ${NGTCP2_GNUTLS_LIBRARY} ${NGTCP2_LIBRARY})
else()
  pkg_check_modules(NGTCP2 REQUIRED IMPORTED_TARGET libngtcp2>=0.12 libngtcp2_crypto_gnutls>=0.12)
  target_link_libraries(atlas_ngtcp2 INTERFACE PkgConfig::NGTCP2)
endif()
target_link_libraries(atlas_ngtcp2 INTERFACE PkgConfig::GNUTLS)
