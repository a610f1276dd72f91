import { until } from '../../operator/runner/postgres/wait.ts';
import { logIn } from './forgotten.ts';
import type { Scene } from './scene.ts';
import type { Statement, Treatment } from './wire.ts';

const TIMEOUT_MILLISECONDS = 20_000;

/**
 * CREATE INDEX CONCURRENTLY waits for somebody's transaction while its index is there and not valid yet; in that moment
 * it is cut short.
 */
export const invalidIndex =
  (cutShort: (statement: Statement, scene: Scene) => void) =>
  async (scene: Scene, statement: Statement): Promise<Treatment> => {
    const { scenario } = scene;
    const database = scenario.database;
    const holder = await logIn(scene, { user: 'postgres', database, application: 'a transaction of somebody' });
    await holder.query('BEGIN; LOCK TABLE public.item IN ROW EXCLUSIVE MODE');
    const look = await logIn(scene, { user: 'postgres', database, application: 'a look at the index' });
    const has = async (sql: string) => (await look.query(sql)).rowCount! > 0;
    const cut = async () => {
      const invalid = 'SELECT 1 FROM pg_index WHERE NOT indisvalid';
      await until(TIMEOUT_MILLISECONDS, 'an invalid index', () => has(invalid));
      scene.fire();
      cutShort(statement, scene);
      const building = `SELECT 1 FROM pg_stat_activity WHERE pid = ${statement.connection.pid} AND query ~* 'create index' AND state = 'active'`;
      await until(TIMEOUT_MILLISECONDS, 'the end of the building', async () => !(await has(building)));
      await Promise.all([holder.end(), look.end()]);
      scene.over();
    };
    return { whenPassed: () => void scene.guarded(cut) };
  };
