#!/usr/bin/env bash
# static_program_test.sh PROGRAM: an atlas that has its roles in itself lists them, runs a node with them and finds
# their commands, with no file of a role anywhere.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${node:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
die() {
  echo "$*" >&2
  exit 1
}
cp "$1" "$work/atlas"  # no directory beside it has plugins
atlas() { "$work/atlas" --root "$work/$1" "${@:2}"; }

for name in a b; do atlas $name id init >/dev/null; done
enable() { printf '[plugins]\nenabled = [%s]\n' "$2" >"$work/$1/state/config.toml"; }
enable a '"bootstrap", "discovery", "keepalive", "messaging", "relay"'
enable b '"keepalive"'
atlas a config check >/dev/null || die "config check fails"
atlas a plugin list --json >"$work/list"
for role in bootstrap discovery keepalive messaging relay; do
  grep -qE "\"id\":\"$role\"[^{}]*\"state\":\"ready\",\"file\":\"linked\"" "$work/list" ||
    die "$role: $(cat "$work/list")"
done

listen=(net listen --port 0 --bind 127.0.0.1)
coproc listener { exec "$work/atlas" --root "$work/a" "${listen[@]}" 2>"$work/log"; }
node=$listener_PID
read -r word address _ <&"${listener[0]}" || true
[ "${word:-}" = ready ] || die "the node did not start: $(cat "$work/log")"
atlas a plugin list --json >"$work/list"
[ "$(grep -o '"state":"running"' "$work/list" | wc -l)" = 5 ] || die "not all run: $(cat "$work/list")"
atlas b net ping "$address" --count 1 >"$work/out" 2>&1 || die "no answer: $(cat "$work/out")"
code=0
atlas b plugin info keepalive >"$work/out" 2>&1 || code=$?
[ "$code" != 0 ] || die "info of what has no file"
grep -q "keepalive is part of this atlas and has no file" "$work/out" || die "info: $(cat "$work/out")"
kill "$node"
code=0
wait "$node" || code=$?
[ "$code" = 0 ] || die "the node ended with $code: $(cat "$work/log")"
