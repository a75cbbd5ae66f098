/** A change that can be taken back. */
export interface Command<State> {
  readonly label: string;
  apply(state: State): State;
  revert(state: State): State;
}

export type Listener<State> = (state: State, label: string | null) => void;

export interface HistoryOptions {
  /** Steps that are kept at most; older ones cannot be undone any more. */
  limit?: number;
  /** Milliseconds within which equal labels become one step. */
  mergeWithin?: number;
  now?: () => number;
}

interface Step<State> {
  commands: Command<State>[];
  label: string;
  at: number;
}

/** The undo and redo stacks of an editor, over immutable states. */
export class History<State> {
  private done: Step<State>[] = [];
  private undone: Step<State>[] = [];
  private readonly listeners = new Set<Listener<State>>();
  private readonly limit: number;
  private readonly mergeWithin: number;
  private readonly now: () => number;

  constructor(private state: State, options: HistoryOptions = {}) {
    this.limit = options.limit ?? 100;
    this.mergeWithin = options.mergeWithin ?? 500;
    this.now = options.now ?? Date.now;
    if (this.limit < 1) {
      throw new RangeError(`expected a limit of at least 1, found ${this.limit}`);
    }
  }

  get current(): State {
    return this.state;
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Applies a command; what was undone before is forgotten. */
  execute(command: Command<State>): State {
    this.state = command.apply(this.state);
    this.undone = [];
    const last = this.done[this.done.length - 1];
    if (last && this.belongsTo(last, command)) {
      last.commands.push(command);
      last.at = this.now();
    } else {
      this.done.push({ commands: [command], label: command.label, at: this.now() });
      this.dropOldest();
    }
    this.notify(command.label);
    return this.state;
  }

  undo(): State {
    const step = this.done.pop();
    if (!step) {
      return this.state;
    }
    // The last command of a step was applied last, so it is taken back first.
    for (const command of [...step.commands].reverse()) {
      this.state = command.revert(this.state);
    }
    this.undone.push(step);
    this.notify(step.label);
    return this.state;
  }

  redo(): State {
    const step = this.undone.pop();
    if (!step) {
      return this.state;
    }
    for (const command of step.commands) {
      this.state = command.apply(this.state);
    }
    this.done.push(step);
    this.notify(step.label);
    return this.state;
  }

  subscribe(listener: Listener<State>): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  clear(): void {
    this.done = [];
    this.undone = [];
    this.notify(null);
  }

  private belongsTo(step: Step<State>, command: Command<State>): boolean {
    return step.label === command.label && this.now() - step.at <= this.mergeWithin;
  }

  private dropOldest(): void {
    while (this.done.length > this.limit) {
      this.done.shift();
    }
  }

  private notify(label: string | null): void {
    for (const listener of this.listeners) {
      listener(this.state, label);
    }
  }
}
