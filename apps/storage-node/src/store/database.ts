/**
 * One libSQL connection to one file, set up the only way that is safe here (docs/reliability.md, libSQL).
 *
 * Calls block their thread, so connections live in workers. A writer is the only connection that writes and
 * checkpoints its file; readers never write. Checkpoints are explicit, because the automatic ones hide their errors.
 */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { assert, Fault } from "@holdfast/base";
import { type Client, createClient, LibsqlError } from "@libsql/client/sqlite3";
import type { LibSQLDatabase } from "drizzle-orm/libsql";
import { drizzle } from "drizzle-orm/libsql/sqlite3";
import type { Migrations } from "./migrations.ts";

export interface Database {
  readonly db: LibSQLDatabase;
  readonly client: Client;
  close(): void;
}

/** What a writer may do, inside `inTransaction` only. */
export type Transaction = Parameters<Parameters<LibSQLDatabase["transaction"]>[0]>[0];

const SHARED_PRAGMAS = "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -4096; PRAGMA mmap_size = 0;";
const WRITER_PRAGMAS = `PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216; ${SHARED_PRAGMAS}`;
const READER_PRAGMAS = `PRAGMA query_only = ON; PRAGMA busy_timeout = 5000; ${SHARED_PRAGMAS}`;

/** Opens `path` for writing, creates or migrates its tables, and makes the file's name durable. A newer version than ours: `version`. */
export async function connectWriter(path: string, migrations: Migrations): Promise<Database> {
  return translated(`database ${path}`, async () => {
    const database = connect(path);
    try {
      await database.client.executeMultiple(WRITER_PRAGMAS);
      await migrate(database.client, migrations);
      syncFolder(dirname(path));
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Opens an existing `path` for reading. */
export async function connectReader(path: string): Promise<Database> {
  return translated(`database ${path}`, async () => {
    const database = connect(path);
    await database.client.executeMultiple(READER_PRAGMAS);
    return database;
  });
}

/** Runs `work` under BEGIN IMMEDIATE and commits with an fsync; a throw rolls back. Disk errors become faults. */
export function inTransaction<Result>(database: Database, what: string, work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
  return translated(what, () => database.db.transaction(work, { behavior: "immediate" }));
}

/** Copies what the WAL holds into the file. Readers may keep some of it from being copied; that is no error. */
export function checkpoint(database: Database): Promise<void> {
  return translated("checkpoint", () => database.client.executeMultiple("PRAGMA wal_checkpoint(PASSIVE)"));
}

/** A fault that closes the database it happened in: nothing is tried again on the same connection. */
export class DiskFault extends Fault {}

/** Runs `work`; what libSQL or the disk throw becomes a `DiskFault`, everything else passes. */
export async function translated<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw translate(what, error);
  }
}

function translate(what: string, error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof Fault) return cause;
    const code = (cause as { code?: unknown }).code;
    if (code === "ENOSPC" || code === "EDQUOT" || (cause instanceof LibsqlError && cause.code.startsWith("SQLITE_FULL"))) {
      return new DiskFault("quota", `${what}: the storage node's disk is full`, { cause: error, detail: { level: "node" } });
    }
    if (cause instanceof LibsqlError && /^SQLITE_(CORRUPT|NOTADB)/.test(cause.code)) {
      return new DiskFault("integrity", `${what}: the database is damaged`, { cause: error });
    }
    if (cause instanceof LibsqlError || typeof code === "string")
      return new DiskFault("transport", `${what}: the disk or database fails (${String(code)})`, { cause: error });
  }
  return error;
}

function connect(path: string): Database {
  // A single connection: settings made on it hold, and no second one can write or checkpoint.
  const client = createClient({ url: `file:${path}`, concurrency: 1 });
  return { client, db: drizzle(client), close: () => client.close() };
}

async function migrate(client: Client, migrations: Migrations): Promise<void> {
  const { rows } = await client.execute("SELECT user_version FROM pragma_user_version");
  const version = Number(rows[0]?.[0]);
  assert(Number.isInteger(version), "user_version is a number");
  if (version > migrations.length) throw new Fault("version", `database: got version ${version}, this program knows up to ${migrations.length}`);
  for (let next = version; next < migrations.length; next++) {
    await client.executeMultiple(`BEGIN IMMEDIATE; ${migrations[next]}; PRAGMA user_version = ${next + 1}; COMMIT;`);
  }
}

/** A new file is durable only when its folder is. */
export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
