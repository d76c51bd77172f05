export interface RestoreWorkerData {
  readonly role: "restore";
}
export async function runRestoreWorker(_data: RestoreWorkerData): Promise<void> {}
