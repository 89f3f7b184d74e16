import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder of a test's own. */
export interface Workspace extends Disposable {
  readonly directory: string;
  path(name: string): string;
  /** Writes a file, with the folders it lies in; returns its path. */
  write(name: string, text: string): string;
  /** A folder that is filled and changed as Kubernetes mounts ConfigMaps and Secrets. */
  mount(name: string, files: Readonly<Record<string, string>>): KubernetesVolume;
  remove(): void;
}

export interface KubernetesVolume {
  readonly directory: string;
  path(name: string): string;
  /** All files change at once: a new folder, and the link `..data` renamed over the old one. */
  swap(files: Readonly<Record<string, string>>): void;
}

export function createWorkspace(): Workspace {
  const directory = mkdtempSync(join(tmpdir(), "pillion-e2e-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const path = (name: string): string => join(directory, name);
  const write = (name: string, text: string): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
    return path(name);
  };
  return {
    directory,
    path,
    write,
    mount: (name, files) => createVolume(path(name), files),
    remove,
    [Symbol.dispose]: remove,
  };
}

/** The kubelet's AtomicWriter: `name` → `..data/name`, `..data` → `..2030_01_01_00_00_00.1`. */
function createVolume(directory: string, files: Readonly<Record<string, string>>): KubernetesVolume {
  let generation = 0;
  let present: string | undefined;
  const swap = (next: Readonly<Record<string, string>>): void => {
    generation += 1;
    const folder = `..2030_01_01_00_00_00.${generation}`;
    mkdirSync(join(directory, folder), { recursive: true });
    for (const [name, text] of Object.entries(next)) writeFileSync(join(directory, folder, name), text);
    symlinkSync(folder, join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    if (present !== undefined) rmSync(join(directory, present), { recursive: true });
    present = folder;
  };
  swap(files);
  for (const name of Object.keys(files)) symlinkSync(join("..data", name), join(directory, name));
  return { directory, path: (name) => join(directory, name), swap };
}
