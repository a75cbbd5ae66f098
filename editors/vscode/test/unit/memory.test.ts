import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Memory } from "../../src/memory.ts";

/** Keeps values as the editor does: each update sends all of them, and takes back what arrived. */
class Echoing {
  private values: Record<string, unknown> = {};
  overlaps = 0;
  private going = 0;

  get<T>(key: string, otherwise?: T): T {
    return (this.values[key] ?? otherwise) as T;
  }

  async update(key: string, value: unknown): Promise<void> {
    this.overlaps += this.going > 0 ? 1 : 0;
    this.going += 1;
    const sent = { ...this.values, [key]: value };
    await sleep(2);
    this.values = sent;
    this.going -= 1;
  }

  keys(): readonly string[] {
    return Object.keys(this.values);
  }
}

test("of updates that are not waited for none is lost", async () => {
  const state = new Echoing();
  const memory = new Memory(state);
  const names = ["welcomed", "asked", "other"];
  await Promise.all(names.map((name) => memory.change(name, false, () => true)));
  assert.deepEqual([state.keys(), state.overlaps], [names, 0]);
});

test("a change is made of what the change before it left", async () => {
  const memory = new Memory(new Echoing());
  await Promise.all(["a", "b"].map((file) => memory.change<string[]>("files", [], (all) => [...all, file])));
  assert.deepEqual(memory.get("files", []), ["a", "b"]);
});

test("one that fails is told to whoever made it, and the next one goes on", async () => {
  const state = new Echoing();
  const memory = new Memory(state);
  const failed = memory.change("a", 0, () => {
    throw new Error("it cannot be");
  });
  const next = memory.change("b", 0, () => 1);
  await assert.rejects(failed, /it cannot be/);
  await next;
  assert.deepEqual(state.keys(), ["b"]);
});
