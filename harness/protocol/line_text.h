#pragma once

#include <optional>
#include <string>

#include "harness/protocol/record.h"

namespace twinrun::protocol {

// What the lines of steps.jsonl, inference.jsonl and eval.jsonl have in common.

/// Appends the IEEE 754 bits in lower-case hex, most significant digit first, without quotes.
void append_bits(std::string& out, float value);
void append_bits(std::string& out, double value);

/// Appends `{"bits":"<hex>","value":<number>}`; the number as %.9g of a float32 and %.17g of a
/// float64, null if it is not finite.
void append_number(std::string& out, float value);
void append_number(std::string& out, double value);

/// append_bits of nothing else.
std::string bits_text(float value);
std::string bits_text(double value);
/// -0 and 0 are the same number but not the same bits.
bool same_bits(float a, float b);

/// bitwise, none.
std::string to_string(Promise promise);

void append_sample_id(std::string& out, const SampleId& id);

/// Append `,"key":`, and with it a text in quotes or null.
void append_key(std::string& out, const char* key);
void append_text(std::string& out, const char* key, const std::string& text);
void append_text(std::string& out, const char* key, const std::optional<std::string>& text);

}  // namespace twinrun::protocol
