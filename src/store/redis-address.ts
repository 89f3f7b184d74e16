import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { TlsOptions } from "../config/config.ts";
import { ConfigError } from "../config/fault.ts";
import { type RedisHost, type RedisLogin, readRedisUrl } from "../config/redis-url.ts";

/** Where one server is and how to log in there. */
export interface RedisAddress extends RedisHost, RedisLogin {
  readonly database: number;
  readonly tls: RedisTls | undefined;
}

export interface RedisTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
}

/** Which servers keep the records; made of the URL and the TLS options of the configuration. */
export type RedisServers =
  | { readonly kind: "single"; readonly address: RedisAddress }
  | {
      readonly kind: "sentinel";
      readonly sentinels: readonly RedisAddress[];
      /** What the Sentinels call the primary. */
      readonly name: string;
      primaryAt(host: RedisHost): RedisAddress;
    }
  | {
      readonly kind: "cluster";
      readonly seeds: readonly RedisAddress[];
      nodeAt(host: RedisHost): RedisAddress;
    };

/**
 * The forms are in `config/redis-url.ts`. Reads the PEM files, each time: a certificate may have been renewed.
 *
 * @throws `ConfigError`, never with the URL in it: there is a password in it
 */
export function parseRedisUrl(text: string, tls: TlsOptions | undefined): RedisServers {
  const url = readRedisUrl(text);
  if ("problem" in url) {
    throw new ConfigError({ kind: "unusable-secret", message: `store.redis.url: ${url.problem}` });
  }
  if (!url.tls && tls !== undefined) {
    throw new ConfigError({
      kind: "conflict",
      message: "store.redis.url: `store.redis.tls` goes with rediss: only",
    });
  }
  const files = url.tls ? readTls(tls) : undefined;
  const at =
    (login: RedisLogin, database: number) =>
    ({ host, port }: RedisHost): RedisAddress => ({
      host,
      port,
      ...login,
      database,
      tls: files === undefined ? undefined : named(files, host),
    });
  switch (url.kind) {
    case "single":
      return { kind: "single", address: at(url.login, url.database)(url.hosts[0] as RedisHost) };
    case "sentinel":
      return {
        kind: "sentinel",
        sentinels: url.hosts.map(at(url.sentinelLogin, 0)),
        name: url.name,
        primaryAt: at(url.login, url.database),
      };
    case "cluster": {
      const nodeAt = at(url.login, 0);
      return { kind: "cluster", seeds: url.hosts.map(nodeAt), nodeAt };
    }
  }
}

/** For a log, and to tell servers apart. */
export function hostAndPort({ host, port }: RedisHost): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A name for the handshake (RFC 6066 §3) is a name, never an address; the certificate is judged by the host all the same. */
function named(tls: RedisTls, host: string): RedisTls {
  return tls.servername !== undefined || isIP(host) !== 0 ? tls : { ...tls, servername: host };
}

function readTls(tls: TlsOptions | undefined): RedisTls {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
      const message = `store.redis.tls: ${file} cannot be read (${code})`;
      throw new ConfigError({ kind: "unreadable", message }, { cause });
    }
  };
  return {
    ...(tls?.ca === undefined ? {} : { ca: read(tls.ca) }),
    ...(tls?.cert === undefined ? {} : { cert: read(tls.cert) }),
    ...(tls?.key === undefined ? {} : { key: read(tls.key) }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  };
}
