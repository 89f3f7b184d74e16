import { createHash, randomBytes } from "node:crypto";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import { type SignInOptions, signIn } from "../support/emulator-user.ts";
import { type Bench, type Reply, send, startBench } from "./harness.ts";

export const CLIENT_ID = "zocdoc-sandbox-user-client";
export const REDIRECT_URI = "http://localhost:8080/.pillion/callback";

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in: number;
  readonly token_type: string;
  readonly scope: string;
}

/** A public OAuth client beside a started emulator. */
export interface UserBench extends Bench {
  authorizeUrl(change?: Readonly<Record<string, string | undefined>>): string;
  /** A code for the verifier. */
  code(change?: Readonly<Record<string, string | undefined>>, options?: SignInOptions): Promise<string>;
  token(clientName: string, scopes?: readonly string[]): Promise<string>;
  post(
    path: string,
    body: Readonly<Record<string, unknown>>,
    headers?: Record<string, string>,
  ): Promise<Reply>;
  exchange(code: string, change?: Readonly<Record<string, string | undefined>>): Promise<Reply>;
  refresh(refreshToken: string | undefined, change?: Readonly<Record<string, string>>): Promise<Reply>;
  /** A whole login. */
  tokens(change?: Readonly<Record<string, string | undefined>>, options?: SignInOptions): Promise<Tokens>;
  api(path: string, accessToken: string, body?: unknown): Promise<Reply>;
  counts(): Readonly<Record<string, number>>;
}

export const VERIFIER = randomBytes(32).toString("base64url");
export const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");

export async function startUserBench(options: EmulatorOptions = {}): Promise<UserBench> {
  const bench = await startBench(options);
  const { authorizeUrl, tokenUrl, apiUrl } = bench.emulator.endpoints["zocdoc/sandbox"];
  const user: UserBench = {
    ...bench,
    [Symbol.asyncDispose]: () => bench.emulator.stop(),

    authorizeUrl(change = {}) {
      const parameters = {
        response_type: "code",
        client_id: CLIENT_ID,
        redirect_uri: REDIRECT_URI,
        scope: "external.appointment.read external.appointment.write offline_access",
        audience: "DeveloperApiPatient-Sandbox",
        code_challenge: CHALLENGE,
        code_challenge_method: "S256",
        state: "the state",
        ...change,
      };
      const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
      return `${authorizeUrl}?${new URLSearchParams(given as [string, string][])}`;
    },

    async code(change, signInOptions) {
      const redirect = await signIn(user.authorizeUrl(change), signInOptions);
      return redirect.searchParams.get("code") ?? "";
    },

    post: (path, body, headers = {}) =>
      send(new URL(path, tokenUrl).href, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),

    exchange: (code, change = {}) =>
      user.post(tokenUrl, {
        grant_type: "authorization_code",
        client_id: CLIENT_ID,
        code,
        redirect_uri: REDIRECT_URI,
        code_verifier: VERIFIER,
        ...change,
      }),

    refresh: (refreshToken, change = {}) =>
      user.post(tokenUrl, {
        grant_type: "refresh_token",
        refresh_token: refreshToken,
        client_id: CLIENT_ID,
        ...change,
      }),

    async tokens(change, signInOptions) {
      const reply = await user.exchange(await user.code(change, signInOptions));
      if (reply.status !== 200) throw new Error(`no tokens: ${reply.status} ${reply.text}`);
      return reply.json as Tokens;
    },

    api: (path, accessToken, body) =>
      send(apiUrl + path, {
        method: body === undefined ? "GET" : "POST",
        headers: { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      }),

    counts: () => bench.emulator.stats().users["zocdoc/sandbox"],
  };
  return user;
}

export const LOCATION_ID = "pr_emu001-sample_avocet|lo_emu001-office_1";

/** The body of a booking that is good, if the slot is. */
export function booking(startTime: string) {
  return {
    appointment_type: "providers",
    data: {
      start_time: startTime,
      visit_reason_id: "pc_emulator-901-1",
      provider_location_id: LOCATION_ID,
      patient_type: "new",
      patient: {
        first_name: "Sample",
        last_name: "Patient",
        date_of_birth: "1990-01-01",
        sex_at_birth: "female",
        phone_number: "2125550100",
        email_address: "patient@example.com",
        patient_address: {},
      },
    },
  };
}
