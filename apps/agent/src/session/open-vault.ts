/** The vault's journal without its keys: for commands that look at it, or change who may open it. */
import { Fault } from "@holdfast/base";
import type { RecordStore } from "@holdfast/protocol";
import type { StatePaths } from "../state/state-paths.ts";
import type { Connection } from "./connection.ts";
import type { JournalLink } from "./journal-link.ts";
import { type OpenedOwner, openOwner, type PersonSecret } from "./open-owner.ts";
import type { Ports } from "./session.ts";
import { linkOf } from "./vault-session.ts";

/** A journal that has been verified up to its head. */
export interface OpenedVault extends AsyncDisposable {
  readonly connection: Connection;
  readonly link: JournalLink;
  readonly store: RecordStore;
  openOwner(secret: PersonSecret): Promise<OpenedOwner>;
}

/** Takes the connection over: it is closed with the vault, or here when the vault does not open. */
export async function openVault(ports: Ports, paths: StatePaths, connection: Connection): Promise<OpenedVault> {
  try {
    const link = linkOf(ports, paths, connection);
    const { ownerKey, vault } = await link.refresh();
    if (ownerKey === null) throw new Fault("input", "vault: not set up to its end; run holdfast init again on the device that began it");
    const store = connection.storeFor(vault);
    return {
      connection,
      link,
      store,
      openOwner: (secret) => openOwner(link.state(), store, secret),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}
