#pragma once

#include <string>

namespace windmill {

class Sail {
 public:
  Sail(std::string name, double area);

  const std::string& name() const { return name_; }
  double area() const { return area_; }
  double force(double wind_speed) const;
  void reef(double share);

 private:
  std::string name_;
  double area_;
};

Sail make_sail(const std::string& description);

}  // namespace windmill
