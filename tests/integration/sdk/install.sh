#!/usr/bin/env bash
# install.sh BUILD PREFIX: installs what was built, for the tests that follow.
set -euo pipefail
umask 022
rm -rf "$2"
cmake --install "$1" --prefix "$2" >/dev/null
for file in bin/atlas lib/atlas/plugins/keepalive.so include/atlas/plugin.h include/atlas/plugin.hpp \
  include/atlas/ext/messages.h include/atlas/testing/fake_host.h lib/cmake/atlas-sdk/atlas-sdk-config.cmake \
  lib/pkgconfig/atlas-sdk.pc lib/systemd/system/atlas.service share/atlas/config/agent.toml \
  share/atlas/templates/c/Makefile share/atlas/examples/echo/echo.c; do
  [ -e "$2/$file" ] || { echo "$2/$file was not installed" >&2; exit 1; }
done
