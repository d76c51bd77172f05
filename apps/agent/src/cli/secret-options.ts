/** Options by which commands are told where a secret is. */
import type { Command } from "commander";

/** For commands that open the vault with what a person has. */
export function withSecretOptions(command: Command): Command {
  return command
    .option("--passphrase-file <file>", "read the passphrase from FILE")
    .option("--passphrase-command <command>", "take the first line that COMMAND prints as the passphrase")
    .option("--recovery", "ask for the recovery code instead")
    .option("--recovery-file <file>", "read the recovery code from FILE")
    .option("--recipient-key-file <file>", "use the recipient's private key in FILE");
}

/** For commands that set a passphrase. */
export function withNewPassphraseOptions(command: Command, prefix: "" | "new-"): Command {
  return command
    .option(`--${prefix}passphrase-file <file>`, `read the ${prefix === "" ? "" : "new "}passphrase from FILE`)
    .option(`--${prefix}passphrase-command <command>`, `take the first line that COMMAND prints as the ${prefix === "" ? "" : "new "}passphrase`);
}
