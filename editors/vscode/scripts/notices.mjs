// The licences of the packages in the bundle, as their authors ask for.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const LICENCE = /^(licen[cs]e|copying|notice)/i;

/** The text of the file that goes along; `inputs` are the files in the bundle, `root` is where they lie. */
export function notices(root, inputs) {
  const folders = new Set(inputs.flatMap((file) => PACKAGE.exec(file)?.[1] ?? []));
  const parts = [...folders].sort().map((folder) => notice(join(root, folder)));
  return `The extension holds the following packages.\n\n${parts.join("\n")}`;
}

function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder)
    .filter((file) => LICENCE.test(file))
    .sort();
  if (files.length === 0) {
    throw new Error(`${folder}: expected a file with the licence (${license}), found none`);
  }
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  const title = `${name} ${version} (${license})`;
  return `${title}\n${"=".repeat(title.length)}\n\n${texts.join("\n\n")}\n`;
}
