// Every byte vector of tests/vectors: the core's messages through their own encoders and decoders in both directions,
// the plugins' messages as far as the core looks at them.
#include "kit/vectors.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <filesystem>
#include <functional>
#include <set>

#include "base/bytes.h"
#include "wire/envelope.h"
#include "wire/messages.h"

namespace atlas::wire {
namespace {

using base::Bytes;
using base::ByteView;
using nlohmann::json;
using test::Vector;
using test::VectorFile;

const std::vector<std::string>& all_files() {
  static const std::vector<std::string> files = {"00_envelope.json",
                                                 "01_hello.json",
                                                 "02_hello_ack.json",
                                                 "03_verify.json",
                                                 "04_verify_ack.json",
                                                 "10_message.json",
                                                 "11_message_ack.json",
                                                 "20_bootstrap_register.json",
                                                 "21_bootstrap_discover.json",
                                                 "22_bootstrap_peers.json",
                                                 "30_relay_announce.json",
                                                 "31_relay_connect.json",
                                                 "32_relay_ready.json",
                                                 "33_relay_error.json",
                                                 "e0_error.json",
                                                 "f0_ping.json",
                                                 "f1_pong.json",
                                                 "ff_disconnect.json"};
  return files;
}

// --- fields of the vector files <-> the structs of messages.h

template <class T>
std::optional<T> optional(const json& fields, const char* key) {
  return fields.contains(key) ? std::optional<T>(fields.at(key).get<T>()) : std::nullopt;
}
std::optional<Bytes> operator_of(const json& fields) {
  if (!fields.contains("operator")) return std::nullopt;
  msgpack::Writer out;
  out.map(fields.at("operator").size());
  for (const auto& [key, value] : fields.at("operator").items()) {
    out.text(key);
    if (value.is_string()) {
      out.text(value.get<std::string>());
    } else {
      out.integer(value.get<std::int64_t>());
    }
  }
  return out.take();
}

Hello hello_of(const json& f) {
  return {f.at("node_id"),
          f.at("name"),
          f.at("skills"),
          operator_of(f),
          optional<std::string>(f, "wallet"),
          test::bytes_of(f.at("public_key")),
          f.at("protocol_v"),
          f.at("timestamp"),
          optional<std::string>(f, "agent_version"),
          optional<std::vector<std::string>>(f, "features").value_or(std::vector<std::string>())};
}
HelloAck hello_ack_of(const json& f) {
  return {f.at("node_id"),
          f.at("name"),
          f.at("skills"),
          operator_of(f),
          optional<std::string>(f, "wallet"),
          test::bytes_of(f.at("public_key")),
          f.at("protocol_v"),
          test::bytes_of(f.at("challenge")),
          optional<std::string>(f, "observed"),
          optional<std::string>(f, "agent_version"),
          optional<std::vector<std::string>>(f, "features").value_or(std::vector<std::string>())};
}
Verify verify_of(const json& f) {
  return {test::bytes_of(f.at("signature")), test::bytes_of(f.at("challenge"))};
}
VerifyAck verify_ack_of(const json& f) {
  return {f.at("status") == "ok", optional<std::string>(f, "reason")};
}
ErrorMessage error_of(const json& f) {
  return {f.at("code"), f.at("message"), optional<std::string>(f, "ref_msg_id")};
}
Disconnect disconnect_of(const json& f) {
  return {f.at("reason"), f.at("note")};
}

// One type of message: encodes the fields, and decodes a payload only to encode what it understood. Two payloads that
// mean the same give the same bytes that way.
struct Codec {
  std::string file;
  std::function<Bytes(const json&)> encode_fields;
  std::function<std::optional<Bytes>(ByteView)> decode_and_encode;
};

template <class Message>
Codec codec(std::string file, Message (*from_json)(const json&), std::optional<Message> (*decode)(ByteView)) {
  return {std::move(file), [from_json](const json& fields) { return encode(from_json(fields)); },
          [decode](ByteView payload) -> std::optional<Bytes> {
            const auto message = decode(payload);
            return message ? std::optional<Bytes>(encode(*message)) : std::nullopt;
          }};
}

class CoreVectors : public ::testing::TestWithParam<int> {
 protected:
  static std::vector<Codec> codecs() {
    return {codec("01_hello.json", hello_of, decode_hello),
            codec("02_hello_ack.json", hello_ack_of, decode_hello_ack),
            codec("03_verify.json", verify_of, decode_verify),
            codec("04_verify_ack.json", verify_ack_of, decode_verify_ack),
            codec("e0_error.json", error_of, decode_error),
            codec("ff_disconnect.json", disconnect_of, decode_disconnect)};
  }
  Codec codec_ = codecs().at(static_cast<std::size_t>(GetParam()));
  VectorFile file_ = test::load_vectors(codec_.file);
};

TEST_P(CoreVectors, EncodeAndDecodeExactly) {
  for (const Vector& vector : file_.vectors) {
    SCOPED_TRACE(codec_.file + " " + vector.name + ": " + vector.why);
    const auto understood = codec_.decode_and_encode(vector.payload());
    switch (vector.kind) {
      case Vector::Kind::kExact:
        EXPECT_EQ(base::to_hex(codec_.encode_fields(vector.fields)), base::to_hex(vector.bytes));
        ASSERT_TRUE(understood);
        EXPECT_EQ(base::to_hex(*understood), base::to_hex(vector.bytes));
        break;
      case Vector::Kind::kAccepts:
        ASSERT_TRUE(understood);
        EXPECT_EQ(base::to_hex(*understood), base::to_hex(codec_.encode_fields(vector.fields)));
        break;
      case Vector::Kind::kRefuses:
        EXPECT_FALSE(understood);
        break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Messages, CoreVectors, ::testing::Range(0, 6));

// --- what holds for every type

class AllVectors : public ::testing::TestWithParam<std::string> {
 protected:
  VectorFile file_ = test::load_vectors(GetParam());
};

TEST_P(AllVectors, HeaderStructureAndFieldsAgree) {
  for (const Vector& vector : file_.vectors) {
    SCOPED_TRACE(vector.name + ": " + vector.why);
    EnvelopeReader reader;
    ByteView data = vector.bytes;
    const auto state = reader.feed(data);
    if (vector.at == "header") {
      ASSERT_EQ(state, EnvelopeReader::State::kFault);
      EXPECT_EQ(static_cast<std::uint32_t>(reader.fault()), vector.code);
      continue;
    }
    ASSERT_EQ(state, EnvelopeReader::State::kEnvelope);
    EXPECT_TRUE(data.empty());
    EXPECT_EQ(reader.envelope().type, file_.type);
    const ByteView payload = reader.envelope().payload;
    EXPECT_EQ(structure_ok(payload), vector.at != "structure");
    if (vector.kind == Vector::Kind::kRefuses) {
      EXPECT_EQ(vector.code, static_cast<std::uint32_t>(Code::kRejected));
      continue;
    }
    const msgpack::View root(payload);
    EXPECT_TRUE(test::means(root, vector.fields));
    if (vector.kind == Vector::Kind::kExact) {
      EXPECT_EQ(root.map().size(), vector.fields.size()) << "an exact vector lists every key";
    }
    EXPECT_EQ(seal(file_.type, payload), vector.bytes);
  }
}

TEST_P(AllVectors, HaveEveryKindAndNamesOfTheirOwn) {
  std::set<std::string> names;
  std::set<Vector::Kind> kinds;
  for (const Vector& vector : file_.vectors) {
    EXPECT_TRUE(names.insert(vector.name).second) << vector.name;
    kinds.insert(vector.kind);
  }
  EXPECT_TRUE(kinds.contains(Vector::Kind::kExact));
  EXPECT_TRUE(kinds.contains(Vector::Kind::kRefuses));
}

INSTANTIATE_TEST_SUITE_P(Files, AllVectors, ::testing::ValuesIn(all_files()),
                         [](const auto& info) { return "V" + info.param.substr(0, info.param.find('.')); });

// Cutting an exact vector anywhere must be noticed.
TEST_P(AllVectors, NoPrefixOfAPayloadIsWhole) {
  for (const Vector& vector : file_.vectors) {
    if (vector.kind != Vector::Kind::kExact) continue;
    for (std::size_t size = 0; size < vector.payload().size(); ++size) {
      EXPECT_FALSE(structure_ok(vector.payload().first(size))) << vector.name << " cut to " << size;
    }
  }
}

TEST(Vectors, EveryFileIsTested) {
  std::set<std::string> known(all_files().begin(), all_files().end());
  known.insert("signed_record.json");
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(test::vector_path(""))) {
    if (entry.path().extension() == ".json") found.insert(entry.path().filename().string());
  }
  EXPECT_EQ(found, known);
}

// The three handshake files tell one story: the signature is really that key's over that challenge.
TEST(Vectors, VerifySignsTheChallengeWithTheKeyOfHello) {
  const auto hello = decode_hello(test::load_vectors("01_hello.json").get("published").payload());
  const auto ack = decode_hello_ack(test::load_vectors("02_hello_ack.json").get("published").payload());
  const auto verify = decode_verify(test::load_vectors("03_verify.json").get("published").payload());
  ASSERT_TRUE(hello && ack && verify);
  EXPECT_EQ(verify->challenge, ack->challenge);
  ASSERT_EQ(verify->signature.size(), crypto_sign_BYTES);
  EXPECT_EQ(crypto_sign_verify_detached(verify->signature.data(), ack->challenge.data(), ack->challenge.size(),
                                        hello->public_key.data()),
            0);
  base::ByteArray<crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256(digest.data(), hello->public_key.data(), hello->public_key.size());
  EXPECT_EQ(hello->node_id, "atlas_" + base::to_hex(digest));
}

TEST(Vectors, SignedRecordVerifiesAndIsTheOneInTheMessages) {
  const json file = test::load_vector_json("signed_record.json");
  const Bytes map = test::join_pieces(file.at("pieces"));
  const Bytes signature = test::bytes_from_hex(file.at("signature"));
  ASSERT_EQ(signature.size(), crypto_sign_BYTES);
  ASSERT_TRUE(structure_ok(map));
  EXPECT_TRUE(test::means(msgpack::View(map), file.at("fields")));
  EXPECT_EQ(msgpack::MapView::of(map).size(), file.at("fields").size());

  const std::string prefix = file.at("prefix");
  EXPECT_EQ(prefix, "atlas record v1");
  Bytes message(prefix.begin(), prefix.end());
  message.insert(message.end(), map.begin(), map.end());
  const Bytes key = test::bytes_of(file.at("fields").at("public_key"));
  EXPECT_EQ(crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.data()), 0);

  Bytes record = signature;
  record.insert(record.end(), map.begin(), map.end());
  const json in_register = test::load_vectors("20_bootstrap_register.json").get("all_fields").fields;
  EXPECT_EQ(test::bytes_of(in_register.at("record")), record);
  const json in_peers = test::load_vectors("22_bootstrap_peers.json").get("all_fields").fields;
  EXPECT_EQ(test::bytes_of(in_peers.at("peers").at(0).at("record")), record);
}

}  // namespace
}  // namespace atlas::wire
