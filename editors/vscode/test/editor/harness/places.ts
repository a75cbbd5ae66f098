// What the runner has installed, and where.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

function named(variable: string): string {
  const value = process.env[variable];
  if (value === undefined || value === "") {
    throw new Error(`\`${variable}\` is not set; start the tests by \`editors/vscode/test/run\``);
  }
  return value;
}

/** The program under test. */
export const truefill = () => named("TRUEFILL");
/** The store that holds the default model. */
export const defaultStore = () => named("TRUEFILL_DEFAULT_STORE");
/** code-server's entry point. */
export const codeServer = () => named("CODE_SERVER");
/** The packaged extension. */
export const vsix = () => named("TRUEFILL_VSIX");
/** The packaged extension with a program. */
export const platformVsix = () => named("TRUEFILL_PLATFORM_VSIX");
export const chromium = () => named("CHROMIUM");
/** The folder of the extension. */
export const extension = fileURLToPath(new URL("../../..", import.meta.url));
/** The repository. */
export const repository = fileURLToPath(new URL("../../../../..", import.meta.url));

/** Models of random numbers, of some kilobytes. */
export const tinyModels = join(repository, "crates/model/tests/data/parity/gguf");

/** Times that a slow machine is given, in milliseconds. */
export const PATIENCE = Number(process.env["TRUEFILL_PATIENCE_MS"] ?? 20_000);
