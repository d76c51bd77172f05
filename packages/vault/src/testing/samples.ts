/** Small things that the tests of this package build: entries, ids, an emitter that keeps what it was given. */
import { bytesToHex, u32, utf8 } from "@holdfast/base";
import { createObjectIdHasher, type ObjectIdKey, sha256 } from "@holdfast/crypto";
import type { ObjectId } from "@holdfast/protocol";
import type { Entry } from "../entry.ts";
import { FILE_KINDS } from "../entry.ts";
import type { EmitObject, ObjectKind } from "../object.ts";

/** Entry of an empty file, with `changes`. */
export function sampleEntry(name: string | Uint8Array, changes: Partial<Entry> = {}): Entry {
  return {
    name: typeof name === "string" ? utf8(name) : name,
    kind: FILE_KINDS.file,
    mode: 0o644,
    uid: 1000,
    gid: 1000,
    user: null,
    group: null,
    modified: { seconds: 1_700_000_000, nanoseconds: 5 },
    sizeBytes: 0,
    linkTarget: null,
    device: null,
    xattrs: [],
    inode: null,
    content: null,
    subtree: null,
    flags: 0,
    ...changes,
  };
}

/** SHA-256 of the number as u32. */
export function numberedId(number: number): ObjectId {
  return sha256(u32(number)) as ObjectId;
}

export const SAMPLE_ID_KEY = Uint8Array.from({ length: 32 }, (_, index) => 0x60 + index) as ObjectIdKey;

/** Keeps copies of the objects it is given, by id. */
export interface ObjectKeeper {
  readonly emit: EmitObject;
  readonly load: (objectId: ObjectId) => Uint8Array;
  readonly count: number;
  readonly kinds: readonly ObjectKind[];
  readonly longestBytes: number;
}

export function createObjectKeeper(key: ObjectIdKey = SAMPLE_ID_KEY): ObjectKeeper {
  const hashObject = createObjectIdHasher(key);
  const objects = new Map<string, Uint8Array>();
  const kinds: ObjectKind[] = [];
  let longestBytes = 0;
  return {
    emit(kind, plaintext) {
      const objectId = hashObject(kind, plaintext);
      objects.set(bytesToHex(objectId), plaintext.slice());
      kinds.push(kind);
      longestBytes = Math.max(longestBytes, plaintext.length);
      return objectId;
    },
    load(objectId) {
      const plaintext = objects.get(bytesToHex(objectId));
      if (plaintext === undefined) throw new Error("object keeper: object is missing");
      return plaintext;
    },
    get count() {
      return kinds.length;
    },
    kinds,
    get longestBytes() {
      return longestBytes;
    },
  };
}
