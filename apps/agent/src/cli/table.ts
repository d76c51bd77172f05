/** Columns of text. */

/** Rows with their columns aligned, two spaces between; the first row is the heading. Numbers are aligned right when their heading begins with a space. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const [heading] = rows;
  if (heading === undefined) return [];
  const widths = heading.map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ""))));
  const pad = (text: string, column: number): string => {
    const space = " ".repeat(Math.max(0, (widths[column] as number) - widthOf(text)));
    return heading[column]?.startsWith(" ") ? space + text : text + space;
  };
  return rows.map((row) =>
    row
      .map((cell, column) => pad(cell, column))
      .join("  ")
      .trimEnd(),
  );
}

/** Code points: near enough for what we print. */
function widthOf(text: string): number {
  return [...text].length;
}
