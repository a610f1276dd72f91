import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { cloneRoot } from '../../e2e/cluster/paths.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { CustomResourceDefinition } from '../../operator/kube/resource-types.ts';

/** Installs the CRDs as they are checked in. */
export async function createDefinitions(client: KubeClient): Promise<void> {
  const folder = join(cloneRoot, 'crds');
  for (const name of (await readdir(folder)).sort())
    await client.create(
      CustomResourceDefinition,
      load(await readFile(join(folder, name), 'utf8')) as CustomResourceDefinition,
    );
}
