export interface Product {
  code: string;
  name: string;
  price: number;
}

export interface Line {
  product: Product;
  amount: number;
}

export class Cart {
  readonly lines: Line[] = [];

  constructor(private readonly owner: string, private limit = 3) {}

  addLine(product: Product, amount = 1): Line {
    if (this.lines.length >= this.limit) {
      throw new RangeError(`${this.owner}: ${product.code}`);
    }
    const line = { product, amount };
    this.lines.push(line);
    return line;
  }
}

export const totalPrice = (lines: Line[]): number =>
  lines.reduce((sum, line) => sum + line.amount * line.product.price, 0);

export function openCart(owner: string, limit?: number): Cart {
  return new Cart(owner, limit);
}
