package cart

import (
	"errors"
	"fmt"
)

// ErrFull says that a cart has no room left.
var ErrFull = errors.New("the cart is full")

type Line struct {
	Code   string
	Amount int
	Price  float64
}

type Cart struct {
	Owner string
	Limit int
	lines []Line
}

func Open(owner string, limit int) *Cart {
	return &Cart{Owner: owner, Limit: limit}
}

func (c *Cart) Add(line Line) error {
	if len(c.lines) >= c.Limit {
		return fmt.Errorf("%s: %w", c.Owner, ErrFull)
	}
	c.lines = append(c.lines, line)
	return nil
}

func (c *Cart) Total() (total float64) {
	for _, line := range c.lines {
		total += float64(line.Amount) * line.Price
	}
	return total
}
