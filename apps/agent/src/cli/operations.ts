/** The long work of the agent behind one seam: each part is loaded only when a command needs it, and tests put others in its place. */
import type { EnrollOptions } from "@holdfast/client";
import type { EnrollAnswer } from "@holdfast/protocol";
import type { BackupEvents, BackupOptions, BackupResult } from "../pipeline/backup-options.ts";
import type { RebuiltIndex } from "../pipeline/rebuild-index.ts";
import type { Connection, ConnectOptions } from "../session/connection.ts";
import type { ReissueOptions } from "../session/reissue-certificate.ts";
import type { VaultSession } from "../session/session.ts";
import type { TlsFiles } from "../session/tls-files.ts";

export interface Operations {
  enroll(options: EnrollOptions): Promise<EnrollAnswer>;
  reissue(options: ReissueOptions): Promise<TlsFiles>;
  connect(options: ConnectOptions): Promise<Connection>;
  runBackup(session: VaultSession, options: BackupOptions, events: BackupEvents): Promise<BackupResult>;
  rebuildIndex(session: VaultSession): Promise<RebuiltIndex>;
  /** Listing and restoring. */
  restoring(): Promise<typeof import("../restore/index.ts")>;
}

export const loadedOperations: Operations = {
  enroll: async (options) => (await import("@holdfast/client")).enroll(options),
  reissue: async (options) => (await import("../session/reissue-certificate.ts")).reissueCertificate(options),
  connect: async (options) => (await import("../session/connection.ts")).connect(options),
  runBackup: async (session, options, events) => (await import("../pipeline/backup.ts")).runBackup(session, options, events),
  rebuildIndex: async (session) => (await import("../pipeline/rebuild-index.ts")).rebuildIndex(session),
  restoring: () => import("../restore/index.ts"),
};
