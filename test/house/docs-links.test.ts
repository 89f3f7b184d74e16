import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { anchorsOf, linksOf } from "../support/markdown.ts";
import { projectDirectory, projectFiles, readProjectFile } from "../support/project.ts";

const documents = projectFiles().filter((file) => file.endsWith(".md"));

/** What is wrong with a link of `document`; undefined for a good one. */
function faultOf(document: string, text: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return externalFault(target);
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? document : normalize(join(dirname(document), decodeURI(path)));
  if (target.startsWith("/") || file.startsWith("..")) return "leads out of the project";
  if (path !== "" && !existsSync(join(projectDirectory, file))) return "no such file";
  if (anchor === undefined) return undefined;
  if (!file.endsWith(".md")) return "an anchor in what is no document";
  const there = file === document ? text : readProjectFile(file);
  return anchorsOf(there).has(anchor) ? undefined : `no heading #${anchor}`;
}

/** Not fetched: whether it answers is not up to this project. */
function externalFault(target: string): string | undefined {
  const url = URL.parse(target);
  if (url === null) return "no URL";
  if (url.protocol === "http:" && url.hostname === "localhost") return undefined;
  return url.protocol === "https:" && url.hostname.includes(".") ? undefined : "not https";
}

function faultsOf(document: string, text: string): readonly string[] {
  return linksOf(text).flatMap(({ target, line }) => {
    const fault = faultOf(document, text, target);
    return fault === undefined ? [] : [`${document}:${line}: ${target}: ${fault}`];
  });
}

describe("links", () => {
  it.each(documents)("of %s lead somewhere", (document) => {
    expect(faultsOf(document, readProjectFile(document))).toEqual([]);
  });

  it("of every guide stand in docs/README.md", () => {
    const map = new Set(linksOf(readProjectFile("docs/README.md")).map(({ target }) => target.split("#")[0]));
    const guides = documents.filter((file) => /^docs\/[\w-]+\.md$/.test(file) && file !== "docs/README.md");
    expect(guides.filter((file) => !map.has(file.slice("docs/".length)))).toEqual([]);
  });

  it.each([
    ["a file that is not there", "[x](missing.md)"],
    ["a heading that is not there", "# A\n[x](#b)"],
    ["a heading of another document that is not there", "[x](../ARCHITECTURE.md#nowhere)"],
    ["a picture that is not there", "![x](missing.png)"],
    ["plain http", "[x](http://example.com/)"],
    ["no URL at all", "<https://>"],
    ["a path of the machine", "[x](/etc/hosts)"],
  ])("are found: %s", (_case, text) => {
    expect(faultsOf("docs/example.md", text)).toHaveLength(1);
  });

  it("may be made of headings as GitHub makes them, and code is no link", () => {
    const text =
      '# What `pillion dev` is, and *why*\n# Twice\n# Twice\n<a id="own"></a>\n' +
      "[a](#what-pillion-dev-is-and-why) [b](#twice-1) [c](#own) `[d](#none)`\n```\n# [e](#none)\n```\n";
    expect(faultsOf("docs/example.md", text)).toEqual([]);
  });
});
