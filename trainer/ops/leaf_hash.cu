#include "trainer/ops/leaf_hash_cuda.h"

// SHA-256 as FIPS 180-4 states it, one thread a leaf: the round constants in constant memory, the
// message schedule in a ring of 16 registers.

namespace twinrun::trainer {
namespace {

constexpr int kThreads = 64;  // few leaves a block, so that a small adapter still fills the SMs

__constant__ std::uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

__device__ __forceinline__ std::uint32_t rotr(std::uint32_t x, int n) {
  return __funnelshift_r(x, x, n);
}

__device__ void compress(std::uint32_t (&h)[8], std::uint32_t (&w)[16]) {
  std::uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
#pragma unroll
  for (int t = 0; t < 64; ++t) {
    if (t >= 16) {
      const auto w15 = w[(t - 15) & 15], w2 = w[(t - 2) & 15];
      w[t & 15] += (rotr(w15, 7) ^ rotr(w15, 18) ^ (w15 >> 3)) + w[(t - 7) & 15] +
                   (rotr(w2, 17) ^ rotr(w2, 19) ^ (w2 >> 10));
    }
    const auto t1 =
        k + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + kRound[t] + w[t & 15];
    const auto t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    k = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  h[0] += a;
  h[1] += b;
  h[2] += c;
  h[3] += d;
  h[4] += e;
  h[5] += f;
  h[6] += g;
  h[7] += k;
}

/// Big-endian word of up to four bytes at `at`; beyond `length` comes the padding bit, then zeros.
__device__ std::uint32_t padded_word(const std::uint8_t* data, std::int64_t at,
                                     std::int64_t length) {
  std::uint32_t word = 0;
  for (int i = 0; i < 4; ++i) {
    const auto position = at + i;
    const std::uint32_t byte = position < length ? data[position] : position == length ? 0x80 : 0;
    word = word << 8 | byte;
  }
  return word;
}

__global__ void hash_leaves_kernel(const std::int64_t* table, std::uint8_t* out,
                                   std::int64_t leaves) {
  const std::int64_t leaf = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (leaf >= leaves) return;
  const auto* data = reinterpret_cast<const std::uint8_t*>(table[2 * leaf]);
  const auto length = table[2 * leaf + 1];
  std::uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint32_t w[16];
  std::int64_t at = 0;
  const bool aligned = (table[2 * leaf] & 15) == 0;
  for (; aligned && at + 64 <= length; at += 64) {
    const auto* quads = reinterpret_cast<const uint4*>(data + at);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint4 q = quads[i];
      w[4 * i] = __byte_perm(q.x, 0, 0x0123);
      w[4 * i + 1] = __byte_perm(q.y, 0, 0x0123);
      w[4 * i + 2] = __byte_perm(q.z, 0, 0x0123);
      w[4 * i + 3] = __byte_perm(q.w, 0, 0x0123);
    }
    compress(h, w);
  }
  // The rest, the padding bit and the 64-bit length in bits: one or two blocks more.
  const auto blocks = (length + 8) / 64 + 1;
  for (; at < blocks * 64; at += 64) {
    for (int i = 0; i < 16; ++i) w[i] = padded_word(data, at + 4 * i, length);
    if (at + 64 == blocks * 64) {
      w[14] = static_cast<std::uint32_t>(length >> 29);
      w[15] = static_cast<std::uint32_t>(length << 3);
    }
    compress(h, w);
  }
  for (int i = 0; i < 8; ++i) {
    for (int byte = 0; byte < 4; ++byte) {
      out[32 * leaf + 4 * i + byte] = static_cast<std::uint8_t>(h[i] >> (24 - 8 * byte));
    }
  }
}

}  // namespace

cudaError_t hash_leaves_cuda(const std::int64_t* table, std::uint8_t* out, std::int64_t leaves,
                             cudaStream_t stream) {
  if (leaves == 0) return cudaSuccess;
  const auto grid = static_cast<unsigned>((leaves + kThreads - 1) / kThreads);
  hash_leaves_kernel<<<grid, kThreads, 0, stream>>>(table, out, leaves);
  return cudaGetLastError();
}

}  // namespace twinrun::trainer
