/** Runs generated cases on all kinds of route at once, one after the other on each. */
import { connect, type Socket } from "node:net";
import { type Lab, type Lane, onLane, startLab } from "../../test/attacks/lab.ts";
import { connectRaw, head, type RawClient } from "../../test/support/raw-client.ts";
import { type GeneratedCase, generate } from "./generator.ts";
import { judge } from "./verdict.ts";

export interface Mismatch {
  readonly lane: string;
  readonly generated: GeneratedCase;
  readonly why: string;
  readonly received: string;
}

export interface AttackOptions {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** By `performance.now()`: no case begins later. */
  readonly deadlineMs: number;
  report(mismatch: Mismatch): void;
}

export interface AttackSummary {
  cases: number;
  rejected: number;
  forwarded: number;
  both: number;
  mismatches: number;
  canaries: number;
}

/** A connection that is not ended by then is a mismatch. */
const PATIENCE_MS = 5_000;

export async function runAttacks(options: AttackOptions): Promise<AttackSummary> {
  const summary: AttackSummary = { cases: 0, rejected: 0, forwarded: 0, both: 0, mismatches: 0, canaries: 0 };
  await using lab = await startLab("limits: { connections: 4096 }");
  const end = options.from + options.count;
  await Promise.all(
    lab.lanes.map(async (lane, offset) => {
      const canary = await createCanary(lab, lane);
      // Which route a case goes to depends on its number alone, so that it can be run again by itself.
      const first =
        options.from + ((offset - (options.from % lab.lanes.length) + lab.lanes.length) % lab.lanes.length);
      for (let index = first; index < end; index += lab.lanes.length) {
        if (performance.now() > options.deadlineMs) break;
        await runCase(lab, lane, canary, generate(options.seed, index, lane), options, summary);
      }
      canary.close();
    }),
  );
  return summary;
}

interface Canary {
  /** Asks for something harmless; whether that came through as its own message. */
  sing(): Promise<boolean>;
  close(): void;
}

async function createCanary(lab: Lab, lane: Lane): Promise<Canary> {
  const client: RawClient = await connectRaw(lab.dataPort);
  return {
    async sing() {
      const name = lab.freshName();
      client.send(onLane(`${head(`POST /api/${name}`, "Content-Length: 3")}abc`, lane));
      const { status, body } = await client.answer();
      const [message, ...more] = lane.recorder.messages.filter(({ target }) => target === `/${name}`);
      return status === 200 && body === "ok" && message?.body === "abc" && more.length === 0;
    },
    close: () => void client.socket.destroy(),
  };
}

async function runCase(
  lab: Lab,
  lane: Lane,
  canary: Canary,
  generated: GeneratedCase,
  options: AttackOptions,
  summary: AttackSummary,
): Promise<void> {
  const { recorder } = lane;
  recorder.forget();
  const { bytes } = generated;
  const { received, hung } = await exchange(lab.dataPort, bytes, generated.cuts);
  const served = await canary.sing().catch(() => false);
  const messages = recorder.messages.filter(({ target }) => !target.startsWith("/canary-"));
  const verdict = judge(lane, { bytes, messages, faults: recorder.faults, received, hung });
  summary.cases += 1;
  if (served) summary.canaries += 1;
  if (verdict.kind !== "mismatch") summary[verdict.kind] += 1;
  if (verdict.kind === "mismatch" || !served) {
    summary.mismatches += 1;
    const why = verdict.kind === "mismatch" ? verdict.why : "nothing harmless was served afterwards";
    options.report({ lane: lane.name, generated, why, received });
  }
}

/** Sends the bytes in their pieces, says that there are no more, and reads to the end. */
function exchange(
  port: number,
  bytes: string,
  cuts: readonly number[],
): Promise<{ readonly received: string; readonly hung: boolean }> {
  return new Promise((resolve) => {
    let received = "";
    const socket: Socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const timer = setTimeout(() => over(true), PATIENCE_MS);
    const over = (hung: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ received, hung });
    };
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      received += text;
    });
    socket.on("error", () => {});
    socket.on("end", () => over(false));
    socket.on("close", () => over(false));
    socket.once("connect", () => {
      const bounds = [0, ...cuts, bytes.length];
      const send = (piece: number): void => {
        if (piece >= bounds.length) {
          socket.end();
          return;
        }
        socket.write(bytes.slice(bounds[piece - 1], bounds[piece]), "latin1", () =>
          setImmediate(() => send(piece + 1)),
        );
      };
      send(1);
    });
  });
}
