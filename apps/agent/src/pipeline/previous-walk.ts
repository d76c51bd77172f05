/** The previous listing in lock-step with the walk: one cursor that only goes forward. */
import { compareBytes } from "@holdfast/base";
import { type ListingReader, ROW } from "../state/listing.ts";

/** What the previous run knew of an entry that is no folder. Views, good until the cursor moves. */
export interface PreviousEntry {
  readonly identity: Uint32Array;
  readonly modeWord: number;
  readonly encoded: Uint8Array;
  readonly ids: Uint8Array;
}

export class PreviousWalk {
  readonly #listing: ListingReader;

  /** @param listing - At its first row. */
  constructor(listing: ListingReader) {
    this.#listing = listing;
    listing.next();
  }

  get startedMs(): number {
    return this.#listing.startedMs;
  }

  /** Moves to the row called `name` in the current folder. False: there is none. */
  seek(name: Uint8Array): boolean {
    const listing = this.#listing;
    for (;;) {
      if (listing.type === ROW.ids || listing.type === ROW.nodes) listing.next();
      else if (listing.type === ROW.leave || listing.type === ROW.end) return false;
      else {
        const order = compareBytes(listing.name, name);
        if (order >= 0) return order === 0;
        this.#skip();
      }
    }
  }

  get isFolder(): boolean {
    return this.#listing.type === ROW.enter;
  }

  /** The entry at the cursor. */
  get entry(): PreviousEntry {
    return this.#listing;
  }

  /** Copies of the further ids of the entry at the cursor; moves behind it. */
  takeMoreIds(): Uint8Array[] {
    const more: Uint8Array[] = [];
    this.#listing.next();
    for (; this.#listing.type === ROW.ids; this.#listing.next()) more.push(this.#listing.ids.slice());
    return more;
  }

  /** Goes into the folder at the cursor. */
  enter(): void {
    this.#listing.next();
  }

  /** Goes to the end of the current folder and behind it. */
  leave(): void {
    const listing = this.#listing;
    while (listing.type !== ROW.leave && listing.type !== ROW.end) this.#skip();
    if (listing.type === ROW.leave) listing.next();
  }

  #skip(): void {
    if (this.#listing.type === ROW.enter) this.#listing.skipFolder();
    this.#listing.next();
  }
}
