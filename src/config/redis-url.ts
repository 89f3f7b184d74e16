import { isIPv6 } from "node:net";

/** Where one server listens. */
export interface RedisHost {
  /** A name or an address; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
}

export interface RedisLogin {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

interface RedisUrlParts {
  /** By TLS: to all servers, Sentinels included. */
  readonly tls: boolean;
  /** At least one. */
  readonly hosts: readonly RedisHost[];
  readonly login: RedisLogin;
}

/**
 * What a Redis URL says. `single`: one server, or one behind a proxy. `sentinel`: `hosts` are Sentinels, which know where
 * the primary called `name` is. `cluster`: `hosts` are some of its nodes, which know the others.
 */
export type RedisUrl =
  | (RedisUrlParts & { readonly kind: "single"; readonly database: number })
  | (RedisUrlParts & {
      readonly kind: "sentinel";
      readonly name: string;
      readonly database: number;
      readonly sentinelLogin: RedisLogin;
    })
  | (RedisUrlParts & { readonly kind: "cluster" });

/**
 * How the three are written. The first is registered with IANA; the others as Pomerium and much of Python have them.
 * With `rediss` in place of `redis` it is TLS.
 */
export const REDIS_URL_FORMS: Readonly<Record<RedisUrl["kind"], string>> = {
  single: "redis://[[user]:password@]host[:port][/database]",
  sentinel:
    "redis+sentinel://[[user]:password@]host[:26379][,host…]/name[/database][?sentinel_username=…&sentinel_password=…]",
  cluster: "redis+cluster://[[user]:password@]host[:port][,host…]",
};

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;
const SHAPE = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/([^/?#]*)([^?#]*)([^#]*)(.*)$/is;

/** Why a text is none, in words that do not repeat it: there may be a password in it. */
export interface RedisUrlFault {
  readonly problem: string;
}

/** Judges the form alone. */
export function readRedisUrl(text: string): RedisUrl | RedisUrlFault {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof Unreadable) return { problem: error.message };
    throw error;
  }
}

/** What is wrong with a Redis URL, in words that do not quote it; undefined: nothing. A user and a password may be in it. */
export function redisUrlProblem(text: string): string | undefined {
  const url = readRedisUrl(text);
  return "problem" in url ? url.problem : undefined;
}

class Unreadable extends Error {}

function read(text: string): RedisUrl {
  const match = SHAPE.exec(text);
  if (match === null) throw new Unreadable(schemeProblem(text));
  const [, scheme = "", suffix, authority = "", path = "", query = "", fragment = ""] = match;
  const kind = suffix === undefined ? "single" : (suffix.toLowerCase() as "sentinel" | "cluster");
  const fault: Fault = (problem, cause) =>
    new Unreadable(`${problem}; it is written ${REDIS_URL_FORMS[kind]}`, { cause });
  const at = authority.lastIndexOf("@");
  const parts = {
    tls: scheme.toLowerCase() === "rediss",
    login: readLogin(at === -1 ? "" : authority.slice(0, at), fault),
    hosts: readHosts(authority.slice(at + 1), kind === "sentinel" ? SENTINEL_PORT : REDIS_PORT, fault),
  };
  if (kind === "single" && parts.hosts.length > 1) {
    throw new Unreadable(
      `several hosts are Sentinels or a cluster; they are written ${REDIS_URL_FORMS.sentinel} or ${REDIS_URL_FORMS.cluster}`,
    );
  }
  if (fragment !== "") throw fault("a Redis URL has no fragment (#…); a # in a password is written %23");
  if (kind !== "sentinel" && query !== "") {
    throw fault("a Redis URL has no query (?…); a ? in a password is written %3F");
  }
  const segments = path.replace(/^\//, "").split("/");
  switch (kind) {
    case "single":
      return { kind, ...parts, database: readDatabase(segments, fault) };
    case "sentinel": {
      const [name = "", ...rest] = segments;
      if (name === "")
        throw fault("the path of a Sentinel URL begins with the name of the primary, often mymaster");
      // The letters that Sentinel itself takes.
      if (!/^[\w.-]{1,128}$/.test(name))
        throw fault("the name of the primary consists of letters, digits, . - and _");
      return {
        kind,
        ...parts,
        name,
        database: readDatabase(rest, fault),
        sentinelLogin: readQuery(query, fault),
      };
    }
    case "cluster":
      if (!/^\/?0?$/.test(path))
        throw fault("a Redis URL of a cluster has no path: a cluster has database 0 only");
      return { kind, ...parts };
  }
}

type Fault = (problem: string, cause?: unknown) => Unreadable;

function schemeProblem(text: string): string {
  if (/sentinel/i.test(text.split(":", 1)[0] ?? ""))
    return `Sentinels are written ${REDIS_URL_FORMS.sentinel}`;
  if (/cluster/i.test(text.split(":", 1)[0] ?? "")) return `a cluster is written ${REDIS_URL_FORMS.cluster}`;
  return "expected a URL that begins with redis:// or rediss:// (or redis+sentinel://, redis+cluster://)";
}

function readLogin(userinfo: string, fault: Fault): RedisLogin {
  const colon = userinfo.indexOf(":");
  const decoded = (part: string): string | undefined => {
    try {
      return part === "" ? undefined : decodeURIComponent(part);
    } catch (cause) {
      throw fault("a % in the user or the password of a Redis URL is written %25", cause);
    }
  };
  if (colon === -1) return { username: decoded(userinfo), password: undefined };
  return { username: decoded(userinfo.slice(0, colon)), password: decoded(userinfo.slice(colon + 1)) };
}

function readHosts(list: string, defaultPort: number, fault: Fault): readonly RedisHost[] {
  return list.split(",").map((text) => {
    const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{0,6}))?$/.exec(text);
    if (match === null) {
      throw fault(
        "a host in a Redis URL is host:port, an IPv6 address [::1]:port, and / ? # in a password are %2F %3F %23",
      );
    }
    const [, address, name, port = ""] = match;
    if (address !== undefined && !isIPv6(address))
      throw fault("what is in the brackets of a Redis URL is no IPv6 address");
    const host = address ?? name ?? "";
    if (host === "") throw fault("a Redis URL names a host before each comma and at its end");
    if (address === undefined && !/^[\w.-]{1,253}$/.test(host)) {
      throw fault("a host in a Redis URL consists of letters, digits, . - and _");
    }
    const number = port === "" ? defaultPort : Number(port);
    if (number < 1 || number > 65_535) throw fault("a port in a Redis URL is a number from 1 to 65535");
    return { host, port: number };
  });
}

function readDatabase(segments: readonly string[], fault: Fault): number {
  const [text = "", ...rest] = segments;
  if (rest.length > 0 || !/^\d{0,5}$/.test(text)) {
    throw fault("what follows in the path of a Redis URL is the number of a database");
  }
  return Number(text);
}

function readQuery(query: string, fault: Fault): RedisLogin {
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (
      (name !== "sentinel_username" && name !== "sentinel_password") ||
      parameters.getAll(name).length > 1
    ) {
      throw fault(
        "the query of a Sentinel URL holds sentinel_username and sentinel_password, once each; & ? + % are percent-encoded in them",
      );
    }
  }
  return {
    username: parameters.get("sentinel_username") || undefined,
    password: parameters.get("sentinel_password") || undefined,
  };
}
