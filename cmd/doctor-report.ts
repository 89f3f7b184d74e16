import { printable } from "../src/config/printable.ts";
import { counted } from "../src/core/counted.ts";
import { type Finding, type Status, subjectName } from "../src/diagnosis/finding.ts";

/** Four letters each, so that the subjects stand below each other. */
const WORDS: Readonly<Record<Status, string>> = { ok: "ok  ", warning: "warn", failure: "FAIL" };
/** SGR (ECMA-48 §8.3.117): green, yellow, bold red. */
const COLORS: Readonly<Record<Status, string>> = { ok: "32", warning: "33", failure: "1;31" };

/** `FAIL  credential zocdoc: reason. Hint: next step`, on one line whatever a server wrote. */
export function formatLine(finding: Finding, color: boolean): string {
  const { status, reason, hint, subject } = finding;
  const word = color ? `\u001b[${COLORS[status]}m${WORDS[status]}\u001b[0m` : WORDS[status];
  const next = hint === undefined ? "" : `. Hint: ${hint}`;
  return `${word}  ${printable(`${subjectName(subject)}: ${reason}${next}`)}`;
}

/** `12 examined: 10 ok, 1 warning, 1 failed`. */
export function formatSummary(findings: readonly Finding[], color: boolean): string {
  const { ok, warning, failure } = countByStatus(findings);
  const worst: Status = failure > 0 ? "failure" : warning > 0 ? "warning" : "ok";
  const parts = [
    `${ok} ok`,
    ...(warning === 0 ? [] : [counted(warning, "warning")]),
    ...(failure === 0 ? [] : [`${failure} failed`]),
  ];
  const text = `${findings.length} examined: ${parts.join(", ")}`;
  return color ? `\u001b[${COLORS[worst]}m${text}\u001b[0m` : text;
}

/** For programs: `{ ok, counts, findings: [{ kind, name, status, reason, hint?, …facts }] }`. */
export function formatJson(findings: readonly Finding[]): string {
  const counts = countByStatus(findings);
  const rows = findings.map(({ subject, status, reason, hint, facts }) => ({
    ...subject,
    name: subjectName(subject),
    status,
    reason: printable(reason),
    ...(hint === undefined ? {} : { hint: printable(hint) }),
    ...(facts === undefined || Object.keys(facts).length === 0 ? {} : { facts }),
  }));
  return `${JSON.stringify({ ok: counts.failure === 0, counts, findings: rows }, null, 2)}\n`;
}

function countByStatus(findings: readonly Finding[]): Readonly<Record<Status, number>> {
  const counts = { ok: 0, warning: 0, failure: 0 };
  for (const { status } of findings) counts[status] += 1;
  return counts;
}
