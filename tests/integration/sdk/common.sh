# What the tests of the installed SDK share; sourced with PREFIX and SOURCE as $1 and $2. Everything happens in $work,
# which goes away, with the installed atlas first in the path and nothing of the source tree in sight.
set -euo pipefail
umask 022  # a role that its group could write is not loaded

prefix=$1
source=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
  echo "$*" >&2
  exit 1
}
# A tool that is not there is no failure: 77 tells ctest so.
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
  done
}
# expect_code CODE COMMAND...: its exit code; what it prints goes to $work/out and $work/err.
expect_code() {
  local wanted=$1 code=0
  shift
  "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
  [ "$code" = "$wanted" ] || die "$* ended with $code, expected $wanted: $(cat "$work/out" "$work/err")"
}
expect_text() {
  grep -qF -- "$2" "$1" || die "expected \"$2\" in: $(cat "$1")"
}
# expect_one_symbol FILE: it exports atlas_plugin_v1 and needs nothing but the runtimes of its language.
expect_one_symbol() {
  "$source/tests/abi/check_symbols.sh" "$1" || die "$1 is not as a role has to be"
}

[ -x "$prefix/bin/atlas" ] || die "$prefix has no bin/atlas"
# rustup finds its compilers below the real home.
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export HOME=$work PATH=$prefix/bin:$PATH:$CARGO_HOME/bin
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig CMAKE_PREFIX_PATH=$prefix
unset ATLAS_ROOT
cd "$work"
