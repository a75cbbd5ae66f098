// Bundles the extension into dist/extension.cjs; --watch goes on doing so.
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const OPTIONS = {
  absWorkingDir: ROOT,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.cjs",
  bundle: true,
  platform: "node",
  format: "cjs",
  // The oldest runtime of the editors that the manifest admits.
  target: "node20",
  external: ["vscode"],
  minify: true,
  metafile: true,
  logLevel: "warning",
};

/** Bundles once; gives back the files that went into it, from the extension's folder. */
export async function bundle() {
  const { metafile } = await build(OPTIONS);
  return Object.keys(metafile.inputs);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--watch")) {
    await (await context(OPTIONS)).watch();
  } else {
    await bundle();
  }
}
