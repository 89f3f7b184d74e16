import { type PillionProcess, type StartOptions, startPillion } from "../../support/pillion-process.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

/** A `run` of the real process with its configuration in a folder of its own. */
export interface Serving extends PillionProcess {
  readonly workspace: Workspace;
  /** The configuration file's path. */
  readonly configFile: string;
  /** Writes the configuration anew, with the same listeners. */
  configure(text: string): void;
}

export interface ServeOptions extends StartOptions {
  /** Filled beforehand; removed in the end. */
  readonly workspace?: Workspace;
  readonly args?: readonly string[];
}

/** What every configuration here begins with. */
export const FREE_PORTS = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n";

/** Writes `pillion.yaml`, with both listeners on free ports, and serves it. */
export async function serve(text: string, options: ServeOptions = {}): Promise<Serving> {
  const workspace = options.workspace ?? createWorkspace();
  const configure = (next: string): string => workspace.write("pillion.yaml", `${FREE_PORTS}${next}`);
  const configFile = configure(text);
  const pillion = await startPillion(["run", "-c", configFile, ...(options.args ?? [])], options).catch(
    (error: unknown) => {
      workspace.remove();
      throw error;
    },
  );
  const stop = async (): Promise<void> => {
    await pillion.stop();
    workspace.remove();
  };
  return {
    ...pillion,
    workspace,
    configFile,
    configure: (next) => void configure(next),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
