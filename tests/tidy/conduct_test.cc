// How the code behaves wherever it is: headers introduce themselves, no calls that the house has a replacement for, no
// notes to self.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tidy/source_tree.h"

namespace atlas::tidy {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool begins_guard(std::string_view line) {
  return line.starts_with("#pragma once") || line.starts_with("#ifndef ");
}

TEST(Headers, BeginWithWhatTheyAreForAndThenTheGuard) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_header()) continue;
    const std::string_view first = file.lines.empty() ? std::string_view() : trimmed(file.lines[0]);
    const bool comment = first.starts_with("/*") || first.starts_with("//");
    if (!comment || first.size() < 8) {
      findings.add(file, 1, "a header opens with a comment: what it is for, which thread may call it, who owns what");
    }
    const auto guard = std::ranges::find_if(file.lines, [](const auto& line) { return begins_guard(trimmed(line)); });
    const auto code = std::ranges::find_if(file.code, [](const auto& line) { return !trimmed(line).empty(); });
    if (guard == file.lines.end()) {
      findings.add(file, 1, "no #pragma once and no include guard; add one below the opening comment");
    } else if (guard - file.lines.begin() != code - file.code.begin()) {
      findings.add(file, static_cast<std::size_t>(code - file.code.begin()) + 1,
                   "code before the guard; move it below");
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Conduct, NoUsingNamespaceStd) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      const std::string_view line = trimmed(file.code[i]);
      if (line.starts_with("using namespace std;") || (line.starts_with("using namespace") && file.is_header())) {
        findings.add(file, i + 1, "name what is used: std::..., or a using declaration inside a function");
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Conduct, NoNotesToSelf) {
  const std::vector<std::string> words = {std::string("TO") + "DO", std::string("FIX") + "ME", std::string("X") + "XX",
                                          std::string("HA") + "CK"};
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (file.is_below("tests/fuzz/corpus/")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string& word : words) {
        if (has_word(file.lines[i], word)) findings.add(file, i + 1, word + ": do it now, or open an issue");
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

// A call that the house does without: where it is looked for, where it may be all the same, what to use.
struct Banned {
  std::vector<std::string_view> names;
  std::vector<std::string_view> where;   // folders or beginnings of paths; {""} is the whole tree
  std::vector<std::string_view> except;  // files or folders, each for the reason in the table
  bool with_arguments;                   // name() with empty brackets is something else
  std::string_view instead;
};

const std::vector<Banned>& banned_calls() {
  static const std::vector<std::string_view> kEverywhere = {""};
  static const std::vector<Banned> kAll = {
      // clock.cc is the system's clock. crash_record.cc asks in a signal handler, where nothing may be called that was
      // injected.
      {{"time", "ftime", "gettimeofday", "clock_gettime", "timespec_get"},
       kEverywhere,
       {"core/base/clock.cc", "core/node/crash_record.cc"},
       true,
       "take the injected base::Clock (roles: host.now())"},
      // random.cc is the system's randomness.
      {{"getrandom", "getentropy", "randombytes_buf", "randombytes_random", "randombytes_uniform", "arc4random_buf"},
       kEverywhere,
       {"core/base/random.cc"},
       true,
       "take the injected base::Random (roles: host.random())"},
      {{"rand", "srand", "srandom", "drand48", "lrand48", "mrand48"},
       {"core/", "plugins/", "sdk/", "cli/"},
       {},
       false,
       "take the injected base::Random (roles: host.random())"},
      // Tests of generated pages rewrite them when a person asks for it; tests that kill, hammer or throw dice take how
      // long to go on.
      {{"getenv", "secure_getenv", "setenv", "putenv"},
       {"core/", "plugins/", "sdk/", "tests/"},
       {"tests/abi/pages/capability_pages_test.cc", "tests/abi/reference_test.cc",
        "tests/unit/config/reference_test.cc", "tests/integration/processes/kill_test.cc",
        "tests/integration/store_kill/store_kill_test.cc", "tests/sim/foreign_threads_test.cc",
        "tests/sim/life_cycle_test.cc", "tests/attack/", "sdk/examples/", "sdk/validator/"},
       true,
       "read the environment in cli/ and pass the value down"},
      // process.cc waits for the lock of a daemon that is stopping; packet_keys.cc has a member of that name.
      {{"sleep", "usleep", "nanosleep", "clock_nanosleep", "sleep_for", "sleep_until", "uv_sleep"},
       {"core/", "plugins/", "sdk/", "cli/", "tests/"},
       {"core/node/process.cc", "core/quic/packet_keys.cc"},
       true,
       "arm a timer of the injected net::Loop; tests wait for the event, or move virtual time"},
      {{"strcpy", "strcat", "strncpy", "strncat", "stpcpy", "sprintf", "vsprintf", "gets", "strtok", "alloca", "system",
        "popen", "tmpnam", "mktemp"},
       kEverywhere,
       {},
       true,
       "use std::string, fmt::format, std::span or mkdtemp"},
      {{"atoi", "atol", "atoll", "atof"}, kEverywhere, {}, true, "use std::from_chars and say what is wrong"},
      {{"memcmp", "bcmp"},
       {"core/identity/", "core/session/", "core/quic/"},
       {},
       true,
       "compare secrets with base::equal_constant_time, public bytes with == or std::ranges::equal"},
      {{"assert", "abort"},
       {"core/wire/", "core/quic/", "core/session/", "core/node/"},
       {},
       true,
       "input of peers is a value and a counter, never the end of the process"},
  };
  return kAll;
}

bool begins_with_any(const std::string& path, const std::vector<std::string_view>& beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view beginning) { return path.starts_with(beginning); });
}

TEST(Conduct, NoBannedCalls) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    for (const Banned& rule : banned_calls()) {
      if (!begins_with_any(file.path, rule.where) || begins_with_any(file.path, rule.except)) continue;
      for (std::size_t i = 0; i < file.code.size(); ++i) {
        for (const std::string_view name : rule.names) {
          if (!calls(file.code[i], name, rule.with_arguments)) continue;
          findings.add(file, i + 1, std::string(name) + "(): " + std::string(rule.instead));
        }
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Conduct, EveryExceptionOfABannedCallStillExists) {
  for (const Banned& rule : banned_calls()) {
    for (const std::string_view path : rule.except) {
      if (path.ends_with('/')) continue;
      EXPECT_NE(find_file(path), nullptr) << path << " is gone; take it out of banned_calls()";
    }
  }
}

// clock.cc and random.cc are the system's clock and randomness. log.cc: a line carries the time of the machine, also
// where the node's own clock is a simulated one. processes.h waits for other processes, on whose clock that is.
constexpr std::string_view kSystemsOwn[] = {"core/base/clock.cc", "core/base/random.cc", "core/base/log.cc",
                                            "tests/kit/processes.h"};

TEST(Conduct, EveryFileThatMayAskTheSystemStillExists) {
  for (const std::string_view path : kSystemsOwn) EXPECT_NE(find_file(path), nullptr) << path << " is gone";
}

TEST(Conduct, NoClockOrRandomnessOfTheSystem) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (std::ranges::find(kSystemsOwn, file.path) != std::end(kSystemsOwn)) continue;
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      const std::string& line = file.code[i];
      for (const std::string_view clock : {"system_clock", "steady_clock", "high_resolution_clock", "utc_clock"}) {
        const std::size_t at = line.find(clock);
        if (at == std::string::npos || !std::string_view(line).substr(at + clock.size()).starts_with("::now")) continue;
        findings.add(file, i + 1, std::string(clock) + "::now: take the injected base::Clock");
      }
      if (has_word(line, "random_device")) {
        findings.add(file, i + 1, "random_device: take the injected base::Random, in tests base::SeededRandom");
      }
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

}  // namespace
}  // namespace atlas::tidy
