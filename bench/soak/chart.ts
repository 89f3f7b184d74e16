/** Draws a soak as SVG: four strips over one time axis, readable on light and on dark ground. Pure. */
import { escapeText, round, STYLE } from "../svg.ts";
import type { Sample } from "./sampler.ts";
import { warmUpEndSeconds } from "./verdict.ts";

export interface ChartText {
  readonly title: string;
  readonly subtitle: string;
}

interface Series {
  readonly className: string;
  readonly label: string;
  value(sample: Sample): number;
}

interface Strip {
  readonly title: string;
  readonly series: readonly Series[];
}

const WIDTH = 880;
const LEFT = 64;
const RIGHT = 32;
const TOP = 64;
const STRIP_HEIGHT = 110;
const GAP = 46;

const STRIPS: readonly Strip[] = [
  {
    title: "resident set, MiB",
    series: [
      { className: "a", label: "resident set", value: ({ residentMiB }) => residentMiB },
      { className: "b", label: "of it, heap in use", value: ({ heapUsedMiB }) => heapUsedMiB },
    ],
  },
  {
    title: "file descriptors",
    series: [{ className: "a", label: "open", value: ({ descriptors }) => descriptors }],
  },
  {
    title: "event-loop delay, ms",
    series: [
      { className: "b", label: "greatest", value: ({ delayMaxMs }) => delayMaxMs },
      { className: "a", label: "99th percentile", value: ({ delayP99Ms }) => delayP99Ms },
    ],
  },
  {
    title: "outcomes per sample, not good",
    series: [
      { className: "b", label: "faults asked for", value: ({ faults }) => faults },
      { className: "bad", label: "unexpected", value: ({ unexpected }) => unexpected },
    ],
  },
];

export function drawSoak(samples: readonly Sample[], { title, subtitle }: ChartText): string {
  const endSeconds = Math.max(1, samples.at(-1)?.atSeconds ?? 1);
  const plotWidth = WIDTH - LEFT - RIGHT;
  const x = (seconds: number): number => LEFT + (seconds / endSeconds) * plotWidth;
  const height = TOP + STRIPS.length * (STRIP_HEIGHT + GAP);
  const strips = STRIPS.map((strip, index) => {
    const top = TOP + 20 + index * (STRIP_HEIGHT + GAP);
    return drawStrip(strip, samples, { top, x, last: index === STRIPS.length - 1, endSeconds });
  });
  const warm = `<rect class="warm" x="${LEFT}" y="${TOP}" width="${round(x(warmUpEndSeconds(samples)) - LEFT)}" height="${height - TOP - GAP + 20}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">
<style>${STYLE}
</style>
<rect class="ground" width="${WIDTH}" height="${height}" fill="#fff"/>
<text class="title" x="${LEFT}" y="24">${escapeText(title)}</text>
<text class="muted" x="${LEFT}" y="44">${escapeText(subtitle)}; shaded: warm-up, not judged</text>
${warm}
${strips.join("\n")}
</svg>
`;
}

interface Place {
  readonly top: number;
  readonly last: boolean;
  readonly endSeconds: number;
  x(seconds: number): number;
}

function drawStrip({ title, series }: Strip, samples: readonly Sample[], place: Place): string {
  const { top, x, endSeconds } = place;
  const greatest = Math.max(1, ...samples.flatMap((sample) => series.map(({ value }) => value(sample))));
  const step = niceStep(greatest / 3);
  const ceiling = Math.ceil(greatest / step) * step;
  const y = (value: number): number => top + STRIP_HEIGHT - (value / ceiling) * STRIP_HEIGHT;
  const parts = [`<text x="${LEFT}" y="${top - 8}">${escapeText(title)}</text>`];
  for (let tick = 0; tick <= ceiling + step / 2; tick += step) {
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/>`,
      `<text class="muted" x="${LEFT - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${round(tick)}</text>`,
    );
  }
  series.forEach(({ className, label, value }, index) => {
    const points = samples.map((sample) => `${round(x(sample.atSeconds))},${round(y(value(sample)))}`);
    const keyX = LEFT + 300 + index * 180;
    parts.push(
      `<polyline class="line ${className}" points="${points.join(" ")}"/>`,
      `<line class="line ${className}" x1="${keyX}" x2="${keyX + 20}" y1="${top - 12}" y2="${top - 12}"/>`,
      `<text class="muted" x="${keyX + 26}" y="${top - 8}">${escapeText(label)}</text>`,
    );
  });
  if (place.last) {
    const stepSeconds = endSeconds > 120 ? niceStep(endSeconds / 60 / 6) * 60 : niceStep(endSeconds / 6);
    for (let tick = 0; tick <= endSeconds; tick += stepSeconds) {
      const text = endSeconds > 120 ? `${round(tick / 60)} min` : `${round(tick)} s`;
      parts.push(
        `<text class="muted" x="${round(x(tick))}" y="${top + STRIP_HEIGHT + 18}" text-anchor="middle">${text}</text>`,
      );
    }
  }
  return parts.join("\n");
}

/** 1, 2 or 5 times a power of ten, at least `atLeast`. */
function niceStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= atLeast) ?? 10);
}
