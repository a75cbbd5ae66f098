import { z } from 'zod';
import { formatAmount, type Currency } from './currency';
import type { Store } from './store';

const entrySchema = z.object({
  account: z.string().min(1),
  amount: z.number().finite(),
  note: z.string().optional(),
});

export type Entry = z.infer<typeof entrySchema>;

export class Ledger {
  private readonly balances = new Map<string, number>();

  constructor(
    private readonly store: Store,
    private readonly currency: Currency,
  ) {}

  post(raw: unknown): Entry {
    const entry = entrySchema.parse(raw);
    const before = this.balanceOf(entry.account);
    this.balances.set(entry.account, before + entry.amount);
    this.store.append(entry);
    return entry;
  }

  balanceOf(account: string): number {
    return this.balances.get(account) ?? 0;
  }

  describe(account: string): string {
    const balance = this.balanceOf(account);
    return `${account}: ${formatAmount(balance, this.currency)}`;
  }

  async reload(): Promise<number> {
    const entries = await this.store.readAll();
    this.balances.clear();
    for (const entry of entries) {
      this.post(entry);
    }
    return entries.length;
  }
}
