/** A real redis-server on a free port of the loopback interface, which keeps nothing on the disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import type { Certificates } from "./certificates.ts";

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** `redis://127.0.0.1:PORT`, or `rediss:` with TLS; user and password as they were given. */
  readonly url: string;
  /** Runs one command as an administrator would, over a connection of its own. Bulk strings come as `Buffer`. */
  command(...args: string[]): Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port, after `kill`. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Of the default user. Default: none is asked for. */
  readonly password?: string;
  /** One more user. Its password is put into `url`. `rules`: of its ACL; default: it may do everything. */
  readonly user?: { readonly name: string; readonly password: string; readonly rules?: readonly string[] };
  /** TLS only. `clientCertificate`: one of the same authority is asked for. Default false. */
  readonly tls?: { readonly certificates: Certificates; readonly clientCertificate?: boolean };
  /** More of its configuration, as on its command line. */
  readonly config?: readonly string[];
}

/** A test that fails must not leave its servers behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Runs `redis-server`; undefined: it ended before it was ready, as when its port was taken. */
export async function spawnRedis(args: readonly string[]): Promise<ChildProcess | undefined> {
  const server = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(server);
  server.once("exit", () => running.delete(server));
  return (await isReady(server)) ? server : undefined;
}

/** SIGKILL; resolves when it is gone. */
export async function killRedis(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), "pillion-redis-"));
  const { password, user, tls } = options;
  const login = user === undefined ? `:${password ?? ""}@` : `${user.name}:${user.password}@`;
  const authority = user === undefined && password === undefined ? "" : login;
  let port = await freePort();
  let child = await launch();

  function args(): readonly string[] {
    const listen = tls === undefined ? ["--port", `${port}`] : ["--port", "0", "--tls-port", `${port}`];
    return [
      ...["--bind", "127.0.0.1", "--dir", directory, "--save", "", "--appendonly", "no"],
      ...listen,
      ...(password === undefined ? [] : ["--requirepass", password]),
      ...(user === undefined
        ? []
        : ["--user", user.name, "on", `>${user.password}`, ...(user.rules ?? ["~*", "&*", "+@all"])]),
      ...(tls === undefined ? [] : tlsArgs(tls)),
      ...(options.config ?? []),
    ];
  }

  /** Another process may take the port in the moment between: then once more with another. */
  async function launch(tries = 5): Promise<ChildProcess> {
    const server = await spawnRedis(args());
    if (server !== undefined) return server;
    if (tries === 1) throw new Error("redis-server does not start");
    port = await freePort();
    return launch(tries - 1);
  }

  const kill = (): Promise<void> => killRedis(child);

  async function stop(): Promise<void> {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  }

  const scheme = tls === undefined ? "redis" : "rediss";
  const url = `${scheme}://${authority}127.0.0.1:${port}`;
  return {
    get port() {
      return port;
    },
    url,
    async command(...command) {
      const common = { reconnectStrategy: false } as const;
      const ca = tls === undefined ? undefined : readFileSync(tls.certificates.caFile);
      const socket = ca === undefined ? common : { ...common, tls: true as const, ca };
      const client = createClient({ url, RESP: 2, socket });
      client.on("error", () => {});
      try {
        await client.connect();
        return await client.sendCommand(command, { typeMapping: { 36: Buffer } });
      } finally {
        client.destroy();
      }
    },
    signal: (signal) => void child.kill(signal),
    kill,
    async restart() {
      child = await launch();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function tlsArgs({ certificates, clientCertificate }: NonNullable<RedisServerOptions["tls"]>): string[] {
  return [
    ...["--tls-cert-file", certificates.server.certFile, "--tls-key-file", certificates.server.keyFile],
    ...["--tls-ca-cert-file", certificates.caFile],
    ...["--tls-auth-clients", clientCertificate === true ? "yes" : "no"],
  ];
}

async function isReady(server: ChildProcess): Promise<boolean> {
  const failed = once(server, "error").then(([error]) => {
    throw new Error("redis-server cannot be run; install the Debian package of that name", { cause: error });
  });
  const exited = once(server, "exit").then(() => false);
  const ready = new Promise<boolean>((resolve) => {
    server.stdout?.setEncoding("utf8").on("data", (text: string) => {
      // The other is a Sentinel's.
      if (/Ready to accept connections|\+monitor master/.test(text)) resolve(true);
    });
  });
  return Promise.race([ready, exited, failed]);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
