export { CborWriter } from "./cbor-writer.ts";
export { CHUNKER_ID, type Cutter, createCutter, createGear, findCut, type Gear } from "./chunker.ts";
export { checkConfig, encodeConfig } from "./config.ts";
export {
  type Content,
  type ContentBuilder,
  type ContentItem,
  createContentBuilder,
  type ListChild,
  type ListNode,
  type LoadObject,
  parseList,
  readContent,
} from "./content.ts";
export { ENTRY_FLAGS, type Entry, FILE_KINDS, type FileKind, isName, parseEntry, type Timestamp, writeEntry, type Xattr } from "./entry.ts";
export { createIndexBuilder, type IndexBuilder, type IndexedPack } from "./index-builder.ts";
export {
  applyNeeds,
  attachOrdinalSet,
  createOrdinalSet,
  hasRecord,
  idsOf,
  type NeedsBase,
  type NeedsDifference,
  needsOf,
  type OrdinalSet,
  recordSetOf,
} from "./needs.ts";
export {
  CODECS,
  checkStoredObject,
  classOf,
  type EmitObject,
  OBJECT_KINDS,
  type ObjectIdHasher,
  type ObjectKind,
  openObject,
  PACK_CLASSES,
  type PackClass,
  type StoredObject,
} from "./object.ts";
export { attachObjectTable, createObjectTable, OBJECT_NEW, OBJECT_PENDING, type ObjectTable } from "./object-table.ts";
export { checkDirectory, checkDirectoryBytes, type Pack, parsePack, storedBytesOf, storedObjectAt } from "./pack.ts";
export { createPackDealer, type PackDealer } from "./pack-dealer.ts";
export {
  fencedEntries,
  findInIndex,
  findInRun,
  INDEX_ENTRY_BYTES,
  INDEX_FENCE_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_PACK_BYTES,
  type IndexEntry,
  type IndexLayout,
  type IndexPack,
  indexEntryAt,
  indexObjectIdAt,
  indexPackAt,
  indexPackOrdinalAt,
  type PackIndex,
  parseIndex,
  parseIndexHeader,
  verifyIndex,
} from "./pack-index.ts";
export { type ClosedPack, createPackWriter, DIRECTORY_ENTRY_BYTES, DIRECTORY_HEAD_BYTES, type PackWriter, packBufferBytes } from "./pack-writer.ts";
export { paddedPackBytes, padme } from "./padme.ts";
export {
  contextOf,
  createRecordOpener,
  createRecordSealer,
  RANGE_FRONT_BYTES,
  type RecordOpener,
  type RecordRange,
  type RecordSealer,
  type SealedKind,
  type SealedRecord,
} from "./record.ts";
export { encodeSnapshot, lineOf, parseSnapshot, type Snapshot, type SnapshotFailure, type SourceDefinition } from "./snapshot.ts";
export { createFolderBuilder, type FolderBuilder, parseTree, readFolder, splitHash, splitSeedOf, type TreeChild, type TreeNode } from "./tree.ts";
export { type Compressor, checkFrame, createCompressor, type ZstdLibrary } from "./zstd.ts";
