import type { DiagnosisObserver } from "../src/diagnosis/diagnose.ts";
import { type Finding, type Subject, subjectName } from "../src/diagnosis/finding.ts";

export interface ProgressOptions {
  /** One line for each finding, in the order of the plan. */
  print(finding: Finding): void;
  /** Replaces the present line by this text; undefined: there is no terminal, and nothing is redrawn. */
  readonly redraw: ((text: string) => void) | undefined;
  /** Width of the terminal. */
  columns(): number;
}

export interface Progress extends DiagnosisObserver {
  /** Time has passed. */
  tick(): void;
  /** Takes the line away. */
  end(): void;
}

const FRAMES = ["|", "/", "-", "\\"];

/** Prints findings in the planned order, each as soon as all before it are there, and says meanwhile what is waited for. */
export function createProgress({ print, redraw, columns }: ProgressOptions): Progress {
  let plan: readonly Subject[] = [];
  const found = new Map<Subject, Finding>();
  let printed = 0;
  let frame = 0;

  const draw = (): void => {
    const waiting = plan.filter((subject) => !found.has(subject));
    const [next] = waiting;
    if (redraw === undefined || next === undefined) return;
    const text = `${FRAMES[frame % FRAMES.length]} ${found.size} of ${plan.length} examined, waiting for ${subjectName(next)}`;
    redraw(text.slice(0, Math.max(0, columns() - 1)));
  };

  return {
    planned(subjects) {
      plan = subjects;
      draw();
    },
    finished(finding) {
      found.set(finding.subject, finding);
      let next = found.get(plan[printed] as Subject);
      if (next !== undefined) redraw?.("");
      while (next !== undefined) {
        print(next);
        printed += 1;
        const subject = plan[printed];
        next = subject === undefined ? undefined : found.get(subject);
      }
      draw();
    },
    tick() {
      frame += 1;
      draw();
    },
    end() {
      redraw?.("");
    },
  };
}
