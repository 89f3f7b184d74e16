import type { TokenStatus, TrafficSample } from "../status-document.ts";
import { createCharts } from "./charts.ts";
import { connect, type LinkState, type Update } from "./connection.ts";
import { byId, isInBackground, mark, say, whenShown } from "./dom.ts";
import { createPanels } from "./panels.ts";
import {
  allRows,
  rowKey,
  type Selection,
  type SortColumn,
  select,
  type TokenRow,
  tally,
  tokenRow,
} from "./token-rows.ts";
import { createTokenTable } from "./token-table.ts";
import { judgeAll, type Summary, showVerdict } from "./verdict.ts";

declare const location: { readonly hash: string };
declare const history: { replaceState(state: null, unused: string, url: string): void };

/** What is looked for is in the address, so that it survives a reload and can be handed on. */
export function selectionOf(hash: string): Selection {
  const query = new URLSearchParams(hash.slice(1));
  const known = (name: string, ...values: string[]): string =>
    values.find((value) => value === query.get(name)) ?? values[0] ?? "";
  return {
    search: query.get("search") ?? "",
    only: known("only", "all", "failing", "at-risk", "fresh", "idle") as Selection["only"],
    order: {
      column: known("sort", "state", "name", "left", "refreshed", "next") as SortColumn,
      descending: query.has("down"),
    },
  };
}

export function hashOf({ search, only, order: { column, descending } }: Selection): string {
  return `#${new URLSearchParams({ search, only, sort: column, ...(descending ? { down: "" } : {}) })}`;
}

export function startPage(): void {
  const firstRows = 100;
  const mostRows = 1_000;
  const historySeconds = 600;
  let status: Summary | undefined;
  let rows = new Map<string, TokenRow>();
  let samples: TrafficSample[] = [];
  let selection = selectionOf(location.hash);
  let limit = firstRows;
  /** The process's clock less the browser's. */
  let offsetMs = 0;
  let lostAt: string | undefined;
  const nowMs = (): number => Date.now() + offsetMs;

  const charts = createCharts();
  const panels = createPanels();
  const table = createTokenTable({
    sort: (order) => choose({ ...selection, order }),
    only: (only) => choose({ ...selection, only: selection.only === only ? "all" : only }),
    more() {
      limit = mostRows;
      showTokens();
    },
  });

  const choose = (next: Selection): void => {
    selection = next;
    limit = firstRows;
    history.replaceState(null, "", hashOf(selection));
    showTokens();
  };

  const showTokens = (): void => {
    const found = select(rows.values(), selection, nowMs());
    table.show(found.slice(0, limit), found.length, selection, nowMs());
    const counts = tally(rows.values(), nowMs());
    table.counts({ all: rows.size, ...counts }, selection.only);
    byId("token-none").hidden = found.length > 0 || rows.size === 0;
    byId("token-empty").hidden = rows.size > 0;
  };

  const showJudgement = (): void => {
    if (status === undefined) return;
    showVerdict(
      lostAt === undefined
        ? judgeAll(status, tally(rows.values(), nowMs()), nowMs())
        : {
            severity: "bad",
            title: "Connection lost",
            summary: `What follows was so at ${lostAt}. Trying again.`,
            problems: [],
          },
    );
  };

  const showRest = (): void => {
    showJudgement();
    if (status !== undefined) panels.fill(status, rows, nowMs());
  };

  const apply = (update: Update, isWhole: boolean): void => {
    offsetMs = Date.parse(update.now) - Date.now();
    const {
      routes = status?.routes,
      credentials = status?.credentials,
      tokens,
      samples: newer = [],
      ...rest
    } = update;
    if (routes === undefined || credentials === undefined) return;
    const isFirst = status === undefined;
    status = { ...rest, routes, credentials };
    if (isWhole) {
      rows = allRows({ credentials, tokens });
      panels.build(status);
      if (newer.length > 0) samples = [];
    } else for (const token of tokens) put(token);
    samples.push(...newer);
    if (isWhole && newer.length === 0 && !isFirst) samples.push({ at: nowMs() / 1_000, ...rest.traffic });
    samples = samples.filter(({ at }) => at > nowMs() / 1_000 - historySeconds);
    // A tab in the background still shows a title and an icon.
    showJudgement();
    if (isInBackground()) return;
    if (isWhole || tokens.length > 0) showTokens();
    if (isWhole || newer.length > 0) charts.show(status.traffic, samples, nowMs());
    panels.fill(status, rows, nowMs());
  };

  const put = (token: TokenStatus): void => {
    rows.set(rowKey(token.credential, token.tenant), tokenRow(token.credential, token.tenant, token));
  };

  const showLink = (state: LinkState): void => {
    const link = byId("link");
    if (state === "disconnected") lostAt ??= new Date().toLocaleTimeString();
    else lostAt = undefined;
    mark(link, "data-link", state);
    byId("tokens").dataset["stale"] = String(lostAt !== undefined);
    const texts = { live: "live", connecting: "connecting", polling: "every 5 s", disconnected: "" };
    say(link, state === "disconnected" ? `disconnected since ${lostAt}` : texts[state]);
    showRest();
  };

  const search = byId("search");
  search.value = selection.search;
  search.addEventListener("input", () => choose({ ...selection, search: search.value }));

  const first = JSON.parse(byId("status").textContent ?? "null") as Update | null;
  if (first !== null) apply(first, true);
  setInterval(() => {
    if (isInBackground() || status === undefined || lostAt !== undefined) return;
    table.tick(nowMs());
    const counts = tally(rows.values(), nowMs());
    table.counts({ all: rows.size, ...counts }, selection.only);
  }, 1_000);
  whenShown(() => {
    showTokens();
    if (status !== undefined) charts.show(status.traffic, samples, nowMs());
    showRest();
  });
  connect({ status: apply, link: showLink });
}
