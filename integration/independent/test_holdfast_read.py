"""Self-tests: primitives by published vectors, then a vault made by vault_author.py, read back, and damaged.

Run in this folder: /usr/bin/python3 -m unittest
"""
import contextlib
import hashlib
import hmac
import io
import os
import pathlib
import random
import shutil
import sqlite3
import stat
import tempfile
import unittest

import argon2.low_level

import form
import holdfast_read
import journal as j
import records
import sealing
import trees
from form import Fault
from vault_author import Author, Ed25519PrivateKey, raw_public, seal


def hexed(text):
    return bytes.fromhex(text.replace(" ", ""))


class Refusals(unittest.TestCase):
    @contextlib.contextmanager
    def refused(self, code):
        with self.assertRaises(Fault) as caught:
            yield
        self.assertEqual(caught.exception.code, code)


class Primitives(Refusals):
    def test_hmac_sha_256_and_sha_512_agree_with_rfc_4231(self):
        # Test case 2.
        key, data = b"Jefe", b"what do ya want for nothing?"
        self.assertEqual(hmac.new(key, data, hashlib.sha256).hexdigest(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        self.assertTrue(hmac.new(key, data, hashlib.sha512).hexdigest().startswith("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"))

    def test_derived_keys_follow_rfc_5869_step_by_step(self):
        ikm, salt = bytes(range(32)), bytes(16)
        info = b"holdfast/v1/object-id\x00\x00\x00\x00\x07"
        extracted = hmac.new(salt, ikm, hashlib.sha512).digest()
        expanded = hmac.new(extracted, info + b"\x01", hashlib.sha512).digest()
        self.assertEqual(sealing.derive(ikm, salt, "object-id", 7), expanded[:32])

    def test_gear_bytes_follow_rfc_5869_with_an_empty_salt(self):
        key, block, expected = b"\x05" * 32, b"", b""
        extracted = hmac.new(bytes(64), key, hashlib.sha512).digest()
        for number in range(1, 17):
            block = hmac.new(extracted, block + b"holdfast/v1/gear" + bytes([number]), hashlib.sha512).digest()
            expected += block
        self.assertEqual(trees.gear_bytes(key), expected)

    def test_ed25519_agrees_with_rfc_8032(self):
        # Section 7.1, test 1.
        seed = hexed("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        self.assertEqual(sealing.owner_public_key(seed), hexed("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))

    def test_argon2id_agrees_with_the_reference_program(self):
        # `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32` of the reference implementation.
        raw = argon2.low_level.hash_secret_raw(b"password", b"somesalt", 2, 65536, 1, 32, argon2.low_level.Type.ID, 0x13)
        self.assertEqual(raw, hexed("09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"))

    def test_recovery_words_agree_with_the_vectors_of_bip_39(self):
        self.assertEqual(sealing.recovery_entropy("abandon " * 23 + "art"), bytes(32))
        self.assertEqual(sealing.recovery_entropy("zoo " * 23 + "vote"), b"\xff" * 32)
        with self.refused("input"):
            sealing.recovery_entropy("abandon " * 24)
        words = sealing.WORDS_FILE.read_bytes()
        self.assertEqual(hashlib.sha256(words).hexdigest(), "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda")

    def test_a_passphrase_loses_one_line_feed_and_is_normalised(self):
        self.assertEqual(sealing.normal_passphrase("e\u0301\r\n".encode()), "\u00e9".encode())
        self.assertEqual(sealing.normal_passphrase(b"a\n\n"), b"a\n")
        self.assertEqual(sealing.normal_passphrase(b"a\r"), b"a\r")

    def test_argon2id_bounds_are_checked_before_any_work(self):
        for memory, passes in ((65535, 3), (65536, 2), (1048577, 3), (65536, 17)):
            with self.refused("limit"):
                sealing.passphrase_key(b"", bytes(16), memory, passes)

    def test_padme_matches_numbers_computed_by_hand(self):
        # L = 100,001: E = 16, S = 5, steps of 2^11. L = 8,388,609: E = 23, S = 5, steps of 2^18.
        self.assertEqual(records.padded_bytes(100001), 100352)
        self.assertEqual(records.padded_bytes(8388609), 8388608 + 262144)
        self.assertEqual(records.padded_bytes(1), 65536)


class Cbor(Refusals):
    def test_values_of_rfc_8949_appendix_a_pass_both_ways(self):
        cases = {
            "00": 0, "17": 23, "1818": 24, "1903e8": 1000, "1a000f4240": 1000000, "1b000000e8d4a51000": 1000000000000,
            "20": -1, "3863": -100, "3903e7": -1000, "f4": False, "f5": True, "f6": None, "40": b"", "4401020304": b"\x01\x02\x03\x04",
            "60": "", "6449455446": "IETF", "62c3bc": "\u00fc", "80": [], "8301820203820405": [1, [2, 3], [4, 5]], "a201020304": {1: 2, 3: 4},
        }  # fmt: skip
        for raw, value in cases.items():
            self.assertEqual(form.decode(hexed(raw)), value)
            self.assertEqual(form.encode(value).hex(), raw)

    def test_everything_that_is_not_canonical_is_refused(self):
        bad = (
            "1817 190018 1a00000018 1b0000000000000001 3817 5801 00".split()[:5]
            + ["5f41ff", "9fff", "bfff", "c100", "f7", "f90000", "fb3ff0000000000000", "e0", "1c", "ff", "0000", "", "41", "62c3", "61ff"]
            + ["a2030401 02".replace(" ", ""), "a201020103", "a1616100", "a12000", "82 01".replace(" ", ""), "1b0020000000000000", "3b001fffffffffffff", "9affffffff"]
        )
        for raw in bad:
            with self.subTest(raw), self.refused("format"):
                form.decode(hexed(raw))

    def test_sixteen_levels_pass_and_seventeen_are_refused(self):
        form.decode(b"\x81" * 15 + b"\x80")
        with self.refused("limit"):
            form.decode(b"\x81" * 16 + b"\x80")


class Suite1(Refusals):
    def test_sealed_text_opens_at_every_edge_of_a_segment(self):
        for length in (0, 1, 16383, 16384, 16385, 40000):
            sealed = seal(b"k" * 32, b"c", bytes(length))
            self.assertEqual(len(sealed), 56 + length + 16 * (length // 16384 + 1))
            self.assertEqual(sealing.open_sealed(b"k" * 32, b"c", sealed), bytes(length))

    def test_a_flipped_bit_a_cut_and_another_context_are_one_fault(self):
        sealed = seal(b"k" * 32, b"c", b"x" * 20000)
        forms = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in (0, 24, 56, 56 + 16400, len(sealed) - 1)]
        forms += [sealed[: 56 + 16400], sealed[:-1], sealed[:10], sealed + b"\x00"]
        for bad in forms:
            with self.assertRaises(Fault) as caught:
                sealing.open_sealed(b"k" * 32, b"c", bad)
            self.assertEqual((caught.exception.code, str(caught.exception)), ("integrity", "sealed: does not authenticate"))
        with self.refused("integrity"):
            sealing.open_sealed(b"k" * 32, b"d", sealed)


class Packs(Refusals):
    def pack(self, entries, tail=b""):
        return len(entries * 48).to_bytes(4, "big") + b"".join(records.DIRECTORY_ENTRY.pack(*entry) for entry in entries) + tail

    def test_gaps_wrong_classes_and_padding_are_refused(self):
        good, padding = (bytes(32), 1, 0, 0, 52, 3, 3), bytes(65536 - 55)
        self.assertEqual(len(records.parse_pack(3, self.pack([good], b"abc" + padding))), 1)
        cases = {
            "gap": ([(bytes(32), 1, 0, 0, 53, 3, 3)], b"\x00abc"),
            "class": ([(bytes(32), 2, 0, 0, 52, 3, 3)], b"abc"),
            "padding": ([good], b"abc" + padding[:-1] + b"\x01"),
            "length of the padding": ([good], b"abc" + padding + b"\x00"),
            "end": ([good], b"ab"),
            "raw length": ([(bytes(32), 1, 0, 0, 52, 3, 4)], b"abc"),
            "empty": ([], b""),
            "filler": ([(bytes(32), 1, 0, 1, 52, 3, 3)], b"abc"),
        }
        for name, (entries, tail) in cases.items():
            with self.subTest(name), self.refused("format"):
                records.parse_pack(3, self.pack(entries, tail))


def attributes(kind, mode=0o644, mtime=(1600000000, 123456789), **more):
    keys = {"size": 9, "target": 10, "device": 11, "xattrs": 12, "inode": 13, "subtree": 16}
    return {2: kind, 3: mode, 4: os.getuid(), 5: os.getgid(), 8: list(mtime), **{keys[name]: value for name, value in more.items()}}


class WholeVault(Refusals):
    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(7)
        cls.big = cls.random.randbytes(3_000_000)
        cls.author = Author()
        cls.snapshot_id = cls.author.snapshot(cls.build, [312, 3, 2, 3_000_000 + 4096 + 200_000 * 2 + 300 + 13])

    @classmethod
    def build(cls, objects):
        author = cls.author
        many = {b"n%04d" % n: {**attributes(1), **author.content(objects, [bytes([n % 256])])} for n in range(300)}
        holes = [b"a" * 4096, 1_000_000, b"b" * 300, 10]
        inode = {13: [0, 77]}
        folder = {
            b"big": {**attributes(1, 0o4755), **author.content(objects, [cls.big])},
            b"empty": attributes(1),
            b"sparse": {**attributes(1), **author.content(objects, holes)},
            b"one": {**attributes(1), **inode, **author.content(objects, [b"x" * 20])},
            b"two": {**attributes(1), **inode, **author.content(objects, [b"x" * 20])},
            b"tagged": {**attributes(1, xattrs=[[b"user.note", b"hello"]]), **author.content(objects, [b"t"])},
            b"striped": {**attributes(1), **author.content(objects, [b"s", 4096] * 300)},
            b"link": attributes(3, 0o777, target=b"/nowhere"),
            b"pipe": attributes(4, 0o640),
            b"many": attributes(2, 0o555, subtree=author.folder(objects, many)),
            b"\xff\xfe": attributes(1),
        }
        data = attributes(2, 0o750, (1500000000, 1), subtree=author.folder(objects, folder))
        return author.folder(objects, {b"data": data})

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "records").mkdir()
        self.author.write(self.folder / "records")
        (self.folder / "passphrase").write_bytes(b"correct horse\n")
        (self.folder / "code").write_text("abandon " * 23 + "art\n")

    def read(self, *arguments, secret="--passphrase-file"):
        path = self.folder / ("passphrase" if secret == "--passphrase-file" else "code")
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = holdfast_read.main(["--records", str(self.folder / "records"), secret, str(path), *arguments])
        return code, output.getvalue(), errors.getvalue()

    def check_restored(self, at):
        self.assertEqual((at / "big").read_bytes(), self.big)
        self.assertEqual(stat.S_IMODE((at / "big").stat().st_mode), 0o4755)
        self.assertEqual((at / "big").stat().st_mtime_ns, 1600000000123456789)
        self.assertEqual(at.stat().st_mtime_ns, 1500000000000000001)
        self.assertEqual(stat.S_IMODE(at.stat().st_mode), 0o750)
        self.assertEqual((at / "sparse").read_bytes(), b"a" * 4096 + bytes(1_000_000) + b"b" * 300 + bytes(10))
        self.assertLess((at / "sparse").stat().st_blocks * 512, 900_000)
        self.assertEqual((at / "striped").read_bytes(), (b"s" + bytes(4096)) * 300)
        self.assertEqual((at / "one").stat().st_ino, (at / "two").stat().st_ino)
        self.assertEqual(os.readlink(at / "link"), "/nowhere")
        self.assertEqual((at / "link").lstat().st_mtime_ns, 1600000000123456789)
        self.assertTrue(stat.S_ISFIFO((at / "pipe").stat().st_mode))
        self.assertEqual(stat.S_IMODE((at / "pipe").stat().st_mode), 0o640)
        self.assertEqual(os.getxattr(at / "tagged", "user.note"), b"hello")
        self.assertEqual(len(list((at / "many").iterdir())), 300)
        self.assertEqual((at / "many" / "n0299").read_bytes(), bytes([299 % 256]))
        self.assertEqual(os.stat(os.fsencode(at) + b"/\xff\xfe").st_size, 0)

    def test_the_list_names_the_snapshot(self):
        code, output, _ = self.read("--list", secret="--recovery-code-file")
        self.assertEqual(code, 0)
        self.assertIn(self.snapshot_id.hex()[:16], output)

    def test_everything_is_restored_through_indexes(self):
        code, _, errors = self.read("--restore", "latest", "--target", str(self.folder / "out"))
        self.assertEqual((code, errors), (0, ""))
        self.check_restored(self.folder / "out" / "data")

    def test_everything_is_restored_from_packs_alone(self):
        vault = records.Vault(records.FolderOfRecords(self.folder / "records"))
        for record_id in vault.of_kind(form.CONTENT_INDEX, form.STRUCTURE_INDEX):
            (self.folder / "records" / record_id.hex()).unlink()
        code, _, _ = self.read("--restore", self.snapshot_id.hex()[:12] + ":/data", "--target", str(self.folder / "out"))
        self.assertEqual(code, form.CODES["missing"])
        code, _, errors = self.read("--no-index", "--restore", self.snapshot_id.hex()[:12] + ":/data", "--target", str(self.folder / "out2"))
        self.assertEqual((code, errors), (0, ""))
        self.check_restored(self.folder / "out2")

    def test_the_data_folder_of_a_node_gives_the_same(self):
        folder = self.folder / "data" / "vaults" / self.author.vault_id.hex()
        folder.mkdir(parents=True)
        vault, segment = sqlite3.connect(folder / "vault.db"), sqlite3.connect(folder / "segment-0001.db")
        vault.execute("CREATE TABLE records (frame_no INTEGER PRIMARY KEY, record_id BLOB, segment_no INTEGER, byte_count INTEGER, tier INTEGER)")
        vault.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, entry_id BLOB, entry_frame BLOB, receipt_id BLOB, receipt_frame BLOB)")
        segment.execute("CREATE TABLE parts (part_no INTEGER PRIMARY KEY, bytes BLOB)")
        receipts, previous = {}, None
        for seq, entry_id in enumerate(self.author.entries):
            payload = form.encode({1: self.author.vault_id, 2: seq, 3: entry_id, 4: 1700000000000, 5: previous})
            frame = form.encode([1, form.RECEIPT, 0, 0, form.encode({1: payload, 2: bytes(64)})])
            previous = hashlib.sha256(frame).digest()
            vault.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", (seq, entry_id, self.author.records[entry_id], previous, frame))
        others = [record_id for record_id in self.author.records if record_id not in self.author.entries]
        for number, record_id in enumerate(others, 1):
            data = self.author.records[record_id]
            vault.execute("INSERT INTO records VALUES (?, ?, 1, ?, 0)", (number, record_id, len(data)))
            for index, at in enumerate(range(0, len(data), 1 << 20)):
                segment.execute("INSERT INTO parts VALUES (?, ?)", (number * 64 + index, data[at : at + (1 << 20)]))
        for database in (vault, segment):
            database.commit()
            database.close()
        arguments = ["--data", str(self.folder / "data"), "--passphrase-file", str(self.folder / "passphrase"), "--restore", "latest:/data"]
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(holdfast_read.main([*arguments, "--target", str(self.folder / "out")]), 0)
        self.check_restored(self.folder / "out")

    def test_one_file_is_restored_under_its_name(self):
        code, _, _ = self.read("--restore", "latest:/data/many/n0001", "--target", str(self.folder / "out"))
        self.assertEqual((code, os.listdir(self.folder / "out")), (0, ["n0001"]))
        code, _, _ = self.read("--restore", "latest:/data/none", "--target", str(self.folder / "out3"))
        self.assertEqual(code, form.CODES["missing"])

    def test_verify_agrees_with_the_rules_for_writers(self):
        code, output, errors = self.read("--verify")
        self.assertIn("sound: 308 files, 2 folders, 2 others", output)
        self.assertNotIn("needs", errors)
        self.assertEqual(code, holdfast_read.EXIT_REMARKS)  # The totals of this snapshot are wrong on purpose.
        self.assertIn("totals", errors)

    def test_an_index_of_an_unknown_device_restores_and_is_remarked(self):
        author, stranger = Author(), Ed25519PrivateKey.generate()
        own, honest_index = author.device, author.index

        def forged_index(*parts):
            author.device, author.device_key = stranger, raw_public(stranger)
            try:
                return honest_index(*parts)
            finally:
                author.device, author.device_key = own, raw_public(own)

        author.index = forged_index
        author.snapshot(lambda objects: author.folder(objects, {b"f": {**attributes(1), **author.content(objects, [b"some text"])}}), [1, 0, 0, 9])
        shutil.rmtree(self.folder / "records")
        (self.folder / "records").mkdir()
        author.write(self.folder / "records")
        code, _, errors = self.read("--restore", "latest", "--target", str(self.folder / "out"))
        self.assertEqual((code, errors, (self.folder / "out" / "f").read_bytes()), (0, "", b"some text"))
        code, _, errors = self.read("--verify")
        self.assertEqual((code, errors.count("not signed by a trusted device")), (holdfast_read.EXIT_REMARKS, 2))

    def test_totals_count_each_hard_link_and_the_size_of_what_could_not_be_read(self):
        author = Author()

        def build(objects):
            linked = {**attributes(1, inode=[0, 7]), **author.content(objects, [b"linked"])}
            inner = {b"one": linked, b"two": linked, b"unread": {**attributes(1, size=100), 17: 4}, b"link": attributes(3, target=b"x"), b"bare": attributes(3)}
            return author.folder(objects, {b"data": attributes(2, subtree=author.folder(objects, inner))})

        author.snapshot(build, [3, 1, 2, 112])
        shutil.rmtree(self.folder / "records")
        (self.folder / "records").mkdir()
        author.write(self.folder / "records")
        self.assertEqual(self.read("--verify")[::2], (0, ""))
        code, _, errors = self.read("--restore", "latest:/data", "--target", str(self.folder / "out"))
        self.assertEqual((code, sorted(os.listdir(self.folder / "out"))), (holdfast_read.EXIT_REMARKS, ["link", "one", "two"]))
        self.assertIn("bare: link has no target", errors)

    def test_a_wrong_passphrase_and_a_full_target_are_refused(self):
        (self.folder / "passphrase").write_bytes(b"wrong")
        self.assertEqual(self.read("--list")[0], form.CODES["integrity"])
        (self.folder / "passphrase").write_bytes(b"correct horse")
        code, _, _ = self.read("--restore", "latest", "--target", str(self.folder))
        self.assertEqual(code, form.CODES["input"])

    def test_a_flipped_bit_in_any_kind_of_record_is_refused(self):
        for path in sorted((self.folder / "records").iterdir()):
            good = path.read_bytes()
            path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
            self.assertEqual(self.read("--list")[0], form.CODES["integrity"], path.name)
            path.write_bytes(good)


class Splits(Refusals):
    """Large folders and lists, from a writer that keeps objects in a dictionary."""

    def setUp(self):
        self.author, self.objects = Author(), {}
        self.keys = self.author.keys

    def object(self, object_id, kind, _epoch):
        self.assertEqual(self.objects[object_id][0], kind)
        return self.objects[object_id][1]

    def test_a_folder_of_many_names_comes_back_in_order(self):
        names = [b"name %06d" % number for number in range(9000)]
        root = self.author.folder(self.objects, {name: attributes(1) for name in names})
        self.assertGreater(len(self.objects), 2)
        reader = trees.Reader(self, 0, strict=True)
        self.assertEqual([entry["name"] for entry in reader.entries(root)], names)

    def test_a_folder_of_long_entries_is_cut_by_bytes(self):
        entries = {b"%d" % n: attributes(1, xattrs=[[b"user.x", bytes(250_000)]]) for n in range(5)}
        root = self.author.folder(self.objects, entries)
        self.assertEqual(len(self.objects), 4)
        self.assertEqual(len(list(trees.Reader(self, 0, strict=True).entries(root))), 5)

    def test_a_list_of_many_items_adds_up_and_a_wrong_total_is_refused(self):
        extents = [one for number in range(6000) for one in (b"%d" % number, 512 + number)]
        entry = self.author.content(self.objects, extents)
        checked = trees.check_entry({1: b"f", **attributes(1), **entry})
        reader = trees.Reader(self, 0, strict=True)
        self.assertEqual(len(list(reader.items(checked))), 12000)
        with self.refused("format"):
            list(reader.items({**checked, "size": checked["size"] + 1}))

    def test_a_cut_that_was_passed_over_is_seen(self):
        data = random.Random(3).randbytes(2_000_000)
        parts = list(self.author.cuts(data))
        reader = trees.Reader(self, 0, strict=True)
        for number, part in enumerate(parts):
            reader._check_cut(part, number == len(parts) - 1)
        with self.refused("format"):
            reader._check_cut(data[:300_000], False)


class Chain(Refusals):
    """Each makes one wrong entry on top of a good chain."""

    def journal(self, author):
        return j.Journal([form.Frame(author.records[record_id]) for record_id in author.entries])

    def setUp(self):
        self.author = Author()

    def test_the_good_chain_passes(self):
        self.assertEqual(len(self.journal(self.author).entries), 4)

    def test_an_owner_entry_without_the_owner_is_refused(self):
        self.author.entry(j.NEW_CONFIG, {1: bytes(32)}, with_owner=False)
        with self.refused("denied"):
            self.journal(self.author)

    def test_an_owner_signature_on_another_kind_is_refused(self):
        self.author.entry(j.FORGET, {1: []}, with_owner=True)
        with self.refused("denied"):
            self.journal(self.author)

    def test_a_role_that_was_not_granted_and_a_revoked_device_are_refused(self):
        second = Ed25519PrivateKey.generate()
        self.author.entry(j.DEVICE_ADDED, {1: raw_public(second), 2: [1], 3: "second"})
        self.author.entry(j.FORGET, {1: []}, device=second)
        with self.refused("denied"):
            self.journal(self.author)
        del self.author.entries[-1]
        self.author.entry(j.DEVICE_REVOKED, {1: sealing.short_id(raw_public(second))})
        self.journal(self.author)
        self.author.entry(j.SLOT_REMOVED, {1: bytes(32)}, device=second)
        with self.refused("denied"):
            self.journal(self.author)

    def test_gaps_wrong_links_and_reserved_kinds_are_refused(self):
        for changes in ({"seq": 5}, {"previous": bytes(32)}, {"seq": 3}):
            author = Author()
            author.entry(j.FORGET, {1: []}, **changes)
            with self.subTest(changes), self.refused("conflict"):
                self.journal(author)
        self.author.entry(16, {}, with_owner=True)
        with self.refused("version"):
            self.journal(self.author)

    def test_the_last_slot_of_a_person_stays(self):
        slots = [record_id for record_id in self.journal(self.author).slots]
        self.author.entry(j.SLOT_REMOVED, {1: slots[0]})
        self.journal(self.author)
        self.author.entry(j.SLOT_REMOVED, {1: slots[1]})
        with self.refused("denied"):
            self.journal(self.author)

    def test_a_second_epoch_opens_through_the_epochs_slot_that_the_journal_named_last(self):
        self.author.rotate()
        self.author.rotate()
        chain = self.journal(self.author)
        slots = [sealing.parse_slot(form.Frame(self.author.records[record_id])) for record_id, slot in chain.slots.items() if slot["type"] == sealing.RECOVERY]
        epochs_slot = sealing.parse_slot(form.Frame(self.author.records[chain.epochs_slot]))
        keys = sealing.unlock(slots, epochs_slot, entropy=bytes(32))
        self.assertEqual(keys.secrets, self.author.secrets)


if __name__ == "__main__":
    unittest.main()
