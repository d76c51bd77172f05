"""Config (docs/format.md §6), content (§8, §9), trees (§10) and snapshots (§13)."""
import hashlib
import hmac

import form
from form import ID, Fault, boolean, byte_string, given, moment, row, rows, shape, text, uint
from records import CHUNK, LIST, TREE
from sealing import derive

FILE, FOLDER, SYMLINK, FIFO, CHARACTER_DEVICE, BLOCK_DEVICE, SOCKET = range(1, 8)
CHANGED, METADATA_LOST, UNREADABLE = 1, 2, 4

check_config = shape(
    "config",
    chunker=(1, row(uint(), uint(), uint(), uint())),
    content_suite=(2, uint()),
    pack_target=(3, uint()),
)
_snapshot = shape(
    "snapshot",
    paths=(1, rows(byte_string())),
    host=(2, text()),
    start=(3, moment),
    end=(4, moment),
    root=(5, ID),
    line=(6, ID),
    totals=(7, row(uint(), uint(), uint(), uint())),
    tags=(8, given(rows(text(), ascending=True)), None),
    made_by=(9, row(text(), text())),
    failures=(10, given(rows(row(byte_string(), text(form.TEXT_BYTES_MAX)), form.FAILURES_LISTED_MAX)), None),
    failure_count=(11, given(uint()), None),
    losses=(12, given(rows(text(form.TEXT_BYTES_MAX))), None),
    partial=(13, given(boolean), None),
    set_name=(14, text(), None),
)


def parse_snapshot(value):
    snapshot = _snapshot(value)
    if snapshot["failure_count"] is not None and snapshot["failure_count"] <= len(snapshot["failures"] or ()):
        raise Fault("format", "snapshot: failure count where the list is whole")
    return snapshot


def _content_items(value, what):
    if not isinstance(value, list):
        raise Fault("format", f"{what}: not an array")
    return [row(uint(minimum=1))(item, what) if isinstance(item, list) and len(item) == 1 else row(ID, uint(minimum=1))(item, what) for item in value]


def _inline_items(value, what):
    if len(_content_items(value, what)) > form.CONTENT_ITEMS_INLINE_MAX:
        raise Fault("limit", f"{what}: over {form.CONTENT_ITEMS_INLINE_MAX} items")
    return value


def _xattrs(value, what):
    pairs = rows(row(byte_string(), byte_string()))(value, what)
    names = [b""] + [name for name, _ in pairs]
    if any(a >= b for a, b in zip(names, names[1:])):
        raise Fault("format", f"{what}: names empty or not ascending")
    if sum(len(name) + len(item) for name, item in pairs) > form.XATTRS_BYTES_MAX:
        raise Fault("limit", f"{what}: over {form.XATTRS_BYTES_MAX} bytes")
    return pairs


def _name(value, what):
    byte_string(maximum=form.NAME_BYTES_MAX)(value, what)
    if not value or b"/" in value or b"\x00" in value or value in (b".", b".."):
        raise Fault("format", f"{what}: not a name")
    return value


_entry = shape(
    "entry",
    name=(1, _name),
    kind=(2, uint(7, 1)),
    mode=(3, uint(0o7777)),
    uid=(4, uint()),
    gid=(5, uint()),
    user=(6, text(form.TEXT_BYTES_MAX), None),
    group=(7, text(form.TEXT_BYTES_MAX), None),
    mtime=(8, moment),
    size=(9, given(uint()), None),
    target=(10, byte_string(maximum=form.LINK_TARGET_BYTES_MAX), None),
    device=(11, row(uint(), uint()), None),
    xattrs=(12, given(_xattrs), None),
    inode=(13, row(uint(), uint()), None),
    content=(14, given(_inline_items), None),
    content_list=(15, ID, None),
    subtree=(16, ID, None),
    flags=(17, given(uint(7)), None),
    stub=(18, lambda value, what: value, None),
)
ONLY_FOR = {"size": (FILE,), "target": (SYMLINK,), "device": (CHARACTER_DEVICE, BLOCK_DEVICE), "content": (FILE,), "content_list": (FILE,), "subtree": (FOLDER,)}


def check_entry(value):
    entry = _entry(value)
    if entry["stub"] is not None:
        raise Fault("version", "entry: stubs are reserved")
    for field, kinds in ONLY_FOR.items():
        if entry[field] is not None and entry["kind"] not in kinds:
            raise Fault("format", f"entry: {field} on kind {entry['kind']}")
    if entry["kind"] == FOLDER and (entry["subtree"] is None or entry["inode"] is not None):
        raise Fault("format", "entry: folder without subtree, or with an inode")
    if entry["content"] is not None and entry["content_list"] is not None:
        raise Fault("format", "entry: content stands twice")
    _check_inline_length(entry)
    return entry


def is_missing(entry):
    """Whether a file has no content because it could not be read."""
    return entry["content"] is None and entry["content_list"] is None and bool((entry["flags"] or 0) & UNREADABLE)


def _check_inline_length(entry):
    """Without a list the content stands here, and must be there unless the file could not be read."""
    if entry["kind"] != FILE or entry["content_list"] is not None or is_missing(entry):
        return
    if sum(item[-1] for item in entry["content"] or ()) != (entry["size"] or 0):
        raise Fault("format", "entry: content is not as long as the size says")


_tree_node = shape("tree node", level=(1, form.level), items=(2, rows(lambda value, what: value, form.SPLIT_ITEMS_MAX)))
_fork_item = row(_name, ID)
_list_node = shape("list", level=(1, form.level), items=(2, rows(lambda value, what: value, form.SPLIT_ITEMS_MAX)))
_list_item = row(ID, uint(minimum=1), uint(minimum=1))


def split_hash(name, seed):
    h = seed
    for byte in name:
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h ^ h >> 15


class Reader:
    """Trees and contents of one epoch. With `strict` the rules for writers are checked as well (§8, §9, §10)."""

    def __init__(self, vault, epoch, strict=False):
        self.vault, self.epoch, self.strict = vault, epoch, strict
        chunker_key = vault.keys.of("chunker", epoch)
        self._split_seed = int.from_bytes(chunker_key[:4], "big")
        table = gear_bytes(chunker_key)
        self._gear = [int.from_bytes(table[at : at + 4], "big") for at in range(0, 1024, 4)]
        self.used = set()

    def _object(self, object_id, kind):
        self.used.add(object_id)
        return self.vault.object(object_id, kind, self.epoch)

    # --------------------------------------------------------------------------------------- folders

    def entries(self, object_id):
        """Entries of a folder in order, each checked."""
        before = b""
        for entry in self._node_entries(object_id, None, None):
            if entry["name"] <= before:
                raise Fault("format", "tree: names out of order or twice")
            before = entry["name"]
            yield entry

    def _node_entries(self, object_id, level, last):
        """`level` and `last` (is this the last node of its level) are None for the topmost node."""
        plain = self._object(object_id, TREE)
        if len(plain) > form.TREE_NODE_BYTES_MAX:
            raise Fault("limit", "tree: node too long")
        node = _tree_node(form.decode(plain))
        if level is not None and node["level"] != level:
            raise Fault("format", "tree: levels do not descend by one")
        if node["level"] == 0:
            items = [check_entry(item) for item in node["items"]]
            self._check_split(node, [entry["name"] for entry in items], last)
            if not items and level is not None:
                raise Fault("format", "tree: an empty node below another")
            yield from items
            return
        items = [_fork_item(item, "tree item") for item in node["items"]]
        self._check_split(node, [name for name, _ in items], last)
        if not items or (level is None and self.strict and len(items) < 2):
            raise Fault("format", "tree: a level that nothing needs")
        for number, (first, child) in enumerate(items):
            is_last = number == len(items) - 1 and last is not False
            for position, entry in enumerate(self._node_entries(child, node["level"] - 1, is_last)):
                if position == 0 and entry["name"] != first:
                    raise Fault("format", "tree: first name is not that of the node below")
                yield entry

    def _check_split(self, node, names, last):
        """Strict: no cut was passed over, and a node that is not the last of its level ends at a cut."""
        if not self.strict:
            return
        for count, name in enumerate(names, 1):
            cut = count == form.SPLIT_ITEMS_MAX or (count >= form.SPLIT_ITEMS_MIN and split_hash(name, self._split_seed) & form.SPLIT_MASK == 0)
            if cut and count < len(names):
                raise Fault("format", "tree: a cut was passed over")
            # A node may also end because the next entry would have made it too long: not seen from here.
            if not cut and count == len(names) and last is False and len(form.encode({1: node["level"], 2: node["items"]})) < form.TREE_NODE_BYTES_MAX // 3:
                raise Fault("format", "tree: a node ends where no cut is")

    # --------------------------------------------------------------------------------------- content

    def items(self, entry):
        """[object id or None for a hole, length] of a file, in file order; lengths add up to its size."""
        size, total = entry["size"] or 0, 0
        if entry["content_list"] is not None:
            source = (item for item in self._list_items(entry["content_list"], None, None))
        else:
            source = iter(entry["content"] or [])
        count = 0
        for item in source:
            total += item[-1]
            count += 1
            if total > size:
                raise Fault("format", "content: longer than the size of its file")
            yield (None, item[0]) if len(item) == 1 else tuple(item)
        if total != size:
            raise Fault("format", "content: shorter than the size of its file")
        if self.strict and entry["content_list"] is not None and count <= form.CONTENT_ITEMS_INLINE_MAX:
            raise Fault("format", "content: a list of few items")

    def _list_items(self, object_id, level, last):
        node = _list_node(form.decode(self._object(object_id, LIST)))
        if level is not None and node["level"] != level:
            raise Fault("format", "list: levels do not descend by one")
        if not node["items"]:
            raise Fault("format", "list: empty")
        items = _content_items(node["items"], "list") if node["level"] == 0 else [_list_item(item, "list item") for item in node["items"]]
        self._check_list_split(items, last)
        if node["level"] == 0:
            yield from items
            return
        for number, (child, length, item_count) in enumerate(items):
            total = count = 0
            for item in self._list_items(child, node["level"] - 1, number == len(items) - 1 and last is not False):
                total, count = total + item[-1], count + 1
                yield item
            if (total, count) != (length, item_count):
                raise Fault("format", "list: totals are not those of the list below")

    def _check_list_split(self, items, last):
        if not self.strict:
            return
        for count, item in enumerate(items, 1):
            number = item[0] if len(item) == 1 else int.from_bytes(item[0][:4], "big")
            cut = count == form.SPLIT_ITEMS_MAX or (count >= form.SPLIT_ITEMS_MIN and number & form.SPLIT_MASK == 0)
            if cut != (count == len(items)) and (cut or last is False):
                raise Fault("format", "list: a cut was passed over, or a list ends where none is")

    def pieces(self, entry):
        """(bytes or None for a hole, length) of a file in order."""
        items, size = list(self.items(entry)), entry["size"] or 0
        for number, (object_id, length) in enumerate(items):
            if object_id is None:
                yield None, length
                continue
            data = self._object(object_id, CHUNK)
            if len(data) != length:
                raise Fault("format", "content: chunk is not of the length that its item says")
            ends_extent = number == len(items) - 1 or items[number + 1][0] is None
            if self.strict and not (len(items) == 1 and size <= form.CHUNK_BYTES_MIN):
                self._check_cut(data, ends_extent)
            yield data, length

    def _check_cut(self, data, ends_extent):
        """Strict: a chunk ends at its first cut, or at the end of its extent, and nowhere else."""
        gear, h = self._gear, 0
        for at in range(form.CHUNK_BYTES_MIN, len(data)):
            h = (h << 1) + gear[data[at]] & 0xFFFFFFFF
            if not h & (0xFFFFFC00 if at < form.CHUNK_BYTES_MEAN else 0xFFFFC000):
                if at + 1 != len(data):
                    raise Fault("format", "content: a cut was passed over")
                return
        if len(data) != form.CHUNK_BYTES_MAX and not ends_extent:
            raise Fault("format", "content: a chunk ends where no cut is")


def gear_bytes(chunker_key):
    """The 1,024 bytes of the gear table: HKDF-SHA-512 with an empty salt, which HMAC pads to 64 zero bytes."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(hashes.SHA512(), 1024, None, b"holdfast/v1/gear").derive(chunker_key)


def line_of(keys, snapshot):
    text_form = form.encode([snapshot["host"], sorted(snapshot["paths"]), snapshot["set_name"] or ""])
    return hmac.new(keys.of("object-id", 0), b"\x10" + text_form, hashlib.sha256).digest()


def supported_config(config):
    if config != {"chunker": [1, form.CHUNK_BYTES_MIN, 20, form.CHUNK_BYTES_MAX], "content_suite": 1, "pack_target": form.OBJECT_BYTES_MAX}:
        raise Fault("version", "config: numbers of another version")
    return config


def open_config(vault, record_id):
    return supported_config(check_config(form.decode(vault.keys.open(vault.frame(record_id, form.CONFIG)))))


def open_snapshot(vault, entry, strict=False):
    """The snapshot that a journal entry names: (parsed map, epoch). Line and partial must be the entry's; `strict`: and the line that of the source."""
    frame = vault.frame(entry["body"]["record_id"], form.SNAPSHOT)
    snapshot = parse_snapshot(form.decode(vault.keys.open(frame)))
    if snapshot["line"] != entry["body"]["line"]:
        raise Fault("integrity", "snapshot: line is not that of its entry")
    if strict and snapshot["line"] != line_of(vault.keys, snapshot):
        raise Fault("integrity", "snapshot: line is not that of its host, paths and set")
    if entry["body"]["complete"] == bool(snapshot["partial"]):
        raise Fault("integrity", "snapshot: partial for one, complete for the other")
    return snapshot, frame.epoch


def needs_digests(needs, base):
    """(count, additions digest, drops digest) of a set of record ids against that of the base."""
    additions, drops = (hashlib.sha256(b"".join(sorted(ids))).digest() for ids in (needs - base, base - needs))
    return len(needs), additions, drops


def check_needs(entry, snapshot_id, vault, used, sets):
    """Compares an entry's needs with what a full walk used (`used`: object ids). Gives a remark or None.

    `sets` maps entry ids to the sets of entries that were walked before, or to None where they are not known.
    """
    base, count, additions, drops = entry["body"]["needs"]
    packs = {place.pack for object_id in used for place in vault.places[object_id]}
    several = any(len({place.pack for place in vault.places[object_id]}) > 1 for object_id in used)
    if several or any(len(vault.index_of_pack.get(pack, ())) > 1 for pack in packs):
        sets[entry["entry_id"]] = None
        return None  # Which of them the writer chose is not to be seen from here.
    needs = {snapshot_id} | packs | {index for pack in packs for index in vault.index_of_pack.get(pack, ())}
    sets[entry["entry_id"]] = needs
    if base is not None and sets.get(base) is None:
        return None if base in sets else "needs: base was not walked"
    before = sets[base] if base is not None else set()
    if (count, additions, drops) != needs_digests(needs, before):
        return f"needs: entry says {count} records, the walk found {len(needs)}, or their digests differ"
    return None
