import { formatPlace, type Place } from "../src/config/fault.ts";
import type { Locator } from "../src/config/parse.ts";
import { printable } from "../src/config/printable.ts";
import type { Explanation, Step } from "../src/explanation/explanation.ts";

/** An explanation with its places in the file. */
export interface Located {
  readonly explanation: Explanation;
  readonly steps: readonly (Omit<Step, "at"> & { readonly at: Place | undefined })[];
  /** undefined: nothing has to be changed, or nothing in the configuration would help. */
  readonly change: Place | undefined;
}

export function locateExplanation(explanation: Explanation, locate: Locator): Located {
  const { remedy } = explanation;
  const written = (path: Step["at"]): Place | undefined => {
    const place = path === undefined ? undefined : locate(path);
    return place?.isWritten === true ? place : undefined;
  };
  return {
    explanation,
    steps: explanation.steps.map(({ step, ok, detail, at }) => ({ step, ok, detail, at: written(at) })),
    change: written(remedy?.at) ?? written(remedy?.orAt) ?? (remedy?.at && locate(remedy.at)),
  };
}

/**
 * One document, stable:
 * `{ allowed, status, code, route, tenant, credential, grant, upstream, headers: { set, removed }, steps: [{ step, ok,
 * detail, at? }], assumptions, change?: { path, file, line, column, hint }, advice? }`.
 * `status` and `code` are those of the proxy's own answer, null where the upstream answers; what is not known is null.
 * `at` is `file:line:column path`. A refusal has `change` where the configuration can change it, else `advice`.
 */
export function explanationJson({ explanation, steps, change }: Located): string {
  const { allowed, status, code, route, tenant, credential, grant, upstream } = explanation;
  const { headers, assumptions, remedy } = explanation;
  const document = {
    allowed,
    status: status ?? null,
    code: code ?? null,
    route: route ?? null,
    tenant: tenant ?? null,
    credential: credential ?? null,
    grant: grant ?? null,
    upstream: upstream ?? null,
    headers,
    steps: steps.map(({ step, ok, detail, at }) => ({
      ...{ step, ok, detail: printable(detail) },
      ...(at === undefined ? {} : { at: formatPlace(at) }),
    })),
    assumptions,
    ...(remedy === undefined || change === undefined ? {} : { change: changeOf(change, remedy.hint) }),
    ...(remedy === undefined || change !== undefined ? {} : { advice: remedy.hint }),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function changeOf({ path, file, line, column }: Place, hint: string): object {
  return { path, file, line, column, hint };
}

export interface TextStyle {
  /** ✓ and ✗ rather than words. */
  readonly isTerminal: boolean;
  readonly isColoured: boolean;
}

const GREEN = 32;
const RED = 31;
const FAINT = 2;

/** One line for each decision, then what comes of it. */
export function explanationText(
  { explanation, steps, change }: Located,
  { isTerminal, isColoured }: TextStyle,
): string {
  const paint = (text: string, code: number): string => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text);
  const [good, bad] = isTerminal ? ["✓", "✗"] : ["ok", "NO"];
  const width = Math.max(...steps.map(({ step }) => step.length));
  const lines = steps.map(({ step, ok, detail, at }) => {
    const mark = ok ? paint(good, GREEN) : paint(bad, RED);
    // That of a refusal stands below, with what to change.
    const place = at === undefined || !ok ? "" : paint(`  [${formatPlace(at)}]`, FAINT);
    return `${mark} ${step.padEnd(width)}  ${printable(detail)}${place}`;
  });
  const { assumptions, allowed, remedy } = explanation;
  lines.push("");
  for (const assumption of assumptions) lines.push(`assumed: ${assumption}`);
  lines.push(paint(printable(summaryOf(explanation)), allowed ? GREEN : RED));
  if (remedy !== undefined && change !== undefined) {
    const note = change.isWritten ? "" : " (not written there yet)";
    lines.push(`change: ${formatPlace(change)}${note}: ${printable(remedy.hint)}`);
  } else if (remedy !== undefined) {
    lines.push(`nothing in the configuration changes that: ${printable(remedy.hint)}`);
  }
  return `${lines.join("\n")}\n`;
}

function summaryOf({
  allowed,
  code,
  status,
  route,
  tenant,
  credential,
  upstream,
  steps,
}: Explanation): string {
  const last = steps.at(-1);
  if (!allowed) return `refused: ${code ?? ""} ${status ?? ""}, at the step ${last?.step ?? ""}`;
  if (upstream === undefined)
    return `answered by Pillion itself${status === undefined ? "" : `, ${status}`}; nothing is forwarded`;
  const parts = [
    `route ${route ?? ""}`,
    ...(tenant === undefined ? [] : [`tenant ${tenant}`]),
    `credential ${credential ?? "none"}`,
    `upstream ${upstream}`,
  ];
  return `forwarded: ${parts.join(", ")}`;
}
