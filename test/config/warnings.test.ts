import { expect, it } from "vitest";
import { BILLING, parse, withoutSection } from "./config-fixture.ts";

const warningsOf = (text: string): readonly string[] => parse(text).warnings.map(withoutSection);

it("a credential that no route uses is a warning", () => {
  const text = `${BILLING}routes: [{ name: a, path: /a, credential: none, upstream: "https://a.example/" }]`;
  expect(parse(text).config).toBeDefined();
  expect(warningsOf(text)).toEqual(["pillion.yaml:3:3 credentials.billing: no route uses this credential"]);
});

it("a used one is not", () => {
  expect(
    warningsOf(
      `${BILLING}routes: [{ name: a, path: /a, credential: billing, upstream: "https://a.example/" }]`,
    ),
  ).toEqual([]);
});

it("a configuration without routes is a warning: it can still fetch tokens", () => {
  expect(warningsOf("drain: {}")).toEqual([
    "pillion.yaml:1:1 routes: there is no route: every request is refused",
  ]);
});
