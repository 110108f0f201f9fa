#include "trainer/train/run.h"

#include <c10/util/Exception.h>

#include <ctime>
#include <iostream>
#include <new>
#include <stdexcept>

#include "trainer/numerics/variables.h"
#include "trainer/train/session.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

constexpr int kExitComplete = 0, kExitUsage = 2, kExitFailed = 3;

std::string now_utc() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// manifest.json from the first write to the last.
class Manifest {
 public:
  Manifest(std::filesystem::path run_dir, const protocol::RunConfig& config)
      : run_dir_(std::move(run_dir)) {
    json_ = {
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
    write();
  }

  json& fields() { return json_; }

  void write() const {
    protocol::write_file_atomically(run_dir_ / "manifest.json", json_.dump(2) + "\n");
  }

  /// The last write; returns `exit_code`.
  int end(const char* status, const std::string& message, int exit_code) {
    json_["status"] = status;
    json_["message"] = message.empty() ? json(nullptr) : json(message);
    json_["ended"] = now_utc();
    for (const char* name : {"tensors.jsonl", "timings.jsonl"}) {
      if (std::filesystem::exists(run_dir_ / name)) {
        json_["files"][name] = protocol::to_hex(protocol::sha256_file(run_dir_ / name));
      }
    }
    write();
    if (!message.empty()) std::cerr << "twinrun-train: " << message << "\n";
    return exit_code;
  }

 private:
  std::filesystem::path run_dir_;
  json json_;
};

void train(const protocol::RunConfig& config, const std::filesystem::path& run_dir,
           Manifest& manifest) {
  const auto typed = read_train_config(config);
  prepare_environment(typed.numerics);
  auto& fields = manifest.fields();
  fields["numerics"] = typed.numerics.mode;
  fields["promise"] = promises_bits(typed.numerics) ? "bitwise" : "none";
  fields["arithmetic"] = arithmetic_id(typed.numerics);
  Session session(typed, fields);
  manifest.write();
  try {
    fields["head"] = protocol::to_hex(session.train(run_dir));
  } catch (...) {
    fields["steps_written"] = session.steps_written();
    throw;
  }
  fields["steps_written"] = session.steps_written();
}

}  // namespace

int run_training(const protocol::RunConfig& config, const std::filesystem::path& run_dir) {
  Manifest manifest(run_dir, config);
  const auto usage = [&](const std::exception& error) {
    return manifest.end("usage_error", error.what(), kExitUsage);
  };
  try {
    train(config, run_dir, manifest);
    return manifest.end("complete", "", kExitComplete);
  } catch (const ConfigError& error) {
    return usage(error);
  } catch (const DataError& error) {
    return usage(error);
  } catch (const ModelError& error) {
    return usage(error);
  } catch (const TokenizerError& error) {
    return usage(error);
  } catch (const NumericsError& error) {
    return usage(error);
  } catch (const std::invalid_argument& error) {
    return usage(error);
  } catch (const std::bad_alloc&) {
    return manifest.end("failed", "out of memory", kExitFailed);
  } catch (const c10::Error& error) {
    return manifest.end("failed", error.what_without_backtrace(), kExitFailed);
  } catch (const std::exception& error) {
    return manifest.end("failed", error.what(), kExitFailed);
  }
}

}  // namespace twinrun::trainer
