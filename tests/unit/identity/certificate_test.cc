// The certificate, read back field by field by a parser that accepts nothing but what RFC 5280 asks for.
#include "identity/certificate.h"

#include <gtest/gtest.h>

#include "identity/der.h"

namespace atlas::identity {
namespace {

using base::as_text;
using base::Bytes;
using base::ByteView;

constexpr std::string_view kEd25519 = "2b6570";

std::string hex(std::optional<ByteView> bytes) {
  return bytes ? base::to_hex(*bytes) : "nothing";
}

// The contents of SEQUENCE { OBJECT IDENTIFIER } without parameters (RFC 8410, 3).
void expect_algorithm(der::Reader& reader) {
  const auto body = reader.take(der::kSequence);
  ASSERT_TRUE(body);
  der::Reader fields(*body);
  EXPECT_EQ(hex(fields.take(der::kObjectId)), kEd25519);
  EXPECT_TRUE(fields.at_end());
}

std::string common_name(der::Reader& reader) {
  const auto name = reader.take(der::kSequence);
  if (!name) return "no name";
  der::Reader sets(*name);
  const auto set = sets.take(der::kSet);
  if (!set || !sets.at_end()) return "not one set";
  der::Reader attributes(*set);
  const auto attribute = attributes.take(der::kSequence);
  if (!attribute || !attributes.at_end()) return "not one attribute";
  der::Reader fields(*attribute);
  if (hex(fields.take(der::kObjectId)) != "550403") return "not a common name";
  const auto text = fields.take(der::kUtf8String);
  return text && fields.at_end() ? std::string(as_text(*text)) : "not a text";
}

struct Parts {
  Bytes signed_part;  // with its own tag and length
  ByteView fields;
  Bytes signature;
};

std::optional<Parts> split(ByteView certificate) {
  der::Reader outer(certificate);
  const auto body = outer.take(der::kSequence);
  if (!body || !outer.at_end()) return std::nullopt;
  der::Reader reader(*body);
  const auto fields = reader.take(der::kSequence);
  if (!fields) return std::nullopt;
  expect_algorithm(reader);
  const auto bits = reader.take(der::kBitString);
  if (!bits || bits->size() != 65 || bits->front() != 0 || !reader.at_end()) return std::nullopt;
  return Parts{der::element(der::kSequence, *fields), *fields, Bytes(bits->begin() + 1, bits->end())};
}

class CertificateTest : public ::testing::Test {
 protected:
  base::SeededRandom random_{11};
  NodeKey key_ = NodeKey::generate(random_);
};

TEST_F(CertificateTest, IsSignedByItsOwnKey) {
  const auto parts = split(key_.certificate());
  ASSERT_TRUE(parts);
  EXPECT_TRUE(verify(key_.public_key(), parts->signed_part, parts->signature));
}

TEST_F(CertificateTest, HasTheFieldsOfVersionThree) {
  const auto parts = split(key_.certificate());
  ASSERT_TRUE(parts);
  der::Reader fields(parts->fields);
  EXPECT_EQ(hex(fields.take(der::kContextConstructed0)), "020102") << "version 3";
  const auto serial = fields.take(der::kInteger);
  ASSERT_TRUE(serial);
  EXPECT_LE(serial->size(), 20u);
  EXPECT_GT(serial->front(), 0) << "no leading zero, so shortest form and not zero";
  EXPECT_LT(serial->front(), 0x80) << "positive";
  expect_algorithm(fields);
  EXPECT_EQ(common_name(fields), "atlas") << "issuer";
  const auto validity = fields.take(der::kSequence);
  ASSERT_TRUE(validity);
  der::Reader dates(*validity);
  EXPECT_EQ(as_text(dates.take(der::kUtcTime).value_or(ByteView{})), "000101000000Z");
  EXPECT_EQ(as_text(dates.take(der::kGeneralizedTime).value_or(ByteView{})), "99991231235959Z");
  EXPECT_TRUE(dates.at_end());
  EXPECT_EQ(common_name(fields), "atlas") << "subject";
  const auto key_info = fields.take(der::kSequence);
  ASSERT_TRUE(key_info);
  der::Reader key_fields(*key_info);
  expect_algorithm(key_fields);
  EXPECT_EQ(hex(key_fields.take(der::kBitString)), "00" + base::to_hex(key_.public_key()));
  EXPECT_TRUE(key_fields.at_end());
  EXPECT_TRUE(fields.take(der::kContextConstructed3));
  EXPECT_TRUE(fields.at_end());
}

TEST_F(CertificateTest, OnlyKeyUsageIsCritical) {
  const auto parts = split(key_.certificate());
  ASSERT_TRUE(parts);
  der::Reader fields(parts->fields);
  for (const std::uint8_t tag : {0xa0, 0x02, 0x30, 0x30, 0x30, 0x30, 0x30}) ASSERT_TRUE(fields.take(tag));
  const auto wrapped = fields.take(der::kContextConstructed3);
  ASSERT_TRUE(wrapped);
  der::Reader wrapper(*wrapped);
  const auto list = wrapper.take(der::kSequence);
  ASSERT_TRUE(list && wrapper.at_end());
  der::Reader extensions(*list);

  std::vector<std::string> seen;
  while (!extensions.at_end()) {
    const auto extension = extensions.take(der::kSequence);
    ASSERT_TRUE(extension);
    der::Reader reader(*extension);
    std::string line = hex(reader.take(der::kObjectId));
    if (const auto critical = reader.take(der::kBoolean)) line += " critical " + hex(critical);
    line += " " + hex(reader.take(der::kOctetString));
    EXPECT_TRUE(reader.at_end());
    seen.push_back(line);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"551d13 3000", "551d0f critical ff 03020780"}));
}

TEST_F(CertificateTest, IsTheSameEveryTimeAndDiffersByKey) {
  base::SeededRandom same(11);
  const NodeKey again = NodeKey::generate(same);
  EXPECT_EQ(again.certificate(), key_.certificate());
  EXPECT_NE(NodeKey::generate(random_).certificate(), key_.certificate());
}

TEST(Certificate, SerialIsValidForManyKeys) {
  base::SeededRandom random(5);
  for (int i = 0; i < 100; ++i) {
    const NodeKey key = NodeKey::generate(random);
    const auto parts = split(key.certificate());
    ASSERT_TRUE(parts);
    der::Reader fields(parts->fields);
    fields.take(der::kContextConstructed0);
    const auto serial = fields.take(der::kInteger);
    ASSERT_TRUE(serial);
    EXPECT_EQ(serial->size(), 16u);
    EXPECT_EQ(serial->front() & 0xc0, 0x40);
  }
}

}  // namespace
}  // namespace atlas::identity
