import { escapeHtml } from "../core/html.ts";
import type { Answer } from "./exchange.ts";

/** Text made safe for HTML, in content and in quoted attributes. Only `html` makes one. */
export interface Html {
  readonly markup: string;
}

/** Markup as written, with every value in it escaped; parts that are markup already, and lists of such, stay. */
export function html(
  strings: TemplateStringsArray,
  ...values: readonly (string | Html | readonly Html[])[]
): Html {
  const escaped = values.map((value) => {
    if (typeof value === "string") return escapeHtml(value);
    return "markup" in value ? value.markup : value.map(({ markup }) => markup).join("");
  });
  return { markup: String.raw({ raw: strings }, ...escaped) };
}

/** Nothing at all, for parts that are left out. */
export const nothing: Html = { markup: "" };

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#767676, #8c8c8c); --accent: light-dark(#0b57d0, #a8c7fa);
  --bad: light-dark(#b3261e, #f2b8b5); --on-accent: light-dark(#fff, #062e6f); }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText }
header, main { max-width: 26rem; margin: 0 auto 1rem }
header { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; font-size: .875rem }
h1 { font-size: 1.5rem; margin: 1rem 0 .5rem }
label { display: block; margin-top: 1rem; font-weight: 600 }
input { width: 100%; font: inherit; padding: .5rem; border: 1px solid var(--line); border-radius: .375rem }
input[aria-invalid] { border: 2px solid var(--bad) }
button { font: inherit; width: 100%; min-height: 2.75rem; margin-top: .75rem; border-radius: .375rem;
  border: 1px solid var(--line); background: ButtonFace; color: ButtonText; cursor: pointer }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600 }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.error { color: var(--bad); font-weight: 600 }
code { overflow-wrap: anywhere }
`;

export interface Page {
  readonly status: number;
  readonly title: string;
  /** What the header says the page belongs to. */
  readonly place: string;
  readonly main: Html;
  /** Makes the style usable and nothing else. */
  readonly nonce: string;
  /** Beside the page's own: origins that a form may lead to, by redirects too, to which Chromium applies it. */
  readonly formAction?: string;
}

/** A page without a script, that may load nothing and be framed by nobody. */
export function pageAnswer({ status, title, place, main, nonce, formAction }: Page): Answer {
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `form-action ${formAction === undefined ? "'none'" : `'self' ${formAction}`}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} &middot; ${place}</title>
<style nonce="${nonce}">${{ markup: STYLE }}</style>
</head>
<body>
<header>${place}. Nothing here is real.</header>
<main>
${main}
</main>
</body>
</html>
`;
  return {
    status,
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy.join("; "),
      "Cache-Control": "no-store",
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
    },
    text: markup,
  };
}
