/** The callers of a soak: sends one planned request and judges what came of it. */
import { createHash } from "node:crypto";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Plan } from "./plan.ts";
import { DOWNLOAD_BYTES, EVENTS } from "./upstream.ts";

/** As it should be; a fault that was asked for and came out as the contract says; or neither, in words. */
export type Outcome =
  | { readonly kind: "good" }
  | { readonly kind: "fault" }
  | { readonly kind: "unexpected"; readonly why: string };

const GOOD: Outcome = { kind: "good" };
const FAULT: Outcome = { kind: "fault" };

const TIMEOUT_MS = 20_000;
const UPLOAD = Buffer.alloc(64 * 1_024, "u");
const UPLOAD_SHA256 = createHash("sha256").update(UPLOAD).digest("hex");

interface Answer {
  readonly status: number;
  /** It was made by the proxy: only those have this field. */
  readonly proxyStatus: string | undefined;
  readonly retryAfter: string | undefined;
  readonly tenant: string | undefined;
  readonly body: string;
  /** All of it arrived. */
  readonly whole: boolean;
}

export interface SoakClient {
  send(plan: Plan): Promise<Outcome>;
  close(): void;
}

/** `isFailing`: whether the token endpoint fails for this tenant now, so that the proxy may have no token. */
export function createSoakClient(origin: string, isFailing: (tenant: string) => boolean): SoakClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 48, maxFreeSockets: 48 });

  function exchange({ id, kind, target }: Plan): Promise<Answer | undefined> {
    const query = new URLSearchParams({ id: String(id), kind, tenant: target.tenant ?? "" });
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(`${origin}${target.path}soak?${query}`, {
        method: kind === "upload" ? "PUT" : "GET",
        agent,
        timeout: TIMEOUT_MS,
        headers: kind === "upload" ? { "content-length": UPLOAD.length } : {},
      });
      let gone = false;
      const leave = (): void => {
        gone = true;
        outgoing.destroy();
        resolve(undefined);
      };
      outgoing.on("timeout", () => outgoing.destroy(new Error("nothing came for 20 s")));
      outgoing.on("error", (error) => {
        if (!gone) reject(error);
      });
      outgoing.on("response", (response) => {
        if (kind === "abort" && id % 2 === 1) response.once("data", leave);
        collect(response).then(resolve, reject);
      });
      outgoing.end(kind === "upload" ? UPLOAD : undefined);
      if (kind === "abort" && id % 2 === 0) setTimeout(leave, id % 4 === 0 ? 0 : 5);
    });
  }

  return {
    async send(plan) {
      const { tenant } = plan.target;
      const wasFailing = tenant !== undefined && isFailing(tenant);
      try {
        const answer = await exchange(plan);
        if (answer === undefined) return GOOD;
        return judge(plan, answer, wasFailing || (tenant !== undefined && isFailing(tenant)));
      } catch (error) {
        return unexpected(plan, error instanceof Error ? error.message : "failed");
      }
    },
    close: () => agent.destroy(),
  };
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  const head = {
    status,
    proxyStatus: headers["proxy-status"]?.toString(),
    retryAfter: headers["retry-after"],
    tenant: headers["soak-tenant"]?.toString(),
  };
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { ...head, body: Buffer.concat(chunks).toString("latin1"), whole: response.complete };
  } catch {
    return { ...head, body: "", whole: false };
  }
}

/** What the contract says of this plan, and nothing beside it. */
function judge(plan: Plan, answer: Answer, tokenMayFail: boolean): Outcome {
  const { kind, target, id } = plan;
  const { status, body } = answer;
  const ofTheProxy = answer.proxyStatus !== undefined;
  if (status === 503 && ofTheProxy && tokenMayFail && answer.proxyStatus?.includes("TOKEN_UNAVAILABLE")) {
    return answer.retryAfter === undefined ? unexpected(plan, "503 without Retry-After") : FAULT;
  }
  if (kind === "abort") return GOOD; // Too late to go away: whatever came is no concern of that caller any more.
  if (kind === "reset") return status === 502 && ofTheProxy ? FAULT : unexpected(plan, `${status}`);
  if (kind === "cut")
    return answer.whole ? unexpected(plan, "a truncated body passed for a whole one") : FAULT;
  if (!answer.whole) return unexpected(plan, `${status}, cut short`);
  if (ofTheProxy) return unexpected(plan, `${status} ${answer.proxyStatus}`);
  if (answer.tenant !== undefined && answer.tenant !== (target.tenant ?? ""))
    return unexpected(plan, "the answer to another tenant");
  if (kind === "error") return status === 500 ? FAULT : unexpected(plan, `${status}`);
  if (kind === "unauthorized" && status === 401) return FAULT;
  if (status !== 200) return unexpected(plan, `${status}`);
  const right =
    kind === "upload"
      ? body === UPLOAD_SHA256
      : kind === "download"
        ? body.length === DOWNLOAD_BYTES
        : kind === "events"
          ? body.split("\n\n").length === EVENTS + 1
          : body === JSON.stringify({ tenant: target.tenant ?? "", id: String(id) });
  if (!right) return unexpected(plan, "another body than was sent");
  return kind === "slow" ? FAULT : GOOD;
}

function unexpected({ kind, target }: Plan, why: string): Outcome {
  return { kind: "unexpected", why: `${kind} ${target.path}: ${why}` };
}
