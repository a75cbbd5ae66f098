#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace linalg {

template <typename T, std::size_t Rows, std::size_t Columns>
class Matrix {
  public:
	using value_type = T;
	static constexpr std::size_t size = Rows * Columns;

	constexpr Matrix() noexcept : cells_{} {}
	explicit Matrix(const std::array<T, size> &cells) : cells_(cells) {}

	T &operator()(std::size_t row, std::size_t column) {
		if (row >= Rows || column >= Columns) {
			throw std::out_of_range("matrix index");
		}
		return cells_[row * Columns + column];
	}

	template <std::size_t Other>
	[[nodiscard]] auto operator*(const Matrix<T, Columns, Other> &right) const -> Matrix<T, Rows, Other> {
		Matrix<T, Rows, Other> product;
		for (std::size_t i = 0; i < Rows; ++i) {
			for (std::size_t k = 0; k < Columns; ++k) {
				const T left = cells_[i * Columns + k];
				for (std::size_t j = 0; j < Other; ++j) {
					product(i, j) += left * right.at(k, j);
				}
			}
		}
		return product;
	}

	[[nodiscard]] const T &at(std::size_t row, std::size_t column) const { return cells_.at(row * Columns + column); }

  private:
	std::array<T, size> cells_;
};

#ifdef LINALG_TRACE
#	define TRACE(message) (std::cerr << __FILE__ << ':' << __LINE__ << ": " << (message) << '\n')
#else
#	define TRACE(message) ((void)0)
#endif

struct Checksum {
	std::uint64_t state = 0xcbf29ce484222325ULL;

	void add(std::string_view bytes) noexcept {
		for (unsigned char byte : bytes) {
			state = (state ^ byte) * 0x100000001b3ULL;
		}
	}
};

}  // namespace linalg

int main(int argc, char **argv) {
	std::vector<std::string_view> words(argv + 1, argv + argc);
	std::sort(words.begin(), words.end(), [](auto a, auto b) { return a.size() < b.size(); });
	auto sum = std::make_unique<linalg::Checksum>();
	for (const auto &word : words) {
		sum->add(word);
		TRACE(word);
	}
	std::cout << std::hex << sum->state << std::endl;
	return words.empty() ? EXIT_FAILURE : 0;
}
