/**
 * The state folder: everything the agent keeps between runs. Losing `cache/` costs time only; losing the rest means
 * enrolling again and opening the vault with a person's secret.
 */

/** Files and folders below the state folder. All are mode 0600, folders 0700. */
export interface StatePaths {
  readonly root: string;
  /** JSON: node's address, device id, account, vault, label, node key, root pin. */
  readonly identity: string;
  /** Seed of the device key, 32 bytes. */
  readonly deviceKey: string;
  /** PEM: TLS key, certificate with chain, root of the node. */
  readonly tlsKey: string;
  readonly tlsCertificate: string;
  readonly tlsRoot: string;
  /** Frame of the device slot, and the key that opens it. */
  readonly deviceSlot: string;
  readonly deviceSlotKey: string;
  /** High-water mark: seq, entry id, receipt id. */
  readonly mark: string;
  /** One run at a time. */
  readonly lock: string;
  /** Rebuildable: verified journal, local index, listings, needs of the last snapshot of each line. */
  readonly cache: string;
}

/** Where things lie below `root`, an absolute path. */
export function statePaths(root: string): StatePaths {
  return {
    root,
    identity: `${root}/identity.json`,
    deviceKey: `${root}/device.seed`,
    tlsKey: `${root}/tls.pem`,
    tlsCertificate: `${root}/tls-certificate.pem`,
    tlsRoot: `${root}/tls-root.pem`,
    deviceSlot: `${root}/device.slot`,
    deviceSlotKey: `${root}/device-slot.seed`,
    mark: `${root}/mark.json`,
    lock: `${root}/lock`,
    cache: `${root}/cache`,
  };
}
