// What `atlas` tells the shell, under the name that commands use. The table is control's, for a daemon answers with the
// same numbers.
#pragma once

#include "control/exit_code.h"

namespace atlas::cli {

using control::exit_code_of;
using control::ExitCode;
using enum control::ExitCode;

}  // namespace atlas::cli
