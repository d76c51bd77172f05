import { describe, it } from "node:test";
import { createFsPlatform } from "./fallback.ts";
import { loadPlatform } from "./load.ts";
import { platformContract } from "./platform-contract.ts";

const { fallbackReason } = loadPlatform({ preferNative: true });
if (fallbackReason === null) {
  platformContract("native", () => loadPlatform({ preferNative: true }).platform);
} else {
  describe("Platform: native", () => it("keeps the contract", { skip: `NOT RUN: ${fallbackReason}` }, () => {}));
}

platformContract("fs", () => loadPlatform({ preferNative: false }).platform);

// What Deno's `fs` does to names and times can be promised on every runtime: the promise is then merely modest.
platformContract("fs that mangles names", () => createFsPlatform({ keepsRawNames: false, readsExactNs: false }));
