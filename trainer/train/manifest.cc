#include "trainer/train/manifest.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include "harness/protocol/record_resume.h"
#include "harness/protocol/record_writer.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::ResumeRefused;

// The key of docs/protocol.md section 6 but for what the identity and the arithmetic hold.
constexpr std::array kPlatformKey = {"/device/type",   "/device/name",     "/versions/torch",
                                     "/versions/cuda", "/versions/cublas", "/versions/cudnn",
                                     "/cpu/isa",       "/cpu/threads",     "/world_size"};

std::string now_utc() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

json read_manifest(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::string problem = "not a JSON object";
  const auto parsed = protocol::parse_strict_json(text, problem);
  if (!parsed || !parsed->is_object()) {
    throw ResumeRefused(path.string() + ": " + problem +
                        "; without it nobody knows which run this is: start a new one");
  }
  return *parsed;
}

json value_at(const json& manifest, const char* pointer) {
  const json::json_pointer place(pointer);
  return manifest.contains(place) ? manifest.at(place) : json();
}

}  // namespace

Manifest Manifest::begin(const fs::path& run_dir, const protocol::RunConfig& config) {
  Manifest manifest(run_dir);
  manifest.json_ = {
      {"schema", protocol::kRecordSchema},
      {"run_id", protocol::random_run_id()},
      {"identity", protocol::to_hex(config.identity_digest())},
      {"status", "running"},
      {"message", nullptr},
      {"started", now_utc()},
      {"ended", nullptr},
      {"steps_written", 0},
      {"head", nullptr},
      {"digests", {{"model", json::object()}, {"tokenizer", json::object()}, {"data", nullptr}}},
      {"files", json::object()}};
  manifest.write();
  return manifest;
}

Manifest Manifest::resume(const fs::path& run_dir, const protocol::RunConfig& config) {
  const fs::path path = run_dir / "manifest.json";
  if (!fs::exists(path)) {
    if (fs::exists(run_dir / "steps.jsonl")) {
      throw ResumeRefused(run_dir.string() +
                          ": there is a record but no manifest.json, so nobody knows which run "
                          "this is: start a new one");
    }
    return begin(run_dir, config);
  }
  Manifest manifest(run_dir);
  manifest.json_ = read_manifest(path);
  json& fields = manifest.json_;
  const json identity = fields.value("identity", json()), run_id = fields.value("run_id", json());
  if (fields.value("status", json()) == "complete") {
    throw ResumeRefused(run_dir.string() + ": the run is complete, there is nothing to resume");
  }
  if (identity != protocol::to_hex(config.identity_digest())) {
    throw ResumeRefused(path.string() + ": the run is of identity " + identity.dump() +
                        ", the configuration of " + protocol::to_hex(config.identity_digest()));
  }
  if (!run_id.is_string()) throw ResumeRefused(path.string() + ": names no run_id");
  fields["status"] = "running";
  for (const char* unknown : {"message", "ended", "head"}) fields[unknown] = nullptr;
  fields["files"] = json::object();
  return manifest;
}

void Manifest::add_resumed(std::int64_t step) {
  json_["resumed"].push_back({{"step", step}, {"at", now_utc()}});
}

void Manifest::write() const {
  protocol::write_file_atomically(run_dir_ / "manifest.json", json_.dump(2) + "\n");
}

int Manifest::end(const char* status, const std::string& message, int exit_code) {
  json_["status"] = status;
  json_["message"] = message.empty() ? json(nullptr) : json(message);
  json_["ended"] = now_utc();
  for (const char* name : {"tensors.jsonl", "timings.jsonl", "eval.jsonl"}) {
    if (fs::exists(run_dir_ / name)) {
      json_["files"][name] = protocol::to_hex(protocol::sha256_file(run_dir_ / name));
    }
  }
  write();
  if (!message.empty()) std::cerr << "twinrun-train: " << message << "\n";
  return exit_code;
}

json platform_of(const json& machine) {
  auto platform = json::object();
  for (const char* pointer : kPlatformKey) {
    std::string name = pointer + 1;
    std::ranges::replace(name, '/', '.');
    platform[name] = value_at(machine, pointer);
  }
  return platform;
}

std::string platform_difference(const json& before, const json& now) {
  std::string text;
  for (const char* pointer : kPlatformKey) {
    const json was = value_at(before, pointer), is = value_at(now, pointer);
    if (was.is_null() || is.is_null() || was == is) continue;
    text += (text.empty() ? "" : ", ") + std::string(pointer + 1) + " was " + was.dump() +
            " and is " + is.dump();
  }
  return text;
}

RunLock::RunLock(const fs::path& run_dir) {
  constexpr auto kWait = std::chrono::seconds(10);
  constexpr auto kNap = std::chrono::milliseconds(50);
  fd_ = ::open(run_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto end = std::chrono::steady_clock::now() + kWait;
  while (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    if (std::chrono::steady_clock::now() > end) {
      ::close(fd_);
      throw ResumeRefused(run_dir.string() + ": another trainer is at work there");
    }
    std::this_thread::sleep_for(kNap);
  }
}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace twinrun::trainer
