#!/usr/bin/env bash
# relocated_test.sh PREFIX SOURCE BUILD: an installation that was staged with DESTDIR and moved to another place finds
# its roles and templates, and roles build against it with CMake and with a compiler and pkg-config alone.
source "$(dirname "$0")/common.sh"
need cmake cc c++ pkg-config
build=$3

DESTDIR=$work/stage cmake --install "$build" --prefix /opt/atlas >/dev/null
mv "$work/stage/opt/atlas" "$work/moved"
grep -q "^ExecStart=/opt/atlas/bin/atlas " "$work/moved/lib/systemd/system/atlas.service" ||
  die "atlas.service does not start the atlas of its prefix"
! grep -rqF "$build" "$work/moved/lib/cmake" "$work/moved/lib/pkgconfig" || die "the package names the build directory"

export PATH=$work/moved/bin:$PATH PKG_CONFIG_PATH=$work/moved/lib/pkgconfig CMAKE_PREFIX_PATH=$work/moved
expect_code 0 atlas --root "$work/root" plugin list --json
expect_text "$work/out" "$work/moved/lib/atlas/plugins/keepalive.so"
expect_code 0 atlas plugin info keepalive
[ "$(pkg-config --variable=plugindir atlas-sdk)" -ef "$work/moved/lib/atlas/plugins" ] || die "plugindir is elsewhere"

mkdir plain && cd plain
cp "$work/moved/share/atlas/examples/echo/echo.c" .
cc -std=c11 -Wall -Wextra -Werror -shared -fPIC echo.c $(pkg-config --cflags --libs atlas-sdk) -o org.example.echo.so
expect_code 0 atlas plugin check org.example.echo.so

mkdir ../cmake && cd ../cmake
cp ../plain/echo.c .
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(echo LANGUAGES C)
find_package(atlas-sdk REQUIRED)
atlas_add_plugin(org.example.echo SOURCES echo.c)
END
cmake -S . -B build >/dev/null
cmake --build build >/dev/null
expect_code 0 atlas plugin check build/org.example.echo.so
