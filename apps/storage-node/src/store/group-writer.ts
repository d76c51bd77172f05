/** Groups of accounts, in the catalog: every function needs a transaction on it. */
import { type Bytes, bytesToHex, Fault } from "@holdfast/base";
import { eq } from "drizzle-orm";
import { accounts, groups } from "./catalog-schema.ts";
import type { Transaction } from "./database.ts";

export interface GroupMembership {
  readonly accountName: string;
  readonly groupName: string;
  /** Given to the group when it is new. */
  readonly groupId: Bytes;
  readonly nowMs: number;
}

/** Puts an account into a group, which is made when it is new. An account that is in another group: `conflict`. */
export async function joinGroup(transaction: Transaction, { accountName, groupName, groupId, nowMs }: GroupMembership): Promise<void> {
  await transaction.insert(groups).values({ groupId, name: groupName, createdAtMs: nowMs }).onConflictDoNothing({ target: groups.name });
  const [group] = await transaction.select().from(groups).where(eq(groups.name, groupName));
  const [account] = await transaction.select().from(accounts).where(eq(accounts.name, accountName));
  if (group === undefined || account === undefined) throw new Fault("missing", "group: it or the account is not there");
  if (account.groupId !== null && bytesToHex(account.groupId) !== bytesToHex(group.groupId)) {
    throw new Fault("conflict", `account: is in another group, got ${groupName}`);
  }
  await transaction.update(accounts).set({ groupId: group.groupId }).where(eq(accounts.accountId, account.accountId));
}
