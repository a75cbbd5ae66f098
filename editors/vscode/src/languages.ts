// In which languages the editor asks for suggestions: `truefill.languages`.

/** By language id; a language that is not named is on. */
export type Languages = Readonly<Record<string, boolean>>;

/** The setting by who made it. */
export interface MadeLanguages {
  globalValue?: Languages | undefined;
  workspaceValue?: Languages | undefined;
}

export interface Switched {
  on: boolean;
  where: "global" | "workspace";
  /** What is to stand there; nothing where that says no more than the default. */
  value: Languages | undefined;
}

/** Whether a language is on; what the workspace says wins. */
export function isOn({ globalValue, workspaceValue }: MadeLanguages, language: string): boolean {
  return workspaceValue?.[language] ?? globalValue?.[language] ?? true;
}

/** Switches a language where it was switched before, by no more entries than it needs. */
export function switched(made: MadeLanguages, language: string): Switched {
  const on = !isOn(made, language);
  const inWorkspace = made.workspaceValue?.[language] !== undefined;
  const { [language]: _, ...others } = (inWorkspace ? made.workspaceValue : made.globalValue) ?? {};
  const otherwise = inWorkspace ? (made.globalValue?.[language] ?? true) : true;
  const value = on === otherwise ? others : { ...others, [language]: on };
  const isEmpty = Object.keys(value).length === 0;
  return { on, where: inWorkspace ? "workspace" : "global", value: isEmpty ? undefined : value };
}
