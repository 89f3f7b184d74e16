import { ERROR_TABLE, type ProxyError } from "../core/errors.ts";
import { escapeHtml } from "../core/html.ts";
import { createProblem, type Problem } from "./respond.ts";
import { loginUrl } from "./visit.ts";
import type { VisitorRules } from "./visitor.ts";

/** Nothing is loaded, run, framed or sent from this page. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Field names of a problem that describe its body, and so not this one. */
const OF_THE_BODY: ReadonlySet<string> = new Set(["content-type", "content-length"]);

/**
 * What a person at a browser is told when a login went wrong: what happened, what to do next, and the code by which it
 * can be asked about. Status and other fields are the problem's.
 */
export function createLoginPage(error: ProxyError, requestId: string, rules: VisitorRules): Problem {
  const problem = createProblem(error, requestId);
  const title = error.code === "LOGIN_FAILED" ? "You are not signed in" : ERROR_TABLE[error.code].title;
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(sentence(error.message))}</p>
<p>${nextStep(error, rules)}</p>
<p><small>${escapeHtml(error.code)}, request ${escapeHtml(requestId)}</small></p>
</main>
</body>
</html>
`;
  const headers = [
    "content-type",
    "text/html; charset=utf-8",
    "content-length",
    String(Buffer.byteLength(body)),
  ];
  for (let index = 0; index < problem.headers.length; index += 2) {
    const name = problem.headers[index] as string;
    if (!OF_THE_BODY.has(name)) headers.push(name, problem.headers[index + 1] as string);
  }
  headers.push("content-security-policy", POLICY, "referrer-policy", "no-referrer");
  headers.push("x-content-type-options", "nosniff");
  return { status: problem.status, headers, body };
}

function nextStep(error: ProxyError, rules: VisitorRules): string {
  const url = retryUrl(error, rules);
  if (url === undefined) return "Go back to where you came from and sign in from there.";
  const wait = error.retryable ? "Wait a moment, then " : "";
  return `${wait}<a href="${escapeHtml(url)}">${wait === "" ? "Try" : "try"} to sign in again</a>.`;
}

/** Of the login that failed where that is known, else of the only one there is. */
function retryUrl(error: ProxyError, rules: VisitorRules): string | undefined {
  if (error.credential !== undefined) return loginUrl(rules, error.credential);
  const [only, other] = [...rules.credentials.values()].filter(({ spec }) => spec?.kind === "user");
  return only === undefined || other !== undefined ? undefined : loginUrl(rules, only.name);
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
