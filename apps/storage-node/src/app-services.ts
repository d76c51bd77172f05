/** What the routes work with: made once in commands/serve.ts, or by a test. */
import type { Clock, Random } from "@holdfast/base";
import type { HttpBindings } from "@hono/node-server";
import type { BodyBudget } from "./body-budget.ts";
import type { Log } from "./log.ts";
import type { NodeIdentity } from "./node-identity.ts";
import type { SessionChecker } from "./session.ts";
import type { KnownDevice } from "./store/catalog-reader.ts";
import type { Store } from "./store/store.ts";

export interface AppServices {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly budget: BodyBudget;
  readonly sessions: SessionChecker;
  readonly identity: NodeIdentity;
  readonly log: Log;
  /** Faults that stand in the way of service, as texts; empty when ready. */
  readonly problems: () => readonly string[];
}

/** Hono's types of our apps. */
export interface AgentEnv {
  Bindings: HttpBindings;
  Variables: { device: KnownDevice };
}

export interface FrontEnv {
  Bindings: HttpBindings;
}
