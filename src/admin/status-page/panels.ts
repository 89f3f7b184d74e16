import type { RouteStatus } from "../status-document.ts";
import { byId, element, mark, type PageElement, say } from "./dom.ts";
import { firstRequest } from "./first-request.ts";
import { ago, amount, count, latency, percent, span } from "./format.ts";
import { type Condition, isMachines, judge, rowKey, type TokenRow } from "./token-rows.ts";
import { isErrorRatioHigh, type Summary } from "./verdict.ts";

/** What does not change from second to second: routes, credentials, configuration and process. */
export interface Panels {
  /** Other routes or credentials than before, or the first. */
  build(status: Summary): void;
  /** The figures in them. */
  fill(status: Summary, rows: ReadonlyMap<string, TokenRow>, nowMs: number): void;
}

export function header(titles: readonly string[]): PageElement {
  const cells = titles.map((title) => element("th", { scope: "col" }, title));
  return element("thead", {}, element("tr", {}, ...cells));
}

export function cell(name: string, ...children: (PageElement | string)[]): PageElement {
  return element("td", { class: name }, ...children);
}

export function operations({ methods, allow, deny }: RouteStatus): string {
  const parts = [methods === "any" ? "any method" : methods.join(" ")];
  if (allow !== undefined) parts.push(`only ${allow.join(", ")}`);
  if (deny.length > 0) parts.push(`not ${deny.join(", ")}`);
  return parts.join("; ");
}

/** How a route chooses the tenant of its credential, to follow the credential's name. */
export function tenantRule({ tenant, tenant_header, tenant_host }: RouteStatus): string {
  if (tenant_header !== undefined) return `, tenant by header ${tenant_header}`;
  if (tenant_host !== undefined) return `, tenant by host ${tenant_host}`;
  if (tenant === "path") return ", tenant by path";
  return tenant === "none" ? "" : `, tenant ${tenant}`;
}

/** Local time; the date where it is not today's. */
export function clockTime(iso: string, nowMs: number): string {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date(nowMs).toDateString();
  return isToday ? at.toLocaleTimeString() : at.toLocaleString();
}

/** Term and description of what concerns the process as a whole. */
export function processFacts(status: Summary, nowMs: number): readonly (readonly [string, string])[] {
  const { config, store } = status;
  const reload =
    config.last_reload_at === undefined
      ? "none since the start"
      : `${config.last_reload_successful ? "succeeded" : "failed"} ${ago(config.last_reload_at, nowMs)}, at ${clockTime(config.last_reload_at, nowMs)}`;
  return [
    ["Configuration", config.file],
    ["In use since", `${clockTime(config.loaded_at, nowMs)}, ${ago(config.loaded_at, nowMs)}`],
    ["Last reload", reload],
    ...(config.error === undefined ? [] : ([["Faults on disk", config.error]] as const)),
    ["Listens on", status.listen],
    ["Admin", status.admin],
    ["Store", `${store.kind}, ${store.available ? "available" : "not available"}`],
    ["State", status.draining ? "draining" : status.ready ? "ready" : "not ready"],
    [
      "Started",
      `${clockTime(status.started_at, nowMs)}, up for ${span((nowMs - Date.parse(status.started_at)) / 1_000)}`,
    ],
    ["Version", `Pillion ${status.version}, Node ${status.node}`],
  ];
}

export function createPanels(): Panels {
  const routes = byId("routes");
  const credentials = byId("credentials");
  const facts = byId("process");
  let routeCells = new Map<string, readonly [PageElement, PageElement, PageElement]>();
  let credentialCells = new Map<string, readonly [PageElement, PageElement]>();
  let factCells = new Map<string, PageElement>();

  const buildRoutes = (status: Summary): void => {
    routeCells = new Map();
    const lines = status.routes.map((route) => {
      const figures = [cell("number"), cell("number"), cell("number")] as const;
      routeCells.set(route.name, figures);
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, element("b", {}, route.name), element("code", {}, route.path)),
        cell("", element("code", {}, route.upstream)),
        cell("", route.credential + tenantRule(route)),
        cell("", operations(route)),
        ...figures,
      );
    });
    const titles = ["Route", "Upstream", "Credential", "Operations", "Requests/s", "5xx", "95 % below"];
    routes.replaceChildren(header(titles), element("tbody", {}, ...lines));
  };

  const buildCredentials = (status: Summary): void => {
    credentialCells = new Map();
    const lines = status.credentials.map((credential) => {
      const { name, provider, grant, tenants, prefetch } = credential;
      const [tokens, sessions] = [cell(""), cell("number")];
      credentialCells.set(name, [tokens, sessions]);
      const users = status.routes.filter((route) => route.credential === name).map((route) => route.name);
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, element("b", {}, name)),
        cell("", provider),
        cell("", grant ?? "per tenant"),
        cell("number", tenants === undefined ? "–" : count(tenants.length)),
        tokens,
        sessions,
        cell("", prefetch ? "at start" : "when asked for"),
        cell("", users.length === 0 ? "no route" : users.join(", ")),
      );
    });
    const titles = ["Credential", "Provider", "Grant", "Tenants", "Tokens", "Sessions", "Fetched", "Used by"];
    credentials.replaceChildren(header(titles), element("tbody", {}, ...lines));
  };

  const buildFirst = (status: Summary): void => {
    const line = firstRequest(status);
    const first = byId("token-first");
    first.replaceChildren();
    if (line === undefined) return;
    first.append(
      element("p", {}, "No token has been fetched yet: the first request to a route fetches one. Try"),
      element("pre", { tabindex: "0" }, element("code", {}, line)),
    );
  };

  return {
    build(status) {
      buildRoutes(status);
      buildCredentials(status);
      buildFirst(status);
    },
    fill(status, rows, nowMs) {
      for (const [name, [rate, errors, slow]] of routeCells) {
        const traffic = status.traffic.routes[name];
        say(rate, traffic === undefined ? "–" : amount(traffic.requests_per_second));
        say(errors, traffic === undefined ? "–" : percent(traffic.server_error_ratio));
        mark(errors, "data-high", String(isErrorRatioHigh(traffic, status.traffic.window_seconds)));
        say(slow, latency(traffic?.latency_p95_seconds));
      }
      let isFirst = true;
      for (const credential of status.credentials) {
        const cells = credentialCells.get(credential.name);
        if (cells === undefined) continue;
        const [tokens, sessions] = cells;
        const counts: Record<Condition, number> = { failing: 0, "at-risk": 0, fresh: 0, idle: 0 };
        for (const tenant of isMachines(credential) ? (credential.tenants ?? [undefined]) : []) {
          const token = rows.get(rowKey(credential.name, tenant))?.token;
          if (token !== undefined) isFirst = false;
          counts[judge(token, nowMs).condition] += 1;
        }
        const parts = Object.entries(counts).flatMap(([condition, number]) =>
          number === 0 ? [] : [`${count(number)} ${condition.replace("-", " ")}`],
        );
        say(tokens, isMachines(credential) ? parts.join(", ") : "one per session");
        const known = status.sessions[credential.name];
        say(sessions, isMachines(credential) ? "–" : known === undefined ? "unknown" : count(known));
      }
      byId("token-first").hidden = !isFirst || byId("token-first").children.length === 0;
      const present = processFacts(status, nowMs);
      if (present.length !== factCells.size) {
        factCells = new Map(present.map(([term]) => [term, element("dd")]));
        facts.replaceChildren(
          ...[...factCells].map(([term, cell]) => element("div", {}, element("dt", {}, term), cell)),
        );
      }
      for (const [term, text] of present) {
        const cell = factCells.get(term);
        if (cell !== undefined) say(cell, text);
      }
      say(byId("version"), status.version);
    },
  };
}
