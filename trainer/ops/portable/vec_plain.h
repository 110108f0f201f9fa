#pragma once

namespace twinrun::trainer::portable::plain {

constexpr const char* kName = "plain";
constexpr int kLanes = 1, kPanelRows = 4, kPanelVecs = 4;

// Built for any x86-64: fmaf is the C library's, which is exact also where the CPU has no FMA.
using Vec = float;
inline Vec load(const float* p) { return *p; }
inline void store(float* p, Vec v) { *p = v; }
inline Vec broadcast(float x) { return x; }
inline Vec zero() { return 0.0F; }
inline Vec fma_vec(Vec a, Vec b, Vec c) { return __builtin_fmaf(a, b, c); }

}  // namespace twinrun::trainer::portable::plain
