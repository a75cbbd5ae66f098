using System;
using System.Collections.Generic;
using System.Linq;

namespace Shop
{
    public record Line(string Code, int Amount, decimal Price);

    public class Cart
    {
        private readonly List<Line> _lines = new();

        public Cart(string owner, int limit = 3)
        {
            Owner = owner;
            Limit = limit;
        }

        public string Owner { get; }

        public int Limit { get; }

        public Line AddLine(string code, int amount, decimal price)
        {
            if (_lines.Count >= Limit)
            {
                throw new InvalidOperationException($"{Owner} has no room for {code}");
            }
            var line = new Line(code, amount, price);
            _lines.Add(line);
            return line;
        }

        public decimal Total()
        {
            return _lines.Sum(line => line.Amount * line.Price);
        }

        public IEnumerable<string> CodesOver(decimal price)
        {
            return from line in _lines
                   let sum = line.Amount * line.Price
                   where sum > price
                   select line.Code;
        }
    }
}
