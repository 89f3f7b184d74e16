import { DEMO_PAGE } from "./demo-page.ts";
import { DEMO_SCRIPT } from "./demo-script.ts";
import { DEMO_STYLE } from "./demo-style.ts";
import type { Answer, Call } from "./exchange.ts";

const FILES: Readonly<Record<string, { readonly type: string; readonly text: string }>> = {
  "/demo/": { type: "text/html", text: DEMO_PAGE },
  "/demo/demo.css": { type: "text/css", text: DEMO_STYLE },
  "/demo/demo.js": { type: "text/javascript", text: DEMO_SCRIPT },
};

/** Everything from its own origin, which is the proxy's, and no markup made from text. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/**
 * `/demo/`: an application without any OAuth, to be looked at through the proxy. It stands in for a legacy app behind a
 * route without a credential. undefined: another path.
 */
export function demo({ path, method }: Call): Answer | undefined {
  const file = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (file === undefined) return undefined;
  if (method !== "GET" && method !== "HEAD") return { status: 405, headers: { Allow: "GET, HEAD" } };
  return {
    status: 200,
    headers: {
      "Content-Type": `${file.type}; charset=utf-8`,
      "Content-Security-Policy": POLICY,
      "Cache-Control": "no-cache",
      "Referrer-Policy": "same-origin",
      "X-Content-Type-Options": "nosniff",
    },
    text: file.text,
  };
}
