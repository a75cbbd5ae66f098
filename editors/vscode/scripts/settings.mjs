// Merges settings.json, which the server's configuration makes, into package.json.
// With --check nothing is written, and the exit status says whether they agree.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

const PREFIX = "truefill.";
const manifestFile = new URL("../package.json", import.meta.url);
const settingsFile = new URL("../settings.json", import.meta.url);

/** The sections of the settings as the settings editor shows them, a page each, in the server's order. */
function pages(settings) {
  const pages = new Map();
  for (const [key, property] of Object.entries(settings).sort(([, one], [, other]) => one.order - other.order)) {
    const section = key.slice(PREFIX.length).split(".")[0];
    const title = `Truefill: ${section[0].toUpperCase()}${section.slice(1)}`;
    const page = pages.get(title) ?? {};
    pages.set(title, { ...page, [key]: property });
  }
  return [...pages].map(([title, properties], at) => ({ title, order: at + 1, properties }));
}

/** The manifest with these settings; its first page of settings is the extension's own. */
export function merged(manifest, settings) {
  const copy = structuredClone(manifest);
  copy.contributes.configuration = [manifest.contributes.configuration[0], ...pages(settings)];
  // A workspace that is not trusted gets no say in what VS Code would else take from it.
  const all = { ...manifest.contributes.configuration[0].properties, ...settings };
  copy.capabilities.untrustedWorkspaces.restrictedConfigurations = Object.entries(all)
    .filter(([, property]) => property.scope !== "machine")
    .map(([key]) => key);
  return copy;
}

/** What is wrong with the form of the settings, a sentence each. */
export function mistakes(settings) {
  const found = [];
  for (const [key, property] of Object.entries(settings)) {
    if (!/^truefill\.[a-z_]+\.[a-z_]+$/.test(key)) {
      found.push(`\`${key}\` is no key of the form \`truefill.<section>.<key>\``);
    }
    for (const part of ["type", "default", "markdownDescription", "scope", "order"]) {
      if (!(part in property)) {
        found.push(`\`${key}\` has no \`${part}\``);
      }
    }
  }
  return found;
}

function main(check) {
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
  const settings = JSON.parse(readFileSync(settingsFile, "utf8"));
  const wrong = mistakes(settings);
  if (wrong.length > 0) {
    console.error(`settings.json: ${wrong.join("; ")}. The server's test \`config_reference\` makes this file.`);
    return 1;
  }
  const wanted = merged(manifest, settings);
  if (isDeepStrictEqual(manifest, wanted)) {
    return 0;
  }
  if (check) {
    console.error("package.json does not have the settings of settings.json; run `npm run settings`");
    return 1;
  }
  writeFileSync(manifestFile, `${JSON.stringify(wanted, null, 2)}\n`);
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.includes("--check"));
}
