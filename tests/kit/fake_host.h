// The in-process host of the SDK (sdk/testing), under the name that the tests of this tree know it by.
#pragma once

#include "atlas/testing/fake_host.h"
