/** Stands at the head of each page that is made. */
export const GENERATED = "<!-- Made by `npm run docs`; edit the sources beside it instead. -->";

/** Text for a cell: what would part cells or begin a tag is escaped, but within back-ticks, where only cells part. */
export function cell(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => {
      const safe = part.replaceAll("|", "\\|");
      return part.startsWith("`")
        ? safe
        : safe.replaceAll("<", "&lt;").replaceAll("*", "\\*").replaceAll("_", "\\_");
    })
    .join("");
}

/** A value as it is written in YAML's flow form, as code. */
export function code(value: unknown): string {
  return `\`${flow(value).replaceAll("|", "\\|")}\``;
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, each]) => `${key}: ${flow(each)}`);
    return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
  }
  if (typeof value !== "string") return String(value);
  const isPlain =
    /^[\w./+-][\w./:+-]*$/.test(value) && !/^\d+(\.\d+)?$|^(true|false|null|yes|no|on|off)$|:$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}
