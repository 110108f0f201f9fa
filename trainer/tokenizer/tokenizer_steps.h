#pragma once

#include "trainer/tokenizer/json_node.h"
#include "trainer/tokenizer/pretokenizer.h"

namespace twinrun::trainer {

// What a tokenizer.json says of the steps before and after its model. `root` is the whole file. All
// throw TokenizerError (file, field), by name for what is not built.

/// Whether text is brought into normalization form C.
bool read_normalizer(const JsonNode& root);

Pretokenizer read_pre_tokenizer(const JsonNode& root);

/// Post-processor and decoder, of which none may change the ids of a text by itself.
void check_later_steps(const JsonNode& root);

}  // namespace twinrun::trainer
