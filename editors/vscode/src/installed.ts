// The program on this machine, for the server and for commands beside it.
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter } from "node:path";
import { type ExtensionContext, workspace } from "vscode";
import { findProgram, type Found, isProgram } from "./binary.ts";
import type { Program } from "./program.ts";

/** Where the program is now, as the settings say. */
export function findInstalled(context: ExtensionContext): Found {
  return findProgram({
    setting: workspace.getConfiguration("truefill").get("server.path", ""),
    extension: context.extensionPath,
    searchPath: process.env["PATH"] ?? process.env["Path"] ?? "",
    home: homedir(),
    workspace: (workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
    windows: delimiter === ";",
    isProgram,
  });
}

/** The program in the folder that the editor gives to the extension, which no repository has a say in. */
export function toRun(context: ExtensionContext, file: string): Program {
  const folder = context.globalStorageUri.fsPath;
  mkdirSync(folder, { recursive: true });
  return { file, folder };
}
