import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from 'js-yaml';
import type { Workload } from '../../operator/api/plan.ts';
import { API_VERSION } from '../../operator/api/names.ts';
import { cloneRoot } from '../cluster/paths.ts';

/** A manifest as people write it: anything may be wrong in it, which is for the API server and the operator to say. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
}

export interface ManifestChanges {
  /** `phases-to-user-definable` when left out. */
  name?: string;
  /** Of its workloads; `BehindFence` when left out. */
  startPolicy?: Workload['startPolicy'];
  /** Merged into the spec, objects key by key, lists and all else replaced; null removes a field. */
  spec?: Record<string, unknown>;
}

/** The planner's PhaseMigration of examples/planner/phasemigration.yaml with changes. */
export async function plannerManifest(changes: ManifestChanges = {}): Promise<Manifest> {
  const text = await readFile(join(cloneRoot, 'examples', 'planner', 'phasemigration.yaml'), 'utf8');
  const manifest = load(text) as Manifest;
  if (manifest.apiVersion !== API_VERSION)
    throw new Error(`The example is of ${manifest.apiVersion}, not ${API_VERSION}.`);
  if (changes.name) manifest.metadata.name = changes.name;
  const { startPolicy } = changes;
  if (startPolicy) {
    const workloads = manifest.spec.workloads as Workload[];
    manifest.spec.workloads = workloads.map((workload) => ({ ...workload, startPolicy }));
  }
  manifest.spec = merge(manifest.spec, changes.spec ?? {});
  return manifest;
}

/** RFC 7386, as `kubectl patch --type=merge` does it. */
export function merge(target: Record<string, unknown>, patch: Record<string, unknown>): Record<string, unknown> {
  const result = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const current = result[key];
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = merge(isObject(current) ? current : {}, value);
    else result[key] = value;
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
