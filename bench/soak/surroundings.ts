/** The configuration and the secrets of a soak, mounted as Kubernetes does and exchanged all along. */
import { createWorkspace } from "../../test/e2e/support/workspace.ts";
import { TENANTS } from "./plan.ts";
import { SECRET_INFIX, type TokenServer } from "./token-server.ts";

export interface Surroundings {
  readonly configFile: string;
  /** Writes the configuration anew, a little different each time. */
  reload(): void;
  /** Writes every secret anew. */
  rotate(): void;
  readonly counts: { readonly reloads: number; readonly rotations: number };
  remove(): void;
}

const CLIENTS = ["billing", ...TENANTS];

export function createSurroundings(upstreamOrigin: string, tokens: TokenServer): Surroundings {
  const workspace = createWorkspace();
  const counts = { reloads: 0, rotations: 0 };
  const secretFiles = (): Record<string, string> =>
    Object.fromEntries(CLIENTS.map((client) => [client, `${client}${SECRET_INFIX}${counts.rotations}\n`]));
  const configText = (): string => {
    const client = (name: string): string =>
      `client_id: ${name}, client_secret: { file: ${secrets.path(name)} }`;
    const common = `provider: oauth2, client_auth: post, token_url: "${tokens.url}"`;
    return `listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: { level: ${counts.reloads % 2 === 0 ? "info" : "warn"} }
credentials:
  billing: { ${common}, ${client("billing")} }
  shared:
    provider: oauth2
    client_auth: post
    token_url: "${tokens.url}"
    tenants:
${TENANTS.map((tenant) => `      ${tenant}: { ${client(tenant)} }`).join("\n")}
routes:
  - { name: billing, path: /billing/, credential: billing, upstream: "${upstreamOrigin}/" }
  - { name: tenants, path: "/tenants/{tenant}/", credential: shared, upstream: "${upstreamOrigin}/" }
  - { name: open, path: /open/, credential: none, upstream: "${upstreamOrigin}/" }
  - { name: extra-${counts.reloads % 2}, path: /extra-${counts.reloads % 2}/, credential: none, upstream: "${upstreamOrigin}/" }
`;
  };
  const secrets = workspace.mount("secrets", secretFiles());
  const config = workspace.mount("config", { "pillion.yaml": configText() });
  return {
    configFile: config.path("pillion.yaml"),
    reload() {
      counts.reloads += 1;
      config.swap({ "pillion.yaml": configText() });
    },
    rotate() {
      counts.rotations += 1;
      secrets.swap(secretFiles());
      // The one before it is good for one more round, as with any rotation that means to go unnoticed.
      tokens.acceptGeneration(counts.rotations);
    },
    counts,
    remove: () => workspace.remove(),
  };
}
