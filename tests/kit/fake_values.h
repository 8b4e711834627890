// The plain values of the SDK's in-process host (sdk/testing), under the name that the tests of this tree know.
#pragma once

#include "atlas/testing/fake_values.h"
