#include "net/udp_shed.h"

#include <sys/socket.h>

#include <algorithm>
#include <cmath>

namespace atlas::net {
namespace {

// Offsets from the UDP header, where such a program begins to see.
constexpr std::uint32_t kFirstByteAt = 8, kShortIdAt = 9, kLongIdAt = 14, kIdRest = 4;
constexpr std::uint32_t kLongHeader = 0x80;
constexpr std::uint32_t kAll = UINT32_MAX, kNothing = 0;
constexpr std::size_t kRunLength = 8;  // rules that are compared one after the other

struct Row {
  std::uint32_t first, second;
  std::uint32_t most;  // of a random number, for a datagram that is kept
};

std::uint32_t word(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | std::uint32_t{at[3]};
}

class Program {
 public:
  explicit Program(std::vector<Row> rows) : rows_(std::move(rows)) {
    // X is where the connection id is, A its first word.
    load(BPF_B | BPF_ABS, kFirstByteAt);
    jump(BPF_JSET, kLongHeader, 0, 2);
    out_.push_back(BPF_STMT(BPF_LDX | BPF_IMM, kLongIdAt));
    jump_over(1);
    out_.push_back(BPF_STMT(BPF_LDX | BPF_IMM, kShortIdAt));
    load(BPF_W | BPF_IND, 0);
    tree(0, rows_.size());
  }

  std::vector<sock_filter> take() { return std::move(out_); }

 private:
  void load(int how, std::uint32_t at) { out_.push_back(BPF_STMT(static_cast<std::uint16_t>(BPF_LD | how), at)); }
  void jump(int test, std::uint32_t with, std::uint8_t if_true, std::uint8_t if_false) {
    out_.push_back(BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), with, if_true, if_false));
  }
  void jump_over(std::uint32_t count) { out_.push_back(BPF_STMT(BPF_JMP | BPF_JA, count)); }
  void give(std::uint32_t bytes) { out_.push_back(BPF_STMT(BPF_RET | BPF_K, bytes)); }

  // Halves by the first word until few are left: a jump on a condition reaches 255 instructions, one without all.
  void tree(std::size_t from, std::size_t to) {
    if (to - from <= kRunLength) {
      for (; from < to; ++from) row(rows_[from]);
      return give(kAll);
    }
    const std::size_t middle = from + (to - from) / 2;
    jump(BPF_JGE, rows_[middle].first, 0, 1);
    const std::size_t right = out_.size();
    jump_over(0);
    tree(from, middle);
    out_[right].k = static_cast<std::uint32_t>(out_.size() - right - 1);
    tree(middle, to);
  }

  void row(const Row& row) {
    jump(BPF_JEQ, row.first, 0, 6);
    load(BPF_W | BPF_IND, kIdRest);
    jump(BPF_JEQ, row.second, 0, 3);
    load(BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM));
    jump(BPF_JGT, row.most, 0, 1);
    give(kNothing);
    give(kAll);
  }

  const std::vector<Row> rows_;
  std::vector<sock_filter> out_;
};

}  // namespace

std::vector<sock_filter> shed_program(std::span<const ShedRule> rules) {
  std::vector<Row> rows;
  for (const ShedRule& rule : rules.first(std::min(rules.size(), kMostShed))) {
    const double keep = std::clamp(rule.keep, 0.0, 1.0);
    rows.push_back({word(rule.prefix.data()), word(rule.prefix.data() + 4),
                    static_cast<std::uint32_t>(std::floor(keep * static_cast<double>(UINT32_MAX)))});
  }
  std::ranges::sort(rows, {}, &Row::first);
  const auto [last, end] = std::ranges::unique(rows, {}, &Row::first);
  rows.erase(last, end);
  return Program(std::move(rows)).take();
}

bool attach_shed(int fd, std::span<const ShedRule> rules) {
  if (rules.empty()) {
    const int unused = 0;
    ::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
    return true;
  }
  std::vector<sock_filter> program = shed_program(rules);
  const sock_fprog given{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &given, sizeof given) == 0;
}

}  // namespace atlas::net
