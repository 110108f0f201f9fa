#include "harness/protocol/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace twinrun::protocol {
namespace {

// Fetched once: EVP_sha256() would look the provider up again at every initialisation, which costs
// more than hashing a line of a record.
const EVP_MD* fetched_sha256() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (md == nullptr) throw std::runtime_error("OpenSSL offers no SHA-256");
  return md;
}

void require(int ok) {
  if (ok != 1) throw std::runtime_error("OpenSSL failed while computing a SHA-256");
}

Sha256& this_threads_hasher() {
  thread_local Sha256 hasher;
  return hasher;
}

// By byte, -1 for all but lower-case hex digits: reading a long record looks up some 60 a line.
constexpr auto kHexValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 10; ++i) values['0' + i] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) values['a' + i] = static_cast<std::int8_t>(10 + i);
  return values;
}();

int hex_value(char c) { return kHexValues[static_cast<unsigned char>(c)]; }

}  // namespace

std::string to_hex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex(2 * digest.size(), '0');
  for (std::size_t i = 0; i < digest.size(); ++i) {
    hex[2 * i] = kDigits[digest[i] >> 4];
    hex[2 * i + 1] = kDigits[digest[i] & 15];
  }
  return hex;
}

std::optional<Digest> digest_from_hex(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  int bad = 0;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    bad |= high | low;
    digest[i] = static_cast<std::uint8_t>((high & 15) << 4 | (low & 15));
  }
  if (bad < 0) return std::nullopt;
  return digest;
}

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() {
    if (context == nullptr) throw std::bad_alloc();
  }
  ~Impl() { EVP_MD_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  void start() { require(EVP_DigestInit_ex2(context, fetched_sha256(), nullptr)); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) { impl_->start(); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()));
  return *this;
}

Sha256& Sha256::update(std::string_view text) {
  return update(std::as_bytes(std::span(text.data(), text.size())));
}

Digest Sha256::finish() {
  Digest digest;
  require(EVP_DigestFinal_ex(impl_->context, digest.data(), nullptr));
  impl_->start();
  return digest;
}

Digest Sha256::so_far() const {
  const Impl copy;
  require(EVP_MD_CTX_copy_ex(copy.context, impl_->context));
  Digest digest;
  require(EVP_DigestFinal_ex(copy.context, digest.data(), nullptr));
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  return this_threads_hasher().update(bytes).finish();
}

Digest sha256(std::string_view text) { return this_threads_hasher().update(text).finish(); }

Digest sha256_file(const std::filesystem::path& path) {
  const auto fail = [&path] {
    throw std::runtime_error("cannot read " + path.string() + ": " + std::strerror(errno));
  };
  struct File {
    int fd;
    ~File() {
      if (fd >= 0) ::close(fd);
    }
  } file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail();
  Sha256 hasher;
  std::vector<std::byte> buffer(1 << 20);
  for (;;) {
    const ssize_t got = ::read(file.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail();
    if (got == 0) return hasher.finish();
    hasher.update(std::span(buffer.data(), static_cast<std::size_t>(got)));
  }
}

}  // namespace twinrun::protocol
