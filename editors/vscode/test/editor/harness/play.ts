// A test in the editor, which leaves a picture and the messages where it fails.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { closeBrowser, type Editor } from "./editor.ts";
import type { Stage } from "./stage.ts";

/** A stage and its window; each file of tests has at least one. */
export interface Scene {
  stage: Stage;
  editor: Editor;
}

/** Defines tests that go on with one scene, in their order. */
export function scene(set: () => Promise<Scene>): (name: string, act: (scene: Scene) => Promise<void>) => void {
  let running: Promise<Scene> | undefined;
  after(async () => {
    const found = await running?.catch(() => undefined);
    await found?.editor.close();
    await closeBrowser();
    await found?.stage.end();
  });
  return (name, act) =>
    test(name, async () => {
      running ??= set();
      const found = await running;
      try {
        await act(found);
      } catch (error) {
        await leave(name, found);
        throw error;
      }
    });
}

/** Leaves a picture and the messages of what failed. */
export async function leave(name: string, { stage, editor }: Scene): Promise<void> {
  const folder = process.env["TRUEFILL_FAILURES"];
  if (folder === undefined) {
    return;
  }
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name.replace(/[^a-zA-Z0-9]+/g, "-").slice(0, 60));
  await editor.page.screenshot({ path: `${file}.png` }).catch(() => undefined);
  writeFileSync(
    `${file}.jsonl`,
    stage
      .messages()
      .map((message) => `${JSON.stringify(message)}\n`)
      .join(""),
  );
}
