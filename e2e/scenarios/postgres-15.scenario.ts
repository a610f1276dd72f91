import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { cloneRoot } from '../cluster/paths.ts';
import { named, type Pod } from '../stack/objects.ts';
import { plannerSite } from '../stack/scenario.ts';
import { waitUntil } from '../stack/wait.ts';

/** The pod that docs/adopting.md tells people to apply. */
async function documentedPod(): Promise<{ metadata: { name: string } }> {
  const document = await readFile(join(cloneRoot, 'docs', 'adopting.md'), 'utf8');
  const [, manifest] = /```yaml\n(apiVersion: v1\nkind: Pod\n[^]*?)```/.exec(document) ?? [];
  if (!manifest) throw new Error('docs/adopting.md has no Pod any more.');
  return load(manifest) as { metadata: { name: string } };
}

describe('On PostgreSQL 15, a migration', () => {
  const scenario = plannerSite('e2e-postgres-15');

  scenario('is done and undone', async ({ when, then }) => {
    await when.applied();
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
    await when.patched({ state: 'RolledBack' });
    await then.ends('RolledBack', 'RolledBackAsRequested', /Rolled back/);
    await then.isAsBefore();
  });

  scenario(
    'is behind the fence of CONNECTION LIMIT where the application shares the owner’s role',
    async ({ when, then }) => {
      await when.applied({ spec: { database: { clientRoles: [] } }, startPolicy: 'AfterUnfence' });
      await then.ends('Succeeded', 'Succeeded', /Migrated/);
      await then.isMigrated();
    },
  );

  scenario(
    'of a database that another tool has migrated is refused until its revision is declared as the document says',
    async ({ site, given, when, then }) => {
      await given.sql('DROP SCHEMA phasemigration CASCADE');
      await when.applied();
      await then.ends('Failed', 'UnexpectedRevision', /Nothing was changed/);
      const pod = await documentedPod();
      await given.object(pod);
      await waitUntil(
        site.api,
        { path: site.paths.pods, fieldSelector: named(pod.metadata.name) },
        ([found]: Pod[]) => found?.status?.phase === 'Succeeded' || undefined,
        {
          within: 60,
          until: `pod ${pod.metadata.name} has succeeded`,
          last: ([found]) => JSON.stringify(found),
        },
      );
      const ledger = 'SELECT revision FROM phasemigration.ledger ORDER BY id DESC LIMIT 1';
      expect((await given.sql(ledger)).trim()).to.equal('976e6adbac6f');
      await when.retried();
      await then.ends('Succeeded', 'Succeeded', /Migrated/);
      await then.isMigrated();
    },
  );
});
