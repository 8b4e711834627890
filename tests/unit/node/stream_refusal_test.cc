#include "node/stream_refusal.h"

#include <gtest/gtest.h>

#include <string>

#include "wire/messages.h"

namespace atlas::node {
namespace {

using Verdict = StreamRefusal::Verdict;

base::Bytes error(std::string text = "nobody") {
  return wire::encode(wire::ErrorMessage{2003, std::move(text), {}});
}

TEST(StreamRefusal, OneErrorAndFinIsARefusal) {
  StreamRefusal refusal;
  EXPECT_EQ(refusal.on_data(error(), true), Verdict::kRefused);
  EXPECT_EQ(refusal.code(), 2003u);
}

TEST(StreamRefusal, AlsoInPieces) {
  StreamRefusal refusal;
  const base::Bytes bytes = error();
  for (const std::uint8_t byte : bytes) EXPECT_EQ(refusal.on_data({&byte, 1}, false), Verdict::kWait);
  EXPECT_EQ(refusal.on_data({}, true), Verdict::kRefused);
}

TEST(StreamRefusal, WhatDiffersIsDataAndAllOfItIsThere) {
  StreamRefusal refusal;
  EXPECT_EQ(refusal.on_data(base::as_bytes("\xac\x01"), false), Verdict::kWait);
  EXPECT_EQ(refusal.on_data(base::as_bytes("x and more"), false), Verdict::kData);
  const base::Bytes all = refusal.take();
  EXPECT_EQ(base::as_text(all), "\xac\x01x and more");
}

TEST(StreamRefusal, FinAloneIsData) {
  StreamRefusal refusal;
  EXPECT_EQ(refusal.on_data({}, true), Verdict::kData);
  EXPECT_TRUE(refusal.take().empty());
}

TEST(StreamRefusal, AnErrorWithSomethingBehindItIsData) {
  StreamRefusal refusal;
  base::Bytes bytes = error();
  bytes.push_back('!');
  EXPECT_EQ(refusal.on_data(bytes, true), Verdict::kData);
  EXPECT_EQ(refusal.take(), bytes);
}

TEST(StreamRefusal, HalfAnErrorIsData) {
  StreamRefusal refusal;
  const base::Bytes bytes = error();
  EXPECT_EQ(refusal.on_data(base::ByteView(bytes).first(bytes.size() - 1), true), Verdict::kData);
  StreamRefusal other;
  EXPECT_EQ(other.on_data(base::ByteView(bytes).first(5), true), Verdict::kData);
}

TEST(StreamRefusal, NoMoreIsHeldThanItsLimit) {
  StreamRefusal refusal;
  base::Bytes bytes = error(std::string(200, 'x'));
  EXPECT_EQ(refusal.on_data(bytes, false), Verdict::kWait);
  bytes.assign(StreamRefusal::kMostHeld, 'y');
  EXPECT_EQ(refusal.on_data(bytes, false), Verdict::kData);
}

}  // namespace
}  // namespace atlas::node
