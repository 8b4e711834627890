// The self-signed certificate of a node key (wire protocol, section 1): it proves possession of the key and nothing
// else. Any thread.
#pragma once

#include <functional>

#include "base/bytes.h"
#include "identity/node_key.h"

namespace atlas::identity {

// DER of an X.509 v3 certificate (RFC 5280, RFC 8410). The same key gives the same bytes every time: the serial comes
// from the key's hash, the dates are fixed, and Ed25519 signatures repeat. `sign` signs with the key's secret half.
base::Bytes make_certificate(const PublicKey& key, const std::function<Signature(base::ByteView)>& sign);

}  // namespace atlas::identity
