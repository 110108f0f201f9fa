#include "trainer/model/random_model.h"

#include <algorithm>
#include <iterator>

#include "trainer/data/philox.h"
#include "trainer/model/safetensors.h"

namespace twinrun::trainer {

std::vector<float> random_tensor(const ModelConfig& config, std::uint64_t seed,
                                 const std::string& name) {
  const auto tensors = expected_tensors(config);
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw ModelError("a random model has no tensor '" + name + "'");
  std::size_t elements = 1;
  for (const std::int64_t size : found->second) elements *= static_cast<std::size_t>(size);
  // The norms are the only vectors.
  if (found->second.size() == 1) return std::vector<float>(elements, 1.0f);

  constexpr float kScale = 0.0346410162f * 0x1p-23f;
  const auto index = static_cast<std::uint32_t>(std::distance(tensors.begin(), found));
  const PhiloxKey key = philox_key(seed);
  std::vector<float> values(elements);
  for (std::uint64_t block = 0; block * 4 < elements; ++block) {
    const PhiloxBlock words =
        philox4x32({static_cast<std::uint32_t>(PhiloxStream::kModelInit), index,
                    static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32)},
                   key);
    const std::size_t begin = block * 4, count = std::min<std::size_t>(4, elements - begin);
    for (std::size_t i = 0; i < count; ++i) {
      // The high 24 bits with their sign are a float exactly, so one product rounds, everywhere
      // alike.
      const std::int32_t integer = static_cast<std::int32_t>(words[i]) >> 8;
      values[begin + i] = static_cast<float>(integer) * kScale;
    }
  }
  return values;
}

}  // namespace twinrun::trainer
