/** The terminal as a port: standard output for results, standard error for everything else, and secrets typed without echo. */
export interface Terminal {
  /** Whether a person sits at both ends: a prompt or a live line makes sense. */
  readonly isInteractive: boolean;
  readonly columns: number;
  /** One line of a result. */
  write(line: string): void;
  /** One line beside the result. A live line gives way. */
  note(line: string): void;
  /** Replaces the live line; empty text removes it. */
  live(line: string): void;
  /** What a person types, without echo. Not interactive: a failed assert; callers ask `isInteractive` first. */
  readSecret(prompt: string): Promise<string>;
}
