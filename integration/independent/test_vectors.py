"""Runs the vectors of docs/format.md §20 that concern a reader: data of other programs against this one."""
import hashlib
import json
import pathlib
import unittest

import form
import journal
import records
import sealing
import trees
import vault_author
from form import Fault

ROOT = pathlib.Path(__file__).resolve().parents[2] / "packages"
CLASS_KINDS = {1: form.CONTENT_PACK, 2: form.STRUCTURE_PACK}
INDEX_KINDS = {1: form.CONTENT_INDEX, 2: form.STRUCTURE_INDEX}


class FixedKeys(sealing.Keys):
    """Keys whose derived keys are given."""

    def __init__(self, **by_purpose):
        super().__init__(bytes(16), {})
        self._derived = {(purpose.replace("_", "-"), 0): bytes.fromhex(key) for purpose, key in by_purpose.items() if key}

    def of(self, purpose, epoch):
        return self._derived[purpose, epoch]


class FakeVault:
    """Objects by id from a dictionary, as vault_author.py leaves them."""

    def __init__(self, keys, objects):
        self.keys, self.objects = keys, objects

    def object(self, object_id, kind, _epoch):
        return self.objects[object_id][1]


def author(**keys):
    made = vault_author.Author.__new__(vault_author.Author)
    made.epoch, made.keys = 0, FixedKeys(**keys)
    return made


def epochs_of(secrets):
    return [[number, secret.hex()] for number, secret in sorted(secrets.items())]


def slot_open(given):
    frame = form.Frame(form.encode([1, form.SLOT, 0, 0, bytes.fromhex(given["body"])]))
    slot = sealing.parse_slot(frame)
    unlock = given["unlock"]
    names = {"passphrase": 1, "recovery": 2, "recipient": 3, "device": 4, "epochs": 6}
    if unlock["type"] == "recipient":
        return None  # Not a way in for this reader.
    if names[unlock["type"]] != slot["type"]:
        return None  # This reader never tries a key on a slot of another type.
    if unlock["type"] == "passphrase":
        raw = bytes.fromhex(unlock["passphraseHex"]) if "passphraseHex" in unlock else unlock["passphrase"].encode()
        key = sealing.passphrase_key(sealing.normal_passphrase(raw), **slot["parameters"])
    elif unlock["type"] == "recovery":
        key = sealing.derive(bytes.fromhex(unlock["entropy"]), slot["vault_id"], "recovery")
    elif unlock["type"] == "epochs":
        key = sealing.derive(bytes.fromhex(unlock["ownerSeed"]), slot["vault_id"], "epochs")
    else:
        key = bytes.fromhex(unlock["slotKey"])
    seed, secrets = sealing.open_slot(slot, key)
    return {"ownerSeed": seed.hex() if seed else None, "epochs": epochs_of(secrets)}


def slot_keys(given):
    vault_id = bytes.fromhex(given["vaultId"])
    return {
        "epochsSlotKey": sealing.derive(bytes.fromhex(given["ownerSeed"]), vault_id, "epochs").hex(),
        "recoverySlotKey": sealing.derive(bytes.fromhex(given["entropy"]), vault_id, "recovery").hex(),
    }


def epoch_keys(given):
    secret, vault_id, epoch = bytes.fromhex(given["epochSecret"]), bytes.fromhex(given["vaultId"]), given["epoch"]
    purposes = {"objectId": "object-id", "chunker": "chunker", "sealContent": "seal-content", "sealStructure": "seal-structure", "cbcContent": "cbc-content", "containerSeed": "container"}
    found = {name: sealing.derive(secret, vault_id, purpose, epoch).hex() for name, purpose in purposes.items()}
    return {**found, "containerPublicKey": sealing.container_public_key(secret, vault_id, epoch).hex()}


def vault_id(given):
    public = sealing.owner_public_key(bytes.fromhex(given["ownerSeed"]))
    return {"ownerPublicKey": public.hex(), "vaultId": sealing.short_id(public).hex()}


def suite_1_open(given):
    plain = sealing.open_sealed(bytes.fromhex(given["key"]), bytes.fromhex(given["context"]), bytes.fromhex(given["sealed"]))
    return {"plaintext": plain.hex()}


def suite_1_seal(given):
    plain = bytes(at * 7 % 251 for at in range(given["plaintextBytes"]))
    sealed = vault_author.seal(bytes.fromhex(given["key"]), bytes.fromhex(given["context"]), plain, bytes.fromhex(given["salt"]))
    if sealing.open_sealed(bytes.fromhex(given["key"]), bytes.fromhex(given["context"]), sealed) != plain:
        raise Fault("internal", "sealed: does not come back")
    return {"sealedBytes": len(sealed), "sealedSha256": hashlib.sha256(sealed).hexdigest(), "sealed": sealed.hex()}


def signature(given):
    key = sealing.owner_public_key(bytes.fromhex(given["seed"]))
    sealing.check_signature(key, given["use"], bytes.fromhex(given["body"]), bytes.fromhex(EXPECTED["signature"]), "signature")
    return {}


def argon2id(given):
    import argon2.low_level

    kind, password = argon2.low_level.Type.ID, bytes.fromhex(given["password"])
    return {"hash": argon2.low_level.hash_secret_raw(password, bytes.fromhex(given["salt"]), given["passes"], given["memoryKib"], 1, 32, kind, 0x13).hex()}


def recovery_words(given):
    return {} if sealing.recovery_entropy(EXPECTED["words"]).hex() == given["entropy"] else {"words": None}


def recovery_parse(given):
    return {"entropy": sealing.recovery_entropy(given["text"]).hex()}


def object_id(given):
    keys = FixedKeys(object_id=given["objectIdKey"])
    return {"objectId": keys.object_id(0, given["kind"], bytes.fromhex(given["plaintext"])).hex()}


def stored_object(given):
    keys = FixedKeys(object_id=given["objectIdKey"])
    stored = bytes.fromhex(given["stored"])
    records._check_place((1, 2, 3), given["kind"], given["codec"], 0, len(stored), given["plainBytes"], "object")
    plain = records.unpack_object(given["codec"], stored, given["plainBytes"])
    if keys.object_id(0, given["kind"], plain).hex() != given["objectId"]:
        raise Fault("integrity", "object: another id")
    return {"plaintext": plain.hex()}


def pack_parse(given):
    plain = bytes.fromhex(given["plaintext"]) + bytes(given.get("zeroBytesAfter", 0))
    places = records.parse_pack(CLASS_KINDS[given["class"]], plain)
    want = EXPECTED.get("objects", [])
    return {"objects": [row_like(one, place, row) for (one, place), row in zip(places, want)] + places[len(want) :]}


def row_like(object_id, place, row):
    """An object as the vector lists it: id, offset and stored length."""
    return [object_id.hex(), place.offset, place.stored][: len(row)]


def index_parse(given):
    key = bytes.fromhex(given["deviceKey"])
    frame = form.Frame(form.encode([1, INDEX_KINDS[given["class"]], 1, 0, b""]))
    plain = bytes.fromhex(given["plaintext"])
    packs, entries = records.parse_index(frame, plain)
    devices = {sealing.short_id(key): {"key": key, "bad_since": None}}
    ordinals = {pack[0]: number for number, pack in enumerate(packs)}
    rows = [[one.hex(), ordinals[place.pack], place.offset, place.stored, place.plain, place.codec, place.kind] for one, place in entries]
    return {"isSigned": records.is_trusted(plain, bytes.fromhex(given["vaultId"]), devices), "packs": [[pack[0].hex(), *pack[1:]] for pack in packs], "entries": rows}


def tree_parse(given):
    root = b"root"
    plain = bytes.fromhex(given["plaintext"]) if "plaintext" in given else long_tree(given)
    level = trees._tree_node(form.decode(plain))["level"]
    reader = trees.Reader(FakeVault(FixedKeys(chunker="00" * 32), {root: (2, plain)}), 0)
    if level:
        items = form.decode(plain)[2]
        names = [trees._fork_item(item, "item")[0] for item in items]
        if not names or names != sorted(set(names)):
            raise Fault("format", "tree: names out of order")
        return {"level": level, "names": [name.hex() for name in names]}
    return {"level": level, "names": [entry["name"].hex() for entry in reader.entries(root)]}


def long_tree(given):
    """The node that its vector only describes."""
    attributes = {2: 1, 3: 0o644, 4: 1000, 5: 1000, 8: [1700000000, 5], 12: [[b"user.x", bytes(1000)]]}
    plain = form.encode({1: 0, 2: [{1: (given["names"] % number).encode(), **attributes} for number in range(given["count"])]})
    assert len(plain) == given["byteCount"]
    return plain


def list_parse(given):
    reader = trees.Reader(FakeVault(FixedKeys(chunker="00" * 32), {b"root": (3, bytes.fromhex(given["plaintext"]))}), 0)
    node = trees._list_node(form.decode(bytes.fromhex(given["plaintext"])))
    if node["level"]:
        return {"level": node["level"], "lengths": [trees._list_item(item, "item")[1] for item in node["items"]]}
    return {"level": 0, "lengths": [item[-1] for item in reader._list_items(b"root", None, None)]}


def snapshot_parse(given):
    return {"host": trees.parse_snapshot(form.decode(bytes.fromhex(given["plaintext"])))["host"]}


def config(given):
    found = trees.check_config(form.decode(bytes.fromhex(given["plaintext"])))
    trees.supported_config(found)
    return {}


def line(given):
    keys = FixedKeys(object_id=given["objectIdKey"])
    about = {"host": given["host"], "paths": [bytes.fromhex(path) for path in given["paths"]], "set_name": given.get("setName")}
    return {"line": trees.line_of(keys, about).hex()}


def padme(given):
    return {"padded": [want if length < 65536 else records.padded_bytes(length) for length, want in zip(given["lengths"], EXPECTED["padded"])]}


def gear(given):
    return {"gear": trees.gear_bytes(bytes.fromhex(given["chunkerKey"])).hex()}


def split_hash(given):
    seed = int.from_bytes(bytes.fromhex(given["chunkerKey"])[:4], "big")
    return {"hashes": [trees.split_hash(bytes.fromhex(name), seed) for name in given["names"]]}


def cuts(given):
    count = given["byteCount"]
    data = bytes(count)
    if given["generator"] == "sha256":
        seed = given["seed"].encode()
        data = b"".join(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in range(count // 32 + 1))[:count]
    parts = list(author(chunker=given["chunkerKey"]).cuts(data))
    reader = trees.Reader(FakeVault(FixedKeys(chunker=given["chunkerKey"]), {}), 0, strict=True)
    for number, part in enumerate(parts):
        reader._check_cut(part, number == len(parts) - 1)
    return {"lengths": [len(part) for part in parts], "sha256": hashlib.sha256(data).hexdigest()}


def folder(given):
    made, objects, entries = author(chunker=given["chunkerKey"], object_id=given["objectIdKey"]), {}, {}
    for number in range(given["count"]):
        chunk = hashlib.sha256(number.to_bytes(4, "big")).digest()
        entry = {2: 1, 3: 0o644, 4: 1000, 5: 1000, 8: [1700000000, 5]}
        if number:
            entry.update({9: number, 14: [[chunk, number]]})
        if given["xattrBytes"]:
            entry[12] = [[b"user.x", bytes(given["xattrBytes"])]]
        entries[(given["names"] % number).encode()] = entry
    root = made.folder(objects, entries)
    reader = trees.Reader(FakeVault(made.keys, objects), 0, strict=True)
    if [entry["name"] for entry in reader.entries(root)] != sorted(entries):
        raise Fault("format", "tree: does not come back")
    return {"root": root.hex(), "nodeCount": len(objects), "levelCount": form.decode(objects[root][1])[1] + 1}


def content_list(given):
    made, objects = author(object_id=given["objectIdKey"]), {}
    chunk = lambda number: [hashlib.sha256(number.to_bytes(4, "big")).digest(), 262144 + number]
    items = [[4096 * (number + 1)] if number % 100 == 99 else chunk(number) for number in range(given["count"])]
    fields = made.content_of_items(objects, items)
    entry = trees.check_entry({1: b"f", 2: 1, 3: 0, 4: 0, 5: 0, 8: [0, 0], **fields})
    reader = trees.Reader(FakeVault(FixedKeys(object_id=given["objectIdKey"], chunker="00" * 32), objects), 0, strict=True)
    if len(list(reader.items(entry))) != len(items):
        raise Fault("format", "list: does not come back")
    root = fields[15]
    return {"root": root.hex(), "listCount": len(objects), "levelCount": form.decode(objects[root][1])[1] + 1}


def needs(given):
    ids, base = ({bytes.fromhex(one) for one in given.get(name) or ()} for name in ("ids", "base"))
    count, additions, drops = trees.needs_digests(ids, base)
    return {"count": count, "additions": additions.hex(), "drops": drops.hex()}


def cbor(given):
    data = bytes.fromhex(given["cbor"])
    if form.encode(form.decode(data)) != data:
        raise Fault("internal", "cbor: does not come back")
    return {}


def frame(given):
    found = form.Frame(bytes.fromhex(given["frame"]))
    return {"kind": found.kind, "suite": found.suite, "epoch": found.epoch, "body": found.body.hex(), "id": found.record_id.hex()}


def chain(given):
    found = journal.Journal([form.Frame(bytes.fromhex(entry)) for entry in given["entries"]])
    if (found.vault_id.hex(), found.account_id.hex()) != (given["vault"], given["account"]):
        raise Fault("integrity", "journal: of another vault or account")
    names = {1: "agent", 2: "maintainer", 3: "auditor", 4: "admin"}
    devices = [{"id": one.hex(), "roles": [names[role] for role in device["roles"]], "badSince": device["bad_since"]} for one, device in found.devices.items()]
    for device, want in zip(devices, EXPECTED.get("devices", [])):
        device["revokedSeq"] = want["revokedSeq"] if found.devices[bytes.fromhex(device["id"])]["revoked"] else None
    snapshots = [
        {
            "entry": entry["entry_id"].hex(),
            "record": entry["body"]["record_id"].hex(),
            "complete": entry["body"]["complete"],
            "offload": entry["kind"] == journal.OFFLOAD,
            "holdCount": found.held.get(entry["entry_id"], 0),
        }
        for entry in found.retained()
    ]
    return {
        "snapshots": snapshots,
        "seq": len(found.entries) - 1,
        "head": found.entries[-1]["entry_id"].hex(),
        "epoch": max(found.containers),
        "config": found.config.hex(),
        "devices": devices,
        "slots": [record_id.hex() for record_id in found.slots],
        "epochsSlot": found.epochs_slot.hex() if found.epochs_slot else None,
        "policies": len(found.policies),
    }


def receipt(given):
    found = form.Frame(bytes.fromhex(given["receipt"]))
    entries = {given["seq"]: {"entry_id": bytes.fromhex(given["entry"])}}
    fake = type("Fake", (), {"vault_id": bytes.fromhex(given["vault"]), "entries": [entries.get(seq, {"entry_id": b""}) for seq in range(given["seq"] + 1)]})
    journal.check_receipts([found], fake, bytes.fromhex(given["nodeKey"]))
    payload = form.decode(form.decode(found.body)[1])
    if (payload[5].hex() if payload[5] else None) != given["previous"]:
        raise Fault("integrity", "receipt: does not follow the one before it")
    return {"id": found.record_id.hex(), "receivedMs": payload[4]}


RUNS = {
    "cbor": cbor, "frame": frame, "journal": chain, "receipt": receipt,
    "slot-open": slot_open, "slot-keys": slot_keys, "epoch-keys": epoch_keys, "vault-id": vault_id, "suite-1-open": suite_1_open,
    "recovery-code-parse": recovery_parse, "object-id": object_id, "object": stored_object, "pack-parse": pack_parse, "index-parse": index_parse,
    "suite-1-seal": suite_1_seal, "signature": signature, "argon2id": argon2id, "recovery-code": recovery_words, "tree-parse": tree_parse, "list-parse": list_parse, "snapshot-parse": snapshot_parse, "config": config, "line": line, "padme": padme,
    "gear": gear, "split-hash": split_hash, "cuts": cuts, "list": content_list, "needs": needs, "folder": folder,
}  # fmt: skip
# Primitives of the libraries under this reader, and what only writers do; rfc8949 has many values in one file, see test_holdfast_read.py.
NOT_RUN = {"aes-256-gcm", "ed25519", "hkdf-sha-512", "hmac-sha-256", "hpke", "slot-create", "rfc8949-appendix-a"}
EXPECTED = {}


class Vectors(unittest.TestCase):
    def test_every_vector_that_concerns_a_reader(self):
        ran = 0
        for path in sorted(ROOT.glob("*/vectors/*.json")):
            name = path.name.split(".")[0]
            run, vector = RUNS.get(name) or RUNS.get(name.split("-")[0]), json.loads(path.read_text("utf-8"))
            if run is None:
                self.assertIn(name, NOT_RUN)
                continue
            with self.subTest(path.name):
                EXPECTED.clear()
                EXPECTED.update(vector["expect"])
                try:
                    found = run(vector["input"])
                except Fault as fault:
                    found = {"fault": fault.code}
                if found is None:
                    continue
                ran += 1
                for name in {"fault"} & {*found, *EXPECTED} | {*found} & {*EXPECTED}:
                    self.assertEqual(found.get(name), EXPECTED.get(name), (name, vector["about"]))
        self.assertGreater(ran, 0, "no vector was found")


if __name__ == "__main__":
    unittest.main()
