import { createHash } from "node:crypto";
import type { StatusDocument } from "./status-document.ts";
import { PAGE_SCRIPT } from "./status-page/script.ts";
import { PAGE_STYLE } from "./status-page/style.ts";

/** With more tokens and tenants than this the page waits for the event stream instead of carrying its first picture. */
const CARRIED_ROWS = 500;

/**
 * One document without anything from elsewhere: what it runs and how it looks are named by their hashes, it connects to
 * where it came from, and text cannot become markup.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  `script-src ${hash(PAGE_SCRIPT)}`,
  `style-src ${hash(PAGE_STYLE)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The status page: HTML, style and script in one answer, and the present status as data. */
export function statusPage(status: StatusDocument): string {
  const rows = status.credentials.reduce((total, { tenants }) => total + (tenants?.length ?? 1), 0);
  // Inside a script element only its end tag, or a comment, could end it; both begin with "<".
  const carried = rows > CARRIED_ROWS ? "null" : JSON.stringify(status).replaceAll("<", "\\u003c");
  return `${HEAD}<style>${PAGE_STYLE}</style>
</head>
${BODY}<script type="application/json" id="status">${carried}</script>
<script type="module">${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function hash(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Pillion status</title>
<link rel="icon" href="data:,">
`;

/** Empty places, filled by the script with text that is only ever text. */
const BODY = `<body>
<a class="skip" href="#tokens">Skip to tokens</a>
<header class="bar">
<p class="brand">Pillion <span id="version"></span></p>
<p id="link" role="status" data-link="connecting">connecting</p>
</header>
<main>
<section class="verdict" aria-label="Verdict">
<h1 id="verdict">Reading the status</h1>
<p id="summary"></p>
<ul id="problems"></ul>
<noscript><p>This page needs JavaScript. <a href="/status.json">status.json</a> has the same for machines.</p></noscript>
</section>

<section class="charts" id="charts" aria-label="Traffic of the last ten minutes"></section>

<section aria-labelledby="tokens-title" id="tokens" tabindex="-1">
<div class="title">
<h2 id="tokens-title">Tokens</h2>
<div class="tools">
<div class="filters" id="filters" role="group" aria-label="Show only"></div>
<div class="order"><label>Sort by <select id="order"></select></label><button type="button" id="direction"></button></div>
<label class="search"><span class="hidden">Search tokens</span>
<input type="search" id="search" placeholder="Search tenant, credential, error" autocomplete="off" spellcheck="false"></label>
</div>
</div>
<div class="first" id="token-first" hidden></div>
<table role="table" class="rows" id="token-table" aria-labelledby="tokens-title">
<thead role="rowgroup"><tr role="row" id="token-head"></tr></thead>
<tbody role="rowgroup" id="token-rows"></tbody>
</table>
<p class="empty" id="token-none" hidden>No token is like that. Change the search or the filter.</p>
<p class="empty" id="token-empty" hidden>No credential of a machine is configured: there is no token to show.</p>
<p class="more" id="token-more" hidden></p>
</section>

<section aria-labelledby="routes-title">
<h2 id="routes-title">Routes</h2>
<div class="scroll" role="region" aria-labelledby="routes-title" tabindex="0"><table id="routes"></table></div>
</section>

<section aria-labelledby="credentials-title">
<h2 id="credentials-title">Credentials</h2>
<div class="scroll" role="region" aria-labelledby="credentials-title" tabindex="0"><table id="credentials"></table></div>
</section>

<section aria-labelledby="process-title">
<h2 id="process-title">Configuration and process</h2>
<dl id="process"></dl>
</section>
</main>
<footer><p><a href="/status.json">status.json</a> <a href="/metrics">metrics</a> <a href="/readyz">readyz</a></p></footer>
`;
