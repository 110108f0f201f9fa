#include "harness/report/verdict_schema.h"

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "verdict_schema_text.h"

namespace twinrun::harness {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

std::string verdict_schema_problem(const json& value) {
  valijson::Schema schema;
  const json text = json::parse(kVerdictSchemaText);
  valijson::SchemaParser().populateSchema(NlohmannJsonAdapter(text), schema);
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  if (validator.validate(schema, NlohmannJsonAdapter(value), &results)) return {};
  // The innermost one says most; what holds it says only that it does not fit.
  valijson::ValidationResults::Error deepest, error;
  while (results.popError(error)) {
    if (error.context.size() > deepest.context.size()) deepest = error;
  }
  std::string place;
  for (std::size_t i = 1; i < deepest.context.size(); ++i) place += deepest.context[i];
  return (place.empty() ? "" : place + ": ") + deepest.description;
}

}  // namespace twinrun::harness
