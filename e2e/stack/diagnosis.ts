import { dump } from 'js-yaml';
import type { Migration, Run } from './objects.ts';
import { podsOf, type OperatorPlace } from './operator.ts';
import type { Site } from './site.ts';

/** Everything that explains why a scenario failed: what Kubernetes tells of its objects, and the programs' last lines. */
export async function diagnose(site: Site, operator: OperatorPlace): Promise<string> {
  const { cluster, namespace, api, paths } = site;
  const kubectl = async (...args: string[]) => {
    const { stdout, stderr } = await cluster.exec(['kubectl', ...args], { allowFailure: true });
    return stdout || stderr;
  };
  const here = ['-n', namespace];
  const events =
    'jsonpath={range .items[*]}{.eventTime}{.deprecatedLastTimestamp} {.type} {.reason} {.regarding.name}: {.note}{"\\n"}{end}';
  const parts = [
    section('PhaseMigrations', statuses(await api.list<Migration>({ path: paths.migrations })), 80),
    section('runs', statuses(await api.list<Run>({ path: paths.runs })), 150),
    section(
      'events',
      await kubectl('get', 'events.v1.events.k8s.io', ...here, '--sort-by=.metadata.creationTimestamp', '-o', events),
      40,
    ),
    section('pods', await kubectl('get', 'pods', ...here), 20),
    section(
      'runner',
      await kubectl('logs', ...here, '-l', 'phasemigration.io/component=runner', '--tail=30', '--prefix'),
      40,
    ),
    section(
      'operator',
      linesAbout(namespace, await kubectl('logs', '-n', operator.namespace, '-l', podsOf(operator), '--tail=300')),
      30,
    ),
  ];
  return parts.join('\n');
}

function statuses(objects: (Migration | Run)[]): string {
  return objects
    .map(({ metadata, status, spec }) => {
      const { name, generation, finalizers, deletionTimestamp } = metadata;
      const wanted = 'goal' in spec ? { goal: spec.goal, runnerEpoch: spec.runnerEpoch } : { state: spec.state };
      const told = { ...status, steps: undefined, snapshots: undefined };
      return dump(
        { name, generation, finalizers, deletionTimestamp, ...wanted, status: 'goal' in spec ? status : told },
        { skipInvalid: true, lineWidth: 160 },
      );
    })
    .join('\n');
}

/** The operator works for other namespaces at the same time. */
function linesAbout(namespace: string, text: string): string {
  const lines = text.split('\n').filter((line) => line.includes(namespace) || !/"namespace"|"key"/.test(line));
  return lines.join('\n');
}

function section(title: string, text: string, lines: number): string {
  return `── ${title} ──\n${text.trimEnd().split('\n').slice(-lines).join('\n')}`;
}
