/** What every adapter of the platform port must do, on a real folder of this machine; as root all of it runs. */
import { hostileContract } from "./contract/hostile.ts";
import { readingContract } from "./contract/reading.ts";
import { restoringContract } from "./contract/restoring.ts";
import type { Platform } from "./platform.ts";

export function platformContract(name: string, create: () => Platform): void {
  readingContract(name, create);
  restoringContract(name, create);
  hostileContract(name, create);
}
