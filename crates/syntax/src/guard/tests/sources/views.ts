import { readFileSync } from 'node:fs';
import * as carts from './cart';
import { Line, Product, totalPrice } from './cart';

type Catalogue = Map<string, Product>;

export class Page {
  private rows: string[] = [];

  constructor(public title: string) {}

  addLine(line: Line): this {
    const price = line.amount * line.product.price;
    this.rows.push(`${line.product.name} ${price.toFixed(2)}`);
    return this;
  }

  render(): string {
    return [this.title, ...this.rows].join('\n');
  }
}

export function loadCatalogue(path: string): Catalogue {
  const products: Product[] = JSON.parse(readFileSync(path, 'utf8'));
  return new Map(products.map((product) => [product.code, product]));
}

export async function checkout(owner: string, codes: string[], catalogue: Catalogue) {
  const cart = carts.openCart(owner, codes.length);
  for (const code of codes) {
    const product = catalogue.get(code);
    if (product !== undefined) {
      cart.addLine(product);
    }
  }
  const page = new Page('Checkout');
  cart.lines.forEach((line) => page.addLine(line));
  return { text: page.render(), total: totalPrice(cart.lines) };
}

export const renderAll = (pages: Page[]) => pages.map((page) => page.render());
