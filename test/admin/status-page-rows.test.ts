import { describe, expect, it } from "vitest";
import type { CredentialStatus, TokenStatus } from "../../src/admin/status-document.ts";
import {
  allRows,
  type Condition,
  judge,
  type Selection,
  select,
  type TokenRow,
  tally,
  tokenRow,
} from "../../src/admin/status-page/token-rows.ts";

const NOW_MS = Date.UTC(2030, 0, 1);
const at = (seconds: number): string => new Date(NOW_MS + seconds * 1_000).toISOString();
const FAULT = { code: "TOKEN_REJECTED", reason: "answered 401 invalid_client", hint: "check client_secret" };

function token(state: string, more: Partial<TokenStatus> = {}): TokenStatus {
  return { credential: "q", tenant: "isb", grant: "client_credentials", state, ...more };
}
const valid = { expires_at: at(600), lifetime_seconds: 3_600, next_attempt_at: at(60) };
const { next_attempt_at: _next, ...unused } = valid;

describe("how a token is doing", () => {
  it.each<[TokenStatus | undefined, Condition, string]>([
    [undefined, "idle", "not used yet"],
    [token("none"), "idle", "no token"],
    [token("none", { refreshing: true }), "idle", "being fetched"],
    [token("fresh", valid), "fresh", "fresh"],
    [token("fresh", unused), "fresh", "fresh"],
    [token("advisory", valid), "fresh", "renewal due"],
    [token("advisory", { ...unused, refreshing: true }), "fresh", "being renewed"],
    [token("advisory", unused), "idle", "unused, expiring"],
    [token("mandatory", valid), "at-risk", "requests wait"],
    [token("mandatory", { ...unused, refreshing: true }), "at-risk", "requests wait"],
    [token("mandatory", unused), "idle", "unused, expiring"],
    [token("expired", { expires_at: at(-1) }), "idle", "expired, unused"],
    [token("fresh", { ...valid, expires_at: at(-1) }), "idle", "expired, unused"],
    [token("fresh", { ...valid, last_error: FAULT }), "at-risk", "renewal fails"],
    [token("fresh", { ...valid, expires_at: at(-1), last_error: FAULT }), "failing", "no token"],
    [token("expired", { expires_at: at(-1), last_error: FAULT }), "failing", "no token"],
    [token("rejected", { last_error: FAULT }), "failing", "rejected"],
    [token("none", { last_error: FAULT }), "failing", "no token"],
    [token("fresh", { grant: "static" }), "fresh", "fixed value"],
    [token("none", { grant: "static", last_error: FAULT }), "failing", "no value"],
  ])("%j is %s: %s", (of, condition, label) => {
    expect(judge(of, NOW_MS)).toEqual({ condition, label });
  });
});

describe("the rows", () => {
  const credentials: CredentialStatus[] = [
    { name: "q", provider: "qmatic", prefetch: false, tenants: ["isb", "riverside"] },
    { name: "z", provider: "zocdoc", prefetch: false, grant: "client_credentials" },
    { name: "people", provider: "zocdoc", prefetch: false, grant: "user" },
    { name: "visitors", provider: "zocdoc", prefetch: false, grant: "anonymous" },
  ];

  it("are every machine's credential and tenant, used or not, and no visitor's", () => {
    const rows = allRows({ credentials, tokens: [token("fresh", valid)] });
    expect([...rows.keys()]).toEqual(["q/isb", "q/riverside", "z"]);
    expect([...rows.values()].map((row) => row.token?.state)).toEqual(["fresh", undefined, undefined]);
    expect(tally(rows.values(), NOW_MS)).toEqual({ failing: 0, "at-risk": 0, fresh: 1, idle: 2 });
  });
});

describe("search, filter and order", () => {
  const rows: readonly TokenRow[] = [
    tokenRow("q", "unused"),
    tokenRow("q", "late", token("fresh", { ...valid, expires_at: at(900), obtained_at: at(-10) })),
    tokenRow("q", "soon", token("fresh", { ...valid, expires_at: at(100), obtained_at: at(-900) })),
    tokenRow("q", "broken", token("rejected", { last_error: FAULT, next_attempt_at: at(5) })),
    tokenRow("q", "Shaky", token("fresh", { ...valid, last_error: FAULT })),
  ];
  const names = (selection: Partial<Selection>): readonly (string | undefined)[] =>
    select(
      rows,
      { search: "", only: "all", order: { column: "state", descending: false }, ...selection },
      NOW_MS,
    ).map(({ tenant }) => tenant);

  it("has failures first, then what expires soonest, then what nobody uses", () => {
    expect(names({})).toEqual(["broken", "Shaky", "soon", "late", "unused"]);
  });

  it.each<[Selection["order"], readonly string[]]>([
    [{ column: "state", descending: true }, ["unused", "late", "soon", "Shaky", "broken"]],
    [{ column: "name", descending: false }, ["broken", "late", "Shaky", "soon", "unused"]],
    [{ column: "left", descending: false }, ["soon", "Shaky", "late", "broken", "unused"]],
    [{ column: "left", descending: true }, ["late", "Shaky", "soon", "broken", "unused"]],
    [{ column: "refreshed", descending: false }, ["soon", "late", "Shaky", "broken", "unused"]],
    [{ column: "next", descending: false }, ["broken", "Shaky", "late", "soon", "unused"]],
  ])("orders by %j, the unknown last", (order, expected) => {
    expect(names({ order })).toEqual(expected);
  });

  it.each([
    ["LATE", ["late"]],
    ["q  soon", ["soon"]],
    ["invalid_client", ["broken", "Shaky"]],
    ["token_rejected bro", ["broken"]],
    ["nothing like it", []],
    ["  ", ["broken", "Shaky", "soon", "late", "unused"]],
  ])("finds %j by every word, in names and errors", (search, expected) => {
    expect(names({ search })).toEqual(expected);
  });

  it("shows one condition alone", () => {
    expect(names({ only: "at-risk" })).toEqual(["Shaky"]);
  });
});
