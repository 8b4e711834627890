// The messaging role with its outbox, inside a daemon.
#pragma once

#include "outbox.h"
#include "role_fixture.h"

namespace messaging::test {

class OutboxTest : public RoleTest {
 protected:
  void unreachable() { host->fail_dial(host->dials.at(0), ATLAS_E_UNREACHABLE, "nobody there"); }
  void refuse(std::uint32_t code, std::string_view text) { host->answer_error(host->requests.at(0), code, text); }
  std::vector<std::string> outcomes() {
    std::vector<std::string> out;
    for (const auto& row : run("outbox", {{"--audit", "true"}, {"--limit", "5000"}})) out.push_back(row.at("outcome"));
    return out;
  }
  std::string status_of(atlas_call call) { return result(call).at("status"); }
};

}  // namespace messaging::test
