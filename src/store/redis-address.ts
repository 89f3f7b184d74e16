import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { TlsOptions } from "../config/config.ts";
import { ConfigError } from "../config/fault.ts";

/** Where Redis is and how to log in there; made of the URL and the TLS options of the configuration. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: RedisTls | undefined;
}

export interface RedisTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
}

const DEFAULT_PORT = 6379;

/**
 * `redis[s]://[[user]:password@]host[:port][/database]`, as IANA has the two schemes. Reads the PEM files, each time: a
 * certificate may have been renewed.
 *
 * @throws `ConfigError`, never with the URL in it: there is a password in it
 */
export function parseRedisUrl(text: string, tls: TlsOptions | undefined): RedisAddress {
  if (!URL.canParse(text)) throw fault("it is not a URL");
  const url = new URL(text);
  const overTls = url.protocol === "rediss:";
  if (!overTls && url.protocol !== "redis:") throw fault("its scheme is neither redis: nor rediss:");
  if (!overTls && tls !== undefined) throw fault("`store.redis.tls` goes with rediss: only");
  if (url.hostname === "") throw fault("it names no host");
  const database = url.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(database)) throw fault("what follows the host is not the number of a database");
  if (url.search !== "" || url.hash !== "") throw fault("it has a query or a fragment, which mean nothing");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
    database: Number(database),
    tls: overTls ? readTls(tls, host) : undefined,
  };
}

function fault(reason: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `store.redis.url: ${reason}; it is written redis://[[user]:password@]host[:port][/database], or rediss: for TLS`,
    { cause },
  );
}

function decoded(part: string): string | undefined {
  if (part === "") return undefined;
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw fault("a % in its user or password is written %25", cause);
  }
}

function readTls(tls: TlsOptions | undefined, host: string): RedisTls {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
      throw new ConfigError(`store.redis.tls: ${file} cannot be read (${code})`, { cause });
    }
  };
  // A name for the handshake (RFC 6066 §3) is a name, never an address; the certificate is judged by the host all the same.
  const servername = tls?.serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    ...(tls?.ca === undefined ? {} : { ca: read(tls.ca) }),
    ...(tls?.cert === undefined ? {} : { cert: read(tls.cert) }),
    ...(tls?.key === undefined ? {} : { key: read(tls.key) }),
    ...(servername === undefined ? {} : { servername }),
  };
}
