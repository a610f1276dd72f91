import { createHash } from 'node:crypto';
import { RETRY_ANNOTATION } from '../../api/names.ts';
import type { FieldTree } from '../../api/field-tree.ts';
import planFields from '../../api/plan-fields.json' with { type: 'json' };
import { planOf } from '../../api/plan-of.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';

const LONGEST_RETRY = 256;

/**
 * The retry that was last asked for. An annotation that was taken away asks for nothing, nor does one that was given
 * while a person had to decide: after the decision it would begin an outage that nobody thinks of any more.
 */
export function retryOf({ metadata, status }: PhaseMigration): string | undefined {
  const asked = askedRetry(metadata);
  return asked === undefined || asked === status?.refusedRetry ? status?.observedRetry : asked;
}

/** As long as the status has room for: a longer one would make every write of the status be refused. */
function askedRetry({ annotations }: PhaseMigration['metadata']): string | undefined {
  return annotations?.[RETRY_ANNOTATION]?.slice(0, LONGEST_RETRY);
}

/** The retry that is never carried out, of a PhaseMigration whose latest run is this one. */
export function refusedRetry(
  { metadata, status }: PhaseMigration,
  latest: PhaseMigrationRun | undefined,
): string | undefined {
  const asked = askedRetry(metadata);
  const isNew = asked !== undefined && asked !== status?.observedRetry;
  return isNew && latest?.status?.outcome === 'NeedsHuman' ? asked : status?.refusedRetry;
}

/**
 * Hash of what a run answers: the plan, the wanted state and the retry request. Fields that have their default do not
 * count, nor do fields that this version does not know: otherwise an upgrade of the resource definitions that adds a
 * field with a default would begin an outage for every PhaseMigration there is.
 */
export function requestHash(migration: PhaseMigration, fields: FieldTree = planFields): string {
  const plan = withoutDefaults(planOf(migration.spec), fields);
  const request = [plan, migration.spec.state, retryOf(migration) ?? ''];
  return createHash('sha256').update(canonicalJson(request)).digest('hex').slice(0, 32);
}

function withoutDefaults(value: unknown, tree: FieldTree | undefined): unknown {
  if (tree === undefined || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(item, tree.items));
  const entries = Object.entries(value).flatMap(([name, field]) => {
    const own = tree.properties?.[name];
    // A newer version's field, which this one would not carry out either.
    if (tree.properties && !own) return [];
    const kept = withoutDefaults(field, own);
    return canonicalJson(kept) === canonicalJson(withoutDefaults(own?.default, own)) ? [] : [[name, kept] as const];
  });
  return Object.fromEntries(entries);
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
    .join(',')}}`;
}
