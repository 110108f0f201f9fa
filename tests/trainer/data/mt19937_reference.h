// Written by make_mt19937_reference.py from torch 2.11.0.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace twinrun::trainer {

/// torch.nn.init.kaiming_uniform_(torch.empty(fan_out, fan_in), a=math.sqrt(5)).
struct KaimingReference {
  std::int64_t fan_out, fan_in;
  std::uint64_t seed;
  std::array<std::uint32_t, 4> first;  ///< bits of the first elements, 0 beyond the last
  std::string_view sha256;             ///< of all bytes
};

inline constexpr KaimingReference kKaimingReferences[] = {
    {8,
     576,
     42u,
     {0x3d027b33, 0x3d0da79a, 0xbc1fee16, 0x3d1cc6be},
     "9c9bf54427bf438d82d5bb1b5881f2107a31a3389fa070a065fb1944775f55f6"},
    {8,
     576,
     4294967338u,
     {0x3d027b33, 0x3d0da79a, 0xbc1fee16, 0x3d1cc6be},
     "9c9bf54427bf438d82d5bb1b5881f2107a31a3389fa070a065fb1944775f55f6"},
    {3,
     5,
     0u,
     {0xbb5b6d9b, 0x3e75a99f, 0xbebc7496, 0xbea882ac},
     "619c2bb7c1ecefb599833ca981e07896b65789c86aad966dec05a843976abb70"},
    {1,
     1,
     1u,
     {0x3f03e84a, 0x00000000, 0x00000000, 0x00000000},
     "e7ef5163cf5d0f0c9e669db746989a540dcc38288a1b220d59e8000b945edede"},
    {17,
     3,
     9007199254740991u,
     {0x3f11f800, 0x3da8a08d, 0x3da58e90, 0xbf052b0f},
     "6a18e000a9e4dfd7647e7caa7e4ec60b5027c101198e8d06e8c722348c20ac7e"},
    {16,
     1536,
     7u,
     {0x3ae9967a, 0xbc7bd412, 0x3c051d9f, 0x3c032cbf},
     "1644578136e3fd0ce6e1598dc50ee15c1a328ab4b213eb8d9219e2ab02d118f0"},
    {5,
     100003,
     123456789u,
     {0xba1d14d7, 0x3a3009ad, 0x3ac618e3, 0xba5b96d0},
     "28ea46732e8fed86523f878914fa979442722cfa87a06fff1bc73bf23b4b12ba"},
};

/// SHA-256 of 1,000 int64 of two words each (the first is the high one), drawn after
/// torch.manual_seed(42).
inline constexpr std::string_view kWordsSha256 =
    "fd02d90327f228048807a6e46c12510276b862b42020b2d3816f70216648c374";

/// After torch.manual_seed(42): Linear(576, 8), Linear(8, 192), then the first once more.
inline constexpr std::string_view kModuleSha256[] = {
    "9c9bf54427bf438d82d5bb1b5881f2107a31a3389fa070a065fb1944775f55f6",
    "b3959edb7588db6a31b16f54cd1dca2d54757b7c2979f60f569f3d442c56f0d8",
    "0c96dca97b0eef3958cbd3967ca75e20e5fd18e7466b06fdec5a5ada8786f93f",
};

}  // namespace twinrun::trainer
