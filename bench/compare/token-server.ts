/** The token endpoint of a run, in the benchmark's own process: every client gets the same 800-byte token for an hour. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface TokenServer {
  readonly url: string;
  close(): void;
}

/** Loopback only, on a free port. */
export async function startTokenServer(token: string): Promise<TokenServer> {
  const body = JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: 3600 });
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
