/**
 * Blanks and comments that neither a program nor its reader in a browser's tools needs to get over the wire. No minifier:
 * names stay. It knows no strings, so that no text may hold an operator between blanks, two blanks in a row, or begin a
 * line; `test/admin/status-page-script.test.ts` holds the page to that.
 */
export function squeezeScript(code: string): string {
  return code
    .replaceAll(/^ +(?:\/\/.*)?| +\/\/ .*$/gm, "")
    .replaceAll(/ {2,}/g, " ")
    .replaceAll(/ (===|!==|=>|\?\?|&&|\|\||[-=+*/<>?:]|>=|<=|\+=) /g, "$1")
    .replaceAll(/ ([,)}])/g, "$1")
    .replaceAll(/([{(]) /g, "$1")
    .replaceAll(") {", "){")
    .replaceAll(/\b(if|for|while) \(/g, "$1(")
    .replaceAll(/,?\n([)}\]])/g, "$1")
    .replaceAll(/([{([,;])\n+/g, "$1")
    .replaceAll(/\n+(?=[.?:&|+])/g, "")
    .replaceAll(/, (?=[{[(]|\.\.\.)/g, ",")
    .replaceAll(/\n{2,}/g, "\n");
}

export function squeezeStyle(style: string): string {
  return style
    .replaceAll(/\s*\n\s*/g, " ")
    .replaceAll(/ ?([{};,]) ?/g, "$1")
    .replaceAll(/([a-z-]): /g, "$1:");
}
