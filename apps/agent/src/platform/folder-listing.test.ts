import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareBytes } from "@holdfast/base";
import { FolderListing } from "./folder-listing.ts";

/** A listing of `names`, appended in the given order. */
function listingOf(names: readonly Uint8Array[], listing = new FolderListing()): FolderListing {
  listing.clear();
  let used = 0;
  for (const name of names) {
    listing.reserve(used + name.length + 1, used);
    listing.bytes.set(name, used);
    listing.bytes[used + name.length] = 0;
    listing.append(used, name.length);
    used += name.length + 1;
  }
  listing.sort();
  return listing;
}

function namesOf(listing: FolderListing): Uint8Array[] {
  return Array.from({ length: listing.count }, (_, index) => Uint8Array.from(listing.name(index)));
}

/** Names without slash and zero, short ones and long common beginnings, from a small generator with a printed seed. */
function randomNames(count: number, seed: number): Uint8Array[] {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const names = new Map<string, Uint8Array>();
  while (names.size < count) {
    const prefix = ["", "a", "same-beginning-", "\xff\xff\xff\xff\xff\xff\xff"][next(4)] as string;
    const name = Uint8Array.from(prefix + "x".repeat(next(4)) + String.fromCharCode(1 + next(255), 1 + next(255), 1 + next(255)), (character) =>
      character.charCodeAt(0),
    );
    names.set(name.join(), name);
  }
  return [...names.values()];
}

describe("Folder listing", () => {
  for (const count of [0, 1, 2, 11, 12, 13, 24, 25, 1000, 5000]) {
    it(`sorts ${count} names by their bytes and finds each`, () => {
      const seed = 20_251 + count;
      const names = randomNames(count, seed);
      const listing = listingOf(names);
      assert.deepEqual(namesOf(listing), names.toSorted(compareBytes), `seed ${seed}`);
      for (let index = 0; index < count; index++) assert.equal(listing.find(Uint8Array.from(listing.name(index))), index);
      assert.equal(listing.find(Uint8Array.of(0x7f, 0x7f, 0x7f, 0x7f, 0x7f)), -1);
    });
  }

  it("is used again without traces of what it held", () => {
    const listing = listingOf(randomNames(3000, 1));
    const names = randomNames(7, 2);
    assert.deepEqual(namesOf(listingOf(names, listing)), names.toSorted(compareBytes));
  });

  it("keeps what was written when it grows", () => {
    const names = Array.from({ length: 3000 }, (_, index) =>
      Uint8Array.from(`${String(index).padStart(5, "0")}${"n".repeat(250)}`, (character) => character.charCodeAt(0)),
    );
    assert.deepEqual(namesOf(listingOf(names)), names);
  });

  it("refuses a folder beyond its limit before taking the memory", () => {
    assert.throws(() => new FolderListing().reserve(2 ** 40, 0), { name: "Fault", code: "limit" });
  });
});
