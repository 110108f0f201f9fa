#include "trainer/train/failure.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <iostream>
#include <new>
#include <stdexcept>

#include "harness/protocol/record_resume.h"
#include "trainer/data/dataset.h"
#include "trainer/model/model_config.h"
#include "trainer/numerics/options.h"
#include "trainer/tokenizer/tokenizer.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

Failure usage(const std::exception& error) { return {"usage_error", kExitUsage, error.what()}; }
Failure failed(const char* message) { return {"failed", kExitFailed, message}; }

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const protocol::ResumeRefused& error) {
    return usage(error);
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
    return failed("out of memory");
  } catch (const c10::Error& error) {
    return failed(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return failed(error.what());
  }
}

int say_current_failure() {
  auto failure = current_failure();
  std::ranges::replace(failure.message, '\n', ' ');
  std::cerr << "twinrun-train: " << failure.message << "\n";
  return failure.exit_code;
}

}  // namespace twinrun::trainer
