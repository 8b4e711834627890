// A certificate that signs itself, with its key, as bytes: for tests that only hand them to a role. GnuTLS stays
// behind it.
#pragma once

#include "base/bytes.h"

namespace atlas::hostile {

struct SelfSigned {
  base::Bytes der, pkcs8;
};

// ECDSA with P-256; another one each time.
SelfSigned self_signed();

}  // namespace atlas::hostile
