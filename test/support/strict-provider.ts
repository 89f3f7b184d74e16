/**
 * An authorization server that rotates refresh tokens and counts those that come twice, with a token endpoint that can
 * be stopped at each step of a refresh.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";

/** In this order. `granted`: the old refresh token is used up, and nothing of the answer is sent. */
export const REFRESH_STEPS = ["connected", "asked", "granted", "half answered", "answered"] as const;
export type RefreshStep = (typeof REFRESH_STEPS)[number];

export interface StrictProvider extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly tokenUrl: string;
  /** What the next answers say. The server's own access tokens live an hour. */
  expiresInSeconds: number;
  /** Called at each step of an exchange, which goes on when it resolves. */
  atStep: (step: RefreshStep) => Promise<void> | void;
  /** Every access and refresh token that it has given. */
  readonly tokens: readonly string[];
  /** Refresh tokens exchanged so far. */
  refreshes(): number;
  /** Refresh tokens that came again after they had been used up. */
  resent(): number;
  revocations(): number;
}

export async function startStrictProvider(): Promise<StrictProvider> {
  const emulator = createEmulator();
  await emulator.start();
  const { tokenUrl } = emulator.endpoints["zocdoc/sandbox"];
  const sockets = new Set<Socket>();
  const tokens: string[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await connections.get(request.socket);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await provider.atStep("asked");
    const granted = await fetch(tokenUrl, {
      method: "POST",
      headers: { "Content-Type": request.headers["content-type"] ?? "" },
      body: Buffer.concat(chunks),
    });
    const members = (await granted.json()) as Record<string, unknown>;
    if (granted.ok) members["expires_in"] = provider.expiresInSeconds;
    for (const name of ["access_token", "refresh_token"]) {
      if (typeof members[name] === "string") tokens.push(members[name]);
    }
    await provider.atStep("granted");
    const text = Buffer.from(JSON.stringify(members));
    const half = Math.floor(text.length / 2);
    response.writeHead(granted.status, {
      "Content-Type": "application/json",
      "Content-Length": text.length,
      Connection: "close",
    });
    response.write(text.subarray(0, half));
    await provider.atStep("half answered");
    response.end(text.subarray(half));
    if (!response.writableFinished) await once(response, "finish");
    await provider.atStep("answered");
  }

  const connections = new WeakMap<Socket, Promise<void>>();
  const server = createServer((request, response) => {
    // Whoever is killed amid an exchange leaves a broken connection.
    answer(request, response).catch(() => request.socket.destroy());
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    connections.set(socket, Promise.resolve(provider.atStep("connected")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const counts = () => emulator.stats().users["zocdoc/sandbox"];
  const provider: StrictProvider = {
    emulator,
    tokenUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/oauth/token`,
    expiresInSeconds: 3_600,
    atStep: () => {},
    tokens,
    refreshes: () => counts().refreshes,
    resent: () => counts().consumed_tokens_resent,
    revocations: () => counts().revocations,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, emulator.stop()]);
    },
  };
  return provider;
}
