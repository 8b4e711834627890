// One piece of work in a process of its own, so that a crash or a hang of what it runs is an outcome like any other.
// Main thread, of a process that has no other: the child is a copy of it (fork) and runs nothing else.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace atlas::trial {

// What the child tells its parent while it works.
class Notes {
 public:
  explicit Notes(int fd) : fd_(fd) {}
  // What it is about to do; the last of these is where it crashed or hung.
  void at(std::string_view doing) const { line('N', doing); }
  // A result for people or programs, besides good or bad; the last one counts.
  void info(std::string_view text) const { line('I', text); }

 private:
  friend class Child;
  void line(char kind, std::string_view text) const;
  const int fd_;
};

struct Outcome {
  bool ok = false;
  std::string why;    // not ok: what is wrong
  std::string where;  // the last at(), when it did not end by itself
  std::string info;
  std::string log;  // the end of what it wrote to stdout and stderr
  base::MonoNs took = 0;
};

// `work` returns what is wrong, empty when nothing is. After `limit` of real time the child is killed.
Outcome run_in_child(const std::function<std::string(const Notes&)>& work, base::MonoNs limit,
                     const base::Clock& clock);

}  // namespace atlas::trial
