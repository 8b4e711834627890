// The tests of the tree by their names. One thread.
#pragma once

#include <set>
#include <string>

namespace atlas::tidy {

// "Suite.Name" of each TEST, TEST_F, TEST_P and RC_GTEST_PROP below tests/.
std::set<std::string> test_names();

}  // namespace atlas::tidy
