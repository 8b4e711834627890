#include "cli/arguments.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/exit_codes.h"

namespace atlas::cli {
namespace {

using Words = std::vector<std::string>;

std::vector<Command> commands() {
  std::vector<Command> all = fixed_commands();
  all.push_back({.path = "net ping",
                 .summary = "measure the way to a peer",
                 .where = kWhereDaemon | kWhereClient,
                 .args = {{"target", ArgumentKind::kText, true, "who"},
                          {"--count", ArgumentKind::kInteger, false, "how often"},
                          {"--follow", ArgumentKind::kFlag, false, "go on"}}});
  all.push_back({.path = "net send",
                 .summary = "send a message",
                 .args = {{"target", ArgumentKind::kText, true, "whom"}, {"body", ArgumentKind::kRest, true, "what"}}});
  all.push_back({.path = "net relay status", .summary = "sessions of the relay"});
  return all;
}

Invocation parsed(const Words& words, const std::string& input = "") {
  std::istringstream in(input);
  const Parsed result = parse_arguments(words, commands(), "1.2.3", in);
  const auto* ended = std::get_if<Ended>(&result);
  EXPECT_EQ(ended, nullptr) << (ended != nullptr ? ended->err + ended->out : "");
  return ended == nullptr ? std::get<Invocation>(result) : Invocation{};
}

Ended ended(const Words& words, const std::string& input = "") {
  std::istringstream in(input);
  const Parsed result = parse_arguments(words, commands(), "1.2.3", in);
  const auto* end = std::get_if<Ended>(&result);
  EXPECT_NE(end, nullptr);
  return end != nullptr ? *end : Ended{-1, {}, {}};
}

TEST(Arguments, GlobalOptionsStandAnywhere) {
  for (const Words& words : {Words{"--root", "/r", "--json", "-q", "net", "status"},
                             Words{"net", "--root=/r", "--json", "status", "--quiet"},
                             Words{"net", "status", "--quiet", "--json", "--root", "/r"}}) {
    const Invocation call = parsed(words);
    EXPECT_EQ(call.path, "net status");
    EXPECT_EQ(call.globals.root, "/r");
    EXPECT_TRUE(call.globals.json);
    EXPECT_TRUE(call.globals.quiet);
  }
  EXPECT_EQ(parsed({"net", "status"}).globals.root, std::nullopt);
}

TEST(Arguments, OperandsAndOptionsInAnyOrder) {
  for (const Words& words : {Words{"net", "ping", "a:1", "--count", "4", "--follow"},
                             Words{"net", "ping", "--count=4", "--follow", "a:1"}}) {
    const auto args = parsed(words).joined();
    EXPECT_EQ(args, (std::map<std::string, std::string>{{"target", "a:1"}, {"--count", "4"}, {"--follow", "true"}}));
  }
  EXPECT_EQ(parsed({"net", "ping", "a:1"}).joined().size(), 1u);
}

TEST(Arguments, TheRestIsJoined) {
  EXPECT_EQ(parsed({"net", "send", "t", "hello", "wide  world"}).joined().at("body"), "hello wide  world");
  EXPECT_EQ(parsed({"net", "send", "t", "--", "--json", "-x"}).joined().at("body"), "--json -x");
  EXPECT_FALSE(parsed({"net", "send", "t", "--", "--json"}).globals.json);
  // A word that is also a verb is a word of the message.
  EXPECT_EQ(parsed({"net", "send", "t", "status", "net", "ping"}).joined().at("body"), "status net ping");
}

TEST(Arguments, ADashAloneIsStandardInput) {
  const std::string letter = "line one\n\"line\" two\n";
  EXPECT_EQ(parsed({"net", "send", "t", "-"}, letter).joined().at("body"), letter);
  EXPECT_EQ(parsed({"id", "set-bio", "-"}, letter).joined().at("text"), letter);
  EXPECT_EQ(parsed({"net", "send", "t", "-"}).joined().at("body"), "");
  EXPECT_EQ(parsed({"net", "send", "t", "-", "more"}, letter).joined().at("body"), "- more");
  EXPECT_EQ(parsed({"net", "send", "t", "--", "-"}, letter).joined().at("body"), "-");
  EXPECT_EQ(parsed({"net", "send", "-", "text"}, letter).joined().at("target"), "-");  // it is for the rest alone
}

TEST(Arguments, StandardInputIsBounded) {
  EXPECT_EQ(parsed({"net", "send", "t", "-"}, std::string(kMaxInputBytes, 'x')).joined().at("body").size(),
            kMaxInputBytes);
  const Ended end = ended({"net", "send", "t", "-"}, std::string(kMaxInputBytes + 1, 'x'));
  EXPECT_EQ(end.exit_code, kUsage);
  EXPECT_TRUE(end.err.starts_with("net send: BODY: standard input has more than 4194304 bytes\n")) << end.err;
}

TEST(Arguments, TextsThatAreNotUtf8AreRefusedByName) {
  const std::string wrong = "gr\xfc\xdf";
  const auto said = [](const Words& words, const std::string& input = "") {
    const Ended end = ended(words, input);
    EXPECT_EQ(end.exit_code, kUsage);
    return end.err.substr(0, end.err.find('\n'));
  };
  EXPECT_EQ(said({"net", "send", "t", "fine", wrong}), "net send: BODY is not UTF-8; text has to be");
  EXPECT_EQ(said({"net", "send", wrong, "text"}), "net send: TARGET is not UTF-8; text has to be");
  EXPECT_EQ(said({"net", "listen", "--log-level", wrong}), "net listen: --log-level is not UTF-8; text has to be");
  EXPECT_EQ(said({"net", "send", "t", "-"}, wrong), "net send: BODY: standard input is not UTF-8; text has to be");
  EXPECT_EQ(parsed({"net", "send", "t", "größe"}).joined().at("body"), "größe");
  EXPECT_EQ(parsed({"--root", wrong, "net", "status"}).globals.root, wrong);  // the name of a file may be anything
}

TEST(Arguments, ErrorsAreInOurWords) {
  const auto said = [](const Words& words) {
    const Ended end = ended(words);
    return end.err.substr(0, end.err.find('\n'));
  };
  EXPECT_EQ(said({"net", "ping"}), "net ping: TARGET is missing");
  EXPECT_EQ(said({"net", "send", "t"}), "net send: BODY is missing");
  EXPECT_EQ(said({"config", "init"}), "config init: --role is missing");
  EXPECT_EQ(said({"net", "ping", "a", "--count"}), "net ping: --count needs a value");
  EXPECT_EQ(said({"net", "ping", "a", "--count", "1", "--count", "2"}), "net ping: --count is given more than once");
  EXPECT_EQ(said({"net", "ping", "a", "--count", "x"}), "net ping: --count: \"x\" is not an integer");
  EXPECT_EQ(said({"net", "ping", "a", "--count", "flag override"}),
            "net ping: --count: \"flag override\" is not an integer");
  EXPECT_EQ(said({"net", "ping", "a", "--follow=3"}), "net ping: --follow takes no value");
  EXPECT_EQ(said({"net", "status", "--root"}), "net status: --root needs a value");
  EXPECT_EQ(said({"net", "status", "--json=x"}), "net status: --json takes no value");
}

TEST(Arguments, ListsTakeOneValueEach) {
  const Invocation call = parsed({"net", "listen", "--bind", "::1", "--port", "0", "--bind", "127.0.0.1"});
  EXPECT_EQ(call.list("--bind"), (Words{"::1", "127.0.0.1"}));
  EXPECT_EQ(call.list("--port"), (Words{"0"}));
  EXPECT_TRUE(call.list("--relay").empty());
}

TEST(Arguments, CommandsOfPluginsMayHaveGroups) {
  EXPECT_EQ(parsed({"net", "relay", "status"}).path, "net relay status");
  EXPECT_EQ(ended({"net", "relay"}).exit_code, kUsage);
}

TEST(Arguments, WhatIsWrongIsAUsageError) {
  for (const Words& words :
       {Words{}, Words{"net"}, Words{"nett"}, Words{"net", "pingg", "x"}, Words{"net", "ping"},
        Words{"net", "ping", "a", "b"}, Words{"net", "ping", "a", "--count", "x"}, Words{"net", "ping", "a", "--count"},
        Words{"net", "ping", "a", "--count", "1", "--count", "2"}, Words{"net", "ping", "a", "--counts", "1"},
        Words{"net", "status", "peers"}, Words{"config", "init"}, Words{"--jsn", "net", "status"}}) {
    const Ended end = ended(words);
    EXPECT_EQ(end.exit_code, kUsage) << testing::PrintToString(words);
    EXPECT_EQ(end.out, "");
    EXPECT_NE(end.err, "") << testing::PrintToString(words);
  }
}

TEST(Arguments, AnErrorNamesTheWordAndTheNearestOne) {
  EXPECT_EQ(ended({"net", "pign", "x"}).err,
            "net: unknown command \"pign\"; did you mean ping?\nsee `atlas net --help`\n");
  EXPECT_EQ(ended({"net", "ping", "a", "--cuont", "1"}).err,
            "net ping: unknown option \"--cuont\"; did you mean --count?\n"
            "usage: atlas net ping TARGET [--count N] [--follow]\nsee `atlas net ping --help`\n");
  EXPECT_EQ(ended({"net", "status", "peers"}).err,
            "net status: unknown argument \"peers\"\nusage: atlas net status\nsee `atlas net status --help`\n");
  EXPECT_NE(ended({"net", "ping", "a", "--count", "x"}).err.find("\"x\" is not an integer"), std::string::npos);
}

TEST(Arguments, HelpIsAvailableEverywhere) {
  for (const Words& words :
       {Words{"--help"}, Words{"net", "--help"}, Words{"net", "ping", "--help"}, Words{"net", "ping", "-h"},
        Words{"net", "relay", "--help"}, Words{"id", "show", "--help"}}) {
    const Ended end = ended(words);
    EXPECT_EQ(end.exit_code, kOk);
    EXPECT_NE(end.out.find("Usage: atlas"), std::string::npos);
    EXPECT_EQ(end.err, "");
  }
  EXPECT_NE(ended({"net", "--help"}).out.find("  ping "), std::string::npos);
  EXPECT_NE(ended({"net", "ping", "--help"}).out.find("--count N"), std::string::npos);
}

TEST(Arguments, HelpOfWhatIsNotThereIsAUsageError) {
  for (const Words& words : {Words{"net", "bogus", "--help"}, Words{"net", "--help", "bogus"}}) {
    const Ended end = ended(words);
    EXPECT_EQ(end.exit_code, kUsage);
    EXPECT_EQ(end.out, "");
    EXPECT_EQ(end.err, "net: unknown command \"bogus\"\nsee `atlas net --help`\n");
  }
  EXPECT_EQ(ended({"bogus", "-h"}).err, "unknown command \"bogus\"\nsee `atlas --help`\n");
}

TEST(Arguments, VersionIsAvailableEverywhere) {
  EXPECT_EQ(ended({"--version"}).out, "atlas 1.2.3\n");
  EXPECT_EQ(ended({"net", "status", "--version"}).out, "atlas 1.2.3\n");
}

TEST(Arguments, AGlanceSeesRootAndVerb) {
  const Glance seen = glance({"--json", "--root", "/r", "net", "-q", "ping", "x"});
  EXPECT_EQ(seen.globals.root, "/r");
  EXPECT_TRUE(seen.globals.json);
  EXPECT_TRUE(seen.globals.quiet);
  EXPECT_EQ(seen.verb, (Words{"net", "ping"}));
  EXPECT_EQ(glance({"net", "send", "--", "--root", "x"}).globals.root, std::nullopt);
}

}  // namespace
}  // namespace atlas::cli
