"""A small writer of vaults for the self-tests, from docs/format.md alone: what a reader is held against until the real agent is.

It is slow, keeps everything in memory and makes one content pack and one structure pack a snapshot.
"""
import hashlib
import os

import zstandard
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import form
import journal as j
from records import CHUNK, DIRECTORY_ENTRY, INDEX_ENTRY, INDEX_HEADER, INDEX_PACK, LIST, TREE, padded_bytes
from sealing import SUITE_INFO, Keys, container_public_key, derive, owner_public_key, passphrase_key, short_id
from trees import gear_bytes, line_of, split_hash

SEAL_KEYS = {1: "seal-structure", 3: "seal-content", 4: "seal-structure", 5: "seal-content", 6: "seal-structure", 7: "seal-structure"}


def seal(key, context, plain, salt=None):
    salt = salt or os.urandom(24)
    output = HKDFExpand(hashes.SHA512(), 76, SUITE_INFO + salt + context).derive(key)
    parts = [salt, output[44:]]
    for number in range(len(plain) // 16384 + 1):
        nonce = (int.from_bytes(output[32:44], "big") ^ number).to_bytes(12, "big")
        parts.append(AESGCM(output[:32]).encrypt(nonce, plain[number * 16384 : (number + 1) * 16384], None))
    return b"".join(parts)


class Author:
    def __init__(self, passphrase=b"correct horse", entropy=bytes(32)):
        self.records, self.entries, self.epoch = {}, [], 0
        self.owner, self.device = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.owner_seed = self.owner.private_bytes_raw() if hasattr(self.owner, "private_bytes_raw") else raw_private(self.owner)
        self.owner_key, self.device_key = owner_public_key(self.owner_seed), raw_public(self.device)
        self.vault_id, self.account_id = short_id(self.owner_key), os.urandom(16)
        self.secrets = {0: os.urandom(32)}
        self.keys = Keys(self.vault_id, self.secrets)
        config = self.sealed_record(form.CONFIG, form.encode({1: [1, 262144, 20, 4194304], 2: 1, 3: 8388608}))
        container = container_public_key(self.secrets[0], self.vault_id, 0)
        self.entry(j.GENESIS, {1: self.owner_key, 2: container, 3: config, 4: self.device_key})
        self.entry(j.DEVICE_ADDED, {1: self.device_key, 2: [1, 2], 3: "first"})
        salt = os.urandom(16)
        self.slot(1, {1: salt, 2: 65536, 3: 3}, passphrase_key(passphrase, salt, 65536, 3), self.owner_seed, {0: self.secrets[0]})
        self.slot(2, {}, derive(entropy, self.vault_id, "recovery"), self.owner_seed, {0: self.secrets[0]})

    def record(self, kind, suite, epoch, body):
        data = form.encode([1, kind, suite, epoch, body])
        record_id = hashlib.sha256(data).digest()
        self.records[record_id] = data
        return record_id

    def sealed_record(self, kind, plain):
        context = form.encode([1, 1, self.vault_id, kind, self.epoch])
        return self.record(kind, 1, self.epoch, seal(self.keys.of(SEAL_KEYS[kind], self.epoch), context, plain))

    def slot(self, slot_type, parameters, key, seed, secrets, named=True):
        slot_id = os.urandom(16)
        head = {1: slot_type, 2: self.vault_id, 3: slot_id, 4: 1700000000000, 5: "label", 6: parameters}
        context = form.encode([1, 1, self.vault_id, form.SLOT, 0, form.encode(head)])
        plain = form.encode({1: seed, 2: [[number, secret] for number, secret in sorted(secrets.items())]})
        record_id = self.record(form.SLOT, 0, 0, form.encode({**head, 7: seal(key, context, plain)}))
        if named:
            self.entry(j.SLOT_ADDED, {1: record_id, 2: slot_type, 3: slot_id, 4: "label"})
        return record_id

    def rotate(self):
        """A new key epoch, whose secret is only in the epochs slot."""
        self.epoch += 1
        self.secrets[self.epoch] = os.urandom(32)
        key = derive(self.owner_seed, self.vault_id, "epochs")
        slot = self.slot(6, {1: self.epoch}, key, None, self.secrets, named=False)
        self.entry(j.EPOCH_ADDED, {1: self.epoch, 2: container_public_key(self.secrets[self.epoch], self.vault_id, self.epoch), 3: slot})

    def entry(self, kind, body, device=None, with_owner=None, **changes):
        device = device or self.device
        previous = self.entries[-1] if self.entries else None
        fields = {"seq": len(self.entries), "previous": previous, **changes}
        payload = form.encode(
            {1: self.vault_id, 2: self.account_id, 3: short_id(raw_public(device)), 4: fields["seq"], 5: fields["previous"], 6: 1700000000000, 7: kind, 8: body}
        )
        value = {1: payload, 2: device.sign(b"holdfast/v1/journal\x00" + payload)}
        if with_owner if with_owner is not None else kind <= j.EPOCH_ADDED:
            value[3] = self.owner.sign(b"holdfast/v1/owner\x00" + payload)
        record_id = self.record(form.JOURNAL_ENTRY, 0, 0, form.encode(value))
        self.entries.append(record_id)
        return record_id

    # ---------------------------------------------------------------------------------------- objects

    def add(self, objects, kind, plain):
        object_id = self.keys.object_id(self.epoch, kind, plain)
        objects.setdefault(object_id, (kind, plain))
        return object_id

    def cuts(self, data):
        table = gear_bytes(self.keys.of("chunker", self.epoch))
        gear = [int.from_bytes(table[at : at + 4], "big") for at in range(0, 1024, 4)]
        start = 0
        while start < len(data):
            end, h = min(len(data), start + 4194304), 0
            for i in range(262144, end - start):
                h = ((h << 1) + gear[data[start + i]]) % 2**32
                if h & (0xFFFFFC00 if i < 1048576 else 0xFFFFC000) == 0:
                    end = start + i + 1
                    break
            yield data[start:end]
            start = end

    def content(self, objects, extents):
        """`extents`: bytes, or an int for a hole. Gives the keys 9, 14 and 15 of the entry."""
        items = []
        for extent in extents:
            items += [[extent]] if isinstance(extent, int) else [[self.add(objects, CHUNK, part), len(part)] for part in self.cuts(extent)]
        return self.content_of_items(objects, items)

    def content_of_items(self, objects, items):
        size = sum(item[-1] for item in items)
        if not size:
            return {}
        if len(items) <= 128:
            return {9: size, 14: items}
        level, counts = 0, [1] * len(items)
        while True:
            groups, start = [], 0
            for at, item in enumerate(items, 1):
                number = item[0] if len(item) == 1 else int.from_bytes(item[0][:4], "big")
                if at == len(items) or at - start == 4096 or (at - start >= 256 and number % 1024 == 0):
                    groups.append((start, at))
                    start = at
            lists = [[self.add(objects, LIST, form.encode({1: level, 2: items[a:b]})), sum(i[1 if level else -1] for i in items[a:b]), sum(counts[a:b])] for a, b in groups]
            if len(lists) == 1:
                return {9: size, 15: lists[0][0]}
            items, counts, level = lists, [one[2] for one in lists], level + 1

    def folder(self, objects, entries):
        """`entries`: {name: entry map without key 1}. Gives the object id of its topmost node."""
        seed = int.from_bytes(self.keys.of("chunker", self.epoch)[:4], "big")
        items, level = [{1: name, **entry} for name, entry in sorted(entries.items())], 0
        name_of = lambda item: item[1] if isinstance(item, dict) else item[0]
        while True:
            nodes, node, length = [], [], 0
            for item in items:
                item_bytes = len(form.encode(item))
                # The map, its two keys, the level and the head of the array.
                if node and 4 + len(form.encode(len(node) + 1)) + length + item_bytes > 524288:
                    nodes.append(node)
                    node, length = [], 0
                node.append(item)
                length += item_bytes
                if len(node) == 4096 or (len(node) >= 256 and split_hash(name_of(item), seed) % 1024 == 0):
                    nodes.append(node)
                    node, length = [], 0
            if node or not nodes:
                nodes.append(node)
            ids = [self.add(objects, TREE, form.encode({1: level, 2: node})) for node in nodes]
            if len(ids) == 1:
                return ids[0]
            items, level = [[name_of(node[0]), one] for node, one in zip(nodes, ids)], level + 1

    def pack(self, objects, kinds, pack_kind):
        directory, stored_parts = b"", []
        chosen = [(object_id, kind, plain) for object_id, (kind, plain) in objects.items() if kind in kinds]
        at, entries = 4 + 48 * len(chosen), []
        for object_id, kind, plain in chosen:
            small = zstandard.ZstdCompressor(level=3).compress(plain)
            codec, stored = (1, small) if len(small) < len(plain) else (0, plain)
            directory += DIRECTORY_ENTRY.pack(object_id, kind, codec, 0, at, len(stored), len(plain))
            entries.append((object_id, at, len(stored), len(plain), codec, kind))
            stored_parts.append(stored)
            at += len(stored)
        plain = len(directory).to_bytes(4, "big") + directory + b"".join(stored_parts)
        plain += bytes(padded_bytes(len(plain)) - len(plain))
        pack_id = self.sealed_record(pack_kind, plain)
        index_id = self.index([(pack_id, len(self.records[pack_id]), len(plain))], sorted(entries), 1 if pack_kind == form.CONTENT_PACK else 2)
        return pack_id, index_id

    def index(self, packs, entries, group):
        head = INDEX_HEADER.pack(1, group, 0, len(packs), len(entries), 256, short_id(self.device_key), bytes(64))[:32]
        tail = b"".join(INDEX_PACK.pack(*pack) for pack in packs) + b"".join(entry[0][:8] for entry in entries[::256])
        tail += b"".join(INDEX_ENTRY.pack(object_id, 0, at, stored, plain, codec, kind, 0) for object_id, at, stored, plain, codec, kind in entries)
        signature = self.device.sign(b"holdfast/v1/index\x00" + self.vault_id + hashlib.sha256(head + tail).digest())
        return self.sealed_record(form.CONTENT_INDEX if group == 1 else form.STRUCTURE_INDEX, head + signature + tail)

    def snapshot(self, build, totals):
        """`build(objects)` makes the tree and gives its root id. Returns the snapshot's record id."""
        objects = {}
        root = build(objects)
        needs = set(self.pack(objects, (TREE, LIST), form.STRUCTURE_PACK))
        if any(kind == CHUNK for kind, _ in objects.values()):
            needs |= set(self.pack(objects, (CHUNK,), form.CONTENT_PACK))
        line = line_of(self.keys, {"host": "host", "paths": [b"/data"], "set_name": None})
        plain = {1: [b"/data"], 2: "host", 3: [1700000000, 5], 4: [1700000001, 0], 5: root, 6: line, 7: totals, 9: ["0", "python"]}
        record_id = self.sealed_record(form.SNAPSHOT, form.encode(plain))
        needs.add(record_id)
        digest = hashlib.sha256(b"".join(sorted(needs))).digest()
        self.entry(j.NEW_SNAPSHOT, {1: record_id, 2: line, 3: True, 4: [None, len(needs), digest, hashlib.sha256(b"").digest()]})
        return record_id

    def write(self, folder):
        for record_id, data in self.records.items():
            with open(os.path.join(folder, record_id.hex()), "wb") as file:
                file.write(data)


def raw_public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def raw_private(private):
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    return private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
