#!/usr/bin/env bash
# new_test.sh PREFIX SOURCE LANGUAGE: a project that `atlas plugin new` wrote builds, passes its own tests and the
# check, and answers over QUIC; and what `new` refuses.
source "$(dirname "$0")/common.sh"
lang=$3
need cc c++ make pkg-config
[ "$lang" != rust ] || need cargo
[ "$lang" != cpp ] || need cmake

expect_code 0 atlas plugin new org.example.key-value --lang "$lang" --json
expect_text "$work/out" '"id":"org.example.key-value"'
cd org.example.key-value
! grep -rn '@\(id\|name\|Class\|command\)@' . || die "a place of the template was not filled"
./ci >"$work/ci.log" 2>&1 || die "ci failed: $(tail -50 "$work/ci.log")"
grep -q 'all passed\|100% tests passed' "$work/ci.log" || die "the unit test did not run: $(cat "$work/ci.log")"
role=org.example.key-value.so
[ "$lang" != cpp ] || role=build/$role
expect_one_symbol $role
printf 'send c0 {"hello":1}\ncommand key-value\nuse b\ncommand key-value\nmetrics\n' |
  atlas plugin run $role >"$work/out" 2>"$work/err" || die "plugin run: $(cat "$work/out" "$work/err")"
expect_text "$work/out" '{"type":"c1","body":{"hello":1},"rtt_ms":'
[ "$(sed -n 2p "$work/out")" = '{"answered":0}' ] || die "node a answered somebody: $(cat "$work/out")"
[ "$(sed -n 3p "$work/out")" = '{"answered":1}' ] || die "node b did not count: $(cat "$work/out")"
expect_text "$work/out" '"atlas_org_example_key_value_answered":1'

cd ..
expect_code 7 atlas plugin new org.example.key-value --lang "$lang"
expect_text "$work/err" "exists already"
expect_code 2 atlas plugin new Capital --lang "$lang"
expect_text "$work/err" "is no id of a role"
expect_code 2 atlas plugin new thing --lang cobol
expect_text "$work/err" "none of c, cpp and rust"
expect_code 0 atlas plugin new int --lang "$lang" --dir "$work/deep/er"
[ -f "$work/deep/er/README.md" ] || die "--dir was not made"
