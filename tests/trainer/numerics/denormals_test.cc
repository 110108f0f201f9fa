#include "trainer/numerics/denormals.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <xmmintrin.h>

#include <limits>
#include <thread>

namespace twinrun::trainer {
namespace {

/// A thread of its own: its pool inherits what is set here, and nothing is left behind.
template <typename Body>
void on_a_thread(Body body) {
  std::thread(body).join();
}

TEST(Denormals, AreKeptOnThePoolOfAThreadThatFlushedThem) {
  for (const unsigned bits : {0x8000u, 0x0040u, 0x8040u}) {
    on_a_thread([&] {
      _mm_setcsr(_mm_getcsr() | bits);
      at::set_num_threads(3);
      EXPECT_TRUE(denormals_are_flushed()) << bits;
      const auto tiny = at::full({1 << 20}, std::numeric_limits<float>::min());
      EXPECT_EQ((tiny * 0.5F).count_nonzero().item<std::int64_t>(), 0);
      keep_denormals();
      EXPECT_FALSE(denormals_are_flushed());
      EXPECT_EQ((tiny * 0.5F).count_nonzero().item<std::int64_t>(), 1 << 20);
    });
  }
}

TEST(Denormals, OneThreadOfThePoolIsEnough) {
  on_a_thread([] {
    at::set_num_threads(3);
    keep_denormals();
    _mm_setcsr(_mm_getcsr() | 0x8000);
    EXPECT_TRUE(denormals_are_flushed());
  });
}

}  // namespace
}  // namespace twinrun::trainer
