import type { TrafficSample, TrafficStatus } from "../status-document.ts";
import { byId, element, mark, type PageElement, say } from "./dom.ts";
import { amount, latency, percent } from "./format.ts";

/** What the charts are drawn from: the newest sample last. */
export interface Charts {
  show(traffic: TrafficStatus, samples: readonly TrafficSample[], nowMs: number): void;
}

interface Chart {
  readonly title: string;
  readonly current: (traffic: TrafficStatus) => string;
  readonly detail: (traffic: TrafficStatus) => string;
  /** The line with the filled area first. */
  readonly lines: readonly ((sample: TrafficSample) => number | undefined)[];
  readonly format: (value: number) => string;
}

/**
 * A line through values at their times, as the attribute `d` of a path; broken where nothing was known, or where samples
 * are missing. `x` runs from 0 to `width` over the `seconds` before `end`, `y` from `height` down to 0 for `top`.
 */
export function linePath(
  points: readonly { readonly at: number; readonly value: number | undefined }[],
  box: {
    readonly end: number;
    readonly seconds: number;
    readonly width: number;
    readonly height: number;
    readonly top: number;
  },
): string {
  let path = "";
  let before: number | undefined;
  for (const { at, value } of points) {
    const x = box.width * (1 - (box.end - at) / box.seconds);
    if (value === undefined || x < 0) {
      before = undefined;
      continue;
    }
    const y = box.height * (1 - Math.min(1, value / box.top));
    const command = before === undefined || at - before > 40 ? "M" : "L";
    path += `${command}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = at;
  }
  return path;
}

/** The next 1, 2 or 5 with zeros: a scale that stays while values move a little. */
export function niceTop(highest: number): number {
  if (highest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= highest) ?? highest;
}

export function createCharts(): Charts {
  const width = 300;
  const height = 56;
  const seconds = 600;
  const kinds: readonly Chart[] = [
    {
      title: "Requests per second",
      current: (traffic) => amount(traffic.requests_per_second),
      detail: (traffic) => `${amount(traffic.in_flight)} in flight`,
      lines: [(sample) => sample.requests_per_second],
      format: amount,
    },
    {
      title: "Server errors (5xx)",
      current: (traffic) => percent(traffic.server_error_ratio),
      detail: (traffic) => `4xx ${percent(traffic.client_error_ratio)}`,
      lines: [(sample) => sample.server_error_ratio],
      format: percent,
    },
    {
      title: "Latency, 95 of 100 below",
      current: (traffic) => latency(traffic.latency_p95_seconds),
      detail: (traffic) => `half below ${latency(traffic.latency_p50_seconds)}`,
      lines: [(sample) => sample.latency_p95_seconds, (sample) => sample.latency_p50_seconds],
      format: latency,
    },
  ];
  const drawn = kinds.map((kind) => {
    const current = element("strong");
    const detail = element("span", { class: "quiet" });
    const scale = element("span", { class: "scale", "aria-hidden": "true" });
    const area = element("path", { class: "area" });
    const lines = kind.lines.map((_line, index) => element("path", { class: `line line${index}` }));
    const svg = element(
      "svg",
      {
        viewBox: `0 0 ${width} ${height}`,
        preserveAspectRatio: "none",
        role: "img",
      },
      area,
      ...lines,
    );
    const card: PageElement = element(
      "div",
      { class: "chart" },
      element("h2", {}, kind.title),
      element("p", {}, current, " ", detail),
      element("div", { class: "plot" }, scale, svg),
    );
    return { kind, current, detail, scale, svg, area, lines, card };
  });
  byId("charts").replaceChildren(...drawn.map(({ card }) => card));

  return {
    show(traffic, samples, nowMs) {
      const end = nowMs / 1_000;
      for (const { kind, current, detail, scale, svg, area, lines } of drawn) {
        say(current, kind.current(traffic));
        say(detail, kind.detail(traffic));
        const values = kind.lines.map((line) =>
          samples.map((sample) => ({ at: sample.at, value: line(sample) })),
        );
        const highest = Math.max(0, ...values.flat().map(({ value }) => value ?? 0));
        const top = niceTop(highest);
        const box = { end, seconds, width, height: height - 2, top };
        for (const [index, path] of lines.entries()) mark(path, "d", linePath(values[index] ?? [], box));
        const outline = linePath(values[0] ?? [], box);
        const closed = outline.split(/(?=M)/).map((part) => {
          const xs = part.match(/[ML][\d.]+/g) ?? [];
          return `${part}L${xs.at(-1)?.slice(1) ?? 0} ${height}L${xs[0]?.slice(1) ?? 0} ${height}Z`;
        });
        mark(area, "d", outline === "" ? "" : closed.join(""));
        const none = samples.length === 0 ? "nothing recorded yet" : "none in ten minutes";
        say(scale, highest === 0 ? none : kind.format(top));
        const seen = highest === 0 ? none : `highest in ten minutes ${kind.format(highest)}`;
        mark(svg, "aria-label", `${kind.title}: now ${kind.current(traffic)}, ${seen}`);
      }
    },
  };
}
