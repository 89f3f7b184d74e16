/** What every proxy of a run is told, and what a proxy is to the run. */
export type Scheme = "http" | "https";

export interface Setting {
  /** The upstream's scheme; the downstream side is always plain HTTP on loopback. */
  readonly scheme: Scheme;
  /** Where the proxy shall listen on 127.0.0.1. */
  readonly port: number;
  readonly originPort: number;
  /** PEM of the certificate authority of the origin. */
  readonly caFile: string;
  readonly token: string;
  readonly tokenUrl: string;
  /** The proxy's own, for its configuration. */
  readonly directory: string;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Ready to be started: its version, and how it is started. */
export interface Program {
  readonly version: string;
  command(setting: Setting): Command;
}

export interface Contender {
  /** As given to `--only`. */
  readonly name: string;
  /** The program, or why it is not there. */
  find(): Program | string;
}

export function originOf({ scheme, originPort }: Setting): string {
  return `${scheme}://127.0.0.1:${originPort}`;
}
