// The Message and its acknowledgement as bytes, ids, and bodies that people type.
#include "message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kit/fake_host.h"
#include "kit/vectors.h"

namespace {

using atlas::msgpack::MapView;
using atlas::msgpack::View;
using atlas::test::load_vectors;
using atlas::test::Vector;
using messaging::Message;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(std::span<const std::uint8_t> span) {
  return {span.begin(), span.end()};
}
std::optional<std::string> optional_of(const nlohmann::json& fields, const char* key) {
  if (!fields.contains(key)) return std::nullopt;
  return fields.at(key).get<std::string>();
}
// The body's bytes are the vector's: what they mean is compared in the decode test.
Message message_of(const Vector& vector) {
  Message out;
  out.id = vector.fields.at("id");
  out.from = vector.fields.at("from");
  out.to = vector.fields.at("to");
  out.timestamp = vector.fields.at("timestamp");
  out.reply_to = optional_of(vector.fields, "reply_to");
  out.topic = optional_of(vector.fields, "topic");
  out.body = bytes_of(MapView::of(vector.payload()).find("body").raw());
  return out;
}

TEST(MessageVectors, MessagesAreWrittenByteForByte) {
  const auto file = load_vectors("10_message.json");
  EXPECT_EQ(file.type, messaging::kMessage);
  int seen = 0;
  for (const auto& vector : file.vectors) {
    if (vector.kind != Vector::Kind::kExact) continue;
    EXPECT_EQ(messaging::encode(message_of(vector)), bytes_of(vector.payload())) << vector.name;
    ++seen;
  }
  EXPECT_GE(seen, 3);
}

TEST(MessageVectors, MessagesAreReadAsTheVectorsSay) {
  for (const auto& vector : load_vectors("10_message.json").vectors) {
    SCOPED_TRACE(vector.name);
    std::string why;
    const auto message = messaging::decode(MapView::of(vector.payload()), why);
    if (vector.kind == Vector::Kind::kRefuses) {
      EXPECT_TRUE(vector.at != "fields" || !message.has_value());
      EXPECT_EQ(message.has_value(), why.empty());
      continue;
    }
    ASSERT_TRUE(message.has_value()) << why;
    const Message expected = message_of(vector);
    EXPECT_EQ(message->id, expected.id);
    EXPECT_EQ(message->from, expected.from);
    EXPECT_EQ(message->to, expected.to);
    EXPECT_EQ(message->timestamp, expected.timestamp);
    EXPECT_EQ(message->reply_to, expected.reply_to);
    EXPECT_EQ(message->topic, expected.topic);
    EXPECT_TRUE(atlas::test::means(View(message->body), vector.fields.at("body")));
  }
}

TEST(MessageVectors, AcksAreWrittenByteForByte) {
  const auto file = load_vectors("11_message_ack.json");
  EXPECT_EQ(file.type, messaging::kMessageAck);
  const auto& received = file.get("received");
  EXPECT_EQ(messaging::encode_ack(received.fields.at("msg_id").get<std::string>()), bytes_of(received.payload()));
}

Message valid() {
  return message_of(load_vectors("10_message.json").get("reply_with_topic"));
}
std::string refusal(const Message& message) {
  std::string why;
  const auto read = messaging::decode(MapView::of(messaging::encode(message)), why);
  return read ? "" : why;
}

TEST(Message, WhatIsNoMessageIdIsRefused) {
  const std::string id = valid().id;
  EXPECT_EQ(refusal(valid()), "");
  for (const std::string& bad :
       {std::string(), id + "0", id.substr(0, id.size() - 1), "MSG_" + id.substr(4), "msg_" + std::string(36, 'a'),
        "msg_" + std::string(36, '-'), std::string("msg_0199c8d2-5c00-7abc-8def-0123456789ag")}) {
    Message message = valid();
    message.id = bad;
    EXPECT_THAT(refusal(message), HasSubstr("id")) << bad;
  }
}

TEST(Message, AnIdMayHaveDigitsOfEitherCaseAndKeepsThem) {
  for (const std::string& id : {std::string("msg_0199C8D2-5C00-7ABC-8DEF-0123456789AB"),
                                std::string("msg_0199c8D2-5c00-7AbC-8def-0123456789aB")}) {
    Message message = valid();
    message.id = id;
    std::string why;
    const auto read = messaging::decode(MapView::of(messaging::encode(message)), why);
    ASSERT_TRUE(read.has_value()) << why;
    EXPECT_EQ(read->id, id);
  }
}

TEST(Message, AnOptionalFieldOfAnotherTypeCountsAsMissing) {
  const Message message = valid();
  atlas::msgpack::Writer out;
  out.map(7).text("id").text(message.id).text("from").text(message.from).text("to").text(message.to);
  out.text("timestamp").integer(message.timestamp).text("reply_to").array(1).text(*message.reply_to);
  out.text("topic").integer(7).text("body").raw(message.body);
  std::string why;
  const auto read = messaging::decode(MapView::of(out.bytes()), why);
  ASSERT_TRUE(read.has_value()) << why;
  EXPECT_EQ(read->reply_to, std::nullopt);
  EXPECT_EQ(read->topic, std::nullopt);
  EXPECT_EQ(read->body, message.body);
}

TEST(Message, LongTopicsOfOthersAreRefused) {
  Message message = valid();
  message.topic = std::string(messaging::kMaxForeignTopic, 't');
  EXPECT_EQ(refusal(message), "");
  message.topic->push_back('t');
  EXPECT_THAT(refusal(message), HasSubstr("topic"));
  message = valid();
  message.reply_to = std::string(messaging::kMaxForeignTopic + 1, 'r');
  EXPECT_THAT(refusal(message), HasSubstr("reply_to"));
}

TEST(Message, ABodyThatFillsThePayloadIsTaken) {
  Message message = valid();
  atlas::msgpack::Writer body;
  body.text(std::string(4'194'304 - 400, 'x'));
  message.body = body.take();
  EXPECT_LE(messaging::encode(message).size(), 4'194'304u);
  EXPECT_EQ(refusal(message), "");
}

TEST(Message, NewIdsAreUuidsOfVersion7ThatSortByAge) {
  atlas::kit::FakeHost fake(atlas_plugin_v1);
  const atlas::Host host(fake.c_host());
  std::set<std::string> seen;
  std::string last;
  for (int i = 0; i < 100; ++i) {
    const std::string id = messaging::new_message_id(host);
    EXPECT_TRUE(messaging::is_message_id(id));
    EXPECT_EQ(id[4 + 14], '7');
    EXPECT_THAT(std::string("89ab"), HasSubstr(std::string(1, id[4 + 19])));
    EXPECT_TRUE(seen.insert(id).second);
    EXPECT_GT(id.substr(0, 17), last);
    last = id.substr(0, 17);
    fake.now_ms += 1;
  }
  // 1 700 000 000 000 ms is 018bcfe56800.
  EXPECT_TRUE(seen.begin()->starts_with("msg_018bcfe5-6800-7"));
}

Bytes body_of(const std::string& text) {
  std::string why;
  return messaging::body_from_text(text, why).value_or(Bytes());
}

TEST(Body, JsonStaysJsonAndTheRestBecomesAString) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"text":"hello","n":[1,-2.5,null,true]})", R"({"text":"hello","n":[1,-2.5,null,true]})"},
      {"42", "42"},
      {"\"quoted\"", "\"quoted\""},
      {"hello world", "\"hello world\""},
      {"", "\"\""},
      {"{not json", "\"{not json\""},
      {"1 2", "\"1 2\""},
      {"say \"hi\"\n", R"("say \"hi\"\n")"},
      {"grüße", "\"grüße\""}};
  for (const auto& [typed, meant] : cases) {
    EXPECT_EQ(atlas::json::from_msgpack(body_of(typed)), meant) << typed;
  }
}

TEST(Body, TooDeepIsAnErrorAndNoString) {
  EXPECT_FALSE(body_of(std::string(15, '[') + std::string(15, ']')).empty());
  std::string why;
  EXPECT_FALSE(messaging::body_from_text(std::string(16, '[') + std::string(16, ']'), why).has_value());
  EXPECT_THAT(why, HasSubstr("15 levels"));
}

TEST(Body, TooLargeIsAnError) {
  std::string why;
  const std::string most(messaging::kMaxBody - 5, 'x');
  EXPECT_EQ(body_of(most).size(), messaging::kMaxBody);
  EXPECT_FALSE(messaging::body_from_text(most + "x", why).has_value());
  EXPECT_THAT(why, HasSubstr("4190208 bytes"));
}

TEST(MessageJson, HasTheDocumentedKeysAndBoundsTheBody) {
  const Message message = valid();
  EXPECT_EQ(messaging::to_json(message, 7, 100).str(),
            "{\"id\":\"" + message.id + "\",\"from\":\"" + message.from + "\",\"topic\":\"weather\",\"reply_to\":\"" +
                *message.reply_to +
                "\",\"timestamp\":1760000000,\"received_at\":7,\"body_bytes\":12,\"body\":{\"text\":\"hello\"}}");
  EXPECT_THAT(messaging::to_json(message, 7, 15).str(), HasSubstr("\"body\":null}"));
}

}  // namespace
