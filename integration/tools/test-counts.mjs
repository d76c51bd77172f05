/** How many tests passed, failed and were skipped, read from what each runtime prints. What cannot be read counts as nothing, and the runner takes "no test ran" for a failure. */

export const NO_COUNTS = Object.freeze({ passed: 0, failed: 0, skipped: 0 });

export function addCounts(left, right) {
  return { passed: left.passed + right.passed, failed: left.failed + right.failed, skipped: left.skipped + right.skipped };
}

/** Bun ends with ` 12 pass`, ` 1 skip`, ` 1 todo`, ` 0 fail` and, for what fell outside every test, ` 1 error`. */
export function countBun(output) {
  const failed = lastNumber(output, /^ *(\d+) fail$/gm);
  const errors = lastNumber(output, /^ *(\d+) errors?$/gm);
  return {
    passed: lastNumber(output, /^ *(\d+) pass$/gm),
    failed: failed > 0 ? failed : errors,
    skipped: lastNumber(output, /^ *(\d+) skip$/gm) + lastNumber(output, /^ *(\d+) todo$/gm),
  };
}

/** TAP of `node --test` ends with `# pass 12` and so on; a file that does not load is a failed test there. */
export function countNode(output) {
  return {
    passed: lastNumber(output, /^# pass (\d+)$/gm),
    failed: lastNumber(output, /^# fail (\d+)$/gm) + lastNumber(output, /^# cancelled (\d+)$/gm),
    skipped: lastNumber(output, /^# skipped (\d+)$/gm) + lastNumber(output, /^# todo (\d+)$/gm),
  };
}

/**
 * Deno counts a `describe` as one test, so its summary line says too little. Its JUnit report names every step `outer > inner`:
 * the ones that are no prefix of another are the tests.
 */
export function countDeno(report) {
  const cases = [...report.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map((match) => ({
    name: match[1],
    body: match[2] ?? "",
  }));
  const groups = new Set();
  for (const { name } of cases) {
    const parts = name.split(" &gt; ");
    for (let count = 1; count < parts.length; count++) groups.add(parts.slice(0, count).join(" &gt; "));
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, body } of cases) {
    const failed = /<failure|<error/.test(body);
    if (groups.has(name)) continue;
    if (failed) counts.failed++;
    else if (body.includes("<skipped")) counts.skipped++;
    else counts.passed++;
  }
  return counts;
}

/** First group of the last match, as a number; 0 without a match. */
function lastNumber(output, pattern) {
  let last = 0;
  for (const match of output.matchAll(pattern)) last = Number(match[1]);
  return last;
}
