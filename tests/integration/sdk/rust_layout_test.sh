#!/usr/bin/env bash
# rust_layout_test.sh PREFIX SOURCE: every struct and field of the plugin ABI lies in the Rust bindings where it lies
# in C.
source "$(dirname "$0")/common.sh"
need rustc
golden=$source/tests/abi/layout_$(uname -m).txt
[ -f "$golden" ] || { echo "skipped: there is no $golden"; exit 77; }
{
  sources=$prefix/share/atlas/templates/rust/src
  printf '#[path = "%s/%s.rs"] mod %s;\n' "$sources" atlas atlas "$sources" atlas_more atlas_more
  printf 'use atlas::*;\nuse atlas_more::*;\nuse std::mem::{size_of, MaybeUninit};\n'
  cat <<'END'
fn size_at<T>(_: *const T) -> usize { size_of::<T>() }
fn main() {
END
  # Rust's own words have an underscore behind them.
  awk '{
    split($1, part, "."); type = part[1]; field = part[2]; name = field
    if (field ~ /^(type|self|where)$/) name = field "_"
    if (field == "") printf "println!(\"%s {}\", size_of::<%s>());\n", type, type
    else {
      printf "{ let u = MaybeUninit::<%s>::uninit(); let p = u.as_ptr(); ", type
      printf "let f = unsafe { std::ptr::addr_of!((*p).%s) }; ", name
      printf "println!(\"%s.%s {} {}\", f as usize - p as usize, size_at(f)); }\n", type, field
    }
  }' "$golden"
  echo '}'
} >layout.rs
rustc --edition 2021 -A warnings layout.rs -o layout
./layout | diff "$golden" -
