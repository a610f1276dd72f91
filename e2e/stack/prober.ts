import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { execa } from 'execa';
import { endsWithUs } from '../cluster/ends-with-us.ts';
import { cloneRoot } from '../cluster/paths.ts';
import type { Given } from './given.ts';
import { oldImage, type Site } from './site.ts';

/** One request of the prober: when it began and ended, the HTTP status (0: none), and the version that answered. */
export interface Probe {
  start: number;
  end: number;
  status: number;
  version: string;
}

/** A client of the application inside the cluster that asks it every 20 ms. */
export interface Prober {
  /** Ends it. @returns every request that it has made, in order */
  stop(): Promise<Probe[]>;
}

const POD = 'prober';

/** Starts the prober and resolves when the application has answered it. */
export async function startProber(site: Site, given: Given): Promise<Prober> {
  const program = await readFile(join(cloneRoot, 'bench', 'prober', 'main.ts'), 'utf8');
  await given.object({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: POD }, data: { 'main.ts': program } });
  await given.object(pod());
  await site.cluster.exec([
    'kubectl',
    '-n',
    site.namespace,
    'wait',
    '--for=condition=Ready',
    `pod/${POD}`,
    '--timeout=60s',
  ]);
  const url = 'http://planner-backend/api/v1/status';
  const command = [
    'kubectl',
    '-n',
    site.namespace,
    'exec',
    '-i',
    POD,
    '--',
    'node',
    '/prober/main.ts',
    url,
    '20',
    '1000',
  ];
  const [file, ...args] = [...endsWithUs('TERM'), ...site.cluster.nsenterPrefix, ...command] as [string, ...string[]];
  const child = execa(file, args, { env: site.cluster.env, stdin: 'pipe', buffer: { stdout: false }, reject: false });
  let rows: [number, number, number, string][] = [];
  const answered = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as { state?: string; probes?: typeof rows };
      if (line.probes) rows = line.probes;
      else if (line.state !== 'failing') resolve();
    });
  });
  const failed = child.then(({ stderr }) => Promise.reject(new Error(`The prober ended: ${String(stderr)}`)));
  await Promise.race([answered, failed]);
  return {
    stop: async () => {
      child.stdin.end();
      await failed.catch(() => undefined);
      return rows.map(([start, end, status, version]) => ({ start, end, status, version }));
    },
  };
}

function pod(): object {
  const container = {
    name: POD,
    image: oldImage,
    command: ['node', '-e', 'setInterval(() => {}, 1e9)'],
    volumeMounts: [{ name: POD, mountPath: '/prober' }],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  };
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const volumes = [{ name: POD, configMap: { name: POD } }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: POD },
    spec: { terminationGracePeriodSeconds: 0, securityContext, containers: [container], volumes },
  };
}
