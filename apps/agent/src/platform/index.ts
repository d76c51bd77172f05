export type { ByteInput } from "./byte-input.ts";
export { type EntryKind, type EntryStat, EntryStats, isSameEntry, STAT_ROW_BYTES, STAT_ROW_WORDS } from "./entry-stats.ts";
export { FOLDER_LISTING_BYTES_MAX, FolderListing } from "./folder-listing.ts";
export { type LoadedPlatform, type LoadOptions, loadOptionsFromEnvironment, loadPlatform } from "./load.ts";
export {
  CAPABILITY_NAMES,
  type Capabilities,
  type CapabilityName,
  type Extent,
  type FileHandle,
  type FolderHandle,
  type Handle,
  isPlainName,
  losses,
  type Platform,
  type PlatformReader,
  type PlatformWriter,
  type Special,
  type Xattr,
} from "./platform.ts";
export { errnoOf, errnoToName, platformFault } from "./platform-fault.ts";
export { processorCount } from "./processors-node.ts";
export { createStdin } from "./stdin-node.ts";
