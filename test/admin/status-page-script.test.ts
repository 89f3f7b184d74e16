import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { projectDirectory } from "../support/project.ts";

/**
 * As Node itself loads it, since a test runner rewrites modules: the text of the page's functions, before and after what is
 * not needed has been taken out.
 */
const CODE = `
  const { FUNCTIONS, PAGE_SCRIPT } = await import("./src/admin/status-page/script.ts");
  const { PAGE_POLICY, statusPage } = await import("./src/admin/status-page.ts");
  const status = { credentials: [{ name: "</script><!--<script>" }] };
  const many = { credentials: [{ tenants: Array.from({ length: 501 }, String) }] };
  console.log(JSON.stringify({
    names: FUNCTIONS.map(({ name }) => name), whole: FUNCTIONS.map(String).join("\\n"), script: PAGE_SCRIPT,
    policy: PAGE_POLICY, page: statusPage(status), empty: statusPage(many),
  }));`;
const run = spawnSync(process.execPath, ["--input-type=module", "-e", CODE], {
  cwd: projectDirectory,
  encoding: "utf8",
});
const { names, whole, script, policy, page, empty } = JSON.parse(run.stdout) as Record<string, string> & {
  readonly names: readonly string[];
};

/** What a bundler that keeps names expects to find. */
const KEPT_NAMES = "function__name(named){returnnamed}";

const hash = (text = ""): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const inside = (pattern: RegExp): string | undefined => pattern.exec(page ?? "")?.[1];

describe("the page's script", () => {
  it("is made of functions that are all there, each once", () => {
    const declared = [...(script ?? "").matchAll(/^function (\w+)/gm)].map(([, name]) => name);
    expect(declared).toEqual(["__name", ...names]);
    expect(new Set(names).size).toBe(names.length);
  });

  it("keeps every text as it was written", () => {
    const texts = (code = ""): readonly string[] => code.match(/"(?:[^"\\\n]|\\.)*"/g) ?? [];
    const code = (whole ?? "").replaceAll(/^ *\/\/.*$| \/\/ .*$/gm, "");
    expect(texts(script)).toEqual(texts(code));
    expect(texts(script).length).toBeGreaterThan(200);
    const words = (text = ""): string => text.replaceAll(/[\s,;]+/g, "");
    expect(words(script)).toBe(`${KEPT_NAMES}${words(code)}startPage()`);
  });

  it("makes no markup of text and runs no text as code", () => {
    expect(script).not.toMatch(
      /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc/,
    );
  });

  /** It comes by loopback or through a port-forward, once: the limit is there to notice what grows, not to save bytes. */
  it("is, with style and page, less than 48 KiB", () => {
    expect(Buffer.byteLength(empty ?? "")).toBeLessThan(48 * 1_024);
  });
});

describe("the page", () => {
  it("allows by hash what it runs and how it looks, and nothing else", () => {
    const rules = new Map(
      (policy ?? "").split("; ").map((rule) => [rule.split(" ")[0], rule.split(" ").slice(1).join(" ")]),
    );
    expect(Object.fromEntries(rules)).toEqual({
      "default-src": "'none'",
      "script-src": hash(inside(/<script type="module">([\s\S]*?)<\/script>/)),
      "style-src": hash(inside(/<style>([\s\S]*?)<\/style>/)),
      "connect-src": "'self'",
      "img-src": "data:",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
      "require-trusted-types-for": "'script'",
      "trusted-types": "'none'",
    });
  });

  it("names nothing from elsewhere, and has no inline styles or handlers", () => {
    const markup = (page ?? "").replaceAll(/<(script|style)[\s\S]*?<\/\1>/g, "");
    expect([...markup.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => target)).toEqual([
      "data:,",
      "#tokens",
      "/status.json",
      "/status.json",
      "/metrics",
      "/readyz",
    ]);
    expect(markup).not.toMatch(/\s(?:style|on\w+)=/);
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg|localhost|\$\{)/);
  });

  it("carries the status as data that no name can break out of", () => {
    const carried = inside(/<script type="application\/json" id="status">([\s\S]*?)<\/script>/);
    expect(JSON.parse(carried ?? "")).toEqual({ credentials: [{ name: "</script><!--<script>" }] });
    expect(carried).not.toContain("<");
  });

  it("does not carry thousands of tokens", () => {
    expect(empty).toContain('id="status">null</script>');
  });
});
