import { squeezeStyle } from "./squeeze.ts";

/** How the page looks: one column, dense, quiet where all is well. No inline styles but the share of a bar. */
export const PAGE_STYLE = squeezeStyle(`:root {
  color-scheme: light dark;
  --page: light-dark(#f6f6f3, #131416);
  --card: light-dark(#fff, #1b1d20);
  --ink: light-dark(#1c1e20, #e9e9e6);
  --quiet: light-dark(#5a6067, #a6abb1);
  --line: light-dark(#dfdfd9, #303338);
  --control: light-dark(#84898f, #767c83);
  --accent: light-dark(#1a5bb8, #8fbcff);
  --good: light-dark(#1b7242, #5fcb90);
  --warn: light-dark(#875300, #e8b650);
  --bad: light-dark(#b3231a, #ff9085);
  --track: light-dark(#e6e6e0, #34383d);
}
* { box-sizing: border-box }
[hidden] { display: none !important }
html { scroll-padding-top: 1rem }
body { margin: 0; background: var(--page); color: var(--ink);
  font: .875rem/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere }
.bar, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem }
p, h1, h2, ul, dl, dd, pre { margin: 0; padding: 0 }
h1 { font-size: 1.625rem; line-height: 1.2; font-weight: 650; letter-spacing: -.015em }
h2 { font-size: 1rem; font-weight: 650 }
b, strong { font-weight: 600 }
a { color: var(--accent) }
code, pre { font: .8125rem/1.5 ui-monospace, monospace }
section { margin-top: 1.75rem }
.quiet { color: var(--quiet); font-weight: 400 }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.skip { position: absolute; left: 1rem; top: -4rem; padding: .5rem .75rem; background: var(--card); z-index: 1 }
.skip:focus { top: .5rem }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: .25rem }
#tokens:focus { outline: none }

.bar { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding-block: .75rem }
.brand { font-weight: 650 }
.brand span { color: var(--quiet); font-weight: 400 }
#link { color: var(--quiet); display: flex; align-items: center; gap: .4rem }
#link::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; background: currentColor }
#link[data-link=live]::before { background: var(--good) }
#link[data-link=polling] { color: var(--warn) }
#link[data-link=disconnected] { color: var(--bad); font-weight: 600 }

.verdict { margin-top: .25rem; background: var(--card); border: 1px solid var(--line); border-radius: .625rem;
  padding: 1.125rem 1.25rem }
h1 { display: flex; align-items: baseline; gap: .625rem }
h1::before { content: ""; flex: none; width: .75rem; height: .75rem; border-radius: 50%; background: var(--quiet) }
h1[data-severity=good]::before { background: var(--good) }
h1[data-severity=warn]::before { background: var(--warn); border-radius: 1px; transform: rotate(45deg) scale(.9) }
h1[data-severity=bad]::before { background: var(--bad); border-radius: 1px }
h1[data-severity=bad] { color: var(--bad) }
#summary { color: var(--quiet); margin-top: .25rem }
#problems { list-style: none; margin-top: .75rem; display: grid; gap: .375rem }
#problems:empty { display: none }
#problems li { padding-left: .75rem; border-left: 3px solid var(--warn); max-width: 62rem }
#problems .quiet { display: inline-block }
#problems li[data-severity=bad] { border-color: var(--bad) }

.charts { display: grid; grid-template-columns: repeat(3, 1fr); gap: .75rem; margin-top: .75rem }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: .625rem; padding: .75rem 1rem .625rem;
  min-width: 0 }
.chart h2 { font-size: .8125rem; font-weight: 400; color: var(--quiet) }
.chart p { display: flex; align-items: baseline; gap: .5rem; flex-wrap: wrap }
.chart strong { font-size: 1.25rem; letter-spacing: -.01em }
.plot { position: relative; margin-top: .25rem; border-bottom: 1px solid var(--line) }
.plot svg { display: block; width: 100%; height: 3.25rem; overflow: visible }
.scale { position: absolute; left: 0; top: -.125rem; font-size: .6875rem; color: var(--quiet) }
.line { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round }
.line1 { opacity: .55 }
.area { fill: var(--accent); opacity: .12 }
[data-stale=true] tbody { filter: grayscale(1) }

.title { display: flex; flex-wrap: wrap; gap: .5rem 1rem; justify-content: space-between; align-items: center;
  margin-bottom: .5rem }
.tools { display: flex; flex-wrap: wrap; gap: .5rem }
button, input, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--control);
  border-radius: .375rem; padding: .25rem .625rem; min-height: 2rem }
button { cursor: pointer }
button:hover { border-color: var(--ink) }
.filters { display: flex; flex-wrap: wrap; gap: .25rem }
.filters button { border-color: var(--line) }
.filters button[aria-pressed=true] { background: var(--ink); border-color: var(--ink); color: var(--page) }
.filters button[data-none=true][aria-pressed=false] { color: var(--quiet) }
.filters [data-condition=failing][data-none=false][aria-pressed=false] b { color: var(--bad) }
.search input { width: 17rem; max-width: 100% }
.order { display: none; align-items: center; gap: .5rem }
.search input::placeholder { color: var(--quiet); opacity: 1 }

table { border-collapse: collapse; width: 100%; background: var(--card) }
th { text-align: left; font-weight: 400 }
.scroll, .rows { border: 1px solid var(--line); border-radius: .625rem; background: var(--card); overflow: hidden }
.scroll { overflow-x: auto; margin-top: .5rem }
.scroll th, .scroll td { padding: .4rem .875rem; vertical-align: baseline; border-top: 1px solid var(--line) }
.scroll thead th { border: 0; color: var(--quiet); font-size: .8125rem; white-space: nowrap }
.scroll table { min-width: 46rem; overflow-wrap: normal }
.scroll code { display: inline-block; vertical-align: top; min-width: 11rem; max-width: 26rem; overflow-wrap: anywhere }
.scroll th code { display: block; min-width: 8rem }
#routes td + td:not(.number) { min-width: 8rem }
.number { white-space: nowrap }
[data-high=true] { color: var(--bad); font-weight: 600 }

.rows, .rows thead, .rows tbody { display: block }
.rows tr { display: grid; grid-template-columns: minmax(0, 1.5fr) 9rem minmax(0, 1.6fr) 8rem 8rem; gap: 0 1rem;
  padding: .4rem .875rem; align-items: center; border-top: 1px solid var(--line); border-left: 3px solid transparent }
.rows thead tr { border-top: 0; padding-block: .125rem }
.rows th, .rows td { padding: 0; min-width: 0 }
.rows thead button { border: 0; background: none; padding: 0; color: var(--quiet); font-size: .8125rem;
  white-space: nowrap }
.rows thead button:hover, .rows thead [aria-sort$=ending] button { color: var(--ink) }
[aria-sort=ascending] button::after { content: " \\2191" / "" }
[aria-sort=descending] button::after { content: " \\2193" / "" }
.rows tr[data-condition=failing] { border-left-color: var(--bad) }
.rows tr[data-condition=at-risk] { border-left-color: var(--warn) }
.badge { display: inline-flex; align-items: center; gap: .4rem; color: var(--quiet); white-space: nowrap }
.badge::before { content: ""; width: .5rem; height: .5rem; border-radius: 50%; border: 1.5px solid currentColor }
[data-condition=fresh] .badge { color: var(--good) }
[data-condition=at-risk] .badge { color: var(--warn); font-weight: 600 }
[data-condition=failing] .badge { color: var(--bad); font-weight: 600 }
[data-condition=fresh] .badge::before { background: currentColor }
[data-condition=at-risk] .badge::before { background: currentColor; border-radius: 1px; transform: rotate(45deg) }
[data-condition=failing] .badge::before { background: currentColor; border-radius: 1px }
.life { display: flex; align-items: center; gap: .75rem }
.freshness { flex: 1 1 4rem; min-width: 3rem; max-width: 11rem; height: .375rem; border-radius: 1rem;
  background: var(--track); overflow: hidden; contain: strict }
.freshness i { display: block; height: 100%; width: calc(var(--share, 0) * 100%); border-radius: 1rem;
  background: var(--good) }
[data-condition=at-risk] .freshness i { background: var(--warn) }
[data-condition=idle] .freshness i { background: var(--control) }
.left { white-space: nowrap }
.time { color: var(--quiet); white-space: nowrap }
.fault { grid-column: 1 / -1; padding-top: .125rem !important; max-width: 62rem }
.more, .empty { margin-top: .5rem; color: var(--quiet) }
.first { margin-bottom: .5rem; background: var(--card); border: 1px dashed var(--control); border-radius: .625rem;
  padding: .75rem 1rem }
pre { overflow-x: auto; white-space: pre-wrap; margin-top: .25rem }

dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .625rem 1.5rem; margin-top: .5rem }
dt { color: var(--quiet); font-size: .8125rem }
dd { white-space: pre-wrap }
footer { padding-block: 1.5rem 2rem; color: var(--quiet) }
footer a { margin-right: 1rem; display: inline-block }

@media (max-width: 52rem) {
  .charts { gap: .5rem }
  .rows tr { grid-template-columns: minmax(0, 1fr) auto; gap: .125rem 1rem; padding-block: .5rem }
  .rows thead { display: none }
  .rows tbody tr:first-child { border-top: 0 }
  .order { display: flex }
  .rows th + td { text-align: right }
  .life { grid-column: 1 / -1 }
  .freshness { max-width: none }
  .time + .time { text-align: right }
  .time:empty { display: none }
  .time::before { content: attr(data-label) " " }
  .search, .search input { width: 100% }
  .tools { width: 100% }
}
@media (max-width: 40rem) {
  h1 { font-size: 1.375rem }
  main { display: flex; flex-direction: column }
  .verdict, #tokens { order: -1 }
  .charts { grid-template-columns: 1fr }
  .chart { display: grid; grid-template-columns: 1fr 8rem; align-items: center; gap: 0 .75rem; padding-block: .5rem }
  .chart h2 { grid-column: 1 }
  .chart p { grid-column: 1; grid-row: 2 }
  .plot { grid-column: 2; grid-row: 1 / 3; margin: 0 }
  .plot svg { height: 2.5rem }
  .filters button { min-height: 2.25rem }
}
@media (forced-colors: active) {
  .freshness { border: 1px solid }
  .freshness i, h1[data-severity]::before, #link::before, [data-condition]:not([data-condition=idle]) .badge::before {
    forced-color-adjust: none; background: CanvasText }
  .filters button[aria-pressed=true] { forced-color-adjust: none; background: Highlight; color: HighlightText }
  .area { fill: CanvasText }
  .line { stroke: CanvasText }
}
`);
