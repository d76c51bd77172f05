import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { getTableConfig, type SQLiteTable } from "drizzle-orm/sqlite-core";
import * as catalogSchema from "./catalog-schema.ts";
import { connectWriter } from "./database.ts";
import { CATALOG_MIGRATIONS, type Migrations, SEGMENT_MIGRATIONS, VAULT_MIGRATIONS } from "./migrations.ts";
import * as vaultSchema from "./vault-schema.ts";

const { parts, PART_NUMBERS_PER_FRAME: _count, OPEN_SEQ: _open, ...vaultTables } = vaultSchema;

async function withDatabase(migrations: Migrations, work: (database: Awaited<ReturnType<typeof connectWriter>>, path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-migrations-"));
  const path = join(folder, "x.db");
  const database = await connectWriter(path, migrations);
  try {
    await work(database, path);
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("migrations", () => {
  for (const [name, migrations, tables] of [
    ["catalog", CATALOG_MIGRATIONS, catalogSchema],
    ["vault", VAULT_MIGRATIONS, vaultTables],
    ["segment", SEGMENT_MIGRATIONS, { parts }],
  ] as const) {
    it(`build the tables of the ${name} schema, and no others`, () =>
      withDatabase(migrations, async ({ client }) => {
        const built = await client.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name");
        const configs = Object.values(tables).map((table) => getTableConfig(table as SQLiteTable));
        assert.deepEqual(
          built.rows.map((row) => row[0]),
          configs.map((config) => config.name).sort(),
        );
        for (const config of configs) {
          const { rows } = await client.execute({ sql: 'SELECT name, lower(type), "notnull" FROM pragma_table_info(?) ORDER BY name', args: [config.name] });
          const wanted = config.columns
            .map((column) => [column.name, column.getSQLType(), column.notNull ? 1 : 0])
            .sort((left, right) => (String(left[0]) < String(right[0]) ? -1 : 1));
          assert.deepEqual(
            rows.map((row) => [row[0], row[1], row[2]]),
            wanted,
            config.name,
          );
        }
      }));
  }

  it("leave the settings that durability rests on", () =>
    withDatabase(VAULT_MIGRATIONS, async ({ client, db }) => {
      const read = async (name: string): Promise<unknown> => (await client.execute(`SELECT ${name} FROM pragma_${name}`)).rows[0]?.[0];
      const settings = async () => [await read("page_size"), await read("journal_mode"), await read("synchronous"), await read("foreign_keys")];
      assert.deepEqual(await settings(), [16384, "wal", 2, 1]);
      await assert.rejects(db.transaction(() => Promise.reject(new Error("rolled back"))));
      assert.deepEqual(await settings(), [16384, "wal", 2, 1]);
    }));

  it("run once, and refuse a newer file", () =>
    withDatabase(SEGMENT_MIGRATIONS, async (database, path) => {
      database.close();
      const again = await connectWriter(path, SEGMENT_MIGRATIONS);
      await again.client.executeMultiple("PRAGMA user_version = 99");
      again.close();
      await assert.rejects(connectWriter(path, SEGMENT_MIGRATIONS), { code: "version" });
    }));
});
