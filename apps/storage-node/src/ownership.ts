/** One process owns a data folder: a transaction held open on a lock database, which the system ends with the process. */
import { join } from "node:path";
import { Fault } from "@holdfast/base";
import { createClient, LibsqlError } from "@libsql/client/sqlite3";

/** Takes the folder for this process. Another one has it: `conflict`. */
export function ownFolder(folder: string): Promise<Disposable> {
  return takeLock(folder, "lock.db");
}

/**
 * Takes the certificates and keys in the folder, for as long as they are replaced. The running node does so too, so a command may
 * mend what stands in its way without stopping it. Another process is at it: `conflict`.
 */
export function ownPki(folder: string): Promise<Disposable> {
  return takeLock(folder, "pki-lock.db");
}

async function takeLock(folder: string, name: string): Promise<Disposable> {
  const client = createClient({ url: `file:${join(folder, name)}`, concurrency: 1 });
  try {
    const transaction = await client.transaction("write");
    return {
      [Symbol.dispose]() {
        transaction.close();
        client.close();
      },
    };
  } catch (cause) {
    client.close();
    if (cause instanceof LibsqlError && cause.code.startsWith("SQLITE_BUSY")) {
      throw new Fault("conflict", `data folder: another process is using it, got ${folder}`, { cause });
    }
    throw new Fault("transport", `data folder: cannot lock it, got ${folder}`, { cause });
  }
}
