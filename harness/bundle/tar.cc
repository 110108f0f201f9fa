#include "harness/bundle/tar.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "harness/exit_code.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytes = 100, kPrefixBytes = 155;
constexpr std::uint64_t kBytesMax = (std::uint64_t{1} << 33) - 1;  // eleven octal digits
constexpr std::size_t kPiece = 1 << 20;

[[noreturn]] void fail_io(const std::string& what, const fs::path& path) {
  throw std::runtime_error("cannot " + what + " " + path.string() + ": " + std::strerror(errno));
}

/// Where a long name is cut into prefix and name: the first slash that leaves a short enough rest.
std::optional<std::size_t> cut_of(std::string_view name) {
  if (name.size() <= kNameBytes) return 0;
  const std::size_t slash = name.find('/', name.size() - kNameBytes - 1);
  if (slash == std::string_view::npos || slash > kPrefixBytes) return std::nullopt;
  return slash;
}

void put(std::string& header, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
}

std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

std::string field(std::string_view header, std::size_t at, std::size_t bytes) {
  const std::string_view text = header.substr(at, bytes);
  return std::string(text.substr(0, std::min(text.find('\0'), text.size())));
}

std::uint64_t padding(std::uint64_t bytes) { return (kTarBlock - bytes % kTarBlock) % kTarBlock; }

}  // namespace

std::string tar_name_problem(std::string_view name) {
  if (name.empty()) return "a name is empty";
  if (name.front() == '/') return "the path is absolute";
  if (one_line(name) != name) return "the name holds characters that are not printable";
  if (name.find('\\') != std::string_view::npos) return "the name holds a backslash";
  for (std::string_view rest = name;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part == "..") return "the path leaves the bundle";
    if (part.empty() || part == ".") return "the path is not in its shortest form";
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return cut_of(name) ? "" : "the path is too long";
}

std::string tar_header(std::string_view name, std::uint64_t bytes) {
  std::string header(kTarBlock, '\0');
  const std::size_t cut = cut_of(name).value();
  put(header, 0, cut == 0 ? name : name.substr(cut + 1));
  put(header, 100, "0000644");
  put(header, 108, "0000000");
  put(header, 116, "0000000");
  put(header, 124, octal(bytes, 11));
  put(header, 136, octal(kTarTime_s, 11));
  put(header, 148, "        ");
  put(header, 156, "0");  // a regular file
  put(header, 257, std::string_view("ustar\00000", 8));
  put(header, 329, "0000000");
  put(header, 337, "0000000");
  if (cut > 0) put(header, 345, name.substr(0, cut));
  std::uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(header, 148, octal(sum, 6));
  header[154] = '\0';
  return header;
}

TarWriter::TarWriter(const fs::path& file) : file_(file) {
  fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd_ < 0) fail_io("create", file);
}

TarWriter::~TarWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (!finished_) ::unlink(file_.c_str());
}

void TarWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_io("write", file_);
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

void TarWriter::pad(std::uint64_t bytes) { write(std::string(padding(bytes), '\0')); }

void TarWriter::add_text(std::string_view name, std::string_view text) {
  write(tar_header(name, text.size()));
  write(text);
  pad(text.size());
}

protocol::Digest TarWriter::add_file(std::string_view name, const fs::path& source,
                                     std::uint64_t bytes) {
  if (bytes > kBytesMax) throw UsageError(source.string() + " is too long for a bundle (8 GiB)");
  write(tar_header(name, bytes));
  const int in = ::open(source.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) fail_io("open", source);
  std::string piece(kPiece, '\0');
  std::uint64_t left = bytes;
  protocol::Sha256 hasher;
  try {
    while (left > 0) {
      const ssize_t got = ::read(in, piece.data(), std::min<std::uint64_t>(left, piece.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_io("read", source);
      if (got == 0) throw std::runtime_error(source.string() + " became shorter meanwhile");
      const std::string_view part(piece.data(), static_cast<std::size_t>(got));
      hasher.update(part);
      write(part);
      left -= static_cast<std::uint64_t>(got);
    }
  } catch (...) {
    ::close(in);
    throw;
  }
  ::close(in);
  pad(bytes);
  return hasher.finish();
}

void TarWriter::finish() {
  write(std::string(2 * kTarBlock, '\0'));
  if (::fsync(fd_) != 0) fail_io("sync", file_);
  finished_ = true;
}

TarReader::TarReader(const fs::path& file) : file_(file) {
  fd_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) fail_io("open", file);
}

TarReader::~TarReader() {
  if (fd_ >= 0) ::close(fd_);
}

void TarReader::fail(const std::string& what) const {
  throw EvidenceError("'" + one_line(file_.string()) + "', byte " + std::to_string(offset_) + ": " +
                      what);
}

/// At most `bytes`; less only at the end of the file.
std::string TarReader::take(std::uint64_t bytes) {
  std::string data(bytes, '\0');
  std::size_t filled = 0;
  while (filled < data.size()) {
    const ssize_t got = ::read(fd_, data.data() + filled, data.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io("read", file_);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  data.resize(filled);
  return data;
}

void TarReader::end() {
  offset_ += kTarBlock;
  if (take(kTarBlock) != std::string(kTarBlock, '\0')) fail("the bundle is cut short or damaged");
  offset_ += kTarBlock;
  if (!take(1).empty()) fail("something stands behind the end of the bundle");
}

std::optional<TarReader::Member> TarReader::next() {
  const std::string header = take(kTarBlock);
  if (header.size() != kTarBlock) fail("the bundle is cut short");
  if (header == std::string(kTarBlock, '\0')) {
    end();
    return std::nullopt;
  }
  Member member;
  const std::string prefix = field(header, 345, kPrefixBytes), name = field(header, 0, kNameBytes);
  member.name = prefix.empty() ? name : prefix + "/" + name;
  const std::string size = field(header, 124, 12);
  const bool digits = size.size() == 11 && size.find_first_not_of("01234567") == std::string::npos;
  if (digits) member.bytes = std::stoull(size, nullptr, 8);
  const char type = header[156];
  if (header.compare(257, 5, "ustar") == 0 && type != '0') {
    fail("'" + one_line(member.name) + "' is no regular file (a link, a folder or a device)");
  }
  const std::string problem = tar_name_problem(member.name);
  if (header.compare(257, 5, "ustar") == 0 && !problem.empty()) {
    fail("'" + one_line(member.name) + "': " + problem);
  }
  if (!digits || !problem.empty() || header != tar_header(member.name, member.bytes)) {
    fail("no header of a twinrun bundle");
  }
  offset_ += kTarBlock;
  member_ = member;
  return member;
}

void TarReader::read(const std::function<void(std::string_view)>& sink) {
  std::uint64_t left = member_.value().bytes;
  const std::uint64_t padded = padding(left);
  while (left > 0) {
    const std::string piece = take(std::min<std::uint64_t>(left, kPiece));
    if (piece.empty()) fail("the bundle is cut short in '" + one_line(member_->name) + "'");
    sink(piece);
    offset_ += piece.size();
    left -= piece.size();
  }
  const std::string zeros = take(padded);
  if (zeros.size() != padded) fail("the bundle is cut short");
  if (zeros != std::string(padded, '\0')) fail("bytes behind a member are not zero");
  offset_ += padded;
}

}  // namespace twinrun::harness
