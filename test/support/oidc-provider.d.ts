/** The little of the package that tests use; it comes without types. */
declare module "oidc-provider" {
  import type { RequestListener } from "node:http";

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>);
    readonly AccessToken: { find(value: string): Promise<{ destroy(): Promise<void> } | undefined> };
    callback(): RequestListener;
    on(event: "grant.error", listener: (context: unknown, error: GrantError) => void): this;
  }

  export interface GrantError {
    /** RFC 6749 §5.2. */
    readonly error: string;
    /** For the server's operator. */
    readonly error_detail?: string;
  }
}
