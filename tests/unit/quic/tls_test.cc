#include "quic/tls.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "attack/quic_hostile/certificates.h"
#include "party.h"

namespace atlas::quic {
namespace {

using hostile::Certificate;

TEST(CertificateKey, IsTheKeyOfTheNode) {
  const identity::NodeKey node = key_of(1);
  EXPECT_EQ(certificate_key(node.certificate()).value(), node.public_key());
  const Certificate other(Certificate::Kind::kEd25519);
  EXPECT_EQ(certificate_key(other.der()).value(), other.public_key());
}

TEST(CertificateKey, OfAnotherKindIsRefused) {
  for (const auto kind : {Certificate::Kind::kEcdsaP256, Certificate::Kind::kRsa2048, Certificate::Kind::kEd448}) {
    EXPECT_EQ(certificate_key(Certificate(kind).der()).error().fault, base::Fault::kDenied);
  }
}

TEST(CertificateKey, AnotherNodesKeyInTheSubjectIsOnlyText) {
  const identity::NodeKey victim = key_of(2);
  const base::Bytes bait = hostile::subject_key_info(victim.public_key());
  const Certificate forged(Certificate::Kind::kEd25519, bait);
  const base::Bytes der = forged.der();
  ASSERT_FALSE(std::ranges::search(der, bait).empty());
  EXPECT_EQ(certificate_key(der).value(), forged.public_key());
  EXPECT_NE(certificate_key(der).value(), victim.public_key());
}

TEST(CertificateKey, ThatNoHonestNodeHasIsRefused) {
  const Certificate good(Certificate::Kind::kEd25519);
  base::Bytes der = good.der();
  const identity::PublicKey key = good.public_key();
  const auto place = std::ranges::search(der, key).begin();
  std::ranges::fill_n(place, 32, std::uint8_t{0});
  *place = 1;  // the neutral element: of small order
  EXPECT_EQ(certificate_key(der).error().fault, base::Fault::kDenied);
  std::ranges::fill_n(place, 32, std::uint8_t{0xff});  // not canonical
  EXPECT_EQ(certificate_key(der).error().fault, base::Fault::kDenied);
}

TEST(CertificateKey, RubbishIsRefused) {
  base::Bytes der = key_of(1).certificate();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(certificate_key(base::ByteView(der).first(size)).has_value()) << size;
  }
  base::SeededRandom random(17);
  for (int i = 0; i < 2000; ++i) {
    base::Bytes broken = der;
    broken[random.below(broken.size())] = static_cast<std::uint8_t>(random.u64());
    static_cast<void>(certificate_key(broken));
  }
}

TEST(TlsContext, CredentialsOfANodeKeyAreMade) {
  const identity::NodeKey node = key_of(1);
  ASSERT_TRUE(TlsCredentials::make(node).has_value());
  ASSERT_TRUE(TlsContext::make().has_value());
}

}  // namespace
}  // namespace atlas::quic
