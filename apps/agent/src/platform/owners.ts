/** Names of users and groups from `/etc/passwd` and `/etc/group` (passwd(5), group(5)), as raw bytes. */
import { readFileSync, statSync } from "node:fs";
import type { Bytes } from "@holdfast/base";

export interface Owners {
  userName(uid: number): Bytes | null;
  groupName(gid: number): Bytes | null;
  userId(name: Uint8Array): number | null;
  groupId(name: Uint8Array): number | null;
}

/** Both files of one kind look alike here: `name:password:number:...`. */
export interface OwnerTable {
  readonly nameById: ReadonlyMap<number, Bytes>;
  /** Names as latin-1 text, so that any bytes can be a key. */
  readonly idByName: ReadonlyMap<string, number>;
}

const OWNER_FILE_BYTES_MAX = 16 * 1024 * 1024;
const ID_MAX = 2 ** 32 - 2; // 2^32 - 1 means "leave alone" to chown(2).
const NEWLINE = 0x0a;
const COLON = 0x3a;

/** Owners of this system. Each file is read once, when first needed; one that is missing lists nobody. */
export function createOwners(usersPath = "/etc/passwd", groupsPath = "/etc/group"): Owners {
  let users: OwnerTable | null = null;
  let groups: OwnerTable | null = null;
  const allUsers = (): OwnerTable => (users ??= readTable(usersPath));
  const allGroups = (): OwnerTable => (groups ??= readTable(groupsPath));
  return {
    userName: (uid) => allUsers().nameById.get(uid) ?? null,
    groupName: (gid) => allGroups().nameById.get(gid) ?? null,
    userId: (name) => allUsers().idByName.get(latin1(name)) ?? null,
    groupId: (name) => allGroups().idByName.get(latin1(name)) ?? null,
  };
}

/** Reads lines `name:password:number:...`; the first line of a number or name counts, others are skipped. */
export function parseOwnerTable(bytes: Uint8Array): OwnerTable {
  const nameById = new Map<number, Bytes>();
  const idByName = new Map<string, number>();
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.indexOf(NEWLINE, start);
    if (end < 0) end = bytes.length;
    const fields = splitFields(bytes.subarray(start, end));
    start = end + 1;
    const [name, , idField] = fields;
    const idText = idField === undefined ? "" : latin1(idField);
    const id = Number(idText);
    if (name === undefined || name.length === 0 || !/^[0-9]{1,10}$/.test(idText) || id > ID_MAX) continue;
    if (!nameById.has(id)) nameById.set(id, Uint8Array.from(name));
    const key = latin1(name);
    if (!idByName.has(key)) idByName.set(key, id);
  }
  return { nameById, idByName };
}

function splitFields(line: Uint8Array): Uint8Array[] {
  const fields: Uint8Array[] = [];
  let start = 0;
  while (fields.length < 3) {
    const end = line.indexOf(COLON, start);
    if (end < 0) return [...fields, line.subarray(start)];
    fields.push(line.subarray(start, end));
    start = end + 1;
  }
  return fields;
}

function readTable(path: string): OwnerTable {
  try {
    if (statSync(path).size > OWNER_FILE_BYTES_MAX) return parseOwnerTable(new Uint8Array(0));
    return parseOwnerTable(readFileSync(path));
  } catch {
    return parseOwnerTable(new Uint8Array(0)); // Names are a convenience: the numbers are kept in any case.
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index++) text += String.fromCharCode(bytes[index] as number);
  return text;
}
