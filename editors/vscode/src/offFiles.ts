// Files in which suggestions are off, by their URIs.

/** The files after one of them, or a folder that holds some, has got another name. */
export function renamed(files: readonly string[], before: string, after: string): string[] {
  return files.map((file) => {
    if (file === before) {
      return after;
    }
    return file.startsWith(`${before}/`) ? after + file.slice(before.length) : file;
  });
}
