/** What the routes work with: made once in commands/serve.ts, or by a test. */
import type { Clock, Random } from "@holdfast/base";
import type { NextRoot } from "@holdfast/pki";
import type { HttpBindings } from "@hono/node-server";
import type { BodyBudget } from "./body-budget.ts";
import type { Log } from "./log.ts";
import type { NodeIdentity } from "./node-identity.ts";
import type { SessionChecker } from "./session.ts";
import type { RefusalCounter } from "./store/audit-refusals.ts";
import type { KnownDevice } from "./store/catalog-reader.ts";
import type { Store } from "./store/store.ts";
import type { VaultRef } from "./store/writer-worker.ts";
import type { CipherAuditReport } from "./tls-audit/index.ts";

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
  /** The root that is to follow, told to agents as they renew; without it, none is. */
  readonly nextRoot?: () => NextRoot | null;
  /** How long after the end of its certificate a device may ask for another with its device key, ms. */
  readonly reissueGraceMs?: number;
  /** The newest audit of the node's own ports; `null` before the first. Without it, none is made. */
  readonly cipherAudit?: () => CipherAuditReport | null;
  /** Where refusals of all ports are counted, to be closed before the store. Without it, each app has a counter of its own. */
  readonly refusals?: RefusalCounter;
}

/** Hono's types of our apps. */
export interface AgentEnv {
  Bindings: HttpBindings;
  Variables: {
    device: KnownDevice;
    /** The one in the path, and the device's own. */
    vault?: VaultRef;
  };
}

export interface FrontEnv {
  Bindings: HttpBindings;
}
