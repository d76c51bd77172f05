"""Writes the vectors of this folder, from docs/format.md alone and independently of the TypeScript beside it.

python3 packages/vault/vectors/make.py      (needs the package `cryptography` for Ed25519)
"""
import hashlib
import hmac
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent
ORIGIN = "made from docs/format.md in Python (vectors/make.py), independently of the code here"
CHUNKER_KEY = bytes(range(0x40, 0x60))
ID_KEY = bytes(range(0x60, 0x80))
VAULT = bytes(range(16))


def write(name, about, given, expect):
    vector = {"about": about, "origin": ORIGIN, "input": given, "expect": expect}
    (HERE / f"{name}.json").write_text(json.dumps(vector, indent=2, ensure_ascii=True) + "\n")


def sha(data):
    return hashlib.sha256(data).digest()


def u32(n):
    return struct.pack(">I", n)


def head(major, n):
    for info, limit, form in ((None, 24, None), (24, 1 << 8, ">B"), (25, 1 << 16, ">H"), (26, 1 << 32, ">I"), (27, 1 << 64, ">Q")):
        if n < limit:
            return bytes([major << 5 | n]) if info is None else bytes([major << 5 | info]) + struct.pack(form, n)
    raise ValueError(n)


class Raw(bytes):
    """CBOR bytes that are put in as they are."""


def cbor(value):
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or value is True or value is False:
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(sorted(cbor(k) + cbor(v) for k, v in value.items()))


def object_id(kind, plaintext):
    return hmac.new(ID_KEY, bytes([kind]) + plaintext, hashlib.sha256).digest()


# Chunker (§8)


def hkdf512(ikm, salt, info, length):
    prk = hmac.new(salt or bytes(64), ikm, hashlib.sha512).digest()
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([n]), hashlib.sha512).digest()
        out, n = out + block, n + 1
    return out[:length]


GEAR_BYTES = hkdf512(CHUNKER_KEY, b"", b"holdfast/v1/gear", 1024)
GEAR = struct.unpack(">256I", GEAR_BYTES)
MIN, MEAN, MAX = 262144, 1048576, 4194304


def cut(data, start, end):
    n = min(end - start, MAX)
    if n <= MIN:
        return start + n
    h = 0
    for i in range(MIN, n):
        h = ((h << 1) + GEAR[data[start + i]]) & 0xFFFFFFFF
        if h & (0xFFFFFC00 if i < MEAN else 0xFFFFC000) == 0:
            return start + i + 1
    return start + n


def stream(seed, length):
    """SHA-256 of seed and u32 counter, joined."""
    return b"".join(sha(seed.encode() + u32(i)) for i in range((length + 31) // 32))[:length]


def chunker_vectors():
    write("gear.table", "Gear table of a chunker key (§8)", {"chunkerKey": CHUNKER_KEY.hex()}, {"gear": GEAR_BYTES.hex()})
    cases = [("random", stream("cuts", 12_000_000), "sha256"), ("zeros", bytes(9_000_000), "zeros")]
    for length in (1, MIN - 1, MIN, MIN + 1):
        cases.append((f"{length}-bytes", stream("cuts", length), "sha256"))
    for name, data, generator in cases:
        lengths, at = [], 0
        while at < len(data):
            end = cut(data, at, len(data))
            lengths.append(end - at)
            at = end
        given = {"chunkerKey": CHUNKER_KEY.hex(), "generator": generator, "seed": "cuts", "byteCount": len(data)}
        about = "Cut points (§8). Data: zeros, or SHA-256 of seed and u32 counter 0, 1, 2, … joined and cut to length"
        write(f"cuts.{name}", about, given, {"lengths": lengths, "sha256": sha(data).hex()})


def padme(n):
    e = n.bit_length() - 1
    s = e.bit_length()
    m = (1 << (e - s)) - 1
    return (n + m) & ~m


def padme_vectors():
    sizes = [2, 3, 9, 100, 1000, 65535, 65536, 65537, 100_000, 1_000_001, 8_388_607, 8_388_608, 8_388_609, 8_388_660]
    write("padme.lengths", "Padded lengths (§11)", {"lengths": sizes}, {"padded": [padme(n) for n in sizes]})


# Trees (§10) and content (§9)


def split_hash(name):
    h = int.from_bytes(CHUNKER_KEY[:4], "big")
    for b in name:
        h = ((h ^ b) * 16777619) % 2**32
    return h ^ (h >> 15)


def entry(name, kind=1, **more):
    fields = {1: name, 2: kind, 3: 0o644, 4: 1000, 5: 1000, 8: [1_700_000_000, 5]}
    if kind == 2:
        fields[16] = bytes([7]) * 32
    for key, value in more.items():
        if value is None:
            fields.pop(int(key[1:]), None)
        else:
            fields[int(key[1:])] = value
    return fields


def tree(*entries):
    return cbor({1: 0, 2: list(entries)})


def build_nodes(items, first_name, encode, kind_level):
    """Splits one level; returns its nodes as (first name, plaintext)."""
    nodes, held, size = [], [], 0

    def close():
        nonlocal held, size
        nodes.append((first_name(held[0]), cbor({1: kind_level, 2: [Raw(encode(i)) for i in held]})))
        held, size = [], 0

    for item in items:
        encoded = encode(item)
        if held and 4 + len(head(4, len(held) + 1)) + size + len(encoded) > 524288:
            close()
        held.append(item)
        size += len(encoded)
        if len(held) == 4096 or (len(held) >= 256 and split_hash(first_name(item)) & 1023 == 0):
            close()
    if held:
        close()
    return nodes


def build_folder(entries):
    count, level = 0, 0
    nodes = build_nodes(entries, lambda e: e[1], cbor, 0)
    while True:
        ids = [(name, object_id(2, plaintext)) for name, plaintext in nodes]
        count += len(nodes)
        if len(ids) == 1:
            return ids[0][1], count, level + 1
        level += 1
        nodes = build_nodes(ids, lambda i: i[0], lambda i: cbor(list(i)), level)


def build_list(items):
    """items: (id or None, length)."""
    level, count = 0, 0
    current = [(i, n, 1) for i, n in items]
    while True:
        lists, held = [], []

        def close():
            if level == 0:
                body = [[i, n] if i else [n] for i, n, _ in held]
            else:
                body = [list(item) for item in held]
            plaintext = cbor({1: level, 2: body})
            lists.append((object_id(3, plaintext), sum(x[1] for x in held), sum(x[2] for x in held)))
            held.clear()

        for item in current:
            held.append(item)
            word = int.from_bytes(item[0][:4], "big") if item[0] else item[1] % 2**32
            if len(held) == 4096 or (len(held) >= 256 and word & 1023 == 0):
                close()
        if held:
            close()
        count += len(lists)
        if len(lists) == 1:
            return lists[0][0], count, level + 1
        current, level = lists, level + 1


def tree_vectors():
    names = [b"a", b"Makefile", "größe".encode(), b"\xff\xfe", b"x" * 255]
    write("split-hash.names", "Split hash of names (§10)", {"chunkerKey": CHUNKER_KEY.hex(), "names": [n.hex() for n in names]}, {"hashes": [split_hash(n) for n in names]})
    cid = sha(b"chunk")
    good = [
        entry(b"a", f9=5, f14=[[cid, 5]], f6="user", f7="gruppe-ä"),
        entry(b"b", f9=12, f14=[[cid, 5], [7]], f13=[0, 77], f12=[[b"user.a", b""], [b"user.b", b"\x00\x01"]]),
        entry(b"c", f9=999, f15=sha(b"list")),
        entry(b"d", 2, f3=0o1777, f8=[-1, 999_999_999]),
        entry(b"e", 3, f10=b"../\xff"),
        entry(b"f", 5, f11=[1, 3]),
        entry(b"g", 6, f11=[8, 1 << 40]),
        entry(b"h", 4),
        entry(b"i", 7, f4=4294967294),
        entry(b"j", f9=10, f17=4),
        entry(b"k" * 255, f17=3),
    ]
    write("tree-parse.all-kinds", "A node with an entry of every kind (§10)", {"plaintext": tree(*good).hex()}, {"level": 0, "names": [e[1].hex() for e in good], "fields": [len(e) for e in good]})
    write("tree-parse.empty", "An empty folder (§10)", {"plaintext": tree().hex()}, {"level": 0, "names": [], "fields": []})
    bounds = [entry(b"a", f4=2**53 - 1, f6="", f7="g" * 4096, f8=[1 - 2**53, 0]), entry(b"b", 3), entry(b"c", 3, f10=b""), entry(b"d", 5), entry(b"e", f9=5, f14=[[cid, 5]], f17=4)]
    write("tree-parse.bounds", "Greatest and least numbers, empty texts, a symlink without target, a device without numbers, content that is there though flag bit 2 is set (§10)", {"plaintext": tree(*bounds).hex()}, {"level": 0, "names": [e[1].hex() for e in bounds], "fields": [len(e) for e in bounds]})
    inner = cbor({1: 1, 2: [[b"a", sha(b"1")], [b"m", sha(b"2")]]})
    write("tree-parse.level-1", "A node above nodes (§10)", {"plaintext": inner.hex()}, {"level": 1, "names": ["61", "6d"], "fields": []})
    ordered = tree(entry(b"a"))
    bad = {
        "unsorted": tree(entry(b"b"), entry(b"a")),
        "name-twice": tree(entry(b"a"), entry(b"a")),
        "name-dot": tree(entry(b".")),
        "name-dot-dot": tree(entry(b"..")),
        "name-empty": tree(entry(b"")),
        "name-slash": tree(entry(b"a/b")),
        "name-zero-byte": tree(entry(b"a\x00b")),
        "name-256-bytes": tree(entry(b"a" * 256)),
        "link-target-4097-bytes": tree(entry(b"a", 3, f10=b"x" * 4097)),
        "name-text": tree(entry("a")),
        "field-unknown": tree(entry(b"a", f19=1)),
        "field-twice": cbor({1: 0, 2: Raw(head(4, 1) + ordered[5:].replace(b"\x04\x19\x03\xe8\x05", b"\x04\x19\x03\xe8\x04"))}),
        "field-missing": tree(entry(b"a", f8=None)),
        "kind-0": tree(entry(b"a", 0)),
        "kind-8": tree(entry(b"a", 8)),
        "mode-13-bits": tree(entry(b"a", f3=0o10000)),
        "uid-negative": tree(entry(b"a", f4=-1)),
        "nanoseconds-too-many": tree(entry(b"a", f8=[0, 10**9])),
        "seconds-too-small": tree(entry(b"a", f8=[-(2**53), 0])),
        "uid-too-large": tree(entry(b"a", f4=2**53)),
        "user-4097-bytes": tree(entry(b"a", f6="u" * 4097)),
        "xattr-name-empty": tree(entry(b"a", f12=[[b"", b"x"]])),
        "xattrs-262145-bytes": tree(entry(b"a", f12=[[b"x", bytes(262144)]])),
        "content-missing-in-part": tree(entry(b"a", f9=6, f14=[[cid, 5]], f17=4)),
        "size-0-written": tree(entry(b"a", f9=0)),
        "size-of-folder": tree(entry(b"a", 2, f9=1)),
        "link-target-of-file": tree(entry(b"a", f10=b"x")),
        "device-of-fifo": tree(entry(b"a", 4, f11=[1, 1])),
        "inode-of-folder": tree(entry(b"a", 2, f13=[0, 1])),
        "xattrs-empty": tree(entry(b"a", f12=[])),
        "xattrs-unsorted": tree(entry(b"a", f12=[[b"b", b""], [b"a", b""]])),
        "content-empty": tree(entry(b"a", f14=[])),
        "content-and-list": tree(entry(b"a", f9=1, f14=[[cid, 1]], f15=cid)),
        "content-too-short": tree(entry(b"a", f9=2, f14=[[cid, 1]])),
        "content-missing": tree(entry(b"a", f9=2)),
        "content-129-items": tree(entry(b"a", f9=129, f14=[[cid, 1]] * 129)),
        "content-length-0": tree(entry(b"a", f9=1, f14=[[cid, 1], [0]])),
        "content-of-fifo": tree(entry(b"a", 4, f15=cid)),
        "folder-without-subtree": tree(entry(b"a", 2, f16=None)),
        "subtree-of-file": tree(entry(b"a", f16=cid)),
        "subtree-31-bytes": tree(entry(b"a", 2, f16=cid[:31])),
        "flags-unknown": tree(entry(b"a", f17=8)),
        "number-not-shortest": ordered.replace(b"\x04\x19\x03\xe8", b"\x04\x1a\x00\x00\x03\xe8"),
        "indefinite-length": b"\xa2\x01\x00\x02\x9f" + ordered[5:] + b"\xff",
        "trailing-byte": ordered + b"\x00",
        "truncated": ordered[:-1],
        "level-8": cbor({1: 8, 2: [[b"a", cid]]}),
        "level-1-empty": cbor({1: 1, 2: []}),
        "level-1-unsorted": cbor({1: 1, 2: [[b"b", cid], [b"a", cid]]}),
        "level-1-name-dot-dot": cbor({1: 1, 2: [[b"..", cid]]}),
        "nothing": b"",
    }
    over = {"user-4097-bytes", "xattrs-262145-bytes", "link-target-4097-bytes", "name-256-bytes", "content-129-items", "level-8"}
    for name, plaintext in bad.items():
        about = f"A tree node with one fault: {name.replace('-', ' ')} (§10)"
        write(f"tree-parse.{name}", about, {"plaintext": plaintext.hex()}, {"fault": "limit" if name in over else "format"})
    write("tree-parse.stub", "An entry with the reserved field 18 (§10)", {"plaintext": tree(entry(b"a", f18=1)).hex()}, {"fault": "version"})
    huge = tree(*[entry(b"%05d" % i, f12=[[b"user.x", bytes(1000)]]) for i in range(600)])
    write("tree-parse.too-long", "A node above 524,288 bytes (not given): 600 empty files with names by printf, mode 0644, uid and gid 1000, time [1700000000, 5] and an xattr `user.x` of 1,000 zero bytes", {"names": "%05d", "count": 600, "byteCount": len(huge)}, {"fault": "limit"})
    keys = {"chunkerKey": CHUNKER_KEY.hex(), "objectIdKey": ID_KEY.hex()}
    for count, name_format, xattr in ((0, "%05d", 0), (1, "%05d", 0), (255, "%05d", 0), (3000, "%05d", 0), (20_000, "name-%07d.txt", 0), (1500, "%05d", 3000)):
        more = {"f12": [[b"user.x", bytes(xattr)]]} if xattr else {}
        entries = [entry(name_format.encode() % i, f9=i, f14=[[sha(u32(i)), i]], **more) if i else entry(name_format.encode() % i, **more) for i in range(count)]
        if count:
            root, nodes, levels = build_folder(entries)
        else:
            root, nodes, levels = object_id(2, tree()), 1, 1
        about = "A folder of files number 0, 1, … with names by printf: mode 0644, uid and gid 1000, time [1700000000, 5], size = number, one chunk whose id is SHA-256 of the number as u32"
        about += f", xattr user.x of {xattr} zero bytes" if xattr else ""
        write(f"folder.{count}-entries" + ("-with-xattrs" if xattr else ""), about + " (§10)", {**keys, "names": name_format, "count": count, "xattrBytes": xattr}, {"root": root.hex(), "nodeCount": nodes, "levelCount": levels})


def list_vectors():
    keys = {"objectIdKey": ID_KEY.hex()}
    for count in (129, 256, 5000, 60_000):
        items = [(None, 4096 * (i + 1)) if i % 100 == 99 else (sha(u32(i)), 262144 + i) for i in range(count)]
        root, lists, levels = build_list(items)
        about = "Content lists over items 0, 1, …: a hole of 4096 × (i + 1) where i mod 100 is 99, else a chunk of 262144 + i bytes whose id is SHA-256 of i as u32 (§9)"
        write(f"list.{count}-items", about, {**keys, "count": count}, {"root": root.hex(), "listCount": lists, "levelCount": levels})
    cid = sha(b"chunk")
    good = cbor({1: 0, 2: [[cid, 5], [7]]})
    write("list-parse.chunk-and-hole", "A list of level 0 (§9)", {"plaintext": good.hex()}, {"level": 0, "lengths": [5, 7]})
    write("list-parse.level-1", "A list of level 1 (§9)", {"plaintext": cbor({1: 1, 2: [[cid, 500, 300], [cid, 7, 1]]}).hex()}, {"level": 1, "lengths": [500, 7]})
    bad = {
        "empty": cbor({1: 0, 2: []}),
        "length-0": cbor({1: 0, 2: [[cid, 0]]}),
        "hole-length-0": cbor({1: 0, 2: [[0]]}),
        "id-31-bytes": cbor({1: 0, 2: [[cid[:31], 1]]}),
        "item-of-three": cbor({1: 0, 2: [[cid, 1, 1]]}),
        "level-1-item-of-two": cbor({1: 1, 2: [[cid, 1]]}),
        "level-8": cbor({1: 8, 2: [[cid, 1, 1]]}),
        "4097-items": cbor({1: 0, 2: [[1]] * 4097}),
        "count-beyond-the-end": b"\xa2\x01\x00\x02\x99\x10\x00" + cbor([1]),
        "length-negative": cbor({1: 0, 2: [[cid, -1]]}),
        "length-above-2-53": cbor({1: 0, 2: [[cid, 2**53]]}),
        "keys-unsorted": b"\xa2\x02\x81\x81\x01\x01\x00",
        "trailing-byte": good + b"\x00",
    }
    for name, plaintext in bad.items():
        about = f"A list with one fault: {name.replace('-', ' ')} (§9)"
        write(f"list-parse.{name}", about, {"plaintext": plaintext.hex()}, {"fault": "limit" if name in ("level-8", "4097-items") else "format"})


# Objects (§7), packs (§11), indexes (§12)


def zframe(content, descriptor=0x20, size=None, blocks=None, tail=b""):
    size = len(content) if size is None else size
    block = blocks if blocks is not None else (1 | len(content) << 3).to_bytes(3, "little") + content
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + bytes([size]) + block + tail


def object_vectors():
    content = b"\x41" * 200
    run = (1 | 1 << 1 | 200 << 3).to_bytes(3, "little") + b"\x41"  # A last block of type RLE.
    frame = zframe(content, blocks=run)
    keys = {"objectIdKey": ID_KEY.hex()}

    def case(name, about, expect, kind=1, codec=1, stored=frame, plain=200, oid=None):
        given = {**keys, "kind": kind, "codec": codec, "plainBytes": plain, "objectId": (oid or object_id(kind, content)).hex(), "stored": stored.hex()}
        write(f"object.{name}", f"{about} (§7)", given, expect)

    case("raw", "A raw object", {"plaintext": content.hex()}, codec=0, stored=content)
    case("zstd", "A zstd frame of one RLE block", {"plaintext": content.hex()})
    case("raw-other-bytes", "A raw object with one byte changed", {"fault": "integrity"}, codec=0, stored=b"\x42" + content[1:])
    case("zstd-other-kind", "A chunk that is called a tree", {"fault": "integrity"}, kind=2, oid=object_id(1, content))
    case("zstd-other-bytes", "A frame that holds other bytes", {"fault": "integrity"}, stored=zframe(content, blocks=run[:3] + b"\x42"))
    case("codec-2", "The reserved codec", {"fault": "version"}, codec=2)
    case("codec-3", "An unknown codec", {"fault": "format"}, codec=3)
    case("kind-4", "An unknown kind", {"fault": "format"}, kind=4)
    case("raw-length-differs", "A raw object whose lengths differ", {"fault": "format"}, codec=0, stored=content, plain=201)
    case("zstd-not-shorter", "A frame that is not shorter than its content", {"fault": "format"}, stored=zframe(content), plain=200)
    case("zstd-claims-more", "A frame whose header claims more than the directory", {"fault": "format"}, stored=zframe(content, size=201, blocks=run))
    case("zstd-holds-more", "A frame that decompresses to more than its header says", {"fault": "format"}, stored=zframe(content, size=100, blocks=run), plain=100)
    case("zstd-holds-less", "A frame that decompresses to less than its header says", {"fault": "format"}, stored=zframe(content, size=250, blocks=run), plain=250)
    case("zstd-no-content-size", "A frame without content size", {"fault": "format"}, stored=b"\x28\xb5\x2f\xfd\x00\x58" + run)
    case("zstd-two-frames", "Two frames, the second one empty", {"fault": "format"}, stored=frame + zframe(b"", blocks=b"\x01\x00\x00"))
    windowed = lambda window: b"\x28\xb5\x2f\xfd\x80" + bytes([window]) + (200).to_bytes(4, "little") + run
    case("zstd-window-8-mib", "A window of 8 MiB", {"plaintext": content.hex()}, stored=windowed(0x68))
    case("zstd-window-9-mib", "A window of 9 MiB", {"fault": "format"}, stored=windowed(0x69))
    case("zstd-trailing-byte", "A byte after the frame", {"fault": "format"}, stored=frame + b"\x00")
    case("zstd-truncated", "A frame cut short", {"fault": "format"}, stored=frame[:-1])
    case("zstd-dictionary", "A frame that names a dictionary", {"fault": "format"}, stored=b"\x28\xb5\x2f\xfd\x21\x07" + bytes([200]) + run)
    case("zstd-reserved-block", "A reserved block type", {"fault": "format"}, stored=zframe(content, blocks=(1 | 3 << 1 | 1 << 3).to_bytes(3, "little") + b"A"))
    case("zstd-magic", "Not a frame", {"fault": "format"}, stored=b"\x29" + frame[1:])
    case("too-long", "An object that claims more than 8 MiB", {"fault": "limit"}, plain=8_388_609)


def directory(objects, shift=0):
    """objects: (id, kind, codec, stored, plain length)."""
    at = 4 + 48 * len(objects) + shift
    out = b""
    for oid, kind, codec, stored, plain in objects:
        out += oid + bytes([kind, codec, 0, 0]) + u32(at) + u32(len(stored)) + u32(plain)
        at += len(stored)
    return out


def pack(objects, d=None, total=65536):
    d = directory(objects) if d is None else d
    body = u32(len(d)) + d + b"".join(o[3] for o in objects)
    return body + bytes(max(0, total - len(body)))


def pack_objects(kind=1):
    contents = [b"one" * 10, b"two" * 20, b"three"]
    return [(object_id(kind, c), kind, 0, c, len(c)) for c in contents]


def pack_vectors():
    def case(name, about, plaintext, expect, klass=1):
        body = plaintext.rstrip(b"\x00")
        given = {"class": klass, "plaintext": body.hex(), "zeroBytesAfter": len(plaintext) - len(body)}
        write(f"pack-parse.{name}", f"{about} (§11)", given, expect)

    objects = pack_objects()
    d = directory(objects)
    case("content", "A content pack of three raw objects", pack(objects), {"objects": [[o[0].hex(), 148 + sum(len(p[3]) for p in objects[:i]), len(o[3])] for i, o in enumerate(objects)]})
    big = [(object_id(1, stream("pack", 70_001)), 1, 0, stream("pack", 70_001), 70_001)]
    case("longer-than-64-kib", "A pack above the shortest length, padded by Padmé", pack(big, total=padme(70_001 + 52)), {"objects": [[big[0][0].hex(), 52, 70_001]]})
    later = [(objects[0][0], 1, 2, b"abc", 5)]
    case("codec-2", "An object of the reserved codec, which only its own reader refuses", pack(later), {"objects": [[later[0][0].hex(), 52, 3]]})
    case("structure", "A structure pack", pack([(object_id(2, tree()), 2, 0, tree(), 5)]), {"objects": [[object_id(2, tree()).hex(), 52, 5]]}, klass=2)
    gap = bytearray(d)
    gap[48 + 36 : 48 + 40] = u32(int.from_bytes(gap[84:88], "big") + 1)
    overlap = bytearray(d)
    overlap[84:88] = u32(int.from_bytes(overlap[84:88], "big") - 1)
    reserved = bytearray(d)
    reserved[35] = 1
    bad = {
        "gap": ("A byte between two objects", pack(objects, bytes(gap))),
        "overlap": ("Two objects that share a byte", pack(objects, bytes(overlap))),
        "first-object-late": ("A first object that does not follow the directory", pack(objects, directory(objects, 1))),
        "padding-not-zero": ("Padding that is not zero", pack(objects)[:-1] + b"\x01"),
        "padding-first-byte": ("Padding whose first byte is not zero", bytes(bytearray(pack(objects)[:243]) + b"\x01" + pack(objects)[244:])),
        "padding-missing": ("No padding", pack(objects, total=0)),
        "padding-too-long": ("More padding than Padmé", pack(objects, total=65537)),
        "directory-empty": ("An empty directory", bytes(65536)),
        "directory-47-bytes": ("A directory length that is not a multiple of 48", u32(47) + pack(objects)[4:]),
        "directory-beyond-the-end": ("A directory longer than the pack", u32(48 * 2000) + pack(objects)[4:]),
        "object-beyond-the-end": ("An object longer than the pack", pack([(objects[0][0], 1, 0, b"", 0)], objects[0][0] + bytes([1, 0, 0, 0]) + u32(52) + u32(70_000) + u32(70_000))),
        "tree-in-content": ("A tree in a content pack", pack(pack_objects(2))),
        "kind-0": ("Object kind 0", pack(pack_objects(0))),
        "kind-4": ("Object kind 4", pack(pack_objects(4))),
        "codec-3": ("An unknown codec", pack([(o[0], 1, 3, o[3], o[4] + 1) for o in objects])),
        "raw-lengths-differ": ("A raw object with two lengths", pack([(o[0], 1, 0, o[3], o[4] + 1) for o in objects])),
        "reserved-bytes": ("Reserved bytes that are not zero", pack(objects, bytes(reserved))),
        "three-bytes": ("Too short for a directory length", b"\x00\x00\x01"),
    }
    for name, (about, plaintext) in bad.items():
        case(name, about, plaintext, {"fault": "format"})
    case("chunk-in-structure", "A chunk in a structure pack", pack(objects), {"fault": "format"}, klass=2)
    case("too-many-objects", "A directory of 16,385 objects", u32(48 * 16385) + bytes([1]), {"fault": "limit"})
    case("object-too-long", "An object of more than 8 MiB plain", pack([(objects[0][0], 1, 1, b"abc", 8_388_609)]), {"fault": "limit"})


SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(0x80, 0xA0)))
PUBLIC_KEY = SIGNING_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def index(packs, entries, klass=1, version=1, reserved=0, fence=256, fences=None, counts=None, vault=VAULT, use=b"index"):
    """packs: (record id, frame length, plain length); entries: (id, ordinal, offset, stored, plain, codec, kind)."""
    p, n = counts or (len(packs), len(entries))
    start = bytes([version, klass]) + struct.pack(">HIII", reserved, p, n, fence) + sha(PUBLIC_KEY)[:16]
    rest = b"".join(r + u32(f) + u32(l) for r, f, l in packs)
    rest += fences if fences is not None else b"".join(e[0][:8] for e in entries[::256])
    rest += b"".join(e[0] + struct.pack(">IIIIBBH", *e[1:7], e[7] if len(e) > 7 else 0) for e in entries)
    body = vault + sha(start + rest)
    return start + SIGNING_KEY.sign(b"holdfast/v1/" + use + b"\x00" + body) + rest


def index_vectors():
    packs = [(sha(b"pack 0"), 66000, 65536), (sha(b"pack 1"), 66000, 65536)]
    entries = sorted((sha(b"object" + u32(i)), i % 2, 52 + 100 * i, 100, 100 + i % 2, i % 2, 1) for i in range(600))
    some = entries[:3]
    given = {"class": 1, "vaultId": VAULT.hex(), "deviceKey": PUBLIC_KEY.hex()}

    def case(name, about, plaintext, expect, klass=1):
        write(f"index-parse.{name}", f"{about} (§12)", {**given, "class": klass, "plaintext": plaintext.hex()}, expect)

    def seen(packs, entries, signed=True):
        return {"packs": [[r.hex(), f, l] for r, f, l in packs], "entries": [[e[0].hex(), *e[1:7]] for e in entries], "isSigned": signed}

    case("600-entries", "An index of two packs with three fences", index(packs, entries), seen(packs, entries))
    case("empty", "An index of nothing", index([], []), seen([], []))
    case("other-vault", "An index signed for another vault", index(packs, some, vault=bytes(16)), seen(packs, some, False))
    case("other-use", "An index signed for another use", index(packs, some, use=b"journal"), seen(packs, some, False))
    flipped = bytearray(index(packs, some))
    flipped[40] ^= 1
    case("signature-flipped", "An index with a bit of its signature flipped", bytes(flipped), seen(packs, some, False))

    def changed(at, value):
        return [tuple(value if i == at else v for i, v in enumerate(some[0])), *some[1:]]

    whole = index(packs, some)
    bad = {
        "class-2": ("The other class", index(packs, some, klass=2)),
        "reserved-bytes": ("Reserved header bytes that are not zero", index(packs, some, reserved=1)),
        "entry-reserved-bytes": ("Reserved entry bytes that are not zero", index(packs, [some[0] + (1,), *some[1:]])),
        "fence-interval": ("Another fence interval", index(packs, some, fence=128)),
        "fence-differs": ("A fence that is not its entry's", index(packs, some, fences=bytes(8))),
        "unsorted": ("Entries out of order", index(packs, [some[1], some[0], some[2]])),
        "id-twice": ("An id that comes twice", index(packs, [some[0], *some])),
        "ordinal-too-large": ("A pack ordinal beyond the packs", index(packs, changed(1, 2))),
        "offset-in-directory": ("An object that begins in the directory", index(packs, changed(2, 51))),
        "object-outside": ("An object that ends outside its pack", index(packs, changed(2, 65_437))),
        "kind-of-other-class": ("A tree in a content index", index(packs, changed(6, 2))),
        "codec-3": ("An unknown codec", index(packs, changed(5, 3))),
        "trailing-byte": ("A byte too many", whole + b"\x00"),
        "truncated": ("A byte too few", whole[:-1]),
        "counts-differ": ("A count that does not fit the length", index(packs, some, counts=(2, 4))),
        "header-cut": ("Half a header", whole[:48]),
    }
    for name, (about, plaintext) in bad.items():
        case(name, about, plaintext, {"fault": "format"})
    later = [(*some[0][:4], 200, 2, 1), *some[1:]]
    case("codec-2", "An entry of the reserved codec, which only the reader of its object refuses", index(packs, later), seen(packs, later))
    case("pack-too-long", "A pack with more plaintext than a frame can hold", index([(packs[0][0], 66000, 33_554_433), packs[1]], some), {"fault": "limit"})
    case("version-2", "A later version", index(packs, some, version=2), {"fault": "version"})
    case("too-many-packs", "4,097 packs claimed", index(packs, some, counts=(4097, 3)), {"fault": "limit"})
    case("too-many-entries", "524,289 entries claimed", index(packs, some, counts=(2, 524_289)), {"fault": "limit"})


# Snapshots (§13), needs (§15), config (§6)


def snapshot_vectors():
    base = {1: [b"/home", b"/etc"], 2: "host", 3: [1_700_000_000, 1], 4: [1_700_000_100, 2], 5: sha(b"root"), 6: sha(b"line"), 7: [1, 2, 3, 4], 9: ["0.1.0", "Bun 1"]}
    full = {**base, 8: ["a", "ä"], 10: [[b"/etc/shadow", "denied"]], 11: 20, 12: ["acl"], 13: True, 14: "work"}
    write("snapshot-parse.least", "A snapshot with no optional field (§13)", {"plaintext": cbor(base).hex()}, {"host": "host", "tags": [], "failureCount": 0, "isPartial": False, "setName": None})
    write("snapshot-parse.full", "A snapshot with every field (§13)", {"plaintext": cbor(full).hex()}, {"host": "host", "tags": ["a", "ä"], "failureCount": 20, "isPartial": True, "setName": "work"})
    bad = {
        "field-unknown": {**base, 15: 1},
        "field-missing": {k: v for k, v in base.items() if k != 5},
        "root-31-bytes": {**base, 5: bytes(31)},
        "tags-unsorted": {**base, 8: ["b", "a"]},
        "tags-empty": {**base, 8: []},
        "tag-twice": {**base, 8: ["a", "a"]},
        "partial-false": {**base, 13: False},
        "nanoseconds-too-many": {**base, 4: [0, 10**9]},
        "failure-count-small": {**full, 11: 1},
        "failures-empty": {**base, 10: []},
        "totals-of-three": {**base, 7: [1, 2, 3]},
        "total-negative": {**base, 7: [1, 2, 3, -1]},
        "path-text": {**base, 1: ["/home"]},
    }
    for name, fields in bad.items():
        write(f"snapshot-parse.{name}", f"A snapshot with one fault: {name.replace('-', ' ')} (§13)", {"plaintext": cbor(fields).hex()}, {"fault": "format"})
    write("snapshot-parse.trailing-byte", "A snapshot with one fault: trailing byte (§13)", {"plaintext": cbor(base).hex() + "00"}, {"fault": "format"})
    write("snapshot-parse.host-too-long", "A host name of 257 bytes (§13)", {"plaintext": cbor({**base, 2: "h" * 257}).hex()}, {"fault": "limit"})
    texts = {"reason": {10: [[b"", "r" * 4097]]}, "loss": {12: ["l" * 4097]}, "runtime": {9: ["0.1.0", "r" * 257]}, "set-name": {14: "s" * 257}, "tag": {8: ["t" * 257]}}
    for name, fields in texts.items():
        write(f"snapshot-parse.{name}-too-long", f"A {name.replace('-', ' ')} above its limit (§13)", {"plaintext": cbor({**base, **fields}).hex()}, {"fault": "limit"})
    write("snapshot-parse.too-many-failures", "10,001 failures listed (§13)", {"plaintext": cbor({**base, 10: [[b"", ""]] * 10_001}).hex()}, {"fault": "limit"})
    for name, paths, set_name in (("two-paths", [b"/home", b"/etc"], None), ("one-set", [b"/\xff"], "work")):
        line = hmac.new(ID_KEY, b"\x10" + cbor(["host", sorted(paths), set_name or ""]), hashlib.sha256).hexdigest()
        write(f"line.{name}", "Line of a source (§13)", {"objectIdKey": ID_KEY.hex(), "host": "host", "paths": [p.hex() for p in paths], "setName": set_name}, {"line": line})


def needs_vectors():
    old = sorted(sha(u32(i)) for i in range(10))
    new = sorted(sha(u32(i)) for i in range(3, 17))
    additions = sorted(set(new) - set(old))
    drops = sorted(set(old) - set(new))
    ids = lambda values: [v.hex() for v in values]
    digest = lambda values: sha(b"".join(values)).hex()
    write("needs.without-base", "Needs with base null (§15)", {"ids": ids(reversed(new)), "base": None}, {"count": 14, "additions": digest(new), "drops": digest([])})
    write("needs.with-base", "Needs as a difference (§15)", {"ids": ids(reversed(new)), "base": ids(old)}, {"count": 14, "additions": digest(additions), "drops": digest(drops)})


def config_vectors():
    good = {1: [1, 262144, 20, 4194304], 2: 1, 3: 8388608}
    write("config.version-1", "The config that version 1 writes (§6)", {"plaintext": cbor(good).hex()}, {"isWritten": True})
    write("config.chunker-2", "A reserved chunker (§6)", {"plaintext": cbor({**good, 1: [2, 262144, 20, 4194304]}).hex()}, {"fault": "version"})
    write("config.suite-2", "A reserved content suite (§6)", {"plaintext": cbor({**good, 2: 2}).hex()}, {"fault": "version"})
    write("config.pack-target-16-mib", "Another pack target (§6)", {"plaintext": cbor({**good, 3: 16777216}).hex()}, {"fault": "version"})
    write("config.chunker-of-three", "A chunker with a number missing (§6)", {"plaintext": cbor({**good, 1: [1, 262144, 20]}).hex()}, {"fault": "format"})
    write("config.field-unknown", "An unknown field (§6)", {"plaintext": cbor({**good, 4: 1}).hex()}, {"fault": "format"})


for make in (chunker_vectors, padme_vectors, tree_vectors, list_vectors, object_vectors, pack_vectors, index_vectors, snapshot_vectors, needs_vectors, config_vectors):
    make()
