/** The catalogue's rows on how secrets are held and compared (K05, K07). */
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createPinoLogger } from "../../src/core/pino-logger.ts";
import { Secret } from "../../src/core/secret.ts";
import { accessToken } from "../../src/token/access-token.ts";
import { Injection } from "../../src/token/token-source.ts";
import { findCanaries } from "../support/canaries.ts";
import { projectFiles, readProjectFile } from "../support/project.ts";

const CANARY = "canary-of-value/1é";

/** A secret in every shape in which the product holds one. */
const HOLDERS: Readonly<Record<string, object>> = {
  "a secret": new Secret(CANARY),
  "an injection": new Injection(["authorization", `Bearer ${CANARY}`]),
  "an access token": accessToken(
    { value: new Secret(CANARY), lifetimeMs: 60_000, scope: "read" },
    { sentAtMs: 0, sentAtWallMs: 0 },
    "key",
    () => 0.5,
  ),
};

/** Every way in which a value becomes text without anybody asking for its content. */
const WAYS: readonly (readonly [name: string, print: (held: object) => string])[] = [
  ["String", (held) => String(held)],
  ["a template", (held) => `${held}`],
  ["concatenation", (held) => `x${String([held])}`],
  ["JSON", (held) => JSON.stringify({ held })],
  [
    "util.inspect with all it can show",
    (held) => inspect(held, { showHidden: true, depth: null, getters: true }),
  ],
  ["an array in util.inspect", (held) => inspect([held, new Map([[held, held]])], { depth: null })],
  ["structuredClone", (held) => inspect(structuredClone(held), { showHidden: true, depth: null })],
  ["spreading", (held) => inspect({ ...held }, { showHidden: true, depth: null })],
  ["its own properties", (held) => inspect(Reflect.ownKeys(held).map((key) => Reflect.get(held, key)))],
  ["the cause of an error", (held) => inspect(new Error("failed", { cause: held }), { depth: null })],
  [
    "a property of an error",
    (held) => inspect(Object.assign(new Error("failed"), { held }), { depth: null }),
  ],
];

describe.each(Object.entries(HOLDERS))("K05 %s", (_, held) => {
  it.each(WAYS)("shows nothing of it under %s", (_way, print) => {
    expect(findCanaries(print(held), { CANARY })).toEqual([]);
  });
});

describe("K05 a log line", () => {
  it.each(["json", "pretty"] as const)(
    "holds allowed fields only, whatever is spread into it: %s",
    async (format) => {
      const destination = new PassThrough();
      const written = once(destination, "data");
      const log = await createPinoLogger({ level: "debug", format, destination });
      const careless = {
        route: "main",
        headers: [CANARY],
        authorization: CANARY,
        secret: new Secret(CANARY),
      };
      log.debug("request", careless);
      const line = String((await written)[0]);
      expect(line).toContain("main");
      expect(findCanaries(line, { CANARY })).toEqual([]);
      expect(line).not.toContain("authorization");
    },
  );
});

/** A comparison that ends at the first difference, on the line of a revealed secret or of its digest. */
const HASTY =
  /(?:reveal|fingerprint)\(\).*(?:[=!]==?|\.includes\(|\.startsWith\(|localeCompare)|[=!]==? *\w+(?:\.\w+)*\.(?:reveal|fingerprint)\(\)/;

describe("K07 secrets are compared in constant time", () => {
  it("by the one pair of methods that does so", () => {
    expect(readProjectFile("src/core/secret.ts").match(/timingSafeEqual\(/g)).toHaveLength(1);
    expect(new Secret(CANARY).matches(CANARY)).toBe(true);
    expect(new Secret(CANARY).equals(new Secret(CANARY))).toBe(true);
    expect(new Secret(CANARY).matches(`${CANARY} `)).toBe(false);
    expect(new Secret(CANARY).matches("")).toBe(false);
    expect(new Secret(CANARY).equals(new Secret("other"))).toBe(false);
  });

  it("by the caller's access token too", () => {
    expect(readProjectFile("src/proxy/access.ts")).toContain("token.matches(offered)");
  });

  it.each([
    "if (token.reveal() === offered) return;",
    "if (offered !== token.value.reveal()) return;",
    "return a.fingerprint() == b;",
    "return secret.reveal().startsWith(offered);",
  ])("and a hasty one would be found: %s", (line) => expect(line).toMatch(HASTY));

  const sources = projectFiles().filter((file) => /^(src|cmd)\/.*\.ts$/.test(file));
  it("and nowhere by another", () => {
    expect(sources.length).toBeGreaterThan(80);
    const hasty = sources.flatMap((file) =>
      readProjectFile(file)
        .split("\n")
        .filter((line) => HASTY.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    );
    expect(hasty).toEqual([]);
  });
});
