#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace twinrun::protocol {

/// A SHA-256 value, raw (FIPS 180-4).
using Digest = std::array<std::uint8_t, 32>;

/// 64 lower-case hex digits.
std::string to_hex(const Digest& digest);

/// The inverse of to_hex; nullopt unless `hex` is exactly 64 lower-case hex digits.
std::optional<Digest> digest_from_hex(std::string_view hex);

/// Incremental SHA-256 over OpenSSL's EVP; reusable: finish() starts over.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  Digest finish();
  /// What finish() would return, without starting over.
  Digest so_far() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Digest sha256(std::span<const std::byte> bytes);
Digest sha256(std::string_view text);

/// SHA-256 of a file's bytes. Throws std::runtime_error naming the path if it cannot be read.
Digest sha256_file(const std::filesystem::path& path);

}  // namespace twinrun::protocol
