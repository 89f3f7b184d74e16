import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, send, startBench } from "./harness.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.emulator.stop());

describe("the demo page", () => {
  it.each([
    ["/demo/", "text/html"],
    ["/demo/demo.css", "text/css"],
    ["/demo/demo.js", "text/javascript"],
  ])("%s is %s, and may load from its own origin alone", async (path, type) => {
    const { status, headers } = await send(bench.emulator.origin + path);
    expect([status, headers["content-type"]]).toEqual([200, `${type}; charset=utf-8`]);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  it("has neither a script nor a style inline, and a label for every field", async () => {
    const { text } = await send(`${bench.emulator.origin}/demo/`);
    expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/i);
    const fields = [...text.matchAll(/<(?:input|select) id="(\w+)"/g)].map(([, id]) => id);
    expect(fields).toEqual(["specialty", "zip"]);
    for (const id of fields) expect(text).toContain(`<label for="${id}">`);
  });

  it("has a script that a browser can parse, and that makes no markup from text", async () => {
    const { text } = await send(`${bench.emulator.origin}/demo/demo.js`);
    expect(() => new Function(`return (async () => {${text}})`)).not.toThrow();
    expect(text).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|eval\(|https?:/);
  });

  it.each([
    ["GET", "/demo", 404],
    ["GET", "/demo/other", 404],
    ["POST", "/demo/", 405],
  ])("%s %s answers %i", async (method, path, status) => {
    expect((await send(bench.emulator.origin + path, { method })).status).toBe(status);
  });
});
