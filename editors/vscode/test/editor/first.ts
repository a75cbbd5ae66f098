// Goes a new user's way, with an empty home and an empty store, and times it. What a user does with keys and mouse
// is done here without thinking, so what is left is what everybody waits for.
import { closeBrowser, Editor } from "./harness/editor.ts";
import { leave } from "./harness/play.ts";
import { platformVsix } from "./harness/places.ts";
import { Stage, until } from "./harness/stage.ts";

const begun = Date.now();
let last = begun;

function done(what: string): void {
  const now = Date.now();
  console.log(`${((now - last) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  last = now;
}

const stage = await Stage.set({
  vsix: platformVsix(),
  machine: { "workbench.welcomePage.walkthroughs.openOnInstall": true },
});
let editor: Editor | undefined;
try {
  done("the extension is installed, and the editor's server runs");
  const own = await Editor.open(stage, false);
  editor = own;
  await editor.page.getByText("Get started with Truefill").first().waitFor();
  await editor.step("Start the program", true);
  done("the walkthrough is open, and the program runs");
  await editor.page.getByText("Get the default model").first().click();
  await editor.page.getByRole("button", { name: "Pull the Default Model" }).click();
  await until("the model", () => own.status((text) => text.startsWith("sparkle")), 600_000);
  done("the default model is there, and is loaded");
  await editor.page.getByText("Take your first suggestion").first().click();
  await editor.page.getByRole("button", { name: "Open the Example" }).click();
  const ghost = await editor.anyGhost();
  done(`the first suggestion is there: ${JSON.stringify(ghost)}`);
  await editor.press("Tab");
  await editor.ghost("");
  done("it is taken");
} catch (error) {
  if (editor !== undefined) {
    await leave("first", { stage, editor });
  }
  throw error;
} finally {
  await closeBrowser();
  await stage.end();
}
console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  in all`);
