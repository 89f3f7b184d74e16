import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { formatFault } from "../../src/config/fault.ts";
import { createJsonSchema } from "../../src/config/json-schema.ts";
import { routeKeys } from "../../src/config/route-keys.ts";
import { settingKeys } from "../../src/config/schema.ts";
import { providers } from "../../src/provider/index.ts";
import { parse } from "./config-fixture.ts";

const directory = fileURLToPath(new URL("../../config/examples", import.meta.url));
const validate = new Ajv({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  formats: { uri: true },
}).compile(createJsonSchema(providers));

describe.each(readdirSync(directory).filter((file) => file.endsWith(".yaml")))(
  "config/examples/%s",
  (file) => {
    const text = readFileSync(`${directory}/${file}`, "utf8");

    it("is valid, and uses what it defines", () => {
      const { config, faults, warnings } = parse(text, { directory, file, checkOnly: true });
      expect(faults.map(formatFault)).toEqual([]);
      expect(config).toBeDefined();
      expect(warnings.filter(({ path }) => !path.endsWith("tenants_directory"))).toEqual([]);
    });

    it("is valid for editors, and tells them so", () => {
      expect(text.startsWith("# yaml-language-server: $schema=../pillion.schema.json\n")).toBe(true);
      expect(validate(parseYaml(text)), JSON.stringify(validate.errors)).toBe(true);
    });
  },
);

it("full.yaml has every key there is", () => {
  const text = readFileSync(`${directory}/full.yaml`, "utf8");
  const credentialKeys = providers.flatMap((provider) => Object.keys(provider.keys));
  const keys = [...Object.keys(settingKeys), ...Object.keys(routeKeys), ...credentialKeys];
  expect(keys.filter((key) => !new RegExp(`\\b${key}:`).test(text))).toEqual([]);
});

it("full.yaml has the default of every key, as its value or beside it", () => {
  const lines = readFileSync(`${directory}/full.yaml`, "utf8").replaceAll(`"`, "").split("\n");
  const shown = (key: string, value: string): boolean =>
    lines.some(
      (line) => line.includes(`${key}: ${value}`) || new RegExp(`\\b${key}:.*${value} by default`).test(line),
    );
  const defaults = scalarDefaultsOf(createJsonSchema(providers));
  expect(defaults.length).toBeGreaterThan(20);
  expect(defaults.filter(({ key, value }) => !shown(key, value))).toEqual([]);
});

interface Default {
  readonly key: string;
  readonly value: string;
}

/** Of every property of the schema, however deep. */
function scalarDefaultsOf(node: unknown, key = ""): readonly Default[] {
  if (typeof node !== "object" || node === null) return [];
  const inside = Object.entries(node).flatMap(([name, child]) => scalarDefaultsOf(child, name));
  const value: unknown = "default" in node ? node.default : undefined;
  return typeof value === "object" || value === undefined
    ? inside
    : [{ key, value: String(value) }, ...inside];
}
