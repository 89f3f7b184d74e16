import { byId, element, isSelected, mark, type PageElement, reveal, say } from "./dom.ts";
import { ago, ahead, count, plural, span } from "./format.ts";
import {
  type Condition,
  judge,
  type Order,
  type Selection,
  type SortColumn,
  type TokenRow,
} from "./token-rows.ts";

/** The tokens as a table: as many rows as are asked for, touched only where they change. */
export interface TokenTable {
  /** What is looked for, in its order, of all there are. */
  show(rows: readonly TokenRow[], total: number, selection: Selection, nowMs: number): void;
  /** Time went on. */
  tick(nowMs: number): void;
  counts(counts: Readonly<Record<Condition | "all", number>>, only: Condition | "all"): void;
}

export interface TokenTableEvents {
  sort(order: Order): void;
  only(condition: Condition | "all"): void;
  more(): void;
}

/** The cells of one row. */
interface Shown {
  row: TokenRow;
  /** The bar's present share. */
  width: string;
  readonly line: PageElement;
  readonly state: PageElement;
  readonly bar: PageElement;
  readonly left: PageElement;
  readonly refreshed: PageElement;
  readonly next: PageElement;
  readonly fault: PageElement;
  readonly reason: PageElement;
  readonly advice: PageElement;
}

export function createShown(row: TokenRow): Shown {
  const cell = (label: string, name: string, ...children: PageElement[]): PageElement =>
    element("td", { role: "cell", class: name, "data-label": label }, ...children);
  const state = element("span", { class: "badge" });
  const bar = element("span", { class: "freshness", "aria-hidden": "true" }, element("i"));
  const left = element("span", { class: "left" });
  const reason = element("p", { class: "reason" });
  const advice = element("p", { class: "quiet" });
  const fault = element("td", { role: "cell", class: "fault", colspan: "5" }, reason, advice);
  const name = element(
    "th",
    { role: "rowheader", scope: "row" },
    element("b", {}, row.tenant ?? row.credential),
  );
  if (row.tenant !== undefined) name.append(" ", element("span", { class: "quiet" }, row.credential));
  const refreshed = cell("refresh", "time");
  const next = cell("next", "time");
  const line = element("tr", { role: "row" });
  line.append(name, cell("state", "state", state), cell("left", "life", bar, left), refreshed, next, fault);
  return { row, width: "", line, state, bar, left, refreshed, next, fault, reason, advice };
}

/** Everything of a row that depends on its token or on the time. */
export function fillShown(shown: Shown, nowMs: number): void {
  const { token, credential, tenant } = shown.row;
  const { condition, label } = judge(token, nowMs);
  mark(shown.line, "data-condition", condition);
  say(shown.state, label);

  const leftSeconds = (Date.parse(token?.expires_at ?? "") - nowMs) / 1_000;
  const lifetime = token?.lifetime_seconds ?? 0;
  const isThere = leftSeconds > 0 && token?.state !== "none";
  const share = isThere && lifetime > 0 ? Math.min(1, leftSeconds / lifetime) : 0;
  reveal(shown.bar, isThere);
  const width = share.toFixed(3);
  if (isThere && width !== shown.width) {
    shown.width = width;
    shown.bar.style.setProperty("--share", width);
  }
  if (isThere) say(shown.left, `${span(leftSeconds)} left of ${span(lifetime)}`);
  else if (leftSeconds <= 0) say(shown.left, `expired ${span(-leftSeconds)} ago`);
  else say(shown.left, label === "fixed value" ? "does not expire" : "");

  const error = token?.last_error;
  const tried = error === undefined ? undefined : token?.last_refresh_at;
  const refreshed = tried ?? token?.obtained_at;
  const when = refreshed === undefined ? "" : ago(refreshed, nowMs);
  say(shown.refreshed, tried === undefined ? when : `tried ${when}`);
  mark(shown.refreshed, "title", refreshed ?? "");
  const due = token?.next_attempt_at;
  const isStatic = token?.grant === "static";
  if (token?.refreshing === true) say(shown.next, "under way");
  else if (due !== undefined) say(shown.next, ahead(due, nowMs));
  else say(shown.next, isStatic ? "" : "when asked for");
  mark(shown.next, "title", due ?? "");

  reveal(shown.fault, error !== undefined);
  if (error === undefined) return;
  // The row says whose token it is.
  const owner =
    tenant === undefined ? `credential ${credential}: ` : `credential ${credential}, tenant ${tenant}: `;
  const reason = error.reason.startsWith(owner) ? error.reason.slice(owner.length) : error.reason;
  const attempts = error.attempts === undefined ? "" : `, ${plural(error.attempts, "attempt")}`;
  const since = error.since === undefined ? "" : ` (first ${ago(error.since, nowMs)}${attempts})`;
  say(shown.reason, `${error.code}: ${reason}${since}`);
  say(shown.advice, `Next: ${error.hint}. Runbook: PillionTokenRefreshFailing`);
}

export function createTokenTable(events: TokenTableEvents): TokenTable {
  const body = byId("token-rows");
  const empty = byId("token-empty");
  const more = byId("token-more");
  const columns: readonly (readonly [SortColumn, string])[] = [
    ["name", "Token"],
    ["state", "State"],
    ["left", "Time left"],
    ["refreshed", "Last refresh"],
    ["next", "Next attempt"],
  ];
  let order: Order = { column: "state", descending: false };
  const heads = columns.map(([column, title]) => {
    const button = element("button", { type: "button" }, title);
    const head = element("th", { role: "columnheader", scope: "col" }, button);
    button.addEventListener("click", () => {
      events.sort({ column, descending: order.column === column && !order.descending });
    });
    return { column, head };
  });
  byId("token-head").append(...heads.map(({ head }) => head));

  // Where the columns stand below each other there is no head to sort by.
  const orderBy = byId("order");
  const direction = byId("direction");
  orderBy.append(...columns.map(([column, title]) => element("option", { value: column }, title)));
  orderBy.addEventListener("change", () => {
    events.sort({ column: orderBy.value as SortColumn, descending: false });
  });
  direction.addEventListener("click", () => {
    events.sort({ column: order.column, descending: !order.descending });
  });

  const conditions: readonly (readonly [Condition | "all", string])[] = [
    ["all", "all"],
    ["failing", "failing"],
    ["at-risk", "at risk"],
    ["fresh", "fresh"],
    ["idle", "idle"],
  ];
  const filters = conditions.map(([condition, title]) => {
    const number = element("b");
    const button = element("button", { type: "button", "data-condition": condition }, number, ` ${title}`);
    button.addEventListener("click", () => events.only(condition));
    return { condition, button, number };
  });
  byId("filters").append(...filters.map(({ button }) => button));

  const moreButton = element("button", { type: "button" });
  moreButton.addEventListener("click", () => events.more());
  const moreText = element("span");
  more.append(moreText, " ", moreButton);

  let shown = new Map<string, Shown>();

  const place = (rows: readonly TokenRow[], nowMs: number): void => {
    const next = new Map<string, Shown>();
    for (const row of rows) {
      const known = shown.get(row.key) ?? createShown(row);
      known.row = row;
      fillShown(known, nowMs);
      next.set(row.key, known);
    }
    for (const [key, { line }] of shown) if (!next.has(key)) line.remove();
    let keepsOrder: boolean | undefined;
    let index = 0;
    for (const { line } of next.values()) {
      const present = body.children[index] ?? null;
      index += 1;
      if (present === line) continue;
      keepsOrder ??= isSelected(body); // Asked late: a browser lays the page out to answer it.
      if (!keepsOrder || !body.contains(line)) body.insertBefore(line, present);
    }
    shown = next;
  };

  return {
    show(rows, total, selection, nowMs) {
      order = selection.order;
      const way = order.descending ? "descending" : "ascending";
      for (const { column, head } of heads) mark(head, "aria-sort", column === order.column ? way : "none");
      if (orderBy.value !== order.column) orderBy.value = order.column;
      say(direction, way);
      place(rows, nowMs);
      more.hidden = rows.length === total;
      const isCapped = rows.length >= 1_000;
      say(
        moreText,
        `${count(rows.length)} of ${count(total)} shown.${isCapped ? " Search for the others." : ""}`,
      );
      say(moreButton, `Show ${count(Math.min(1_000, total) - rows.length)} more`);
      moreButton.hidden = isCapped;
      empty.hidden = total > 0;
      byId("token-table").hidden = total === 0;
    },
    tick(nowMs) {
      for (const each of shown.values()) fillShown(each, nowMs);
    },
    counts(counts, only) {
      for (const { condition, button, number } of filters) {
        say(number, count(counts[condition]));
        mark(button, "aria-pressed", String(condition === only));
        mark(button, "data-none", String(counts[condition] === 0));
      }
    },
  };
}
