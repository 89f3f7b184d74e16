import type { StatusDocument, TrafficFigures } from "../status-document.ts";
import { byId, element, mark, say, showInTab } from "./dom.ts";
import { ago, count, percent, plural, span } from "./format.ts";
import type { Condition } from "./token-rows.ts";

/** What a person called at night has to know first. */
export interface Verdict {
  readonly severity: "bad" | "warn" | "good";
  readonly title: string;
  readonly summary: string;
  readonly problems: readonly Problem[];
}

interface Problem {
  readonly severity: "bad" | "warn";
  readonly title: string;
  /** What it means and what to do. */
  readonly text: string;
  /** A section of docs/runbook.md. */
  readonly runbook?: string;
}

/** Everything but the routes and the tokens themselves, as an update brings it. */
export type Summary = Omit<StatusDocument, "tokens">;

/** One in twenty requests ends in 5xx, and at least five do: below that it is what networks do. */
export function isErrorRatioHigh(figures: TrafficFigures | undefined, seconds: number): boolean {
  const { requests_per_second: rate = 0, server_error_ratio: ratio = 0 } = figures ?? {};
  return ratio > 0.05 && rate * ratio * seconds > 4.5;
}

/** In the order in which they matter. */
export function findProblems(
  status: Summary,
  counts: Readonly<Record<Condition, number>>,
  nowMs: number,
): readonly Problem[] {
  const problems: Problem[] = [];
  const { config, store, traffic } = status;
  if (counts.failing > 0) {
    problems.push({
      severity: "bad",
      title: `${plural(counts.failing, "token")} cannot be had`,
      text: "Requests that need one are answered 502 or 503, never forwarded without. The reasons are below.",
      runbook: "PillionTokenRefreshFailing",
    });
  }
  if (!store.available) {
    problems.push({
      severity: "bad",
      title: `The store (${store.kind}) cannot be used`,
      text: "Machine tokens go on from memory; sessions that are not there get 503. It is tried again by itself.",
      runbook: "PillionStoreDown",
    });
  }
  if (counts["at-risk"] > 0) {
    problems.push({
      severity: "warn",
      title: `${plural(counts["at-risk"], "token")} in use ${counts["at-risk"] === 1 ? "is" : "are"} not renewed in time`,
      text: "Requests still succeed. The reasons are below.",
      runbook: "PillionTokenNotRenewed",
    });
  }
  if (!config.last_reload_successful) {
    const when = config.last_reload_at === undefined ? "" : ` (read ${ago(config.last_reload_at, nowMs)})`;
    problems.push({
      severity: "warn",
      title: "The configuration on disk has faults",
      text: `The one before it serves on, but a new process would not start${when}. The faults are below.`,
      runbook: "PillionConfigReloadFailed",
    });
  }
  if (isErrorRatioHigh(traffic, traffic.window_seconds)) {
    problems.push({
      severity: "warn",
      title: `${percent(traffic.server_error_ratio)} of requests end in 5xx`,
      text: "An answer of Pillion's own has a Proxy-Status field; one without it came from the upstream.",
      runbook: "PillionErrorRatioHigh",
    });
  }
  if (status.draining) {
    problems.push({
      severity: "warn",
      title: "Shutting down",
      text: "It is no longer ready; what is in flight is finished.",
    });
  } else if (!status.ready && counts.failing === 0) {
    problems.push({ severity: "bad", title: "Not ready", text: "/readyz lists the checks that fail." });
  }
  return problems;
}

export function judgeAll(
  status: Summary,
  counts: Readonly<Record<Condition, number>>,
  nowMs: number,
): Verdict {
  const problems = findProblems(status, counts, nowMs);
  const [first] = problems;
  const total = counts.failing + counts["at-risk"] + counts.fresh + counts.idle;
  const others = problems.length - 1;
  const quiet = total === counts.idle && total > 0 ? "Ready, no token in use" : "All is well";
  const title =
    first === undefined
      ? status.routes.length === 0
        ? "Ready, but no route is configured"
        : quiet
      : `${first.title}${others > 0 ? `, and ${plural(others, "more finding")}` : ""}`;
  const parts = [
    total > 0
      ? `${count(counts.fresh)} of ${plural(total, "token")} fresh, ${count(counts.idle)} idle`
      : "no tokens",
  ];
  const uptime = `up for ${span((nowMs - Date.parse(status.started_at)) / 1_000)}`;
  return {
    severity: problems.some(({ severity }) => severity === "bad")
      ? "bad"
      : first === undefined
        ? "good"
        : "warn",
    title,
    summary: [...parts, plural(status.routes.length, "route"), uptime].join(" · "),
    problems,
  };
}

export function showVerdict({ severity, title, summary, problems }: Verdict): void {
  const heading = byId("verdict");
  say(heading, title);
  mark(heading, "data-severity", severity);
  say(byId("summary"), summary);
  const list = byId("problems");
  const text = problems.map((problem) => Object.values(problem).join(" ")).join("\n");
  if (list.getAttribute("data-text") !== text) {
    list.setAttribute("data-text", text);
    list.replaceChildren(
      ...problems.map((problem) => {
        const item = element("li", { "data-severity": problem.severity });
        if (problems.length > 1) item.append(element("b", {}, problem.title), ". ");
        item.append(problem.text);
        if (problem.runbook !== undefined)
          item.append(" ", element("span", { class: "quiet" }, `Runbook: ${problem.runbook}`));
        return item;
      }),
    );
  }
  const colour = severity === "bad" ? "#d92d20" : severity === "warn" ? "#d98a00" : "#2e9e5b";
  showInTab(`${title} · Pillion`, colour);
}
