#!/usr/bin/env bash
# check_test.sh PREFIX SOURCE: `atlas plugin check` names what a bad role does, and its exit codes are those that a CI
# relies on. Each bad role is the echo of the examples with one mistake put in.
source "$(dirname "$0")/common.sh"
need cc c++ pkg-config

# bad NAME EXPRESSION [COMPILER OPTION...]: builds the role with that mistake, by sed.
bad() {
  local name=$1 mistake=$2
  shift 2
  sed -e "s/org.example.echo/$name/; $mistake" "$prefix/share/atlas/examples/echo/echo.c" >"$name.c"
  cc -std=c11 -shared -fPIC "$name.c" $(pkg-config --cflags atlas-sdk) "$@" -o "$name.so"
}
hidden=$(pkg-config --libs atlas-sdk)
# fails NAME STEP TEXT...: the check finds it in that step, with those words.
fails() {
  local name=$1 step=$2
  shift 2
  expect_code 1 atlas plugin check "$name.so" --step "$step" --timeout 3 --json
  grep -qE "\"step\":\"$step\",\"result\":\"fail\"" "$work/out" || die "$step was passed: $(cat "$work/out")"
  for text in "$@"; do expect_text "$work/out" "$text"; done
}

for role in bootstrap discovery keepalive messaging relay; do
  expect_code 0 atlas plugin check "$prefix/lib/atlas/plugins/$role.so"
done

answers='return echo->messages->reply.*'
bad crashes "s/$answers/return *(volatile int *)(message->body.size - message->body.size);/" $hidden
fails crashes malformed "crashed with SIG" "a peer asks 0xc0 with"
bad hangs 's/return echo->messages->reply.*/(void)echo; for (;;) if (message->type == 0) return 0;/' $hidden
fails hangs oversized "hung: it had not ended after 3 s"
bad ends 's/return echo->messages->reply.*/(void)echo; exit((int)message->struct_size \& 1);/' $hidden
fails ends vanishing "ended the process"
bad silent 's/return echo->messages->reply.*/(void)echo; return ATLAS_OK;/' $hidden
fails silent malformed "promised an answer and gave none"
bad core 's/ANSWER, message/0x01, message/' $hidden
fails core malformed "broke the plugin ABI" "belongs to the core"
bad leaky 's/^static void stop/void leaked_name(void) {} void stop/' -fvisibility=default
fails leaky symbols "leaked_name"
bad wants 's/^static void stop/void atlas_log(void); void (*f)(void) = atlas_log; static void stop/' -Wl,-z,lazy
fails wants symbols "atlas_log"
bad future 's/abi_minor_min = 0/abi_minor_min = 9/' $hidden
fails future abi "needs plugin ABI 1.9"
expect_code 1 atlas plugin check future.so --json
expect_text "$work/out" '"step":"malformed","result":"skipped"'
bad usurper 's/REQUEST = 0xc0/REQUEST = 0x20/' $hidden
fails usurper describe "0x20"
bad open 's/x/x/' $hidden
chmod g+w open.so
fails open file "chmod go-w"

# bad_example EXAMPLE NAME EXPRESSION: the same with an example in C++.
bad_example() {
  local example=$1 name=$2 mistake=$3
  sed -e "s/org.example.$example/$name/; $mistake" "$prefix/share/atlas/examples/$example/$example.cc" >"$name.cc"
  ! cmp -s "$name.cc" <(sed -e "s/org.example.$example/$name/" "$prefix/share/atlas/examples/$example/$example.cc") ||
    die "$name has no mistake: the example changed"
  c++ -std=c++20 -shared -fPIC "$name.cc" $(pkg-config --cflags atlas-sdk) $hidden -o "$name.so"
}
asked='if (!event.data.empty()) .*'
bad_example fetch credits "s/$asked/if (event.fin) (void)host_.streams().credit(event.stream, 1 << 20);/"
fails credits streams "broke the plugin ABI" "credit(): more than was delivered"
bad_example fetch ends "s/$asked/if (event.fin \\&\\& *event.data.data() == 0) return;/"
fails ends streams "crashed with SIG" "and finishes at once"
bad_example daytime trusts 's/= presented.certificate()/= atlas::view(*presented.chain.data())/'
fails trusts protocols "crashed with SIG" "a stranger connects with daytime/1 and shows no certificate"

# One crash hides nothing of the rest, and each step can be had alone.
expect_code 1 atlas plugin check crashes.so
expect_text "$work/out" "fail     malformed"
expect_text "$work/out" "pass     start"
expect_text "$work/err" "steps were not passed"
expect_code 0 atlas plugin check crashes.so --step start
expect_code 6 atlas plugin check nowhere.so
expect_code 2 atlas plugin check crashes.c
expect_code 2 atlas plugin check crashes.so --step none
expect_code 2 atlas plugin check crashes.so --timeout 0
