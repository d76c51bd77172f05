/** Where in a TOML text a value stands: for faults that name the line. */

const HEADER = /^\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*\]/;

/**
 * Line, from 1, of the key at `path`, as in `["set", 1, "paths", 0]`: the header of a table or the line of a key in it. A key that is
 * not found gets its table's line, and a table that is not found line 1. Inline tables and dotted keys count as their first part.
 */
export function lineOfKey(text: string, path: readonly PropertyKey[]): number {
  const [table, ...rest] = path;
  const wantedIndex = typeof rest[0] === "number" ? rest[0] : 0;
  const key = rest.find((part) => typeof part === "string");
  let [isInside, tableLine, seenCount] = [false, 0, 0];
  for (const [index, line] of text.split("\n").entries()) {
    const header = HEADER.exec(line);
    if (header !== null) {
      isInside = header[2] === table && seenCount++ === wantedIndex;
      if (isInside) tableLine = index + 1;
    } else if (tableLine === 0 && !isInside && isKeyLine(line, table)) {
      return index + 1; // A key of the top level.
    } else if (isInside && key !== undefined && isKeyLine(line, key)) {
      return index + 1;
    }
  }
  return Math.max(1, tableLine);
}

function isKeyLine(line: string, key: PropertyKey | undefined): boolean {
  const match = /^\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*[.=]/.exec(line);
  return match !== null && (match[1] ?? match[2] ?? match[3]) === key;
}
