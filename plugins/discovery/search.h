// One `net discover`: asks every bootstrap node, page by page, keeps what they tell in the peer database, and shows
// what matches. It lives until the last answer; callbacks hold it. Strand only.
#pragma once

#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "records.h"

namespace discovery {

class Search : public std::enable_shared_from_this<Search> {
 public:
  // Of one answerer, but for the time. What is beyond a limit is not looked at.
  struct Limits {
    std::size_t records = 10'000;   // max_records
    std::size_t pages = 64;         // also those without a record
    std::size_t bytes = 16u << 20;  // of answers
    atlas::Millis time{30'000};     // timeout: then what there is is shown
  };
  Search(atlas::Host& host, const atlas::Call& call, Filter filter, Limits limits)
      : host_(host), call_(call), filter_(std::move(filter)), limits_(limits) {}
  void start(const std::vector<std::string>& bootstrap);

 private:
  struct Asked {
    std::string address;
    atlas::Peer peer = 0;
    atlas::HostAddress host;  // where it is
    bool over = false;
    std::string problem;                   // why its answer is not complete
    std::optional<std::uint32_t> refusal;  // the code of its Error; 0 for another answer that is no list of peers
    std::size_t records = 0, pages = 0, bytes = 0;
    std::vector<std::uint8_t> cursor;
    atlas::Timer next;
  };
  void connected(std::size_t index, const atlas::Connected& result);
  void ask(std::size_t index);
  void answered(std::size_t index, const atlas::Answer& answer);
  void keep(Page page);
  void over(std::size_t index, std::string problem);
  void refused(std::size_t index, std::uint32_t code, std::string problem);
  void end_all(const std::string& problem);
  void report();
  void fail();
  void add_known();

  atlas::Host& host_;
  atlas::Call call_;
  const Filter filter_;
  const Limits limits_;
  std::vector<Asked> asked_;
  std::size_t open_ = 0, answering_ = 0;
  std::string self_;
  std::map<std::string, atlas::PeerInfo> found_;  // what matches, by node id
  atlas::Timer deadline_;
};

}  // namespace discovery
