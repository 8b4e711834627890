// Payloads that keep the wire protocol's structure and nothing else: what a role must take from a peer that means harm
// or is simply of another version. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace atlas::trial {

struct Body {
  std::string name;  // for people
  base::Bytes bytes;
};

// One map each: empty, keys of every kind, and all `words` as keys with each kind of value in turn.
std::vector<Body> crooked_bodies(const std::vector<std::string>& words);
// A map of some of the words with values of any kind, as the random source has it.
Body random_body(const std::vector<std::string>& words, base::Random& random);
// As large as an envelope may be.
std::vector<Body> huge_bodies(const std::vector<std::string>& words);
// No payload that the protocol allows: the core refuses them in the role's place.
std::vector<Body> broken_bodies();

}  // namespace atlas::trial
