// From the editor's settings to what the server is told.
import generated from "../settings.json" with { type: "json" };

/** A setting as the editor knows it, by who made it. */
export interface Made {
  globalValue?: unknown;
  workspaceValue?: unknown;
}

/** What the server is told: a section's keys and their values. */
export type Sections = Record<string, Record<string, unknown>>;

const PREFIX = "truefill.";

/** The keys that the server knows, as `<section>.<key>`. */
export const KEYS: readonly string[] = Object.keys(generated).map((key) => key.slice(PREFIX.length));

/**
 * Only what somebody has set: a default that was passed on would win over the user's
 * `truefill.toml`, which holds for all editors.
 */
export function madeSettings(inspect: (key: string) => Made | undefined, keys = KEYS): Sections {
  const sections: Sections = {};
  for (const name of keys) {
    const made = inspect(name);
    const value = made?.workspaceValue ?? made?.globalValue;
    if (value !== undefined && value !== null) {
      put(sections, name, value);
    }
  }
  return sections;
}

/**
 * What holds in a workspace that is not trusted, whatever else is set: its files are not read
 * beyond those that are open, and no code of it goes where models learn from.
 */
export function restricted(sections: Sections): Sections {
  const copy = structuredClone(sections);
  put(copy, "index.enabled", false);
  put(copy, "journal.context", false);
  return copy;
}

/**
 * Whether settings that the server got at its start are made no more. What is sent later lies on
 * top of what was sent at the start, so only a new start takes something back.
 */
export function takesBack(initial: Sections, now: Sections): boolean {
  return Object.entries(initial).some(([section, keys]) =>
    Object.keys(keys).some((key) => now[section]?.[key] === undefined),
  );
}

/** A list with an item put in or taken out. */
export function toggled(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((other) => other !== item) : [...list, item];
}

function put(sections: Sections, name: string, value: unknown): void {
  const [section = "", key = ""] = name.split(".");
  sections[section] = { ...sections[section], [key]: value };
}
