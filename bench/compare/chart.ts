/** Draws CPU time per request of all proxies as bars, those before a TLS upstream and those before a plain one. Pure. */
import { escapeText, round, STYLE } from "../svg.ts";
import type { Result } from "./figures.ts";
import type { Scheme } from "./setting.ts";

const WIDTH = 880;
const LEFT = 160;
const RIGHT = 150;
const BAR = 16;
const GAP = 8;
const HEAD = 64;
const TITLE = 30;
const TITLES: Readonly<Record<Scheme, string>> = { https: "upstream over TLS", http: "plain upstream" };
/** A bar that is much longer than the rest would leave nothing to see of them: it is cut, and its number says it. */
const LONGEST = 1.5;

function median({ figures }: Result): number {
  return figures.cpuMicroseconds?.median ?? 0;
}

/** The longest bar: no more than half as long again as the second one. */
function scaleOf(results: readonly Result[]): number {
  const [first = 1, second = first] = results.map(median).toSorted((a, b) => b - a);
  return Math.min(first, second * LONGEST);
}

export function drawCpu(results: readonly Result[], caption: string): string {
  const parts: string[] = [];
  let y = HEAD;
  for (const scheme of ["https", "http"] as const) {
    const group = results
      .filter((each) => each.scheme === scheme && each.figures.cpuMicroseconds !== undefined)
      .toSorted((a, b) => median(a) - median(b));
    if (group.length === 0) continue;
    const scale = (WIDTH - LEFT - RIGHT) / scaleOf(group);
    parts.push(`<text x="${LEFT}" y="${y + 16}" font-weight="600">${TITLES[scheme]}</text>`);
    y += TITLE;
    for (const result of group) {
      parts.push(drawBar(result, y, scale));
      y += BAR + GAP;
    }
    y += GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + GAP}" role="img" aria-label="Processor time per request of Pillion and its peers">
<style>${STYLE}
  .bar { fill: #8c959f } .own { fill: #0969da } .whisker { stroke: #24292f }
  @media (prefers-color-scheme: dark) { .own { fill: #4493f8 } .whisker { stroke: #e6edf3 } }
</style>
<rect class="ground" width="${WIDTH}" height="${y + GAP}" fill="#fff"/>
<text class="title" x="${LEFT}" y="24">Processor time per request, µs (less is better)</text>
<text class="muted" x="${LEFT}" y="44">${escapeText(caption)}</text>
${parts.join("\n")}
</svg>
`;
}

function drawBar(result: Result, y: number, scale: number): string {
  const { median: value = 0, min = 0, max = 0 } = result.figures.cpuMicroseconds ?? {};
  const longest = WIDTH - LEFT - RIGHT;
  const end = (length: number): number => round(LEFT + Math.min(longest, length * scale));
  const middle = y + BAR / 2;
  const cut = value * scale > longest;
  const label = `${value.toFixed(1)}${cut ? " (bar cut)" : ""}`;
  const whisker = cut
    ? ""
    : `<line class="whisker" x1="${end(min)}" y1="${middle}" x2="${end(max)}" y2="${middle}"/>`;
  const own = result.name.startsWith("pillion") ? "own" : "bar";
  return [
    `<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${escapeText(result.name)}</text>`,
    `<rect class="${own}" x="${LEFT}" y="${y}" width="${round(end(value) - LEFT)}" height="${BAR}"/>`,
    whisker,
    `<text x="${Math.max(end(value), cut ? 0 : end(max)) + 8}" y="${y + 12}">${label}</text>`,
  ].join("");
}
