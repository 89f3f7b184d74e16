/** An upstream in this process, and whoever keeps it busy. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createKeptConnection, send } from "../../test/e2e/support/http-client.ts";

export interface BoundsUpstream extends AsyncDisposable {
  readonly origin: string;
  readonly server: Server;
}

const BLOCK = Buffer.alloc(65_536, "pillion ");

/** Writes `bytes` bytes as fast as they are taken. */
function pour(response: ServerResponse, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= BLOCK.length;
      if (!response.write(BLOCK)) {
        response.once("drain", more);
        return;
      }
    }
    response.end();
  };
  more();
}

/**
 * - `/ok?after=MS`: two bytes, after a while
 * - `/bytes?count=N`: at least N bytes
 * - `/never`: nothing; `/half`: a part of an answer
 */
export async function startBoundsUpstream(): Promise<BoundsUpstream> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    request.on("error", () => {});
    request.resume();
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://upstream.invalid");
    if (pathname === "/never") return;
    if (pathname === "/half") response.write("half");
    else if (pathname === "/bytes") pour(response, Number(searchParams.get("count")));
    else setTimeout(() => response.end("ok"), Number(searchParams.get("after") ?? 0));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export interface Callers {
  /** What became of the requests, counted: a status, `last` for one with `Connection: close`, or an error's code. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Each ends after the request that it has under way. */
  end(): Promise<void>;
  /** Resolves when each has met something else than a 200 on a kept connection. */
  over(): Promise<void>;
}

/** So many callers, each with one request in flight on a kept connection, one after the other. */
export function startCallers(url: string, count: number, options: { untilFailure?: boolean } = {}): Callers {
  const outcomes = new Map<string, number>();
  let ended = false;
  const call = async (): Promise<void> => {
    const agent = createKeptConnection();
    while (!ended) {
      const outcome = await send(url, { agent }).then(
        ({ status, headers }) => (headers.connection === "close" ? "last" : String(status)),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (options.untilFailure === true && outcome !== "200") break;
    }
    agent.destroy();
  };
  const calls = Promise.all(Array.from({ length: count }, call)).then(() => {});
  return {
    outcomes,
    end() {
      ended = true;
      return calls;
    },
    over: () => calls,
  };
}
