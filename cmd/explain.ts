import { isIP } from "node:net";
import type { Config, ListenAddress } from "../src/config/config.ts";
import { formatFault } from "../src/config/fault.ts";
import { createSystemClock } from "../src/core/clock.ts";
import { explainRequest } from "../src/explanation/explain-request.ts";
import type { AskedRequest } from "../src/explanation/explanation.ts";
import { loopbackOrigin } from "../src/proxy/proxy-state.ts";
import type { Locality } from "../src/transport/http-listener.ts";
import { CommandError, EXIT, type ExitCode } from "./exit-code.ts";
import { explanationJson, explanationText, locateExplanation } from "./explain-output.ts";
import { loadFromFile } from "./load.ts";
import type { ExplainOptions } from "./program.ts";

/** Says what would become of a request. Reads no secret, opens no connection, and prints no field's value. */
export async function explain(method: string, url: string, options: ExplainOptions): Promise<ExitCode> {
  const fields = options.header.map(parseField);
  const { host, target } = splitUrl(url);
  if (!/^[^\s\p{Cc}]+$/u.test(method)) throw usage("METHOD must be one word, such as GET");
  const { config, warnings, locate } = loadFromFile({ ...options, checkOnly: true });
  for (const warning of warnings) {
    // What is missing here is perhaps only missing here, so its tenants are not known.
    if (warning.path.endsWith("tenants_directory"))
      process.stderr.write(`warning: ${formatFault(warning)}\n`);
  }
  const locality = localityOf(config.listen, host);
  const asked: AskedRequest = {
    method,
    target,
    fields: fields.some(([name]) => name.toLowerCase() === "host")
      ? fields
      : [["Host", host ?? ownHost(config)], ...fields],
    locality,
  };
  const explanation = await explainRequest(config, asked, {
    clock: createSystemClock(),
    ownOrigin: () => loopbackOrigin(locality.port),
  });
  const located = locateExplanation(explanation, locate);
  const { isTTY } = process.stdout;
  const isColoured = isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";
  process.stdout.write(
    options.json ? explanationJson(located) : explanationText(located, { isTerminal: isTTY, isColoured }),
  );
  return explanation.allowed ? EXIT.ok : EXIT.failure;
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}

/** `Name: value`. What is wrong is not quoted: it could be a token that was meant as a value. */
function parseField(text: string): readonly [string, string] {
  const colon = text.indexOf(":");
  if (colon < 1) throw usage("-H takes 'Name: value'; one has no name or no colon");
  if (/[\r\n\0]/.test(text)) throw usage("-H takes one line, and one has a line break in it");
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}

/** Nothing is resolved or encoded: what stands behind the authority is the target as it would be on the wire. */
function splitUrl(url: string): { readonly host: string | undefined; readonly target: string } {
  if (url === "") throw usage("URL is empty: give http://HOST:PORT/PATH or /PATH");
  const match = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url);
  if (match === null) return { host: undefined, target: url };
  const [, host = "", rest = ""] = match;
  if (/[\s\p{Cc}]/u.test(host)) throw usage("the host of URL has a blank or a control character in it");
  return { host, target: rest.startsWith("/") ? rest : `/${rest}` };
}

const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Where the request would come in, if it comes in here at all. A port that is picked at the start is the URL's. */
function localityOf(listen: ListenAddress, host: string | undefined): Locality {
  if (listen.kind === "unix") return { port: undefined, address: undefined };
  const [, name = "", port] = /^(.*?)(?::(\d{1,5}))?$/.exec(host ?? "") ?? [];
  const address = name.replace(/^\[|\]$/g, "");
  const isAny = EVERY_ADDRESS.has(listen.host);
  const asked = port === undefined || Number(port) > 65_535 ? undefined : Number(port);
  return {
    port: listen.port === 0 ? asked : listen.port,
    address: isAny && isIP(address) !== 0 ? address : listen.host,
  };
}

/** For a bare path. */
function ownHost({ listen }: Config): string {
  if (listen.kind === "unix") return "localhost";
  const name = listen.host.includes(":") ? `[${listen.host}]` : listen.host;
  return `${EVERY_ADDRESS.has(listen.host) ? "localhost" : name}${listen.port === 0 ? "" : `:${listen.port}`}`;
}
