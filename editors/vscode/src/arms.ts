// Choosing what is served: the arguments of `truefill arms set`.
import type { Arm, Checkpoint } from "./protocol.ts";

/** A name that an arm may have: that of the checkpoint, else its id. */
export function armName(checkpoint: Checkpoint): string {
  return checkpoint.aliases[0] ?? checkpoint.id;
}

/** Equal shares of so many arms, as the user sees and changes them. */
export function equalShares(count: number): string {
  const share = Math.floor(100 / count);
  return [100 - share * (count - 1), ...Array<number>(count - 1).fill(share)].join("/");
}

/** The shares that the user wrote, or a sentence that says what is wrong. */
export function readShares(text: string, count: number): number[] | string {
  const parts = text.split("/").map((part) => part.trim());
  const expected = `Expected ${count} numbers such as ${equalShares(count)}`;
  if (parts.length !== count) {
    return `${expected}, found ${parts.length}.`;
  }
  const shares = parts.map(Number);
  const wrong = parts.find((part, at) => part === "" || !((shares[at] ?? 0) > 0) || !Number.isFinite(shares[at]));
  return wrong === undefined ? shares : `${expected}, found \`${wrong}\`.`;
}

/** Serve these checkpoints, each to its share. */
export function servedAs(checkpoints: readonly Checkpoint[], shares: readonly number[]): string[] {
  return checkpoints.map((it, at) => `${armName(it)}=${shares[at] ?? 1}@${it.id}`);
}

/** What is served now, with one more arm that is never shown. */
export function withShadow(arms: readonly Arm[], served: string, shadow: Checkpoint): string[] {
  const kept = arms.filter((arm) => arm.stopped === null).map(asIs);
  return [...(kept.length > 0 ? kept : [`default=100@${served}`]), `${armName(shadow)}=shadow@${shadow.id}`];
}

function asIs({ name, checkpoint, share, shadow }: Arm): string {
  return `${name}=${shadow ? "shadow" : Math.round(10_000 * share) / 100}@${checkpoint}`;
}

/** A checkpoint's size for reading. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
