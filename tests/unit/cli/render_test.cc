#include "cli/render.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/exit_codes.h"

namespace atlas::cli {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

// One run of a command, with what it printed.
class Render : public testing::Test {
 protected:
  Printer& printer(Command command, Style style = {}) {
    command_ = std::move(command);
    style.now_s = [this] { return now_; };
    printer_ = std::make_unique<Printer>(command_, style, out_, err_);
    return *printer_;
  }
  std::string out() { return std::exchange(out_, std::ostringstream()).str(); }
  std::string err() { return std::exchange(err_, std::ostringstream()).str(); }

  Command command_;
  std::int64_t now_ = kNow;
  std::ostringstream out_, err_;
  std::unique_ptr<Printer> printer_;
};

const Command kPeers{.path = "net peers",
                     .summary = "",
                     .display = "node_id:id=node id, name, last_seen:ago=last seen",
                     .when_empty = "no peers yet",
                     .rows_are_array = true};
const Command kInbox{.path = "net inbox", .summary = "", .display = "from:id, body"};
const Command kConnect{.path = "net connect", .summary = "", .display = "node_id:id=node id, rtt_ms:ms=round trip"};
const std::string kId = "atlas_" + std::string(64, 'a');

TEST_F(Render, AnArrayBecomesAnAlignedTable) {
  auto& print = printer(kPeers);
  print.result(R"([{"node_id":")" + kId + R"(","name":"größe","last_seen":1699999940},
                   {"node_id":"atlas_b","name":null,"last_seen":0}])");
  EXPECT_EQ(print.finish(kOk, ""), kOk);
  EXPECT_EQ(out(),
            "NODE ID          NAME   LAST SEEN\n"
            "atlas_aaaaaaaa…  größe  1 min ago\n"
            "atlas_b          -      -\n");
  EXPECT_EQ(err(), "");
}

TEST_F(Render, AColumnThatNoRowHasIsNotShown) {
  auto& print = printer({.path = "net outbox", .summary = "", .display = "id, outcome, reason"});
  print.result(R"([{"id":"a","reason":null},{"id":"b","reason":"away"}])");
  EXPECT_EQ(print.finish(kOk, ""), kOk);
  EXPECT_EQ(out(), "ID  REASON\na   -\nb   away\n");
}

TEST_F(Render, OneObjectBecomesLinesWithTheWholeId) {
  auto& print = printer(kConnect);
  print.result(R"({"node_id":")" + kId + R"(","rtt_ms":1.25,"other":1})");
  EXPECT_EQ(print.finish(kOk, ""), kOk);
  EXPECT_EQ(out(), "node id:     " + kId + "\nround trip:  1.25 ms\n");
}

TEST_F(Render, WithoutASpecEveryKeyIsShown) {
  auto& print = printer({.path = "net x", .summary = ""});
  print.result(R"({"first_key":"a","b":[1,2]})");
  print.finish(kOk, "");
  EXPECT_EQ(out(), "first key:  a\nb:          1, 2\n");
}

TEST_F(Render, AnEmptyTableIsASentenceOnStderr) {
  for (const bool quiet : {false, true}) {
    auto& print = printer(kPeers, {.quiet = quiet});
    print.result("[]");
    EXPECT_EQ(print.finish(kOk, ""), kOk);
    EXPECT_EQ(out(), "");
    EXPECT_EQ(err(), quiet ? "" : "no peers yet\n");
  }
}

TEST_F(Render, ARowIsAsOldAsWhenItIsShown) {
  auto& print = printer({.path = "net inbox", .summary = "", .display = "at:ago, body"});
  print.row(R"({"at":1699999990,"body":"a"})");
  EXPECT_EQ(out(), "AT        BODY\n10 s ago  a\n");
  now_ += 3600;
  print.row(R"({"at":1700003594,"body":"b"})");
  EXPECT_EQ(out(), "6 s ago   b\n");
}

TEST_F(Render, RowsAreShownAsTheyCome) {
  auto& print = printer(kInbox);
  print.row(R"({"from":"atlas_1","body":"hi"})");
  EXPECT_EQ(out(), "FROM     BODY\natlas_1  hi\n");
  print.row(R"({"from":"a","body":"there"})");
  EXPECT_EQ(out(), "a        there\n");
  EXPECT_EQ(print.finish(kOk, ""), kOk);
  EXPECT_EQ(out(), "");
}

TEST_F(Render, JsonRowsAreOneDocumentALine) {
  auto& print = printer(kInbox, {.json = true});
  print.row("{\"b\": 1,\n\"a\": 2}");
  print.row("3");
  print.progress("waiting");
  EXPECT_EQ(print.finish(kOk, ""), kOk);
  EXPECT_EQ(out(), "{\"b\":1,\"a\":2}\n3\n");
  EXPECT_EQ(err(), "");
}

TEST_F(Render, JsonRowsOfAListAreOneArray) {
  auto& print = printer(kPeers, {.json = true});
  print.row("{\"node_id\":\"a\"}");
  print.row("{\"node_id\":\"b\"}");
  EXPECT_EQ(out(), "");
  print.finish(kOk, "");
  EXPECT_EQ(out(), "[{\"node_id\":\"a\"},{\"node_id\":\"b\"}]\n");
}

TEST_F(Render, AnEmptyListIsAnEmptyArray) {
  EXPECT_EQ(printer(kPeers, {.json = true}).finish(kOk, ""), kOk);
  EXPECT_EQ(out(), "[]\n");
  EXPECT_EQ(err(), "");
}

TEST_F(Render, JsonIsTheResultAndNothingElse) {
  auto& print = printer(kConnect, {.json = true});
  print.result("{ \"rtt_ms\" : 1.25,\n \"node_id\" : \"x\\u001b\" }");
  EXPECT_EQ(print.finish(kOk, ""), kOk);
  EXPECT_EQ(out(), "{\"rtt_ms\":1.25,\"node_id\":\"x\\u001b\"}\n");
}

TEST_F(Render, ProgressIsForPeopleWhoWantIt) {
  printer(kConnect).progress("asking\x1b[0m");
  EXPECT_EQ(err(), "asking\\x1b[0m\n");
  printer(kConnect, {.quiet = true}).progress("asking");
  EXPECT_EQ(err(), "");
}

TEST_F(Render, AnErrorNamesTheCommand) {
  EXPECT_EQ(printer(kConnect).finish(kUnreachable, "192.0.2.1:4433: no answer within 5 s"), kUnreachable);
  EXPECT_EQ(out(), "");
  EXPECT_EQ(err(), "atlas: net connect: 192.0.2.1:4433: no answer within 5 s\n");
}

TEST_F(Render, AnErrorUnderJsonIsADocumentToo) {
  EXPECT_EQ(printer(kConnect, {.json = true}).finish(kRefused, "banned"), kRefused);
  EXPECT_EQ(out(), "{\"error\":{\"exit_code\":5,\"name\":\"refused\",\"text\":\"net connect: banned\"}}\n");
  EXPECT_EQ(err(), "atlas: net connect: banned\n");
}

TEST_F(Render, AFailureWithAResultPrintsOneDocument) {
  auto& print = printer(kConnect, {.json = true});
  print.result("{\"received\":0}");
  EXPECT_EQ(print.finish(kUnreachable, "no answer"), kUnreachable);
  EXPECT_EQ(out(), "{\"received\":0}\n");
  EXPECT_EQ(err(), "atlas: net connect: no answer\n");
}

TEST_F(Render, AListThatFailedIsNoEmptyList) {
  EXPECT_EQ(printer(kPeers, {.json = true}).finish(kFailure, "disk"), kFailure);
  EXPECT_EQ(out(), "{\"error\":{\"exit_code\":1,\"name\":\"failure\",\"text\":\"net peers: disk\"}}\n");
}

TEST_F(Render, AnErrorWithoutAReasonStillSaysSomething) {
  EXPECT_EQ(printer(kConnect).finish(kFailure, ""), kFailure);
  EXPECT_NE(err().find("atlas: net connect: "), std::string::npos);
}

TEST_F(Render, TextOfPeersIsEscapedInTablesAndErrors) {
  auto& print = printer(kPeers);
  print.result(R"([{"node_id":"a","name":"\u001b]0;owned\u0007","last_seen":0}])");
  print.finish(kFailure, "peer said: \x1b[31m\nsecond line");
  EXPECT_EQ(out().find('\x1b'), std::string::npos);
  EXPECT_EQ(err(), "atlas: net peers: peer said: \\x1b[31m\nsecond line\n");
}

TEST_F(Render, ColourIsOnlyInTheHeaderAndOnlyWhereAsked) {
  auto& print = printer(kInbox, {.color = true});
  print.row(R"({"from":"a","body":"b"})");
  EXPECT_EQ(out(), "\x1b[1mFROM  BODY\x1b[0m\na     b\n");
}

TEST_F(Render, WideCellsAreCutButNotTheLast) {
  auto& print = printer(kInbox);
  print.row(R"({"from":")" + std::string(100, 'f') + R"(","body":")" + std::string(100, 'b') + R"("})");
  const std::string text = out();
  EXPECT_NE(text.find(std::string(47, 'f') + "…  " + std::string(100, 'b') + "\n"), std::string::npos);
}

TEST_F(Render, OutputThatCannotBeWrittenIsAFailure) {
  auto& print = printer(kConnect);
  out_.setstate(std::ios::badbit);
  print.result("{\"node_id\":\"a\"}");
  EXPECT_EQ(print.finish(kOk, ""), kFailure);
  EXPECT_NE(err().find("could not be written"), std::string::npos);
}

TEST_F(Render, AListOfScalarsIsATableOfOneColumn) {
  auto& print = printer({.path = "net x", .summary = ""});
  print.result("[\"a\",\"b\"]");
  print.finish(kOk, "");
  EXPECT_EQ(out(), "VALUE\na\nb\n");
}

TEST(WithCommand, EachLineOfTheProgramsOwnNamesTheCommand) {
  EXPECT_EQ(with_command("atlas: there is no key yet\n", "id show", "atlas: "),
            "atlas: id show: there is no key yet\n");
  EXPECT_EQ(with_command("config.toml:2:1: what?\natlas: and more", "config init", ""),
            "config.toml:2:1: what?\nconfig init: and more");
  EXPECT_EQ(with_command("", "id show", "atlas: "), "");
}

}  // namespace
}  // namespace atlas::cli
