/** How the demo speaks: titles, plain sentences, and times behind what took some. */

export interface Diary {
  title(text: string): void;
  line(text: string): void;
  /** A line with the time that it took. */
  step(text: string, ms: number): void;
  /** Runs `work` and says how long it took. */
  timed<Result>(text: string, work: () => Promise<Result>): Promise<Result>;
  success(text: string): void;
  elapsedMs(): number;
}

const TEXT_WIDTH = 70;

export function createDiary(): Diary {
  const startedMs = performance.now();
  const bold = (text: string): string => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
  const step = (text: string, ms: number): void => console.log(`-> ${text.padEnd(TEXT_WIDTH)} ${duration(ms)}`);
  return {
    title: (text) => console.log(`\n${bold(text)}`),
    line: (text) => console.log(text),
    step,
    async timed(text, work) {
      const workStartedMs = performance.now();
      const result = await work();
      step(text, performance.now() - workStartedMs);
      return result;
    },
    success: (text) => console.log(`\n${bold(text)}`),
    elapsedMs: () => performance.now() - startedMs,
  };
}

export function duration(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** In powers of ten, as disks are sold. */
export function size(bytes: number): string {
  for (const [unit, factor] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const)
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)} ${unit}`;
  return `${bytes} bytes`;
}
