// How far a pull is, of a line that the program writes.
import type { PullProgress } from "./protocol.ts";

/**
 * What is shown beside the moving bar. The bar itself could not tell: nobody knows beforehand how many steps there
 * are, and it goes forward only.
 */
export function told(line: string): string {
  const progress = parsed(line);
  if (progress === undefined) {
    return line;
  }
  const { step, bytes, total } = progress;
  if (bytes === 0 || total === 0) {
    return step;
  }
  if (total === null) {
    return `${step}: ${size(bytes)}`;
  }
  const percent = Math.min(100, Math.floor((bytes * 100) / total));
  return `${step}: ${percent} % of ${size(total)}`;
}

function parsed(line: string): PullProgress | undefined {
  if (!line.startsWith("{")) {
    return undefined;
  }
  try {
    return JSON.parse(line) as PullProgress;
  } catch {
    return undefined;
  }
}

function size(bytes: number): string {
  if (bytes < 1e5) {
    return `${(bytes / 1e3).toFixed(1)} kB`;
  }
  const value = bytes / 1e6;
  return `${value.toFixed(value < 10 ? 1 : 0)} MB`;
}
