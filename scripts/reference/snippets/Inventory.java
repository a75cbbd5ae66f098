package org.example.warehouse;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * Counts stock per shelf. Quantities are never negative.
 *
 * @since 2.1
 */
public final class Inventory<S extends Comparable<S>> {
    private static final int MAX_SHELVES = 10_000;
    private static final long TTL_MILLIS = 86_400_000L;

    public record Item(String sku, BigDecimal price, int quantity) {
        public Item {
            Objects.requireNonNull(sku, "sku");
            if (quantity < 0) {
                throw new IllegalArgumentException("quantity of " + sku + " is " + quantity);
            }
        }

        BigDecimal value() {
            return price.multiply(BigDecimal.valueOf(quantity));
        }
    }

    private final Map<S, List<Item>> shelves = new ConcurrentHashMap<>();
    private volatile Instant lastCount = Instant.EPOCH;

    public Optional<Item> find(String sku) {
        return shelves.values().stream()
                .flatMap(List::stream)
                .filter(item -> item.sku().equalsIgnoreCase(sku))
                .max(Comparator.comparingInt(Item::quantity));
    }

    public synchronized void put(S shelf, List<? extends Item> items) {
        if (shelves.size() >= MAX_SHELVES && !shelves.containsKey(shelf)) {
            throw new IllegalStateException("more than " + MAX_SHELVES + " shelves");
        }
        shelves.merge(shelf, List.copyOf(items), (before, after) -> {
            var merged = new java.util.ArrayList<>(before);
            merged.addAll(after);
            return merged;
        });
        lastCount = Instant.now();
    }

    public Map<S, BigDecimal> totals() {
        return shelves.entrySet().stream().collect(Collectors.toMap(
                Map.Entry::getKey,
                e -> e.getValue().stream().map(Item::value).reduce(BigDecimal.ZERO, BigDecimal::add)));
    }

    boolean isStale(Instant now) {
        return Duration.between(lastCount, now).toMillis() > TTL_MILLIS;
    }

    @Override
    public String toString() {
        return """
                Inventory {
                  shelves = %d, counted = %s
                }""".formatted(shelves.size(), lastCount);
    }
}
