#include "attack/quic_hostile/self_signed.h"

#include "attack/quic_hostile/certificates.h"

namespace atlas::hostile {

SelfSigned self_signed() {
  const Certificate certificate(Certificate::Kind::kEcdsaP256);
  return {certificate.der(), certificate.pkcs8()};
}

}  // namespace atlas::hostile
