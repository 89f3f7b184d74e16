import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { readProjectFile } from "../support/project.ts";

interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** Instructions with continued lines joined and comments dropped. */
function instructions(dockerfile: string): readonly Instruction[] {
  const lines = dockerfile
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
  const joined = lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n");
  return joined.map((line) => {
    const [, name = "", value = ""] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    return { name, value };
  });
}

const all = instructions(readProjectFile("Dockerfile"));
const lastFrom = all.findLastIndex(({ name }) => name === "FROM");
const finalStage = all.slice(lastFrom);
const valuesOf = (stage: readonly Instruction[], wanted: string): readonly string[] =>
  stage.filter(({ name }) => name === wanted).map(({ value }) => value);
const flagsOf = (exec: string): readonly string[] =>
  (JSON.parse(exec.replace(/^.*?CMD (?=\[)/, "")) as string[]).filter((argument) =>
    argument.startsWith("--"),
  );

describe("the Dockerfile", () => {
  it("has a final stage without a shell: nothing is run in it, and every command is in exec form", () => {
    expect(valuesOf(finalStage, "RUN")).toEqual([]);
    expect(valuesOf(finalStage, "SHELL")).toEqual([]);
    const commands = all.filter(({ name }) => ["RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"].includes(name));
    expect(commands.length).toBeGreaterThanOrEqual(4);
    for (const { value } of commands)
      expect(JSON.parse(value.replace(/^.*?CMD (?=\[)/, ""))).toBeInstanceOf(Array);
  });

  it("runs as a numeric user that is not root", () => {
    const user = valuesOf(finalStage, "USER").at(-1);
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it("names the version of each base image, never latest", () => {
    const bases = valuesOf(all, "FROM").map((value) => value.split(" ")[0] ?? "");
    for (const base of bases) expect(base).toMatch(/:(?!latest)[\w.-]+(@sha256:[0-9a-f]{64})?$/);
  });

  it("builds with the Node that the project is developed with", () => {
    const { devDependencies } = JSON.parse(readProjectFile("package.json"));
    expect(valuesOf(all, "FROM")[0]).toContain(`node:${devDependencies.node}-`);
  });

  it("copies what it names, and never ADDs", () => {
    expect(valuesOf(all, "ADD")).toEqual([]);
    expect(valuesOf(all, "COPY")).not.toContain(". .");
  });

  it("carries no secret and no address to listen on; the default stays on loopback", () => {
    const text = [...valuesOf(all, "ENV"), ...valuesOf(all, "ARG")].join(" ");
    expect(text).not.toMatch(/SECRET|TOKEN|PASSWORD|PILLION_LISTEN|PILLION_ADMIN|NODE_OPTIONS/);
    expect(valuesOf(all, "EXPOSE")).toEqual([]);
  });

  it("installs exactly what the lockfile says, without install scripts", () => {
    const install = valuesOf(all, "RUN").find((value) => value.includes("npm"));
    expect(JSON.parse(install ?? "[]")).toEqual(expect.arrayContaining(["npm", "ci", "--ignore-scripts"]));
  });

  it("asks Pillion itself for its health", () => {
    expect(valuesOf(finalStage, "HEALTHCHECK")[0]).toMatch(/"\/opt\/pillion\/pillion\.js", "healthcheck"\]$/);
  });

  it("shuts the debugger's door, both in the service and in its health check", () => {
    const commands = [...valuesOf(finalStage, "ENTRYPOINT"), ...valuesOf(finalStage, "HEALTHCHECK")];
    for (const command of commands) expect(flagsOf(command)).toContain("--disable-sigusr1");
    expect(commands.join(" ")).not.toContain("--inspect");
  });

  it.each(flagsOf(valuesOf(finalStage, "ENTRYPOINT")[0] ?? "[]"))(
    "uses a flag that this Node has: %s",
    (flag) => {
      const node = execFileSync(process.execPath, ["--help"], { encoding: "utf8" });
      const v8 = execFileSync(process.execPath, ["--v8-options"], { encoding: "utf8" });
      const name = flag.replace(/=.*/, "");
      expect(node.includes(`  ${name}`) || v8.includes(`  ${name.replace("--no-", "--")} (`)).toBe(true);
      execFileSync(process.execPath, [flag, "-e", ""], { stdio: "ignore" });
    },
  );
});

describe(".dockerignore", () => {
  const [first, ...rules] = readProjectFile(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

  it("leaves everything out but what the Dockerfile copies", () => {
    expect(first).toBe("*");
    const admitted = rules.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1));
    const copied = valuesOf(all, "COPY").filter((value) => !value.includes("--from"));
    const sources = copied.flatMap((value) => value.split(" ").slice(0, -1));
    expect(admitted.toSorted()).toEqual(sources.toSorted());
  });
});
