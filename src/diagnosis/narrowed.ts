import type { Config } from "../config/config.ts";

/** One credential, or one tenant of it. */
export interface Selection {
  readonly credential: string;
  /** undefined: all that there are. */
  readonly tenant: string | undefined;
}

/** A configuration that has only what is chosen, which must be there, and the routes that take it. The rest stays as it was. */
export function narrowed(config: Config, { credential: name, tenant }: Selection): Config {
  const chosen = [...config.credentials].filter(([key]) => key === name);
  const credentials = chosen.map(([key, credential]) => {
    const tenants = [...(credential.tenants ?? [])].filter(([key]) => key === tenant);
    return [key, tenant === undefined ? credential : { ...credential, tenants: new Map(tenants) }] as const;
  });
  return {
    ...config,
    credentials: new Map(credentials),
    routes: config.routes.filter((route) => route.credential?.name === name),
  };
}
