import type { RequestHead } from "./request-head.ts";

/**
 * Whether a person's browser opens a page with it: a GET that says so by Fetch Metadata, or, from a browser without
 * that, one that would rather have HTML than anything a program asks for.
 */
export function isPageVisit(head: RequestHead): boolean {
  if (head.method !== "GET") return false;
  const { secFetchMode, secFetchDest } = head;
  if (secFetchMode !== undefined || secFetchDest !== undefined) {
    return secFetchMode === "navigate" && secFetchDest === "document";
  }
  return prefersHtml(head);
}

/** `text/html` by name, with a greater weight than JSON's (RFC 9110 §12.5.1). */
function prefersHtml({ fields }: RequestHead): boolean {
  let html = 0;
  let json = 0;
  for (let index = 0; index < fields.length; index += 3) {
    if (fields[index] !== "accept") continue;
    for (const range of (fields[index + 2] as string).toLowerCase().split(",")) {
      const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
      const weight = weightOf(parameters);
      if (type === "text/html") html = Math.max(html, weight);
      else if (type === "application/json" || type.endsWith("+json")) json = Math.max(json, weight);
    }
  }
  return html > json;
}

function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  const value = weight === undefined ? 1 : Number(weight.slice(2));
  return value >= 0 && value <= 1 ? value : 0;
}
