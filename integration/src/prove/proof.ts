/** A proof: a claim of the documents, a way to check it on this machine, and the figure that comes out. */

export interface Outcome {
  /** `null`: this machine cannot tell; the figure says why. */
  readonly holds: boolean | null;
  /** One line: what was measured. */
  readonly figure: string;
  /** Shown when it does not hold. */
  readonly detail?: string;
}

export interface Proof {
  readonly name: string;
  readonly claim: string;
  check(): Promise<Outcome>;
}

/** Checks each in turn, prints a line for each and the sum; whether all hold. */
export async function prove(proofs: readonly Proof[]): Promise<boolean> {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const proof of proofs) {
    const startedMs = performance.now();
    const outcome = await proof.check().catch((error: unknown): Outcome => ({ holds: false, figure: "stopped by an error", detail: String(error) }));
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    const word = outcome.holds === null ? "SKIPPED" : outcome.holds ? "PASSED" : "FAILED";
    console.log(`${word} ${proof.name}: ${proof.claim}: ${outcome.figure} (${seconds} s)`);
    if (outcome.holds === false && outcome.detail) console.log(outcome.detail.slice(-6000));
    if (outcome.holds === null) skipped++;
    else if (outcome.holds) passed++;
    else failed++;
  }
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed === 0;
}
