/** What the tests of the documents read out of Markdown: fenced blocks, headings, links. */

/** A fenced block of code. */
export interface Fence {
  /** First word behind the back-ticks; empty where there is none. */
  readonly language: string;
  /** What follows it: how a test is to take the block. docs/README.md says which words there are. */
  readonly info: string;
  /** Without the indentation of the fence itself, and with its last line break. */
  readonly text: string;
  /** 1-based line of the opening back-ticks. */
  readonly line: number;
}

export interface Link {
  readonly target: string;
  readonly line: number;
}

export function fencesOf(markdown: string): readonly Fence[] {
  return parse(markdown).fences;
}

/** The anchors that GitHub makes of the headings, and those written out as `<a id="…">`. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const { prose } = parse(markdown);
  const anchors = new Set<string>();
  for (const { text } of prose) {
    const heading = /^ {0,3}#{1,6} +(.*?)(?: +#+)? *$/.exec(text)?.[1];
    if (heading !== undefined) {
      const slug = slugOf(heading);
      let anchor = slug;
      for (let again = 1; anchors.has(anchor); again += 1) anchor = `${slug}-${again}`;
      anchors.add(anchor);
    }
    for (const [, id = ""] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  }
  return anchors;
}

/** Targets of links and pictures outside of code, in the order of the text. */
export function linksOf(markdown: string): readonly Link[] {
  return parse(markdown).prose.flatMap(({ text, line }) => {
    const plain = text.replace(/`[^`]*`/g, "`code`");
    const found = [
      ...plain.matchAll(/\]\(\s*<?([^\s)>]*)>?[^)]*\)/g),
      ...plain.matchAll(/^ *\[[^\]]+\]:\s+(\S+)/g),
      ...plain.matchAll(/<(https?:[^>]*)>/g),
      ...plain.matchAll(/<(?:img|a)\b[^>]*\b(?:src|href)="([^"]*)"/g),
    ];
    return found.map(([, target = ""]) => ({ target, line }));
  });
}

/** GitHub's rule: lower case, without punctuation, each space a dash. */
function slugOf(heading: string): string {
  const words = heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/<[^>]*>/g, "");
  return words
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}

interface Line {
  readonly text: string;
  readonly line: number;
}

function parse(markdown: string): { readonly fences: readonly Fence[]; readonly prose: readonly Line[] } {
  const fences: Fence[] = [];
  const prose: Line[] = [];
  let open: { mark: string; indent: string; language: string; info: string; line: number } | undefined;
  let inside: string[] = [];
  for (const [index, text] of markdown.split("\n").entries()) {
    const line = index + 1;
    if (open !== undefined) {
      if (text.trim() === open.mark) {
        fences.push({ ...open, text: inside.map((each) => `${each}\n`).join("") });
        open = undefined;
        inside = [];
      } else {
        inside.push(text.startsWith(open.indent) ? text.slice(open.indent.length) : text.trimStart());
      }
      continue;
    }
    const [, indent = "", mark = "", language = "", info = ""] =
      /^( *)(`{3,})([^\s`]*) *([^`]*)$/.exec(text) ?? [];
    if (mark === "") prose.push({ text, line });
    else open = { mark, indent, language, info: info.trim(), line };
  }
  if (open !== undefined) throw new Error(`line ${open.line}: the block of code has no end`);
  return { fences, prose };
}
