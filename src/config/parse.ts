import { basename, join, resolve } from "node:path";
import { z } from "zod";
import type { LogLevel } from "../core/log.ts";
import { isLoopbackHost, parseListenAddress } from "./addresses.ts";
import type { Config, ListenAddress, Route } from "./config.ts";
import { createReferences } from "./credential-keys.ts";
import { readCredentials } from "./credentials.ts";
import type { Fault, Place } from "./fault.ts";
import type { FaultKind } from "./fault-kind.ts";
import type { Files } from "./files.ts";
import type { ProviderDefinition } from "./provider-definition.ts";
import { createReporter, type Reporter, showPath } from "./reporter.ts";
import { readRoutes } from "./route.ts";
import { log, settingKeys } from "./schema.ts";
import { readSession, requirePublicUrl } from "./session.ts";
import { readStore } from "./store.ts";
import { expectation, isMapping, type Validated, validateKeys } from "./validate.ts";
import { type RawMapping, readYaml, type ValuePath } from "./yaml-document.ts";

/** Environment variables by name, as Node gives them. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ParseOptions {
  /** How faults name the file: as the person who runs the program did. */
  readonly file: string;
  /** Absolute path of the directory that relative paths are relative to: where the file lies. */
  readonly directory: string;
  readonly providers: readonly ProviderDefinition[];
  /** For PILLION_LISTEN, PILLION_ADMIN and PILLION_LOG_LEVEL; secrets are not read here. */
  readonly env: Environment;
  /** For `tenants_directory`; secrets are not read here. */
  readonly files: Files;
  /** Validate away from where the configuration runs: a `tenants_directory` that is not there is a warning. Default false. */
  readonly checkOnly?: boolean;
}

export interface ParseResult {
  /** Frozen and whole; undefined when there is any fault. */
  readonly config: Config | undefined;
  /** Every fault at once, in the order of the file. */
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
  readonly locate: Locator;
}

/** Where the file says something; a configuration itself knows no places. */
export type Locator = (path: ValuePath, part?: "key" | "value") => Place;

const TOP_LEVEL_KEYS = { ...settingKeys, credentials: z.unknown(), routes: z.unknown() };

/** The text of a configuration file → one validated configuration, or everything that is wrong with it. Never throws. */
export function parseConfig(text: string, options: ParseOptions): ParseResult {
  const document = readYaml(text);
  const report = createReporter(options.file, document.locate);
  for (const { kind, path, message, ...position } of document.faults) {
    report.faultAt(kind, position, path, message);
  }
  let config: Config | undefined;
  if (isMapping(document.value)) config = readConfig(document.value, options, report);
  else if (document.value !== undefined)
    report.fault("wrong-type", [], expectation("a mapping", document.value));
  const faults = report.faults();
  return {
    config: faults.length === 0 && config !== undefined ? deepFreeze(config) : undefined,
    faults,
    warnings: report.warnings(),
    locate: (path, part = "value") => ({
      file: options.file,
      ...document.locate(path, part),
      path: showPath(path),
      isWritten: isWritten(document.value, path),
    }),
  };
}

function isWritten(value: unknown, path: ValuePath): boolean {
  const [step, ...rest] = path;
  if (step === undefined) return true;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return false;
  return isWritten((value as Readonly<Record<string | number, unknown>>)[step], rest);
}

function readConfig(raw: RawMapping, options: ParseOptions, report: Reporter): Config | undefined {
  const settings = validateKeys(TOP_LEVEL_KEYS, raw, [], report);
  const { values } = settings;
  const listen = readAddress("listen", "PILLION_LISTEN", values.listen, options, report);
  const admin = readAddress("admin", "PILLION_ADMIN", values.admin, options, report);
  const level = readLogLevel(options.env, report);
  judgeListeners(listen, admin, settings, options.env, report);

  const references = createReferences(options.directory);
  const rawCredentials = raw["credentials"] ?? {};
  if (!isMapping(rawCredentials))
    report.fault("wrong-type", ["credentials"], expectation("a mapping", rawCredentials));
  const deps = { ...options, checkOnly: options.checkOnly ?? false, report, references };
  const { byName: credentials, referred } = readCredentials(
    isMapping(rawCredentials) ? rawCredentials : {},
    deps,
  );
  const rawRoutes = raw["routes"] ?? [];
  if (!Array.isArray(rawRoutes)) report.fault("wrong-type", ["routes"], expectation("a list", rawRoutes));
  const routes = Array.isArray(rawRoutes) ? readRoutes(rawRoutes, { report, references, credentials }) : [];
  const session = values.session === undefined ? undefined : readSession(values.session, report);
  if (session !== undefined && listen !== undefined) requirePublicUrl(session, listen, credentials, report);
  if (report.faults().length === 0) warnOfUnused(credentials.keys(), referred, routes, report);

  const { access, limits, drain, reload } = values;
  if (listen === undefined || admin === undefined || values.log === undefined) return undefined;
  if (session === undefined || settings.invalid.has("store")) return undefined;
  if (access === undefined || limits === undefined || drain === undefined || reload === undefined)
    return undefined;
  return {
    file: join(options.directory, basename(options.file)),
    listen,
    admin,
    log: { level: level ?? values.log.level, format: values.log.format, access: values.log.access },
    credentials: new Map(
      [...credentials].flatMap(([name, read]) => (read === undefined ? [] : [[name, read.credential]])),
    ),
    routes,
    access: {
      hosts: access.hosts,
      origins: access.origins,
      token: access.token === undefined ? undefined : references.secret(access.token),
    },
    limits: {
      headerBytes: limits.header_bytes,
      headers: limits.headers,
      connections: limits.connections,
      bodyIdleMs: limits.body_idle,
      headerTimeoutMs: limits.header_timeout,
    },
    drain: { delayMs: drain.delay, timeoutMs: drain.timeout },
    reload,
    store: readStore(values.store, references),
    session,
    adminLifecycle: values.admin_lifecycle === true,
    watchedDirectories: [
      ...new Set([...credentials.values()].flatMap((read) => read?.tenantsDirectory ?? [])),
    ],
  };
}

/** The environment wins over the file; both are judged, since either may be in use tomorrow. */
function readAddress(
  key: "listen" | "admin",
  variable: string,
  text: string | undefined,
  { env, directory }: ParseOptions,
  report: Reporter,
): ListenAddress | undefined {
  const absolute = (path: string): string => resolve(directory, path);
  const inFile = text === undefined ? undefined : parseListenAddress(text, absolute);
  if (inFile !== undefined && "problem" in inFile) report.fault("wrong-form", [key], inFile.problem);
  const override = env[variable];
  if (override === undefined || override === "") {
    return inFile !== undefined && "value" in inFile ? inFile.value : undefined;
  }
  const inEnvironment = parseListenAddress(override, absolute);
  if ("value" in inEnvironment) return inEnvironment.value;
  report.faultInEnvironment("wrong-form", variable, inEnvironment.problem);
  return undefined;
}

function readLogLevel(env: Environment, report: Reporter): LogLevel | undefined {
  const override = env["PILLION_LOG_LEVEL"];
  if (override === undefined || override === "") return undefined;
  const result = log.shape.level.safeParse(override);
  if (result.success) return result.data;
  report.faultInEnvironment(
    "not-a-choice",
    "PILLION_LOG_LEVEL",
    result.error.issues[0]?.message ?? "is not valid",
  );
  return undefined;
}

type Settings = Validated<typeof TOP_LEVEL_KEYS>;

/** Whoever reaches the data listener uses the credentials, so beyond this machine it asks for a token. */
function judgeListeners(
  listen: ListenAddress | undefined,
  admin: ListenAddress | undefined,
  { values }: Settings,
  env: Environment,
  report: Reporter,
): void {
  if (listen === undefined) return;
  const fault = (kind: FaultKind, message: string): void => {
    if ((env["PILLION_LISTEN"] ?? "") === "") report.fault(kind, ["listen"], message);
    else report.faultInEnvironment(kind, "PILLION_LISTEN", message);
  };
  const isReachable = listen.kind === "tcp" && !isLoopbackHost(listen.host);
  if (
    isReachable &&
    values.access !== undefined &&
    values.access.token === undefined &&
    !values.access.open
  ) {
    fault(
      "open-listener",
      "reachable from other machines: set access.token, or write access: { open: true } to let everybody in",
    );
  }
  if (admin !== undefined && isSameAddress(listen, admin))
    fault("conflict", "listen and admin must be different addresses");
}

function isSameAddress(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === "unix" || b.kind === "unix")
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  return a.host === b.host && a.port === b.port && a.port !== 0;
}

/** Only where all else is right: a credential is also unused because of a misspelt name. */
function warnOfUnused(
  names: Iterable<string>,
  referred: ReadonlySet<string>,
  routes: readonly Route[],
  report: Reporter,
): void {
  if (routes.length === 0)
    report.warn("no-route", ["routes"], "there is no route: every request is refused", "key");
  const used = new Set(routes.map((route) => route.credential?.name));
  for (const name of names) {
    if (!used.has(name) && !referred.has(name))
      report.warn("unused-credential", ["credentials", name], "no route uses this credential", "key");
  }
}

/** Freezes plain objects and lists; URLs, maps and sets are read-only by their types. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    for (const entry of value.values()) deepFreeze(entry);
    return value;
  }
  if (value instanceof URL || value instanceof Set) return value;
  Object.freeze(value);
  for (const entry of Object.values(value)) deepFreeze(entry);
  return value;
}
