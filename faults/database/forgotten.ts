import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { lockKey } from '../../operator/runner/core/names.ts';
import { destroy } from './application.ts';
import { FORGOTTEN_MILLISECONDS } from './faults.ts';
import type { Scene } from './scene.ts';

/** A session of somebody, not over the wire. @throws Error when the server refuses it */
export async function logIn(
  { server }: Pick<Scene, 'server'>,
  who: { user: string; database: string; application: string },
): Promise<pg.Client> {
  const { user, database, application } = who;
  const { host, port } = server;
  const client = new pg.Client({ host, port, user, database, application_name: application });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/**
 * Somebody leaves a session open in the middle of a transaction that has read the table. It is ended by the server, by
 * somebody who is told of it, or after a while.
 */
export async function forgetSession(scene: Scene, who: 'Client' | 'Owner' | 'Superuser'): Promise<void> {
  const { scenario } = scene;
  const user = { Client: scenario.client, Owner: scenario.owner, Superuser: 'postgres' }[who];
  let client: pg.Client;
  try {
    client = await logIn(scene, { user, database: scenario.database, application: 'forgotten' });
  } catch {
    // Behind the fence: nothing is forgotten there.
    return;
  }
  scene.fire();
  client.on('end', () => (scene.overAt ??= Date.now()));
  const end = () => {
    destroy(client);
    return Promise.resolve();
  };
  scene.mends.push(end);
  void delay(FORGOTTEN_MILLISECONDS, undefined, { ref: false }).then(end);
  await client
    .query(`BEGIN; SET LOCAL lock_timeout = '200ms'; LOCK TABLE public.item IN ACCESS SHARE MODE`)
    // Where the table is locked already the session itself is what is in the way.
    .catch(() => undefined);
}

const HELD_MILLISECONDS = 1500;

/** Somebody else works on the database when the run begins, and has its lock. */
export async function holdLock(scene: Scene): Promise<void> {
  const { scenario } = scene;
  const client = await logIn(scene, { user: 'postgres', database: 'postgres', application: 'somebody else' });
  await client.query('SELECT pg_advisory_lock($1::int8)', [lockKey('database', scenario.database)]);
  scene.fire();
  void scene.guarded(async () => {
    const { waitingFor } = await scenario.memory.when(
      (runner) => runner.waitingFor !== undefined || runner.reachedGoal !== undefined,
      'that it waits for the lock',
    );
    if (waitingFor) await delay(HELD_MILLISECONDS);
    const { steps = [] } = scenario.memory.runner;
    if (!waitingFor || steps.some(({ state }) => state === 'Succeeded'))
      scene.breach('the run went on although somebody else had the lock of its database');
    await client.end();
    scene.over();
  });
}
