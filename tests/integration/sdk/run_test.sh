#!/usr/bin/env bash
# run_test.sh PREFIX SOURCE: the prompt of `atlas plugin run`: what can be said, what ends it, and that nothing is left.
source "$(dirname "$0")/common.sh"
need cc pkg-config
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
cp "$prefix/share/atlas/examples/echo/echo.c" .
cc -std=c11 -shared -fPIC echo.c $(pkg-config --cflags --libs atlas-sdk) -o org.example.echo.so

# say CODE LINE...
say() {
  local wanted=$1 code=0
  shift
  printf '%s\n' "$@" | atlas plugin run org.example.echo.so --with keepalive >"$work/out" 2>"$work/err" || code=$?
  [ "$code" = "$wanted" ] || die "$*: ended with $code, expected $wanted: $(cat "$work/out" "$work/err")"
  [ -z "$(ls -A "$TMPDIR")" ] || die "it left something behind: $(ls -A "$TMPDIR")"
}

say 0 '# a comment' '' 'send c0 {"text":"x y"}' 'send 0xc0 {}' peers 'command ping --help' metrics log \
  'use b' 'send c0 {"from":"b"}' help quit 'send c0 never'
expect_text "$work/out" '{"type":"c1","body":{"text":"x y"},"rtt_ms":'
expect_text "$work/out" '{"type":"c1","body":{"from":"b"},"rtt_ms":'
expect_text "$work/out" '"connected":true'
expect_text "$work/out" '"atlas_keepalive_'
expect_text "$work/out" 'send TYPE {json}'
expect_text "$work/err" 'b: 127.0.0.1:'
# An Error is an answer.
say 0 'send c9 {}'
expect_text "$work/out" '{"error":{"code":2003,'
say 2 'send c0 [1]' 'send c0 {"never":1}'
expect_text "$work/err" "no JSON object"
[ ! -s "$work/out" ] || die "it went on after a mistake: $(cat "$work/out")"
say 2 'sendd c0 {}'
say 2 'send cc0 {}'
say 2 'command none'

sed -e 's/org.example.echo/crashes/' \
  -e 's/return echo->messages->reply.*/return *(volatile int *)((long)echo - (long)echo);/' echo.c >crashes.c
cc -std=c11 -shared -fPIC crashes.c $(pkg-config --cflags --libs atlas-sdk) -o crashes.so
expect_code 1 bash -c 'echo "send c0 {}" | atlas plugin run crashes.so'
expect_text "$work/err" "node b crashed with SIG"
[ -z "$(ls -A "$TMPDIR")" ] || die "it left something behind: $(ls -A "$TMPDIR")"
expect_code 6 atlas plugin run nowhere.so
