import { plainWords } from "../src/config/fault-kind.ts";
import { editableField } from "../src/config/header-rules.ts";
import { INSECURE_HTTP, isInsecure } from "../src/config/insecure-http.ts";
import { parseRoutePath } from "../src/config/route-path.ts";
import { httpUrl } from "../src/config/url-schemas.ts";
import { fieldValue, NAME_RULE, name as nameSchema } from "../src/config/value-schemas.ts";
import type { Provider } from "./choices.ts";
import { CommandError, EXIT } from "./exit-code.ts";
import { type Answers, NAMES, type Tenant } from "./init-text.ts";

/** Answers as they are typed, by flag. */
export interface RawAnswers {
  readonly provider: Provider;
  readonly environment?: Answers["environment"];
  readonly region?: Answers["region"];
  readonly tokenUrl?: string;
  readonly upstream?: string;
  readonly header?: string;
  readonly path?: string;
  readonly secrets?: Answers["secrets"];
  readonly tenants?: string;
}

/** Judges each answer as the configuration itself does. Throws a usage error that names the flag. */
export function readAnswers(raw: RawAnswers): Answers {
  const { provider } = raw;
  const isOther = provider === "oauth2" || provider === "static";
  refuseFor(raw.environment !== undefined && provider !== "zocdoc", "--environment", "zocdoc");
  refuseFor(raw.region !== undefined && provider !== "qmatic", "--region", "qmatic");
  refuseFor(raw.header !== undefined && provider !== "static", "--header", "static");
  if (raw.tokenUrl !== undefined && provider === "static")
    throw usage("--token-url is not for --provider static, which has no tokens");
  if (provider === "oauth2" && raw.tokenUrl === undefined)
    throw usage("--token-url is missing: where the server gives tokens");
  if (isOther && raw.upstream === undefined) throw usage("--upstream is missing: where the API is");

  const tenants = judged("--tenants", raw.tenants ?? "", (text) => tenantsProblem(text, provider));
  const list = tenantsOf(tenants);
  return {
    provider,
    environment: raw.environment ?? "sandbox",
    region: raw.region ?? "eu-west-1",
    tokenUrl: raw.tokenUrl === undefined ? undefined : judged("--token-url", raw.tokenUrl, tokenUrlProblem),
    upstream: raw.upstream === undefined ? undefined : judged("--upstream", raw.upstream, upstreamProblem),
    header: judged("--header", raw.header ?? DEFAULT_HEADER, headerProblem),
    path: routePath(
      judged("--path", raw.path ?? defaultPath(provider), (text) => pathProblem(text, list)),
      list,
    ),
    secrets: raw.secrets ?? "env",
    tenants: list,
  };
}

export const DEFAULT_HEADER = "X-API-Key";

export function defaultPath(provider: Provider): string {
  return `/${NAMES[provider]}/`;
}

/** `isb, riverside`, or `isb=1001` with the id that Qmatic wants of API calls. */
export function tenantsOf(text: string): readonly Tenant[] {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== "");
  return entries.map((entry) => {
    const [name = "", ...rest] = entry.split("=");
    return { name, id: rest.length === 0 ? undefined : rest.join("=") };
  });
}

export function tenantsProblem(text: string, provider: Provider): string | undefined {
  const tenants = tenantsOf(text);
  if (provider === "qmatic" && tenants.length === 0)
    return "name at least one tenant by its account, such as isb=1001 (1001: its tenant id)";
  for (const { name, id } of tenants) {
    if (!nameSchema.safeParse(name).success)
      return `not a tenant's name: ${JSON.stringify(name)}; expected ${NAME_RULE}`;
    if (id !== undefined && provider !== "qmatic")
      return `${name}=${id}: ids of tenants are for qmatic only; write ${name}`;
    if (id !== undefined && !fieldValue.safeParse(id).success) return `${name}= lacks the tenant's id`;
  }
  const names = new Set(tenants.map(({ name }) => name));
  return names.size < tenants.length ? "a tenant is named twice" : undefined;
}

export function pathProblem(text: string, tenants: readonly Tenant[]): string | undefined {
  const result = parseRoutePath(text);
  if ("problem" in result) return result.problem;
  if (tenants.length > 0 || result.value.tenantIndex === undefined) return undefined;
  return "{tenant} is for several tenants, and there are none";
}

/** With tenants the path has to name one; where it does not say how, the segment behind it does. */
export function routePath(path: string, tenants: readonly Tenant[]): string {
  if (tenants.length === 0 || path.split("/").includes("{tenant}")) return path;
  return `${path.replace(/\/$/, "")}/{tenant}/`;
}

export function tokenUrlProblem(text: string): string | undefined {
  return urlProblem(text, true);
}

export function upstreamProblem(text: string): string | undefined {
  return urlProblem(text, false);
}

function urlProblem(text: string, query: boolean): string | undefined {
  const result = httpUrl({ query }).safeParse(text);
  if (!result.success) return plainWords(result.error.issues[0]?.message ?? "is not a URL");
  return isInsecure(result.data) ? INSECURE_HTTP : undefined;
}

export function headerProblem(text: string): string | undefined {
  const problem = editableField.safeParse(text).error?.issues[0]?.message;
  return problem === undefined ? undefined : plainWords(problem);
}

function judged(flag: string, text: string, problemOf: (text: string) => string | undefined): string {
  const problem = problemOf(text);
  if (problem !== undefined) throw usage(`${flag}: ${problem}`);
  return text;
}

function refuseFor(isWrong: boolean, flag: string, provider: Provider): void {
  if (isWrong) throw usage(`${flag} is for --provider ${provider} only`);
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}
