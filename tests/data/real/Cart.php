<?php

declare(strict_types=1);

namespace Shop\Checkout;

use InvalidArgumentException;

/** An amount of money in the smallest unit of its currency. */
final class Money
{
    public function __construct(
        public readonly int $cents,
        public readonly string $currency = 'EUR',
    ) {
    }

    public function plus(Money $other): self
    {
        $this->requireSameCurrency($other);

        return new self($this->cents + $other->cents, $this->currency);
    }

    public function times(float $factor): self
    {
        return new self((int) round($this->cents * $factor), $this->currency);
    }

    public function format(): string
    {
        return sprintf('%s %.2f', $this->currency, $this->cents / 100);
    }

    private function requireSameCurrency(Money $other): void
    {
        if ($this->currency !== $other->currency) {
            throw new InvalidArgumentException(
                "cannot add {$other->currency} to {$this->currency}"
            );
        }
    }
}

final class Line
{
    public function __construct(
        public readonly string $sku,
        public readonly Money $price,
        public int $quantity = 1,
    ) {
    }

    public function total(): Money
    {
        return $this->price->times($this->quantity);
    }
}

interface Discount
{
    public function apply(Cart $cart, Money $subtotal): Money;
}

/** Takes a share off once the cart is worth enough. */
final class PercentageAbove implements Discount
{
    public function __construct(private int $percent, private Money $threshold)
    {
        if ($percent < 0 || $percent > 100) {
            throw new InvalidArgumentException("expected 0 to 100 percent, got {$percent}");
        }
    }

    public function apply(Cart $cart, Money $subtotal): Money
    {
        if ($subtotal->cents < $this->threshold->cents) {
            return $subtotal;
        }

        return $subtotal->times(1 - $this->percent / 100);
    }
}

final class Cart
{
    /** @var array<string, Line> */
    private array $lines = [];

    /** @var list<Discount> */
    private array $discounts = [];

    public function add(string $sku, Money $price, int $quantity = 1): void
    {
        if ($quantity < 1) {
            throw new InvalidArgumentException('a quantity is at least 1');
        }
        // The same article again only raises the quantity.
        if (isset($this->lines[$sku])) {
            $this->lines[$sku]->quantity += $quantity;
        } else {
            $this->lines[$sku] = new Line($sku, $price, $quantity);
        }
    }

    public function remove(string $sku): void
    {
        unset($this->lines[$sku]);
    }

    public function addDiscount(Discount $discount): void
    {
        $this->discounts[] = $discount;
    }

    public function isEmpty(): bool
    {
        return $this->lines === [];
    }

    public function count(): int
    {
        return array_sum(array_map(fn (Line $line) => $line->quantity, $this->lines));
    }

    public function subtotal(): Money
    {
        $sum = new Money(0);
        foreach ($this->lines as $line) {
            $sum = $sum->plus($line->total());
        }

        return $sum;
    }

    public function total(): Money
    {
        $total = $this->subtotal();
        foreach ($this->discounts as $discount) {
            $total = $discount->apply($this, $total);
        }

        return $total;
    }
}
