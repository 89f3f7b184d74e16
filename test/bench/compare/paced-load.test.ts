import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { projectDirectory } from "../../support/project.ts";

interface Load {
  readonly requests: number;
  readonly failures: number;
  readonly p50Ms: number;
}

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function load(answer: (response: ServerResponse) => void): Promise<Load> {
  const server = createServer((_request, response) => answer(response));
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const file = join(projectDirectory, "bench", "load.ts");
  const args = [file, `--url=${url}`, "--rate=200", "--seconds=0.5"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 15_000 });
  return JSON.parse(stdout) as Load;
}

const answered = (response: ServerResponse) => response.writeHead(200, { "content-length": "2" }).end("ok");

describe("a load at a fixed rate", () => {
  it("asks as often as it should", async () => {
    expect(await load(answered)).toMatchObject({ requests: 100, failures: 0 });
  });

  it("goes on asking while nobody answers, and counts the wait of each that fell due meanwhile", async () => {
    // A client that waits for its answers would ask a few times during the silence, and most often after it.
    let held: ServerResponse[] | undefined = [];
    const { requests, failures, p50Ms } = await load((response) => {
      if (held === undefined) answered(response);
      else if (held.push(response) === 1) {
        setTimeout(() => {
          for (const each of held ?? []) answered(each);
          held = undefined;
        }, 400);
      }
    });
    expect({ requests, failures }).toEqual({ requests: 100, failures: 0 });
    expect(p50Ms).toBeGreaterThan(50);
  });

  it("counts what is refused or closed", async () => {
    let count = 0;
    const { requests, failures } = await load((response) => {
      count += 1;
      if (count % 4 === 0) response.writeHead(503).end();
      else if (count % 4 === 1) response.destroy();
      else answered(response);
    });
    expect(requests + failures).toBe(100);
    expect(failures).toBe(50);
  });
});
