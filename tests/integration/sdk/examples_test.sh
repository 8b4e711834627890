#!/usr/bin/env bash
# examples_test.sh PREFIX SOURCE NAME: an example of the installed SDK builds outside the tree as its README says,
# stands the check, and does what it is for between two nodes.
source "$(dirname "$0")/common.sh"
source "$here/nodes.sh"
name=$3
need cc c++ make pkg-config
cp -rL "$prefix/share/atlas/examples/$name" .
cd "$name"

talk() { # ROLE LINE...
  local role=$1
  shift
  printf '%s\n' "$@" | atlas plugin run "$role" >"$work/out" 2>"$work/err" ||
    die "plugin run: $(cat "$work/out" "$work/err")"
}

# built ROLE: with CMake, as the README says, with its unit tests and the check.
built() {
  need cmake
  cmake -S . -B build >/dev/null
  cmake --build build >"$work/build.log" || die "$(cat "$work/build.log")"
  ctest --test-dir build --output-on-failure >"$work/ctest.log" || die "$(cat "$work/ctest.log")"
  printf '[plugins]\nenabled = ["keepalive", "%s"]\nsearch = ["%s"]\n\n[plugins."%s"]\n' \
    "$1" "$PWD/build" "$1" >role.toml
}
# answers NAME COMMAND...: as expect_code 0, of `atlas net` beside that node.
answers() {
  local node=$1
  shift
  expect_code 0 as "$node" net "$@" --json
}

case $name in
  echo)
    [ "$(wc -l <echo.c)" -le 60 ] || die "echo.c has more than 60 lines"
    make >/dev/null
    expect_code 0 atlas plugin check org.example.echo.so
    talk org.example.echo.so 'send c0 {"hello":[1,null,"x"]}'
    expect_text "$work/out" '{"type":"c1","body":{"hello":[1,null,"x"]},'
    ;;
  counter)
    built org.example.counter
    talk build/org.example.counter.so 'send c2 {"name":"apples","add":3}' 'send c2 {"name":"apples","add":4}' \
      'send c2 {"name":"apples"}' 'use b' 'command counters' 'metrics'
    expect_text "$work/out" '{"type":"c3","body":{"name":"apples","value":7}'
    expect_text "$work/out" '"error":{"code":2003'
    expect_text "$work/out" '{"name":"apples","value":7}'
    expect_text "$work/out" '"atlas_org_example_counter_additions":2'
    ;;
  gossip)
    need cargo
    make >/dev/null 2>"$work/make.log" || die "$(cat "$work/make.log")"
    make test >"$work/make.log" 2>&1 || die "$(cat "$work/make.log")"
    expect_code 0 atlas plugin check org.example.gossip.so
    talk org.example.gossip.so 'command kv set colour green' 'use b' 'command kv get colour'
    expect_text "$work/out" '{"key":"colour","value":"green"'
    ;;
  fetch)
    built org.example.fetch
    mkdir served
    echo secret >secret
    head -c 5000000 /dev/urandom >served/much
    : >served/nothing
    ln -s ../secret served/link
    # Many questions in a moment are too many for a node that is not told otherwise.
    { cat role.toml; printf 'directory = "%s"\n[rate_limit]\nper_peer_per_second = 100\n' "$PWD/served"; } | configure a
    configure b <role.toml
    start a
    start b
    answers b fetch get "${address[a]}" much "$work/much"
    expect_text "$work/out" "{\"file\":\"$work/much\",\"bytes\":5000000}"
    cmp served/much "$work/much" || die "the copy is another file"
    answers b fetch get "${address[a]}" nothing "$work/nothing"
    [ -f "$work/nothing" ] && [ ! -s "$work/nothing" ] || die "the empty file was not copied"
    for bad in none link ../secret "$PWD/secret" .; do
      expect_code 5 as b net fetch get "${address[a]}" "$bad" "$work/copy"
      expect_text "$work/err" "it has no such file"
      [ ! -e "$work/copy" ] || die "$bad left something behind"
    done
    expect_code 5 as a net fetch get "${address[b]}" much "$work/copy" # it serves none
    expect_code 2 as b net fetch get "${address[a]}" much "$work/much" # it is there already
    # Without a daemon, too.
    configure c <role.toml
    answers c fetch get "${address[a]}" much "$work/again"
    cmp served/much "$work/again" || die "the copy without a daemon is another file"
    ;;
  daytime)
    need openssl
    built org.example.daytime
    for who in alice bob mallory; do
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj "/CN=$who" \
        -keyout $who.pem -outform DER -out $who.der 2>/dev/null
      openssl pkcs8 -topk8 -nocrypt -in $who.pem -outform DER -out $who.key
    done
    # settings WHO FRIEND...: its table
    settings() {
      local who=$1 friend list=
      shift
      for friend; do list+="\"$PWD/$friend.der\", "; done
      cat role.toml
      printf 'certificate = "%s"\nkey = "%s"\naccept = [%s]\n' "$PWD/$who.der" "$PWD/$who.key" "${list%, }"
    }
    settings alice bob | configure alice
    settings bob alice | configure bob
    settings mallory alice | configure mallory
    for who in alice bob mallory; do start $who; done
    before=$(date -u +%Y-%m-%dT%H:%M)
    answers bob daytime ask "${address[alice]}"
    after=$(date -u +%Y-%m-%dT%H:%M)
    grep -qE "\{\"from\":\"alice\",\"time\":\"($before|$after):[0-9]{2}Z\"\}" "$work/out" || die "$(cat "$work/out")"
    # A stranger is told nothing, and a friend's friend shows nothing to trust.
    expect_code 4 as mallory net daytime ask "${address[alice]}"
    expect_text "$work/err" "no time came"
    expect_code 5 as alice net daytime ask "${address[mallory]}"
    expect_text "$work/err" "not accepted here"
    # The nodes' own protocol goes on beside it, and without a daemon it works as well.
    answers bob ping "${address[alice]}" --count 1
    settings bob alice | configure carol
    answers carol daytime ask "${address[alice]}"
    expect_text "$work/out" '"from":"alice"'
    ;;
  *) die "no such example: $name" ;;
esac
for role in org.example.*.so build/org.example.*.so; do
  [ ! -e "$role" ] || expect_one_symbol "$role"
done
