/** Byte counts and times as people write and read them. */
import { Fault } from "@holdfast/base";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const FACTORS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?$/i;

/** Bytes of `500`, `10M`, `1.5 GiB`; units are powers of 1,024. `null` for anything else. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text.trim());
  if (match === null) return null;
  const byteCount = Math.floor(Number(match[1]) * (FACTORS[(match[2] ?? "").toLowerCase()] as number));
  return Number.isSafeInteger(byteCount) ? byteCount : null;
}

/** Bytes of an option's text; else `input`, naming the option. */
export function requireSize(text: string, what: string): number {
  const byteCount = parseSize(text);
  if (byteCount === null) throw new Fault("input", `${what}: got ${JSON.stringify(text)}, want a size such as 500, 10M or 1.5G`);
  return byteCount;
}

/** Three significant digits, as in `1.46 GiB`. */
export function formatSize(byteCount: number): string {
  let [value, unit] = [byteCount, 0];
  // 999.5 would be shown as 1000: it belongs to the next unit.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** As in `43 s`, `5:07 min`, `2:05:09 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const padded = (value: number): string => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${padded(seconds % 60)} min`;
  return `${Math.floor(seconds / 3600)}:${padded(Math.floor(seconds / 60) % 60)}:${padded(seconds % 60)} h`;
}

/** Local time to the second, as in `2026-03-01 14:05:09`. */
export function formatTime(timeMs: number): string {
  const time = new Date(timeMs);
  const padded = (value: number): string => String(value).padStart(2, "0");
  return `${time.getFullYear()}-${padded(time.getMonth() + 1)}-${padded(time.getDate())} ${padded(time.getHours())}:${padded(time.getMinutes())}:${padded(time.getSeconds())}`;
}

/** Age for people, as in `3 days`; the future is `just now`. */
export function formatAge(ageMs: number): string {
  const steps = [
    [86_400_000, "day"],
    [3_600_000, "hour"],
    [60_000, "minute"],
  ] as const;
  for (const [stepMs, name] of steps) {
    const count = Math.floor(ageMs / stepMs);
    if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "just now";
}
