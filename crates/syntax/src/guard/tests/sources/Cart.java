package shop;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

public class Cart {
    private final String owner;
    private final List<Line> lines = new ArrayList<>();
    private int limit = 3;

    public Cart(String owner) {
        this.owner = owner;
    }

    public Line addLine(String code, int amount, double price) {
        if (lines.size() >= limit) {
            throw new IllegalStateException(owner + " has no room for " + code);
        }
        Line line = new Line(code, amount, price);
        lines.add(line);
        return line;
    }

    public Optional<Line> find(String code) {
        return lines.stream().filter(line -> line.code().equals(code)).findFirst();
    }

    public double total() {
        double total = 0;
        for (Line line : lines) {
            total += line.amount() * line.price();
        }
        return total;
    }

    public String codes() {
        return lines.stream().map(Line::code).collect(Collectors.joining(", "));
    }

    public record Line(String code, int amount, double price) {}
}
