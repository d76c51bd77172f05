/** The long work of the agent, behind one seam: main.ts loads each part only when a command needs it, and tests put others in its place. */
import type { EnrollAnswer } from "@holdfast/protocol";
import type { EnrollOptions } from "@holdfast/client";
import type { BackupEvents, BackupOptions, BackupResult } from "../pipeline/backup-options.ts";
import type { Connection, ConnectOptions } from "../session/connection.ts";
import type { VaultSession } from "../session/session.ts";

export interface Operations {
  enroll(options: EnrollOptions): Promise<EnrollAnswer>;
  connect(options: ConnectOptions): Promise<Connection>;
  runBackup(session: VaultSession, options: BackupOptions, events: BackupEvents): Promise<BackupResult>;
}
