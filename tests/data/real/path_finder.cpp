#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <queue>
#include <stdexcept>
#include <string>
#include <vector>

namespace maze {

struct Point {
    int x = 0;
    int y = 0;

    friend bool operator==(const Point&, const Point&) = default;
};

/// A rectangle of cells; `#` is a wall, a digit is the cost of entering, all else costs 1.
class Grid {
public:
    explicit Grid(std::vector<std::string> rows) : rows_(std::move(rows)) {
        if (rows_.empty()) {
            throw std::invalid_argument("a grid has at least one row");
        }
        for (const auto& row : rows_) {
            if (row.size() != rows_.front().size()) {
                throw std::invalid_argument("all rows must be of one length");
            }
        }
    }

    int width() const { return static_cast<int>(rows_.front().size()); }
    int height() const { return static_cast<int>(rows_.size()); }

    bool contains(Point p) const {
        return p.x >= 0 && p.y >= 0 && p.x < width() && p.y < height();
    }

    bool is_wall(Point p) const {
        return cell(p) == '#';
    }

    int cost(Point p) const {
        const char c = cell(p);
        return c >= '1' && c <= '9' ? c - '0' : 1;
    }

    std::vector<Point> neighbours(Point p) const {
        static constexpr Point steps[] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
        std::vector<Point> found;
        for (const Point step : steps) {
            const Point next{p.x + step.x, p.y + step.y};
            if (contains(next) && !is_wall(next)) {
                found.push_back(next);
            }
        }
        return found;
    }

    std::size_t index(Point p) const {
        return static_cast<std::size_t>(p.y) * rows_.front().size() + static_cast<std::size_t>(p.x);
    }

private:
    char cell(Point p) const {
        return rows_.at(static_cast<std::size_t>(p.y)).at(static_cast<std::size_t>(p.x));
    }

    std::vector<std::string> rows_;
};

struct Path {
    std::vector<Point> points;
    int cost = 0;
};

/// The cheapest way from one cell to another by A*, or nothing where there is none.
std::optional<Path> find_path(const Grid& grid, Point start, Point goal) {
    struct Entry {
        int estimate;
        Point point;
        bool operator<(const Entry& other) const { return estimate > other.estimate; }
    };

    const auto cells = static_cast<std::size_t>(grid.width()) * static_cast<std::size_t>(grid.height());
    std::vector<int> best(cells, std::numeric_limits<int>::max());
    std::vector<Point> came_from(cells);
    std::priority_queue<Entry> open;

    // Every step costs at least 1, so the distance never overestimates.
    const auto distance = [goal](Point p) { return std::abs(p.x - goal.x) + std::abs(p.y - goal.y); };

    best[grid.index(start)] = 0;
    open.push({distance(start), start});
    while (!open.empty()) {
        const Point current = open.top().point;
        open.pop();
        if (current == goal) {
            break;
        }
        for (const Point next : grid.neighbours(current)) {
            const int cost = best[grid.index(current)] + grid.cost(next);
            if (cost < best[grid.index(next)]) {
                best[grid.index(next)] = cost;
                came_from[grid.index(next)] = current;
                open.push({cost + distance(next), next});
            }
        }
    }

    const int total = best[grid.index(goal)];
    if (total == std::numeric_limits<int>::max()) {
        return std::nullopt;
    }
    Path path{{goal}, total};
    while (!(path.points.back() == start)) {
        path.points.push_back(came_from[grid.index(path.points.back())]);
    }
    std::reverse(path.points.begin(), path.points.end());
    return path;
}

}  // namespace maze
