import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFaultDisk } from "@holdfast/testkit";
import { parseConfig, readConfig } from "./config-file.ts";

const GOOD = `# Everything that a file may say.
tls = "intermediate"
[defaults]
exclude = ["*.tmp"]
exclude-caches = true
exclude-larger-than = "1.5G"

[[set]]
name = "home"
paths = ["/home"]
tags = ["daily"]

[[set]]
name = "etc"
paths = ["/etc", "/usr/local/etc"]
workers = 2
`;

describe("configuration", () => {
  it("gives defaults and sets in their order", () => {
    const { tls, defaults, sets } = parseConfig(GOOD, "holdfast.toml");
    assert.equal(tls, "intermediate");
    assert.deepEqual(defaults, { exclude: ["*.tmp"], "exclude-caches": true, "exclude-larger-than": 1_610_612_736 });
    assert.deepEqual(
      sets.map(({ name, paths, workers }) => [name, paths, workers]),
      [
        ["home", ["/home"], undefined],
        ["etc", ["/etc", "/usr/local/etc"], 2],
      ],
    );
  });

  it("names file and line of every fault", () => {
    const cases: readonly (readonly [text: string, message: RegExp])[] = [
      [GOOD.replace("exclude-caches = true", "exclude-cashes = true"), /^c\.toml:5: defaults\.exclude-cashes: is not known$/],
      [GOOD.replace('paths = ["/home"]', 'paths = ["home"]'), /^c\.toml:10: set\.0\.paths\.0: want an absolute path$/],
      [GOOD.replace("workers = 2", "workers = 0"), /^c\.toml:16: set\.1\.workers: /],
      [GOOD.replace('"1.5G"', '"much"'), /^c\.toml:6: defaults\.exclude-larger-than: want a size/],
      [GOOD.replace('name = "etc"\n', ""), /^c\.toml:13: set\.1\.name: /],
      [GOOD.replace('name = "etc"', 'name = "home"'), /^c\.toml:14: set\.1\.name: "home" is the name of two sets$/],
      [GOOD.replace('"intermediate"', '"old"'), /^c\.toml:2: tls: want modern, intermediate, v8r4$/],
      ['sets = 1\n[defaults]\nhost = "x"\n', /^c\.toml:1: sets: is not known$/],
      ['[defaults]\nhost = "x"\n[defaults]\n', /^c\.toml:3: /],
      ['[defaults]\nhost = "x\n', /^c\.toml:2: .*column/],
    ];
    for (const [text, message] of cases) assert.throws(() => parseConfig(text, "c.toml"), { name: "Fault", code: "input", message });
  });

  it("is empty without a file, unless one was named", () => {
    const disk = createFaultDisk();
    assert.deepEqual(readConfig(disk, { path: "/c.toml", isRequired: false }), { tls: null, defaults: {}, sets: [] });
    assert.throws(() => readConfig(disk, { path: "/c.toml", isRequired: true }), { code: "input", message: "/c.toml: no such file" });
  });
});
