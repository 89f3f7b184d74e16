import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { treePids } from "../../../bench/compare/process-tree.ts";
import { missingTools } from "../../../bench/compare/provision.ts";
import { projectDirectory } from "../../support/project.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** In a temporary folder of its own, so that what is left behind can be seen. */
function bench(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "pillion-bench-test-"));
  folders.push(folder);
  const child = spawn(process.execPath, [join(projectDirectory, "bench", "compare.ts"), ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output.stderr += chunk;
  });
  return { child, folder, output };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe.runIf(missingTools() === undefined)("npm run bench", () => {
  it("measures, tells, and leaves nothing behind", { timeout: 90_000 }, async () => {
    const json = join(mkdtempSync(join(tmpdir(), "pillion-bench-json-")), "run.json");
    folders.push(join(json, ".."));
    const { child, folder, output } = bench("--smoke", "--only", "pillion,nginx", "--json", json);
    // The workers of the nginx that comes last are all there by the time the large bodies are fetched.
    while (!output.stderr.includes("large bodies")) await once(child.stderr, "data");
    const started = treePids(child.pid ?? 0);
    expect(started.length).toBeGreaterThan(5);
    const [code] = await once(child, "close");
    expect({ code, ...(code === 0 ? {} : output) }).toEqual({ code: 0 });
    expect(output.stdout).toMatch(/^https +pillion +\d+\.\d\d +\d+\.\d/m);
    expect(output.stdout).toContain("its figures mean nothing");
    const run = JSON.parse(readFileSync(json, "utf8")) as {
      results: { name: string; figures: Record<string, { median: number }> }[];
      details: { routing: { median: number }; tokenMicroseconds: { median: number } };
    };
    expect(run.results.map(({ name }) => name)).toEqual(["pillion", "nginx"]);
    for (const { figures } of run.results) {
      expect(Object.keys(figures)).toHaveLength(10);
      expect(Object.values(figures).every(({ median }) => Number.isFinite(median))).toBe(true);
    }
    expect(run.details.routing.median).toBeGreaterThan(0);
    expect(run.details.tokenMicroseconds.median).toBeGreaterThan(0);
    expect(readdirSync(folder).filter((name) => name.startsWith("pillion-bench"))).toEqual([]);
    expect(started.filter(isAlive)).toEqual([]);
  });

  it("ends all it has started on Ctrl-C", { timeout: 60_000 }, async () => {
    const { child, folder, output } = bench("--smoke", "--only", "pillion,nginx");
    while (!output.stderr.includes("round 1")) await once(child.stderr, "data");
    const started = treePids(child.pid ?? 0);
    expect(started.length).toBeGreaterThan(5);
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    expect(code).toBe(130);
    await expect.poll(() => started.filter(isAlive), { timeout: 10_000 }).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.startsWith("pillion-bench"))).toEqual([]);
  });

  it.each([
    [["--fast"], "--fast"],
    [["--only", "squid"], "pillion, pillion+access-log"],
    [["--compare", join(projectDirectory, "biome.json")], "--json"],
    [["--compare", "/nonexistent.json"], "/nonexistent.json"],
    [["--smoke", "--pillion", "/nonexistent.js"], "/nonexistent.js"],
  ])("says in one line what is wrong with %j", async (args, part) => {
    const { child, output } = bench(...args);
    const [code] = await once(child, "close");
    expect(code).not.toBe(0);
    expect(output.stdout).toBe("");
    expect(output.stderr).toContain(part);
    expect(output.stderr.trim().split("\n")).toHaveLength(1);
  });
});
