/** From a state folder to a VaultSession, the one way for every command that works with the vault. */
import { type Connection, type ConnectOptions, connect } from "./connection.ts";
import type { VaultSession } from "./session.ts";
import { createVaultSession } from "./vault-session.ts";

/**
 * Gate, connection, journal verified up to its head, keys, config. Not enrolled or without a vault: `input`; files open to
 * others: `denied`; the gate: `certificate`; a journal that does not fit what this device has seen: `integrity`.
 */
export async function openSession(options: ConnectOptions, dial: (options: ConnectOptions) => Promise<Connection> = connect): Promise<VaultSession> {
  return createVaultSession(options.ports, options.paths, await dial(options));
}
