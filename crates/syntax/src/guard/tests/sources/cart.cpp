#include <stdexcept>
#include <string>
#include <vector>

namespace shop {

struct Line {
  std::string code;
  int amount = 1;
  double price = 0;
};

class Cart {
 public:
  explicit Cart(std::string owner, size_t limit = 3)
      : owner_(std::move(owner)), limit_(limit) {}

  const Line& add_line(std::string code, int amount, double price) {
    if (lines_.size() >= limit_) {
      throw std::length_error(owner_ + " has no room for " + code);
    }
    lines_.push_back({std::move(code), amount, price});
    return lines_.back();
  }

  double total() const {
    double sum = 0;
    for (const auto& line : lines_) {
      sum += line.amount * line.price;
    }
    return sum;
  }

 private:
  std::string owner_;
  size_t limit_;
  std::vector<Line> lines_;
};

Cart open_cart(const std::string& owner) { return Cart(owner, 10); }

}  // namespace shop
