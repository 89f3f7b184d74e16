/** What a PromQL expression names. Not a parser: promtool is that; this finds the names in what promtool accepted. */
export interface PromqlNames {
  /** Each series selector, with the labels its matchers name. */
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[];
  /** Labels in by, without, on, ignoring, group_left and group_right. */
  readonly groupings: readonly string[];
}

const OPERATORS: ReadonlySet<string> = new Set(["and", "or", "unless", "offset", "bool", "inf", "nan"]);
const GROUPINGS: ReadonlySet<string> = new Set([
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
]);

/** Strings, ranges and numbers with their units are passed over; then come names and marks. */
const TOKEN = /"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\d[\w.]*|[a-zA-Z_:][\w:]*|[^\s]/g;

export function promqlNames(expression: string): PromqlNames {
  const tokens = (expression.match(TOKEN) ?? []).filter((token) => !/^["[\d]/.test(token));
  const selectors: { metric: string; labels: readonly string[] }[] = [];
  const groupings: string[] = [];
  /** The names up to the closing mark. */
  const list = (from: number, close: string): readonly string[] =>
    tokens.slice(from, tokens.indexOf(close, from)).filter((token) => /^\w/.test(token));
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] ?? "";
    const next = tokens[index + 1];
    if (!/^[a-zA-Z_:]/.test(token)) continue;
    if (GROUPINGS.has(token)) {
      const names = next === "(" ? list(index + 2, ")") : [];
      groupings.push(...names);
      if (next === "(") index = tokens.indexOf(")", index);
    } else if (next !== "(" && !GROUPINGS.has(next ?? "") && !OPERATORS.has(token)) {
      const labels = next === "{" ? list(index + 2, "}") : [];
      selectors.push({ metric: token, labels });
      if (next === "{") index = tokens.indexOf("}", index);
    }
  }
  return { selectors, groupings };
}
