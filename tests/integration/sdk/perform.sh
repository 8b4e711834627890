# perform PAGE: does what the code blocks of a Markdown page say, in the working directory; sourced after common.sh.
#   ```<language> <file>    is written to that file, and compiled if it is C, C++ or Rust
#   ```c, cpp, rust         compiles as it stands, with every compiler that is there
#   ```sh                   is run, one shell after the other, each where the last one ended
#   ```text                 below commands is what they print: each line must be there, with any text for "..."
#   ```yaml                 its "run:" commands are there
# Below <!-- inside FILE --> a block is compiled in the place of the line @block@ of that file. Blocks below other marks
# (<!-- cut from ... -->, run by, said by), TOML, JSON and drawings are the business of
# tests/abi/pages/code_blocks_test.cc. Counts in $own_lines, $commands, $ran, $compared and $compiled.
own_lines=0 commands=0 ran=0 compared=0 compiled=0

# Each block into $work/blocks/NN, what stands behind its fence into NN.head, the line above it into NN.above.
split_page() {
  rm -rf "$work/blocks"
  mkdir "$work/blocks"
  awk -v out="$work/blocks" '
    /^```/ && !inside {
      inside = 1
      file = sprintf("%s/%03d", out, ++count)
      sub(/^```/, "")
      print > (file ".head")
      print above > (file ".above")
      printf "" > file
      next
    }
    /^```/ { inside = 0; above = ""; next }
    inside { print > file; next }
    { above = $0 }' "$1"
}

compile() { # LANGUAGE BLOCK
  local compiler flags
  flags=$(pkg-config --cflags atlas-sdk)
  case $1 in
    c) set -- "$2" "-x c -std=c11" gcc clang ;;
    cpp) set -- "$2" "-x c++ -std=c++20" g++ clang++ ;;
    rust)
      command -v rustc >/dev/null || return 0
      rustc --edition 2021 --crate-type lib --emit metadata -o "$work/block.rmeta" - <"$2" ||
        die "this does not compile: $(cat "$2")"
      compiled=$((compiled + 1))
      return
      ;;
  esac
  local block=$1 mode=$2
  shift 2
  for compiler in "$@"; do
    command -v "$compiler" >/dev/null || continue
    "$compiler" $mode -Wall -Wextra -Wpedantic -Werror -Wno-unused-function -fsyntax-only $flags - <"$block" ||
      die "this does not compile with $compiler: $(cat "$block")"
    compiled=$((compiled + 1))
  done
}

frame() { # BLOCK FILE
  cp "$1" "$1.inside"
  awk -v block="$1.inside" '$0 == "@block@" { while ((getline line <block) > 0) print line; next } { print }' \
    "$source/$2" >"$1"
}

run_block() { # BLOCK
  {
    echo "set -e; cd '$PWD'; umask $(umask)"
    cat "$1"
    echo "pwd >'$work/where'; umask >'$work/mask'"
  } >"$work/step"
  bash "$work/step" >"$work/printed" 2>&1 </dev/null || die "$(cat "$1"): $(cat "$work/printed")"
  cd "$(cat "$work/where")"
  umask "$(cat "$work/mask")"
  ran=$((ran + 1))
  commands=$((commands + $(grep -c . "$1")))
}

compare() { # BLOCK
  local line pattern
  tr -s ' ' <"$work/printed" >"$work/squeezed"
  while IFS= read -r line; do
    line=$(printf '%s' "$line" | tr -s ' ')
    pattern=$(printf '%s' "$line" | sed 's/[][\.*^$(){}?+|/]/\\&/g; s/\\\.\\\.\\\./.*/g')
    grep -qE -- "^ ?$pattern ?$" "$work/squeezed" || die "the page shows \"$line\", but: $(cat "$work/printed")"
    compared=$((compared + 1))
  done <"$1"
}

there() { # BLOCK: the programs of a CI's "run:" lines
  local command
  while read -r command; do
    command -v "${command%% *}" >/dev/null || die "there is no ${command%% *} for: $command"
  done < <(sed -n 's/^ *-\{0,1\} *run: *//p' "$1")
}

perform() { # PAGE
  local head block kind file
  split_page "$1"
  for head in "$work"/blocks/*.head; do
    [ -f "$head" ] || return 0
    block=${head%.head}
    read -r kind file <"$head" || true
    case $(cat "$block.above") in
      '<!-- cut from '* | '<!-- run by '* | '<!-- said by '*) continue ;;
      '<!-- inside '*) frame "$block" "$(sed 's/^<!-- inside //; s/ -->$//' "$block.above")" ;;
    esac
    if [ -n "$file" ]; then
      own_lines=$((own_lines + $(grep -c . "$block")))
      mkdir -p "$(dirname "$file")"
      cp "$block" "$file"
    fi
    case $kind in
      c | cpp | rust) compile "$kind" "$block" ;;
      sh) run_block "$block" ;;
      text) compare "$block" ;;
      yaml) there "$block" ;;
      cmake) [ -n "$file" ] || die "a block of CMake is a file: write its name behind the language" ;;
      toml | json | '') ;;
      *) die "a block in \"$kind\", which nobody performs" ;;
    esac
  done
}
