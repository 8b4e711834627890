# Compiler and linker settings of every target here: ccache, warnings, hardening, sanitizers.
find_program(ATLAS_CCACHE ccache)
if(ATLAS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${ATLAS_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ATLAS_CCACHE})
endif()

find_program(ATLAS_MOLD mold)
if(ATLAS_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -fno-omit-frame-pointer)
if(ATLAS_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 offers std::expected only where this macro has its C++20 value, which clang reports late.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-builtin-macro-redefined>
                      $<$<COMPILE_LANGUAGE:CXX>:-D__cpp_concepts=202002L>)
endif()

add_compile_options(-fstack-protector-strong -fcf-protection=full -fstack-clash-protection)
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(ATLAS_SANITIZE)
  add_compile_options(-fsanitize=${ATLAS_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ATLAS_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
