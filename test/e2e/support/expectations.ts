import { expect } from "vitest";
import type { Reply } from "./http-client.ts";

/** An answer that the proxy made itself: status, RFC 9457 body and RFC 9209 field all say the same. */
export function expectProblem(reply: Reply, status: number, code: string): void {
  expect({ status: reply.status, code: reply.json?.code }).toEqual({ status, code });
  expect(reply.headers["content-type"]).toBe("application/problem+json");
  expect(reply.headers["proxy-status"]).toMatch(new RegExp(`^pillion; error=[a-z_]+; details="${code}"$`));
  expect(reply.json).toEqual({
    type: expect.stringMatching(/\S/),
    title: expect.stringMatching(/\S/),
    status,
    detail: expect.stringMatching(/\S/),
    code,
    request_id: expect.stringMatching(/\S/),
  });
}
