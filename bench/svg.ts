/** What the pictures have in common: they are SVG, readable on light and on dark ground. Pure. */

export const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .muted { fill: #57606a }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .warm { fill: #8c959f; opacity: .12 }
  .line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
  .a { stroke: #0969da } .b { stroke: #bf8700 } .bad { stroke: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .muted { fill: #9198a1 } .ground { fill: #0d1117 } .grid { stroke: #3d444d }
    .a { stroke: #4493f8 } .b { stroke: #d29922 } .bad { stroke: #f85149 }
  }`;

/** To a tenth. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
