// Where the program is: what the user named, what came with the extension, what is in PATH.
import { accessSync, constants, statSync } from "node:fs";
import { posix, win32 } from "node:path";

/** What the search goes by. */
export interface Surroundings {
  /** `truefill.server.path`. */
  setting: string;
  /** The extension's own folder. */
  extension: string;
  /** The environment variable PATH. */
  searchPath: string;
  home: string;
  /** Folders that the user has opened. */
  workspace: readonly string[];
  windows: boolean;
  isProgram: (file: string) => boolean;
}

/** Who said where the program is. */
export type Origin = "setting" | "extension" | "path";

export type Found = { file: string; origin: Origin } | { problem: string };

/** The program to start, or a sentence that says what is wrong and what to do. */
export function findProgram(around: Surroundings): Found {
  const { setting, extension, windows, isProgram } = around;
  const path = windows ? win32 : posix;
  const name = windows ? "truefill.exe" : "truefill";
  if (setting.trim() !== "") {
    return named(expanded(setting.trim(), around.home, path), isProgram, path);
  }
  const packed = path.join(extension, "bin", name);
  if (isProgram(packed)) {
    return { file: packed, origin: "extension" };
  }
  const inPath = searched(around, path).map((folder) => path.join(folder, name));
  const there = inPath.filter(isProgram);
  const file = there.find((it) => !isWithin(around.workspace, it, path));
  if (file !== undefined) {
    return { file, origin: "path" };
  }
  return { problem: there[0] === undefined ? NOWHERE : inWorkspace(there[0]) };
}

const NOWHERE = "The program `truefill` is neither in this extension nor in `PATH`.";

function inWorkspace(file: string): string {
  return (
    `The program \`truefill\` in \`PATH\` is \`${file}\`, which lies in the folder that is open here. It is not run, ` +
    "since a repository could bring one. If it is yours, name it by `truefill.server.path`."
  );
}

/** Whether a file is there and may be run. */
export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function named(file: string, isThere: (file: string) => boolean, path: typeof posix): Found {
  const expected = "`truefill.server.path` expects the absolute path of a program";
  if (!path.isAbsolute(file)) {
    return { problem: `${expected}, found \`${file}\`.` };
  }
  if (!isThere(file)) {
    return { problem: `${expected}; there is none at \`${file}\`.` };
  }
  return { file, origin: "setting" };
}

function expanded(file: string, home: string, path: typeof posix): string {
  return /^~[\\/]/.test(file) ? path.join(home, file.slice(2)) : file;
}

/** The folders of PATH; one that is not absolute would depend on where the editor was started. */
function searched({ searchPath }: Surroundings, path: typeof posix): string[] {
  return searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

/** Whether a file is in one of the folders: a cloned repository must not bring the program that is run. */
function isWithin(folders: readonly string[], file: string, path: typeof posix): boolean {
  return folders.some((folder) => {
    const way = path.relative(folder, file);
    return !(way === ".." || way.startsWith(`..${path.sep}`) || path.isAbsolute(way));
  });
}
