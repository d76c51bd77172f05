"""Records: a folder of frames, packs (docs/format.md §11), indexes (§12), and objects (§7) found through either."""
import collections
import hashlib
import pathlib
import struct

import zstandard

import form
from form import Fault
from sealing import check_signature

CHUNK, TREE, LIST = 1, 2, 3
CLASS_OF_PACK = {form.CONTENT_PACK: (CHUNK,), form.STRUCTURE_PACK: (TREE, LIST)}
DIRECTORY_ENTRY = struct.Struct(">32sBBHIII")
INDEX_HEADER = struct.Struct(">BBHIII16s64s")
INDEX_PACK = struct.Struct(">32sII")
INDEX_ENTRY = struct.Struct(">32sIIIIBBH")
CACHED_PACKS = 6
RESERVED_CODEC = 2
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_WINDOW_BYTES_MAX = 8388608

Place = collections.namedtuple("Place", "pack kind codec offset stored plain")


class FolderOfRecords:
    """One file a frame, named by the record id in hex."""

    def __init__(self, folder):
        self.paths = {}
        for path in pathlib.Path(folder).iterdir():
            try:
                record_id = bytes.fromhex(path.name.split(".")[0])
            except ValueError:
                record_id = b""
            if len(record_id) != 32:
                raise Fault("input", f"records: {path.name} is not named by a record id")
            self.paths[record_id] = path

    def ids(self):
        return sorted(self.paths)

    def read(self, record_id):
        path = self.paths[record_id]
        if path.stat().st_size > form.FRAME_BYTES_MAX:
            raise Fault("limit", f"record {record_id.hex()}: over {form.FRAME_BYTES_MAX} bytes")
        return path.read_bytes()


def padded_bytes(length):
    """Padmé with a floor: the length of a padded pack plaintext."""
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return max(form.PACK_PLAIN_BYTES_MIN, (length + mask) & ~mask)


def parse_pack(kind, plain):
    """[(object id, Place without its pack), …] in stored order."""
    directory_bytes = int.from_bytes(plain[:4], "big")
    if directory_bytes > 48 * form.PACK_OBJECTS_MAX:
        raise Fault("limit", "pack: too many objects")
    if len(plain) < 4 or directory_bytes == 0 or directory_bytes % 48 or 4 + directory_bytes > len(plain):
        raise Fault("format", "pack: length of the directory is wrong")
    places, expected = [], 4 + directory_bytes
    for object_id, object_kind, codec, zero, offset, stored, length in DIRECTORY_ENTRY.iter_unpack(plain[4:expected]):
        _check_place(CLASS_OF_PACK[kind], object_kind, codec, zero, stored, length, "pack")
        if offset != expected:
            raise Fault("format", "pack: gap or overlap between objects")
        expected += stored
        places.append((object_id, Place(None, object_kind, codec, offset, stored, length)))
    if expected > len(plain) or plain[expected:].strip(b"\x00"):
        raise Fault("format", "pack: objects beyond its end, or padding that is not zero")
    if len(plain) != padded_bytes(expected):
        raise Fault("format", f"pack: padded to {len(plain)}, want {padded_bytes(expected)}")
    return places


def _check_place(kinds, kind, codec, zero, stored, length, what):
    if kind not in kinds or zero != 0 or codec > RESERVED_CODEC:
        raise Fault("format", f"{what}: object of the wrong class, unknown codec or non-zero filler")
    if length > form.OBJECT_BYTES_MAX:
        raise Fault("limit", f"{what}: object over {form.OBJECT_BYTES_MAX} bytes")
    if (codec == 0 and stored != length) or (codec != 0 and stored >= length):
        raise Fault("format", f"{what}: stored length does not suit the codec")


def unpack_object(codec, stored, plain_bytes):
    """Stored bytes of one object to its plaintext of exactly `plain_bytes`."""
    if codec == RESERVED_CODEC:
        raise Fault("version", "object: codec 2 is reserved")
    if codec == 0:
        return stored
    _check_zstd_frame(stored, plain_bytes)
    try:
        plain = zstandard.ZstdDecompressor().decompress(stored, max_output_size=plain_bytes)
    except zstandard.ZstdError:
        raise Fault("format", "object: zstd frame does not decode") from None
    if len(plain) != plain_bytes:
        raise Fault("format", "object: zstd frame is not of the declared length")
    return plain


def _check_zstd_frame(stored, plain_bytes):
    """Exactly one frame (RFC 8878) with content size, without dictionary, of a small window. Walks the heads of blocks only."""
    if stored[:4] != ZSTD_MAGIC or len(stored) < 6 or stored[4] & 0x0B:
        raise Fault("format", "object: no zstd frame, or one with a dictionary or a reserved bit")
    parameters = None
    try:
        parameters = zstandard.get_frame_parameters(stored)
    except zstandard.ZstdError:
        raise Fault("format", "object: head of the zstd frame does not decode") from None
    size_flag, is_single = stored[4] >> 6, bool(stored[4] & 0x20)
    if size_flag == 0 and not is_single:
        raise Fault("format", "object: zstd frame without content size")
    if parameters.content_size != plain_bytes or (not is_single and parameters.window_size > ZSTD_WINDOW_BYTES_MAX):
        raise Fault("format", "object: zstd frame of another content size, or a window over 8 MiB")
    at, is_last = (5 if is_single else 6) + (1 << size_flag), False
    while not is_last:
        if at + 3 > len(stored):
            raise Fault("format", "object: zstd frame is cut")
        head = int.from_bytes(stored[at : at + 3], "little")
        is_last = bool(head & 1)
        at += 3 + (1 if head >> 1 & 3 == 1 else head >> 3)  # Type 1 repeats one byte.
    if at + (4 if parameters.has_checksum else 0) != len(stored):
        raise Fault("format", "object: not exactly one zstd frame")


def parse_index(frame, plain):
    """([(pack id, frame bytes, plain bytes)], [(object id, Place)]) of an index, whoever wrote it."""
    if len(plain) < INDEX_HEADER.size:
        raise Fault("format", "index: shorter than its header")
    version, group, zero, pack_count, entry_count, fence, _, _ = INDEX_HEADER.unpack_from(plain)
    if version != 1:
        raise Fault("version", f"index: version {version}")
    if zero or fence != form.INDEX_FENCE_ENTRIES or group != (1 if frame.kind == form.CONTENT_INDEX else 2):
        raise Fault("format", "index: header does not suit the record")
    if pack_count > form.INDEX_PACKS_MAX or entry_count > form.INDEX_ENTRIES_MAX:
        raise Fault("limit", "index: too many packs or entries")
    fence_count = -(-entry_count // fence)
    fences_at = INDEX_HEADER.size + pack_count * INDEX_PACK.size
    entries_at = fences_at + 8 * fence_count
    if len(plain) != entries_at + entry_count * INDEX_ENTRY.size:
        raise Fault("format", "index: length does not agree with its counts")
    packs = list(INDEX_PACK.iter_unpack(plain[INDEX_HEADER.size : fences_at]))
    kinds = CLASS_OF_PACK[form.CONTENT_PACK if group == 1 else form.STRUCTURE_PACK]
    if any(plain_bytes > form.FRAME_BYTES_MAX for _, _, plain_bytes in packs):
        raise Fault("limit", f"index: a pack over {form.FRAME_BYTES_MAX} bytes")
    entries, before = [], b""
    for number, (object_id, ordinal, offset, stored, length, codec, kind, filler) in enumerate(INDEX_ENTRY.iter_unpack(plain[entries_at:])):
        _check_place(kinds, kind, codec, filler, stored, length, "index")
        if object_id <= before or ordinal >= pack_count:
            raise Fault("format", "index: entries out of order, or of a pack that it does not name")
        if offset < 4 + DIRECTORY_ENTRY.size or offset + stored > packs[ordinal][2]:
            raise Fault("format", "index: object in the directory of its pack, or beyond its end")
        if number % fence == 0 and plain[fences_at + number // fence * 8 :][:8] != object_id[:8]:
            raise Fault("format", "index: fence is not that of its entry")
        before = object_id
        entries.append((object_id, Place(packs[ordinal][0], kind, codec, offset, stored, length)))
    return packs, entries


def is_trusted(plain, vault_id, devices):
    """Whether an index is signed by a device of the journal of which nothing bad is known."""
    device = devices.get(plain[16:32])
    if device is None or device["bad_since"] is not None:
        return False
    try:
        check_signature(device["key"], "index", vault_id + hashlib.sha256(plain[:32] + plain[96:]).digest(), plain[32:96], "index")
    except Fault:
        return False
    return True


class Vault:
    """All records of one vault, with the keys: objects by id, proven before they are given out."""

    def __init__(self, source, strict=False):
        """Reads every record once: each must hash to its name and be a sound frame."""
        self.source, self.strict, self.keys = source, strict, None
        self.known = set(source.ids())
        self.kinds, self.journal_frames, self.receipt_frames = {}, [], []
        self.places, self.index_of_pack, self.remarks = {}, {}, []
        self._packs = collections.OrderedDict()
        for record_id in sorted(self.known):
            frame = self.frame(record_id)
            self.kinds[record_id] = frame.kind
            if frame.kind == form.JOURNAL_ENTRY:
                self.journal_frames.append(frame)
            elif frame.kind == form.RECEIPT:
                self.receipt_frames.append(frame)

    def frame(self, record_id, kind=None):
        if record_id not in self.known:
            raise Fault("missing", f"record {record_id.hex()}: not there")
        data = self.source.read(record_id)
        if hashlib.sha256(data).digest() != record_id:
            raise Fault("integrity", f"record {record_id.hex()}: its bytes do not hash to its id")
        try:
            frame = form.Frame(data)
        except Fault as fault:
            raise Fault(fault.code, f"record {record_id.hex()}: {fault}") from None
        if kind is not None and frame.kind != kind:
            raise Fault("integrity", f"record {record_id.hex()}: of kind {frame.kind}, want {kind}")
        return frame

    def of_kind(self, *kinds):
        return [record_id for record_id, kind in self.kinds.items() if kind in kinds]

    def locate(self, journal, use_indexes):
        """Learns where objects are: from the indexes, or with `use_indexes` false from the packs alone."""
        if use_indexes:
            for index_id in self.of_kind(form.CONTENT_INDEX, form.STRUCTURE_INDEX):
                frame = self.frame(index_id)
                plain = self.keys.open(frame)
                packs, entries = parse_index(frame, plain)
                trusted = is_trusted(plain, journal.vault_id, journal.devices)
                if not trusted:  # Objects prove themselves.
                    self.remarks.append(f"index {index_id.hex()[:16]}: not signed by a trusted device")
                for pack_id, _, _ in packs:
                    self.index_of_pack.setdefault(pack_id, []).append(index_id)
                self._check_index(index_id, frame.kind, packs, entries)
                for object_id, place in entries:
                    known = self.places.setdefault(object_id, [])
                    known.insert(0 if trusted else len(known), place)
        else:
            for pack_id in self.of_kind(form.CONTENT_PACK, form.STRUCTURE_PACK):
                for object_id, place in self._pack(pack_id)[1].items():
                    self.places.setdefault(object_id, []).append(place)

    def _check_index(self, index_id, kind, packs, entries):
        """Strict: what an index says of its packs must be what the packs say of themselves."""
        if not self.strict:
            return
        said = {}
        for object_id, place in entries:
            said.setdefault(place.pack, {})[object_id] = place
        for pack_id, frame_bytes, plain_bytes in packs:
            if pack_id not in self.kinds:
                continue  # Swept packs may still be named by an older index.
            plain, directory, _ = self._pack(pack_id)
            frame = self.frame(pack_id, form.CONTENT_PACK if kind == form.CONTENT_INDEX else form.STRUCTURE_PACK)
            if (frame.frame_bytes, len(plain)) != (frame_bytes, plain_bytes):
                raise Fault("integrity", f"index {index_id.hex()}: wrong lengths for pack {pack_id.hex()}")
            for object_id, place in said.get(pack_id, {}).items():
                if directory.get(object_id) != place:
                    raise Fault("integrity", f"index {index_id.hex()}: contradicts the directory of pack {pack_id.hex()}")

    def _pack(self, pack_id):
        """(plaintext, {object id: Place}, epoch) of an opened pack; the last few are kept."""
        if pack_id not in self._packs:
            frame = self.frame(pack_id)
            if frame.kind not in CLASS_OF_PACK:
                raise Fault("integrity", f"record {pack_id.hex()}: is no pack")
            plain = self.keys.open(frame)
            places = parse_pack(frame.kind, plain)
            self._packs[pack_id] = (plain, {object_id: place._replace(pack=pack_id) for object_id, place in places}, frame.epoch)
            while len(self._packs) > CACHED_PACKS:
                self._packs.popitem(last=False)
        self._packs.move_to_end(pack_id)
        return self._packs[pack_id]

    def object(self, object_id, kind, epoch):
        """Plaintext of an object, whose id was recomputed. Tries every place that is known for it."""
        failure = Fault("missing", f"object {object_id.hex()}: in no pack that is known")
        for place in self.places.get(object_id, ()):
            try:
                if place.kind != kind:
                    raise Fault("integrity", f"object {object_id.hex()}: of kind {place.kind}, want {kind}")
                pack, _, pack_epoch = self._pack(place.pack)
                if pack_epoch != epoch:
                    raise Fault("format", f"object {object_id.hex()}: in a pack of epoch {pack_epoch}, want {epoch}")
                stored = pack[place.offset : place.offset + place.stored]
                if len(stored) != place.stored:
                    raise Fault("format", f"object {object_id.hex()}: beyond the end of its pack")
                plain = unpack_object(place.codec, stored, place.plain)
                if self.keys.object_id(epoch, kind, plain) != object_id:
                    raise Fault("integrity", f"object {object_id.hex()}: its plaintext has another id")
                return plain
            except Fault as fault:
                failure = fault
        raise failure
