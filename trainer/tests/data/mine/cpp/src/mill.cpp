#include "windmill/mill.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/core.h>

#include "windmill/sail.h"

namespace windmill {

Mill::Mill(std::vector<Sail> sails, double friction)
    : sails_(std::move(sails)), friction_(friction) {
  if (sails_.empty()) {
    throw std::invalid_argument("a mill needs sails");
  }
}

double Mill::torque(double wind_speed) const {
  double total = 0.0;
  for (const Sail& sail : sails_) {
    total += sail.force(wind_speed) * arm_length(sail);
  }
  return std::max(total - friction_, 0.0);
}

void Mill::add_sail(const std::string& description) {
  Sail sail = make_sail(description);
  const double area = sail.area();
  if (area <= 0.0) {
    throw std::invalid_argument(fmt::format("sail {} has no area", sail.name()));
  }
  sails_.push_back(sail);
}

void Mill::reef_all(double wind_speed) {
  const double limit = storm_limit(sails_.size());
  if (wind_speed < limit) {
    return;
  }
  for (Sail& sail : sails_) {
    sail.reef(limit / wind_speed);
  }
}

std::string Mill::describe() const {
  std::string text = fmt::format("{} sails", sails_.size());
  for (const Sail& sail : sails_) {
    text += fmt::format(", {} ({:.1f})", sail.name(), sail.area());
  }
  return text;
}

}  // namespace windmill
