import type { CredentialStatus, StatusDocument, TokenStatus } from "../status-document.ts";

/**
 * `failing`: there is no token and one cannot be had; `at-risk`: there is one, but its renewal fails or is late; `fresh`;
 * `idle`: nobody uses it.
 */
export type Condition = "failing" | "at-risk" | "fresh" | "idle";

/** One credential, or one tenant of it, whether it was ever used or not. */
export interface TokenRow {
  readonly key: string;
  readonly credential: string;
  readonly tenant: string | undefined;
  /** undefined: never asked for. */
  readonly token: TokenStatus | undefined;
  /** What the search looks through, lower-case. */
  readonly text: string;
}

export type SortColumn = "state" | "name" | "left" | "refreshed" | "next";

export interface Order {
  readonly column: SortColumn;
  readonly descending: boolean;
}

export interface Selection {
  readonly search: string;
  readonly only: Condition | "all";
  readonly order: Order;
}

export function rowKey(credential: string, tenant: string | undefined): string {
  return tenant === undefined ? credential : `${credential}/${tenant}`;
}

export function tokenRow(credential: string, tenant: string | undefined, token?: TokenStatus): TokenRow {
  const words = [tenant, credential, token?.last_error?.code, token?.last_error?.reason];
  return {
    key: rowKey(credential, tenant),
    credential,
    tenant,
    token,
    text: words
      .filter((word) => word !== undefined)
      .join(" ")
      .toLowerCase(),
  };
}

/** A visitor's tokens are in sessions, which are counted, not listed. */
export function isMachines({ grant }: CredentialStatus): boolean {
  return grant !== "user" && grant !== "anonymous";
}

/** Every machine's credential and tenant of the configuration, with its token where there is one. */
export function allRows(status: Pick<StatusDocument, "credentials" | "tokens">): Map<string, TokenRow> {
  const rows = new Map<string, TokenRow>();
  for (const credential of status.credentials) {
    if (!isMachines(credential)) continue;
    for (const tenant of credential.tenants ?? [undefined]) {
      const row = tokenRow(credential.name, tenant);
      rows.set(row.key, row);
    }
  }
  for (const token of status.tokens) {
    const row = tokenRow(token.credential, token.tenant, token);
    rows.set(row.key, row);
  }
  return rows;
}

/** How a token is doing, in one word for counting and a few for reading. */
export function judge(
  token: TokenStatus | undefined,
  nowMs: number,
): { readonly condition: Condition; readonly label: string } {
  if (token === undefined) return { condition: "idle", label: "not used yet" };
  const fault = token.last_error !== undefined;
  if (token.grant === "static") {
    return fault ? { condition: "failing", label: "no value" } : { condition: "fresh", label: "fixed value" };
  }
  const { state } = token;
  const usable =
    (state === "fresh" || state === "advisory" || state === "mandatory") &&
    Date.parse(token.expires_at ?? "") > nowMs;
  if (fault) {
    if (usable) return { condition: "at-risk", label: "renewal fails" };
    return { condition: "failing", label: state === "rejected" ? "rejected" : "no token" };
  }
  if (!usable) {
    if (token.refreshing === true) return { condition: "idle", label: "being fetched" };
    return { condition: "idle", label: token.expires_at === undefined ? "no token" : "expired, unused" };
  }
  if (state === "fresh") return { condition: "fresh", label: "fresh" };
  if (token.refreshing === true && state === "advisory")
    return { condition: "fresh", label: "being renewed" };
  if (token.refreshing !== true && token.next_attempt_at === undefined)
    return { condition: "idle", label: "unused, expiring" };
  return state === "advisory"
    ? { condition: "fresh", label: "renewal due" }
    : { condition: "at-risk", label: "requests wait" };
}

export function tally(rows: Iterable<TokenRow>, nowMs: number): Record<Condition, number> {
  const counts = { failing: 0, "at-risk": 0, fresh: 0, idle: 0 };
  for (const { token } of rows) counts[judge(token, nowMs).condition] += 1;
  return counts;
}

/** Those that are looked for, in their order. What a column does not know of a row comes last, whichever way round. */
export function select(rows: Iterable<TokenRow>, selection: Selection, nowMs: number): TokenRow[] {
  const { only, order } = selection;
  const words = selection.search.toLowerCase().split(/\s+/).filter(Boolean);
  const keyed: { readonly row: TokenRow; readonly rank: string | undefined; readonly name: string }[] = [];
  for (const row of rows) {
    if (!words.every((word) => row.text.includes(word))) continue;
    const { condition } = judge(row.token, nowMs);
    if (only !== "all" && only !== condition) continue;
    keyed.push({
      row,
      rank: rankOf(row, order.column, condition),
      name: `${row.tenant ?? ""} ${row.credential}`,
    });
  }
  const direction = order.descending ? -1 : 1;
  keyed.sort((one, other) => {
    if (one.rank !== other.rank) {
      if (one.rank === undefined) return 1;
      if (other.rank === undefined) return -1;
      return one.rank < other.rank ? -direction : direction;
    }
    return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
  });
  return keyed.map(({ row }) => row);
}

/** As text that sorts; dates of ISO 8601 do. Failures first, and of equals what expires first. */
export function rankOf(
  { token, tenant, credential }: TokenRow,
  column: SortColumn,
  condition: Condition,
): string | undefined {
  if (column === "name") return `${tenant ?? credential}`.toLowerCase();
  if (column === "left") return token?.expires_at;
  if (column === "refreshed") return token?.obtained_at;
  if (column === "next") return token?.next_attempt_at;
  return `${["failing", "at-risk", "fresh", "idle"].indexOf(condition)} ${token?.expires_at ?? "~"}`;
}
