/** Every number of the format and the protocol, once. docs/format.md §19 and docs/protocol.md carry the same tables; `tidy` compares them. */
/** First item of a frame. */
export const FORMAT_VERSION = 1;
/** Longest frame a reader accepts (32 MiB). */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024;
/** Longest object, plain. */
export const OBJECT_BYTES_MAX = 8 * 1024 * 1024;
/** Plaintext of a pack, before a writer closes it. */
export const PACK_TARGET_BYTES = 8 * 1024 * 1024;
/** Shortest padded plaintext of a pack. */
export const PACK_PLAIN_BYTES_MIN = 64 * 1024;
/** Objects in a pack. */
export const PACK_OBJECTS_MAX = 16 * 1024;
/** Packs that one index names. */
export const INDEX_PACKS_MAX = 4 * 1024;
/** Packs after which a writer flushes an index. */
export const INDEX_FLUSH_PACKS = 64;
/** Entries in an index. */
export const INDEX_ENTRIES_MAX = 512 * 1024;
/** Entries between two fences. */
export const INDEX_FENCE_ENTRIES = 256;
/** Plaintext of a segment of suite 1. */
export const SEGMENT_BYTES = 16 * 1024;
/** Shortest chunk but the last. */
export const CHUNK_BYTES_MIN = 256 * 1024;
/** Where the mask changes. */
export const CHUNK_BYTES_MEAN = 1024 * 1024;
/** Longest chunk. */
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** Content items in a tree entry. */
export const CONTENT_ITEMS_INLINE_MAX = 128;
/** Items before a list or tree node may be cut. */
export const SPLIT_ITEMS_MIN = 256;
/** Items in a list or tree node. */
export const SPLIT_ITEMS_MAX = 4 * 1024;
/** Zero bits that cut. */
export const SPLIT_BITS = 10;
/** CBOR of a tree node. */
export const TREE_NODE_BYTES_MAX = 512 * 1024;
/** Levels of tree nodes or lists. */
export const TREE_LEVELS_MAX = 8;
/** Name of an entry. */
export const NAME_BYTES_MAX = 255;
/** Folders below one another. */
export const PATH_DEPTH_MAX = 4 * 1024;
/** Target of a symlink. */
export const LINK_TARGET_BYTES_MAX = 4 * 1024;
/** Names and values of one entry's xattrs. */
export const XATTRS_BYTES_MAX = 256 * 1024;
/** Nesting of arrays and maps. */
export const CBOR_DEPTH_MAX = 16;
/** UTF-8 of a label, tag, host or set name. */
export const LABEL_BYTES_MAX = 256;
/** Frame of a slot. */
export const SLOT_BYTES_MAX = 64 * 1024;
/** Slots of a vault. */
export const SLOTS_MAX = 256;
/** Frame of a journal entry. */
export const JOURNAL_ENTRY_BYTES_MAX = 64 * 1024;
/** Floor of a passphrase slot. */
export const ARGON2_MEMORY_KIB_MIN = 64 * 1024;
/** Ceiling. */
export const ARGON2_MEMORY_KIB_MAX = 1024 * 1024;
/** Floor. */
export const ARGON2_PASSES_MIN = 3;
/** Ceiling. */
export const ARGON2_PASSES_MAX = 16;
/** What `init` writes. */
export const ARGON2_MEMORY_KIB_DEFAULT = 128 * 1024;
/** What `init` writes. */
export const ARGON2_PASSES_DEFAULT = 3;
/** Failures listed in a snapshot. */
export const FAILURES_LISTED_MAX = 10_000;
/** Shortest minimum age of a policy. */
export const MINIMUM_AGE_SECONDS = 2_592_000;

/** Version of the wire protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;
/** Longest body of `POST records`. */
export const RECORDS_BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Frames in one `POST records`. */
export const RECORDS_PER_REQUEST_MAX = 1_024;
/** Longest body of any other request or answer that is not a frame. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Record ids in one `have`. */
export const HAVE_IDS_MAX = 16_384;
/** Items in one page of `changes` or `journal`. */
export const PAGE_ITEMS_MAX = 1_000;
/** Record ids that one journal entry adds, and that it drops. */
export const NEEDS_IDS_MAX = 131_072;
/** Entries that one `forget` names. */
export const FORGET_ENTRIES_MAX = 1_000;
/** Part of a frame as the node stores it. */
export const FRAME_PART_BYTES = 1024 * 1024;
/** How far a request's `created` may be from the node's clock. */
export const REQUEST_SKEW_MS_MAX = 300_000;
/** Connections of one agent. */
export const CONNECTIONS_DEFAULT = 4;
/** How long a lease and the records it touched are safe from a sweep after its last renewal: 30 days. */
export const LEASE_MS = 2_592_000_000;
/** How often a long run commits a partial snapshot: 15 minutes. */
export const PARTIAL_INTERVAL_MS = 900_000;
/** Or after so much new data: 8 GiB. */
export const PARTIAL_INTERVAL_BYTES = 8 * 1024 * 1024 * 1024;
/** Times that a commit is tried again after `conflict`. */
export const CONFLICT_TRIES_MAX = 10;
/** Bodies that the node holds in flight, in all. */
export const NODE_BODY_BYTES_MAX = 64 * 1024 * 1024;
